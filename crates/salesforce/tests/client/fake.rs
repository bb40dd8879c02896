//! A scripted Salesforce: answers are queued by path, what was asked is recorded.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use landbridge_salesforce::{Client, ClientConfig, Flow, RetryPolicy, Secret, TokenKeeper};

/// One scripted answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body's pieces; `None` breaks the connection.
    pub(crate) pieces: Vec<Option<String>>,
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer {
        status,
        headers: vec![],
        pieces: vec![Some(body.into())],
    }
}

impl Answer {
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn broken(mut self) -> Self {
        self.pieces.push(None);
        self
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) headers: HeaderMap,
}

#[derive(Default)]
struct Script {
    answers: HashMap<String, VecDeque<Answer>>,
    asked: Vec<Asked>,
    sign_ins: Vec<String>,
    rotates: bool,
    /// The org that sign-ins lead to; `00D000000000000` unless another is named.
    org: Option<&'static str>,
    base: String,
}

/// The server. Answers for a path are given in order; the last one is repeated.
#[derive(Clone)]
pub(crate) struct Fake(Arc<Mutex<Script>>);

impl Fake {
    pub(crate) async fn start() -> Self {
        let fake = Self(Arc::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        fake.0.lock().unwrap().base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(serve).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        fake
    }

    pub(crate) fn client(&self) -> Client {
        let flow = Flow::ClientCredentials {
            client_id: "key".into(),
            client_secret: Secret::new("hush"),
        };
        self.client_of(flow, None)
    }

    pub(crate) fn client_of(&self, flow: Flow, keeper: Option<Arc<dyn TokenKeeper>>) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let login_url = self.0.lock().unwrap().base.parse().unwrap();
        let mut config = ClientConfig::new(login_url, flow);
        config.keeper = keeper;
        let first_pause = Duration::from_millis(1);
        config.retry = RetryPolicy {
            attempts: 3,
            first_pause,
            longest_pause: first_pause,
        };
        Client::new(config).unwrap()
    }

    /// Queues an answer for a path below the version, its query included.
    pub(crate) fn on(&self, path: &str, answer: Answer) -> &Self {
        let path = if path.starts_with('/') {
            path.into()
        } else {
            format!("/services/data/v66.0/{path}")
        };
        self.0
            .lock()
            .unwrap()
            .answers
            .entry(path)
            .or_default()
            .push_back(answer);
        self
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(crate) fn asked_paths(&self) -> Vec<String> {
        let short = |path: String| path.replace("/services/data/v66.0/", "");
        self.asked().into_iter().map(|asked| short(asked.path)).collect()
    }

    pub(crate) fn sign_ins(&self) -> usize {
        self.0.lock().unwrap().sign_ins.len()
    }

    /// The forms of all sign-ins so far.
    pub(crate) fn sign_in_forms(&self) -> Vec<String> {
        self.0.lock().unwrap().sign_ins.clone()
    }

    /// From now on every sign-in comes with a new refresh token.
    pub(crate) fn rotates(&self) {
        self.0.lock().unwrap().rotates = true;
    }

    /// From now on every sign-in leads to this org.
    pub(crate) fn becomes(&self, org: &'static str) {
        self.0.lock().unwrap().org = Some(org);
    }

    fn answer(&self, asked: Asked) -> Answer {
        let mut script = self.0.lock().unwrap();
        if asked.path == "/services/oauth2/token" {
            script.sign_ins.push(asked.body);
            let (base, n) = (script.base.clone(), script.sign_ins.len());
            let refresh = if script.rotates {
                format!(r#""refresh_token":"refresh-{n}","#)
            } else {
                String::new()
            };
            let org = script.org.unwrap_or("00D000000000000");
            return answer(
                200,
                format!(
                    r#"{{"access_token":"token-{n}",{refresh}"instance_url":"{base}","issued_at":"1767225600000",
                        "id":"https://login.salesforce.com/id/{org}/005000000000001","token_type":"Bearer"}}"#
                ),
            );
        }
        let queue = script.answers.get_mut(&asked.path);
        let next = match queue {
            Some(queue) if queue.len() > 1 => queue.pop_front(),
            Some(queue) => queue.front().cloned(),
            None => None,
        };
        script.asked.push(asked.clone());
        next.unwrap_or_else(|| {
            answer(
                404,
                format!(r#"[{{"errorCode":"NOT_FOUND","message":"{}"}}]"#, asked.path),
            )
        })
    }
}

async fn serve(State(fake): State<Fake>, request: Request) -> Response {
    let path = request.uri().to_string();
    let headers = request.headers().clone();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let answer = fake.answer(Asked { path, body, headers });
    let pieces: Vec<Result<String, std::io::Error>> = answer
        .pieces
        .into_iter()
        .map(|piece| piece.ok_or_else(|| std::io::Error::other("the connection breaks here")))
        .collect();
    let mut response = Response::new(Body::from_stream(futures::stream::iter(pieces)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
