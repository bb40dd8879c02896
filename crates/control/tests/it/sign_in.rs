//! Signing in and out, users, tokens.

use std::time::Duration;

use axum::http::Method;
use landbridge_control::Settings;
use landbridge_control::service::{Caller, CreateToken, Grant, PutUser, Role, ServiceError, UserName};
use serde_json::json;

use crate::api::{Answer, Api, Proof};
use crate::rig::{soon, tenant};

const PASSWORD: &str = "correct horse battery";

async fn sign_in(api: &Api, user: &str, password: &str) -> Answer {
    let body = json!({"user": user, "password": password});
    api.post("/api/v1/sessions", &Proof::Nothing, &body).await
}

fn proof(answer: &Answer) -> Proof {
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    Proof::Cookie(cookie, answer.json()["csrf_token"].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_from_sign_in_to_sign_out() {
    let api = Api::new().await;
    api.add_user("ann", PASSWORD, vec![Grant::of(Role::Editor, tenant())])
        .await;
    let signed_in = sign_in(&api, "Ann", PASSWORD).await.expect(201);
    let cookie = signed_in.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let ann = proof(&signed_in);
    let session = api.get("/api/v1/sessions/current", &ann).await.expect(200).json();
    assert_eq!(
        (&session["who"], &session["csrf_token"]),
        (&json!("user:ann"), &signed_in.json()["csrf_token"])
    );
    api.put_seen("/api/v1/tenants/acme/drafts/d", &ann, &json!({}))
        .await
        .expect(200);
    api.delete("/api/v1/sessions/current", &ann).await.expect(204);
    assert_eq!(
        api.get("/api/v1/sessions/current", &ann).await.expect(401).kind(),
        "unauthenticated"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stored_lets_anybody_in() {
    let api = Api::new().await;
    api.add_user("ann", PASSWORD, vec![Grant::everywhere(Role::Viewer)])
        .await;
    let signed_in = sign_in(&api, "ann", PASSWORD).await.expect(201);
    let Proof::Token(token) = api.admin().await else {
        unreachable!()
    };
    let cookie = signed_in.header("set-cookie");
    let session = cookie.split(['=', ';']).nth(1).unwrap();
    let bucket = api.rig.hub.bus().kv(landbridge_bus::Bucket::Access);
    let entries = bucket.list(&landbridge_bus::KeyFilter::All).await.unwrap();
    assert!(entries.len() >= 3);
    for entry in entries {
        let text = format!("{} {}", entry.key, String::from_utf8_lossy(&entry.value));
        for secret in [PASSWORD, &token, session] {
            assert!(!text.contains(secret), "{} holds a secret in the open", entry.key);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_limited_for_users_who_are_there_and_who_are_not() {
    let api = Api::new().await;
    api.add_user("ann", PASSWORD, Vec::new()).await;
    let mut last = Vec::new();
    for user in ["ann", "nobody"] {
        let first = sign_in(&api, user, "wrong").await.expect(401);
        let refused = soon("that attempts are refused", async {
            loop {
                let answer = sign_in(&api, user, "wrong").await;
                if answer.status != 401 {
                    return answer;
                }
            }
        })
        .await
        .expect(429);
        // Neither is the right password a way around.
        sign_in(&api, user, PASSWORD).await.expect(429);
        assert_eq!(refused.kind(), "too-many-attempts");
        assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
        last.push(first.text);
    }
    assert_eq!(last[0], last[1], "the answer tells who is a user");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_used_is_over() {
    let session_idle = Duration::from_secs(1);
    let api = Api::with(Settings {
        session_idle,
        ..Settings::default()
    })
    .await;
    api.add_user("ann", PASSWORD, Vec::new()).await;
    let ann = proof(&sign_in(&api, "ann", PASSWORD).await.expect(201));
    soon("the end of the session", async {
        while api.get("/api/v1/sessions/current", &ann).await.status != 401 {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_sessions_of_the_old_one() {
    let api = Api::new().await;
    api.add_user("ann", PASSWORD, Vec::new()).await;
    let ann = proof(&sign_in(&api, "ann", PASSWORD).await.expect(201));
    let path = "/api/v1/users/ann/password";
    api.put(path, &ann, &json!({"old": "wrong", "new": "another one, longer"}))
        .await
        .expect(401);
    api.put(path, &ann, &json!({"old": PASSWORD, "new": "short"}))
        .await
        .expect(422);
    api.put(
        "/api/v1/users/bob/password",
        &ann,
        &json!({"old": PASSWORD, "new": "another one, longer"}),
    )
    .await
    .expect(403);
    api.put(
        path,
        &ann,
        &json!({"old": PASSWORD, "new": "another one, longer"}),
    )
    .await
    .expect(204);
    api.get("/api/v1/sessions/current", &ann).await.expect(401);
    sign_in(&api, "ann", PASSWORD).await.expect(401);
    sign_in(&api, "ann", "another one, longer").await.expect(201);
}

/// Whoever changes a user changes what they have seen: two changes at one moment undo nothing of each other.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_of_a_user_at_one_moment_one_is_refused() {
    let api = Api::new().await;
    api.add_user("ann", PASSWORD, Vec::new()).await;
    let (caller, name) = (Caller::local("test"), UserName::new("ann").unwrap());
    let put = |password: &str| {
        let wanted = PutUser {
            grants: Vec::new(),
            password: Some(password.to_owned()),
        };
        api.service.put_user(&caller, &name, wanted)
    };
    let passwords = ["the first one, longer", "the second one, longer"];
    let stands = soon("two changes at one moment", async {
        loop {
            match tokio::join!(put(passwords[0]), put(passwords[1])) {
                (Ok(_), Err(ServiceError::Stale(_))) => return passwords[0],
                (Err(ServiceError::Stale(_)), Ok(_)) => return passwords[1],
                // One came after the other.
                (Ok(_), Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    sign_in(&api, "ann", stands).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_an_admins_business() {
    let api = Api::new().await;
    let admin = api.admin().await;
    let wanted =
        json!({"grants": [{"role": "editor", "reach": {"tenants": ["acme"]}}], "password": PASSWORD});
    let path = "/api/v1/users/bob";
    let bob = api.put_seen(path, &admin, &wanted).await.expect(200);
    assert!(
        !bob.text.contains("argon2") && !bob.text.contains(PASSWORD),
        "{}",
        bob.text
    );
    assert_eq!(api.get(path, &admin).await.expect(200).json(), bob.json());
    assert_eq!(
        api.get("/api/v1/users", &admin).await.expect(200).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let session = proof(&sign_in(&api, "bob", PASSWORD).await.expect(201));
    let token =
        json!({"name": "ci", "grants": [{"role": "editor", "reach": {"tenants": ["acme"]}}], "days": 7});
    let created = api
        .post("/api/v1/tokens", &session, &token)
        .await
        .expect(201)
        .json();
    let bearer = Proof::Token(created["token"].as_str().unwrap().to_owned());
    api.put_seen("/api/v1/tenants/acme/drafts/d", &bearer, &json!({}))
        .await
        .expect(200);

    // A role taken away is taken from the user's tokens too.
    let less = json!({"grants": [{"role": "viewer", "reach": {"tenants": ["acme"]}}]});
    api.put_seen(path, &admin, &less).await.expect(200);
    api.put_seen("/api/v1/tenants/acme/drafts/d", &bearer, &json!({}))
        .await
        .expect(403);
    api.delete(path, &admin).await.expect(204);
    for proof in [&session, &bearer] {
        api.get("/api/v1/sessions/current", proof).await.expect(401);
    }
    api.get(path, &admin).await.expect(404);
    api.put_seen("/api/v1/users/eve", &admin, &json!({"grants": []}))
        .await
        .expect(422);
    api.put_seen("/api/v1/users/e!", &admin, &wanted)
        .await
        .expect(404);
    let acme = api.in_acme(Role::Admin).await;
    for answer in [
        api.get("/api/v1/users", &acme).await,
        api.put_seen(path, &acme, &wanted).await,
        api.delete(path, &acme).await,
    ] {
        answer.expect(403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_its_owners_and_no_more_than_they_are() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    let token = |role: &str, days: u32| json!({"name": "t", "grants": [{"role": role, "reach": {"tenants": ["acme"]}}], "days": days});
    api.post("/api/v1/tokens", &operator, &token("admin", 1))
        .await
        .expect(403);
    api.post("/api/v1/tokens", &operator, &token("viewer", 0))
        .await
        .expect(422);
    api.post("/api/v1/tokens", &operator, &token("viewer", 400))
        .await
        .expect(422);
    api.post(
        "/api/v1/tokens",
        &operator,
        &json!({"name": "t", "grants": [], "days": 1}),
    )
    .await
    .expect(422);
    let refused = api
        .send(
            Method::POST,
            "/api/v1/tokens",
            &operator,
            &[("idempotency-key", "k")],
            Some(&token("viewer", 1)),
        )
        .await
        .expect(422);
    assert!(refused.text.contains("secret"), "{}", refused.text);
    let created = api
        .post("/api/v1/tokens", &operator, &token("viewer", 1))
        .await
        .expect(201)
        .json();
    let id = created["id"].as_str().unwrap();
    let listed = api.get("/api/v1/tokens", &operator).await.expect(200);
    assert!(listed.text.contains(id) && !listed.text.contains(created["token"].as_str().unwrap()));

    api.add_user("ann", PASSWORD, Vec::new()).await;
    let ann = proof(&sign_in(&api, "ann", PASSWORD).await.expect(201));
    assert_eq!(
        api.get("/api/v1/tokens", &ann).await.expect(200).json(),
        json!({"items": []})
    );
    api.delete(&format!("/api/v1/tokens/{id}"), &ann)
        .await
        .expect(404);
    api.delete(&format!("/api/v1/tokens/{id}"), &operator)
        .await
        .expect(204);
    let bearer = Proof::Token(created["token"].as_str().unwrap().to_owned());
    api.get("/api/v1/sessions/current", &bearer).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_public_is_served_to_all() {
    let api = Api::new().await;
    let document = api.get("/api/v1/openapi.json", &Proof::Nothing).await.expect(200);
    assert_eq!(document.text, landbridge_control::http::openapi_json());
    let page = api.get("/api/docs", &Proof::Nothing).await.expect(200);
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    for operation in crate::api::operations() {
        assert!(
            page.text.contains(&operation.path),
            "{} is not on the page",
            operation.path
        );
    }
    for elsewhere in ["<script", "src=", "href=\"http", "url(", "@import"] {
        assert!(!page.text.contains(elsewhere), "{elsewhere} loads something");
    }
    assert_eq!(
        api.get("/api/v1/nothing", &Proof::Nothing)
            .await
            .expect(404)
            .kind(),
        "not-found"
    );
    let local = Caller::local("x");
    let wanted = CreateToken {
        name: " ".into(),
        grants: vec![Grant::everywhere(Role::Viewer)],
        days: 1,
    };
    assert!(api.service.create_token(&local, wanted).await.is_err());
}
