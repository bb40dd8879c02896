//! Lookups and associations.

use super::{Problem, Surroundings, nearest};
use crate::ask::WantedAssociation;
use crate::batch::LookupTarget;
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
        let referenced = reference(&at, rule, object, problems)
            .and_then(|field| referenced(&at, rule, field, around, problems));
        let end = end(&rule.to, around);
        match (&end, referenced) {
            (None, _) => unknown_end(&at, rule, around, problems),
            (Some(end), Some(referenced)) => {
                parent(&at, rule, referenced, end, definition, around, problems);
            }
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
        if let Some(earlier) = rules[..place].iter().position(|other| overlap(rule, other)) {
            problems.push(Problem::new(
                format!("{at}.field"),
                format!(
                    "{} is already listed in spec.associations[{earlier}]",
                    rule.lookup()
                ),
                "keep one of the two; only a lookup that may lead to several objects has several rules, each with another \
                 object",
            ));
        }
    }
    labels(rules, around, problems);
}

/// Whether two rules are for the same links: of one field, and not each for an object of its own.
fn overlap(rule: &AssociationRule, other: &AssociationRule) -> bool {
    let are_apart = match (&rule.object, &other.object) {
        (Some(a), Some(b)) => !a.eq_ignore_ascii_case(b),
        _ => false,
    };
    rule.field.eq_ignore_ascii_case(&other.field) && !are_apart
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
    Some(field)
}

/// The object that a rule is for, of those that the field may lead to.
fn referenced<'a>(
    at: &str,
    rule: &AssociationRule,
    field: &'a FieldDescribe,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) -> Option<&'a str> {
    let objects = field.reference_to.as_slice();
    let place = format!("{at}.object");
    match (&rule.object, objects) {
        (None, [only]) => return Some(only),
        (None, []) => problems.push(Problem::new(
            format!("{at}.field"),
            format!("Salesforce does not say where {} leads", rule.field),
            "name another lookup, or leave the association out",
        )),
        (None, several) => problems.push(Problem::new(
            place,
            format!(
                "{} may lead to several objects ({})",
                rule.field,
                several.join(", ")
            ),
            "name with object the one that this rule is for; each of them may have a rule of its own",
        )),
        (Some(name), _) => {
            let named = objects.iter().find(|object| object.eq_ignore_ascii_case(name));
            let Some(object) = named else {
                problems.push(Problem::new(
                    place,
                    format!("{} does not lead to {name}", rule.field),
                    nearest(
                        name,
                        objects.iter().map(String::as_str),
                        &format!("name one of {}", objects.join(", ")),
                    ),
                ));
                return None;
            };
            if objects.len() > 1 && !is_told_apart(&place, object, field, around, problems) {
                return None;
            }
            return Some(object);
        }
    }
    None
}

/// Records of the object must be known by what their ids begin with.
fn is_told_apart(
    place: &str,
    object: &str,
    field: &FieldDescribe,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) -> bool {
    let Some(prefix) = around.key_prefix(object) else {
        problems.push(Problem::new(
            place,
            format!("the org does not show what the ids of {object} begin with"),
            format!("let the Salesforce user read {object}, or leave the association out"),
        ));
        return false;
    };
    let others = field.reference_to.iter().filter(|other| *other != object);
    let twin = others
        .into_iter()
        .find(|other| around.key_prefix(other) == Some(prefix));
    if let Some(twin) = twin {
        problems.push(Problem::new(
            place,
            format!("the ids of {object} and {twin} both begin with {prefix}, so that nothing tells their records apart"),
            "leave the association out",
        ));
    }
    twin.is_none()
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
    referenced: &str,
    end: &End<'_>,
    definition: &SyncDefinition,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) {
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
                        rule.lookup(),
                        other.lookup(),
                        rule.to
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
        let referenced = match &rule.object {
            Some(name) => field
                .reference_to
                .iter()
                .find(|object| object.eq_ignore_ascii_case(name))?,
            None => field.reference_to.first()?,
        };
        // A lookup to one object keeps its own name, whether or not the rule names the object.
        let target = if field.reference_to.len() > 1 {
            rule.object.as_ref()?;
            Some(LookupTarget {
                object: referenced.clone(),
                key_prefix: around.key_prefix(referenced)?.to_owned(),
            })
        } else {
            None
        };
        let match_property = match (&rule.match_property, &end) {
            (Some(name), _) => name.clone(),
            (None, End::Standard(standard)) => standard.match_property.to_owned(),
            (None, End::Custom(_)) => {
                let sync = parent_sync(referenced, rule, definition, around)?;
                sync.spec.hubspot.id_property.clone()
            }
        };
        Some(WantedAssociation {
            field: field.name.clone(),
            target,
            to: end.id(),
            match_property,
            label: rule.label.clone(),
        })
    };
    definition.spec.associations.iter().filter_map(resolve).collect()
}
