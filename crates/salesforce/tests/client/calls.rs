//! The client against a scripted server: sessions, retries, limits, and each REST call's shape.

use crate::fake::{Fake, answer};
use landbridge_model::SalesforceId;
use landbridge_salesforce::{Columns, Family, SalesforceError, Scope, TextForm, Verdict};

const EXPIRED: &str = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
const COUNT: &str = "query?q=SELECT+COUNT%28%29+FROM+Car__c";
const THREE: &str = r#"{"totalSize":3,"done":true,"records":[]}"#;

#[tokio::test]
async fn an_expired_session_is_renewed_once_for_all_who_noticed() {
    let fake = Fake::start().await;
    for _ in 0..4 {
        fake.on(COUNT, answer(401, EXPIRED));
    }
    fake.on(COUNT, answer(200, THREE));
    let client = fake.client();
    client.session().await.unwrap();
    let one = || client.count(Scope::Live, "Car__c", None);
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    for count in [a, b, c, d] {
        assert_eq!(count.unwrap(), 3);
    }
    assert_eq!(fake.sign_ins(), 2, "four callers noticed, one renewed");
    let last = fake.asked().pop().unwrap();
    assert_eq!(last.headers["authorization"], "Bearer token-2");
    assert_eq!(last.headers["sforce-call-options"], "client=landbridge");
}

#[tokio::test]
async fn a_session_that_stays_refused_ends_the_call() {
    let fake = Fake::start().await;
    fake.on(COUNT, answer(401, EXPIRED));
    let error = fake
        .client()
        .count(Scope::Live, "Car__c", None)
        .await
        .unwrap_err();
    assert_eq!(error.verdict(), Verdict::Refresh);
    assert_eq!(fake.sign_ins(), 2);
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn trap_20_transient_refusals_are_tried_again_and_lasting_ones_are_not() {
    let fake = Fake::start().await;
    fake.on(COUNT, answer(503, "<html><h1>down</h1></html>"));
    fake.on(COUNT, answer(406, ""));
    fake.on(COUNT, answer(200, THREE));
    assert_eq!(fake.client().count(Scope::Live, "Car__c", None).await.unwrap(), 3);
    assert_eq!(fake.asked().len(), 3);

    let fake = Fake::start().await;
    fake.on(
        COUNT,
        answer(
            400,
            r#"[{"errorCode":"INVALID_TYPE","message":"sObject type is not supported."}]"#,
        ),
    );
    let error = fake
        .client()
        .count(Scope::Live, "Car__c", None)
        .await
        .unwrap_err();
    assert_eq!(error.verdict(), Verdict::SchemaChanged);
    assert_eq!(fake.asked().len(), 1);
    assert_eq!(
        error.to_string(),
        "Salesforce refused a count: 400 INVALID_TYPE: sObject type is not supported."
    );
}

#[tokio::test]
async fn a_used_up_day_stops_further_calls() {
    let fake = Fake::start().await;
    let body = r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#;
    fake.on(
        COUNT,
        answer(403, body).header("sforce-limit-info", "api-usage=100/100"),
    );
    let client = fake.client();
    let first = client.count(Scope::Live, "Car__c", None).await.unwrap_err();
    assert_eq!(first.verdict(), Verdict::WaitForWindow);
    let second = client.count(Scope::Live, "Car__c", None).await.unwrap_err();
    assert!(
        matches!(
            second,
            SalesforceError::Budget {
                used: 100,
                allowed: 95
            }
        ),
        "{second}"
    );
    assert_eq!(fake.asked().len(), 1, "Salesforce was not asked again");
    assert_eq!(client.calls().of(Family::Query), 1);
    assert_eq!(client.calls().of(Family::SignIn), 1);
}

#[tokio::test]
async fn the_org_clock_is_the_answers_date() {
    let fake = Fake::start().await;
    fake.on(
        COUNT,
        answer(200, THREE).header("date", "Mon, 23 Nov 2020 20:54:52 GMT"),
    );
    let client = fake.client();
    client.count(Scope::Live, "Car__c", None).await.unwrap();
    assert!(
        client
            .clock()
            .now()
            .unwrap()
            .to_string()
            .starts_with("2020-11-23T20:5")
    );
}

/// A proxy that answers in Salesforce's place has its own clock: were it taken for the org's, windows would end where
/// nothing has happened yet, and what happens there would be read by none.
#[tokio::test]
async fn the_date_of_a_refusal_is_not_taken_for_the_orgs() {
    let fake = Fake::start().await;
    let ahead = "Mon, 23 Nov 2099 20:54:52 GMT";
    for (status, body) in [(403, "<html>not through here</html>"), (400, "[]")] {
        fake.on(COUNT, answer(status, body).header("date", ahead));
        let client = fake.client();
        client.count(Scope::Live, "Car__c", None).await.unwrap_err();
        let now = client.clock().now().unwrap().to_string();
        assert!(!now.starts_with("2099"), "{status}: {now}");
    }
}

#[tokio::test]
async fn queries_page_by_the_servers_address() {
    let fake = Fake::start().await;
    let page = |rest: &str, id: &str| {
        format!(
            r#"{{"totalSize":2,{rest},"records":[{{"attributes":{{"type":"Car__c"}},"Id":"{id}","Price__c":4.0}}]}}"#
        )
    };
    let next = "/services/data/v66.0/query/01gRO0000016PIAYA2-1";
    fake.on(
        "queryAll?q=SELECT+Id%2C+Price__c+FROM+Car__c",
        answer(
            200,
            page(&format!(r#""done":false,"nextRecordsUrl":"{next}""#), "a01"),
        ),
    );
    fake.on(next, answer(200, page(r#""done":true"#, "a02")));
    let client = fake.client();
    let columns = Columns::new([("Id", TextForm::Text), ("Price__c", TextForm::Number)]);
    let soql = landbridge_salesforce::soql::select("Car__c", &columns, None);
    let first = client.query(Scope::WithDeleted, &soql, &columns).await.unwrap();
    let second = client
        .query_next(first.next.as_deref().unwrap(), &columns)
        .await
        .unwrap();
    assert_eq!(first.rows.at(0).get(0), Some("a01"));
    assert_eq!(
        (second.rows.at(0).get(0), second.rows.at(1).get(0)),
        (Some("a02"), Some("4"))
    );
    assert_eq!(second.next, None);

    let wide = Columns::text((0..900).map(|n| format!("Some_Field_With_A_Long_Name_{n}__c")));
    let soql = landbridge_salesforce::soql::select("Car__c", &wide, None);
    let error = client.query(Scope::Live, &soql, &wide).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Shrink);
}

#[tokio::test]
async fn records_by_id_keep_their_places() {
    let fake = Fake::start().await;
    fake.on(
        "composite/sobjects/Car__c",
        answer(200, r#"[{"Id":"a00Hs000001ABCdIAO"},null,{"Id":"x"}]"#),
    );
    let ids: Vec<SalesforceId> = ["a00Hs000001ABCd", "a00Hs000001ABCe", "a00Hs000001ABCf"]
        .iter()
        .map(|id| SalesforceId::parse(id).unwrap())
        .collect();
    let retrieved = fake
        .client()
        .retrieve("Car__c", &ids, &Columns::text(["Id"]))
        .await
        .unwrap();
    assert_eq!((retrieved.places, retrieved.missing), (vec![0, 2], vec![1]));
    let asked = fake.asked().pop().unwrap();
    assert!(asked.body.contains(r#""fields":["Id"]"#) && asked.body.contains("a00Hs000001ABCdIAO"));
}

#[tokio::test]
async fn an_unchanged_describe_is_not_read_again() {
    let fake = Fake::start().await;
    let describe = r#"{"name":"Car__c","label":"Car","custom":true,"queryable":true,"keyPrefix":"a00","fields":[
        {"name":"Id","label":"Record ID","type":"id","length":18},
        {"name":"Price__c","label":"Price","type":"currency","precision":18,"scale":2,"calculatedFormula":null}]}"#;
    fake.on("sobjects/Car__c/describe/", answer(200, describe));
    fake.on("sobjects/Car__c/describe/", answer(304, ""));
    let client = fake.client();
    let object = client.describe("Car__c").await.unwrap();
    assert_eq!(
        landbridge_salesforce::describe::text_form(&object.fields[1]),
        TextForm::Number
    );
    let since = "2026-01-31T10:20:30Z".parse().unwrap();
    assert!(
        client
            .describe_if_changed("Car__c", since)
            .await
            .unwrap()
            .is_none()
    );
    let asked = fake.asked().pop().unwrap();
    assert_eq!(
        asked.headers["if-modified-since"],
        "Sat, 31 Jan 2026 10:20:30 GMT"
    );
}

#[tokio::test]
async fn updated_and_deleted_are_asked_in_the_documented_form() {
    let fake = Fake::start().await;
    let query = "start=2026-01-01T00%3A00%3A00%2B00%3A00&end=2026-01-02T00%3A00%3A00%2B00%3A00";
    fake.on(
        &format!("sobjects/Car__c/updated/?{query}"),
        answer(
            200,
            r#"{"ids":["a00Hs000001ABCdIAO"],"latestDateCovered":"2026-01-01T21:20:00.000+0000"}"#,
        ),
    );
    let (start, end) = (
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "2026-01-02T00:00:00Z".parse().unwrap(),
    );
    let updated = fake.client().updated("Car__c", start, end).await.unwrap();
    assert_eq!(updated.ids.len(), 1);
    assert_eq!(updated.covered_until.to_string(), "2026-01-01T21:20:00Z");
}

#[tokio::test]
async fn a_create_that_may_have_happened_is_not_sent_twice() {
    let fake = Fake::start().await;
    fake.on(
        "sobjects/Car__c",
        answer(500, r#"[{"errorCode":"UNKNOWN_EXCEPTION","message":"?"}]"#),
    );
    let values = serde_json::Map::from_iter([("Name".to_owned(), "x".into())]);
    assert!(fake.client().create("Car__c", values.clone()).await.is_err());
    assert_eq!(fake.asked().len(), 1);

    let fake = Fake::start().await;
    fake.on("sobjects/Car__c", answer(503, "").header("retry-after", "0"));
    fake.on(
        "sobjects/Car__c",
        answer(201, r#"{"id":"a00Hs000001ABCdIAO","success":true,"errors":[]}"#),
    );
    assert!(fake.client().create("Car__c", values).await.is_ok());
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn an_allocation_of_bulk_jobs_that_is_spent_leaves_all_other_calls_free() {
    let fake = Fake::start().await;
    let spent = r#"[{"errorCode":"LIMIT_EXCEEDED","message":"Max bulk v2 query jobs (10000) per 24 hrs has been reached"}]"#;
    fake.on("jobs/query", answer(400, spent));
    fake.on(COUNT, answer(200, THREE));
    let client = fake.client();
    let error = client
        .create_job(Scope::Live, "SELECT Id FROM Car__c")
        .await
        .unwrap_err();
    assert_eq!(error.verdict(), Verdict::WaitForWindow);
    assert!(!error.is_day_spent());
    assert_eq!(client.governor().pressure(), 0.0);
    assert_eq!(client.count(Scope::Live, "Car__c", None).await.unwrap(), 3);

    let fake = Fake::start().await;
    let spent = r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#;
    fake.on(COUNT, answer(403, spent));
    let client = fake.client();
    let error = client.count(Scope::Live, "Car__c", None).await.unwrap_err();
    assert!(error.is_day_spent());
    assert!(client.governor().pressure() >= 1.0);
}

/// Proxies and maintenance pages answer with 200 as well.
#[tokio::test]
async fn a_page_in_the_place_of_json_passes_or_is_an_outage_and_json_of_another_shape_is_ours_to_mend() {
    for (instead, tries, verdict) in [
        (
            "<html><body>Maintenance</body></html>",
            3,
            Verdict::Retry { after: None },
        ),
        ("", 3, Verdict::Retry { after: None }),
        (r#"{"totalSize":"three"}"#, 1, Verdict::Bug),
    ] {
        let fake = Fake::start().await;
        fake.on(COUNT, answer(200, instead));
        let error = fake
            .client()
            .count(Scope::Live, "Car__c", None)
            .await
            .unwrap_err();
        assert_eq!(
            (error.verdict(), fake.asked().len()),
            (verdict, tries),
            "{instead}"
        );

        let fake = Fake::start().await;
        fake.on(COUNT, answer(200, instead)).on(COUNT, answer(200, THREE));
        let counted = fake.client().count(Scope::Live, "Car__c", None).await;
        assert_eq!(counted.is_ok(), verdict != Verdict::Bug, "{instead}");
    }
}
