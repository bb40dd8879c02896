//! What the extractor keeps for one shard, and the small acts that its parts share.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use landbridge_model::ask::LiveStatus;
use landbridge_model::config::{Draft, Sync, SyncStatus};
use landbridge_model::{RunId, SalesforceId, StageKind, SyncKey, TenantId};
use landbridge_salesforce::Client;
use landbridge_stage::{Metrics, ShardContext, StageError};
use parking_lot::Mutex;

use crate::calls::OwnCalls;
use crate::checkpoint::Checkpoints;
use crate::import::Turns;
use crate::orgs::Orgs;
use crate::plan::ReadPlan;
use crate::reader::Reader;
use crate::reconcile::Looks;
use crate::schema::Schemas;
use crate::settings::ExtractorSettings;
use crate::stream::Streams;
use crate::trouble::Trouble;

/// One owned shard.
#[derive(Debug)]
pub struct Shard {
    /// What the framework gives.
    pub context: ShardContext,
    /// How to read.
    pub settings: Arc<ExtractorSettings>,
    /// The tenants' clients.
    pub orgs: Orgs,
    /// What is measured.
    pub metrics: Metrics,
    /// How far reading has come.
    pub checkpoints: Checkpoints,
    /// Where each live source stands.
    pub live: Mutex<HashMap<SyncKey, LiveStatus>>,
    /// Change events.
    pub streams: Streams,
    /// What is known of schemas.
    pub schemas: Schemas,
    /// Looks for records.
    pub looks: Looks,
    /// Whose turn it is among imports.
    pub turns: Turns,
    /// Compares that run; dropped with the shard.
    pub compares: Mutex<HashMap<RunId, tokio_util::task::AbortOnDropHandle<()>>>,
}

impl Shard {
    /// A shard that was just won.
    #[must_use]
    pub fn new(context: ShardContext, settings: Arc<ExtractorSettings>) -> Self {
        let metrics = Metrics::new(StageKind::Extractor);
        let (secrets, config) = (context.secrets.clone(), context.config.clone());
        let own_calls = OwnCalls::new(&context.hub);
        let orgs = Orgs::new(secrets, config, settings.clone(), metrics.clone(), own_calls);
        let checkpoints = Checkpoints::new(&context.hub);
        Self {
            context,
            settings,
            orgs,
            metrics,
            checkpoints,
            live: Mutex::default(),
            streams: Streams::default(),
            schemas: Schemas::default(),
            looks: Looks::default(),
            turns: Turns::default(),
            compares: Mutex::default(),
        }
    }

    /// A sync as it stands.
    pub fn sync(&self, key: &SyncKey) -> Result<Arc<Sync>, Trouble> {
        let found = self.context.config.sync(&key.tenant, &key.name);
        found.ok_or_else(|| Trouble::Missing(format!("there is no sync {key}")))
    }

    /// The draft of a dry run.
    pub async fn draft(&self, tenant: &TenantId, run: &RunId) -> Result<Arc<Draft>, Trouble> {
        let found = self.context.config.draft_of(tenant, Some(run)).await;
        found
            .ok_or_else(|| Trouble::Missing(format!("there is no dry run {run} of {tenant}; start it again")))
    }

    /// Reads rows for a plan.
    #[must_use]
    pub fn reader(&self, client: Client, plan: Arc<ReadPlan>) -> Reader {
        Reader::new(client, plan, self.context.lease.clone())
    }

    /// The fence of the sync's latest import that has read anything of this org, unless it was cancelled or failed.
    pub async fn latest_fence(
        &self,
        key: &SyncKey,
        org: &SalesforceId,
    ) -> Result<Option<Timestamp>, StageError> {
        let mut imports = self.context.config.imports(&key.tenant);
        imports.retain(|import| import.sync == key.name);
        imports.sort_by_key(|import| std::cmp::Reverse(import.started_ms));
        for import in imports {
            let Some(checkpoint) = self.checkpoints.import(&key.tenant, &import.id).await? else {
                continue;
            };
            let is_of_org = checkpoint.org_id.is_none_or(|known| known == *org);
            if is_of_org
                && !matches!(
                    checkpoint.end,
                    Some(crate::checkpoint::ImportEnd::Failed(_) | crate::checkpoint::ImportEnd::Canceled)
                )
            {
                return Ok(Some(checkpoint.fence));
            }
        }
        Ok(None)
    }

    /// Stops a sync for a reason that a person must see.
    pub async fn suspend_sync(&self, key: &SyncKey, reason: &str) {
        let suspended = self
            .context
            .config
            .change_sync(key, |sync| {
                let Some(mut sync) = sync.filter(|sync| sync.status == SyncStatus::Active) else {
                    return Ok::<_, std::convert::Infallible>(None);
                };
                sync.status = SyncStatus::Suspended;
                sync.reason = Some(reason.to_owned());
                Ok(Some(sync))
            })
            .await;
        if let Err(error) = suspended {
            tracing::error!(sync = %key, error = %error.chain(), reason, "a sync should be suspended and cannot be");
        }
    }

    /// Stops a tenant for a reason that a person must see.
    pub async fn suspend_tenant(&self, id: &TenantId, reason: &str) {
        let suspended = self
            .context
            .config
            .change_tenant(id, |tenant| {
                let Some(mut tenant) = tenant.filter(|tenant| tenant.suspended.is_none()) else {
                    return Ok::<_, std::convert::Infallible>(None);
                };
                tenant.suspended = Some(reason.to_owned());
                Ok(Some(tenant))
            })
            .await;
        if let Err(error) = suspended {
            tracing::error!(tenant = %id, error = %error.chain(), reason, "a tenant should be suspended and cannot be");
        }
    }
}
