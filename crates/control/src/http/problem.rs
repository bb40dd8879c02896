//! Errors as problem documents (RFC 9457), with types that stay.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use landbridge_model::Problem as DefinitionProblem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::service::ServiceError;

/// What every `type` begins with.
const TYPE: &str = "urn:landbridge:problem:";

/// An error, as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// What kind it is, such as `urn:landbridge:problem:not-found`: programs look at this.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The status of HTTP.
    pub status: u16,
    /// What happened and what to do, for a person.
    pub detail: String,
    /// One by one, for definitions: the place, what is wrong, and its remedy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<DefinitionProblem>,
}

/// An error on its way out.
#[derive(Debug)]
pub struct Problem(ServiceError);

impl Problem {
    /// A request that cannot be read.
    pub(super) fn unreadable(detail: String) -> Response {
        document(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "the request cannot be read",
            detail,
        )
    }

    /// The error itself.
    pub fn error(&self) -> &ServiceError {
        &self.0
    }
}

impl<E: Into<ServiceError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

fn document(status: StatusCode, kind: &str, title: &str, detail: String) -> Response {
    respond(
        status,
        &ProblemDocument {
            kind: format!("{TYPE}{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            problems: Vec::new(),
        },
    )
}

fn respond(status: StatusCode, document: &ProblemDocument) -> Response {
    let body = serde_json::to_string(document).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

/// Status, type and title of a kind.
pub(super) fn describe(error: &ServiceError) -> (StatusCode, &'static str, &'static str) {
    match error {
        ServiceError::Unauthenticated(_) => {
            (StatusCode::UNAUTHORIZED, "unauthenticated", "nobody is signed in")
        }
        ServiceError::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "this needs another role"),
        ServiceError::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "it is not there"),
        ServiceError::Invalid { .. } => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "what was given cannot be done",
        ),
        ServiceError::Conflict(_) => (
            StatusCode::CONFLICT,
            "conflict",
            "it cannot be done as things stand",
        ),
        ServiceError::Stale(_) => (
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "it was changed since it was read",
        ),
        ServiceError::PreconditionRequired(_) => (
            StatusCode::PRECONDITION_REQUIRED,
            "precondition-required",
            "say which state was read",
        ),
        ServiceError::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", "too often"),
        ServiceError::RefusedThere(_) => (
            StatusCode::BAD_GATEWAY,
            "refused-there",
            "Salesforce or HubSpot refuses the credentials",
        ),
        ServiceError::Limited(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            "budget-used-up",
            "a budget of API calls is used up",
        ),
        ServiceError::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "something cannot be reached now",
        ),
        ServiceError::Internal(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Landbridge is wrong",
        ),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, kind, title) = describe(&self.0);
        let detail = self.0.to_string();
        let (problems, retry_after) = match self.0 {
            ServiceError::Invalid { problems, .. } => (problems, None),
            ServiceError::TooMany { retry_after, .. } => (Vec::new(), Some(retry_after.as_secs() + 1)),
            _ => (Vec::new(), None),
        };
        if status.is_server_error() {
            tracing::warn!(kind, detail, "a request failed");
        }
        let document = ProblemDocument {
            kind: format!("{TYPE}{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            problems,
        };
        let mut response = respond(status, &document);
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"landbridge\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
