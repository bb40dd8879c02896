//! The tour of object types, properties and the rules of their values.

use super::tour::Tour;
use serde_json::{Value, json};

pub(crate) fn schemas(tour: &mut Tour) {
    let of = tour.new_type("schemas");
    let (all, one) = (tour.schemas(""), tour.schemas(&format!("/{of}")));
    tour.get(&all);
    tour.get(&format!("{all}?archived=true"));
    tour.get(&one);
    tour.get(&tour.schemas("/contacts"));
    let path = tour.schemas("/batch/read");
    let wanted = json!({
        "inputs": [of], "includeAssociationDefinitions": true, "includeAuditMetadata": true,
        "includePropertyDefinitions": true,
    });
    tour.ask(200, "POST", &path, wanted);
    let change = json!({
        "labels": { "singular": "Car", "plural": "Cars" }, "clearDescription": false, "description": "Of a fleet",
        "primaryDisplayProperty": "key", "secondaryDisplayProperties": ["serial"], "requiredProperties": ["key"],
        "searchableProperties": ["note"], "restorable": true, "allowsSensitiveProperties": false,
    });
    tour.ask(200, "PATCH", &one, change);
    let path = format!("{one}/associations");
    let draft = json!({ "fromObjectTypeId": of, "toObjectTypeId": "0-1", "name": format!("driver_{}", tour.version.replace('-', "_")) });
    let told = tour.ask(201, "POST", &path, draft);
    let id = told.body["id"].as_str().unwrap_or_default();
    tour.ask(204, "DELETE", &format!("{path}/{id}"), Value::Null);
    tour.ask(400, "POST", &all, json!({}));
    tour.ask(
        400,
        "POST",
        &all,
        json!({ "name": "x", "labels": { "singular": "X", "plural": "Xs" } }),
    );
    tour.ask(404, "GET", &tour.schemas("/2-999"), Value::Null);
    let id = tour.new_record(&of, "in the way");
    tour.ask(400, "DELETE", &one, Value::Null);
    let path = tour.objects(&format!("/{of}/{id}"));
    tour.ask(204, "DELETE", &path, Value::Null);
    tour.ask(204, "DELETE", &one, Value::Null);
    tour.get(&format!("{all}?archived=true"));
    tour.ask(204, "DELETE", &format!("{one}?archived=true"), Value::Null);
}

fn draft(name: &str) -> Value {
    json!({
        "name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "extras",
        "description": "One more", "hasUniqueValue": false, "formField": true,
    })
}

pub(crate) fn properties(tour: &mut Tour) {
    let of = tour.new_type("properties");
    let all = tour.properties(&format!("/{of}"));
    let groups = format!("{all}/groups");
    tour.ask(
        201,
        "POST",
        &groups,
        json!({ "name": "extras", "label": "Extras", "displayOrder": -1 }),
    );
    tour.ask(
        409,
        "POST",
        &groups,
        json!({ "name": "extras", "label": "Extras" }),
    );
    tour.get(&groups);
    tour.get(&format!("{groups}/extras"));
    tour.ask(404, "GET", &format!("{groups}/nothing"), Value::Null);
    tour.ask(
        200,
        "PATCH",
        &format!("{groups}/extras"),
        json!({ "label": "More" }),
    );

    let told = tour.ask(201, "POST", &all, draft("colour"));
    assert!(told.header("location").is_some());
    tour.ask(409, "POST", &all, draft("colour"));
    tour.ask(400, "POST", &all, json!({ "name": "size" }));
    tour.ask(400, "POST", &all, draft("hs_mine"));
    let mut chosen = draft("finish");
    chosen["type"] = json!("enumeration");
    chosen["fieldType"] = json!("select");
    chosen["options"] = json!([{ "label": "Matt", "value": "matt", "displayOrder": 0, "hidden": false }]);
    tour.ask(201, "POST", &all, chosen);
    tour.get(&all);
    tour.get(&format!("{all}?archived=true"));
    tour.get(&format!("{all}/colour"));
    tour.get(&format!("{all}/hs_object_id"));
    tour.ask(404, "GET", &format!("{all}/nothing"), Value::Null);
    let options =
        json!({ "options": [{ "label": "Gloss", "value": "gloss", "displayOrder": 0, "hidden": false }] });
    tour.ask(200, "PATCH", &format!("{all}/finish"), options);
    tour.ask(400, "DELETE", &format!("{groups}/extras"), Value::Null);

    let batch = json!({ "inputs": [draft("one"), draft("two")] });
    let made = if tour.version == "2026-09" { 200 } else { 201 };
    tour.ask(made, "POST", &format!("{all}/batch/create"), batch);
    let batch = json!({ "inputs": [draft("two"), draft("three")] });
    tour.ask(Tour::MIXED, "POST", &format!("{all}/batch/create"), batch);
    let names = |names: &[&str]| {
        let names: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        json!({ "archived": false, "dataSensitivity": "non_sensitive", "inputs": names })
    };
    tour.ask(
        200,
        "POST",
        &format!("{all}/batch/read"),
        names(&["one", "finish"]),
    );
    tour.ask(
        Tour::MIXED,
        "POST",
        &format!("{all}/batch/read"),
        names(&["one", "nothing"]),
    );
    tour.ask(
        204,
        "POST",
        &format!("{all}/batch/archive"),
        json!({ "inputs": [{ "name": "one" }, { "name": "nothing" }] }),
    );
    for name in ["two", "three", "colour", "finish"] {
        tour.ask(204, "DELETE", &format!("{all}/{name}"), Value::Null);
    }
    tour.ask(404, "DELETE", &format!("{all}/colour"), Value::Null);
    tour.get(&format!("{all}?archived=true"));
    tour.ask(204, "DELETE", &format!("{groups}/extras"), Value::Null);
}

pub(crate) fn validations(tour: &mut Tour) {
    let of = tour.new_type("validations");
    let all = tour.place("property-validations", &format!("/{of}"));
    if !tour.is_documented("GET", &all) {
        return;
    }
    let rule = format!("{all}/note/rule-type/MAX_LENGTH");
    tour.ask(
        204,
        "PUT",
        &rule,
        json!({ "ruleArguments": ["5"], "shouldApplyNormalization": false }),
    );
    tour.get(&rule);
    tour.get(&format!("{all}/note"));
    tour.get(&all);
    tour.ask(404, "GET", &format!("{all}/nothing"), Value::Null);
    let path = tour.objects(&format!("/{of}"));
    tour.ask(
        400,
        "POST",
        &path,
        json!({ "properties": { "key": "a", "note": "too long" } }),
    );
}
