//! The way out: batches into a lane, and what control is told of them.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use landbridge_model::{
    ChangeBatch, ChangeKind, Envelope, Failure, FailureCategory, Lane, Outcome, PredictedRecord, Purpose,
    RecordOutcome, RunId, SalesforceId, Source, StageKind, Version,
};
use landbridge_salesforce::Client;
use landbridge_stage::{Hub, LeaseClock, Metrics, StageError};
use landbridge_wire::{Report, ReportBody, RunPhase, RunProgress, VersionedId};
use tracing::Instrument;

use crate::latest::Latest;
use crate::plan::ReadPlan;
use crate::rows::{self, RowKey, Split};
use crate::shard::Shard;

/// A publish ends before the lease can when so much of it is left.
const PUBLISH_MARGIN: Duration = Duration::from_millis(500);

/// Where the rows of one read go.
#[derive(Clone, Debug)]
pub struct Outlet {
    hub: Hub,
    lease: LeaseClock,
    metrics: Metrics,
    client: Client,
    /// What every batch says of itself.
    pub envelope: Envelope,
    lane: Lane,
    /// What is read of an adopted org counts as changed then at the earliest.
    adopted_ms: Option<i64>,
    /// What was sent of each record last, where records are read again without a stamp that changed.
    latest: Option<Latest>,
    /// Part of every message's id, beside its content.
    cause: String,
}

impl Outlet {
    /// For the rows that a plan reads.
    #[must_use]
    pub fn new(shard: &Shard, client: &Client, plan: &ReadPlan, source: Source, run: Option<RunId>) -> Self {
        let (purpose, lane) = match (source, &run) {
            (Source::Compare | Source::DryRun, _) => (Purpose::Compare, Lane::Check),
            (Source::Import | Source::Reconcile | Source::Purged, _) | (_, Some(_)) => {
                (Purpose::Apply, Lane::Bulk)
            }
            (_, None) => (Purpose::Apply, Lane::Live),
        };
        let of_run = run.as_ref().map(|run| format!(" {run}")).unwrap_or_default();
        let cause = format!("{}{of_run}", source.as_str());
        let envelope = Envelope {
            tenant: plan.key.tenant.clone(),
            sync: plan.key.name.clone(),
            revision: plan.revision,
            purpose,
            source,
            run,
            force: false,
            only: None,
        };
        let context = &shard.context;
        let is_kept = plan.is_read_again && purpose == Purpose::Apply;
        let latest = is_kept.then(|| Latest::of(&context.cache, &plan.key));
        let tenant = context.config.tenant(&plan.key.tenant);
        let adopted_ms = tenant.and_then(|tenant| tenant.salesforce.adopted_ms);
        let (hub, lease, metrics) = (context.hub.clone(), context.lease.clone(), shard.metrics.clone());
        Self {
            hub,
            lease,
            metrics,
            client: client.clone(),
            envelope,
            lane,
            adopted_ms,
            latest,
            cause,
        }
    }

    /// The same by another lane than its source has.
    #[must_use]
    pub fn in_lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// For rows that were asked for with an envelope of their own.
    #[must_use]
    pub fn answering(shard: &Shard, client: &Client, plan: &ReadPlan, asked: &Envelope) -> Self {
        let source = match (asked.purpose, asked.source) {
            (Purpose::Compare, _) => Source::Compare,
            (Purpose::Apply, Source::Repair) => Source::Repair,
            (Purpose::Apply, _) => Source::Reread,
        };
        let mut outlet = Self::new(shard, client, plan, source, asked.run.clone());
        outlet.envelope.force = asked.force;
        outlet
    }

    /// Says that Salesforce showed these records no more when it was looked through at `looked`; for an outlet of
    /// [`Source::Reconcile`], whose deletes the loader holds until a person decides, because a permission that was lost must
    /// not look like a mass delete; or of [`Source::Purged`], when the user sees all records whatever sharing says.
    pub async fn absent(
        &self,
        plan: &ReadPlan,
        ids: &[SalesforceId],
        looked: Timestamp,
        most: usize,
    ) -> Result<(), StageError> {
        let at_ms = looked.as_millisecond();
        let keys: Vec<RowKey> = ids
            .iter()
            .map(|id| RowKey {
                id: *id,
                version: Version::new(at_ms, at_ms),
                kind: ChangeKind::Delete,
            })
            .collect();
        let mut table = plan.columns.table();
        for _ in &keys {
            table.push_row((0..plan.columns.len()).map(|_| None));
        }
        let split = rows::split(plan, &self.envelope, &table, &keys, 0..keys.len(), most);
        self.send(&split).await.map(|_| ())
    }

    /// Puts everything of a split on the bus, in order, and says so. Waits while the lane is full. Returns the rows
    /// that are on the bus.
    pub async fn send(&self, split: &Split) -> Result<u64, StageError> {
        let mut rows = 0;
        for batch in &split.batches {
            match self.adopted_ms {
                None => self.send_batch(batch).await?,
                Some(at) => self.send_batch(&no_older(batch, at)).await?,
            }
            rows += batch.ids.len() as u64;
        }
        if !split.too_large.is_empty() {
            self.refuse(&split.too_large).await?;
            rows += split.too_large.len() as u64;
        }
        Ok(rows)
    }

    /// One trace begins here and ends at HubSpot.
    async fn send_batch(&self, batch: &ChangeBatch) -> Result<(), StageError> {
        let (sync, rows) = (self.envelope.sync_key(), batch.ids.len());
        let span =
            tracing::info_span!(parent: None, "extract", %sync, source = self.envelope.source.as_str(), rows);
        async {
            let started = Instant::now();
            self.lease.wait_to_send(PUBLISH_MARGIN).await?;
            let subject = self.hub.changes(&self.envelope.tenant, self.lane);
            if let Some(latest) = &self.latest {
                latest.forget(batch).await?;
            }
            self.hub.send(&subject, &self.cause, batch).await?;
            if let Some(latest) = &self.latest {
                latest.remember(batch).await?;
            }
            let versions = batch.ids.iter().zip(&batch.versions);
            self.extracted(
                versions
                    .map(|(&id, &version)| VersionedId { id, version })
                    .collect(),
            )
            .await?;
            self.metrics
                .batch_handled(self.lane, rows as u64, started.elapsed());
            Ok(())
        }
        .instrument(span)
        .await
    }

    async fn extracted(&self, rows: Vec<VersionedId>) -> Result<(), StageError> {
        if self.envelope.run.is_none() || self.envelope.purpose == Purpose::Compare {
            return Ok(());
        }
        self.report(ReportBody::Extracted(rows)).await
    }

    /// Rows that no message can hold end here.
    async fn refuse(&self, rows: &[(RowKey, usize)]) -> Result<(), StageError> {
        self.extracted(
            rows.iter()
                .map(|(key, _)| VersionedId {
                    id: key.id,
                    version: key.version,
                })
                .collect(),
        )
        .await?;
        let outcomes = rows.iter().map(|(key, bytes)| {
            let message = format!("the record's mapped fields hold {bytes} bytes, more than one message may");
            failed(key, Failure::new(FailureCategory::InvalidValue, message))
        });
        self.failed(outcomes.collect()).await
    }

    /// Says that records could not be read.
    pub async fn failed(&self, outcomes: Vec<RecordOutcome>) -> Result<(), StageError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        if self.envelope.source == Source::DryRun {
            let predicted = outcomes.into_iter().map(PredictedRecord::from);
            return self.report(ReportBody::Predicted(predicted.collect())).await;
        }
        if self.envelope.purpose == Purpose::Compare {
            return Ok(());
        }
        for outcome in &outcomes {
            self.metrics.records_settled(outcome.outcome, 1);
            if let Some(failure) = &outcome.failure {
                self.metrics.records_failed(failure.category, 1);
            }
        }
        self.report(ReportBody::Records(outcomes)).await
    }

    /// Says where the run stands.
    pub async fn progress(
        &self,
        phase: RunPhase,
        salesforce_total: Option<u64>,
        rows: u64,
        reason: Option<String>,
    ) -> Result<(), StageError> {
        self.report(ReportBody::Progress(RunProgress {
            phase,
            salesforce_total,
            rows,
            reason,
        }))
        .await
    }

    async fn report(&self, body: ReportBody) -> Result<(), StageError> {
        let at_ms = self.hub.now_ms();
        let org_ahead_ms = self
            .client
            .clock()
            .now()
            .map_or(0, |org| org.as_millisecond() - at_ms);
        let envelope = self.envelope.clone();
        self.hub
            .report(&Report {
                envelope,
                stage: StageKind::Extractor,
                at_ms,
                org_ahead_ms,
                body,
            })
            .await
    }
}

/// The batch with no version older than an org's adoption: what the org before left in HubSpot is older than all of it.
fn no_older(batch: &ChangeBatch, adopted_ms: i64) -> ChangeBatch {
    let mut batch = batch.clone();
    for version in &mut batch.versions {
        version.stamp_ms = version.stamp_ms.max(adopted_ms);
    }
    batch
}

/// A record's failure.
#[must_use]
pub fn failed(key: &RowKey, failure: Failure) -> RecordOutcome {
    RecordOutcome {
        id: key.id,
        version: key.version,
        outcome: Outcome::Failed,
        hubspot_id: None,
        failure: Some(failure),
    }
}
