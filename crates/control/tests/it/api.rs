//! The REST API as its callers see it.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures::StreamExt as _;
use landbridge_control::service::{Caller, CreateToken, Grant, PutUser, Role, Service, UserName};
use landbridge_control::{Settings, router};
use landbridge_model::TenantId;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::rig::{Rig, Running, tenant};

/// reqwest wants a TLS provider even for plain HTTP.
pub(crate) fn install_tls() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .expect("no other provider is installed");
    });
}

/// What a caller shows.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    Nothing,
    Token(String),
    Cookie(String, Option<String>),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// The kind of a problem document.
    pub(crate) fn kind(&self) -> String {
        let content_type = self.headers[header::CONTENT_TYPE].to_str().unwrap();
        assert_eq!(content_type, "application/problem+json", "{}", self.text);
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        let kind = json["type"].as_str().unwrap();
        kind.strip_prefix("urn:landbridge:problem:").unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers[name].to_str().unwrap().to_owned()
    }
}

/// Control, its API, and a few callers.
pub(crate) struct Api {
    pub(crate) rig: Rig,
    pub(crate) service: Service,
    router: Router,
    control: Option<Running>,
}

impl Api {
    /// With the tenants acme and globex.
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// With other settings, but for one: what tests speak to is on this machine.
    pub(crate) async fn with(settings: Settings) -> Self {
        Self::exactly_with(Settings {
            allow_private_addresses: true,
            ..settings
        })
        .await
    }

    /// With exactly these settings.
    pub(crate) async fn exactly_with(settings: Settings) -> Self {
        let rig = Rig::new().await;
        let control = rig.control_with(settings.clone()).await;
        rig.add_tenant("globex").await;
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let settings = Settings { listen, ..settings };
        let service = Service::new(rig.hub.clone(), rig.config.clone(), settings);
        let router = router(service.clone());
        Self {
            rig,
            service,
            router,
            control: Some(control),
        }
    }

    /// Ends control hard.
    pub(crate) fn end_control(&mut self) {
        drop(self.control.take());
    }

    /// Ends control hard, and starts another one that knows nothing but the bus.
    pub(crate) async fn restart_control(&mut self, settings: Settings) {
        let settings = Settings {
            allow_private_addresses: true,
            ..settings
        };
        drop(self.control.take());
        self.rig.forget_control_cache().await;
        self.control = Some(self.rig.start(landbridge_control::Control::new(settings)).await);
    }

    /// A token with these grants.
    pub(crate) async fn token(&self, grants: Vec<Grant>) -> Proof {
        let wanted = CreateToken {
            name: "test".to_owned(),
            grants,
            days: 1,
        };
        let created = self
            .service
            .create_token(&Caller::local("test"), wanted)
            .await
            .unwrap();
        Proof::Token(created.token)
    }

    /// A user's own token with these grants.
    pub(crate) async fn token_of(&self, user: &str, grants: Vec<Grant>) -> Proof {
        let caller = Caller::new(format!("user:{user}"), grants.clone());
        let wanted = CreateToken {
            name: "test".to_owned(),
            grants,
            days: 1,
        };
        let created = self.service.create_token(&caller, wanted).await.unwrap();
        Proof::Token(created.token)
    }

    pub(crate) async fn in_acme(&self, role: Role) -> Proof {
        self.token(vec![Grant::of(role, tenant())]).await
    }

    pub(crate) async fn admin(&self) -> Proof {
        self.token(vec![Grant::everywhere(Role::Admin)]).await
    }

    /// An admin of another tenant.
    pub(crate) async fn stranger(&self) -> Proof {
        self.token(vec![Grant::of(Role::Admin, TenantId::new("globex").unwrap())])
            .await
    }

    pub(crate) async fn add_user(&self, name: &str, password: &str, grants: Vec<Grant>) {
        let wanted = PutUser {
            grants,
            password: Some(password.to_owned()),
        };
        let name = UserName::new(name).unwrap();
        self.service
            .put_user(&Caller::local("test"), &name, wanted)
            .await
            .unwrap();
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        proof: &Proof,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        match proof {
            Proof::Nothing => {}
            Proof::Token(token) => request = request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            Proof::Cookie(cookie, csrf) => {
                request = request.header(header::COOKIE, cookie);
                if let Some(csrf) = csrf {
                    request = request.header("x-csrf-token", csrf);
                }
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            None => request.body(Body::empty()),
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
        };
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str, proof: &Proof) -> Answer {
        self.send(Method::GET, path, proof, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, proof: &Proof, body: &Value) -> Answer {
        self.send(Method::POST, path, proof, &[], Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, proof: &Proof, body: &Value) -> Answer {
        self.send(Method::PUT, path, proof, &[], Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, proof: &Proof) -> Answer {
        self.send(Method::DELETE, path, proof, &[], None).await
    }

    /// Puts over what is there now, or where there is nothing.
    pub(crate) async fn put_seen(&self, path: &str, proof: &Proof, body: &Value) -> Answer {
        let tag = self.tag_of(path, proof).await;
        let condition = match &tag {
            Some(tag) => ("if-match", tag.as_str()),
            None => ("if-none-match", "*"),
        };
        self.send(Method::PUT, path, proof, &[condition], Some(body))
            .await
    }

    /// Removes what is there now.
    pub(crate) async fn delete_seen(&self, path: &str, proof: &Proof) -> Answer {
        let tag = self.tag_of(path, proof).await;
        let tag = tag.unwrap_or_else(|| "\"nothing\"".to_owned());
        self.send(Method::DELETE, path, proof, &[("if-match", &tag)], None)
            .await
    }

    async fn tag_of(&self, path: &str, proof: &Proof) -> Option<String> {
        let (resource, _) = path.split_once('?').unwrap_or((path, ""));
        let headers = self.get(resource, proof).await.headers;
        Some(headers.get("etag")?.to_str().unwrap().to_owned())
    }

    /// The answer that server-sent events begin with, and the first of them.
    pub(crate) async fn first_event(&self, path: &str, proof: &Proof) -> Answer {
        let mut events = self.events(path, proof).await;
        Answer {
            status: StatusCode::OK,
            headers: events.headers.clone(),
            text: events.next().await,
        }
    }

    /// Follows server-sent events.
    pub(crate) async fn events(&self, path: &str, proof: &Proof) -> Events {
        let Proof::Token(token) = proof else {
            panic!("events are followed with a token here")
        };
        let request = Request::builder()
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let response = self
            .router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        Events {
            headers: response.headers().clone(),
            stream: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// Who did what, newest first.
    pub(crate) async fn audit(&self) -> Vec<(String, String, String)> {
        let log = self
            .service
            .audit_log(&Caller::local("test"), &Default::default())
            .await
            .unwrap();
        let entries = log.items.into_iter();
        entries
            .map(|entry| (entry.who, entry.action, entry.subject))
            .collect()
    }
}

/// Server-sent events as they come.
pub(crate) struct Events {
    headers: HeaderMap,
    stream: axum::body::BodyDataStream,
    text: String,
}

impl Events {
    /// The next one, whole.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                return event;
            }
            let bytes = self.stream.next().await.expect("the stream ended").unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

/// One operation of the document.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) takes_body: bool,
}

/// All operations, as the document has them.
pub(crate) fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&landbridge_control::http::openapi_json()).unwrap();
    let mut ids = BTreeMap::new();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert_eq!(
                ids.insert(id.clone(), path.clone()),
                None,
                "{id} is the name of two operations"
            );
            all.push(Operation {
                id,
                method,
                path: path.clone(),
                takes_body: operation["requestBody"].is_object(),
            });
        }
    }
    assert!(all.len() > 40, "only {} operations were found", all.len());
    all
}

/// The checked-in document is what the code says. `UPDATE_EXPECT=1` writes it anew.
#[test]
fn the_document_is_fresh() {
    expect_test::expect_file!["../../../../docs/openapi.json"]
        .assert_eq(&landbridge_control::http::openapi_json());
}
