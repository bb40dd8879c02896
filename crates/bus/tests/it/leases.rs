use std::time::Duration;

use landbridge_bus::{
    Bucket, BusConfig, Key, Lease, LeaseError, LeaseEvent, Leases, Member, Members, Take, WorkerId,
};
use landbridge_model::{Shard, StageKind};

use crate::{Bench, soon};

const STAGE: StageKind = StageKind::Loader;
const SHARD: Shard = Shard(3);

async fn bench() -> Bench {
    Bench::new(BusConfig {
        lease_ttl: Duration::from_secs(1),
        ..BusConfig::default()
    })
    .await
}

fn won(take: Take) -> (Lease, Option<landbridge_bus::Epoch>, bool) {
    match take {
        Take::Won {
            lease,
            previous,
            unsettled,
        } => (lease, previous, unsettled),
        other => panic!("{other:?} instead of a lease"),
    }
}

/// Until somebody can take it: the expiry is the server's to do.
async fn take_when_free(leases: &Leases, worker: &WorkerId) -> (Lease, Option<landbridge_bus::Epoch>, bool) {
    let mut watch = leases.watch(STAGE).await.unwrap();
    loop {
        if let take @ Take::Won { .. } = leases.take(STAGE, SHARD, worker).await.unwrap() {
            return won(take);
        }
        while soon(watch.next()).await != LeaseEvent::Free(SHARD) {}
    }
}

#[tokio::test]
async fn a_lease_has_one_owner_and_its_release_is_no_accident() {
    let bench = bench().await;
    let leases = Leases::new(&bench.bus);
    let (one, two) = (WorkerId::new("one"), WorkerId::new("two"));
    let (mut lease, previous, unsettled) = won(leases.take(STAGE, SHARD, &one).await.unwrap());
    assert_eq!(
        (previous, unsettled),
        (None, false),
        "the first owner follows nobody"
    );
    let first = lease.epoch();
    assert!(matches!(leases.take(STAGE, SHARD, &two).await.unwrap(), Take::Held { by } if by == one));
    leases.renew(&mut lease).await.unwrap();
    assert_eq!(lease.epoch(), first, "a renewal is no new epoch");
    assert_eq!(leases.list(STAGE).await.unwrap(), [(SHARD, one.clone(), first)]);
    leases.release(lease, true).await.unwrap();

    let (lease, previous, unsettled) = won(leases.take(STAGE, SHARD, &two).await.unwrap());
    assert_eq!((previous, unsettled), (Some(first), false));
    assert!(lease.epoch() > first);
    let second = lease.epoch();

    // One that is released while a call may still be carried out: at once, but with a word to the next owner, and to it alone.
    leases.release(lease, false).await.unwrap();
    let (lease, previous, unsettled) = won(leases.take(STAGE, SHARD, &one).await.unwrap());
    assert_eq!((previous, unsettled), (Some(second), true));
    leases.release(lease, true).await.unwrap();
    let (_, _, unsettled) = won(leases.take(STAGE, SHARD, &two).await.unwrap());
    assert!(!unsettled);
}

#[tokio::test]
async fn leases_run_out_again_and_again_and_the_late_owner_is_refused() {
    let bench = bench().await;
    let leases = Leases::new(&bench.bus);
    let (one, two) = (WorkerId::new("one"), WorkerId::new("two"));
    let (mut old, ..) = won(leases.take(STAGE, SHARD, &one).await.unwrap());
    leases.renew(&mut old).await.unwrap();
    let deadline = old.deadline();

    // A renewed lease runs out, and so does a lease taken over the mark of one that ran out.
    let (second, previous, unsettled) = take_when_free(&leases, &two).await;
    assert!(
        tokio::time::Instant::now() >= deadline,
        "the server let the next one in before the owner knew"
    );
    assert_eq!((previous, unsettled), (Some(old.epoch()), true));
    assert!(matches!(
        leases.renew(&mut old).await,
        Err(LeaseError::Lost { .. })
    ));
    assert!(
        leases.release(old, true).await.is_ok(),
        "releasing what is lost harms nobody"
    );
    assert_eq!(leases.list(STAGE).await.unwrap().len(), 1);

    let (third, previous, unsettled) = take_when_free(&leases, &one).await;
    assert_eq!((previous, unsettled), (Some(second.epoch()), true));
    assert!(third.epoch() > second.epoch());
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_is_known_for_ours() {
    let bench = bench().await;
    let leases = Leases::new(&bench.bus);
    let (mut lease, ..) = won(leases.take(STAGE, SHARD, &WorkerId::new("one")).await.unwrap());
    // The same value written again is what a renewal does; its answer goes nowhere here.
    let (key, kv) = (Key::new([STAGE.as_str(), "3"]), bench.bus.kv(Bucket::Leases));
    let entry = kv.get(&key).await.unwrap().unwrap();
    kv.put_for(&key, entry.value, lease.ttl()).await.unwrap();
    leases.renew(&mut lease).await.expect("it is still ours");
    leases.renew(&mut lease).await.expect("and is renewed next time");
}

#[tokio::test]
async fn members_come_and_go() {
    let bench = bench().await;
    let members = Members::new(&bench.bus);
    let member = |name: &str| Member {
        worker: WorkerId::new(name),
        stage: STAGE,
        version: "0".into(),
        health: None,
        started: jiff::Timestamp::UNIX_EPOCH,
    };
    members.announce(&member("one")).await.unwrap();
    let mut watch = members.watch(STAGE).await.unwrap();
    let names = |set: std::collections::BTreeSet<WorkerId>| {
        set.iter()
            .map(|worker| worker.as_str().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names(soon(watch.changed()).await), "one");
    members.announce(&member("two")).await.unwrap();
    assert_eq!(names(soon(watch.changed()).await), "one two");
    members.leave(STAGE, &WorkerId::new("one")).await.unwrap();
    assert_eq!(names(soon(watch.changed()).await), "two");
    // Nobody announces it again: it is gone by itself.
    assert_eq!(names(soon(watch.changed()).await), "");
    assert!(members.list(STAGE).await.unwrap().is_empty());
}
