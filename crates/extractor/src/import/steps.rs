//! The steps of an import. Each leaves a checkpoint from which the next follows.

use std::time::{Duration, Instant};

use landbridge_salesforce::{DownloadOptions, Position, Room, RowChunk, Scope, bulk, soql};
use landbridge_wire::RunPhase;

use super::{Go, Importer};
use crate::budget;
use crate::checkpoint::{ImportEnd, JobPoint};
use crate::reader::BulkRule;
use crate::rows;
use crate::settings::ExtractorSettings;
use crate::trouble::Trouble;

/// How often progress is told and the checkpoint moved while rows flow.
const EVERY: Duration = Duration::from_secs(1);

/// How the rows of a Bulk job are read.
#[must_use]
pub(crate) fn download_options(settings: &ExtractorSettings) -> DownloadOptions {
    DownloadOptions {
        room: Room {
            rows: settings.batch_rows,
            ..DownloadOptions::default().room
        },
        parallel: settings.parallel_pages,
        page_rows: settings.page_rows,
    }
}

impl Importer {
    async fn tell(&self, go: &Go, phase: RunPhase) -> Result<(), Trouble> {
        let checkpoint = &go.checkpoint;
        Ok(go
            .outlet
            .progress(phase, checkpoint.total(), checkpoint.rows(), None)
            .await?)
    }

    pub(super) async fn create_job(&self, go: &mut Go) -> Result<(), Trouble> {
        self.tell(go, RunPhase::Counting).await?;
        let plan = &go.reader.plan;
        let filter = go.checkpoint.range.within(plan.filter.as_deref());
        let query = soql::select(&plan.object, &plan.columns, filter.as_deref());
        let job = go.reader.client.create_job(Scope::Live, &query).await?;
        tracing::info!(job = %job.id, "Salesforce collects the rows");
        let (id, created) = (job.id, job.created_date);
        go.checkpoint.job = Some(JobPoint {
            id,
            created,
            total: None,
            position: Position::default(),
        });
        self.store(go).await
    }

    pub(super) async fn await_job(&self, go: &mut Go) -> Result<(), Trouble> {
        let Some(point) = &mut go.checkpoint.job else {
            return Ok(());
        };
        let started = tokio::time::Instant::now();
        let total = loop {
            let job = go.reader.client.job(&point.id).await?;
            if let Some(outcome) = job.outcome() {
                break outcome?.number_records_processed;
            }
            tokio::time::sleep(bulk::poll_pause(started.elapsed())).await;
        };
        point.total = Some(total);
        self.store(go).await
    }

    pub(super) async fn download(&self, go: &mut Go) -> Result<(), Trouble> {
        let Some(point) = go.checkpoint.job.clone() else {
            return Ok(());
        };
        let job = go.reader.client.job(&point.id).await?;
        let columns = go.reader.plan.columns.clone();
        let options = download_options(&self.shard.settings);
        let mut download = go.reader.client.download(job, columns, point.position, options);
        self.tell(go, RunPhase::Reading).await?;
        let mut told = Instant::now();
        while let Some(chunk) = download.next().await? {
            // The time as of which the rows count as read: no row is older than its job.
            self.hand_on(go, chunk, point.created.as_millisecond()).await?;
            budget::at_length(&go.reader.client)?;
            if told.elapsed() >= EVERY {
                told = Instant::now();
                self.store(go).await?;
                self.tell(go, RunPhase::Reading).await?;
            }
        }
        if let Some(point) = &mut go.checkpoint.job {
            point.position = download.position().clone();
        }
        self.store(go).await
    }

    async fn hand_on(&self, go: &mut Go, chunk: RowChunk, read_ms: i64) -> Result<(), Trouble> {
        let plan = &go.reader.plan;
        let keys = rows::keys(plan, &chunk.rows, read_ms)?;
        let limit = self.shard.settings.batch_rows;
        let split = rows::split(
            plan,
            &go.outlet.envelope,
            &chunk.rows,
            &keys,
            0..keys.len(),
            limit,
        );
        go.outlet.send(&split).await?;
        if let Some(point) = &mut go.checkpoint.job {
            point.position = chunk.position;
        }
        Ok(())
    }

    /// All that the job was to read is on the bus: on with the ids that are left to others.
    pub(super) async fn next_range(&self, go: &mut Go) -> Result<(), Trouble> {
        self.drop_job(go).await;
        go.checkpoint.next_range();
        self.store(go).await
    }

    /// Has two jobs read what was too much for one. False when it is a single record, or none.
    pub(super) async fn split(&self, go: &mut Go) -> Result<bool, Trouble> {
        let Some(at) = go.reader.halfway(&go.checkpoint.range).await? else {
            return Ok(false);
        };
        self.drop_job(go).await;
        go.checkpoint.split_range(at);
        self.store(go).await?;
        let jobs = go.checkpoint.ranges_left.len() + 1;
        tracing::info!(%at, jobs, "what was too much for one job is read by two");
        Ok(true)
    }

    /// Reads what was changed or deleted since the fence; without the filter, so that a record which stopped
    /// matching meanwhile is seen to leave.
    pub(super) async fn catch_up(&self, go: &mut Go) -> Result<(), Trouble> {
        self.tell(go, RunPhase::CatchingUp).await?;
        let stretch = self
            .rule
            .catch_up(go.checkpoint.fence, go.reader.org_now().await?);
        let limit = self.shard.settings.batch_rows;
        go.checkpoint.rows_caught_up = 0;
        let mut scan = go.reader.scan(stretch, &BulkRule::new(&self.shard.settings));
        while let Some(part) = scan.next().await? {
            let (table, keys) = (&part.rows.table, &part.rows.keys);
            let split = rows::split(
                &go.reader.plan,
                &go.outlet.envelope,
                table,
                keys,
                0..keys.len(),
                limit,
            );
            go.checkpoint.rows_caught_up += go.outlet.send(&split).await?;
        }
        drop(scan);
        self.tell(go, RunPhase::Ended).await?;
        go.checkpoint.end = Some(ImportEnd::Complete);
        self.store(go).await?;
        tracing::info!(rows = go.checkpoint.rows(), "everything is on the bus");
        self.drop_job(go).await;
        Ok(())
    }

    /// Salesforce drops what is left after a week; this is only tidiness.
    async fn drop_job(&self, go: &Go) {
        let Some(point) = &go.checkpoint.job else { return };
        if let Err(error) = go.reader.client.delete_job(&point.id).await {
            tracing::debug!(job = %point.id, %error, "the finished job stays until Salesforce drops it");
        }
    }
}
