//! The accounts of one tenant.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use landbridge_model::{
    LinkOutcome, LinkVerdict, Outcome, Purpose, RecordOutcome, Revision, RunId, SyncName,
};
use landbridge_wire::{Report, ReportBody, RunProgress};
use serde::{Deserialize, Serialize};

use super::compare::CompareAccount;
use super::dry_run::DryRunAccount;
use super::history::History;
use super::records::place_of;
use super::run::{ClosedRun, RunAccount};
use crate::ask::LiveWrites;
use crate::latency::{Latency, is_sample};

/// One tenant's imports, syncs, compares and latencies.
#[derive(Debug, Default)]
pub struct TenantLedger {
    through: u64,
    runs: BTreeMap<RunId, RunAccount>,
    compares: HashMap<RunId, CompareAccount>,
    dry_runs: HashMap<RunId, DryRunAccount>,
    syncs: BTreeMap<SyncName, SyncAccount>,
    latency: Latency,
    history: History,
    recent: Recent,
    changed: bool,
}

/// Changes of one sync by outcome, from all sources, since the account began. A change that is reported twice counts
/// once as long as the repeat comes soon (a redelivery does).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncAccount {
    /// In the order of [`Outcome::ALL`].
    pub changes: [u64; Outcome::ALL.len()],
    /// In the order of [`LinkOutcome::ALL`].
    pub links: [u64; LinkOutcome::ALL.len()],
    /// The last change's report, in milliseconds since 1970.
    pub last_ms: Option<i64>,
    /// What was written outside of imports, by the revision that mapped it.
    #[serde(default)]
    pub live: BTreeMap<Revision, LiveWrites>,
}

impl SyncAccount {
    /// What was written outside of imports by a revision and later ones.
    pub(crate) fn live_since(&self, revision: Revision) -> LiveWrites {
        let mut all = LiveWrites::default();
        self.live.range(revision..).for_each(|(_, live)| all.add(*live));
        all
    }
}

/// What is stored of a tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct StoredTenant {
    through: u64,
    syncs: BTreeMap<SyncName, SyncAccount>,
    latency: Latency,
    #[serde(default)]
    history: History,
    closed: BTreeMap<RunId, ClosedRun>,
}

impl TenantLedger {
    pub(crate) fn restore(stored: StoredTenant) -> Self {
        let closed = stored
            .closed
            .into_iter()
            .map(|(run, closed)| (run, RunAccount::restore(closed)));
        Self {
            through: stored.through,
            runs: closed.collect(),
            syncs: stored.syncs,
            latency: stored.latency,
            history: stored.history,
            ..Self::default()
        }
    }

    /// What is to be stored, if anything changed since it was asked for last.
    pub(crate) fn store(&mut self) -> Option<StoredTenant> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let closed = self
            .runs
            .iter()
            .filter_map(|(run, account)| Some((run.clone(), account.store()?)));
        Some(StoredTenant {
            through: self.through,
            syncs: self.syncs.clone(),
            latency: self.latency.clone(),
            history: self.history.clone(),
            closed: closed.collect(),
        })
    }

    pub(crate) fn fold(&mut self, sequence: u64, report: &Report) {
        // An open import is folded anew after a restart; all else was stored up to `through`.
        let repeated = sequence <= self.through;
        self.through = self.through.max(sequence);
        self.changed |= !repeated;
        match (&report.envelope.run, report.envelope.purpose) {
            (Some(run), Purpose::Compare) => {
                if let Some(account) = self.compares.get_mut(run) {
                    fold_compare(account, report);
                }
                if let Some(account) = self.dry_runs.get_mut(run) {
                    fold_dry_run(account, report);
                }
                return;
            }
            (Some(run), Purpose::Apply) => self.fold_run(sequence, run, report, repeated),
            (None, _) => {}
        }
        if let ReportBody::Links(links) = &report.body {
            self.supersede(sequence, report, links, repeated);
        }
        if !repeated {
            self.fold_sync(report);
        }
    }

    fn fold_run(&mut self, sequence: u64, run: &RunId, report: &Report, repeated: bool) {
        let account = self
            .runs
            .entry(run.clone())
            .or_insert_with(|| RunAccount::new(report.envelope.sync.clone(), sequence));
        if repeated && (account.is_closed() || sequence < account.first_sequence) {
            return;
        }
        match &report.body {
            ReportBody::Records(records) => account.settled(report.at_ms, records),
            ReportBody::Links(links) => account.linked(report.at_ms, links),
            ReportBody::Extracted(changes) => account.extracted(changes),
            ReportBody::Progress(progress) => account.progressed(progress),
            ReportBody::Compared(_) | ReportBody::Predicted(_) => {}
        }
    }

    /// What other causes did to links that an import of the same sync still waits for.
    fn supersede(&mut self, sequence: u64, report: &Report, links: &[LinkVerdict], repeated: bool) {
        let others = self.runs.iter_mut().filter(|(run, account)| {
            report.envelope.run.as_ref() != Some(*run)
                && account.sync == report.envelope.sync
                && !(repeated && (account.is_closed() || sequence < account.first_sequence))
        });
        for (_, account) in others {
            links.iter().for_each(|link| account.links.supersede(link));
        }
    }

    fn fold_sync(&mut self, report: &Report) {
        let (records, links) = match &report.body {
            ReportBody::Records(records) => (records.as_slice(), [].as_slice()),
            ReportBody::Links(links) => ([].as_slice(), links.as_slice()),
            _ => return,
        };
        let account = self.syncs.entry(report.envelope.sync.clone()).or_default();
        account.last_ms = account.last_ms.max(Some(report.at_ms));
        let (revision, run) = (report.envelope.revision, &report.envelope.run);
        for record in records {
            if !self.recent.is_new(&change_key(&report.envelope.sync, record)) {
                continue;
            }
            account.changes[place_of(record.outcome)] += 1;
            if let (Outcome::Created | Outcome::Updated | Outcome::Deleted, None) = (record.outcome, run) {
                account.live.entry(revision).or_default().records += 1;
            }
            self.history.settled(report.at_ms, place_of(record.outcome));
            if is_sample(report.stage, report.envelope.source, record.outcome) {
                self.latency
                    .add(report.at_ms, report.org_ahead_ms, record.version.stamp_ms);
                let took_ms = report.at_ms + report.org_ahead_ms - record.version.stamp_ms;
                self.history.carried(report.at_ms, took_ms);
            }
        }
        for link in links {
            if self.recent.is_new(&(
                &report.envelope.sync,
                link.child,
                &link.field,
                link.version,
                link.outcome,
            )) {
                account.links[link.outcome as usize] += 1;
                if let (LinkOutcome::Linked | LinkOutcome::Unlinked, None) = (link.outcome, run) {
                    account.live.entry(revision).or_default().links += 1;
                }
            }
        }
    }

    /// The place of the oldest report that an open import needs.
    pub(crate) fn oldest_open(&self) -> Option<u64> {
        self.runs
            .values()
            .filter(|run| !run.is_closed())
            .map(|run| run.first_sequence)
            .min()
    }

    /// One import's account.
    pub fn run(&self, run: &RunId) -> Option<&RunAccount> {
        self.runs.get(run)
    }

    /// One import's account, to change.
    pub(crate) fn run_mut(&mut self, run: &RunId) -> Option<&mut RunAccount> {
        self.changed = true;
        self.runs.get_mut(run)
    }

    /// All imports' accounts.
    pub fn runs(&self) -> impl Iterator<Item = (&RunId, &RunAccount)> {
        self.runs.iter()
    }

    /// From now on this compare's answers are collected; others are passed over.
    pub(crate) fn open_compare(&mut self, run: RunId) {
        self.compares.insert(run, CompareAccount::default());
    }

    /// A compare's answers so far.
    pub fn compare(&self, run: &RunId) -> Option<&CompareAccount> {
        self.compares.get(run)
    }

    /// Takes a compare's answers and forgets it.
    pub(crate) fn take_compare(&mut self, run: &RunId) -> Option<CompareAccount> {
        self.compares.remove(run)
    }

    /// From now on this dry run's answers are collected; others are passed over.
    pub(crate) fn open_dry_run(&mut self, run: RunId) {
        self.dry_runs.insert(run, DryRunAccount::default());
    }

    /// A dry run's answers so far.
    pub fn dry_run(&self, run: &RunId) -> Option<&DryRunAccount> {
        self.dry_runs.get(run)
    }

    /// Takes a dry run's answers; what comes later is passed over.
    pub(crate) fn take_dry_run(&mut self, run: &RunId) -> Option<DryRunAccount> {
        self.dry_runs.remove(run)
    }

    /// The accounts by sync.
    pub fn syncs(&self) -> &BTreeMap<SyncName, SyncAccount> {
        &self.syncs
    }

    /// What became of changes over time.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How long changes are on their way.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }
}

/// A delete that was held and then written is one change with two verdicts that both count.
fn change_key(sync: &SyncName, record: &RecordOutcome) -> impl Hash {
    (
        sync.clone(),
        record.id,
        record.version,
        record.outcome == Outcome::Held,
    )
}

fn fold_compare(account: &mut CompareAccount, report: &Report) {
    match &report.body {
        ReportBody::Compared(answer) => account.fold(answer),
        ReportBody::Progress(progress) => advance(&mut account.progress, progress),
        _ => {}
    }
}

fn fold_dry_run(account: &mut DryRunAccount, report: &Report) {
    match &report.body {
        ReportBody::Predicted(records) => account.fold(records),
        ReportBody::Progress(progress) => advance(&mut account.progress, progress),
        _ => {}
    }
}

/// A run's progress; its end is final.
fn advance(known: &mut Option<RunProgress>, progress: &RunProgress) {
    if known.as_ref().is_none_or(|known| !known.phase.is_final()) {
        *known = Some(progress.clone());
    }
}

/// How many verdicts back a repeat is recognised.
const RECENT_MAX: usize = 65_536;

/// What was counted lately, by hash.
#[derive(Debug, Default)]
struct Recent {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Recent {
    fn is_new(&mut self, key: &impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
