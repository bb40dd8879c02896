//! Syncs, their revisions, and drafts.

use axum::http::Method;
use landbridge_control::service::Role;
use landbridge_model::sync::SyncDefinition;
use landbridge_model::yaml;
use serde_json::{Value, json};

use super::{ACME, edited, vehicles};
use crate::api::Api;
use crate::rig::{VEHICLES, definition, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_edit_overwrites_nothing() {
    let api = Api::new().await;
    let editor = api.in_acme(Role::Editor).await;
    let path = format!("{ACME}/syncs/vehicles");
    let put = async |header: Option<(&str, &str)>, body: &Value| {
        let headers: Vec<_> = header.into_iter().collect();
        api.send(Method::PUT, &path, &editor, &headers, Some(body)).await
    };
    assert_eq!(
        put(None, &vehicles()).await.expect(428).kind(),
        "precondition-required"
    );
    let first = put(Some(("if-none-match", "*")), &vehicles()).await.expect(201);
    let tag = first.header("etag");
    assert_eq!(
        put(Some(("if-none-match", "*")), &vehicles())
            .await
            .expect(412)
            .kind(),
        "stale"
    );
    let second = put(Some(("if-match", &tag)), &edited()).await.expect(200);
    assert_eq!(second.json()["revision"], 2);
    assert_ne!(second.header("etag"), tag);
    assert_eq!(
        put(Some(("if-match", &tag)), &vehicles())
            .await
            .expect(412)
            .kind(),
        "stale"
    );
    assert_eq!(
        put(Some(("if-match", "no-quotes")), &vehicles())
            .await
            .expect(422)
            .kind(),
        "invalid"
    );
    let stored = api.get(&path, &editor).await.expect(200);
    assert_eq!(stored.json()["definition"], edited());
    assert_eq!(stored.header("etag"), second.header("etag"));

    let refused = api
        .send(Method::DELETE, &path, &editor, &[("if-match", &tag)], None)
        .await;
    assert_eq!(refused.expect(412).kind(), "stale");
    let mut other = vehicles();
    other["metadata"]["name"] = "trucks".into();
    assert!(
        put(Some(("if-none-match", "*")), &other)
            .await
            .expect(422)
            .text
            .contains("trucks")
    );
    other["metadata"] = json!({"tenant": "globex", "name": "vehicles"});
    assert!(
        put(Some(("if-none-match", "*")), &other)
            .await
            .expect(422)
            .text
            .contains("belongs")
    );
    put(Some(("if-none-match", "*")), &json!({"kind": "Sync"}))
        .await
        .expect(422);
    api.delete_seen(&path, &editor).await.expect(204);
    soon(
        "that it is gone",
        api.rig
            .config
            .wait_for(|config| config.syncs(&crate::rig::tenant()).is_empty().then_some(())),
    )
    .await;
    api.get(&path, &editor).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_are_kept_and_told_apart() {
    let api = Api::new().await;
    let editor = api.in_acme(Role::Editor).await;
    api.rig.apply(VEHICLES).await;
    let path = format!("{ACME}/syncs/vehicles");
    let tag = soon("the sync", async {
        loop {
            let answer = api.get(&path, &editor).await;
            if answer.status == 200 {
                return answer.header("etag");
            }
        }
    })
    .await;
    api.send(
        Method::PUT,
        &path,
        &editor,
        &[("if-match", &tag)],
        Some(&edited()),
    )
    .await
    .expect(200);
    let list = api
        .get(&format!("{path}/revisions"), &editor)
        .await
        .expect(200)
        .json();
    let revisions: Vec<(u64, Option<&str>)> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["revision"].as_u64().unwrap(), line["by"].as_str()))
        .collect();
    assert_eq!(revisions.len(), 2);
    assert!(
        revisions[0].0 == 2 && revisions[0].1.unwrap().starts_with("token:"),
        "{revisions:?}"
    );
    assert_eq!(revisions[1], (1, None), "nobody said who applied the first");
    let first = api
        .get(&format!("{path}/revisions/1"), &editor)
        .await
        .expect(200)
        .json();
    assert_eq!(first["definition"], vehicles());
    let diff = api
        .get(&format!("{path}/revisions/2/diff"), &editor)
        .await
        .expect(200)
        .json();
    let changed: Vec<&str> = diff["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert!(
        changed.iter().all(|line| line.starts_with('+')) && changed.len() == 2,
        "{changed:?}"
    );
    api.get(&format!("{path}/revisions/7"), &editor).await.expect(404);
    api.get(&format!("{path}/revisions/x"), &editor).await.expect(404);
    let unread = api
        .get(&format!("{path}/revisions?limit=0"), &editor)
        .await
        .expect(422);
    assert!(unread.text.contains("1 to 500"), "{}", unread.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_definitions_are_planned_and_applied() {
    let api = Api::new().await;
    let editor = api.in_acme(Role::Editor).await;
    let path = format!("{ACME}/apply");
    let plan = api
        .post(
            &path,
            &editor,
            &json!({"definitions": [vehicles()], "dry_run": true}),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&plan["written"], &plan["syncs"][0]["change"]),
        (&json!(false), &json!("created"))
    );
    let wanted = json!({"definitions": [vehicles()], "expected": [{"name": "vehicles", "tag": null}]});
    let applied = api.post(&path, &editor, &wanted).await.expect(200).json();
    assert_eq!(applied["written"], true);
    assert_eq!(
        api.post(&path, &editor, &wanted).await.expect(412).kind(),
        "stale"
    );
    let again = api
        .post(&path, &editor, &json!({"definitions": [vehicles()]}))
        .await
        .expect(200)
        .json();
    assert_eq!(again["written"], false, "applying the same again changes nothing");

    let wrong: SyncDefinition = definition(&VEHICLES.replace("from: Name", "from: Nam"));
    let tag = api.get(&format!("{ACME}/syncs/vehicles"), &editor).await.json()["tag"].clone();
    let body = json!({"definitions": [wrong], "expected": [{"name": "vehicles", "tag": tag}]});
    let refused = api.post(&path, &editor, &body).await.expect(422).json();
    assert!(
        refused["problems"][0]["place"]
            .as_str()
            .unwrap()
            .starts_with("vehicles: spec.fields[0]"),
        "{refused}"
    );
    let validated = api
        .post(
            &format!("{ACME}/syncs/vehicles/validate"),
            &editor,
            &serde_json::to_value(&wrong).unwrap(),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(
        validated["problems"].as_array().unwrap().len(),
        refused["problems"].as_array().unwrap().len()
    );

    let exported = api
        .get(&format!("{ACME}/export?sync=vehicles"), &editor)
        .await
        .expect(200);
    assert_eq!(exported.text, yaml::export(&[definition(VEHICLES)]));
    assert_eq!(
        exported.text,
        api.get("/api/v1/export", &editor).await.expect(200).text
    );
    api.get(&format!("{ACME}/export?sync=nope"), &editor)
        .await
        .expect(404);
    api.get(&format!("{ACME}/export?sync=No!"), &editor)
        .await
        .expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_is_turned_on_and_paused() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    api.rig.apply(VEHICLES).await;
    let post = async |verb: &str| {
        api.send(
            Method::POST,
            &format!("{ACME}/syncs/vehicles/{verb}"),
            &operator,
            &[],
            None,
        )
        .await
    };
    assert_eq!(
        post("pause").await.expect(422).kind(),
        "invalid",
        "a draft cannot be paused"
    );
    assert_eq!(post("activate").await.expect(200).json()["change"], "changed");
    assert_eq!(post("pause").await.expect(200).json()["change"], "changed");
    api.send(
        Method::POST,
        &format!("{ACME}/syncs/nope/activate"),
        &operator,
        &[],
        None,
    )
    .await
    .expect(404);
    let actions: Vec<String> = api
        .audit()
        .await
        .into_iter()
        .map(|(_, action, _)| action)
        .collect();
    assert_eq!(actions[..2], ["sync.paused", "sync.active"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_survive_and_are_not_overwritten_unseen() {
    let api = Api::new().await;
    let editor = api.in_acme(Role::Editor).await;
    let path = format!("{ACME}/drafts/fleet");
    let first = api
        .put_seen(&path, &editor, &json!({"step": 2}))
        .await
        .expect(200);
    let tag = first.header("etag");
    let put = async |tag: &str, body: Value| {
        api.send(Method::PUT, &path, &editor, &[("if-match", tag)], Some(&body))
            .await
    };
    put(&tag, json!({"step": 3})).await.expect(200);
    assert_eq!(put(&tag, json!({"step": 9})).await.expect(412).kind(), "stale");
    assert_eq!(
        api.get(&path, &editor).await.expect(200).json()["body"],
        json!({"step": 3})
    );
    let list = api
        .get(&format!("{ACME}/drafts"), &editor)
        .await
        .expect(200)
        .json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let large = json!("x".repeat(300_000));
    api.put_seen(&path, &editor, &large).await.expect(422);
    api.put_seen(&format!("{ACME}/drafts/No!"), &editor, &json!({}))
        .await
        .expect(404);
    api.delete_seen(&path, &editor).await.expect(204);
    api.get(&path, &editor).await.expect(404);
}
