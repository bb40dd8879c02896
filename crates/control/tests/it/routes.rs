//! Every route: what it does, and what it says to what cannot be done.

use axum::http::Method;
use landbridge_control::service::{Grant, Role};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{Failure, FailureCategory, Outcome, RecordOutcome, Source, StageKind, yaml};
use landbridge_wire::{FailedRecord, ReportBody};
use serde_json::{Value, json};

use crate::api::{Api, Proof};
use crate::rig::{VEHICLES, definition, id, soon, version};

const ACME: &str = "/api/v1/tenants/acme";

fn vehicles() -> Value {
    serde_json::to_value(definition(VEHICLES)).unwrap()
}

fn edited() -> Value {
    let text = VEHICLES.replace(
        "{ from: Name, to: name }",
        "{ from: Name, to: name }, { from: Name, to: other }",
    );
    serde_json::to_value(definition(&text)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_added_changed_and_removed() {
    let api = Api::new().await;
    let admin = api.admin().await;
    let wanted = json!({
        "salesforce": {"login_url": "https://new.my.salesforce.com/", "daily_calls": 1000},
        "hubspot": {"base_url": "https://api.hubapi.com"},
    });
    let path = "/api/v1/tenants/new";
    let added = api.put(path, &admin, &wanted).await.expect(201).json();
    assert_eq!(added["salesforce"]["login_url"], "https://new.my.salesforce.com");
    assert_eq!(added["role"], "admin");
    api.put(path, &admin, &wanted).await.expect(200);
    assert_eq!(api.get(path, &admin).await.expect(200).json(), added);

    let elsewhere = json!({"salesforce": {"login_url": "https://evil.example"}, "hubspot": {}});
    let refused = api.put(path, &admin, &elsewhere).await.expect(422);
    assert!(
        refused.text.contains("credentials"),
        "secrets do not follow an address: {}",
        refused.text
    );
    for (wrong, part) in [
        (
            json!({"salesforce": {"login_url": "http://acme.example"}, "hubspot": {}}),
            "https",
        ),
        (
            json!({"salesforce": {"login_url": "https://a.example"}, "hubspot": {}, "sales": 1}),
            "sales",
        ),
    ] {
        let refused = api.put(path, &admin, &wrong).await.expect(422);
        assert!(refused.text.contains(part), "{}", refused.text);
    }
    let own = api.in_acme(Role::Admin).await;
    api.put(path, &own, &wanted).await.expect(404);
    api.delete(ACME, &own).await.expect(403);

    api.delete(path, &admin).await.expect(204);
    soon(
        "that it is gone",
        api.rig.config.wait_for(|config| {
            let gone = config.tenants().iter().all(|tenant| tenant.id.as_str() != "new");
            gone.then_some(())
        }),
    )
    .await;
    assert_eq!(api.get(path, &admin).await.expect(404).kind(), "not-found");
    let actions: Vec<String> = api
        .audit()
        .await
        .into_iter()
        .map(|(_, action, _)| action)
        .filter(|action| action.starts_with("tenant."))
        .collect();
    assert_eq!(
        actions,
        ["tenant.removed", "tenant.added"],
        "what changes nothing is not a change"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_tested_and_credentials_sealed() {
    let api = Api::new().await;
    let admin = api.in_acme(Role::Admin).await;
    let connections = api
        .get(&format!("{ACME}/connections"), &admin)
        .await
        .expect(200)
        .json();
    assert_eq!(connections["keys"], json!({"salesforce": null, "hubspot": null}));
    let credentials = format!("{ACME}/connections/hubspot/credentials");
    let token = json!({"open": {"flow": "token", "token": "pat-na1-hush"}});
    let nobody = api.put(&credentials, &admin, &token).await.expect(503);
    assert!(nobody.text.contains("loader"), "{}", nobody.text);

    let pair = landbridge_bus::seal::KeyPair::generate();
    landbridge_bus::seal::publish_key(api.rig.hub.bus(), StageKind::Loader, &pair.public())
        .await
        .unwrap();
    api.put(&credentials, &admin, &token).await.expect(204);
    let bucket = api.rig.hub.bus().kv(landbridge_bus::Bucket::Secrets);
    let key = landbridge_bus::Key::new(["acme", "hubspot"]);
    let (sealed, _) = bucket
        .get_json::<landbridge_bus::seal::Sealed>(&key)
        .await
        .unwrap()
        .unwrap();
    let opened: Value = serde_json::from_slice(&pair.open(&sealed).unwrap()).unwrap();
    assert_eq!(opened, json!({"flow": "token", "token": "pat-na1-hush"}));

    let own = pair.public().seal(br#"{"flow":"token","token":"mine"}"#).unwrap();
    let body = json!({"sealed": {"to": own.to, "sealed": own.sealed}});
    api.put(&credentials, &admin, &body).await.expect(204);
    let other = json!({"sealed": {"to": "AAAA", "sealed": own.sealed}});
    api.put(&credentials, &admin, &other).await.expect(422);
    let refused = api
        .put(
            &credentials,
            &admin,
            &json!({"open": {"flow": "token", "tokn": "pat-na1-hush"}}),
        )
        .await
        .expect(422);
    assert!(
        !refused.text.contains("hush"),
        "a secret came back: {}",
        refused.text
    );
    let log = api.get(&format!("{ACME}/audit"), &admin).await.expect(200);
    assert!(
        !log.text.contains("hush") && log.text.contains("credentials.replaced"),
        "{}",
        log.text
    );

    let test = api
        .send(
            Method::POST,
            &format!("{ACME}/connections/test"),
            &admin,
            &[],
            None,
        )
        .await
        .expect(200)
        .json();
    assert_eq!(test["hubspot"]["portal_id"], 42);
    let keys = api.get("/api/v1/keys", &admin).await.expect(200).json();
    assert_eq!(keys["hubspot"], pair.public().text());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_portal_is_not_named_to_strangers() {
    let api = Api::new().await;
    let path = |tenant: &str| format!("/api/v1/tenants/{tenant}/connections/test");
    let admin = api.admin().await;
    api.send(Method::POST, &path("acme"), &admin, &[], None)
        .await
        .expect(200);
    let stranger = api.stranger().await;
    let test = api
        .send(Method::POST, &path("globex"), &stranger, &[], None)
        .await
        .expect(200);
    assert!(test.text.contains("another tenant"), "{}", test.text);
    assert!(!test.text.contains("acme"), "{}", test.text);
    let test = api
        .send(Method::POST, &path("globex"), &admin, &[], None)
        .await
        .expect(200)
        .json();
    assert_eq!(test["rival"], "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_can_be_looked_at() {
    let api = Api::new().await;
    let viewer = api.in_acme(Role::Viewer).await;
    let objects = api
        .get(&format!("{ACME}/salesforce/objects"), &viewer)
        .await
        .expect(200)
        .json();
    assert_eq!(objects[0]["name"], "Vehicle__c");
    let object = api
        .get(&format!("{ACME}/salesforce/objects/Vehicle__c"), &viewer)
        .await
        .expect(200)
        .json();
    assert_eq!(object["name"], "Vehicle__c");
    api.get(&format!("{ACME}/salesforce/objects/Nope__c"), &viewer)
        .await
        .expect(404);
    let schemas = api
        .get(&format!("{ACME}/hubspot/schemas"), &viewer)
        .await
        .expect(200)
        .json();
    assert_eq!(schemas[0]["name"], "vehicles");
    api.get(&format!("{ACME}/hubspot/schemas/nope"), &viewer)
        .await
        .expect(404);
    let unread = api
        .get(&format!("{ACME}/hubspot/labels?from=2-1"), &viewer)
        .await
        .expect(400);
    assert_eq!(unread.kind(), "bad-request");
}

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
    api.delete(&path, &editor).await.expect(204);
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
    let body = json!({"definitions": [wrong]});
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
    let first = api.put(&path, &editor, &json!({"step": 2})).await.expect(200);
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
    assert_eq!(list.as_array().unwrap().len(), 1);
    let large = json!("x".repeat(300_000));
    api.put(&path, &editor, &large).await.expect(422);
    api.put(&format!("{ACME}/drafts/No!"), &editor, &json!({}))
        .await
        .expect(404);
    api.delete(&path, &editor).await.expect(204);
    api.get(&path, &editor).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_counted_started_once_and_canceled() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    api.rig.apply(VEHICLES).await;
    let body = json!({"syncs": ["vehicles"]});
    let counted = api
        .post(&format!("{ACME}/imports/count"), &operator, &body)
        .await
        .expect(200)
        .json();
    assert_eq!(
        counted,
        json!({"syncs": [{"sync": "vehicles", "records": 40, "filtered": true, "salesforce_calls": 1, "hubspot_calls": 1,
            "seconds": 2.5, "notes": []}], "total": 40})
    );

    let path = format!("{ACME}/imports");
    let start = async |key: &str, body: &Value| {
        api.send(
            Method::POST,
            &path,
            &operator,
            &[("idempotency-key", key)],
            Some(body),
        )
        .await
    };
    let first = start("k1", &body).await.expect(201);
    let again = start("k1", &body).await.expect(201);
    assert_eq!(first.text, again.text, "the same request got another answer");
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = json!({"syncs": ["vehicles"], "overwrite": true});
    assert_eq!(start("k1", &other).await.expect(422).kind(), "invalid");
    let list = api.get(&path, &operator).await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "it was started once");
    start("k2", &body).await.expect(201);
    start(&"k".repeat(200), &body).await.expect(422);

    let import = first.json()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        api.get(&format!("{path}/{import}"), &operator)
            .await
            .expect(200)
            .json()["state"],
        "Queued"
    );
    let act = async |import: &str, act: &str| {
        api.send(
            Method::POST,
            &format!("{path}/{import}/{act}"),
            &operator,
            &[],
            None,
        )
        .await
    };
    assert_eq!(act(&import, "pause").await.expect(200).json()["state"], "Paused");
    let resumed = act(&import, "resume").await.expect(200).json();
    assert_eq!(
        (&resumed["id"], &resumed["state"]),
        (&json!(import), &json!("Queued"))
    );
    for wish in ["pause", "resume"] {
        act("imp-none", wish).await.expect(404);
    }
    let errors = api
        .get(&format!("{path}/{import}/errors.csv"), &operator)
        .await
        .expect(200);
    assert_eq!(errors.text.lines().count(), 1, "{}", errors.text);
    api.get(&format!("{path}/imp-none/errors.csv"), &operator)
        .await
        .expect(404);
    let canceled = api
        .send(
            Method::POST,
            &format!("{path}/{import}/cancel"),
            &operator,
            &[],
            None,
        )
        .await;
    canceled.expect(200);
    let paused = act(&import, "pause").await.expect(422);
    assert!(paused.text.contains("cancelled"), "{}", paused.text);
    // It is over; another goes on in its place, once.
    let next = act(&import, "resume").await.expect(200).json();
    assert_ne!(next["id"], json!(import));
    act(&import, "resume").await.expect(422);
    api.get(&format!("{path}/imp-none"), &operator).await.expect(404);
    api.post(&path, &operator, &json!({"syncs": []}))
        .await
        .expect(422);
    api.post(&path, &operator, &json!({"syncs": ["nope"]}))
        .await
        .expect(404);
    let page = api
        .get(&format!("{path}?limit=1"), &operator)
        .await
        .expect(200)
        .json();
    let next = page["next"].as_str().unwrap();
    let rest = api
        .get(&format!("{path}?limit=1&cursor={next}"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (rest["items"].as_array().unwrap().len(), rest["next"].as_str()),
        (1, rest["next"].as_str())
    );
    assert_ne!(page["items"][0]["id"], rest["items"][0]["id"]);
    api.get(&format!("{path}?cursor=made-up"), &operator)
        .await
        .expect(422);
}

async fn with_failures() -> (Api, Proof) {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    for number in 1..=3 {
        let failure = Failure::new(FailureCategory::PicklistOption, "there is no such option")
            .property("fuel")
            .value("=1+1");
        let failed = FailedRecord {
            envelope: api.rig.envelope(Source::Increment, None),
            id: id(number),
            version: version(1),
            stage: StageKind::Mapper,
            failure,
            at_ms: i64::from(number),
            attempts: 1,
            link_field: None,
        };
        api.rig.hub.remember_failure(&failed).await.unwrap();
    }
    let operator = api.in_acme(Role::Operator).await;
    (api, operator)
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_listed_downloaded_and_retried() {
    let (api, operator) = with_failures().await;
    let path = format!("{ACME}/failures");
    let page = api
        .get(&format!("{path}?limit=2&sync=vehicles"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let rest = api
        .get(&format!("{path}?limit=2&sync=vehicles&cursor={next}"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(rest["items"][0]["id"], id(1).to_string(), "the oldest comes last");
    let none = api
        .get(&format!("{path}?category=permission"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(none["items"], json!([]));
    api.get(&format!("{path}?category=weather"), &operator)
        .await
        .expect(400);
    let groups = api
        .get(&format!("{path}/groups"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(
        groups,
        json!([{"sync": "vehicles", "category": "picklist-option", "count": 3, "latest_ms": 3}])
    );
    let one = api
        .get(&format!("{path}/{}", id(2)), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(one[0]["failure"]["value"], "=1+1");
    api.get(&format!("{path}/{}", id(9)), &operator).await.expect(404);
    api.get(&format!("{path}/no-id"), &operator).await.expect(404);
    let file = api
        .get(&format!("{ACME}/failures.csv"), &operator)
        .await
        .expect(200);
    assert!(file.header("content-disposition").contains("acme-failures.csv"));
    let rows: Vec<&str> = file.text.lines().collect();
    assert_eq!(rows.len(), 4);
    assert!(
        rows[1].contains(&format!("http://127.0.0.1:1/{}", id(3))) && rows[1].contains("'=1+1"),
        "{}",
        rows[1]
    );
    let retried = api
        .post(
            &format!("{path}/retry"),
            &operator,
            &json!({"ids": [id(1), id(2)]}),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(retried["records"], 2);
    api.post(&format!("{path}/retry"), &operator, &json!({"ids": ["nonsense"]}))
        .await
        .expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_listed_and_decided() {
    let (api, operator) = with_failures().await;
    let held = api.rig.held(5, None);
    api.rig.hub.hold(&held).await.unwrap();
    let listed = api.get(&format!("{ACME}/held?sync=vehicles"), &operator).await;
    assert_eq!(listed.expect(200).json()[0]["id"], id(5).to_string());
    api.get(&format!("{ACME}/held?sync=No%20Name"), &operator)
        .await
        .expect(400);
    let path = format!("{ACME}/held/decide");
    let approve = json!({"sync": "vehicles", "ids": [id(5)], "decision": "approve"});
    // Of a sync that was never turned on nothing was written, and nothing can be deleted.
    api.post(&path, &operator, &approve).await.expect(422);
    let discard = json!({"sync": "vehicles", "decision": "discard"});
    assert_eq!(
        api.post(&path, &operator, &discard).await.expect(200).json()["count"],
        2
    );
    assert_eq!(api.rig.world.lock().unwrap().decided.len(), 1);
    api.post(&path, &operator, &json!({"sync": "nope", "decision": "discard"}))
        .await
        .expect(404);

    api.rig.hub.park(&[api.rig.parked(6, 7)]).await.unwrap();
    let parked = api
        .get(&format!("{ACME}/parked"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&parked[0]["field"], &parked[0]["links"], &parked[0]["example"]),
        (&json!("Tows__c"), &json!(1), &json!(id(7).to_string()))
    );

    let failure = format!("{ACME}/syncs/vehicles/failures/{}", id(2));
    api.delete(&failure, &operator).await.expect(204);
    api.delete(&failure, &operator).await.expect(404);
    let left = api
        .get(&format!("{ACME}/failures"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(left["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_allocated_and_history_is_told() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    let path = format!("{ACME}/allocation");
    let wanted = json!({"daily_calls": 1000});
    assert_eq!(
        api.put(&path, &operator, &wanted).await.expect(200).json(),
        wanted
    );
    let tenant = api.get(ACME, &operator).await.expect(200).json();
    assert_eq!(tenant["salesforce"]["daily_calls"], 1000);
    api.put(&path, &operator, &json!({"daily_calls": 0}))
        .await
        .expect(422);
    api.put(&path, &operator, &json!({})).await.expect(200);
    let tenant = api.get(ACME, &operator).await.expect(200).json();
    assert_eq!(tenant["salesforce"]["daily_calls"], Value::Null);

    let history = api
        .get(&format!("{ACME}/history"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(history, json!({"minutes": [], "hours": []}));
    let created = RecordOutcome {
        id: id(1),
        version: version(1),
        outcome: Outcome::Created,
        hubspot_id: None,
        failure: None,
    };
    let body = ReportBody::Records(vec![created]);
    api.rig
        .report(StageKind::Loader, Source::Increment, None, body)
        .await;
    let history = api
        .get(&format!("{ACME}/history"), &operator)
        .await
        .expect(200)
        .json();
    for series in ["minutes", "hours"] {
        assert_eq!(
            history[series][0]["outcomes"],
            json!([["created", 1]]),
            "{history}"
        );
        assert_eq!(history[series][0]["samples"], 1);
    }
    let status = api
        .get(&format!("{ACME}/status"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(status["salesforce_budget"]["allocated"], 14_250);
    assert_eq!(status["carried_last_hour"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_found_by_either_id() {
    let api = Api::new().await;
    let viewer = api.in_acme(Role::Viewer).await;
    api.rig.apply(VEHICLES).await;
    let created = RecordOutcome {
        id: id(1),
        version: version(1),
        outcome: Outcome::Created,
        hubspot_id: Some(landbridge_model::HubSpotId(9001)),
        failure: None,
    };
    api.rig
        .report(
            StageKind::Loader,
            Source::Increment,
            None,
            ReportBody::Records(vec![created]),
        )
        .await;
    let explain = async |record: &str| api.get(&format!("{ACME}/explain?record={record}"), &viewer).await;
    for record in [
        id(1).to_string(),
        "9001".into(),
        "https://app.hubspot.com/contacts/1/record/2-7/9001".into(),
    ] {
        let story = explain(&record).await.expect(200).json();
        assert_eq!(story["id"], id(1).to_string());
        let lines = story["lines"].to_string();
        assert!(lines.contains("created in HubSpot as 9001"), "{lines}");
    }
    explain("9002").await.expect(404);
    explain("nonsense").await.expect(422);
    explain(&id(5).to_string()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_is_verified_and_repaired() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    api.rig.apply(VEHICLES).await;
    let post = async |path: &str| {
        api.send(Method::POST, &format!("{ACME}/{path}"), &operator, &[], None)
            .await
    };
    post("syncs/vehicles/verify").await.expect(422);
    post("syncs/vehicles/activate").await.expect(200);
    let started = post("syncs/vehicles/verify").await.expect(202).json();
    let run = started["run"].as_str().unwrap();
    let report = soon("the end of the verify", async {
        loop {
            let state = api
                .get(&format!("{ACME}/verifications/{run}"), &operator)
                .await
                .expect(200)
                .json();
            if !state["report"].is_null() || !state["trouble"].is_null() {
                return state;
            }
        }
    })
    .await;
    assert_eq!(report["report"]["differences"], json!([]), "{report}");
    api.get(&format!("{ACME}/verifications/none"), &operator)
        .await
        .expect(404);
    post("syncs/nope/verify").await.expect(404);
    let repaired = api
        .post(
            &format!("{ACME}/syncs/vehicles/repair"),
            &operator,
            &json!({"ids": [id(1)]}),
        )
        .await;
    assert_eq!(repaired.expect(200).json()["records"], 1);
    api.post(
        &format!("{ACME}/syncs/vehicles/repair"),
        &operator,
        &json!({"ids": "all"}),
    )
    .await
    .expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_changed_what() {
    let api = Api::new().await;
    let editor = api.in_acme(Role::Editor).await;
    api.send(
        Method::PUT,
        &format!("{ACME}/syncs/vehicles"),
        &editor,
        &[("if-none-match", "*")],
        Some(&vehicles()),
    )
    .await
    .expect(201);
    let log = api
        .get(&format!("{ACME}/audit?limit=1"), &editor)
        .await
        .expect(200)
        .json();
    let entry = &log["items"][0];
    assert_eq!(
        (&entry["action"], &entry["subject"]),
        (&json!("sync.created"), &json!("vehicles"))
    );
    assert!(entry["who"].as_str().unwrap().contains("cli:test"), "{entry}");
    assert_eq!((entry.get("before"), &entry["after"]), (None, &vehicles()));
    api.get("/api/v1/audit", &editor).await.expect(403);
    let admin = api.admin().await;
    let mut seen = Vec::new();
    let mut path = "/api/v1/audit?limit=1".to_owned();
    loop {
        let page = api.get(&path, &admin).await.expect(200).json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["sequence"].as_u64().unwrap()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/audit?limit=1&cursor={next}"),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert!(seen == sorted && seen.len() >= 3, "{seen:?}");
    api.get("/api/v1/audit?limit=9999", &admin).await.expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_until_the_session_is_over() {
    let api = Api::new().await;
    api.add_user(
        "ann",
        "correct horse battery",
        vec![Grant::everywhere(Role::Admin)],
    )
    .await;
    api.rig.apply(VEHICLES).await;
    let mut events = api
        .events(&format!("{ACME}/events"), &api.in_acme(Role::Viewer).await)
        .await;
    let first = soon("the status", events.next()).await;
    assert!(
        first.contains("event: status") && first.contains("acme"),
        "{first}"
    );
    let operator = api.in_acme(Role::Operator).await;
    api.post(
        &format!("{ACME}/imports"),
        &operator,
        &json!({"syncs": ["vehicles"]}),
    )
    .await
    .expect(201);
    soon("the import", async {
        while !events.next().await.contains("event: import") {}
    })
    .await;
    let admin = api.admin().await;
    for token in api
        .get("/api/v1/tokens", &admin)
        .await
        .expect(200)
        .json()
        .as_array()
        .unwrap()
    {
        if token["grants"][0]["role"] == "viewer" {
            let path = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
            api.delete(&path, &admin).await.expect(204);
        }
    }
    soon("the end", async {
        while !events.next().await.contains("event: end") {}
    })
    .await;
    api.get(&format!("{ACME}/status"), &operator).await.expect(200);
}
