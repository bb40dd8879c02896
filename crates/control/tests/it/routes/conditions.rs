//! What is changed is what was seen: without a condition nothing is changed, and what is stale overwrites nothing.

use axum::http::Method;
use landbridge_control::service::{Grant, Role};
use serde_json::{Value, json};

use super::{ACME, edited, vehicles};
use crate::api::{Api, Proof};
use crate::rig::{VEHICLES, soon, sync_name, tenant};

const PASSWORD: &str = "correct horse battery";

/// With a sync, a draft and a user to change.
async fn with_things() -> (Api, Proof) {
    let api = Api::new().await;
    let admin = api.admin().await;
    api.rig.apply(VEHICLES).await;
    let seen = api
        .rig
        .config
        .wait_for(|config| config.sync(&tenant(), &sync_name()));
    soon("the sync", seen).await;
    api.put_seen(&format!("{ACME}/drafts/d"), &admin, &json!({}))
        .await
        .expect(200);
    api.add_user("bob", PASSWORD, vec![Grant::everywhere(Role::Viewer)])
        .await;
    (api, admin)
}

/// The tenant as it is, with so many calls a day.
async fn with_calls(api: &Api, admin: &Proof, calls: u32) -> Value {
    let stored = api.get(ACME, admin).await.expect(200).json();
    json!({
        "salesforce": {"login_url": stored["salesforce"]["login_url"], "daily_calls": calls},
        "hubspot": {"base_url": stored["hubspot"]["base_url"]},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_something_says_what_they_have_seen() {
    let (api, admin) = with_things().await;
    let tenant = with_calls(&api, &admin, 700).await;
    let (draft, sync, user) = (
        format!("{ACME}/drafts/d"),
        format!("{ACME}/syncs/vehicles"),
        "/api/v1/users/bob",
    );
    let allocation = format!("{ACME}/allocation");
    let (draft, sync, allocation) = (draft.as_str(), sync.as_str(), allocation.as_str());
    for (method, path, of, body) in [
        (Method::PUT, ACME, ACME, Some(tenant)),
        (Method::PUT, allocation, ACME, Some(json!({"daily_calls": 500}))),
        (Method::PUT, user, user, Some(json!({"grants": []}))),
        (Method::PUT, draft, draft, Some(json!({"step": 2}))),
        (Method::DELETE, draft, draft, None),
        (Method::DELETE, sync, sync, None),
    ] {
        let send = async |headers: &[(&str, &str)]| {
            api.send(method.clone(), path, &admin, headers, body.as_ref())
                .await
        };
        let before = api.get(of, &admin).await.expect(200);
        assert_eq!(
            send(&[]).await.expect(428).kind(),
            "precondition-required",
            "{method} {path}"
        );
        let stale = send(&[("if-match", "\"0\"")]).await;
        assert_eq!(stale.expect(412).kind(), "stale", "{method} {path}");
        let after = api.get(of, &admin).await.expect(200);
        assert_eq!(
            (after.text, after.headers["etag"].clone()),
            (before.text, before.headers["etag"].clone())
        );
        let tag = before.headers["etag"].to_str().unwrap();
        let done = send(&[("if-match", tag)]).await;
        assert!(done.status.is_success(), "{method} {path}: {}", done.text);
        if method == Method::PUT {
            let now = api.get(of, &admin).await.expect(200).header("etag");
            assert_eq!(
                done.header("etag"),
                now,
                "{path} answers with the tag of what it made"
            );
            assert_ne!(now, tag, "{path}");
            let made = send(&[("if-none-match", "*")]).await;
            let expected = if path == allocation { 428 } else { 412 };
            assert_eq!(made.status, expected, "{path} is there: {}", made.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_have_seen_the_same_one_comes_too_late() {
    let (api, admin) = with_things().await;
    let one = with_calls(&api, &admin, 100).await;
    let other = with_calls(&api, &admin, 200).await;
    let grants = |role: &str| json!({"grants": [{"role": role, "reach": "all"}]});
    let draft = format!("{ACME}/drafts/d");
    for (path, bodies) in [
        (ACME, [one, other]),
        ("/api/v1/users/bob", [grants("editor"), grants("operator")]),
        (draft.as_str(), [json!({"step": 3}), json!({"step": 4})]),
    ] {
        let tag = api.get(path, &admin).await.expect(200).header("etag");
        let seen = [("if-match", tag.as_str())];
        let put = async |body: &Value| {
            api.send(Method::PUT, path, &admin, &seen, Some(body))
                .await
                .status
                .as_u16()
        };
        let (first, second) = futures::join!(put(&bodies[0]), put(&bodies[1]));
        let mut both = [first, second];
        both.sort_unstable();
        assert_eq!(both, [200, 412], "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_overwrites_nothing_unseen() {
    let (api, admin) = with_things().await;
    let path = format!("{ACME}/apply");
    let apply = async |definition: Value, expected: Value| {
        let body = json!({"definitions": [definition], "expected": expected});
        api.post(&path, &admin, &body).await
    };
    let refused = apply(edited(), json!([])).await.expect(428);
    assert!(refused.text.contains("vehicles"), "{}", refused.text);
    let same = apply(vehicles(), json!([])).await.expect(200).json();
    assert_eq!(same["written"], false, "what is there just so is not overwritten");
    let stored = api
        .get(&format!("{ACME}/syncs/vehicles"), &admin)
        .await
        .expect(200)
        .json();
    assert_eq!(stored["definition"], vehicles());
    let seen = json!([{"name": "vehicles", "tag": stored["tag"]}]);
    assert_eq!(
        apply(edited(), seen.clone()).await.expect(200).json()["written"],
        true
    );
    assert_eq!(apply(vehicles(), seen).await.expect(412).kind(), "stale");
}
