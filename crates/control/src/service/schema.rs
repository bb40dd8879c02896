//! What changed in Salesforce's schema.

use landbridge_model::SyncName;

use super::TenantService;
use super::caller::Role;
use super::error::ServiceError;
use crate::ask::{ListSchemaEvents, SchemaEvents};

impl TenantService {
    /// What changed in the Salesforce schema that a sync reads, newest first, each with what followed.
    pub async fn schema_events(&self, sync: &SyncName) -> Result<SchemaEvents, ServiceError> {
        self.require(Role::Viewer)?;
        self.stored_sync(sync)?;
        self.ask_control(&ListSchemaEvents { sync: sync.clone() }).await
    }
}
