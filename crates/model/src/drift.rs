//! What changes in Salesforce's schema under a sync that runs, and what follows from it. Pure.
//!
//! * **D1** Nothing that a definition names disappears without an event, and no column that is missing is read as null.
//! * **D2** Every event names its consequence: go on, read all records again, or stop the sync with a reason.
//! * **D3** The same two shapes give the same events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::convert::{Verdict, verdict};
use crate::ids::Revision;
use crate::salesforce::{FieldDescribe, FieldType, ObjectDescribe};

mod shape;
#[cfg(test)]
mod tests;

pub use shape::{FieldShape, FieldUse, Shape, WatchedField, objects_of, watched};

/// Events that are kept of one sync.
pub const EVENTS_KEPT: usize = 100;

/// Where a thing is that a describe does not show any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Whereabouts {
    /// The org has it no more.
    Deleted,
    /// The org has it: a permission hides it from Landbridge's user.
    Hidden,
    /// One of the two: this user may not ask.
    #[default]
    HiddenOrDeleted,
}

impl Whereabouts {
    fn words(self) -> &'static str {
        match self {
            Self::Deleted => "was deleted",
            Self::Hidden => "is hidden from Landbridge's user by a permission",
            Self::HiddenOrDeleted => "was deleted, or is hidden from Landbridge's user by a permission",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Deleted => {
                "take it out of the definition, or restore it in Salesforce; then resume the sync"
            }
            Self::Hidden => "give the user read access to it, and resume the sync",
            Self::HiddenOrDeleted => {
                "give the user read access to it, or take it out of the definition; then resume the sync"
            }
        }
    }
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum SchemaChange {
    /// A field that was not there.
    FieldAdded {
        /// Its type.
        kind: FieldType,
    },
    /// A field that the definition names is there again.
    FieldBack,
    /// A field is not shown any more.
    FieldGone {
        /// Where it is.
        whereabouts: Whereabouts,
    },
    /// A field has another type.
    FieldRetyped {
        /// The type that it had.
        from: FieldType,
        /// The type that it has.
        to: FieldType,
    },
    /// A formula was rewritten: its values changed, and no record was stamped.
    FormulaChanged,
    /// A picklist has more values.
    ValuesAdded {
        /// The values.
        values: Vec<String>,
    },
    /// The object is not shown any more.
    ObjectGone {
        /// Where it is.
        whereabouts: Whereabouts,
    },
    /// The object is there again.
    ObjectBack,
}

/// What follows from a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Consequence {
    /// The sync goes on.
    Continue,
    /// The sync goes on, and all of its records are read again and written.
    BackFill,
    /// The sync is suspended.
    Suspend,
}

impl Consequence {
    /// The word in output and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::BackFill => "back-fill",
            Self::Suspend => "suspend",
        }
    }
}

/// A change of Salesforce's schema, with what follows from it for one sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SchemaEvent {
    /// Counts the schemas that were seen: events of one look have the same.
    pub version: u32,
    /// The sync's revision when it was seen.
    pub revision: Revision,
    /// When it was seen, in milliseconds since 1970 by the org's clock.
    pub at_ms: i64,
    /// The object.
    pub object: String,
    /// The field; as the definition writes it, when the definition names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What changed.
    #[serde(flatten)]
    pub change: SchemaChange,
    /// What follows.
    pub consequence: Consequence,
    /// In words, with what is to be done.
    pub text: String,
    /// Whether the definition is to be held against both schemas again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resolves: bool,
}

/// What is kept of a sync's schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRecord {
    /// Counts the schemas that were seen.
    pub version: u32,
    /// When Salesforce was asked last, in milliseconds since 1970 by the org's clock.
    pub looked_ms: i64,
    /// The objects as they were described last, by name in lower case; none is an object that was not shown.
    pub shapes: BTreeMap<String, Option<Shape>>,
    /// The latest events, oldest first.
    pub events: Vec<SchemaEvent>,
    /// What control has still to be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// What follows and is not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// For this version of the schema.
    pub version: u32,
    /// Whether all records are to be read again.
    pub back_fill: bool,
}

impl SchemaRecord {
    /// With the events of one look, and what is still to be done because of them.
    pub fn add(&mut self, events: &[SchemaEvent]) {
        if events.is_empty() {
            return;
        }
        self.version += 1;
        self.events.extend_from_slice(events);
        let more = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..more);
        let back_fill = events
            .iter()
            .any(|event| event.consequence == Consequence::BackFill);
        let before = self.pending.is_some_and(|pending| pending.back_fill);
        if back_fill || events.iter().any(|event| event.resolves) {
            self.pending = Some(Pending {
                version: self.version,
                back_fill: back_fill || before,
            });
        }
    }
}

/// Why events of one look stop a sync, if any does.
#[must_use]
pub fn suspension(events: &[SchemaEvent]) -> Option<String> {
    let stops = events
        .iter()
        .filter(|event| event.consequence == Consequence::Suspend);
    let reasons: Vec<&str> = stops.map(|event| event.text.as_str()).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// One object before and now.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The object's name.
    pub object: &'a str,
    /// As it was; none when it was not shown.
    pub before: Option<&'a Shape>,
    /// As it is; none when it is not shown.
    pub now: Option<&'a ObjectDescribe>,
}

/// Which version of the schema a look makes, and when it was.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The version that its events have.
    pub version: u32,
    /// The sync's revision.
    pub revision: Revision,
    /// By the org's clock, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What changed in one object, and what follows. `whereabouts` says where a field is that is not shown any more, or, without
/// a field, the object.
#[must_use]
pub fn events(
    look: Look<'_>,
    watched: &[WatchedField],
    whereabouts: impl Fn(Option<&str>) -> Whereabouts,
    seen: Seen,
) -> Vec<SchemaEvent> {
    let of_object: Vec<&WatchedField> = watched
        .iter()
        .filter(|watched| watched.object.eq_ignore_ascii_case(look.object))
        .collect();
    let event = |field: Option<&str>, change: SchemaChange, consequence, text: String| SchemaEvent {
        version: seen.version,
        revision: seen.revision,
        at_ms: seen.at_ms,
        object: look.object.to_owned(),
        field: field.map(str::to_owned),
        change,
        consequence,
        text,
        resolves: false,
    };
    let object = look.object;
    let (before, now) = match (look.before, look.now) {
        (None, None) => return Vec::new(),
        (Some(_), None) => {
            let whereabouts = whereabouts(None);
            let text = format!("{object} {}: {}", whereabouts.words(), whereabouts.remedy());
            let change = SchemaChange::ObjectGone { whereabouts };
            return vec![event(None, change, Consequence::Suspend, text)];
        }
        (None, Some(_)) => {
            let text = format!("{object} is there again: resume the sync if it is suspended");
            return vec![event(None, SchemaChange::ObjectBack, Consequence::Continue, text)];
        }
        (Some(before), Some(now)) => (before, now),
    };
    let mut events = Vec::new();
    for field in &of_object {
        match (before.field(&field.field), now.field(&field.field)) {
            (Some(_), None) => {
                let whereabouts = whereabouts(Some(&field.field));
                let text = format!("{} {}: {}", field.path, whereabouts.words(), whereabouts.remedy());
                let change = SchemaChange::FieldGone { whereabouts };
                events.push(event(Some(&field.path), change, Consequence::Suspend, text));
            }
            (None, Some(_)) => {
                let text = format!(
                    "{} is there again: resume the sync if it is suspended",
                    field.path
                );
                events.push(event(
                    Some(&field.path),
                    SchemaChange::FieldBack,
                    Consequence::Continue,
                    text,
                ));
            }
            (Some(before), Some(now)) => {
                for (change, consequence, text, resolves) in differences(field, before, now) {
                    let event = event(Some(&field.path), change, consequence, text);
                    events.push(SchemaEvent { resolves, ..event });
                }
            }
            (None, None) => {}
        }
    }
    if before.is_whole {
        let is_named = |name: &str| {
            of_object
                .iter()
                .any(|field| field.field.eq_ignore_ascii_case(name))
        };
        for field in now.fields.iter().filter(|field| !is_named(&field.name)) {
            if before.field(&field.name).is_none() {
                let text = format!("{} is new: map it if it is to be carried", field.name);
                let change = SchemaChange::FieldAdded { kind: field.kind };
                events.push(event(Some(&field.name), change, Consequence::Continue, text));
            }
        }
        for field in before.fields.values().filter(|field| !is_named(&field.name)) {
            if now.field(&field.name).is_none() {
                let whereabouts = Whereabouts::HiddenOrDeleted;
                let text = format!("{} is not shown any more; the sync does not name it", field.name);
                let change = SchemaChange::FieldGone { whereabouts };
                events.push(event(Some(&field.name), change, Consequence::Continue, text));
            }
        }
    }
    events
}

type Difference = (SchemaChange, Consequence, String, bool);

/// What is different in a field that was there and is there.
fn differences(field: &WatchedField, before: &FieldShape, now: &FieldDescribe) -> Vec<Difference> {
    let path = &field.path;
    let mut found = Vec::new();
    if before.kind != now.kind {
        let (from, to) = (before.kind, now.kind);
        let (consequence, what) = match unfit(field, now) {
            None => (
                Consequence::BackFill,
                "its property can hold that, so all records are read again".to_owned(),
            ),
            Some(reason) => (
                Consequence::Suspend,
                format!("{reason}; change its mapping, and resume the sync"),
            ),
        };
        let text = format!(
            "{path} was of type {} and is of type {}: {what}",
            from.as_str(),
            to.as_str()
        );
        found.push((SchemaChange::FieldRetyped { from, to }, consequence, text, false));
    }
    let is_rewritten = before.formula.is_some() && before.formula != now.calculated_formula;
    if is_rewritten && before.kind == now.kind {
        let text = format!(
            "the formula of {path} was rewritten: all records are read again, because a new formula stamps none"
        );
        found.push((SchemaChange::FormulaChanged, Consequence::BackFill, text, false));
    }
    let new_value = |value: &&crate::salesforce::PicklistValue| !before.values.contains(&value.value);
    let values: Vec<String> = match before.values.as_slice() {
        [] => Vec::new(),
        _ => now
            .picklist_values
            .iter()
            .filter(new_value)
            .map(|value| value.value.clone())
            .collect(),
    };
    if !values.is_empty() {
        let adds = |used: &FieldUse| {
            matches!(
                used,
                FieldUse::Property {
                    adds_options: true,
                    ..
                }
            )
        };
        let resolves = field.uses.iter().any(adds);
        let what = if resolves {
            "HubSpot's property gets them too"
        } else {
            "give HubSpot's property the same options, or map them"
        };
        let text = format!("{path} has new values ({}): {what}", values.join(", "));
        found.push((
            SchemaChange::ValuesAdded { values },
            Consequence::Continue,
            text,
            resolves,
        ));
    }
    found
}

/// Why a field of another type cannot be what it was in the sync.
fn unfit(field: &WatchedField, now: &FieldDescribe) -> Option<String> {
    field.uses.iter().find_map(|used| match used {
        FieldUse::Property { property: None, .. } => None,
        FieldUse::Property {
            property: Some(property),
            ..
        } => match verdict(now, property) {
            Verdict::Fits | Verdict::Converts(_) => None,
            Verdict::Impossible(reason) => Some(reason),
        },
        FieldUse::Lookup => Some("the sync makes associations of it".to_owned()),
        FieldUse::Condition => Some("records are chosen by it".to_owned()),
    })
}
