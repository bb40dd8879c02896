//! Failed writes that are tried again: sent as they were, without a call to Salesforce.
//!
//! A person may want it; the wish lies beside the failure in `LB_FAILED`, so that it outlives this worker, and ends with the
//! row: cured, refused anew, or superseded. What may pass by itself is due after pauses that grow with its failures. What cannot
//! be sent as it was (a link, a delete) is read again instead.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_model::ask::{SendAgain, SentAgain};
use landbridge_model::{Outcome, SalesforceId, Source, SyncKey, TenantId, WriteBatch};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::FailedRecord;
use parking_lot::Mutex;

use crate::alone::{Charter, tell};
use crate::backoff::retry_after;
use crate::finish::{read_again, remember};
use crate::known::{Judgement, judge};
use crate::row::{End, Fate, Row};
use crate::shard::LoaderShard;
use crate::target::{Target, find};

/// When failures are due that may pass by themselves, in milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Later(Mutex<HashMap<(SyncKey, SalesforceId), i64>>);

impl Later {
    /// Notes when such a failure is due.
    pub(crate) fn put_off(&self, failed: &FailedRecord) {
        if failed.failure.category.is_transient() {
            let pause = i64::try_from(retry_after(failed.attempts).as_millis()).unwrap_or(i64::MAX);
            let key = (failed.envelope.sync_key(), failed.id);
            self.0.lock().insert(key, failed.at_ms.saturating_add(pause));
        }
    }

    /// Takes what is due.
    fn take(&self, now_ms: i64) -> Vec<(SyncKey, SalesforceId)> {
        let mut later = self.0.lock();
        later
            .extract_if(|_, due_ms| *due_ms <= now_ms)
            .map(|(key, _)| key)
            .collect()
    }
}

/// Wishes stored at once: each has a subject of its own.
const TOGETHER: usize = 64;

/// Notes the wish on those failures that hold their row, mapped by the revision that runs.
pub(crate) async fn want(
    shard: &LoaderShard,
    tenant: &TenantId,
    question: &SendAgain,
) -> Result<SentAgain, StageError> {
    let context = &shard.context;
    let Some(sync) = context.config.sync(tenant, &question.sync) else {
        return Ok(SentAgain::default());
    };
    let failures = context.hub.failures(tenant, Some(&question.sync)).await?;
    let wanted: HashSet<SalesforceId> = question.ids.iter().copied().collect();
    let noted = failures.into_iter().filter(|failed| {
        let mapped_by = failed.write.as_ref().map(|write| write.envelope.revision);
        mapped_by == Some(sync.revision) && wanted.contains(&failed.id)
    });
    let noted = noted.map(|failed| FailedRecord {
        retry: true,
        ..failed
    });
    let ids = futures::stream::iter(noted)
        .map(|failed| async move { context.hub.remember_failure(&failed).await.map(|()| failed.id) })
        .buffer_unordered(TOGETHER)
        .try_collect::<Vec<SalesforceId>>()
        .await?;
    let keys = ids.iter().map(|id| ((sync.key(), *id), 0));
    shard.retries.lock().extend(keys);
    Ok(SentAgain { ids })
}

/// Sends what is wanted, in calls of one sync.
pub(crate) async fn run_due(shard: &Arc<LoaderShard>, context: &ShardContext) -> Result<(), StageError> {
    let due = shard.later.take(context.hub.now_ms());
    let due: HashSet<(SyncKey, SalesforceId)> = due.into_iter().collect();
    shard
        .retries
        .lock()
        .extend(due.iter().map(|key| (key.clone(), 0)));
    let wanted = shard.retries.lock().clone();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut by_sync: BTreeMap<SyncKey, Vec<FailedRecord>> = BTreeMap::new();
    for failed in context.hub.failures_of_shard(context.shard).await? {
        let key = (failed.envelope.sync_key(), failed.id);
        let passing = failed.failure.category.is_transient() && wanted.contains_key(&key);
        if passing || (failed.retry && failed.link_field.is_none()) {
            by_sync
                .entry(failed.envelope.sync_key())
                .or_default()
                .push(failed);
        }
    }
    // What is wanted no more was cured, dismissed or refused by another way meanwhile.
    let left = by_sync.iter().flat_map(|(sync, failures)| {
        let keys = failures.iter().map(|failed| (sync.clone(), failed.id));
        keys.collect::<Vec<_>>()
    });
    let left: HashSet<(SyncKey, SalesforceId)> = left.collect();
    shard
        .retries
        .lock()
        .retain(|key, _| left.contains(key) || !wanted.contains_key(key));
    for (sync, failures) in by_sync {
        let Some(target) = find(context, &sync.tenant, &sync.name).await.map(Arc::new) else {
            continue;
        };
        let mut failures = failures.into_iter().peekable();
        while failures.peek().is_some() {
            let part: Vec<FailedRecord> = failures.by_ref().take(BATCH_INPUTS_MAX).collect();
            send(shard, context, &sync, &target, part).await?;
        }
    }
    Ok(())
}

/// One call's worth. What cannot end now stays wanted.
async fn send(
    shard: &Arc<LoaderShard>,
    context: &ShardContext,
    sync: &SyncKey,
    target: &Arc<Target>,
    failures: Vec<FailedRecord>,
) -> Result<(), StageError> {
    let tenant = shard.tenant(&sync.tenant);
    let Some(charter) = Charter::of(shard, context, &tenant).await else {
        return Ok(());
    };
    let revision = context
        .config
        .sync(&sync.tenant, &sync.name)
        .map(|sync| sync.revision);
    let mut rows = Vec::new();
    for failed in failures {
        let calls = shard.retries.lock().get(&(sync.clone(), failed.id)).copied();
        match row_of(&failed, target, calls.unwrap_or(0)) {
            Some(row) if Some(row.batch.envelope.revision) == revision => rows.push(row),
            // The sync was edited since the wish: another mapping may want other fields.
            _ => give_up(shard, context, failed).await?,
        }
    }
    let (mut flying, mut ended) = (Vec::new(), Vec::new());
    // What a lane writes just now is looked at by the next sweep.
    for row in rows.into_iter().filter(|row| charter.have(row)) {
        match judged(&tenant, &row)? {
            Some(end) => {
                charter.give_back(&row);
                ended.push((row, end));
            }
            None => flying.push(row),
        }
    }
    // Rows of one call are told apart by their messages.
    for (message, row) in (0..).zip(&mut flying) {
        row.message = message;
    }
    let fates = charter.fly(&mut flying).await?;
    for (row, end) in ended {
        finish(shard, context, &row, &end).await?;
    }
    for (row, fate) in flying.iter().zip(fates) {
        match fate {
            Fate::Ended(end) => finish(shard, context, row, &end).await?,
            Fate::Again(_) => {
                let key = (sync.clone(), row.id());
                shard.retries.lock().insert(key, row.attempts);
            }
        }
    }
    Ok(())
}

/// The refused row, which belongs to no run any more: the run that it failed in has ended with its failure.
fn row_of(failed: &FailedRecord, target: &Arc<Target>, attempts: u32) -> Option<Row> {
    let mut batch: WriteBatch = failed.write.clone()?;
    batch.envelope.run = None;
    batch.envelope.source = Source::Reread;
    Some(Row {
        attempts,
        lagging: attempts,
        ..Row::alone(batch, target.clone())
    })
}

/// What can be said of a row without a call.
fn judged(tenant: &crate::portal::Tenant, row: &Row) -> Result<Option<End>, StageError> {
    let object_type = &row.target.object_type;
    let complete = tenant.memory.is_complete(object_type)?;
    let known = tenant.memory.look(object_type, row.id(), complete)?;
    Ok(match judge(known, row.version(), row.fingerprint, row.force()) {
        Judgement::Look | Judgement::Write => None,
        Judgement::Unchanged => Some(End::new(Outcome::Unchanged, None)),
        Judgement::Superseded => Some(End::new(Outcome::Superseded, None)),
    })
}

/// Remembers and tells how it ended; the wish goes with it.
async fn finish(shard: &LoaderShard, context: &ShardContext, row: &Row, end: &End) -> Result<(), StageError> {
    let sync = row.batch.envelope.sync_key();
    if end.outcome == Outcome::Superseded {
        // A newer version was applied: this failure is nobody's any more.
        shard.failures.remove(&sync, row.id(), None, row.version());
        context
            .hub
            .forget_failure(&sync.tenant, &sync.name, row.id(), None)
            .await?;
    } else {
        let object_type = Some(&row.target.object_type);
        remember(shard, context, &row.batch, object_type, &end.report(row)).await?;
    }
    tell(context, row, end).await?;
    if let Some(hubspot_id) = end.hubspot_id.filter(|_| end.tell) {
        let memory = &shard.tenant(&sync.tenant).memory;
        memory
            .set_told(&row.target.object_type, [(row.id(), hubspot_id)])
            .await?;
    }
    shard.retries.lock().remove(&(sync, row.id()));
    Ok(())
}

/// Has the record read again instead.
async fn give_up(
    shard: &LoaderShard,
    context: &ShardContext,
    failed: FailedRecord,
) -> Result<(), StageError> {
    let key = (failed.envelope.sync_key(), failed.id);
    context.hub.ask_reread(&read_again(&failed)).await?;
    let failed = FailedRecord {
        retry: false,
        ..failed
    };
    context.hub.remember_failure(&failed).await?;
    shard.retries.lock().remove(&key);
    Ok(())
}
