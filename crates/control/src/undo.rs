//! Undoing an import, and a revision: the sync stands still, and the loader puts back what its before-images tell, page by page. How far that
//! is, is on the bus: the images that are left, and what became of the others. A restart goes on with it.

mod account;
mod revision;
mod rules;

use std::collections::HashSet;
use std::time::Duration;

use landbridge_bus::{Bucket, Key, KeyFilter};
use landbridge_model::ask::{UndoPage, UndoStatus};
use landbridge_model::before::{LeftValue, UndoCounts};
use landbridge_model::config::{Import, SyncStatus};
use landbridge_model::{ImportId, Revision, RunId, StageKind, SyncKey, SyncName, TenantId};
use landbridge_stage::{Hub, ShardContext, StageError};
use landbridge_wire::{AskError, AskErrorCode};

use self::account::{each_once, sum};
pub(crate) use self::revision::{forget_revisions, refuse_undoing_revision, revision_undos};
use self::rules::{may_be_undone, must_overwrite};
use crate::ask::{Done, ListLeft, UndoImport};
use crate::lanes;
use crate::ledger::RunAccount;
use crate::shard::{ControlShard, lock, unavailable};

/// How long the loader may take for a page.
const PAGE: Duration = Duration::from_secs(120);
/// The pause between two looks at undos that wait for something.
const LOOK: Duration = Duration::from_secs(1);

/// The undos that a shard's owner goes on with.
#[derive(Debug, Default)]
pub(crate) struct Undos {
    /// Whether the bus was asked for those that were begun before.
    is_listed: bool,
    imports: HashSet<(TenantId, ImportId)>,
    revisions: HashSet<(SyncKey, Revision)>,
}

fn key(tenant: &TenantId, id: &ImportId) -> Key {
    Key::new(["undo", tenant.as_str(), id.as_str()])
}

fn invalid(what: String) -> AskError {
    AskError::new(AskErrorCode::Invalid, what)
}

fn sync_of(import: &Import) -> SyncKey {
    SyncKey {
        tenant: import.tenant.clone(),
        name: import.sync.clone(),
    }
}

async fn stored(hub: &Hub, tenant: &TenantId, id: &ImportId) -> Result<Option<UndoStatus>, StageError> {
    let bucket = hub.bus().kv(Bucket::Config);
    let found = bucket.get_json::<UndoStatus>(&key(tenant, id)).await?;
    Ok(found.map(|(status, _)| status))
}

/// Forgets the undos of a tenant that is removed.
pub(crate) async fn forget(context: &ShardContext, tenant: &TenantId) -> Result<(), StageError> {
    let bucket = context.hub.bus().kv(Bucket::Config);
    for kind in ["undo", "undo-revision"] {
        let under = KeyFilter::Under(Key::new([kind, tenant.as_str()]));
        for entry in bucket.list(&under).await? {
            bucket.delete(&entry.key).await?;
        }
    }
    Ok(())
}

/// Refuses to set syncs going of which an import or a revision is being undone.
pub(crate) async fn refuse_undoing(
    context: &ShardContext,
    tenant: &TenantId,
    names: &[SyncName],
) -> Result<(), AskError> {
    for import in context.config.imports(tenant) {
        if import.undo_ms.is_none() || !names.contains(&import.sync) {
            continue;
        }
        let undo = stored(&context.hub, tenant, &import.id)
            .await
            .map_err(unavailable)?;
        if undo.is_some_and(|undo| undo.ended_ms.is_none()) {
            let what = format!(
                "the import {} of {} is being undone: wait for its end",
                import.id, import.sync
            );
            return Err(invalid(what));
        }
    }
    refuse_undoing_revision(context, tenant, names).await
}

impl ControlShard {
    /// Begins to undo an import. Asking again changes nothing.
    pub(crate) async fn begin_undo(&self, tenant: &TenantId, ask: &UndoImport) -> Result<Done, AskError> {
        let context = &self.context;
        let import = context.config.import(tenant, &ask.id).ok_or_else(|| {
            let what = format!("{tenant} has no import {}", ask.id);
            AskError::new(AskErrorCode::NotFound, what)
        })?;
        if stored(&context.hub, tenant, &ask.id)
            .await
            .map_err(unavailable)?
            .is_some()
        {
            return Ok(Done {});
        }
        let imports = context.config.imports(tenant);
        let others: Vec<&Import> = imports.iter().map(AsRef::as_ref).collect();
        let (now_ms, kept) = (context.hub.now_ms(), context.hub.bus().config().before_max_age);
        may_be_undone(&import, &others, now_ms, kept).map_err(invalid)?;
        let sync = sync_of(&import);
        if context.config.sync(tenant, &sync.name).is_none() {
            return Err(invalid(format!(
                "{} is not there any more: what it wrote cannot be undone",
                sync.name
            )));
        }
        crate::removals::refuse_removed(context, tenant, std::slice::from_ref(&sync.name)).await?;
        refuse_undoing(context, tenant, std::slice::from_ref(&sync.name)).await?;
        let open = self.open_imports(tenant).await.map_err(unavailable)?;
        if let Some(open) = open.iter().find(|open| open.sync == sync.name) {
            let what = format!(
                "the import {} of {} has not ended: cancel it, or wait for its end",
                open.id, open.sync
            );
            return Err(invalid(what));
        }
        self.mark_undo(&import, &ask.by).await.map_err(unavailable)?;
        Ok(Done {})
    }

    /// Begins an undo that may be begun.
    async fn mark_undo(&self, import: &Import, by: &str) -> Result<UndoStatus, StageError> {
        let (hub, tenant) = (&self.context.hub, &import.tenant);
        let status = UndoStatus {
            by: by.to_owned(),
            began_ms: hub.now_ms(),
            ..UndoStatus::default()
        };
        // First the mark: whatever comes after it is done by whoever finds the mark.
        let bucket = hub.bus().kv(Bucket::Config);
        bucket.put_json(&key(tenant, &import.id), &status).await?;
        lock(&self.undos)
            .imports
            .insert((tenant.clone(), import.id.clone()));
        self.pause_for_undo(&sync_of(import), &import.id, status.began_ms)
            .await?;
        Ok(status)
    }

    /// Says of an import that it is being undone, and pauses its sync. Does nothing when that is done.
    async fn pause_for_undo(&self, sync: &SyncKey, id: &ImportId, now_ms: i64) -> Result<(), StageError> {
        let config = &self.context.config;
        let marked = config.change_import(&sync.tenant, id, |import| {
            let unmarked = import.filter(|import| import.undo_ms.is_none());
            Ok::<_, std::convert::Infallible>(unmarked.map(|import| Import {
                undo_ms: Some(now_ms),
                ..import
            }))
        });
        let Ok(_) = marked.await?;
        let reason = format!("the import {id} is undone; the sync stands until it is resumed");
        self.pause_while_undoing(sync, &reason).await
    }

    async fn pause_while_undoing(&self, sync: &SyncKey, reason: &str) -> Result<(), StageError> {
        let paused = self.context.config.change_sync(sync, |stored| {
            let active = stored.filter(|stored| stored.status == SyncStatus::Active);
            Ok::<_, std::convert::Infallible>(active.map(|mut stored| {
                stored.status = SyncStatus::Paused;
                stored.reason = Some(reason.to_owned());
                stored
            }))
        });
        let Ok(_) = paused.await?;
        Ok(())
    }

    /// Goes on with all undos of the shard, until the shard is given up.
    pub(crate) async fn look_after_undos(&self) {
        loop {
            if let Err(error) = self.go_on_with_undos().await {
                tracing::warn!(shard = %self.context.shard, error = %error.chain(), "undos could not be gone on with; they are soon again");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn go_on_with_undos(&self) -> Result<(), StageError> {
        if !lock(&self.undos).is_listed {
            // The former owner's.
            let (imports, revisions) = (self.begun_undos().await?, self.begun_revisions().await?);
            let mut known = lock(&self.undos);
            known.imports.extend(imports);
            known.revisions.extend(revisions);
            known.is_listed = true;
        }
        let known = lock(&self.undos).imports.clone();
        for (tenant, id) in known {
            let status = stored(&self.context.hub, &tenant, &id).await?;
            match status.filter(|status| status.ended_ms.is_none()) {
                Some(status) => self.go_on_with_undo(&tenant, &id, status).await?,
                None => drop(lock(&self.undos).imports.remove(&(tenant, id))),
            }
        }
        self.go_on_with_revisions().await
    }

    async fn begun_undos(&self) -> Result<Vec<(TenantId, ImportId)>, StageError> {
        let bucket = self.context.hub.bus().kv(Bucket::Config);
        let entries = bucket.list(&KeyFilter::Under(Key::new(["undo"]))).await?;
        let named = entries.iter().filter_map(|entry| {
            let tokens = entry.key.tokens();
            let [_, tenant, id] = tokens.as_slice() else {
                return None;
            };
            Some((TenantId::new(tenant).ok()?, ImportId::new(id).ok()?))
        });
        let own = named.filter(|(tenant, _)| self.context.hub.shard_of(tenant) == self.context.shard);
        Ok(own.collect())
    }

    /// One step of an undo.
    async fn go_on_with_undo(
        &self,
        tenant: &TenantId,
        id: &ImportId,
        mut status: UndoStatus,
    ) -> Result<(), StageError> {
        let hub = &self.context.hub;
        let bucket = hub.bus().kv(Bucket::Config);
        let Some(import) = self.context.config.import(tenant, id) else {
            return Ok(bucket.delete(&key(tenant, id)).await?);
        };
        let (sync, run) = (sync_of(&import), RunId::from(id));
        if self.context.config.sync(tenant, &sync.name).is_none() {
            status.trouble = Some(format!("{} was removed: the rest of the import stays", sync.name));
            status.ended_ms = Some(hub.now_ms());
            bucket.put_json(&key(tenant, id), &status).await?;
            return Ok(());
        }
        self.pause_for_undo(&sync, id, status.began_ms).await?;
        if lanes::carry(hub, &sync).await? {
            return Ok(());
        }
        let question = UndoPage {
            import: id.clone(),
            sync: sync.name.clone(),
        };
        let before = status.clone();
        match hub.ask(StageKind::Loader, tenant, &question, PAGE).await {
            Ok(page) => {
                status.trouble = None;
                status.counts.add(page.counts);
                if page.is_last {
                    // A page whose answer was lost counts as well.
                    status.counts = counts(hub, &sync, &run).await?;
                    status.ended_ms = Some(hub.now_ms());
                    tracing::info!(%tenant, import = %id, ?status.counts, "the import is undone");
                }
            }
            Err(error) => {
                tracing::warn!(%tenant, import = %id, %error, "the undo does not go on; it is soon tried again");
                status.trouble = Some(error.message);
            }
        }
        if status != before {
            bucket.put_json(&key(tenant, id), &status).await?;
        }
        Ok(())
    }

    /// How the undo of an import stands, if one was begun.
    pub(crate) async fn undo_of(&self, import: &Import) -> Result<Option<UndoStatus>, StageError> {
        match import.undo_ms {
            Some(_) => stored(&self.context.hub, &import.tenant, &import.id).await,
            None => Ok(None),
        }
    }

    /// Whether an import of a sync that is started now has to write everything.
    pub(crate) async fn undone_before(&self, tenant: &TenantId, sync: &SyncName) -> Result<bool, StageError> {
        let imports = self.context.config.imports(tenant);
        let own = imports
            .iter()
            .map(AsRef::as_ref)
            .filter(|import: &&Import| import.sync == *sync);
        if own.clone().all(|import| import.undo_ms.is_none()) {
            return Ok(false);
        }
        self.caught_up(tenant).await?;
        let ledger = self.ledger();
        let account = |id: &ImportId| ledger.tenant(tenant)?.run(&RunId::from(id));
        let has_ended = |id: &ImportId| {
            account(id).is_some_and(|account: &RunAccount| {
                account.ended_ms.is_some() && account.phase() == landbridge_wire::RunPhase::Ended
            })
        };
        Ok(must_overwrite(own, has_ended))
    }

    /// What an undo left as it is.
    pub(crate) async fn list_left(
        &self,
        tenant: &TenantId,
        ask: &ListLeft,
    ) -> Result<Vec<LeftValue>, AskError> {
        let import = self.context.config.import(tenant, &ask.id).ok_or_else(|| {
            let what = format!("{tenant} has no import {}", ask.id);
            AskError::new(AskErrorCode::NotFound, what)
        })?;
        let found = self
            .context
            .hub
            .undone(&sync_of(&import), &RunId::from(&ask.id))
            .await;
        let left = found
            .map_err(unavailable)?
            .into_iter()
            .flat_map(|undone| undone.left);
        Ok(each_once(left))
    }
}

async fn counts(hub: &Hub, sync: &SyncKey, run: &RunId) -> Result<UndoCounts, StageError> {
    Ok(sum(hub.undone(sync, run).await?))
}
