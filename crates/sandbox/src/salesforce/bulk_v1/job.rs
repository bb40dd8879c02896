//! Jobs, their batches, and where all of them are kept.

use super::{KEPT_MS, full_id, wire::Refusal};
use crate::salesforce::{
    bulk::JobResult,
    clock::DAY_MS,
    ingest::{Operation, Outcome, Target},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// What a job's batches are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Query { with_deleted: bool },
    Ingest(Operation),
}

/// The format of a job's batches and results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentType {
    Csv,
    Json,
    Xml,
}

impl ContentType {
    pub(super) fn of(text: &str) -> Option<ContentType> {
        match text {
            "CSV" => Some(ContentType::Csv),
            "JSON" => Some(ContentType::Json),
            "XML" => Some(ContentType::Xml),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            ContentType::Csv => "CSV",
            ContentType::Json => "JSON",
            ContentType::Xml => "XML",
        }
    }

    /// The header for a body of this format.
    pub(super) fn header(self) -> &'static str {
        match self {
            ContentType::Csv => "text/csv; charset=UTF-8",
            ContentType::Json => "application/json",
            ContentType::Xml => "application/xml",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobState {
    Open,
    Closed,
    Aborted,
}

impl JobState {
    pub(super) fn name(self) -> &'static str {
        match self {
            JobState::Open => "Open",
            JobState::Closed => "Closed",
            JobState::Aborted => "Aborted",
        }
    }
}

/// One job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) work: Work,
    /// As the client named it.
    pub(super) operation: String,
    pub(super) target: Target,
    pub(super) object_name: String,
    /// As in the path: `59.0`.
    pub(super) version: String,
    pub(super) content: ContentType,
    /// One batch after the other.
    pub(super) serial: bool,
    /// Rows of a chunk, if queries are to be cut by id.
    pub(super) chunk: Option<u32>,
    pub(super) created: i64,
    pub(super) changed: i64,
    pub(super) state: JobState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchState {
    Queued,
    InProgress,
    Completed,
    Failed,
    NotProcessed,
}

impl BatchState {
    pub(super) fn name(self) -> &'static str {
        match self {
            BatchState::Queued => "Queued",
            BatchState::InProgress => "InProgress",
            BatchState::Completed => "Completed",
            BatchState::Failed => "Failed",
            BatchState::NotProcessed => "NotProcessed",
        }
    }

    pub(super) fn is_final(self) -> bool {
        !matches!(self, BatchState::Queued | BatchState::InProgress)
    }
}

/// What came of a batch.
#[derive(Debug, Clone)]
pub(super) enum Result {
    Rows(Arc<JobResult>),
    Outcomes(Arc<Vec<Outcome>>),
}

/// One batch.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) job: String,
    pub(super) request: Bytes,
    pub(super) created: i64,
    pub(super) changed: i64,
    pub(super) state: BatchState,
    pub(super) message: Option<String>,
    pub(super) result: Option<Result>,
    /// Tells whoever waits that the state is final.
    pub(super) over: watch::Sender<bool>,
}

impl Batch {
    pub(super) fn new(id: String, job: &str, request: Bytes, now_ms: i64) -> Batch {
        Batch {
            id,
            job: job.to_owned(),
            request,
            created: now_ms,
            changed: now_ms,
            state: BatchState::Queued,
            message: None,
            result: None,
            over: watch::Sender::new(false),
        }
    }

    /// Rows that were looked at, and those of them that were refused.
    pub(super) fn counts(&self) -> (usize, usize) {
        match &self.result {
            None => (0, 0),
            Some(Result::Rows(rows)) => (rows.len(), 0),
            Some(Result::Outcomes(outcomes)) => {
                let refused = outcomes.iter().filter(|outcome| outcome.result.is_err());
                (outcomes.len(), refused.count())
            }
        }
    }
}

/// All jobs of the last days.
#[derive(Debug, Default)]
pub struct BatchJobs {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: BTreeMap<String, Job>,
    /// In the order in which they came; a job has few.
    batches: BTreeMap<String, Vec<Batch>>,
    /// When batches were made, of the last 24 hours.
    made: Vec<i64>,
}

impl BatchJobs {
    pub(super) fn add_job(&self, job: Job) {
        self.inner.lock().jobs.insert(job.id.clone(), job);
    }

    pub(super) fn job(&self, id: &str, now_ms: i64) -> std::result::Result<Job, Refusal> {
        let mut inner = self.inner.lock();
        inner.jobs.retain(|_, job| now_ms - job.created < KEPT_MS);
        full_id(id)
            .and_then(|id| inner.jobs.get(&id).cloned())
            .ok_or_else(|| Refusal::new("InvalidJob", format!("Invalid job id: {id}")))
    }

    pub(super) fn set_state(&self, id: &str, state: JobState, now_ms: i64) {
        let mut inner = self.inner.lock();
        if let Some(job) = inner.jobs.get_mut(id) {
            job.state = state;
            job.changed = now_ms;
        }
        if state == JobState::Aborted {
            let queued = inner.batches.entry(id.to_owned()).or_default().iter_mut();
            for batch in queued.filter(|batch| batch.state == BatchState::Queued) {
                batch.state = BatchState::NotProcessed;
                batch.message = Some("Aborted".to_owned());
                batch.over.send_replace(true);
            }
        }
    }

    pub(super) fn add_batch(&self, batch: Batch) {
        let mut inner = self.inner.lock();
        inner.made.push(batch.created);
        inner.batches.entry(batch.job.clone()).or_default().push(batch);
    }

    /// When the batches of the last 24 hours were made.
    pub(in crate::salesforce) fn made(&self) -> Vec<i64> {
        self.inner.lock().made.clone()
    }

    pub(in crate::salesforce) fn load_made(&self, made: Vec<i64>) {
        self.inner.lock().made = made;
    }

    /// How many batches were made in the last 24 hours.
    pub(in crate::salesforce) fn batches_today(&self, now_ms: i64) -> u64 {
        let mut inner = self.inner.lock();
        inner.made.retain(|at| now_ms - at < DAY_MS);
        inner.made.len() as u64
    }

    pub(super) fn batches(&self, job: &str) -> Vec<Batch> {
        self.inner.lock().batches.get(job).cloned().unwrap_or_default()
    }

    pub(super) fn batch(&self, job: &str, id: &str) -> std::result::Result<Batch, Refusal> {
        let wanted = full_id(id);
        let found = self
            .batches(job)
            .into_iter()
            .find(|batch| Some(&batch.id) == wanted.as_ref());
        found.ok_or_else(|| Refusal::new("InvalidBatch", format!("Unable to find batch: {id}")))
    }

    /// The ends of the batches that came before one, of those that are not over.
    pub(super) fn unfinished(&self, job: &str, id: &str) -> Vec<watch::Receiver<bool>> {
        let batches = self.batches(job);
        let before = batches.iter().take_while(|batch| batch.id != id);
        before.map(|batch| batch.over.subscribe()).collect()
    }

    /// Changes a batch that is not over yet; says whether it was there to be changed.
    pub(super) fn change(&self, batch: &Batch, now_ms: i64, change: impl FnOnce(&mut Batch)) -> bool {
        let mut inner = self.inner.lock();
        let batches = inner.batches.entry(batch.job.clone()).or_default();
        let known = batches.iter_mut().find(|known| known.id == batch.id);
        let Some(known) = known.filter(|known| !known.state.is_final()) else {
            return false;
        };
        change(known);
        known.changed = now_ms;
        if known.state.is_final() {
            known.over.send_replace(true);
        }
        true
    }
}
