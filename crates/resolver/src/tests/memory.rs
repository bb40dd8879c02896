//! What the resolver knows, in maps: a twin of the cache for tests of the decisions alone.

use std::collections::{BTreeMap, VecDeque};

use crate::decide::{Action, Event, Rows, View, decide};
use crate::facts::{Directory, End, Known, Slot, Stand, Wish};

#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) ends: BTreeMap<End, Known>,
    pub(crate) wishes: BTreeMap<Slot, Wish>,
    pub(crate) stand_of_unknown: Stand,
}

impl Memory {
    pub(crate) fn new(stand_of_unknown: Stand) -> Self {
        Self {
            ends: BTreeMap::new(),
            wishes: BTreeMap::new(),
            stand_of_unknown,
        }
    }

    /// Decides an event and all that it makes look again; gives what is to be done outside, in order.
    pub(crate) fn handle(&mut self, event: Event, now_ms: i64) -> Vec<Action> {
        let mut queue = VecDeque::from([event]);
        let mut outside = Vec::new();
        while let Some(event) = queue.pop_front() {
            let mut next = Vec::new();
            for action in decide(self, event, now_ms) {
                match action {
                    Action::KnowEnd(end, known) => {
                        self.ends.insert(end, known);
                    }
                    Action::KnowWish(slot, wish) => {
                        self.wishes.insert(slot, wish);
                    }
                    Action::ForgetWish(slot) => {
                        self.wishes.remove(&slot);
                    }
                    Action::Revisit { of, rows, after } => next.push(Event::Revisit { of, rows, after }),
                    other => outside.push(other),
                }
            }
            for event in next.into_iter().rev() {
                queue.push_front(event);
            }
        }
        outside
    }
}

impl View for Memory {
    fn known(&self, end: &End) -> Option<Known> {
        self.ends.get(end).cloned()
    }

    fn wish(&self, slot: &Slot) -> Option<Wish> {
        self.wishes.get(slot).cloned()
    }

    fn slots(&self, of: &End, rows: Rows, after: Option<&Slot>, limit: usize) -> Vec<Slot> {
        let fits = |slot: &Slot, wish: &Wish| match rows {
            Rows::Own => slot.child == of.id && wish.child == of.directory,
            Rows::Waiting => wish.waits && wish.parent() == Some(of),
            Rows::Settled => !wish.waits && wish.parent() == Some(of),
        };
        let all = self
            .wishes
            .iter()
            .filter(|(slot, wish)| fits(slot, wish))
            .map(|(slot, _)| slot);
        all.filter(|slot| after.is_none_or(|after| *slot > after))
            .take(limit)
            .cloned()
            .collect()
    }

    fn announced(&self, directory: &Directory) -> bool {
        directory.unique
    }

    fn stand_of_unknown(&self) -> Stand {
        self.stand_of_unknown
    }
}
