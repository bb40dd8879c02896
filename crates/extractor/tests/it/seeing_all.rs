//! What absence says depends on what the user sees, when it is found and not only when the look begins.

use std::time::Duration;

use landbridge_model::{ChangeKind, SalesforceId, Source};
use landbridge_sandbox::SandboxConfig;
use serde_json::{Value, json};

use crate::portal::Portal;
use crate::rig::{Rig, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_lost_during_the_look_makes_no_deletes() {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.reconcile_interval = Duration::from_secs(1);
    rig.settings.describe_interval = Duration::ZERO;
    rig.settings.formula_interval = Duration::ZERO;
    let vehicles = rig.vehicles().await;
    let hidden: SalesforceId = *vehicles.first().unwrap();
    let portal = rig.start_worker(Portal(vehicles), "loader").await;
    // The user sees all when the look begins; its first reading of ids is held up.
    let late = json!([{ "where": "/composite/sobjects/", "what": { "delay_ms": 1500 }, "times": 1 }]);
    let faults = rig.sandbox.salesforce_faults();
    faults.add(serde_json::from_value(late).unwrap());
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    until("the look's beginning", async || {
        (faults.status()[0].fired > 0).then_some(())
    })
    .await;
    let org = rig.org();
    let lost = json!({ "view_all_data": false });
    org.post_to("/__sandbox/permissions", lost).await.unwrap();
    // The rehearsal org has no sharing: what the user sees no more is taken away.
    org.delete("Vehicle__c", &hidden).await.unwrap();
    let gone = json!({ "ids": [hidden] });
    org.post_to("/__sandbox/purge", gone).await.unwrap();
    let told = |source| {
        move |arrivals: &[crate::ledger::Arrival]| {
            let is_it = |arrival: &crate::ledger::Arrival| {
                arrival.id == hidden && arrival.kind == ChangeKind::Delete && arrival.source == source
            };
            arrivals.iter().any(is_it)
        }
    };
    rig.ledger
        .until("the absence, to be held", told(Source::Reconcile))
        .await;
    assert!(!told(Source::Purged)(&rig.ledger.all()), "{:?}", rig.ledger.all());
    extractor.stop().await;
    portal.stop().await;
}
