//! The fate of one slot, from what is known now.

use landbridge_model::{Failure, Former, HubSpotId, LinkOutcome, LinkVerdict};

use super::words::{ambiguous, waiting_for};
use super::{Action, Decision, View};
use crate::facts::{End, LinkOrder, Parked, Slot, Stand, Told, Want, Whereabouts, Wish};

impl<V: View> Decision<'_, V> {
    /// Decides a slot by what is known now. `in_hand`: a message that is not acknowledged remembers the wish.
    pub(super) fn evaluate(&mut self, slot: Slot, mut wish: Wish, in_hand: bool) {
        let before = self.view.wish(&slot);
        let own = End {
            directory: wish.child.clone(),
            id: slot.child,
        };
        if self.is_stale(&own, &wish) {
            self.forget(slot, &wish, before.is_some());
            return;
        }
        let child = self.certain(&own);
        if child == Some(Whereabouts::Gone) {
            wish.stand = Stand::Nothing; // an archived record has no associations
            if wish.cause.existing_only {
                self.leave_alone(&slot, &mut wish);
                if before.as_ref() != Some(&wish) {
                    self.actions.push(Action::KnowWish(slot, wish));
                }
                return;
            }
        }
        match wish.want.clone() {
            Want::Dropped => self.settle(&slot, &mut wish, false),
            Want::Nobody => match child {
                Some(Whereabouts::Here(child)) => {
                    let ordered = self.unlink(&slot, &mut wish, child);
                    self.settle(&slot, &mut wish, ordered);
                }
                _ if wish.stand == Stand::Nothing => self.settle(&slot, &mut wish, false),
                _ => self.wait(&slot, &mut wish, in_hand, child, None),
            },
            Want::Parent(parent) => match (child, self.certain(&parent)) {
                (Some(Whereabouts::Here(child)), Some(Whereabouts::Here(parent))) => {
                    let ordered = self.link(&slot, &mut wish, child, parent);
                    self.settle(&slot, &mut wish, ordered);
                }
                (child, at) => {
                    let gone = at == Some(Whereabouts::Gone);
                    if gone && !wish.waits {
                        wish.stand = Stand::Nothing; // it went, and its associations with it
                    }
                    self.wait(&slot, &mut wish, in_hand, child, Some((parent, at)));
                }
            },
        }
        if before.as_ref() != Some(&wish) {
            self.actions.push(Action::KnowWish(slot, wish));
        }
    }

    /// With nothing remembered of a slot, an old intent could undo what a newer one did. But intents go out before
    /// the writes of the same rows: if HubSpot has a newer row of the child, a newer intent was decided already, or
    /// is still to come.
    fn is_stale(&self, own: &End, wish: &Wish) -> bool {
        wish.stand == Stand::Unknown
            && self
                .view
                .known(own)
                .is_some_and(|known| wish.version < known.version)
    }

    fn forget(&mut self, slot: Slot, wish: &Wish, known: bool) {
        if wish.parked.is_some() {
            // Control was told that it waits: let the record itself say how things are.
            self.actions
                .push(Action::Reread(slot.clone(), wish.cause.clone()));
            self.actions.push(Action::Unpark(slot.clone()));
        }
        if known {
            self.actions.push(Action::ForgetWish(slot));
        }
    }

    fn certain(&self, end: &End) -> Option<Whereabouts> {
        self.view
            .known(end)
            .filter(|known| !known.doubted)
            .map(|known| known.whereabouts)
    }

    /// Gives whether the loader is told.
    fn link(&mut self, slot: &Slot, wish: &mut Wish, child: HubSpotId, parent: HubSpotId) -> bool {
        let wanted = Stand::Linked { child, parent };
        if wish.stand == wanted {
            return false;
        }
        let former = former(wish.stand, child);
        self.actions.push(Action::Order(LinkOrder::new(
            slot,
            wish,
            child,
            Some(parent),
            former,
        )));
        wish.stand = wanted;
        true
    }

    /// Gives whether the loader is told.
    fn unlink(&mut self, slot: &Slot, wish: &mut Wish, child: HubSpotId) -> bool {
        let former = former(wish.stand, child);
        if former == Former::Nothing {
            return false;
        }
        self.actions
            .push(Action::Order(LinkOrder::new(slot, wish, child, None, former)));
        wish.stand = Stand::Nothing;
        true
    }

    /// A back-fill has nothing to link on a record that HubSpot does not have: nothing is parked and nobody waits. The wish
    /// stays known, for the record may come yet by a change whose own, older intents this one has superseded.
    fn leave_alone(&mut self, slot: &Slot, wish: &mut Wish) {
        let want = std::mem::replace(&mut wish.want, Want::Dropped);
        self.settle(slot, wish, false);
        wish.want = want;
        wish.waits = true;
    }

    /// The wish is met, or the loader is told to meet it (`ordered`) and will tell control.
    pub(super) fn settle(&mut self, slot: &Slot, wish: &mut Wish, ordered: bool) {
        if wish.told == Told::Failed {
            self.actions.push(Action::Mended(slot.clone()));
        }
        let of_a_run = wish.waits && wish.cause.run.is_some() && wish.parent().is_some();
        if !ordered && (wish.told != Told::Nothing || of_a_run) {
            let linked = wish.parent().is_some();
            let outcome = if linked {
                LinkOutcome::Linked
            } else {
                LinkOutcome::Unlinked
            };
            self.tell(slot, wish, outcome, None);
        }
        if wish.parked.take().is_some() {
            self.actions.push(Action::Unpark(slot.clone()));
        }
        wish.told = Told::Nothing;
        wish.waits = false;
        wish.cause.run = None; // what becomes of it later is no part of the run
        wish.cause.force = false;
    }

    fn wait(
        &mut self,
        slot: &Slot,
        wish: &mut Wish,
        in_hand: bool,
        child: Option<Whereabouts>,
        parent: Option<(End, Option<Whereabouts>)>,
    ) {
        wish.waits = true;
        if !in_hand {
            if !wish.is_parked() {
                let since_ms = wish.parked.map_or(self.now_ms, |parked| parked.since_ms);
                wish.parked = Some(Parked {
                    version: wish.version,
                    since_ms,
                });
                self.actions.push(Action::Park(slot.clone(), wish.clone()));
            }
            if let (Some(Whereabouts::Here(child)), Some((_, Some(_)))) = (&child, &parent) {
                // The parent is surely not there: what was linked before is wrong already.
                let mut absent = Wish {
                    want: Want::Nobody,
                    ..wish.clone()
                };
                self.unlink(slot, &mut absent, *child);
                wish.stand = absent.stand;
            }
            self.tell_of_waiting(slot, wish, child.is_some(), parent.as_ref());
        }
        let own = End {
            directory: wish.child.clone(),
            id: slot.child,
        };
        let ends = [Some((own, child)), parent];
        for (end, at) in ends.into_iter().flatten() {
            if at.is_none() && (!in_hand || !self.view.announced(&end.directory)) {
                self.actions.push(Action::LookUp(end));
            }
        }
    }

    fn tell_of_waiting(
        &mut self,
        slot: &Slot,
        wish: &mut Wish,
        child_known: bool,
        parent: Option<&(End, Option<Whereabouts>)>,
    ) {
        let (told, outcome, failure) = match parent {
            Some((end, Some(Whereabouts::Ambiguous(claimants)))) => {
                (Told::Failed, LinkOutcome::Failed, ambiguous(end, claimants))
            }
            Some((end, Some(_) | None)) if child_known => (
                Told::Parked,
                LinkOutcome::Parked,
                waiting_for(end.id, "the record that the lookup names"),
            ),
            _ => (
                Told::Parked,
                LinkOutcome::Parked,
                waiting_for(slot.child, "the record itself"),
            ),
        };
        // Of a cleared lookup there is nothing to tell: only the loader can say whether there is a link to remove.
        if wish.told == told || wish.parent().is_none() {
            return;
        }
        if wish.told == Told::Failed {
            self.actions.push(Action::Mended(slot.clone()));
        }
        wish.told = told;
        self.tell(slot, wish, outcome, Some(failure.field(&slot.field)));
    }

    fn tell(&mut self, slot: &Slot, wish: &Wish, outcome: LinkOutcome, failure: Option<Failure>) {
        let verdict = LinkVerdict {
            child: slot.child,
            field: slot.field.to_string(),
            parent: wish.parent().map(|parent| parent.id),
            version: wish.version,
            outcome,
            failure,
        };
        self.actions
            .push(Action::Tell(slot.clone(), wish.cause.clone(), verdict));
    }
}

/// What a new order has to undo.
fn former(stand: Stand, child: HubSpotId) -> Former {
    match stand {
        Stand::Nothing => Former::Nothing,
        Stand::Linked { child: of, parent } if of == child => Former::Record(parent),
        // The child is another HubSpot record than it was, perhaps a merged one: look.
        Stand::Linked { .. } | Stand::Unknown => Former::Unknown,
    }
}
