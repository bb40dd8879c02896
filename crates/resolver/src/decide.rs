//! The decisions: what follows from a wish, from an identity, from an answer. No clock, no network, no disk.
//!
//! A slot's fate is a function of what is known now (`evaluate`); events only change what is known and say which
//! slots to look at again. So the order of events, their repetition and the loss of everything remembered cannot
//! lead anywhere else than the facts lead.

mod evaluate;
mod words;

use std::sync::Arc;

use landbridge_model::{HubSpotId, Identity, LinkVerdict, Version};

use crate::facts::{
    Cause, Directory, End, Known, LinkOrder, Parked, Slot, Stand, Told, Want, Whereabouts, Wish,
};

/// How many slots one look again takes at a time.
pub(crate) const PAGE: usize = 4_000;

/// What the decisions may look at.
pub(crate) trait View {
    /// What is known of an end.
    fn known(&self, end: &End) -> Option<Known>;
    /// What is known of a slot.
    fn wish(&self, slot: &Slot) -> Option<Wish>;
    /// Slots of this end, or naming it, after `after` in their order.
    fn slots(&self, of: &End, rows: Rows, after: Option<&Slot>, limit: usize) -> Vec<Slot>;
    /// Whether the loader announces the records of a directory by itself.
    fn announced(&self, directory: &Directory) -> bool;
    /// What stands for a slot of which nothing is known.
    fn stand_of_unknown(&self) -> Stand;
}

/// Which slots of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Those that it holds.
    Own,
    /// Those that name it and wait.
    Waiting,
    /// Those that name it and have been told to the loader.
    Settled,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A record's lookup says this. [`Want::Dropped`] says that the record is deleted.
    Intent {
        slot: Slot,
        child: Arc<Directory>,
        want: Want,
        version: Version,
        cause: Cause,
    },
    /// The loader announces what a record became.
    Identity {
        end: End,
        hubspot_id: Option<HubSpotId>,
        version: Version,
    },
    /// The loader answers what it was asked for.
    Answer {
        end: End,
        whereabouts: Whereabouts,
        version: Option<Version>,
    },
    /// The message that holds this wish was kept in hand long enough.
    PatienceOver { slot: Slot },
    /// `LB_PARKED` holds this.
    Rebuilt {
        slot: Slot,
        child: Arc<Directory>,
        want: Want,
        cause: Cause,
        parked: Parked,
    },
    /// Something changed that these slots depend on.
    Revisit {
        of: End,
        rows: Rows,
        after: Option<Slot>,
    },
}

impl Event {
    /// An announcement as an event.
    pub(crate) fn identity(directory: &Arc<Directory>, identity: &Identity) -> Self {
        let end = End {
            directory: directory.clone(),
            id: identity.id,
        };
        Self::Identity {
            end,
            hubspot_id: identity.hubspot_id,
            version: identity.version,
        }
    }
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Know this of an end.
    KnowEnd(End, Known),
    /// Know this of a slot.
    KnowWish(Slot, Wish),
    /// Know nothing of a slot.
    ForgetWish(Slot),
    /// Make the wish durable, before anything else is done.
    Park(Slot, Wish),
    /// Forget its durable twin, after everything else is done.
    Unpark(Slot),
    /// Tell the loader.
    Order(LinkOrder),
    /// Tell control.
    Tell(Slot, Cause, LinkVerdict),
    /// A failure that was told is one no longer.
    Mended(Slot),
    /// Have the record that holds the slot read again.
    Reread(Slot, Cause),
    /// Ask the loader, once what is parked is parked.
    LookUp(End),
    /// Look at these slots again, next.
    Revisit {
        of: End,
        rows: Rows,
        after: Option<Slot>,
    },
}

/// What follows from an event. Each action is taken in its order, [`Action::KnowEnd`] and [`Action::KnowWish`] before
/// the next event is decided.
pub(crate) fn decide(view: &impl View, event: Event, now_ms: i64) -> Vec<Action> {
    let mut next = Decision {
        view,
        now_ms,
        actions: Vec::new(),
    };
    match event {
        Event::Intent {
            slot,
            child,
            want,
            version,
            cause,
        } => next.intent(slot, child, want, version, cause),
        Event::Identity {
            end,
            hubspot_id,
            version,
        } => next.identity(end, hubspot_id, version),
        Event::Answer {
            end,
            whereabouts,
            version,
        } => next.answer(end, whereabouts, version),
        Event::PatienceOver { slot } => {
            if let Some(wish) = view.wish(&slot).filter(Wish::is_in_hand) {
                next.evaluate(slot, wish, false);
            }
        }
        Event::Rebuilt {
            slot,
            child,
            want,
            cause,
            parked,
        } => next.rebuilt(slot, child, want, cause, parked),
        Event::Revisit { of, rows, after } => next.revisit(of, rows, after),
    }
    next.actions
}

struct Decision<'a, V> {
    view: &'a V,
    now_ms: i64,
    actions: Vec<Action>,
}

impl<V: View> Decision<'_, V> {
    fn intent(&mut self, slot: Slot, child: Arc<Directory>, want: Want, version: Version, cause: Cause) {
        let old = self.view.wish(&slot);
        if old
            .as_ref()
            .is_some_and(|old| version.is_superseded_by(old.version))
        {
            return;
        }
        let own = End {
            directory: child.clone(),
            id: slot.child,
        };
        let afresh = cause.starts_afresh();
        let doubted = cause.doubts_identities();
        let mut wish = match old {
            Some(old) => Wish {
                child,
                want,
                version,
                cause,
                waits: true,
                ..old
            },
            None => Wish {
                child,
                want,
                version,
                cause,
                stand: self.view.stand_of_unknown(),
                waits: true,
                parked: None,
                told: Told::Nothing,
            },
        };
        if afresh && wish.want != Want::Dropped {
            wish.stand = Stand::Unknown;
        }
        if wish.want == Want::Dropped {
            // If it comes back, it may be another record: the announcement or an answer will say.
            self.doubt(&own, |known| known.version < version);
        }
        if doubted && wish.want != Want::Dropped {
            let parent = wish.parent().cloned();
            for end in std::iter::once(own).chain(parent) {
                self.doubt(&end, |_| true);
                self.actions.push(Action::LookUp(end));
            }
            // Decided when the answers are in, or when patience is over.
            self.actions.push(Action::KnowWish(slot, wish));
            return;
        }
        self.evaluate(slot, wish, true);
    }

    fn doubt(&mut self, end: &End, which: impl FnOnce(&Known) -> bool) {
        if let Some(known) = self
            .view
            .known(end)
            .filter(|known| !known.doubted && which(known))
        {
            self.actions.push(Action::KnowEnd(
                end.clone(),
                Known {
                    doubted: true,
                    ..known
                },
            ));
        }
    }

    fn identity(&mut self, end: End, hubspot_id: Option<HubSpotId>, version: Version) {
        let old = self.view.known(&end);
        if let Some(old) = old.as_ref().filter(|old| version.is_superseded_by(old.version)) {
            if old.whereabouts == Whereabouts::Gone && hubspot_id.is_some() {
                // Mostly a repeat of what was true before the delete. But a loader that has lost its memory may have
                // brought the record back, and will not announce it again: ask.
                self.doubt(&end, |_| true);
                self.actions.push(Action::LookUp(end));
            }
            return;
        }
        let whereabouts = hubspot_id.map_or(Whereabouts::Gone, Whereabouts::Here);
        if whereabouts == Whereabouts::Gone {
            self.drop_wishes_before(&end, version);
        }
        self.learn(
            end,
            old,
            Known {
                whereabouts,
                version,
                doubted: false,
            },
        );
    }

    /// What a record wanted before it went, it wants no longer. What it wanted since (an undelete that was read
    /// before the delete was written) stays.
    fn drop_wishes_before(&mut self, end: &End, version: Version) {
        for slot in self.view.slots(end, Rows::Own, None, usize::MAX) {
            if let Some(mut wish) = self.view.wish(&slot).filter(|wish| wish.version < version) {
                wish.stand = Stand::Nothing;
                wish.want = Want::Dropped;
                wish.version = version;
                self.settle(&slot, &mut wish, false);
                self.actions.push(Action::KnowWish(slot, wish));
            }
        }
    }

    fn answer(&mut self, end: End, whereabouts: Whereabouts, version: Option<Version>) {
        let old = self.view.known(&end);
        let version = version
            .max(old.as_ref().map(|old| old.version))
            .unwrap_or_default();
        self.learn(
            end,
            old,
            Known {
                whereabouts,
                version,
                doubted: false,
            },
        );
    }

    fn learn(&mut self, end: End, old: Option<Known>, new: Known) {
        let same = old.as_ref().is_some_and(|old| old.whereabouts == new.whereabouts);
        if old.as_ref() == Some(&new) {
            return;
        }
        let doubted = old.is_some_and(|old| old.doubted);
        self.actions.push(Action::KnowEnd(end.clone(), new));
        if same && !doubted {
            return;
        }
        let rows = [Rows::Own, Rows::Waiting, Rows::Settled];
        // Who is settled on the same record as before has nothing to do.
        for rows in rows.into_iter().take(if same { 2 } else { 3 }) {
            self.actions.push(Action::Revisit {
                of: end.clone(),
                rows,
                after: None,
            });
        }
    }

    fn revisit(&mut self, of: End, rows: Rows, after: Option<Slot>) {
        let slots = self.view.slots(&of, rows, after.as_ref(), PAGE);
        let more = (slots.len() == PAGE).then(|| slots.last().cloned()).flatten();
        for slot in slots {
            if let Some(wish) = self.view.wish(&slot) {
                let in_hand = wish.is_in_hand();
                self.evaluate(slot, wish, in_hand);
            }
        }
        if more.is_some() {
            self.actions.push(Action::Revisit {
                of,
                rows,
                after: more,
            });
        }
    }

    fn rebuilt(&mut self, slot: Slot, child: Arc<Directory>, want: Want, cause: Cause, parked: Parked) {
        let old = self.view.wish(&slot);
        match old {
            // The cache is warm and knows better: what it does not call parked was released.
            Some(old) if old.parked.is_none() && old.version >= parked.version => {
                self.actions.push(Action::Unpark(slot));
            }
            Some(old) if old.version >= parked.version => self.evaluate(slot, old, false),
            other => {
                let stand = other.map_or(Stand::Unknown, |old| old.stand);
                let version = parked.version;
                let (parked, told) = (Some(parked), Told::Parked);
                let wish = Wish {
                    child,
                    want,
                    version,
                    cause,
                    stand,
                    waits: true,
                    parked,
                    told,
                };
                self.evaluate(slot, wish, false);
            }
        }
    }
}
