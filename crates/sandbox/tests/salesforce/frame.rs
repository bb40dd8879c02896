//! Logins, limits, versions, faults, the stand-in for HubSpot's own integration.

use crate::support::{Org, code, config};
use landbridge_sandbox::{NativeIntegration, SandboxConfig};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn every_login_of_the_announcement_works() {
    let org = Org::start(config()).await;
    let access = org.sandbox.announcement().salesforce.clone();
    let app = [
        ("client_id", access.client_id.as_str()),
        ("client_secret", access.client_secret.as_str()),
    ];
    let password = format!("{}{}", access.password, access.security_token);
    for flow in [
        vec![("grant_type", "client_credentials")],
        vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", access.refresh_token.as_str()),
        ],
        vec![
            ("grant_type", "password"),
            ("username", access.username.as_str()),
            ("password", password.as_str()),
        ],
    ] {
        let (status, answer) = org.form(&[flow, app.to_vec()].concat()).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["token_type"], "Bearer");
        assert!(answer.get("expires_in").is_none());
        assert!(answer["issued_at"].as_str().expect("text").parse::<i64>().is_ok());
        let org_id = &answer["id"]
            .as_str()
            .expect("an identity URL")
            .rsplit('/')
            .nth(1)
            .expect("an org")[..15];
        assert!(
            answer["access_token"]
                .as_str()
                .expect("a token")
                .starts_with(&format!("{org_id}!"))
        );
    }
    let basic = org
        .client
        .post(format!("{}/services/oauth2/token", org.base))
        .basic_auth(&access.client_id, Some(&access.client_secret))
        .form(&[("grant_type", "client_credentials")]);
    assert_eq!(org.send(basic).await.0, 200);
}

#[tokio::test]
async fn wrong_logins_are_refused_as_oauth_does() {
    let org = Org::start(config()).await;
    let access = org.sandbox.announcement().salesforce.clone();
    let id = ("client_id", access.client_id.as_str());
    let secret = ("client_secret", access.client_secret.as_str());
    let table = [
        (
            vec![("grant_type", "magic"), id, secret],
            "unsupported_grant_type",
        ),
        (
            vec![("grant_type", "client_credentials"), ("client_id", "x"), secret],
            "invalid_client_id",
        ),
        (
            vec![("grant_type", "client_credentials"), id, ("client_secret", "x")],
            "invalid_client",
        ),
        (
            vec![
                ("grant_type", "password"),
                id,
                secret,
                ("username", "x"),
                ("password", "y"),
            ],
            "invalid_grant",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                id,
                secret,
                ("refresh_token", "x"),
            ],
            "invalid_grant",
        ),
    ];
    for (form, error) in table {
        let (status, answer) = org.form(&form).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some(error)));
    }
    let on_login_host = org
        .client
        .post(format!("{}/services/oauth2/token", org.base))
        .header("Host", "login.salesforce.com")
        .form(&[("grant_type", "client_credentials"), id, secret]);
    assert_eq!(
        org.send(on_login_host).await.1["error_description"],
        "request not supported on this domain"
    );
}

#[tokio::test]
async fn sessions_end_on_command_and_calls_are_counted() {
    let mut org = Org::start(config()).await;
    let call = org
        .request(Method::GET, "limits")
        .send()
        .await
        .expect("an answer");
    assert_eq!(call.headers()["Sforce-Limit-Info"], "api-usage=1/1000000");
    assert!(call.headers().contains_key("Date"));
    let limits: Value = call.json().await.expect("JSON");
    assert_eq!(
        limits["DailyApiRequests"],
        json!({ "Max": 1_000_000, "Remaining": 999_999 })
    );
    // Where an app has a share of its own, that is told behind it.
    org.post("/__sandbox/settings", json!({ "app_requests": 250 }))
        .await;
    let call = org
        .request(Method::GET, "limits")
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        call.headers()["Sforce-Limit-Info"],
        "api-usage=2/1000000; per-app-api-usage=2/250(appName=Rehearsal)"
    );
    assert_eq!(org.post("/__sandbox/expire-sessions", json!({})).await.0, 204);
    let (status, refusal) = org.get("limits").await;
    assert_eq!((status, code(&refusal)), (401, "INVALID_SESSION_ID"));
    org.login().await;
    assert_eq!(org.get("limits").await.0, 200);
    org.post("/__sandbox/settings", json!({ "daily_requests": 2 }))
        .await;
    let (status, refusal) = org.get("limits").await;
    assert_eq!((status, code(&refusal)), (403, "REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(refusal[0]["message"], "TotalRequests Limit exceeded.");
}

#[tokio::test]
async fn versions_from_fifty_on_are_served() {
    let org = Org::start(config()).await;
    let (_, list) = org.get("/services/data/").await;
    let spring = json!({ "label": "Spring '24", "url": "/services/data/v60.0", "version": "60.0" });
    assert!(list.as_array().expect("a list").contains(&spring));
    for (version, status) in [("v50.0", 200), ("v99.0", 200), ("v31.0", 410), ("latest", 404)] {
        assert_eq!(
            org.get(&format!("/services/data/{version}/limits")).await.0,
            status,
            "{version}"
        );
    }
    assert_eq!(org.get("/services/data/v60.0//limits").await.0, 404);
}

#[tokio::test]
async fn long_uris_are_refused() {
    let org = Org::start(config()).await;
    let long = format!(
        "query?q=SELECT+Id+FROM+Vehicle__c+WHERE+Name='{}'",
        "x".repeat(16_400)
    );
    assert_eq!(org.get(&long).await.0, 414);
    let almost = format!(
        "query?q=SELECT+Id+FROM+Vehicle__c+WHERE+Name='{}'",
        "x".repeat(16_250)
    );
    let (status, page) = org.get(&almost).await;
    assert_eq!(status, 431);
    assert!(
        page.as_str()
            .expect("HTML")
            .contains("Request Header Fields Too Large")
    );
}

#[tokio::test]
async fn faults_fire_where_and_as_often_as_asked() {
    let org = Org::start(config()).await;
    let faults = json!([
        { "where": "GET /limits", "what": { "status": 503 }, "times": 2 },
        { "where": "/describe", "what": { "html": 502 }, "times": 1 },
        { "where": "/sobjects/Account", "what": "reset", "times": 1, "effect": true },
        { "where": "/query", "what": { "truncate": 30 }, "times": 1 },
    ]);
    assert_eq!(org.post("/__sandbox/faults", faults).await.0, 200);
    let seen = [
        org.get("limits").await,
        org.get("limits").await,
        org.get("limits").await,
    ];
    assert_eq!(seen.each_ref().map(|(status, _)| *status), [503, 503, 200]);
    assert_eq!(code(&seen[0].1), "SERVER_UNAVAILABLE");
    let (status, page) = org.get("sobjects/Account/describe").await;
    assert_eq!((status, page.is_string()), (502, true));
    let lost = org
        .request(Method::POST, "sobjects/Account")
        .json(&json!({ "Name": "Lost answer" }))
        .send()
        .await;
    assert!(lost.is_err());
    assert_eq!(
        org.query("SELECT Id FROM Account").await.1.as_str().map(str::len),
        Some(30)
    );
    assert_eq!(
        org.records("SELECT Id FROM Account WHERE Name = 'Lost answer'")
            .await
            .len(),
        1
    );
    let (_, shown) = org.get("/__sandbox/faults").await;
    let fired: Vec<u64> = shown
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|f| f["fired"].as_u64())
        .collect();
    assert_eq!(fired, [2, 1, 1, 1]);
    let (status, _) = org
        .post("/__sandbox/faults", json!([{ "what": { "explode": 1 } }]))
        .await;
    assert_eq!(status, 400);
}

/// Facts of the REST API's conventions: bodies may be compressed, HEAD is allowed where GET is, and a POST may
/// stand for a method that the client cannot send.
#[tokio::test]
async fn calls_may_be_compressed_and_methods_stood_in_for() {
    let org = Org::start(config()).await;
    let id = org.create("Depot__c", json!({"Name": "Hub"})).await;
    let path = format!("sobjects/Depot__c/{id}");
    let head = org.request(Method::HEAD, &path).send().await.expect("an answer");
    assert_eq!(head.status(), 200);
    assert!(head.bytes().await.expect("a body").is_empty());

    let packed = gzip(br#"{"Name":"Zip"}"#);
    let request = org
        .request(Method::POST, &format!("{path}?_HttpMethod=PATCH"))
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body(packed);
    assert_eq!(org.send(request).await.0, 204);
    assert_eq!(org.get(&path).await.1["Name"], "Zip");

    let (status, refused) = org.patch(&path, json!({"Id": id, "Name": "Same"})).await;
    assert_eq!((status, code(&refused)), (400, "INVALID_FIELD"));
}

/// One stored block, as RFC 1952 and RFC 1951 lay it out.
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short text");
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(content);
    let crc = content.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    });
    out.extend((!crc).to_le_bytes());
    out.extend(u32::from(length).to_le_bytes());
    out
}

/// HTTP/2 has the host in another place than HTTP/1.1.
#[tokio::test]
async fn links_lead_back_whatever_the_protocol() {
    let org = Org::start(SandboxConfig {
        companies: NativeIntegration {
            initial_share: 1.0,
            ..NativeIntegration::default()
        },
        ..config()
    })
    .await;
    let access = org.sandbox.announcement().hubspot.clone();
    let newer = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build();
    for client in [org.client.clone(), newer.expect("a client")] {
        let request = client
            .get(format!("{}/crm/v3/objects/companies?limit=1", access.base_url))
            .bearer_auth(&access.token);
        let (status, page) = org.send(request).await;
        let link = page["paging"]["next"]["link"].as_str().unwrap_or_default();
        assert_eq!(status, 200);
        assert!(link.starts_with(&access.base_url), "{link}");
    }
}

#[tokio::test]
async fn the_clock_can_be_off() {
    let org = Org::start(SandboxConfig {
        clock_skew_ms: 3_600_000,
        ..config()
    })
    .await;
    let answer = org
        .request(Method::GET, "limits")
        .send()
        .await
        .expect("an answer");
    let date = answer.headers()["Date"].to_str().expect("text").to_owned();
    let ahead = jiff::fmt::rfc2822::parse(&date).expect("a date").timestamp() - jiff::Timestamp::now();
    assert!((3500..3700).contains(&ahead.as_secs()), "{date}");
}

/// The Account ids that the portal's companies carry.
async fn companies(org: &Org) -> Vec<String> {
    let access = org.sandbox.announcement().hubspot.clone();
    let url = format!(
        "{}/crm/v3/objects/companies?limit=100&properties=salesforceaccountid",
        access.base_url
    );
    let (status, answer) = org.send(org.client.get(url).bearer_auth(access.token)).await;
    assert_eq!(status, 200, "{answer}");
    let list = answer["results"].as_array().expect("a list");
    let id = |one: &Value| {
        one["properties"]["salesforceaccountid"]
            .as_str()
            .map(str::to_owned)
    };
    list.iter().filter_map(id).collect()
}

#[tokio::test]
async fn accounts_become_companies_some_of_them_later() {
    let never = NativeIntegration {
        initial_share: 0.5,
        delay: Duration::from_secs(3600),
        enabled: true,
    };
    let org = Org::start(SandboxConfig {
        companies: never,
        ..config()
    })
    .await;
    assert_eq!(
        (org.sandbox.org().accounts().len(), companies(&org).await.len()),
        (60, 30)
    );

    let soon = NativeIntegration {
        initial_share: 0.5,
        delay: Duration::from_millis(10),
        enabled: true,
    };
    let org = Org::start(SandboxConfig {
        companies: soon,
        ..config()
    })
    .await;
    let newcomer = org.create("Account", json!({ "Name": "Newcomer" })).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let known = companies(&org).await;
        if known.len() == 61 && known.contains(&newcomer) {
            break;
        }
        assert!(Instant::now() < deadline, "{known:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_org() {
    let (one, two) = (Org::start(config()).await, Org::start(config()).await);
    let text = "SELECT Id, Name, Price__c, Depot__c, Notes__c, Features__c FROM Vehicle__c ORDER BY Id";
    assert_eq!(one.records(text).await, two.records(text).await);
    let other = Org::start(SandboxConfig { seed: 2, ..config() }).await;
    assert_ne!(one.records(text).await, other.records(text).await);
    let organization = "SELECT Id FROM Organization";
    assert_ne!(one.records(organization).await, other.records(organization).await);
}
