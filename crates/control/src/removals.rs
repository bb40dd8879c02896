//! Removing a sync together with what it wrote: the sync stands still, its deletes are held page by page, and when none is
//! held any more, written or discarded by a person, the sync goes. Where this is, is on the bus: a restart goes on with it.

use std::collections::HashSet;
use std::time::Duration;

use landbridge_bus::{Bucket, Key, KeyFilter};
use landbridge_model::ask::HoldWritten;
use landbridge_model::config::{Sync, SyncStatus};
use landbridge_model::{StageKind, SyncKey, SyncName, TenantId};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::{AskError, AskErrorCode};
use serde::{Deserialize, Serialize};

use crate::definitions;
use crate::lanes;
use crate::shard::{ControlShard, lock, unavailable};

/// How long the loader may take for a page.
const PAGE: Duration = Duration::from_secs(120);
/// Pages between two looks at everything else.
const PAGES_AT_ONCE: usize = 20;

/// How far a removal has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Removal {
    /// Who began it.
    by: String,
    /// Where the last page ended.
    after: Option<String>,
    /// Whether all pages are held.
    is_listed: bool,
}

/// The removals that a shard's owner goes on with.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    /// Whether the bus was asked for those that were begun before.
    is_listed: bool,
    syncs: HashSet<SyncKey>,
}

/// Where a removal is kept.
pub(crate) fn key(sync: &SyncKey) -> Key {
    Key::new(["removal", sync.tenant.as_str(), sync.name.as_str()])
}

fn invalid(what: String) -> AskError {
    AskError::new(AskErrorCode::Invalid, what)
}

/// Refuses to set syncs going that are being removed.
pub(crate) async fn refuse_removed(
    context: &ShardContext,
    tenant: &TenantId,
    names: &[SyncName],
) -> Result<(), AskError> {
    let bucket = context.hub.bus().kv(Bucket::Config);
    for name in names {
        let sync = SyncKey {
            tenant: tenant.clone(),
            name: name.clone(),
        };
        let found = bucket
            .get(&key(&sync))
            .await
            .map_err(|error| unavailable(error.into()))?;
        if found.is_some() {
            let what = format!(
                "{name} is being deleted with what it wrote: approve or discard its held deletes, and make it anew"
            );
            return Err(invalid(what));
        }
    }
    Ok(())
}

impl ControlShard {
    /// Begins to remove a sync with what it wrote. One that never ran is removed at once.
    pub(crate) async fn begin_removal(
        &self,
        sync: &SyncKey,
        by: &str,
        is_meant: impl Fn(&Sync) -> Result<(), AskError> + Send + std::marker::Sync,
    ) -> Result<(), AskError> {
        let context = &self.context;
        let stored = definitions::stored(context, &sync.tenant, &sync.name)?;
        is_meant(&stored)?;
        if stored.resolved.is_none() {
            return definitions::remove_one(context, sync, is_meant).await;
        }
        let object_type = &stored.definition.spec.hubspot.object_type;
        let others = context.config.syncs(&sync.tenant);
        let rival = others.iter().map(|other| &other.definition).find(|other| {
            other.key() != *sync && other.spec.hubspot.object_type.eq_ignore_ascii_case(object_type)
        });
        if let Some(rival) = rival {
            return Err(invalid(format!(
                "{} writes to {object_type} too, and whose record is whose cannot be told: delete the sync and keep what \
                 it wrote",
                rival.metadata.name
            )));
        }
        let open = self.open_imports(&sync.tenant).await.map_err(unavailable)?;
        if let Some(import) = open.iter().find(|import| import.sync == sync.name) {
            return Err(invalid(format!(
                "the import {} of {} has not ended: cancel it first",
                import.id, sync.name
            )));
        }
        let bucket = context.hub.bus().kv(Bucket::Config);
        let removal = Removal {
            by: by.to_owned(),
            ..Removal::default()
        };
        // First the mark: a sync that stands still for no reason would be worse than one that is stopped a moment late.
        let marked = bucket.put_json(&key(sync), &removal).await;
        marked.map_err(|error| unavailable(error.into()))?;
        let stopped = context
            .config
            .change_sync(sync, |stored| {
                let Some(mut stored) = stored else { return Ok(None) };
                is_meant(&stored)?;
                stored.status = SyncStatus::Paused;
                stored.reason = Some("it is being deleted with what it wrote".to_owned());
                Ok(Some(stored))
            })
            .await;
        if let Err(changed) = stopped.map_err(unavailable)? {
            // Nobody goes on with a removal that is not meant.
            let unmarked = bucket.delete(&key(sync)).await;
            unmarked.map_err(|error| unavailable(error.into()))?;
            return Err(changed);
        }
        lock(&self.removals).syncs.insert(sync.clone());
        Ok(())
    }

    /// Goes on with all removals of the shard.
    pub(crate) async fn look_after_removals(&self) -> Result<(), StageError> {
        if !lock(&self.removals).is_listed {
            // The former owner's.
            let found = self.begun_removals().await?;
            let mut known = lock(&self.removals);
            known.syncs.extend(found);
            known.is_listed = true;
        }
        let known = lock(&self.removals).syncs.clone();
        let bucket = self.context.hub.bus().kv(Bucket::Config);
        for sync in known {
            match bucket.get_json::<Removal>(&key(&sync)).await? {
                Some((removal, _)) => self.go_on_with_removal(&sync, removal).await?,
                None => drop(lock(&self.removals).syncs.remove(&sync)),
            }
        }
        Ok(())
    }

    /// The removals of the shard's tenants, as the bus has them.
    async fn begun_removals(&self) -> Result<Vec<SyncKey>, StageError> {
        let bucket = self.context.hub.bus().kv(Bucket::Config);
        let entries = bucket.list(&KeyFilter::Under(Key::new(["removal"]))).await?;
        let named = entries.iter().filter_map(|entry| {
            let tokens = entry.key.tokens();
            let [_, tenant, name] = tokens.as_slice() else {
                return None;
            };
            Some(SyncKey {
                tenant: TenantId::new(tenant).ok()?,
                name: SyncName::new(name).ok()?,
            })
        });
        let own = named.filter(|sync| self.context.hub.shard_of(&sync.tenant) == self.context.shard);
        Ok(own.collect())
    }

    async fn go_on_with_removal(&self, sync: &SyncKey, mut removal: Removal) -> Result<(), StageError> {
        let hub = &self.context.hub;
        let bucket = hub.bus().kv(Bucket::Config);
        if self.context.config.sync(&sync.tenant, &sync.name).is_none() {
            return Ok(bucket.delete(&key(sync)).await?);
        }
        // What is on its way would be written after it was listed.
        if removal.after.is_none() && !removal.is_listed && !self.stands_still(sync).await? {
            return Ok(());
        }
        for _ in 0..PAGES_AT_ONCE {
            if removal.is_listed {
                break;
            }
            let question = HoldWritten {
                sync: sync.name.clone(),
                after: removal.after.clone(),
            };
            let page = hub.ask(StageKind::Loader, &sync.tenant, &question, PAGE).await;
            let page =
                page.map_err(|error| StageError::caused("what a sync wrote cannot be listed", error))?;
            removal.is_listed = page.after.is_none();
            removal.after = page.after;
            bucket.put_json(&key(sync), &removal).await?;
        }
        if removal.is_listed && hub.held(&sync.tenant, Some(&sync.name)).await?.is_empty() {
            definitions::remove_whatever(&self.context, sync).await?;
            let (tenant, name) = (&sync.tenant, &sync.name);
            tracing::info!(%tenant, sync = %name, "the sync is removed with what it wrote");
        }
        Ok(())
    }

    /// Whether the sync is seen to be paused and nothing of the tenant is on its way.
    async fn stands_still(&self, sync: &SyncKey) -> Result<bool, StageError> {
        let stored = self.context.config.sync(&sync.tenant, &sync.name);
        if stored.is_some_and(|stored| stored.status == SyncStatus::Active) {
            return Ok(false);
        }
        let seen = lanes::of_tenant(&self.context.hub, &sync.tenant).await?;
        Ok(seen.is_empty())
    }
}
