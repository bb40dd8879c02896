//! What one transaction does to many records: ten thousand rows of one stamp, a cascade, a merge.

use std::collections::BTreeSet;

use landbridge_model::ask::DescribeObject;
use landbridge_model::config::{Sync, SyncStatus};
use landbridge_model::{ChangeKind, Lane, SalesforceId, StageKind, SyncKey, SyncName};
use landbridge_salesforce::records::Values;
use landbridge_sandbox::SandboxConfig;
use landbridge_sandbox::salesforce::ids::RecordId;
use landbridge_wire::{Report, ReportBody, RunPhase};
use serde_json::{Value, json};
use std::time::Duration;

use crate::ledger::Arrival;
use crate::live::{named, wait_for_begin};
use crate::rig::{DEADLINE, Rig, tenant, until};

/// Rows of one transaction: no multiple of a page's.
const MASS: usize = 10_001;

/// Creates so many vehicles in one transaction, whose one stamp they all bear.
async fn create_at_once(rig: &Rig, name: &str, vehicles: usize) -> BTreeSet<SalesforceId> {
    let created = rig.sandbox.org().commit(|org, change| {
        let vehicle = org.schema().index("Vehicle__c").unwrap();
        let one = |_| org.create(vehicle, &named(name), change).unwrap();
        (0..vehicles).map(one).collect::<Vec<RecordId>>()
    });
    let created = created.await;
    created
        .iter()
        .map(|id| SalesforceId::parse(&id.to_string()).unwrap())
        .collect()
}

/// Renames records in one transaction.
async fn rename_at_once(rig: &Rig, ids: &BTreeSet<SalesforceId>, name: &str) {
    let renamed = rig.sandbox.org().commit(|org, change| {
        for id in ids {
            let id = RecordId::parse(id.as_str()).unwrap();
            org.update(id, &named(name), change).unwrap();
        }
    });
    renamed.await;
}

fn called<'a>(arrivals: &'a [Arrival], name: &'a str) -> impl Iterator<Item = &'a Arrival> {
    arrivals
        .iter()
        .filter(move |arrival| arrival.cells["Name"].as_deref() == Some(name))
}

fn ids_of<'a>(arrivals: impl Iterator<Item = &'a Arrival>) -> BTreeSet<SalesforceId> {
    arrivals.map(|arrival| arrival.id).collect()
}

fn stamps(arrivals: &[Arrival], name: &str) -> BTreeSet<i64> {
    called(arrivals, name)
        .map(|arrival| arrival.version.stamp_ms)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_02_ten_thousand_rows_of_one_stamp_arrive_by_the_increment() {
    let rig = Rig::new(SandboxConfig {
        records: Some(60),
        ..SandboxConfig::default()
    })
    .await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    let created = create_at_once(&rig, "Mass", MASS).await;
    assert_eq!(created.len(), MASS);
    rig.ledger
        .until("all of them", |arrivals| arrivals.len() >= MASS)
        .await;
    let arrivals = rig.ledger.all();
    assert_eq!(ids_of(arrivals.iter()), created);
    assert_eq!(stamps(&arrivals, "Mass").len(), 1, "they bear one stamp");
    // One after them is behind no page that was forgotten.
    let last = rig.org().create("Vehicle__c", named("Last")).await.unwrap();
    rig.ledger
        .until("the one after them", |arrivals| {
            called(arrivals, "Last").any(|arrival| arrival.id == last)
        })
        .await;
    assert_eq!(rig.ledger.all().len(), MASS + 1, "each of them once");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_02_ten_thousand_rows_of_one_stamp_arrive_by_bulk_and_by_the_catch_up() {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(60),
        bulk_page_rows: 1_700,
        bulk_queue_delay: Duration::from_secs(1),
        ..SandboxConfig::default()
    })
    .await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", Value::Null).await;
    let created = create_at_once(&rig, "Before", MASS).await;
    rig.stop_mapper().await;
    rig.start_import("import-1").await;
    rig.lane_is_full().await;
    // All of them once more while the rows flow, with one stamp: that is for the catch-up, which reads what is older than
    // the lag of a second.
    rename_at_once(&rig, &created, "After").await;
    for _ in 0..3 {
        rig.second_is_over().await;
    }
    rig.start_mapper().await;
    let is_over = |report: &Report| matches!(&report.body, ReportBody::Progress(progress) if progress.phase == RunPhase::Ended);
    rig.reports_until("the import's end", is_over).await;
    let all_renamed = |arrivals: &[Arrival]| ids_of(called(arrivals, "After")) == created;
    rig.ledger.until("all new names", all_renamed).await;
    let arrivals = rig.ledger.all();
    assert_eq!(stamps(&arrivals, "After").len(), 1, "they bear one stamp");
    assert!(arrivals.iter().all(|arrival| arrival.lane == Lane::Bulk));
    let by_bulk = arrivals.len() - called(&arrivals, "After").count();
    assert!(by_bulk >= MASS, "{by_bulk} rows came with the job");
    extractor.stop().await;
}

/// A sync of another object, resolved by asking the extractor.
async fn store_sync_of(rig: &Rig, name: &str, object: &str, fields: Value) -> SyncName {
    let question = DescribeObject {
        object: object.to_owned(),
    };
    let described = rig
        .hub
        .ask(StageKind::Extractor, &tenant(), &question, DEADLINE)
        .await
        .unwrap();
    let sync: Sync = serde_json::from_value(json!({
        "definition": {
            "apiVersion": "landbridge/v1", "kind": "Sync",
            "metadata": { "tenant": "acme", "name": name },
            "spec": {
                "salesforce": { "object": object },
                "hubspot": { "objectType": name },
                "fields": fields,
            },
        },
        "revision": 1,
        "status": "active",
        "activation": 1,
        "resolved": {
            "object": described,
            "parent_fields": [],
            "object_type": { "objectTypeId": "2-2", "name": name, "properties": [] },
            "associations": [],
        },
    }))
    .unwrap();
    let name = SyncName::new(name).unwrap();
    let key = SyncKey {
        tenant: tenant(),
        name: name.clone(),
    };
    rig.config
        .change_sync(&key, |_| Ok::<_, ()>(Some(sync.clone())))
        .await
        .unwrap()
        .unwrap();
    let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
    let at = landbridge_bus::Key::new(["live", tenant().as_str(), name.as_str()]);
    until("a position for the sync", async || kv.get(&at).await.unwrap()).await;
    name
}

/// An installation that hears of changes by events alone, or by the increment alone.
async fn installation(by_events: bool, entities: &[&str]) -> Rig {
    let config = SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    };
    if !by_events {
        return Rig::new(config).await;
    }
    let mut rig = Rig::with_change_events(config).await;
    rig.settings.lag = Duration::from_secs(3_600);
    let entities: Vec<String> = entities.iter().map(|name| (*name).to_owned()).collect();
    rig.events(|habits| habits.entities = entities);
    rig
}

/// Waits until all subscriptions of the syncs' objects run.
async fn all_stream(rig: &Rig) {
    let (acme, question) = (tenant(), landbridge_model::ask::AskStatus {});
    until("all change events", async || {
        let asked = rig.hub.ask(StageKind::Extractor, &acme, &question, DEADLINE);
        let live = asked.await.ok()?.live;
        let streams = live.iter().filter_map(|live| live.stream.as_ref());
        let streaming =
            streams.filter(|stream| stream.state == landbridge_model::ask::StreamState::Streaming);
        (streaming.count() == 2).then_some(())
    })
    .await;
}

fn last_kind(arrivals: &[Arrival], id: &SalesforceId) -> Option<ChangeKind> {
    arrivals
        .iter()
        .rfind(|arrival| arrival.id == *id)
        .map(|arrival| arrival.kind)
}

async fn a_cascade(by_events: bool) {
    let rig = installation(by_events, &["Vehicle__c", "Service_Visit__c"]).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    store_sync_of(
        &rig,
        "visits",
        "Service_Visit__c",
        json!([{ "from": "Summary__c", "to": "summary" }]),
    )
    .await;
    if by_events {
        all_stream(&rig).await;
    }
    let org = rig.org();
    let vehicle = org.create("Vehicle__c", named("Van")).await.unwrap();
    let mut visits = Vec::new();
    for n in 0..3 {
        let visit = json!({ "Vehicle__c": vehicle, "Summary__c": format!("Visit {n}") });
        let visit: Values = visit.as_object().unwrap().clone();
        visits.push(org.create("Service_Visit__c", visit).await.unwrap());
    }
    let [alone, rest @ ..] = &visits[..] else {
        unreachable!()
    };
    // One that was deleted by itself stays deleted when its parent comes back.
    org.delete("Service_Visit__c", alone).await.unwrap();
    let all_are = |what: ChangeKind| {
        let ids: Vec<SalesforceId> = rest.iter().copied().chain([vehicle]).collect();
        move |arrivals: &[Arrival]| ids.iter().all(|id| last_kind(arrivals, id) == Some(what))
    };
    rig.ledger.until("the creates", all_are(ChangeKind::Upsert)).await;
    org.delete("Vehicle__c", &vehicle).await.unwrap();
    rig.ledger.until("the cascade", all_are(ChangeKind::Delete)).await;
    let stamps: BTreeSet<i64> = rig
        .ledger
        .all()
        .iter()
        .filter(|arrival| arrival.kind == ChangeKind::Delete && arrival.id != *alone)
        .map(|arrival| arrival.version.stamp_ms)
        .collect();
    assert_eq!(stamps.len(), 1, "one transaction: {stamps:?}");
    let back = json!({ "ids": [vehicle] });
    org.post_to("/services/data/v66.0/__sandbox/undelete", back)
        .await
        .unwrap();
    rig.ledger
        .until("their return", all_are(ChangeKind::Upsert))
        .await;
    assert_eq!(last_kind(&rig.ledger.all(), alone), Some(ChangeKind::Delete));
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_31_a_cascade_is_read_child_by_child_and_comes_back_with_its_parent() {
    a_cascade(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_31_a_cascade_is_heard_child_by_child_and_comes_back_with_its_parent() {
    a_cascade(true).await;
}

async fn a_merge(by_events: bool) {
    let rig = installation(by_events, &["Vehicle__c", "Account"]).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", Value::Null).await;
    rig.change_sync(|sync| {
        let mut rule = sync.definition.spec.fields[0].clone();
        rule.from = "Account__c".to_owned();
        rule.to = "account".to_owned();
        sync.definition.spec.fields.push(rule);
        sync.status = SyncStatus::Active;
    })
    .await;
    wait_for_begin(&rig).await;
    let fields = json!([{ "from": "Name", "to": "name" }, { "from": "Phone", "to": "phone" }]);
    store_sync_of(&rig, "accounts", "Account", fields).await;
    if by_events {
        all_stream(&rig).await;
    }
    let org = rig.org();
    let [stays, goes] = [
        org.create("Account", named("Stays")).await.unwrap(),
        org.create("Account", named("Goes")).await.unwrap(),
    ];
    let mut van = named("Van");
    van.insert("Account__c".to_owned(), goes.as_str().into());
    let van = org.create("Vehicle__c", van).await.unwrap();
    let of = |arrivals: &[Arrival], id: &SalesforceId, column: &str| {
        let last = arrivals.iter().rfind(|arrival| arrival.id == *id)?;
        last.cells.get(column).cloned().flatten()
    };
    rig.ledger
        .until("what is merged", |arrivals| {
            [stays, goes]
                .iter()
                .all(|id| last_kind(arrivals, id) == Some(ChangeKind::Upsert))
                && of(arrivals, &van, "Account__c").as_deref() == Some(goes.as_str())
        })
        .await;
    let merge = json!({ "master": stays, "losers": [goes], "values": { "Phone": "030 1234" } });
    org.post_to("/__sandbox/merge", merge).await.unwrap();
    rig.ledger
        .until("the merge", |arrivals| {
            last_kind(arrivals, &goes) == Some(ChangeKind::Delete)
                && of(arrivals, &stays, "Phone").as_deref() == Some("030 1234")
                && of(arrivals, &van, "Account__c").as_deref() == Some(stays.as_str())
        })
        .await;
    assert_eq!(
        last_kind(&rig.ledger.all(), &van),
        Some(ChangeKind::Upsert),
        "it went with nobody"
    );
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_read_with_its_losers_its_winner_and_the_children() {
    a_merge(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_heard_with_its_losers_its_winner_and_the_children() {
    a_merge(true).await;
}
