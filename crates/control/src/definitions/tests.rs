//! Revisions and statuses, as tables.

use landbridge_model::ObjectTypeId;
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::salesforce::ObjectDescribe;

use super::resolve::{reduce_object, reduce_type};
use super::*;

fn definition(extra: &str) -> SyncDefinition {
    let text = format!(
        "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: vehicles }}\nspec:\n  \
         salesforce: {{ object: Vehicle__c }}\n  hubspot: {{ objectType: vehicles }}\n  fields:\n    \
         - {{ from: Name, to: name }}\n{extra}"
    );
    landbridge_model::yaml::load("test", &text).unwrap().remove(0)
}

fn resolved(label: &str) -> Resolved {
    Resolved {
        object: ObjectDescribe {
            name: "Vehicle__c".into(),
            label: label.into(),
            custom: true,
            queryable: true,
            key_prefix: None,
            fields: Vec::new(),
        },
        parent_fields: Vec::new(),
        object_type: ObjectSchema {
            object_type_id: ObjectTypeId::new("2-1"),
            name: "vehicles".into(),
            fully_qualified_name: None,
            label: String::new(),
            required_properties: Vec::new(),
            properties: Vec::new(),
        },
        associations: Vec::new(),
    }
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let first = next(None, &definition(""), None);
    assert_eq!((first.revision, first.status), (Revision(1), SyncStatus::Draft));
    assert_eq!(
        plan(Some(&first), &definition("")),
        (Change::Unchanged, Revision(1))
    );
    assert_eq!(next(Some(first.clone()), &definition(""), None), first);
}

#[test]
fn an_edit_is_a_revision_that_is_not_resolved_yet() {
    let stored = next(None, &definition(""), Some(resolved("Vehicle")));
    let edited = definition("    - { from: Price__c, to: price }\n");
    assert_eq!(plan(Some(&stored), &edited), (Change::Changed, Revision(2)));
    let found = next(Some(stored), &edited, None);
    assert_eq!((found.revision, found.resolved), (Revision(2), None));
}

#[test]
fn the_first_resolution_keeps_the_revision_and_another_one_does_not() {
    let draft = next(None, &definition(""), None);
    let first = next(Some(draft), &definition(""), Some(resolved("Vehicle")));
    assert_eq!(first.revision, Revision(1));
    let same = next(Some(first.clone()), &definition(""), Some(resolved("Vehicle")));
    assert_eq!(same, first);
    let other = next(Some(first), &definition(""), Some(resolved("Car")));
    assert_eq!(
        other.revision,
        Revision(2),
        "plans are kept by revision: other schemas need another one"
    );
}

#[test]
fn only_a_first_activation_begins_anew() {
    let draft = next(None, &definition(""), None);
    let active = with_status(draft, SyncStatus::Active);
    assert_eq!(active.activation, 1);
    let paused = with_status(active, SyncStatus::Paused);
    assert_eq!((paused.activation, paused.status), (1, SyncStatus::Paused));
    assert_eq!(with_status(paused, SyncStatus::Active).activation, 1);
    let mut suspended = next(None, &definition(""), None);
    suspended.status = SyncStatus::Suspended;
    suspended.reason = Some("the token is refused".into());
    let active = with_status(suspended, SyncStatus::Active);
    assert_eq!((active.activation, active.reason), (0, None));
}

#[test]
fn schemas_are_reduced_to_what_is_named() {
    let field = |name: &str| {
        serde_json::from_value(serde_json::json!({ "name": name, "label": name, "type": "string" })).unwrap()
    };
    let mut object = resolved("Vehicle").object;
    object.fields = ["Id", "Name", "Price__c", "Secret__c", "SystemModstamp"]
        .map(field)
        .to_vec();
    let property = |name: &str| {
        serde_json::from_value(serde_json::json!({ "name": name, "label": name, "type": "string" })).unwrap()
    };
    let mut schema = resolved("Vehicle").object_type;
    schema.properties = [
        "name",
        "price",
        "vin",
        "salesforce_id",
        "landbridge_version",
        "hs_x",
    ]
    .map(property)
    .to_vec();
    schema.required_properties = vec!["vin".into()];
    let definition = definition("");
    let fields: Vec<String> = reduce_object(&object, &definition)
        .fields
        .into_iter()
        .map(|field| field.name)
        .collect();
    assert_eq!(fields, ["Id", "Name", "SystemModstamp"]);
    let properties: Vec<String> = reduce_type(&schema, &definition)
        .properties
        .into_iter()
        .map(|property| property.name)
        .collect();
    assert_eq!(properties, ["name", "vin", "salesforce_id", "landbridge_version"]);
}
