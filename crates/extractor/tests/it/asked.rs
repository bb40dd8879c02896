//! Rereads, compares and questions.

use std::time::Duration;

use landbridge_model::ask::{AskStatus, CountRecords, Explain, ListObjects, StartCompare, TestSalesforce};
use landbridge_model::{
    ChangeKind, Envelope, Lane, Outcome, Purpose, Revision, SalesforceId, Source, StageKind,
};
use landbridge_sandbox::SandboxConfig;
use landbridge_wire::{ReportBody, Reread, RunPhase};

use crate::rig::{self, Rig, key, tenant};

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
            only: None,
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
    rig::until("fulfilled wishes to be forgotten", async || {
        let waiting = rig.hub.rereads(shard).await.unwrap();
        waiting.is_empty().then_some(())
    })
    .await;
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
    assert_eq!(
        test.org_name.as_deref(),
        Some("Sandbox"),
        "as its company information has it"
    );
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

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reads_by_its_draft_and_only_what_is_wanted() {
    let rig = Rig::new(org()).await;
    let extractor = rig.extractor("one").await;
    // The stored sync has no filter, the draft has one, and one condition of it is beyond SOQL.
    rig.store_sync("draft", serde_json::Value::Null).await;
    let stored = rig.config.sync(&tenant(), &key().name).unwrap();
    let mut sync = (*stored).clone();
    let filter = serde_json::json!({ "all": [
        { "field": "Active__c", "op": "equals", "value": true },
        { "field": "Notes__c", "op": "is-not-empty" },
    ]});
    sync.definition.spec.filter = Some(serde_json::from_value(filter).unwrap());
    let whose = tenant();
    let ask = async |question: &CountRecords| {
        let deadline = Duration::from_secs(20);
        let asked = rig.hub.ask(StageKind::Extractor, &whose, question, deadline);
        asked.await.unwrap()
    };
    let mut question = CountRecords {
        sync: key().name,
        draft: None,
    };
    let all = rig.vehicles().await.len() as u64;
    let counted = ask(&question).await;
    assert_eq!((counted.count, counted.total, counted.exact), (all, all, true));
    question.draft = Some(Box::new(sync.clone()));
    let counted = ask(&question).await;
    assert!(counted.count > 0 && counted.count < all, "{counted:?}");
    assert_eq!((counted.total, counted.exact), (all, false));

    let start = async |run: &str, ids: Vec<landbridge_model::SalesforceId>, sample: Option<u64>| {
        let draft = landbridge_model::config::Draft {
            run: run.parse().unwrap(),
            sync: sync.clone(),
            missing: Default::default(),
            detail_bytes: 1_000,
            over: false,
        };
        rig.config
            .put_draft(&draft, Duration::from_secs(600))
            .await
            .unwrap();
        let question = StartCompare {
            sync: key().name,
            run: draft.run.clone(),
            ids,
            draft: true,
            sample,
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
            report.envelope.run.as_ref() == Some(&draft.run)
                && report.envelope.source == Source::DryRun
                && matches!(&report.body, ReportBody::Progress(progress) if progress.phase == RunPhase::Ended)
        };
        rig.reports_until("the dry run's end", ended).await;
    };
    start("sample", vec![], Some(5)).await;
    rig.ledger
        .until("the sample", |arrivals| arrivals.len() >= 5)
        .await;
    let sampled = rig.ledger.ids(Lane::Check);
    assert_eq!(sampled.len(), 5);

    // By id, whatever the filter says; of what is not there nothing comes.
    let wanted: Vec<_> = rig
        .vehicles()
        .await
        .into_iter()
        .filter(|id| !sampled.contains(id))
        .take(2)
        .collect();
    let nowhere = landbridge_model::SalesforceId::parse("a01000000099999AAA").unwrap();
    start("by-id", [&wanted[..], &[nowhere]].concat(), None).await;
    rig.ledger.until("the two", |arrivals| arrivals.len() >= 7).await;
    let all: std::collections::BTreeSet<_> = sampled.iter().chain(&wanted).copied().collect();
    assert_eq!(rig.ledger.ids(Lane::Check), all);
    extractor.stop().await;
}
