//! Batch create, update, upsert, archive: what goes through, what is refused, and how it is told.

use super::desk::{Desk, calm};
use landbridge_sandbox::hubspot::{Behaviour, PortalConfig};
use serde_json::{Value, json};

pub(crate) const VERSIONS: [&str; 3] = ["v3", "2026-03", "2026-09"];

pub(crate) fn upsert(key: &str, trace: Option<&str>, properties: Value) -> Value {
    let mut input = json!({ "id": key, "idProperty": "key", "properties": properties });
    input["properties"]["key"] = json!(key);
    if let Some(trace) = trace {
        input["objectWriteTraceId"] = json!(trace);
    }
    input
}

#[test]
fn results_come_in_another_order_and_the_same_by_seed() {
    let order = |seed| {
        let desk = Desk::with(PortalConfig { seed, ..calm() });
        let inputs: Vec<Value> = (0..50)
            .map(|at| upsert(&format!("k{at:02}"), None, json!({})))
            .collect();
        let told = desk.vehicles("2026-09", "upsert", json!(inputs));
        assert_eq!(told.status, 200);
        let keys = told
            .results()
            .iter()
            .map(|result| result["properties"]["key"].as_str().map(str::to_owned));
        keys.collect::<Vec<_>>()
    };
    let (first, again, other) = (order(1), order(1), order(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let mut sorted = first.clone();
    sorted.sort();
    assert_ne!(first, sorted, "the order of the request must not survive");
    assert_eq!(sorted.len(), 50);
}

#[test]
fn an_upsert_says_which_records_are_new_and_repeats_change_nothing() {
    for version in VERSIONS {
        let desk = Desk::new();
        let batch = json!([
            upsert("a", None, json!({"price": "1"})),
            upsert("b", None, json!({"price": "2"}))
        ]);
        let first = desk.vehicles(version, "upsert", batch.clone());
        assert_eq!(
            (first.status, first.each("/new")),
            (200, vec!["true".to_owned(), "true".to_owned()])
        );
        let second = desk.vehicles(version, "upsert", batch);
        assert_eq!(
            (second.status, second.each("/new")),
            (200, vec!["false".to_owned(), "false".to_owned()])
        );
        assert_eq!(first.each("/id"), second.each("/id"));
        assert_eq!(desk.count(), 2);
    }
}

#[test]
fn an_answer_tells_what_was_written_and_not_the_record() {
    let desk = Desk::new();
    desk.vehicles(
        "2026-09",
        "upsert",
        json!([upsert("a", None, json!({"price": "1", "note": "n"}))]),
    );
    let told = desk.vehicles(
        "2026-09",
        "upsert",
        json!([upsert("a", None, json!({"price": ""}))]),
    );
    let properties = told.results()[0]["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "hs_createdate",
            "hs_lastmodifieddate",
            "hs_object_id",
            "key",
            "price"
        ]
    );
    assert_eq!(properties["price"], "", "a cleared value is echoed");
    assert_eq!(told.body["status"], "COMPLETE");
    assert!(told.body["startedAt"].is_string() && told.body["completedAt"].is_string());
}

#[test]
fn only_unique_properties_address_records() {
    let desk = Desk::new();
    desk.vehicle("a");
    for name in ["note", "hs_object_id", "nothing"] {
        for deed in ["upsert", "update"] {
            let input = json!([{"id": "a", "idProperty": name, "objectWriteTraceId": "0", "properties": {"key": "a"}}]);
            let told = desk.vehicles("2026-09", deed, input);
            let message = format!(
                "Unable to perform update/upsert by non-unique {} property {name} in portal ID {}",
                desk.vehicles,
                desk.portal.portal_id()
            );
            assert_eq!(
                (told.status, told.message()),
                (400, message.as_str()),
                "{name} {deed}"
            );
        }
    }
    let told = desk.vehicles(
        "2026-09",
        "upsert",
        json!([{"id": "a", "properties": {"key": "a"}}]),
    );
    assert_eq!(
        told.status, 400,
        "an upsert without idProperty goes by hs_object_id"
    );
    let companies = json!({"inputs": [{"id": "x", "idProperty": "salesforceaccountid", "properties": {}}]});
    let told = desk.post("/crm/objects/2026-09/companies/batch/upsert", companies);
    assert_eq!(
        told.status, 400,
        "what HubSpot's own integration writes is not unique"
    );
}

#[test]
fn an_upsert_that_leaves_its_property_out_creates_a_record_without_it() {
    let input = || json!([{"id": "S", "idProperty": "serial", "properties": {"key": "k"}}]);
    let desk = Desk::new();
    assert_eq!(desk.vehicles("2026-09", "upsert", input()).status, 200);
    let read = desk.vehicles("2026-09", "upsert", input());
    assert_eq!(read.status, 409, "it is not found again, and its key is taken");
    let desk = Desk::behaving(Behaviour {
        upsert_fills_id_property: true,
        ..Behaviour::default()
    });
    assert_eq!(desk.vehicles("2026-09", "upsert", input()).each("/new"), ["true"]);
    assert_eq!(
        desk.vehicles("2026-09", "upsert", input()).each("/new"),
        ["false"]
    );
}

#[test]
fn what_is_required_is_required_of_new_records_only() {
    let desk = Desk::new();
    let id = desk.vehicle("a");
    let without = json!([{"properties": {"note": "x"}}]);
    for version in ["v3", "2026-03"] {
        let told = desk.vehicles(version, "create", without.clone());
        assert_eq!(
            (told.status, &told.body["context"]),
            (400, &json!({"properties": ["key"]}))
        );
        assert!(
            told.message().starts_with("Error creating "),
            "{}",
            told.message()
        );
        assert!(
            told.message()
                .ends_with(". Some required properties were not set."),
            "{}",
            told.message()
        );
    }
    let told = desk.vehicles("2026-09", "create", without);
    assert_eq!(
        (told.status, told.message()),
        (400, "The property values provided are invalid")
    );
    assert_eq!(told.errors()[0]["code"], "MISSING_REQUIRED_PROPERTY");
    assert_eq!(told.errors()[0]["message"], "A value for key must be provided");
    let told = desk.vehicles(
        "2026-09",
        "update",
        json!([{"id": id, "properties": {"note": "x"}}]),
    );
    assert_eq!(told.status, 200);
}

#[test]
fn conditional_rules_bind_2026_09_alone() {
    let desk = Desk::new();
    let rule = json!({"object_type": desk.vehicles, "when": "stage", "equals": "sold", "requires": "price"});
    assert_eq!(desk.post("/__sandbox/rules", rule).body["added"], true);
    let sold = json!([upsert("a", None, json!({"stage": "sold"}))]);
    let told = desk.vehicles("2026-09", "upsert", sold.clone());
    assert_eq!(
        (told.status, told.errors()[0]["code"].as_str()),
        (400, Some("MISSING_CONDITIONAL_REQUIRED_PROPERTY"))
    );
    assert_eq!(
        told.errors()[0]["message"],
        "price is required because of a conditional property rule based on [stage]"
    );
    assert_eq!(desk.vehicles("2026-03", "upsert", sold).status, 200);
    let priced = json!([upsert("a", None, json!({"stage": "sold", "price": "1"}))]);
    assert_eq!(desk.vehicles("2026-09", "upsert", priced).status, 200);
}

#[test]
fn batches_hold_one_to_a_hundred_inputs() {
    let desk = Desk::new();
    let inputs = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|at| upsert(&at.to_string(), None, json!({})))
            .collect()
    };
    for deed in ["create", "update", "upsert", "read", "archive"] {
        for count in [0, 101] {
            let told = desk.vehicles("2026-09", deed, json!(inputs(count)));
            assert_eq!(
                (told.status, told.category()),
                (400, "VALIDATION_ERROR"),
                "{deed} {count}"
            );
        }
    }
    assert_eq!(desk.vehicles("2026-09", "upsert", json!(inputs(100))).status, 200);
}

#[test]
fn archiving_takes_unknown_ids_without_a_word_and_frees_unique_values() {
    let desk = Desk::new();
    let id = desk.vehicle("a");
    let told = desk.vehicles(
        "2026-09",
        "archive",
        json!([{"id": id}, {"id": "1"}, {"id": "x"}]),
    );
    assert_eq!((told.status, told.text.as_str(), desk.count()), (204, "", 0));
    assert_eq!(
        desk.vehicles("2026-09", "upsert", json!([upsert("a", None, json!({}))]))
            .each("/new"),
        ["true"]
    );
    let path = format!("/crm/objects/2026-09/{}/999", desk.vehicles);
    assert_eq!(desk.delete(&path).status, 204);

    let desk = Desk::behaving(Behaviour {
        archived_keep_unique_values: true,
        ..Behaviour::default()
    });
    let id = desk.vehicle("a");
    desk.vehicles("2026-09", "archive", json!([{"id": id}]));
    assert_eq!(
        desk.vehicles("2026-09", "upsert", json!([upsert("a", None, json!({}))]))
            .status,
        409
    );
}

#[test]
fn an_account_holds_so_many_records_of_custom_objects() {
    let desk = Desk::new();
    desk.vehicle("a");
    assert_eq!(
        desk.patch("/__sandbox/habits", json!({"custom_records": 2}))
            .status,
        200
    );
    let batch = json!([upsert("b", None, json!({})), upsert("c", None, json!({}))]);
    assert_eq!(
        (desk.vehicles("2026-09", "upsert", batch).status, desk.count()),
        (400, 1)
    );
    assert_eq!(
        desk.vehicles("2026-09", "upsert", json!([upsert("b", None, json!({}))]))
            .status,
        200
    );
}

#[test]
fn a_new_record_can_bring_its_associations() {
    let desk = Desk::new();
    let company = desk.company("Acme");
    let labels = desk.get(&format!(
        "/crm/associations/2026-09/{}/companies/labels",
        desk.vehicles
    ));
    let type_id = labels.results()[0]["typeId"].clone();
    let create = |types: Value| {
        json!([{"properties": {"key": types["associationTypeId"].to_string()},
                "associations": [{"to": {"id": company}, "types": [types]}]}])
    };
    let told = desk.vehicles(
        "2026-09",
        "create",
        create(json!({"associationCategory": "USER_DEFINED", "associationTypeId": type_id})),
    );
    assert_eq!(told.status, 201, "{}", told.text);
    let id = told.results()[0]["id"].as_str().unwrap_or_default();
    let read = desk.get(&format!(
        "/crm/objects/2026-09/{}/{id}?associations=companies",
        desk.vehicles
    ));
    assert_eq!(
        read.body["associations"]["companies"]["results"][0]["id"],
        company.as_str()
    );
    let told = desk.vehicles(
        "2026-09",
        "create",
        create(json!({"associationCategory": "USER_DEFINED", "associationTypeId": 1})),
    );
    assert_eq!((told.status, desk.count()), (400, 1));
}
