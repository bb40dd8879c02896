//! What can stop reading, and what is done about it.

use landbridge_model::{FailureCategory, TenantId};
use landbridge_salesforce::{SalesforceError, Verdict};
use landbridge_stage::StageError;
use landbridge_wire::{AskError, AskErrorCode};

use crate::plan::PlanError;
use crate::rows::UnusableRow;

/// Why something could not be read or handed on.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Salesforce would not, or could not.
    #[error(transparent)]
    Salesforce(SalesforceError),
    /// The bus or the cache.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The sync's definition does not fit its object.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Salesforce gave a row that is none.
    #[error(transparent)]
    Row(#[from] UnusableRow),
    /// Nobody has given credentials yet.
    #[error("tenant {0} has no Salesforce credentials yet; add them with `landbridge tenant add`")]
    NoCredentials(TenantId),
    /// The address leads to another org than before, as after the refresh of a Salesforce sandbox.
    #[error(
        "this is org {found}, not {expected}: nothing is read or deleted until a person says whether it is meant"
    )]
    OtherOrg {
        /// The org that positions and identities belong to.
        expected: String,
        /// The org that answers now.
        found: String,
    },
    /// The daily calls run low: what is left is for the live reading.
    #[error(
        "{percent} % of the daily Salesforce calls that Landbridge may make are used: only the live reading goes on; \
         imports and other long reading go on by themselves when calls are free again"
    )]
    OnlyLive {
        /// How much of the budget is used.
        percent: u64,
    },
    /// The definition is not there (any more).
    #[error("{0}")]
    Missing(String),
}

impl From<SalesforceError> for Trouble {
    fn from(error: SalesforceError) -> Self {
        match error {
            // Seen in the middle of a read, it stops the tenant as it does before one.
            SalesforceError::OtherOrg { expected, found } => Self::OtherOrg {
                expected: expected.to_string(),
                found: found.to_string(),
            },
            error => Self::Salesforce(error),
        }
    }
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Try again after a growing pause.
    TryAgain,
    /// Try again rarely: a budget must free itself or a person must act, but need not tell us.
    TryRarely,
    /// The Bulk job is lost: make another one.
    NewJob,
    /// Ask for less at once: what a job cannot read, two can. Where nothing less can be asked for, the same as [`Self::Stop`].
    Smaller,
    /// Stop this sync or import and say why.
    Stop,
    /// Stop the whole tenant and say why.
    StopTenant,
}

impl Trouble {
    /// What to do. No wildcard arm: a new trouble has to choose.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Salesforce(SalesforceError::RowsMissing { .. }) => Remedy::NewJob,
            Self::Salesforce(SalesforceError::JobEnded { .. }) if self.is_retryable() => Remedy::NewJob,
            Self::Salesforce(_) if self.is_timeout() => Remedy::TryAgain,
            Self::Salesforce(error) => match error.verdict() {
                Verdict::Retry { .. } | Verdict::Refresh => Remedy::TryAgain,
                Verdict::WaitForWindow | Verdict::Configuration => Remedy::TryRarely,
                Verdict::Gone => Remedy::NewJob,
                Verdict::Shrink => Remedy::Smaller,
                Verdict::SchemaChanged | Verdict::Refused | Verdict::Bug => Remedy::Stop,
            },
            Self::Stage(_) => Remedy::TryAgain,
            Self::Plan(_) | Self::Row(_) => Remedy::Stop,
            Self::NoCredentials(_) | Self::Missing(_) | Self::OnlyLive { .. } => Remedy::TryRarely,
            Self::OtherOrg { .. } => Remedy::StopTenant,
        }
    }

    /// Whether Salesforce gave a query up because it took too long: a narrower one may not.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Salesforce(SalesforceError::Refused { refusal, .. }) if refusal.code() == "QUERY_TIMEOUT")
    }

    /// Whether a Bulk job ended without its rows: it stays as it is, whatever is done about the reason.
    #[must_use]
    pub fn is_ended_job(&self) -> bool {
        matches!(self, Self::Salesforce(SalesforceError::JobEnded { .. }))
    }

    /// Whether an allocation is used up, so that nothing but time helps.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Salesforce(error) if error.verdict() == Verdict::WaitForWindow)
    }

    fn is_retryable(&self) -> bool {
        matches!(self, Self::Salesforce(error) if matches!(error.verdict(), Verdict::Retry { .. }))
    }

    /// The category that people see it under.
    #[must_use]
    pub fn category(&self) -> FailureCategory {
        match self {
            Self::Salesforce(SalesforceError::SignIn { .. }) | Self::NoCredentials(_) => {
                FailureCategory::Authentication
            }
            Self::Salesforce(error) => match error.verdict() {
                Verdict::WaitForWindow => FailureCategory::RateLimit,
                Verdict::Configuration => FailureCategory::Permission,
                Verdict::SchemaChanged => FailureCategory::SchemaChanged,
                Verdict::Refresh => FailureCategory::Authentication,
                Verdict::Bug => FailureCategory::Internal,
                Verdict::Retry { .. } | Verdict::Gone | Verdict::Shrink | Verdict::Refused => {
                    FailureCategory::SalesforceError
                }
            },
            Self::OnlyLive { .. } => FailureCategory::RateLimit,
            Self::Plan(_) => FailureCategory::SchemaChanged,
            Self::Stage(_) | Self::Row(_) | Self::Missing(_) => FailureCategory::Internal,
            Self::OtherOrg { .. } => FailureCategory::Permission,
        }
    }

    /// The whole chain of causes in one sentence.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let next = error.to_string();
            // A transparent wrapper repeats its cause's words.
            if !text.ends_with(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        text
    }

    /// As the answer to a question.
    #[must_use]
    pub fn answer(&self) -> AskError {
        let code = match self {
            Self::NoCredentials(_) | Self::Salesforce(SalesforceError::SignIn { transient: false, .. }) => {
                AskErrorCode::Unauthorized
            }
            Self::Salesforce(error) => match error.verdict() {
                Verdict::Retry { .. } => AskErrorCode::Unavailable,
                Verdict::Refresh => AskErrorCode::Unauthorized,
                Verdict::WaitForWindow => AskErrorCode::Limited,
                Verdict::Configuration => AskErrorCode::Forbidden,
                Verdict::SchemaChanged | Verdict::Gone => AskErrorCode::NotFound,
                Verdict::Shrink | Verdict::Refused => AskErrorCode::Invalid,
                Verdict::Bug => AskErrorCode::Internal,
            },
            Self::OnlyLive { .. } => AskErrorCode::Limited,
            Self::Plan(_) => AskErrorCode::Invalid,
            Self::Missing(_) => AskErrorCode::NotFound,
            Self::OtherOrg { .. } => AskErrorCode::Forbidden,
            Self::Stage(_) | Self::Row(_) => AskErrorCode::Internal,
        };
        let remedy = match self {
            Self::Salesforce(SalesforceError::SignIn { transient: false, .. }) => {
                "; check the connection's consumer key and secret, and that its address is the org's My Domain"
            }
            _ => "",
        };
        AskError::new(code, format!("{}{remedy}", self.chain()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_secret_is_answered_with_its_remedy() {
        let refused = SalesforceError::SignIn {
            code: "invalid_client".into(),
            message: "invalid client credentials".into(),
            transient: false,
        };
        let trouble = Trouble::from(refused);
        assert_eq!(trouble.remedy(), Remedy::TryRarely);
        let answer = trouble.answer();
        assert_eq!(answer.code, AskErrorCode::Unauthorized);
        assert_eq!(
            answer.message,
            "Salesforce refused the sign-in: invalid_client: invalid client credentials; check the connection's \
             consumer key and secret, and that its address is the org's My Domain"
        );
    }

    fn refused(status: u16, code: &str) -> Trouble {
        let error = landbridge_salesforce::error::ApiError {
            code: code.to_owned(),
            message: "in Salesforce's words".to_owned(),
            fields: Vec::new(),
        };
        let refusal = landbridge_salesforce::error::Refusal {
            status,
            errors: vec![error],
            body_start: String::new(),
            retry_after: None,
        };
        let what = "a query";
        Trouble::from(SalesforceError::Refused { what, refusal })
    }

    #[test]
    fn trap_10_and_11_a_locator_that_died_is_read_anew() {
        for code in ["INVALID_QUERY_LOCATOR", "INVALID_QUERY_LOCATOR_FORMAT"] {
            // The live reading begins its window again; only an import gives a job up for it.
            assert_eq!(refused(400, code).remedy(), Remedy::NewJob, "{code}");
        }
    }

    #[test]
    fn trap_18_a_query_that_took_too_long_is_tried_again_and_never_taken_for_empty() {
        let late = refused(400, "QUERY_TIMEOUT");
        assert!(late.is_timeout());
        assert_eq!(late.remedy(), Remedy::TryAgain);
    }

    #[test]
    fn trap_23_a_delete_log_that_does_not_reach_back_stops_nothing() {
        assert_eq!(refused(400, "INVALID_REPLICATION_DATE").remedy(), Remedy::NewJob);
    }

    #[test]
    fn every_trouble_knows_what_to_do() {
        let job = |message: &str| {
            let (job, message) = ("750".to_owned(), message.to_owned());
            Trouble::from(SalesforceError::JobEnded {
                job,
                state: "Failed",
                message,
            })
        };
        assert_eq!(job("").remedy(), Remedy::NewJob);
        assert_eq!(job("INVALID_FIELD: No such column 'X__c'").remedy(), Remedy::Stop);
        for late in ["Retried more than fifteen times", "QUERY_TIMEOUT: too long"] {
            assert_eq!(job(late).remedy(), Remedy::Smaller, "{late}");
        }
        let spent = job("LIMIT_EXCEEDED: Max bulk v2 query result size stored (1000000000) kb per 24 hrs");
        assert!(spent.is_ended_job() && spent.is_limit());
        let forbidden = job("FUNCTIONALITY_NOT_ENABLED: not for this user");
        assert!(forbidden.is_ended_job() && !forbidden.is_limit());
        for trouble in [spent, forbidden] {
            assert_eq!(trouble.remedy(), Remedy::TryRarely, "{trouble}");
        }
        let missing = SalesforceError::RowsMissing {
            job: "750".into(),
            announced: 2,
            delivered: 1,
        };
        assert_eq!(Trouble::from(missing).remedy(), Remedy::NewJob);
        let spent = SalesforceError::Budget { used: 5, allowed: 5 };
        assert_eq!(Trouble::from(spent).remedy(), Remedy::TryRarely);
        let moved = Trouble::OtherOrg {
            expected: "00D1".into(),
            found: "00D2".into(),
        };
        assert_eq!(moved.remedy(), Remedy::StopTenant);
    }
}
