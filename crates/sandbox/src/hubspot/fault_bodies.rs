//! The error objects that faults give in HubSpot's name.

use http::StatusCode;
use serde_json::{Value, json};

/// HubSpot's words for a status, as far as they are known. Of 423 nothing but the status is.
pub fn fault_body(status: StatusCode) -> Value {
    let (category, message) = match status.as_u16() {
        401 => (
            "EXPIRED_AUTHENTICATION",
            "The OAuth token used to make this call expired 1 second(s) ago.",
        ),
        403 => (
            "MISSING_SCOPES",
            "This app hasn't been granted all required scopes to make this call.",
        ),
        404 => (
            "OBJECT_NOT_FOUND",
            "Object not found.  objectId are usually numeric.",
        ),
        409 => ("CONFLICT", "Object already exists"),
        423 => ("LOCKED", "The objects are locked by another update"),
        429 => ("RATE_LIMITS", "You have reached your ten_secondly_rolling limit."),
        477 => (
            "MIGRATION_IN_PROGRESS",
            "This account is being migrated to another data centre.",
        ),
        code if code >= 500 => (
            "INTERNAL_ERROR",
            status.canonical_reason().unwrap_or("internal error"),
        ),
        _ => (
            "VALIDATION_ERROR",
            status.canonical_reason().unwrap_or("The request is not valid"),
        ),
    };
    let mut told = json!({
        "status": "error", "message": message, "category": category,
        "correlationId": "00000000-0000-4000-8000-000000000000",
    });
    if status == StatusCode::TOO_MANY_REQUESTS {
        told["policyName"] = json!("TEN_SECONDLY_ROLLING");
    }
    told
}
