//! What is too much for pages is read by Bulk, and what is too much for a job by several; nothing is missed whatever fails.

use std::collections::BTreeSet;
use std::time::Duration;

use landbridge_bus::{Bucket, Key};
use landbridge_model::config::SyncStatus;
use landbridge_model::{ChangeKind, Lane, SalesforceId};
use landbridge_sandbox::SandboxConfig;
use landbridge_wire::{Report, ReportBody, RunPhase};
use serde_json::{Value, json};

use crate::live::{named, wait_for_begin};
use crate::rig::{Rig, Running, extracted, until};

fn org(records: usize) -> SandboxConfig {
    SandboxConfig {
        records: Some(records),
        bulk_queue_delay: Duration::from_millis(50),
        ..SandboxConfig::default()
    }
}

/// Writes so many vehicles while the sync stands still, so that one window holds them all.
async fn mass_change(rig: &Rig, parts: usize) -> BTreeSet<SalesforceId> {
    rig.change_sync(|sync| sync.status = SyncStatus::Paused).await;
    let org = rig.org();
    let mut created = BTreeSet::new();
    for part in 0..parts {
        let records = (0..200).map(|n| named(&format!("Mass {part} {n}"))).collect();
        let saved = org.create_many("Vehicle__c", records).await.unwrap();
        created.extend(saved.into_iter().map(|record| record.id.unwrap()));
    }
    created
}

async fn begun(rig: &Rig) -> Running {
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(rig).await;
    extractor
}

/// Counts the jobs that are asked for, and lets them pass.
fn watch_jobs(rig: &Rig) {
    let watched = json!([{ "where": "POST /jobs/query", "what": { "delay_ms": 1 } }]);
    let faults = rig.sandbox.salesforce_faults();
    faults.add(serde_json::from_value(watched).unwrap());
}

fn jobs(rig: &Rig) -> u32 {
    rig.sandbox.salesforce_faults().status()[0].fired
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_window_is_read_by_one_job_with_its_deletes() {
    let mut rig = Rig::new(org(100)).await;
    rig.settings.overlap = Duration::from_secs(1);
    let extractor = begun(&rig).await;
    watch_jobs(&rig);
    let created = mass_change(&rig, 16).await;
    let gone: Vec<SalesforceId> = created.iter().rev().take(3).copied().collect();
    for id in &gone {
        rig.org().delete("Vehicle__c", id).await.unwrap();
    }
    assert_eq!(jobs(&rig), 0);
    // No window behind the first reaches back to it.
    for _ in 0..4 {
        rig.second_is_over().await;
    }
    rig.change_sync(|sync| sync.status = SyncStatus::Active).await;
    rig.ledger
        .until("all of them", |arrivals| arrivals.len() >= created.len())
        .await;
    assert_eq!(rig.ledger.ids(Lane::Live), created);
    assert_eq!(rig.ledger.all().len(), created.len(), "each of them once");
    for id in gone {
        assert_eq!(rig.ledger.of(&id)[0].kind, ChangeKind::Delete, "{id}");
    }
    assert_eq!(jobs(&rig), 1, "one for all that is behind the first page");
    // What is little costs no job.
    let id = rig.org().create("Vehicle__c", named("Single")).await.unwrap();
    crate::live::until(&rig, "the single change", &id, ChangeKind::Upsert, Some("Single")).await;
    assert_eq!(jobs(&rig), 1);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_window_is_read_by_pages_when_bulk_is_spent_or_takes_too_long() {
    let spent = r#"[{"errorCode":"LIMIT_EXCEEDED","message":"Max bulk v2 query jobs (10000) per 24 hrs has been reached"}]"#;
    for is_spent in [true, false] {
        let rig = Rig::new(org(100)).await;
        let extractor = begun(&rig).await;
        if is_spent {
            let refusal = json!([{ "where": "POST /jobs/query", "what": { "status": 400 }, "body": spent }]);
            let faults = rig.sandbox.salesforce_faults();
            faults.add(serde_json::from_value(refusal).unwrap());
        } else {
            watch_jobs(&rig);
            let late = json!({ "times": 9, "message": "Retried more than fifteen times" });
            rig.org().post_to("/__sandbox/fail-bulk", late).await.unwrap();
        }
        let created = mass_change(&rig, 16).await;
        rig.change_sync(|sync| sync.status = SyncStatus::Active).await;
        rig.ledger
            .until("all of them", |arrivals| arrivals.len() >= created.len())
            .await;
        assert_eq!(rig.ledger.ids(Lane::Live), created);
        assert_eq!(rig.ledger.all().len(), created.len(), "each of them once");
        assert_eq!(jobs(&rig), 1, "it is not tried again at once");
        extractor.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_while_a_windows_job_is_read_misses_nothing_of_it() {
    let mut rig = Rig::new(org(100)).await;
    rig.settings.batch_rows = 20;
    let first = begun(&rig).await;
    watch_jobs(&rig);
    let created = mass_change(&rig, 16).await;
    rig.change_sync(|sync| sync.status = SyncStatus::Active).await;
    rig.ledger
        .until("some rows of the job", |arrivals| arrivals.len() > 2_200)
        .await;
    first.kill().await;
    assert!(
        rig.ledger.all().len() < created.len(),
        "it was in the midst of it"
    );
    assert_eq!(jobs(&rig), 1);
    let second = rig.extractor("second").await;
    rig.ledger
        .until("all of them", |arrivals| {
            let ids: BTreeSet<_> = arrivals.iter().map(|arrival| arrival.id).collect();
            ids == created
        })
        .await;
    second.stop().await;
}

fn ended(report: &Report) -> bool {
    matches!(&report.body, ReportBody::Progress(progress) if progress.phase == RunPhase::Ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_too_long_is_split_and_the_import_goes_on() {
    let mut rig = Rig::new(org(3_000)).await;
    rig.settings.batch_rows = 20;
    let first = rig.extractor("first").await;
    rig.store_sync("draft", Value::Null).await;
    let vehicles = rig.vehicles().await;
    watch_jobs(&rig);
    // All, its first half, and the first half of that.
    let late = json!({ "times": 3, "message": "Retried more than fifteen times" });
    rig.org().post_to("/__sandbox/fail-bulk", late).await.unwrap();
    let import = rig.start_import("import-1").await;
    let kv = rig.hub.bus().kv(Bucket::Checkpoints);
    let at = Key::new(["import", "acme", import.as_str()]);
    until("a range that is done", async || {
        let (checkpoint, _) = kv.get_json::<Value>(&at).await.unwrap()?;
        (checkpoint["rows_of_ranges"].as_u64() > Some(0)).then_some(())
    })
    .await;
    // Whoever goes on reads the other ranges alone.
    first.kill().await;
    let second = rig.extractor("second").await;
    let reports = rig.reports_until("the import's end", ended).await;
    assert_eq!(extracted(&reports), vehicles);
    let ReportBody::Progress(last) = &reports.last().unwrap().body else {
        unreachable!()
    };
    assert_eq!(
        last.salesforce_total,
        Some(vehicles.len() as u64),
        "each range once"
    );
    // One for each part that was too much, and for each that was not; and the one that the first did not live to write down.
    assert!((7..=8).contains(&jobs(&rig)), "{} jobs", jobs(&rig));
    rig.ledger
        .until("all rows", |arrivals| {
            let ids: BTreeSet<_> = arrivals.iter().map(|arrival| arrival.id).collect();
            ids == vehicles
        })
        .await;
    second.stop().await;
}
