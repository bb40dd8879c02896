//! Failures, what waits, stories, verifies and dry runs.

use landbridge_model::{Failure, FailureCategory, Outcome, PredictedRecord, Source, StageKind};
use landbridge_wire::FailedRecord;
use serde_json::{Value, json};

use super::{Entry, World, ask, body, entry, nowhere, query, says_nothing};
use crate::api::Api;
use crate::rig::{VEHICLES, definition, id, version};

#[tokio::test(flavor = "multi_thread")]
async fn records_are_told_of_compared_and_tried_again() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    for number in 1..=2 {
        let failed = FailedRecord {
            envelope: api.rig.envelope(Source::Increment, None),
            id: id(number),
            version: version(1),
            stage: StageKind::Mapper,
            failure: Failure::new(FailureCategory::PicklistOption, "there is no such option"),
            at_ms: i64::from(number),
            attempts: 1,
            link_field: None,
            write: None,
            retry: false,
        };
        api.rig.hub.remember_failure(&failed).await.unwrap();
    }
    api.rig.hub.hold(&api.rig.held(5, None)).await.unwrap();
    api.rig.hub.park(&[api.rig.parked(6, 7)]).await.unwrap();
    api.rig.world.lock().unwrap().predicted = [Outcome::Created, Outcome::Unchanged]
        .into_iter()
        .zip(1..)
        .map(|(outcome, number)| PredictedRecord::new(id(number), version(10), outcome))
        .collect();
    let mut world = World::new(api).await;
    for (name, number) in [("record", 1), ("other", 2), ("held", 5), ("parked", 7)] {
        world.keep(name, id(number).as_str());
    }
    let activate = "/api/v1/tenants/acme/syncs/vehicles/activate";
    world
        .api
        .post(activate, &world.admin, &json!({}))
        .await
        .expect(200);
    world.run(entries()).await;
}

pub(super) fn entries() -> Vec<Entry> {
    let mut entries = failures();
    entries.extend(waiting());
    entries.extend(compares());
    entries.extend(dry_runs());
    entries
}

fn failures() -> Vec<Entry> {
    vec![
        entry("list_failures", query("?sync=vehicles&limit=1"), 200, |answer| {
            let page = answer.json();
            assert_eq!(
                page["items"][0]["id"],
                id(2).to_string(),
                "the newest comes first: {page}"
            );
            assert!(page["next"].is_string(), "{page}");
        })
        .refuses(query("?category=weather"), 400)
        .refuses(query("?cursor=made-up"), 422),
        entry("list_failure_groups", ask(), 200, |answer| {
            assert_eq!(
                answer.json()["items"],
                json!([{"sync": "vehicles", "category": "picklist-option", "count": 2, "latest_ms": 2}])
            );
        })
        .refuses(query("?limit=0"), 422)
        .refuses(nowhere(), 404),
        entry(
            "get_failures_csv",
            query("?category=picklist-option"),
            200,
            |answer| {
                assert_eq!(answer.text.lines().count(), 3, "{}", answer.text);
            },
        )
        .refuses(query("?category=weather"), 400),
        entry("get_record_failures", ask(), 200, |answer| {
            assert_eq!(
                answer.json()["items"][0]["failure"]["message"],
                "there is no such option"
            );
        })
        .refuses(ask().at("record", "no-id"), 404)
        .refuses(ask().at("record", "{held}"), 404),
        entry(
            "retry_failures",
            body(json!({"ids": ["{record}"]})),
            200,
            |answer| {
                assert_eq!(answer.json(), json!({"records": 1}));
            },
        )
        .refuses(body(json!({"ids": ["nonsense"]})), 422)
        .refuses(body(json!({"category": "weather"})), 422),
        entry(
            "dismiss_failure",
            ask().at("record", "{other}"),
            204,
            says_nothing,
        )
        .refuses(ask().at("record", "{held}"), 404)
        .refuses(ask().at("record", "no-id"), 404),
        entry("explain_record", query("?record={record}"), 200, |answer| {
            let story = answer.json();
            assert_eq!(story["id"], id(1).to_string());
            assert!(
                story["lines"].to_string().contains("there is no such option"),
                "{story}"
            );
        })
        .refuses(query("?record=nonsense"), 422)
        .refuses(query(""), 400),
    ]
}

fn waiting() -> Vec<Entry> {
    let decide = |sync: &str, decision: &str| body(json!({"sync": sync, "decision": decision}));
    vec![
        entry("list_parked", ask(), 200, |answer| {
            let groups = &answer.json()["items"];
            assert_eq!(
                (&groups[0]["field"], &groups[0]["links"]),
                (&json!("Tows__c"), &json!(1))
            );
            assert_eq!(groups[0]["example"], id(7).to_string());
        })
        .refuses(nowhere(), 404),
        entry("list_held", query("?sync=vehicles"), 200, |answer| {
            let held = &answer.json()["items"];
            assert_eq!(
                (&held[0]["id"], &held[0]["until_ms"]),
                (&json!(id(5)), &Value::Null)
            );
        })
        .refuses(query("?sync=No!"), 400)
        .refuses(nowhere(), 404),
        entry("decide_held", decide("vehicles", "discard"), 200, |answer| {
            assert_eq!(answer.json(), json!({"count": 2}));
        })
        .refuses(decide("vehicles", "burn"), 422)
        .refuses(decide("nope", "discard"), 404)
        .refuses(
            body(json!({"sync": "vehicles", "ids": ["nonsense"], "decision": "approve"})),
            422,
        ),
    ]
}

fn compares() -> Vec<Entry> {
    vec![
        entry("start_verify", ask(), 202, |answer| {
            assert!(answer.json()["run"].is_string(), "{}", answer.text);
        })
        .keeps("run", |answer| answer.json()["run"].clone())
        .refuses(ask().at("sync", "nope"), 404),
        entry("get_verify", ask(), 200, |answer| {
            assert_eq!(
                answer.json()["report"]["differences"],
                json!([]),
                "{}",
                answer.text
            );
        })
        .until(|answer| !answer.json()["report"].is_null() || !answer.json()["trouble"].is_null())
        .refuses(ask().at("run", "verify-none"), 404),
        entry(
            "repair_records",
            body(json!({"ids": ["{record}"]})),
            200,
            |answer| {
                assert_eq!(answer.json(), json!({"records": 1}));
            },
        )
        .refuses(body(json!({"ids": "all"})), 422)
        .refuses(
            super::Ask {
                body: Some(json!({"ids": []})),
                ..ask().at("sync", "nope")
            },
            404,
        ),
    ]
}

fn dry_runs() -> Vec<Entry> {
    let vehicles = || serde_json::to_value(definition(VEHICLES)).unwrap();
    let start = |definition: Value, scope: Value| body(json!({"definition": definition, "scope": scope}));
    let mut wrong = vehicles();
    wrong["spec"]["fields"][0]["from"] = json!("Nam");
    let no_run = || ask().at("run", "dry-run-none");
    vec![
        entry(
            "start_dry_run",
            start(vehicles(), json!({"sample": 2})),
            202,
            |answer| {
                assert!(answer.json()["run"].is_string(), "{}", answer.text);
            },
        )
        .keeps("run", |answer| answer.json()["run"].clone())
        .refuses(start(wrong, json!("all")), 422)
        .refuses(start(vehicles(), json!("some")), 422)
        .refuses(start(vehicles(), json!({"ids": []})), 422),
        entry("get_dry_run", ask(), 200, |answer| {
            assert_eq!(
                answer.json()["report"]["outcomes"],
                json!([["created", 1], ["unchanged", 1]])
            );
        })
        .until(|answer| answer.json()["over"] == true)
        .refuses(no_run(), 404),
        entry("list_dry_runs", ask(), 200, |answer| {
            assert_eq!(answer.json()["items"][0]["sync"], "vehicles");
        })
        .refuses(nowhere(), 404),
        entry("list_dry_run_records", query("?outcome=created"), 200, |answer| {
            let page = answer.json();
            assert_eq!(
                (&page["total"], &page["items"][0]["id"]),
                (&json!(1), &json!(id(1)))
            );
        })
        .refuses(query(""), 422)
        .refuses(query("?outcome=vanished"), 400)
        .refuses(query("?outcome=created&cursor=made-up"), 422),
        // One that is over stays as it ended.
        entry("cancel_dry_run", ask(), 200, |answer| {
            assert_eq!(answer.json()["over"], true);
        })
        .refuses(no_run(), 404),
    ]
}
