//! The yardstick: the same payload through three lanes of the same server, with nothing done to it on the way.
//!
//! One publisher, two workers that take a message, publish it into the next lane and acknowledge it, and one reader
//! that acknowledges: what the bus alone costs for a record's road from extractor to loader. Publishing and
//! acknowledging wait for the server's word, as in the pipeline.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use landbridge_bus::{
    Bus, BusConfig, ConsumeSettings, Epoch, LaneConsumer, LanePublisher, LinkPart, LocalServer,
    LocalServerOptions, Message, Queue, Subject,
};
use landbridge_model::{Lane, Shard, TenantId};

use crate::payload::{self, BATCH_ROWS};
use crate::server::process_id;
use crate::usage::Usage;

/// Lanes that a message passes.
const HOPS: u64 = 3;
/// A relay is over quickly; the middle one of so many is taken.
const ROUNDS: usize = 5;
/// Different payloads in use: enough to be no repetition, few enough to be held.
const PAYLOADS: u64 = 64;

/// What the relay came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Relay {
    /// Records a second, of the middle round.
    pub(crate) records_per_second: f64,
    /// Processor time of all taking part, the server included, for a record.
    pub(crate) cpu_seconds_per_record: f64,
    /// Messages stored for a record.
    pub(crate) messages_per_record: f64,
    /// Bytes of payload stored for a record.
    pub(crate) bytes_per_record: f64,
}

/// Carries at least so many records over three lanes, several times, each time on a server with an empty store.
pub(crate) async fn run(records: u64) -> anyhow::Result<Relay> {
    let messages = records.div_ceil(BATCH_ROWS).max(1);
    let payloads = payload::batches(PAYLOADS.min(messages));
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push(round(messages, &payloads).await?);
    }
    let records = (messages * BATCH_ROWS) as f64;
    let cpu_seconds: f64 = rounds.iter().map(|round| round.cpu_seconds).sum();
    let bytes: usize = payloads.iter().map(Bytes::len).sum();
    Ok(Relay {
        records_per_second: records / middle(&rounds).as_secs_f64(),
        cpu_seconds_per_record: cpu_seconds / (records * ROUNDS as f64),
        messages_per_record: HOPS as f64 / BATCH_ROWS as f64,
        bytes_per_record: (HOPS as usize * bytes) as f64 / (payloads.len() as u64 * BATCH_ROWS) as f64,
    })
}

struct Round {
    took: Duration,
    cpu_seconds: f64,
}

fn middle(rounds: &[Round]) -> Duration {
    let mut times: Vec<Duration> = rounds.iter().map(|round| round.took).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Everyone has a connection of its own, as processes would.
async fn round(messages: u64, payloads: &[Bytes]) -> anyhow::Result<Round> {
    let server = LocalServer::start(LocalServerOptions::default()).await?;
    let road = Road::new()?;
    let source = LanePublisher::new(&open(&server).await?, road.first.clone());
    let (one, other) = (open(&server).await?, open(&server).await?);
    let first = (
        road.reader(&one, Queue::Changes).await?,
        LanePublisher::new(&one, road.second.clone()),
    );
    let second = (
        road.reader(&other, Queue::Links).await?,
        LanePublisher::new(&other, road.third.clone()),
    );
    let sink = road.reader(&open(&server).await?, Queue::Writes).await?;

    let pid = process_id(&server)?;
    let cpu_before = cpu_seconds(pid)?;
    let started = Instant::now();
    let feeding = tokio::spawn(feed(source, payloads.to_vec(), messages));
    let relaying = [
        tokio::spawn(relay(first, messages)),
        tokio::spawn(relay(second, messages)),
    ];
    drain(sink, messages).await?;
    let took = started.elapsed();
    feeding.await??;
    for worker in relaying {
        worker.await??;
    }
    let cpu_seconds = cpu_seconds(pid)? - cpu_before;
    server.stop().await;
    Ok(Round { took, cpu_seconds })
}

/// Of this process, which feeds, relays and drains, and of the server.
fn cpu_seconds(server: u32) -> anyhow::Result<f64> {
    Ok(Usage::of(std::process::id())?.cpu_seconds + Usage::of(server)?.cpu_seconds)
}

async fn open(server: &LocalServer) -> anyhow::Result<Bus> {
    let bus = Bus::open(&BusConfig::default(), server.url(), "landbridge-bench").await;
    bus.context("the relay's server cannot be used")
}

/// The three lanes, those of one tenant.
struct Road {
    shard: Shard,
    first: Subject,
    second: Subject,
    third: Subject,
}

impl Road {
    fn new() -> anyhow::Result<Self> {
        let tenant = TenantId::new("bench")?;
        let shard = Shard::of(&tenant, BusConfig::default().shards);
        let lane = Lane::Bulk;
        Ok(Self {
            shard,
            first: Subject::Changes {
                shard,
                tenant: tenant.clone(),
                lane,
            },
            second: Subject::Links {
                shard,
                tenant: tenant.clone(),
                lane,
                part: LinkPart::Intents,
            },
            third: Subject::Writes { shard, tenant, lane },
        })
    }

    async fn reader(&self, bus: &Bus, queue: Queue) -> anyhow::Result<LaneConsumer> {
        let settings = ConsumeSettings::default();
        Ok(LaneConsumer::open(bus, queue, self.shard, Lane::Bulk, Epoch(1), settings).await?)
    }
}

async fn feed(mut lane: LanePublisher, payloads: Vec<Bytes>, messages: u64) -> anyhow::Result<()> {
    for (number, payload) in (0..messages).zip(payloads.iter().cycle()) {
        lane.publish(&Message::new(&number.to_string(), payload.clone()))
            .await?;
    }
    Ok(())
}

async fn relay((mut from, mut to): (LaneConsumer, LanePublisher), messages: u64) -> anyhow::Result<()> {
    for _ in 0..messages {
        let delivery = from.next().await?;
        to.publish(&Message::new(
            &delivery.sequence.to_string(),
            delivery.payload.clone(),
        ))
        .await?;
        delivery.acker.ack().await?;
    }
    Ok(())
}

async fn drain(mut from: LaneConsumer, messages: u64) -> anyhow::Result<()> {
    for _ in 0..messages {
        from.next().await?.acker.ack().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_round_counts() {
        let round = |seconds| Round {
            took: Duration::from_secs(seconds),
            cpu_seconds: 0.0,
        };
        assert_eq!(middle(&[round(9), round(1), round(3)]), Duration::from_secs(3));
    }

    #[tokio::test]
    async fn every_message_passes_three_lanes() {
        let relay = run(1_000).await.unwrap();
        assert!(relay.records_per_second > 0.0);
        assert_eq!(relay.messages_per_record, 0.015);
        assert!(relay.bytes_per_record > 300.0, "{relay:?}");
    }
}
