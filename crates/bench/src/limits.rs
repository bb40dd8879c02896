//! An import at HubSpot's real limits: how near it comes to what the limits allow, what it does to live changes, what a second
//! client of the same key does to it, and how many calls each kind of work takes. The sandbox's own counts are the witness.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_model::ask::ImportStatus;
use serde::{Deserialize, Serialize};

use crate::binary::repository;
use crate::installation::{Events, Installation, SandboxLimits};
use crate::latency::org::Org;
use crate::latency::{at, wait_for_stream};

mod ear;
mod rival;
mod told;
mod witness;

use ear::Ear;
use rival::Rival;
use witness::{Counts, Span, Witness};

/// HubSpot's burst limit: calls in any window.
const WINDOW_CALLS: u64 = 190;
/// And its length.
const WINDOW: Duration = Duration::from_secs(10);
/// Inputs of one batch upsert, and of one batch of associations.
const UPSERT_INPUTS: u64 = 100;
const LINK_INPUTS: u64 = 2_000;
/// Without an end for so long the run is given up.
const PATIENCE: Duration = Duration::from_secs(1_800);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const SYNC: &str = "vehicles";
/// Lookups of a vehicle.
const LINKS_EACH: u64 = 2;

/// What is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Records that the org holds; the import reads the vehicles among them.
    pub(crate) records: u64,
    /// Live edits of a round.
    pub(crate) edits: usize,
    /// Time between two of them.
    pub(crate) pace: Duration,
}

/// Calls to HubSpot for a thousand records, and the fewest that the batch sizes allow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Thrift {
    /// What was done.
    pub(crate) work: &'static str,
    /// Calls for a thousand records.
    pub(crate) calls: f64,
    /// The arithmetic minimum.
    pub(crate) fewest: f64,
}

/// Everything of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Limits {
    /// Records of the import.
    pub(crate) records: u64,
    /// The time that the limits allow for the import's records, divided by the time it took.
    pub(crate) of_the_ceiling: f64,
    /// Of all calls of the import, those that HubSpot refused.
    pub(crate) refused: f64,
    /// The 99th percentile of a live change from its commit to its acknowledgement while an import writes, divided by that of
    /// an idle portal.
    pub(crate) live_p99: f64,
    /// The same of the median.
    pub(crate) live_median: f64,
    /// The import's pace beside a second client that takes half the limit, divided by its pace alone.
    pub(crate) beside_a_rival: f64,
    /// Of the import's calls beside that client, those that were refused.
    pub(crate) refused_beside_a_rival: f64,
    /// Calls by kind of work.
    pub(crate) thrift: Vec<Thrift>,
}

/// Measures, in a new installation.
pub(crate) async fn run(binary: &Path, folder: &Path, plan: Plan) -> anyhow::Result<Limits> {
    let mut installation =
        Installation::start_limited(binary, folder, plan.records, SandboxLimits::Real).await?;
    let syncs = repository().join("deploy/examples/demo");
    installation.add_tenant(&syncs, Events::Heard).await?;
    let bench = Bench {
        org: Org::open(installation.salesforce()).await?,
        witness: Witness::open(installation.hubspot())?,
        ear: Ear::open(installation.bus_url()).await?,
        plan,
    };
    bench.import(&mut installation, "depots", &[]).await?;
    let clean = bench.import(&mut installation, SYNC, &[]).await?;
    let again = bench.import(&mut installation, SYNC, &[]).await?;
    installation.run(&["sync", "activate", SYNC]).await?;
    wait_for_stream(&mut installation, true).await?;
    let before = bench.witness.counts().await?;
    let mut idle = bench.edits("idle").await?;
    let trickle = bench.witness.counts().await?.since(&before);
    let before = bench.witness.counts().await?;
    bench.ear.forget_links();
    let moved = bench.org.move_vehicles(plan.edits).await?;
    bench.ear.links(moved).await?;
    let links = bench.witness.counts().await?.since(&before);

    let overwrite = ["--overwrite"];
    let busy = bench.import(&mut installation, SYNC, &overwrite);
    let (busy, loaded) = tokio::join!(busy, bench.edits_once_it_writes("busy"));
    let (busy, mut loaded) = (busy?, loaded?);
    anyhow::ensure!(
        busy.span.lasted() > plan.pace * 4,
        "the import was over before the edits were"
    );
    let rival = Rival::start(installation.hubspot(), WINDOW_CALLS / 2, WINDOW)?;
    let beside = bench.import(&mut installation, SYNC, &overwrite).await?;
    let rival = rival.stop().await;
    installation.stop().await;

    let thousand = |calls: u64, records: u64| calls as f64 * 1_000.0 / records.max(1) as f64;
    let import_fewest = 1_000.0 / UPSERT_INPUTS as f64 + LINKS_EACH as f64 * 1_000.0 / LINK_INPUTS as f64;
    let own = |counts: &Counts| counts.calls.saturating_sub(rival.calls);
    let own_refused = |counts: &Counts| counts.refused.saturating_sub(rival.refused);
    Ok(Limits {
        records: clean.records,
        of_the_ceiling: shortest(clean.records.div_ceil(UPSERT_INPUTS)).as_secs_f64()
            / clean.span.lasted().as_secs_f64(),
        refused: clean.counts.refused as f64 / clean.counts.calls.max(1) as f64,
        live_p99: at(&mut loaded, 99) as f64 / at(&mut idle, 99).max(1) as f64,
        live_median: at(&mut loaded, 50) as f64 / at(&mut idle, 50).max(1) as f64,
        beside_a_rival: beside.pace() / clean.pace(),
        refused_beside_a_rival: own_refused(&beside.counts) as f64 / own(&beside.counts).max(1) as f64,
        thrift: vec![
            Thrift {
                work: "import, two links each",
                calls: thousand(clean.counts.calls, clean.records),
                fewest: import_fewest,
            },
            Thrift {
                work: "import again, nothing changed",
                calls: thousand(again.counts.calls, again.records),
                fewest: 0.0,
            },
            Thrift {
                work: "live edits, one by one",
                calls: thousand(trickle.calls, plan.edits as u64),
                fewest: 1_000.0,
            },
            Thrift {
                work: "records that get another parent, together",
                calls: thousand(links.calls, moved),
                fewest: 1_000.0 / UPSERT_INPUTS as f64 + 2.0 * 1_000.0 / LINK_INPUTS as f64,
            },
        ],
    })
}

/// The shortest time in which a sliding window lets so many calls through.
fn shortest(calls: u64) -> Duration {
    WINDOW * u32::try_from(calls.saturating_sub(1) / WINDOW_CALLS).unwrap_or(u32::MAX)
}

struct Bench {
    org: Org,
    witness: Witness,
    ear: Ear,
    plan: Plan,
}

/// An import as the portal saw it.
struct Imported {
    records: u64,
    counts: Counts,
    /// From the first batch upsert to the last.
    span: Span,
}

impl Imported {
    /// Batch upserts a second.
    fn pace(&self) -> f64 {
        self.span.upserts as f64 / self.span.lasted().as_secs_f64().max(0.001)
    }
}

/// What `status --output json` says of a tenant, as far as it matters here.
#[derive(Debug, Deserialize)]
struct TenantStatus {
    backlog: Vec<LaneDepth>,
}

#[derive(Debug, Deserialize)]
struct LaneDepth {
    messages: u64,
}

impl Bench {
    /// Imports a sync and waits until nothing of it is on its way.
    async fn import(
        &self,
        installation: &mut Installation,
        sync: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Imported> {
        let before = self.witness.counts().await?;
        let watch = self.witness.watch();
        installation
            .run(&[&["import", "start", sync], arguments].concat())
            .await?;
        let began = Instant::now();
        let records = loop {
            installation.all_run()?;
            let imports: Vec<ImportStatus> = installation.ask(&["import", "list"]).await?;
            let newest = imports.last().context("no import is known")?;
            if newest.ended_ms.is_some() && quiet(installation).await? {
                break newest.extracted;
            }
            anyhow::ensure!(began.elapsed() < PATIENCE, "the import does not end: {newest:?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        let span = watch.stop().await?;
        let counts = self.witness.counts().await?.since(&before);
        Ok(Imported {
            records,
            counts,
            span,
        })
    }

    async fn edits_once_it_writes(&self, name: &str) -> anyhow::Result<Vec<Duration>> {
        self.witness.first_upsert().await?;
        self.edits(name).await
    }

    /// Edits vehicles one by one, and gives how long each took from its commit to its outcome.
    async fn edits(&self, name: &str) -> anyhow::Result<Vec<Duration>> {
        let ids = self.org.vehicles(self.plan.edits).await?;
        let mut took = Vec::new();
        let mut committed = Vec::new();
        for (number, id) in ids.iter().enumerate() {
            let since = self.ear.now();
            self.org.rename(id, &format!("{name} {number}")).await?;
            committed.push((id, since, Instant::now()));
            tokio::time::sleep(self.plan.pace).await;
        }
        for (id, since, at) in committed {
            let arrived = tokio::time::timeout(PATIENCE, self.ear.record(id, since)).await;
            let arrived = arrived.with_context(|| format!("the edit of {id} has no outcome"))?;
            took.push(arrived.saturating_duration_since(at));
        }
        Ok(took)
    }
}

async fn quiet(installation: &Installation) -> anyhow::Result<bool> {
    let tenants: Vec<TenantStatus> = installation.ask(&["status"]).await?;
    let tenant = tenants.first().context("the tenant is gone")?;
    Ok(tenant.backlog.iter().all(|lane| lane.messages == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lets_its_calls_through_at_once() {
        for (calls, seconds) in [
            (0, 0),
            (1, 0),
            (190, 0),
            (191, 10),
            (380, 10),
            (381, 20),
            (1_000, 50),
        ] {
            assert_eq!(shortest(calls), Duration::from_secs(seconds), "{calls}");
        }
    }
}
