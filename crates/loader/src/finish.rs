//! Telling what became of a message, and taking it off its lane: the last step, in an order that a crash cannot hurt.

use std::sync::Arc;
use std::time::Duration;

use landbridge_bus::LinkPart;
use landbridge_model::{
    ChangeKind, Failure, Identities, Lane, ObjectTypeId, Outcome, RecordOutcome, Source, StageKind, Version,
    WriteBatch,
};
use landbridge_stage::{Delivery, ShardContext, StageError};
use landbridge_wire::{FailedRecord, HeldDelete, LinkMessage, Report, ReportBody, Reread};

use crate::known::Memory;
use crate::row::End;
use crate::shard::LoaderShard;

/// A message of which every row has ended.
pub(crate) struct Finished {
    pub(crate) delivery: Delivery,
    pub(crate) batch: Arc<WriteBatch>,
    /// `None` when the sync is not there.
    pub(crate) object_type: Option<ObjectTypeId>,
    pub(crate) ends: Vec<Option<End>>,
    pub(crate) held: Vec<HeldDelete>,
}

/// The rows' ends. What is left to be done of a row, failed or held, is nobody's any more when another lane applied a newer
/// version while the message was open.
fn without_overtaken(
    memory: &Memory,
    batch: &WriteBatch,
    object_type: Option<&ObjectTypeId>,
    ends: Vec<Option<End>>,
) -> Result<Vec<(usize, End)>, StageError> {
    let mut left = Vec::with_capacity(ends.len());
    for (row, end) in ends.into_iter().enumerate() {
        let Some(mut end) = end else { continue };
        if matches!(end.outcome, Outcome::Failed | Outcome::Held)
            && let Some(object_type) = object_type
            && memory
                .look(object_type, batch.ids[row], false)?
                .is_newer_than(batch.versions[row])
        {
            end = End::new(Outcome::Superseded, None);
        }
        left.push((row, end));
    }
    Ok(left)
}

/// Remembers failures and held deletes, tells the resolver and control, acknowledges. Each step may be repeated.
pub(crate) async fn finish(
    shard: &LoaderShard,
    context: &ShardContext,
    lane: Lane,
    done: Finished,
) -> Result<(), StageError> {
    let Finished {
        delivery,
        batch,
        object_type,
        ends,
        held,
    } = done;
    let memory = shard.tenant(&batch.envelope.tenant).memory.clone();
    let ends = without_overtaken(&memory, &batch, object_type.as_ref(), ends)?;
    let is_held = |delete: &HeldDelete| {
        let of_it = |(row, end): &(usize, End)| batch.ids[*row] == delete.id && end.outcome == Outcome::Held;
        ends.iter().any(of_it)
    };
    for delete in held.iter().filter(|delete| is_held(delete)) {
        context.hub.hold(delete).await?;
        shard
            .held
            .lock()
            .insert((batch.envelope.sync_key(), delete.id), delete.version);
    }
    let outcomes: Vec<RecordOutcome> = ends
        .iter()
        .map(|(row, end)| RecordOutcome {
            id: batch.ids[*row],
            version: batch.versions[*row],
            outcome: end.outcome,
            hubspot_id: end.hubspot_id,
            failure: end.failure.clone(),
        })
        .collect();
    for outcome in &outcomes {
        if matches!(
            outcome.outcome,
            Outcome::Created | Outcome::Updated | Outcome::Deleted
        ) {
            let lag = context.hub.now_ms().saturating_sub(outcome.version.stamp_ms);
            shard
                .metrics
                .arrived(lane, Duration::from_millis(u64::try_from(lag).unwrap_or(0)));
        }
        remember(shard, context, &batch, object_type.as_ref(), outcome).await?;
    }
    if let Some(object_type) = object_type.clone() {
        tell_resolver(context, lane, &batch, object_type, &ends, delivery.sequence).await?;
    }
    for outcome in Outcome::ALL {
        let count = outcomes.iter().filter(|one| one.outcome == outcome).count();
        if count > 0 {
            shard.metrics.records_settled(outcome, count as u64);
        }
    }
    if !outcomes.is_empty() {
        let report = Report {
            envelope: batch.envelope.clone(),
            stage: StageKind::Loader,
            at_ms: context.hub.now_ms(),
            org_ahead_ms: 0,
            body: ReportBody::Records(outcomes),
        };
        context.hub.report(&report).await?;
    }
    // Only now: a message that comes again because its telling was cut short is told as it was.
    if let Some(object_type) = object_type {
        let told = ends.iter().filter(|(_, end)| end.tell);
        let told = told.filter_map(|(row, end)| Some((batch.ids[*row], end.hubspot_id?)));
        memory.set_told(&object_type, told).await?;
    }
    delivery.ack().await
}

async fn tell_resolver(
    context: &ShardContext,
    lane: Lane,
    batch: &WriteBatch,
    object_type: ObjectTypeId,
    ends: &[(usize, End)],
    sequence: u64,
) -> Result<(), StageError> {
    let identities: Vec<landbridge_model::Identity> = ends
        .iter()
        .filter(|(_, end)| end.tell)
        .map(|(row, end)| landbridge_model::Identity {
            id: batch.ids[*row],
            hubspot_id: end.hubspot_id.filter(|_| end.outcome != Outcome::Deleted),
            version: batch.versions[*row],
        })
        .collect();
    if identities.is_empty() {
        return Ok(());
    }
    let envelope = batch.envelope.clone();
    let subject = context.hub.links(&envelope.tenant, lane, LinkPart::Identities);
    let message = LinkMessage::Identities(Identities {
        envelope,
        object_type,
        identities,
    });
    let cause = format!("identities of {}", sequence);
    context.hub.send(&subject, &cause, &message).await.map(drop)
}

/// Keeps the memories of failures and of held deletes true to what just happened.
pub(crate) async fn remember(
    shard: &LoaderShard,
    context: &ShardContext,
    batch: &WriteBatch,
    object_type: Option<&ObjectTypeId>,
    outcome: &RecordOutcome,
) -> Result<(), StageError> {
    match (&outcome.failure, outcome.outcome) {
        // The reason stands in the place of a failure's message, as with the mapper's filter.
        (_, Outcome::Filtered) => Ok(()),
        (Some(failure), _) => {
            shard.metrics.records_failed(failure.category, 1);
            fail(shard, context, batch, outcome, failure).await?;
            let Some(object_type) = object_type else {
                return Ok(());
            };
            // A newer version that landed since was told before the failure was there to be ended by it.
            let memory = &shard.tenant(&batch.envelope.tenant).memory;
            let known = memory.look(object_type, outcome.id, false)?;
            if known.is_newer_than(outcome.version) {
                end_failure(shard, context, batch, outcome).await?;
            }
            Ok(())
        }
        (None, Outcome::Held | Outcome::Superseded) => Ok(()),
        (None, _) => cure(shard, context, batch, outcome).await,
    }
}

/// What is kept of a refused row, so that a retry needs no call to Salesforce. A part of a row cannot stand alone, and a
/// delete carries nothing.
fn sent_again_as_it_was(batch: &WriteBatch, outcome: &RecordOutcome) -> Option<WriteBatch> {
    let is_it = |row: &usize| batch.ids[*row] == outcome.id && batch.versions[*row] == outcome.version;
    let row = (0..batch.ids.len()).find(is_it)?;
    let stands_alone = batch.kinds[row] == ChangeKind::Upsert && batch.envelope.only.is_none();
    stands_alone.then(|| batch.select(&[row]))
}

async fn fail(
    shard: &LoaderShard,
    context: &ShardContext,
    batch: &WriteBatch,
    outcome: &RecordOutcome,
    failure: &Failure,
) -> Result<(), StageError> {
    let attempts = shard
        .failures
        .add(batch.envelope.sync_key(), outcome.id, None, outcome.version);
    let failed = FailedRecord {
        envelope: batch.envelope.clone(),
        id: outcome.id,
        version: outcome.version,
        stage: StageKind::Loader,
        failure: failure.clone(),
        at_ms: context.hub.now_ms(),
        attempts,
        link_field: None,
        write: sent_again_as_it_was(batch, outcome),
        retry: false,
    };
    context.hub.remember_failure(&failed).await?;
    shard.later.put_off(&failed);
    // The sync was edited while the row was on its way: the edit may be the cure.
    let runs = context.config.sync(&batch.envelope.tenant, &batch.envelope.sync);
    if runs.is_some_and(|sync| batch.envelope.revision < sync.revision) {
        context.hub.ask_reread(&read_again(&failed)).await?;
    }
    Ok(())
}

/// The wish that a refused record be read again, as a whole and in no run.
pub(crate) fn read_again(failed: &FailedRecord) -> Reread {
    let mut envelope = failed.envelope.clone();
    (envelope.run, envelope.source, envelope.only) = (None, Source::Reread, None);
    Reread {
        envelope,
        id: failed.id,
        reason: "it was refused under an older revision of the sync".to_owned(),
    }
}

/// Ends the failure of an equal or older version.
async fn end_failure(
    shard: &LoaderShard,
    context: &ShardContext,
    batch: &WriteBatch,
    outcome: &RecordOutcome,
) -> Result<(), StageError> {
    let sync = batch.envelope.sync_key();
    if shard.failures.remove(&sync, outcome.id, None, outcome.version) {
        context
            .hub
            .forget_failure(&sync.tenant, &sync.name, outcome.id, None)
            .await?;
    }
    Ok(())
}

/// A success of an equal or newer version ends a failure, and a held delete of an older one.
async fn cure(
    shard: &LoaderShard,
    context: &ShardContext,
    batch: &WriteBatch,
    outcome: &RecordOutcome,
) -> Result<(), StageError> {
    end_failure(shard, context, batch, outcome).await?;
    let sync = batch.envelope.sync_key();
    if outcome.outcome == Outcome::Deleted {
        // Nothing is left that could be linked.
        for (field, _) in shard.failures.of_record(&sync, outcome.id) {
            if shard
                .failures
                .remove(&sync, outcome.id, field.as_deref(), outcome.version)
            {
                let forgotten =
                    context
                        .hub
                        .forget_failure(&sync.tenant, &sync.name, outcome.id, field.as_deref());
                forgotten.await?;
            }
        }
    }
    let key = (sync, outcome.id);
    let newer = |held: &Version| !outcome.version.is_superseded_by(*held);
    let released = shard.held.lock().get(&key).is_some_and(newer);
    if released {
        context
            .hub
            .release_held(&key.0.tenant, &key.0.name, outcome.id)
            .await?;
        shard.held.lock().remove(&key);
    }
    Ok(())
}
