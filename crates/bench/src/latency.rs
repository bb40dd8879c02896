//! How long a change is on its way, from its commit in the org to its place on the bus, and what hearing of it costs.
//!
//! A sandbox, control, the loader (whose key and schemas a definition needs) and the extractor run as processes of their
//! own; this program stands where the mapper would, takes every message and notes when it came. The same edits are made
//! four times: with change events and by the increment alone, while nothing else goes on and while an import of the same
//! object runs. Beside it stand the calls to Salesforce that a thousand changed records took, and those of an hour without
//! a change.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_model::ask::ImportStatus;
use serde::{Deserialize, Serialize};

use crate::binary::repository;
use crate::installation::{Events, Installation};

pub(crate) mod org;
mod told;
mod witness;

use org::Org;
use witness::Witness;

/// Calls that Salesforce does not count.
const UNCOUNTED: [&str; 3] = ["sign-in", "versions", "pubsub"];
/// A change that takes longer than this is lost.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const SYNC: &str = "vehicles";

/// What is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Edits of a round.
    pub(crate) edits: usize,
    /// Time between two of them.
    pub(crate) pace: Duration,
    /// Records that the org holds, and that an import reads.
    pub(crate) records: u64,
    /// How long calls are counted without a change.
    pub(crate) idle: Duration,
}

/// One round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Round {
    /// `change events` or `increment`.
    pub(crate) source: &'static str,
    /// Whether an import of the object ran.
    pub(crate) during_import: bool,
    /// Half the changes took no longer, in milliseconds.
    pub(crate) median_ms: u64,
    /// All but one in a hundred took no longer, in milliseconds.
    pub(crate) p99_ms: u64,
    /// Of a hundred changes, those that came by their source and not by the safety net beside it.
    pub(crate) by_source_percent: u64,
    /// Calls that Salesforce counts, for a thousand changed records; without an import only.
    pub(crate) calls_per_thousand: Option<u64>,
    /// Rows of the import that came while the edits were made.
    pub(crate) import_rows: u64,
}

/// Everything of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    /// Edits of a round.
    pub(crate) edits: usize,
    /// The four of them.
    pub(crate) rounds: Vec<Round>,
    /// Calls of an hour without a change, with change events.
    pub(crate) idle_calls_streaming: u64,
    /// The same by the increment alone.
    pub(crate) idle_calls_polling: u64,
}

/// Measures, in a new installation.
pub(crate) async fn run(binary: &Path, folder: &Path, plan: Plan) -> anyhow::Result<Latency> {
    let stages = ["control", "loader", "extractor"];
    let mut installation = Installation::start_with(binary, folder, plan.records, &stages).await?;
    let syncs = repository().join("deploy/examples/demo");
    installation.add_tenant(&syncs, Events::Heard).await?;
    let witness = Witness::open(installation.bus_url()).await?;
    let org = Org::open(installation.salesforce()).await?;
    installation.run(&["sync", "activate", SYNC]).await?;
    let mut latency = Latency {
        edits: plan.edits,
        rounds: Vec::new(),
        idle_calls_streaming: 0,
        idle_calls_polling: 0,
    };
    for (source, events) in [("change events", Events::Heard), ("increment", Events::Off)] {
        installation.put_tenant(events).await?;
        let is_heard = events == Events::Heard;
        wait_for_stream(&mut installation, is_heard).await?;
        let idle = idle(&installation, plan.idle).await?;
        if is_heard {
            latency.idle_calls_streaming = idle;
        } else {
            latency.idle_calls_polling = idle;
        }
        let run = Run {
            installation: &installation,
            org: &org,
            witness: &witness,
            plan,
        };
        latency.rounds.push(run.round(source, false).await?);
        let import = start_import(&installation).await?;
        witness.import_began().await?;
        latency.rounds.push(run.round(source, true).await?);
        installation.run(&["import", "cancel", &import]).await?;
        installation.all_run()?;
    }
    installation.stop().await;
    Ok(latency)
}

struct Run<'r> {
    installation: &'r Installation,
    org: &'r Org,
    witness: &'r Witness,
    plan: Plan,
}

impl Run<'_> {
    async fn round(&self, source: &'static str, during_import: bool) -> anyhow::Result<Round> {
        let Plan { edits, pace, .. } = self.plan;
        let (calls, rows) = (calls(self.installation).await?, self.witness.import_rows());
        let ids = self.org.vehicles(edits).await?;
        let mut committed = HashMap::new();
        for (number, id) in ids.iter().enumerate() {
            let name = format!("{source} {during_import} {number}");
            self.org.rename(id, &name).await?;
            committed.insert(name, Instant::now());
            tokio::time::sleep(pace).await;
        }
        let import_rows = self.witness.import_rows() - rows;
        let mut took = Vec::with_capacity(edits);
        let mut by_source = 0;
        for (name, committed) in &committed {
            let arrival = tokio::time::timeout(PATIENCE, self.witness.arrival(name)).await;
            let arrival = arrival.with_context(|| format!("the change {name:?} did not come"))??;
            took.push(arrival.at.saturating_duration_since(*committed));
            by_source += usize::from(arrival.by_event == (source == "change events"));
        }
        let spent = calls_since(self.installation, calls).await?;
        Ok(Round {
            source,
            during_import,
            median_ms: at(&mut took, 50),
            p99_ms: at(&mut took, 99),
            by_source_percent: (by_source * 100 / edits.max(1)) as u64,
            calls_per_thousand: (!during_import).then(|| spent * 1_000 / edits.max(1) as u64),
            import_rows,
        })
    }
}

/// So many of a hundred took no longer, in milliseconds.
pub(crate) fn at(took: &mut [Duration], percent: usize) -> u64 {
    took.sort_unstable();
    let place = (took.len() * percent).div_ceil(100).saturating_sub(1);
    took.get(place).map_or(0, |took| took.as_millis() as u64)
}

/// What `status --output json` says of a tenant, as far as it matters here.
#[derive(Debug, Deserialize)]
struct TenantStatus {
    syncs: Vec<SyncLine>,
    salesforce_calls: Vec<CallCount>,
}

#[derive(Debug, Deserialize)]
struct SyncLine {
    name: String,
    live: Option<Live>,
}

#[derive(Debug, Deserialize)]
struct Live {
    stream: Option<Stream>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    state: String,
}

#[derive(Debug, Deserialize)]
struct CallCount {
    family: String,
    calls: u64,
}

async fn status(installation: &Installation) -> anyhow::Result<TenantStatus> {
    let tenants: Vec<TenantStatus> = installation.ask(&["status"]).await?;
    tenants.into_iter().next().context("the tenant is gone")
}

/// Calls that Salesforce counts, until now.
async fn calls(installation: &Installation) -> anyhow::Result<u64> {
    let calls = status(installation).await?.salesforce_calls;
    let counted = calls
        .iter()
        .filter(|call| !UNCOUNTED.contains(&call.family.as_str()));
    Ok(counted.map(|call| call.calls).sum())
}

async fn calls_since(installation: &Installation, before: u64) -> anyhow::Result<u64> {
    Ok(calls(installation).await?.saturating_sub(before))
}

/// Calls of an hour, from those of a shorter time without a change.
async fn idle(installation: &Installation, time: Duration) -> anyhow::Result<u64> {
    let (before, began) = (calls(installation).await?, Instant::now());
    tokio::time::sleep(time).await;
    let spent = calls_since(installation, before).await?;
    Ok((spent as f64 * 3_600.0 / began.elapsed().as_secs_f64()).round() as u64)
}

/// Waits until change events come, or are off, as is wanted.
pub(crate) async fn wait_for_stream(installation: &mut Installation, wanted: bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        installation.all_run()?;
        let status = status(installation).await?;
        let live = status
            .syncs
            .into_iter()
            .find(|sync| sync.name == SYNC)
            .and_then(|sync| sync.live);
        let stands = match live {
            None => false,
            Some(Live { stream: None }) => !wanted,
            Some(Live { stream: Some(stream) }) => wanted && stream.state == "streaming",
        };
        if stands {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "the stream does not come to stand as is wanted"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn start_import(installation: &Installation) -> anyhow::Result<String> {
    installation.run(&["import", "start", SYNC]).await?;
    let imports: Vec<ImportStatus> = installation.ask(&["import", "list"]).await?;
    let running = imports.into_iter().find(|import| import.ended_ms.is_none());
    Ok(running.context("no import runs")?.id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_change_that_was_seen() {
        let ms = |numbers: &[u64]| {
            numbers
                .iter()
                .map(|&ms| Duration::from_millis(ms))
                .collect::<Vec<_>>()
        };
        for (took, median, p99) in [
            (ms(&[]), 0, 0),
            (ms(&[7]), 7, 7),
            (ms(&[3, 1, 2]), 2, 3),
            ((1..=200).map(Duration::from_millis).collect(), 100, 198),
        ] {
            let mut took = took;
            assert_eq!((at(&mut took, 50), at(&mut took, 99)), (median, p99));
        }
    }
}
