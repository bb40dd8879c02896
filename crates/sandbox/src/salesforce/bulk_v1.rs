//! Bulk API 1.0, as older connectors read and load with it: jobs of batches, in XML, JSON and CSV.
//!
//! What a job tells of itself comes in the format of the request's content type, what its batches tell in the
//! format of the job's. Sessions stand in a header of their own, and refusals have a form of their own.

mod job;
mod results;
mod wire;
mod work;

pub use job::BatchJobs;

use crate::salesforce::{
    clock::DAY_MS,
    handle::OrgHandle,
    ids::RecordId,
    ingest::{OPERATIONS, Operation, Target},
    pubsub::origin,
    session,
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use job::{Batch, ContentType, Job, JobState, Work};
use std::sync::{Arc, atomic::Ordering};
use wire::{Refusal, answer, job_fields};

/// Jobs and their results are kept for seven days.
const KEPT_MS: i64 = 7 * DAY_MS;
/// Batches of 24 hours.
pub(super) const MOST_BATCHES: u64 = 15_000;
/// Rows of a chunk when the header names no size, and the most that it may name.
const CHUNK: u32 = 100_000;
const LARGEST_CHUNK: u32 = 250_000;
/// The largest batch.
const LARGEST_BATCH: usize = 10_000_000;

/// One request.
struct Request<'r> {
    handle: &'r Arc<OrgHandle>,
    version: &'r str,
    method: &'r Method,
    headers: &'r HeaderMap,
    body: Bytes,
}

impl Request<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the client speaks JSON; XML is what it gets otherwise.
    fn is_json(&self) -> bool {
        self.header(header::CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("application/json"))
    }

    fn now(&self) -> i64 {
        self.handle.clock.now_ms()
    }
}

/// `/services/async/<version>/job…`.
pub(super) fn serve(
    handle: &Arc<OrgHandle>,
    version: &str,
    method: &Method,
    rest: &[&str],
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        handle,
        version,
        method,
        headers,
        body,
    };
    handle.stats.call("bulk_v1");
    let outcome = admit(&request).and_then(|()| route(&request, rest));
    outcome.unwrap_or_else(|refusal| refusal.response(request.is_json()))
}

/// A version, a session, and room for one more call.
fn admit(request: &Request<'_>) -> Result<(), Refusal> {
    let handle = request.handle;
    let number = request.version.strip_suffix(".0");
    if number.and_then(|number| number.parse::<u32>().ok()).is_none() {
        return Err(Refusal::new("InvalidUrl", "Invalid API version specified on URL"));
    }
    let Some(token) = request.header("X-SFDC-Session") else {
        return Err(Refusal::new("InvalidSessionId", "Unable to find session id"));
    };
    if !session::is_open(handle, token.trim()) {
        handle.stats.refused("invalid_session");
        return Err(Refusal::new("InvalidSessionId", "Invalid session id"));
    }
    let most = handle.settings.daily_requests.load(Ordering::Relaxed);
    if handle.usage.lock().count(request.now(), most).is_err() {
        handle.stats.refused("daily_limit");
        return Err(Refusal::new("ExceededQuota", "TotalRequests Limit exceeded."));
    }
    Ok(())
}

fn route(request: &Request<'_>, rest: &[&str]) -> Result<Response, Refusal> {
    let jobs = &request.handle.bulk_v1;
    let job = |id: &str| jobs.job(id, request.now());
    match (request.method.as_str(), rest) {
        ("POST", []) => create(request),
        ("GET", [id]) => Ok(tell_job(request, &job(id)?, StatusCode::OK)),
        ("POST", [id]) => change_state(request, &job(id)?),
        ("POST", [id, "batch"]) => add_batch(request, &job(id)?),
        ("GET", [id, "batch"]) => {
            let job = job(id)?;
            Ok(results::batch_list(&job, &jobs.batches(&job.id)))
        }
        ("GET", [id, "batch", batch]) => {
            let job = job(id)?;
            Ok(results::batch_info(
                &job,
                &jobs.batch(&job.id, batch)?,
                StatusCode::OK,
            ))
        }
        ("GET", [id, "batch", batch, "request"]) => {
            let job = job(id)?;
            Ok(results::request(&job, &jobs.batch(&job.id, batch)?))
        }
        ("GET", [id, "batch", batch, "result"]) => {
            let job = job(id)?;
            results::of_batch(request.handle, &job, &jobs.batch(&job.id, batch)?)
        }
        ("GET", [id, "batch", batch, "result", result]) => {
            let job = job(id)?;
            results::of_query(request.handle, &job, &jobs.batch(&job.id, batch)?, result)
        }
        _ => Err(Refusal::new("InvalidUrl", "The requested URL is invalid")),
    }
}

fn tell_job(request: &Request<'_>, job: &Job, status: StatusCode) -> Response {
    let fields = job_fields(job, &request.handle.bulk_v1.batches(&job.id), request.is_json());
    answer("jobInfo", &fields, request.is_json(), status)
}

fn create(request: &Request<'_>) -> Result<Response, Refusal> {
    let given = wire::read_job(&request.body, request.is_json())?;
    let invalid = |message: String| Refusal::new("InvalidJob", message);
    let name = given.operation.unwrap_or_default();
    let work = match name.as_str() {
        "query" => Work::Query { with_deleted: false },
        "queryAll" => Work::Query { with_deleted: true },
        other => match OPERATIONS.iter().find(|(known, _)| *known == other) {
            Some((_, operation)) => Work::Ingest(*operation),
            None => return Err(invalid(format!("Unknown operation: '{other}'"))),
        },
    };
    let wanted = given.object.unwrap_or_default();
    let (object, object_name) = {
        let org = request.handle.org.read();
        let object = org.schema().index(&wanted);
        let object = object.ok_or_else(|| invalid(format!("Unable to find object: {wanted}")))?;
        (object, org.schema().objects[object].name.clone())
    };
    if work == Work::Ingest(Operation::Upsert) && given.key.is_none() {
        return Err(invalid(
            "External ID was blank for the upsert operation".to_owned(),
        ));
    }
    let content = match given.content.as_deref() {
        None => ContentType::Xml,
        Some(text) => ContentType::of(text).ok_or_else(|| invalid(format!("Invalid contentType: {text}")))?,
    };
    let now = request.now();
    let job = Job {
        id: request.handle.new_id(*b"750"),
        work,
        operation: name,
        target: Target {
            operation: match work {
                Work::Ingest(operation) => operation,
                // Never looked at: a query writes nothing.
                Work::Query { .. } => Operation::Insert,
            },
            object,
            key: given.key,
        },
        object_name,
        version: request.version.to_owned(),
        content,
        serial: given.serial,
        chunk: request.header("Sforce-Enable-PKChunking").and_then(chunk_size),
        created: now,
        changed: now,
        state: JobState::Open,
    };
    request.handle.bulk_v1.add_job(job.clone());
    Ok(tell_job(request, &job, StatusCode::CREATED))
}

/// `true; chunkSize=50000; parent=Account`, in any order and with spaces or without: rows of a chunk, if the
/// header asks for chunks at all.
fn chunk_size(header: &str) -> Option<u32> {
    let mut size = CHUNK;
    for part in header.split([';', ',']).map(str::trim) {
        match part.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("chunkSize") => {
                size = value.trim().parse().unwrap_or(CHUNK);
            }
            None if part.eq_ignore_ascii_case("false") => return None,
            _ => {}
        }
    }
    Some(size.clamp(1, LARGEST_CHUNK))
}

fn change_state(request: &Request<'_>, job: &Job) -> Result<Response, Refusal> {
    let given = wire::read_job(&request.body, request.is_json())?;
    let wanted = given.state.unwrap_or_default();
    let jobs = &request.handle.bulk_v1;
    let state = match wanted.as_str() {
        "Closed" => JobState::Closed,
        "Aborted" => JobState::Aborted,
        other => {
            return Err(Refusal::new(
                "InvalidJobState",
                format!("Invalid job state: '{other}'"),
            ));
        }
    };
    if job.state != JobState::Open && !(job.state == JobState::Closed && state == JobState::Aborted) {
        let verb = if state == JobState::Closed {
            "Closing"
        } else {
            "Aborting"
        };
        let message = format!("{verb} already {} Job not allowed", job.state.name());
        return Err(Refusal::new("InvalidJobState", message));
    }
    jobs.set_state(&job.id, state, request.now());
    let job = jobs.job(&job.id, request.now())?;
    Ok(tell_job(request, &job, StatusCode::OK))
}

fn add_batch(request: &Request<'_>, job: &Job) -> Result<Response, Refusal> {
    if job.state != JobState::Open {
        let message = format!("Unable to add a batch: the job is {}", job.state.name());
        return Err(Refusal::new("InvalidJobState", message));
    }
    if request.body.len() > LARGEST_BATCH {
        return Err(Refusal::new(
            "ClientInputError",
            "Request body exceeds the maximum of 10000000 bytes",
        ));
    }
    let jobs = &request.handle.bulk_v1;
    if jobs.batches_today(request.now()) >= MOST_BATCHES {
        request.handle.stats.refused("bulk_batch_limit");
        return Err(Refusal::new(
            "ExceededQuota",
            "Batch limit of 15000 per 24 hours reached",
        ));
    }
    let batch = Batch::new(
        request.handle.new_id(*b"751"),
        &job.id,
        request.body.clone(),
        request.now(),
    );
    jobs.add_batch(batch.clone());
    let before = if job.serial {
        jobs.unfinished(&job.id, &batch.id)
    } else {
        Vec::new()
    };
    let running = work::run(request.handle.clone(), job.clone(), batch.clone(), before);
    tokio::spawn(origin::carried(running));
    Ok(results::batch_info(job, &batch, StatusCode::CREATED))
}

/// Reads either form of an id.
fn full_id(text: &str) -> Option<String> {
    RecordId::parse(text).map(|id| id.to_string())
}

/// A body of text of a kind.
fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_asked_for_in_every_way_that_clients_ask() {
        let table = [
            ("true", Some(100_000)),
            ("TRUE", Some(100_000)),
            ("true; chunkSize=50000", Some(50_000)),
            ("chunkSize=1000;", Some(1_000)),
            ("true; chunkSize=100000; parent=Account", Some(100_000)),
            ("chunksize=9999999", Some(250_000)),
            ("false", None),
        ];
        for (header, size) in table {
            assert_eq!(chunk_size(header), size, "{header}");
        }
    }
}
