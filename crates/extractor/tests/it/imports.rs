//! Imports: every record once, whatever happens meanwhile.

use std::time::Duration;

use landbridge_model::config::ImportWish;
use landbridge_model::{ChangeKind, Lane};
use landbridge_sandbox::SandboxConfig;
use landbridge_wire::{Report, ReportBody, RunPhase};

use crate::live::{named, until, wait_for_begin};
use crate::rig::{Rig, extracted, key};

fn org(records: usize) -> SandboxConfig {
    SandboxConfig {
        records: Some(records),
        bulk_page_rows: 150,
        bulk_queue_delay: Duration::from_millis(50),
        ..SandboxConfig::default()
    }
}

fn ended(report: &Report) -> bool {
    matches!(&report.body, ReportBody::Progress(progress) if progress.phase == RunPhase::Ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_brings_every_record_and_counts_them() {
    let rig = Rig::new(org(3_000)).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let vehicles = rig.vehicles().await;
    assert!(vehicles.len() > 500, "{}", vehicles.len());
    rig.start_import("import-1").await;
    let reports = rig.reports_until("the import's end", ended).await;
    assert_eq!(extracted(&reports), vehicles);
    rig.ledger
        .until("all rows", |arrivals| arrivals.len() >= vehicles.len())
        .await;
    assert_eq!(rig.ledger.ids(Lane::Bulk), vehicles);
    let ReportBody::Progress(last) = &reports.last().unwrap().body else {
        unreachable!()
    };
    assert_eq!(last.salesforce_total, Some(vehicles.len() as u64));
    let sample = &rig.ledger.all()[0];
    assert_eq!(sample.kind, ChangeKind::Upsert);
    assert!(sample.cells["Name"].is_some() && sample.cells.contains_key("Depot__r.Name"));
    assert!(!sample.cells.contains_key("SystemModstamp"));
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_salesforce_collects_the_rows_is_caught_up() {
    let rig = Rig::new(SandboxConfig {
        bulk_queue_delay: Duration::from_secs(3),
        ..org(600)
    })
    .await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let before = rig.vehicles().await;
    let (gone, changed) = (*before.first().unwrap(), *before.last().unwrap());
    rig.start_import("import-1").await;
    let counting = |report: &Report| matches!(&report.body, ReportBody::Progress(progress) if progress.phase == RunPhase::Counting);
    rig.reports_until("the job's start", counting).await;
    let org = rig.org();
    org.delete("Vehicle__c", &gone).await.unwrap();
    let values = serde_json::Map::from_iter([("Name".to_owned(), "Renamed".into())]);
    org.update("Vehicle__c", &changed, values.clone()).await.unwrap();
    let created = org.create("Vehicle__c", values).await.unwrap();
    let reports = rig.reports_until("the import's end", ended).await;
    let mut all = before.clone();
    all.insert(created);
    rig.ledger
        .until("the delete", |arrivals| {
            arrivals
                .iter()
                .any(|arrival| arrival.id == gone && arrival.kind == ChangeKind::Delete)
        })
        .await;
    assert_eq!(extracted(&reports), all);
    let renamed = rig.ledger.of(&changed);
    assert!(
        renamed
            .iter()
            .any(|arrival| arrival.cells["Name"].as_deref() == Some("Renamed"))
    );
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_importer_is_continued_by_another() {
    let mut rig = Rig::new(org(4_000)).await;
    rig.settings.batch_rows = 20;
    let first = rig.extractor("first").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let vehicles = rig.vehicles().await;
    rig.start_import("import-1").await;
    rig.ledger
        .until("some rows", |arrivals| arrivals.len() > 200)
        .await;
    first.kill().await;
    let second = rig.extractor("second").await;
    let reports = rig.reports_until("the import's end", ended).await;
    assert_eq!(extracted(&reports), vehicles);
    rig.ledger
        .until("all rows", |arrivals| {
            let ids: std::collections::BTreeSet<_> = arrivals.iter().map(|arrival| arrival.id).collect();
            ids == vehicles
        })
        .await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_applied_by_salesforce_and_a_paused_import_waits() {
    let rig = Rig::new(org(1_000)).await;
    let extractor = rig.extractor("one").await;
    let filter =
        serde_json::json!({ "all": [{ "field": "Price__c", "op": "greater-than", "value": 20000 }] });
    rig.store_sync("paused", filter).await;
    rig.start_import("import-1").await;
    let count = landbridge_model::ask::CountRecords {
        sync: key().name,
        draft: None,
    };
    let wanted = rig
        .hub
        .ask(
            landbridge_model::StageKind::Extractor,
            &key().tenant,
            &count,
            Duration::from_secs(20),
        )
        .await
        .unwrap()
        .count;
    let all = rig.vehicles().await.len() as u64;
    assert!(wanted > 0 && wanted < all, "{wanted} of {all}");
    assert!(rig.ledger.all().is_empty());
    rig.change_sync(|sync| sync.status = landbridge_model::config::SyncStatus::Draft)
        .await;
    let reports = rig.reports_until("the import's end", ended).await;
    assert_eq!(extracted(&reports).len() as u64, wanted);
    extractor.stop().await;
}

fn phase(report: &Report) -> Option<RunPhase> {
    match &report.body {
        ReportBody::Progress(progress) => Some(progress.phase),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_import_stops_and_stays_stopped() {
    let rig = Rig::new(SandboxConfig {
        bulk_queue_delay: Duration::from_secs(600),
        ..org(600)
    })
    .await;
    let first = rig.extractor("first").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let id = rig.start_import("import-1").await;
    rig.reports_until("the job's start", |report| {
        phase(report) == Some(RunPhase::Counting)
    })
    .await;
    rig.cancel_import(&id).await;
    rig.reports_until("the cancel", |report| phase(report) == Some(RunPhase::Canceled))
        .await;
    first.stop().await;
    let second = rig.extractor("second").await;
    rig.start_import("import-2").await;
    let of_second = |report: &Report| {
        report
            .envelope
            .run
            .as_ref()
            .is_some_and(|run| run.as_str() == "import-2")
            && phase(report) == Some(RunPhase::Counting)
    };
    let reports = rig.reports_until("the second import", of_second).await;
    let of_first = reports.iter().filter(|report| {
        report
            .envelope
            .run
            .as_ref()
            .is_some_and(|run| run.as_str() == "import-1")
    });
    // Told at least once: a worker that ends between telling and storing tells again.
    let mut phases: Vec<RunPhase> = of_first.filter_map(phase).collect();
    phases.dedup();
    assert_eq!(phases, [RunPhase::Counting, RunPhase::Canceled]);
    assert!(rig.ledger.all().is_empty());
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_import_stands_until_it_is_resumed() {
    let rig = Rig::new(org(60)).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let id = rig.store_import("import-1", ImportWish::Pause, None).await;
    // Another import of the same sync shows that the extractor is at work.
    rig.start_import("import-2").await;
    let is_of =
        |report: &Report, run: &str| report.envelope.run.as_ref().is_some_and(|of| of.as_str() == run);
    let ended = |report: &Report, run: &str| is_of(report, run) && phase(report) == Some(RunPhase::Ended);
    let reports = rig
        .reports_until("the other import", |report| ended(report, "import-2"))
        .await;
    assert!(
        reports.iter().all(|report| !is_of(report, "import-1")),
        "it did not stand"
    );
    rig.wish(&id, ImportWish::Run).await;
    rig.reports_until("the end of the paused import", |report| ended(report, "import-1"))
        .await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_cannot_be_read_fails_with_its_reason() {
    let rig = Rig::new(org(600)).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    rig.change_sync(|sync| sync.definition.spec.fields[0].from = "Location__c".into())
        .await;
    rig.start_import("import-1").await;
    let reports = rig
        .reports_until("the failure", |report| phase(report) == Some(RunPhase::Failed))
        .await;
    let ReportBody::Progress(last) = &reports.last().unwrap().body else {
        unreachable!()
    };
    let reason = last.reason.as_deref().unwrap();
    assert!(reason.contains("Location__c, a location field"), "{reason}");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_break_off_and_busy_servers_cost_time_but_no_rows() {
    let rig = Rig::new(org(2_000)).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let vehicles = rig.vehicles().await;
    let faults = serde_json::json!([
        { "where": "/results", "what": { "truncate": 3000 }, "times": 2 },
        { "where": "/results", "what": { "reset_after": 5000 }, "times": 2 },
        { "where": "/jobs/query/", "what": { "html": 503 }, "times": 2 },
        { "where": "/queryAll", "what": "reset", "times": 1 },
    ]);
    rig.sandbox
        .salesforce_faults()
        .add(serde_json::from_value(faults).unwrap());
    rig.start_import("import-1").await;
    let reports = rig.reports_until("the import's end", ended).await;
    assert_eq!(extracted(&reports), vehicles);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_lane_holds_the_import_and_can_be_left() {
    let mut rig = Rig::new(org(3_000)).await;
    rig.settings.batch_rows = 20;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    rig.stop_mapper().await;
    let id = rig.start_import("import-1").await;
    let capacity = 16 * 20;
    rig.lane_is_full().await;
    rig.cancel_import(&id).await;
    let reports = rig
        .reports_until("the cancel", |report| phase(report) == Some(RunPhase::Canceled))
        .await;
    assert!(
        extracted(&reports).len() <= capacity,
        "nothing went past the lane's bound"
    );
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_a_person_paused_goes_on_where_it_was() {
    let mut rig = Rig::new(org(3_000)).await;
    rig.settings.batch_rows = 20;
    let first = rig.extractor("first").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let vehicles = rig.vehicles().await;
    rig.stop_mapper().await;
    let id = rig.start_import("import-1").await;
    rig.lane_is_full().await;
    rig.wish(&id, ImportWish::Pause).await;
    let paused = rig.checkpoint_with_rows(&id).await;
    // Another worker takes it over, and lets it stand too.
    first.stop().await;
    let second = rig.extractor("second").await;
    rig.start_mapper().await;
    rig.lanes_are_empty().await;
    assert_eq!(rig.checkpoint_with_rows(&id).await, paused);
    assert!(rig.ledger.ids(Lane::Bulk).len() < vehicles.len());
    rig.wish(&id, ImportWish::Run).await;
    let reports = rig.reports_until("the import's end", ended).await;
    assert_eq!(extracted(&reports), vehicles);
    let jobs = reports
        .iter()
        .filter(|report| phase(report) == Some(RunPhase::Counting));
    assert_eq!(jobs.count(), 1, "the same job is read on");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_import_goes_on_where_a_cancelled_one_stopped() {
    let mut rig = Rig::new(org(3_000)).await;
    rig.settings.batch_rows = 20;
    // What happened a moment ago is read by the catch-up too.
    rig.settings.lag = Duration::ZERO;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let vehicles = rig.vehicles().await;
    rig.stop_mapper().await;
    let id = rig.start_import("import-1").await;
    rig.lane_is_full().await;
    rig.cancel_import(&id).await;
    rig.reports_until("the cancel", |report| phase(report) == Some(RunPhase::Canceled))
        .await;
    let stopped = rig.checkpoint_with_rows(&id).await;
    // Read before, deleted since: no page of the job tells that.
    let gone = extracted(&rig.reports().await).first().copied().unwrap();
    rig.org().delete("Vehicle__c", &gone).await.unwrap();
    // A second that is not over belongs to the live reading.
    rig.second_is_over().await;
    rig.start_mapper().await;
    rig.start_import_after("import-2", Some(&id)).await;
    let reports = rig.reports_until("the second import's end", ended).await;
    let (of_first, of_second): (Vec<_>, Vec<_>) = reports.into_iter().partition(|report| {
        report
            .envelope
            .run
            .as_ref()
            .is_some_and(|run| run.as_str() == id.as_str())
    });
    let ReportBody::Progress(last) = &of_second.last().unwrap().body else {
        unreachable!()
    };
    let read = stopped["job"]["position"]["rows"].as_u64().unwrap();
    assert_eq!(
        last.salesforce_total,
        Some(vehicles.len() as u64 - read),
        "what is left of the job"
    );
    let (before, after) = (extracted(&of_first), extracted(&of_second));
    assert_eq!(
        before
            .union(&after)
            .copied()
            .collect::<std::collections::BTreeSet<_>>(),
        vehicles
    );
    let read_again = before.intersection(&after).filter(|id| **id != gone).count();
    assert_eq!(read_again, 0, "a record that did not change is not read twice");
    assert!(
        after.contains(&gone),
        "the catch-up begins where the first import began"
    );
    extractor.stop().await;
}

fn reason(report: &Report) -> Option<&str> {
    match &report.body {
        ReportBody::Progress(progress) => progress.reason.as_deref(),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_allocation_of_bulk_jobs_holds_the_import_and_nothing_else() {
    let rig = Rig::new(org(300)).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    let spent = r#"[{"errorCode":"LIMIT_EXCEEDED","message":"Max bulk v2 query jobs (10000) per 24 hrs has been reached"}]"#;
    let faults = rig.sandbox.salesforce_faults();
    let refusal =
        serde_json::json!([{ "where": "POST /jobs/query", "what": { "status": 400 }, "body": spent }]);
    faults.add(serde_json::from_value(refusal).unwrap());
    let import = rig.start_import("import-1").await;
    rig.reports_until("why the import waits", |report| {
        reason(report).is_some_and(|reason| reason.contains("Max bulk v2 query jobs"))
    })
    .await;
    let id = rig.org().create("Vehicle__c", named("Meanwhile")).await.unwrap();
    until(
        &rig,
        "the live change",
        &id,
        ChangeKind::Upsert,
        Some("Meanwhile"),
    )
    .await;
    rig.cancel_import(&import).await;
    rig.reports_until("the cancel", |report| phase(report) == Some(RunPhase::Canceled))
        .await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_failed_is_not_looked_at_for_ever_whatever_its_reason() {
    let mut rig = Rig::new(org(300)).await;
    rig.settings.probe_interval = Duration::from_millis(300);
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let vehicles = rig.vehicles().await;
    let fail = async |times: u32, message: &str| {
        let wanted = serde_json::json!({ "times": times, "message": message });
        rig.org().post_to("/__sandbox/fail-bulk", wanted).await.unwrap();
    };
    // Time helps: as many jobs as it takes.
    let spent =
        "LIMIT_EXCEEDED: Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded";
    fail(4, spent).await;
    rig.start_import("import-1").await;
    let reports = rig.reports_until("the import's end", ended).await;
    assert_eq!(extracted(&reports), vehicles);
    assert!(
        reports
            .iter()
            .any(|report| reason(report).is_some_and(|reason| reason.contains(spent)))
    );

    // A person must help: a few jobs, then the reason.
    fail(9, "INSUFFICIENT_ACCESS: not for this user").await;
    rig.start_import("import-2").await;
    let reports = rig
        .reports_until("the failure", |report| phase(report) == Some(RunPhase::Failed))
        .await;
    let last = reason(reports.last().unwrap()).unwrap();
    assert!(last.contains("INSUFFICIENT_ACCESS"), "{last}");
    extractor.stop().await;
}
