//! Bulk API 2.0 ingest: rows in, a result for each.

use crate::support::{Org, code, config};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Runs a job over an upload; gives the job, the rows that went well and those that did not.
async fn ingest(org: &Org, job: Value, upload: &str) -> (Value, String, String) {
    let (status, made) = org.post("jobs/ingest", job).await;
    assert_eq!((status, &made["state"]), (200, &json!("Open")), "{made}");
    let path = format!("/{}", made["contentUrl"].as_str().expect("a URL"));
    let put = org
        .request(Method::PUT, &path)
        .header("Content-Type", "text/csv")
        .body(upload.to_owned());
    assert_eq!(org.send(put).await.0, 201);
    let path = format!("jobs/ingest/{}", made["id"].as_str().expect("an id"));
    assert_eq!(
        org.patch(&path, json!({ "state": "UploadComplete" })).await.0,
        200
    );
    let deadline = Instant::now() + Duration::from_secs(30);
    let job = loop {
        let (_, job) = org.get(&path).await;
        if matches!(job["state"].as_str(), Some("JobComplete" | "Failed")) {
            break job;
        }
        assert!(Instant::now() < deadline, "the job does not end: {job}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let text = |answer: (u16, Value)| answer.1.as_str().expect("CSV").to_owned();
    let good = text(org.get(&format!("{path}/successfulResults/")).await);
    let bad = text(org.get(&format!("{path}/failedResults/")).await);
    (job, good, bad)
}

#[tokio::test]
async fn rows_go_in_and_bad_ones_are_named() {
    let org = Org::start(config()).await;
    let upload =
        "Name,Score__c,Vehicle__r.External_Id__c\nfirst,5,VEH-00000001\n\"two\nlines\",,\nthird,7,nobody\n";
    let (job, good, bad) = ingest(
        &org,
        json!({ "object": "Inspection__c", "operation": "insert" }),
        upload,
    )
    .await;
    assert_eq!(
        (&job["numberRecordsProcessed"], &job["numberRecordsFailed"]),
        (&json!(3), &json!(2))
    );
    assert!(
        good.starts_with(
            "\"sf__Id\",\"sf__Created\",\"Name\",\"Score__c\",\"Vehicle__r.External_Id__c\"\n\"a03"
        ),
        "{good}"
    );
    assert!(
        bad.contains("REQUIRED_FIELD_MISSING:Required fields are missing: [Score__c]:Score__c --"),
        "{bad}"
    );
    assert!(bad.contains("Foreign key external ID: nobody not found"), "{bad}");
    assert_eq!(
        org.records("SELECT Id FROM Inspection__c WHERE Name = 'first' AND Vehicle__c != null")
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn the_other_operations_find_their_rows() {
    let org = Org::start(config()).await;
    let upsert = json!({ "object": "Depot__c", "operation": "upsert", "externalIdFieldName": "Code__c" });
    let (_, good, _) = ingest(
        &org,
        upsert,
        "Code__c,Name,Capacity__c\nD-000001,renamed,9\nIN-1,new,1\n",
    )
    .await;
    assert!(
        good.contains("\"false\",\"D-000001\"") && good.contains("\"true\",\"IN-1\""),
        "{good}"
    );
    let id = org
        .records("SELECT Id FROM Depot__c WHERE Code__c = 'IN-1'")
        .await[0]["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let update = json!({ "object": "Depot__c", "operation": "update" });
    ingest(&org, update, &format!("Id,Name,Capacity__c\n{id},,#N/A\n")).await;
    let (_, record) = org
        .get(&format!("sobjects/Depot__c/{id}?fields=Name,Capacity__c"))
        .await;
    assert_eq!(
        (&record["Name"], &record["Capacity__c"]),
        (&json!("new"), &Value::Null)
    );
    let delete = json!({ "object": "Depot__c", "operation": "hardDelete" });
    ingest(&org, delete, &format!("Id\n{id}\n")).await;
    assert_eq!(
        org.query_all(&format!("SELECT Id FROM Depot__c WHERE Id = '{id}'"))
            .await
            .1["totalSize"],
        0
    );
}

#[tokio::test]
async fn a_wrong_header_fails_the_job_and_transactions_are_of_200() {
    let org = Org::start(config()).await;
    let insert = json!({ "object": "Depot__c", "operation": "insert" });
    let (job, ..) = ingest(&org, insert.clone(), "Name,Nope__c\na,b\n").await;
    assert_eq!(
        (&job["state"], &job["errorMessage"]),
        (
            &json!("Failed"),
            &json!("InvalidBatch : Field name not found : Nope__c")
        )
    );
    let rows: String = (0..450).map(|row| format!("row {row}\n")).collect();
    let (job, good, _) = ingest(&org, insert, &format!("Name\n{rows}")).await;
    assert_eq!(
        (&job["numberRecordsProcessed"], good.lines().count()),
        (&json!(450), 451)
    );
    let (status, refusal) = org
        .post(
            "jobs/ingest",
            json!({ "object": "Nope__c", "operation": "insert" }),
        )
        .await;
    assert_eq!((status, code(&refusal)), (400, "INVALIDENTITY"));
}
