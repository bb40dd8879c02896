//! Failures, stories, verifies.

use std::collections::BTreeSet;

use axum::http::Method;
use landbridge_control::service::Role;
use landbridge_model::{Failure, FailureCategory, Outcome, RecordOutcome, Source, StageKind};
use landbridge_wire::{FailedRecord, ParkedLink, ReportBody};
use serde_json::json;

use super::ACME;
use crate::api::{Api, Proof};
use crate::rig::{VEHICLES, id, soon, version};

fn refused(api: &Api, number: u32) -> FailedRecord {
    let failure = Failure::new(FailureCategory::PicklistOption, "there is no such option")
        .property("fuel")
        .value("=1+1");
    FailedRecord {
        envelope: api.rig.envelope(Source::Increment, None),
        id: id(number),
        version: version(1),
        stage: StageKind::Mapper,
        failure,
        at_ms: i64::from(number),
        attempts: 1,
        link_field: None,
        write: None,
        retry: false,
    }
}

async fn with_failures() -> (Api, Proof) {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    for number in 1..=3 {
        api.rig
            .hub
            .remember_failure(&refused(&api, number))
            .await
            .unwrap();
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
        json!({"items": [{"sync": "vehicles", "category": "picklist-option", "count": 3, "latest_ms": 3}]})
    );
    let one = api
        .get(&format!("{path}/{}", id(2)), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(one["items"][0]["failure"]["value"], "=1+1");
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
async fn what_may_be_long_is_read_page_by_page() {
    let (api, operator) = with_failures().await;
    for number in 1..=3 {
        api.rig.hub.hold(&api.rig.held(number, None)).await.unwrap();
        api.send(
            Method::PUT,
            &format!("{ACME}/drafts/d{number}"),
            &operator,
            &[("if-none-match", "*")],
            Some(&json!({})),
        )
        .await
        .expect(200);
    }
    let admin = api.admin().await;
    for name in ["ann", "bob", "eve"] {
        api.add_user(name, "correct horse battery", Vec::new()).await;
    }
    let links = ["A__c", "B__c", "C__c"].map(|field| ParkedLink {
        field: field.to_owned(),
        ..api.rig.parked(1, 2)
    });
    api.rig.hub.park(&links).await.unwrap();
    let of_record = format!("{ACME}/failures/{}", id(1));
    for field in ["A__c", "B__c"] {
        let failed = FailedRecord {
            link_field: Some(field.to_owned()),
            ..refused(&api, 1)
        };
        api.rig.hub.remember_failure(&failed).await.unwrap();
    }
    for (path, of, key) in [
        (format!("{ACME}/held"), 3, "id"),
        (format!("{ACME}/parked"), 3, "field"),
        (format!("{ACME}/drafts"), 3, "id"),
        ("/api/v1/users".to_owned(), 3, "name"),
        (of_record, 3, "link_field"),
    ] {
        let page = async |query: &str| {
            let page = api.get(&format!("{path}?limit=2{query}"), &admin).await;
            page.expect(200).json()
        };
        let first = page("").await;
        let next = first["next"]
            .as_str()
            .unwrap_or_else(|| panic!("{path}: {first}"));
        let second = page(&format!("&cursor={next}")).await;
        assert_eq!(second.get("next"), None, "{path}");
        let all = [&first, &second]
            .map(|page| page["items"].as_array().unwrap().clone())
            .concat();
        let keys: BTreeSet<String> = all.iter().map(|item| item[key].to_string()).collect();
        assert_eq!(keys.len(), of, "{path}: {all:?}");
        api.get(&format!("{path}?cursor=made-up"), &admin)
            .await
            .expect(422);
    }
    for path in [
        "/api/v1/tokens".to_owned(),
        format!("{ACME}/dry-runs"),
        format!("{ACME}/failures/groups"),
    ] {
        api.get(&format!("{path}?limit=0"), &admin).await.expect(422);
        let page = api
            .get(&format!("{path}?limit=1"), &admin)
            .await
            .expect(200)
            .json();
        assert!(page["items"].as_array().unwrap().len() <= 1, "{path}: {page}");
    }
}
