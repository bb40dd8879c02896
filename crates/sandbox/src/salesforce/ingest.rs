//! Bulk API 2.0 ingest: records from an uploaded CSV, in transactions of 200, with a result for each row.

mod rows;

use crate::salesforce::{
    bulk::Dialect,
    call::{Call, nothing},
    clock::json_datetime,
    dml::DmlError,
    errors::{ApiError, json_ok},
    handle::OrgHandle,
    ids::RecordId,
    pubsub::origin,
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use parking_lot::Mutex;
pub(super) use rows::{Row, apply, read};
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Rows of one transaction.
pub(super) const TRANSACTION: usize = 200;

/// What a job does with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
    HardDelete,
}

/// Operations by the names that jobs give them.
pub(super) const OPERATIONS: [(&str, Operation); 5] = [
    ("insert", Operation::Insert),
    ("update", Operation::Update),
    ("upsert", Operation::Upsert),
    ("delete", Operation::Delete),
    ("hardDelete", Operation::HardDelete),
];

/// What happens to rows, and where.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) operation: Operation,
    pub(super) object: usize,
    /// The external-id field of an upsert.
    pub(super) key: Option<String>,
}

/// One job.
#[derive(Debug, Clone)]
struct Job {
    id: String,
    target: Target,
    object_name: String,
    version: String,
    dialect: Dialect,
    created: i64,
    changed: i64,
    state: &'static str,
    error: Option<String>,
    upload: Option<Bytes>,
    header: Arc<Vec<String>>,
    done: Arc<Vec<Outcome>>,
    failed: usize,
}

/// A row and what came of it: its id and whether it is new, or the refusal.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    cells: Vec<String>,
    pub(super) result: Result<(RecordId, bool), DmlError>,
}

/// All ingest jobs.
#[derive(Debug, Default)]
pub struct IngestJobs {
    all: Mutex<BTreeMap<String, Job>>,
}

impl IngestJobs {
    fn get(&self, id: &str) -> Result<Job, ApiError> {
        let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?.to_string();
        self.all.lock().get(&id).cloned().ok_or_else(ApiError::not_found)
    }

    fn change(&self, id: &str, now_ms: i64, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.all.lock().get_mut(id) {
            change(job);
            job.changed = now_ms;
        }
    }
}

pub(super) fn serve(call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    let jobs = &call.handle.ingest;
    match (call.method.as_str(), rest) {
        ("POST", []) => create(call),
        ("GET", []) => {
            let records: Vec<Json> = jobs.all.lock().values().map(describe).collect();
            Ok(json_ok(
                &json!({ "done": true, "records": records, "nextRecordsUrl": null }),
            ))
        }
        ("GET", [id]) => Ok(json_ok(&describe(&jobs.get(id)?))),
        ("PUT", [id, "batches"]) => upload(call, id),
        ("PATCH", [id]) => advance(call, id),
        ("DELETE", [id]) => {
            let job = jobs.get(id)?;
            if matches!(job.state, "UploadComplete" | "InProgress") {
                let message = "Error encountered when deleting the job because the job is not terminated";
                return Err(ApiError::bad("API_ERROR", message));
            }
            jobs.all.lock().remove(&job.id);
            Ok(nothing())
        }
        ("GET", [id, which]) => results(&jobs.get(id)?, which),
        _ => Err(ApiError::not_found()),
    }
}

fn create(call: &Call) -> Result<Response, ApiError> {
    let given = call.object()?;
    let text = |name: &str| given.get(name).and_then(Json::as_str);
    let wanted = text("operation").unwrap_or_default();
    let operation = OPERATIONS.iter().find(|(name, _)| *name == wanted);
    let (_, operation) = operation
        .ok_or_else(|| ApiError::bad("INVALIDJOB", format!("Invalid value for operation: {wanted}")))?;
    let dialect = Dialect::of(text("columnDelimiter"), text("lineEnding"))
        .ok_or_else(|| ApiError::bad("INVALIDJOB", "Invalid columnDelimiter or lineEnding"))?;
    let name = text("object").unwrap_or_default();
    let (object, object_name) = {
        let org = call.handle.org.read();
        let object = org.schema().index(name).ok_or_else(|| {
            ApiError::bad(
                "INVALIDENTITY",
                format!("Entity '{name}' is not supported by the Bulk API."),
            )
        })?;
        (object, org.schema().objects[object].name.clone())
    };
    let key = text("externalIdFieldName").map(str::to_owned);
    if *operation == Operation::Upsert && key.is_none() {
        return Err(ApiError::bad(
            "INVALIDJOB",
            "External ID was blank for the upsert operation",
        ));
    }
    let now = call.handle.clock.now_ms();
    let mut all = call.handle.ingest.all.lock();
    let job = Job {
        id: call.handle.new_id(*b"750"),
        target: Target {
            operation: *operation,
            object,
            key,
        },
        object_name,
        version: call.version.clone(),
        dialect,
        created: now,
        changed: now,
        state: "Open",
        error: None,
        upload: None,
        header: Arc::default(),
        done: Arc::default(),
        failed: 0,
    };
    let answer = describe(&job);
    all.insert(job.id.clone(), job);
    Ok(json_ok(&answer))
}

fn describe(job: &Job) -> Json {
    let number: f64 = job.version.trim_start_matches('v').parse().unwrap_or(66.0);
    let operation = OPERATIONS
        .iter()
        .find(|(_, operation)| *operation == job.target.operation);
    let mut json = json!({
        "id": job.id,
        "operation": operation.map(|(name, _)| *name),
        "object": job.object_name,
        "createdById": RecordId::new(*b"005", 1).to_string(),
        "createdDate": json_datetime(job.created),
        "systemModstamp": json_datetime(job.changed),
        "state": job.state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": number,
        "jobType": "V2Ingest",
        "contentUrl": format!("services/data/{}/jobs/ingest/{}/batches", job.version, job.id),
        "lineEnding": job.dialect.line_ending_name(),
        "columnDelimiter": job.dialect.delimiter_name(),
        "numberRecordsProcessed": job.done.len(),
        "numberRecordsFailed": job.failed,
        "retries": 0,
        "totalProcessingTime": job.changed - job.created,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    });
    if let Some(key) = &job.target.key {
        json["externalIdFieldName"] = json!(key);
    }
    if let Some(error) = &job.error {
        json["errorMessage"] = json!(error);
    }
    json
}

fn upload(call: &Call, id: &str) -> Result<Response, ApiError> {
    let job = call.handle.ingest.get(id)?;
    if job.state != "Open" || job.upload.is_some() {
        return Err(ApiError::bad(
            "INVALIDJOBSTATE",
            "Data can be uploaded once, while the job is open",
        ));
    }
    let body = call.body.clone();
    call.handle
        .ingest
        .change(&job.id, call.handle.clock.now_ms(), |job| job.upload = Some(body));
    Ok(StatusCode::CREATED.into_response())
}

fn advance(call: &Call, id: &str) -> Result<Response, ApiError> {
    let handle = &call.handle;
    let job = handle.ingest.get(id)?;
    let given = call.object()?;
    let state = given.get("state").and_then(Json::as_str).unwrap_or_default();
    let now = handle.clock.now_ms();
    match (state, job.state) {
        ("UploadComplete", "Open") => {
            handle
                .ingest
                .change(&job.id, now, |job| job.state = "UploadComplete");
            tokio::spawn(origin::carried(execute(handle.clone(), job.clone())));
        }
        ("Aborted", "Open" | "UploadComplete" | "InProgress") => {
            handle.ingest.change(&job.id, now, |job| job.state = "Aborted");
        }
        _ => {
            let message = format!("Transition from {} to {state} is not allowed", job.state);
            return Err(ApiError::bad("INVALIDJOBSTATE", message));
        }
    }
    Ok(json_ok(&describe(&handle.ingest.get(id)?)))
}

/// Waits its turn, then works through the rows, 200 at a time: each run of them is a transaction of its own.
async fn execute(handle: Arc<OrgHandle>, job: Job) {
    let queued = handle.settings.bulk_queue_ms.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(queued)).await;
    let now = || handle.clock.now_ms();
    let read = rows::read(
        &handle,
        job.target.object,
        job.dialect,
        &job.upload.clone().unwrap_or_default(),
    );
    let (header, rows) = match read {
        Ok(read) => read,
        Err(problem) => {
            handle.ingest.change(&job.id, now(), |job| {
                job.state = "Failed";
                job.error = Some(problem);
            });
            return;
        }
    };
    let header = Arc::new(header);
    handle.ingest.change(&job.id, now(), |job| {
        job.header = header;
        if job.state == "UploadComplete" {
            job.state = "InProgress";
        }
    });
    for part in rows.chunks(TRANSACTION) {
        if !handle
            .ingest
            .get(&job.id)
            .is_ok_and(|job| job.state == "InProgress")
        {
            return;
        }
        let outcomes: Vec<Outcome> = handle
            .commit(|org, change| {
                part.iter()
                    .map(|row| rows::apply(org, &job.target, row, change))
                    .collect()
            })
            .await;
        handle.ingest.change(&job.id, now(), |job| {
            job.failed += outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
            Arc::make_mut(&mut job.done).extend(outcomes);
        });
    }
    handle.ingest.change(&job.id, now(), |job| {
        if job.state == "InProgress" {
            job.state = "JobComplete";
        }
    });
}

fn results(job: &Job, which: &str) -> Result<Response, ApiError> {
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    let header = job.header.iter().map(String::as_str);
    let written = match which {
        "successfulResults" => {
            let head = writer.write_record(["sf__Id", "sf__Created"].into_iter().chain(header));
            job.done.iter().fold(head, |written, outcome| {
                let Ok((id, created)) = &outcome.result else {
                    return written;
                };
                let own = [id.to_string(), created.to_string()];
                written.and_then(|()| writer.write_record(own.iter().chain(&outcome.cells)))
            })
        }
        "failedResults" => {
            let head = writer.write_record(["sf__Id", "sf__Error"].into_iter().chain(header));
            job.done.iter().fold(head, |written, outcome| {
                let Err(error) = &outcome.result else {
                    return written;
                };
                let own = [
                    String::new(),
                    format!("{}:{}:{} --", error.code, error.message, error.fields.join(",")),
                ];
                written.and_then(|()| writer.write_record(own.iter().chain(&outcome.cells)))
            })
        }
        "unprocessedrecords" | "unprocessedRecords" => {
            let head = writer.write_record(header);
            let rest = Row::unprocessed(job);
            rest.iter().fold(head, |written, cells| {
                written.and_then(|()| writer.write_record(cells))
            })
        }
        _ => return Err(ApiError::not_found()),
    };
    let text = written
        .ok()
        .and_then(|()| writer.into_inner().ok())
        .unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, "text/csv")], text).into_response())
}
