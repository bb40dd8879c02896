//! Runs batches: queries, chunks of queries, and rows in transactions of 200.

use super::job::{Batch, BatchState, ContentType, Job, JobState, Result as BatchResult, Work};
use crate::salesforce::{
    bulk::{self, Dialect},
    handle::OrgHandle,
    ingest::{self, Outcome, Row, TRANSACTION},
    soql::{self, Bound},
};
use roxmltree::{Document, Node};
use serde_json::{Map, Value as Json, json};
use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::watch;

/// Rows of a batch.
const MOST_ROWS: usize = 10_000;

/// Waits for its turn and runs a batch to its end.
pub(super) async fn run(
    handle: Arc<OrgHandle>,
    job: Job,
    batch: Batch,
    mut before: Vec<watch::Receiver<bool>>,
) {
    for earlier in &mut before {
        // An error would mean that the batch is gone, which is an end as well.
        let _ = earlier.wait_for(|over| *over).await;
    }
    let queued = handle.settings.bulk_queue_ms.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(queued / 2)).await;
    let jobs = &handle.bulk_v1;
    if !jobs.change(&batch, handle.clock.now_ms(), |batch| {
        batch.state = BatchState::InProgress;
    }) {
        return;
    }
    tokio::time::sleep(Duration::from_millis(queued - queued / 2)).await;
    let outcome = match job.work {
        Work::Query { with_deleted } => query(&handle, &job, &batch, with_deleted).await,
        Work::Ingest(_) => load(&handle, &job, &batch).await.map(Some),
    };
    jobs.change(&batch, handle.clock.now_ms(), |batch| match outcome {
        Ok(Some(result)) => {
            batch.result = Some(result);
            batch.state = BatchState::Completed;
        }
        // Its chunks are batches of their own.
        Ok(None) => batch.state = BatchState::NotProcessed,
        Err(message) => {
            batch.message = Some(message);
            batch.state = BatchState::Failed;
        }
    });
}

/// Runs a query, or hands it out to chunks.
async fn query(
    handle: &Arc<OrgHandle>,
    job: &Job,
    batch: &Batch,
    with_deleted: bool,
) -> Result<Option<BatchResult>, String> {
    if let Some(message) = handle.jobs.must_fail() {
        return Err(message.unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&batch.request).into_owned();
    let bound = bind(handle, job, text.trim())?;
    let Some(size) = job.chunk else {
        let rows = read(handle, bound, with_deleted, 0..u32::MAX).await?;
        return Ok(Some(rows));
    };
    if !bound.order.is_empty() || bound.limit.is_some() {
        return Err("InvalidBatch : ORDER BY and LIMIT are not supported with PK chunking".to_owned());
    }
    let last = handle.org.read().table(bound.object).len().max(1) as u32;
    for start in (0..last).step_by(size as usize) {
        let id = handle.new_id(*b"751");
        let chunk = Batch::new(id, &job.id, batch.request.clone(), handle.clock.now_ms());
        handle.bulk_v1.add_batch(chunk.clone());
        let within = start..start.saturating_add(size);
        tokio::spawn(run_chunk(
            handle.clone(),
            chunk,
            bound.clone(),
            with_deleted,
            within,
        ));
    }
    Ok(None)
}

async fn run_chunk(
    handle: Arc<OrgHandle>,
    batch: Batch,
    bound: Bound,
    with_deleted: bool,
    within: Range<u32>,
) {
    let jobs = &handle.bulk_v1;
    let started = jobs.change(&batch, handle.clock.now_ms(), |batch| {
        batch.state = BatchState::InProgress;
    });
    if !started {
        return;
    }
    let outcome = read(&handle, bound, with_deleted, within).await;
    jobs.change(&batch, handle.clock.now_ms(), |batch| match outcome {
        Ok(result) => {
            batch.result = Some(result);
            batch.state = BatchState::Completed;
        }
        Err(message) => {
            batch.message = Some(message);
            batch.state = BatchState::Failed;
        }
    });
}

/// Reads a batch's query, which must be about the job's object.
fn bind(handle: &OrgHandle, job: &Job, text: &str) -> Result<Bound, String> {
    let failed =
        |code: &str, message: &str| format!("InvalidBatch : Failed to process query: {code}: {message}");
    let org = handle.org.read();
    let parsed = soql::parse(text).map_err(|error| failed(error.code, &error.message))?;
    let bound = soql::bind(org.schema(), &parsed, handle.clock.now_ms())
        .map_err(|error| failed(error.code, &error.message))?;
    if bound.object != job.target.object {
        let message = format!("The query is not about the job's object {}", job.object_name);
        return Err(failed("INVALID_TYPE", &message));
    }
    bulk::check_supported(&bound).map_err(|error| failed(error.code, &error.message))?;
    Ok(bound)
}

async fn read(
    handle: &Arc<OrgHandle>,
    bound: Bound,
    with_deleted: bool,
    within: Range<u32>,
) -> Result<BatchResult, String> {
    let worker = handle.clone();
    let rows =
        tokio::task::spawn_blocking(move || bulk::run_rows(&worker, &bound, with_deleted, within)).await;
    match rows {
        Ok(rows) => Ok(BatchResult::Rows(Arc::new(rows))),
        Err(_) => Err("UNKNOWN_EXCEPTION: An unexpected error occurred".to_owned()),
    }
}

/// Loads the rows of a batch, those that are good.
async fn load(handle: &Arc<OrgHandle>, job: &Job, batch: &Batch) -> Result<BatchResult, String> {
    let rows = rows(handle, job, batch)?;
    if rows.is_empty() {
        return Err("InvalidBatch : Records not found".to_owned());
    }
    if rows.len() > MOST_ROWS {
        return Err(format!(
            "InvalidBatch : Exceeded maximum of {MOST_ROWS} records of a batch"
        ));
    }
    let mut outcomes = Vec::with_capacity(rows.len());
    for part in rows.chunks(TRANSACTION) {
        let is_over = handle
            .bulk_v1
            .job(&job.id, handle.clock.now_ms())
            .is_ok_and(|job| job.state == JobState::Aborted);
        if is_over {
            break;
        }
        let done: Vec<Outcome> = handle
            .commit(|org, change| {
                part.iter()
                    .map(|row| ingest::apply(org, &job.target, row, change))
                    .collect()
            })
            .await;
        outcomes.extend(done);
    }
    Ok(BatchResult::Outcomes(Arc::new(outcomes)))
}

fn rows(handle: &OrgHandle, job: &Job, batch: &Batch) -> Result<Vec<Row>, String> {
    match job.content {
        ContentType::Csv => {
            let dialect = Dialect::of(None, None).ok_or("InvalidBatch : no dialect")?;
            Ok(ingest::read(handle, job.target.object, dialect, &batch.request)?.1)
        }
        ContentType::Json => {
            let list: Vec<Map<String, Json>> = serde_json::from_slice(&batch.request)
                .map_err(|error| format!("InvalidBatch : Unable to parse JSON: {error}"))?;
            Ok(list.into_iter().map(Row::of).collect())
        }
        ContentType::Xml => {
            let source = String::from_utf8_lossy(&batch.request);
            let document = Document::parse(source.trim())
                .map_err(|error| format!("InvalidBatch : Unable to parse XML: {error}"))?;
            let records = document.root_element().children().filter(Node::is_element);
            Ok(records.map(|record| Row::of(fields_of(record))).collect())
        }
    }
}

/// `<Name>x</Name>`, `<Price__c xsi:nil="true"/>`, `<Depot__r><sObject><Code__c>D-1</Code__c></sObject></Depot__r>`.
fn fields_of(record: Node<'_, '_>) -> Map<String, Json> {
    let fields = record.children().filter(Node::is_element).map(|field| {
        let nested = field.children().find(Node::is_element);
        let is_nil = field
            .attributes()
            .any(|attribute| attribute.name() == "nil" && attribute.value() == "true");
        let value = match nested {
            Some(parent) => Json::Object(fields_of(parent)),
            None if is_nil => Json::Null,
            None => json!(field.text().unwrap_or_default()),
        };
        (field.tag_name().name().to_owned(), value)
    });
    fields.filter(|(name, _)| name != "type").collect()
}
