//! Between messages and events.

use std::collections::HashMap;

use landbridge_model::ask::FoundIdentities;
use landbridge_model::{SalesforceId, Source, TenantId, Version};
use landbridge_wire::{ParkedLink, Reread};

use crate::asks::Question;
use crate::catalog::Catalog;
use crate::decide::Event;
use crate::facts::{Cause, End, Parked, Slot, Want, Whereabouts};

/// What an intent speaks of.
pub(super) fn slot_of_intent(event: &Event) -> Option<(Slot, Version)> {
    match event {
        Event::Intent { slot, version, .. } => Some((slot.clone(), *version)),
        _ => None,
    }
}

/// A parked link as an event; `None` when its association is no more.
pub(super) fn rebuilt(catalog: &Catalog, link: &ParkedLink) -> Option<Event> {
    let (field, parents) = catalog.field(&link.field)?;
    let slot = Slot {
        child: link.child,
        sync: link.envelope.sync.clone(),
        field: field.clone(),
    };
    let want = match link.parent {
        Some(id) => Want::Parent(End {
            directory: parents.clone(),
            id,
        }),
        None => Want::Nobody,
    };
    let parked = Parked {
        version: link.version,
        since_ms: link.since_ms,
    };
    let (child, cause) = (catalog.child.clone(), Cause::of(&link.envelope));
    Some(Event::Rebuilt {
        slot,
        child,
        want,
        cause,
        parked,
    })
}

/// An answer as events, for the ids for which it counts.
pub(super) fn answers(
    question: &Question,
    answer: &FoundIdentities,
    counts: Vec<SalesforceId>,
) -> Vec<Event> {
    let found: HashMap<_, _> = answer.found.iter().copied().collect();
    let ambiguous: HashMap<_, _> = answer
        .ambiguous
        .iter()
        .map(|(id, claimants)| (*id, claimants))
        .collect();
    let versions: HashMap<_, _> = answer.versions.iter().copied().collect();
    let event = |id: SalesforceId| {
        let whereabouts = match (ambiguous.get(&id), found.get(&id)) {
            (Some(claimants), _) => Whereabouts::Ambiguous((*claimants).clone()),
            (None, Some(hubspot_id)) => Whereabouts::Here(*hubspot_id),
            (None, None) => Whereabouts::Gone,
        };
        let end = End {
            directory: question.directory.clone(),
            id,
        };
        Event::Answer {
            end,
            whereabouts,
            version: versions.get(&id).copied(),
        }
    };
    counts.into_iter().map(event).collect()
}

/// The wish that the record of a slot be read again.
pub(super) fn reread(tenant: &TenantId, slot: &Slot, cause: &Cause) -> Reread {
    let mut envelope = cause.envelope(tenant, &slot.sync);
    envelope.source = Source::Reread;
    envelope.run = None;
    Reread {
        envelope,
        id: slot.child,
        reason: format!(
            "HubSpot has a newer version of it than the waiting link of {}",
            slot.field
        ),
    }
}
