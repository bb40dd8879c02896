//! The account of one import.

use landbridge_model::{LinkVerdict, RecordOutcome, SyncName};
use landbridge_wire::{RunPhase, RunProgress, VersionedId};
use serde::{Deserialize, Serialize};

use super::links::{ClosedLinks, LinkAccount};
use super::rate::Rate;
use super::records::{Assessment, RecordAccount};

/// One import: its records, its links, how far the extractor is, how fast it goes.
#[derive(Debug)]
pub struct RunAccount {
    /// Of which sync.
    pub sync: SyncName,
    /// Its records.
    pub records: RecordAccount,
    /// Its links.
    pub links: LinkAccount,
    /// Settled records a second.
    pub rate: Rate,
    /// The extractor's latest word. A final phase stays, whatever a successor repeats.
    pub progress: Option<RunProgress>,
    /// When the last record settled, in milliseconds since 1970.
    pub settled_ms: Option<i64>,
    /// When the last link was reported, in milliseconds since 1970.
    pub linked_ms: Option<i64>,
    /// When everything had arrived: set once, by whoever looked into the lanes.
    pub ended_ms: Option<i64>,
    /// Set when the stream no longer had this import's first reports: its counts are too low.
    pub truncated: bool,
    /// The place of its first report.
    pub(crate) first_sequence: u64,
    closed: bool,
}

/// A closed import, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClosedRun {
    sync: SyncName,
    phase: String,
    salesforce_total: Option<u64>,
    rows: u64,
    reason: Option<String>,
    counts: Assessment,
    links: ClosedLinks,
    settled_ms: Option<i64>,
    ended_ms: Option<i64>,
    #[serde(default)]
    truncated: bool,
}

impl RunAccount {
    pub(crate) fn new(sync: SyncName, first_sequence: u64) -> Self {
        Self {
            sync,
            records: RecordAccount::default(),
            links: LinkAccount::default(),
            rate: Rate::default(),
            progress: None,
            settled_ms: None,
            linked_ms: None,
            ended_ms: None,
            truncated: false,
            first_sequence,
            closed: false,
        }
    }

    pub(crate) fn extracted(&mut self, changes: &[VersionedId]) {
        self.records
            .extracted(changes.iter().map(|change| (change.id, change.version)));
    }

    pub(crate) fn settled(&mut self, at_ms: i64, records: &[RecordOutcome]) {
        let mut news = 0;
        for record in records {
            news += u64::from(self.records.settle(record.id, record.version, record.outcome));
        }
        self.rate.add(at_ms, news);
        self.settled_ms = self.settled_ms.max(Some(at_ms));
    }

    pub(crate) fn linked(&mut self, at_ms: i64, links: &[LinkVerdict]) {
        for link in links {
            self.links.fold(link);
        }
        self.linked_ms = self.linked_ms.max(Some(at_ms));
    }

    pub(crate) fn progressed(&mut self, progress: &RunProgress) {
        if !self.is_final() {
            self.progress = Some(progress.clone());
        }
    }

    /// The extractor's phase.
    pub fn phase(&self) -> RunPhase {
        self.progress
            .as_ref()
            .map_or(RunPhase::Queued, |progress| progress.phase)
    }

    /// Whether the extractor will put nothing more on the bus.
    pub fn is_final(&self) -> bool {
        self.phase().is_final()
    }

    /// Whether its records were let go.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Keeps the counts of an import that has ended, and lets go of its records.
    pub(crate) fn close(&mut self, counts: Assessment) {
        self.records.close(counts);
        self.links.close();
        self.closed = true;
    }

    pub(crate) fn store(&self) -> Option<ClosedRun> {
        if !self.closed {
            return None;
        }
        let progress = self.progress.as_ref();
        Some(ClosedRun {
            sync: self.sync.clone(),
            phase: self.phase().as_str().to_owned(),
            salesforce_total: progress.and_then(|progress| progress.salesforce_total),
            rows: progress.map_or(0, |progress| progress.rows),
            reason: progress.and_then(|progress| progress.reason.clone()),
            counts: self
                .records
                .assess(self.records.mark(), &super::InFlight::default()),
            links: self.links.store(),
            settled_ms: self.settled_ms,
            ended_ms: self.ended_ms,
            truncated: self.truncated,
        })
    }

    pub(crate) fn restore(stored: ClosedRun) -> Self {
        let phase = [RunPhase::Ended, RunPhase::Canceled, RunPhase::Failed]
            .into_iter()
            .find(|phase| phase.as_str() == stored.phase)
            .unwrap_or(RunPhase::Ended);
        Self {
            records: RecordAccount::closed(stored.counts),
            links: LinkAccount::restore(stored.links),
            progress: Some(RunProgress {
                phase,
                salesforce_total: stored.salesforce_total,
                rows: stored.rows,
                reason: stored.reason,
            }),
            settled_ms: stored.settled_ms,
            ended_ms: stored.ended_ms,
            truncated: stored.truncated,
            closed: true,
            ..Self::new(stored.sync, 0)
        }
    }
}
