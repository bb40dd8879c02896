//! What a line of the file says.

use crate::salesforce::{
    clock::SavedClock,
    handle::{OrgHandle, SavedSettings},
    oauth::SavedGrants,
    pubsub::{PubSubHabits, SavedBus, SavedCounters, SavedEvent},
    schema::Object,
    session::SavedSessions,
    store::{JournalEntry, SavedChanges, SavedOrg, SavedRecord},
};
use rsa::pkcs8::{EncodePublicKey, LineEnding};
use serde::{Deserialize, Serialize};

/// One line: how something is from here on.
#[derive(Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "one at a time")]
pub(super) enum Line {
    /// The first line.
    Head {
        format: u32,
        seed: u64,
        schema_since: i64,
    },
    /// The org was started for the so-many-th time.
    Run(u64),
    Schema(Vec<Object>),
    Org(SavedOrg),
    #[serde(rename = "r")]
    Record(SavedRecord),
    Journal(Vec<JournalEntry>),
    Bus(SavedBus),
    #[serde(rename = "e")]
    Event(SavedEvent),
    Switches(Switches),
    Doors(Doors),
    Day(Day),
    #[serde(rename = "t")]
    Transaction(Transaction),
    #[serde(rename = "p")]
    Place(u64, i64),
}

/// What a transaction did, and the events that tell of it.
#[derive(Serialize, Deserialize)]
pub(in crate::salesforce) struct Transaction {
    pub(in crate::salesforce) changes: SavedChanges,
    pub(in crate::salesforce) told: Option<(Vec<SavedEvent>, SavedCounters)>,
}

/// What can be turned while the org runs.
#[derive(Serialize, Deserialize)]
pub(in crate::salesforce) struct Switches {
    pub(super) settings: SavedSettings,
    pub(super) events: PubSubHabits,
    pub(super) clock: SavedClock,
}

impl Switches {
    pub(super) fn of(handle: &OrgHandle) -> Switches {
        Switches {
            settings: handle.settings.save(),
            events: handle.bus.habits(),
            clock: handle.clock.save(),
        }
    }
}

/// Who may get in.
#[derive(Serialize, Deserialize)]
pub(in crate::salesforce) struct Doors {
    pub(super) jwt_public_key: String,
    pub(super) grants: SavedGrants,
    pub(super) sessions: SavedSessions,
}

impl Doors {
    pub(super) fn of(handle: &OrgHandle) -> Doors {
        let key = handle.jwt_key.read().to_public_key_pem(LineEnding::LF);
        Doors {
            jwt_public_key: key.unwrap_or_default(),
            grants: handle.grants.lock().save(),
            sessions: handle.sessions.lock().save(),
        }
    }
}

/// What is counted by the day, and the moment by the org's clock.
#[derive(Serialize, Deserialize)]
pub(in crate::salesforce) struct Day {
    pub(super) now_ms: i64,
    /// Calls by the hour.
    pub(super) calls: Vec<(i64, u64)>,
    /// When Bulk jobs and batches were made.
    pub(super) jobs: Vec<i64>,
    pub(super) batches: Vec<i64>,
    /// Deliveries of events.
    pub(super) delivered: Vec<(i64, u64)>,
}

impl Day {
    pub(super) fn of(handle: &OrgHandle) -> Day {
        Day {
            now_ms: handle.clock.now_ms(),
            calls: handle.usage.lock().save(),
            jobs: handle.jobs.made(),
            batches: handle.bulk_v1.made(),
            delivered: handle.bus.save_deliveries(),
        }
    }

    /// A text that differs when anything was counted since.
    pub(super) fn counted(&self) -> String {
        format!(
            "{:?} {} {} {:?}",
            self.calls,
            self.jobs.len(),
            self.batches.len(),
            self.delivered
        )
    }
}
