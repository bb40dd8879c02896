//! One import: a one-off run of a sync over the records that already exist.
//!
//! The order is the argument that nothing is missed: the fence is taken before Salesforce reads anything, rows go to
//! the bus before the checkpoint that covers them, and at the end everything that has changed or was deleted since
//! the fence is read again. Every step is decided from the checkpoint, so that another worker can go on at any
//! moment; what it repeats changes nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::config::{Import, ImportWish, Sync, SyncStatus};
use landbridge_model::{Envelope, ImportId, Purpose, RunId, SalesforceId, Source, StageKind, SyncKey};
use landbridge_stage::StageError;
use landbridge_wire::{Report, ReportBody, RunPhase, RunProgress};
use tracing::Instrument;

use crate::budget;
use crate::checkpoint::{ImportCheckpoint, ImportEnd, ImportStep};
use crate::outlet::Outlet;
use crate::plan::ReadPlan;
use crate::reader::Reader;
use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};
use crate::window::WindowRule;

pub mod ranges;
mod steps;
mod turn;

use ranges::IdRange;
pub(crate) use steps::download_options;
pub use turn::Turns;

/// Jobs that are tried before an import is given up.
const JOBS_MAX: u32 = 3;
/// Pauses after trouble: the first, doubled each time, up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Runs one import.
#[derive(Debug)]
pub struct Importer {
    shard: Arc<Shard>,
    import: Arc<Import>,
    key: SyncKey,
    rule: WindowRule,
}

/// Why rows stop flowing before they end.
enum Interruption {
    /// A person cancelled the import.
    Canceled,
    /// A person paused the import or its sync, or the tenant is suspended.
    Paused,
}

/// What all steps of one go work with.
struct Go {
    reader: Reader,
    outlet: Outlet,
    checkpoint: ImportCheckpoint,
}

/// How a go ended without trouble.
enum Ended {
    /// For good.
    ForGood,
    /// Until the configuration changes.
    UntilAChange,
    /// Until these have been read.
    UntilItsTurn(Vec<ImportId>),
}

impl Importer {
    /// For one import. Nothing is read yet.
    #[must_use]
    pub fn new(shard: Arc<Shard>, import: Arc<Import>) -> Self {
        let rule = WindowRule {
            lag: shard.settings.lag,
            overlap: shard.settings.overlap,
        };
        let key = SyncKey {
            tenant: import.tenant.clone(),
            name: import.sync.clone(),
        };
        Self {
            shard,
            import,
            key,
            rule,
        }
    }

    /// Runs to the import's end; dropped when the shard is given up.
    pub async fn run(self) {
        let span = tracing::info_span!("import", sync = %self.key, import = %self.import.id);
        async {
            self.run_to_its_end().await;
            self.shard.turns.ended(&self.import.tenant, &self.import.id);
        }
        .instrument(span)
        .await;
    }

    async fn run_to_its_end(&self) {
        let (turns, tenant, id) = (&self.shard.turns, &self.import.tenant, &self.import.id);
        let mut pause = PAUSES.0;
        let mut moved = turns.watch();
        loop {
            // Whatever moves from here on is seen by the wait below, if not by the go.
            moved.mark_unchanged();
            let trouble = match self.go().await {
                Ok(Ended::ForGood) => return,
                Ok(Ended::UntilAChange) => {
                    turns.met(tenant, id, None);
                    pause = PAUSES.0;
                    self.wait_for_a_change().await;
                    continue;
                }
                Ok(Ended::UntilItsTurn(before)) => {
                    self.wait_for_turn(&before, &mut moved).await;
                    continue;
                }
                Err(trouble) => trouble,
            };
            tracing::warn!(trouble = %trouble.chain(), "the import stands still");
            pause = match self.settle(&trouble, pause).await {
                Some(next) => next,
                None => return,
            };
            turns.met(tenant, id, Some(&trouble));
            tokio::time::sleep(pause).await;
        }
    }

    /// What is done about trouble: the next pause, or `None` when the import has ended with it.
    async fn settle(&self, trouble: &Trouble, pause: Duration) -> Option<Duration> {
        let reason = trouble.chain();
        let longer = (pause * 2).min(PAUSES.1);
        let (told, next) = match trouble.remedy() {
            Remedy::TryAgain | Remedy::NewJob => (Ok(()), longer),
            Remedy::TryRarely => {
                let rarely = PAUSES.1.min(self.shard.settings.probe_interval);
                (self.announce_trouble(reason).await, rarely)
            }
            Remedy::StopTenant => {
                self.shard.suspend_tenant(&self.key.tenant, &reason).await;
                (self.announce_trouble(reason).await, PAUSES.1)
            }
            // What no narrower job would change: the query itself is too much.
            Remedy::Stop | Remedy::Smaller => match self.fail(reason).await {
                Ok(()) => return None,
                Err(error) => (Err(error), longer),
            },
        };
        if let Err(error) = told {
            tracing::warn!(error = %error.chain(), "how the import stands cannot be told");
        }
        Some(next)
    }

    /// Takes steps until the import has ended or must wait for somebody.
    async fn go(&self) -> Result<Ended, Trouble> {
        let stored = self.stored().await?;
        if stored
            .as_ref()
            .is_some_and(|checkpoint| checkpoint.step() == ImportStep::Ended)
        {
            return Ok(Ended::ForGood);
        }
        match self.interruption() {
            Some(Interruption::Paused) => return Ok(Ended::UntilAChange),
            Some(Interruption::Canceled) => return self.cancel(stored).await,
            None => {}
        }
        // What has begun goes on: its parents have been read, or stood still then.
        if stored.is_none() {
            let before = self.read_before().await?;
            if !before.is_empty() {
                return Ok(Ended::UntilItsTurn(before));
            }
        }
        let mut go = self.begin(stored).await?;
        self.shard.turns.met(&self.import.tenant, &self.import.id, None);
        loop {
            // A step is cut off wherever it stands, also where it waits for a full lane: the checkpoint covers only
            // what is on the bus.
            let stepped = tokio::select! {
                biased;
                interruption = self.interrupted() => {
                    self.store(&go).await?;
                    if go.checkpoint.end.is_some() {
                        return Ok(Ended::ForGood);
                    }
                    return match interruption {
                        Interruption::Canceled => self.cancel(Some(go.checkpoint)).await,
                        Interruption::Paused => Ok(Ended::UntilAChange),
                    };
                }
                stepped = self.step(&mut go) => stepped,
            };
            if go.checkpoint.step() == ImportStep::Ended {
                return stepped.map(|()| Ended::ForGood);
            }
            match stepped {
                Err(trouble) if trouble.remedy() == Remedy::Smaller && go.checkpoint.job.is_some() => {
                    tracing::warn!(trouble = %trouble.chain(), "the job read too much at once");
                    if self.split(&mut go).await? {
                        continue;
                    }
                    go.checkpoint.give_job_up();
                    self.store(&go).await?;
                    if go.checkpoint.given_up >= JOBS_MAX {
                        self.fail(trouble.chain()).await?;
                        return Ok(Ended::ForGood);
                    }
                }
                Err(trouble) if trouble.remedy() == Remedy::NewJob && go.checkpoint.job.is_some() => {
                    tracing::warn!(trouble = %trouble.chain(), "the job is given up");
                    let rows = go.checkpoint.job.as_ref().and_then(|job| job.total);
                    go.checkpoint.give_job_up();
                    self.store(&go).await?;
                    if go.checkpoint.given_up >= JOBS_MAX {
                        self.fail(trouble.chain()).await?;
                        return Ok(Ended::ForGood);
                    }
                    // A job's rows have no order to go on in, but its ids have: what is lost next is half as much at most.
                    if rows.is_some_and(|rows| rows > self.shard.settings.bulk_from) {
                        self.split(&mut go).await?;
                    }
                }
                Err(trouble) if trouble.is_ended_job() && trouble.remedy() == Remedy::TryRarely => {
                    // Whatever is waited for now: this job will not become complete.
                    if trouble.is_limit() {
                        go.checkpoint.lay_job_down();
                    } else {
                        go.checkpoint.give_job_up();
                    }
                    self.store(&go).await?;
                    if go.checkpoint.given_up >= JOBS_MAX {
                        self.fail(trouble.chain()).await?;
                        return Ok(Ended::ForGood);
                    }
                    return Err(trouble);
                }
                stepped => stepped?,
            }
        }
    }

    async fn step(&self, go: &mut Go) -> Result<(), Trouble> {
        budget::at_length(&go.reader.client)?;
        match go.checkpoint.step() {
            ImportStep::CreateJob => self.create_job(go).await,
            ImportStep::AwaitJob => self.await_job(go).await,
            ImportStep::Download => self.download(go).await,
            ImportStep::NextRange => self.next_range(go).await,
            ImportStep::CatchUp => self.catch_up(go).await,
            ImportStep::Ended => Ok(()),
        }
    }

    async fn stored(&self) -> Result<Option<ImportCheckpoint>, Trouble> {
        Ok(self
            .shard
            .checkpoints
            .import(&self.import.tenant, &self.import.id)
            .await?)
    }

    async fn store(&self, go: &Go) -> Result<(), Trouble> {
        Ok(self
            .shard
            .checkpoints
            .put_import(&self.import.tenant, &self.import.id, &go.checkpoint)
            .await?)
    }

    /// Opens or takes up the checkpoint. A job whose columns belong to another revision of the sync is given up.
    async fn begin(&self, stored: Option<ImportCheckpoint>) -> Result<Go, Trouble> {
        let sync: Arc<Sync> = self.shard.sync(&self.key)?;
        let plan = Arc::new(ReadPlan::new(&sync)?);
        let client = self.shard.orgs.client(&self.key.tenant).await?;
        let reader = self.shard.reader(client, plan.clone());
        let run = Some(RunId::from(&self.import.id));
        let mut outlet = Outlet::new(&self.shard, &reader.client, &plan, Source::Import, run);
        outlet.envelope.force = self.force();
        outlet.envelope.only = self.import.only.clone().map(Arc::new);
        let org_id = reader.client.org_id().await?;
        let stored = match stored {
            Some(stored) => Some(stored),
            None => self.predecessors(&org_id).await?,
        };
        let checkpoint = match stored {
            Some(known) if known.org_id.is_some_and(|known| known != org_id) => {
                let expected = known.org_id.map(|id| id.to_string()).unwrap_or_default();
                return Err(Trouble::OtherOrg {
                    expected,
                    found: org_id.to_string(),
                });
            }
            Some(mut known) => {
                if known.revision != plan.revision {
                    known.begin_anew();
                    known.revision = plan.revision;
                }
                known
            }
            None => ImportCheckpoint {
                org_id: Some(org_id),
                sync: self.key.name.clone(),
                revision: plan.revision,
                // Before anything is read.
                fence: self.fence(&reader).await?,
                job: None,
                range: IdRange::default(),
                ranges_left: Vec::new(),
                rows_of_ranges: 0,
                rows_before: 0,
                rows_elsewhere: 0,
                given_up: 0,
                rows_caught_up: 0,
                end: None,
            },
        };
        let go = Go {
            reader,
            outlet,
            checkpoint,
        };
        self.store(&go).await?;
        Ok(go)
    }

    async fn fence(&self, reader: &Reader) -> Result<Timestamp, Trouble> {
        let now = reader.org_now().await?;
        let covered = reader.settled_until(now, now).await?;
        Ok(self.rule.fence(covered, now))
    }

    /// Where the import was that this one goes on with, if it goes on with one that has read anything.
    async fn predecessors(&self, org: &SalesforceId) -> Result<Option<ImportCheckpoint>, Trouble> {
        let Some(id) = &self.import.continues else {
            return Ok(None);
        };
        let found = self.shard.checkpoints.import(&self.import.tenant, id).await?;
        // It is cancelled, and this worker's other task is about to say so.
        if found.as_ref().is_some_and(|found| found.end.is_none()) {
            let what = format!("{id}, which this import goes on with, has not stopped yet");
            return Err(StageError::worker(what).into());
        }
        // Of another org nothing is gone on with: this import begins anew.
        let successor = found.and_then(ImportCheckpoint::successor);
        Ok(successor.filter(|successor| successor.org_id.is_none_or(|known| known == *org)))
    }

    /// Ends the import because a person wants it to. What Salesforce has collected stays there for a week, for an
    /// import that goes on with this one; a job that still collects is stopped.
    async fn cancel(&self, stored: Option<ImportCheckpoint>) -> Result<Ended, Trouble> {
        self.announce(RunPhase::Canceled, None).await?;
        self.put_end(stored.clone(), ImportEnd::Canceled).await?;
        let job = stored.and_then(|checkpoint| checkpoint.job);
        let job = job.filter(|job| job.total.is_none());
        if let (Some(job), Ok(client)) = (job, self.shard.orgs.client(&self.key.tenant).await) {
            // Tidiness only: Salesforce drops what is left after a week.
            let aborted = client.abort_job(&job.id).await;
            let deleted = client.delete_job(&job.id).await;
            tracing::debug!(job = %job.id, ?aborted, ?deleted, "the job of a cancelled import");
        }
        Ok(Ended::ForGood)
    }

    /// Ends the import with a reason, even when there is no plan to read by.
    async fn fail(&self, reason: String) -> Result<(), Trouble> {
        self.announce(RunPhase::Failed, Some(reason.clone())).await?;
        let stored = self.stored().await?;
        self.put_end(stored, ImportEnd::Failed(reason)).await
    }

    async fn put_end(&self, stored: Option<ImportCheckpoint>, end: ImportEnd) -> Result<(), Trouble> {
        let (sync, revision) = (self.key.name.clone(), self.import.revision);
        let checkpoint = match stored {
            Some(mut checkpoint) => {
                checkpoint.end = Some(end);
                checkpoint
            }
            None => ImportCheckpoint::ended(sync, revision, end),
        };
        Ok(self
            .shard
            .checkpoints
            .put_import(&self.import.tenant, &self.import.id, &checkpoint)
            .await?)
    }

    /// Says why the import stands still; it is not over.
    async fn announce_trouble(&self, reason: String) -> Result<(), Trouble> {
        let phase = match self.stored().await?.map(|checkpoint| checkpoint.step()) {
            None | Some(ImportStep::Ended) => RunPhase::Queued,
            Some(ImportStep::CreateJob | ImportStep::AwaitJob) => RunPhase::Counting,
            Some(ImportStep::Download | ImportStep::NextRange) => RunPhase::Reading,
            Some(ImportStep::CatchUp) => RunPhase::CatchingUp,
        };
        self.announce(phase, Some(reason)).await
    }

    /// Says where the import stands, when there is no client to say it with.
    async fn announce(&self, phase: RunPhase, reason: Option<String>) -> Result<(), Trouble> {
        let stored = self.stored().await?;
        let hub = &self.shard.context.hub;
        let revision = stored
            .as_ref()
            .map_or(self.import.revision, |checkpoint| checkpoint.revision);
        let report = Report {
            envelope: Envelope {
                tenant: self.key.tenant.clone(),
                sync: self.key.name.clone(),
                revision,
                purpose: Purpose::Apply,
                source: Source::Import,
                run: Some(RunId::from(&self.import.id)),
                force: self.force(),
                only: self.import.only.clone().map(Arc::new),
            },
            stage: StageKind::Extractor,
            at_ms: hub.now_ms(),
            org_ahead_ms: 0,
            body: ReportBody::Progress(RunProgress {
                phase,
                salesforce_total: stored.as_ref().and_then(ImportCheckpoint::total),
                rows: stored.as_ref().map_or(0, ImportCheckpoint::rows),
                reason,
            }),
        };
        Ok(hub.report(&report).await?)
    }

    /// A back-fill changes labels too, of which no memory of links knows.
    fn force(&self) -> bool {
        self.import.overwrite || self.import.only.is_some()
    }

    fn interruption(&self) -> Option<Interruption> {
        let config = &self.shard.context.config;
        let wish = config
            .import(&self.import.tenant, &self.import.id)
            .map(|import| import.wish);
        match wish {
            Some(ImportWish::Run) => {}
            Some(ImportWish::Pause) => return Some(Interruption::Paused),
            Some(ImportWish::Cancel) | None => return Some(Interruption::Canceled),
        }
        let suspended = config
            .tenant(&self.key.tenant)
            .is_none_or(|tenant| tenant.suspended.is_some());
        let stands = config
            .sync(&self.key.tenant, &self.key.name)
            .is_none_or(|sync| matches!(sync.status, SyncStatus::Paused | SyncStatus::Suspended));
        (suspended || stands).then_some(Interruption::Paused)
    }

    /// Waits until the import is to stop or to stand.
    async fn interrupted(&self) -> Interruption {
        self.shard.context.config.wait_for(|_| self.interruption()).await
    }

    async fn wait_for_a_change(&self) {
        let resumed = |interruption| !matches!(interruption, Some(Interruption::Paused));
        self.shard
            .context
            .config
            .wait_for(|_| resumed(self.interruption()).then_some(()))
            .await;
    }
}
