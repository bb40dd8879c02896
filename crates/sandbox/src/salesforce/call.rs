//! One call: from its path to the part of the API that answers it.

use crate::salesforce::{
    backdoor, bulk, bulk_v1, clock, composite, describe,
    errors::{ApiError, json_ok},
    extras,
    handle::OrgHandle,
    ingest, limits, oauth,
    pubsub::{self, origin},
    query, replication, rows, search, session, soap,
};
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json, json};
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, atomic::Ordering},
};

/// The longest URI, and the longest URI with its headers.
const LONGEST_URI: usize = 16_384;
/// The largest body: an ingest upload.
const LARGEST_BODY: usize = 150 * 1024 * 1024;
/// The oldest API version that is served.
const OLDEST_VERSION: u32 = 50;
/// The newest one that is named.
const NEWEST_VERSION: u32 = 67;

/// A call of the data API, with a good session.
pub(super) struct Call {
    pub(super) handle: Arc<OrgHandle>,
    /// As in the path: `v66.0`.
    pub(super) version: String,
    pub(super) method: Method,
    /// The path after the version, decoded.
    pub(super) path: Vec<String>,
    pub(super) parameters: HashMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The session's token.
    pub(super) token: String,
}

impl Call {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Json>, ApiError> {
        match serde_json::from_slice(&self.body) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(ApiError::body(
                "The HTTP entity body is required to be a JSON object at [line:1, column:1]",
            )),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                Err(ApiError::body(format!(
                    "Unexpected character in the request body at [line:{line}, column:{column}]"
                )))
            }
        }
    }

    pub(super) fn url(&self, rest: &str) -> String {
        format!("/services/data/{}/{rest}", self.version)
    }
}

/// Answers every path of the Salesforce side.
pub(super) async fn answer(State(handle): State<Arc<OrgHandle>>, request: Request) -> Response {
    let clock_header = HeaderValue::try_from(clock::http_date(handle.clock.now_ms()));
    let mut response = match serve(&handle, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    if let Ok(date) = clock_header {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn serve(handle: &Arc<OrgHandle>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
    let headers: usize = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if uri > LONGEST_URI {
        handle.stats.refused("uri_too_long");
        return Ok((StatusCode::URI_TOO_LONG, "URI Too Long").into_response());
    }
    if uri + headers > LONGEST_URI {
        handle.stats.refused("headers_too_long");
        let page = "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>";
        let html = [(header::CONTENT_TYPE, "text/html;charset=iso-8859-1")];
        return Ok((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, html, page).into_response());
    }
    let path = parts.uri.path();
    if path.contains("//") {
        return Err(ApiError::not_found());
    }
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let parameters = form(parts.uri.query().unwrap_or_default().as_bytes());
    let method = meant(&parts.method, &parameters);
    let body = axum::body::to_bytes(body, LARGEST_BODY)
        .await
        .map_err(|_| ApiError::bad("INVALID_REQUEST", "the body is too large or broke off"))?;
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["services", "oauth2", rest @ ..] => {
            let mut fields = parameters;
            fields.extend(form(&body));
            let served = oauth::serve(handle, &method, rest, &parts.headers, &fields);
            // A refresh token that was rotated must not come back.
            if method == Method::POST || rest.first() == Some(&"authorize") {
                handle.keep_doors();
            }
            served
        }
        ["services", "Soap", "u", version, ..] => {
            let text = String::from_utf8_lossy(&body);
            let served = soap::serve(handle, version, &text);
            Ok(origin::within("soap", version, &parts.headers, served).await)
        }
        ["services", "async", version, "job", rest @ ..] => Ok(bulk_v1::serve(
            handle,
            version,
            &method,
            rest,
            &parts.headers,
            body,
        )),
        ["id", ..] => Ok(oauth::identity(handle, &parts.headers)),
        ["services", "data"] => Ok(versions()),
        ["services", "data", version, rest @ ..] => {
            check_version(version)?;
            let token = session::authenticate(handle, &parts.headers)?;
            let call = Call {
                handle: handle.clone(),
                version: (*version).to_owned(),
                method,
                path: rest.iter().map(|segment| (*segment).to_owned()).collect(),
                parameters,
                headers: parts.headers,
                body,
                token,
            };
            let api = if call.path.first().is_some_and(|first| first == "jobs") {
                "bulkapi"
            } else {
                "rest"
            };
            let headers = call.headers.clone();
            origin::within(api, version, &headers, counted(call)).await
        }
        ["services", "apexrest", ..] => {
            session::authenticate(handle, &parts.headers)?;
            let message = "Could not find a match for URL";
            Err(ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message))
        }
        ["__sandbox", rest @ ..] => backdoor::serve(handle, &method, rest, &body).await,
        _ => Err(ApiError::not_found()),
    }
}

/// What a method stands for: HEAD is a GET whose body nobody sends, and clients without PATCH post and say so.
fn meant(method: &Method, parameters: &HashMap<String, String>) -> Method {
    let said = parameters.get("_HttpMethod");
    match *method {
        Method::HEAD => Method::GET,
        Method::POST => said
            .and_then(|said| Method::from_bytes(said.to_ascii_uppercase().as_bytes()).ok())
            .unwrap_or(Method::POST),
        _ => method.clone(),
    }
}

/// A form or a query string, decoded.
pub(super) fn form(text: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn check_version(version: &str) -> Result<(), ApiError> {
    let number = version
        .strip_prefix('v')
        .and_then(|number| number.strip_suffix(".0"));
    match number.and_then(|number| number.parse::<u32>().ok()) {
        Some(number) if number >= OLDEST_VERSION => Ok(()),
        Some(_) => {
            let message = "The requested API version is no longer supported";
            Err(ApiError::new(
                StatusCode::GONE,
                "UNSUPPORTED_API_VERSION",
                message,
            ))
        }
        None => Err(ApiError::not_found()),
    }
}

fn versions() -> Response {
    let seasons = ["Spring", "Summer", "Winter"];
    let list: Vec<Json> = (OLDEST_VERSION..=NEWEST_VERSION)
        .map(|number| {
            // Three releases a year; v60 was the first of 2024, and a winter release bears the next year.
            let release = number as i32 - 60;
            let season = release.rem_euclid(3);
            let year = 24 + release.div_euclid(3) + i32::from(season == 2);
            json!({
                "label": format!("{} '{year}", seasons[season as usize]),
                "url": format!("/services/data/v{number}.0"),
                "version": format!("{number}.0"),
            })
        })
        .collect();
    json_ok(&Json::Array(list))
}

/// Serves a call that counts against the org's allowance.
async fn counted(call: Call) -> Result<Response, ApiError> {
    let handle = call.handle.clone();
    let most = handle.settings.daily_requests.load(Ordering::Relaxed);
    let used = handle.usage.lock().count(handle.clock.now_ms(), most);
    let (used, outcome) = match used {
        Ok(used) => (used, at_work(&handle, call).await),
        Err(used) => {
            handle.stats.refused("daily_limit");
            let message = "TotalRequests Limit exceeded.";
            (
                used,
                Err(ApiError::new(
                    StatusCode::FORBIDDEN,
                    "REQUEST_LIMIT_EXCEEDED",
                    message,
                )),
            )
        }
    };
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    let mut told = format!("api-usage={used}/{most}");
    let of_app = handle.settings.app_requests.load(Ordering::Relaxed);
    if of_app > 0 {
        // One app makes all calls.
        let _ = write!(told, "; per-app-api-usage={used}/{of_app}(appName=Rehearsal)");
    }
    if let Ok(usage) = HeaderValue::try_from(told) {
        response.headers_mut().insert("Sforce-Limit-Info", usage);
    }
    Ok(response)
}

/// Works on a call, unless too many long ones run.
async fn at_work(handle: &Arc<OrgHandle>, call: Call) -> Result<Response, ApiError> {
    let Some(_running) = handle.begin_call() else {
        handle.stats.refused("concurrent_limit");
        let message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "REQUEST_LIMIT_EXCEEDED",
            message,
        ));
    };
    let takes = handle.settings.call_ms.load(Ordering::Relaxed);
    if takes > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(takes)).await;
    }
    route(call).await
}

pub(super) async fn route(call: Call) -> Result<Response, ApiError> {
    let path: Vec<String> = call.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let stats = call.handle.stats.clone();
    let family = |name: &'static str| stats.call(name);
    match path.as_slice() {
        [] => {
            family("resources");
            Ok(resources(&call))
        }
        ["limits"] => {
            family("limits");
            Ok(limits::limits(&call))
        }
        ["limits", "recordCount"] => {
            family("record_count");
            limits::record_count(&call)
        }
        ["query"] if call.parameter("explain").is_some() => {
            family("explain");
            extras::explain(&call, call.parameter("explain").unwrap_or_default())
        }
        ["search"] => {
            family("search");
            search::search(&call)
        }
        ["parameterizedSearch"] => {
            family("search");
            search::parameterized(&call)
        }
        ["tooling", rest @ ..] => {
            family("tooling");
            extras::tooling(&call, rest)
        }
        [name @ ("tabs" | "theme" | "recent" | "quickActions")] => {
            family("extras");
            Ok(extras::nothing_there(name))
        }
        ["query" | "queryAll"] | ["query" | "queryAll", _] => {
            family("query");
            query::serve(&call, path[0] == "queryAll", path.get(1).copied())
        }
        ["sobjects"] => {
            family("describe_global");
            describe::global(&call)
        }
        ["event", "eventSchema", id] => {
            family("event_schema");
            pubsub::schema_by_rest(&call.handle, id)
        }
        ["sobjects", event, "eventSchema"] => {
            family("event_schema");
            pubsub::schema_of_event(&call.handle, event)
        }
        ["sobjects", object, "describe"] => {
            family("describe");
            describe::object(&call, object)
        }
        ["sobjects", object, "describe", rest @ ..] => {
            family("layouts");
            extras::layouts(&call, object, rest)
        }
        ["sobjects", object, "updated"] => {
            family("updated");
            replication::updated(&call, object)
        }
        ["sobjects", object, "deleted"] => {
            family("deleted");
            replication::deleted(&call, object)
        }
        ["sobjects", object, rest @ ..] => {
            family("rows");
            rows::serve(&call, object, rest).await
        }
        ["composite", rest @ ..] => {
            family("composite");
            composite::serve(&call, rest).await
        }
        ["jobs", "query", rest @ ..] => bulk::serve(&call, rest),
        ["jobs", "ingest", rest @ ..] => {
            family("ingest");
            ingest::serve(&call, rest)
        }
        ["__sandbox", "undelete"] => {
            family("undelete");
            rows::undelete(&call).await
        }
        _ => Err(ApiError::not_found()),
    }
}

fn resources(call: &Call) -> Response {
    let url = |rest: &str| call.url(rest);
    json_ok(&json!({
        "composite": url("composite"),
        "jobs": url("jobs"),
        "limits": url("limits"),
        "query": url("query"),
        "parameterizedSearch": url("parameterizedSearch"),
        "queryAll": url("queryAll"),
        "quickActions": url("quickActions"),
        "recent": url("recent"),
        "search": url("search"),
        "sobjects": url("sobjects"),
        "tabs": url("tabs"),
        "theme": url("theme"),
        "tooling": url("tooling"),
        "identity": format!("{}/id/", call.handle.instance_url),
    }))
}

/// An empty answer.
pub(super) fn nothing() -> Response {
    (StatusCode::NO_CONTENT, Body::empty()).into_response()
}
