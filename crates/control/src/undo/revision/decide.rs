//! What the undo of a revision would do. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use landbridge_model::Revision;
use landbridge_model::config::Import;
use landbridge_model::sync::{AssociationRule, SyncDefinition};

use super::super::rules::may_be_undone;
use crate::ask::{ImportFate, PlannedImport};
use crate::definitions::revisions::StoredRevision;

/// An import of the sync, as it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) import: &'a Import,
    /// How many before-images are kept of it.
    pub(super) images: u64,
    /// Whether it may write on.
    pub(super) is_open: bool,
    /// When it ended.
    pub(super) ended_ms: Option<i64>,
    /// Whether its undo was begun, and whether that has ended.
    pub(super) undo_ended: Option<bool>,
}

/// What is undone, and what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decided<'a> {
    pub(super) back_to: &'a StoredRevision,
    pub(super) later: Vec<Revision>,
    pub(super) imports: Vec<PlannedImport>,
    /// Properties and lookup fields that are not mapped any more afterwards.
    pub(super) stays: Vec<String>,
    pub(super) obstacle: Option<String>,
}

/// Why a revision cannot be undone at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unknown(String),
    Impossible(String),
}

/// `revisions` come sorted, the oldest first; the last one is what is there.
pub(super) fn decide<'a>(
    revisions: &'a [StoredRevision],
    revision: Revision,
    imports: &[Seen<'_>],
    now_ms: i64,
    kept: Duration,
) -> Result<Decided<'a>, Refusal> {
    let place = revisions.iter().position(|kept| kept.revision == revision);
    let Some(place) = place else {
        return Err(Refusal::Unknown(format!("there is no revision {revision}")));
    };
    let Some(back_to) = place.checked_sub(1).map(|before| &revisions[before]) else {
        return Err(Refusal::Impossible(format!(
            "{revision} is the first revision that is kept, so there is none to go back to. What its imports wrote is \
             undone by: landbridge import undo"
        )));
    };
    if revisions[place].definition == back_to.definition {
        return Err(Refusal::Impossible(format!(
            "{revision} has the same definition as {}: the objects themselves changed, which cannot be undone here. Undo \
             the revision whose definition you do not want",
            back_to.revision
        )));
    }
    let mut concerned: Vec<&Seen<'_>> = imports
        .iter()
        .filter(|seen| wrote_under(seen, &revisions[place]))
        .collect();
    concerned.sort_by_key(|seen| std::cmp::Reverse((seen.import.started_ms, &seen.import.id)));
    let planned: Vec<PlannedImport> = concerned
        .iter()
        .map(|seen| planned(seen, revision, now_ms, kept))
        .collect();
    let is_back = revisions
        .last()
        .is_some_and(|last| last.definition == back_to.definition);
    if is_back && planned.iter().all(|import| import.fate != ImportFate::Undo) {
        return Err(Refusal::Impossible(format!(
            "nothing of {revision} is left to undo: the definition is that of {}, and no import under it can be undone",
            back_to.revision
        )));
    }
    Ok(Decided {
        back_to,
        later: revisions[place + 1..]
            .iter()
            .map(|later| later.revision)
            .collect(),
        imports: planned,
        stays: no_longer_mapped(&revisions[place..], &back_to.definition),
        obstacle: imports.iter().find_map(obstacle),
    })
}

/// Whether an import may have written what the revision says: it was started for it or a later one, or had not ended when
/// it was made, for what is on its way then is mapped anew.
fn wrote_under(seen: &Seen<'_>, revision: &StoredRevision) -> bool {
    let went_on = || seen.is_open || seen.ended_ms.is_some_and(|ended_ms| ended_ms > revision.at_ms);
    seen.import.revision >= revision.revision || went_on()
}

fn planned(seen: &Seen<'_>, revision: Revision, now_ms: i64, kept: Duration) -> PlannedImport {
    let import = seen.import;
    let (fate, reason) = if seen.undo_ended == Some(true) {
        (ImportFate::Undone, None)
    } else if import.revision < revision {
        let reason = format!(
            "it was started for {}, and wrote on when {revision} was made: what it wrote by which is not told apart. All \
             of it is undone by: landbridge import undo {}",
            import.revision, import.id
        );
        (ImportFate::Stays, Some(reason))
    } else {
        // What goes on with it is younger, and undone before it.
        match may_be_undone(import, &[], now_ms, kept) {
            Ok(()) => (ImportFate::Undo, None),
            Err(reason) => (ImportFate::Stays, Some(reason)),
        }
    };
    PlannedImport {
        id: import.id.clone(),
        revision: import.revision,
        back_fill: import.only.is_some(),
        started_ms: import.started_ms,
        images: seen.images,
        fate,
        reason,
    }
}

fn obstacle(seen: &Seen<'_>) -> Option<String> {
    let id = &seen.import.id;
    if seen.undo_ended == Some(false) {
        return Some(format!("the import {id} is being undone: wait for its end"));
    }
    let what = || format!("the import {id} has not ended: cancel it, or wait for its end");
    (seen.is_open && seen.undo_ended.is_none()).then(what)
}

/// What these revisions map and another definition does not: properties and lookup fields.
fn no_longer_mapped(revisions: &[StoredRevision], after: &SyncDefinition) -> Vec<String> {
    let after = &after.spec;
    let mut all = BTreeSet::new();
    for before in revisions.iter().map(|revision| &revision.definition.spec) {
        let same_type = before.hubspot.object_type == after.hubspot.object_type;
        let is_mapped = |to: &String| same_type && after.fields.iter().any(|rule| rule.to == *to);
        let is_linked = |lookup: &Cow<'_, str>| {
            same_type && after.associations.iter().any(|rule| rule.lookup() == *lookup)
        };
        let properties = before.fields.iter().map(|rule| &rule.to);
        let lookups = before.associations.iter().map(AssociationRule::lookup);
        all.extend(properties.filter(|to| !is_mapped(to)).cloned());
        all.extend(lookups.filter(|lookup| !is_linked(lookup)).map(Cow::into_owned));
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests;
