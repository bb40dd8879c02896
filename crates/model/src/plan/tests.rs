use super::*;
use crate::hubspot::PropertyType;
use crate::salesforce::FieldType;
use crate::testing::{field, lookup, object, object_type, property};
use crate::yaml;

const SYNC: &str = r#"
apiVersion: landbridge/v1
kind: Sync
metadata: { tenant: acme, name: vehicles }
spec:
  salesforce: { object: Vehicle__c }
  hubspot: { objectType: vehicles }
  filter: { all: [ { field: status__c, op: not-equals, value: Scrapped }, { field: Price__c, op: is-not-empty } ] }
  associations: [ { field: Depot__c, to: depots } ]
  fields:
    - { from: Name, to: name }
    - { from: price__c, to: price }
    - { from: Id, to: id_again }
    - { from: SystemModstamp, to: stamp }
    - { from: Depot__r.City__c, to: city }
"#;

fn resolved() -> Resolved {
    let mut schema = object_type(
        "2-1",
        "vehicles",
        vec![
            property("name", PropertyType::String),
            property("price", PropertyType::Number),
            property("id_again", PropertyType::String),
            property("stamp", PropertyType::DateTime),
            property("city", PropertyType::String),
        ],
    );
    schema.required_properties = vec!["name".to_owned()];
    Resolved {
        object: object(
            "Vehicle__c",
            vec![
                field("SystemModstamp", FieldType::DateTime),
                field("Price__c", FieldType::Currency),
                field("Status__c", FieldType::Picklist),
                lookup("Depot__c", "Depot__c"),
            ],
        ),
        parent_fields: vec![crate::config::ParentField {
            path: "Depot__r.City__c".to_owned(),
            field: field("City__c", FieldType::String),
        }],
        object_type: schema,
        associations: vec![Association {
            field: "Depot__c".to_owned(),
            target: None,
            to: ObjectTypeId::new("2-2"),
            match_property: "salesforce_id".to_owned(),
            match_unique: true,
            label: None,
        }],
    }
}

fn definition() -> SyncDefinition {
    yaml::load("test.yaml", SYNC).unwrap().remove(0)
}

#[test]
fn a_plan_selects_each_column_once_and_no_system_field() {
    let plan = Plan::compile(&definition(), Revision(3), &resolved()).unwrap();
    assert_eq!(
        plan.salesforce_columns(),
        ["Name", "Price__c", "Depot__r.City__c", "Depot__c", "Status__c"]
    );
    assert_eq!(parent_paths(&definition()), ["Depot__r.City__c"]);
    let required: Vec<bool> = plan.columns.iter().map(|column| column.required).collect();
    assert_eq!(required, [true, false, false, false, false]);
    assert!(!plan.leaves_travel());
}

#[test]
fn a_batch_of_an_older_revision_may_lack_columns() {
    let plan = Plan::compile(&definition(), Revision(3), &resolved()).unwrap();
    let table = Table::with_columns(["NAME", "Price__c", "Status__c", "Depot__c"]);
    assert_eq!(plan.missing_columns(&table), ["Depot__r.City__c"]);
}

#[test]
fn what_changed_since_it_was_resolved_is_named() {
    let mut changed = resolved();
    changed.object.fields.retain(|field| field.name != "Price__c");
    changed
        .object_type
        .properties
        .retain(|property| property.name != "city");
    changed.associations.clear();
    let problems = Plan::compile(&definition(), Revision(3), &changed).unwrap_err();
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    expect_test::expect![[r#"
        spec.fields[1].from: Vehicle__c has no field price__c; correct the name, or let the Salesforce user see the field
        spec.fields[4].to: vehicles has no property city; correct the name, or create the property
        spec.filter.all[1]: Vehicle__c has no field Price__c; correct the condition
        spec.associations[0]: the association of Depot__c has not been resolved against the portal; apply the sync again"#]].assert_eq(&lines.join("\n"));
}
