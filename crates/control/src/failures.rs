//! Failures: listed, tried again, repaired.

use futures::{StreamExt, TryStreamExt};
use landbridge_model::ask::{FailureEntry, ListFailures};
use landbridge_model::{Envelope, Purpose, SalesforceId, Source, SyncName, TenantId};
use landbridge_stage::ShardContext;
use landbridge_wire::{AskError, AskErrorCode, FailedRecord, Reread};

use crate::ask::{DismissFailure, Done, Repair, Retried, RetryFailures};
use crate::shard::unavailable;

/// Wishes stored at once: each has a subject of its own.
const TOGETHER: usize = 64;

/// What was refused, newest first.
pub(crate) async fn list(
    context: &ShardContext,
    tenant: &TenantId,
    ask: &ListFailures,
) -> Result<Vec<FailureEntry>, AskError> {
    let failures = context
        .hub
        .failures(tenant, ask.sync.as_ref())
        .await
        .map_err(unavailable)?;
    let mut entries: Vec<FailureEntry> = failures
        .into_iter()
        .filter(|failed| ask.id.is_none_or(|id| id == failed.id))
        .map(entry)
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at_ms));
    Ok(entries)
}

fn entry(failed: FailedRecord) -> FailureEntry {
    FailureEntry {
        run: failed.envelope.run,
        sync: failed.envelope.sync,
        id: failed.id,
        version: failed.version,
        stage: failed.stage,
        failure: failed.failure,
        at_ms: failed.at_ms,
        attempts: failed.attempts,
        link_field: failed.link_field,
    }
}

/// Asks for refused records to be read again. What is refused again fails again, with the reason of that time.
pub(crate) async fn retry(
    context: &ShardContext,
    tenant: &TenantId,
    ask: RetryFailures,
) -> Result<Retried, AskError> {
    let failures = context
        .hub
        .failures(tenant, ask.sync.as_ref())
        .await
        .map_err(unavailable)?;
    let wanted = failures.iter().filter(|failed| {
        ask.category
            .is_none_or(|category| category == failed.failure.category)
            && (ask.ids.is_empty() || ask.ids.contains(&failed.id))
    });
    // A record may have failed links as well: it is read once.
    let mut records: Vec<(SyncName, SalesforceId)> = wanted
        .map(|failed| (failed.envelope.sync.clone(), failed.id))
        .collect();
    records.sort_unstable();
    records.dedup();
    reread(
        context,
        tenant,
        &records,
        Source::Reread,
        "a person asked to retry its failure",
    )
    .await
}

/// Strikes a record's failures off the list.
pub(crate) async fn dismiss(
    context: &ShardContext,
    tenant: &TenantId,
    ask: &DismissFailure,
) -> Result<Done, AskError> {
    let failures = context
        .hub
        .failures(tenant, Some(&ask.sync))
        .await
        .map_err(unavailable)?;
    let found = failures.into_iter().filter(|failed| failed.id == ask.id);
    let links: Vec<Option<String>> = found.map(|failed| failed.link_field).collect();
    if links.is_empty() {
        let what = format!("{} has no failure in {}", ask.id, ask.sync);
        return Err(AskError::new(AskErrorCode::NotFound, what));
    }
    for link in &links {
        let link = link.as_deref();
        let forgotten = context.hub.forget_failure(tenant, &ask.sync, ask.id, link).await;
        forgotten.map_err(unavailable)?;
    }
    Ok(Done {})
}

/// Asks for records to be read again and written whatever was written before.
pub(crate) async fn repair(
    context: &ShardContext,
    tenant: &TenantId,
    ask: Repair,
) -> Result<Retried, AskError> {
    let records: Vec<_> = ask.ids.iter().map(|id| (ask.sync.clone(), *id)).collect();
    reread(
        context,
        tenant,
        &records,
        Source::Repair,
        "verify found that it differs",
    )
    .await
}

async fn reread(
    context: &ShardContext,
    tenant: &TenantId,
    records: &[(SyncName, SalesforceId)],
    source: Source,
    reason: &str,
) -> Result<Retried, AskError> {
    let wishes = records.iter().filter_map(|(sync, id)| {
        let stored = context.config.sync(tenant, sync)?;
        let envelope = Envelope {
            tenant: tenant.clone(),
            sync: sync.clone(),
            revision: stored.revision,
            purpose: Purpose::Apply,
            source,
            run: None,
            force: source == Source::Repair,
            only: None,
        };
        Some(Reread {
            envelope,
            id: *id,
            reason: reason.to_owned(),
        })
    });
    let wishes: Vec<Reread> = wishes.collect();
    let stored = futures::stream::iter(wishes)
        .map(|wish| async move { context.hub.ask_reread(&wish).await })
        .buffer_unordered(TOGETHER)
        .try_fold(0u64, |count, ()| async move { Ok(count + 1) });
    let records = stored.await.map_err(unavailable)?;
    Ok(Retried { records })
}
