//! Dry runs over REST: started, followed, read page by page, stopped; and what a filter lets through.

use axum::http::Method;
use landbridge_control::service::Role;
use landbridge_model::{Outcome, PredictedRecord};
use serde_json::{Value, json};

use super::{ACME, vehicles};
use crate::api::{Api, Proof};
use crate::rig::{id, soon, version};

fn wanted() -> Value {
    json!({"definition": vehicles(), "scope": {"sample": 3}})
}

async fn until_over(api: &Api, path: &str, proof: &Proof) -> Value {
    soon("the end of the dry run", async {
        loop {
            let progress = api.get(path, proof).await.expect(200).json();
            if progress["over"] == true {
                return progress;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_started_followed_and_read_page_by_page() {
    let api = Api::new().await;
    api.rig.world.lock().unwrap().predicted = [Outcome::Created, Outcome::Created, Outcome::Unchanged]
        .into_iter()
        .zip(1..)
        .map(|(outcome, number)| PredictedRecord::new(id(number), version(10), outcome))
        .collect();
    let editor = api.in_acme(Role::Editor).await;
    let all = format!("{ACME}/dry-runs");
    assert_eq!(
        api.get(&all, &editor).await.expect(200).json(),
        json!({"items": []})
    );
    let started = api.post(&all, &editor, &wanted()).await.expect(202).json();
    let run = started["run"].as_str().unwrap();
    let path = format!("{all}/{run}");
    let progress = until_over(&api, &path, &editor).await;
    assert_eq!(progress["phase"], "done");
    let report = &progress["report"];
    assert_eq!(report["compared"], 3);
    assert_eq!(report["outcomes"], json!([["created", 2], ["unchanged", 1]]));

    let viewer = api.in_acme(Role::Viewer).await;
    let records = format!("{path}/records?outcome=created&limit=1");
    let page = api.get(&records, &viewer).await.expect(200).json();
    assert_eq!((&page["kept"], &page["total"]), (&json!(2), &json!(2)));
    assert_eq!(page["items"][0]["id"], id(1).to_string());
    let next = page["next"].as_str().unwrap();
    let rest = api.get(&format!("{records}&cursor={next}"), &viewer).await;
    let rest = rest.expect(200).json();
    assert_eq!(rest["items"][0]["id"], id(2).to_string());
    assert_eq!(rest["next"], Value::Null);
    for (query, status) in [
        ("", 422),
        ("?outcome=created&link=wait", 422),
        ("?outcome=created&limit=0", 422),
        ("?outcome=created&cursor=made-up", 422),
        ("?outcome=vanished", 400),
    ] {
        let path = format!("{path}/records{query}");
        api.get(&path, &viewer).await.expect(status);
    }

    let list = api.get(&all, &viewer).await.expect(200).json();
    let list = &list["items"];
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(
        (&list[0]["run"], &list[0]["sync"]),
        (&json!(run), &json!("vehicles"))
    );
    // The run of another tenant is not there, though the tenant is.
    let of_other = format!("/api/v1/tenants/globex/dry-runs/{run}");
    let stranger = api.stranger().await;
    for path in [of_other.clone(), format!("{of_other}/records?outcome=created")] {
        api.get(&path, &stranger).await.expect(404);
    }
    let list = api.get("/api/v1/tenants/globex/dry-runs", &stranger).await;
    assert_eq!(list.expect(200).json(), json!({"items": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_stopped_and_one_with_problems_never_begins() {
    let api = Api::new().await;
    api.rig.world.lock().unwrap().reads_forever = true;
    let editor = api.in_acme(Role::Editor).await;
    let all = format!("{ACME}/dry-runs");
    let started = api.post(&all, &editor, &wanted()).await.expect(202).json();
    let run = started["run"].as_str().unwrap();
    let cancel = format!("{all}/{run}/cancel");
    let stopped = api.send(Method::POST, &cancel, &editor, &[], None).await;
    let stopped = stopped.expect(200).json();
    assert_eq!(
        (&stopped["phase"], &stopped["over"]),
        (&json!("canceled"), &json!(true))
    );

    let mut wrong = wanted();
    wrong["definition"]["spec"]["fields"][0]["from"] = json!("Nam");
    let refused = api.post(&all, &editor, &wrong).await.expect(422);
    assert_eq!(refused.kind(), "invalid");
    let place = refused.json()["problems"][0]["place"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(place.starts_with("vehicles: spec.fields[0]"), "{place}");
    for (scope, part) in [(json!({"ids": []}), "at least one"), (json!("some"), "some")] {
        let body = json!({"definition": vehicles(), "scope": scope});
        let refused = api.post(&all, &editor, &body).await.expect(422);
        assert!(refused.text.contains(part), "{}", refused.text);
    }
    let elsewhere = json!({
        "definition": {"metadata": {"tenant": "globex", "name": "vehicles"}, "spec": vehicles()["spec"],
            "apiVersion": "landbridge/v1", "kind": "Sync"},
        "scope": "all",
    });
    api.post(&all, &editor, &elsewhere).await.expect(422);
    api.get(&format!("{all}/dry-run-none"), &editor).await.expect(404);
    let cancel = format!("{all}/dry-run-none/cancel");
    api.send(Method::POST, &cancel, &editor, &[], None)
        .await
        .expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_counted_by_though_the_rest_is_not_finished() {
    let api = Api::new().await;
    let viewer = api.in_acme(Role::Viewer).await;
    let mut draft = vehicles();
    draft["spec"]["fields"] = json!([]);
    let path = format!("{ACME}/syncs/vehicles/count");
    let counted = api.post(&path, &viewer, &draft).await.expect(200).json();
    assert_eq!(counted, json!({"matching": 40, "total": 100, "exact": true}));
    api.post(&path, &viewer, &json!({"kind": "Sync"}))
        .await
        .expect(422);
}
