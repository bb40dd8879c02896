//! The rows of the associations step, out of the describe, the portal and the other syncs. Pure.

use landbridge_model::hubspot::{ObjectSchema, PropertyType};
use landbridge_model::salesforce::{FieldDescribe, FieldType};
use landbridge_model::standard::{STANDARD_TYPES, StandardType, standard_type};
use landbridge_model::sync::{AssociationRule, SyncDefinition};
use landbridge_model::{ObjectTypeId, Surroundings, TenantId};

use super::{Blocked, End, LookupRow};
use crate::console::paths;

/// Objects whose records are people or settings: nobody carries them.
const NOT_CARRIED: [&str; 5] = ["User", "Group", "RecordType", "Profile", "UserRole"];

/// Labels that the portal has, by the type at the other end.
pub type Labels = Vec<(ObjectTypeId, Vec<String>)>;

/// Every lookup and master-detail field of the object, the customer's own first, and every rule that names none of them. A
/// lookup that may lead to several objects has a row for each of them.
pub fn lookup_rows(
    definition: &SyncDefinition,
    around: &Surroundings<'_>,
    labels: &Labels,
) -> Vec<LookupRow> {
    let rules = &definition.spec.associations;
    let mut taken = vec![false; rules.len()];
    let mut fields: Vec<&FieldDescribe> = around
        .object
        .iter()
        .flat_map(|object| &object.fields)
        .filter(|field| field.kind == FieldType::Reference)
        .collect();
    fields.sort_by_key(|field| !field.custom);
    let mut rows = Vec::new();
    for field in fields {
        for object in objects_of(field) {
            let at = (0..rules.len()).find(|at| !taken[*at] && is_for(&rules[*at], field, object));
            if let Some(at) = at {
                taken[at] = true;
            }
            let rule = at.map(|at| (at, rules[at].clone()));
            let object = object.map(str::to_owned);
            rows.push(row(field.clone(), object, rule, definition, around, labels));
        }
    }
    for (at, rule) in rules.iter().enumerate().filter(|(at, _)| !taken[*at]) {
        rows.push(row(
            unseen(&rule.field),
            rule.object.clone(),
            Some((at, rule.clone())),
            definition,
            around,
            labels,
        ));
    }
    rows
}

/// Which parts of a field have a row of their own: the whole, or one for each object that it may lead to.
fn objects_of(field: &FieldDescribe) -> Vec<Option<&str>> {
    match field.reference_to.as_slice() {
        [] | [_] => vec![None],
        several => several.iter().map(|object| Some(object.as_str())).collect(),
    }
}

/// Whether a rule belongs to that row.
fn is_for(rule: &AssociationRule, field: &FieldDescribe, object: Option<&str>) -> bool {
    let same_object = object.is_none_or(|object| {
        let named = rule.object.as_deref();
        named.is_some_and(|named| named.eq_ignore_ascii_case(object))
    });
    // One that names what the lookup does not lead to is shown by itself, with what is wrong with it.
    let leads_there = |named: &String| {
        field
            .reference_to
            .iter()
            .any(|one| one.eq_ignore_ascii_case(named))
    };
    rule.field.eq_ignore_ascii_case(&field.name)
        && same_object
        && rule.object.as_ref().is_none_or(leads_there)
}

/// Stands for a field that the org does not show, or that an earlier rule has already.
fn unseen(name: &str) -> FieldDescribe {
    FieldDescribe {
        name: name.to_owned(),
        label: name.to_owned(),
        kind: FieldType::Reference,
        length: 0,
        precision: 0,
        scale: 0,
        nillable: true,
        unique: false,
        calculated: false,
        calculated_formula: None,
        custom: true,
        reference_to: Vec::new(),
        relationship_name: None,
        relationship_order: None,
        restricted_picklist: false,
        picklist_values: Vec::new(),
        compound_field_name: None,
        extra_type_info: None,
    }
}

fn row(
    field: FieldDescribe,
    object: Option<String>,
    rule: Option<(usize, AssociationRule)>,
    definition: &SyncDefinition,
    around: &Surroundings<'_>,
    labels: &Labels,
) -> LookupRow {
    let mut ends = match (&object, field.reference_to.as_slice()) {
        (Some(referenced), _) => ends(referenced, definition, around, labels),
        (None, [referenced]) => ends(referenced, definition, around, labels),
        _ => Vec::new(),
    };
    let blocked = match &rule {
        // What is on can be turned off, whatever is wrong with it.
        Some(_) => None,
        None if ends.is_empty() => Some(blocked(&field, object.as_deref(), &definition.metadata.tenant)),
        None => None,
    };
    if let Some((_, rule)) = &rule {
        keep(&mut ends, rule, around, labels);
    }
    LookupRow {
        is_master_detail: field.relationship_order.is_some(),
        field,
        object,
        rule,
        ends,
        blocked,
    }
}

/// What a lookup to an object can become: the object types of its syncs, and the standard type that HubSpot's own
/// integration keeps.
fn ends(
    referenced: &str,
    definition: &SyncDefinition,
    around: &Surroundings<'_>,
    labels: &Labels,
) -> Vec<End> {
    let same_tenant = |sync: &&SyncDefinition| sync.metadata.tenant == definition.metadata.tenant;
    let carries = |sync: &&SyncDefinition| sync.spec.salesforce.object.eq_ignore_ascii_case(referenced);
    let others = around.syncs.iter().filter(|sync| sync.key() != definition.key());
    let syncs = std::iter::once(definition)
        .chain(others.filter(same_tenant))
        .filter(carries);
    let mut ends: Vec<End> = Vec::new();
    for sync in syncs {
        let schema = custom_type(&sync.spec.hubspot.object_type, around);
        let kept_by = if sync.key() == definition.key() {
            "records of this sync itself".to_owned()
        } else {
            format!("synced by {}", sync.metadata.name)
        };
        let name = &sync.spec.hubspot.object_type;
        if ends.iter().all(|end| end.name != *name) {
            let default = (sync.spec.hubspot.id_property.clone(), "Salesforce id".to_owned());
            ends.push(custom_end(name, schema, kept_by, Some(default), labels));
        }
    }
    let standard = STANDARD_TYPES
        .iter()
        .filter(|standard| standard.salesforce_objects.contains(&referenced));
    ends.extend(standard.map(|standard| standard_end(standard, around, labels)));
    ends
}

fn custom_type<'a>(name: &str, around: &Surroundings<'a>) -> Option<&'a ObjectSchema> {
    let mut all = around.object_types.iter().chain(around.object_type);
    all.find(|schema| schema.is_called(name))
}

/// Properties that could hold a Salesforce id, the default first.
fn matches(default: Option<(String, String)>, schema: Option<&ObjectSchema>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = default.into_iter().collect();
    let properties = schema.iter().flat_map(|schema| &schema.properties);
    for property in properties.filter(|property| property.kind == PropertyType::String) {
        match all.iter_mut().find(|(name, _)| *name == property.name) {
            Some((_, label)) if !property.label.is_empty() => label.clone_from(&property.label),
            Some(_) => {}
            None => all.push((property.name.clone(), property.label.clone())),
        }
    }
    all
}

fn labels_of(id: Option<&ObjectTypeId>, labels: &Labels) -> Vec<String> {
    let found = labels.iter().find(|(known, _)| Some(known) == id);
    found.map(|(_, labels)| labels.clone()).unwrap_or_default()
}

fn custom_end(
    name: &str,
    schema: Option<&ObjectSchema>,
    kept_by: String,
    default: Option<(String, String)>,
    labels: &Labels,
) -> End {
    End {
        name: name.to_owned(),
        label: schema
            .map(|schema| schema.label.as_str())
            .filter(|label| !label.is_empty())
            .unwrap_or(name)
            .to_owned(),
        kept_by,
        matches: matches(default, schema),
        labels: labels_of(schema.map(|schema| &schema.object_type_id), labels),
    }
}

fn standard_end(standard: &StandardType, around: &Surroundings<'_>, labels: &Labels) -> End {
    let id = ObjectTypeId::new(standard.object_type_id);
    let schema = around
        .object_types
        .iter()
        .find(|schema| schema.object_type_id == id);
    let default = (
        standard.match_property.to_owned(),
        standard.match_property.to_owned(),
    );
    let mut letters = standard.name.chars();
    let label = letters.next().map(|first| first.to_ascii_uppercase());
    End {
        name: standard.name.to_owned(),
        label: label.into_iter().chain(letters).collect(),
        kept_by: "kept by HubSpot's own Salesforce integration".to_owned(),
        matches: matches(Some(default), schema),
        labels: labels_of(Some(&id), labels),
    }
}

/// A rule is shown as it is, also where its object or its property is none that would be offered.
fn keep(ends: &mut Vec<End>, rule: &AssociationRule, around: &Surroundings<'_>, labels: &Labels) {
    if ends.iter().all(|end| end.name != rule.to) {
        let end = match standard_type(&rule.to) {
            Some(standard) => End {
                name: rule.to.clone(),
                ..standard_end(standard, around, labels)
            },
            None => {
                let schema = custom_type(&rule.to, around);
                let default = (String::new(), "none".to_owned());
                custom_end(
                    &rule.to,
                    schema,
                    "as the definition has it".to_owned(),
                    Some(default),
                    labels,
                )
            }
        };
        ends.push(end);
    }
    if let (Some(end), Some(property)) = (
        ends.iter_mut().find(|end| end.name == rule.to),
        &rule.match_property,
    ) && end.matches.iter().all(|(name, _)| name != property)
    {
        end.matches
            .push((property.clone(), "not a property of it".to_owned()));
    }
}

fn blocked(field: &FieldDescribe, object: Option<&str>, tenant: &TenantId) -> Blocked {
    match object.or(field.reference_to.first().map(String::as_str)) {
        None => Blocked {
            reason: "Salesforce does not say where it leads.".to_owned(),
            cure: None,
        },
        Some(referenced) if NOT_CARRIED.contains(&referenced) => Blocked {
            reason: format!("It leads to {referenced}, whose records do not come to HubSpot."),
            cure: None,
        },
        Some(referenced) => Blocked {
            reason: format!("{referenced} is not synced, so there is nothing in HubSpot to associate with."),
            cure: Some((
                format!("Sync {referenced}"),
                format!(
                    "{}?object={}",
                    paths::new_sync(tenant),
                    paths::query_value(referenced)
                ),
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::salesforce::ObjectDescribe;
    use landbridge_model::yaml;
    use serde_json::json;

    use super::*;

    fn object() -> ObjectDescribe {
        let lookup = |name: &str, to: &[&str], order: Option<u32>| {
            json!({ "name": name, "label": name, "type": "reference", "referenceTo": to, "custom": name.ends_with("__c"),
                "relationshipOrder": order })
        };
        serde_json::from_value(json!({
            "name": "Visit__c", "label": "Visit", "custom": true, "queryable": true,
            "fields": [
                lookup("OwnerId", &["User", "Group"], None), lookup("Place__c", &["Account", "Vehicle__c", "Insurer__c"], None), lookup("CreatedById", &["User"], None),
                lookup("Vehicle__c", &["Vehicle__c"], Some(0)), lookup("Account__c", &["Account"], None),
                lookup("Insurer__c", &["Insurer__c"], None), lookup("Before__c", &["Visit__c"], None),
                { "name": "Name", "label": "Name", "type": "string" },
            ],
        }))
        .unwrap()
    }

    fn sync(name: &str, object: &str, associations: &str) -> SyncDefinition {
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: {name} }}\nspec:\n  salesforce: \
             {{ object: {object} }}\n  hubspot: {{ objectType: {name} }}\n  associations: [{associations}]\n  fields: []\n"
        );
        yaml::load("test", &text).unwrap().remove(0)
    }

    fn schema(id: &str, name: &str) -> ObjectSchema {
        serde_json::from_value(json!({
            "objectTypeId": id, "name": name, "label": name.to_uppercase(),
            "properties": [ { "name": "code", "label": "Code", "type": "string" }, { "name": "size", "type": "number" } ],
        }))
        .unwrap()
    }

    fn rows(definition: &SyncDefinition) -> Vec<LookupRow> {
        let (object, types) = (object(), [schema("2-1", "vehicles"), schema("0-2", "company")]);
        let syncs = [sync("vehicles", "Vehicle__c", ""), definition.clone()];
        let around = Surroundings {
            object: Some(&object),
            object_types: &types,
            syncs: &syncs,
            ..Surroundings::default()
        };
        let labels = vec![(ObjectTypeId::new("2-1"), vec!["serviced".to_owned()])];
        lookup_rows(definition, &around, &labels)
    }

    #[test]
    fn every_lookup_is_listed_with_what_it_can_become_or_why_not() {
        let rows = rows(&sync("visits", "Visit__c", ""));
        let told: Vec<(&str, bool, Option<&str>, Option<&str>)> = rows
            .iter()
            .map(|row| {
                (
                    row.field.name.as_str(),
                    row.is_master_detail,
                    row.ends.first().map(|end| end.kept_by.as_str()),
                    row.blocked
                        .as_ref()
                        .and_then(|blocked| blocked.cure.as_ref())
                        .map(|(_, path)| path.as_str()),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    "Place__c",
                    false,
                    Some("kept by HubSpot's own Salesforce integration"),
                    None
                ),
                ("Place__c", false, Some("synced by vehicles"), None),
                (
                    "Place__c",
                    false,
                    None,
                    Some("/tenants/acme/syncs/new?object=Insurer%5F%5Fc")
                ),
                ("Vehicle__c", true, Some("synced by vehicles"), None),
                (
                    "Account__c",
                    false,
                    Some("kept by HubSpot's own Salesforce integration"),
                    None
                ),
                (
                    "Insurer__c",
                    false,
                    None,
                    Some("/tenants/acme/syncs/new?object=Insurer%5F%5Fc")
                ),
                ("Before__c", false, Some("records of this sync itself"), None),
                ("OwnerId", false, None, None),
                ("OwnerId", false, None, None),
                ("CreatedById", false, None, None),
            ]
        );
        for row in rows.iter().filter(|row| !row.field.custom) {
            assert!(row.blocked.as_ref().unwrap().reason.contains("do not come"));
        }
        let vehicles = &rows
            .iter()
            .find(|row| row.field.name == "Vehicle__c")
            .unwrap()
            .ends[0];
        let names: Vec<&str> = vehicles.matches.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["salesforce_id", "code"],
            "the default first, then other texts"
        );
        assert_eq!(vehicles.labels, ["serviced"]);
        assert_eq!(rows[0].ends[0].matches[0].0, "salesforceaccountid");
    }

    #[test]
    fn a_lookup_to_several_objects_has_a_row_for_each() {
        let rules = "{ field: Place__c, object: vehicle__C, to: vehicles }, { field: Place__c, object: Boat__c, to: vehicles }, { field: Account__c, object: Account, to: companies }, { field: Place__c, to: vehicles }";
        let rows = rows(&sync("visits", "Visit__c", rules));
        let told: Vec<(&str, Option<&str>, Option<usize>, bool)> = rows
            .iter()
            .filter(|row| ["Place__c", "Account__c"].contains(&row.field.name.as_str()))
            .map(|row| {
                let rule = row.rule.as_ref().map(|(at, _)| *at);
                (
                    row.field.name.as_str(),
                    row.object.as_deref(),
                    rule,
                    row.blocked.is_some(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("Place__c", Some("Account"), None, false),
                ("Place__c", Some("Vehicle__c"), Some(0), false),
                ("Place__c", Some("Insurer__c"), None, true),
                // A lookup to one object has one row, whether or not its rule names the object.
                ("Account__c", None, Some(2), false),
                // What leads nowhere, and what does not say where it leads, is shown by itself.
                ("Place__c", Some("Boat__c"), Some(1), false),
                ("Place__c", None, Some(3), false),
            ]
        );
    }

    #[test]
    fn a_rule_is_shown_as_it_is_whatever_is_wrong_with_it() {
        let rules = "{ field: Insurer__c, to: insurers, match: number }, { field: Gone__c, to: vehicles }, { field: vehicle__c, to: vehicles }, { field: Vehicle__c, to: companies, match: nope }";
        let rows = rows(&sync("visits", "Visit__c", rules));
        let of = |name: &str| {
            rows.iter()
                .filter(|row| row.field.name == name)
                .collect::<Vec<_>>()
        };
        let insurer = of("Insurer__c")[0];
        assert!(insurer.blocked.is_none());
        assert!(insurer.ends[0].matches.iter().any(|(name, _)| name == "number"));
        assert_eq!(of("Gone__c")[0].rule.as_ref().unwrap().0, 1);
        let places: Vec<usize> = of("Vehicle__c")
            .iter()
            .map(|row| row.rule.as_ref().unwrap().0)
            .collect();
        assert_eq!(places, [2, 3], "a field that is named twice has two rows");
    }
}
