//! Rereads, compares and questions.

use std::time::Duration;

use landbridge_model::ask::{AskStatus, Explain, ListObjects, StartCompare, TestSalesforce};
use landbridge_model::{
    ChangeKind, Envelope, Lane, Outcome, Purpose, Revision, SalesforceId, Source, StageKind,
};
use landbridge_sandbox::SandboxConfig;
use landbridge_wire::{ReportBody, Reread, RunPhase};

use crate::rig::{Rig, key, tenant};

fn org() -> SandboxConfig {
    SandboxConfig {
        records: Some(1_500),
        bulk_queue_delay: Duration::from_millis(50),
        ..SandboxConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_again_on_request() {
    let rig = Rig::new(org()).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let vehicles: Vec<SalesforceId> = rig.vehicles().await.into_iter().collect();
    let (live, gone) = (vehicles[0], vehicles[1]);
    rig.org().delete("Vehicle__c", &gone).await.unwrap();
    let absent = SalesforceId::parse(&format!("{}00000000zzz", &live.as_str()[..4])).unwrap();
    for id in [live, gone, absent] {
        let envelope = Envelope {
            tenant: tenant(),
            sync: key().name,
            revision: Revision(1),
            purpose: Purpose::Apply,
            source: Source::Reread,
            run: None,
            force: false,
        };
        rig.hub
            .ask_reread(&Reread {
                envelope,
                id,
                reason: "test".into(),
            })
            .await
            .unwrap();
    }
    rig.ledger
        .until("both rows", |arrivals| {
            let kind = |id| {
                arrivals
                    .iter()
                    .find(|arrival| arrival.id == id)
                    .map(|arrival| arrival.kind)
            };
            kind(live) == Some(ChangeKind::Upsert) && kind(gone) == Some(ChangeKind::Delete)
        })
        .await;
    let failed = |report: &landbridge_wire::Report| {
        matches!(&report.body, ReportBody::Records(records)
            if records.iter().any(|record| record.id == absent && record.outcome == Outcome::Failed))
    };
    rig.reports_until("the absent record", failed).await;
    assert!(rig.ledger.of(&absent).is_empty(), "absence is no delete");
    let shard = rig.hub.shard_of(&tenant());
    tokio::time::timeout(Duration::from_secs(20), async {
        while !rig.hub.rereads(shard).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("fulfilled wishes are forgotten");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compare_reads_everything_into_its_own_lane() {
    let mut rig = Rig::new(org()).await;
    for (run, bulk_from) in [("by-bulk", 100), ("by-scan", 100_000)] {
        rig.settings.bulk_from = bulk_from;
        let extractor = rig.extractor(run).await;
        rig.store_sync("draft", serde_json::Value::Null).await;
        let vehicles = rig.vehicles().await;
        let before = rig.ledger.all().len();
        let question = StartCompare {
            sync: key().name,
            run: run.parse().unwrap(),
            ids: vec![],
            draft: false,
            sample: None,
        };
        rig.hub
            .ask(
                StageKind::Extractor,
                &tenant(),
                &question,
                Duration::from_secs(20),
            )
            .await
            .unwrap();
        let ended = |report: &landbridge_wire::Report| {
            let this_run = report
                .envelope
                .run
                .as_ref()
                .is_some_and(|named| named.as_str() == run);
            this_run
                && matches!(&report.body, ReportBody::Progress(progress)
                    if progress.phase == RunPhase::Ended && progress.salesforce_total == Some(vehicles.len() as u64))
        };
        rig.reports_until("the compare's end", ended).await;
        rig.ledger
            .until("all rows", |arrivals| arrivals.len() >= before + vehicles.len())
            .await;
        assert_eq!(rig.ledger.ids(Lane::Check), vehicles);
        extractor.stop().await;
    }
    // Both roads give the same rows, byte for byte.
    let mut rows = std::collections::BTreeMap::new();
    for arrival in rig.ledger.all() {
        let known = rows.entry(arrival.id).or_insert_with(|| arrival.cells.clone());
        assert_eq!(*known, arrival.cells, "{}", arrival.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_about_the_org_are_answered() {
    let rig = Rig::new(org()).await;
    let extractor = rig.extractor("one").await;
    let deadline = Duration::from_secs(20);
    let test = rig
        .hub
        .ask(StageKind::Extractor, &tenant(), &TestSalesforce {}, deadline)
        .await
        .unwrap();
    assert_eq!(test.problems, Vec::<String>::new());
    assert!(test.org_id.starts_with("00D") && test.daily_calls_max.is_some());
    let objects = rig
        .hub
        .ask(StageKind::Extractor, &tenant(), &ListObjects {}, deadline)
        .await
        .unwrap();
    assert!(objects[0].custom && objects.iter().any(|object| object.name == "Vehicle__c"));
    rig.store_sync("draft", serde_json::Value::Null).await;
    let id = *rig.vehicles().await.first().unwrap();
    let story = rig
        .hub
        .ask(StageKind::Extractor, &tenant(), &Explain { id }, deadline)
        .await
        .unwrap();
    assert!(
        story.lines[0].text.starts_with("in Salesforce, last changed at"),
        "{story:?}"
    );
    let status = rig
        .hub
        .ask(StageKind::Extractor, &tenant(), &AskStatus {}, deadline)
        .await
        .unwrap();
    assert!(status.calls.iter().any(|calls| calls.family == "describe"));
    extractor.stop().await;
}
