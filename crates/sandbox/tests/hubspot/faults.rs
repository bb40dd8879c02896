//! Faults laid over the portal, and a whole sandbox over a restart.

use super::{batches::upsert, desk::Desk};
use axum::{Router, body::Body};
use http::{Request, header};
use landbridge_sandbox::{
    Limits, NativeIntegration, Sandbox, SandboxConfig, fault::Faults, hubspot, server, stats::Stats,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tower::ServiceExt;

struct Dressed {
    desk: Desk,
    router: Router,
}

impl Dressed {
    fn new() -> Dressed {
        let desk = Desk::new();
        let faults = Arc::new(Faults::new(hubspot::fault_body));
        let router = server::dress(desk.portal.router(), faults, Arc::new(Stats::default()));
        Dressed { desk, router }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Option<String>, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.desk.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        let told = serde_json::from_slice(&body.expect("a whole body")).unwrap_or(Value::Null);
        (status, retry_after, told)
    }

    async fn upsert(&self, key: &str) -> (u16, Option<String>, Value) {
        let path = format!("/crm/objects/2026-09/{}/batch/upsert", self.desk.vehicles);
        let input = upsert(key, Some(key), json!({ "key": key }));
        self.send("POST", &path, json!({ "inputs": [input] })).await
    }

    async fn fault(&self, fault: Value) {
        let (status, _, told) = self.send("POST", "/__sandbox/faults", fault).await;
        assert_eq!(status, 200, "{told}");
    }
}

#[tokio::test]
async fn a_fault_speaks_as_hubspot_and_tells_that_it_fired() {
    let dressed = Dressed::new();
    for (status, category) in [
        (423, "LOCKED"),
        (477, "MIGRATION_IN_PROGRESS"),
        (429, "RATE_LIMITS"),
        (524, "INTERNAL_ERROR"),
    ] {
        let fault = json!({"where": "batch/upsert", "what": {"status": status}, "times": 1, "headers": {"Retry-After": "3"}});
        dressed.fault(fault).await;
        let (got, retry_after, told) = dressed.upsert("a").await;
        assert_eq!(
            (got, retry_after.as_deref(), &told["category"]),
            (status, Some("3"), &json!(category))
        );
    }
    assert_eq!(dressed.desk.count(), 0);
    assert_eq!(dressed.upsert("a").await.0, 200);
    let (_, _, told) = dressed.send("GET", "/__sandbox/faults", Value::Null).await;
    let fired: Vec<&Value> = told
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["fired"])
        .collect();
    assert_eq!(fired, [1, 1, 1, 1]);
}

#[tokio::test]
async fn answers_come_in_other_shapes_on_request() {
    let dressed = Dressed::new();
    let shaped = async |shape: &str, key: &str| {
        dressed
            .fault(json!({"where": "batch/upsert", "what": {"reshape": shape}, "times": 1}))
            .await;
        dressed.upsert(key).await.2
    };
    assert!(shaped("numeric_ids", "a").await["results"][0]["id"].is_u64());
    assert!(shaped("extra_members", "a").await["results"][0]["unheardOf"].is_object());
    let nothing = shaped("no_results", "b").await;
    assert_eq!((&nothing["results"], nothing.get("errors")), (&json!([]), None));
    assert_eq!(dressed.desk.count(), 2, "it was written all the same");
}

#[tokio::test]
async fn a_write_whose_client_gives_up_waiting_is_there() {
    let dressed = Dressed::new();
    dressed
        .fault(json!({"where": "batch/upsert", "what": {"delay_ms": 3_600_000}, "effect": true}))
        .await;
    let waited = tokio::time::timeout(Duration::from_millis(20), dressed.upsert("a")).await;
    assert!(waited.is_err(), "the answer is held back");
    while dressed.desk.count() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_sandbox_with_a_folder_remembers_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = async || {
        let config = SandboxConfig {
            records: Some(10),
            hubspot_limits: Limits::Off,
            state: Some(folder.path().to_owned()),
            companies: NativeIntegration {
                enabled: false,
                ..NativeIntegration::default()
            },
            ..SandboxConfig::default()
        };
        Sandbox::start(config).await.expect("a sandbox")
    };
    let _already = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client");
    let companies = |sandbox: &Sandbox| {
        format!(
            "{}/crm/objects/2026-09/companies",
            sandbox.announcement().hubspot.base_url
        )
    };

    let first = start().await;
    let token = first.announcement().hubspot.token.clone();
    let made = client.post(companies(&first)).bearer_auth(&token);
    let made = made
        .json(&json!({"properties": {"name": "Acme"}}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(made.status().as_u16(), 201);
    first.stop().await;

    let second = start().await;
    assert_eq!(second.announcement().hubspot.token, token);
    let listed = client
        .get(companies(&second))
        .bearer_auth(&token)
        .send()
        .await
        .expect("an answer");
    let listed: Value = listed.json().await.expect("JSON");
    assert_eq!(listed["results"][0]["properties"]["name"], "Acme", "{listed}");
    second.stop().await;
}
