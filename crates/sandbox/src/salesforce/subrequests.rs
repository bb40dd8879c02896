//! Several calls in one: `/composite` with references from one to the next, `/composite/batch`, and
//! `/composite/graph`, whose graphs are all or nothing each.

mod atomic;
mod reference;

use crate::salesforce::{
    call::{Call, form, route},
    errors::{ApiError, json_ok},
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use reference::Known;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::sync::atomic::Ordering;

/// The most calls of a composite and of a batch, and nodes of all graphs.
const MOST: usize = 25;
const MOST_NODES: usize = 500;

/// One call of a composite or a graph.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subrequest {
    method: String,
    url: String,
    reference_id: String,
    #[serde(default)]
    body: Json,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composite {
    #[serde(default)]
    all_or_none: bool,
    composite_request: Vec<Subrequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Graph {
    graph_id: String,
    composite_request: Vec<Subrequest>,
}

#[derive(Deserialize)]
struct Graphs {
    graphs: Vec<Graph>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    #[serde(default)]
    halt_on_error: bool,
    batch_requests: Vec<BatchRequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchRequest {
    method: String,
    url: String,
    #[serde(default)]
    rich_input: Json,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    status: StatusCode,
    body: Json,
    location: Option<String>,
}

impl Outcome {
    fn refused(error: ApiError) -> Outcome {
        let status = error.status;
        Outcome {
            status,
            body: error.into_json(),
            location: None,
        }
    }

    fn halted(message: &str) -> Outcome {
        Outcome::refused(ApiError::bad("PROCESSING_HALTED", message))
    }

    fn json(&self, name: &str) -> Json {
        let headers = match &self.location {
            Some(location) => json!({ "Location": location }),
            None => json!({}),
        };
        json!({
            "body": self.body,
            "httpHeaders": headers,
            "httpStatusCode": self.status.as_u16(),
            "referenceId": name,
        })
    }
}

fn parse<'b, T: Deserialize<'b>>(call: &'b Call) -> Result<T, ApiError> {
    serde_json::from_slice(&call.body).map_err(|error| ApiError::body(error.to_string()))
}

fn within(found: usize, most: usize) -> Result<(), ApiError> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    let message = format!("{found} subrequests were given; there may be 1 to {most}");
    Err(ApiError::bad("LIMIT_EXCEEDED", message))
}

/// `POST /composite`.
pub(super) async fn composite(call: &Call) -> Result<Response, ApiError> {
    let given: Composite = parse(call)?;
    within(given.composite_request.len(), MOST)?;
    let outcomes = if given.all_or_none {
        atomic::run(call, &given.composite_request).await
    } else {
        one_by_one(call, &given.composite_request).await
    };
    Ok(json_ok(
        &json!({ "compositeResponse": told(&given.composite_request, &outcomes) }),
    ))
}

fn told(requests: &[Subrequest], outcomes: &[Outcome]) -> Vec<Json> {
    let pairs = requests.iter().zip(outcomes);
    pairs
        .map(|(request, outcome)| outcome.json(&request.reference_id))
        .collect()
}

async fn one_by_one(call: &Call, requests: &[Subrequest]) -> Vec<Outcome> {
    let mut known = Known::default();
    let mut outcomes = Vec::new();
    for request in requests {
        let outcome = match known.resolve(request) {
            Ok(request) => perform(call, &request.method, &request.url, &request.body).await,
            Err(message) => Outcome::halted(&message),
        };
        known.learn(&request.reference_id, &outcome);
        outcomes.push(outcome);
    }
    outcomes
}

/// `POST /composite/graph`.
pub(super) async fn graphs(call: &Call) -> Result<Response, ApiError> {
    let given: Graphs = parse(call)?;
    within(
        given
            .graphs
            .iter()
            .map(|graph| graph.composite_request.len())
            .sum(),
        MOST_NODES,
    )?;
    let mut results = Vec::new();
    for graph in &given.graphs {
        let outcomes = atomic::run(call, &graph.composite_request).await;
        let went_well = outcomes.iter().all(|outcome| outcome.status.as_u16() < 300);
        results.push(json!({
            "graphId": graph.graph_id,
            "graphResponse": { "compositeResponse": told(&graph.composite_request, &outcomes) },
            "isSuccessful": went_well,
        }));
    }
    Ok(json_ok(&json!({ "graphs": results })))
}

/// `POST /composite/batch`: calls that know nothing of each other, each of them counted.
pub(super) async fn batch(call: &Call) -> Result<Response, ApiError> {
    let given: Batch = parse(call)?;
    within(given.batch_requests.len(), MOST)?;
    let mut results = Vec::new();
    let mut failed = false;
    for request in &given.batch_requests {
        if failed && given.halt_on_error {
            let halted = [json!({
                "errorCode": "BATCH_PROCESSING_HALTED",
                "message": "Batch processing halted per request",
            })];
            results.push(json!({ "statusCode": 412, "result": halted }));
            continue;
        }
        let most = call.handle.settings.daily_requests.load(Ordering::Relaxed);
        let counted = call.handle.usage.lock().count(call.handle.clock.now_ms(), most);
        let outcome = match counted {
            Ok(_) => {
                let url = match request.url.strip_prefix('/') {
                    Some(_) => request.url.clone(),
                    None => format!("/services/data/{}", request.url),
                };
                perform(call, &request.method, &url, &request.rich_input).await
            }
            Err(_) => Outcome::refused(ApiError::new(
                StatusCode::FORBIDDEN,
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            )),
        };
        failed |= outcome.status.as_u16() >= 300;
        results.push(json!({ "statusCode": outcome.status.as_u16(), "result": outcome.body }));
    }
    Ok(json_ok(&json!({ "hasErrors": failed, "results": results })))
}

/// The version and the path below it of a call's URL.
fn split(url: &str) -> Option<(String, Vec<String>, &str)> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut segments = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            percent_encoding::percent_decode_str(segment)
                .decode_utf8_lossy()
                .into_owned()
        });
    let root = (segments.next()?, segments.next()?);
    if root.0 != "services" || root.1 != "data" {
        return None;
    }
    let version = segments.next()?;
    Some((version, segments.collect(), query))
}

/// Runs one call as if it had come by itself.
async fn perform(call: &Call, method: &str, url: &str, body: &Json) -> Outcome {
    let (Some((version, path, query)), Ok(method)) = (
        split(url),
        Method::from_bytes(method.to_ascii_uppercase().as_bytes()),
    ) else {
        return Outcome::refused(ApiError::not_found());
    };
    // A call of several calls may not hold another one.
    let is_nested = path.first().is_some_and(|first| first == "composite")
        && !path
            .get(1)
            .is_some_and(|second| second == "sobjects" || second == "tree");
    if is_nested {
        return Outcome::refused(ApiError::bad(
            "INVALID_INPUT",
            "This resource cannot be a subrequest",
        ));
    }
    let body = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let inner = Call {
        handle: call.handle.clone(),
        version: version.clone(),
        method,
        path,
        parameters: form(query.as_bytes()),
        headers: call.headers.clone(),
        body,
        token: call.token.clone(),
    };
    let is_create = inner.method == Method::POST && inner.path.len() == 2;
    let prefix = format!("/services/data/{version}/{}", inner.path.join("/"));
    let response = Box::pin(route(inner))
        .await
        .unwrap_or_else(IntoResponse::into_response);
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap_or_default();
    let body: Json = if is_json {
        serde_json::from_slice(&bytes).unwrap_or_default()
    } else if bytes.is_empty() {
        Json::Null
    } else {
        json!(String::from_utf8_lossy(&bytes))
    };
    let location = location_of(is_create, &prefix, &body);
    Outcome {
        status,
        body,
        location,
    }
}

/// Where a created record is.
fn location_of(is_create: bool, prefix: &str, body: &Json) -> Option<String> {
    let id = body["id"].as_str().filter(|_| is_create)?;
    Some(format!("{prefix}/{id}"))
}

/// A body that must be an object.
fn fields_of(body: &Json) -> Map<String, Json> {
    body.as_object().cloned().unwrap_or_default()
}
