//! Lookups and associations.

use super::{Problem, Surroundings, nearest};
use crate::ask::WantedAssociation;
use crate::hubspot::ObjectSchema;
use crate::ids::ObjectTypeId;
use crate::salesforce::{FieldDescribe, FieldType, ObjectDescribe};
use crate::standard::{StandardType, standard_type};
use crate::sync::{AssociationRule, SyncDefinition};

/// The other end of an association.
enum End<'a> {
    Standard(&'static StandardType),
    Custom(&'a ObjectSchema),
}

impl End<'_> {
    fn id(&self) -> ObjectTypeId {
        match self {
            Self::Standard(standard) => ObjectTypeId::new(standard.object_type_id),
            Self::Custom(schema) => schema.object_type_id.clone(),
        }
    }
}

fn end<'a>(name: &str, around: &Surroundings<'a>) -> Option<End<'a>> {
    if let Some(standard) = standard_type(name) {
        return Some(End::Standard(standard));
    }
    around
        .object_types
        .iter()
        .chain(around.object_type)
        .find(|schema| schema.is_called(name))
        .map(End::Custom)
}

/// Adds the problems of `spec.associations`.
pub(super) fn check(
    definition: &SyncDefinition,
    object: &ObjectDescribe,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) {
    check_alone(definition, around, problems);
    for (place, rule) in definition.spec.associations.iter().enumerate() {
        let at = format!("spec.associations[{place}]");
        let field = reference(&at, rule, object, problems);
        let end = end(&rule.to, around);
        match (&end, field) {
            (None, _) => unknown_end(&at, rule, around, problems),
            (Some(end), Some(field)) => parent(&at, rule, field, end, definition, around, problems),
            (Some(_), None) => {}
        }
    }
}

/// Adds the problems of `spec.associations` that show without looking at the org.
pub(super) fn check_alone(
    definition: &SyncDefinition,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) {
    let rules = &definition.spec.associations;
    for (place, rule) in rules.iter().enumerate() {
        let at = format!("spec.associations[{place}]");
        if let Some(earlier) = rules[..place]
            .iter()
            .position(|other| other.field.eq_ignore_ascii_case(&rule.field))
        {
            problems.push(Problem::new(
                format!("{at}.field"),
                format!("{} is already listed in spec.associations[{earlier}]", rule.field),
                "keep one of the two",
            ));
        }
    }
    labels(rules, around, problems);
}

fn reference<'a>(
    at: &str,
    rule: &AssociationRule,
    object: &'a ObjectDescribe,
    problems: &mut Vec<Problem>,
) -> Option<&'a FieldDescribe> {
    let place = format!("{at}.field");
    let lookups = object
        .fields
        .iter()
        .filter(|field| field.kind == FieldType::Reference)
        .map(|field| field.name.as_str());
    let Some(field) = object.field(&rule.field) else {
        problems.push(Problem::new(
            place,
            format!(
                "{} has no field {} that the Salesforce user can see",
                object.name, rule.field
            ),
            nearest(
                &rule.field,
                lookups,
                "create the lookup in Salesforce, or let the Salesforce user see it",
            ),
        ));
        return None;
    };
    if field.kind != FieldType::Reference {
        problems.push(Problem::new(
            place,
            format!("{} is of type {}, not a lookup", rule.field, field.kind.as_str()),
            "list it under spec.fields, or name a lookup or master-detail field",
        ));
        return None;
    }
    if field.reference_to.len() != 1 {
        problems.push(Problem::new(
            place,
            format!(
                "{} may lead to several objects ({})",
                rule.field,
                field.reference_to.join(", ")
            ),
            "only a lookup to one object becomes an association; leave this one out",
        ));
        return None;
    }
    Some(field)
}

fn unknown_end(at: &str, rule: &AssociationRule, around: &Surroundings<'_>, problems: &mut Vec<Problem>) {
    let standard = crate::standard::STANDARD_TYPES
        .iter()
        .map(|standard| standard.name);
    let custom = around.object_types.iter().map(|schema| schema.name.as_str());
    problems.push(Problem::new(
        format!("{at}.to"),
        format!("the portal has no object type {}", rule.to),
        nearest(
            &rule.to,
            standard.chain(custom),
            "name contacts, companies, deals, tickets or a custom object type; a type that was created moments ago may take \
             up to a minute to show",
        ),
    ));
}

/// The parent's records must come to HubSpot by somebody's hand: a sync, or HubSpot's own integration.
fn parent(
    at: &str,
    rule: &AssociationRule,
    field: &FieldDescribe,
    end: &End<'_>,
    definition: &SyncDefinition,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) {
    let referenced = field.reference_to[0].as_str();
    if let Some(name) = &rule.match_property {
        let schema = match end {
            End::Custom(schema) => Some(*schema),
            End::Standard(standard) => around
                .object_types
                .iter()
                .find(|schema| schema.object_type_id.as_str() == standard.object_type_id),
        };
        let lacks = schema.filter(|schema| schema.property(name).is_none());
        let is_synced = parent_sync(referenced, rule, definition, around)
            .is_some_and(|sync| sync.spec.hubspot.id_property == *name);
        if let Some(schema) = lacks
            && !is_synced
        {
            problems.push(Problem::new(
                format!("{at}.match"),
                format!("{} has no property {name}", schema.name),
                nearest(
                    name,
                    schema.properties.iter().map(|property| property.name.as_str()),
                    "name the property that holds the Salesforce id of the parent",
                ),
            ));
        }
        return;
    }
    let is_kept = match end {
        End::Standard(standard) => standard.salesforce_objects.contains(&referenced),
        End::Custom(_) => parent_sync(referenced, rule, definition, around).is_some(),
    };
    if !is_kept {
        let remedy = match end {
            End::Standard(standard) => format!(
                "HubSpot's own integration turns {} into {}; name with match the property that holds the Salesforce \
                 id of {referenced}, or leave the association out",
                standard.salesforce_objects.join(" and "),
                standard.name
            ),
            End::Custom(_) => format!(
                "add a sync of {referenced} to {}, name with match the property that holds its Salesforce id, or \
                 leave the association out",
                rule.to
            ),
        };
        problems.push(Problem::new(
            at,
            format!(
                "{} leads to {referenced}, which no sync carries to {}",
                rule.field, rule.to
            ),
            remedy,
        ));
    }
}

/// The sync that brings the parents; the definition itself for a lookup to its own object.
fn parent_sync<'a>(
    referenced: &str,
    rule: &AssociationRule,
    definition: &'a SyncDefinition,
    around: &Surroundings<'a>,
) -> Option<&'a SyncDefinition> {
    std::iter::once(definition)
        .chain(
            around
                .syncs
                .iter()
                .filter(|other| other.metadata.tenant == definition.metadata.tenant),
        )
        .find(|sync| {
            sync.spec.salesforce.object.eq_ignore_ascii_case(referenced)
                && super::same_type(&sync.spec.hubspot.object_type, &rule.to, around)
        })
}

/// Two lookups to one object type can only be told apart by labels: the plain association stands beside every label.
fn labels(rules: &[AssociationRule], around: &Surroundings<'_>, problems: &mut Vec<Problem>) {
    for (place, rule) in rules.iter().enumerate() {
        for (earlier, other) in rules[..place].iter().enumerate() {
            let same_end = match (end(&rule.to, around), end(&other.to, around)) {
                (Some(a), Some(b)) => a.id() == b.id(),
                _ => rule.to.eq_ignore_ascii_case(&other.to),
            };
            let label = |rule: &AssociationRule| rule.label.as_ref().map(|label| label.to_lowercase());
            let are_distinct = rule.label.is_some() && other.label.is_some() && label(rule) != label(other);
            if same_end && !are_distinct {
                problems.push(Problem::new(
                    format!("spec.associations[{place}].label"),
                    format!(
                        "{} and {} (spec.associations[{earlier}]) both lead to {} and could not be told apart",
                        rule.field, other.field, rule.to
                    ),
                    "give each of them a label of its own",
                ));
            }
        }
    }
}

/// The associations that the portal must have.
pub(super) fn wanted(definition: &SyncDefinition, around: &Surroundings<'_>) -> Vec<WantedAssociation> {
    let resolve = |rule: &AssociationRule| {
        let end = end(&rule.to, around)?;
        let field = around.object?.field(&rule.field)?;
        let match_property = match (&rule.match_property, &end) {
            (Some(name), _) => name.clone(),
            (None, End::Standard(standard)) => standard.match_property.to_owned(),
            (None, End::Custom(_)) => {
                let referenced = field.reference_to.first()?;
                let sync = parent_sync(referenced, rule, definition, around)?;
                sync.spec.hubspot.id_property.clone()
            }
        };
        Some(WantedAssociation {
            field: field.name.clone(),
            to: end.id(),
            match_property,
            label: rule.label.clone(),
        })
    };
    definition.spec.associations.iter().filter_map(resolve).collect()
}
