//! What a portal does in its own way: delays, ceilings of the account, and what is not established about HubSpot.

use serde::{Deserialize, Serialize};

/// How long HubSpot's insides take to notice, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lags {
    /// Until search shows a write.
    pub search_index: i64,
    /// Until reads of a schema settle on its latest version, and lists show a new one.
    pub schema_reads: i64,
    /// Until a new property takes values: at least and at most.
    pub new_property: (i64, i64),
    /// Until an import has run.
    pub imports: i64,
}

impl Lags {
    /// Everything at once, for tests of other things.
    pub const NONE: Lags = Lags {
        search_index: 0,
        schema_reads: 0,
        new_property: (0, 0),
        imports: 0,
    };
}

impl Default for Lags {
    fn default() -> Self {
        Lags {
            search_index: 2000,
            schema_reads: 1500,
            new_property: (250, 700),
            imports: 2000,
        }
    }
}

/// What is not established about HubSpot, or differs between observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// The status of a batch of 2026-09 that went through in part: 207 or the success status.
    pub mixed_status_2026_09: Option<u16>,
    /// Results repeat the input's `objectWriteTraceId`.
    pub echo_trace_ids: bool,
    /// An update batch with trace ids goes through in part when values are bad.
    pub partial_updates: bool,
    /// A conflict of unique values is a 409 (with an existing id if asked for one by one), else a 400
    /// with `CONFLICTING_UNIQUE_VALUE`.
    pub conflicts_are_409: bool,
    /// Unique values that differ by case only are the same.
    pub unique_ignores_case: bool,
    /// A record in the recycle bin keeps its unique values for itself.
    pub archived_keep_unique_values: bool,
    /// An upsert that creates fills the property it looked for, even if it is not among the properties.
    pub upsert_fills_id_property: bool,
    /// The most labels between two object types.
    pub labels_max: usize,
    /// A null among a write's properties clears; else it leaves the value alone.
    pub nulls_clear: bool,
    /// The seconds in the `Retry-After` of a 429, which documents do not promise.
    pub retry_after_s: Option<u32>,
    /// The largest request body, in bytes; a larger one gets a 413.
    pub body_max: usize,
    /// The account's information counts no calls of service keys, as was seen once.
    pub usage_hides_service_keys: bool,
    /// The most values of an `IN` or `NOT_IN`.
    pub in_values_max: usize,
    /// The most inputs of an association batch that takes apart.
    pub association_archive_max: usize,
    /// Creating an object type by a name that is taken gives the one that has it, with the properties that it lacked;
    /// else a 409. Both were seen.
    pub taken_schema_names_merge: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            mixed_status_2026_09: None,
            echo_trace_ids: false,
            partial_updates: false,
            conflicts_are_409: true,
            unique_ignores_case: true,
            archived_keep_unique_values: false,
            upsert_fills_id_property: false,
            labels_max: 50,
            nulls_clear: false,
            retry_after_s: None,
            body_max: 64 << 20,
            usage_hides_service_keys: false,
            in_values_max: 100,
            association_archive_max: 100,
            taken_schema_names_merge: false,
        }
    }
}

/// What may change while a portal runs: by [`super::Portal::change_habits`] or `PATCH /__sandbox/habits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habits {
    /// The account's id. This one stays.
    pub portal_id: u32,
    /// How many custom object types the account may have.
    pub custom_object_types: usize,
    /// How many records of custom objects the account may have, all types together.
    pub custom_records: u64,
    /// How many custom properties an object type may have.
    pub custom_properties: usize,
    /// How long things take to show.
    pub lags: Lags,
    /// What is not established.
    pub behaviour: Behaviour,
}

impl Default for Habits {
    fn default() -> Self {
        Habits {
            portal_id: 24_681_357,
            custom_object_types: 10,
            custom_records: 50_000_000,
            custom_properties: 1000,
            lags: Lags::default(),
            behaviour: Behaviour::default(),
        }
    }
}
