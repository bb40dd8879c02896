//! What can go wrong while talking to Salesforce, and what each failure asks of the caller.
//!
//! Every error answers one question through [`SalesforceError::verdict`]: what now? The table behind the
//! answers is [`classify`], a plain function over status and codes.

use std::time::Duration;

use landbridge_model::SalesforceId;
use serde::Deserialize;

pub mod classify;

/// What the caller does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try the same call again, not before `after` if the server named a pause.
    Retry {
        /// The pause the server asked for (`Retry-After`), if it did.
        after: Option<Duration>,
    },
    /// The token is no longer accepted: fetch a new one and try once more.
    Refresh,
    /// The daily allocation is used up: nothing helps until the rolling window frees calls.
    WaitForWindow,
    /// Credentials, permissions or set-up must be mended by a person.
    Configuration,
    /// The objects or fields are not what they were: describe again, then decide.
    SchemaChanged,
    /// Too much was asked at once: ask for fewer rows, columns or a shorter window.
    Shrink,
    /// What was named (record, job, locator) no longer exists.
    Gone,
    /// The record's values were refused; the same values will be refused again.
    Refused,
    /// We sent something no version of this program should send.
    Bug,
}

/// One entry of the error array that REST and Bulk answers carry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiError {
    /// Salesforce's own code, e.g. `INVALID_FIELD`.
    #[serde(rename = "errorCode", alias = "statusCode", alias = "error", default)]
    pub code: String,
    /// Salesforce's own words.
    #[serde(alias = "error_description", default)]
    pub message: String,
    /// The fields the error is about; often empty.
    #[serde(default)]
    pub fields: Vec<String>,
}

/// A refusal by the API: the status and everything that could be read from the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status code.
    pub status: u16,
    /// The error array; empty when the body was HTML, empty or something else.
    pub errors: Vec<ApiError>,
    /// The first characters of a body that was not an error array.
    pub body_start: String,
    /// The pause that the answer asked for.
    pub retry_after: Option<Duration>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.errors.first() {
            Some(error) => {
                write!(f, "{} {}: {}", self.status, error.code, error.message.trim())?;
                if !error.fields.is_empty() {
                    write!(f, " (fields: {})", error.fields.join(", "))?;
                }
                if self.errors.len() > 1 {
                    write!(f, " and {} more", self.errors.len() - 1)?;
                }
                Ok(())
            }
            None if self.body_start.is_empty() => write!(f, "{} without a body", self.status),
            None => write!(f, "{}: {}", self.status, self.body_start),
        }
    }
}

impl Refusal {
    /// The first error's code, or an empty text.
    #[must_use]
    pub fn code(&self) -> &str {
        self.errors.first().map_or("", |error| error.code.as_str())
    }
}

/// Everything a call to Salesforce can fail with.
#[derive(Debug, thiserror::Error)]
pub enum SalesforceError {
    /// The API answered with a refusal.
    #[error("Salesforce refused {what}: {refusal}")]
    Refused {
        /// What was being done.
        what: &'static str,
        /// The answer.
        refusal: Refusal,
    },
    /// The token endpoint refused the credentials.
    #[error("Salesforce refused the sign-in: {code}: {message}")]
    SignIn {
        /// OAuth error code, e.g. `invalid_client`.
        code: String,
        /// Salesforce's own words.
        message: String,
        /// True when the endpoint says that trying again may help.
        transient: bool,
    },
    /// The sign-in leads to another org than before, as after the refresh of a sandbox. This client asks nothing more: what
    /// was begun in one org must not go on in another.
    #[error("the sign-in leads to org {found} now, and led to {expected} before")]
    OtherOrg {
        /// The org of the first session.
        expected: SalesforceId,
        /// The org that answers now.
        found: SalesforceId,
    },
    /// No answer, or the connection broke while one was arriving.
    #[error("no usable answer from Salesforce to {what}")]
    Transport {
        /// What was being done.
        what: &'static str,
        /// The cause; its address part is removed, since it may quote a query.
        source: reqwest::Error,
    },
    /// The answer does not have the documented shape.
    #[error("Salesforce's answer to {what} could not be read")]
    Unreadable {
        /// What was being done.
        what: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
    /// A results page ended early or holds rows that are not CSV of the announced columns.
    #[error("a results page is not whole: {reason}")]
    BrokenPage {
        /// What is wrong with it.
        reason: String,
    },
    /// A query needs more characters than a GET address may have.
    #[error("the query takes {bytes} bytes of address, more than the {limit} that Salesforce accepts")]
    QueryTooLong {
        /// Length of the encoded address.
        bytes: usize,
        /// The accepted length.
        limit: usize,
    },
    /// A bulk job ended as `Failed` or `Aborted`.
    #[error("bulk job {job} ended as {state}: {message}")]
    JobEnded {
        /// The job's id.
        job: String,
        /// Its last state.
        state: &'static str,
        /// Salesforce's reason, which may be missing.
        message: String,
    },
    /// The rows delivered are not as many as the job says it holds.
    #[error("bulk job {job} announced {announced} rows and delivered {delivered}")]
    RowsMissing {
        /// The job's id.
        job: String,
        /// `numberRecordsProcessed` of the job.
        announced: u64,
        /// Rows that arrived.
        delivered: u64,
    },
    /// The tenant's own budget of calls is spent; Salesforce was not asked.
    #[error("the tenant's budget of Salesforce calls is spent: {used} of {allowed} used")]
    Budget {
        /// Calls used in the rolling day, by everybody, as Salesforce counts them.
        used: u64,
        /// What the budget allows.
        allowed: u64,
    },
    /// A setting cannot work (an address that is none, an impossible object name).
    #[error("{0}")]
    Setting(String),
}

impl SalesforceError {
    /// What to do about it. No wildcard arm: a new variant has to choose.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Refused { refusal, .. } => classify::classify(refusal),
            Self::SignIn { transient: true, .. } | Self::Transport { .. } | Self::BrokenPage { .. } => {
                Verdict::Retry { after: None }
            }
            Self::SignIn { transient: false, .. } | Self::OtherOrg { .. } | Self::Setting(_) => {
                Verdict::Configuration
            }
            Self::QueryTooLong { .. } => Verdict::Shrink,
            Self::JobEnded { message, .. } => classify::classify_job_message(message),
            Self::RowsMissing { .. } => Verdict::Gone,
            Self::Budget { .. } => Verdict::WaitForWindow,
            // JSON of another shape than documented is ours to mend; what is no JSON is somebody else's page, and passes.
            Self::Unreadable { source, .. } if source.is_data() => Verdict::Bug,
            Self::Unreadable { .. } => Verdict::Retry { after: None },
        }
    }

    /// Wraps a transport failure. The address is dropped: it may carry a whole query.
    #[must_use]
    pub fn transport(what: &'static str, source: reqwest::Error) -> Self {
        Self::Transport {
            what,
            source: source.without_url(),
        }
    }

    /// The refusal, when the API answered with one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// True when Salesforce refused a call because too many were made, in a day or at once.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        self.refusal().is_some_and(|refusal| {
            matches!(refusal.status, 420 | 429) || refusal.code() == "REQUEST_LIMIT_EXCEEDED"
        })
    }

    /// True when Salesforce refused a call because the org's calls of a day are used up. Other allocations, as that of Bulk
    /// jobs, leave all other calls free.
    #[must_use]
    pub fn is_day_spent(&self) -> bool {
        self.verdict() == Verdict::WaitForWindow
            && self
                .refusal()
                .is_some_and(|refusal| refusal.code() == "REQUEST_LIMIT_EXCEEDED")
    }

    /// True when the named thing (record, job, locator) is no longer there.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.verdict() == Verdict::Gone
    }
}
