//! What can go wrong with change events, and what is to be done about it.

use tonic::{Code, Status};

use crate::error::SalesforceError;

/// What every code of the service begins with.
const PREFIX: &str = "sfdc.platform.eventbus.grpc.";

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamVerdict {
    /// Again, after a growing pause, from the same place.
    Retry,
    /// Sign in once more, then again from the same place.
    SignInAgain,
    /// The place is void: older than the retention, or another org's. Again from now on; what lies between must be read
    /// another way.
    PlaceLost,
    /// The org has no such channel: the object is not selected for change data capture, or the licence lacks.
    NotEntitled,
    /// No more events are delivered today.
    LimitReached,
    /// The user may not, or may no longer, hear of the object.
    PermissionLost,
    /// The request itself is wrong.
    Bug,
}

/// Why there are no change events.
#[derive(Debug, thiserror::Error)]
pub enum PubSubError {
    /// The service refused.
    #[error("Salesforce refused {what}: {code}: {message}")]
    Refused {
        /// What was being done.
        what: &'static str,
        /// The service's own code without its common beginning, or the gRPC status when there is none.
        code: String,
        /// Salesforce's own words.
        message: String,
        /// What to do.
        verdict: StreamVerdict,
    },
    /// Nothing came for longer than anything should take: the connection is half open, or the service hangs.
    #[error("Salesforce said nothing to {what}")]
    Silent {
        /// What was being done.
        what: &'static str,
    },
    /// The service ended the stream without a reason.
    #[error("Salesforce ended the stream of change events")]
    Ended,
    /// A schema that is not one of change events. The event it belongs to cannot be read, nor can any of its kind.
    #[error("the schema {id} of change events cannot be read: {reason}")]
    Schema {
        /// The schema.
        id: String,
        /// Why not.
        reason: String,
    },
    /// Signing in.
    #[error(transparent)]
    Salesforce(#[from] SalesforceError),
}

impl PubSubError {
    pub(super) fn refused(what: &'static str, status: &Status) -> Self {
        let told = status.metadata().get("error-code");
        let tail = told
            .and_then(|code| code.to_str().ok())
            .map(|code| code.strip_prefix(PREFIX).unwrap_or(code));
        Self::Refused {
            what,
            code: tail.map_or_else(|| format!("{:?}", status.code()), str::to_owned),
            message: status.message().to_owned(),
            verdict: verdict(tail, status.code()),
        }
    }

    /// What to do. No wildcard arm: a new failure has to choose.
    #[must_use]
    pub fn verdict(&self) -> StreamVerdict {
        match self {
            Self::Refused { verdict, .. } => *verdict,
            Self::Silent { .. } | Self::Ended | Self::Salesforce(_) => StreamVerdict::Retry,
            Self::Schema { .. } => StreamVerdict::Bug,
        }
    }
}

/// By the service's own code, and by the status where it gives none that is known (facts: Salesforce, 12.5).
fn verdict(tail: Option<&str>, status: Code) -> StreamVerdict {
    match tail.unwrap_or_default() {
        "service.auth.error" | "service.auth.headers.invalid" | "service.auth.refresh.invalid" => {
            StreamVerdict::SignInAgain
        }
        "service.tenant.license"
        | "topic.not.found"
        | "topic.api.unavailable"
        | "subscription.topic.cannot.subscribe" => StreamVerdict::NotEntitled,
        "topic.meta.permission" | "schema.meta.permission" => StreamVerdict::PermissionLost,
        "subscription.fetch.replayid.corrupted" | "subscription.fetch.replayid.validation.failed" => {
            StreamVerdict::PlaceLost
        }
        "subscription.limit.exceeded" => StreamVerdict::LimitReached,
        "service.unavailable"
        | "service.protection.triggered"
        | "service.protection.stream.limit.triggered"
        | "concurrent.client.limit.exceeded"
        | "schema.api.unavailable"
        | "schema.validation.failed"
        | "subscription.fetch.overflow"
        | "subscription.internal.error" => StreamVerdict::Retry,
        "topic.validation.empty"
        | "subscription.fetch.replay.repeated"
        | "subscription.fetch.topic.mismatch"
        | "subscription.fetch.request.invalid"
        | "subscription.fetch.requested.events.invalid" => StreamVerdict::Bug,
        _ => by_status(status),
    }
}

fn by_status(status: Code) -> StreamVerdict {
    match status {
        Code::Unauthenticated => StreamVerdict::SignInAgain,
        Code::PermissionDenied => StreamVerdict::PermissionLost,
        Code::NotFound => StreamVerdict::NotEntitled,
        Code::InvalidArgument | Code::Unimplemented | Code::OutOfRange | Code::FailedPrecondition => {
            StreamVerdict::Bug
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => StreamVerdict::Retry,
    }
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataMap;

    use super::*;

    fn status(code: Code, tail: &str) -> Status {
        let mut trailers = MetadataMap::new();
        if !tail.is_empty() {
            trailers.insert("error-code", format!("{PREFIX}{tail}").parse().unwrap());
        }
        Status::with_metadata(code, "as Salesforce says. rpcId: 1", trailers)
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        use StreamVerdict::{Bug, LimitReached, NotEntitled, PermissionLost, PlaceLost, Retry, SignInAgain};
        for (code, tail, wanted) in [
            (Code::Unauthenticated, "service.auth.error", SignInAgain),
            (Code::Unauthenticated, "", SignInAgain),
            (Code::PermissionDenied, "service.tenant.license", NotEntitled),
            (Code::NotFound, "topic.not.found", NotEntitled),
            (Code::PermissionDenied, "topic.meta.permission", PermissionLost),
            (Code::PermissionDenied, "", PermissionLost),
            (
                Code::InvalidArgument,
                "subscription.fetch.replayid.corrupted",
                PlaceLost,
            ),
            (
                Code::InvalidArgument,
                "subscription.fetch.replayid.validation.failed",
                PlaceLost,
            ),
            (
                Code::ResourceExhausted,
                "subscription.limit.exceeded",
                LimitReached,
            ),
            (Code::ResourceExhausted, "concurrent.client.limit.exceeded", Retry),
            (Code::Unavailable, "service.unavailable", Retry),
            // An outage without a code (facts: Salesforce, 12.5, and pozil#64).
            (Code::Internal, "", Retry),
            (Code::InvalidArgument, "subscription.fetch.topic.mismatch", Bug),
            (Code::InvalidArgument, "of.another.year", Bug),
        ] {
            let error = PubSubError::refused("the stream", &status(code, tail));
            assert_eq!(error.verdict(), wanted, "{code:?} {tail}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_salesforces_words() {
        let refused = PubSubError::refused(
            "a channel's description",
            &status(Code::NotFound, "topic.not.found"),
        );
        assert_eq!(
            refused.to_string(),
            "Salesforce refused a channel's description: topic.not.found: as Salesforce says. rpcId: 1"
        );
        let bare = PubSubError::refused("the stream", &status(Code::Internal, ""));
        assert!(bare.to_string().contains("Internal"), "{bare}");
    }
}
