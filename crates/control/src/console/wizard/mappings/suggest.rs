//! Which field belongs to which property: by name, by label, by type. Pure.

use indexmap::IndexMap;
use landbridge_model::convert::{Family, Verdict, verdict};
use landbridge_model::hubspot::{ObjectSchema, PropertyDefinition, PropertyOption, PropertyType};
use landbridge_model::plan::SYSTEM_FIELDS;
use landbridge_model::salesforce::{FieldDescribe, FieldType, ObjectDescribe, PicklistValue};
use landbridge_model::sync::{FieldRule, SyncDefinition, Unmatched, VERSION_PROPERTY};

use super::Suggestion;

/// Pairs that match and whose halves are both free, required properties first. Each field and each property is
/// suggested once, by its best match.
pub fn suggestions(
    definition: &SyncDefinition,
    object: &ObjectDescribe,
    schema: &ObjectSchema,
) -> Vec<Suggestion> {
    let rules = &definition.spec.fields;
    let id_property = &definition.spec.hubspot.id_property;
    let fields: Vec<&FieldDescribe> = object
        .fields
        .iter()
        .filter(|field| is_offered(field) && is_free(rules, field))
        .collect();
    let properties = schema.properties.iter().filter(|property| {
        !property.read_only
            && property.name != *id_property
            && property.name != VERSION_PROPERTY
            && !property.name.starts_with("hs_")
            && !property.name.starts_with("hubspot_")
            && rules.iter().all(|rule| rule.to != property.name)
    });
    let properties: Vec<&PropertyDefinition> = properties.collect();
    let mut pairs: Vec<(u8, usize, usize)> = Vec::new();
    for (f, field) in fields.iter().enumerate() {
        for (p, property) in properties.iter().enumerate() {
            if let Some(score) = score(field, property) {
                pairs.push((score, f, p));
            }
        }
    }
    pairs.sort_by_key(|(score, f, p)| (std::cmp::Reverse(*score), *f, *p));
    let (mut used_fields, mut used_properties, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for (score, f, p) in pairs {
        if used_fields.contains(&f) || used_properties.contains(&p) {
            continue;
        }
        used_fields.push(f);
        used_properties.push(p);
        found.push((
            f,
            Suggestion {
                field: fields[f].clone(),
                property: properties[p].clone(),
                why: why(score).to_owned(),
            },
        ));
    }
    let is_required =
        |suggestion: &Suggestion| schema.required_properties.contains(&suggestion.property.name);
    found.sort_by_key(|(f, suggestion)| (!is_required(suggestion), *f));
    found.into_iter().map(|(_, suggestion)| suggestion).collect()
}

/// Picklist values whose option goes by nearly the same name, such as `Petrol` and `petrol`. Values whose very name is
/// an option need no line.
fn suggested_values(field: &FieldDescribe, property: &PropertyDefinition) -> IndexMap<String, String> {
    let is_choice = matches!(Family::of(field.kind), Family::Choice | Family::Choices);
    if !is_choice || property.kind != PropertyType::Enumeration {
        return IndexMap::new();
    }
    let meant = |value: &PicklistValue| {
        if property.options.iter().any(|option| option.value == value.value) {
            return None;
        }
        let wanted = [Some(value.value.as_str()), value.label.as_deref()];
        let is_it = |option: &&PropertyOption| {
            let mut names = wanted.iter().flatten().map(|name| plain(name));
            names.any(|name| {
                !name.is_empty() && (name == plain(&option.value) || name == plain(&option.label))
            })
        };
        let option = property.options.iter().find(is_it)?;
        Some((value.value.clone(), option.value.clone()))
    };
    field.picklist_values.iter().filter_map(meant).collect()
}

/// A row for a pair that a person has just put together.
pub fn suggested_rule(field: &FieldDescribe, property: &PropertyDefinition) -> FieldRule {
    FieldRule {
        from: field.name.clone(),
        to: property.name.clone(),
        values: suggested_values(field, property),
        unmatched: Unmatched::default(),
    }
}

/// The property that a field would be suggested, when a person adds the field without naming one.
pub fn suggested_property(
    definition: &SyncDefinition,
    object: &ObjectDescribe,
    schema: &ObjectSchema,
    field: &str,
) -> Option<String> {
    let all = suggestions(definition, object, schema);
    let of_field = all
        .into_iter()
        .find(|suggestion| suggestion.field.name.eq_ignore_ascii_case(field));
    of_field.map(|suggestion| suggestion.property.name)
}

fn is_offered(field: &FieldDescribe) -> bool {
    let is_system = SYSTEM_FIELDS
        .iter()
        .any(|name| name.eq_ignore_ascii_case(&field.name));
    let carries = !matches!(Family::of(field.kind), Family::None(_) | Family::Id);
    (!is_system || field.name == "Name") && carries && field.kind != FieldType::Reference
}

fn is_free(rules: &[FieldRule], field: &FieldDescribe) -> bool {
    rules
        .iter()
        .all(|rule| !rule.from.eq_ignore_ascii_case(&field.name))
}

const SAME_NAME: u8 = 4;
const SAME_LABEL: u8 = 2;
const SAME_TYPE: u8 = 1;

/// How well a pair matches; `None` when not by name nor by label, or when no value could arrive.
fn score(field: &FieldDescribe, property: &PropertyDefinition) -> Option<u8> {
    let name = plain(stem(&field.name)) == plain(&property.name);
    let label = !property.label.is_empty() && plain(&field.label) == plain(&property.label);
    if !(name || label) || matches!(verdict(field, property), Verdict::Impossible(_)) {
        return None;
    }
    let kind = is_same_type(field, property);
    Some(u8::from(name) * SAME_NAME + u8::from(label) * SAME_LABEL + u8::from(kind) * SAME_TYPE)
}

fn why(score: u8) -> &'static str {
    match (
        score & SAME_NAME > 0,
        score & SAME_LABEL > 0,
        score & SAME_TYPE > 0,
    ) {
        (true, true, true) => "same name, label and type",
        (true, true, false) => "same name and label",
        (true, false, true) => "same name and type",
        (true, false, false) => "same name",
        (false, _, true) => "same label and type",
        (false, _, false) => "same label",
    }
}

/// Whether the types mean the same in the two systems.
fn is_same_type(field: &FieldDescribe, property: &PropertyDefinition) -> bool {
    matches!(
        (Family::of(field.kind), property.kind),
        (
            Family::Text | Family::TimeOfDay,
            PropertyType::String | PropertyType::PhoneNumber
        ) | (Family::Choice | Family::Choices, PropertyType::Enumeration)
            | (Family::Flag, PropertyType::Bool)
            | (Family::Number, PropertyType::Number)
            | (Family::Day, PropertyType::Date)
            | (Family::Instant, PropertyType::DateTime)
    )
}

/// `Fuel__c` is Fuel; `ns__Fuel__c` too.
fn stem(name: &str) -> &str {
    let bare = name
        .strip_suffix("__c")
        .or_else(|| name.strip_suffix("__s"))
        .unwrap_or(name);
    if bare.len() == name.len() {
        return bare;
    }
    match bare.split_once("__") {
        // The prefix of a managed package; the parts of a location keep theirs, which tells them apart.
        Some((_, rest)) if name.ends_with("__c") => rest,
        _ => bare,
    }
}

/// Letters and digits alone, in lower case: people separate words in many ways.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use landbridge_model::yaml;
    use serde_json::json;

    use super::*;

    fn object() -> ObjectDescribe {
        let field =
            |name: &str, label: &str, kind: &str| json!({ "name": name, "label": label, "type": kind });
        serde_json::from_value(json!({
            "name": "Inspection__c", "label": "Inspection", "custom": true, "queryable": true,
            "fields": [
                field("Id", "Record ID", "id"), field("Name", "Inspection Name", "string"),
                field("SystemModstamp", "Stamp", "datetime"), field("Score__c", "Score", "double"),
                field("acme__Result__c", "Outcome", "picklist"), field("Inspected_On__c", "Inspected on", "date"),
                field("Remarks__c", "Notes", "textarea"), field("Depot__c", "Depot", "reference"),
                field("Place__Latitude__s", "Place (Latitude)", "double"),
            ],
        }))
        .unwrap()
    }

    fn schema() -> ObjectSchema {
        let property =
            |name: &str, label: &str, kind: &str| json!({ "name": name, "label": label, "type": kind });
        serde_json::from_value(json!({
            "objectTypeId": "2-1", "name": "inspections", "requiredProperties": ["score"],
            "properties": [
                property("name", "Name", "string"), property("inspectedOn", "Date of it", "datetime"),
                property("result", "Result", "enumeration"), property("notes", "notes", "string"),
                property("score", "Points", "number"), property("depot", "Depot", "string"),
                property("place_latitude", "Lat", "number"), property("salesforce_id", "Record ID", "string"),
            ],
        }))
        .unwrap()
    }

    fn definition(fields: &str) -> SyncDefinition {
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: i }}\nspec:\n  salesforce: {{ object: \
             Inspection__c }}\n  hubspot: {{ objectType: inspections }}\n  fields: [{fields}]\n"
        );
        yaml::load("test", &text).unwrap().remove(0)
    }

    fn told(fields: &str) -> Vec<String> {
        let found = suggestions(&definition(fields), &object(), &schema());
        found
            .iter()
            .map(|one| format!("{} {} {}", one.field.name, one.property.name, one.why))
            .collect()
    }

    #[test]
    fn pairs_are_suggested_by_name_label_and_type_required_ones_first() {
        assert_eq!(
            told(""),
            [
                "Score__c score same name and type",
                "Name name same name and type",
                "acme__Result__c result same name and type",
                "Inspected_On__c inspectedOn same name",
                "Remarks__c notes same label and type",
                "Place__Latitude__s place_latitude same name and type",
            ]
        );
    }

    #[test]
    fn picklist_values_meet_options_of_nearly_their_name() {
        let field = serde_json::from_value(json!({
            "name": "Fuel__c", "label": "Fuel", "type": "picklist", "picklistValues": [
                { "value": "Petrol", "active": true }, { "value": "same", "active": true },
                { "value": "EV", "label": "All Electric", "active": true }, { "value": "Hydrogen", "active": true },
            ],
        }))
        .unwrap();
        let property = serde_json::from_value(json!({
            "name": "fuel", "label": "Fuel", "type": "enumeration", "options": [
                { "value": "petrol", "label": "P" }, { "value": "same", "label": "S" }, { "value": "4", "label": "All-electric" },
            ],
        }))
        .unwrap();
        let values = suggested_values(&field, &property);
        let told: Vec<(&str, &str)> = values
            .iter()
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .collect();
        assert_eq!(told, [("Petrol", "petrol"), ("EV", "4")]);
    }

    #[test]
    fn what_is_mapped_is_suggested_no_more() {
        let rest = told("{ from: Score__c, to: name }, { from: Remarks__c, to: score }");
        assert_eq!(
            rest,
            [
                "acme__Result__c result same name and type",
                "Inspected_On__c inspectedOn same name",
                "Place__Latitude__s place_latitude same name and type",
            ]
        );
        let property = suggested_property(&definition(""), &object(), &schema(), "remarks__c");
        assert_eq!(property.as_deref(), Some("notes"));
    }
}
