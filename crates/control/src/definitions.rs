//! Definitions: applied declaratively, resolved against both systems, turned on and off, removed.

pub(crate) mod back_fill;
mod resolve;
pub(crate) mod revisions;
mod tenants;

use std::time::Duration;

use landbridge_bus::{Bucket, Filter, Key, StreamName};
use landbridge_model::ask::CountRecords;
use landbridge_model::config::{Resolved, Sync, SyncStatus, Tenant};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{Problem, Revision, StageKind, SyncKey, SyncName, TenantId};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::{AskError, AskErrorCode};
use sha2::{Digest, Sha256};

use crate::ask::{
    Applied, AppliedSync, ApplySyncs, Change, CountMatching, Done, EditSyncs, Expected, MatchingCount,
    RemoveSyncs, SetSyncs, StartDryRun, WrittenRecords,
};
use crate::shard::{ControlShard, unavailable};
pub(crate) use resolve::Preview;
use resolve::Resolver;
pub use tenants::tenant_tag;
pub(crate) use tenants::{change_tenant, put_tenant, remove_tenant, test_connections};

/// Counting large objects takes Salesforce a while.
const COUNT: Duration = Duration::from_secs(120);

/// The tenant, or an error that names those there are.
pub(crate) fn tenant(context: &ShardContext, tenant: &TenantId) -> Result<std::sync::Arc<Tenant>, AskError> {
    context.config.tenant(tenant).ok_or_else(|| {
        AskError::new(
            AskErrorCode::NotFound,
            format!("there is no tenant {tenant}; add it with: landbridge tenant add {tenant}"),
        )
    })
}

/// The sync, or an error that names those there are.
pub(crate) fn stored(context: &ShardContext, tenant: &TenantId, name: &SyncName) -> Result<Sync, AskError> {
    if let Some(sync) = context.config.sync(tenant, name) {
        return Ok((*sync).clone());
    }
    let syncs = context.config.syncs(tenant);
    let names: Vec<&str> = syncs
        .iter()
        .map(|sync| sync.definition.metadata.name.as_str())
        .collect();
    let there_are = match names.as_slice() {
        [] => "it has none yet: apply a file with landbridge sync apply -f".to_owned(),
        names => format!("it has {}", names.join(", ")),
    };
    Err(AskError::new(
        AskErrorCode::NotFound,
        format!("{tenant} has no sync {name}; {there_are}"),
    ))
}

/// What applying a definition does to what is stored.
pub(crate) fn plan(stored: Option<&Sync>, definition: &SyncDefinition) -> (Change, Revision) {
    match stored {
        None => (Change::Created, Revision(1)),
        Some(sync) if sync.definition == *definition => (Change::Unchanged, sync.revision),
        Some(sync) => (Change::Changed, Revision(sync.revision.0 + 1)),
    }
}

/// The sync after its definition was edited or its schemas were read afresh. A revision is one definition against one
/// pair of schemas: when either changes, it is another one, so that nobody maps with a plan of the old schemas.
pub(crate) fn next(stored: Option<Sync>, definition: &SyncDefinition, resolved: Option<Resolved>) -> Sync {
    let (change, revision) = plan(stored.as_ref(), definition);
    let Some(stored) = stored else {
        return Sync {
            definition: definition.clone(),
            revision,
            status: SyncStatus::Draft,
            reason: None,
            resolved,
            activation: 0,
        };
    };
    let schemas_differ = match (&stored.resolved, &resolved) {
        (Some(before), Some(now)) => before != now,
        _ => false,
    };
    let revision = match change {
        Change::Unchanged if schemas_differ => Revision(stored.revision.0 + 1),
        _ => revision,
    };
    // A definition that was edited and not resolved yet must not run with the schemas of the one before it.
    let kept = if change == Change::Unchanged {
        stored.resolved
    } else {
        None
    };
    Sync {
        definition: definition.clone(),
        revision,
        resolved: resolved.or(kept),
        ..stored
    }
}

/// The sync with another status.
pub(crate) fn with_status(sync: Sync, status: SyncStatus) -> Sync {
    // Only a first activation begins anew; a sync that was stopped goes on from its checkpoint.
    let begins = status == SyncStatus::Active && sync.status == SyncStatus::Draft;
    let activation = sync.activation + u32::from(begins);
    Sync {
        status,
        reason: None,
        activation,
        ..sync
    }
}

/// Stands for a definition's content: the same content has the same tag.
pub fn definition_tag(definition: &SyncDefinition) -> String {
    let json =
        serde_json::to_vec(definition).expect("a definition is made of texts, lists and maps of texts");
    hex::encode(&Sha256::digest(&json)[..16])
}

/// Applies definitions: all of them, or, when one has a problem, none.
pub(crate) async fn apply(
    shard: &ControlShard,
    tenant_id: &TenantId,
    ask: ApplySyncs,
) -> Result<Applied, AskError> {
    let edit = EditSyncs {
        definitions: ask.definitions,
        expected: Vec::new(),
        by: String::new(),
    };
    if !ask.dry_run {
        refuse_undoing(shard, tenant_id, &edit.definitions).await?;
    }
    apply_all(shard, tenant_id, edit, ask.dry_run, false).await
}

/// Applies definitions, if what is there is what their editor has seen.
pub(crate) async fn edit(
    shard: &ControlShard,
    tenant_id: &TenantId,
    ask: EditSyncs,
) -> Result<Applied, AskError> {
    refuse_undoing(shard, tenant_id, &ask.definitions).await?;
    edit_seen(shard, tenant_id, ask).await
}

/// What a revision's undo goes back to is not edited meanwhile.
async fn refuse_undoing(
    shard: &ControlShard,
    tenant_id: &TenantId,
    definitions: &[SyncDefinition],
) -> Result<(), AskError> {
    let names = definitions
        .iter()
        .map(|definition| definition.metadata.name.clone());
    let names: Vec<SyncName> = names.collect();
    crate::undo::refuse_undoing_revision(&shard.context, tenant_id, &names).await
}

async fn edit_seen(shard: &ControlShard, tenant_id: &TenantId, ask: EditSyncs) -> Result<Applied, AskError> {
    for expected in &ask.expected {
        let stored = shard.context.config.sync(tenant_id, &expected.name);
        still_so(expected, stored.as_deref())?;
    }
    apply_all(shard, tenant_id, ask, false, true).await
}

/// What is there and is not what its editor wants must have been seen: nothing is overwritten unseen.
fn unseen(wanted: &SyncDefinition, stored: Option<&Sync>) -> Result<(), AskError> {
    match stored {
        Some(stored) if stored.definition != *wanted => {
            let name = &wanted.metadata.name;
            let what =
                format!("there is a sync {name}, and it is not said what was seen of it; look at it first");
            Err(AskError::new(AskErrorCode::Conflict, what))
        }
        _ => Ok(()),
    }
}

fn still_so(expected: &Expected, stored: Option<&Sync>) -> Result<(), AskError> {
    let stored = stored.map(|sync| definition_tag(&sync.definition));
    if stored == expected.tag {
        return Ok(());
    }
    let name = &expected.name;
    let what = match (&expected.tag, &stored) {
        (None, _) => format!("there is a sync {name} already; look at it before you change it"),
        (Some(_), None) => format!("the sync {name} was removed since"),
        (Some(_), Some(_)) => {
            format!("the sync {name} was changed since; look at it again, and repeat the change")
        }
    };
    Err(AskError::new(AskErrorCode::Conflict, what))
}

/// What is wrong with a definition as both systems are now.
pub(crate) async fn problems_of(
    shard: &ControlShard,
    tenant_id: &TenantId,
    definition: &SyncDefinition,
) -> Result<Vec<Problem>, AskError> {
    let mut resolver = Resolver::new(shard, tenant_id, std::slice::from_ref(definition));
    Ok(resolver.check(definition).await?.problems)
}

async fn apply_all(
    shard: &ControlShard,
    tenant_id: &TenantId,
    ask: EditSyncs,
    dry_run: bool,
    only_seen: bool,
) -> Result<Applied, AskError> {
    let context = &shard.context;
    tenant(context, tenant_id)?;
    let mut resolver = Resolver::new(shard, tenant_id, &ask.definitions);
    let mut applied = Applied::default();
    for definition in &ask.definitions {
        applied.syncs.push(resolver.check(definition).await?);
    }
    if dry_run || applied.has_problems() {
        return Ok(applied);
    }
    for (definition, line) in ask.definitions.iter().zip(&mut applied.syncs) {
        let runs = context
            .config
            .sync(tenant_id, &line.name)
            .is_some_and(|sync| sync.status != SyncStatus::Draft || sync.resolved.is_some());
        // What runs must be resolved at once; a draft waits until it is turned on or imported.
        let resolved = if runs && line.change != Change::Unchanged {
            let (resolved, provisioned) = resolver.provision(definition).await?;
            line.provisioned = provisioned;
            Some(resolved)
        } else {
            None
        };
        if line.change != Change::Unchanged {
            let key = definition.key();
            let expected = ask.expected.iter().find(|expected| expected.name == key.name);
            let written = write(context, &key, Some(&ask.by), |stored| {
                // Once more, under the lock of the bucket: somebody may have come first.
                match expected {
                    Some(expected) => still_so(expected, stored.as_ref())?,
                    None if only_seen => unseen(definition, stored.as_ref())?,
                    None => {}
                }
                Ok(next(stored, definition, resolved.clone()))
            });
            let sync = written.await?;
            line.revision = sync.revision;
            applied.written = true;
        }
    }
    Ok(applied)
}

/// Holds a definition that is not applied against both systems, and resolves it without creating anything: what is
/// missing is said to be. No preview when there is a problem.
pub(crate) async fn preview(
    shard: &ControlShard,
    tenant_id: &TenantId,
    ask: &StartDryRun,
) -> Result<(AppliedSync, Option<Preview>), AskError> {
    let known = tenant(&shard.context, tenant_id)?;
    if let Some(why) = &known.suspended {
        let what = format!("{tenant_id} is suspended, and nothing is read for it: {why}");
        return Err(AskError::new(AskErrorCode::Invalid, what));
    }
    let mut coming = ask.together.clone();
    coming.retain(|other| other.key() != ask.definition.key());
    coming.push(ask.definition.clone());
    let mut resolver = Resolver::new(shard, tenant_id, &coming);
    if let Some(proposed) = &ask.proposed {
        resolver.propose(proposed.clone()).await?;
    }
    let checked = resolver.check(&ask.definition).await?;
    if !checked.problems.is_empty() {
        return Ok((checked, None));
    }
    let preview = resolver.preview(&ask.definition, checked.revision).await?;
    Ok((checked, Some(preview)))
}

/// Counts the records of a definition's object that its filter lets through.
pub(crate) async fn count_matching(
    shard: &ControlShard,
    tenant_id: &TenantId,
    ask: &CountMatching,
) -> Result<MatchingCount, AskError> {
    tenant(&shard.context, tenant_id)?;
    let mut resolver = Resolver::new(shard, tenant_id, &[]);
    let draft = resolver.filter_alone(&ask.definition).await?;
    count(&shard.context, tenant_id, draft).await
}

/// Counts the records of a resolved definition.
pub(crate) async fn count(
    context: &ShardContext,
    tenant_id: &TenantId,
    draft: Sync,
) -> Result<MatchingCount, AskError> {
    let question = CountRecords {
        sync: draft.definition.metadata.name.clone(),
        draft: Some(Box::new(draft)),
    };
    let counted = context
        .hub
        .ask(StageKind::Extractor, tenant_id, &question, COUNT)
        .await?;
    Ok(MatchingCount {
        matching: counted.count,
        total: counted.total,
        exact: counted.exact,
    })
}

async fn write(
    context: &ShardContext,
    key: &SyncKey,
    by: Option<&str>,
    mut change: impl FnMut(Option<Sync>) -> Result<Sync, AskError> + Send,
) -> Result<Sync, AskError> {
    let (kv, now_ms) = (context.hub.bus().kv(Bucket::Config), context.hub.now_ms());
    // What is replaced must be among the revisions: the process may have ended between a change and its record.
    if let Some(before) = context.config.sync(&key.tenant, &key.name) {
        revisions::keep(&kv, &before, None, now_ms)
            .await
            .map_err(|error| unavailable(error.into()))?;
    }
    let written = context
        .config
        .change_sync(key, |stored| change(stored).map(Some))
        .await;
    let written = written.map_err(unavailable)??;
    let sync =
        written.ok_or_else(|| AskError::new(AskErrorCode::Internal, format!("{key} was not written")))?;
    revisions::keep(&kv, &sync, by.filter(|by| !by.is_empty()), now_ms)
        .await
        .map_err(|error| unavailable(error.into()))?;
    Ok(sync)
}

/// Resolves stored syncs against both systems as they are now, creates in HubSpot what they need, and stores the
/// result. All are checked before anything is created.
pub(crate) async fn resolve_stored(
    shard: &ControlShard,
    tenant_id: &TenantId,
    names: &[SyncName],
) -> Result<Vec<AppliedSync>, AskError> {
    let context = &shard.context;
    let tenant = tenant(context, tenant_id)?;
    if let Some(why) = &tenant.suspended {
        return Err(AskError::new(
            AskErrorCode::Invalid,
            format!("{tenant_id} is suspended: {why}"),
        ));
    }
    let mut syncs = Vec::new();
    for name in names {
        syncs.push(stored(context, tenant_id, name)?);
    }
    let mut resolver = Resolver::new(shard, tenant_id, &[]);
    let mut lines = Vec::new();
    for sync in &syncs {
        lines.push(resolver.check(&sync.definition).await?);
    }
    if lines.iter().any(|line| !line.problems.is_empty()) {
        return Ok(lines);
    }
    for (sync, line) in syncs.iter().zip(&mut lines) {
        let (resolved, provisioned) = resolver.provision(&sync.definition).await?;
        let key = sync.key();
        let definition = &sync.definition;
        let written = write(context, &key, None, |stored| {
            // Edited meanwhile: what was resolved is of another definition, and the edit resolves itself.
            Ok(match stored {
                Some(stored) if stored.definition != *definition => stored,
                stored => next(stored, definition, Some(resolved.clone())),
            })
        })
        .await?;
        line.revision = written.revision;
        line.provisioned = provisioned;
    }
    Ok(lines)
}

/// Turns syncs on, or pauses them.
pub(crate) async fn set_status(
    shard: &ControlShard,
    tenant_id: &TenantId,
    ask: SetSyncs,
) -> Result<Applied, AskError> {
    let context = &shard.context;
    let mut applied = match ask.status {
        SyncStatus::Active => {
            crate::removals::refuse_removed(context, tenant_id, &ask.names).await?;
            crate::undo::refuse_undoing(context, tenant_id, &ask.names).await?;
            let lines = resolve_stored(shard, tenant_id, &ask.names).await?;
            Applied {
                syncs: lines,
                written: false,
            }
        }
        SyncStatus::Paused => {
            let mut lines = Vec::new();
            for name in &ask.names {
                let sync = stored(context, tenant_id, name)?;
                if sync.status == SyncStatus::Draft {
                    let what = format!("{name} is a draft: it does not run, so there is nothing to pause");
                    return Err(AskError::new(AskErrorCode::Invalid, what));
                }
                lines.push(AppliedSync {
                    name: name.clone(),
                    change: Change::Unchanged,
                    revision: sync.revision,
                    stored_tag: Some(definition_tag(&sync.definition)),
                    problems: Vec::new(),
                    notes: Vec::new(),
                    provisioned: Vec::new(),
                    touched_properties: Vec::new(),
                    touched_lookups: Vec::new(),
                });
            }
            Applied {
                syncs: lines,
                written: false,
            }
        }
        other => {
            let what = format!("a sync cannot be made {} by hand", other.as_str());
            return Err(AskError::new(AskErrorCode::Invalid, what));
        }
    };
    if applied.has_problems() {
        return Ok(applied);
    }
    for line in &mut applied.syncs {
        let key = SyncKey {
            tenant: tenant_id.clone(),
            name: line.name.clone(),
        };
        let gone = || AskError::new(AskErrorCode::NotFound, format!("{key} was removed meanwhile"));
        let changed = context
            .config
            .change_sync(&key, |stored| match stored {
                None => Err(gone()),
                Some(sync) if sync.status == ask.status => Ok(None),
                Some(sync) => Ok(Some(with_status(sync, ask.status))),
            })
            .await;
        let is_new = changed.map_err(unavailable)??.is_some();
        line.change = if is_new {
            Change::Changed
        } else {
            Change::Unchanged
        };
        applied.written |= is_new;
    }
    Ok(applied)
}

/// Removes syncs, their positions, and what waits for them; what they wrote to HubSpot first, when it is to go too.
pub(crate) async fn remove(
    shard: &ControlShard,
    tenant_id: &TenantId,
    ask: RemoveSyncs,
) -> Result<Done, AskError> {
    let context = &shard.context;
    for name in &ask.names {
        stored(context, tenant_id, name)?;
    }
    for name in &ask.names {
        let key = SyncKey {
            tenant: tenant_id.clone(),
            name: name.clone(),
        };
        let expected = ask.expected.iter().find(|expected| expected.name == *name);
        let is_meant = |sync: &Sync| expected.map_or(Ok(()), |expected| still_so(expected, Some(sync)));
        match ask.records {
            WrittenRecords::Keep => remove_one(context, &key, is_meant).await?,
            WrittenRecords::Delete => shard.begin_removal(&key, &ask.by, is_meant).await?,
        }
    }
    Ok(Done {})
}

/// Removes a sync, if `is_meant` lets what is stored now go.
pub(crate) async fn remove_one(
    context: &ShardContext,
    key: &SyncKey,
    is_meant: impl Fn(&Sync) -> Result<(), AskError> + Send,
) -> Result<(), AskError> {
    let removed = context.config.remove_sync_if(key, is_meant).await;
    removed.map_err(unavailable)??;
    forget_sync(context, key).await.map_err(unavailable)
}

/// Removes a sync as it is.
pub(crate) async fn remove_whatever(context: &ShardContext, key: &SyncKey) -> Result<(), StageError> {
    context.config.remove_sync(key).await?;
    forget_sync(context, key).await
}

/// Forgets a removed sync's positions, and what waits for it.
async fn forget_sync(context: &ShardContext, key: &SyncKey) -> Result<(), StageError> {
    let bus = context.hub.bus();
    revisions::forget(&bus.kv(Bucket::Config), key).await?;
    crate::undo::forget_revisions(context, key).await?;
    for memory in [
        StreamName::Failed,
        StreamName::Held,
        StreamName::Parked,
        StreamName::Reread,
        StreamName::Before,
    ] {
        bus.purge(&Filter::sync(
            memory,
            context.shard,
            &key.tenant,
            key.name.as_str(),
        ))
        .await?;
    }
    bus.kv(Bucket::Config).delete(&crate::removals::key(key)).await?;
    let declined = back_fill::declined_key(key);
    bus.kv(Bucket::Config).delete(&declined).await?;
    let positions = bus.kv(Bucket::Checkpoints);
    for kind in [
        "live",
        "reconciled",
        "look",
        "asked",
        "schema",
        "adopting",
        "formulas",
    ] {
        let position = Key::new([kind, key.tenant.as_str(), key.name.as_str()]);
        positions.delete(&position).await?;
    }
    let hub = &context.hub;
    for id in hub.kept_absent(&key.tenant, &key.name).await?.into_keys() {
        hub.forget_kept_absent(&key.tenant, &key.name, id).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
