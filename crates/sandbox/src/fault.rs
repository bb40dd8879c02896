//! Faults on request: what a client must survive, when a test says so and never by chance.
//!
//! `POST /__sandbox/faults` takes one fault or a list of them, `GET` shows what is set and how often each
//! fired, `DELETE` clears. A fault is laid over a call before or after its effect; the first one that
//! matches a call wins, except that a delay lets others act as well.

pub use crate::reshape::Shape;

use crate::server::Abort;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// One fault: where, what, how often and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// A part of the path and query, optionally after a method: `/results`, `POST /jobs/query`. Empty
    /// matches every call.
    #[serde(default, rename = "where")]
    pub place: String,
    /// What happens.
    pub what: Fault,
    /// How many calls are hit; without it, all of them.
    #[serde(default)]
    pub times: Option<u32>,
    /// How many matching calls pass unharmed first.
    #[serde(default)]
    pub after: u32,
    /// How long the fault stays, in milliseconds; without it, until cleared.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// The call takes effect and only its answer is lost or replaced.
    #[serde(default)]
    pub effect: bool,
    /// Replaces the body of a `status` fault.
    #[serde(default)]
    pub body: Option<String>,
    /// Added to the answer of a `status` or `html` fault, for example `Retry-After`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// What a fault does to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Answers with this status and the side's own error body for it.
    Status(u16),
    /// Answers with this status and a page of HTML, as load balancers do.
    Html(u16),
    /// Answers with this status and nothing else.
    Empty(u16),
    /// Drops the connection without an answer.
    Reset,
    /// Drops the connection after so many bytes of the answer's body.
    ResetAfter(usize),
    /// Ends the body after so many bytes, as if it were whole.
    Truncate(usize),
    /// Waits so many milliseconds before the call is looked at; with `effect`, before its answer is sent: the client may
    /// be gone by then, and the write is there.
    DelayMs(u64),
    /// Gives the answer in another shape.
    Reshape(Shape),
}

/// A fault as `GET /__sandbox/faults` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct FaultStatus {
    /// As it was asked for.
    #[serde(flatten)]
    pub spec: FaultSpec,
    /// How many calls it has hit.
    pub fired: u32,
    /// Whether it can still hit one.
    pub active: bool,
}

struct Armed {
    spec: FaultSpec,
    since: Instant,
    seen: u32,
    fired: u32,
}

impl Armed {
    fn is_active(&self) -> bool {
        let in_time = self
            .spec
            .for_ms
            .is_none_or(|ms| self.since.elapsed() < Duration::from_millis(ms));
        in_time && self.spec.times.is_none_or(|times| self.fired < times)
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        match self.spec.place.split_once(' ') {
            Some((wanted, part)) => wanted.eq_ignore_ascii_case(method) && path.contains(part),
            None => path.contains(&self.spec.place),
        }
    }
}

/// The body that a side gives with an error status when a fault asks for none of its own.
pub type ErrorBody = fn(StatusCode) -> serde_json::Value;

/// One side's faults.
pub struct Faults {
    armed: Mutex<Vec<Armed>>,
    error_body: ErrorBody,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults")
            .field("armed", &self.armed.lock().len())
            .finish()
    }
}

impl Faults {
    /// No faults yet.
    pub fn new(error_body: ErrorBody) -> Faults {
        Faults {
            armed: Mutex::new(Vec::new()),
            error_body,
        }
    }

    /// Sets faults beside those already set.
    pub fn add(&self, specs: Vec<FaultSpec>) {
        let since = Instant::now();
        self.armed.lock().extend(specs.into_iter().map(|spec| Armed {
            spec,
            since,
            seen: 0,
            fired: 0,
        }));
    }

    /// Takes all faults away, and what they have counted.
    pub fn clear(&self) {
        self.armed.lock().clear();
    }

    /// What is set and what has fired.
    pub fn status(&self) -> Vec<FaultStatus> {
        let armed = self.armed.lock();
        armed
            .iter()
            .map(|one| FaultStatus {
                spec: one.spec.clone(),
                fired: one.fired,
                active: one.is_active(),
            })
            .collect()
    }

    /// The faults that hit this call: any delays, then at most one other.
    fn take(&self, method: &str, path: &str) -> Vec<FaultSpec> {
        let mut armed = self.armed.lock();
        let mut hits = Vec::new();
        for one in armed
            .iter_mut()
            .filter(|one| one.is_active() && one.matches(method, path))
        {
            one.seen += 1;
            if one.seen <= one.spec.after {
                continue;
            }
            one.fired += 1;
            hits.push(one.spec.clone());
            if !matches!(one.spec.what, Fault::DelayMs(_)) {
                break;
            }
        }
        hits
    }

    fn replacement(&self, spec: &FaultSpec) -> Option<Response> {
        let mut response = match spec.what {
            Fault::Status(code) => {
                let status = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                match &spec.body {
                    Some(body) => (status, body.clone()).into_response(),
                    None => (status, Json((self.error_body)(status))).into_response(),
                }
            }
            Fault::Html(code) => {
                let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
                let reason = status.canonical_reason().unwrap_or("Error");
                let page = format!("<html><body><h1>{code} {reason}</h1></body></html>");
                (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
            }
            Fault::Empty(code) => StatusCode::from_u16(code)
                .unwrap_or(StatusCode::NOT_ACCEPTABLE)
                .into_response(),
            Fault::Reset => Abort::response(),
            Fault::ResetAfter(_) | Fault::Truncate(_) | Fault::DelayMs(_) | Fault::Reshape(_) => return None,
        };
        for (name, value) in &spec.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        Some(response)
    }
}

/// The middleware that lays faults over calls. The sandbox's own paths are spared.
pub async fn lay_over(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map(|path| path.as_str())
        .unwrap_or("/");
    if path.starts_with("/__sandbox") {
        return next.run(request).await;
    }
    let mut cut = None;
    let mut after_effect = None;
    let mut late = Duration::ZERO;
    let mut shape = None;
    for spec in faults.take(request.method().as_str(), path) {
        match spec.what {
            Fault::DelayMs(ms) if spec.effect => late += Duration::from_millis(ms),
            Fault::Reshape(wanted) => shape = Some(wanted),
            Fault::DelayMs(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Fault::ResetAfter(bytes) => cut = Some((bytes, true)),
            Fault::Truncate(bytes) => cut = Some((bytes, false)),
            _ if spec.effect => after_effect = faults.replacement(&spec),
            _ => {
                if let Some(response) = faults.replacement(&spec) {
                    return response;
                }
            }
        }
    }
    let response = if late.is_zero() {
        next.run(request).await
    } else {
        late_answer(request, next, late).await
    };
    match (after_effect, cut, shape) {
        (Some(replacement), ..) => replacement,
        (None, Some((bytes, reset)), _) => cut_body(response, bytes, reset),
        (None, None, Some(shape)) => reshape(response, shape).await,
        (None, None, None) => response,
    }
}

/// Lets the call take effect and holds its answer back. The call goes on even if its client does not wait.
async fn late_answer(request: Request, next: Next, late: Duration) -> Response {
    let response = tokio::spawn(next.run(request)).await;
    tokio::time::sleep(late).await;
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn reshape(response: Response, shape: Shape) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(bytes) => Response::from_parts(parts, Body::from(shape.apply(&bytes))),
        Err(_) => Abort::response(),
    }
}

/// Ends a body after `limit` bytes: cleanly, or with an error that drops the connection.
fn cut_body(response: Response, limit: usize, reset: bool) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let kept = stream::unfold((body.into_data_stream(), limit), |(mut rest, left)| async move {
        if left == 0 {
            return None;
        }
        let chunk: Result<Bytes, axum::Error> = rest.next().await?;
        let chunk = chunk.map(|bytes| bytes.slice(..bytes.len().min(left)));
        let left = left - chunk.as_ref().map_or(left, Bytes::len);
        Some((chunk.map_err(io::Error::other), (rest, left)))
    });
    let end = stream::iter(reset.then(|| Err(io::Error::from(io::ErrorKind::ConnectionReset))));
    Response::from_parts(parts, Body::from_stream(kept.chain(end).fuse()))
}

/// `/__sandbox/faults`.
pub fn routes(faults: Arc<Faults>) -> Router {
    Router::new()
        .route(
            "/__sandbox/faults",
            get(async |State(faults): State<Arc<Faults>>| Json(faults.status()))
                .post(set)
                .delete(async |State(faults): State<Arc<Faults>>| faults.clear()),
        )
        .with_state(faults)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<serde_json::Value>),
    One(serde_json::Value),
}

async fn set(State(faults): State<Arc<Faults>>, Json(given): Json<OneOrMany>) -> Response {
    let values = match given {
        OneOrMany::Many(values) => values,
        OneOrMany::One(value) => vec![value],
    };
    match values
        .into_iter()
        .map(serde_json::from_value)
        .collect::<Result<Vec<FaultSpec>, _>>()
    {
        Ok(specs) => {
            faults.add(specs);
            Json(faults.status()).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("not a fault: {error}")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: serde_json::Value) -> FaultSpec {
        serde_json::from_value(json).expect("a fault")
    }

    fn faults(specs: Vec<FaultSpec>) -> Faults {
        let faults = Faults::new(|_| serde_json::Value::Null);
        faults.add(specs);
        faults
    }

    #[test]
    fn a_fault_hits_its_place_and_no_other() {
        let faults = faults(vec![fault(
            serde_json::json!({"where": "POST /jobs", "what": {"status": 503}}),
        )]);
        assert!(faults.take("GET", "/jobs/query").is_empty());
        assert!(faults.take("POST", "/query").is_empty());
        assert_eq!(faults.take("POST", "/services/jobs/query").len(), 1);
    }

    #[test]
    fn a_fault_waits_then_fires_so_often_and_stops() {
        let faults = faults(vec![fault(
            serde_json::json!({"what": "reset", "after": 1, "times": 2}),
        )]);
        let hits: Vec<usize> = (0..5).map(|_| faults.take("GET", "/x").len()).collect();
        assert_eq!(hits, [0, 1, 1, 0, 0]);
        let status = &faults.status()[0];
        assert_eq!((status.fired, status.active), (2, false));
    }

    #[test]
    fn delays_add_to_another_fault() {
        let faults = faults(vec![
            fault(serde_json::json!({"what": {"delay_ms": 1}})),
            fault(serde_json::json!({"what": {"html": 502}})),
            fault(serde_json::json!({"what": {"status": 500}})),
        ]);
        let hits: Vec<Fault> = faults
            .take("GET", "/x")
            .into_iter()
            .map(|spec| spec.what)
            .collect();
        assert_eq!(hits, [Fault::DelayMs(1), Fault::Html(502)]);
    }
}
