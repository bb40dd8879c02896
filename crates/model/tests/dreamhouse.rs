//! The example of `deploy/examples/dreamhouse` is sound: its syncs fit the org's fields and the object types beside it.

use landbridge_model::config::Resolved;
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::ids::{ObjectTypeId, Revision};
use landbridge_model::plan::Plan;
use landbridge_model::propose::{self, Proposal};
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_model::sync::SyncDefinition;
use landbridge_model::validate::{Surroundings, validate, wanted_associations};
use landbridge_model::{Association, yaml};

/// Name, label, type, and for a lookup the object, for a picklist the values.
type Field = (&'static str, &'static str, &'static str, &'static [&'static str]);

const BROKER: &[Field] = &[
    ("Name", "Name", "string", &[]),
    ("Broker_Id__c", "Broker Id", "double", &[]),
    ("Email__c", "Email", "email", &[]),
    ("Mobile_Phone__c", "Mobile Phone", "phone", &[]),
    ("Phone__c", "Phone", "phone", &[]),
    ("Picture__c", "Picture", "url", &[]),
    ("Title__c", "Title", "string", &[]),
];

const PROPERTY: &[Field] = &[
    ("Name", "Name", "string", &[]),
    ("Address__c", "Address", "string", &[]),
    ("Assessed_Value__c", "Assessed Value", "currency", &[]),
    ("Baths__c", "Baths", "double", &[]),
    ("Beds__c", "Beds", "double", &[]),
    ("Broker__c", "Broker", "reference", &["Broker__c"]),
    ("City__c", "City", "string", &[]),
    ("Date_Agreement__c", "Date Agreement", "date", &[]),
    ("Date_Closed__c", "Date Closed", "date", &[]),
    ("Date_Contracted__c", "Date Contracted", "date", &[]),
    ("Date_Listed__c", "Date Listed", "date", &[]),
    ("Date_Pre_Market__c", "Date Pre Market", "date", &[]),
    ("Days_On_Market__c", "Days On Market", "double", &[]),
    ("Description__c", "Description", "textarea", &[]),
    ("Location__Latitude__s", "Location (Latitude)", "double", &[]),
    ("Location__Longitude__s", "Location (Longitude)", "double", &[]),
    ("Location__c", "Location", "location", &[]),
    ("Picture__c", "Picture", "url", &[]),
    ("Price_Sold__c", "Price Sold", "currency", &[]),
    ("Price__c", "Asking Price", "currency", &[]),
    ("State__c", "State", "string", &[]),
    (
        "Status__c",
        "Status",
        "picklist",
        &[
            "Contracted",
            "Pre Market",
            "Available",
            "Under Agreement",
            "Closed",
        ],
    ),
    ("Tags__c", "Tags", "string", &[]),
    ("Thumbnail__c", "Thumbnail", "url", &[]),
    ("Zip__c", "Zip", "string", &[]),
];

fn describe(name: &str, label: &str, fields: &[Field]) -> ObjectDescribe {
    let field = |(name, label, kind, of): &Field| {
        let values: Vec<serde_json::Value> = of
            .iter()
            .map(|value| serde_json::json!({"value": value, "label": value, "active": true}))
            .collect();
        let is_lookup = *kind == "reference";
        serde_json::json!({
            "name": name, "label": label, "type": kind, "custom": name.ends_with("__c"),
            "referenceTo": if is_lookup { *of } else { &[] },
            "picklistValues": if is_lookup { Vec::new() } else { values },
        })
    };
    let fields: Vec<serde_json::Value> = fields.iter().map(field).collect();
    let object = serde_json::json!({
        "name": name, "label": label, "custom": true, "queryable": true, "fields": fields,
    });
    serde_json::from_value(object).unwrap()
}

fn schema(id: &str, proposal: &Proposal) -> ObjectSchema {
    ObjectSchema {
        object_type_id: ObjectTypeId::new(id),
        name: proposal.name.clone(),
        fully_qualified_name: None,
        label: proposal.singular.clone(),
        required_properties: Vec::new(),
        properties: proposal.properties.clone(),
    }
}

fn load(file: &str) -> SyncDefinition {
    let path = format!(
        "{}/../../deploy/examples/dreamhouse/{file}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).unwrap();
    yaml::load(file, &text).unwrap().remove(0)
}

/// `UPDATE_EXPECT=1` writes the documents anew.
#[test]
fn the_object_types_are_what_is_proposed_for_the_org() {
    let document = |proposal: Proposal| serde_json::to_string_pretty(&proposal.schema()).unwrap() + "\n";
    let brokers = propose::object_type(&describe("Broker__c", "Broker", BROKER));
    let properties = propose::object_type(&describe("Property__c", "Property", PROPERTY));
    assert_eq!((&*brokers.name, &*properties.name), ("brokers", "properties"));
    expect_test::expect_file!["../../../deploy/examples/dreamhouse/portal/brokers.json"]
        .assert_eq(&document(brokers));
    expect_test::expect_file!["../../../deploy/examples/dreamhouse/portal/properties.json"]
        .assert_eq(&document(properties));
}

#[test]
fn the_syncs_fit_the_org_and_the_object_types() {
    let (broker, property) = (
        describe("Broker__c", "Broker", BROKER),
        describe("Property__c", "Property", PROPERTY),
    );
    let types = [
        schema("2-1", &propose::object_type(&broker)),
        schema("2-2", &propose::object_type(&property)),
    ];
    let syncs = [load("brokers.yaml"), load("properties.yaml")];
    for (place, object) in [broker, property].into_iter().enumerate() {
        let around = Surroundings {
            object: Some(&object),
            object_type: Some(&types[place]),
            object_types: &types,
            syncs: &syncs,
            ..Surroundings::default()
        };
        assert_eq!(validate(&syncs[place], &around), []);
        let associations = wanted_associations(&syncs[place], &around)
            .into_iter()
            .map(|wanted| Association {
                field: wanted.field,
                target: wanted.target,
                to: wanted.to,
                match_property: wanted.match_property,
                match_unique: true,
                label: None,
            })
            .collect();
        let resolved = Resolved {
            object: object.clone(),
            parent_fields: Vec::new(),
            object_type: types[place].clone(),
            associations,
        };
        let plan = Plan::compile(&syncs[place], Revision(1), &resolved).unwrap();
        let wanted = plan.columns.len() + plan.links.len();
        assert_eq!(plan.salesforce_columns().len(), wanted);
    }
}
