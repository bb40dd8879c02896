//! An object type's own words, apart from its records and properties.

use serde::{Deserialize, Serialize};

/// An object type's own words.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) singular: String,
    pub(super) plural: String,
    pub(super) description: Option<String>,
    pub(super) primary_display: Option<String>,
    pub(super) secondary_display: Vec<String>,
    pub(super) required: Vec<String>,
    pub(super) searchable: Vec<String>,
    pub(super) restorable: bool,
    pub(super) allows_sensitive: bool,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) archived_ms: Option<i64>,
}

/// A property group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) display_order: i64,
}

/// An administrator's rule of 2026-09: a value of one property makes another required.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ConditionalRule {
    pub(super) when: String,
    pub(super) equals: String,
    pub(super) requires: String,
}
