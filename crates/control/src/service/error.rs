//! Why something was not done, in the words of the caller's world.

use std::time::Duration;

use landbridge_model::Problem;
use landbridge_stage::StageError;
use landbridge_wire::{AskError, AskErrorCode};

use super::caller::Role;
use crate::ask::AppliedSync;

/// Why something was not done. Each kind is one `type` of problem document, and one status of HTTP.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Nobody is signed in, or what was shown is no longer good.
    #[error("{0}")]
    Unauthenticated(String),
    /// They may see it, and may not do it.
    #[error("{0}")]
    Forbidden(String),
    /// It is not there, or not for this caller.
    #[error("{0}")]
    NotFound(String),
    /// What was given cannot be done; with each problem, its place and its remedy.
    #[error("{message}")]
    Invalid {
        /// In one sentence.
        message: String,
        /// One by one, when there are several.
        problems: Vec<Problem>,
    },
    /// It is so already, or somebody else is at it.
    #[error("{0}")]
    Conflict(String),
    /// It was changed since the caller looked.
    #[error("{0}")]
    Stale(String),
    /// The caller must say which state they have seen.
    #[error("{0}")]
    PreconditionRequired(String),
    /// Too often.
    #[error("{message}")]
    TooMany {
        /// In one sentence.
        message: String,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A credential of Salesforce or HubSpot is refused, or a permission there is missing.
    #[error("{0}")]
    RefusedThere(String),
    /// A budget of API calls is used up.
    #[error("{0}")]
    Limited(String),
    /// The bus or a worker cannot be reached now.
    #[error("{0}")]
    Unavailable(String),
    /// Landbridge is wrong.
    #[error("{0}")]
    Internal(String),
}

impl ServiceError {
    /// The same words for a tenant that is not there and one that is not for this caller.
    pub(crate) fn no_tenant(name: &str) -> Self {
        Self::NotFound(format!("there is no tenant {name}"))
    }

    pub(crate) fn forbidden(needed: Role, place: &str) -> Self {
        Self::Forbidden(format!(
            "this needs the role {needed} for {place}; ask an admin for it"
        ))
    }

    /// Whether it is certain that nothing was changed before this was said.
    pub(super) fn leaves_all_as_it_was(&self) -> bool {
        match self {
            Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Invalid { .. }
            | Self::Conflict(_)
            | Self::Stale(_)
            | Self::PreconditionRequired(_)
            | Self::TooMany { .. } => true,
            Self::RefusedThere(_) | Self::Limited(_) | Self::Unavailable(_) | Self::Internal(_) => false,
        }
    }

    /// What was given cannot be done.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            problems: Vec::new(),
        }
    }

    /// Definitions with problems: every problem names its sync in its place.
    pub(crate) fn of_syncs(message: &str, syncs: &[AppliedSync]) -> Self {
        let problems = syncs.iter().flat_map(|sync| {
            sync.problems.iter().map(|problem| Problem {
                place: format!("{}: {}", sync.name, problem.place),
                ..problem.clone()
            })
        });
        Self::Invalid {
            message: message.to_owned(),
            problems: problems.collect(),
        }
    }
}

impl From<AskError> for ServiceError {
    fn from(error: AskError) -> Self {
        let message = error.message;
        match error.code {
            AskErrorCode::Invalid => Self::invalid(message),
            AskErrorCode::NotFound => Self::NotFound(message),
            AskErrorCode::Unauthorized | AskErrorCode::Forbidden => Self::RefusedThere(message),
            AskErrorCode::Conflict => Self::Stale(message),
            AskErrorCode::Limited => Self::Limited(message),
            AskErrorCode::Unavailable => Self::Unavailable(message),
            AskErrorCode::Internal => Self::Internal(message),
        }
    }
}

impl From<StageError> for ServiceError {
    fn from(error: StageError) -> Self {
        Self::Unavailable(error.chain())
    }
}

impl From<landbridge_bus::KvError> for ServiceError {
    fn from(error: landbridge_bus::KvError) -> Self {
        StageError::from(error).into()
    }
}

impl From<landbridge_bus::Error> for ServiceError {
    fn from(error: landbridge_bus::Error) -> Self {
        StageError::from(error).into()
    }
}

impl From<serde_json::Error> for ServiceError {
    fn from(_: serde_json::Error) -> Self {
        // The text of a JSON error can quote its input.
        Self::Internal("a value could not be written as JSON".to_owned())
    }
}
