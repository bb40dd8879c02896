//! Object types: from creation to the end.

use super::desk::{Desk, calm, having, quiet, vehicle};
use landbridge_sandbox::hubspot::{Habits, Lags};
use serde_json::{Value, json};

const SCHEMAS: &str = "/crm-object-schemas/2026-09/schemas";

#[test]
fn a_new_type_comes_with_its_group_its_built_ins_and_the_activities() {
    let desk = Desk::bare(calm());
    let told = desk.post(SCHEMAS, vehicle());
    assert_eq!(told.status, 201);
    let type_id = told.body["objectTypeId"].as_str().unwrap_or_default();
    let number = type_id.strip_prefix("2-").unwrap_or_default();
    assert_eq!(told.body["id"], number);
    let fqn = format!("p{}_vehicle", desk.portal.portal_id());
    assert_eq!(told.body["fullyQualifiedName"], fqn.as_str());
    assert_eq!(
        (&told.body["metaType"], &told.body["archived"]),
        (&json!("PORTAL_SPECIFIC"), &json!(false))
    );
    let names: Vec<&str> = told
        .list("properties")
        .iter()
        .filter_map(|told| told["name"].as_str())
        .collect();
    for name in [
        "hs_object_id",
        "hs_createdate",
        "hs_lastmodifieddate",
        "hubspot_owner_id",
        "key",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    let to: Vec<&str> = told
        .list("associations")
        .iter()
        .filter_map(|told| told["toObjectTypeId"].as_str())
        .collect();
    for other in ["0-27", "0-46", "0-47", "0-48", "0-49", "0-2"] {
        assert!(to.contains(&other), "{other}");
    }
    assert!(
        told.list("associations")
            .iter()
            .all(|told| told["maxToObjectIds"].is_u64())
    );
    let groups = desk.get(&format!("/crm/properties/2026-09/{fqn}/groups"));
    assert_eq!(groups.results()[0]["name"], "vehicle_information");
    assert_eq!(groups.results()[0]["label"], "Vehicle Information");
    for name in [type_id, &fqn, &fqn.to_uppercase()] {
        assert_eq!(desk.get(&format!("/crm/v3/schemas/{name}")).status, 200, "{name}");
    }
    let bare = desk.get("/crm/objects/2026-09/vehicle");
    assert_eq!(
        (bare.status, bare.message()),
        (400, "Unable to infer object type from: vehicle")
    );
    assert!(bare.body.get("category").is_none());
}

#[test]
fn standard_types_answer_to_many_names() {
    let desk = Desk::bare(calm());
    for name in ["0-2", "company", "companies", "COMPANIES", "Company"] {
        assert_eq!(
            desk.get(&format!("/crm/objects/2026-09/{name}")).status,
            200,
            "{name}"
        );
    }
    let schema = desk.get(&format!("{SCHEMAS}/contacts"));
    assert_eq!(schema.body["metaType"], "HUBSPOT");
    let to_company = schema
        .list("associations")
        .iter()
        .find(|told| told["id"] == "279")
        .cloned();
    let to_company = to_company.unwrap_or_default();
    assert_eq!(to_company["name"], "CONTACT_TO_COMPANY_UNLABELED");
    assert_eq!(
        (&to_company["maxToObjectIds"], &to_company["maxFromObjectIds"]),
        (&json!(10000), &json!(10000))
    );
}

#[test]
fn a_type_is_checked_before_it_is_created() {
    let desk = Desk::bare(calm());
    let with = |key: &str, value: Value| {
        let mut schema = vehicle();
        schema[key] = value;
        schema
    };
    let table = [
        (with("name", json!("1st")), 400),
        (with("name", json!("has-hyphen")), 400),
        (with("name", json!("x".repeat(51))), 400),
        (with("labels", json!({"singular": "x".repeat(51)})), 400),
        (with("primaryDisplayProperty", Value::Null), 400),
        (with("primaryDisplayProperty", json!("nothing")), 400),
        (with("requiredProperties", json!(["nothing"])), 400),
        (
            with("secondaryDisplayProperties", json!(["note", "price", "stage"])),
            400,
        ),
        (with("associatedObjects", json!(["butterflies"])), 400),
        (with("name", Value::Null), 400),
    ];
    for (schema, status) in table {
        assert_eq!(desk.post(SCHEMAS, schema.clone()).status, status, "{schema}");
    }
    let told = desk.post(SCHEMAS, with("primaryDisplayProperty", Value::Null));
    assert_eq!(told.errors()[0]["code"], "PRIMARY_DISPLAY_PROPERTY_REQUIRED");
    let told = desk.post(SCHEMAS, json!({"primaryDisplayProperty": "x"}));
    assert_eq!(
        told.message(),
        "Invalid input JSON on line 1, column 2. Some required fields were not set: [labels, name]"
    );
    let minimal = json!({"name": "Small", "labels": {"singular": "Small"}, "primaryDisplayProperty": "n",
                         "properties": [{"name": "n", "label": "N"}]});
    assert_eq!(
        desk.post(SCHEMAS, minimal).status,
        201,
        "little of what the documents require is missed"
    );
}

#[test]
fn names_are_taken_whatever_their_case() {
    let desk = Desk::new();
    let mut twin = vehicle();
    twin["name"] = json!("Vehicle");
    let told = desk.post(SCHEMAS, twin);
    assert_eq!((told.status, told.category()), (409, "OBJECT_ALREADY_EXISTS"));
}

#[test]
fn a_portal_has_so_many_custom_types() {
    let desk = Desk::with(having(Habits {
        custom_object_types: 2,
        ..quiet()
    }));
    let another = |name: &str| {
        let mut schema = vehicle();
        schema["name"] = json!(name);
        schema
    };
    assert_eq!(desk.post(SCHEMAS, another("second")).status, 201);
    let told = desk.get("/crm/limits/2026-09/custom-object-types");
    assert_eq!(told.body, json!({"limit": 2, "usage": 2, "percentage": 100.0}));
    let told = desk.post(SCHEMAS, another("third"));
    assert_eq!(
        (told.status, told.errors()[0]["code"].as_str()),
        (400, Some("CUSTOM_OBJECT_TYPE_LIMIT_EXCEEDED"))
    );
    assert_eq!(desk.get(SCHEMAS).results().len(), 2);
}

#[test]
fn a_type_goes_only_when_it_is_empty_and_its_name_after_a_purge() {
    let desk = Desk::new();
    let path = format!("{SCHEMAS}/{}", desk.vehicles);
    let id = desk.vehicle("a");
    let told = desk.delete(&path);
    assert_eq!(
        (told.status, told.errors()[0]["code"].as_str()),
        (400, Some("EXISTING_OBJECT_RECORDS"))
    );
    assert_eq!(
        desk.delete(&format!("{path}?archived=true")).status,
        400,
        "a live type is not purged"
    );
    desk.vehicles("v3", "archive", json!([{"id": id}]));
    assert_eq!(desk.delete(&path).status, 204);
    assert!(desk.get(SCHEMAS).results().is_empty());
    assert_eq!(desk.get(&format!("{SCHEMAS}?archived=true")).results().len(), 1);
    assert_eq!(
        desk.get(&format!("/crm/objects/2026-09/{}", desk.vehicles))
            .status,
        400
    );
    let again = desk.post(SCHEMAS, vehicle());
    assert_eq!(again.status, 201, "the archived twin gives way");
    assert_ne!(again.body["objectTypeId"], desk.vehicles.as_str());
    let path = format!(
        "{SCHEMAS}/{}",
        again.body["objectTypeId"].as_str().unwrap_or_default()
    );
    assert_eq!(
        (
            desk.delete(&path).status,
            desk.delete(&format!("{path}?archived=true")).status
        ),
        (204, 204)
    );
    assert_eq!(desk.get(&path).status, 404);
}

#[test]
fn a_patch_names_properties_that_exist_and_leaves_names_alone() {
    let desk = Desk::new();
    let path = format!("{SCHEMAS}/{}", desk.vehicles);
    let told = desk.patch(&path, json!({"requiredProperties": ["key"]}));
    assert!(told.message().contains("clearDescription"), "{}", told.message());
    let told = desk.patch(
        &path,
        json!({"clearDescription": false, "requiredProperties": ["nothing"]}),
    );
    assert_eq!(told.status, 400);
    let change = json!({"clearDescription": false, "labels": {"singular": "Car", "plural": "Cars"}, "name": "car",
                        "secondaryDisplayProperties": ["price"]});
    let told = desk.patch(&path, change);
    assert_eq!(
        (told.status, &told.body["labels"]["singular"]),
        (200, &json!("Car"))
    );
    assert_eq!(
        (&told.body["name"], &told.body["secondaryDisplayProperties"]),
        (&json!("vehicle"), &json!(["price"]))
    );
}

#[test]
fn reads_of_a_schema_settle_after_a_while() {
    let lags = Lags {
        schema_reads: 1500,
        ..Lags::NONE
    };
    let desk = Desk::with(having(Habits { lags, ..quiet() }));
    assert!(
        desk.get(SCHEMAS).results().is_empty(),
        "a list does not show a new type at once"
    );
    let path = format!("{SCHEMAS}/{}", desk.vehicles);
    assert_eq!(desk.get(&path).status, 200);
    desk.advance(1501);
    assert_eq!(desk.get(SCHEMAS).results().len(), 1);
    desk.patch(
        &path,
        json!({"clearDescription": false, "labels": {"singular": "Car"}}),
    );
    let seen: Vec<Value> = (0..40)
        .map(|_| desk.get(&path).body["labels"]["singular"].clone())
        .collect();
    assert!(
        seen.contains(&json!("Car")) && seen.contains(&json!("Vehicle")),
        "it flips: {seen:?}"
    );
    desk.advance(1501);
    assert!((0..40).all(|_| desk.get(&path).body["labels"]["singular"] == "Car"));
}
