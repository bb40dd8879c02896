//! What a loader leaves to the next owner of its shard.

use std::sync::atomic::Ordering;

use landbridge_bus::{Filter, Leases, LinkPart, Take, WorkerId};
use landbridge_model::sync::MaxDeletes;
use landbridge_model::{ChangeKind, Lane, Outcome, StageKind};
use landbridge_sandbox::fault::Fault;
use landbridge_sandbox::hubspot::Behaviour;
use landbridge_wire::{Report, ReportBody};

use crate::rig::{Rig, outcomes};

/// Whether the next owner of the shard waits for calls of the one before.
async fn must_wait(rig: &Rig) -> bool {
    let leases = Leases::new(rig.hub.bus());
    let shard = rig.hub.shard_of(&rig.tenant);
    let heir = WorkerId::new("heir");
    let taken = leases.take(StageKind::Loader, shard, &heir).await.unwrap();
    let Take::Won { lease, unsettled, .. } = taken else {
        panic!("{taken:?}")
    };
    leases.release(lease, true).await.unwrap();
    unsettled
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_an_answer_makes_the_next_owner_wait() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let told = rig
        .apply(Lane::Live, &rig.cars(&[(1, 1_000, "first", None)]))
        .await;
    assert_eq!(outcomes(&told), [Outcome::Created]);
    rig.stop().await;
    assert!(!must_wait(&rig).await, "everything was answered");

    rig.start().await;
    rig.mischief.late.store(true, Ordering::SeqCst);
    rig.write(Lane::Live, &rig.cars(&[(1, 2_000, "late", None)]))
        .await;
    rig.until(async |rig| !rig.mischief.late.load(Ordering::SeqCst))
        .await;
    rig.stop().await;
    assert!(must_wait(&rig).await, "HubSpot may carry the write out yet");
}

/// Whether the resolver was told of any record of an import.
async fn resolver_was_told(rig: &Rig) -> bool {
    let subject = rig.hub.links(&rig.tenant, Lane::Bulk, LinkPart::Identities);
    let told = rig.hub.bus().counts(&Filter::exact(&subject)).await.unwrap();
    !told.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_and_not_told_yet_is_told_by_the_next_owner() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.apply(Lane::Live, &rig.cars(&[(2, 1_000, "two", None)])).await;
    // The second row keeps its message open.
    rig.fault("/batch/archive", Fault::Status(503), 1_000, false);
    let mut batch = rig.cars(&[(1, 2_000, "one", None), (2, 2_000, "", None)]);
    batch.kinds[1] = ChangeKind::Delete;
    rig.write(Lane::Bulk, &batch).await;
    rig.until(async |rig| rig.stored(1).await.is_some()).await;
    rig.stop().await;
    rig.faults.clear();
    assert!(!resolver_was_told(&rig).await);
    let upserts = |rig: &Rig| -> u64 {
        let calls = rig.calls().into_iter();
        calls
            .filter(|(family, _)| family.contains("upsert"))
            .map(|(_, calls)| calls)
            .sum()
    };
    let before = upserts(&rig);
    rig.start_again().await;
    let told = |reports: &[Report]| -> Vec<Outcome> {
        let records = reports.iter().filter_map(|report| match &report.body {
            ReportBody::Records(records) => Some(outcomes(records)),
            _ => None,
        });
        records.flatten().collect()
    };
    let reports = rig.reports(|reports| told(reports).len() >= 2).await;
    assert_eq!(told(&reports), [Outcome::Created, Outcome::Deleted]);
    assert_eq!(upserts(&rig), before, "it was written already");
    assert!(resolver_was_told(&rig).await);
    let again = rig.cars(&[(1, 2_000, "one", None)]);
    assert_eq!(
        outcomes(&rig.apply(Lane::Bulk, &again).await),
        [Outcome::Unchanged]
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_owner_grants_no_new_hour_of_deletes() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.change_rules(|rules| rules.max_deletes = Some(MaxDeletes::Count(2)))
        .await;
    let rows = [1, 2, 3].map(|serial| (serial, 1_000, "a car", None));
    rig.apply(Lane::Live, &rig.cars(&rows)).await;
    for (serial, expected) in [(1, Outcome::Deleted), (2, Outcome::Deleted), (3, Outcome::Held)] {
        let mut delete = rig.cars(&[(serial, 2_000, "", None)]);
        delete.kinds = vec![ChangeKind::Delete];
        assert_eq!(
            outcomes(&rig.apply(Lane::Live, &delete).await),
            [expected],
            "car {serial}"
        );
        rig.restart_cold().await;
    }
    assert!(rig.stored(3).await.is_some());
    rig.stop().await;
}
