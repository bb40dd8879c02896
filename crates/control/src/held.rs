//! Held deletes: listed, and decided by a person. The loader does what was decided: it alone writes.

use std::time::Duration;

use landbridge_model::ask::{DecideHeld, Decided, HeldDecision};
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::ShardContext;
use landbridge_wire::{AskError, HeldDelete};

use crate::ask::{HeldEntry, ListHeld};
use crate::definitions;
use crate::shard::unavailable;

/// How long the loader may take to note a decision on all deletes of a sync: a message for each.
const DECIDE: Duration = Duration::from_secs(240);

/// What is held, the oldest first.
pub(crate) async fn list(
    context: &ShardContext,
    tenant: &TenantId,
    ask: &ListHeld,
) -> Result<Vec<HeldEntry>, AskError> {
    let held = context
        .hub
        .held(tenant, ask.sync.as_ref())
        .await
        .map_err(unavailable)?;
    let mut entries: Vec<HeldEntry> = held.into_iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.deleted_ms);
    Ok(entries)
}

fn entry(held: HeldDelete) -> HeldEntry {
    HeldEntry {
        sync: held.envelope.sync,
        id: held.id,
        deleted_ms: held.version.stamp_ms,
        until_ms: held.until_ms,
        reason: held.reason,
    }
}

/// Passes a person's word on. Deletes of a sync that does not run cannot be written, so they cannot be approved.
pub(crate) async fn decide(
    context: &ShardContext,
    tenant: &TenantId,
    ask: DecideHeld,
) -> Result<Decided, AskError> {
    let sync = definitions::stored(context, tenant, &ask.sync)?;
    if ask.decision == HeldDecision::Approve && sync.resolved.is_none() {
        let what = format!(
            "{} was never turned on or imported: there is nothing of it to delete",
            ask.sync
        );
        return Err(AskError::new(landbridge_wire::AskErrorCode::Invalid, what));
    }
    context.hub.ask(StageKind::Loader, tenant, &ask, DECIDE).await
}
