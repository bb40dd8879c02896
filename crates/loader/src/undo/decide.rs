//! What an undo makes of a record and of a pair, given what was there before, what the import set, and what is there now.
//! Pure.

use std::collections::BTreeSet;

use landbridge_model::batch::AssociationType;
use landbridge_model::before::Association;
use landbridge_model::convert::equal_in;
use landbridge_model::hubspot::PropertyDefinition;
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::{ChangeKind, HubSpotId};

/// One property of a record at three times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) name: &'a str,
    /// Its definition, when the portal's schema has it.
    pub(crate) property: Option<&'a PropertyDefinition>,
    pub(crate) before: Option<&'a str>,
    pub(crate) ours: Option<&'a str>,
    pub(crate) now: Option<&'a str>,
}

impl Cell<'_> {
    /// As HubSpot normalises: it may give a value back in another form than the one in which it was sent.
    fn equal(&self, one: Option<&str>, other: Option<&str>) -> bool {
        match self.property {
            Some(property) => equal_in(property, one, other),
            None => one.unwrap_or_default() == other.unwrap_or_default(),
        }
    }

    fn is_version(&self) -> bool {
        self.name == VERSION_PROPERTY
    }
}

/// A record at three times.
#[derive(Clone, Debug)]
pub(crate) struct RecordThen<'a> {
    pub(crate) kind: ChangeKind,
    /// Whether there was such a record before.
    pub(crate) existed: bool,
    /// The record that is there now.
    pub(crate) now: Option<HubSpotId>,
    /// What the import set.
    pub(crate) cells: Vec<Cell<'a>>,
    /// Other properties that people can fill, with what is there now.
    pub(crate) others: Vec<(&'a str, Option<&'a str>)>,
}

/// Something that stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left<'a> {
    /// Empty: the whole record.
    pub(crate) property: &'a str,
    pub(crate) now: Option<&'a str>,
    pub(crate) before: Option<&'a str>,
    pub(crate) reason: &'static str,
}

/// What an undo makes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordUndo<'a> {
    /// Nothing: it is as it was, or the import never wrote it.
    AsBefore,
    /// The import created it, and it is gone already.
    GoneAgain,
    /// These properties are set to what they were, and these stay.
    Restore {
        set: Vec<(&'a str, Option<&'a str>)>,
        left: Vec<Left<'a>>,
    },
    /// The import created it, and nobody touched it since.
    Archive(HubSpotId),
}

const DELETED: &str = "the import deleted it; HubSpot's recycling bin keeps it for 90 days, from where a person can \
                       restore it";
const MISSING: &str = "it is not in HubSpot any more, or has another Salesforce id";
const EDITED: &str = "edited since the import";
const WRITTEN_SINCE: &str = "written by the sync since the import";
const CREATED_AND_TOUCHED: &str = "the import created the record, which was touched since: it stays";

pub(crate) fn record<'a>(then: &RecordThen<'a>) -> RecordUndo<'a> {
    let whole = |reason| RecordUndo::Restore {
        set: Vec::new(),
        left: vec![Left {
            property: "",
            now: None,
            before: None,
            reason,
        }],
    };
    if then.kind != ChangeKind::Upsert {
        return if then.now.is_some() {
            RecordUndo::AsBefore
        } else {
            whole(DELETED)
        };
    }
    match (then.existed, then.now) {
        (false, None) => RecordUndo::GoneAgain,
        (false, Some(id)) => created(then, id),
        (true, None) => whole(MISSING),
        (true, Some(_)) if never_written(then) => RecordUndo::AsBefore,
        (true, Some(_)) => existing(then),
    }
}

/// Whether the call never reached HubSpot: each call sets the version that it carries. A back-fill keeps the version of a
/// record, and says nothing by it.
fn never_written(then: &RecordThen<'_>) -> bool {
    let version = then.cells.iter().find(|cell| cell.is_version());
    version.is_some_and(|version| {
        !version.equal(version.before, version.ours) && version.equal(version.now, version.before)
    })
}

fn existing<'a>(then: &RecordThen<'a>) -> RecordUndo<'a> {
    let (mut set, mut left) = (Vec::new(), Vec::new());
    for cell in &then.cells {
        if cell.equal(cell.now, cell.before) {
            continue;
        }
        if cell.equal(cell.now, cell.ours) {
            set.push((cell.name, cell.before));
        } else {
            left.push(Left {
                property: cell.name,
                now: cell.now,
                before: cell.before,
                reason: if cell.is_version() { WRITTEN_SINCE } else { EDITED },
            });
        }
    }
    if set.is_empty() && left.is_empty() {
        return RecordUndo::AsBefore;
    }
    RecordUndo::Restore { set, left }
}

fn created<'a>(then: &RecordThen<'a>, id: HubSpotId) -> RecordUndo<'a> {
    let touched = then.cells.iter().filter(|cell| !cell.equal(cell.now, cell.ours));
    let filled = then
        .others
        .iter()
        .filter(|(_, value)| value.is_some_and(|value| !value.is_empty()));
    let left: Vec<Left<'a>> = touched
        .map(|cell| (cell.name, cell.now))
        .chain(filled.copied())
        .map(|(property, now)| Left {
            property,
            now,
            before: None,
            reason: CREATED_AND_TOUCHED,
        })
        .collect();
    if left.is_empty() {
        return RecordUndo::Archive(id);
    }
    RecordUndo::Restore {
        set: Vec::new(),
        left,
    }
}

/// What an undo makes of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PairUndo {
    /// Nothing: it is as it was.
    AsBefore,
    /// It is associated no more.
    Dissociate,
    /// It is associated plainly.
    Plain,
    /// It loses these labels, and keeps the rest.
    Strip(BTreeSet<AssociationType>),
    /// It is associated by exactly these labels.
    Label(BTreeSet<AssociationType>),
    /// Somebody took the association away that the import found.
    Left,
}

/// What the import added and stands is taken away; what it took away comes back; what others did since stays.
pub(crate) fn pair(before: &Association, ours: &Association, now: &Association) -> PairUndo {
    if now == before {
        return PairUndo::AsBefore;
    }
    let labels = |of: &Association| of.clone().unwrap_or_default();
    let (was, set, is) = (labels(before), labels(ours), labels(now));
    let added: BTreeSet<AssociationType> = set.difference(&was).cloned().collect();
    let removed: BTreeSet<AssociationType> = was.difference(&set).cloned().collect();
    let mut wanted: BTreeSet<AssociationType> = is.difference(&added).cloned().collect();
    wanted.extend(removed);
    match (before, ours, now) {
        // The import made it: it goes, unless somebody put a label of their own on it.
        (None, Some(_), Some(_)) if wanted.is_empty() => PairUndo::Dissociate,
        (None, _, None) => PairUndo::AsBefore,
        (Some(_), Some(_), None) => PairUndo::Left,
        (Some(_), None, None) if wanted.is_empty() => PairUndo::Plain,
        _ if wanted == is && now.is_some() => PairUndo::AsBefore,
        _ if now.is_some() && wanted.is_subset(&is) => {
            PairUndo::Strip(is.difference(&wanted).cloned().collect())
        }
        _ => PairUndo::Label(wanted),
    }
}

#[cfg(test)]
mod tests;
