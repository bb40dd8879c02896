//! The shell around [`map()`]: takes batches off the lanes, finds their plan, sends on what came of them, acknowledges.

mod story;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use landbridge_bus::LinkPart;
use landbridge_model::ask::{AskStatus, Condition, ConditionKind, Explain, Question, StageStatus};
use landbridge_model::{
    ChangeBatch, Envelope, Failure, FailureCategory, Outcome, PredictedRecord, Purpose, RecordOutcome,
    SalesforceId, Source, StageKind, SyncName, TenantId, Version,
};
use landbridge_stage::{
    Delivery, LaneContext, Metrics, ShardContext, StageError, Worker, answer_with, parse_ask,
};
use landbridge_wire::{
    Ask, AskError, AskErrorCode, Compared, Difference, DifferenceKind, FailedRecord, LinkMessage, Report,
    ReportBody, Reread, VersionedId, Wire,
};
use tracing::Instrument;

use crate::map::{Mapped, map};
use crate::memory;
use crate::plans::{Lookup, Plans};

/// How many failures or wishes are stored at once: each has a subject of its own, so they cannot overtake each other.
const TOGETHER: usize = 32;
/// Time to finish the batch in hand when the shard is given up; one that waits for a full lane comes again instead.
const LAST_BATCH: Duration = Duration::from_secs(3);

/// The mapper.
#[derive(Debug)]
pub struct Mapper {
    metrics: Metrics,
}

/// What the mapper keeps for a shard.
#[derive(Debug)]
pub struct MapperShard {
    context: ShardContext,
    plans: Plans,
    /// Records whose newest failure is the mapper's own: it must be forgotten when they pass.
    failed: Mutex<HashMap<RecordKey, FailedBefore>>,
}

type RecordKey = (TenantId, SyncName, SalesforceId);

#[derive(Clone, Copy, Debug)]
struct FailedBefore {
    version: Version,
    attempts: u32,
}

impl Mapper {
    /// Counts into these metrics.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }
}

impl Worker for Mapper {
    const KIND: StageKind = StageKind::Mapper;
    type Shard = MapperShard;

    async fn open(&self, context: ShardContext) -> Result<Arc<MapperShard>, StageError> {
        let failures = context.hub.failures_of_shard(context.shard).await?;
        let own = failures
            .into_iter()
            .filter(|failed| failed.stage == StageKind::Mapper && failed.link_field.is_none());
        let failed = own.map(|failed| {
            let key = (failed.envelope.tenant, failed.envelope.sync, failed.id);
            let before = FailedBefore {
                version: failed.version,
                attempts: failed.attempts,
            };
            (key, before)
        });
        Ok(Arc::new(MapperShard {
            failed: Mutex::new(failed.collect()),
            plans: Plans::default(),
            context,
        }))
    }

    async fn run_lane(&self, shard: Arc<MapperShard>, mut lane: LaneContext) -> Result<(), StageError> {
        while let Some(delivery) = lane.inbox.recv().await {
            let span = tracing::info_span!("map", tenant = %lane.tenant, lane = %lane.lane, sequence = delivery.sequence);
            delivery.continue_trace(&span);
            let stop = &lane.shard.stop;
            let handled = self.handle(&shard, &lane, delivery).instrument(span);
            // A batch that was begun is finished, except where it can only wait: then it comes again.
            tokio::pin!(handled);
            tokio::select! {
                biased;
                result = &mut handled => result?,
                () = stop.cancelled() => {
                    match tokio::time::timeout(LAST_BATCH, handled).await {
                        Ok(result) => result?,
                        Err(_) => return Ok(()),
                    }
                }
            }
        }
        Ok(())
    }

    async fn answer(&self, shard: Arc<MapperShard>, ask: Ask) -> Result<String, AskError> {
        match ask.service.as_str() {
            Explain::SERVICE => {
                let question: Explain = parse_ask(&ask)?;
                answer_with(&story::tell(&shard, &ask.tenant, &question.id)?)
            }
            AskStatus::SERVICE => {
                let troubles = shard.plans.troubles(&ask.tenant).into_iter();
                let told = troubles.map(|text| Condition::new(ConditionKind::Definition, text));
                answer_with(&StageStatus::told(told))
            }
            other => Err(AskError::new(
                AskErrorCode::Invalid,
                format!("the mapper answers no question called {other}"),
            )),
        }
    }
}

impl Mapper {
    /// The order is the argument for P5: whatever came of the batch is stored before the memory moves, and the memory
    /// before the acknowledgement.
    async fn handle(
        &self,
        shard: &MapperShard,
        lane: &LaneContext,
        delivery: Delivery,
    ) -> Result<(), StageError> {
        let began = Instant::now();
        let batch = match ChangeBatch::decode(&delivery.payload) {
            Ok(batch) => batch,
            Err(error) => return delivery.poison(&error.to_string()).await,
        };
        if batch.envelope.tenant != lane.tenant {
            return delivery.poison("its tenant is not the tenant of its lane").await;
        }
        let is_apply = batch.envelope.purpose == Purpose::Apply;
        let mapped = match shard.plans.find(&shard.context.config, &batch.envelope).await {
            Lookup::Plan(plan) => {
                let known = if is_apply {
                    memory::versions(&shard.context.cache, &batch)?
                } else {
                    Vec::new()
                };
                let newest: HashMap<&SalesforceId, Version> = batch
                    .ids
                    .iter()
                    .zip(known)
                    .filter_map(|(id, version)| Some((id, version?)))
                    .collect();
                map(&plan, &batch, |id| newest.get(id).copied())
            }
            Lookup::Nobody => {
                tracing::warn!(tenant = %lane.tenant, "dropping a batch of a removed tenant, or of a dry run that is over");
                return delivery.ack().await;
            }
            Lookup::Unusable(why) => all_failed(&batch, &why),
        };
        shard.forget_cured(&batch.envelope, &mapped).await?;
        shard
            .send_on(lane, delivery.sequence, &batch.envelope, &mapped)
            .await?;
        shard.tell(&batch.envelope, &mapped).await?;
        if is_apply {
            let now_ms = shard.context.hub.now_ms();
            let changes = memory::remember(&batch, &mapped, now_ms);
            shard.context.cache.apply(changes).await?;
            self.count(&mapped);
        }
        let rows = batch.ids.len() as u64;
        delivery.ack().await?;
        self.metrics.batch_handled(lane.lane, rows, began.elapsed());
        Ok(())
    }

    fn count(&self, mapped: &Mapped) {
        for outcome in Outcome::ALL {
            let of_it = mapped
                .outcomes
                .iter()
                .filter(|told| told.outcome == outcome)
                .count();
            if of_it > 0 {
                self.metrics.records_settled(outcome, of_it as u64);
            }
        }
        for outcome in mapped
            .outcomes
            .iter()
            .filter(|told| told.outcome == Outcome::Failed)
        {
            if let Some(failure) = &outcome.failure {
                self.metrics.records_failed(failure.category, 1);
            }
        }
    }
}

/// Every row of a batch that cannot be mapped at all.
fn all_failed(batch: &ChangeBatch, why: &str) -> Mapped {
    let failed = |(id, version): (&SalesforceId, &Version)| RecordOutcome {
        id: *id,
        version: *version,
        outcome: Outcome::Failed,
        hubspot_id: None,
        failure: Some(Failure::new(FailureCategory::SchemaChanged, why)),
    };
    Mapped {
        outcomes: batch.ids.iter().zip(&batch.versions).map(failed).collect(),
        ..Mapped::default()
    }
}

impl MapperShard {
    fn failed(&self) -> MutexGuard<'_, HashMap<RecordKey, FailedBefore>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the mapper's own failures of records that pass now. Before the writes are sent on, so that a failure
    /// that the loader stores for them is not forgotten instead.
    async fn forget_cured(&self, envelope: &Envelope, mapped: &Mapped) -> Result<(), StageError> {
        if envelope.purpose != Purpose::Apply || self.failed().is_empty() {
            return Ok(());
        }
        let filtered = mapped
            .outcomes
            .iter()
            .filter(|outcome| outcome.outcome == Outcome::Filtered)
            .map(|outcome| (outcome.id, outcome.version));
        let written = mapped.writes.iter().flat_map(|writes| {
            let versions = writes.versions.iter().copied();
            writes.ids.iter().copied().zip(versions)
        });
        for (id, version) in filtered.chain(written) {
            let key = (envelope.tenant.clone(), envelope.sync.clone(), id);
            let before = self.failed().get(&key).copied();
            if before.is_some_and(|before| !version.is_superseded_by(before.version)) {
                let hub = &self.context.hub;
                hub.forget_failure(&envelope.tenant, &envelope.sync, id, None)
                    .await?;
                self.failed().remove(&key);
            }
        }
        Ok(())
    }

    /// Sends what travels on: intents before writes, so that the resolver knows of a link before its child's identity
    /// comes.
    async fn send_on(
        &self,
        lane: &LaneContext,
        sequence: u64,
        envelope: &Envelope,
        mapped: &Mapped,
    ) -> Result<(), StageError> {
        let hub = &self.context.hub;
        let cause = format!("mapped {} {sequence}", lane.lane);
        if let Some(intents) = &mapped.intents {
            let subject = hub.links(&envelope.tenant, lane.lane, LinkPart::Intents);
            let message = LinkMessage::Intents(intents.clone());
            hub.send(&subject, &cause, &message).await?;
        }
        let subject = hub.writes(&envelope.tenant, lane.lane);
        for writes in &mapped.writes {
            hub.send(&subject, &cause, writes).await?;
        }
        let reread = |id: &SalesforceId| Reread {
            envelope: envelope.clone(),
            id: *id,
            reason: "the sync was edited since the record was read, and wants more fields".to_owned(),
        };
        futures::stream::iter(mapped.rereads.iter().map(reread))
            .map(|reread| async move { hub.ask_reread(&reread).await })
            .buffer_unordered(TOGETHER)
            .try_collect::<()>()
            .await
    }

    /// Tells control what ended here, and remembers the failures.
    async fn tell(&self, envelope: &Envelope, mapped: &Mapped) -> Result<(), StageError> {
        if mapped.outcomes.is_empty() {
            return Ok(());
        }
        let hub = &self.context.hub;
        let is_apply = envelope.purpose == Purpose::Apply;
        if is_apply {
            self.remember_failures(envelope, mapped).await?;
        }
        let body = match (envelope.purpose, envelope.source) {
            (Purpose::Apply, _) => ReportBody::Records(mapped.outcomes.clone()),
            (Purpose::Compare, Source::DryRun) => {
                let ended = mapped.outcomes.iter().cloned();
                ReportBody::Predicted(ended.map(PredictedRecord::from).collect())
            }
            (Purpose::Compare, _) => ReportBody::Compared(compared(&mapped.outcomes)),
        };
        let report = Report {
            envelope: envelope.clone(),
            stage: StageKind::Mapper,
            at_ms: hub.now_ms(),
            org_ahead_ms: 0,
            body,
        };
        hub.report(&report).await
    }

    async fn remember_failures(&self, envelope: &Envelope, mapped: &Mapped) -> Result<(), StageError> {
        let hub = &self.context.hub;
        // A sync that was removed has no failures that anybody could cure.
        if self
            .context
            .config
            .sync(&envelope.tenant, &envelope.sync)
            .is_none()
        {
            return Ok(());
        }
        let mut stored = Vec::new();
        for outcome in &mapped.outcomes {
            let (Outcome::Failed, Some(failure)) = (outcome.outcome, &outcome.failure) else {
                continue;
            };
            let key = (envelope.tenant.clone(), envelope.sync.clone(), outcome.id);
            let mut failed = self.failed();
            let before = failed.get(&key).map_or(0, |before| before.attempts);
            let now = FailedBefore {
                version: outcome.version,
                attempts: before + 1,
            };
            failed.insert(key, now);
            drop(failed);
            stored.push(FailedRecord {
                envelope: envelope.clone(),
                id: outcome.id,
                version: outcome.version,
                stage: StageKind::Mapper,
                failure: failure.clone(),
                at_ms: hub.now_ms(),
                attempts: now.attempts,
                link_field: None,
                write: None,
                retry: false,
            });
        }
        futures::stream::iter(stored)
            .map(|failed| async move { hub.remember_failure(&failed).await })
            .buffer_unordered(TOGETHER)
            .try_collect::<()>()
            .await
    }
}

/// A compare's answer for the rows that do not travel on: a refused one is a difference, a filtered one is as it
/// should be.
fn compared(outcomes: &[RecordOutcome]) -> Compared {
    let difference = |outcome: &RecordOutcome| {
        let failure = outcome.failure.as_ref()?;
        (outcome.outcome == Outcome::Failed).then(|| Difference {
            kind: DifferenceKind::Refused,
            id: outcome.id,
            hubspot_id: None,
            name: failure
                .property
                .clone()
                .or_else(|| failure.field.clone())
                .unwrap_or_default(),
            expected: failure.value.clone(),
            actual: None,
            message: failure.message.clone(),
        })
    };
    let records = outcomes.iter().map(|outcome| VersionedId {
        id: outcome.id,
        version: outcome.version,
    });
    Compared {
        records: records.collect(),
        links: 0,
        differences: outcomes.iter().filter_map(difference).collect(),
    }
}
