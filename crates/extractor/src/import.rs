//! One import: a one-off run of a sync over the records that already exist.
//!
//! The order is the argument that nothing is missed: the fence is taken before Salesforce reads anything, rows go to
//! the bus before the checkpoint that covers them, and at the end everything that has changed or was deleted since
//! the fence is read again. Every step is decided from the checkpoint, so that another worker can go on at any
//! moment; what it repeats changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_model::config::{Import, ImportWish, Sync, SyncStatus};
use landbridge_model::{ImportId, RunId, Source, SyncKey};
use landbridge_salesforce::{DownloadOptions, Room, Scope, soql};
use landbridge_wire::RunPhase;
use tracing::Instrument;

use crate::checkpoint::{ImportCheckpoint, ImportEnd, ImportStep, JobPoint};
use crate::outlet::Outlet;
use crate::plan::ReadPlan;
use crate::reader::Reader;
use crate::rows;
use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};
use crate::window::WindowRule;

/// How often progress is told and the checkpoint moved while rows flow.
const EVERY: Duration = Duration::from_secs(1);
/// Jobs that are tried before an import is given up.
const JOBS_MAX: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
    /// The sync is paused, or its tenant suspended.
    Paused,
}

/// What all steps of one go work with.
struct Go {
    reader: Reader,
    outlet: Outlet,
    checkpoint: ImportCheckpoint,
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
            let mut pause = Duration::from_secs(1);
            loop {
                let trouble = match self.go().await {
                    Ok(true) => return,
                    Ok(false) => {
                        pause = Duration::from_secs(1);
                        self.wait_for_a_change().await;
                        continue;
                    }
                    Err(trouble) => trouble,
                };
                tracing::warn!(trouble = %trouble.chain(), "the import stands still");
                pause = match self.settle(&trouble, pause).await {
                    Some(next) => next,
                    None => return,
                };
                tokio::time::sleep(pause).await;
            }
        }
        .instrument(span)
        .await;
    }

    /// What is done about trouble: the next pause, or `None` when the import has ended with it.
    async fn settle(&self, trouble: &Trouble, pause: Duration) -> Option<Duration> {
        match trouble.remedy() {
            Remedy::TryAgain | Remedy::NewJob => Some((pause * 2).min(LONGEST_PAUSE)),
            Remedy::TryRarely => Some(LONGEST_PAUSE),
            Remedy::StopTenant => {
                self.shard
                    .suspend_tenant(&self.key.tenant, &trouble.chain())
                    .await;
                Some(LONGEST_PAUSE)
            }
            Remedy::Stop => match self.fail(trouble.chain()).await {
                Ok(()) => None,
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "the import's end cannot be told yet");
                    Some((pause * 2).min(LONGEST_PAUSE))
                }
            },
        }
    }

    /// Takes steps until the import has ended (true) or must wait for somebody (false).
    async fn go(&self) -> Result<bool, Trouble> {
        if let Some(checkpoint) = self.stored().await?
            && checkpoint.step() == ImportStep::Ended
        {
            return Ok(true);
        }
        if matches!(self.interruption(), Some(Interruption::Paused)) {
            return Ok(false);
        }
        let mut go = self.begin().await?;
        loop {
            match self.interruption() {
                Some(Interruption::Canceled) => return self.cancel(go).await.map(|()| true),
                Some(Interruption::Paused) => return Ok(false),
                None => {}
            }
            let stepped = match go.checkpoint.step() {
                ImportStep::CreateJob => self.create_job(&mut go).await,
                ImportStep::AwaitJob => self.await_job(&mut go).await,
                ImportStep::Download => self.download(&mut go).await,
                ImportStep::CatchUp => self.catch_up(&mut go).await,
                ImportStep::Ended => return Ok(true),
            };
            match stepped {
                Err(trouble) if trouble.remedy() == Remedy::NewJob && go.checkpoint.job.is_some() => {
                    tracing::warn!(trouble = %trouble.chain(), "the job is given up");
                    go.checkpoint.give_job_up();
                    if go.checkpoint.given_up >= JOBS_MAX {
                        self.fail(trouble.chain()).await?;
                        return Ok(true);
                    }
                    self.store(&go).await?;
                }
                stepped => stepped?,
            }
        }
    }

    async fn stored(&self) -> Result<Option<ImportCheckpoint>, Trouble> {
        Ok(self
            .shard
            .checkpoints
            .import(&self.import.tenant, &self.import.id)
            .await?)
    }

    /// Opens or takes up the checkpoint. A job whose columns belong to another revision of the sync is given up.
    async fn begin(&self) -> Result<Go, Trouble> {
        let sync: Arc<Sync> = self.shard.sync(&self.key)?;
        let plan = Arc::new(ReadPlan::new(&sync)?);
        let client = self.shard.orgs.client(&self.key.tenant).await?;
        let reader = self.shard.reader(client, plan.clone());
        let context = &self.shard.context;
        let run = Some(RunId::from(&self.import.id));
        let mut outlet = Outlet::new(
            &context.hub,
            &context.lease,
            &reader.client,
            &plan,
            Source::Import,
            run,
        );
        outlet.envelope.force = self.import.overwrite;
        let org_id = reader.client.org_id().await?;
        let checkpoint = match self.stored().await? {
            Some(known) if known.org_id != org_id => {
                let (expected, found) = (known.org_id.to_string(), org_id.to_string());
                return Err(Trouble::OtherOrg { expected, found });
            }
            Some(mut known) => {
                if known.revision != plan.revision {
                    known.give_job_up();
                    known.revision = plan.revision;
                }
                known
            }
            None => ImportCheckpoint {
                org_id,
                sync: self.key.name.clone(),
                revision: plan.revision,
                // Before anything is read.
                fence: self.rule.horizon(reader.org_now().await?),
                job: None,
                rows_before: 0,
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

    async fn store(&self, go: &Go) -> Result<(), Trouble> {
        Ok(self
            .shard
            .checkpoints
            .put_import(&self.import.tenant, &self.import.id, &go.checkpoint)
            .await?)
    }

    async fn tell(&self, go: &Go, phase: RunPhase, reason: Option<String>) -> Result<(), Trouble> {
        let checkpoint = &go.checkpoint;
        Ok(go
            .outlet
            .progress(phase, checkpoint.total(), checkpoint.rows(), reason)
            .await?)
    }

    async fn create_job(&self, go: &mut Go) -> Result<(), Trouble> {
        self.tell(go, RunPhase::Counting, None).await?;
        let plan = &go.reader.plan;
        let query = soql::select(&plan.object, &plan.columns, plan.filter.as_deref());
        let job = go.reader.client.create_job(Scope::Live, &query).await?;
        tracing::info!(job = %job.id, "Salesforce collects the rows");
        let (id, created) = (job.id, job.created_date);
        go.checkpoint.job = Some(JobPoint {
            id,
            created,
            total: None,
            position: Default::default(),
        });
        self.store(go).await
    }

    async fn await_job(&self, go: &mut Go) -> Result<(), Trouble> {
        let Some(point) = &mut go.checkpoint.job else {
            return Ok(());
        };
        let started = tokio::time::Instant::now();
        let total = loop {
            let job = go.reader.client.job(&point.id).await?;
            if let Some(outcome) = job.outcome() {
                break outcome?.number_records_processed;
            }
            if self.interruption().is_some() {
                return Ok(());
            }
            tokio::time::sleep(landbridge_salesforce::bulk::poll_pause(started.elapsed())).await;
        };
        point.total = Some(total);
        self.store(go).await
    }

    async fn download(&self, go: &mut Go) -> Result<(), Trouble> {
        let Some(point) = go.checkpoint.job.clone() else {
            return Ok(());
        };
        let settings = &self.shard.settings;
        let job = go.reader.client.job(&point.id).await?;
        let options = DownloadOptions {
            room: Room {
                rows: settings.batch_rows,
                ..DownloadOptions::default().room
            },
            parallel: settings.parallel_pages,
            page_rows: settings.page_rows,
        };
        let read_ms = point.created.as_millisecond();
        let columns = go.reader.plan.columns.clone();
        let mut download = go.reader.client.download(job, columns, point.position, options);
        self.tell(go, RunPhase::Reading, None).await?;
        let mut told = Instant::now();
        while let Some(chunk) = download.next().await? {
            let plan = &go.reader.plan;
            let keys = rows::keys(plan, &chunk.rows, read_ms)?;
            let all = 0..chunk.rows.rows();
            let split = rows::split(
                plan,
                &go.outlet.envelope,
                &chunk.rows,
                &keys,
                all,
                settings.batch_rows,
            );
            go.outlet.send(&split).await?;
            if let Some(point) = &mut go.checkpoint.job {
                point.position = chunk.position;
            }
            if told.elapsed() >= EVERY {
                told = Instant::now();
                self.store(go).await?;
                self.tell(go, RunPhase::Reading, None).await?;
                if self.interruption().is_some() {
                    return Ok(());
                }
            }
        }
        if let Some(point) = &mut go.checkpoint.job {
            point.position = download.position().clone();
        }
        self.store(go).await
    }

    /// Reads what was changed or deleted since the fence; without the filter, so that a record which stopped
    /// matching meanwhile is seen to leave.
    async fn catch_up(&self, go: &mut Go) -> Result<(), Trouble> {
        self.tell(go, RunPhase::CatchingUp, None).await?;
        let stretch = self
            .rule
            .catch_up(go.checkpoint.fence, go.reader.org_now().await?);
        let mut after = None;
        go.checkpoint.rows_caught_up = 0;
        loop {
            let page = go.reader.window_page(stretch, after).await?;
            let (table, keys) = (&page.rows.table, &page.rows.keys);
            let limit = self.shard.settings.batch_rows;
            let split = rows::split(
                &go.reader.plan,
                &go.outlet.envelope,
                table,
                keys,
                0..keys.len(),
                limit,
            );
            go.checkpoint.rows_caught_up += go.outlet.send(&split).await?;
            if page.next.is_none() {
                break;
            }
            after = page.next;
            if self.interruption().is_some() {
                return Ok(());
            }
        }
        self.tell(go, RunPhase::Ended, None).await?;
        go.checkpoint.end = Some(ImportEnd::Complete);
        self.store(go).await?;
        tracing::info!(rows = go.checkpoint.rows(), "everything is on the bus");
        self.drop_job(go).await;
        Ok(())
    }

    async fn cancel(&self, mut go: Go) -> Result<(), Trouble> {
        self.tell(&go, RunPhase::Canceled, None).await?;
        go.checkpoint.end = Some(ImportEnd::Canceled);
        self.store(&go).await?;
        if let Some(point) = &go.checkpoint.job {
            let _best_effort = go.reader.client.abort_job(&point.id).await;
        }
        self.drop_job(&go).await;
        Ok(())
    }

    /// Salesforce drops what is left after a week; this is only tidiness.
    async fn drop_job(&self, go: &Go) {
        let Some(point) = &go.checkpoint.job else { return };
        if let Err(error) = go.reader.client.delete_job(&point.id).await {
            tracing::debug!(job = %point.id, %error, "the finished job stays until Salesforce drops it");
        }
    }

    /// Ends the import with a reason, even when there is no plan to read by.
    async fn fail(&self, reason: String) -> Result<(), Trouble> {
        let context = &self.shard.context;
        let stored = self.stored().await?;
        let revision = stored
            .as_ref()
            .map_or(self.import.revision, |checkpoint| checkpoint.revision);
        let report = landbridge_wire::Report {
            envelope: landbridge_model::Envelope {
                tenant: self.key.tenant.clone(),
                sync: self.key.name.clone(),
                revision,
                purpose: landbridge_model::Purpose::Apply,
                source: Source::Import,
                run: Some(RunId::from(&self.import.id)),
                force: self.import.overwrite,
            },
            stage: landbridge_model::StageKind::Extractor,
            at_ms: context.hub.now_ms(),
            org_ahead_ms: 0,
            body: landbridge_wire::ReportBody::Progress(landbridge_wire::RunProgress {
                phase: RunPhase::Failed,
                salesforce_total: stored.as_ref().and_then(ImportCheckpoint::total),
                rows: stored.as_ref().map_or(0, ImportCheckpoint::rows),
                reason: Some(reason.clone()),
            }),
        };
        context.hub.report(&report).await?;
        if let Some(mut checkpoint) = stored {
            checkpoint.end = Some(ImportEnd::Failed(reason));
            let (tenant, id): (_, &ImportId) = (&self.import.tenant, &self.import.id);
            self.shard.checkpoints.put_import(tenant, id, &checkpoint).await?;
        }
        Ok(())
    }

    fn interruption(&self) -> Option<Interruption> {
        let config = &self.shard.context.config;
        let wish = config
            .import(&self.import.tenant, &self.import.id)
            .map(|import| import.wish);
        if wish != Some(ImportWish::Run) {
            return Some(Interruption::Canceled);
        }
        let suspended = config
            .tenant(&self.key.tenant)
            .is_none_or(|tenant| tenant.suspended.is_some());
        let stands = config
            .sync(&self.key.tenant, &self.key.name)
            .is_none_or(|sync| matches!(sync.status, SyncStatus::Paused | SyncStatus::Suspended));
        (suspended || stands).then_some(Interruption::Paused)
    }

    async fn wait_for_a_change(&self) {
        let mut changed = self.shard.context.config.changed();
        changed.mark_unchanged();
        if matches!(self.interruption(), Some(Interruption::Paused)) {
            let _closed_with_the_view = changed.changed().await;
        }
    }
}
