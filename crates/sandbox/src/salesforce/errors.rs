//! Refusals as Salesforce words them: an array of messages and codes.

use crate::salesforce::{dml::DmlError, soql::SoqlError};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde_json::{Value as Json, json};

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// Salesforce's code.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The fields it is about; `None` leaves the key out.
    pub fields: Option<Vec<String>>,
}

impl ApiError {
    /// A refusal with a status of its own.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            code,
            message: message.into(),
            fields: None,
        }
    }

    /// A bad request.
    pub fn bad(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Nothing at this path, or no such record.
    pub fn not_found() -> ApiError {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "The requested resource does not exist",
        )
    }

    /// The session is over.
    pub fn session() -> ApiError {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "INVALID_SESSION_ID",
            "Session expired or invalid",
        )
    }

    /// The path is right and the method is not.
    pub fn method(method: &http::Method, allowed: &str) -> ApiError {
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    /// A body that is not what it should be.
    pub fn body(message: impl Into<String>) -> ApiError {
        ApiError::bad("JSON_PARSER_ERROR", message)
    }

    /// An object that is not there, or not to be seen.
    pub fn no_object() -> ApiError {
        ApiError::not_found()
    }
}

impl From<SoqlError> for ApiError {
    fn from(error: SoqlError) -> ApiError {
        ApiError::bad(error.code, error.message)
    }
}

impl From<DmlError> for ApiError {
    fn from(error: DmlError) -> ApiError {
        let is_gone = error.fields.is_empty()
            && matches!(error.code, "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY");
        let status = if is_gone {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::BAD_REQUEST
        };
        ApiError {
            status,
            code: error.code,
            message: error.message,
            fields: Some(error.fields),
        }
    }
}

impl ApiError {
    /// The array that clients get.
    pub fn into_json(self) -> Json {
        let mut item = json!({ "message": self.message, "errorCode": self.code });
        if let Some(fields) = self.fields {
            item["fields"] = json!(fields);
        }
        json!([item])
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        json_response(self.status, self.into_json().to_string())
    }
}

/// A response with a JSON text.
pub fn json_response(status: StatusCode, text: String) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/json;charset=UTF-8")],
        Body::from(text),
    )
        .into_response()
}

/// A response with a JSON value.
pub fn json_ok(value: &Json) -> Response {
    json_response(StatusCode::OK, value.to_string())
}

/// The error array that a fault gives with a status.
pub fn fault_body(status: StatusCode) -> Json {
    let (code, message) = match status.as_u16() {
        401 => ("INVALID_SESSION_ID", "Session expired or invalid"),
        403 => ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        404 => ("NOT_FOUND", "The requested resource does not exist"),
        503 => ("SERVER_UNAVAILABLE", "Server Unavailable"),
        400..500 => (
            "UNABLE_TO_LOCK_ROW",
            "unable to obtain exclusive access to this record or 1 records",
        ),
        _ => (
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred. Please include this ErrorId if you contact support",
        ),
    };
    json!([{ "message": message, "errorCode": code }])
}
