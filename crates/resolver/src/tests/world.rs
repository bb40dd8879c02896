//! A small world around the decisions: a Salesforce, a HubSpot, a loader, lanes, a bus that keeps what is parked.
//! What is not deterministic here is chosen by the caller, one step at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use landbridge_model::{Former, HubSpotId, SalesforceId, Source, SyncName, Version};

use super::memory::Memory;
use super::transcripts::{cause, directory, end, id};
use crate::decide::{Action, Event, View};
use crate::facts::{Cause, End, LinkOrder, Parked, Slot, Stand, Want, Whereabouts, Wish};

pub(super) const CHILDREN: [&str; 3] = ["v1", "v2", "v3"];
/// Records that Landbridge carries: announced when they are created or archived.
pub(super) const CARRIED: [&str; 5] = ["v1", "v2", "v3", "d1", "d2"];
/// Records that HubSpot's own integration brings: never announced.
pub(super) const COMPANIES: [&str; 2] = ["c1", "c2"];
/// Lookup fields with the records that they can name.
pub(super) const FIELDS: [(&str, [&str; 2]); 3] = [
    ("depot", ["d1", "d2"]),
    ("owner", ["c1", "c2"]),
    ("self", ["v1", "v2"]),
];

/// All lookups of a child at one version; no fields when it is deleted.
#[derive(Clone, Debug)]
struct Row {
    child: &'static str,
    version: Version,
    source: Source,
    wants: BTreeMap<&'static str, Option<&'static str>>,
    deleted: bool,
}

#[derive(Clone, Debug)]
struct RecordWrite {
    name: &'static str,
    version: Version,
    deleted: bool,
}

#[derive(Clone, Debug)]
struct Announcement {
    name: &'static str,
    hubspot_id: Option<HubSpotId>,
    version: Version,
}

/// A lane: what is not acknowledged, of which the first `taken` are in the resolver's hands.
#[derive(Clone, Debug)]
struct LaneOf<T> {
    queue: VecDeque<T>,
    taken: usize,
}

impl<T> Default for LaneOf<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            taken: 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct World {
    clock: i64,
    next_hubspot_id: u64,
    // Salesforce
    alive: BTreeSet<&'static str>,
    wants: BTreeMap<(&'static str, &'static str), &'static str>,
    history: Vec<Row>,
    // HubSpot
    records: BTreeMap<SalesforceId, HubSpotId>,
    links: BTreeSet<(HubSpotId, String, HubSpotId)>,
    applied: BTreeMap<&'static str, Version>,
    // The bus
    intents: [LaneOf<Row>; 2],
    announcements: [VecDeque<Announcement>; 2],
    writes: [VecDeque<RecordWrite>; 2],
    orders: VecDeque<LinkOrder>,
    parked: BTreeMap<Slot, Wish>,
    // The resolver
    pub(super) memory: Memory,
    asked: BTreeSet<End>,
    answers: VecDeque<(End, Whereabouts, Option<Version>)>,
    // What the check must know
    handled: BTreeMap<&'static str, Version>,
    /// The newest row of each child that was acknowledged, and that before everything was forgotten.
    decided: BTreeMap<&'static str, Version>,
    forgotten: BTreeMap<&'static str, Version>,
    colds: u32,
    /// Of records whose HubSpot record was archived: after how many cold starts.
    archived: BTreeMap<SalesforceId, u32>,
    /// Records of which something older was still under way when all was forgotten, and HubSpot could not tell yet.
    confused: BTreeSet<SalesforceId>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            clock: 0,
            next_hubspot_id: 100,
            alive: BTreeSet::new(),
            wants: BTreeMap::new(),
            history: Vec::new(),
            records: BTreeMap::new(),
            links: BTreeSet::new(),
            applied: BTreeMap::new(),
            intents: Default::default(),
            announcements: Default::default(),
            writes: Default::default(),
            orders: VecDeque::new(),
            parked: BTreeMap::new(),
            memory: Memory::new(Stand::Nothing),
            asked: BTreeSet::new(),
            answers: VecDeque::new(),
            handled: BTreeMap::new(),
            decided: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            colds: 0,
            archived: BTreeMap::new(),
            confused: BTreeSet::new(),
        }
    }

    fn tick(&mut self) -> Version {
        self.clock += 1;
        Version::new(self.clock, self.clock)
    }

    fn row(&self, child: &'static str, version: Version, source: Source) -> Row {
        let wants = FIELDS.map(|(field, _)| (field, self.wants.get(&(child, field)).copied()));
        Row {
            child,
            version,
            source,
            wants: wants.into(),
            deleted: !self.alive.contains(child),
        }
    }

    // ---- Salesforce

    /// Creates or changes a record.
    pub(super) fn save(
        &mut self,
        name: &'static str,
        change: Option<(&'static str, Option<&'static str>)>,
        lane: usize,
    ) {
        self.alive.insert(name);
        if let Some((field, parent)) = change {
            match parent {
                Some(parent) => self.wants.insert((name, field), parent),
                None => self.wants.remove(&(name, field)),
            };
        }
        self.emit(name, lane);
    }

    pub(super) fn delete(&mut self, name: &'static str, lane: usize) {
        if self.alive.remove(name) {
            self.emit(name, lane);
        }
    }

    fn emit(&mut self, name: &'static str, lane: usize) {
        let version = self.tick();
        if CHILDREN.contains(&name) {
            let source = if lane == 0 {
                Source::Increment
            } else {
                Source::Import
            };
            let row = self.row(name, version, source);
            self.history.push(row.clone());
            self.intents[lane].queue.push_back(row);
        }
        let deleted = !self.alive.contains(name);
        self.writes[lane].push_back(RecordWrite {
            name,
            version,
            deleted,
        });
    }

    /// An old row comes again, as an import that was read long ago brings it.
    pub(super) fn repeat(&mut self, which: usize, lane: usize) {
        if let Some(row) =
            (!self.history.is_empty()).then(|| self.history[which % self.history.len()].clone())
        {
            self.watch_for_confusion(&row);
            self.intents[lane].queue.push_back(row);
        }
    }

    /// An old row after a cold start is recognised by the version that HubSpot has, unless the newer row was decided
    /// but not written when everything was forgotten. Nothing but `verify` finds what that does.
    fn watch_for_confusion(&mut self, row: &Row) {
        let decided = self
            .forgotten
            .get(row.child)
            .is_some_and(|decided| row.version < *decided);
        let written = self
            .applied
            .get(row.child)
            .is_some_and(|applied| row.version < *applied);
        if decided && !written {
            self.confused.insert(id(row.child));
        }
    }

    /// Somebody asks for a record to be read again.
    pub(super) fn reread(&mut self, child: &'static str) {
        if self.alive.contains(child) {
            let version = self.tick();
            let row = self.row(child, version, Source::Reread);
            self.history.push(row.clone());
            self.intents[0].queue.push_back(row);
            self.writes[0].push_back(RecordWrite {
                name: child,
                version,
                deleted: false,
            });
        }
    }

    // ---- HubSpot and the loader

    pub(super) fn company_arrives(&mut self, name: &'static str) {
        let next = self.new_hubspot_id();
        self.records.entry(id(name)).or_insert(next);
    }

    fn new_hubspot_id(&mut self) -> HubSpotId {
        self.next_hubspot_id += 1;
        HubSpotId(self.next_hubspot_id)
    }

    pub(super) fn write_record(&mut self, lane: usize) {
        let Some(write) = self.writes[lane].pop_front() else {
            return;
        };
        if self
            .applied
            .get(write.name)
            .is_some_and(|applied| write.version < *applied)
        {
            return;
        }
        self.applied.insert(write.name, write.version);
        let key = id(write.name);
        let hubspot_id = if write.deleted {
            let Some(gone) = self.records.remove(&key) else {
                return;
            };
            self.links
                .retain(|(child, _, parent)| *child != gone && *parent != gone);
            self.archived.insert(key, self.colds);
            None
        } else if self.records.contains_key(&key) {
            return; // the resolver knows it, or asks
        } else {
            let new = self.new_hubspot_id();
            self.records.insert(key, new);
            Some(new)
        };
        let announcement = Announcement {
            name: write.name,
            hubspot_id,
            version: write.version,
        };
        self.announcements[lane].push_back(announcement);
    }

    pub(super) fn write_link(&mut self) {
        let Some(order) = self.orders.pop_front() else {
            return;
        };
        let link = order.link;
        let child = link.child_hubspot_id;
        let exists = |id: HubSpotId| self.records.values().any(|record| *record == id);
        if !exists(child) {
            return; // refused
        }
        let wanted = link
            .parent
            .map(|(_, parent)| parent)
            .filter(|parent| exists(*parent));
        match link.former {
            Former::Nothing => {}
            Former::Record(former) => {
                self.links.remove(&(child, link.field.clone(), former));
            }
            Former::Unknown => {
                self.links.retain(|(of, field, parent)| {
                    *of != child || *field != link.field || Some(*parent) == wanted
                });
            }
        }
        if let Some(parent) = wanted {
            self.links.insert((child, link.field, parent));
        }
    }

    // ---- the resolver's shell

    fn perform(&mut self, event: Event, crash_after: Option<usize>) {
        if let Event::Identity { end, .. } = &event {
            self.asked.remove(end);
            self.answers.retain(|(answered, ..)| answered != end);
        }
        let mut actions = self.memory.handle(event, self.clock);
        // The order in which the shell does it.
        actions.sort_by_key(|action| match action {
            Action::Park(..) => 0,
            Action::Order(_) => 1,
            Action::Unpark(_) => 3,
            Action::LookUp(_) => 4,
            _ => 2,
        });
        let limit = crash_after.unwrap_or(usize::MAX);
        for action in actions.into_iter().take(limit) {
            match action {
                Action::Park(slot, wish) => {
                    self.parked.insert(slot, wish);
                }
                Action::Unpark(slot) => self.forget_parked(&slot),
                Action::Order(order) => self.orders.push_back(order),
                Action::LookUp(end) => {
                    self.asked.insert(end);
                }
                Action::Reread(slot, _) => {
                    self.reread(CHILDREN.into_iter().find(|name| id(name) == slot.child).unwrap());
                }
                _ => {}
            }
        }
        if crash_after.is_some() {
            self.cold();
        } else {
            self.acknowledge();
        }
    }

    /// Parked and released by one event: the last word counts.
    fn forget_parked(&mut self, slot: &Slot) {
        if self.memory.wish(slot).is_none_or(|wish| wish.parked.is_none()) {
            self.parked.remove(slot);
        }
    }

    pub(super) fn take_intents(&mut self, lane: usize, crash_after: Option<usize>) {
        let LaneOf { queue, taken } = &self.intents[lane];
        let Some(row) = queue.get(*taken).cloned() else {
            return;
        };
        let events = intents_of(&row);
        let last = events.len() - 1;
        for (at, event) in events.into_iter().enumerate() {
            let crash = crash_after.filter(|_| at == last);
            self.perform(event, crash);
        }
        if crash_after.is_none() {
            self.intents[lane].taken += 1;
            self.acknowledge();
        }
    }

    pub(super) fn take_announcement(&mut self, lane: usize, crash_after: Option<usize>) {
        let Some(announcement) = self.announcements[lane].front().cloned() else {
            return;
        };
        let Announcement {
            name,
            hubspot_id,
            version,
        } = announcement;
        if crash_after.is_none() {
            self.announcements[lane].pop_front();
            let handled = self.handled.entry(name).or_default();
            *handled = version.max(*handled);
        }
        self.perform(
            Event::Identity {
                end: end(name),
                hubspot_id,
                version,
            },
            crash_after,
        );
    }

    pub(super) fn lose_patience(&mut self, which: usize) {
        let waiting: Vec<Slot> = self.slots_where(Wish::is_in_hand);
        if let Some(slot) = (!waiting.is_empty()).then(|| waiting[which % waiting.len()].clone()) {
            self.perform(Event::PatienceOver { slot }, None);
        }
    }

    /// The loader reads what it was asked for; the answer is under way.
    pub(super) fn read_for_answer(&mut self) {
        if let Some(asked) = self.asked.iter().next().cloned() {
            self.asked.remove(&asked);
            let found = self.records.get(&asked.id).copied();
            let whereabouts = found.map_or(Whereabouts::Gone, Whereabouts::Here);
            let version = CARRIED.into_iter().find(|name| id(name) == asked.id);
            let version = version.and_then(|name| self.applied.get(name).copied());
            self.answers
                .push_back((asked, whereabouts, version.filter(|_| found.is_some())));
        }
    }

    pub(super) fn take_answer(&mut self, crash_after: Option<usize>) {
        if let Some((end, whereabouts, version)) = self.answers.pop_front() {
            self.perform(
                Event::Answer {
                    end,
                    whereabouts,
                    version,
                },
                crash_after,
            );
        }
    }

    /// Asks again for parents that nobody announces.
    pub(super) fn sweep(&mut self) {
        let waiting = self.slots_where(|wish| wish.waits);
        for slot in waiting {
            let parent = self.memory.wishes[&slot].parent().cloned();
            self.asked
                .extend(parent.filter(|parent| !parent.directory.unique));
        }
    }

    /// The worker dies with its disk; another one begins.
    pub(super) fn cold(&mut self) {
        for lane in &self.announcements {
            for waiting in lane {
                if self
                    .handled
                    .get(waiting.name)
                    .is_some_and(|handled| waiting.version < *handled)
                {
                    self.confused.insert(id(waiting.name));
                }
            }
        }
        self.forgotten = self.decided.clone();
        let under_way: Vec<Row> = self.intents.iter().flat_map(|lane| lane.queue.clone()).collect();
        under_way.iter().for_each(|row| self.watch_for_confusion(row));
        self.colds += 1;
        self.memory = Memory::new(Stand::Unknown);
        self.asked.clear();
        self.answers.clear();
        self.intents.iter_mut().for_each(|lane| lane.taken = 0);
        for (slot, wish) in self.parked.clone() {
            let Wish {
                child,
                want,
                cause,
                parked,
                ..
            } = wish;
            let parked: Parked = parked.unwrap();
            self.perform(
                Event::Rebuilt {
                    slot,
                    child,
                    want,
                    cause,
                    parked,
                },
                None,
            );
        }
    }

    /// Takes off the lanes what has nothing in hand any more.
    fn acknowledge(&mut self) {
        for lane in &mut self.intents {
            let mut at = 0;
            while at < lane.taken {
                let done = slots_of(lane.queue[at].child).all(|slot| {
                    let wish = self.memory.wishes.get(&slot);
                    wish.is_none_or(|wish| !wish.is_in_hand())
                });
                if done {
                    if let Some(row) = lane.queue.remove(at) {
                        let decided = self.decided.entry(row.child).or_default();
                        *decided = row.version.max(*decided);
                    }
                    lane.taken -= 1;
                } else {
                    at += 1;
                }
            }
        }
    }

    fn slots_where(&self, fits: impl Fn(&Wish) -> bool) -> Vec<Slot> {
        self.memory
            .wishes
            .iter()
            .filter(|(_, wish)| fits(wish))
            .map(|(slot, _)| slot.clone())
            .collect()
    }

    // ---- the end

    /// Lets everything come to rest.
    pub(super) fn settle(&mut self) {
        for _ in 0..4 {
            for lane in [0, 1] {
                while !self.writes[lane].is_empty() {
                    self.write_record(lane);
                }
                while !self.announcements[lane].is_empty() {
                    self.take_announcement(lane, None);
                }
                while self.intents[lane].taken < self.intents[lane].queue.len() {
                    self.take_intents(lane, None);
                }
            }
            while !self.slots_where(Wish::is_in_hand).is_empty() {
                self.lose_patience(0);
            }
            self.sweep();
            while !self.asked.is_empty() || !self.answers.is_empty() {
                self.read_for_answer();
                self.take_answer(None);
            }
            while !self.orders.is_empty() {
                self.write_link();
            }
        }
        assert!(
            self.intents.iter().all(|lane| lane.queue.is_empty()),
            "a message was never acknowledged"
        );
    }

    /// The links that HubSpot should have less those that it has, and the other way round.
    pub(super) fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for child in CHILDREN {
            for (slot, (field, _)) in slots_of(child).zip(FIELDS) {
                if self.excused(child, field, &slot) {
                    continue;
                }
                let at = self.records.get(&id(child));
                let parent = self
                    .wants
                    .get(&(child, field))
                    .and_then(|parent| self.records.get(&id(parent)));
                let wanted: BTreeSet<HubSpotId> = at.and(parent).into_iter().copied().collect();
                let found: BTreeSet<HubSpotId> = self
                    .links
                    .iter()
                    .filter(|(of, through, _)| Some(of) == at && through == field)
                    .map(|(_, _, parent)| *parent)
                    .collect();
                if wanted != found {
                    differences.push(format!("{child}.{field}: wanted {wanted:?}, found {found:?}"));
                }
            }
        }
        if !self.parked_is_right() {
            differences.push(format!(
                "parked for nothing, or not parked: {:?}",
                self.parked.keys()
            ));
        }
        differences
    }

    fn parked_is_right(&self) -> bool {
        let waiting: Vec<Slot> = self.slots_where(|wish| wish.waits);
        waiting.iter().eq(self.parked.keys())
    }

    /// What a cold start forgets for good, by design: a link that stood before it, whose end was archived after it
    /// and came back. Only `verify` finds that.
    fn excused(&self, child: &str, field: &str, slot: &Slot) -> bool {
        let ends = [Some(child), self.wants.get(&(child, field)).copied()];
        let ends = || ends.into_iter().flatten().map(id);
        let forgotten = self.colds > 0 && !self.memory.wishes.contains_key(slot);
        let came_back = ends().any(|end| self.archived.contains_key(&end));
        (forgotten && came_back) || ends().any(|end| self.confused.contains(&end))
    }
}

fn slots_of(child: &str) -> impl Iterator<Item = Slot> {
    let child = id(child);
    FIELDS.into_iter().map(move |(field, _)| Slot {
        child,
        sync: SyncName::new("vehicles").unwrap(),
        field: Arc::from(field),
    })
}

fn intents_of(row: &Row) -> Vec<Event> {
    let event = |(slot, (field, _)): (Slot, (&'static str, _))| {
        let want = match (row.deleted, row.wants[field]) {
            (true, _) => Want::Dropped,
            (false, None) => Want::Nobody,
            (false, Some(parent)) => Want::Parent(end(parent)),
        };
        let cause: Cause = cause(row.source);
        Event::Intent {
            slot,
            child: directory("v"),
            want,
            version: row.version,
            cause,
        }
    };
    slots_of(row.child).zip(FIELDS).map(event).collect()
}
