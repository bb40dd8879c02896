//! The events of the last three days, in the order of their commits.

mod saved;

pub(in crate::salesforce) use saved::{SavedBus, SavedCounters, SavedEvent};

use super::{
    habits::{MOST_ENTITIES, PubSubHabits},
    layout::Layout,
};
use crate::salesforce::{
    clock::DAY_MS,
    ids::RecordId,
    random::Chance,
    schema::Schema,
    store::{Org, Touched},
};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};
use tokio::sync::watch;

/// One event that was told.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Where it stands: later ones have larger numbers.
    pub(super) number: u64,
    pub(super) object: usize,
    /// The event's own id.
    pub(super) id: String,
    pub(super) schema_id: String,
    pub(super) payload: Bytes,
}

/// A place in the order of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Now,
    Earliest,
    After(u64),
}

/// A place that is no longer, or never was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// How much was told, and how much was not.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Events of all kinds.
    pub events: u64,
    /// Events that became gap events.
    pub gaps: u64,
    /// Overflow events.
    pub overflows: u64,
    /// Events that were never told.
    pub dropped: u64,
    /// Events that reached a subscriber, once for each.
    pub deliveries: u64,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) habits: PubSubHabits,
    pub(super) events: VecDeque<Event>,
    /// Every number that was given out, with its moment by the org's clock.
    given: VecDeque<(u64, i64)>,
    pub(super) last: u64,
    /// Numbers below are void.
    floor: u64,
    pub(super) commits: i64,
    pub(super) chance: Chance,
    pub(super) ids: u64,
    pub(super) schema: Arc<Schema>,
    layouts: HashMap<usize, Arc<Layout>>,
    schemas: BTreeMap<String, Json>,
    delivered: VecDeque<(i64, u64)>,
    pub(super) counts: Counts,
}

/// All change events of an org.
#[derive(Debug)]
pub struct EventBus {
    inner: Mutex<Inner>,
    /// Grows with every event.
    news: watch::Sender<u64>,
    /// Changes when all streams are cut.
    cuts: watch::Sender<u64>,
}

impl EventBus {
    pub(in crate::salesforce) fn new(schema: Arc<Schema>, seed: u64) -> EventBus {
        let custom = schema.objects.iter().filter(|object| object.custom);
        let standard = schema.object("Account").into_iter();
        let entities = custom
            .chain(standard)
            .map(|object| object.name.clone())
            .take(MOST_ENTITIES)
            .collect();
        EventBus {
            inner: Mutex::new(Inner {
                habits: PubSubHabits {
                    entities,
                    ..PubSubHabits::default()
                },
                events: VecDeque::new(),
                given: VecDeque::new(),
                last: 296_772 + seed % 1_000,
                floor: 0,
                commits: 1_100_000_000_000,
                chance: Chance::new(seed, 0xE7E7),
                ids: seed,
                schema,
                layouts: HashMap::new(),
                schemas: BTreeMap::new(),
                delivered: VecDeque::new(),
                counts: Counts::default(),
            }),
            news: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
        }
    }

    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    /// Ends all running streams, as an outage does.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What they are like now.
    pub fn habits(&self) -> PubSubHabits {
        self.inner.lock().habits.clone()
    }

    /// How much was told, and how much was not.
    pub fn counts(&self) -> Counts {
        self.inner.lock().counts
    }

    /// Changes the habits, unless there are too many entities or one that does not exist.
    pub fn set_habits(&self, habits: PubSubHabits) -> Result<(), String> {
        let mut inner = self.inner.lock();
        if habits.entities.len() > MOST_ENTITIES {
            return Err(format!("at most {MOST_ENTITIES} entities can be selected"));
        }
        let unknown = habits
            .entities
            .iter()
            .chain(&habits.forbidden)
            .find(|name| inner.schema.index(name).is_none());
        if let Some(unknown) = unknown {
            return Err(format!("there is no object {unknown}"));
        }
        inner.habits = habits;
        drop(inner);
        // Streams that may no longer be served find out.
        self.news.send_modify(|news| *news += 1);
        Ok(())
    }

    /// Makes every place that was given out void, as a move to another instance does.
    pub fn void_places(&self) {
        let mut inner = self.inner.lock();
        inner.events.clear();
        inner.given.clear();
        inner.last += 1_000_000;
        inner.floor = inner.last;
    }

    /// Puts what a transaction did into events; gives the place before them. Nobody hears of them before
    /// [`EventBus::announce`].
    pub(in crate::salesforce) fn tell(
        &self,
        org: &Org,
        touched: Vec<(RecordId, Touched)>,
        origin: String,
        at_ms: i64,
        now_ms: i64,
    ) -> u64 {
        let mut inner = self.inner.lock();
        inner.follow(org.schema());
        let before = inner.last;
        inner.tell(org, touched, origin, at_ms, now_ms);
        before
    }

    /// Lets streams know that there are events.
    pub(in crate::salesforce) fn announce(&self) {
        self.news.send_modify(|news| *news += 1);
    }

    /// Tells that all records of an object must be read again.
    pub(in crate::salesforce) fn tell_all(&self, org: &Org, object: usize, at_ms: i64, now_ms: i64) {
        let mut inner = self.inner.lock();
        inner.follow(org.schema());
        inner.tell_all(org, object, at_ms, now_ms);
        drop(inner);
        self.news.send_modify(|news| *news += 1);
    }

    /// Where a subscription begins.
    pub(super) fn place(&self, from: From, now_ms: i64) -> Result<u64, Lost> {
        let mut inner = self.inner.lock();
        inner.forget(now_ms);
        let oldest = inner.given.front().map_or(inner.last + 1, |(number, _)| *number);
        match from {
            From::Now => Ok(inner.last),
            From::Earliest => Ok(oldest.saturating_sub(1)),
            From::After(number) if number >= oldest.max(inner.floor) && number <= inner.last => {
                Ok(inner.back(number))
            }
            From::After(_) => Err(Lost),
        }
    }

    /// The next events after a place, of some objects, and the place up to which was looked. Counts deliveries;
    /// `None` if no more of them are allowed.
    pub(super) fn next(
        &self,
        after: u64,
        wanted: impl Fn(usize) -> bool,
        most: usize,
        now_ms: i64,
    ) -> Option<(Vec<Event>, u64)> {
        let mut inner = self.inner.lock();
        inner.forget(now_ms);
        let start = inner.events.partition_point(|event| event.number <= after);
        let mut bytes = 0;
        let mut place = after;
        let mut found = Vec::new();
        for event in inner.events.range(start..) {
            bytes += event.payload.len();
            // An answer holds three megabytes at most.
            if found.len() == most || (bytes > 2_900_000 && !found.is_empty()) {
                break;
            }
            place = event.number;
            if wanted(event.object) {
                found.push(event.clone());
            }
        }
        inner
            .deliver(found.len() as u64, now_ms)
            .then_some((found, place))
    }

    /// A new place for somebody who was told everything up to `place`: what a keep-alive hands out. If there is more to
    /// tell by now, the place stays as it is.
    pub(super) fn mark_after(&self, place: u64, now_ms: i64) -> u64 {
        let mut inner = self.inner.lock();
        let has_more = inner.events.back().is_some_and(|event| event.number > place);
        if has_more { place } else { inner.give(now_ms) }
    }

    /// The layout of an object's events now.
    pub(super) fn layout(&self, org: &Org, object: usize) -> Arc<Layout> {
        let mut inner = self.inner.lock();
        inner.follow(org.schema());
        inner.layout(object)
    }

    /// A schema that was ever told.
    pub(super) fn schema(&self, id: &str) -> Option<Json> {
        self.inner.lock().schemas.get(id).cloned()
    }

    /// How many events were delivered in the last 24 hours, and how many may be.
    pub(in crate::salesforce) fn deliveries(&self, now_ms: i64) -> (u64, u64) {
        let mut inner = self.inner.lock();
        inner.deliver(0, now_ms);
        let used = inner.delivered.iter().map(|(_, count)| count).sum();
        (inner.habits.daily_deliveries, used)
    }
}

impl Inner {
    /// Takes a changed schema over: layouts are made anew, old schemas stay known.
    fn follow(&mut self, schema: &Arc<Schema>) {
        if !Arc::ptr_eq(&self.schema, schema) {
            self.schema = schema.clone();
            self.layouts.clear();
        }
    }

    pub(super) fn layout(&mut self, object: usize) -> Arc<Layout> {
        let schema = self.schema.clone();
        let made = || Arc::new(Layout::of(object, &schema.objects[object]));
        let layout = self.layouts.entry(object).or_insert_with(made).clone();
        self.schemas
            .entry(layout.schema_id.clone())
            .or_insert_with(|| layout.schema.clone());
        layout
    }

    /// The next number; there are holes between them.
    pub(super) fn give(&mut self, now_ms: i64) -> u64 {
        self.last += 1 + self.chance.below(3);
        self.given.push_back((self.last, now_ms));
        self.last
    }

    /// A place so many events earlier as are to be told once more.
    fn back(&self, number: u64) -> u64 {
        let told = self.events.partition_point(|event| event.number <= number);
        match told.checked_sub(self.habits.repeats + 1) {
            _ if self.habits.repeats == 0 => number,
            Some(before) => self.events[before].number,
            None => self
                .events
                .front()
                .map_or(number, |first| first.number.min(number + 1) - 1),
        }
    }

    fn forget(&mut self, now_ms: i64) {
        let until = now_ms - self.habits.retention_ms;
        while self.given.front().is_some_and(|(_, at)| *at < until) {
            self.given.pop_front();
        }
        let oldest = self.given.front().map_or(self.last + 1, |(number, _)| *number);
        while self.events.front().is_some_and(|event| event.number < oldest) {
            self.events.pop_front();
        }
    }

    fn deliver(&mut self, count: u64, now_ms: i64) -> bool {
        while self
            .delivered
            .front()
            .is_some_and(|(at, _)| now_ms - at >= DAY_MS)
        {
            self.delivered.pop_front();
        }
        if count == 0 {
            return true;
        }
        let used: u64 = self.delivered.iter().map(|(_, count)| count).sum();
        if used + count > self.habits.daily_deliveries {
            return false;
        }
        self.counts.deliveries += count;
        // By the minute, so that the list stays short.
        match self.delivered.back_mut() {
            Some((at, known)) if now_ms - *at < 60_000 => *known += count,
            _ => self.delivered.push_back((now_ms, count)),
        }
        true
    }
}
