//! Filling what an edit touched in records that were written before: offered until somebody does it or declines.

use landbridge_bus::Bucket;
use landbridge_model::SyncName;

use super::TenantService;
use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::revisions::StoredRevision;
use crate::definitions::back_fill::{Lacking, declined_key, lacking};

impl TenantService {
    /// What an edit touched and older records lack; nothing for a sync that never ran.
    pub(crate) async fn back_fill(
        &self,
        sync: &SyncName,
        kept: &[StoredRevision],
    ) -> Result<Lacking, ServiceError> {
        self.require(Role::Viewer)?;
        let sync = self.stored_sync(sync)?;
        let bucket = self.service.hub().bus().kv(Bucket::Config);
        Ok(lacking(&bucket, self.service.config(), &sync, kept).await?)
    }

    /// Leaves older records as they are: it is not offered again until the next edit.
    pub(crate) async fn decline_back_fill(&self, sync: &SyncName) -> Result<(), ServiceError> {
        self.require(Role::Operator)?;
        let stored = self.stored_sync(sync)?;
        let revision = stored.revision;
        let bucket = self.service.hub().bus().kv(Bucket::Config);
        let key = declined_key(&stored.key());
        self.audited("sync.back-fill-declined", sync.as_str(), async {
            bucket.put_json(&key, &revision).await?;
            let told = format!("records written before revision {} stay as they are", revision.0);
            Ok(((), Change::told(told).into()))
        })
        .await
    }
}
