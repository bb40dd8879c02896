//! Verify with its second look, failures, stories, status.

use landbridge_control::ask::{
    AskTenant, Repair, RetryFailures, SetSyncs, StartVerify, VerifyReport, VerifyState,
};
use landbridge_model::ask::{ConditionKind, Explain, ListFailures};
use landbridge_model::config::SyncStatus;
use landbridge_model::{
    Envelope, Failure, FailureCategory, HubSpotId, Outcome, Purpose, RecordOutcome, Revision, Source,
    StageKind,
};
use landbridge_wire::{Difference, DifferenceKind, FailedRecord, ReportBody};

use crate::rig::{Rig, VEHICLES, id, soon, sync_name, tenant, version};

impl Rig {
    async fn verify(&self) -> VerifyReport {
        let started = self.ask(&StartVerify { sync: sync_name() }).await.unwrap();
        soon("the end of the verify", async {
            loop {
                let progress = self
                    .ask(&VerifyState {
                        run: started.run.clone(),
                    })
                    .await
                    .unwrap();
                assert_eq!(progress.trouble, None);
                if let Some(report) = progress.report {
                    return report;
                }
            }
        })
        .await
    }

    async fn resolve(&self) {
        self.apply(VEHICLES).await;
        for status in [SyncStatus::Active, SyncStatus::Paused] {
            self.ask(&SetSyncs {
                names: vec![sync_name()],
                status,
            })
            .await
            .unwrap();
        }
    }
}

fn difference(number: u32, kind: DifferenceKind) -> Difference {
    Difference {
        kind,
        id: id(number),
        hubspot_id: None,
        name: "name".to_owned(),
        expected: Some("Van".to_owned()),
        actual: None,
        message: "differs".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_stands_at_a_second_look_is_a_difference() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    rig.resolve().await;
    {
        let mut world = rig.world.lock().unwrap();
        let all = (1..=5).map(|number| (id(number), version(10))).collect();
        let first = [1, 2, 3]
            .map(|number| difference(number, DifferenceKind::Missing))
            .to_vec();
        world.looks.push_back((all, first));
        // 1 still is missing, 2 has arrived, 3 was changed meanwhile; 9 is not to be seen in Salesforce.
        let second = vec![(id(1), version(10)), (id(2), version(10)), (id(3), version(11))];
        let differs = [1, 3]
            .map(|number| difference(number, DifferenceKind::Different))
            .to_vec();
        world.looks.push_back((second, differs));
        world.looks.push_back((vec![(id(3), version(11))], Vec::new()));
        world.listed = [1, 2, 9]
            .map(|number| (id(number), HubSpotId(u64::from(number))))
            .into();
    }
    let report = rig.verify().await;
    let found: Vec<_> = report
        .differences
        .iter()
        .map(|found| (found.kind.as_str(), found.id))
        .collect();
    assert_eq!(found, [("different", Some(id(1)))], "{report:?}");
    let apart: Vec<_> = report
        .apart
        .iter()
        .map(|found| (found.kind.as_str(), found.id))
        .collect();
    assert_eq!(apart, [("kept", Some(id(9)))], "the rule says to do nothing");
    assert_eq!(
        (report.compared, report.listed, report.unsettled.len()),
        (5, 3, 0)
    );
    let asked = std::mem::take(&mut rig.world.lock().unwrap().asked);
    assert_eq!(asked, [vec![], vec![id(1), id(2), id(3), id(9)], vec![id(3)]]);

    let repaired = rig
        .ask(&Repair {
            sync: sync_name(),
            ids: vec![id(1)],
        })
        .await
        .unwrap();
    assert_eq!(repaired.records, 1);
    let wishes = rig.hub.rereads(rig.hub.shard_of(&tenant())).await.unwrap();
    assert!(wishes[0].0.envelope.force && wishes[0].0.envelope.source == Source::Repair);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_listed_retried_and_explained() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    rig.resolve().await;
    let failure = Failure::new(FailureCategory::PicklistOption, "no such option")
        .property("fuel_type")
        .value("Petrol");
    let failed = FailedRecord {
        envelope: Envelope {
            tenant: tenant(),
            sync: sync_name(),
            revision: Revision(1),
            purpose: Purpose::Apply,
            source: Source::Increment,
            run: None,
            force: false,
            only: None,
        },
        id: id(1),
        version: version(10),
        stage: StageKind::Mapper,
        failure: failure.clone(),
        at_ms: 10_000,
        attempts: 1,
        link_field: None,
        write: None,
        retry: false,
    };
    rig.hub.remember_failure(&failed).await.unwrap();
    let outcome = RecordOutcome {
        id: id(1),
        version: version(10),
        outcome: Outcome::Failed,
        hubspot_id: None,
        failure: Some(failure),
    };
    rig.report(
        StageKind::Mapper,
        Source::Increment,
        None,
        ReportBody::Records(vec![outcome]),
    )
    .await;

    let listed = rig
        .ask(&ListFailures {
            sync: Some(sync_name()),
            id: None,
        })
        .await
        .unwrap();
    assert_eq!((listed.len(), listed[0].id), (1, id(1)));
    let other = RetryFailures {
        category: Some(FailureCategory::Permission),
        ..Default::default()
    };
    assert_eq!(rig.ask(&other).await.unwrap().records, 0);
    assert_eq!(rig.ask(&RetryFailures::default()).await.unwrap().records, 1);
    assert_eq!(
        rig.hub.rereads(rig.hub.shard_of(&tenant())).await.unwrap().len(),
        1
    );

    let story = rig.ask(&Explain { id: id(1) }).await.unwrap();
    let texts: Vec<&str> = story.lines.iter().map(|line| line.text.as_str()).collect();
    assert!(
        texts.iter().any(|text| text.starts_with("refused by increment")),
        "{texts:?}"
    );
    assert!(
        texts.iter().any(|text| text.contains("among the failures")),
        "{texts:?}"
    );

    let status = rig.ask(&AskTenant {}).await.unwrap();
    assert_eq!((status.failures, status.rereads, status.syncs.len()), (1, 1, 1));
    let changes = &status.syncs[0].changes;
    assert!(changes.contains(&(Outcome::Failed, 1)), "{changes:?}");
    assert!(
        status
            .conditions
            .iter()
            .any(|told| told.kind == ConditionKind::Silent && status.notes.contains(&told.text)),
        "a stage that does not run is told: {:?}",
        status.conditions
    );
}
