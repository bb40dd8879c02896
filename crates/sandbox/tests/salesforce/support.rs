//! A running sandbox and a small client for its Salesforce side.

use landbridge_sandbox::{NativeIntegration, Sandbox, SandboxConfig};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The API version that the tests speak.
pub(crate) const VERSION: &str = "v62.0";

pub(crate) struct Org {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

/// A sandbox whose jobs do not queue for long, without companies.
pub(crate) fn config() -> SandboxConfig {
    SandboxConfig {
        bulk_queue_delay: Duration::from_millis(40),
        companies: NativeIntegration {
            enabled: false,
            ..NativeIntegration::default()
        },
        ..SandboxConfig::default()
    }
}

impl Org {
    pub(crate) async fn start(config: SandboxConfig) -> Org {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(config).await.expect("the sandbox starts");
        let base = sandbox.announcement().salesforce.instance_url.clone();
        let client = Client::builder().no_proxy().build().expect("a client");
        let mut org = Org {
            sandbox,
            client,
            base,
            token: String::new(),
        };
        org.login().await;
        org
    }

    pub(crate) async fn login(&mut self) {
        let access = self.sandbox.announcement().salesforce.clone();
        let answer = self
            .form(&[
                ("grant_type", "client_credentials"),
                ("client_id", &access.client_id),
                ("client_secret", &access.client_secret),
            ])
            .await;
        self.token = answer.1["access_token"].as_str().expect("a token").to_owned();
    }

    /// A token request.
    pub(crate) async fn form(&self, fields: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/services/oauth2/token", self.base);
        let response = self
            .client
            .post(url)
            .form(fields)
            .send()
            .await
            .expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/services/data/{VERSION}/{path}")
        };
        self.client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn query(&self, soql: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, "query").query(&[("q", soql)]))
            .await
    }

    pub(crate) async fn query_all(&self, soql: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, "queryAll").query(&[("q", soql)]))
            .await
    }

    /// The records of a query that fits one page.
    pub(crate) async fn records(&self, soql: &str) -> Vec<Value> {
        let (status, answer) = self.query(soql).await;
        assert_eq!(status, 200, "{soql}: {answer}");
        answer["records"].as_array().expect("records").clone()
    }

    pub(crate) async fn create(&self, object: &str, body: Value) -> String {
        let (status, answer) = self.post(&format!("sobjects/{object}"), body).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Runs a Bulk query to its end; gives the job.
    pub(crate) async fn bulk(&self, operation: &str, soql: &str) -> Value {
        let body = serde_json::json!({ "operation": operation, "query": soql });
        let (status, job) = self.post("jobs/query", body).await;
        assert_eq!(status, 200, "{job}");
        self.finish(job["id"].as_str().expect("an id")).await
    }

    pub(crate) async fn finish(&self, id: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let (status, job) = self.get(&format!("jobs/query/{id}")).await;
            assert_eq!(status, 200, "{job}");
            if matches!(job["state"].as_str(), Some("JobComplete" | "Failed" | "Aborted")) {
                return job;
            }
            assert!(Instant::now() < deadline, "the job does not end: {job}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The code of an error array.
pub(crate) fn code(answer: &Value) -> &str {
    answer[0]["errorCode"].as_str().unwrap_or_default()
}
