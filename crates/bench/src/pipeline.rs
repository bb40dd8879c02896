//! One import through the whole pipeline, measured.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_model::ask::ImportStatus;
use landbridge_model::{LinkOutcome, Outcome};
use serde::Deserialize;

use crate::binary::repository;
use crate::installation::{Events, Installation};
use crate::traffic::Traffic;
use crate::usage::Usage;

/// Pause between two looks at the imports. Figures do not depend on it: control notes when things happened.
const PAUSE: Duration = Duration::from_secs(1);
/// Without any progress for so long the run is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Objects {
    /// Service visits, vehicles and depots, in this order: children before the parents that they link to.
    #[default]
    All,
    /// Vehicles alone.
    Vehicles,
}

impl Objects {
    fn syncs(self) -> &'static [&'static str] {
        match self {
            Self::All => &["service-visits", "vehicles", "depots"],
            Self::Vehicles => &["vehicles"],
        }
    }

    /// The word in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Vehicles => "vehicles",
        }
    }
}

/// What an import came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Distinct records with an outcome.
    pub(crate) records: u64,
    /// Distinct records by outcome.
    pub(crate) outcomes: Vec<(Outcome, u64)>,
    /// Distinct links by outcome.
    pub(crate) links: Vec<(LinkOutcome, u64)>,
    /// From the start to the last outcome of a record.
    pub(crate) records_took: Duration,
    /// From the start to the last outcome of a record or a link.
    pub(crate) took: Duration,
    /// What every process used for it: processor time of the import alone, memory at its end and at its height.
    pub(crate) processes: Vec<(&'static str, Usage)>,
    /// What went over the bus for it.
    pub(crate) traffic: Traffic,
    /// What did not end as it should afterwards.
    pub(crate) complaints: Vec<String>,
}

/// Imports an org of so many records, in a new installation. State and logs are in `folder`.
pub(crate) async fn run(
    binary: &Path,
    folder: &Path,
    records: u64,
    objects: Objects,
) -> anyhow::Result<Measured> {
    let mut installation = Installation::start(binary, folder, records).await?;
    installation
        .add_tenant(&repository().join("deploy/examples/demo"), Events::Off)
        .await?;
    let (usage, traffic) = (installation.usage()?, installation.traffic().await?);
    installation
        .run(&[&["import", "start"], objects.syncs()].concat())
        .await?;
    let (imports, status) = watch(&mut installation, objects.syncs().len()).await?;
    let processes = spent(&usage, installation.usage()?);
    let traffic = installation.traffic().await?.since(&traffic);
    let complaints = installation.stop().await;
    let (records_took, took) =
        spans(&imports, &status).context("control does not say when the import ended")?;
    let measured = Measured {
        records: settled(&imports),
        outcomes: sum(imports.iter().map(|import| import.outcomes.as_slice())),
        links: sum(imports.iter().map(|import| import.links.as_slice())),
        records_took,
        took,
        processes,
        traffic,
        complaints,
    };
    anyhow::ensure!(measured.records > 0, "nothing was imported");
    Ok(measured)
}

/// What `status --output json` says of a tenant, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
struct TenantStatus {
    syncs: Vec<SyncLine>,
    backlog: Vec<LaneDepth>,
    rereads: u64,
}

#[derive(Debug, Deserialize)]
struct SyncLine {
    last_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct LaneDepth {
    messages: u64,
}

impl TenantStatus {
    fn is_quiet(&self) -> bool {
        self.rereads == 0 && self.backlog.iter().all(|lane| lane.messages == 0)
    }

    fn last_ms(&self) -> Option<i64> {
        self.syncs.iter().filter_map(|sync| sync.last_ms).max()
    }
}

/// Waits until the imports have ended and nothing is on its way any more.
async fn watch(
    installation: &mut Installation,
    expected: usize,
) -> anyhow::Result<(Vec<ImportStatus>, TenantStatus)> {
    let mut progress = Progress::new();
    let mut last = None;
    loop {
        installation.all_run()?;
        let imports: Vec<ImportStatus> = installation.ask(&["import", "list"]).await?;
        for import in &imports {
            anyhow::ensure!(
                import.unaccounted == 0,
                "a record is not accounted for: {import:?}"
            );
        }
        let ended = imports.len() == expected && imports.iter().all(|import| import.ended_ms.is_some());
        let mut status = TenantStatus::default();
        if ended {
            let tenants: Vec<TenantStatus> = installation.ask(&["status"]).await?;
            status = tenants.into_iter().next().context("the tenant is gone")?;
        }
        let stand = (settled(&imports), linked(&imports), status.last_ms());
        // Twice the same and quiet: what the resolver or the loader still had in hand has shown by now.
        if ended && status.is_quiet() && last == Some(stand) {
            return Ok((imports, status));
        }
        last = Some(stand);
        progress
            .note(stand)
            .with_context(|| format!("the imports stand still: {imports:?} {status:?}"))?;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Notices when nothing moves any more.
struct Progress<T> {
    last: Option<T>,
    since: Instant,
}

impl<T: PartialEq> Progress<T> {
    fn new() -> Self {
        Self {
            last: None,
            since: Instant::now(),
        }
    }

    fn note(&mut self, now: T) -> anyhow::Result<()> {
        let now = Some(now);
        if self.last != now {
            (self.last, self.since) = (now, Instant::now());
        }
        anyhow::ensure!(
            self.since.elapsed() < PATIENCE,
            "no progress for {} s",
            PATIENCE.as_secs()
        );
        Ok(())
    }
}

/// Distinct records that have an outcome.
fn settled(imports: &[ImportStatus]) -> u64 {
    imports
        .iter()
        .flat_map(|import| &import.outcomes)
        .map(|(_, count)| count)
        .sum()
}

fn linked(imports: &[ImportStatus]) -> u64 {
    imports
        .iter()
        .flat_map(|import| &import.links)
        .map(|(_, count)| count)
        .sum()
}

/// From the first start to the last outcome of a record, and of anything.
fn spans(imports: &[ImportStatus], status: &TenantStatus) -> Option<(Duration, Duration)> {
    let started = imports.iter().map(|import| import.started_ms).min()?;
    let ended = imports.iter().filter_map(|import| import.ended_ms).max()?;
    let last = status.last_ms()?.max(ended);
    let span = |until: i64| u64::try_from(until - started).ok().map(Duration::from_millis);
    Some((span(ended)?, span(last)?))
}

/// Counts by outcome, those that there are.
fn sum<'a, T: Copy + PartialEq + 'a>(imports: impl Iterator<Item = &'a [(T, u64)]>) -> Vec<(T, u64)> {
    let mut sums: Vec<(T, u64)> = Vec::new();
    for (outcome, count) in imports.flatten().filter(|(_, count)| *count > 0) {
        match sums.iter_mut().find(|(known, _)| known == outcome) {
            Some((_, sum)) => *sum += count,
            None => sums.push((*outcome, *count)),
        }
    }
    sums
}

/// Processor time between two moments, memory at the second.
fn spent(before: &[(&'static str, Usage)], after: Vec<(&'static str, Usage)>) -> Vec<(&'static str, Usage)> {
    let earlier = |name| {
        before
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(0.0, |(_, usage)| usage.cpu_seconds)
    };
    let less = |(name, usage): (&'static str, Usage)| {
        (
            name,
            Usage {
                cpu_seconds: usage.cpu_seconds - earlier(name),
                ..usage
            },
        )
    };
    after.into_iter().map(less).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::{ImportId, Revision, SyncName};

    fn import(started_ms: i64, ended_ms: Option<i64>, created: u64) -> ImportStatus {
        ImportStatus {
            id: ImportId::new("imp-1").unwrap(),
            sync: SyncName::new("vehicles").unwrap(),
            revision: Revision(1),
            state: "Completed".to_owned(),
            salesforce_total: None,
            extracted: created,
            outcomes: vec![(Outcome::Created, created), (Outcome::Failed, 0)],
            in_flight: 0,
            links: vec![(LinkOutcome::Linked, 2)],
            rate: 0.0,
            remaining_seconds: None,
            started_by: "ann".to_owned(),
            started_ms,
            ended_ms,
            unaccounted: 0,
            reason: None,
            waits_for: Vec::new(),
            keeps_before: false,
            undo: None,
        }
    }

    #[test]
    fn the_span_goes_from_the_first_start_to_the_last_outcome() {
        let imports = [import(1_000, Some(4_000), 5), import(1_500, Some(3_000), 6)];
        let status: TenantStatus = serde_json::from_str(
            r#"{"syncs":[{"last_ms":4500},{"last_ms":null}],"backlog":[{"messages":0}],"rereads":0,"parked":9}"#,
        )
        .unwrap();
        assert!(status.is_quiet());
        let expected = (Duration::from_millis(3_000), Duration::from_millis(3_500));
        assert_eq!(spans(&imports, &status), Some(expected));
        assert_eq!((settled(&imports), linked(&imports)), (11, 4));
        assert_eq!(
            sum(imports.iter().map(|import| import.outcomes.as_slice())),
            [(Outcome::Created, 11)]
        );
    }

    #[test]
    fn a_lane_with_a_message_is_not_quiet() {
        let status = TenantStatus {
            backlog: vec![LaneDepth { messages: 1 }],
            ..TenantStatus::default()
        };
        assert!(!status.is_quiet());
    }

    #[test]
    fn processor_time_is_of_the_import_alone() {
        let usage = |cpu_seconds, resident_bytes| Usage {
            cpu_seconds,
            resident_bytes,
            peak_bytes: 9,
        };
        let spent = spent(&[("mapper", usage(1.5, 1))], vec![("mapper", usage(4.0, 2))]);
        assert_eq!(spent, [("mapper", usage(2.5, 2))]);
    }
}
