//! Imports over a real bus: counted from lanes and outcomes, through the loss of control and of its folder.

use landbridge_bus::Filter;
use landbridge_control::ask::{CancelImport, PauseImport, ResumeImport, StartImports, Writing};
use landbridge_model::ask::{ImportStatus, ListImports};
use landbridge_model::{
    ChangeBatch, ChangeKind, Envelope, ImportId, Lane, Outcome, Purpose, RecordOutcome, Revision, RunId,
    Source, StageKind, SyncName, Table,
};
use landbridge_wire::{ReportBody, RunPhase, RunProgress, VersionedId};

use crate::rig::{Rig, VEHICLES, id, soon, sync_name, tenant, version};

impl Rig {
    async fn start_import(&self) -> ImportId {
        self.apply(VEHICLES).await;
        let question = StartImports {
            syncs: vec![sync_name()],
            writing: Writing::Changes,
            keep_before: false,
            started_by: "test".into(),
            once: None,
        };
        let started = self.ask(&question).await.unwrap();
        assert!(started.problems.is_empty(), "{started:?}");
        started.imports[0].id.clone()
    }

    async fn status(&self, id: &ImportId) -> ImportStatus {
        self.ask(&ListImports { id: Some(id.clone()) })
            .await
            .unwrap()
            .remove(0)
    }

    /// Puts records into the bulk lane and tells it, as the extractor does.
    async fn extract(&self, run: &RunId, numbers: &[u32]) {
        let ids: Vec<_> = numbers.iter().map(|number| id(*number)).collect();
        let batch = ChangeBatch {
            envelope: Envelope {
                tenant: tenant(),
                sync: sync_name(),
                revision: Revision(1),
                purpose: Purpose::Apply,
                source: Source::Import,
                run: Some(run.clone()),
                force: false,
                only: None,
            },
            versions: vec![version(1); ids.len()],
            kinds: vec![ChangeKind::Upsert; ids.len()],
            table: Table::default(),
            ids: ids.clone(),
        };
        self.hub
            .send(&self.hub.changes(&tenant(), Lane::Bulk), "test", &batch)
            .await
            .unwrap();
        let told = ids
            .iter()
            .map(|id| VersionedId {
                id: *id,
                version: version(1),
            })
            .collect();
        self.report(
            StageKind::Extractor,
            Source::Import,
            Some(run),
            ReportBody::Extracted(told),
        )
        .await;
    }

    async fn settle(&self, run: &RunId, numbers: &[u32], outcome: Outcome) {
        let records = numbers.iter().map(|number| RecordOutcome {
            id: id(*number),
            version: version(1),
            outcome,
            hubspot_id: None,
            failure: None,
        });
        let body = ReportBody::Records(records.collect());
        self.report(StageKind::Loader, Source::Import, Some(run), body)
            .await;
    }

    async fn progress(&self, run: &RunId, phase: RunPhase) {
        let progress = RunProgress {
            phase,
            salesforce_total: Some(4),
            rows: 4,
            reason: None,
        };
        self.report(
            StageKind::Extractor,
            Source::Import,
            Some(run),
            ReportBody::Progress(progress),
        )
        .await;
    }

    async fn acknowledge_everything(&self) {
        let lane = self.hub.changes(&tenant(), Lane::Bulk);
        self.hub.bus().purge(&Filter::exact(&lane)).await.unwrap();
    }
}

fn outcome(status: &ImportStatus, outcome: Outcome) -> u64 {
    status
        .outcomes
        .iter()
        .find(|(known, _)| *known == outcome)
        .map_or(0, |(_, count)| *count)
}

fn adds_up(status: &ImportStatus) {
    let settled: u64 = status.outcomes.iter().map(|(_, count)| count).sum();
    assert_eq!(status.unaccounted, 0, "{status:?}");
    assert_eq!(status.extracted, settled + status.in_flight, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_adds_up_from_its_start_to_its_end() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let import = rig.start_import().await;
    let run = RunId::from(&import);
    assert_eq!(rig.status(&import).await.state, "Queued");
    rig.progress(&run, RunPhase::Reading).await;
    rig.extract(&run, &[1, 2]).await;
    rig.extract(&run, &[3, 4]).await;
    let status = rig.status(&import).await;
    assert_eq!(
        (status.state.as_str(), status.extracted, status.in_flight),
        ("Running", 4, 4)
    );
    rig.settle(&run, &[1, 2, 3], Outcome::Created).await;
    let status = rig.status(&import).await;
    adds_up(&status);
    assert_eq!(
        (status.in_flight, outcome(&status, Outcome::Created)),
        (1, 3),
        "settled, though the lane has them yet"
    );
    rig.progress(&run, RunPhase::Ended).await;
    assert_eq!(rig.status(&import).await.state, "Running", "one is on its way");
    rig.settle(&run, &[4], Outcome::Failed).await;
    rig.settle(&run, &[1], Outcome::Unchanged).await; // delivered again
    rig.acknowledge_everything().await;
    let status = rig.status(&import).await;
    adds_up(&status);
    assert_eq!(status.state, "Completed with errors");
    assert_eq!(
        (
            outcome(&status, Outcome::Created),
            outcome(&status, Outcome::Unchanged)
        ),
        (3, 0)
    );
    assert!(status.ended_ms.is_some() && status.salesforce_total == Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_vanishes_is_shown_as_unaccounted() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let import = rig.start_import().await;
    let run = RunId::from(&import);
    rig.extract(&run, &[1, 2]).await;
    rig.settle(&run, &[1], Outcome::Created).await;
    rig.acknowledge_everything().await; // of a worker that broke its promise
    rig.progress(&run, RunPhase::Ended).await;
    let status = rig.status(&import).await;
    assert_eq!((status.unaccounted, status.state.as_str()), (1, "Running"));
    assert!(status.reason.unwrap().contains(id(2).as_str()), "it is named");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_stop_nor_a_crash_nor_a_lost_folder_loses_progress() {
    let rig = Rig::new().await;
    let control = rig.control().await;
    let import = rig.start_import().await;
    let run = RunId::from(&import);
    rig.progress(&run, RunPhase::Reading).await;
    rig.extract(&run, &[1, 2, 3]).await;
    rig.settle(&run, &[1], Outcome::Created).await;
    let mut before = rig.status(&import).await;
    (before.rate, before.remaining_seconds) = (0.0, None);
    control.stop().await;
    let mut control = rig.control().await;
    for loses_folder in [false, true] {
        let mut after = rig.status(&import).await;
        (after.rate, after.remaining_seconds) = (0.0, None);
        assert_eq!(after, before);
        drop(control); // as a crash: nothing is put down
        if loses_folder {
            // sled lets go of its files a moment after the last handle.
            soon("that the folder is free", async {
                while std::fs::remove_dir_all(rig.control_folder()).is_err() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        control = rig.control().await;
    }
    let mut after = rig.status(&import).await;
    (after.rate, after.remaining_seconds) = (0.0, None);
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_import_says_so() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let import = rig.start_import().await;
    rig.ask(&CancelImport { id: import.clone() }).await.unwrap();
    assert_eq!(rig.status(&import).await.state, "Canceled");
    let unknown = CancelImport {
        id: ImportId::new("imp-none").unwrap(),
    };
    assert!(rig.ask(&unknown).await.is_err());
}

/// A child of vehicles.
const RENTALS: &str = "
apiVersion: landbridge/v1
kind: Sync
metadata: { tenant: acme, name: rentals }
spec:
  salesforce: { object: Vehicle__c }
  hubspot: { objectType: rentals }
  associations: [ { field: Tows__c, to: vehicles, label: tows } ]
  fields: [ { from: Name, to: name } ]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_child_waits_for_a_parent_that_goes_on_and_is_not_read_yet() {
    let rig = Rig::new().await;
    rig.world.lock().unwrap().late.insert("rentals".into(), 0);
    let _control = rig.control().await;
    rig.apply(VEHICLES).await;
    rig.apply(RENTALS).await;
    let question = StartImports {
        syncs: vec![SyncName::new("rentals").unwrap(), sync_name()],
        writing: Writing::Changes,
        keep_before: false,
        started_by: "test".into(),
        once: None,
    };
    let started = rig.ask(&question).await.unwrap().imports;
    let names: Vec<&str> = started.iter().map(|import| import.sync.as_str()).collect();
    assert_eq!(names, ["vehicles", "rentals"]);
    let (parent, child) = (started[0].id.clone(), started[1].id.clone());
    assert!(rig.status(&parent).await.waits_for.is_empty());
    assert_eq!(rig.status(&child).await.waits_for, std::slice::from_ref(&parent));
    rig.ask(&PauseImport { id: parent.clone() }).await.unwrap();
    let waits = rig.status(&child).await.waits_for;
    assert!(waits.is_empty(), "the parent may stand for ever");
    let again = ResumeImport {
        id: parent.clone(),
        by: "test".into(),
    };
    rig.ask(&again).await.unwrap();
    assert_eq!(rig.status(&child).await.waits_for, std::slice::from_ref(&parent));
    rig.progress(&RunId::from(&parent), RunPhase::Ended).await;
    assert!(rig.status(&child).await.waits_for.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_comes_after_the_reading_is_refused() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let import = rig.start_import().await;
    let run = RunId::from(&import);
    rig.extract(&run, &[1]).await;
    rig.progress(&run, RunPhase::Ended).await;
    assert_eq!(
        rig.status(&import).await.state,
        "Running",
        "a record is on its way"
    );
    let refused = rig.ask(&CancelImport { id: import.clone() }).await.unwrap_err();
    assert!(refused.to_string().contains("has read everything"), "{refused}");
    assert_eq!(rig.status(&import).await.state, "Running");
    rig.settle(&run, &[1], Outcome::Created).await;
    rig.acknowledge_everything().await;
    assert_eq!(rig.status(&import).await.state, "Completed");
}
