//! Links whose parents do not come: what it takes to keep them, and how soon one is released when its parent comes.
//!
//! The resolver and its nats-server run as an operator would start them, beside control and a sandbox for the definitions.
//! This program stands where mapper and loader would: it publishes the wishes and the announcements, answers that a parent
//! is not in HubSpot, and takes the links that are ordered. Each link has a parent of its own, which costs most.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_bus::{Bus, BusConfig, Filter, LanePublisher, LinkPart, Message, StreamName, Subject};
use landbridge_model::{Lane, Shard, TenantId};
use landbridge_wire::{LinkMessage, Wire as _};
use serde::Serialize;

use crate::binary::repository;
use crate::installation::{Events, Installation, TENANT};
use crate::latency::at;
use crate::usage::Usage;

mod loader;
mod records;
mod told;

use loader::StandIn;
use records::Records;

/// Without progress for so long the run is given up.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A resolver that uses no more of a processor than this is done.
const IDLE: f64 = 0.05;
/// Links in a message of wishes: the extractor's batch.
const INTENTS: u64 = 200;
/// Records in a message of announcements: HubSpot's batch.
const IDENTITIES: u64 = 100;
/// How long the loader gathers what it writes together, by default.
const LINGER: Duration = Duration::from_millis(50);
/// The org is there for its schema only.
const ORG_RECORDS: u64 = 100;

/// Resident bytes of the two that keep parked links.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Resident {
    resolver: u64,
    server: u64,
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Parked {
    links: u64,
    /// Before anything was known.
    before: Resident,
    /// With the children announced, as each record is that was written.
    children: Resident,
    /// With all links parked, and all parents asked for in vain.
    parked: Resident,
    /// The most there was until then.
    peak: Resident,
    /// Bytes that each parked link added.
    resolver_bytes_per_link: f64,
    server_bytes_per_link: f64,
    /// Links whose parents came then.
    released: u64,
    linger_ms: u64,
    /// From a parent's announcement to its link's order, as multiples of the linger.
    release_median: f64,
    release_p99: f64,
    release_longest: f64,
}

/// Parks so many links in a new installation, then lets the parents of some of them come.
pub(crate) async fn run(binary: &Path, folder: &Path, links: u64, released: u64) -> anyhow::Result<Parked> {
    anyhow::ensure!(
        (1..=links).contains(&released),
        "of {links} links, {released} cannot be released"
    );
    let stages = ["control", "loader", "extractor", "resolver"];
    let mut installation = Installation::start_with(binary, folder, ORG_RECORDS, &stages).await?;
    let syncs = repository().join("deploy/examples/demo");
    installation.add_tenant(&syncs, Events::Off).await?;
    for sync in [records::CHILDREN.0, records::PARENTS.0] {
        installation.run(&["sync", "activate", sync]).await?;
    }
    // They were needed for the definitions.
    for stage in ["extractor", "loader"] {
        installation.stop_stage(stage).await?;
    }
    let mut bench = Bench::open(&installation).await?;
    bench.settle(&mut installation).await?;
    let before = resident(&installation)?.0;

    bench.announce_children(links).await?;
    bench.settle(&mut installation).await?;
    let children = resident(&installation)?.0;
    bench.wish(links).await?;
    bench.wait_for_answers(&mut installation, links).await?;
    bench.settle(&mut installation).await?;
    let (parked, peak) = resident(&installation)?;
    bench.check_parked(links).await?;

    let mut took = bench.release(&mut installation, links, released).await?;
    bench.settle(&mut installation).await?;
    bench.check_parked(links - released).await?;
    bench.stand_in.check_orders(released)?;
    installation.stop().await;
    let times = |ms: u64| ms as f64 / LINGER.as_millis() as f64;
    let each = |before: u64, after: u64| (after as f64 - before as f64) / links as f64;
    Ok(Parked {
        links,
        before,
        children,
        parked,
        peak,
        resolver_bytes_per_link: each(children.resolver, parked.resolver),
        server_bytes_per_link: each(children.server, parked.server),
        released,
        linger_ms: LINGER.as_millis() as u64,
        release_median: times(at(&mut took, 50)),
        release_p99: times(at(&mut took, 99)),
        release_longest: times(at(&mut took, 100)),
    })
}

/// Now, and at most until now.
fn resident(installation: &Installation) -> anyhow::Result<(Resident, Resident)> {
    let (resolver, server) = (
        usage(installation, "resolver")?,
        usage(installation, "nats-server")?,
    );
    let now = Resident {
        resolver: resolver.resident_bytes,
        server: server.resident_bytes,
    };
    let most = Resident {
        resolver: resolver.peak_bytes,
        server: server.peak_bytes,
    };
    Ok((now, most))
}

fn usage(installation: &Installation, name: &str) -> anyhow::Result<Usage> {
    let usage = installation.usage()?;
    let found = usage.into_iter().find(|(known, _)| *known == name);
    Ok(found.with_context(|| format!("no {name} runs"))?.1)
}

struct Bench {
    bus: Bus,
    shard: Shard,
    tenant: TenantId,
    records: Records,
    stand_in: StandIn,
    intents: LanePublisher,
    identities: LanePublisher,
    /// Makes the id of each message another one.
    sent: u64,
}

impl Bench {
    async fn open(installation: &Installation) -> anyhow::Result<Self> {
        let config = BusConfig::default();
        let tenant = TenantId::new(TENANT)?;
        let shard = Shard::of(&tenant, config.shards);
        let bus = Bus::open(&config, installation.bus_url(), "landbridge-bench").await;
        let bus = bus.context("the bus cannot be used")?;
        let lane = |part| {
            let subject = Subject::Links {
                shard,
                tenant: tenant.clone(),
                lane: Lane::Bulk,
                part,
            };
            LanePublisher::new(&bus, subject)
        };
        let (intents, identities) = (lane(LinkPart::Intents), lane(LinkPart::Identities));
        let records = Records::of(installation.hubspot(), tenant.clone()).await?;
        let stand_in = StandIn::open(&bus, shard, records.clone()).await?;
        Ok(Self {
            bus,
            shard,
            tenant,
            records,
            stand_in,
            intents,
            identities,
            sent: 0,
        })
    }

    fn message(&mut self, message: &LinkMessage) -> Message {
        self.sent += 1;
        Message::new(&self.sent.to_string(), message.encode())
    }

    async fn announce_children(&mut self, links: u64) -> anyhow::Result<()> {
        for first in (0..links).step_by(IDENTITIES as usize) {
            let numbers = first..links.min(first + IDENTITIES);
            let message = self.message(&self.records.children(numbers));
            self.identities.publish(&message).await?;
        }
        Ok(())
    }

    async fn wish(&mut self, links: u64) -> anyhow::Result<()> {
        for first in (0..links).step_by(INTENTS as usize) {
            let numbers = first..links.min(first + INTENTS);
            let message = self.message(&self.records.intents(numbers));
            self.intents.publish(&message).await?;
        }
        Ok(())
    }

    /// Waits until the loader was asked for every parent.
    async fn wait_for_answers(&self, installation: &mut Installation, links: u64) -> anyhow::Result<()> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            installation.all_run()?;
            let asked = self.stand_in.asked()?;
            if asked == links {
                return Ok(());
            }
            if asked != last {
                (last, since) = (asked, Instant::now());
            }
            anyhow::ensure!(
                since.elapsed() < PATIENCE,
                "{asked} of {links} parents were asked for"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until the resolver has taken all that there is, and rests.
    async fn settle(&self, installation: &mut Installation) -> anyhow::Result<()> {
        let filter = Filter::tenant(StreamName::Links, self.shard, &self.tenant);
        let deadline = Instant::now() + PATIENCE;
        let mut before = usage(installation, "resolver")?.cpu_seconds;
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            installation.all_run()?;
            self.stand_in.asked()?;
            let now = usage(installation, "resolver")?.cpu_seconds;
            let waiting: u64 = self
                .bus
                .counts(&filter)
                .await?
                .iter()
                .map(|(_, count)| count)
                .sum();
            if waiting == 0 && now - before <= IDLE * LOOK_AGAIN.as_secs_f64() {
                return Ok(());
            }
            before = now;
            anyhow::ensure!(
                Instant::now() < deadline,
                "the resolver does not come to rest; {waiting} messages wait for it"
            );
        }
    }

    /// The resolver's durable memory holds so many links. Counting them costs the server memory: after the figures.
    async fn check_parked(&self, expected: u64) -> anyhow::Result<()> {
        let filter = Filter::tenant(StreamName::Parked, self.shard, &self.tenant);
        let counts = self.bus.counts(&filter).await?;
        let parked: u64 = counts.iter().map(|(_, count)| count).sum();
        anyhow::ensure!(
            parked == expected && counts.len() as u64 == expected,
            "{parked} links are parked where {expected} should be"
        );
        Ok(())
    }

    /// Lets some parents come, one message after the other, and gives how long each link took to be ordered.
    async fn release(
        &mut self,
        installation: &mut Installation,
        links: u64,
        released: u64,
    ) -> anyhow::Result<Vec<Duration>> {
        let coming: Vec<u64> = (0..released).map(|number| number * (links / released)).collect();
        let mut took = Vec::with_capacity(coming.len());
        for numbers in coming.chunks(IDENTITIES as usize) {
            installation.all_run()?;
            let message = self.message(&self.records.parents(numbers));
            let announced = Instant::now();
            self.identities.publish(&message).await?;
            for &number in numbers {
                let ordered = tokio::time::timeout(PATIENCE, self.stand_in.ordered(number)).await;
                let ordered = ordered.with_context(|| format!("link {number} was not released"))??;
                took.push(ordered.saturating_duration_since(announced));
            }
        }
        Ok(took)
    }
}
