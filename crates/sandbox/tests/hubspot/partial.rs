//! Batches of which a part is wrong: what is refused whole, what goes through, who is told what.

use super::{
    batches::{VERSIONS, upsert},
    desk::Desk,
};
use landbridge_sandbox::hubspot::Behaviour;
use serde_json::{Value, json};

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
fn an_input_cannot_take_the_value_that_another_is_found_by() {
    let desk = Desk::new();
    let thief =
        json!({"id": "b", "idProperty": "key", "objectWriteTraceId": "1", "properties": {"key": "A"}});
    for batch in [
        json!([upsert("a", Some("0"), json!({})), thief]),
        json!([thief, upsert("a", Some("0"), json!({}))]),
    ] {
        let told = desk.vehicles("2026-09", "upsert", batch);
        assert_eq!(
            (told.status, told.each("/properties/key")),
            (207, vec!["a".to_owned()])
        );
        assert_eq!(told.errors()[0]["context"]["objectWriteTraceId"], json!(["1"]));
    }
    let renamed = json!([{"id": "a", "idProperty": "key", "properties": {"key": "c"}}]);
    assert_eq!(
        desk.vehicles("2026-09", "upsert", renamed).each("/new"),
        ["false"]
    );
    assert_eq!(
        desk.vehicles("2026-09", "upsert", json!([upsert("A", None, json!({}))]))
            .each("/new"),
        ["true"]
    );
    assert_eq!(desk.count(), 2);
}
