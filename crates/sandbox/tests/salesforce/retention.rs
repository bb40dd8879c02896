//! What is kept, and for how long, on a clock that passes as fast as a test says.

use crate::support::{Org, code, config};
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// A window around now, in the org's own time.
async fn deleted(org: &Org, back_ms: i64) -> (u16, Value) {
    let now = org.sandbox.org().clock.now_ms();
    let moment = |ms: i64| {
        let at = jiff::Timestamp::from_millisecond(ms).expect("a moment");
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let (start, end) = (moment(now - back_ms), moment(now + 120_000));
    org.get(&format!("sobjects/Depot__c/deleted?start={start}&end={end}"))
        .await
}

/// Whether a record has gone for good.
fn is_purged(org: &Org, id: &str) -> bool {
    let journal = org.sandbox.org().journal();
    journal
        .iter()
        .any(|entry| entry.id.to_string() == id && json!(entry.change) == "purge")
}

async fn in_bin(org: &Org, id: &str) -> Value {
    let soql = format!("SELECT COUNT() FROM Depot__c WHERE Id = '{id}'");
    org.query_all(&soql).await.1["totalSize"].clone()
}

#[tokio::test]
async fn the_recycle_bin_forgets_after_fifteen_days() {
    let mut org = Org::start(config()).await;
    let id = org.create("Depot__c", json!({"Name": "old"})).await;
    org.delete(&format!("sobjects/Depot__c/{id}")).await;
    let (_, told) = deleted(&org, 300_000).await;
    assert_eq!(told["deletedRecords"][0]["id"], json!(id));
    org.post("/__sandbox/advance", json!({"ms": 14 * DAY_MS})).await;
    org.login().await;
    assert_eq!(in_bin(&org, &id).await, 1);
    org.post("/__sandbox/advance", json!({"ms": 2 * DAY_MS})).await;
    org.login().await;
    assert_eq!(in_bin(&org, &id).await, 0);
    assert!(is_purged(&org, &id));
    let (status, refused) = deleted(&org, 16 * DAY_MS).await;
    assert_eq!((status, code(&refused)), (400, "INVALID_REPLICATION_DATE"));
}

#[tokio::test]
async fn the_delete_log_outlasts_the_bin_until_it_is_purged() {
    let org = Org::start(config()).await;
    let ids = [
        org.create("Depot__c", json!({"Name": "purged"})).await,
        org.create("Depot__c", json!({"Name": "back"})).await,
    ];
    for id in &ids {
        org.delete(&format!("sobjects/Depot__c/{id}")).await;
    }
    org.post("/__sandbox/purge", json!({"ids": [ids[0]]})).await;
    org.post("/__sandbox/undelete", json!({"ids": [ids[1]]})).await;
    let (_, told) = deleted(&org, 300_000).await;
    let listed: Vec<&Value> = told["deletedRecords"]
        .as_array()
        .expect("records")
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(
        listed,
        [&json!(ids[0])],
        "a hard delete stays listed, an undeleted record does not"
    );
    org.post("/__sandbox/purge-delete-log", json!({})).await;
    let (status, refused) = deleted(&org, 300_000).await;
    assert_eq!((status, code(&refused)), (400, "INVALID_REPLICATION_DATE"));
}

#[tokio::test]
async fn a_fast_clock_ages_everything() {
    let mut org = Org::start(config()).await;
    let id = org.create("Depot__c", json!({"Name": "fast"})).await;
    org.delete(&format!("sobjects/Depot__c/{id}")).await;
    // A day in a tenth of a second.
    org.post("/__sandbox/settings", json!({"clock_rate": 864_000}))
        .await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !is_purged(&org, &id) {
        assert!(std::time::Instant::now() < deadline, "the bin is never emptied");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    org.post("/__sandbox/settings", json!({"clock_rate": 1})).await;
    org.login().await;
    assert_eq!(in_bin(&org, &id).await, 0);
}

/// The refresh of a sandbox: another org behind the same host.
#[tokio::test]
async fn a_refresh_makes_it_another_org() {
    let mut org = Org::start(config()).await;
    let before = org.records("SELECT Id FROM Organization").await[0]["Id"].clone();
    assert_eq!(
        org.post("/__sandbox/refresh", json!({"number": 777})).await.0,
        204
    );
    assert_eq!(org.get("limits").await.0, 401);
    org.login().await;
    let after = org.records("SELECT Id FROM Organization").await[0]["Id"].clone();
    assert_ne!(before, after);
    let (_, user) = org.get("/services/oauth2/userinfo").await;
    assert_eq!(user["organization_id"], after);
    assert!(org.token.starts_with(&after.as_str().expect("an id")[..15]));
}
