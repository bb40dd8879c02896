//! Bulk 2.0 against a scripted server: jobs, pages in parallel, pages that break off, positions to resume from.

use crate::fake::{Answer, Fake, answer};
use landbridge_salesforce::{
    Columns, Download, DownloadOptions, Job, Position, Room, SalesforceError, Scope, Verdict,
};

const JOB: &str = "750R0000000zlh9IAA";

fn job_body(state: &str, rows: u64) -> String {
    format!(
        r#"{{"id":"{JOB}","operation":"queryAll","object":"Car__c","state":"{state}","numberRecordsProcessed":{rows},
            "createdDate":"2026-01-31T10:20:30.000+0000","apiVersion":66.0}}"#
    )
}

fn job(rows: u64) -> Job {
    serde_json::from_str(&job_body("JobComplete", rows)).unwrap()
}

fn csv(ids: std::ops::Range<u32>) -> String {
    let mut page = "\"Id\",\"Name\"\n".to_owned();
    ids.for_each(|n| page.push_str(&format!("\"a{n:03}\",\"line\none {n}\"\n")));
    page
}

fn page(ids: std::ops::Range<u32>, next: &str) -> Answer {
    let count = ids.len();
    answer(200, csv(ids))
        .header("sforce-locator", next)
        .header("sforce-numberofrecords", count.to_string())
        .header("content-type", "text/csv")
}

fn results(locator: &str) -> String {
    format!("jobs/query/{JOB}/results{locator}")
}

fn list(locators: &[&str], next: Option<&str>) -> Answer {
    let urls: Vec<String> = locators
        .iter()
        .map(|locator| format!(r#"{{"resultUrl":"/services/data/v66.0/{}"}}"#, results(locator)))
        .collect();
    let more = next.map_or_else(
        || r#","nextRecordsUrl":null,"done":true"#.to_owned(),
        |next| format!(r#","nextRecordsUrl":"/services/data/v66.0/{next}","done":false"#),
    );
    answer(200, format!(r#"{{"resultPages":[{}]{more}}}"#, urls.join(",")))
}

fn columns() -> Columns {
    Columns::text(["Id", "Name"])
}

fn options(parallel: usize) -> DownloadOptions {
    DownloadOptions {
        room: Room {
            rows: 4,
            bytes: 1 << 20,
        },
        parallel,
        page_rows: 10,
    }
}

async fn ids(download: &mut Download) -> Result<Vec<String>, SalesforceError> {
    let mut ids = vec![];
    while let Some(chunk) = download.next().await? {
        assert!(chunk.rows.rows() <= 4);
        ids.extend(chunk.rows.at(0).iter().map(|id| id.unwrap().to_owned()));
        assert_eq!(chunk.position.rows, ids.len() as u64);
    }
    Ok(ids)
}

fn expected(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("a{n:03}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_is_watched_until_its_rows_are_there() {
    let fake = Fake::start().await;
    fake.on("jobs/query", answer(200, job_body("UploadComplete", 0)));
    for state in ["UploadComplete", "InProgress", "JobComplete"] {
        fake.on(&format!("jobs/query/{JOB}"), answer(200, job_body(state, 7)));
    }
    let client = fake.client();
    let job = client
        .create_job(Scope::WithDeleted, "SELECT Id FROM Car__c")
        .await
        .unwrap();
    let job = client.wait_for_job(&job.id, |_| {}).await.unwrap();
    assert_eq!(job.number_records_processed, 7);
    assert_eq!(job.created_date.to_string(), "2026-01-31T10:20:30Z");
    let asked = fake.asked();
    assert!(asked[0].body.contains(r#""operation":"queryAll""#));
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn trap_09_pages_are_fetched_ahead_and_handed_on_in_order() {
    let fake = Fake::start().await;
    let more = format!("jobs/query/{JOB}/resultpages?locator=more");
    fake.on(
        &format!("jobs/query/{JOB}/resultPages"),
        list(&["?locator=first", "?locator=B", "?locator=C"], Some(&more)),
    );
    fake.on(&more, list(&["?locator=D"], None));
    fake.on(&results(""), page(0..10, "B"));
    fake.on(&results("?locator=B"), page(10..20, "C"));
    fake.on(&results("?locator=C"), page(20..30, "D"));
    fake.on(&results("?locator=D"), page(30..33, "null"));
    let mut download = fake
        .client()
        .download(job(33), columns(), Position::default(), options(3));
    assert_eq!(ids(&mut download).await.unwrap(), expected(0..33));
    assert!(download.position().finished);
    assert_eq!(fake.asked().len(), 6, "{:?}", fake.asked_paths());
}

#[tokio::test]
async fn without_a_list_pages_follow_their_locators() {
    let fake = Fake::start().await;
    fake.on(&results("?maxRecords=10"), page(0..10, "B"));
    fake.on(&results("?maxRecords=10&locator=B"), page(10..13, "null"));
    let mut download = fake
        .client()
        .download(job(13), columns(), Position::default(), options(3));
    assert_eq!(ids(&mut download).await.unwrap(), expected(0..13));
}

#[tokio::test]
async fn a_list_that_is_wrong_is_dropped() {
    let fake = Fake::start().await;
    fake.on(
        &format!("jobs/query/{JOB}/resultPages"),
        list(&["", "?locator=X"], None),
    );
    fake.on(&results(""), page(0..10, "B"));
    fake.on(&results("?locator=X"), page(90..99, "null"));
    fake.on(&results("?maxRecords=10&locator=B"), page(10..13, "null"));
    let mut download = fake
        .client()
        .download(job(13), columns(), Position::default(), options(2));
    assert_eq!(ids(&mut download).await.unwrap(), expected(0..13));
}

#[tokio::test]
async fn a_page_that_breaks_off_is_continued_where_it_broke() {
    let fake = Fake::start().await;
    let whole = csv(0..10);
    let half = &whole[..whole.find("\"a007\"").unwrap() + 3];
    fake.on(&results("?maxRecords=10"), answer(200, half).broken());
    // The bytes are whole, the rows are not: only the announced count tells.
    fake.on(
        &results("?maxRecords=10"),
        page(0..9, "null").header("sforce-numberofrecords", "10"),
    );
    fake.on(&results("?maxRecords=10"), page(0..10, "null"));
    let mut download = fake
        .client()
        .download(job(10), columns(), Position::default(), options(1));
    assert_eq!(ids(&mut download).await.unwrap(), expected(0..10));
    assert_eq!(fake.asked().len(), 3);
}

#[tokio::test]
async fn a_position_is_resumed_even_when_pages_are_cut_differently() {
    let fake = Fake::start().await;
    fake.on(&results("?maxRecords=10&locator=B"), page(10..15, "C"));
    fake.on(&results("?maxRecords=10&locator=C"), page(15..20, "null"));
    let position = Position {
        locator: Some("B".into()),
        rows_in_page: 7,
        rows: 17,
        finished: false,
    };
    let mut download = fake.client().download(job(20), columns(), position, options(1));
    let mut read = vec![];
    while let Some(chunk) = download.next().await.unwrap() {
        read.extend(chunk.rows.at(0).iter().map(|id| id.unwrap().to_owned()));
    }
    assert_eq!(read, expected(17..20));
    assert_eq!(download.position().rows, 20);
}

#[tokio::test]
async fn trap_09_rows_that_never_arrive_are_noticed() {
    let fake = Fake::start().await;
    fake.on(&results("?maxRecords=10"), page(0..10, "null"));
    let mut download = fake
        .client()
        .download(job(12), columns(), Position::default(), options(1));
    let error = ids(&mut download).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("bulk job {JOB} announced 12 rows and delivered 10")
    );
}

#[tokio::test]
async fn a_job_without_rows_ends_at_once() {
    for body in ["", "\"Id\",\"Name\"\n"] {
        let fake = Fake::start().await;
        fake.on(&results("?maxRecords=10"), answer(200, body));
        let mut download = fake
            .client()
            .download(job(0), columns(), Position::default(), options(1));
        assert_eq!(ids(&mut download).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn trap_12_results_that_have_expired_say_so() {
    let fake = Fake::start().await;
    let mut download = fake
        .client()
        .download(job(5), columns(), Position::default(), options(2));
    assert_eq!(ids(&mut download).await.unwrap_err().verdict(), Verdict::Gone);
    fake.client().abort_job(JOB).await.unwrap();
    fake.client().delete_job(JOB).await.unwrap();
}
