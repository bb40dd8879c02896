//! What a loader leaves to the next owner of its shard.

use std::sync::atomic::Ordering;

use landbridge_bus::{Leases, Take, WorkerId};
use landbridge_model::{Lane, Outcome, StageKind};
use landbridge_sandbox::hubspot::Behaviour;

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
