//! Records one by one and in collections: created, changed, refused, deleted, brought back.

use crate::support::{Org, code, config};
use serde_json::{Value, json};

#[tokio::test]
async fn refusals_have_salesforces_codes() {
    let org = Org::start(config()).await;
    let depot = org
        .create("Depot__c", json!({ "Name": "d", "Code__c": "UNIQUE" }))
        .await;
    let account = org.records("SELECT Id FROM Account LIMIT 1").await[0]["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let table = [
        ("Inspection__c", json!({ "Name": "i" }), "REQUIRED_FIELD_MISSING"),
        ("Account", json!({}), "REQUIRED_FIELD_MISSING"),
        ("Vehicle__c", json!({ "Name": "x".repeat(81) }), "STRING_TOO_LONG"),
        (
            "Vehicle__c",
            json!({ "Fuel__c": "Coal" }),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (
            "Vehicle__c",
            json!({ "Features__c": "Tow Bar;Wings" }),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        ("Depot__c", json!({ "Code__c": "unique" }), "DUPLICATE_VALUE"),
        ("Vehicle__c", json!({ "Nope__c": 1 }), "INVALID_FIELD"),
        (
            "Vehicle__c",
            json!({ "Age_Days__c": 1 }),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            "Vehicle__c",
            json!({ "SystemModstamp": "2026-01-01T00:00:00Z" }),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            "Service_Visit__c",
            json!({ "Name": "mine" }),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        ("Vehicle__c", json!({ "Depot__c": "nonsense" }), "MALFORMED_ID"),
        (
            "Vehicle__c",
            json!({ "Depot__c": account }),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            "Vehicle__c",
            json!({ "Depot__c": format!("{}zzz", &depot[..12]) }),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (
            "Vehicle__c",
            json!({ "Depot__r": { "Code__c": "none" } }),
            "INVALID_FIELD",
        ),
        ("Vehicle__c", json!({ "Price__c": "much" }), "JSON_PARSER_ERROR"),
        (
            "Vehicle__c",
            json!({ "Purchased_On__c": "yesterday" }),
            "JSON_PARSER_ERROR",
        ),
        ("Vehicle__c", json!({ "Active__c": null }), "JSON_PARSER_ERROR"),
        (
            "Vehicle__c",
            json!({ "Mileage__c": 1e12 }),
            "NUMBER_OUTSIDE_VALID_RANGE",
        ),
        (
            "Vehicle__c",
            json!({ "Contact_Email__c": "nobody" }),
            "INVALID_EMAIL_ADDRESS",
        ),
    ];
    for (object, body, expected) in table {
        let (status, answer) = org.post(&format!("sobjects/{object}"), body.clone()).await;
        assert_eq!((status, code(&answer)), (400, expected), "{body}: {answer}");
    }
    let (status, answer) = org.post("sobjects/Nope__c", json!({})).await;
    assert_eq!((status, code(&answer)), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn missing_and_deleted_records_are_told_apart() {
    let org = Org::start(config()).await;
    let id = org.create("Vehicle__c", json!({ "Name": "soon gone" })).await;
    let path = format!("sobjects/Vehicle__c/{id}");
    assert_eq!(
        org.get(&format!("sobjects/Vehicle__c/{}", &id[..15])).await.0,
        200
    );
    assert_eq!(org.delete(&path).await.0, 204);
    for answer in [
        org.get(&path).await,
        org.delete(&path).await,
        org.patch(&path, json!({ "Name": "x" })).await,
    ] {
        assert_eq!((answer.0, code(&answer.1)), (404, "ENTITY_IS_DELETED"));
    }
    let missing = "sobjects/Vehicle__c/a015g00000zzzzzAAA";
    assert_eq!(org.get(missing).await.0, 404);
    assert_eq!(code(&org.get(missing).await.1), "NOT_FOUND");
    let other_case = format!("sobjects/Vehicle__c/{}", id.to_lowercase());
    let (status, answer) = org.patch(&other_case, json!({})).await;
    assert_eq!((status, code(&answer)), (400, "MALFORMED_ID"));
}

#[tokio::test]
async fn deletes_cascade_clear_and_come_back() {
    let org = Org::start(config()).await;
    let depot = org.create("Depot__c", json!({ "Name": "d" })).await;
    let vehicle = org
        .create("Vehicle__c", json!({ "Name": "v", "Depot__c": depot }))
        .await;
    let visit = org
        .create(
            "Service_Visit__c",
            json!({ "Vehicle__c": vehicle, "Depot__c": depot }),
        )
        .await;
    org.delete(&format!("sobjects/Depot__c/{depot}")).await;
    let lookup = || async {
        org.get(&format!("sobjects/Vehicle__c/{vehicle}?fields=Depot__c"))
            .await
            .1["Depot__c"]
            .clone()
    };
    assert_eq!(lookup().await, Value::Null);
    let (_, outcome) = org
        .post("__sandbox/undelete", json!({ "ids": [depot, "nonsense"] }))
        .await;
    assert_eq!(outcome[0]["success"], true);
    assert_eq!(outcome[1]["errors"][0]["statusCode"], "MALFORMED_ID");
    assert_eq!(lookup().await, json!(depot));

    org.delete(&format!("sobjects/Vehicle__c/{vehicle}")).await;
    assert_eq!(
        org.get(&format!("sobjects/Service_Visit__c/{visit}")).await.0,
        404
    );
    let soql = format!("SELECT IsDeleted, Vehicle__c FROM Service_Visit__c WHERE Id = '{visit}'");
    assert_eq!(org.query(&soql).await.1["totalSize"], 0);
    let (_, all) = org.query_all(&soql).await;
    assert_eq!(
        (&all["records"][0]["IsDeleted"], &all["records"][0]["Vehicle__c"]),
        (&json!(true), &json!(vehicle))
    );
    let (_, alone) = org.post("__sandbox/undelete", json!({ "ids": [visit] })).await;
    assert_eq!(alone[0]["errors"][0]["statusCode"], "UNDELETE_FAILED");
    org.post("__sandbox/undelete", json!({ "ids": [vehicle] })).await;
    assert_eq!(
        org.get(&format!("sobjects/Service_Visit__c/{visit}")).await.0,
        200
    );

    org.delete(&format!("sobjects/Vehicle__c/{vehicle}")).await;
    assert_eq!(
        org.post("/__sandbox/purge", json!({ "ids": [vehicle] })).await.0,
        204
    );
    assert_eq!(org.query_all(&soql).await.1["totalSize"], 0);
    assert_eq!(
        code(&org.get(&format!("sobjects/Vehicle__c/{vehicle}")).await.1),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn external_ids_find_upsert_and_link() {
    let org = Org::start(config()).await;
    let (status, made) = org
        .patch("sobjects/Depot__c/Code__c/NEW-1", json!({ "Name": "n" }))
        .await;
    assert_eq!((status, &made["created"]), (201, &json!(true)));
    let (status, changed) = org
        .patch("sobjects/Depot__c/Code__c/new-1", json!({ "Name": "m" }))
        .await;
    assert_eq!(
        (status, &changed["created"], &changed["id"]),
        (200, &json!(false), &made["id"])
    );
    let (_, found) = org
        .get("sobjects/Depot__c/Code__c/NEW-1?fields=Name,Code__c")
        .await;
    assert_eq!(
        (&found["Name"], &found["Code__c"]),
        (&json!("m"), &json!("NEW-1"))
    );
    let vehicle = org
        .create(
            "Vehicle__c",
            json!({ "Name": "v", "Depot__r": { "Code__c": "NEW-1" } }),
        )
        .await;
    let (_, linked) = org
        .get(&format!("sobjects/Vehicle__c/{vehicle}?fields=Depot__c"))
        .await;
    assert_eq!(linked["Depot__c"], made["id"]);
    assert_eq!(org.patch("sobjects/Depot__c/Name/x", json!({})).await.0, 404);
}

#[tokio::test]
async fn collections_keep_places_and_promises() {
    let org = Org::start(config()).await;
    let depot =
        |name: &str, key: &str| json!({ "attributes": { "type": "Depot__c" }, "Name": name, "Code__c": key });
    let body = |all_or_none: bool| json!({ "allOrNone": all_or_none, "records": [depot("a", "A-1"), depot("b", "A-1"), depot("c", "A-2")] });
    let (_, strict) = org.post("composite/sobjects", body(true)).await;
    let codes: Vec<&str> = strict
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["errors"][0]["statusCode"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(
        codes,
        [
            "ALL_OR_NONE_OPERATION_ROLLED_BACK",
            "DUPLICATE_VALUE",
            "ALL_OR_NONE_OPERATION_ROLLED_BACK"
        ]
    );
    assert!(
        org.records("SELECT Id FROM Depot__c WHERE Code__c LIKE 'A-%'")
            .await
            .is_empty()
    );
    let (_, loose) = org.post("composite/sobjects", body(false)).await;
    let good: Vec<bool> = loose
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["success"].as_bool())
        .collect();
    assert_eq!(good, [true, false, true]);
    let id = |position: usize| loose[position]["id"].as_str().expect("an id").to_owned();
    let ids = json!([id(2), "a005g00000zzzzz", id(0)]);
    let (_, read) = org
        .post(
            "composite/sobjects/Depot__c",
            json!({ "ids": ids, "fields": ["Name"] }),
        )
        .await;
    assert_eq!(
        (&read[0]["Name"], &read[1], &read[2]["Name"]),
        (&json!("c"), &Value::Null, &json!("a"))
    );
    let patch = json!({ "records": [{ "attributes": { "type": "Depot__c" }, "Id": id(0), "Name": "z" }] });
    assert_eq!(org.patch("composite/sobjects", patch).await.1[0]["success"], true);
    let upsert = json!({ "records": [depot("y", "A-2"), depot("new", "A-3")] });
    let (_, upserted) = org.patch("composite/sobjects/Depot__c/Code__c", upsert).await;
    assert_eq!(
        (&upserted[0]["created"], &upserted[1]["created"]),
        (&json!(false), &json!(true))
    );
    let (_, gone) = org
        .delete(&format!("composite/sobjects?ids={},{}", id(0), id(2)))
        .await;
    assert_eq!(
        (&gone[0]["success"], &gone[1]["success"]),
        (&json!(true), &json!(true))
    );
    let many: Vec<Value> = (0..201).map(|_| depot("x", "")).collect();
    assert_eq!(
        org.post("composite/sobjects", json!({ "records": many })).await.0,
        400
    );
    let bad_field = json!({ "ids": ids, "fields": ["Nope__c"] });
    assert_eq!(org.post("composite/sobjects/Depot__c", bad_field).await.0, 400);
}

#[tokio::test]
async fn trees_grow_whole_or_not_at_all() {
    let org = Org::start(config()).await;
    let tree = |fuel: &str| {
        let leaf = json!({ "attributes": { "type": "Vehicle__c", "referenceId": "leaf" }, "Name": "leaf", "Fuel__c": fuel });
        json!({ "records": [{
            "attributes": { "type": "Depot__c", "referenceId": "root" }, "Name": "root",
            "Vehicles__r": { "records": [leaf] },
        }] })
    };
    let (status, refused) = org.post("composite/tree/Depot__c", tree("Coal")).await;
    assert_eq!(
        (
            status,
            &refused["hasErrors"],
            &refused["results"][0]["referenceId"]
        ),
        (400, &json!(true), &json!("leaf"))
    );
    assert!(
        org.records("SELECT Id FROM Depot__c WHERE Name = 'root'")
            .await
            .is_empty()
    );
    let (status, grown) = org.post("composite/tree/Depot__c", tree("Diesel")).await;
    assert_eq!((status, &grown["hasErrors"]), (201, &json!(false)));
    let leaf = org
        .records("SELECT Depot__r.Name FROM Vehicle__c WHERE Name = 'leaf'")
        .await;
    assert_eq!(leaf[0]["Depot__r"]["Name"], "root");
}
