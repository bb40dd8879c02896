//! Schema drift: what changes in the org is an event with a consequence, and never a silent null.

use std::collections::BTreeSet;

use landbridge_model::config::SyncStatus;
use landbridge_model::drift::{Consequence, SchemaChange, SchemaEvent, SchemaRecord, Whereabouts};
use landbridge_sandbox::SandboxConfig;
use serde_json::{Value, json};

use crate::live::wait_for_begin;
use crate::rig::{Rig, key, tenant, until};

async fn small() -> Rig {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(60),
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.describe_interval = std::time::Duration::from_millis(300);
    rig
}

async fn record(rig: &Rig) -> Option<SchemaRecord> {
    let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
    let at = landbridge_bus::Key::new(["schema", tenant().as_str(), key().name.as_str()]);
    kv.get_json(&at).await.unwrap().map(|(record, _)| record)
}

/// Waits until the schema was described whole once.
async fn first_look(rig: &Rig) {
    until("a look at the schema", async || {
        record(rig).await.filter(|record| record.looked_ms > 0)
    })
    .await;
}

async fn event(rig: &Rig, what: &str, wanted: impl Fn(&SchemaEvent) -> bool) -> SchemaEvent {
    until(what, async || {
        record(rig).await?.events.into_iter().find(|event| wanted(event))
    })
    .await
}

async fn is_suspended(rig: &Rig) -> String {
    let suspended = rig.config.wait_for(|config| {
        let sync = config.sync(&tenant(), &key().name)?;
        (sync.status == SyncStatus::Suspended).then(|| sync.reason.clone().unwrap_or_default())
    });
    tokio::time::timeout(crate::rig::DEADLINE, suspended)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_05_fields_that_come_and_go_are_events_with_consequences() {
    let rig = small().await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    first_look(&rig).await;

    rig.edit_schema(json!({ "object": "Vehicle__c",
        "add": [{ "name": "Color__c", "type": "string", "length": 40 }], "choices": { "Fuel__c": ["Hydrogen"] } }))
        .await;
    let added = event(&rig, "the new field", |event| {
        matches!(event.change, SchemaChange::FieldAdded { .. })
    })
    .await;
    assert_eq!(
        (added.field.as_deref(), added.consequence),
        (Some("Color__c"), Consequence::Continue)
    );
    let value = event(&rig, "the new value", |event| {
        matches!(event.change, SchemaChange::ValuesAdded { .. })
    })
    .await;
    assert_eq!(
        value.change,
        SchemaChange::ValuesAdded {
            values: vec!["Hydrogen".into()]
        }
    );
    let status = rig.config.sync(&tenant(), &key().name).unwrap().status;
    assert_eq!(status, SyncStatus::Active, "nothing of this stops it");

    rig.edit_schema(json!({ "object": "Vehicle__c", "hide": ["Price__c"] }))
        .await;
    let reason = is_suspended(&rig).await;
    assert!(
        reason.starts_with("Price__c is hidden from Landbridge's user by a permission"),
        "{reason}"
    );
    let gone = event(&rig, "the hidden field", |event| {
        event.consequence == Consequence::Suspend
    })
    .await;
    assert_eq!(
        gone.change,
        SchemaChange::FieldGone {
            whereabouts: Whereabouts::Hidden
        }
    );

    // It comes back, and another is gone for good.
    rig.edit_schema(json!({ "object": "Vehicle__c", "show": ["Price__c"] }))
        .await;
    event(&rig, "the field's return", |event| {
        event.change == SchemaChange::FieldBack
    })
    .await;
    rig.change_sync(|sync| (sync.status, sync.reason) = (SyncStatus::Active, None))
        .await;
    rig.edit_schema(json!({ "object": "Vehicle__c", "remove": ["Mileage__c"] }))
        .await;
    let reason = is_suspended(&rig).await;
    assert!(reason.starts_with("Mileage__c was deleted"), "{reason}");

    // What was read on the way had every mapped column.
    let seen = rig.ledger.all();
    let nulls: BTreeSet<_> = seen
        .iter()
        .filter(|arrival| !arrival.cells.contains_key("Price__c"))
        .map(|a| a.id)
        .collect();
    assert!(nulls.is_empty(), "{nulls:?}");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_ask_is_told_both_and_an_object_that_is_gone_stops_the_sync() {
    let rig = small().await;
    let org = rig.org();
    let settings = json!({ "view_setup": false });
    org.post_to("/__sandbox/settings", settings).await.unwrap();
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    first_look(&rig).await;
    rig.edit_schema(json!({ "object": "Depot__c", "delete": true }))
        .await;
    let reason = is_suspended(&rig).await;
    assert!(
        reason.starts_with("Depot__c was deleted, or is hidden from Landbridge's user by a permission"),
        "{reason}"
    );
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_changes_a_look_finds_nothing() {
    let rig = small().await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    first_look(&rig).await;
    let before = record(&rig).await.unwrap();
    until("further looks", async || {
        let now = record(&rig).await?;
        (now.looked_ms > before.looked_ms + 1_000).then_some(())
    })
    .await;
    let after = record(&rig).await.unwrap();
    assert_eq!((after.version, after.events.len()), (0, 0));
    assert_eq!(after.shapes, before.shapes);
    extractor.stop().await;
}
