//! What changed: stamps, late commits, `/updated`, `/deleted`, the journal.

use crate::support::{Org, code, config};
use landbridge_sandbox::SandboxConfig;
use serde_json::{Value, json};
use std::time::Duration;

fn minutes_from_now(minutes: i64) -> String {
    let moment = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
    moment.strftime("%Y-%m-%dT%H:%M:%S%%2B00:00").to_string()
}

async fn window(org: &Org, which: &str, from: i64, to: i64) -> (u16, Value) {
    let (start, end) = (minutes_from_now(from), minutes_from_now(to));
    org.get(&format!("sobjects/Vehicle__c/{which}/?start={start}&end={end}"))
        .await
}

#[tokio::test]
async fn updated_and_deleted_tell_ids() {
    let org = Org::start(config()).await;
    let kept = org.create("Vehicle__c", json!({ "Name": "kept" })).await;
    let gone = org.create("Vehicle__c", json!({ "Name": "gone" })).await;
    org.delete(&format!("sobjects/Vehicle__c/{gone}")).await;
    let (_, updated) = window(&org, "updated", -30, 2).await;
    let ids = updated["ids"].as_array().expect("ids");
    assert!(ids.contains(&json!(kept)) && !ids.contains(&json!(gone)));
    let (_, deleted) = window(&org, "deleted", -30, 2).await;
    assert_eq!(deleted["deletedRecords"][0]["id"], json!(gone));
    assert!(
        deleted["latestDateCovered"]
            .as_str()
            .expect("a date")
            .ends_with(":00.000+0000")
    );
    org.post("__sandbox/undelete", json!({ "ids": [gone] })).await;
    assert_eq!(
        window(&org, "deleted", -30, 2).await.1["deletedRecords"],
        json!([])
    );
    assert!(
        window(&org, "updated", -30, 2).await.1["ids"]
            .as_array()
            .expect("ids")
            .contains(&json!(gone))
    );
}

#[tokio::test]
async fn replication_windows_have_their_rules() {
    let org = Org::start(config()).await;
    for (which, from, to) in [
        ("updated", 0, -5),
        ("updated", -31 * 1440, 0),
        ("deleted", -16 * 1440, 0),
        ("deleted", -1, 0),
    ] {
        let (status, refusal) = window(&org, which, from, to).await;
        assert_eq!(
            (status, code(&refusal)),
            (400, "INVALID_REPLICATION_DATE"),
            "{which} {from} {to}"
        );
    }
}

#[tokio::test]
async fn commits_come_after_their_stamps_and_hold_the_cover_back() {
    let org = Org::start(SandboxConfig {
        commit_delay: Duration::from_secs(2),
        ..config()
    })
    .await;
    // Change after change, until one is open at the start of a later minute than the cover or committed late.
    let writer = org
        .request(reqwest::Method::POST, "sobjects/Depot__c")
        .json(&json!({ "Name": "late" }));
    let before = jiff::Timestamp::now();
    let (status, made) = org.send(writer).await;
    assert_eq!(status, 201);
    let id = made["id"].as_str().expect("an id");
    let (_, record) = org
        .get(&format!("sobjects/Depot__c/{id}?fields=SystemModstamp"))
        .await;
    let stamp = record["SystemModstamp"]
        .as_str()
        .expect("text")
        .replace("+0000", "Z");
    let stamp: jiff::Timestamp = stamp.parse().expect("a moment");
    // The stamp is that of the statement's begin, cut to the second, however late the commit was.
    assert!(
        stamp <= before + jiff::SignedDuration::from_secs(1),
        "{stamp} {before}"
    );
    assert_eq!(org.sandbox.org().oldest_open(), None);
}

#[tokio::test]
async fn the_journal_knows_every_change() {
    let org = Org::start(config()).await;
    let depot = org.create("Depot__c", json!({ "Name": "d" })).await;
    let vehicle = org
        .create("Vehicle__c", json!({ "Name": "v", "Depot__c": depot }))
        .await;
    org.patch(&format!("sobjects/Vehicle__c/{vehicle}"), json!({ "Name": "w" }))
        .await;
    org.delete(&format!("sobjects/Depot__c/{depot}")).await;
    let (_, journal) = org.get("/__sandbox/journal").await;
    let told: Vec<(String, String)> = journal
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| {
            (
                entry["id"].as_str().unwrap_or("").to_owned(),
                entry["change"].as_str().unwrap_or("").to_owned(),
            )
        })
        .collect();
    let expected = [
        (&depot, "create"),
        (&vehicle, "create"),
        (&vehicle, "update"),
        (&vehicle, "update"),
        (&depot, "delete"),
    ];
    assert_eq!(told, expected.map(|(id, change)| (id.clone(), change.to_owned())));
}

#[tokio::test]
async fn formulas_change_without_a_stamp() {
    let org = Org::start(config()).await;
    let depot = org.create("Depot__c", json!({ "Name": "before" })).await;
    let vehicle = org
        .create("Vehicle__c", json!({ "Name": "v", "Depot__c": depot }))
        .await;
    let read = || async {
        org.get(&format!(
            "sobjects/Vehicle__c/{vehicle}?fields=Label__c,SystemModstamp"
        ))
        .await
        .1
    };
    let before = read().await;
    org.patch(&format!("sobjects/Depot__c/{depot}"), json!({ "Name": "after" }))
        .await;
    let after = read().await;
    assert_eq!(
        (&before["Label__c"], &after["Label__c"]),
        (&json!("v / before"), &json!("v / after"))
    );
    assert_eq!(before["SystemModstamp"], after["SystemModstamp"]);
}

#[tokio::test]
async fn thousands_share_a_stamp() {
    let org = Org::start(SandboxConfig {
        records: Some(20_000),
        ..config()
    })
    .await;
    let (_, groups) = org
        .query("SELECT SystemModstamp, COUNT(Id) n FROM Vehicle__c WHERE SystemModstamp = LAST_N_DAYS:11 GROUP BY SystemModstamp")
        .await;
    let largest = groups["records"]
        .as_array()
        .expect("groups")
        .iter()
        .filter_map(|group| group["n"].as_u64())
        .max();
    assert!(largest > Some(500), "{largest:?}");
}

#[tokio::test]
async fn fields_come_and_go_while_the_org_runs() {
    let org = Org::start(config()).await;
    let id = org
        .create("Vehicle__c", json!({ "Name": "v", "Price__c": 5 }))
        .await;
    let names = || async {
        let (_, described) = org.get("sobjects/Vehicle__c/describe").await;
        let fields = described["fields"].as_array().expect("fields").clone();
        fields
            .iter()
            .map(|field| field["name"].as_str().unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    let edit = json!({
        "object": "Vehicle__c", "hide": ["Price__c"], "remove": ["Phone__c"],
        "add": [{ "name": "Color__c", "type": "picklist", "choices": ["Red"] }, { "name": "Leased__c", "type": "boolean" }],
        "choices": { "Fuel__c": ["Hydrogen"] },
    });
    assert_eq!(org.post("/__sandbox/schema", edit).await.0, 204);
    let now = names().await;
    assert!(
        !now.contains(&"Price__c".to_owned()) && !now.contains(&"Phone__c".to_owned()),
        "{now:?}"
    );
    assert_eq!(now[now.len() - 2..], ["Color__c", "Leased__c"]);
    for gone in ["Price__c", "Phone__c"] {
        assert_eq!(
            code(&org.query(&format!("SELECT {gone} FROM Vehicle__c")).await.1),
            "INVALID_FIELD"
        );
        assert_eq!(
            code(
                &org.patch(&format!("sobjects/Vehicle__c/{id}"), json!({ gone: 1 }))
                    .await
                    .1
            ),
            "INVALID_FIELD"
        );
    }
    let (status, _) = org
        .patch(
            &format!("sobjects/Vehicle__c/{id}"),
            json!({ "Color__c": "Red", "Fuel__c": "Hydrogen" }),
        )
        .await;
    assert_eq!(status, 204);
    let old = org
        .records("SELECT Color__c, Leased__c FROM Vehicle__c LIMIT 1")
        .await;
    assert_eq!(
        (&old[0]["Color__c"], &old[0]["Leased__c"]),
        (&Value::Null, &json!(false))
    );
    org.post(
        "/__sandbox/schema",
        json!({ "object": "Vehicle__c", "show": ["Price__c"] }),
    )
    .await;
    assert_eq!(
        org.get(&format!("sobjects/Vehicle__c/{id}?fields=Price__c,Color__c"))
            .await
            .1["Price__c"],
        5.0
    );
    let (status, _) = org
        .post(
            "/__sandbox/schema",
            json!({ "object": "Vehicle__c", "hide": ["Nope__c"] }),
        )
        .await;
    assert_eq!(status, 400);
}
