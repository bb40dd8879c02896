use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use landbridge_bus::{Filter, Leases, StreamName};
use landbridge_model::{Lane, StageKind};

use crate::rig::{Rig, SHARDS, Stall};

/// Everything was handled, each tenant's in order, and nothing is left on the bus.
async fn all_arrived_in_order(rig: &Rig, numbers: u64) {
    let expected: Vec<u64> = (0..numbers).collect();
    let total = rig.tenants().len() * expected.len();
    rig.ledger
        .until("that every message is handled", |handled| {
            let seen: BTreeSet<_> = handled.iter().map(|one| (&one.tenant, one.number)).collect();
            seen.len() == total
        })
        .await;
    for (tenant, order) in rig.ledger.first_handled() {
        assert_eq!(
            order, expected,
            "{tenant}'s messages in the order in which they were first handled"
        );
    }
    let started = Instant::now();
    loop {
        let left = rig
            .hub
            .bus()
            .counts(&Filter::whole(StreamName::Changes))
            .await
            .unwrap();
        if left.is_empty() {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "nobody takes off {left:?}"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_and_the_one_that_stops_hands_over() {
    let rig = Rig::new(true).await;
    let mut one = rig.start("one").await;
    assert_eq!(
        one.owns(usize::from(SHARDS)).await.len(),
        4,
        "alone it works on everything"
    );
    rig.publish(Lane::Live, 0..5).await;

    let mut two = rig.start("two").await;
    let (of_one, of_two) = (one.owns(2).await, two.owns(2).await);
    assert!(of_one.is_disjoint(&of_two), "{of_one:?} and {of_two:?}");
    rig.publish(Lane::Live, 5..10).await;

    one.stop().await;
    two.owns(4).await;
    rig.publish(Lane::Live, 10..15).await;
    all_arrived_in_order(&rig, 15).await;
    let by: BTreeSet<String> = rig.ledger.all().into_iter().map(|handled| handled.by).collect();
    assert_eq!(
        by,
        BTreeSet::from(["one".to_owned(), "two".to_owned()]),
        "both have worked"
    );

    two.stop().await;
    let held = Leases::new(rig.hub.bus()).list(StageKind::Mapper).await.unwrap();
    assert!(held.is_empty(), "who stops releases: {held:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_owned_moves_when_its_leases_run_out_and_nothing_is_lost() {
    for deduplication in [true, false] {
        let rig = Rig::new(deduplication).await;
        let mut victim = rig.start("victim").await;
        let mut heir = rig.start("heir").await;
        victim.owns(2).await;
        heir.owns(2).await;
        let publishing = rig.publish(Lane::Bulk, 0..40);
        let killing = async {
            rig.ledger
                .until("that work is under way", |handled| handled.len() > 100)
                .await;
            victim.kill().await;
        };
        // Lanes of 16 fill up behind the killed one; their publishers wait until the heir has them.
        tokio::join!(publishing, killing);
        heir.owns(4).await;
        all_arrived_in_order(&rig, 40).await;
        heir.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stood_still_is_fenced_when_it_moves_again() {
    let rig = Rig::new(false).await;
    let stall = Stall::armed();
    let mut sleeper = rig.start_on_thread("sleeper", stall.clone()).await;
    sleeper.owns(4).await;
    rig.publish(Lane::Live, 0..3).await;
    stall.reached().await;

    let mut heir = rig.start("heir").await;
    rig.ledger
        .until("that the heir does all of it", |handled| {
            handled
                .iter()
                .filter(|one| one.by == "heir" && one.acked == Some(true))
                .count()
                == 16 * 3
        })
        .await;
    heir.owns(4).await;
    stall.release();
    rig.publish(Lane::Live, 3..6).await;
    all_arrived_in_order(&rig, 6).await;
    let late: Vec<_> = rig
        .ledger
        .all()
        .into_iter()
        .filter(|one| one.by == "sleeper" && one.acked == Some(true))
        .collect();
    let taken_twice = late.iter().filter(|one| one.number < 3).count();
    assert_eq!(
        taken_twice, 0,
        "an acknowledgement of the sleeper counted after the heir had it: {late:?}"
    );
    sleeper.ask_to_stop();
    heir.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_come_and_go_while_work_goes_on() {
    let rig = Rig::new(false).await;
    let first = rig.start("first").await;
    let publishing = rig.publish(Lane::Live, 0..120);
    let changing = async {
        let handled_more_than =
            |count: usize| rig.ledger.until("progress", move |handled| handled.len() > count);
        handled_more_than(200).await;
        let second = rig.start("second").await;
        handled_more_than(800).await;
        first.stop().await;
        handled_more_than(1_600).await;
        let third = rig.start("third").await;
        handled_more_than(2_000).await;
        second.kill().await;
        third
    };
    let ((), third) = tokio::join!(publishing, changing);
    all_arrived_in_order(&rig, 120).await;
    tokio::time::timeout(Duration::from_secs(30), third.stop())
        .await
        .unwrap();
}
