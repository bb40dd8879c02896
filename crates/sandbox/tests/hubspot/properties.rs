//! Properties and groups: from creation to the end.

use super::desk::Desk;
use serde_json::{Value, json};

fn properties(desk: &Desk) -> String {
    format!("/crm/properties/2026-09/{}", desk.vehicles)
}

fn draft(name: &str) -> Value {
    json!({"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "vehicle_information"})
}

#[test]
fn a_property_is_created_once_and_comes_back_with_its_values() {
    let desk = Desk::new();
    let path = properties(&desk);
    let told = desk.post(&path, draft("colour"));
    assert_eq!(told.status, 201);
    assert!(
        told.header("location")
            .is_some_and(|location| location.ends_with("/colour"))
    );
    let twin = desk.post(&path, draft("colour"));
    assert_eq!((twin.status, twin.category()), (409, "OBJECT_ALREADY_EXISTS"));
    assert_eq!(twin.body["subCategory"], "Properties.PROPERTY_WITH_NAME_EXISTS");
    assert_eq!(twin.message(), "A property named 'colour' already exists.");
    desk.vehicles(
        "2026-09",
        "create",
        json!([{"properties": {"key": "a", "colour": "red"}}]),
    );
    assert_eq!(desk.delete(&format!("{path}/colour")).status, 204);
    assert_eq!(
        (
            desk.delete(&format!("{path}/colour")).status,
            desk.get(&format!("{path}/colour")).status
        ),
        (404, 404)
    );
    let write = json!([{"properties": {"key": "b", "colour": "red"}}]);
    assert_eq!(desk.vehicles("2026-09", "create", write).status, 400);
    assert_eq!(
        desk.get(&format!("{path}/colour?archived=true")).body["archived"],
        true
    );
    assert_eq!(desk.post(&path, draft("colour")).status, 201);
    let read = desk.get(&format!(
        "/crm/objects/2026-09/{}/a?idProperty=key&properties=colour",
        desk.vehicles
    ));
    assert_eq!(read.body["properties"]["colour"], "red");
}

#[test]
fn a_property_is_checked_before_it_is_created() {
    let desk = Desk::new();
    let path = properties(&desk);
    let with = |changes: Value| {
        let mut property = draft("colour");
        for (key, value) in changes.as_object().cloned().unwrap_or_default() {
            property[key] = value;
        }
        property
    };
    for wrong in [
        json!({"name": "Colour"}),
        json!({"name": "hs_colour"}),
        json!({"groupName": "nowhere"}),
        json!({"type": "number"}),
        json!({"type": "enumeration", "fieldType": "select"}),
        json!({"type": "bool", "fieldType": "booleancheckbox", "options": [{"label": "Yes", "value": "yes"}]}),
    ] {
        let told = desk.post(&path, with(wrong.clone()));
        assert_eq!(
            (told.status, told.category()),
            (400, "VALIDATION_ERROR"),
            "{wrong}"
        );
    }
    let told = desk.post(
        &path,
        json!({"name": "colour", "type": "string", "fieldType": "text"}),
    );
    assert_eq!(
        told.message(),
        "Invalid input JSON on line 1, column 2. Some required fields were not set: [groupName, label]"
    );
    let sensitive = desk.post(&path, with(json!({"dataSensitivity": "sensitive"})));
    assert_eq!(
        (sensitive.status, sensitive.message()),
        (403, "Missing required scope for: sensitive-data-property-create")
    );
}

#[test]
fn ten_properties_of_a_type_are_unique_and_none_becomes_so() {
    let desk = Desk::new();
    let path = properties(&desk);
    let unique = |name: &str| {
        let mut property = draft(name);
        property["hasUniqueValue"] = json!(true);
        property
    };
    for at in 0..8 {
        assert_eq!(desk.post(&path, unique(&format!("u{at}"))).status, 201);
    }
    assert_eq!(desk.post(&path, unique("one_too_many")).status, 400);
    let told = desk.patch(
        &format!("{path}/note"),
        json!({"hasUniqueValue": true, "label": "Notes"}),
    );
    assert_eq!(
        (told.status, &told.body["hasUniqueValue"], &told.body["label"]),
        (200, &json!(false), &json!("Notes"))
    );
}

#[test]
fn options_are_replaced_wholesale() {
    let desk = Desk::new();
    let told = desk.patch(
        &format!("{}/stage", properties(&desk)),
        json!({"options": [{"label": "New", "value": "new"}]}),
    );
    assert_eq!((told.status, told.list("options").len()), (200, 1));
    let write = |stage: &str| {
        desk.vehicles(
            "v3",
            "create",
            json!([{"properties": {"key": stage, "stage": stage}}]),
        )
        .status
    };
    assert_eq!((write("open"), write("new")), (400, 201));
}

#[test]
fn a_batch_of_properties_goes_through_in_part() {
    let desk = Desk::new();
    for (version, success) in [
        ("crm/v3/properties", 201),
        ("crm/properties/2026-03", 201),
        ("crm/properties/2026-09", 200),
    ] {
        let path = format!("/{version}/{}", desk.vehicles);
        let name = format!("p{}", version.len());
        let name = format!("{name}_{success}_{}", version.ends_with("09"));
        let told = desk.post(&format!("{path}/batch/create"), json!({"inputs": [draft(&name)]}));
        assert_eq!((told.status, told.results().len()), (success, 1), "{version}");
        assert!(told.results()[0].get("archived").is_none() && told.results()[0].get("createdAt").is_none());
        let told = desk.post(
            &format!("{path}/batch/create"),
            json!({"inputs": [draft(&name), draft(&format!("{name}_b"))]}),
        );
        assert_eq!(
            (told.status, told.results().len(), told.errors().len()),
            (207, 1, 1),
            "{version}"
        );
        assert_eq!(told.errors()[0]["context"], json!({"name": [name]}));
        let read = json!({"archived": false, "dataSensitivity": "non_sensitive", "inputs": [{"name": name}, {"name": "nothing"}]});
        let told = desk.post(&format!("{path}/batch/read"), read);
        assert_eq!(
            (told.status, told.results().len(), told.errors().len()),
            (207, 1, 1)
        );
        let archive = json!({"inputs": [{"name": name}, {"name": "nothing"}]});
        assert_eq!(
            desk.post(&format!("{path}/batch/archive"), archive.clone())
                .status,
            204
        );
        assert_eq!(
            desk.post(&format!("{path}/batch/archive"), archive).status,
            204,
            "twice is no error"
        );
    }
}

#[test]
fn what_is_in_use_or_built_in_stays() {
    let desk = Desk::new();
    for name in ["key", "hs_object_id"] {
        let told = desk.delete(&format!("{}/{name}", properties(&desk)));
        let sub_category = "PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE";
        assert_eq!(
            (told.status, &told.body["subCategory"]),
            (400, &json!(sub_category))
        );
    }
    let groups = format!("{}/groups", properties(&desk));
    let told = desk.delete(&format!("{groups}/vehicle_information"));
    assert_eq!(
        (told.status, &told.body["subCategory"]),
        (400, &json!("PropertyGroupError.GROUP_WITH_ACTIVE_PROPERTIES"))
    );
    assert_eq!(
        desk.post(&groups, json!({"name": "mine", "label": "Mine"}))
            .status,
        201
    );
    assert_eq!(
        desk.post(&groups, json!({"name": "mine", "label": "Mine"}))
            .status,
        409
    );
    assert_eq!(
        desk.patch(&format!("{groups}/mine"), json!({"label": "Ours"}))
            .body["label"],
        "Ours"
    );
    assert_eq!(
        (
            desk.delete(&format!("{groups}/mine")).status,
            desk.get(&format!("{groups}/mine")).status
        ),
        (204, 404)
    );
}

#[test]
fn a_listing_of_properties_holds_all_live_ones() {
    let desk = Desk::new();
    let told = desk.get(&properties(&desk));
    let key = told
        .results()
        .iter()
        .find(|told| told["name"] == "key")
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        (&key["hasUniqueValue"], &key["groupName"]),
        (&json!(true), &json!("vehicle_information"))
    );
    assert_eq!(key["modificationMetadata"]["readOnlyValue"], false);
    let id = told
        .results()
        .iter()
        .find(|told| told["name"] == "hs_object_id")
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        (
            &id["modificationMetadata"]["readOnlyValue"],
            &id["hubspotDefined"]
        ),
        (&json!(true), &json!(true))
    );
    assert!(id.get("archived").is_none());
    assert!(told.body.get("paging").is_none());
}
