//! Imports of one request: parents first, and none waits for ever.

use std::time::Duration;

use landbridge_model::ImportId;
use landbridge_model::config::{ImportWish, SyncStatus};
use landbridge_sandbox::SandboxConfig;
use landbridge_wire::{Report, ReportBody, RunPhase};

use crate::rig::Rig;

async fn rig() -> Rig {
    let rig = Rig::new(SandboxConfig {
        records: Some(600),
        bulk_queue_delay: Duration::from_millis(50),
        ..SandboxConfig::default()
    })
    .await;
    // Describing the object takes an extractor; the tests start their own.
    let describing = rig.extractor("describing").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    describing.stop().await;
    rig
}

fn is(report: &Report, import: &ImportId, phase: RunPhase) -> bool {
    let run = report.envelope.run.as_ref();
    run.is_some_and(|run| run.as_str() == import.as_str())
        && matches!(&report.body, ReportBody::Progress(progress) if progress.phase == phase)
}

/// The imports, in the order in which they came into a phase.
fn order(reports: &[Report], phase: RunPhase) -> Vec<String> {
    let runs = reports
        .iter()
        .filter(|report| matches!(&report.body, ReportBody::Progress(progress) if progress.phase == phase));
    let mut runs: Vec<String> = runs
        .map(|report| report.envelope.run.as_ref().unwrap().to_string())
        .collect();
    runs.dedup();
    runs
}

impl Rig {
    async fn child(&self, id: &str, after: &[&ImportId]) -> ImportId {
        let sync = self.copy_sync("rentals").await;
        self.store_import_of(&sync, id, ImportWish::Run, None, after)
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_read_when_its_parents_have_been() {
    let rig = rig().await;
    // Stored before the extractor runs, and the child first: every order would do but for the wait.
    let (parent, other): (ImportId, ImportId) = ("import-9".parse().unwrap(), "import-8".parse().unwrap());
    let child = rig.child("import-1", &[&parent, &other]).await;
    rig.store_import("import-9", ImportWish::Run, None).await;
    rig.store_import("import-8", ImportWish::Run, None).await;
    let first = rig.extractor("first").await;
    let reports = rig
        .reports_until("the child's end", |report| is(report, &child, RunPhase::Ended))
        .await;
    let at = |import, phase| {
        reports
            .iter()
            .position(|report| is(report, import, phase))
            .unwrap()
    };
    let begun = at(&child, RunPhase::Counting);
    for parent in [&parent, &other] {
        assert!(
            at(parent, RunPhase::Ended) < begun,
            "{:?}",
            order(&reports, RunPhase::Counting)
        );
    }
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_what_stands_still() {
    let rig = rig().await;
    let extractor = rig.extractor("one").await;
    let paused = rig.store_import("import-1", ImportWish::Pause, None).await;
    let beside_paused = rig.child("import-2", &[&paused]).await;
    rig.reports_until("the child of a paused import", |report| {
        is(report, &beside_paused, RunPhase::Ended)
    })
    .await;
    // One that fails has ended.
    rig.change_sync(|sync| sync.definition.spec.fields[0].from = "Location__c".into())
        .await;
    let failing = rig.store_import("import-3", ImportWish::Run, None).await;
    let sync = landbridge_model::SyncName::new("rentals").unwrap();
    let beside_failed = rig
        .store_import_of(&sync, "import-4", ImportWish::Run, None, &[&failing])
        .await;
    let reports = rig
        .reports_until("the child of a failed import", |report| {
            is(report, &beside_failed, RunPhase::Ended)
        })
        .await;
    assert!(
        order(&reports, RunPhase::Failed) == ["import-3"]
            && !order(&reports, RunPhase::Counting).contains(&paused.to_string())
    );
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_comes_to_stand_lets_its_children_go() {
    let mut rig = rig().await;
    rig.settings.batch_rows = 1;
    let first = rig.extractor("first").await;
    rig.stop_mapper().await;
    let parent = rig.start_import("import-1").await;
    rig.lane_is_full().await;
    let child = rig.child("import-2", &[&parent]).await;
    // It waits, and another worker lets it wait too.
    first.stop().await;
    let second = rig.extractor("second").await;
    assert!(
        order(&rig.reports().await, RunPhase::Counting) == ["import-1"],
        "the child has begun"
    );
    rig.change_sync(|sync| sync.status = SyncStatus::Paused).await;
    rig.reports_until("the child's begin", |report| {
        is(report, &child, RunPhase::Counting)
    })
    .await;
    second.stop().await;
}
