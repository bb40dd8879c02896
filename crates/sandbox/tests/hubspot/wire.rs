//! The frame of every call: who may, where to, what the rest looks like.

use super::desk::{Desk, Told, calm};
use http::{HeaderMap, HeaderValue, header};
use landbridge_sandbox::hubspot::PortalConfig;
use serde_json::{Value, json};

const COMPANIES: &str = "/crm/objects/2026-09/companies";

fn form(desk: &Desk, path: &str, pairs: &[(&str, &str)]) -> Told {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    let body: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    desk.call_with("POST", path, &headers, body.join("&").as_bytes())
}

#[test]
fn every_answer_has_a_correlation_id_and_says_its_type() {
    let desk = Desk::bare(calm());
    let told = desk.get(COMPANIES);
    assert_eq!(
        told.header("content-type"),
        Some("application/json;charset=utf-8")
    );
    assert!(told.header("x-hubspot-correlation-id").is_some() && told.header("x-trace").is_some());
    let error = desk.get(&format!("{COMPANIES}/1"));
    assert!(error.body["correlationId"].is_string());
    assert_eq!(error.body["status"], "error");
}

#[test]
fn strangers_are_turned_away() {
    let mut desk = Desk::bare(calm());
    desk.token = "pat-na1-nobody".to_owned();
    let wrong = desk.get(COMPANIES);
    assert_eq!((wrong.status, wrong.category()), (401, "INVALID_AUTHENTICATION"));
    assert!(
        wrong
            .message()
            .starts_with("Authentication credentials not found.")
    );
    assert_eq!(
        desk.call_with("GET", COMPANIES, &HeaderMap::new(), b"").status,
        401
    );
    assert_eq!(
        desk.get(&format!(
            "{COMPANIES}?hapikey={}",
            desk.portal.credentials().token
        ))
        .status,
        401
    );
}

#[test]
fn a_missing_scope_is_named() {
    let scopes = |scopes: &[&str]| Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    let desk = Desk::bare(PortalConfig {
        scopes: scopes(&["crm.objects.companies.read"]),
        ..calm()
    });
    assert_eq!(desk.get(COMPANIES).status, 200);
    let told = desk.post(COMPANIES, json!({"properties": {"name": "A"}}));
    assert_eq!((told.status, told.category()), (403, "MISSING_SCOPES"));
    assert!(
        told.message()
            .starts_with("This app hasn't been granted all required scopes")
    );
    assert_eq!(
        told.body["links"],
        json!({"scopes": "https://developers.hubspot.com/scopes"})
    );
    assert_eq!(
        told.errors()[0]["context"],
        json!({"requiredGranularScopes": ["crm.objects.companies.write"]})
    );
    let table = [
        (
            "GET",
            "/crm-object-schemas/2026-09/schemas",
            json!(["crm.schemas.custom.read", "crm.objects.custom.read"]),
        ),
        ("GET", "/crm/owners/2026-09", json!(["crm.objects.owners.read"])),
        ("GET", "/account-info/2026-09/details", json!(["oauth"])),
    ];
    for (method, path, wanted) in table {
        let told = desk.call(method, path, b"");
        assert_eq!(
            (
                told.status,
                &told.errors()[0]["context"]["requiredGranularScopes"]
            ),
            (403, &wanted),
            "{path}"
        );
    }
    let limited = desk.post("/__sandbox/tokens", json!({"scopes": ["oauth"]}));
    assert!(limited.body["token"].is_string());
}

#[test]
fn a_static_token_can_be_looked_into() {
    let desk = Desk::bare(PortalConfig {
        scopes: Some(vec!["oauth".to_owned()]),
        ..calm()
    });
    let path = "/oauth/v2/private-apps/get/access-token-info";
    let told = desk.post(path, json!({"tokenKey": desk.token}));
    assert_eq!((told.status, &told.body["scopes"]), (200, &json!(["oauth"])));
    assert_eq!(told.body["hubId"], desk.portal.portal_id());
    assert_eq!(desk.post(path, json!({"tokenKey": "x"})).status, 404);
}

#[test]
fn an_oauth_token_lasts_half_an_hour_and_is_renewed() {
    for path in ["/oauth/v1/token", "/oauth/v3/token", "/oauth/2026-09/token"] {
        let mut desk = Desk::bare(calm());
        let app = desk.portal.credentials();
        let fields = |refresh_token| {
            [
                ("grant_type", "refresh_token"),
                ("client_id", app.client_id.as_str()),
                ("client_secret", app.client_secret.as_str()),
                ("refresh_token", refresh_token),
            ]
        };
        let told = form(&desk, path, &fields(&app.refresh_token));
        assert_eq!(
            (told.status, &told.body["expires_in"]),
            (200, &json!(1800)),
            "{}",
            told.text
        );
        assert_eq!(
            (&told.body["token_type"], &told.body["refresh_token"]),
            (&json!("bearer"), &json!(app.refresh_token))
        );
        desk.token = told.body["access_token"].as_str().unwrap_or_default().to_owned();
        let used = desk.get(COMPANIES);
        assert_eq!(used.status, 200);
        assert!(
            used.header("x-hubspot-ratelimit-daily").is_none(),
            "OAuth apps are not told the day's count"
        );
        desk.advance(1_800_000);
        let late = desk.get(COMPANIES);
        assert_eq!((late.status, late.category()), (401, "EXPIRED_AUTHENTICATION"));
        let refused = form(&desk, path, &fields("na1-nothing"));
        assert_eq!(refused.status, 400);
        assert_eq!(
            (&refused.body["status"], &refused.body["error"]),
            (&json!("BAD_REFRESH_TOKEN"), &json!("invalid_grant"))
        );
    }
}

#[test]
fn an_app_is_installed_by_a_code_that_is_good_once() {
    let desk = Desk::bare(calm());
    let app = desk.portal.credentials();
    let back = "https://app.example/back";
    let page = format!(
        "/oauth/authorize?client_id={}&redirect_uri={back}&scope=oauth&state=s1",
        app.client_id
    );
    assert_eq!(desk.get("/oauth/authorize?client_id=other").status, 400);
    let shown = desk.get(&page);
    assert!(
        shown.status == 200 && shown.text.contains("Connect app"),
        "{}",
        shown.text
    );
    let denied = form(&desk, &page, &[("decision", "deny")]);
    let denied = denied.header("location").unwrap();
    assert!(
        denied.contains("error=access_denied") && denied.contains("state=s1"),
        "{denied}"
    );
    let install = || {
        let sent = form(&desk, &page, &[("decision", "allow")]);
        assert_eq!(sent.status, 302);
        let sent = url::Url::parse(sent.header("location").unwrap()).unwrap();
        assert!(sent.as_str().starts_with(back));
        let code = sent.query_pairs().find(|(name, _)| name == "code");
        code.unwrap().1.into_owned()
    };
    let exchange = |code: &str, redirect_uri: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", app.client_id.as_str()),
            ("client_secret", app.client_secret.as_str()),
            ("code", code),
            ("redirect_uri", redirect_uri),
        ];
        form(&desk, "/oauth/2026-09/token", &fields)
    };
    let code = install();
    let granted = exchange(&code, back);
    assert_eq!(granted.status, 200, "{}", granted.text);
    assert_ne!(granted.body["refresh_token"], json!(app.refresh_token));
    assert_eq!(
        exchange(&code, back).body["status"],
        "BAD_AUTH_CODE",
        "it is spent"
    );
    let other = install();
    assert_eq!(
        exchange(&other, "https://elsewhere.example").status,
        400,
        "of another address"
    );
    let late = install();
    desk.advance(60_000);
    assert_eq!(exchange(&late, back).status, 400, "too late");
}

#[test]
fn newer_token_endpoints_read_the_body_alone() {
    let desk = Desk::bare(calm());
    let app = desk.portal.credentials();
    let query = format!(
        "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
        app.client_id, app.client_secret, app.refresh_token
    );
    assert_eq!(form(&desk, &format!("/oauth/v1/token?{query}"), &[]).status, 200);
    assert_eq!(
        form(&desk, &format!("/oauth/2026-09/token?{query}"), &[]).status,
        400
    );
    let told = form(
        &desk,
        "/oauth/2026-09/token/introspect",
        &[("token", &desk.token)],
    );
    assert_eq!(told.body["active"], true);
    form(
        &desk,
        "/oauth/2026-09/token/revoke",
        &[("token", &app.refresh_token)],
    );
    let told = form(
        &desk,
        "/oauth/2026-09/token/introspect",
        &[("token", &app.refresh_token)],
    );
    assert_eq!(told.body["active"], false);
}

#[test]
fn tokens_are_told_of_with_all_that_the_documents_declare() {
    let desk = Desk::bare(calm());
    let app = desk.portal.credentials();
    let granted = form(
        &desk,
        "/oauth/v3/token",
        &[
            ("grant_type", "refresh_token"),
            ("client_id", &app.client_id),
            ("client_secret", &app.client_secret),
            ("refresh_token", &app.refresh_token),
        ],
    );
    let access = granted.body["access_token"].as_str().unwrap_or_default();
    let told = form(&desk, "/oauth/v3/token/introspect", &[("token", access)]);
    for key in [
        "client_id",
        "hub_id",
        "is_private_distribution",
        "signed_access_token",
        "token",
        "user_id",
    ] {
        assert!(!told.body[key].is_null(), "{key}: {}", told.text);
    }
    let told = form(
        &desk,
        "/oauth/v3/token/introspect",
        &[("token", &app.refresh_token)],
    );
    assert_eq!(
        (&told.body["token_use"], &told.body["token"]),
        (&json!("refresh_token"), &json!(app.refresh_token))
    );

    // The first version tells of refresh tokens by path, and takes them back there.
    let path = format!("/oauth/v1/refresh-tokens/{}", app.refresh_token);
    let told = desk.get(&path);
    assert_eq!(
        (told.status, &told.body["client_id"]),
        (200, &json!(app.client_id))
    );
    assert_eq!(told.body["hub_id"], desk.portal.portal_id());
    assert_eq!(desk.delete(&path).status, 204);
    assert_eq!(desk.get(&path).status, 404);
}

#[test]
fn links_of_pages_lead_back_by_the_scheme_they_came_by() {
    let desk = Desk::bare(calm());
    desk.company("Acme");
    desk.company("Bolt");
    let link = |scheme: Option<&'static str>| {
        let mut headers = http::HeaderMap::new();
        let bearer = format!("Bearer {}", desk.token);
        headers.insert("authorization", bearer.parse().expect("plain text"));
        headers.insert("host", http::HeaderValue::from_static("portal.test"));
        if let Some(scheme) = scheme {
            headers.insert("x-forwarded-proto", http::HeaderValue::from_static(scheme));
        }
        let page = desk.call_with("GET", &format!("{COMPANIES}?limit=1"), &headers, b"");
        page.body["paging"]["next"]["link"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(link(None).starts_with("http://portal.test/crm/"));
    assert!(link(Some("https")).starts_with("https://portal.test/crm/"));
}

#[test]
fn unknown_places_and_long_addresses_get_pages_of_html() {
    let desk = Desk::bare(calm());
    for path in [
        "/nothing",
        "/crm/v3/nothing",
        "/crm/objects/2026-09/companies/1/2/3",
        "/crm/v3/lists",
    ] {
        let told = desk.get(path);
        assert_eq!(
            (told.status, told.header("content-type")),
            (404, Some("text/html; charset=utf-8")),
            "{path}"
        );
        assert!(told.body.is_null() && told.text.contains("<html>"));
    }
    let told = desk.get(&format!("{COMPANIES}?properties={}", "x".repeat(16_300)));
    assert_eq!(told.status, 414);
    assert!(told.text.contains("414 Request-URI Too Large"));
}

#[test]
fn bodies_must_be_json_and_readable() {
    let desk = Desk::bare(calm());
    let path = format!("{COMPANIES}/batch/create");
    let empty = desk.call("POST", &path, b"");
    assert_eq!((empty.status, empty.category()), (400, "VALIDATION_ERROR"));
    assert_eq!(
        empty.message(),
        "Invalid JSON input: a request body was expected, but none found"
    );
    let broken = desk.call("POST", &path, b"{\"inputs\":\n[}");
    assert!(
        broken.status == 400
            && broken
                .message()
                .starts_with("Invalid input JSON on line 2, column ")
    );
    assert!(broken.body.get("category").is_none());
    let odd = desk.call("POST", &path, br#"{"inputs":[{"properties":{"name":{}}}]}"#);
    assert!(
        odd.status == 400 && odd.message().contains("Cannot deserialize value"),
        "{}",
        odd.message()
    );
    assert_eq!(form(&desk, COMPANIES, &[("a", "b")]).status, 401);
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {}", desk.token)).expect("plain text");
    headers.insert(header::AUTHORIZATION, bearer);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    assert_eq!(desk.call_with("POST", &path, &headers, b"{}").status, 415);
}

#[test]
fn the_account_tells_of_itself_and_its_users() {
    let desk = Desk::bare(calm());
    for path in [
        "/account-info/v3/details",
        "/account-info/2026-03/details",
        "/account-info/2026-09/details",
    ] {
        let told = desk.get(path);
        assert_eq!(told.body["portalId"], desk.portal.portal_id());
        assert_eq!(told.body["utcOffset"], "-05:00");
    }
    let owners = desk.get("/crm/v3/owners/");
    assert_eq!(owners.results().len(), 3);
    let first = desk.get("/crm/owners/2026-09?limit=1");
    let after = first.body["paging"]["next"]["after"].as_str().unwrap_or_default();
    assert_eq!(
        desk.get(&format!("/crm/owners/2026-09?after={after}"))
            .results()
            .len(),
        2
    );
    let ada = desk.get("/crm/owners/2026-09?email=ADA@example.com");
    assert_eq!(ada.each("/id"), ["71000001"]);
    assert_eq!(
        desk.get("/crm/owners/2026-09/9100001?idProperty=userId").body["id"],
        "71000001"
    );
    let gone = desk.get("/crm/owners/2026-09?archived=true");
    assert_eq!(gone.results()[0]["userId"], Value::Null);
}

#[test]
fn the_accounts_ceilings_can_be_read() {
    let desk = Desk::new();
    desk.vehicle("a");
    let records = desk.get("/crm/limits/2026-09/records");
    assert_eq!(records.body["customObjectTypes"]["overallUsage"], 1);
    assert_eq!(
        records.body["customObjectTypes"]["byObjectType"][0]["objectTypeId"],
        desk.vehicles.as_str()
    );
    let company = records
        .list("hubspotDefinedObjectTypes")
        .iter()
        .find(|told| told["objectTypeId"] == "0-2");
    assert_eq!(company.map(|told| told["limit"].clone()), Some(json!(15_000_000)));
    let properties = desk.get("/crm/v3/limits/custom-properties");
    let vehicles = properties
        .list("byObjectType")
        .iter()
        .find(|told| told["objectTypeId"] == desk.vehicles.as_str());
    assert_eq!(vehicles.map(|told| told["usage"].clone()), Some(json!(9)));
    let labels = format!(
        "/crm/limits/2026-09/associations/labels?fromObjectTypeId={}&toObjectTypeId=0-2",
        desk.vehicles
    );
    assert_eq!(desk.get(&labels).results()[0]["limit"], 50);
    assert_eq!(
        desk.get(&format!(
            "/crm/limits/2026-09/associations/records/{}/0-2",
            desk.vehicles
        ))
        .body["limit"],
        10_000
    );
    for path in ["calculated-properties", "pipelines", "associations/records/from"] {
        assert_eq!(
            desk.get(&format!("/crm/limits/2026-09/{path}")).status,
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_portal_listens() {
    let desk = Desk::bare(calm());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = desk.portal.router();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(std::time::Duration::from_secs(30))
        .build()
        .expect("a client");
    let response = client
        .post(format!("http://{address}{COMPANIES}"))
        .bearer_auth(&desk.token)
        .json(&json!({"properties": {"name": "Over the wire"}}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status().as_u16(), 201);
    let told: Value = response.json().await.expect("JSON");
    assert_eq!(told["properties"]["name"], "Over the wire");
    server.abort();
}
