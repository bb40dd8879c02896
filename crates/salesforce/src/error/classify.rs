//! The table from a refusal to a [`Verdict`].
//!
//! Codes decide before the status does, because Salesforce uses 400 for nearly everything and 403 both for
//! "you may not" and for "not any more today" (REST API error codes).

use std::time::Duration;

use super::{ApiError, Refusal, Verdict};

/// What a refusal asks of the caller.
#[must_use]
pub fn classify(refusal: &Refusal) -> Verdict {
    let by_code = refusal
        .errors
        .iter()
        .find_map(|error| by_code(error, refusal.status));
    by_code.unwrap_or_else(|| by_status(refusal.status, refusal.retry_after))
}

/// Codes that mean the same whatever the status. `None` leaves the decision to the status.
fn by_code(error: &ApiError, status: u16) -> Option<Verdict> {
    let retry = Some(Verdict::Retry { after: None });
    match error.code.as_str() {
        "INVALID_SESSION_ID" if is_hopeless_session(&error.message) => Some(Verdict::Configuration),
        "INVALID_SESSION_ID" | "INVALID_AUTH_HEADER" => Some(Verdict::Refresh),
        "REQUEST_LIMIT_EXCEEDED" if is_daily(&error.message) => Some(Verdict::WaitForWindow),
        "REQUEST_LIMIT_EXCEEDED" => retry,
        "LIMIT_EXCEEDED" if error.message.contains("per 24 hrs") => Some(Verdict::WaitForWindow),
        "UNABLE_TO_LOCK_ROW"
        | "SERVER_UNAVAILABLE"
        | "REQUEST_RUNNING_TOO_LONG"
        | "UNKNOWN_EXCEPTION"
        | "TXN_SECURITY_METERING_ERROR"
        | "JOB_NOT_COMPLETE"
        | "LOGIN_RATE_EXCEEDED" => retry,
        _ if status == 400 && error.message.contains("Current status: IN_PROGRESS") => retry,
        "QUERY_TIMEOUT"
        | "OPERATION_TOO_LARGE"
        | "QUERY_TOO_COMPLICATED"
        | "EXCEEDED_ID_LIMIT"
        | "URI_TOO_LONG"
        | "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS" => Some(Verdict::Shrink),
        "INVALID_FIELD" | "INVALID_TYPE" | "INVALID_FIELD_FOR_INSERT_UPDATE" => Some(Verdict::SchemaChanged),
        "INVALID_QUERY_LOCATOR"
        | "INVALID_QUERY_LOCATOR_FORMAT"
        | "NOT_FOUND"
        | "ENTITY_IS_DELETED"
        | "INVALID_CROSS_REFERENCE_KEY"
        | "INVALID_REPLICATION_DATE" => Some(Verdict::Gone),
        "API_DISABLED_FOR_ORG"
        | "API_CURRENTLY_DISABLED"
        | "INSUFFICIENT_ACCESS"
        | "INSUFFICIENT_ACCESS_OR_READONLY"
        | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        | "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
        | "FUNCTIONALITY_NOT_ENABLED"
        | "INVALID_LOGIN"
        | "UNSUPPORTED_API_VERSION" => Some(Verdict::Configuration),
        "REQUIRED_FIELD_MISSING"
        | "STRING_TOO_LONG"
        | "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        | "DUPLICATE_VALUE"
        | "DUPLICATE_EXTERNAL_ID"
        | "DUPLICATES_DETECTED"
        | "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        | "FIELD_INTEGRITY_EXCEPTION"
        | "NUMBER_OUTSIDE_VALID_RANGE"
        | "INVALID_EMAIL_ADDRESS"
        | "DELETE_FAILED" => Some(Verdict::Refused),
        "MALFORMED_QUERY" | "MALFORMED_ID" | "JSON_PARSER_ERROR" | "INVALIDJOBSTATE" => Some(Verdict::Bug),
        _ => None,
    }
}

/// What a bare status says.
fn by_status(status: u16, after: Option<Duration>) -> Verdict {
    match status {
        401 => Verdict::Refresh,
        403 => Verdict::Configuration,
        404 => Verdict::Gone,
        406 | 408 | 412 | 420 | 425 | 429 => Verdict::Retry { after },
        414 | 431 => Verdict::Shrink,
        410 => Verdict::Configuration,
        500.. => Verdict::Retry { after },
        _ => Verdict::Bug,
    }
}

/// What the reason of a failed bulk job says. Jobs fail with a text that starts with a code, or with none;
/// without a reason a new job is the only sensible try.
#[must_use]
pub fn classify_job_message(message: &str) -> Verdict {
    let code = message
        .split(|c: char| !(c.is_ascii_uppercase() || c == '_'))
        .next()
        .unwrap_or("");
    let error = ApiError {
        code: code.to_owned(),
        message: message.to_owned(),
        fields: Vec::new(),
    };
    if message.contains("No such column") || message.contains("is not supported.") {
        return Verdict::SchemaChanged;
    }
    if message.contains("compound data not supported") || message.contains("is not supported by the Bulk API")
    {
        return Verdict::Bug;
    }
    if message.contains("Retried more than") {
        return Verdict::Shrink;
    }
    by_code(&error, 400).unwrap_or(Verdict::Retry { after: None })
}

/// The daily allocation, in distinction from "too many at once".
fn is_daily(message: &str) -> bool {
    message.contains("TotalRequests")
}

/// Sessions that no refresh can mend (Salesforce clients treat these two texts apart).
fn is_hopeless_session(message: &str) -> bool {
    message.contains("not valid for use with the REST API")
        || message.contains("Connected app is not attached to Agent")
}

/// Reads an error body: the documented array, a single object, an OAuth object, or none of these.
#[must_use]
pub fn read_errors(body: &[u8]) -> (Vec<ApiError>, String) {
    if let Ok(errors) = serde_json::from_slice::<Vec<ApiError>>(body) {
        return (errors, String::new());
    }
    if let Ok(error) = serde_json::from_slice::<ApiError>(body)
        && !error.code.is_empty()
    {
        return (vec![error], String::new());
    }
    let text = String::from_utf8_lossy(body);
    (Vec::new(), strip_tags(&text).chars().take(200).collect())
}

/// HTML error pages keep only their words.
fn strip_tags(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                kept.push(' ');
            }
            _ if !inside => kept.push(c),
            _ => {}
        }
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str, message: &str) -> Refusal {
        let errors = if code.is_empty() {
            vec![]
        } else {
            vec![ApiError {
                code: code.into(),
                message: message.into(),
                fields: vec![],
            }]
        };
        Refusal {
            status,
            errors,
            body_start: String::new(),
            retry_after: None,
        }
    }

    #[test]
    fn every_documented_refusal_has_its_verdict() {
        let retry = Verdict::Retry { after: None };
        let table = [
            (
                401,
                "INVALID_SESSION_ID",
                "Session expired or invalid",
                Verdict::Refresh,
            ),
            (
                401,
                "INVALID_SESSION_ID",
                "This session is not valid for use with the REST API",
                Verdict::Configuration,
            ),
            (401, "", "", Verdict::Refresh),
            (
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
                Verdict::WaitForWindow,
            ),
            (
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
                retry,
            ),
            (
                403,
                "API_DISABLED_FOR_ORG",
                "The REST API is not enabled",
                Verdict::Configuration,
            ),
            (403, "", "", Verdict::Configuration),
            (400, "MALFORMED_QUERY", "unexpected token: 'FRM'", Verdict::Bug),
            (
                400,
                "INVALID_FIELD",
                "No such column 'Bad__c'",
                Verdict::SchemaChanged,
            ),
            (
                400,
                "INVALID_TYPE",
                "sObject type 'Foo' is not supported.",
                Verdict::SchemaChanged,
            ),
            (
                400,
                "INVALID_QUERY_LOCATOR",
                "invalid query locator",
                Verdict::Gone,
            ),
            (
                400,
                "QUERY_TIMEOUT",
                "Your query request was running for too long.",
                Verdict::Shrink,
            ),
            (400, "EXCEEDED_ID_LIMIT", "", Verdict::Shrink),
            (
                400,
                "INVALID_REPLICATION_DATE",
                "startDate before org replication enabled date",
                Verdict::Gone,
            ),
            (
                400,
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access",
                retry,
            ),
            (
                500,
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access",
                retry,
            ),
            (
                400,
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [Name]",
                Verdict::Refused,
            ),
            (
                400,
                "API_ERROR",
                "can only download query results of successfully completed bulk job. Current status: IN_PROGRESS",
                retry,
            ),
            (
                400,
                "LIMIT_EXCEEDED",
                "Max bulk v2 query jobs (10000) per 24 hrs has been reached",
                Verdict::WaitForWindow,
            ),
            (
                404,
                "NOT_FOUND",
                "The requested resource does not exist",
                Verdict::Gone,
            ),
            (404, "ENTITY_IS_DELETED", "entity is deleted", Verdict::Gone),
            (406, "", "", retry),
            (410, "", "", Verdict::Configuration),
            (412, "", "", retry),
            (414, "", "", Verdict::Shrink),
            (420, "", "", retry),
            (429, "", "", retry),
            (431, "", "", Verdict::Shrink),
            (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred", retry),
            (502, "", "", retry),
            (503, "SERVER_UNAVAILABLE", "Server Unavailable", retry),
        ];
        for (status, code, message, expected) in table {
            assert_eq!(
                classify(&refusal(status, code, message)),
                expected,
                "{status} {code} {message}"
            );
        }
    }

    #[test]
    fn trap_22_an_object_that_wants_a_filter_of_its_own_is_refused_and_not_tried_again() {
        let message = "Implementation restriction: ContentDocumentLink requires a filter by a single Id on \
                       ContentDocumentId or LinkedEntityId";
        assert_eq!(classify(&refusal(400, "MALFORMED_QUERY", message)), Verdict::Bug);
    }

    #[test]
    fn a_named_pause_is_kept() {
        let mut busy = refusal(503, "", "");
        busy.retry_after = Some(Duration::from_secs(7));
        assert_eq!(
            classify(&busy),
            Verdict::Retry {
                after: Some(Duration::from_secs(7))
            }
        );
    }

    #[test]
    fn bodies_of_every_kind_are_survived() {
        let (errors, _) = read_errors(br#"[{"message":"m","errorCode":"C","fields":["A"]},{"message":"n"}]"#);
        assert_eq!(errors.len(), 2);
        assert_eq!((errors[0].code.as_str(), errors[0].fields.len()), ("C", 1));
        let (errors, _) = read_errors(br#"{"error":"invalid_client","error_description":"d"}"#);
        assert_eq!(
            (errors[0].code.as_str(), errors[0].message.as_str()),
            ("invalid_client", "d")
        );
        let html = b"<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>";
        assert_eq!(
            read_errors(html),
            (
                vec![],
                "Bad Message 431 reason: Request Header Fields Too Large".to_owned()
            )
        );
        assert_eq!(read_errors(b""), (vec![], String::new()));
    }

    #[test]
    fn trap_17_failed_jobs_are_judged_by_their_text() {
        assert_eq!(classify_job_message(""), Verdict::Retry { after: None });
        assert_eq!(
            classify_job_message("INVALID_FIELD: No such column 'X__c'"),
            Verdict::SchemaChanged
        );
        assert_eq!(
            classify_job_message("Retried more than 15 times"),
            Verdict::Shrink
        );
        assert_eq!(classify_job_message("QUERY_TIMEOUT: too long"), Verdict::Shrink);
    }
}
