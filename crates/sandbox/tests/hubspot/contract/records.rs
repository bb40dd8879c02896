//! The tour of records: one by one, in batches, by search.

use super::tour::Tour;
use crate::hubspot::batches::upsert;
use serde_json::{Value, json};

pub(crate) fn one_by_one(tour: &mut Tour) {
    let of = tour.new_type("single");
    let all = tour.objects(&format!("/{of}"));
    let company = tour.new_company("Acme");
    let labels = tour.get(&tour.associations(&format!("/{of}/companies/labels")));
    let plain = labels.results()[0]["typeId"].clone();
    let record = json!({
        "properties": { "key": "a", "price": "12.5", "bought": "2026-01-02", "seen": "2026-01-02T03:04:05Z" },
        "associations": [{
            "to": { "id": company },
            "types": [{ "associationCategory": "USER_DEFINED", "associationTypeId": plain }],
        }],
    });
    let told = tour.ask(201, "POST", &all, record);
    let id = told.body["id"].as_str().unwrap_or_default().to_owned();
    let one = format!("{all}/{id}");
    tour.ask(409, "POST", &all, json!({ "properties": { "key": "a" } }));
    tour.ask(
        400,
        "POST",
        &all,
        json!({ "properties": { "note": "without its key" } }),
    );
    tour.ask(
        400,
        "POST",
        &all,
        json!({ "properties": { "key": "b", "stage": "nowhere" } }),
    );
    tour.ask(400, "POST", &all, Value::Null);
    let wanted = "properties=note,price&propertiesWithHistory=price&associations=companies";
    tour.get(&format!("{one}?{wanted}"));
    tour.get(&format!("{all}/a?idProperty=key"));
    tour.ask(404, "GET", &format!("{all}/1"), Value::Null);
    tour.ask(
        200,
        "PATCH",
        &one,
        json!({ "properties": { "note": "changed", "price": "" } }),
    );
    tour.ask(400, "PATCH", &one, json!({ "properties": {} }));
    // Three in the afternoon: bent into shape with a warning, or refused.
    let odd = json!({ "properties": { "bought": "1579179660000" } });
    tour.ask(
        if tour.version == "2026-09" { 200 } else { 400 },
        "PATCH",
        &one,
        odd,
    );
    let loser = tour.new_record(&of, "b");
    tour.get(&format!("{all}?limit=1&{wanted}"));
    tour.ask(400, "GET", &format!("{all}?limit=500"), Value::Null);
    tour.ask(
        200,
        "POST",
        &format!("{all}/merge"),
        json!({ "primaryObjectId": id, "objectIdToMerge": loser }),
    );
    tour.ask(204, "DELETE", &one, Value::Null);
    tour.get(&format!("{all}?archived=true&properties=key"));
    tour.ask(400, "GET", &tour.objects("/butterflies"), Value::Null);
    contacts(tour);
}

/// Contacts have a document of their own in v3.
fn contacts(tour: &mut Tour) {
    let all = tour.objects("/contacts");
    let person = |number: u32, version: &str| json!({ "properties": { "email": format!("ada{number}@{version}.example"), "firstname": "Ada" } });
    let version = tour.version;
    let told = tour.ask(201, "POST", &all, person(1, version));
    let first = told.body["id"].as_str().unwrap_or_default().to_owned();
    let told = tour.ask(201, "POST", &all, person(2, version));
    let second = told.body["id"].as_str().unwrap_or_default().to_owned();
    tour.ask(409, "POST", &all, person(1, version));
    tour.get(&format!("{all}?limit=1"));
    tour.get(&format!("{all}/{first}?properties=email"));
    tour.ask(
        200,
        "PATCH",
        &format!("{all}/{first}"),
        json!({ "properties": { "lastname": "Lovelace" } }),
    );
    tour.ask(
        200,
        "POST",
        &format!("{all}/merge"),
        json!({ "primaryObjectId": first, "objectIdToMerge": second }),
    );
    tour.ask(
        201,
        "POST",
        &format!("{all}/batch/create"),
        json!({ "inputs": [person(3, version)] }),
    );
    let byron = |number: u32| upsert_by_mail(number, version);
    tour.ask(
        200,
        "POST",
        &format!("{all}/batch/upsert"),
        json!({ "inputs": [byron(3), byron(4)] }),
    );
    tour.ask(
        200,
        "POST",
        &format!("{all}/batch/update"),
        json!({ "inputs": [{ "id": first, "properties": { "firstname": "A." } }] }),
    );
    tour.ask(
        200,
        "POST",
        &format!("{all}/batch/read"),
        json!({ "properties": ["email"], "propertiesWithHistory": [], "inputs": [{ "id": first }] }),
    );
    tour.ask(
        200,
        "POST",
        &format!("{all}/search"),
        json!({ "query": "ada", "limit": 2 }),
    );
    if version == "v3" {
        let told = tour.ask(201, "POST", &all, person(5, version));
        let id = told.body["id"].as_str().unwrap_or_default();
        tour.ask(
            204,
            "POST",
            &format!("{all}/gdpr-delete"),
            json!({ "objectId": id }),
        );
    }
    tour.ask(
        204,
        "POST",
        &format!("{all}/batch/archive"),
        json!({ "inputs": [{ "id": first }] }),
    );
    tour.ask(204, "DELETE", &format!("{all}/{first}"), Value::Null);
}

fn upsert_by_mail(number: u32, version: &str) -> Value {
    let mail = format!("ada{number}@{version}.example");
    json!({ "id": mail, "idProperty": "email", "properties": { "email": mail, "firstname": "Byron" } })
}

pub(crate) fn batches(tour: &mut Tour) {
    let of = tour.new_type("batches");
    let all = tour.objects(&format!("/{of}/batch"));
    let company = tour.new_company("Bolt");
    let new = |key: &str, trace: Option<&str>, stage: &str| {
        let mut input = json!({ "properties": { "key": key, "stage": stage } });
        if let Some(trace) = trace {
            input["objectWriteTraceId"] = json!(trace);
        }
        input
    };
    let create = format!("{all}/create");
    let told = tour.ask(
        201,
        "POST",
        &create,
        json!({ "inputs": [new("a", None, "open"), new("b", None, "sold")] }),
    );
    let ids = told.each("/id");
    let inputs = json!([
        new("c", Some("1"), "open"),
        new("d", Some("2"), "nowhere"),
        new("a", Some("3"), "open")
    ]);
    tour.ask(Tour::MIXED, "POST", &create, json!({ "inputs": inputs }));
    tour.ask(
        400,
        "POST",
        &create,
        json!({ "inputs": [new("e", None, "nowhere")] }),
    );
    tour.ask(
        409,
        "POST",
        &create,
        json!({ "inputs": [new("a", None, "open")] }),
    );
    tour.ask(400, "POST", &create, json!({ "inputs": [] }));

    let odd = json!({ "bought": "1579179660000", "key": "f" });
    let put = format!("{all}/upsert");
    let inputs = json!([
        upsert("a", None, json!({ "key": "a", "note": "again" })),
        upsert("g", None, json!({ "key": "g" }))
    ]);
    tour.ask(200, "POST", &put, json!({ "inputs": inputs }));
    let inputs = json!([
        upsert("f", Some("1"), odd),
        upsert("h", Some("2"), json!({ "key": "h", "price": "1,5" }))
    ]);
    let mixed = tour.ask(Tour::MIXED, "POST", &put, json!({ "inputs": inputs }));
    assert!(!mixed.errors().is_empty(), "{}", mixed.text);
    let twice = json!([
        upsert("a", Some("1"), json!({})),
        upsert("a", Some("2"), json!({}))
    ]);
    tour.ask(400, "POST", &put, json!({ "inputs": twice }));

    let update = format!("{all}/update");
    let input = |id: &str| json!({ "id": id, "properties": { "note": "updated" } });
    tour.ask(
        200,
        "POST",
        &update,
        json!({ "inputs": [input(&ids[0]), input(&ids[1])] }),
    );
    tour.ask(
        Tour::MIXED,
        "POST",
        &update,
        json!({ "inputs": [input(&ids[0]), input("1")] }),
    );

    let read = format!("{all}/read");
    let wanted = |ids: &[&str], by: Option<&str>| {
        let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        let mut wanted =
            json!({ "properties": ["note"], "propertiesWithHistory": ["stage"], "inputs": inputs });
        if let Some(by) = by {
            wanted["idProperty"] = json!(by);
        }
        wanted
    };
    tour.ask(200, "POST", &read, wanted(&[&ids[0]], None));
    tour.ask(Tour::MIXED, "POST", &read, wanted(&["a", "nobody"], Some("key")));
    let companies = tour.objects("/companies/batch/read");
    tour.ask(200, "POST", &companies, wanted(&[&company], None));
    tour.ask(
        204,
        "POST",
        &format!("{all}/archive"),
        json!({ "inputs": [{ "id": ids[0] }, { "id": "1" }] }),
    );
    tour.ask(
        200,
        "POST",
        &format!("{read}?archived=true"),
        wanted(&[&ids[0]], None),
    );
}

pub(crate) fn searches(tour: &mut Tour) {
    let of = tour.new_type("searches");
    for key in ["a", "b", "c"] {
        tour.new_record(&of, key);
    }
    let path = tour.objects(&format!("/{of}/search"));
    let filter = json!({ "propertyName": "key", "operator": "IN", "values": ["a", "b", "c"] });
    let search = json!({
        "filterGroups": [{ "filters": [filter] }], "sorts": [{ "propertyName": "key", "direction": "DESCENDING" }],
        "properties": ["key", "note"], "limit": 2,
    });
    let told = tour.ask(200, "POST", &path, search.clone());
    assert_eq!(
        (told.body["total"].as_u64(), told.results().len()),
        (Some(3), 2),
        "{}",
        told.text
    );
    let mut next = search;
    next["after"] = told.body["paging"]["next"]["after"].clone();
    tour.ask(200, "POST", &path, next);
    tour.ask(200, "POST", &path, json!({ "filterGroups": [], "limit": 0 }));
    tour.ask(400, "POST", &path, json!({ "limit": 201 }));
    tour.ask(400, "POST", &path, json!({ "after": "10000", "limit": 10 }));
}
