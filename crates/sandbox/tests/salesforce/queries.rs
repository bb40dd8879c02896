//! Describe, queries, pages and cursors.

use crate::support::{Org, code, config};
use landbridge_sandbox::SandboxConfig;
use reqwest::Method;
use serde_json::{Value, json};

fn large() -> SandboxConfig {
    SandboxConfig {
        records: Some(9000),
        ..config()
    }
}

/// Clients describe whatever the global description names.
#[tokio::test]
async fn all_that_is_named_can_be_described_and_companions_cannot_be_queried() {
    let org = Org::start(config()).await;
    let (_, global) = org.get("sobjects").await;
    let named = global["sobjects"].as_array().expect("objects");
    for object in named {
        let name = object["name"].as_str().unwrap_or_default();
        let (status, described) = org.get(&format!("sobjects/{name}/describe")).await;
        assert_eq!(
            (status, &described["name"]),
            (200, &object["name"]),
            "{described}"
        );
        let keys = object
            .as_object()
            .expect("an object")
            .keys()
            .filter(|key| *key != "urls");
        for key in keys {
            assert_eq!(described[key], object[key], "{name}.{key}");
        }
        let fields = described["fields"].as_array().map_or(0, Vec::len);
        assert!(fields > 3, "{name} has {fields} fields");
    }
    for companion in ["Vehicle__ChangeEvent", "AccountChangeEvent", "Vehicle__Share"] {
        let (status, refused) = org.query(&format!("SELECT Id FROM {companion}")).await;
        assert_eq!(
            (status, &refused[0]["errorCode"]),
            (400, &json!("INVALID_TYPE_FOR_OPERATION")),
            "{companion}"
        );
    }
    assert_eq!(org.get("sobjects/Nothing__Share/describe").await.0, 404);
}

#[tokio::test]
async fn describe_tells_every_key_of_every_field() {
    let org = Org::start(config()).await;
    let (_, described) = org.get("sobjects/vehicle__C/describe/").await;
    let fields = described["fields"].as_array().expect("fields");
    assert!(
        fields
            .iter()
            .all(|field| field.as_object().expect("an object").len() == 57)
    );
    let names: Vec<&str> = fields.iter().filter_map(|field| field["name"].as_str()).collect();
    assert_eq!(
        names[..12],
        [
            "Id",
            "OwnerId",
            "IsDeleted",
            "Name",
            "CreatedDate",
            "CreatedById",
            "LastModifiedDate",
            "LastModifiedById",
            "SystemModstamp",
            "LastActivityDate",
            "LastViewedDate",
            "LastReferencedDate"
        ]
    );
    let field = |name: &str| {
        fields
            .iter()
            .find(|field| field["name"] == name)
            .expect(name)
            .clone()
    };
    let depot = field("Depot__c");
    assert_eq!(depot["referenceTo"], json!(["Depot__c"]));
    assert_eq!(depot["relationshipName"], "Depot__r");
    assert_eq!(
        (depot["length"].as_i64(), depot["byteLength"].as_i64()),
        (Some(18), Some(18))
    );
    let age = field("Age_Days__c");
    assert_eq!(
        (age["calculated"].as_bool(), age["createable"].as_bool()),
        (Some(true), Some(false))
    );
    assert_eq!(age["calculatedFormula"], "TODAY() - Purchased_On__c");
    let key = field("External_Id__c");
    assert_eq!(
        (
            key["externalId"].as_bool(),
            key["unique"].as_bool(),
            key["idLookup"].as_bool()
        ),
        (Some(true), Some(true), Some(true))
    );
    let location = field("Location__Latitude__s");
    assert_eq!(
        (location["type"].as_str(), location["compoundFieldName"].as_str()),
        (Some("double"), Some("Location__c"))
    );
    assert_eq!(
        field("Fuel__c")["picklistValues"].as_array().map(Vec::len),
        Some(4)
    );
    let children = described["childRelationships"].as_array().expect("children");
    let visits = children
        .iter()
        .find(|link| link["childSObject"] == "Service_Visit__c")
        .expect("visits");
    assert_eq!(
        (
            visits["cascadeDelete"].as_bool(),
            visits["relationshipName"].as_str()
        ),
        (Some(true), Some("Service_Visits__r"))
    );
    let (_, detail) = org.get("sobjects/Service_Visit__c/describe").await;
    let details: Vec<&Value> = detail["fields"].as_array().expect("fields").iter().collect();
    assert!(!details.iter().any(|field| field["name"] == "OwnerId"));
    let master = details
        .iter()
        .find(|field| field["name"] == "Vehicle__c")
        .expect("the master");
    assert_eq!(
        (
            master["nillable"].as_bool(),
            master["updateable"].as_bool(),
            master["relationshipOrder"].as_i64()
        ),
        (Some(false), Some(false), Some(0))
    );
}

#[tokio::test]
async fn the_global_describe_lists_what_no_query_reads() {
    let org = Org::start(config()).await;
    let (_, global) = org.get("sobjects").await;
    let list = global["sobjects"].as_array().expect("a list");
    let find = |name: &str| list.iter().find(|object| object["name"] == name).expect(name);
    assert_eq!(find("Vehicle__c")["queryable"], true);
    assert_eq!(find("Vehicle__c")["keyPrefix"], "a01");
    assert_eq!(find("Vehicle__ChangeEvent")["queryable"], false);
    assert_eq!(find("Vehicle__Share")["keyPrefix"], Value::Null);
}

#[tokio::test]
async fn an_unchanged_describe_costs_nothing() {
    let org = Org::start(config()).await;
    let first = org
        .request(Method::GET, "sobjects/Vehicle__c/describe")
        .send()
        .await
        .expect("an answer");
    let modified = first.headers()["Last-Modified"].clone();
    let again = org
        .request(Method::GET, "sobjects/Vehicle__c/describe")
        .header("If-Modified-Since", modified);
    assert_eq!(org.send(again).await.0, 304);
    let long_ago = org
        .request(Method::GET, "sobjects/Vehicle__c/describe")
        .header("If-Modified-Since", "Sat, 31 Jan 2015 10:20:30 GMT");
    assert_eq!(org.send(long_ago).await.0, 200);
}

#[tokio::test]
async fn pages_lead_to_pages() {
    let org = Org::start(large()).await;
    let (_, mut page) = org.query("SELECT Id FROM Vehicle__c").await;
    let total = page["totalSize"].as_u64().expect("a number") as usize;
    let mut ids = Vec::new();
    loop {
        let records = page["records"].as_array().expect("records");
        assert!(records.len() <= 2000);
        ids.extend(
            records
                .iter()
                .filter_map(|record| record["Id"].as_str().map(str::to_owned)),
        );
        if page["done"] == true {
            break;
        }
        let next = page["nextRecordsUrl"].as_str().expect("a next page").to_owned();
        assert!(
            next.starts_with("/services/data/v62.0/query/01g") && next.ends_with("-2000"),
            "{next}"
        );
        page = org.get(&next).await.1;
    }
    assert!(total > 2000);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), total);
}

#[tokio::test]
async fn page_sizes_are_wishes() {
    let org = Org::start(large()).await;
    let sized = |soql: &'static str, wish: &'static str| {
        let request = org.request(Method::GET, "query").query(&[("q", soql)]);
        org.send(request.header("Sforce-Query-Options", wish))
    };
    let length = |answer: &(u16, Value)| answer.1["records"].as_array().map(Vec::len);
    assert_eq!(
        length(&sized("SELECT Id FROM Vehicle__c", "batchSize=500").await),
        Some(500)
    );
    assert_eq!(
        length(&sized("SELECT Id FROM Vehicle__c", "batchSize=1").await),
        Some(200)
    );
    assert_eq!(
        length(&sized("SELECT Id FROM Vehicle__c", "batchSize=9999").await),
        Some(2000)
    );
}

#[tokio::test]
async fn cursors_end_when_there_are_too_many_and_with_their_session() {
    let mut org = Org::start(large()).await;
    let mut first = String::new();
    for _ in 0..11 {
        let (_, page) = org.query("SELECT Id FROM Vehicle__c").await;
        let next = page["nextRecordsUrl"].as_str().expect("a next page").to_owned();
        if first.is_empty() {
            first = next;
        } else {
            assert_eq!(org.get(&next).await.0, 200);
        }
    }
    let (status, refusal) = org.get(&first).await;
    assert_eq!((status, code(&refusal)), (400, "INVALID_QUERY_LOCATOR"));
    let (_, page) = org.query("SELECT Id FROM Vehicle__c").await;
    let next = page["nextRecordsUrl"].as_str().expect("a next page").to_owned();
    org.login().await;
    assert_eq!(code(&org.get(&next).await.1), "INVALID_QUERY_LOCATOR");
    assert_eq!(
        code(&org.get("query/nonsense-1").await.1),
        "INVALID_QUERY_LOCATOR_FORMAT"
    );
}

#[tokio::test]
async fn parents_children_and_counts_have_their_shapes() {
    let org = Org::start(config()).await;
    let (_, count) = org.query("SELECT COUNT() FROM Depot__c").await;
    assert_eq!(count, json!({ "totalSize": 38, "done": true, "records": [] }));
    let (_, count) = org.query("SELECT COUNT(Id) FROM Depot__c").await;
    assert_eq!(
        count["records"],
        json!([{ "attributes": { "type": "AggregateResult" }, "expr0": 38 }])
    );
    let orphan = org.create("Vehicle__c", json!({ "Name": "Orphan" })).await;
    let soql = format!(
        "SELECT Depot__r.Name, (SELECT Id FROM Service_Visits__r), Owner.Name FROM Vehicle__c WHERE Id = '{orphan}'"
    );
    let record = &org.records(&soql).await[0];
    assert_eq!(
        (&record["Depot__r"], &record["Service_Visits__r"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(record["Owner"]["Name"], "Integration User");
    assert_eq!(
        record["attributes"]["url"],
        format!("/services/data/v62.0/sobjects/Vehicle__c/{orphan}")
    );
    let (_, counts) = org.get("limits/recordCount?sObjects=Depot__c,Account").await;
    assert_eq!(
        counts,
        json!({ "sObjects": [{ "count": 60, "name": "Account" }, { "count": 38, "name": "Depot__c" }] })
    );
}

#[tokio::test]
async fn refused_queries_are_arrays() {
    let org = Org::start(config()).await;
    for (soql, expected) in [
        ("SELECT Id FRM Vehicle__c", "MALFORMED_QUERY"),
        ("SELECT Nope__c FROM Vehicle__c", "INVALID_FIELD"),
        ("SELECT Id FROM Nope__c", "INVALID_TYPE"),
    ] {
        let (status, answer) = org.query(soql).await;
        assert_eq!((status, code(&answer)), (400, expected));
        assert!(
            answer[0]["message"]
                .as_str()
                .expect("text")
                .contains("ERROR at Row:1:Column:")
        );
    }
    assert_eq!(org.get("query").await.0, 400);
}

#[tokio::test]
async fn values_have_their_json_forms() {
    let org = Org::start(config()).await;
    let given = json!({
        "Name": "  trimmed  ", "Notes__c": "two\r\nlines", "Mileage__c": 12, "Price__c": 975_000,
        "Purchased_On__c": "2026-01-31", "Last_Service_At__c": "2026-01-31T11:20:30.999+01:00", "Active__c": "true",
        "Features__c": "Tow Bar;Navigation", "Daily_Start__c": "07:30:00", "Discount__c": 50,
        "Location__Latitude__s": 42.35663, "Location__Longitude__s": -71.11095, "Website__c": "",
    });
    let id = org.create("Vehicle__c", given).await;
    let record = org.get(&format!("sobjects/Vehicle__c/{id}")).await.1;
    let expected = json!({
        "Name": "trimmed", "Notes__c": "two\r\nlines", "Mileage__c": 12.0, "Price__c": 975_000.0,
        "Purchased_On__c": "2026-01-31", "Last_Service_At__c": "2026-01-31T10:20:30.000+0000", "Active__c": true,
        "Features__c": "Tow Bar;Navigation", "Daily_Start__c": "07:30:00.000Z", "Discount__c": 50.0,
        "Location__c": { "latitude": 42.35663, "longitude": -71.11095 }, "Website__c": null, "Fuel__c": null,
        "IsDeleted": false, "Label__c": "trimmed / ",
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&record[name], value, "{name}");
    }
    assert!(
        record["SystemModstamp"]
            .as_str()
            .expect("text")
            .ends_with(".000+0000")
    );
}
