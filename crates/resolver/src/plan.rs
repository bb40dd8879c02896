//! One transaction: events decided over the cache and what the same transaction has changed already; then what is to
//! be done, in the order in which it is safe.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use landbridge_model::{LinkVerdict, ObjectTypeId};
use landbridge_stage::StageError;

use crate::decide::{Action, Event, Rows, View, decide};
use crate::facts::{Cause, Directory, End, Known, LinkOrder, Slot, Stand, Wish};
use crate::store::{Place, Store};

/// Where the loader announces what it creates: the types and unique properties of the tenant's syncs.
pub(crate) type Announced = Arc<HashSet<(ObjectTypeId, Arc<str>)>>;

/// When so many things are to be done they are done, before more is decided.
const ENOUGH: usize = 4_000;

/// What is to be done. The order of the fields is the order of the deeds: a crash between two of them loses nothing.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Wishes to make durable.
    pub(crate) park: BTreeMap<Slot, Wish>,
    /// Links to order.
    pub(crate) orders: Vec<LinkOrder>,
    /// What control is to be told.
    pub(crate) tell: Vec<(Slot, Cause, LinkVerdict)>,
    /// Failures that are none any more.
    pub(crate) mended: Vec<Slot>,
    /// Records to be read again.
    pub(crate) reread: Vec<(Slot, Cause)>,
    /// Durable twins to forget.
    pub(crate) unpark: Vec<Slot>,
    /// What is known now of ends.
    pub(crate) ends: HashMap<End, Known>,
    /// What is known now of slots.
    pub(crate) wishes: BTreeMap<Slot, Option<Wish>>,
    /// What is to be asked.
    pub(crate) look_up: Vec<End>,
    /// What the disk knew of slots before.
    pub(crate) before: HashMap<Slot, Option<Wish>>,
}

/// A transaction under way.
pub(crate) struct Decisions<'a> {
    store: &'a Store,
    announced: Announced,
    now_ms: i64,
    plan: Plan,
    /// Slots that this transaction has changed, by the parent that they name now.
    by_parent: HashMap<End, HashSet<Slot>>,
    /// Slots with `LB_PARKED`'s last word on them.
    last_word: HashMap<Slot, bool>,
    /// What was read from the disk: a slot and its ends are looked at several times.
    read_wishes: RefCell<HashMap<Slot, Option<Wish>>>,
    read_ends: RefCell<HashMap<End, Option<Known>>>,
    /// The first trouble with the disk: nothing that was decided after it counts.
    trouble: RefCell<Option<StageError>>,
}

impl<'a> Decisions<'a> {
    pub(crate) fn new(store: &'a Store, announced: Announced, now_ms: i64) -> Self {
        Self {
            store,
            announced,
            now_ms,
            plan: Plan::default(),
            by_parent: HashMap::new(),
            last_word: HashMap::new(),
            read_wishes: RefCell::default(),
            read_ends: RefCell::default(),
            trouble: RefCell::new(None),
        }
    }

    /// Decides events until there are none, or enough is to be done.
    pub(crate) fn decide_all(&mut self, events: &mut VecDeque<Event>) {
        while let Some(event) = events.pop_front() {
            let mut again = Vec::new();
            for action in decide(self, event, self.now_ms) {
                self.take(action, &mut again);
            }
            again.into_iter().rev().for_each(|event| events.push_front(event));
            if self.plan.orders.len() + self.plan.park.len() + self.plan.wishes.len() / 4 >= ENOUGH {
                return;
            }
        }
    }

    fn take(&mut self, action: Action, again: &mut Vec<Event>) {
        let plan = &mut self.plan;
        match action {
            Action::KnowEnd(end, known) => {
                plan.ends.insert(end, known);
            }
            Action::KnowWish(slot, wish) => {
                if let Some(parent) = wish.parent() {
                    self.by_parent
                        .entry(parent.clone())
                        .or_default()
                        .insert(slot.clone());
                }
                plan.wishes.insert(slot, Some(wish));
            }
            Action::ForgetWish(slot) => {
                plan.wishes.insert(slot, None);
            }
            Action::Park(slot, wish) => {
                self.last_word.insert(slot.clone(), true);
                plan.park.insert(slot, wish);
            }
            Action::Unpark(slot) => {
                self.last_word.insert(slot, false);
            }
            Action::Order(order) => plan.orders.push(order),
            Action::Tell(slot, cause, verdict) => plan.tell.push((slot, cause, verdict)),
            Action::Mended(slot) => plan.mended.push(slot),
            Action::Reread(slot, cause) => plan.reread.push((slot, cause)),
            Action::LookUp(end) => plan.look_up.push(end),
            Action::Revisit { of, rows, after } => again.push(Event::Revisit { of, rows, after }),
        }
    }

    /// What is to be done.
    pub(crate) fn plan(mut self) -> Result<Plan, StageError> {
        // Records often name each other: what was unknown to one event may have been announced by a later one.
        let look_up = std::mem::take(&mut self.plan.look_up);
        let look_up: Vec<End> = look_up
            .into_iter()
            .filter(|end| self.known(end).is_none_or(|known| known.is_worth_asking()))
            .collect();
        if let Some(trouble) = self.trouble.into_inner() {
            return Err(trouble);
        }
        let before = self.read_wishes.into_inner();
        let mut plan = Plan {
            look_up,
            before,
            ..self.plan
        };
        plan.unpark = self
            .last_word
            .into_iter()
            .filter(|(_, parked)| !parked)
            .map(|(slot, _)| slot)
            .collect();
        plan.unpark.sort_unstable();
        // What was parked and released by the same transaction was durable all along in the message that caused it.
        plan.unpark.iter().for_each(|slot| {
            plan.park.remove(slot);
        });
        Ok(plan)
    }

    fn or_trouble<T: Default>(&self, result: Result<T, StageError>) -> T {
        result.unwrap_or_else(|error| {
            self.trouble.borrow_mut().get_or_insert(error);
            T::default()
        })
    }

    fn changed_slots(&self, of: &End, rows: Rows) -> Vec<Slot> {
        match rows {
            Rows::Own => {
                let first = Slot {
                    child: of.id,
                    sync: landbridge_model::SyncName::new("-").expect("a hyphen is a name"),
                    field: Arc::from(""),
                };
                let from_first = self.plan.wishes.range(first..).map(|(slot, _)| slot);
                from_first
                    .take_while(|slot| slot.child == of.id)
                    .cloned()
                    .collect()
            }
            Rows::Waiting | Rows::Settled => self.by_parent.get(of).into_iter().flatten().cloned().collect(),
        }
    }

    /// New names have no number before the transaction ends: they come last, in any order that holds.
    fn place(&self, slot: &Slot) -> Place {
        self.store.place(slot).unwrap_or((slot.child, u16::MAX))
    }
}

impl View for Decisions<'_> {
    fn known(&self, end: &End) -> Option<Known> {
        if let Some(known) = self.plan.ends.get(end) {
            return Some(known.clone());
        }
        if let Some(read) = self.read_ends.borrow().get(end) {
            return read.clone();
        }
        let read = self.or_trouble(self.store.known(end));
        self.read_ends.borrow_mut().insert(end.clone(), read.clone());
        read
    }

    fn wish(&self, slot: &Slot) -> Option<Wish> {
        if let Some(wish) = self.plan.wishes.get(slot) {
            return wish.clone();
        }
        if let Some(read) = self.read_wishes.borrow().get(slot) {
            return read.clone();
        }
        let read = self.or_trouble(self.store.wish(slot));
        self.read_wishes.borrow_mut().insert(slot.clone(), read.clone());
        read
    }

    fn slots(&self, of: &End, rows: Rows, after: Option<&Slot>, limit: usize) -> Vec<Slot> {
        let after = after.map(|slot| (self.place(slot), slot.clone()));
        let after_place = after.as_ref().map(|(place, _)| *place);
        let unchanged = |slot: &Slot| !self.plan.wishes.contains_key(slot);
        let mut slots = self.or_trouble(self.store.slots(of, rows, after_place, limit, unchanged));
        let fits = |slot: &Slot| match self.plan.wishes.get(slot) {
            Some(Some(wish)) => match rows {
                Rows::Own => true,
                Rows::Waiting => wish.waits && wish.parent() == Some(of),
                Rows::Settled => !wish.waits && wish.parent() == Some(of),
            },
            Some(None) | None => false,
        };
        let changed = self.changed_slots(of, rows).into_iter().filter(|slot| fits(slot));
        slots.extend(changed.map(|slot| (self.place(&slot), slot)));
        slots.retain(|place_and_slot| {
            let is_own = || {
                self.wish(&place_and_slot.1)
                    .is_some_and(|wish| wish.child == of.directory)
            };
            after.as_ref().is_none_or(|after| place_and_slot > after) && (rows != Rows::Own || is_own())
        });
        slots.sort_unstable();
        slots.truncate(limit);
        slots.into_iter().map(|(_, slot)| slot).collect()
    }

    fn announced(&self, directory: &Directory) -> bool {
        self.announced
            .contains(&(directory.object_type.clone(), directory.property.clone()))
    }

    fn stand_of_unknown(&self) -> Stand {
        if self.store.is_complete() {
            Stand::Nothing
        } else {
            Stand::Unknown
        }
    }
}
