//! What can be chosen: fields and properties, each with its type in the words of the system that it belongs to.

use landbridge_model::convert::Family;
use landbridge_model::hubspot::{PropertyDefinition, PropertyType};
use landbridge_model::salesforce::{FieldDescribe, FieldType};

use super::Mappings;
use crate::console::parts::Choice;

pub(super) fn field_choices(view: &Mappings) -> Vec<Choice> {
    let is_offered = |field: &&FieldDescribe| field.kind != FieldType::Reference;
    let choice = |field: &FieldDescribe| Choice {
        value: field.name.clone(),
        label: field.label.clone(),
        note: match Family::of(field.kind) {
            Family::None(reason) => reason.to_owned(),
            _ => field_type(field).to_owned(),
        },
        group: if field.custom {
            "Custom fields"
        } else {
            "Standard fields"
        }
        .to_owned(),
        disabled: matches!(Family::of(field.kind), Family::None(_)),
    };
    let mut choices: Vec<Choice> = view.fields.iter().filter(is_offered).map(choice).collect();
    choices.sort_by(|a, b| (&a.group, &a.label).cmp(&(&b.group, &b.label)));
    choices
}

pub(super) fn property_choices(view: &Mappings) -> Vec<Choice> {
    let choice = |property: &PropertyDefinition| Choice {
        value: property.name.clone(),
        label: if property.label.is_empty() {
            property.name.clone()
        } else {
            property.label.clone()
        },
        note: if property.read_only {
            "HubSpot computes it".to_owned()
        } else {
            property_type(property).to_owned()
        },
        group: String::new(),
        disabled: property.read_only || property.name == view.id_property,
    };
    let mut choices: Vec<Choice> = view.properties.iter().map(choice).collect();
    choices.sort_by(|a, b| a.label.cmp(&b.label));
    choices
}

/// A field's type as Salesforce's setup pages name it.
pub(crate) fn field_type(field: &FieldDescribe) -> &'static str {
    match field.kind {
        _ if field.calculated => "Formula",
        FieldType::String => "Text",
        FieldType::TextArea if field.extra_type_info.as_deref() == Some("richtextarea") => "Rich text",
        FieldType::TextArea => "Text area",
        FieldType::Picklist => "Picklist",
        FieldType::MultiPicklist => "Multi-select picklist",
        FieldType::Boolean => "Checkbox",
        FieldType::Int | FieldType::Long | FieldType::Double => "Number",
        FieldType::Currency => "Currency",
        FieldType::Percent => "Percent",
        FieldType::Date => "Date",
        FieldType::DateTime => "Date/time",
        FieldType::Time => "Time",
        FieldType::Email => "Email",
        FieldType::Phone => "Phone",
        FieldType::Url => "URL",
        FieldType::Id => "Record ID",
        FieldType::Reference => "Lookup",
        other => other.as_str(),
    }
}

/// A property's type as HubSpot's settings name it.
pub(crate) fn property_type(property: &PropertyDefinition) -> &'static str {
    match (property.kind, property.field_type.as_str()) {
        (PropertyType::Enumeration, "checkbox") => "multiple checkboxes",
        (PropertyType::Enumeration, "radio") => "radio select",
        (PropertyType::Enumeration, _) => "dropdown select",
        (PropertyType::Bool, _) => "single checkbox",
        (PropertyType::String, "textarea") => "multi-line text",
        (PropertyType::String, "html") => "rich text",
        (PropertyType::String, "phonenumber") | (PropertyType::PhoneNumber, _) => "phone number",
        (PropertyType::String, _) => "single-line text",
        (PropertyType::Number, _) => "number",
        (PropertyType::Date, _) => "date picker",
        (PropertyType::DateTime, _) => "date and time picker",
        (other, _) => other.as_str(),
    }
}
