//! Questions about what changed in Salesforce's schema.

use landbridge_model::SyncName;
use landbridge_model::ask::Question;
use landbridge_model::drift::SchemaEvent;
use serde::{Deserialize, Serialize};

/// What changed in the Salesforce schema that a sync reads?
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListSchemaEvents {
    /// Which sync.
    pub sync: SyncName,
}
question!(ListSchemaEvents, "schema-events", SchemaEvents);

/// What changed in the Salesforce schema that a sync reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SchemaEvents {
    /// Counts the schemas that were seen to differ.
    pub version: u32,
    /// When Salesforce was asked last, in milliseconds since 1970 by the org's clock; none before the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_ms: Option<i64>,
    /// The latest changes, newest first, each with what followed.
    pub events: Vec<SchemaEvent>,
}
