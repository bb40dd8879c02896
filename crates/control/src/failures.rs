//! Failures: listed, tried again, repaired.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use landbridge_model::ask::{FailureEntry, ListFailures, SendAgain};
use landbridge_model::{Envelope, Purpose, SalesforceId, Source, StageKind, SyncName, TenantId};
use landbridge_stage::ShardContext;
use landbridge_wire::{AskError, AskErrorCode, FailedRecord, Reread};

use crate::ask::{DismissFailure, Done, Repair, Retried, RetryFailures};
use crate::shard::unavailable;

/// Wishes stored at once: each has a subject of its own.
const TOGETHER: usize = 64;
/// How long the loader may take to note which rows are to be sent again.
const SEND: Duration = Duration::from_secs(30);

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

/// Has refused records tried again: what HubSpot refused is sent again as it was, anything else is read again. What is refused
/// again fails again, with the reason of that time.
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
    // A record may have failed links as well: it is read, or sent, once.
    let mut records: BTreeSet<(SyncName, SalesforceId)> = BTreeSet::new();
    let mut writes: BTreeMap<SyncName, BTreeSet<SalesforceId>> = BTreeMap::new();
    for failed in wanted {
        let sync = failed.envelope.sync.clone();
        if failed.write.is_some() {
            writes.entry(sync.clone()).or_default().insert(failed.id);
        }
        records.insert((sync, failed.id));
    }
    // A link that failed is decided anew from the record itself.
    for failed in failures.iter().filter(|failed| failed.link_field.is_some()) {
        if let Some(ids) = writes.get_mut(&failed.envelope.sync) {
            ids.remove(&failed.id);
        }
    }
    let mut sent = 0;
    for (sync, ids) in writes {
        let ids = ids.into_iter().collect();
        let question = SendAgain {
            sync: sync.clone(),
            ids,
        };
        let again = context
            .hub
            .ask(StageKind::Loader, tenant, &question, SEND)
            .await?;
        sent += again.ids.len() as u64;
        for id in again.ids {
            records.remove(&(sync.clone(), id));
        }
    }
    let records: Vec<(SyncName, SalesforceId)> = records.into_iter().collect();
    let reason = "a person asked to retry its failure";
    let read = reread(context, tenant, &records, Source::Reread, reason).await?;
    Ok(Retried {
        records: sent + read.records,
    })
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

/// Asks for records to be read again.
pub(crate) async fn reread(
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
