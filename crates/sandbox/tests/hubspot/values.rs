//! What a property takes, and what comes back of it.

use super::desk::{Desk, calm, having, objects, quiet};
use landbridge_sandbox::hubspot::{Habits, Lags};
use serde_json::{Value, json};

/// Writes one value; gives the stored text, or the code and the message of the refusal.
fn write(desk: &Desk, version: &str, name: &str, value: Value) -> Result<Value, (String, String)> {
    let told = desk.vehicles(
        version,
        "upsert",
        json!([{"id": "k", "idProperty": "key", "properties": {"key": "k", name: value}}]),
    );
    if told.status == 200 {
        let id = told.results()[0]["id"].as_str().unwrap_or_default().to_owned();
        let read = desk.get(&format!(
            "{}/{id}?properties={name}",
            objects(version, &desk.vehicles)
        ));
        return Ok(read.body["properties"][name].clone());
    }
    assert_eq!(
        (told.status, told.category()),
        (400, "VALIDATION_ERROR"),
        "{}",
        told.text
    );
    let error = &told.errors()[0];
    assert_eq!(error["context"], json!({ "propertyName": [name] }));
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    Err((text("code"), text("message")))
}

#[test]
fn every_refusal_has_its_code_and_wording() {
    let desk = Desk::new();
    let table = [
        (
            "nope",
            "x",
            "PROPERTY_DOESNT_EXIST",
            "Property \"nope\" does not exist",
        ),
        (
            "price",
            "1,234.5",
            "INVALID_INTEGER",
            "1,234.5 was not a valid number.",
        ),
        (
            "stage",
            "Open",
            "INVALID_OPTION",
            "Open was not one of the allowed options: [open, sold]",
        ),
        (
            "tags",
            "red; blue",
            "INVALID_OPTION",
            " blue was not one of the allowed options: [red, blue, green]",
        ),
        (
            "active",
            "yes",
            "INVALID_OPTION",
            "yes was not one of the allowed options: [true, false]",
        ),
        ("bought", "1/1/1", "INVALID_LONG", "1/1/1 was not a valid long."),
        (
            "bought",
            "1579179660000",
            "INVALID_DATE",
            "1579179660000 is at 13:1:0.0 UTC, not midnight!",
        ),
        (
            "seen",
            "yesterday",
            "INVALID_LONG",
            "yesterday was not a valid long.",
        ),
        (
            "hs_object_id",
            "1",
            "READ_ONLY_VALUE",
            "\"hs_object_id\" is a calculated property; its value can not be set",
        ),
        (
            "hubspot_owner_id",
            "9100001",
            "INVALID_OPTION",
            "9100001 was not one of the allowed options: [71000001, 71000002, 71000003, 71000004]",
        ),
    ];
    for (name, value, code, message) in table {
        let refused = write(&desk, "v3", name, json!(value));
        assert_eq!(refused, Err((code.to_owned(), message.to_owned())), "{name}");
    }
    assert_eq!(desk.count(), 0);
}

#[test]
fn values_are_read_back_as_they_are_stored() {
    let desk = Desk::new();
    let table = [
        (
            "note",
            json!("  kept as it is \u{1f600}\n"),
            json!("  kept as it is \u{1f600}\n"),
        ),
        ("price", json!("12.50"), json!("12.50")),
        ("price", json!(7), json!("7")),
        ("price", json!("1.2e3"), json!("1.2e3")),
        ("active", json!(true), json!("true")),
        ("tags", json!("red;blue"), json!("red;blue")),
        ("tags", json!(";green;red"), json!("red;blue;green")),
        ("bought", json!("2026-11-23"), json!("2026-11-23")),
        ("bought", json!("1579132800000"), json!("2020-01-16")),
        (
            "seen",
            json!("2026-11-23T10:00:00Z"),
            json!("2026-11-23T10:00:00.000Z"),
        ),
        ("seen", json!("1795428000123"), json!("2026-11-23T10:00:00.123Z")),
        ("hubspot_owner_id", json!("71000002"), json!("71000002")),
        ("note", json!(""), Value::Null),
        ("tags", json!(""), Value::Null),
    ];
    for (name, value, stored) in table {
        assert_eq!(
            write(&desk, "v3", name, value.clone()),
            Ok(stored),
            "{name} {value}"
        );
    }
}

#[test]
fn a_null_leaves_a_value_alone() {
    let desk = Desk::new();
    assert_eq!(write(&desk, "v3", "note", json!("x")), Ok(json!("x")));
    assert_eq!(write(&desk, "v3", "note", Value::Null), Ok(json!("x")));
}

#[test]
fn odd_dates_are_bent_with_a_warning_in_2026_09_alone() {
    let desk = Desk::new();
    let input =
        json!([{"id": "k", "idProperty": "key", "properties": {"key": "k", "bought": "1579179660000"}}]);
    assert_eq!(desk.vehicles("2026-03", "upsert", input.clone()).status, 400);
    let told = desk.vehicles("2026-09", "upsert", input);
    assert_eq!(told.status, 200);
    let result = &told.results()[0];
    assert_eq!(result["properties"]["bought"], "2020-01-16");
    let warning = json!([{
        "category": "PROPERTY_VALUE_NORMALIZED", "message": "bought was normalized",
        "context": {"propertyName": "bought", "rawValue": "1579179660000", "normalizedValue": "1579132800000"},
    }]);
    assert_eq!(result["warnings"], warning);
    assert_eq!(
        write(&desk, "v3", "seen", json!("1579132800")),
        Ok(json!("1970-01-19T06:38:52.800Z"))
    );
    assert_eq!(
        write(&desk, "2026-09", "seen", json!("1579132800")),
        Ok(json!("2020-01-16T00:00:00.000Z"))
    );
}

#[test]
fn text_has_65536_characters_at_the_most() {
    let desk = Desk::new();
    let longest = "é".repeat(65_536);
    assert_eq!(write(&desk, "v3", "note", json!(longest)), Ok(json!(longest)));
    let refused = write(&desk, "v3", "note", json!(format!("{longest}x")));
    assert!(refused.is_err());
}

#[test]
fn e_mail_addresses_are_lower_cased_and_identify_contacts() {
    let desk = Desk::bare(calm());
    let path = "/crm/objects/2026-09/contacts";
    let told = desk.post(path, json!({"properties": {"email": "A@B.Example"}}));
    assert_eq!(
        (told.status, &told.body["properties"]["email"]),
        (201, &json!("a@b.example"))
    );
    let id = told.body["id"].as_str().unwrap_or_default();
    let told = desk.post(path, json!({"properties": {"email": "a@B.example"}}));
    let message = format!("Contact already exists. Existing ID: {id}");
    assert_eq!(
        (told.status, told.category(), told.message()),
        (409, "CONFLICT", message.as_str())
    );
    let told = desk.post(path, json!({"properties": {"email": "nobody"}}));
    assert_eq!(told.errors()[0]["code"], "INVALID_EMAIL");
}

#[test]
fn a_new_property_takes_values_after_a_while() {
    let lags = Lags {
        new_property: (250, 700),
        ..Lags::NONE
    };
    let desk = Desk::with(having(Habits { lags, ..quiet() }));
    let group = "vehicle_information";
    let draft =
        json!({"name": "late", "label": "Late", "type": "string", "fieldType": "text", "groupName": group});
    assert_eq!(
        desk.post(&format!("/crm/properties/2026-09/{}", desk.vehicles), draft)
            .status,
        201
    );
    let refused = write(&desk, "2026-09", "late", json!("x"));
    assert_eq!(
        refused.map_err(|(code, _)| code),
        Err("PROPERTY_DOESNT_EXIST".to_owned())
    );
    desk.advance(701);
    assert_eq!(write(&desk, "2026-09", "late", json!("x")), Ok(json!("x")));
}
