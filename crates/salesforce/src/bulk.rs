//! Bulk API 2.0 query: a job is created, polled until it has read its rows, and its results are fetched in pages.
//!
//! A job's pages stay there for days and their locators do not move, so a job id and a locator are a position
//! that a read can resume from after any interruption ([`Position`]).

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Deserializer};

use crate::calls::Family;
use crate::client::{Call, Client};
use crate::error::{SalesforceError, Verdict};
use crate::query::Scope;

mod csv;
mod download;
mod page;

pub use csv::{PageParser, Room};
pub use download::{Download, DownloadOptions, Position, RowChunk};

/// A job's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum JobState {
    /// Waiting for its turn.
    UploadComplete,
    /// Reading.
    InProgress,
    /// All rows are there.
    JobComplete,
    /// Given up by Salesforce.
    Failed,
    /// Given up by somebody.
    Aborted,
    /// A state that did not exist when this was written; taken as "not done yet".
    #[serde(other)]
    Unknown,
}

impl JobState {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// A query job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// `750…`.
    pub id: String,
    /// The object queried.
    #[serde(default)]
    pub object: String,
    /// Where it stands.
    pub state: JobState,
    /// When it was created, by the org's clock: no row is older than this, though rows are read later.
    #[serde(deserialize_with = "created")]
    pub created_date: Timestamp,
    /// Rows read so far; all of them once the job is complete.
    #[serde(default)]
    pub number_records_processed: u64,
    /// Why it failed; may be missing even then.
    #[serde(default)]
    pub error_message: Option<String>,
}

fn created<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    crate::normalise::parse_date_time(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no date-time")))
}

impl Job {
    /// The job when complete, the reason when it ended otherwise, `None` while it runs.
    pub fn outcome(self) -> Option<Result<Self, SalesforceError>> {
        let state = match self.state {
            JobState::JobComplete => return Some(Ok(self)),
            JobState::Failed => "Failed",
            JobState::Aborted => "Aborted",
            JobState::UploadComplete | JobState::InProgress | JobState::Unknown => return None,
        };
        let message = self.error_message.unwrap_or_else(|| "no reason given".to_owned());
        Some(Err(SalesforceError::JobEnded {
            job: self.id,
            state,
            message,
        }))
    }
}

/// How long to wait between two looks at a job: half the time it has run, between half a second and ten.
/// Each look costs a call.
#[must_use]
pub fn poll_pause(running_for: Duration) -> Duration {
    (running_for / 2).clamp(Duration::from_millis(500), Duration::from_secs(10))
}

impl Client {
    /// Starts a job. `soql` may not hold ORDER BY, LIMIT, aggregates, subqueries or compound fields: the first two
    /// would turn off Salesforce's own splitting, the others are refused.
    ///
    /// A connection that breaks in between may leave a job behind that nobody reads; Salesforce drops it after
    /// seven days.
    pub async fn create_job(&self, scope: Scope, soql: &str) -> Result<Job, SalesforceError> {
        let body = serde_json::json!({
            "operation": scope.operation(),
            "query": soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        });
        let call = Call::with(
            "a bulk job's start",
            Family::BulkJob,
            Method::POST,
            "jobs/query",
            Some(body),
        );
        self.json(&call).await
    }

    /// Looks at a job.
    pub async fn job(&self, id: &str) -> Result<Job, SalesforceError> {
        self.json(&Call::get("a bulk job's state", Family::BulkJob, job_path(id)?))
            .await
    }

    /// Waits until a job is complete. `on_look` sees every state on the way.
    pub async fn wait_for_job(&self, id: &str, on_look: impl Fn(&Job)) -> Result<Job, SalesforceError> {
        let start = tokio::time::Instant::now();
        loop {
            let job = self.job(id).await?;
            on_look(&job);
            if let Some(outcome) = job.outcome() {
                return outcome;
            }
            tokio::time::sleep(poll_pause(start.elapsed())).await;
        }
    }

    /// Stops a job. A job that has ended already is left as it is.
    pub async fn abort_job(&self, id: &str) -> Result<(), SalesforceError> {
        let body = serde_json::json!({ "state": "Aborted" });
        let call = Call::with(
            "a bulk job's abort",
            Family::BulkJob,
            Method::PATCH,
            job_path(id)?,
            Some(body),
        );
        match self.send(&call).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_gone() => Ok(()),
            Err(error)
                if error
                    .refusal()
                    .is_some_and(|refusal| refusal.code() == "INVALIDJOBSTATE") =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes a job that has ended, and its results with it.
    pub async fn delete_job(&self, id: &str) -> Result<(), SalesforceError> {
        let call = Call::with(
            "a bulk job's removal",
            Family::BulkJob,
            Method::DELETE,
            job_path(id)?,
            None,
        );
        match self.send(&call).await {
            Ok(_) => Ok(()),
            Err(error) if error.verdict() == Verdict::Gone => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Job ids go into paths: only letters and digits are let through.
fn job_path(id: &str) -> Result<String, SalesforceError> {
    if !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(format!("jobs/query/{id}"))
    } else {
        Err(SalesforceError::Setting(format!("{id:?} is not a bulk job's id")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_read_and_judged() {
        let job = |state: &str, extra: &str| -> Job {
            serde_json::from_str(&format!(
                r#"{{"id":"750R0000000zlh9IAA","operation":"query","object":"Car__c","state":"{state}",
                    "createdDate":"2018-12-10T17:50:19.000+0000","apiVersion":66.0{extra}}}"#
            ))
            .unwrap()
        };
        assert!(job("UploadComplete", "").outcome().is_none());
        assert!(job("SomethingNew", "").outcome().is_none());
        let done = job("JobComplete", r#","numberRecordsProcessed":740003"#)
            .outcome()
            .unwrap()
            .unwrap();
        assert_eq!(done.number_records_processed, 740_003);
        let failed = job("Failed", "").outcome().unwrap().unwrap_err();
        assert_eq!(
            failed.to_string(),
            "bulk job 750R0000000zlh9IAA ended as Failed: no reason given"
        );
    }

    #[test]
    fn trap_32_looks_grow_rarer_and_never_end() {
        let seconds = |n| Duration::from_secs(n);
        assert_eq!(poll_pause(seconds(0)), Duration::from_millis(500));
        assert_eq!(poll_pause(seconds(4)), seconds(2));
        assert_eq!(poll_pause(seconds(600)), seconds(10));
    }
}
