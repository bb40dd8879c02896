//! What a restart remembers, also after a kill, and what it may forget.

use crate::support::{Org, code, config};
use landbridge_sandbox::SandboxConfig;
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// A sandbox that is kept in a folder; another seed each time, so that nothing comes back by chance.
pub(crate) fn kept(folder: &Path, seed: u64) -> SandboxConfig {
    SandboxConfig {
        state: Some(folder.to_owned()),
        records: Some(300),
        seed,
        ..config()
    }
}

/// What a kill would leave at this moment: whatever the running sandbox has written.
fn as_killed(folder: &Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(folder).expect("the state's folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        fs::copy(&path, left.path().join(name)).expect("a copy");
    }
    left
}

/// The sandbox as it comes up after a kill, with the session that its client had.
pub(crate) async fn killed(org: &Org, folder: &Path, seed: u64) -> (Org, tempfile::TempDir) {
    let left = as_killed(folder);
    let mut again = Org::start(kept(left.path(), seed)).await;
    again.token.clone_from(&org.token);
    (again, left)
}

/// Everything that reads can tell, without what differs by the call.
async fn picture(org: &Org) -> Vec<(String, Value)> {
    let objects = [
        "Account",
        "Depot__c",
        "Vehicle__c",
        "Service_Visit__c",
        "PermissionSet",
    ];
    let mut told = Vec::new();
    for object in objects {
        let path = format!("sobjects/{object}/describe");
        told.push((path.clone(), org.get(&path).await.1));
        let soql = format!("SELECT FIELDS(ALL) FROM {object} ORDER BY Id DESC LIMIT 200");
        told.push((soql.clone(), org.query_all(&soql).await.1));
        let soql = format!("SELECT COUNT() FROM {object}");
        told.push((soql.clone(), org.query_all(&soql).await.1));
    }
    for path in ["sobjects", "/__sandbox/journal", "/__sandbox/pubsub"] {
        told.push((path.to_owned(), org.get(path).await.1));
    }
    for (what, answer) in &told {
        assert_eq!(code(answer), "", "{what}: {answer}");
    }
    told
}

/// A day of changes of every kind.
async fn live(org: &Org) -> (String, String) {
    let account = org.create("Account", json!({"Name": "Ä\n\"Acme\""})).await;
    let depot = org
        .create("Depot__c", json!({"Name": "North", "Account__c": account}))
        .await;
    let vehicles = org.records("SELECT Id FROM Vehicle__c LIMIT 4").await;
    let id = |at: usize| vehicles[at]["Id"].as_str().expect("an id").to_owned();
    let changed = json!({"Price__c": 0.1 + 0.2, "Depot__c": depot});
    assert_eq!(
        org.patch(&format!("sobjects/Vehicle__c/{}", id(0)), changed)
            .await
            .0,
        204
    );
    for at in [1, 2, 3] {
        assert_eq!(
            org.delete(&format!("sobjects/Vehicle__c/{}", id(at))).await.0,
            204
        );
    }
    org.post("/__sandbox/undelete", json!({"ids": [id(2)]})).await;
    org.post("/__sandbox/purge", json!({"ids": [id(3)]})).await;
    // The lookup is cleared by it, and filled again by an undelete.
    assert_eq!(org.delete(&format!("sobjects/Depot__c/{depot}")).await.0, 204);
    (depot, id(0))
}

#[tokio::test]
async fn everything_that_reads_can_tell_is_there_after_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut org = Org::start(kept(folder.path(), 7)).await;
    let (depot, vehicle) = live(&org).await;
    org.post(
        "/__sandbox/schema",
        json!({
            "object": "Vehicle__c", "hide": ["Phone__c"], "choices": {"Fuel__c": ["Hydrogen"]},
            "add": [{"name": "Colour__c", "type": "string", "length": 40}],
        }),
    )
    .await;
    org.post(
        "/__sandbox/schema",
        json!({"object": "Inspection__c", "delete": true}),
    )
    .await;
    let painted = json!({"Colour__c": "red"});
    assert_eq!(
        org.patch(&format!("sobjects/Vehicle__c/{vehicle}"), painted)
            .await
            .0,
        204
    );
    org.post(
        "/__sandbox/permissions",
        json!({"view_all_data": false, "view_all": ["Depot__c"]}),
    )
    .await;
    org.post(
        "/__sandbox/settings",
        json!({"daily_requests": 4_711, "bulk_page_rows": 77}),
    )
    .await;
    org.send(
        org.request(Method::PATCH, "/__sandbox/pubsub")
            .json(&json!({"repeats": 2})),
    )
    .await;
    org.post("/__sandbox/advance", json!({"ms": 86_400_000})).await;
    org.login().await;

    let before = picture(&org).await;
    let (again, left) = killed(&org, folder.path(), 999).await;
    for ((what, now), (_, then)) in picture(&again).await.into_iter().zip(before) {
        assert_eq!(now, then, "{what}");
    }
    assert!(again.sandbox.org().clock.now_ms() >= org.sandbox.org().clock.now_ms() - 1_000);
    let limit = again.get("limits").await.1["DailyApiRequests"]["Max"].clone();
    assert_eq!(limit, 4_711);

    // What a delete cleared comes back with what was deleted, as if nothing had been between.
    again.post("/__sandbox/undelete", json!({"ids": [depot]})).await;
    let soql = format!("SELECT Depot__c FROM Vehicle__c WHERE Id = '{vehicle}'");
    assert_eq!(again.records(&soql).await[0]["Depot__c"], json!(depot));
    // And again, from a file that is of two runs.
    let before = picture(&again).await;
    let (third, _left) = killed(&again, left.path(), 4).await;
    for ((what, now), (_, then)) in picture(&third).await.into_iter().zip(before) {
        assert_eq!(now, then, "{what}");
    }
}

#[tokio::test]
async fn no_id_is_given_twice_and_no_stamp_is_older() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut org = Org::start(kept(folder.path(), 1)).await;
    let newest = "SELECT Id, SystemModstamp FROM Depot__c ORDER BY SystemModstamp DESC, Id DESC LIMIT 1";
    let (mut ids, mut jobs, mut stamps) = (Vec::new(), Vec::new(), Vec::new());
    let mut folders = Vec::new();
    for seed in 2..5 {
        // One that stays and one that is purged: its number is gone as well.
        ids.push(org.create("Depot__c", json!({"Name": "stays"})).await);
        stamps.push(org.records(newest).await[0]["SystemModstamp"].to_string());
        let gone = org.create("Depot__c", json!({"Name": "goes"})).await;
        org.delete(&format!("sobjects/Depot__c/{gone}")).await;
        org.post("/__sandbox/purge", json!({"ids": [gone.clone()]})).await;
        ids.push(gone);
        jobs.push(org.bulk("query", "SELECT Id FROM Depot__c").await["id"].to_string());
        org.post("/__sandbox/advance", json!({"ms": 60_000})).await;
        let from = folders
            .last()
            .map_or(folder.path(), tempfile::TempDir::path)
            .to_owned();
        let (again, left) = killed(&org, &from, seed).await;
        folders.push(left);
        let lost = again
            .get(&format!(
                "jobs/query/{}",
                jobs.last().expect("a job").trim_matches('"')
            ))
            .await;
        assert_eq!(
            (lost.0, code(&lost.1)),
            (404, "NOT_FOUND"),
            "a job is as if it had expired"
        );
        org = again;
    }
    for given in [ids, jobs] {
        let mut sorted = given.clone();
        sorted.sort();
        assert_eq!(sorted, given, "numbers rise");
        sorted.dedup();
        assert_eq!(sorted.len(), given.len(), "each is given once");
    }
    assert!(stamps.is_sorted() && stamps[0] < stamps[2], "{stamps:?}");
}

#[tokio::test]
async fn who_may_get_in_and_the_days_calls_outlast_an_orderly_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let org = Org::start(kept(folder.path(), 7)).await;
    let access = org.sandbox.announcement().salesforce.clone();
    org.post("/__sandbox/settings", json!({"rotate_refresh_tokens": true}))
        .await;
    let refresh = |token: &str| {
        [
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", access.client_id.clone()),
            ("client_secret", access.client_secret.clone()),
            ("refresh_token", token.to_owned()),
        ]
    };
    let ask = async |org: &Org, token: &str| {
        let fields = refresh(token);
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        org.form(&fields).await
    };
    let rotated = ask(&org, &access.refresh_token).await.1["refresh_token"].clone();
    for _ in 0..20 {
        org.get("limits").await;
    }
    let used = async |org: &Org| org.get("limits").await.1["DailyApiRequests"]["Remaining"].as_u64();
    let before = used(&org).await.expect("a number");
    let token = org.token.clone();
    org.sandbox.stop().await;

    let mut again = Org::start(kept(folder.path(), 8)).await;
    assert_eq!(again.sandbox.announcement().salesforce.username, access.username);
    again.token = token;
    assert_eq!(
        used(&again).await,
        Some(before - 1),
        "the day's calls go on, in the same session"
    );
    let dead = ask(&again, &access.refresh_token).await;
    assert_eq!(
        (dead.0, &dead.1["error"]),
        (400, &json!("invalid_grant")),
        "a rotated token stays dead"
    );
    let next = ask(&again, rotated.as_str().expect("a token")).await;
    assert_eq!(next.0, 200, "{}", next.1);
}

#[tokio::test]
async fn a_line_that_a_kill_cut_off_is_dropped_and_any_other_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let org = Org::start(kept(folder.path(), 7)).await;
    let first = org.create("Depot__c", json!({"Name": "whole"})).await;
    let whole = as_killed(folder.path());
    org.create("Depot__c", json!({"Name": "cut"})).await;
    let file = |folder: &Path| folder.join("salesforce.jsonl");
    let (mut cut, length) = (
        fs::read(file(folder.path())).expect("a state"),
        fs::read(file(whole.path())).expect("a state").len(),
    );
    cut.truncate(length + 9);
    fs::write(file(whole.path()), &cut).expect("a writable folder");
    let again = Org::start(kept(whole.path(), 8)).await;
    let names = again
        .records("SELECT Id FROM Depot__c WHERE Name IN ('whole', 'cut')")
        .await;
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["Id"], json!(first));
    again.sandbox.stop().await;

    let refused = async |content: &[u8]| {
        fs::write(file(whole.path()), content).expect("a writable folder");
        let error = landbridge_sandbox::Sandbox::start(kept(whole.path(), 9))
            .await
            .expect_err("no state");
        let error: &(dyn std::error::Error + 'static) = &error;
        let chain = std::iter::successors(Some(error), |error| error.source());
        let told: Vec<String> = chain.map(ToString::to_string).collect();
        told.join(": ")
    };
    let broken = [&cut[..length], &b"not a line\n"[..], &cut[..9]].concat();
    let told = refused(&broken).await;
    assert!(
        told.contains("salesforce.jsonl, line ") && told.contains("remove the file"),
        "{told}"
    );
    let told = refused(b"{\"Head\":{\"format\":99}}\n").await;
    assert!(told.contains("has the form 99"), "{told}");
}
