//! Another org in the middle of a read, as when a sandbox is refreshed: the read ends there, and nothing of the other org is
//! taken for a change of this one.

use std::time::Duration;

use landbridge_model::ask::TestSalesforce;
use landbridge_model::config::SyncStatus;
use landbridge_model::{ImportId, SalesforceId, StageKind};
use landbridge_salesforce::RetryPolicy;
use landbridge_sandbox::SandboxConfig;
use landbridge_wire::{ReportBody, RunPhase};
use serde_json::{Value, json};

use crate::live::{named, wait_for_begin};
use crate::portal::Portal;
use crate::rig::{DEADLINE, Rig, key, tenant, until};

const FOREIGN: &str = "Of another org";

async fn small(bulk_queue_delay: Duration) -> Rig {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(100),
        bulk_queue_delay,
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.lag = Duration::ZERO;
    rig.settings.retry = RetryPolicy::once();
    rig
}

async fn refresh(rig: &Rig) {
    rig.org()
        .post_to("/__sandbox/refresh", json!({ "number": 7 }))
        .await
        .unwrap();
}

async fn checkpoint(rig: &Rig, parts: &[&str]) -> Option<Value> {
    let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
    let at = landbridge_bus::Key::new(parts.iter().copied());
    kv.get_json(&at).await.unwrap().map(|(stored, _)| stored)
}

/// Waits until the tenant stands still, and until all that was sent has arrived.
async fn stands_still(rig: &Rig) {
    let suspended = rig
        .config
        .wait_for(|config| config.tenant(&tenant())?.suspended.clone());
    let reason = tokio::time::timeout(DEADLINE, suspended).await.unwrap();
    let pinned = rig.config.tenant(&tenant()).unwrap().salesforce.org_id.clone();
    assert!(reason.contains(&format!("not {}", pinned.unwrap())), "{reason}");
    rig.lanes_are_empty().await;
}

fn nothing_foreign(rig: &Rig) {
    let arrivals = rig.ledger.all();
    let foreign = arrivals.iter().filter(|arrival| {
        let name = arrival.cells.get("Name").cloned().flatten();
        name.as_deref() == Some(FOREIGN)
    });
    assert_eq!(foreign.count(), 0, "{arrivals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_a_draft_does_not_go_over_to_another_org() {
    let rig = small(Duration::from_secs(3)).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", Value::Null).await;
    let import: ImportId = rig.start_import("import-1").await;
    rig.reports_until("the job's start", |report| {
        matches!(&report.body, ReportBody::Progress(progress) if progress.phase == RunPhase::Counting)
    })
    .await;
    refresh(&rig).await;
    rig.org().create("Vehicle__c", named(FOREIGN)).await.unwrap();
    stands_still(&rig).await;
    assert!(rig.ledger.all().is_empty(), "the job was begun in the other org");
    let stored = checkpoint(&rig, &["import", "acme", import.as_str()])
        .await
        .unwrap();
    assert_eq!(
        (&stored["job"]["total"], &stored["end"]),
        (&Value::Null, &Value::Null),
        "{stored}"
    );
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_does_not_go_over_to_another_org() {
    let rig = small(Duration::ZERO).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    // No window is answered until there is something foreign in it, nor anything that is asked before it.
    let busy = json!([
        { "where": "Vehicle__c+WHERE+SystemModstamp", "what": { "status": 503 } },
        { "where": "/updated/", "what": { "status": 503 } },
        { "where": "/describe/", "what": { "status": 503 } },
        { "where": "Depot__c", "what": { "status": 503 } },
    ]);
    let faults = rig.sandbox.salesforce_faults();
    faults.add(serde_json::from_value(busy).unwrap());
    until("a window that is not answered", async || {
        faults.status()[..2]
            .iter()
            .any(|fault| fault.fired > 0)
            .then_some(())
    })
    .await;
    let before = checkpoint(&rig, &["live", "acme", "vehicles"]).await;
    refresh(&rig).await;
    rig.org().create("Vehicle__c", named(FOREIGN)).await.unwrap();
    rig.second_is_over().await;
    rig.second_is_over().await;
    faults.clear();
    stands_still(&rig).await;
    nothing_foreign(&rig);
    assert_eq!(checkpoint(&rig, &["live", "acme", "vehicles"]).await, before);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_org_lacks_is_not_deleted() {
    let mut rig = small(Duration::ZERO).await;
    rig.settings.reconcile_interval = Duration::from_secs(1);
    // The increment does not look again while the test lasts.
    rig.settings.poll_interval = Duration::from_secs(3_600);
    rig.settings.describe_interval = Duration::ZERO;
    rig.settings.formula_interval = Duration::ZERO;
    let vehicles = rig.vehicles().await;
    let lacking: SalesforceId = *vehicles.first().unwrap();
    let portal = rig.start_worker(Portal(vehicles), "loader").await;
    // The look has begun in the org that is the right one yet.
    let late = json!([{ "where": "/describe/", "what": { "delay_ms": 1500 }, "after": 1, "times": 1 }]);
    let faults = rig.sandbox.salesforce_faults();
    faults.add(serde_json::from_value(late).unwrap());
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    until("the look's beginning", async || {
        (faults.status()[0].fired > 0).then_some(())
    })
    .await;
    refresh(&rig).await;
    let other = rig.org();
    other.delete("Vehicle__c", &lacking).await.unwrap();
    let purged = json!({ "ids": [lacking] });
    other.post_to("/__sandbox/purge", purged).await.unwrap();
    stands_still(&rig).await;
    assert!(rig.ledger.all().is_empty(), "{:?}", rig.ledger.all());
    let status = rig.config.sync(&tenant(), &key().name).unwrap().status;
    assert_eq!(status, SyncStatus::Active, "it is the tenant that stands still");
    extractor.stop().await;
    portal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_tests_the_connection_is_told_of_the_org_that_answers_now() {
    let rig = small(Duration::ZERO).await;
    let extractor = rig.extractor("one").await;
    let acme = tenant();
    let ask = async || {
        let asked = rig
            .hub
            .ask(StageKind::Extractor, &acme, &TestSalesforce {}, DEADLINE);
        asked.await.unwrap()
    };
    let before = ask().await;
    rig.store_sync("draft", Value::Null).await;
    assert_eq!(before.problems, Vec::<String>::new());
    refresh(&rig).await;
    let now = ask().await;
    assert_ne!(now.org_id, before.org_id);
    let expected = format!("this is org {}, not {}", now.org_id, before.org_id);
    assert!(
        now.problems.iter().any(|problem| problem.contains(&expected)),
        "{:?}",
        now.problems
    );
    extractor.stop().await;
}
