//! Jobs and what they tell of themselves.

use super::{csv::Dialect, run::JobResult};
use crate::salesforce::{
    clock::{DAY_MS, json_datetime, whole_second},
    errors::ApiError,
    handle::OrgHandle,
    ids::RecordId,
};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc};

/// Results are kept for seven days.
const KEPT_MS: i64 = 7 * DAY_MS;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            State::UploadComplete => "UploadComplete",
            State::InProgress => "InProgress",
            State::JobComplete => "JobComplete",
            State::Failed => "Failed",
            State::Aborted => "Aborted",
        }
    }

    /// As messages of the results endpoint spell it.
    pub(super) fn shouted(self) -> &'static str {
        match self {
            State::UploadComplete => "UPLOAD_COMPLETE",
            State::InProgress => "IN_PROGRESS",
            State::JobComplete => "JOB_COMPLETE",
            State::Failed => "FAILED",
            State::Aborted => "ABORTED",
        }
    }

    pub(super) fn is_final(self) -> bool {
        matches!(self, State::JobComplete | State::Failed | State::Aborted)
    }
}

/// One job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) operation: &'static str,
    pub(super) object: String,
    pub(super) version: String,
    pub(super) dialect: Dialect,
    pub(super) chunked: bool,
    pub(super) created: i64,
    pub(super) changed: i64,
    pub(super) took_ms: i64,
    pub(super) state: State,
    pub(super) error: Option<String>,
    pub(super) result: Option<Arc<JobResult>>,
}

/// All jobs of the last days.
#[derive(Debug, Default)]
pub struct Jobs {
    pub(super) all: Mutex<BTreeMap<String, Job>>,
    pub(super) made: Mutex<Vec<i64>>,
    /// Failures on request: how many jobs, and what they say.
    failing: Mutex<(usize, Option<String>)>,
}

impl Jobs {
    /// Lets the next jobs fail, with or without a message.
    pub(in crate::salesforce) fn fail_next(&self, times: usize, message: Option<String>) {
        *self.failing.lock() = (times, message);
    }

    /// Whether the job that runs now has to fail, and what it says then.
    pub(in crate::salesforce) fn must_fail(&self) -> Option<Option<String>> {
        let mut failing = self.failing.lock();
        failing.0 = failing.0.checked_sub(1)?;
        Some(failing.1.clone())
    }

    /// When the jobs of the last 24 hours were made.
    pub(in crate::salesforce) fn made(&self) -> Vec<i64> {
        self.made.lock().clone()
    }

    pub(in crate::salesforce) fn load_made(&self, made: Vec<i64>) {
        *self.made.lock() = made;
    }

    /// How many jobs were made in the last 24 hours.
    pub fn made_today(&self, now_ms: i64) -> u64 {
        let mut made = self.made.lock();
        made.retain(|at| now_ms - at < DAY_MS);
        made.len() as u64
    }

    pub(super) fn get(&self, id: &str, now_ms: i64) -> Result<Job, ApiError> {
        // Both forms of an id are good.
        let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?.to_string();
        let mut all = self.all.lock();
        all.retain(|_, job| now_ms - job.created < KEPT_MS);
        all.get(&id).cloned().ok_or_else(ApiError::not_found)
    }

    pub(super) fn change(&self, id: &str, now_ms: i64, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.all.lock().get_mut(id) {
            change(job);
            job.changed = now_ms;
        }
    }
}

/// A job as its creation and the list show it.
pub(super) fn job_json(handle: &OrgHandle, job: &Job) -> Json {
    let user = handle.org.read().user_id.to_string();
    let mut json = status(job);
    for later in [
        "jobType",
        "numberRecordsProcessed",
        "retries",
        "totalProcessingTime",
        "isPkChunkingSupported",
    ] {
        if let Some(map) = json.as_object_mut() {
            map.remove(later);
        }
    }
    json["createdById"] = json!(user);
    json
}

/// A job as a poll shows it.
pub(super) fn status(job: &Job) -> Json {
    let number: f64 = job.version.trim_start_matches('v').parse().unwrap_or(66.0);
    let processed = job.result.as_ref().map_or(0, |result| result.len());
    let mut json = json!({
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": RecordId::new(*b"005", 1).to_string(),
        "createdDate": json_datetime(whole_second(job.created)),
        "systemModstamp": json_datetime(whole_second(job.changed)),
        "state": job.state.name(),
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": number,
        "jobType": "V2Query",
        "lineEnding": job.dialect.line_ending_name(),
        "columnDelimiter": job.dialect.delimiter_name(),
        "numberRecordsProcessed": processed,
        "retries": 0,
        "totalProcessingTime": job.took_ms,
        "isPkChunkingSupported": job.chunked,
    });
    if let Some(error) = &job.error {
        json["errorMessage"] = json!(error);
    }
    json
}
