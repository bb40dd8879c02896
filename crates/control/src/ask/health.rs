//! How a tenant did lately, and what waits: asked of control.

use landbridge_model::ask::Question;
use landbridge_model::{Outcome, SalesforceId, SyncName};
use serde::{Deserialize, Serialize};

/// What became of the tenant's changes over time?
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AskHistory {}
question!(AskHistory, "history", TenantHistory);

/// What became of changes over time. Stretches in which nothing happened are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TenantHistory {
    /// By five minutes, for three hours.
    pub minutes: Vec<HistoryStretch>,
    /// By hours, for two days.
    pub hours: Vec<HistoryStretch>,
}

/// One stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryStretch {
    /// When it begins, in milliseconds since 1970.
    pub begin_ms: i64,
    /// How long it is, in milliseconds.
    pub length_ms: i64,
    /// Changes by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Live changes of which it was measured how long they were on their way.
    pub samples: u64,
    /// Half of them took no longer, in milliseconds.
    pub median_ms: Option<i64>,
    /// All but one in a hundred took no longer, in milliseconds.
    pub p99_ms: Option<i64>,
}

/// Which links wait for a record?
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ListParked {}
question!(ListParked, "parked", Vec<ParkedGroup>);

/// Links of one lookup field that wait for a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ParkedGroup {
    /// Of which sync.
    pub sync: SyncName,
    /// By which lookup field.
    pub field: String,
    /// The HubSpot object type that the field's parents become, as the definition names it.
    pub to: Option<String>,
    /// How many.
    pub links: u64,
    /// Since when the oldest waits, in milliseconds since 1970.
    pub oldest_ms: i64,
    /// The record that the oldest waits for.
    pub example: SalesforceId,
}
