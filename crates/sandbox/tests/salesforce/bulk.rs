//! Bulk API 2.0 queries: states, pages, refusals, the form of the CSV.

use crate::support::{Org, VERSION, code, config};
use landbridge_sandbox::SandboxConfig;
use reqwest::{Method, header};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// A page: rows as lists of cells, the next locator, the number that the header tells.
struct Page {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    locator: String,
    told: usize,
}

async fn page(org: &Org, job: &Value, rest: &str) -> Page {
    let id = job["id"].as_str().expect("an id");
    let path = if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("jobs/query/{id}/results{rest}")
    };
    let response = org.request(Method::GET, &path).send().await.expect("an answer");
    assert_eq!(response.status(), 200, "{path}");
    let head = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
    let (locator, told) = (
        head("Sforce-Locator"),
        head("Sforce-NumberOfRecords").parse().expect("a number"),
    );
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/csv");
    let text = response.text().await.expect("a body");
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let header = reader
        .headers()
        .expect("a header")
        .iter()
        .map(str::to_owned)
        .collect();
    let rows = reader
        .records()
        .map(|row| row.expect("a row").iter().map(str::to_owned).collect())
        .collect();
    Page {
        header,
        rows,
        locator,
        told,
    }
}

async fn all_rows(org: &Org, job: &Value, size: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut rest = format!("?maxRecords={size}");
    loop {
        let page = page(org, job, &rest).await;
        assert_eq!(page.rows.len(), page.told);
        rows.extend(page.rows);
        if page.locator == "null" {
            return rows;
        }
        rest = format!("?maxRecords={size}&locator={}", page.locator);
    }
}

#[tokio::test]
async fn a_job_goes_through_its_states() {
    let org = Org::start(SandboxConfig {
        bulk_queue_delay: Duration::from_millis(600),
        ..config()
    })
    .await;
    let body = json!({ "operation": "query", "query": "SELECT Id FROM Depot__c" });
    let (_, made) = org.post("jobs/query", body).await;
    assert_eq!(
        (&made["state"], &made["object"], &made["apiVersion"]),
        (&json!("UploadComplete"), &json!("Depot__c"), &json!(62.0))
    );
    assert!(
        made.get("numberRecordsProcessed").is_none()
            && made["id"].as_str().expect("an id").starts_with("750")
    );
    let id = made["id"].as_str().expect("an id").to_owned();
    let (status, refusal) = org.get(&format!("jobs/query/{id}/results")).await;
    assert_eq!(status, 400);
    assert!(
        refusal[0]["message"]
            .as_str()
            .expect("text")
            .contains("Current status: "),
        "{refusal}"
    );
    let (status, refusal) = org.delete(&format!("jobs/query/{id}")).await;
    assert_eq!((status, code(&refusal)), (400, "API_ERROR"));
    let mut states = BTreeSet::new();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        assert!(
            std::time::Instant::now() < deadline,
            "the job never ended: {states:?}"
        );
        let (_, job) = org.get(&format!("jobs/query/{id}")).await;
        let state = job["state"].as_str().expect("a state").to_owned();
        let done = state == "JobComplete";
        states.insert(state);
        if done {
            assert_eq!(
                (&job["numberRecordsProcessed"], &job["jobType"]),
                (&json!(38), &json!("V2Query"))
            );
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(states.contains("InProgress"), "{states:?}");
    let (status, refusal) = org
        .patch(&format!("jobs/query/{id}"), json!({ "state": "Aborted" }))
        .await;
    assert_eq!((status, code(&refusal)), (400, "INVALIDJOBSTATE"));
    let other = format!("/services/data/v61.0/jobs/query/{id}/results");
    assert_eq!(org.get(&other).await.0, 409);
    assert_eq!(org.delete(&format!("jobs/query/{id}")).await.0, 204);
    assert_eq!(org.get(&format!("jobs/query/{id}")).await.0, 404);
    assert_eq!(
        org.get(&format!("/services/data/{VERSION}/jobs/query//{id}"))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_job_can_be_aborted() {
    let org = Org::start(SandboxConfig {
        bulk_queue_delay: Duration::from_secs(60),
        ..config()
    })
    .await;
    let (_, made) = org
        .post(
            "jobs/query",
            json!({ "operation": "query", "query": "SELECT Id FROM Depot__c" }),
        )
        .await;
    let path = format!("jobs/query/{}", made["id"].as_str().expect("an id"));
    let (status, job) = org.patch(&path, json!({ "state": "Aborted" })).await;
    assert_eq!((status, &job["state"]), (200, &json!("Aborted")));
    assert_eq!(org.get(&format!("{path}/results")).await.0, 400);
    assert_eq!(org.delete(&path).await.0, 204);
}

#[tokio::test]
async fn pages_cover_everything_once_and_stay_fetchable() {
    let org = Org::start(SandboxConfig {
        records: Some(12_000),
        bulk_page_rows: 900,
        ..config()
    })
    .await;
    let job = org
        .bulk("query", "SELECT Id, SystemModstamp FROM Service_Visit__c")
        .await;
    let total = job["numberRecordsProcessed"].as_u64().expect("a number") as usize;
    let rows = all_rows(&org, &job, 700).await;
    let ids: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!((rows.len(), ids.len()), (total, total));
    assert!(
        !rows.is_sorted_by_key(|row| row[1].clone()),
        "rows must not come by stamp"
    );
    assert!(
        !rows.is_sorted_by_key(|row| row[0].clone()),
        "rows must not come by id"
    );
    // A page is smaller than asked for, and the same again.
    let first = page(&org, &job, "?maxRecords=50000").await;
    assert_eq!(first.told, 900);
    let second = format!("?maxRecords=50000&locator={}", first.locator);
    assert_eq!(
        page(&org, &job, &second).await.rows,
        page(&org, &job, &second).await.rows
    );
    assert_eq!(
        org.get(&format!(
            "jobs/query/{}/results?locator=bm9wZQ",
            job["id"].as_str().expect("an id")
        ))
        .await
        .0,
        400
    );
}

#[tokio::test]
async fn result_pages_lead_to_all_rows() {
    let org = Org::start(SandboxConfig {
        records: Some(12_000),
        bulk_page_rows: 900,
        ..config()
    })
    .await;
    let job = org.bulk("query", "SELECT Id FROM Service_Visit__c").await;
    let mut next = format!("jobs/query/{}/resultPages", job["id"].as_str().expect("an id"));
    let (mut ids, mut urls) = (BTreeSet::new(), 0);
    loop {
        let (_, answer) = org.get(&next).await;
        let pages = answer["resultPages"].as_array().expect("pages");
        assert!(pages.len() <= 5);
        for one in pages {
            let url = one["resultUrl"].as_str().expect("a URL");
            ids.extend(
                page(&org, &job, url)
                    .await
                    .rows
                    .into_iter()
                    .map(|row| row[0].clone()),
            );
            urls += 1;
        }
        if answer["done"] == true {
            break;
        }
        next = answer["nextRecordsUrl"].as_str().expect("more").to_owned();
        assert!(next.contains("/resultpages?locator="), "{next}");
    }
    assert_eq!(
        ids.len() as u64,
        job["numberRecordsProcessed"].as_u64().expect("a number")
    );
    assert!(urls > 5);
}

#[tokio::test]
async fn cells_have_their_csv_forms() {
    let org = Org::start(config()).await;
    let depot = org
        .create("Depot__c", json!({ "Name": "Depot \"7\", north" }))
        .await;
    let given = json!({
        "Name": "a,b", "Notes__c": "say \"hi\"\r\nand\nleave", "Mileage__c": 12, "Active__c": true, "Depot__c": depot,
        "Last_Service_At__c": "2026-01-31T10:20:30Z", "Daily_Start__c": "07:30:00", "Location__Latitude__s": 42.5,
        "Purchased_On__c": "2026-01-31",
    });
    let id = org.create("Vehicle__c", given).await;
    let soql = format!(
        "SELECT id, NAME, Notes__c, Mileage__c, Active__c, depot__r.Name, Label__c, Last_Service_At__c, Daily_Start__c, Location__Latitude__s, Location__Longitude__s, Purchased_On__c, IsDeleted FROM vehicle__c WHERE Id = '{id}'"
    );
    let job = org.bulk("queryAll", &soql).await;
    let page = page(&org, &job, "").await;
    assert_eq!(page.header[..2], ["id", "NAME"]);
    assert_eq!(page.header[5], "depot__r.Name");
    assert_eq!(
        page.rows[0],
        [
            &id,
            "a,b",
            "say \"hi\"\r\nand\nleave",
            "12.0",
            "true",
            "Depot \"7\", north",
            "a,b / Depot \"7\", north",
            "2026-01-31T10:20:30.000Z",
            "07:30:00.000Z",
            "42.5",
            "",
            "2026-01-31",
            "false"
        ]
    );
    let raw = org.request(
        Method::GET,
        &format!("jobs/query/{}/results", job["id"].as_str().expect("an id")),
    );
    let text = raw.send().await.expect("an answer").text().await.expect("a body");
    assert!(text.starts_with("\"id\",\"NAME\",\"Notes__c\""));
    assert!(text.contains("\"say \"\"hi\"\"\r\nand\nleave\""));
}

#[tokio::test]
async fn empty_results_are_a_header_and_deleted_rows_need_query_all() {
    let org = Org::start(config()).await;
    let id = org.create("Depot__c", json!({ "Name": "gone" })).await;
    org.delete(&format!("sobjects/Depot__c/{id}")).await;
    let soql = format!("SELECT Id, IsDeleted FROM Depot__c WHERE Id = '{id}'");
    let job = org.bulk("query", &soql).await;
    let none = page(&org, &job, "").await;
    assert_eq!(
        (none.header.len(), none.rows.len(), none.locator.as_str()),
        (2, 0, "null")
    );
    let job = org.bulk("queryAll", &soql).await;
    assert_eq!(page(&org, &job, "").await.rows, [[id, "true".to_owned()]]);
}

#[tokio::test]
async fn rows_are_read_when_the_job_runs() {
    let org = Org::start(SandboxConfig {
        bulk_queue_delay: Duration::from_millis(800),
        ..config()
    })
    .await;
    let (_, made) = org
        .post(
            "jobs/query",
            json!({ "operation": "query", "query": "SELECT Id, Name FROM Depot__c" }),
        )
        .await;
    let late = org
        .create("Depot__c", json!({ "Name": "after the job was made" }))
        .await;
    let job = org.finish(made["id"].as_str().expect("an id")).await;
    let before = all_rows(&org, &job, 1000).await;
    assert!(before.iter().any(|row| row[0] == late));
    org.patch(
        &format!("sobjects/Depot__c/{late}"),
        json!({ "Name": "later still" }),
    )
    .await;
    assert_eq!(all_rows(&org, &job, 1000).await, before);
}

#[tokio::test]
async fn what_bulk_cannot_do_is_refused() {
    let org = Org::start(config()).await;
    for (soql, expected) in [
        (
            "SELECT Id, Location__c FROM Vehicle__c",
            "FUNCTIONALITY_NOT_ENABLED",
        ),
        ("SELECT COUNT() FROM Vehicle__c", "API_ERROR"),
        (
            "SELECT Fuel__c, COUNT(Id) FROM Vehicle__c GROUP BY Fuel__c",
            "API_ERROR",
        ),
        (
            "SELECT Id, (SELECT Id FROM Service_Visits__r) FROM Vehicle__c",
            "API_ERROR",
        ),
        ("SELECT Id FROM Vehicle__c LIMIT 5 OFFSET 5", "API_ERROR"),
        (
            "SELECT FIELDS(ALL) FROM Vehicle__c LIMIT 5",
            "FUNCTIONALITY_NOT_ENABLED",
        ),
        ("SELECT Nope__c FROM Vehicle__c", "INVALID_FIELD"),
        ("SELECT FROM Vehicle__c", "MALFORMED_QUERY"),
    ] {
        let (status, answer) = org
            .post("jobs/query", json!({ "operation": "query", "query": soql }))
            .await;
        assert_eq!((status, code(&answer)), (400, expected), "{soql}: {answer}");
    }
    let (status, _) = org
        .post(
            "jobs/query",
            json!({ "operation": "insert", "query": "SELECT Id FROM Depot__c" }),
        )
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn order_and_limit_are_kept_and_dialects_served() {
    let org = Org::start(config()).await;
    let job = org
        .bulk(
            "query",
            "SELECT Id, Price__c FROM Vehicle__c WHERE Price__c != null ORDER BY Price__c DESC LIMIT 20",
        )
        .await;
    assert_eq!(job["isPkChunkingSupported"], false);
    let prices: Vec<f64> = all_rows(&org, &job, 1000)
        .await
        .iter()
        .map(|row| row[1].parse().expect("a number"))
        .collect();
    assert!(prices.len() == 20 && prices.is_sorted_by(|a, b| a >= b));
    let body = json!({ "operation": "query", "query": "SELECT Id, Name FROM Depot__c LIMIT 1", "columnDelimiter": "PIPE", "lineEnding": "CRLF" });
    let (_, made) = org.post("jobs/query", body).await;
    let job = org.finish(made["id"].as_str().expect("an id")).await;
    let raw = org.request(
        Method::GET,
        &format!("jobs/query/{}/results", job["id"].as_str().expect("an id")),
    );
    let text = raw.send().await.expect("an answer").text().await.expect("a body");
    assert!(text.starts_with("\"Id\"|\"Name\"\r\n"), "{text}");
}

#[tokio::test]
async fn results_come_compressed_to_whoever_takes_that() {
    let org = Org::start(config()).await;
    let job = org.bulk("query", "SELECT Id, Name FROM Vehicle__c").await;
    let url = format!(
        "{}/services/data/{VERSION}/jobs/query/{}/results",
        org.base,
        job["id"].as_str().expect("an id")
    );
    let plain = reqwest::Client::builder()
        .no_proxy()
        .gzip(false)
        .build()
        .expect("a client");
    let asked = plain
        .get(url)
        .bearer_auth(&org.token)
        .header(header::ACCEPT_ENCODING, "gzip");
    let response = asked.send().await.expect("an answer");
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    assert!(response.bytes().await.expect("a body").starts_with(&[0x1f, 0x8b]));
}

#[tokio::test]
async fn jobs_fail_on_request_with_and_without_a_reason() {
    let org = Org::start(config()).await;
    org.post(
        "/__sandbox/fail-bulk",
        json!({ "times": 1, "message": "QUERY_TIMEOUT: too long" }),
    )
    .await;
    let job = org.bulk("query", "SELECT Id FROM Depot__c").await;
    assert_eq!(
        (&job["state"], &job["errorMessage"]),
        (&json!("Failed"), &json!("QUERY_TIMEOUT: too long"))
    );
    org.post("/__sandbox/fail-bulk", json!({ "times": 1 })).await;
    let job = org.bulk("query", "SELECT Id FROM Depot__c").await;
    assert_eq!((&job["state"], job.get("errorMessage")), (&json!("Failed"), None));
    assert_eq!(
        org.bulk("query", "SELECT Id FROM Depot__c").await["state"],
        "JobComplete"
    );
}
