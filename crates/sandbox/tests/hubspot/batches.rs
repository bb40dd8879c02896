//! Batch create, update, upsert, archive: what goes through, what is refused, and how it is told.

use super::desk::{Desk, calm};
use landbridge_sandbox::hubspot::{Behaviour, PortalConfig};
use serde_json::{Value, json};

const VERSIONS: [&str; 3] = ["v3", "2026-03", "2026-09"];

fn upsert(key: &str, trace: Option<&str>, properties: Value) -> Value {
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
fn duplicate_ids_refuse_the_whole_batch_even_with_trace_ids() {
    let desk = Desk::new();
    let batch = json!([
        upsert("123456", Some("0"), json!({})),
        upsert("x", Some("1"), json!({})),
        upsert("123456", Some("2"), json!({})),
    ]);
    let told = desk.vehicles("2026-09", "upsert", batch);
    assert_eq!((told.status, told.category()), (400, "VALIDATION_ERROR"));
    assert_eq!(
        told.message(),
        "Duplicate IDs found in batch input: [123456]. IDs must be unique"
    );
    assert_eq!(told.body["context"], json!({ "ids": ["123456"] }));
    assert_eq!(desk.count(), 0);

    let id = desk.vehicle("a");
    let batch = json!([{"id": id, "properties": {"note": "1"}}, {"id": id, "properties": {"note": "2"}}]);
    let told = desk.vehicles("v3", "update", batch);
    assert_eq!((told.status, told.category()), (400, "VALIDATION_ERROR"));
}

#[test]
fn without_trace_ids_one_bad_value_refuses_the_whole_batch() {
    for (version, deed) in VERSIONS
        .iter()
        .flat_map(|v| [(v, "create"), (v, "upsert"), (v, "update")])
    {
        let desk = Desk::new();
        let (good, bad) = (desk.vehicle("good"), desk.vehicle("bad"));
        let input = |id: &str, key: &str, properties: Value| {
            let mut properties = properties;
            properties["key"] = json!(if deed == "create" {
                format!("new {key}")
            } else {
                key.to_owned()
            });
            match deed {
                "create" => json!({ "properties": properties }),
                "update" => json!({ "id": id, "properties": properties }),
                _ => json!({ "id": key, "idProperty": "key", "properties": properties }),
            }
        };
        let batch = json!([
            input(&good, "good", json!({"note": "written?"})),
            input(&bad, "bad", json!({"price": "1,234.5", "nope": "x"})),
        ]);
        let told = desk.vehicles(version, deed, batch);
        assert_eq!(
            (told.status, told.category()),
            (400, "VALIDATION_ERROR"),
            "{version} {deed}"
        );
        let embedded = told
            .message()
            .strip_prefix("Property values were not valid: ")
            .unwrap_or_default();
        let embedded: Vec<Value> = serde_json::from_str(embedded).expect("a list in the message");
        let mut codes: Vec<&str> = embedded
            .iter()
            .filter_map(|problem| problem["error"].as_str())
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, ["INVALID_INTEGER", "PROPERTY_DOESNT_EXIST"]);
        assert!(embedded.iter().all(|problem| problem["isValid"] == false));
        assert!(
            !told.text.contains("good"),
            "nothing says which input it was: {}",
            told.text
        );
        assert_eq!(desk.count(), 2, "{version} {deed}");
        let read = desk.get(&format!(
            "/crm/v3/objects/{}/{good}?properties=note",
            desk.vehicles
        ));
        assert_eq!(read.body["properties"]["note"], Value::Null, "{version} {deed}");
    }
}

#[test]
fn with_trace_ids_the_good_ones_go_through() {
    for (version, deed) in VERSIONS.iter().flat_map(|v| [(v, "create"), (v, "upsert")]) {
        let desk = Desk::new();
        let mut batch = vec![
            upsert("a", Some("t0"), json!({})),
            upsert("b", Some("t1"), json!({"stage": "Open"})),
            upsert("c", Some("t2"), json!({})),
        ];
        if deed == "create" {
            for input in &mut batch {
                let input = input.as_object_mut().expect("an object");
                input.remove("id");
                input.remove("idProperty");
            }
        }
        let told = desk.vehicles(version, deed, json!(batch));
        assert_eq!(told.status, 207, "{version} {deed}: {}", told.text);
        assert_eq!(told.each("/properties/key"), ["a", "c"]);
        assert_eq!(told.body["numErrors"], 1);
        let error = &told.errors()[0];
        assert_eq!(error["context"], json!({ "objectWriteTraceId": ["t1"] }));
        assert_eq!(
            (&error["status"], &error["category"]),
            (&json!("error"), &json!("VALIDATION_ERROR"))
        );
        let message = error["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("Open was not one of the allowed options: [open, sold]"),
            "{message}"
        );
        assert!(error.get("errors").is_none());
        assert!(
            told.results()
                .iter()
                .all(|result| result.get("objectWriteTraceId").is_none())
        );
        assert_eq!(desk.count(), 2);
    }
}

#[test]
fn trace_ids_must_be_on_all_inputs_and_differ() {
    let desk = Desk::new();
    let bad = json!({"price": "N/A"});
    for (one, other) in [(Some("t"), None), (Some("t"), Some("t")), (None, Some("t"))] {
        let batch = json!([upsert("a", one, json!({})), upsert("b", other, bad.clone())]);
        assert_eq!(
            desk.vehicles("2026-09", "upsert", batch).status,
            400,
            "{one:?} {other:?}"
        );
    }
    assert_eq!(desk.count(), 0);
}

#[test]
fn updates_go_through_in_part_only_where_the_switch_says_so() {
    let batch = |one: &str, other: &str| {
        json!([
            {"id": one, "objectWriteTraceId": "0", "properties": {"note": "x"}},
            {"id": other, "objectWriteTraceId": "1", "properties": {"price": "x"}},
        ])
    };
    let desk = Desk::new();
    let (one, other) = (desk.vehicle("a"), desk.vehicle("b"));
    assert_eq!(
        desk.vehicles("2026-09", "update", batch(&one, &other)).status,
        400
    );
    let desk = Desk::behaving(Behaviour {
        partial_updates: true,
        ..Behaviour::default()
    });
    let (one, other) = (desk.vehicle("a"), desk.vehicle("b"));
    let told = desk.vehicles("2026-09", "update", batch(&one, &other));
    assert_eq!((told.status, told.each("/id")), (207, vec![one]));
}

#[test]
fn a_conflict_of_unique_values_is_a_409_for_all_or_an_item_with_the_holders_id() {
    for deed in ["create", "upsert"] {
        let desk = Desk::new();
        let holder = desk.vehicles(
            "v3",
            "create",
            json!([{"properties": {"key": "h", "serial": "S1"}}]),
        );
        let holder = holder.results()[0]["id"].clone();
        let input = |key: &str, serial: &str, trace: Option<&str>| {
            let mut input = upsert(key, trace, json!({ "serial": serial }));
            if deed == "create" {
                let input = input.as_object_mut().expect("an object");
                input.remove("id");
                input.remove("idProperty");
            }
            input
        };
        let told = desk.vehicles(
            "2026-09",
            deed,
            json!([input("a", "S2", None), input("b", "s1", None)]),
        );
        assert_eq!(
            (told.status, told.category(), told.message()),
            (409, "CONFLICT", "Vehicle already exists")
        );
        assert_eq!(desk.count(), 1);
        let batch = json!([input("a", "S2", Some("0")), input("b", "s1", Some("1"))]);
        let told = desk.vehicles("2026-09", deed, batch);
        assert_eq!(
            (told.status, told.each("/properties/key")),
            (207, vec!["a".to_owned()])
        );
        let context = json!({ "objectWriteTraceId": ["1"], "existingId": [holder] });
        assert_eq!(
            (&told.errors()[0]["category"], &told.errors()[0]["context"]),
            (&json!("CONFLICT"), &context)
        );
    }
}

#[test]
fn two_inputs_cannot_take_the_same_unique_value() {
    let desk = Desk::new();
    let batch = json!([
        upsert("a", Some("0"), json!({"serial": "S"})),
        upsert("b", Some("1"), json!({"serial": "S"})),
    ]);
    let told = desk.vehicles("2026-09", "upsert", batch);
    assert_eq!(
        (told.status, told.each("/properties/key"), desk.count()),
        (207, vec!["a".to_owned()], 1)
    );
}

#[test]
fn conflicts_can_be_value_errors_instead() {
    let desk = Desk::behaving(Behaviour {
        conflicts_are_409: false,
        ..Behaviour::default()
    });
    desk.vehicle("a");
    let told = desk.vehicles("2026-09", "create", json!([{"properties": {"key": "a"}}]));
    assert_eq!(
        (told.status, told.errors()[0]["code"].as_str()),
        (400, Some("CONFLICTING_UNIQUE_VALUE"))
    );
}

#[test]
fn an_update_tells_all_missing_records_in_one_error() {
    let desk = Desk::new();
    let id = desk.vehicle("a");
    let batch = json!([
        {"id": "1", "properties": {"note": "x"}},
        {"id": id, "properties": {"note": "x"}},
        {"id": "2", "properties": {"note": "x"}},
    ]);
    let told = desk.vehicles("2026-09", "update", batch);
    assert_eq!((told.status, told.each("/id")), (207, vec![id]));
    assert_eq!(told.errors().len(), 1);
    let error = &told.errors()[0];
    assert_eq!(
        (&error["category"], &error["context"]),
        (&json!("OBJECT_NOT_FOUND"), &json!({"ids": ["1", "2"]}))
    );
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message.ends_with("objects, they may be deleted or not exist. Check that ids are valid."),
        "{message}"
    );
    let by_key = json!([{"id": "nobody", "idProperty": "key", "properties": {"note": "x"}}]);
    let told = desk.vehicles("2026-09", "update", by_key);
    assert_eq!((told.status, desk.count()), (207, 1));
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
fn the_status_of_a_mixed_batch_of_2026_09_is_a_switch() {
    let behaviour = Behaviour {
        mixed_status_2026_09: Some(200),
        ..Behaviour::default()
    };
    let desk = Desk::behaving(behaviour);
    let batch = json!([
        upsert("a", Some("0"), json!({})),
        upsert("b", Some("1"), json!({"price": "x"}))
    ]);
    assert_eq!(desk.vehicles("2026-09", "upsert", batch.clone()).status, 200);
    assert_eq!(desk.vehicles("2026-03", "upsert", batch).status, 207);
}

#[test]
fn an_account_holds_so_many_records_of_custom_objects() {
    let desk = Desk::with(PortalConfig {
        custom_records: 2,
        ..calm()
    });
    desk.vehicle("a");
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
