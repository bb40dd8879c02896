//! What changed in Salesforce's schema, and what changes without a stamp.

use landbridge_model::ask::{AskFormulas, FormulaReading};
use landbridge_model::{StageKind, SyncName};

use super::caller::Role;
use super::error::ServiceError;
use super::{LONG_PATIENCE, TenantService};
use crate::ask::{ListSchemaEvents, SchemaEvents};

impl TenantService {
    /// Which mapped fields change without a stamp, how their records are read again, and what that costs.
    pub async fn formulas(&self, sync: &SyncName) -> Result<FormulaReading, ServiceError> {
        self.require(Role::Viewer)?;
        self.stored_sync(sync)?;
        let question = AskFormulas { sync: sync.clone() };
        self.ask(StageKind::Extractor, &question, LONG_PATIENCE).await
    }

    /// What changed in the Salesforce schema that a sync reads, newest first, each with what followed.
    pub async fn schema_events(&self, sync: &SyncName) -> Result<SchemaEvents, ServiceError> {
        self.require(Role::Viewer)?;
        self.stored_sync(sync)?;
        self.ask_control(&ListSchemaEvents { sync: sync.clone() }).await
    }
}
