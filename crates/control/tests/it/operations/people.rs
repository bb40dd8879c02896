//! Sessions, users, tokens, the log of everything.

use landbridge_control::service::{Grant, Role};
use serde_json::json;

use super::{By, Entry, World, ask, body, entry, query, says_nothing};
use crate::console::PASSWORD;
use crate::provider::{back, to_provider, with_provider};

const NEW_PASSWORD: &str = "staple of another horse";

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_and_are_given_what_they_need() {
    let (api, provider) = with_provider().await;
    provider.tell_groups(&["fleet"]);
    api.add_user("ann", PASSWORD, vec![Grant::everywhere(Role::Admin)])
        .await;
    let mut world = World::new(api).await;
    world.keep("user", "ann");
    world.run(entries()).await;
}

pub(super) fn entries() -> Vec<Entry> {
    let mut entries = signing_in();
    entries.extend(users());
    entries.extend(tokens());
    entries
}

fn signing_in() -> Vec<Entry> {
    let ann = |password: &str| body(json!({"user": "ann", "password": password})).by(By::Nobody);
    vec![
        entry("sign_in", ann(PASSWORD), 201, |answer| {
            let session = answer.json();
            assert_eq!(session["who"], "user:ann");
            assert!(session["csrf_token"].is_string(), "{session}");
            assert!(answer.header("set-cookie").contains("HttpOnly"));
        })
        .refuses(ann("not her password"), 401)
        .refuses(body(json!({"user": "ann"})).by(By::Nobody), 422),
        entry("get_session", ask(), 200, |answer| {
            let session = answer.json();
            assert_eq!(session["grants"], json!([{"role": "admin", "reach": "all"}]));
        })
        .takes_nothing(),
        entry("sign_out", ask().by(By::Ann), 204, |answer| {
            assert!(answer.header("set-cookie").starts_with("landbridge_session=;"));
        })
        // A token is revoked and not signed out.
        .refuses(ask(), 409),
        entry(
            "begin_sign_in",
            query("?return_to=/tenants").by(By::Nobody),
            303,
            |answer| assert!(answer.header("location").contains("/authorize?")),
        )
        .refuses(query("?return_to=//evil.example").by(By::Nobody), 422),
        entry("end_sign_in", ask(), 303, |answer| {
            assert_eq!(answer.header("location"), "/tenants");
        })
        .by_other_means(|world| {
            Box::pin(async move {
                let (path, cookie) = to_provider(&world.api, "/tenants").await;
                back(&world.api, &path, &cookie).await
            })
        })
        .refuses(query("?state=made-up&code=made-up").by(By::Nobody), 401)
        .refuses(query("?error=access_denied").by(By::Nobody), 401),
    ]
}

fn users() -> Vec<Entry> {
    let bob = || ask().at("user", "bob");
    let put = |body| super::Ask {
        body: Some(body),
        ..bob()
    };
    let viewer = json!([{"role": "viewer", "reach": {"tenants": ["acme"]}}]);
    let change = |old: &str, new: &str| body(json!({"old": old, "new": new})).by(By::Ann);
    vec![
        entry(
            "put_user",
            put(json!({"grants": viewer, "password": PASSWORD})).with("if-none-match", "*"),
            200,
            |answer| {
                let user = answer.json();
                assert_eq!(
                    (&user["name"], &user["grants"][0]["role"]),
                    (&json!("bob"), &json!("viewer"))
                );
                assert!(!answer.text.contains(PASSWORD), "a password came back");
            },
        )
        .refuses(put(json!({"grants": [], "password": PASSWORD})), 428)
        .refuses(
            put(json!({"grants": [], "password": PASSWORD})).with("if-match", "\"made-up\""),
            412,
        )
        .refuses(
            put(json!({"grants": [], "password": "short"})).with("if-none-match", "*"),
            422,
        )
        .refuses(put(json!({"grants": [{"role": "king", "reach": "all"}]})), 422)
        .refuses(
            super::Ask {
                body: Some(json!({"grants": []})),
                ..ask().at("user", "No!")
            },
            404,
        ),
        entry("list_users", ask(), 200, |answer| {
            let users = answer.json();
            let names = users["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| user["name"].as_str().unwrap());
            assert_eq!(names.collect::<Vec<_>>(), ["ann", "bob"]);
        })
        .refuses(query("?limit=0"), 422),
        entry("get_user", bob(), 200, |answer| {
            assert_eq!(answer.json()["name"], "bob")
        })
        .refuses(ask().at("user", "nobody"), 404),
        entry("delete_user", bob(), 204, says_nothing).refuses(ask().at("user", "nobody"), 404),
        // A password that is wrong, or too short.
        entry(
            "change_password",
            change(PASSWORD, NEW_PASSWORD),
            204,
            says_nothing,
        )
        .refuses(change("not her password", NEW_PASSWORD), 401)
        .refuses(change(PASSWORD, "short"), 422),
    ]
}

fn tokens() -> Vec<Entry> {
    let wanted =
        |days: u32| body(json!({"name": "ci", "grants": [{"role": "viewer", "reach": "all"}], "days": days}));
    vec![
        entry("create_token", wanted(1), 201, |answer| {
            assert!(answer.json()["token"].as_str().unwrap().starts_with("lbt_"));
        })
        .keeps("token", |answer| answer.json()["id"].clone())
        .refuses(wanted(0), 422)
        .refuses(wanted(100_000), 422),
        entry("list_tokens", ask(), 200, |answer| {
            let tokens = answer.json();
            let ci = tokens["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|token| token["name"] == "ci");
            assert_eq!(ci.unwrap()["grants"][0]["role"], "viewer");
            assert!(!answer.text.contains("lbt_"), "a token is shown once");
        })
        .refuses(query("?limit=0"), 422),
        entry("delete_token", ask(), 204, says_nothing).refuses(ask().at("token", "none"), 404),
        entry("list_audit", query("?kind=token&limit=1"), 200, |answer| {
            let page = answer.json();
            assert_eq!(page["items"][0]["action"], "token.revoked", "{page}");
            assert!(page["next"].is_string(), "{page}");
        })
        .refuses(query("?limit=501"), 422)
        .refuses(query("?cursor=made-up"), 422),
    ]
}
