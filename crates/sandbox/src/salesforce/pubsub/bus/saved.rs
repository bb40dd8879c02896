//! The events as the org's state in a file holds them.

use super::{Counts, Event, EventBus, PubSubHabits};
use crate::salesforce::random::Chance;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Places of a run that began anew are so far from those of the run before, so that one which was given out in the
/// last moment before a crash is not given out again.
const APART: u64 = 1_000;

/// All but the events themselves.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::salesforce) struct SavedBus {
    habits: PubSubHabits,
    floor: u64,
    given: Vec<(u64, i64)>,
    schemas: BTreeMap<String, Json>,
    delivered: Vec<(i64, u64)>,
    counters: SavedCounters,
}

/// What grows with every event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::salesforce) struct SavedCounters {
    last: u64,
    commits: i64,
    chance: Chance,
    ids: u64,
    counts: Counts,
}

/// One event, and when it was told, unless that is forgotten.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::salesforce) struct SavedEvent {
    #[serde(rename = "n")]
    number: u64,
    #[serde(rename = "at")]
    at_ms: i64,
    #[serde(rename = "o")]
    object: usize,
    id: String,
    #[serde(rename = "s")]
    schema_id: String,
    #[serde(rename = "p", with = "as_text")]
    payload: Bytes,
}

/// A payload in base 64.
mod as_text {
    use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(payload: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD_NO_PAD.encode(payload))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD_NO_PAD.decode(text).map_err(D::Error::custom)?;
        Ok(Bytes::from(bytes))
    }
}

impl EventBus {
    pub(in crate::salesforce) fn save(&self) -> SavedBus {
        let inner = self.inner.lock();
        SavedBus {
            habits: inner.habits.clone(),
            floor: inner.floor,
            given: inner.given.iter().copied().collect(),
            schemas: inner.schemas.clone(),
            delivered: inner.delivered.iter().copied().collect(),
            counters: inner.counters(),
        }
    }

    /// The events after a place, and the counters as they are now.
    pub(in crate::salesforce) fn save_since(&self, place: u64) -> (Vec<SavedEvent>, SavedCounters) {
        let inner = self.inner.lock();
        let start = inner.events.partition_point(|event| event.number <= place);
        let events = inner.events.range(start..).map(|event| {
            let given = inner.given.partition_point(|(number, _)| *number < event.number);
            SavedEvent {
                number: event.number,
                at_ms: inner.given.get(given).map_or(0, |(_, at)| *at),
                object: event.object,
                id: event.id.clone(),
                schema_id: event.schema_id.clone(),
                payload: event.payload.clone(),
            }
        });
        (events.collect(), inner.counters())
    }

    /// Deliveries of the last 24 hours, by the moment.
    pub(in crate::salesforce) fn save_deliveries(&self) -> Vec<(i64, u64)> {
        self.inner.lock().delivered.iter().copied().collect()
    }

    pub(in crate::salesforce) fn load(&self, saved: SavedBus) {
        let mut inner = self.inner.lock();
        inner.habits = saved.habits;
        inner.floor = saved.floor;
        inner.given = saved.given.into();
        inner.schemas = saved.schemas;
        inner.delivered = saved.delivered.into();
        inner.count_on(saved.counters);
    }

    pub(in crate::salesforce) fn load_habits(&self, habits: PubSubHabits) {
        self.inner.lock().habits = habits;
    }

    pub(in crate::salesforce) fn load_deliveries(&self, delivered: Vec<(i64, u64)>) {
        self.inner.lock().delivered = delivered.into();
    }

    pub(in crate::salesforce) fn load_counters(&self, counters: SavedCounters) {
        self.inner.lock().count_on(counters);
    }

    pub(in crate::salesforce) fn load_event(&self, saved: SavedEvent) {
        self.load_place(saved.number, saved.at_ms);
        let mut inner = self.inner.lock();
        let at = inner.events.partition_point(|event| event.number < saved.number);
        let event = Event {
            number: saved.number,
            object: saved.object,
            id: saved.id,
            schema_id: saved.schema_id,
            payload: saved.payload,
        };
        inner.events.insert(at, event);
    }

    /// A place that was given out, by an event or by a keep-alive.
    pub(in crate::salesforce) fn load_place(&self, number: u64, at_ms: i64) {
        let mut inner = self.inner.lock();
        let at = inner.given.partition_point(|(known, _)| *known < number);
        if inner.given.get(at).is_none_or(|(known, _)| *known != number) {
            inner.given.insert(at, (number, at_ms));
        }
        inner.last = inner.last.max(number);
    }

    /// All of an earlier run is there.
    pub(in crate::salesforce) fn loaded(&self) {
        let mut inner = self.inner.lock();
        inner.last += APART;
        let schema = inner.schema.clone();
        for object in 0..schema.objects.len() {
            inner.layout(object);
        }
    }
}

impl super::Inner {
    fn counters(&self) -> SavedCounters {
        SavedCounters {
            last: self.last,
            commits: self.commits,
            chance: self.chance.clone(),
            ids: self.ids,
            counts: self.counts,
        }
    }

    fn count_on(&mut self, counters: SavedCounters) {
        self.last = self.last.max(counters.last);
        self.commits = counters.commits;
        self.chance = counters.chance;
        self.ids = counters.ids;
        self.counts = counters.counts;
    }
}
