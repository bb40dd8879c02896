//! Schema changes while the org runs: fields come, go, and are hidden from the user by field-level security.
//!
//! ```json
//! { "object": "Vehicle__c", "hide": ["Price__c"], "show": [], "remove": ["Phone__c"],
//!   "add": [{ "name": "Color__c", "label": "Color", "type": "string", "length": 40 }],
//!   "choices": { "Fuel__c": ["Hydrogen"] } }
//! ```
//!
//! A hidden field is missing from describe and unknown to queries, as a removed one is; its values stay.

use crate::salesforce::{
    errors::ApiError,
    handle::OrgHandle,
    schema::{Field, Kind, Object, PickValue, Picklist},
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
    change(&mut object, edit)?;
    org.edit_schema(|schema| schema.objects[index] = object);
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
        let kind = KINDS.into_iter().find(|kind| kind.describe_type() == new.kind);
        let kind =
            kind.ok_or_else(|| ApiError::body(format!("no field of type {} can be added", new.kind)))?;
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
