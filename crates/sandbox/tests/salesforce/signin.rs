//! Ways in, as OAuth clients take them, and how they end.

use crate::support::{Org, code, config};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, Response, redirect::Policy};
use rsa::{
    RsaPrivateKey,
    pkcs1v15::SigningKey,
    pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding},
    signature::{SignatureEncoding, Signer},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use url::Url;

const CALLBACK: &str = "http://localhost:1717/OauthRedirect";

/// An assertion that a key signs.
fn assertion(key: &str, client_id: &str, username: &str, lasts_s: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs() as i64;
    let claims = json!({"iss": client_id, "sub": username, "aud": "https://login.salesforce.com", "exp": now + lasts_s});
    let part = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims));
    let key = RsaPrivateKey::from_pkcs8_pem(key).expect("a key");
    let signature = SigningKey::<Sha256>::new(key).sign(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

async fn bearer(org: &Org, assertion: &str) -> (u16, Value) {
    org.form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion),
    ])
    .await
}

async fn oauth(org: &Org, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let url = format!("{}/services/oauth2/{path}", org.base);
    org.send(org.client.post(url).form(fields)).await
}

/// Whether a token lets in.
async fn is_good(org: &Org, token: &str) -> bool {
    let url = format!("{}/services/data/v62.0/limits", org.base);
    let (status, answer) = org.send(org.client.get(url).bearer_auth(token)).await;
    assert!(status == 200 || code(&answer) == "INVALID_SESSION_ID", "{answer}");
    status == 200
}

async fn authorize(org: &Org, fields: &[(&str, &str)]) -> Response {
    let access = &org.sandbox.announcement().salesforce;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .build()
        .expect("a client");
    let request = client
        .get(format!("{}/services/oauth2/authorize", org.base))
        .query(&[
            ("client_id", access.client_id.as_str()),
            ("redirect_uri", CALLBACK),
            ("state", "s&1"),
        ])
        .query(fields);
    request.send().await.expect("an answer")
}

/// Where a browser is sent, and with what.
fn sent_back(response: &Response) -> HashMap<String, String> {
    assert_eq!(response.status().as_u16(), 302);
    let location = response.headers()["location"].to_str().expect("text");
    let url = Url::parse(location).expect("a URL");
    assert!(location.starts_with(CALLBACK), "{location}");
    let fields = url.fragment().or(url.query()).unwrap_or_default();
    url::form_urlencoded::parse(fields.as_bytes())
        .into_owned()
        .collect()
}

#[tokio::test]
async fn an_assertion_signed_with_the_apps_key_lets_in() {
    let org = Org::start(config()).await;
    let access = org.sandbox.announcement().salesforce.clone();
    let good = assertion(&access.jwt_private_key, &access.client_id, &access.username, 180);
    let (status, granted) = bearer(&org, &good).await;
    assert_eq!(status, 200, "{granted}");
    assert!(
        granted.get("refresh_token").is_none() && granted.get("expires_in").is_none(),
        "{granted}"
    );
    assert!(is_good(&org, granted["access_token"].as_str().expect("a token")).await);
    let (status, refused) = bearer(
        &org,
        &assertion(&access.jwt_private_key, &access.client_id, "nobody", 180),
    )
    .await;
    assert_eq!(
        (status, &refused["error_description"]),
        (400, &json!("user hasn't approved this consumer"))
    );
    let late = assertion(&access.jwt_private_key, &access.client_id, &access.username, -5);
    assert_eq!(bearer(&org, &late).await.1["error"], "invalid_grant");

    // Another certificate is uploaded: the old key signs in vain.
    let mut rng = rsa::rand_core::OsRng;
    let other = RsaPrivateKey::new(&mut rng, 2048).expect("a key");
    let pem = other
        .to_public_key()
        .to_public_key_pem(LineEnding::LF)
        .expect("PEM");
    assert_eq!(
        org.post("/__sandbox/app", json!({ "jwt_public_key": pem }))
            .await
            .0,
        204
    );
    assert_eq!(
        bearer(&org, &good).await.1["error_description"],
        "invalid assertion"
    );
}

#[tokio::test]
async fn a_code_is_exchanged_with_its_verifier_and_refreshed() {
    let org = Org::start(config()).await;
    let access = org.sandbox.announcement().salesforce.clone();
    let verifier = "a".repeat(64);
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let page = authorize(&org, &[("response_type", "code")]).await;
    assert_eq!(page.status().as_u16(), 200);
    let page = page.text().await.expect("a page");
    assert!(
        page.contains("name=\"password\"") && page.contains("value=\"s&amp;1\""),
        "{page}"
    );

    let asked = [
        ("response_type", "code"),
        ("code_challenge", challenge.as_str()),
        ("approve", "1"),
    ];
    let back = sent_back(&authorize(&org, &asked).await);
    assert_eq!(back["state"], "s&1");
    let exchange = [
        ("grant_type", "authorization_code"),
        ("client_id", access.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("code", back["code"].as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    let (status, granted) = org.form(&exchange).await;
    assert_eq!(status, 200, "{granted}");
    let (status, again) = org.form(&exchange).await;
    assert_eq!(
        (status, &again["error"]),
        (400, &json!("invalid_grant")),
        "a code is good once"
    );
    let refresh_token = granted["refresh_token"].as_str().expect("a refresh token");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", &access.client_id),
        ("refresh_token", refresh_token),
    ];
    let (status, fresh) = org.form(&refresh).await;
    assert_eq!((status, fresh.get("refresh_token")), (200, None));
    assert!(is_good(&org, fresh["access_token"].as_str().expect("a token")).await);

    let wrong = sent_back(&authorize(&org, &asked).await)["code"].clone();
    let mut exchange = exchange;
    exchange[3].1 = &wrong;
    exchange[4].1 = "guess";
    assert_eq!(
        org.form(&exchange).await.1["error_description"],
        "invalid code verifier"
    );
    let implicit = sent_back(&authorize(&org, &[("response_type", "token"), ("approve", "1")]).await);
    assert!(is_good(&org, &implicit["access_token"]).await);
    let denied = sent_back(&authorize(&org, &[("response_type", "code"), ("deny", "1")]).await);
    assert_eq!(denied["error"], "access_denied");
}

#[tokio::test]
async fn the_form_signs_in_with_the_password_only() {
    let org = Org::start(config()).await;
    let access = org.sandbox.announcement().salesforce.clone();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .build()
        .expect("a client");
    let send = async |password: &str, callback: &str| {
        let fields = [
            ("response_type", "code"),
            ("client_id", access.client_id.as_str()),
            ("redirect_uri", callback),
            ("username", access.username.as_str()),
            ("password", password),
        ];
        let request = client
            .post(format!("{}/services/oauth2/authorize", org.base))
            .form(&fields);
        request.send().await.expect("an answer")
    };
    assert_eq!(
        send("wrong", CALLBACK).await.status().as_u16(),
        200,
        "the form comes again"
    );
    assert!(sent_back(&send(&access.password, CALLBACK).await).contains_key("code"));
    let elsewhere = send(&access.password, "http://example.com/back").await;
    assert_eq!(elsewhere.status().as_u16(), 400);
    assert!(
        elsewhere
            .text()
            .await
            .expect("a page")
            .contains("redirect_uri_mismatch")
    );
}

#[tokio::test]
async fn rotation_revoking_and_introspection() {
    let org = Org::start(config()).await;
    let access = org.sandbox.announcement().salesforce.clone();
    let app = [
        ("client_id", access.client_id.as_str()),
        ("client_secret", access.client_secret.as_str()),
    ];
    let refresh = async |token: &str| {
        let mut fields = app.to_vec();
        fields.extend([("grant_type", "refresh_token"), ("refresh_token", token)]);
        org.form(&fields).await
    };
    let introspect = async |token: &str| {
        let mut fields = app.to_vec();
        fields.push(("token", token));
        oauth(&org, "introspect", &fields).await.1
    };
    org.post("/__sandbox/settings", json!({"rotate_refresh_tokens": true}))
        .await;
    let (_, granted) = refresh(&access.refresh_token).await;
    let next = granted["refresh_token"].as_str().expect("a successor").to_owned();
    let (status, refused) = refresh(&access.refresh_token).await;
    assert_eq!(
        (status, &refused["error"]),
        (400, &json!("invalid_grant")),
        "the old one is dead"
    );
    let (_, granted) = refresh(&next).await;
    let (session, last) = (
        granted["access_token"].as_str().expect("a token"),
        granted["refresh_token"].as_str().expect("a token"),
    );
    let about = introspect(session).await;
    assert_eq!(
        (&about["active"], &about["token_type"]),
        (&json!(true), &json!("access_token"))
    );
    assert_eq!(introspect(last).await["token_type"], "refresh_token");

    assert_eq!(oauth(&org, "revoke", &[("token", last)]).await.0, 200);
    assert!(
        !is_good(&org, session).await,
        "its sessions end with a refresh token"
    );
    assert_eq!(introspect(last).await, json!({ "active": false }));
    let (status, refused) = oauth(&org, "revoke", &[("token", last)]).await;
    assert_eq!(
        (status, &refused["error"]),
        (400, &json!("unsupported_token_type"))
    );
    let (status, _) = oauth(&org, "introspect", &[("token", session)]).await;
    assert_eq!(status, 400, "only the app may ask");
}

#[tokio::test]
async fn sessions_end_by_time_and_on_command() {
    let mut org = Org::start(config()).await;
    org.post("/__sandbox/settings", json!({"session_ms": 60_000}))
        .await;
    assert!(is_good(&org, &org.token).await);
    org.post("/__sandbox/settings", json!({"clock_skew_ms": 61_000}))
        .await;
    assert!(!is_good(&org, &org.token).await, "a minute without a call");
    org.login().await;
    assert!(is_good(&org, &org.token).await);
    org.post("/__sandbox/expire-sessions", json!({})).await;
    assert!(!is_good(&org, &org.token).await);
    let identity = org.request(Method::GET, "/services/oauth2/userinfo");
    assert_eq!(org.send(identity).await, (403, json!("Bad_OAuth_Token")));

    org.login().await;
    let (_, user) = org
        .send(org.request(Method::GET, "/services/oauth2/userinfo"))
        .await;
    let id = user["sub"].as_str().expect("an id").to_owned();
    let path = id.strip_prefix(&org.base).expect("the org's own URL").to_owned();
    let (status, same) = org.get(&path).await;
    assert_eq!((status, &same["user_id"]), (200, &user["user_id"]));
    org.post("/__sandbox/revoke-grants", json!({})).await;
    let access = org.sandbox.announcement().salesforce.clone();
    let (status, _) = org
        .form(&[
            ("grant_type", "refresh_token"),
            ("client_id", &access.client_id),
            ("refresh_token", &access.refresh_token),
        ])
        .await;
    assert_eq!(status, 400);
}
