//! Schema changes while the org runs: fields come, go, and are hidden from the user by field-level security.
//!
//! ```json
//! { "object": "Vehicle__c", "hide": ["Price__c"], "show": [], "remove": ["Phone__c"],
//!   "add": [{ "name": "Color__c", "label": "Color", "type": "string", "length": 40 }],
//!   "choices": { "Fuel__c": ["Hydrogen"] }, "retype": { "Seats__c": "string" }, "delete": false }
//! ```
//!
//! A field of another type keeps the values that the new type can hold. If some cannot be held, a change event with a
//! wildcard in the place of records tells that all must be read again.
//! A hidden field is missing from describe and unknown to queries, as a removed one is; its values stay.

use crate::salesforce::{
    clock,
    errors::ApiError,
    handle::OrgHandle,
    schema::{Field, Kind, Object, PickValue, Picklist, Source},
    value::Value,
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::atomic::Ordering};

/// What to change about one object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaEdit {
    object: String,
    #[serde(default)]
    hide: Vec<String>,
    #[serde(default)]
    show: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    add: Vec<NewField>,
    /// Picklist values to add, by field.
    #[serde(default)]
    choices: BTreeMap<String, Vec<String>>,
    /// The object itself is deleted.
    #[serde(default)]
    delete: bool,
    /// New types, by field.
    #[serde(default)]
    retype: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewField {
    name: String,
    label: Option<String>,
    /// As describe names it.
    #[serde(rename = "type")]
    kind: String,
    length: Option<u32>,
    #[serde(default)]
    choices: Vec<String>,
}

/// The types that a field can be added with.
const KINDS: [Kind; 14] = [
    Kind::Text,
    Kind::TextArea,
    Kind::Picklist,
    Kind::MultiPicklist,
    Kind::Boolean,
    Kind::Double,
    Kind::Currency,
    Kind::Percent,
    Kind::Date,
    Kind::DateTime,
    Kind::Time,
    Kind::Email,
    Kind::Phone,
    Kind::Url,
];

/// Changes the schema, all or nothing.
pub(super) fn apply(handle: &OrgHandle, edit: SchemaEdit) -> Result<(), ApiError> {
    let mut org = handle.org.write();
    let index = org.schema().index(&edit.object).ok_or_else(ApiError::no_object)?;
    let mut object = org.schema().objects[index].clone();
    let retyped = retype(&mut object, &edit.retype)?;
    let deleted = edit.delete;
    change(&mut object, edit)?;
    org.edit_schema(|schema| {
        schema.objects[index] = object;
        if deleted {
            schema.delete(index);
        }
    });
    for (slot, kind) in retyped {
        if org.convert(index, slot, |value| converted(value, kind)) {
            handle
                .bus
                .tell_all(&org, index, handle.clock.stamp(), handle.clock.now_ms());
        }
    }
    handle
        .schema_changed
        .store(handle.clock.stamp(), Ordering::Relaxed);
    Ok(())
}

fn change(object: &mut Object, edit: SchemaEdit) -> Result<(), ApiError> {
    for name in &edit.hide {
        find(object, name)?.visible = false;
    }
    for name in &edit.show {
        find(object, name)?.visible = true;
    }
    for name in &edit.remove {
        let field = find(object, name)?;
        field.visible = false;
        // Its place stays, its name is free again.
        field.name = format!("{name} (deleted)");
    }
    for (name, values) in edit.choices {
        find(object, &name)?
            .picklist
            .get_or_insert_default()
            .values
            .extend(values.into_iter().map(choice));
    }
    for new in edit.add {
        let kind = kind_of(&new.kind)?;
        if object
            .fields
            .iter()
            .any(|field| field.name.eq_ignore_ascii_case(&new.name))
        {
            return Err(ApiError::body(format!("{} is there already", new.name)));
        }
        let mut field = Field::new(&new.name, new.label.as_deref().unwrap_or(&new.name), kind);
        field.length = new.length.unwrap_or(field.length);
        if matches!(kind, Kind::Picklist | Kind::MultiPicklist) {
            field.picklist = Some(Picklist {
                restricted: true,
                values: new.choices.into_iter().map(choice).collect(),
            });
        }
        object.push(field);
    }
    Ok(())
}

/// Gives fields their new types; gives the slots whose values follow.
fn retype(object: &mut Object, types: &BTreeMap<String, String>) -> Result<Vec<(usize, Kind)>, ApiError> {
    let mut slots = Vec::new();
    for (name, kind) in types {
        let field = find(object, name)?;
        let kind = kind_of(kind)?;
        let Source::Slot(slot) = field.source else {
            return Err(ApiError::body(format!("{name} holds no value")));
        };
        if field.external_id || field.unique || field.reference.is_some() {
            return Err(ApiError::body(format!("the type of {name} cannot be changed")));
        }
        let fresh = Field::new(&field.name, &field.label, kind);
        (field.kind, field.length, field.precision) = (kind, fresh.length, fresh.precision);
        if !matches!(kind, Kind::Picklist | Kind::MultiPicklist) {
            field.picklist = None;
        }
        slots.push((slot, kind));
    }
    Ok(slots)
}

/// A value as another type holds it; nothing where it cannot.
fn converted(value: &Value, kind: Kind) -> Value {
    let text = value.as_text();
    match kind {
        _ if value.is_null() => Value::Null,
        kind if kind.is_number() => text.parse().map_or(Value::Null, Value::Number),
        Kind::Boolean => Value::Bool(matches!(text.as_ref(), "true" | "1" | "1.0")),
        Kind::Date => clock::parse_date(text.get(..10).unwrap_or_default()).map_or(Value::Null, Value::Date),
        Kind::DateTime => clock::parse_datetime(&text).map_or(Value::Null, Value::DateTime),
        Kind::Time => clock::parse_time(&text).map_or(Value::Null, Value::Time),
        _ => Value::text(text.into_owned()),
    }
}

fn kind_of(name: &str) -> Result<Kind, ApiError> {
    let kind = KINDS.into_iter().find(|kind| kind.describe_type() == name);
    kind.ok_or_else(|| ApiError::body(format!("no field can be of type {name}")))
}

/// A field by name, hidden ones too.
fn find<'o>(object: &'o mut Object, name: &str) -> Result<&'o mut Field, ApiError> {
    let found = object
        .fields
        .iter_mut()
        .find(|field| field.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| ApiError::body(format!("there is no field {name}")))
}

fn choice(value: String) -> PickValue {
    PickValue {
        label: value.clone(),
        value,
        active: true,
        default: false,
    }
}
