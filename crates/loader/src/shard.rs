//! What the loader keeps for one shard while it owns it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_hubspot::Share;
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::{ObjectTypeId, SalesforceId, StageKind, SyncKey, TenantId, Version};
use landbridge_stage::{Cache, Metrics, ShardContext, StageError};
use landbridge_wire::FailedRecord;
use parking_lot::Mutex;

use crate::LoaderSettings;
use crate::known::{Known, Memory, Present};
use crate::portal::{Portal, Tenant};
use crate::reign::Reign;
use crate::retry::Later;
use crate::safety::DeleteGuard;
use crate::target::Target;

/// The loader's state of one shard.
#[derive(Debug)]
pub struct LoaderShard {
    pub(crate) settings: LoaderSettings,
    pub(crate) failures: Failures,
    pub(crate) held: Mutex<HashMap<(SyncKey, SalesforceId), Version>>,
    /// Failed records that a person wants sent again, each with the calls made for it since.
    pub(crate) retries: Mutex<HashMap<(SyncKey, SalesforceId), u32>>,
    /// When the failures are due that may pass by themselves.
    pub(crate) later: Later,
    pub(crate) deletes: DeleteGuard,
    pub(crate) metrics: Metrics,
    pub(crate) context: ShardContext,
    cache: Cache,
    reign: Reign,
    tenants: Mutex<HashMap<TenantId, Arc<Tenant>>>,
}

impl LoaderShard {
    /// Reads the memories that the shard's answers depend on.
    pub(crate) async fn open(settings: LoaderSettings, context: ShardContext) -> Result<Self, StageError> {
        let failures = Failures::default();
        let mut retries = HashMap::new();
        let later = Later::default();
        for failed in context.hub.failures_of_shard(context.shard).await? {
            let sync = failed.envelope.sync_key();
            if failed.retry {
                retries.insert((sync.clone(), failed.id), 0);
            }
            later.put_off(&failed);
            failures.restore(sync, &failed);
        }
        let held = context.hub.held_of_shard(context.shard).await?;
        let held = held
            .into_iter()
            .map(|held| ((held.envelope.sync_key(), held.id), held.version))
            .collect();
        Ok(Self {
            settings,
            failures,
            held: Mutex::new(held),
            retries: Mutex::new(retries),
            later,
            deletes: DeleteGuard::restore(&context).await?,
            metrics: Metrics::new(StageKind::Loader),
            cache: context.cache.clone(),
            reign: Reign::open(&context.cache, context.warm, context.epoch)?,
            context,
            tenants: Mutex::default(),
        })
    }

    /// What all lanes of a tenant share.
    pub(crate) fn tenant(&self, id: &TenantId) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock();
        let tenant = tenants.entry(id.clone()).or_insert_with(|| {
            let memory = Memory::new(self.cache.clone(), id.clone(), self.reign);
            Arc::new(Tenant::new(id.clone(), memory, self.settings.call_timeout))
        });
        tenant.clone()
    }

    pub(crate) fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.lock().values().cloned().collect()
    }

    /// Whether no call is left that HubSpot may still carry out.
    pub(crate) fn has_all_answers(&self) -> bool {
        let (longest, now) = (self.settings.call_timeout, Instant::now());
        let tenants = self.tenants.lock();
        tenants
            .values()
            .all(|tenant| tenant.unanswered.are_settled(longest, now))
    }

    /// Before the first write of a type under a cold cache: one page of its listing tells whether the type is small
    /// enough to be known whole at once. If not, the rest is listed in the background, and until that is done records
    /// that are not remembered are read before they are judged.
    pub(crate) async fn prepare_type(
        &self,
        context: &ShardContext,
        tenant: &Arc<Tenant>,
        portal: &Arc<Portal>,
        target: &Target,
    ) -> Result<(), StageError> {
        let object_type = &target.object_type;
        if tenant.memory.is_complete(object_type)? || !tenant.listing.lock().insert(object_type.clone()) {
            return Ok(());
        }
        let mut listing = Listing {
            tenant: tenant.clone(),
            portal: portal.clone(),
            object_type: object_type.clone(),
            id_property: target.id_property.clone(),
            after: None,
        };
        let share = Share::Live;
        match listing.page(share).await? {
            Step::Complete => {}
            Step::Failed => drop(tenant.listing.lock().remove(object_type)),
            Step::More => context.spawn_beside(async move {
                if listing.rest().await.is_err() {
                    tracing::debug!("a listing in the background ended early; records are read one by one");
                }
            }),
        }
        Ok(())
    }
}

enum Step {
    More,
    Complete,
    Failed,
}

/// A listing of a type that warms the cache.
struct Listing {
    tenant: Arc<Tenant>,
    portal: Arc<Portal>,
    object_type: ObjectTypeId,
    id_property: String,
    after: Option<String>,
}

/// The pause after a page that could not be had.
const PAGE_RETRY: Duration = Duration::from_secs(5);

impl Listing {
    async fn page(&mut self, share: Share) -> Result<Step, StageError> {
        let wanted = [self.id_property.as_str(), VERSION_PROPERTY];
        let client = &self.portal.client;
        let after = self.after.as_deref();
        let reply = client
            .list_records(share, &self.object_type, &wanted, after, false)
            .await;
        let page = match &reply {
            Ok(reply) => reply.records(&wanted),
            Err(_) => return Ok(Step::Failed),
        };
        let Ok(page) = page else { return Ok(Step::Failed) };
        for record in &page.results {
            let id = record.values[0]
                .as_deref()
                .and_then(|text| SalesforceId::parse(text).ok());
            let Some(id) = id else { continue };
            let version = record.values[1].as_deref().and_then(|text| text.parse().ok());
            let present = Present {
                id: record.id,
                version,
                fingerprint: None,
                told: false,
                made: false,
            };
            self.tenant
                .memory
                .remember_if_new(&self.object_type, id, Known::Present(present))?;
        }
        self.after = page.after;
        if self.after.is_some() {
            return Ok(Step::More);
        }
        self.tenant.memory.set_complete(&self.object_type)?;
        Ok(Step::Complete)
    }

    async fn rest(mut self) -> Result<(), StageError> {
        loop {
            match self.page(Share::Check).await? {
                Step::Complete => return Ok(()),
                Step::More => {}
                Step::Failed => tokio::time::sleep(PAGE_RETRY).await,
            }
        }
    }
}

type FailureKey = (SyncKey, SalesforceId, Option<String>);

/// Which failures are remembered on the bus, so that a success purges only what is there.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<FailureKey, (Version, u32)>>);

impl Failures {
    /// Adds a failure; answers how often it has failed.
    pub(crate) fn add(&self, sync: SyncKey, id: SalesforceId, link: Option<&str>, version: Version) -> u32 {
        let mut known = self.0.lock();
        let entry = known
            .entry((sync, id, link.map(str::to_owned)))
            .or_insert((version, 0));
        *entry = (version.max(entry.0), entry.1 + 1);
        entry.1
    }

    /// A failure that was remembered before this life of the shard.
    fn restore(&self, sync: SyncKey, failed: &FailedRecord) {
        let key = (sync, failed.id, failed.link_field.clone());
        self.0.lock().insert(key, (failed.version, failed.attempts));
    }

    /// A success of this version: answers whether a failure of an equal or older one was known.
    pub(crate) fn remove(
        &self,
        sync: &SyncKey,
        id: SalesforceId,
        link: Option<&str>,
        version: Version,
    ) -> bool {
        let mut known = self.0.lock();
        if known.is_empty() {
            return false;
        }
        let key = (sync.clone(), id, link.map(str::to_owned));
        let cured = known
            .get(&key)
            .is_some_and(|(failed, _)| !version.is_superseded_by(*failed));
        if cured {
            known.remove(&key);
        }
        cured
    }

    /// A record's failures: the lookup field of a link's, and how often it failed.
    pub(crate) fn of_record(&self, sync: &SyncKey, id: SalesforceId) -> Vec<(Option<String>, u32)> {
        let known = self.0.lock();
        let of_record = known
            .iter()
            .filter(|((owner, record, _), _)| owner == sync && *record == id);
        of_record
            .map(|((_, _, field), (_, attempts))| (field.clone(), *attempts))
            .collect()
    }
}
