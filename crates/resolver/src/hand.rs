//! Messages in hand: not acknowledged, since nothing else remembers the wishes in them durably.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use landbridge_model::Lane;

/// How long messages stay in hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// At most so long.
    pub(crate) usual: Duration,
    /// So long when the lane has `pressed_at` messages in hand.
    pub(crate) pressed: Duration,
    /// Fewer than a lane can hold, or the lane would wait for its own end.
    pub(crate) pressed_at: usize,
}

#[derive(Debug)]
struct Held<S, D> {
    lane: Lane,
    delivery: D,
    /// Wishes in it that are yet to be met or parked.
    open: usize,
    since: Instant,
    slots: Vec<S>,
}

/// What is in hand of one tenant. `S` names a slot, `D` is a delivery.
#[derive(Debug)]
pub(crate) struct Hand<S, D> {
    next: u64,
    held: BTreeMap<u64, Held<S, D>>,
    by_slot: HashMap<S, Vec<u64>>,
}

impl<S, D> Default for Hand<S, D> {
    fn default() -> Self {
        Self {
            next: 0,
            held: BTreeMap::new(),
            by_slot: HashMap::new(),
        }
    }
}

impl<S: Clone + Eq + Hash, D> Hand<S, D> {
    /// Keeps a delivery until all of `slots` are released.
    pub(crate) fn hold(&mut self, lane: Lane, delivery: D, slots: Vec<S>, now: Instant) {
        self.next += 1;
        let token = self.next;
        let mut open = 0;
        for slot in &slots {
            let tokens = self.by_slot.entry(slot.clone()).or_default();
            if !tokens.contains(&token) {
                tokens.push(token);
                open += 1;
            }
        }
        self.held.insert(
            token,
            Held {
                lane,
                delivery,
                open,
                since: now,
                slots,
            },
        );
    }

    /// A slot needs no message in hand any more. Gives the deliveries that nothing holds now.
    pub(crate) fn release(&mut self, slot: &S) -> Vec<D> {
        let Some(tokens) = self.by_slot.remove(slot) else {
            return Vec::new();
        };
        let mut free = Vec::new();
        for token in tokens {
            if let Some(held) = self.held.get_mut(&token) {
                held.open -= 1;
                if held.open == 0 {
                    free.extend(self.held.remove(&token).map(|held| held.delivery));
                }
            }
        }
        free
    }

    /// The slots for which patience is over.
    pub(crate) fn due(&self, now: Instant, patience: Patience) -> Vec<S> {
        let mut due = Vec::new();
        for lane in [Lane::Live, Lane::Bulk] {
            let of_lane = || self.held.values().filter(move |held| held.lane == lane);
            let pressed = of_lane().count() >= patience.pressed_at;
            let limit = if pressed { patience.pressed } else { patience.usual };
            for held in of_lane().filter(|held| now.saturating_duration_since(held.since) >= limit) {
                due.extend(
                    held.slots
                        .iter()
                        .filter(|slot| self.by_slot.contains_key(*slot))
                        .cloned(),
                );
            }
        }
        due
    }

    /// How many messages of a lane are in hand.
    pub(crate) fn len(&self, lane: Lane) -> usize {
        self.held.values().filter(|held| held.lane == lane).count()
    }

    /// Whether nothing is in hand.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        usual: Duration::from_secs(2),
        pressed: Duration::from_millis(300),
        pressed_at: 3,
    };

    #[test]
    fn a_delivery_is_free_when_its_last_slot_is() {
        let mut hand = Hand::default();
        let now = Instant::now();
        hand.hold(Lane::Live, "first", vec!["a", "b", "a"], now);
        hand.hold(Lane::Bulk, "second", vec!["b"], now);
        assert_eq!(hand.release(&"a"), Vec::<&str>::new());
        assert_eq!(hand.release(&"c"), Vec::<&str>::new());
        assert_eq!(hand.release(&"b"), ["first", "second"]);
        assert!(hand.is_empty());
    }

    #[test]
    fn patience_is_short_when_a_lane_is_nearly_full() {
        let mut hand = Hand::default();
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        hand.hold(Lane::Bulk, 1, vec!["a"], start);
        hand.hold(Lane::Live, 2, vec!["b"], start);
        assert_eq!(hand.due(after(500), PATIENCE), Vec::<&str>::new());
        assert_eq!(hand.due(after(2_000), PATIENCE), ["b", "a"]);
        hand.hold(Lane::Bulk, 3, vec!["c"], after(250));
        hand.hold(Lane::Bulk, 4, vec!["d"], after(250));
        assert_eq!(
            hand.due(after(500), PATIENCE),
            ["a"],
            "only the old one, and not of the other lane"
        );
        hand.release(&"a");
        assert_eq!(
            hand.due(after(600), PATIENCE),
            Vec::<&str>::new(),
            "no longer pressed"
        );
    }
}
