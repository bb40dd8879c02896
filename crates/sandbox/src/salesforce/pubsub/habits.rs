//! What may be wished of change events.

use crate::salesforce::clock::DAY_MS;
use serde::{Deserialize, Serialize};

/// Objects whose changes may be selected without an add-on.
pub(super) const MOST_ENTITIES: usize = 5;

impl PubSubHabits {
    /// Whether an object's changes are told at all.
    pub(super) fn selects(&self, object: &str) -> bool {
        self.entities.iter().any(|name| name.eq_ignore_ascii_case(object))
    }

    /// Whether the user may not hear of an object.
    pub(super) fn forbids(&self, object: &str) -> bool {
        self.forbidden
            .iter()
            .any(|name| name.eq_ignore_ascii_case(object))
    }
}

/// What may be turned while it runs, through `/__sandbox/pubsub`. Times are milliseconds of this machine, except for
/// the retention, which is the org's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PubSubHabits {
    /// The objects whose changes are told; five at most.
    pub entities: Vec<String>,
    /// Objects that the user may not hear of: their own channels are refused, the channel of all leaves them out.
    pub forbidden: Vec<String>,
    /// Whether the org's licence has the Pub/Sub API.
    pub licensed: bool,
    /// An empty answer comes after so long without an event.
    pub keep_alive_ms: u64,
    /// A stream without credit is closed after so long.
    pub credit_ms: u64,
    /// Events are kept for so long.
    pub retention_ms: i64,
    /// Changes of a transaction that are told one by one; the rest become overflow events.
    pub overflow_after: usize,
    /// One of so many events becomes a gap event; 0 for none.
    pub gap_one_in: u64,
    /// One of so many events is never told; 0 for none.
    pub drop_one_in: u64,
    /// A subscription that returns to a place is told so many events once more.
    pub repeats: usize,
    /// Streams stay open and say nothing, as half-open connections do.
    pub mute: bool,
    /// Deliveries of 24 hours, to all subscribers together.
    pub daily_deliveries: u64,
}

impl Default for PubSubHabits {
    fn default() -> Self {
        PubSubHabits {
            entities: Vec::new(),
            forbidden: Vec::new(),
            licensed: true,
            keep_alive_ms: 270_000,
            credit_ms: 60_000,
            retention_ms: 3 * DAY_MS,
            overflow_after: 100_000,
            gap_one_in: 0,
            drop_one_in: 0,
            repeats: 0,
            mute: false,
            daily_deliveries: 25_000,
        }
    }
}
