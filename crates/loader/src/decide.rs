//! What can be said of a row without a call.

use std::collections::HashMap;
use std::time::Instant;

use landbridge_model::sync::DeleteRule;
use landbridge_model::{ObjectTypeId, Outcome, Source, WriteBatch};
use landbridge_stage::{LaneContext, StageError};
use landbridge_wire::HeldDelete;

use crate::deletes::settled_by_memory;
use crate::known::{Fingerprint, Judgement, Known, Memory, judge};
use crate::portal::Tenant;
use crate::row::{End, Row};
use crate::shard::LoaderShard;

/// Rows of one group can share a call.
pub(crate) fn group_of(row: &Row) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (&row.target.object_type, &row.target.id_property, row.is_upsert()).hash(&mut hasher);
    hasher.finish()
}

/// Stands for the values that a row carries.
pub(crate) fn fingerprint(batch: &WriteBatch, index: usize) -> Fingerprint {
    Fingerprint::of(batch.table.iter().map(|(name, column)| (name, column.get(index))))
}

/// What can be said of a row without a call: its end, or `None` when it must be sent.
pub(crate) fn decide(
    tenant: &Tenant,
    shard: &LoaderShard,
    lane: &LaneContext,
    row: &Row,
    counted: &mut HashMap<ObjectTypeId, usize>,
) -> Result<Option<(End, Option<HeldDelete>)>, StageError> {
    let memory: &Memory = &tenant.memory;
    let object_type = &row.target.object_type;
    let complete = memory.is_complete(object_type)?;
    let known = memory.look(object_type, row.id(), complete)?;
    if row.is_upsert() {
        let unwritten = matches!(known, Known::Absent | Known::Gone(_));
        if row.only().is_some() && unwritten {
            return Ok(Some((End::not_filled(), None)));
        }
        let (outcome, present) = match judge(known, row.version(), row.fingerprint, row.force()) {
            Judgement::Look | Judgement::Write => return Ok(None),
            // Its message came again before it was told of.
            Judgement::Unchanged if known.was_made_at(row.version()) => (Outcome::Created, known),
            Judgement::Unchanged => (Outcome::Unchanged, known),
            Judgement::Superseded => (Outcome::Superseded, known),
        };
        return Ok(Some((ended(outcome, present), None)));
    }
    if row.target.deletes == DeleteRule::DoNothing {
        return Ok(Some((ended(Outcome::Kept, known).told(false), None)));
    }
    if let Some(end) = settled_by_memory(known, row.version()) {
        if end.outcome == Outcome::Deleted {
            // Also of a record that HubSpot never had: an older row of it may still be on its way.
            memory.bury(object_type, row.id(), row.version())?;
        }
        return Ok(Some((end, None)));
    }
    if row.attempts > 0 {
        return Ok(None);
    }
    let held = |until_ms, reason: String| HeldDelete {
        envelope: row.batch.envelope.clone(),
        id: row.id(),
        version: row.version(),
        until_ms,
        reason,
    };
    if row.batch.envelope.source == Source::Reconcile {
        // What was found missing before stays as it is held: a person may have decided by now.
        let key = (row.batch.envelope.sync_key(), row.id());
        let is_held = shard.held.lock().contains_key(&key);
        let reason = "Salesforce shows it no more: it was purged, or hidden by sharing from Landbridge's user, who does not \
                      demonstrably have View All on the object, or the org that was adopted never had it"
            .to_owned();
        let held = (!is_held).then(|| held(None, reason));
        return Ok(Some((ended(Outcome::Held, known).told(false), held)));
    }
    let records = || {
        *counted
            .entry(object_type.clone())
            .or_insert_with(|| memory.count(object_type))
    };
    let sync = row.batch.envelope.sync_key();
    // Also where there is a grace: a mass delete that nobody looks at would only come later.
    let allowed = shard.deletes.allow(
        &sync,
        (row.id(), row.version()),
        row.target.max_deletes,
        records,
        Instant::now(),
    );
    let waits = match row.target.grace {
        _ if !allowed => held(
            None,
            "more deletes within an hour than the sync's safety limit allows".to_owned(),
        ),
        Some(grace) => {
            let until = lane.shard.hub.now_ms() + i64::try_from(grace.as_millis()).unwrap_or(i64::MAX / 2);
            let reason = format!("in its grace period of {}", humantime::format_duration(grace));
            held(Some(until), reason)
        }
        None => return Ok(None),
    };
    Ok(Some((ended(Outcome::Held, known).told(false), Some(waits))))
}

/// An end without a call; the resolver is told of a record that it may not have heard of.
fn ended(outcome: Outcome, known: Known) -> End {
    match known {
        Known::Present(present) => End::new(outcome, Some(present.id)).told(!present.told),
        Known::Nothing | Known::Absent | Known::Gone(_) => End::new(outcome, None),
    }
}
