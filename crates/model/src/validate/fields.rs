//! Fields and properties.

use super::{Problem, Surroundings, is_own_property, nearest};
use crate::ask::WantedOption;
use crate::convert::{Family, Verdict, has_foreign_options, verdict};
use crate::filter::describe_of;
use crate::hubspot::{ObjectSchema, PropertyDefinition, PropertyType};
use crate::salesforce::{FieldDescribe, FieldType, ObjectDescribe};
use crate::sync::{FieldRule, SyncDefinition, Unmatched};

/// Objects that are never synced: a lookup to one of them may be mapped as an id.
const PEOPLE_AND_TYPES: [&str; 5] = ["User", "Group", "RecordType", "Profile", "UserRole"];
/// Most values listed in one problem.
const LISTED: usize = 10;

/// Adds the problems of `spec.fields` that show without any schema.
pub(super) fn check_alone(definition: &SyncDefinition, problems: &mut Vec<Problem>) {
    let rules = &definition.spec.fields;
    if rules.is_empty() {
        problems.push(Problem::new(
            "spec.fields",
            "no field is mapped",
            "map at least one field to a property",
        ));
    }
    for (place, rule) in rules.iter().enumerate() {
        let at = format!("spec.fields[{place}]");
        if is_own_property(definition, &rule.to) {
            problems.push(Problem::new(
                format!("{at}.to"),
                format!("Landbridge itself writes {}", rule.to),
                "leave this row out, or map the field to another property",
            ));
        }
        if let Some(earlier) = rules[..place].iter().position(|other| other.to == rule.to) {
            problems.push(Problem::new(
                format!("{at}.to"),
                format!("{} is already filled by spec.fields[{earlier}]", rule.to),
                "map the two fields to different properties",
            ));
        }
    }
}

/// Adds the problems of `spec.fields`.
pub(super) fn check(
    definition: &SyncDefinition,
    object: &ObjectDescribe,
    schema: &ObjectSchema,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) {
    check_alone(definition, problems);
    let rules = &definition.spec.fields;
    for (place, rule) in rules.iter().enumerate() {
        let at = format!("spec.fields[{place}]");
        let field = source(&at, rule, object, around, problems);
        let property = target(&at, rule, schema, definition, problems);
        if let (Some(field), Some(property)) = (field, property) {
            match verdict(field, property) {
                Verdict::Impossible(reason) => problems.push(Problem::new(
                    &at,
                    format!(
                        "{} ({}) cannot become {} ({})",
                        rule.from,
                        field.kind.as_str(),
                        rule.to,
                        property.kind.as_str()
                    ),
                    reason,
                )),
                Verdict::Fits | Verdict::Converts(_) => options(&at, rule, field, property, problems),
            }
        }
    }
    required(definition, schema, problems);
}

fn source<'a>(
    at: &str,
    rule: &'a FieldRule,
    object: &'a ObjectDescribe,
    around: &Surroundings<'a>,
    problems: &mut Vec<Problem>,
) -> Option<&'a FieldDescribe> {
    let place = format!("{at}.from");
    let Some((_, field)) = describe_of(&rule.from, object, around.parents) else {
        problems.push(Problem::new(
            place,
            format!(
                "{} has no field {} that the Salesforce user can see",
                object.name, rule.from
            ),
            unknown_field_remedy(&rule.from, object),
        ));
        return None;
    };
    let leads_to_records = field
        .reference_to
        .iter()
        .any(|target| !PEOPLE_AND_TYPES.contains(&target.as_str()));
    if field.kind == FieldType::Reference && leads_to_records {
        problems.push(Problem::new(
            place,
            format!("{} is a lookup to {}", rule.from, field.reference_to.join(", ")),
            "list it under spec.associations instead",
        ));
        return None;
    }
    Some(field)
}

/// What to do about a name that no field has.
pub(super) fn unknown_field_remedy(name: &str, object: &ObjectDescribe) -> String {
    if let Some((relationship, _)) = name.split_once('.') {
        let known: Vec<&str> = object
            .fields
            .iter()
            .filter_map(|field| field.relationship_name.as_deref())
            .collect();
        return if known.iter().any(|other| other.eq_ignore_ascii_case(relationship)) {
            format!("name a field that the object behind {relationship} has and the Salesforce user can see")
        } else {
            nearest(
                relationship,
                known,
                "name a relationship of the object, such as Depot__r for the lookup Depot__c",
            )
        };
    }
    nearest(
        name,
        object.fields.iter().map(|field| field.name.as_str()),
        "create the field in Salesforce, or let the Salesforce user see it",
    )
}

fn target<'a>(
    at: &str,
    rule: &FieldRule,
    schema: &'a ObjectSchema,
    definition: &SyncDefinition,
    problems: &mut Vec<Problem>,
) -> Option<&'a PropertyDefinition> {
    let place = format!("{at}.to");
    if is_own_property(definition, &rule.to) {
        return None;
    }
    let Some(property) = schema.property(&rule.to) else {
        problems.push(Problem::new(
            place,
            format!("{} has no property {}", schema.name, rule.to),
            nearest(
                &rule.to,
                schema.properties.iter().map(|property| property.name.as_str()),
                "create the property in HubSpot",
            ),
        ));
        return None;
    };
    if property.read_only {
        problems.push(Problem::new(
            place,
            format!(
                "HubSpot computes {} itself and does not let it be written",
                rule.to
            ),
            "map the field to another property",
        ));
        return None;
    }
    Some(property)
}

/// The values that a field is known to take, or none where any may come.
fn known_values(field: &FieldDescribe) -> Vec<(&str, bool)> {
    match Family::of(field.kind) {
        Family::Choice | Family::Choices => field
            .picklist_values
            .iter()
            .map(|value| (value.value.as_str(), value.active))
            .collect(),
        Family::Flag => vec![("true", true), ("false", true)],
        _ => Vec::new(),
    }
}

fn has_option(property: &PropertyDefinition, value: &str) -> bool {
    value.is_empty() || property.options.iter().any(|option| option.value == value)
}

fn mapped<'a>(rule: &'a FieldRule, value: &'a str) -> &'a str {
    rule.values.get(value).map_or(value, String::as_str)
}

/// Known values whose option is missing, once each, in the field's order.
fn without_option<'a>(
    rule: &'a FieldRule,
    field: &'a FieldDescribe,
    property: &PropertyDefinition,
    active: bool,
) -> Vec<&'a str> {
    if property.kind != PropertyType::Enumeration || has_foreign_options(property) {
        return Vec::new();
    }
    known_values(field)
        .into_iter()
        .filter(|(value, is_active)| *is_active == active && !has_option(property, mapped(rule, value)))
        .map(|(value, _)| value)
        .collect()
}

fn listed(values: &[&str]) -> String {
    let shown: Vec<String> = values
        .iter()
        .take(LISTED)
        .map(|value| format!("{value:?}"))
        .collect();
    match values.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn options(
    at: &str,
    rule: &FieldRule,
    field: &FieldDescribe,
    property: &PropertyDefinition,
    problems: &mut Vec<Problem>,
) {
    if property.kind != PropertyType::Enumeration || has_foreign_options(property) {
        return;
    }
    if rule.unmatched == Unmatched::Fail {
        let missing = without_option(rule, field, property, true);
        if !missing.is_empty() {
            problems.push(Problem::new(
                format!("{at}.values"),
                format!(
                    "{} has no option for {} of {}",
                    rule.to,
                    listed(&missing),
                    rule.from
                ),
                format!(
                    "map them to options under values ({}), or set unmatched: add-option or leave-empty",
                    options_listed(property)
                ),
            ));
        }
    }
    if rule.unmatched != Unmatched::AddOption {
        for (from, to) in &rule.values {
            if !has_option(property, to) {
                problems.push(Problem::new(
                    format!("{at}.values.{from}"),
                    format!("{to:?} is not an option of {}", rule.to),
                    nearest(
                        to,
                        property.options.iter().map(|option| option.value.as_str()),
                        "add the option in HubSpot, or set unmatched: add-option",
                    ),
                ));
            }
        }
    }
}

fn options_listed(property: &PropertyDefinition) -> String {
    let values: Vec<&str> = property
        .options
        .iter()
        .map(|option| option.value.as_str())
        .collect();
    if values.is_empty() {
        "it has none yet".to_owned()
    } else {
        listed(&values)
    }
}

fn required(definition: &SyncDefinition, schema: &ObjectSchema, problems: &mut Vec<Problem>) {
    for name in &schema.required_properties {
        let is_mapped = definition.spec.fields.iter().any(|rule| rule.to == *name);
        if !is_mapped && !is_own_property(definition, name) {
            problems.push(Problem::new(
                "spec.fields",
                format!(
                    "{} requires the property {name}, and no field is mapped to it",
                    schema.name
                ),
                format!("map a field that is never empty to {name}, or make it optional in HubSpot"),
            ));
        }
    }
}

/// Conversions that change values, and values of old records that have no option.
pub(super) fn notes(
    definition: &SyncDefinition,
    object: &ObjectDescribe,
    schema: &ObjectSchema,
    around: &Surroundings<'_>,
) -> Vec<Problem> {
    let mut notes = Vec::new();
    for (place, rule) in definition.spec.fields.iter().enumerate() {
        let field = describe_of(&rule.from, object, around.parents);
        let (Some((_, field)), Some(property)) = (field, schema.property(&rule.to)) else {
            continue;
        };
        let at = format!("spec.fields[{place}]");
        if let Verdict::Converts(note) = verdict(field, property) {
            notes.push(Problem::new(
                &at,
                format!("{} to {}: {note}", rule.from, rule.to),
                "",
            ));
        }
        let old = without_option(rule, field, property, false);
        if rule.unmatched == Unmatched::Fail && !old.is_empty() {
            notes.push(Problem::new(
                format!("{at}.values"),
                format!(
                    "{} has no option for the inactive values {} of {}: records that still have one fail",
                    rule.to,
                    listed(&old),
                    rule.from
                ),
                "",
            ));
        }
    }
    notes
}

/// Options to add, inactive values included: old records still carry them.
pub(super) fn wanted_options(
    definition: &SyncDefinition,
    object: &ObjectDescribe,
    schema: &ObjectSchema,
    around: &Surroundings<'_>,
) -> Vec<WantedOption> {
    let mut wanted: Vec<WantedOption> = Vec::new();
    for rule in &definition.spec.fields {
        let field = describe_of(&rule.from, object, around.parents);
        let (Some((_, field)), Some(property)) = (field, schema.property(&rule.to)) else {
            continue;
        };
        if rule.unmatched != Unmatched::AddOption
            || property.kind != PropertyType::Enumeration
            || has_foreign_options(property)
        {
            continue;
        }
        let known = known_values(field)
            .into_iter()
            .map(|(value, _)| mapped(rule, value));
        for value in known.chain(rule.values.values().map(String::as_str)) {
            let option = WantedOption {
                property: rule.to.clone(),
                value: value.to_owned(),
            };
            if !has_option(property, value) && !wanted.contains(&option) {
                wanted.push(option);
            }
        }
    }
    wanted
}
