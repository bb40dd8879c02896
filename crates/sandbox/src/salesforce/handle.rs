//! The org and everything that calls share: clock, sessions, cursors, jobs, allowance.

use crate::{
    config::{OrgSource, SandboxConfig},
    salesforce::{
        builtin_org,
        bulk::Jobs,
        bulk_v1::BatchJobs,
        clock::{DAY_MS, OrgClock},
        credentials::{self, OrgCredentials},
        dml::Change,
        formula,
        ids::{KeyPrefix, RecordId},
        ingest::IngestJobs,
        oauth::Grants,
        org_folder::{self, FolderError},
        pubsub::{EventBus, origin},
        query::Cursors,
        reader::Reader,
        session::Sessions,
        state::{self, Log},
        store::{JournalEntry, Org},
    },
    state::StateError,
    stats::Stats,
};
use parking_lot::{Mutex, RwLock};
use rsa::RsaPublicKey;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// A session ends after so long without a call, in milliseconds.
const SESSION_MS: i64 = 2 * 3_600_000;
/// The recycle bin keeps records for fifteen days.
const RECYCLE_BIN_MS: i64 = 15 * DAY_MS;
/// A call that runs for so long is long, in milliseconds.
const LONG_CALL_MS: u64 = 20_000;
/// Long calls that an org runs at once (production orgs and sandboxes).
const LONG_CALLS_MAX: usize = 25;
/// So many numbers are apart between the jobs of one run and those of the next: no id is given twice.
const NUMBERS_OF_A_RUN: u64 = 1 << 32;
/// How often what is due in the recycle bin is looked for.
const SWEEP_EVERY: Duration = Duration::from_millis(200);

/// Why an org could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum OrgError {
    /// The folder's definitions or its data.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What an earlier run left behind.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What was loaded, and what of it is not served as the real thing would.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct OrgReport {
    /// The objects that hold records.
    pub objects: Vec<ObjectReport>,
    /// Formula fields that are served null.
    pub unsupported_formulas: Vec<UnsupportedFormula>,
    /// Anything else that was left out.
    pub notes: Vec<String>,
}

/// One loaded object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ObjectReport {
    /// The API name.
    pub name: String,
    /// How many fields it has.
    pub fields: usize,
    /// How many records, without those in the recycle bin.
    pub records: usize,
}

/// A formula that is served null.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UnsupportedFormula {
    /// The object.
    pub object: String,
    /// The field.
    pub field: String,
    /// What in it is not supported.
    pub reason: String,
}

/// What HubSpot's own integration sees of an Account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// 18 characters.
    pub id: String,
    /// The Account's name.
    pub name: String,
    /// SystemModstamp, milliseconds.
    pub stamp: i64,
}

/// What can be changed while the org runs, through `/__sandbox/settings`.
#[derive(Debug)]
pub struct Settings {
    /// The longest wait between a change's stamp and its commit, milliseconds.
    pub commit_delay_ms: AtomicU64,
    /// How long Bulk jobs queue, milliseconds.
    pub bulk_queue_ms: AtomicU64,
    /// The most rows of a Bulk result page.
    pub bulk_page_rows: AtomicUsize,
    /// Daily API calls.
    pub daily_requests: AtomicU64,
    /// How long a session lasts without a call, milliseconds.
    pub session_ms: AtomicI64,
    /// How long a record stays in the recycle bin, milliseconds of the org.
    pub recycle_bin_ms: AtomicI64,
    /// A refresh token is good once and gives its successor.
    pub rotate_refresh_tokens: AtomicBool,
    /// How long every call takes the org, milliseconds.
    pub call_ms: AtomicU64,
    /// Calls that run for longer count against the org's limit of concurrent calls, milliseconds.
    pub long_call_ms: AtomicU64,
    /// The user may view set-up: the tooling API answers.
    pub view_setup: AtomicBool,
    /// Calls a day that the client's own app may make, if the org tells of that; 0 if not.
    pub app_requests: AtomicU64,
}

/// The org and all that is shared between calls.
#[derive(Debug)]
pub struct OrgHandle {
    /// The records.
    pub org: RwLock<Org>,
    /// The org's time.
    pub clock: OrgClock,
    /// Where clients are sent after login.
    pub instance_url: String,
    /// What may be turned while it runs.
    pub settings: Settings,
    pub(super) credentials: OrgCredentials,
    /// Checks the assertions of the JWT bearer flow.
    pub(super) jwt_key: RwLock<RsaPublicKey>,
    pub(super) grants: Mutex<Grants>,
    pub(super) sessions: Mutex<Sessions>,
    pub(super) cursors: Mutex<Cursors>,
    pub(super) jobs: Jobs,
    pub(super) bulk_v1: BatchJobs,
    pub(super) ingest: IngestJobs,
    pub(super) usage: Mutex<Usage>,
    pub(super) bus: EventBus,
    pub(super) stats: Arc<Stats>,
    pub(super) schema_changed: AtomicI64,
    /// What ids and secrets follow from.
    pub(super) seed: u64,
    /// How often this org was started.
    pub(super) run: u64,
    /// Where it is kept, if it is.
    pub(super) log: Option<Mutex<Log>>,
    /// The last number that a job or a batch got.
    numbers: AtomicU64,
    open: Mutex<BTreeMap<u64, i64>>,
    running: Mutex<BTreeMap<u64, Instant>>,
    ticket: AtomicU64,
}

/// A call that the org is at work on.
pub(super) struct RunningCall<'h> {
    handle: &'h OrgHandle,
    ticket: u64,
}

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        self.handle.running.lock().remove(&self.ticket);
    }
}

/// [`Settings`] at a moment.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct SavedSettings {
    commit_delay_ms: u64,
    bulk_queue_ms: u64,
    bulk_page_rows: usize,
    daily_requests: u64,
    session_ms: i64,
    recycle_bin_ms: i64,
    rotate_refresh_tokens: bool,
    call_ms: u64,
    long_call_ms: u64,
    view_setup: bool,
    #[serde(default)]
    app_requests: u64,
}

impl Settings {
    pub(super) fn save(&self) -> SavedSettings {
        SavedSettings {
            commit_delay_ms: self.commit_delay_ms.load(Ordering::Relaxed),
            bulk_queue_ms: self.bulk_queue_ms.load(Ordering::Relaxed),
            bulk_page_rows: self.bulk_page_rows.load(Ordering::Relaxed),
            daily_requests: self.daily_requests.load(Ordering::Relaxed),
            session_ms: self.session_ms.load(Ordering::Relaxed),
            recycle_bin_ms: self.recycle_bin_ms.load(Ordering::Relaxed),
            rotate_refresh_tokens: self.rotate_refresh_tokens.load(Ordering::Relaxed),
            call_ms: self.call_ms.load(Ordering::Relaxed),
            long_call_ms: self.long_call_ms.load(Ordering::Relaxed),
            view_setup: self.view_setup.load(Ordering::Relaxed),
            app_requests: self.app_requests.load(Ordering::Relaxed),
        }
    }

    pub(super) fn load(&self, saved: &SavedSettings) {
        self.commit_delay_ms
            .store(saved.commit_delay_ms, Ordering::Relaxed);
        self.bulk_queue_ms.store(saved.bulk_queue_ms, Ordering::Relaxed);
        self.bulk_page_rows.store(saved.bulk_page_rows, Ordering::Relaxed);
        self.daily_requests.store(saved.daily_requests, Ordering::Relaxed);
        self.session_ms.store(saved.session_ms, Ordering::Relaxed);
        self.recycle_bin_ms.store(saved.recycle_bin_ms, Ordering::Relaxed);
        self.rotate_refresh_tokens
            .store(saved.rotate_refresh_tokens, Ordering::Relaxed);
        self.call_ms.store(saved.call_ms, Ordering::Relaxed);
        self.long_call_ms.store(saved.long_call_ms, Ordering::Relaxed);
        self.view_setup.store(saved.view_setup, Ordering::Relaxed);
        self.app_requests.store(saved.app_requests, Ordering::Relaxed);
    }
}

/// Calls of the last 24 hours, counted by the hour.
#[derive(Debug, Default)]
pub struct Usage {
    hours: VecDeque<(i64, u64)>,
}

impl Usage {
    pub(super) fn save(&self) -> Vec<(i64, u64)> {
        self.hours.iter().copied().collect()
    }

    pub(super) fn load(&mut self, hours: Vec<(i64, u64)>) {
        self.hours = hours.into();
    }

    /// Counts a call at `now_ms` unless `most` were made already. Gives the calls so far.
    pub fn count(&mut self, now_ms: i64, most: u64) -> Result<u64, u64> {
        let hour = now_ms.div_euclid(3_600_000);
        let used = self.used(now_ms);
        if used >= most {
            return Err(used);
        }
        match self.hours.back_mut() {
            Some((last, calls)) if *last == hour => *calls += 1,
            _ => self.hours.push_back((hour, 1)),
        }
        Ok(used + 1)
    }

    /// Calls of the last 24 hours.
    pub fn used(&mut self, now_ms: i64) -> u64 {
        let hour = now_ms.div_euclid(3_600_000);
        while self.hours.front().is_some_and(|(first, _)| *first <= hour - 24) {
            self.hours.pop_front();
        }
        self.hours.iter().map(|(_, calls)| calls).sum()
    }
}

/// What a run begins with.
struct Start {
    org: Org,
    bus: EventBus,
    clock: OrgClock,
    seed: u64,
    run: u64,
    schema_since: i64,
    rest: Option<state::Rest>,
}

impl Start {
    /// An org as its definitions have it.
    fn anew(config: &SandboxConfig, report: &mut OrgReport) -> Result<Start, OrgError> {
        let clock = OrgClock::new(config.clock_skew_ms);
        let now = clock.stamp();
        let seed = config.seed;
        let mut org = match &config.org {
            OrgSource::BuiltIn => builtin_org::load(config.records, seed, now, report),
            OrgSource::Folder(folder) => org_folder::load(folder, config.records, seed, now, report)?,
        };
        org.journaling = true;
        Ok(Start {
            bus: EventBus::new(org.schema().clone(), seed),
            org,
            clock,
            seed,
            run: 0,
            schema_since: now,
            rest: None,
        })
    }

    /// An org as an earlier run left it, whatever the configuration says.
    fn again(mut found: state::Found, report: &mut OrgReport) -> Start {
        report.unsupported_formulas = formula::unsupported(found.org.schema());
        Start {
            clock: found.clock().unwrap_or_else(|| OrgClock::new(0)),
            seed: found.seed,
            run: found.runs + 1,
            schema_since: found.schema_since,
            rest: Some(found.rest()),
            org: found.org,
            bus: found.bus,
        }
    }
}

impl OrgHandle {
    /// Loads the org that the configuration names.
    pub fn load(
        config: &SandboxConfig,
        url: String,
        stats: Arc<Stats>,
    ) -> Result<(OrgHandle, OrgReport), OrgError> {
        let mut report = OrgReport::default();
        let file = config.state.as_deref().map(state::file_in);
        let found = file.as_deref().map(state::read).transpose()?.flatten();
        let mut start = match found {
            Some(found) => Start::again(found, &mut report),
            None => Start::anew(config, &mut report)?,
        };
        let org = start.org;
        for (index, object) in org.schema().objects.iter().enumerate() {
            let records = org.table(index).live;
            if records > 0 || object.custom {
                let fields = object.fields.len();
                report.objects.push(ObjectReport {
                    name: object.name.clone(),
                    fields,
                    records,
                });
            }
        }
        let (seed, clock) = (start.seed, start.clock);
        let first_number = start.run * NUMBERS_OF_A_RUN;
        let credentials = OrgCredentials::of_seed(seed);
        let mut handle = OrgHandle {
            jwt_key: RwLock::new(credentials::keypair_of_seed(seed).public.clone()),
            grants: Mutex::new(Grants::new(seed, &credentials.refresh_token)),
            credentials,
            sessions: Mutex::new(Sessions::new(seed)),
            cursors: Mutex::new(Cursors::after(first_number)),
            jobs: Jobs::default(),
            bulk_v1: BatchJobs::default(),
            ingest: IngestJobs::default(),
            usage: Mutex::default(),
            bus: start.bus,
            stats,
            schema_changed: AtomicI64::new(start.schema_since),
            seed,
            run: start.run,
            log: config.state.as_deref().map(|folder| Mutex::new(Log::new(folder))),
            numbers: AtomicU64::new(first_number),
            settings: Settings {
                commit_delay_ms: AtomicU64::new(config.commit_delay.as_millis() as u64),
                bulk_queue_ms: AtomicU64::new(config.bulk_queue_delay.as_millis() as u64),
                bulk_page_rows: AtomicUsize::new(config.bulk_page_rows.max(1)),
                daily_requests: AtomicU64::new(config.daily_api_requests),
                session_ms: AtomicI64::new(SESSION_MS),
                recycle_bin_ms: AtomicI64::new(RECYCLE_BIN_MS),
                rotate_refresh_tokens: AtomicBool::new(false),
                call_ms: AtomicU64::new(0),
                long_call_ms: AtomicU64::new(LONG_CALL_MS),
                view_setup: AtomicBool::new(true),
                app_requests: AtomicU64::new(0),
            },
            org: RwLock::new(org),
            clock,
            instance_url: url,
            open: Mutex::default(),
            running: Mutex::default(),
            ticket: AtomicU64::new(0),
        };
        if let Some(rest) = start.rest.take() {
            handle.take_up(rest);
        }
        handle.keep_all()?;
        Ok((handle, report))
    }

    /// The id of a new job or batch, which nothing had before.
    pub(super) fn new_id(&self, prefix: KeyPrefix) -> String {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        RecordId::new(prefix, number).to_string()
    }

    /// The change events.
    pub fn events(&self) -> &EventBus {
        &self.bus
    }

    /// How to get in.
    pub fn credentials(&self) -> &OrgCredentials {
        &self.credentials
    }

    /// All live Accounts.
    pub fn accounts(&self) -> Vec<AccountRow> {
        let org = self.org.read();
        let Some(object) = org.schema().index("Account") else {
            return Vec::new();
        };
        let Some(name) = org.schema().objects[object].field_index("Name") else {
            return Vec::new();
        };
        let (table, reader) = (org.table(object), Reader::new(&org, 0));
        (0..table.len() as u32)
            .filter_map(|row| table.row(row))
            .filter(|record| record.deleted.is_none())
            .map(|record| AccountRow {
                id: record.id.to_string(),
                name: reader.own(object, record, name).as_text().into_owned(),
                stamp: record.stamp,
            })
            .collect()
    }

    /// The calls that the org counts against its daily allowance: those of the last 24 hours of its own time.
    pub fn calls_of_the_day(&self) -> u64 {
        self.usage.lock().used(self.clock.now_ms())
    }

    /// What happened since the sample data was loaded: the truth that a reader's account is held against.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.org.read().journal().to_vec()
    }

    /// Runs a change: its stamp is taken now, others see it once it is committed, which may be later.
    pub async fn commit<R>(&self, change: impl FnOnce(&mut Org, Change) -> R) -> R {
        let stamp = self.clock.stamp();
        let longest = self.settings.commit_delay_ms.load(Ordering::Relaxed);
        let ticket = self.ticket.fetch_add(1, Ordering::Relaxed);
        let _open = (longest > 0).then(|| OpenChange::begin(self, ticket, stamp));
        if longest > 0 {
            tokio::time::sleep(Duration::from_millis(commit_share(ticket, longest))).await;
        }
        let mut org = self.org.write();
        let result = change(&mut org, Change { stamp });
        let touched = org.take_touched();
        // Still under the lock: events come in the order of the commits.
        let told = (!touched.is_empty()).then(|| {
            let now = self.clock.now_ms();
            self.bus.tell(&org, touched, origin::current(), stamp, now)
        });
        self.keep_changes(&org, told);
        drop(org);
        if told.is_some() {
            self.bus.announce();
        }
        result
    }

    /// Empties the recycle bin of what is too old, until `stop`.
    pub(crate) async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.empty_bin();
        }
    }

    /// Empties the recycle bin of what is too old by the org's clock.
    pub(super) fn empty_bin(&self) {
        let until = self.clock.now_ms() - self.settings.recycle_bin_ms.load(Ordering::Relaxed);
        if self.org.read().bin_is_due(until) {
            let mut org = self.org.write();
            org.empty_bin(until);
            self.keep_changes(&org, None);
        }
    }

    /// Begins a call; none while as many long ones run as an org allows.
    pub(super) fn begin_call(&self) -> Option<RunningCall<'_>> {
        let long = Duration::from_millis(self.settings.long_call_ms.load(Ordering::Relaxed));
        let mut running = self.running.lock();
        if running.values().filter(|began| began.elapsed() >= long).count() >= LONG_CALLS_MAX {
            return None;
        }
        let ticket = self.ticket.fetch_add(1, Ordering::Relaxed);
        running.insert(ticket, Instant::now());
        Some(RunningCall { handle: self, ticket })
    }

    /// The org's id and its one user's.
    pub(super) fn identity(&self) -> (RecordId, RecordId) {
        let org = self.org.read();
        (org.org_id, org.user_id)
    }

    /// When the schema last changed, milliseconds.
    pub(super) fn schema_since(&self) -> i64 {
        self.schema_changed.load(Ordering::Relaxed)
    }

    /// The stamp of the oldest change that is not committed yet.
    pub fn oldest_open(&self) -> Option<i64> {
        self.open.lock().values().min().copied()
    }
}

/// Commits come out of order: every change waits another share of the longest wait.
fn commit_share(ticket: u64, longest: u64) -> u64 {
    ticket.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) % (longest + 1)
}

/// A change between its stamp and its commit.
struct OpenChange<'h> {
    handle: &'h OrgHandle,
    ticket: u64,
}

impl<'h> OpenChange<'h> {
    fn begin(handle: &'h OrgHandle, ticket: u64, stamp: i64) -> OpenChange<'h> {
        handle.open.lock().insert(ticket, stamp);
        OpenChange { handle, ticket }
    }
}

impl Drop for OpenChange<'_> {
    fn drop(&mut self) {
        self.handle.open.lock().remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_rolls_over_a_day() {
        let mut usage = Usage::default();
        let hour = 3_600_000;
        assert_eq!(usage.count(0, 2), Ok(1));
        assert_eq!(usage.count(hour, 2), Ok(2));
        assert_eq!(usage.count(hour * 23, 2), Err(2));
        assert_eq!(usage.count(hour * 24, 2), Ok(2));
        assert_eq!(usage.used(hour * 60), 0);
    }
}
