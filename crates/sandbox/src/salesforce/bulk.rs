//! Bulk API 2.0 queries: jobs that wait, run and leave pages of CSV.

mod csv;
mod job;
mod run;

pub(super) use csv::{Dialect, body as csv_body};
pub use job::Jobs;
pub(super) use run::{JobResult, run_rows};

use crate::salesforce::{
    call::{Call, nothing},
    errors::{ApiError, json_ok},
    handle::OrgHandle,
    soql::{self, Bound},
};
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use http::{HeaderValue, Method, StatusCode, header};
use job::{Job, State, job_json, status};
use serde_json::{Value as Json, json};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Jobs of 24 hours.
const MOST_JOBS: u64 = 10_000;
/// Result URLs of one `resultPages` answer.
const MOST_PAGES: usize = 5;

pub(super) fn serve(call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    let stats = &call.handle.stats;
    let now = call.handle.clock.now_ms();
    match (call.method.as_str(), rest) {
        ("POST", []) => {
            stats.call("bulk_create");
            create(call)
        }
        ("GET", []) => {
            stats.call("bulk_list");
            Ok(list(call))
        }
        ("GET", [id]) => {
            stats.call("bulk_poll");
            Ok(json_ok(&status(&call.handle.jobs.get(id, now)?)))
        }
        ("PATCH", [id]) => {
            stats.call("bulk_abort");
            abort(call, id)
        }
        ("DELETE", [id]) => {
            stats.call("bulk_delete");
            delete(call, id)
        }
        ("GET", [id, "results"]) => {
            stats.call("bulk_results");
            results(call, id)
        }
        ("GET", [id, "resultPages" | "resultpages"]) => {
            stats.call("bulk_result_pages");
            result_pages(call, id)
        }
        _ => Err(ApiError::not_found()),
    }
}

fn create(call: &Call) -> Result<Response, ApiError> {
    let handle = &call.handle;
    let now = handle.clock.now_ms();
    let given = call.object()?;
    let text = |name: &str| given.get(name).and_then(Json::as_str);
    let operation = match text("operation") {
        Some("query") => "query",
        Some("queryAll") => "queryAll",
        other => {
            let message = format!("Invalid value for operation: {}", other.unwrap_or("null"));
            return Err(ApiError::bad("INVALIDJOB", message));
        }
    };
    if text("contentType").is_some_and(|kind| kind != "CSV") {
        return Err(ApiError::bad("INVALIDJOB", "contentType must be CSV"));
    }
    let dialect = Dialect::of(text("columnDelimiter"), text("lineEnding"))
        .ok_or_else(|| ApiError::bad("INVALIDJOB", "Invalid columnDelimiter or lineEnding"))?;
    let query_text = text("query").ok_or_else(|| ApiError::bad("API_ERROR", "query is required"))?;
    let query = {
        let org = handle.org.read();
        soql::bind(org.schema(), &soql::parse(query_text)?, now)?
    };
    check_supported(&query)?;
    if handle.jobs.made_today(now) >= MOST_JOBS {
        handle.stats.refused("bulk_job_limit");
        let message = "Max bulk v2 query jobs (10000) per 24 hrs has been reached for the org";
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    handle.jobs.made.lock().push(now);
    let job = Job {
        id: handle.new_id(*b"750"),
        operation,
        object: handle.org.read().schema().objects[query.object].name.clone(),
        version: call.version.clone(),
        dialect,
        chunked: query.order.is_empty() && query.limit.is_none(),
        created: now,
        changed: now,
        took_ms: 0,
        state: State::UploadComplete,
        error: None,
        result: None,
    };
    let answer = job_json(handle, &job);
    handle.jobs.all.lock().insert(job.id.clone(), job.clone());
    tokio::spawn(execute(handle.clone(), job, query));
    Ok(json_ok(&answer))
}

/// What no Bulk query may use.
pub(super) fn check_supported(query: &Bound) -> Result<(), ApiError> {
    let uses = query.traits;
    if uses.compound {
        let message = "Selecting compound data not supported in Bulk Query";
        return Err(ApiError::bad("FUNCTIONALITY_NOT_ENABLED", message));
    }
    let wrong = [
        (
            uses.aggregate || query.is_count,
            "Aggregate Relationships not supported in Bulk Query",
        ),
        (uses.children, "Nested queries not supported in Bulk Query"),
        (uses.offset, "OFFSET clause not supported in Bulk Query"),
        (
            uses.fields_all,
            "The SOQL FIELDS function with ALL or CUSTOM is not supported in Bulk Query",
        ),
    ];
    match wrong.into_iter().find(|(used, _)| *used) {
        Some((_, message)) => Err(ApiError::bad("API_ERROR", message)),
        None => Ok(()),
    }
}

/// Waits, runs, and leaves the result or the reason why there is none.
async fn execute(handle: Arc<OrgHandle>, job: Job, query: Bound) {
    let queued = handle.settings.bulk_queue_ms.load(Ordering::Relaxed);
    // Half of the wait in each state, so that a client sees both.
    tokio::time::sleep(Duration::from_millis(queued / 2)).await;
    let begun = handle.clock.now_ms();
    if !advance(&handle, &job.id, State::InProgress) {
        return;
    }
    tokio::time::sleep(Duration::from_millis(queued - queued / 2)).await;
    if let Some(error) = handle.jobs.must_fail() {
        handle.jobs.change(&job.id, handle.clock.now_ms(), |job| {
            job.state = State::Failed;
            job.error = error;
        });
        return;
    }
    let worker = handle.clone();
    let with_deleted = job.operation == "queryAll";
    let outcome = tokio::task::spawn_blocking(move || run::run(&worker, &query, with_deleted)).await;
    let now = handle.clock.now_ms();
    handle.jobs.change(&job.id, now, |job| {
        if job.state != State::InProgress {
            return;
        }
        job.took_ms = now - begun;
        match outcome {
            Ok(result) => {
                job.result = Some(Arc::new(result));
                job.state = State::JobComplete;
            }
            Err(_) => {
                job.error = Some("UNKNOWN_EXCEPTION: An unexpected error occurred".to_owned());
                job.state = State::Failed;
            }
        }
    });
}

/// Moves a job on unless somebody stopped it.
fn advance(handle: &OrgHandle, id: &str, to: State) -> bool {
    let mut moved = false;
    handle.jobs.change(id, handle.clock.now_ms(), |job| {
        if !job.state.is_final() {
            job.state = to;
            moved = true;
        }
    });
    moved
}

fn list(call: &Call) -> Response {
    let jobs: Vec<Job> = call
        .handle
        .jobs
        .all
        .lock()
        .values()
        .rev()
        .take(1000)
        .cloned()
        .collect();
    let records: Vec<Json> = jobs.iter().map(|job| job_json(&call.handle, job)).collect();
    json_ok(&json!({ "done": true, "records": records, "nextRecordsUrl": null }))
}

fn abort(call: &Call, id: &str) -> Result<Response, ApiError> {
    let now = call.handle.clock.now_ms();
    let job = call.handle.jobs.get(id, now)?;
    if call.object()?.get("state").and_then(Json::as_str) != Some("Aborted") {
        return Err(ApiError::bad(
            "INVALIDJOBSTATE",
            "The only state that a query job can be set to is Aborted",
        ));
    }
    if job.state.is_final() {
        let message = format!(
            "Aborting already {} Job not allowed",
            if job.state == State::JobComplete {
                "Completed"
            } else {
                job.state.name()
            }
        );
        return Err(ApiError::bad("INVALIDJOBSTATE", message));
    }
    call.handle
        .jobs
        .change(&job.id, now, |job| job.state = State::Aborted);
    Ok(json_ok(&status(&call.handle.jobs.get(id, now)?)))
}

fn delete(call: &Call, id: &str) -> Result<Response, ApiError> {
    let job = call.handle.jobs.get(id, call.handle.clock.now_ms())?;
    if !job.state.is_final() {
        let message = "Error encountered when deleting the job because the job is not terminated";
        return Err(ApiError::bad("API_ERROR", message));
    }
    call.handle.jobs.all.lock().remove(&job.id);
    Ok(nothing())
}

/// A finished job and its result, asked for with the version that made it.
fn finished(call: &Call, id: &str) -> Result<(Job, Arc<JobResult>), ApiError> {
    let job = call.handle.jobs.get(id, call.handle.clock.now_ms())?;
    if job.version != call.version {
        let message = format!(
            "The API version of the request ({}) must be the one that the job was created with ({})",
            call.version, job.version
        );
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "INVALID_API_VERSION",
            message,
        ));
    }
    match job.result.clone() {
        Some(result) if job.state == State::JobComplete => Ok((job, result)),
        _ => {
            let message = format!(
                "can only download query results of successfully completed bulk job with status: JOB_COMPLETE. Current status: {}",
                job.state.shouted()
            );
            Err(ApiError::bad("JOB_NOT_COMPLETE", message))
        }
    }
}

/// A place in a result. It stays good as long as the job is there.
fn locator(job: &Job, row: usize) -> String {
    BASE64_STANDARD_NO_PAD.encode(format!("0:{}:{row}", &job.id[3..15]))
}

fn place(job: &Job, locator: &str) -> Option<usize> {
    let decoded = String::from_utf8(
        BASE64_STANDARD_NO_PAD
            .decode(locator.trim_end_matches('='))
            .ok()?,
    )
    .ok()?;
    let rest = decoded.strip_prefix("0:")?.strip_prefix(&job.id[3..15])?;
    rest.strip_prefix(':')?.parse().ok()
}

fn start_of(call: &Call, job: &Job, result: &JobResult) -> Result<usize, ApiError> {
    let Some(given) = call.parameter("locator").filter(|given| !given.is_empty()) else {
        return Ok(0);
    };
    place(job, given)
        .filter(|row| *row < result.len().max(1))
        .ok_or_else(|| ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator"))
}

fn results(call: &Call, id: &str) -> Result<Response, ApiError> {
    let (job, result) = finished(call, id)?;
    let start = start_of(call, &job, &result)?;
    let largest = call.handle.settings.bulk_page_rows.load(Ordering::Relaxed);
    let wish = match call.parameter("maxRecords") {
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|wish| *wish > 0)
            .ok_or_else(|| {
                ApiError::bad(
                    "INVALID_FIELD",
                    format!("maxRecords must be a positive number: {text}"),
                )
            })?,
        None => largest,
    };
    let end = start.saturating_add(wish.min(largest)).min(result.len());
    let next = if end < result.len() {
        locator(&job, end)
    } else {
        "null".to_owned()
    };
    call.handle.stats.records("bulk_results", (end - start) as u64);
    let mut response = csv::body(result, job.dialect, start..end).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv"));
    headers.insert("Sforce-NumberOfRecords", HeaderValue::from(end - start));
    if let Ok(next) = HeaderValue::try_from(next) {
        headers.insert("Sforce-Locator", next);
    }
    Ok(response)
}

fn result_pages(call: &Call, id: &str) -> Result<Response, ApiError> {
    let (job, result) = finished(call, id)?;
    let page = call.handle.settings.bulk_page_rows.load(Ordering::Relaxed);
    let start = start_of(call, &job, &result)?;
    let starts: Vec<usize> = (start..result.len().max(1))
        .step_by(page)
        .take(MOST_PAGES + 1)
        .collect();
    let url = |rest: &str| call.url(&format!("jobs/query/{}/{rest}", job.id));
    let urls: Vec<Json> = starts
        .iter()
        .take(MOST_PAGES)
        .map(|row| json!({ "resultUrl": url(&format!("results?locator={}", locator(&job, *row))) }))
        .collect();
    let mut body = json!({ "resultPages": urls, "done": starts.len() <= MOST_PAGES });
    if let Some(next) = starts.get(MOST_PAGES) {
        body["nextRecordsUrl"] = json!(url(&format!("resultpages?locator={}", locator(&job, *next))));
    }
    if call.method != Method::GET {
        return Err(ApiError::method(&call.method, "GET"));
    }
    Ok(json_ok(&body))
}
