//! Deletes of all that a sync wrote, before the sync itself is removed: found by listing, and held like any other delete.
//! What the safety limit allows is due at once, the rest waits for a person's word.

use std::time::Instant;

use landbridge_hubspot::records::Record;
use landbridge_hubspot::{Client, Share};
use landbridge_model::ask::{HeldPage, HoldWritten};
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::{Envelope, Purpose, SalesforceId, Source, SyncKey, TenantId, Version};
use landbridge_wire::{AskError, AskErrorCode, HeldDelete};

use crate::answers::internal;
use crate::portal::ask_error;
use crate::shard::LoaderShard;
use crate::target::{Target, find};

/// Holds the deletes of one page of the sync's object type. Records that Landbridge did not write are passed over, and so
/// are those that are held already: whatever was said of them stands.
pub(crate) async fn hold_page(
    shard: &LoaderShard,
    client: &Client,
    tenant: &TenantId,
    question: &HoldWritten,
) -> Result<HeldPage, AskError> {
    let target = find(&shard.context, tenant, &question.sync).await;
    let target = target.ok_or_else(|| {
        let what = format!(
            "{} was never turned on or imported: it has written nothing",
            question.sync
        );
        AskError::new(AskErrorCode::NotFound, what)
    })?;
    let wanted = [target.id_property.as_str(), VERSION_PROPERTY];
    let after = question.after.as_deref();
    let reply = client
        .list_records(Share::Bulk, &target.object_type, &wanted, after, false)
        .await
        .map_err(|error| ask_error(&error))?;
    let listed = reply.records(&wanted).map_err(|error| ask_error(&error))?;
    let written: Vec<(SalesforceId, Version)> = listed.results.iter().filter_map(ours).collect();
    let mut page = HeldPage {
        after: listed.after,
        ..HeldPage::default()
    };
    let sync = SyncKey {
        tenant: tenant.clone(),
        name: question.sync.clone(),
    };
    let memory = &shard.tenant(tenant).memory;
    let is_held = |id| shard.held.lock().contains_key(&(sync.clone(), id));
    let is_due = |delete| {
        let records = || memory.count(&target.object_type);
        let limit = target.max_deletes;
        shard.deletes.allow(&sync, delete, limit, records, Instant::now())
    };
    let judged: Vec<((SalesforceId, Version), bool)> = written
        .into_iter()
        .filter(|(id, _)| !is_held(*id))
        .map(|delete| (delete, is_due(delete)))
        .collect();
    shard
        .deletes
        .put_down(&shard.context, tenant)
        .await
        .map_err(internal)?;
    for ((id, version), is_due) in judged {
        let held = held(
            &target,
            &sync,
            id,
            version,
            is_due.then(|| shard.context.hub.now_ms()),
        );
        shard.context.hub.hold(&held).await.map_err(internal)?;
        shard.held.lock().insert((sync.clone(), id), version);
        if is_due {
            page.due += 1;
        } else {
            page.waiting += 1;
        }
    }
    Ok(page)
}

/// The record and its version, when Landbridge wrote it.
fn ours(record: &Record<'_>) -> Option<(SalesforceId, Version)> {
    let [id, version] = record.values.as_slice() else {
        return None;
    };
    let id = SalesforceId::parse(id.as_deref()?).ok()?;
    Some((id, version.as_deref()?.parse().ok()?))
}

/// By the version that the record has: what somebody writes to it after that is newer, and keeps it.
fn held(
    target: &Target,
    sync: &SyncKey,
    id: SalesforceId,
    version: Version,
    until_ms: Option<i64>,
) -> HeldDelete {
    let reason = match until_ms {
        Some(_) => "the sync is deleted with what it wrote",
        None => {
            "the sync is deleted with what it wrote, which is more than its safety limit allows within an hour"
        }
    };
    HeldDelete {
        envelope: Envelope {
            tenant: sync.tenant.clone(),
            sync: sync.name.clone(),
            revision: target.sync.revision,
            purpose: Purpose::Apply,
            source: Source::Repair,
            run: None,
            force: false,
            only: None,
        },
        id,
        version,
        until_ms,
        reason: reason.to_owned(),
    }
}
