//! Bulk API 1.0 in the forms that older connectors use: XML and JSON jobs, CSV, JSON and XML batches.

use crate::support::{Org, config};
use landbridge_sandbox::SandboxConfig;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const JSON: &str = "application/json";
const XML: &str = "application/xml; charset=UTF-8";

/// An answer: status, content type, text.
struct Answer {
    status: u16,
    kind: String,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.kind, JSON, "{}", self.text);
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// The first element of a name.
    fn element(&self, name: &str) -> &str {
        let rest = self.text.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
        let found = rest.and_then(|rest| rest.split_once(&format!("</{name}>")));
        found.map(|(text, _)| text).unwrap_or_default()
    }
}

fn request(org: &Org, method: Method, path: &str, kind: &str) -> RequestBuilder {
    org.client
        .request(method, format!("{}/services/async/59.0/job{path}", org.base))
        .header("X-SFDC-Session", &org.token)
        .header("Content-Type", kind.to_owned())
}

async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let kind = response
        .headers()
        .get("content-type")
        .map(|kind| kind.to_str().expect("text").to_owned());
    Answer {
        status: response.status().as_u16(),
        kind: kind.unwrap_or_default(),
        text: response.text().await.expect("a body"),
    }
}

async fn get(org: &Org, path: &str, kind: &str) -> Answer {
    send(request(org, Method::GET, path, kind)).await
}

async fn post(org: &Org, path: &str, kind: &str, body: impl Into<String>) -> Answer {
    send(request(org, Method::POST, path, kind).body(body.into())).await
}

async fn json_job(org: &Org, body: Value) -> String {
    let answer = post(org, "", JSON, body.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let job = answer.json();
    assert_eq!(
        (&job["state"], &job["apiVersion"]),
        (&json!("Open"), &json!(59.0))
    );
    job["id"].as_str().expect("an id").to_owned()
}

/// Asks for a batch of a JSON job until it is over.
async fn json_batch(org: &Org, job: &str, body: impl Into<String>) -> (String, Value) {
    let made = post(org, &format!("/{job}/batch"), JSON, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let batch = get(org, &format!("/{job}/batch/{id}"), JSON).await.json();
        if !matches!(batch["state"].as_str(), Some("Queued" | "InProgress")) {
            return (id, batch);
        }
        assert!(Instant::now() < deadline, "the batch does not end: {batch}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until no batch of a CSV job queues or runs; gives the list.
async fn settled(org: &Org, job: &str) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list = get(org, &format!("/{job}/batch"), XML).await;
        assert_eq!(list.status, 200, "{}", list.text);
        if !list.text.contains(">Queued<") && !list.text.contains(">InProgress<") {
            return list;
        }
        assert!(Instant::now() < deadline, "batches do not end: {}", list.text);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn csv_job(operation: &str, object: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<jobInfo xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">\
         <operation>{operation}</operation><object>{object}</object><contentType>CSV</contentType></jobInfo>"
    )
}

#[tokio::test]
async fn a_csv_query_by_xml_jobs_gives_every_row() {
    let org = Org::start(SandboxConfig {
        bulk_page_rows: 40,
        ..config()
    })
    .await;
    let made = post(&org, "", XML, csv_job("queryAll", "Vehicle__c")).await;
    assert_eq!((made.status, made.kind.as_str()), (201, "application/xml"));
    assert_eq!(made.element("concurrencyMode"), "Parallel");
    let job = made.element("id").to_owned();
    let batch = post(
        &org,
        &format!("/{job}/batch"),
        "text/csv",
        "SELECT Id, Name, Depot__r.Name FROM Vehicle__c",
    )
    .await;
    assert_eq!((batch.status, batch.element("state")), (201, "Queued"));
    let id = batch.element("id").to_owned();
    let closed = post(&org, &format!("/{job}"), JSON, r#"{"state":"Closed"}"#).await;
    assert_eq!(closed.json()["state"], "Closed");
    settled(&org, &job).await;
    let over = get(&org, &format!("/{job}/batch/{id}"), JSON).await;
    assert_eq!(over.kind, "application/xml", "batches tell in their job's format");
    assert_eq!(over.element("state"), "Completed");
    let results = get(&org, &format!("/{job}/batch/{id}/result"), JSON).await;
    let ids: Vec<&str> = results
        .text
        .split("<result>")
        .skip(1)
        .filter_map(|part| part.split('<').next())
        .collect();
    assert!(ids.len() > 1, "large results come in parts: {}", results.text);
    let mut rows = 0;
    for result in ids {
        let page = get(&org, &format!("/{job}/batch/{id}/result/{result}"), "text/csv").await;
        assert_eq!(page.kind, "text/csv; charset=UTF-8");
        let mut reader = csv::Reader::from_reader(page.text.as_bytes());
        assert_eq!(
            reader.headers().expect("a header"),
            vec!["Id", "Name", "Depot__r.Name"]
        );
        rows += reader.records().filter(Result::is_ok).count();
    }
    let (_, count) = org.query_all("SELECT COUNT() FROM Vehicle__c").await;
    assert_eq!(
        (json!(rows), over.element("numberRecordsProcessed")),
        (
            count["totalSize"].clone(),
            count["totalSize"].to_string().as_str()
        )
    );
    let none = post(&org, "", XML, csv_job("query", "Vehicle__c"))
        .await
        .element("id")
        .to_owned();
    post(
        &org,
        &format!("/{none}/batch"),
        "text/csv",
        "SELECT Id FROM Vehicle__c WHERE Name = 'nobody'",
    )
    .await;
    let id = settled(&org, &none).await.element("id").to_owned();
    let result = get(&org, &format!("/{none}/batch/{id}/result"), XML)
        .await
        .element("result")
        .to_owned();
    let empty = get(&org, &format!("/{none}/batch/{id}/result/{result}"), XML).await;
    assert_eq!(empty.text, "Records not found for this query");
}

#[tokio::test]
async fn json_queries_give_moments_as_milliseconds_and_xml_ones_give_elements() {
    let org = Org::start(config()).await;
    let soql = "SELECT Id, CreatedDate, Depot__r.Name FROM Vehicle__c WHERE Depot__c != null LIMIT 3";
    let job = json_job(
        &org,
        json!({"operation": "query", "object": "Vehicle__c", "contentType": "JSON", "concurrencyMode": 0}),
    )
    .await;
    let (id, batch) = json_batch(&org, &job, soql).await;
    assert_eq!(
        (&batch["state"], &batch["numberRecordsProcessed"]),
        (&json!("Completed"), &json!(3))
    );
    let results = get(&org, &format!("/{job}/batch/{id}/result"), JSON).await.json();
    let result = results[0].as_str().expect("an id");
    let rows = get(&org, &format!("/{job}/batch/{id}/result/{result}"), JSON)
        .await
        .json();
    let first = &rows[0];
    assert_eq!(first["attributes"]["type"], "Vehicle__c");
    assert!(
        first["CreatedDate"]
            .as_i64()
            .is_some_and(|ms| ms > 1_600_000_000_000),
        "{first}"
    );
    assert!(first["Depot__r"]["Name"].is_string(), "{first}");

    let body = csv_job("query", "Vehicle__c").replace("CSV", "XML");
    let job = post(&org, "", XML, body).await.element("id").to_owned();
    post(&org, &format!("/{job}/batch"), XML, soql).await;
    let id = settled(&org, &job).await.element("id").to_owned();
    let result = get(&org, &format!("/{job}/batch/{id}/result"), XML)
        .await
        .element("result")
        .to_owned();
    let rows = get(&org, &format!("/{job}/batch/{id}/result/{result}"), XML).await;
    assert_eq!(rows.text.matches("<records xsi:type=\"sObject\">").count(), 3);
    assert!(rows.element("Depot__r").starts_with("<Name>"), "{}", rows.text);
}

#[tokio::test]
async fn a_timed_out_query_is_cut_by_id_when_the_header_asks() {
    let org = Org::start(config()).await;
    org.post(
        "/__sandbox/fail-bulk",
        json!({"times": 1, "message": "InvalidBatch : Failed to process query: QUERY_TIMEOUT"}),
    )
    .await;
    let plain = post(&org, "", XML, csv_job("query", "Vehicle__c"))
        .await
        .element("id")
        .to_owned();
    post(
        &org,
        &format!("/{plain}/batch"),
        "text/csv",
        "SELECT Id FROM Vehicle__c",
    )
    .await;
    let failed = settled(&org, &plain).await;
    assert_eq!(failed.element("state"), "Failed");
    assert!(failed.element("stateMessage").contains("QUERY_TIMEOUT"));

    let create = request(&org, Method::POST, "", JSON)
        .header(
            "Sforce-Enable-PKChunking",
            "true; chunkSize=50; parent=Vehicle__c",
        )
        .header("Sforce-Disable-Batch-Retry", "true")
        .body(json!({"operation": "query", "object": "Vehicle__c", "contentType": "CSV"}).to_string());
    let job = send(create).await.json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    post(
        &org,
        &format!("/{job}/batch"),
        "text/csv",
        "SELECT Id FROM Vehicle__c",
    )
    .await;
    let list = settled(&org, &job).await;
    let states: Vec<&str> = list
        .text
        .split("<state>")
        .skip(1)
        .filter_map(|part| part.split('<').next())
        .collect();
    assert_eq!(
        states[0], "NotProcessed",
        "the first batch is the one that was cut up"
    );
    assert!(
        states.len() > 2 && states[1..].iter().all(|state| *state == "Completed"),
        "{states:?}"
    );
    let counts = list
        .text
        .split("<numberRecordsProcessed>")
        .skip(1)
        .filter_map(|part| part.split('<').next()?.parse::<u64>().ok());
    let (_, count) = org.query("SELECT COUNT() FROM Vehicle__c").await;
    assert_eq!(json!(counts.sum::<u64>()), count["totalSize"]);
}

#[tokio::test]
async fn json_batches_insert_upsert_update_delete_and_tell_of_each_record() {
    let org = Org::start(config()).await;
    let run = async |operation: &str, rows: Value| {
        let key = (operation == "upsert").then_some("Code__c");
        let job = json_job(&org, json!({"operation": operation, "object": "Depot__c", "contentType": "JSON", "externalIdFieldName": key})).await;
        let (id, batch) = json_batch(&org, &job, rows.to_string()).await;
        assert_eq!(batch["state"], "Completed", "{batch}");
        let sent = get(&org, &format!("/{job}/batch/{id}/request"), JSON)
            .await
            .json();
        assert_eq!(sent, rows);
        get(&org, &format!("/{job}/batch/{id}/result"), JSON).await.json()
    };
    let created = run(
        "insert",
        json!([{"Name": "one", "Code__c": "V1-1"}, {"Name": "x".repeat(200)}]),
    )
    .await;
    assert_eq!(
        (&created[0]["success"], &created[0]["created"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(created[1]["errors"][0]["statusCode"], "STRING_TOO_LONG");
    let id = created[0]["id"].clone();
    let upserted = run(
        "upsert",
        json!([{"Code__c": "V1-1", "Capacity__c": 4}, {"Code__c": "V1-2", "Name": "two"}]),
    )
    .await;
    assert_eq!(
        (
            &upserted[0]["id"],
            &upserted[0]["created"],
            &upserted[1]["created"]
        ),
        (&id, &json!(false), &json!(true))
    );
    run(
        "update",
        json!([{"Id": id, "Capacity__c": null, "Name": "renamed"}]),
    )
    .await;
    let path = format!("sobjects/Depot__c/{}", id.as_str().expect("an id"));
    let (_, record) = org.get(&path).await;
    assert_eq!(
        (&record["Name"], &record["Capacity__c"]),
        (&json!("renamed"), &Value::Null)
    );
    run("delete", json!([{"Id": id}])).await;
    assert_eq!(org.get(&path).await.0, 404);
    run("hardDelete", json!([{"Id": upserted[1]["id"]}])).await;
    let (_, gone) = org
        .query_all("SELECT COUNT() FROM Depot__c WHERE Code__c = 'V1-2'")
        .await;
    assert_eq!(gone["totalSize"], 0);
}

#[tokio::test]
async fn csv_and_xml_batches_load_as_well() {
    let org = Org::start(config()).await;
    let job = post(&org, "", XML, csv_job("insert", "Depot__c"))
        .await
        .element("id")
        .to_owned();
    post(
        &org,
        &format!("/{job}/batch"),
        "text/csv",
        "Name,Capacity__c\nby csv,3\n,#N/A\n",
    )
    .await;
    let id = settled(&org, &job).await.element("id").to_owned();
    let result = get(&org, &format!("/{job}/batch/{id}/result"), XML).await;
    assert_eq!(result.kind, "text/csv");
    assert!(
        result
            .text
            .starts_with("\"Id\",\"Success\",\"Created\",\"Error\"\n\"a0"),
        "{}",
        result.text
    );
    let told = get(&org, &format!("/{job}"), XML).await;
    assert_eq!(
        (
            told.element("numberBatchesCompleted"),
            told.element("numberRecordsProcessed")
        ),
        ("1", "2")
    );

    let body = csv_job("insert", "Depot__c").replace("CSV", "XML");
    let job = post(&org, "", XML, body).await.element("id").to_owned();
    let rows = "<sObjects xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\"><sObject><Name>by &amp; xml</Name><Capacity__c>7</Capacity__c></sObject></sObjects>";
    post(&org, &format!("/{job}/batch"), XML, rows).await;
    let id = settled(&org, &job).await.element("id").to_owned();
    let result = get(&org, &format!("/{job}/batch/{id}/result"), XML).await;
    assert_eq!(
        (result.element("success"), result.element("created")),
        ("true", "true")
    );
    assert_eq!(
        org.records("SELECT Id FROM Depot__c WHERE Name = 'by & xml' AND Capacity__c = 7")
            .await
            .len(),
        1
    );
    let wrong = post(&org, "", XML, csv_job("insert", "Depot__c"))
        .await
        .element("id")
        .to_owned();
    post(&org, &format!("/{wrong}/batch"), "text/csv", "Nope__c\n1\n").await;
    let failed = settled(&org, &wrong).await;
    assert_eq!(
        (failed.element("state"), failed.element("stateMessage")),
        ("Failed", "InvalidBatch : Field name not found : Nope__c")
    );
}

#[tokio::test]
async fn refusals_have_a_form_of_their_own() {
    let mut org = Org::start(config()).await;
    let body = json!({"operation": "query", "object": "Nope__c", "contentType": "CSV"}).to_string();
    let refused = post(&org, "", JSON, body).await;
    assert_eq!(
        (refused.status, &refused.json()["exceptionCode"]),
        (400, &json!("InvalidJob"))
    );
    let refused = get(&org, "/750000000000000", JSON).await;
    assert_eq!(
        (refused.status, &refused.json()["exceptionCode"]),
        (400, &json!("InvalidJob"))
    );
    let job = post(&org, "", XML, csv_job("query", "Depot__c"))
        .await
        .element("id")
        .to_owned();
    let aborted = post(&org, &format!("/{job}"), JSON, r#"{"state":"Aborted"}"#).await;
    assert_eq!(aborted.json()["state"], "Aborted");
    let late = post(
        &org,
        &format!("/{job}/batch"),
        "text/csv",
        "SELECT Id FROM Depot__c",
    )
    .await;
    assert_eq!(
        (late.status, late.element("exceptionCode")),
        (400, "InvalidJobState")
    );
    let twice = post(&org, &format!("/{job}"), JSON, r#"{"state":"Closed"}"#).await;
    assert_eq!(twice.json()["exceptionCode"], "InvalidJobState");
    let (status, limits) = org.get("limits").await;
    assert_eq!(
        (status, &limits["DailyBulkApiBatches"]["Max"]),
        (200, &json!(15_000))
    );

    org.token = "wrong".to_owned();
    let ended = post(&org, "", XML, csv_job("query", "Depot__c")).await;
    assert_eq!(ended.status, 400);
    assert!(
        ended
            .text
            .contains("<exceptionCode>InvalidSessionId</exceptionCode>"),
        "{}",
        ended.text
    );
}

#[tokio::test]
async fn a_serial_job_runs_its_batches_one_after_the_other() {
    let org = Org::start(config()).await;
    let job = json_job(&org, json!({"operation": "upsert", "object": "Depot__c", "contentType": "JSON", "externalIdFieldName": "Code__c", "concurrencyMode": 1})).await;
    for turn in 0..5 {
        let rows = json!([{"Code__c": "SERIAL", "Name": format!("turn {turn}")}]);
        post(&org, &format!("/{job}/batch"), JSON, rows.to_string()).await;
    }
    let (_, last) = json_batch(
        &org,
        &job,
        json!([{"Code__c": "SERIAL", "Capacity__c": 1}]).to_string(),
    )
    .await;
    assert_eq!(last["state"], "Completed");
    let found = org
        .records("SELECT Name, Capacity__c FROM Depot__c WHERE Code__c = 'SERIAL'")
        .await;
    assert_eq!((found.len(), &found[0]["Name"]), (1, &json!("turn 4")));
}
