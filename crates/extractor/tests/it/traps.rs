//! What users of Salesforce's API have run into: a test for each trap that shows only against an org. docs/traps.md tells
//! of all of them; others are held where their code is, or beside what they are about.

use std::time::Duration;

use landbridge_model::ChangeKind;
use landbridge_model::config::SyncStatus;
use landbridge_salesforce::{Client, Columns, DownloadOptions, Position, Scope};
use landbridge_sandbox::SandboxConfig;
use landbridge_sandbox::salesforce::schema::Kind;
use landbridge_wire::{Report, ReportBody, RunPhase};
use serde_json::{Value, json};

use crate::ledger::Arrival;
use crate::live::{named, until, wait_for_begin};
use crate::rig::{self, Rig, key, tenant};

/// Vehicles of one mass change: several pages, where a page holds two hundred.
const MASS: usize = 700;

async fn small() -> Rig {
    Rig::new(SandboxConfig {
        records: Some(60),
        ..SandboxConfig::default()
    })
    .await
}

fn set_fault(rig: &Rig, fault: Value) {
    let faults = rig.sandbox.salesforce_faults();
    faults.add(vec![serde_json::from_value(fault).unwrap()]);
}

fn fired(rig: &Rig) -> u32 {
    rig.sandbox.salesforce_faults().status()[0].fired
}

/// Creates vehicles in one transaction.
async fn create_at_once(rig: &Rig) {
    let created = rig.sandbox.org().commit(|org, change| {
        let vehicle = org.schema().index("Vehicle__c").unwrap();
        for n in 0..MASS {
            org.create(vehicle, &named(&format!("Mass {n}")), change).unwrap();
        }
    });
    created.await;
}

/// Lets a window be read by a cursor, page by page, and something happen to the cursor while its next page is asked for.
async fn a_cursor_dies(end_it: impl AsyncFn(&Rig)) {
    let rig = small().await;
    // With a second long text Salesforce cuts its pages short.
    rig.sandbox.org().org.write().edit_schema(|schema| {
        let vehicle = schema.index("Vehicle__c").unwrap();
        let website = schema.objects[vehicle].field_index("Website__c").unwrap();
        schema.objects[vehicle].fields[website].kind = Kind::LongTextArea;
    });
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", Value::Null).await;
    rig.change_sync(|sync| {
        let mut rule = sync.definition.spec.fields[0].clone();
        rule.from = "Website__c".to_owned();
        rule.to = "website".to_owned();
        sync.definition.spec.fields.push(rule);
        sync.status = SyncStatus::Active;
    })
    .await;
    wait_for_begin(&rig).await;
    let late = json!({ "where": "/query/01g", "what": { "delay_ms": 5_000 }, "times": 1 });
    set_fault(&rig, late);
    create_at_once(&rig).await;
    rig::until("the next page to be asked for", async || {
        (fired(&rig) > 0).then_some(())
    })
    .await;
    end_it(&rig).await;
    rig.ledger
        .until("all of them", |arrivals| arrivals.len() >= MASS)
        .await;
    let refused = rig.sandbox.salesforce_stats().counts().refused;
    assert!(
        refused.contains_key("query_locator"),
        "the cursor lived on: {refused:?}"
    );
    assert_eq!(rig.ledger.ids(landbridge_model::Lane::Live).len(), MASS);
    let sync = rig.config.sync(&tenant(), &key().name).unwrap();
    assert_eq!(sync.status, SyncStatus::Active, "{:?}", sync.reason);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_10_a_cursor_that_dies_with_its_session_costs_a_page_and_no_row() {
    a_cursor_dies(async |rig| {
        let all = rig.org();
        all.post_to("/__sandbox/expire-sessions", json!({}))
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_11_a_cursor_that_others_push_out_costs_a_page_and_no_row() {
    a_cursor_dies(async |rig| {
        // Of one user all cursors are counted together.
        let (other, columns) = (rig.org(), Columns::text(["Id", "Notes__c", "Website__c"]));
        let text = "SELECT Id, Notes__c, Website__c FROM Vehicle__c";
        for _ in 0..11 {
            let page = other.query(Scope::Live, text, &columns).await.unwrap();
            assert!(page.next.is_some());
        }
    })
    .await;
}

fn phase(report: &Report) -> Option<RunPhase> {
    match &report.body {
        ReportBody::Progress(progress) => Some(progress.phase),
        _ => None,
    }
}

/// Lets every Bulk job fail; gives how many were made, and what is told of the import in the end.
async fn a_job_that_fails(message: Option<&str>) -> (u64, String) {
    let rig = small().await;
    let fails = json!({ "times": 20, "message": message });
    rig.org().post_to("/__sandbox/fail-bulk", fails).await.unwrap();
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", Value::Null).await;
    rig.start_import("import-1").await;
    let reports = rig
        .reports_until("the failure", |report| phase(report) == Some(RunPhase::Failed))
        .await;
    let ReportBody::Progress(last) = &reports.last().unwrap().body else {
        unreachable!()
    };
    let jobs = rig.sandbox.salesforce_stats().counts().by_family["bulk_create"];
    extractor.stop().await;
    (jobs, last.reason.clone().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_17_a_job_that_salesforce_gave_up_is_not_tried_for_ever() {
    let (jobs, reason) = a_job_that_fails(Some("InternalServerError : Retried more than 15 times")).await;
    assert!(
        (2..20).contains(&jobs),
        "tried in smaller and smaller parts, and not for ever: {jobs}"
    );
    assert!(reason.contains("Retried more than 15 times"), "{reason}");
    // One that says nothing may have met with something that passes; but not every time.
    let (jobs, reason) = a_job_that_fails(None).await;
    assert_eq!(jobs, 3, "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_18_a_window_that_took_too_long_is_read_in_parts_and_never_passed_over() {
    let rig = small().await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    rig.change_sync(|sync| sync.status = SyncStatus::Paused).await;
    let id = rig.org().create("Vehicle__c", named("Slow")).await.unwrap();
    let body = r#"[{"errorCode":"QUERY_TIMEOUT","message":"Your query request was running for too long."}]"#;
    let slow = json!({ "where": "/queryAll", "what": { "status": 400 }, "body": body, "times": 6 });
    set_fault(&rig, slow);
    rig.change_sync(|sync| sync.status = SyncStatus::Active).await;
    until(
        &rig,
        "what a slow query hid",
        &id,
        ChangeKind::Upsert,
        Some("Slow"),
    )
    .await;
    assert_eq!(fired(&rig), 6);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_22_an_object_that_wants_a_filter_of_its_own_stops_its_sync_in_salesforces_words() {
    let rig = small().await;
    let body = r#"[{"errorCode":"MALFORMED_QUERY","message":"Implementation restriction: Vehicle__c requires a filter by a single Id on ParentId"}]"#;
    set_fault(
        &rig,
        json!({ "where": "/queryAll", "what": { "status": 400 }, "body": body }),
    );
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    let suspended = rig.config.wait_for(|config| {
        let sync = config.sync(&tenant(), &key().name)?;
        (sync.status == SyncStatus::Suspended).then(|| sync.reason.clone())
    });
    let reason = tokio::time::timeout(rig::DEADLINE, suspended).await.unwrap();
    let reason = reason.unwrap_or_default();
    assert!(reason.contains("requires a filter by a single Id"), "{reason}");
    let asked = fired(&rig);
    for _ in 0..3 {
        rig.second_is_over().await;
    }
    assert_eq!(fired(&rig), asked, "it is asked again and again");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_23_a_delete_log_that_was_purged_costs_no_delete() {
    let mut rig = small().await;
    rig.settings.settle_interval = Duration::from_millis(100);
    let body = r#"[{"errorCode":"INVALID_REPLICATION_DATE","message":"startDate before org replication enabled date"}]"#;
    set_fault(
        &rig,
        json!({ "where": "/updated", "what": { "status": 400 }, "body": body }),
    );
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    let org = rig.org();
    let id = org.create("Vehicle__c", named("Logged")).await.unwrap();
    until(&rig, "the create", &id, ChangeKind::Upsert, Some("Logged")).await;
    org.delete("Vehicle__c", &id).await.unwrap();
    org.post_to("/__sandbox/purge-delete-log", json!({}))
        .await
        .unwrap();
    until(&rig, "the delete", &id, ChangeKind::Delete, None).await;
    assert!(fired(&rig) > 0, "open transactions were not asked for");
    let asked = rig.sandbox.salesforce_stats().counts().by_family;
    assert_eq!(asked.get("deleted"), None, "the delete log is not relied upon");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_29_an_address_with_a_slash_at_its_end_leads_to_results_too() {
    let rig = small().await;
    let mut config = rig.org().config().clone();
    config.login_url = format!("{}/", rig.sandbox.announcement().salesforce.login_url)
        .parse()
        .unwrap();
    let org = Client::new(config).unwrap();
    let job = org
        .create_job(Scope::Live, "SELECT Id FROM Vehicle__c")
        .await
        .unwrap();
    let job = org.wait_for_job(&job.id, |_| {}).await.unwrap();
    let (wanted, columns) = (job.number_records_processed, Columns::text(["Id"]));
    let mut download = org.download(job, columns, Position::default(), DownloadOptions::default());
    let mut rows = 0;
    while let Some(chunk) = download.next().await.unwrap() {
        rows += chunk.rows.rows() as u64;
    }
    assert_eq!(rows, wanted);
    // The org answers no address that has one too many within.
    let twice = org.post_to("/services/data//v66.0/__sandbox/undelete", json!({ "ids": [] }));
    assert!(twice.await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_30_a_re_parenting_is_heard_with_its_new_parent_and_all_that_did_not_change() {
    let mut rig = Rig::with_change_events(SandboxConfig {
        records: Some(60),
        ..SandboxConfig::default()
    })
    .await;
    // What arrives was heard.
    rig.settings.lag = Duration::from_secs(3_600);
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    rig.streams().await;
    let org = rig.org();
    let here = org.create("Depot__c", named("Here")).await.unwrap();
    let there = org.create("Depot__c", named("There")).await.unwrap();
    let below = |depot: &landbridge_model::SalesforceId| {
        let values = json!({ "Depot__c": depot });
        values.as_object().unwrap().clone()
    };
    let mut van = below(&here);
    van.insert("Name".to_owned(), "Van".into());
    let id = org.create("Vehicle__c", van).await.unwrap();
    let is_whole = |depot: &str| {
        let (id, depot) = (id, depot.to_owned());
        move |arrivals: &[Arrival]| {
            let last = arrivals.iter().rfind(|arrival| arrival.id == id);
            last.is_some_and(|last| {
                last.cells["Depot__r.Name"].as_deref() == Some(&*depot)
                    && last.cells["Name"].as_deref() == Some("Van")
            })
        }
    };
    rig.ledger.until("the vehicle", is_whole("Here")).await;
    // The event names neither the former parent nor any field that stayed.
    org.update("Vehicle__c", &id, below(&there)).await.unwrap();
    rig.ledger.until("its new parent", is_whole("There")).await;
    let last = rig.ledger.of(&id).pop().unwrap();
    assert_eq!(last.cells["Depot__c"].as_deref(), Some(there.as_str()));
    assert_eq!(last.source, landbridge_model::Source::ChangeEvent);
    extractor.stop().await;
}
