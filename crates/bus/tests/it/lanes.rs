use std::time::Duration;

use landbridge_bus::{
    AckError, BusConfig, ConsumeError, ConsumeSettings, Epoch, Filter, LaneConsumer, LanePublishers,
    LocalServer, LocalServerOptions, Message, OpenError, Queue, StreamName,
};
use landbridge_model::{Lane, Shard};

use crate::{Bench, soon, writes};

fn message(text: &str) -> Message {
    Message::new("test", text.to_owned())
}

async fn open(bench: &Bench, lane: Lane, epoch: u64) -> Result<LaneConsumer, ConsumeError> {
    LaneConsumer::open(
        &bench.bus,
        Queue::Writes,
        Shard(3),
        lane,
        Epoch(epoch),
        ConsumeSettings::default(),
    )
    .await
}

async fn take(consumer: &mut LaneConsumer, count: usize) -> Vec<landbridge_bus::Delivery> {
    let mut taken = Vec::new();
    for _ in 0..count {
        taken.push(soon(consumer.next()).await.expect("a delivery"));
    }
    taken
}

fn texts(deliveries: &[landbridge_bus::Delivery]) -> Vec<String> {
    deliveries
        .iter()
        .map(|delivery| String::from_utf8_lossy(&delivery.payload).into_owned())
        .collect()
}

#[tokio::test]
async fn a_full_lane_waits_alone_and_keeps_its_order() {
    let bench = Bench::new(BusConfig {
        lane_capacity: 4,
        ..BusConfig::default()
    })
    .await;
    let lanes = LanePublishers::new(&bench.bus);
    let (slow, quick) = (writes("slow", Lane::Bulk), writes("quick", Lane::Bulk));
    let publisher = tokio::spawn({
        let (lanes, slow) = (lanes.clone(), slow.clone());
        async move {
            for n in 0..30 {
                lanes
                    .publish(&slow, &message(&format!("slow {n}")))
                    .await
                    .unwrap();
            }
        }
    });
    // The slow lane is full as soon as it has four; the quick one takes its share all the same.
    loop {
        let counts = bench.bus.counts(&Filter::exact(&slow)).await.unwrap();
        if counts.first().is_some_and(|(_, count)| *count == 4) {
            break;
        }
        tokio::task::yield_now().await;
    }
    for n in 0..4 {
        soon(lanes.publish(&quick, &message(&format!("quick {n}"))))
            .await
            .unwrap();
    }
    assert!(!publisher.is_finished());

    let mut consumer = open(&bench, Lane::Bulk, 1).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 34 {
        let delivery = soon(consumer.next()).await.unwrap();
        delivery.acker.ack().await.unwrap();
        seen.push(delivery);
    }
    publisher.await.unwrap();
    for (name, count) in [("slow", 30), ("quick", 4)] {
        let expected: Vec<String> = (0..count).map(|n| format!("{name} {n}")).collect();
        let found: Vec<String> = texts(&seen)
            .into_iter()
            .filter(|text| text.starts_with(name))
            .collect();
        assert_eq!(found, expected, "the lane of {name}");
    }
}

#[tokio::test]
async fn a_repeated_id_is_stored_once_and_without_deduplication_twice() {
    for (deduplication, stored) in [(true, 1), (false, 2)] {
        let bench = Bench::new(BusConfig {
            deduplication,
            ..BusConfig::default()
        })
        .await;
        let subject = writes("acme", Lane::Live);
        let first = bench.bus.publish(&subject, &message("same")).await.unwrap();
        let second = bench.bus.publish(&subject, &message("same")).await.unwrap();
        assert_eq!(second.duplicate, deduplication);
        assert_eq!(first.sequence == second.sequence, deduplication);
        assert_eq!(
            bench.bus.counts(&Filter::exact(&subject)).await.unwrap(),
            [(subject, stored)]
        );
    }
}

#[tokio::test]
async fn a_new_owner_fences_the_old_one_and_gets_all_that_was_not_acked_in_order() {
    let bench = Bench::new(BusConfig::default()).await;
    let subject = writes("acme", Lane::Live);
    for n in 0..8 {
        bench
            .bus
            .publish(&subject, &message(&n.to_string()))
            .await
            .unwrap();
    }
    let mut old = open(&bench, Lane::Live, 5).await.unwrap();
    let in_hand = take(&mut old, 6).await;
    in_hand[0].acker.ack().await.unwrap();
    in_hand[2].acker.ack().await.unwrap();

    let mut new = open(&bench, Lane::Live, 9).await.unwrap();
    assert_eq!(texts(&take(&mut new, 6).await), ["1", "3", "4", "5", "6", "7"]);

    assert!(
        matches!(in_hand[1].acker.ack().await, Err(AckError::Fenced(_))),
        "a late ack does not count"
    );
    loop {
        match soon(old.next()).await {
            Ok(_) => {} // fetched before the new owner came
            Err(error) => {
                assert!(matches!(error, ConsumeError::Fenced(_)), "{error}");
                break;
            }
        }
    }
    assert!(
        matches!(open(&bench, Lane::Live, 5).await, Err(ConsumeError::Fenced(_))),
        "nor does coming back"
    );
    let left = bench.bus.counts(&Filter::exact(&subject)).await.unwrap();
    assert_eq!(
        left,
        [(subject, 6)],
        "what the old owner could not ack is still there"
    );
}

#[tokio::test]
async fn opening_a_lane_again_returns_what_is_in_hand_and_other_lanes_are_others() {
    let bench = Bench::new(BusConfig::default()).await;
    for (lane, text) in [(Lane::Live, "live"), (Lane::Bulk, "bulk"), (Lane::Links, "links")] {
        bench
            .bus
            .publish(&writes("acme", lane), &message(text))
            .await
            .unwrap();
    }
    let mut first = open(&bench, Lane::Links, 5).await.unwrap();
    assert_eq!(texts(&take(&mut first, 1).await), ["links"]);
    let mut second = open(&bench, Lane::Links, 5).await.unwrap();
    assert_eq!(texts(&take(&mut second, 1).await), ["links"]);
    let mut live = open(&bench, Lane::Live, 5).await.unwrap();
    assert_eq!(texts(&take(&mut live, 1).await), ["live"]);
}

#[tokio::test]
async fn what_is_given_back_comes_again() {
    let bench = Bench::new(BusConfig::default()).await;
    bench
        .bus
        .publish(&writes("acme", Lane::Bulk), &message("later"))
        .await
        .unwrap();
    let mut consumer = open(&bench, Lane::Bulk, 5).await.unwrap();
    let first = take(&mut consumer, 1).await.remove(0);
    first.acker.progress().await.unwrap();
    first.acker.give_back(Duration::from_millis(50)).await.unwrap();
    let again = take(&mut consumer, 1).await.remove(0);
    assert_eq!((again.sequence, again.deliveries), (first.sequence, 2));
    again.acker.ack().await.unwrap();
}

#[tokio::test]
async fn an_idle_lane_wakes_up() {
    let bench = Bench::new(BusConfig::default()).await;
    let mut consumer = open(&bench, Lane::Live, 5).await.unwrap();
    // Dropping a waiting read loses nothing.
    assert!(
        tokio::time::timeout(Duration::from_millis(50), consumer.next())
            .await
            .is_err()
    );
    bench
        .bus
        .publish(&writes("acme", Lane::Live), &message("at last"))
        .await
        .unwrap();
    assert_eq!(texts(&take(&mut consumer, 1).await), ["at last"]);
}

#[tokio::test]
async fn other_settings_than_the_first_are_refused_by_name() {
    let bench = Bench::new(BusConfig::default()).await;
    let reopen = |config: BusConfig| {
        let url = bench.url.clone();
        async move { landbridge_bus::Bus::open(&config, &url, "other").await }
    };
    let shards = reopen(BusConfig {
        shards: 32,
        ..BusConfig::default()
    })
    .await
    .unwrap_err();
    assert!(
        matches!(
            shards,
            OpenError::Shards {
                found: 16,
                configured: 32
            }
        ),
        "{shards}"
    );
    let changed = BusConfig {
        lane_capacity: 99,
        ..BusConfig::default()
    };
    let mismatch = reopen(changed.clone()).await.unwrap_err().to_string();
    assert!(
        mismatch.contains("LB_WRITES: max_msgs_per_subject is 16, not 99"),
        "{mismatch}"
    );
    reopen(BusConfig {
        reconfigure: true,
        ..changed
    })
    .await
    .unwrap();
    let pattern = Filter::whole(StreamName::Writes);
    assert!(bench.bus.counts(&pattern).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let config = BusConfig {
        connect_timeout: Duration::from_millis(10),
        ..BusConfig::default()
    };
    let error = landbridge_bus::Bus::open(&config, "nats://me:secret@127.0.0.1:1", "x")
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("nats://127.0.0.1:1") && !text.contains("secret"),
        "{text}"
    );
}

/// Reads on as an owner does: opens the lane anew when deliveries were lost.
async fn read_through(bench: &crate::Bench, lane: Lane, count: usize) -> Vec<String> {
    let mut consumer = open(bench, lane, 5).await.unwrap();
    let mut seen: Vec<String> = Vec::new();
    while seen.len() < count {
        match consumer.next().await {
            Ok(delivery) => {
                let text = String::from_utf8_lossy(&delivery.payload).into_owned();
                if !seen.contains(&text) {
                    seen.push(text);
                }
                if let Err(AckError::Fenced(name)) = delivery.acker.ack().await {
                    panic!("{name} is gone, and nobody took it over");
                }
            }
            Err(ConsumeError::Interrupted(_)) => consumer = open(bench, lane, 5).await.unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    seen
}

#[tokio::test]
async fn a_server_that_restarts_is_waited_for_by_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let options = LocalServerOptions {
        store: Some(folder.path().to_owned()),
        ..LocalServerOptions::default()
    };
    let server = LocalServer::start(options.clone()).await.unwrap();
    let port = server.url().rsplit(':').next().unwrap().parse().unwrap();
    let bench = Bench::on(server, BusConfig::default()).await;
    let publishing = tokio::spawn({
        let bus = bench.bus.clone();
        async move {
            for n in 0..200 {
                bus.publish(&writes("acme", Lane::Live), &message(&n.to_string()))
                    .await
                    .unwrap();
            }
        }
    });
    let restarting = async {
        let subject = writes("acme", Lane::Live);
        while bench
            .bus
            .counts(&Filter::exact(&subject))
            .await
            .unwrap()
            .is_empty()
        {
            tokio::task::yield_now().await;
        }
        bench.server.lock().await.take().unwrap().stop().await;
        let again = LocalServer::start(LocalServerOptions {
            port: Some(port),
            ..options
        })
        .await
        .unwrap();
        *bench.server.lock().await = Some(again);
    };
    let reading = tokio::time::timeout(Duration::from_secs(60), read_through(&bench, Lane::Live, 200));
    let ((), seen) = tokio::join!(restarting, reading);
    let expected: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    assert_eq!(seen.expect("all arrive before the deadline"), expected);
    publishing.await.unwrap();
}
