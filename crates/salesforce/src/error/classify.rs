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
        // A policy of the org's forbids it.
        "TXN_SECURITY_NO_ACCESS" => Some(Verdict::Configuration),
        code if code.starts_with("TXN_SECURITY_") => retry,
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
        300 => Verdict::Refused,
        401 => Verdict::Refresh,
        403 => Verdict::Configuration,
        // A bulk job's results are given to the API version that made the job only: to another they do not exist.
        404 | 409 => Verdict::Gone,
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

    /// The lines of the facts on Salesforce, 3: statuses, codes, and the policy that follows from them.
    #[test]
    fn every_documented_refusal_has_its_verdict() {
        use Verdict::{Bug, Configuration, Gone, Refresh, Refused, SchemaChanged, Shrink, WaitForWindow};
        let retry = Verdict::Retry { after: None };
        #[rustfmt::skip]
        let table = [
            // Statuses without a code.
            (300, "", "", Refused),
            (400, "", "", Bug),
            (401, "", "", Refresh),
            (403, "", "", Configuration),
            (404, "", "", Gone),
            (405, "", "", Bug),
            (406, "", "", retry),
            (409, "", "", Gone),
            (410, "", "", Configuration),
            (412, "", "", retry),
            (414, "", "", Shrink),
            (415, "", "", Bug),
            (420, "", "", retry),
            (429, "", "", retry),
            (431, "", "", Shrink),
            (500, "", "", retry),
            (502, "", "", retry),
            (503, "", "", retry),
            // The session.
            (401, "INVALID_SESSION_ID", "Session expired or invalid", Refresh),
            (401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API", Configuration),
            (401, "INVALID_SESSION_ID", "Connected app is not attached to Agent", Configuration),
            (401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", Refresh),
            // Queries.
            (400, "MALFORMED_QUERY", "unexpected token: 'FRM'", Bug),
            (400, "INVALID_FIELD", "No such column 'Bad__c' on entity 'Foo__c'.", SchemaChanged),
            (400, "INVALID_TYPE", "sObject type 'Foo' is not supported.", SchemaChanged),
            (400, "INVALID_QUERY_LOCATOR", "invalid query locator", Gone),
            (400, "INVALID_QUERY_LOCATOR_FORMAT", "", Gone),
            (400, "QUERY_TIMEOUT", "Your query request was running for too long.", Shrink),
            (400, "OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's", Shrink),
            (400, "QUERY_TOO_COMPLICATED", "Query is either selecting too many fields", Shrink),
            (400, "EXCEEDED_ID_LIMIT", "", Shrink),
            (400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date", Gone),
            (400, "MALFORMED_ID", "malformed id x", Bug),
            (404, "MALFORMED_ID", "malformed id x", Bug),
            // Limits.
            (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", WaitForWindow),
            (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", retry),
            (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded", retry),
            (400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached", WaitForWindow),
            (400, "LIMIT_EXCEEDED", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded", WaitForWindow),
            (400, "LOGIN_RATE_EXCEEDED", "", retry),
            // What passes.
            (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", retry),
            (500, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", retry),
            (503, "SERVER_UNAVAILABLE", "Server Unavailable", retry),
            (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred", retry),
            (400, "REQUEST_RUNNING_TOO_LONG", "Your request was running for too long", retry),
            (400, "TXN_SECURITY_METERING_ERROR", "", retry),
            (400, "TXN_SECURITY_RUNTIME_EXCEPTION", "", retry),
            // Bulk jobs.
            (400, "JOB_NOT_COMPLETE", "", retry),
            (400, "API_ERROR", "can only download query results of successfully completed bulk job. Current status: IN_PROGRESS", retry),
            (409, "API_ERROR", "the job was made by another version", Gone),
            (400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed", Bug),
            (400, "FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query", Configuration),
            // Permissions and set-up.
            (403, "API_DISABLED_FOR_ORG", "The REST API is not enabled", Configuration),
            (403, "API_CURRENTLY_DISABLED", "", Configuration),
            (403, "INSUFFICIENT_ACCESS", "", Configuration),
            (403, "TXN_SECURITY_NO_ACCESS", "", Configuration),
            (400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", Configuration),
            (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "", Configuration),
            (410, "UNSUPPORTED_API_VERSION", "", Configuration),
            // Single records.
            (404, "NOT_FOUND", "The requested resource does not exist", Gone),
            (404, "ENTITY_IS_DELETED", "entity is deleted", Gone),
            (400, "ENTITY_IS_DELETED", "entity is deleted", Gone),
            (404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", Gone),
            (400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", Refused),
            (400, "STRING_TOO_LONG", "", Refused),
            (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "", Refused),
            (400, "DUPLICATE_VALUE", "", Refused),
            (400, "DUPLICATE_EXTERNAL_ID", "", Refused),
            (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "", Refused),
            (400, "DELETE_FAILED", "", Refused),
            (400, "JSON_PARSER_ERROR", "", Bug),
            (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "", SchemaChanged),
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
