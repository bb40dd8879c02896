//! What is known of objects: their shapes, and the fields that a definition names in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Sync;
use crate::hubspot::PropertyDefinition;
use crate::salesforce::{FieldDescribe, FieldType, ObjectDescribe};
use crate::sync::Unmatched;

/// An object's fields as they were described last, reduced to what an event can come of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// By name in lower case.
    pub fields: BTreeMap<String, FieldShape>,
    /// Whether these are all that the user sees; else only those that the definition names are known.
    pub is_whole: bool,
}

/// A field as it was described last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldShape {
    /// API name.
    pub name: String,
    /// Its type.
    pub kind: FieldType,
    /// A formula's text; of fields that the definition names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// The values of a picklist; of fields that the definition names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl Shape {
    /// Of an object; `watched` are the fields that the definition names.
    #[must_use]
    pub fn of(object: &ObjectDescribe, watched: &[WatchedField], is_whole: bool) -> Self {
        let fields = object.fields.iter().map(|field| {
            let is_watched = watched
                .iter()
                .any(|watched| watched.is(&object.name, &field.name));
            (field.name.to_ascii_lowercase(), FieldShape::of(field, is_watched))
        });
        Self {
            fields: fields.collect(),
            is_whole,
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&FieldShape> {
        self.fields.get(&name.to_ascii_lowercase())
    }
}

impl FieldShape {
    fn of(field: &FieldDescribe, is_watched: bool) -> Self {
        let values = field.picklist_values.iter().filter(|_| is_watched);
        Self {
            name: field.name.clone(),
            kind: field.kind,
            formula: field.calculated_formula.clone().filter(|_| is_watched),
            values: values.map(|value| value.value.clone()).collect(),
        }
    }
}

/// A field that a definition names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedField {
    /// As the definition writes it, such as `Depot__r.Name`.
    pub path: String,
    /// The object that it is a field of.
    pub object: String,
    /// Its name there.
    pub field: String,
    /// What it is good for in the sync.
    pub uses: Vec<FieldUse>,
}

/// What a definition does with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldUse {
    /// It becomes this property.
    Property {
        /// The property, as it was resolved; without it the validation alone says whether it can hold another type.
        property: Option<Box<PropertyDefinition>>,
        /// Whether values without an option get one in HubSpot.
        adds_options: bool,
    },
    /// It becomes an association.
    Lookup,
    /// Records are chosen by it.
    Condition,
}

impl WatchedField {
    pub(super) fn is(&self, object: &str, field: &str) -> bool {
        self.object.eq_ignore_ascii_case(object) && self.field.eq_ignore_ascii_case(field)
    }
}

/// What a definition names, with the object of each field. `objects` are the describes there are, by name in lower case; a
/// path that cannot be followed with them is left out, and the lookup that it begins with is watched by itself.
#[must_use]
pub fn watched(sync: &Sync, objects: &BTreeMap<String, ObjectDescribe>) -> Vec<WatchedField> {
    let spec = &sync.definition.spec;
    let properties = sync.resolved.as_ref().map(|resolved| &resolved.object_type);
    let mut uses: Vec<(&str, FieldUse)> = Vec::new();
    for rule in &spec.fields {
        let property = properties.and_then(|properties| properties.property(&rule.to));
        let property = FieldUse::Property {
            property: property.cloned().map(Box::new),
            adds_options: rule.unmatched == Unmatched::AddOption,
        };
        uses.push((&rule.from, property));
    }
    uses.extend(
        spec.associations
            .iter()
            .map(|rule| (rule.field.as_str(), FieldUse::Lookup)),
    );
    let conditions = spec.filter.iter().flat_map(|filter| &filter.all);
    uses.extend(conditions.map(|condition| (condition.field.as_str(), FieldUse::Condition)));
    let mut watched: Vec<WatchedField> = Vec::new();
    for (path, used) in uses {
        let known = watched
            .iter_mut()
            .find(|known| known.path.eq_ignore_ascii_case(path));
        if let Some(known) = known {
            known.uses.push(used);
            continue;
        }
        if let Some((object, field)) = end_of(&spec.salesforce.object, path, objects) {
            watched.push(WatchedField {
                path: path.to_owned(),
                object,
                field,
                uses: vec![used],
            });
        }
    }
    watched
}

/// The object and the field at the end of a path.
fn end_of(object: &str, path: &str, objects: &BTreeMap<String, ObjectDescribe>) -> Option<(String, String)> {
    let mut at = object.to_owned();
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_none() {
            return Some((at, step.to_owned()));
        }
        at = parent_of(objects.get(&at.to_ascii_lowercase())?, step)?;
    }
    None
}

/// The object that a relationship such as `Depot__r` leads to.
fn parent_of(object: &ObjectDescribe, relationship: &str) -> Option<String> {
    let is_called = |field: &&FieldDescribe| {
        let name = field.relationship_name.as_deref();
        name.is_some_and(|name| name.eq_ignore_ascii_case(relationship))
    };
    object
        .fields
        .iter()
        .find(is_called)?
        .reference_to
        .first()
        .cloned()
}

/// The objects that a definition's paths lead over, as far as they can be followed with these describes: those that are
/// not among `objects` are to be described next.
#[must_use]
pub fn objects_of(sync: &Sync, objects: &BTreeMap<String, ObjectDescribe>) -> Vec<String> {
    let spec = &sync.definition.spec;
    let mut found = vec![spec.salesforce.object.clone()];
    for path in crate::plan::parent_paths(&sync.definition) {
        let mut at = spec.salesforce.object.clone();
        let steps: Vec<&str> = path.split('.').collect();
        for step in steps.iter().take(steps.len().saturating_sub(1)) {
            let described = objects.get(&at.to_ascii_lowercase());
            let Some(parent) = described.and_then(|described| parent_of(described, step)) else {
                break;
            };
            if !found.iter().any(|known| known.eq_ignore_ascii_case(&parent)) {
                found.push(parent.clone());
            }
            at = parent;
        }
    }
    found
}
