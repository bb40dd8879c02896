//! Giving back the tail of a tenant's queue for want of memory, without losing its order.

use std::collections::{BTreeMap, BTreeSet};

/// What to do with a message that has just arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer<D> {
    /// Give it back to the server.
    GiveBack(D),
    /// Keep it; something before it is still away.
    Wait,
    /// Queue these, in this order.
    Queue(Vec<D>),
}

/// What of a tenant's queue was given back, and what of it has returned.
///
/// The server delivers what lies behind a message that was given back before it delivers that message again. So while
/// anything is away, nothing newer is queued: it is given back too, or waits here until all that is older is back.
#[derive(Debug)]
pub(crate) struct Tail<D> {
    away: BTreeSet<u64>,
    returned: BTreeMap<u64, D>,
}

impl<D> Default for Tail<D> {
    fn default() -> Self {
        Self {
            away: BTreeSet::new(),
            returned: BTreeMap::new(),
        }
    }
}

impl<D> Tail<D> {
    /// Decides about a message. `over` says that the memory budget is used up.
    pub(crate) fn offer(&mut self, sequence: u64, delivery: D, over: bool) -> Offer<D> {
        let came_back = self.away.remove(&sequence);
        // Something older is away: this one must not pass it. Holding what has returned is bounded by the lane's
        // capacity, so only news are given back.
        let behind = self.away.first().is_some_and(|first| *first < sequence);
        if !came_back && (over || behind) {
            self.away.insert(sequence);
            return Offer::GiveBack(delivery);
        }
        self.returned.insert(sequence, delivery);
        let first_away = self.away.first().copied().unwrap_or(u64::MAX);
        let still_waiting = self.returned.split_off(&first_away);
        let ready = std::mem::replace(&mut self.returned, still_waiting);
        if ready.is_empty() {
            Offer::Wait
        } else {
            Offer::Queue(ready.into_values().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_pressure_everything_is_queued_at_once() {
        let mut tail = Tail::default();
        assert_eq!(tail.offer(3, "a", false), Offer::Queue(vec!["a"]));
        assert_eq!(tail.offer(7, "b", false), Offer::Queue(vec!["b"]));
    }

    #[test]
    fn news_do_not_pass_what_is_away() {
        let mut tail = Tail::default();
        assert_eq!(tail.offer(1, "one", true), Offer::GiveBack("one"));
        assert_eq!(tail.offer(2, "two", false), Offer::GiveBack("two"));
        assert_eq!(tail.offer(2, "two", false), Offer::Wait);
        assert_eq!(tail.offer(1, "one", false), Offer::Queue(vec!["one", "two"]));
        assert_eq!(tail.offer(3, "three", false), Offer::Queue(vec!["three"]));
    }

    proptest! {
        /// The server's side of it: messages given back come again at any later moment, in any order.
        #[test]
        fn the_queue_is_always_in_order_and_complete(
            choices in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..200),
            total in 1u64..30,
        ) {
            let mut tail = Tail::default();
            let mut fresh = 1..=total;
            let mut outside: Vec<u64> = Vec::new();
            let mut queued: Vec<u64> = Vec::new();
            let mut step = |tail: &mut Tail<u64>, outside: &mut Vec<u64>, sequence: u64, over: bool| {
                match tail.offer(sequence, sequence, over) {
                    Offer::GiveBack(back) => outside.push(back),
                    Offer::Wait => {}
                    Offer::Queue(more) => queued.extend(more),
                }
            };
            for (index, over) in choices {
                // Either the next new message, or one of those that were given back.
                let at = index.index(outside.len() + 1);
                if at < outside.len() {
                    let sequence = outside.remove(at);
                    step(&mut tail, &mut outside, sequence, over);
                } else if let Some(sequence) = fresh.next() {
                    step(&mut tail, &mut outside, sequence, over);
                }
            }
            for sequence in fresh {
                step(&mut tail, &mut outside, sequence, false);
            }
            while let Some(sequence) = outside.pop() {
                step(&mut tail, &mut outside, sequence, false);
            }
            prop_assert_eq!(queued, (1..=total).collect::<Vec<_>>());
        }
    }
}
