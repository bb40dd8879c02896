//! `lb_config` as a live view: what control writes, every stage sees.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use landbridge_bus::{Bucket, Bus, Key, KeyFilter, Kv, KvError, KvEvent};
use landbridge_model::config::{Draft, Import, Sync, Tenant};
use landbridge_model::{ImportId, RunId, SyncKey, SyncName, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::error::StageError;

/// What the view is of. The bucket also holds former revisions and drafts, which no worker needs in its memory.
const WATCHED: [&str; 4] = ["tenant", "sync", "import", "run"];

#[derive(Debug, Default)]
struct Snapshot {
    tenants: BTreeMap<TenantId, Arc<Tenant>>,
    syncs: BTreeMap<SyncKey, Arc<Sync>>,
    imports: BTreeMap<(TenantId, ImportId), Arc<Import>>,
    drafts: BTreeMap<(TenantId, RunId), Arc<Draft>>,
    /// Dry runs whose drafts have disappeared, oldest first.
    ended: VecDeque<(TenantId, RunId)>,
}

/// How long the draft of a dry run may take to be seen by a stage.
const DRAFT_LAG_MAX: Duration = Duration::from_secs(20);
/// Dry runs that are known to have ended.
const ENDED_MAX: usize = 1_000;

#[derive(Debug)]
struct Inner {
    kv: Kv,
    snapshot: RwLock<Snapshot>,
    changes: watch::Sender<u64>,
    follower: std::sync::Mutex<Option<tokio::task::AbortHandle>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Ok(Some(follower)) = self.follower.get_mut().map(Option::take) {
            follower.abort();
        }
    }
}

/// Tenants, syncs and imports as they stand, a moment behind the bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConfigView {
    inner: Arc<Inner>,
}

impl ConfigView {
    /// Begins to watch, and returns once everything that is there has been seen.
    pub async fn open(bus: &Bus) -> Result<Self, StageError> {
        let kv = bus.kv(Bucket::Config);
        let mut watch = kv
            .watch(&KeyFilter::UnderAny(
                WATCHED.map(|kind| Key::new([kind])).to_vec(),
            ))
            .await?;
        let (changes, _) = watch::channel(0);
        let inner = Arc::new(Inner {
            kv,
            snapshot: RwLock::default(),
            changes,
            follower: Default::default(),
        });
        loop {
            match watch.next().await {
                KvEvent::Ready => break,
                event => inner.take(event),
            }
        }
        let weak = Arc::downgrade(&inner);
        let follower = tokio::spawn(async move {
            loop {
                let event = watch.next().await;
                let Some(inner) = weak.upgrade() else { return };
                inner.take(event);
            }
        });
        *inner.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(follower.abort_handle());
        Ok(Self { inner })
    }

    fn read<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.inner.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One tenant.
    pub fn tenant(&self, tenant: &TenantId) -> Option<Arc<Tenant>> {
        self.read(|snapshot| snapshot.tenants.get(tenant).cloned())
    }

    /// All tenants, by name.
    pub fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.read(|snapshot| snapshot.tenants.values().cloned().collect())
    }

    /// One sync.
    pub fn sync(&self, tenant: &TenantId, name: &SyncName) -> Option<Arc<Sync>> {
        let key = SyncKey {
            tenant: tenant.clone(),
            name: name.clone(),
        };
        self.read(|snapshot| snapshot.syncs.get(&key).cloned())
    }

    /// All syncs of a tenant, by name.
    pub fn syncs(&self, tenant: &TenantId) -> Vec<Arc<Sync>> {
        self.read(|snapshot| {
            snapshot
                .syncs
                .iter()
                .filter(|(key, _)| key.tenant == *tenant)
                .map(|(_, sync)| sync.clone())
                .collect()
        })
    }

    /// All syncs of all tenants, by tenant and name.
    pub fn all_syncs(&self) -> Vec<Arc<Sync>> {
        self.read(|snapshot| snapshot.syncs.values().cloned().collect())
    }

    /// All imports of a tenant, by id.
    pub fn imports(&self, tenant: &TenantId) -> Vec<Arc<Import>> {
        self.read(|snapshot| {
            let of_tenant = snapshot.imports.iter().filter(|((owner, _), _)| owner == tenant);
            of_tenant.map(|(_, import)| import.clone()).collect()
        })
    }

    /// One import.
    pub fn import(&self, tenant: &TenantId, id: &ImportId) -> Option<Arc<Import>> {
        self.read(|snapshot| snapshot.imports.get(&(tenant.clone(), id.clone())).cloned())
    }

    /// The draft of a dry run, while it lasts.
    pub fn draft(&self, tenant: &TenantId, run: &RunId) -> Option<Arc<Draft>> {
        self.read(|snapshot| snapshot.drafts.get(&(tenant.clone(), run.clone())).cloned())
    }

    /// The draft that a batch of a dry run is mapped and compared by, waiting a while for one that is still on its way.
    /// `None` when the run is over: nobody waits for its records any more.
    pub async fn draft_of(&self, tenant: &TenantId, run: Option<&RunId>) -> Option<Arc<Draft>> {
        let key = (tenant.clone(), run?.clone());
        let look = |view: &Self| {
            view.read(|snapshot| match snapshot.drafts.get(&key) {
                Some(draft) => Some(Some(draft.clone())),
                None => snapshot.ended.contains(&key).then_some(None),
            })
        };
        let found = tokio::time::timeout(DRAFT_LAG_MAX, self.wait_for(look)).await;
        found.ok().flatten().filter(|draft| !draft.over)
    }

    /// Puts the draft of a dry run where the stages find it; it disappears by itself after `ttl`, unless it is put
    /// again.
    pub async fn put_draft(&self, draft: &Draft, ttl: Duration) -> Result<(), StageError> {
        let tenant = &draft.sync.definition.metadata.tenant;
        let key = draft_key(tenant, &draft.run);
        let value = serde_json::to_vec(draft)
            .map_err(|error| StageError::unreadable(format!("dry run {} of {tenant}", draft.run), error))?;
        self.inner.kv.put_for(&key, value.clone(), ttl).await?;
        self.inner.put(&key, &value);
        Ok(())
    }

    /// Counts the changes; wait on it to see the next one.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Waits until `look` finds what it wants. Bound it with a time-out.
    pub async fn wait_for<T>(&self, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changed = self.changed();
        loop {
            changed.mark_unchanged();
            if let Some(found) = look(self) {
                return found;
            }
            if changed.changed().await.is_err() {
                // The sender lives in `self`: it cannot be gone while we are here.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Changes a tenant, or makes one; `decide` sees what is stored now, and gives what shall be, or `None` to leave
    /// it. Repeated when somebody else writes at the same moment.
    pub async fn change_tenant<E>(
        &self,
        tenant: &TenantId,
        decide: impl FnMut(Option<Tenant>) -> Result<Option<Tenant>, E> + Send,
    ) -> Result<Result<Option<Tenant>, E>, StageError> {
        self.change(tenant_key(tenant), format!("tenant {tenant}"), decide)
            .await
    }

    /// Changes a sync, or makes one; see [`ConfigView::change_tenant`].
    pub async fn change_sync<E>(
        &self,
        key: &SyncKey,
        decide: impl FnMut(Option<Sync>) -> Result<Option<Sync>, E> + Send,
    ) -> Result<Result<Option<Sync>, E>, StageError> {
        self.change(sync_key(key), format!("sync {key}"), decide).await
    }

    /// Changes an import, or makes one; see [`ConfigView::change_tenant`].
    pub async fn change_import<E>(
        &self,
        tenant: &TenantId,
        id: &ImportId,
        decide: impl FnMut(Option<Import>) -> Result<Option<Import>, E> + Send,
    ) -> Result<Result<Option<Import>, E>, StageError> {
        self.change(import_key(tenant, id), format!("import {id} of {tenant}"), decide)
            .await
    }

    /// Removes a tenant with its syncs, imports and dry runs.
    pub async fn remove_tenant(&self, tenant: &TenantId) -> Result<(), StageError> {
        let of_tenant = |snapshot: &Snapshot| {
            let drafts = snapshot.drafts.keys().filter(|(owner, _)| owner == tenant);
            drafts.map(|(_, run)| run.clone()).collect::<Vec<RunId>>()
        };
        for run in self.read(of_tenant) {
            self.inner.kv.delete(&draft_key(tenant, &run)).await?;
        }
        for import in self.imports(tenant) {
            self.inner.kv.delete(&import_key(tenant, &import.id)).await?;
        }
        for sync in self.syncs(tenant) {
            self.inner.kv.delete(&sync_key(&sync.key())).await?;
        }
        Ok(self.inner.kv.delete(&tenant_key(tenant)).await?)
    }

    /// Removes a sync.
    pub async fn remove_sync(&self, key: &SyncKey) -> Result<(), StageError> {
        Ok(self.inner.kv.delete(&sync_key(key)).await?)
    }

    /// Removes a sync, if `decide` lets what is stored now go. Repeated when somebody else writes at the same moment.
    pub async fn remove_sync_if<E>(
        &self,
        key: &SyncKey,
        mut decide: impl FnMut(&Sync) -> Result<(), E> + Send,
    ) -> Result<Result<(), E>, StageError> {
        let place = sync_key(key);
        for _ in 0..ATTEMPTS {
            let Some((stored, revision)) = self.inner.kv.get_json::<Sync>(&place).await? else {
                return Ok(Ok(()));
            };
            if let Err(error) = decide(&stored) {
                return Ok(Err(error));
            }
            match self.inner.kv.delete_at(&place, revision).await {
                Ok(()) => return Ok(Ok(())),
                Err(KvError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StageError::Conflict {
            what: format!("sync {key}"),
        })
    }

    async fn change<T, E>(
        &self,
        key: Key,
        what: String,
        mut decide: impl FnMut(Option<T>) -> Result<Option<T>, E> + Send,
    ) -> Result<Result<Option<T>, E>, StageError>
    where
        T: Serialize + DeserializeOwned + Clone + Send + std::marker::Sync,
    {
        for _ in 0..ATTEMPTS {
            let stored = self.inner.kv.get_json::<T>(&key).await?;
            let revision = stored.as_ref().map(|(_, revision)| *revision);
            let next = match decide(stored.map(|(value, _)| value)) {
                Ok(Some(next)) => next,
                other => return Ok(other),
            };
            let written = match revision {
                Some(revision) => self.inner.kv.update_json(&key, &next, revision).await,
                None => self.inner.kv.create_json(&key, &next).await,
            };
            match written {
                Ok(_) => {
                    // What the writer wrote, the writer sees, without waiting for the watch.
                    let value = serde_json::to_vec(&next)
                        .map_err(|error| StageError::unreadable(what.clone(), error))?;
                    self.inner.put(&key, &value);
                    return Ok(Ok(Some(next)));
                }
                Err(KvError::Conflict | KvError::Exists) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StageError::Conflict { what })
    }
}

/// How often a change is tried when others change the same.
const ATTEMPTS: usize = 8;

fn tenant_key(tenant: &TenantId) -> Key {
    Key::new(["tenant", tenant.as_str()])
}

fn sync_key(key: &SyncKey) -> Key {
    Key::new(["sync", key.tenant.as_str(), key.name.as_str()])
}

fn import_key(tenant: &TenantId, id: &ImportId) -> Key {
    Key::new(["import", tenant.as_str(), id.as_str()])
}

fn draft_key(tenant: &TenantId, run: &RunId) -> Key {
    Key::new(["run", tenant.as_str(), run.as_str()])
}

impl Inner {
    fn take(&self, event: KvEvent) {
        match event {
            KvEvent::Put(entry) => self.put(&entry.key, &entry.value),
            KvEvent::Gone { key, .. } => self.remove(&key),
            KvEvent::Ready => {}
        }
    }

    fn put(&self, key: &Key, value: &[u8]) {
        let tokens = key.tokens();
        let parts: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        let read = match parts.as_slice() {
            ["tenant", _] => serde_json::from_slice::<Tenant>(value).map(|tenant| {
                snapshot.tenants.insert(tenant.id.clone(), Arc::new(tenant));
            }),
            ["sync", _, _] => serde_json::from_slice::<Sync>(value).map(|sync| {
                snapshot.syncs.insert(sync.key(), Arc::new(sync));
            }),
            ["import", _, _] => serde_json::from_slice::<Import>(value).map(|import| {
                snapshot
                    .imports
                    .insert((import.tenant.clone(), import.id.clone()), Arc::new(import));
            }),
            ["run", tenant, _] => serde_json::from_slice::<Draft>(value).map(|draft| {
                if let Ok(tenant) = TenantId::new(tenant) {
                    snapshot
                        .drafts
                        .insert((tenant, draft.run.clone()), Arc::new(draft));
                }
            }),
            _ => return, // keys, the installation's own record, revisions: not part of the view
        };
        drop(snapshot);
        if let Err(error) = read {
            tracing::error!(%key, %error, "a definition cannot be read; the one before it stays in force");
        }
        self.changes.send_modify(|count| *count += 1);
    }

    fn remove(&self, key: &Key) {
        let tokens = key.tokens();
        let parts: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        match parts.as_slice() {
            ["tenant", tenant] => snapshot.tenants.retain(|id, _| id.as_str() != *tenant),
            ["sync", tenant, name] => snapshot
                .syncs
                .retain(|key, _| key.tenant.as_str() != *tenant || key.name.as_str() != *name),
            ["import", tenant, import] => snapshot
                .imports
                .retain(|(owner, id), _| owner.as_str() != *tenant || id.as_str() != *import),
            ["run", tenant, run] => {
                if let (Ok(tenant), Ok(run)) = (TenantId::new(tenant), RunId::new(run)) {
                    snapshot.drafts.remove(&(tenant.clone(), run.clone()));
                    snapshot.ended.push_back((tenant, run));
                }
                if snapshot.ended.len() > ENDED_MAX {
                    snapshot.ended.pop_front();
                }
            }
            _ => return,
        }
        drop(snapshot);
        self.changes.send_modify(|count| *count += 1);
    }
}
