//! `/updated` and `/deleted`: ids of records that changed in a window, by the minute.

use crate::salesforce::{
    call::Call,
    clock::{DAY_MS, json_datetime, parse_datetime},
    errors::{ApiError, json_ok},
};
use axum::response::Response;
use serde_json::{Value as Json, json};

const MINUTE_MS: i64 = 60_000;
/// The most ids of one answer.
const MOST_IDS: usize = 600_000;

/// A window and what it really covers.
struct Window {
    object: usize,
    start: i64,
    end: i64,
    covered: i64,
}

/// Reads and checks a window: whole minutes, within the look-back, not before the org had data.
fn window(call: &Call, name: &str, look_back_days: i64) -> Result<Window, ApiError> {
    let org = call.handle.org.read();
    let object = org.schema().index(name).ok_or_else(ApiError::no_object)?;
    let moment = |parameter: &str| {
        // A plus that was not encoded arrives as a space.
        let text = call
            .parameter(parameter)
            .unwrap_or_default()
            .trim()
            .replace(' ', "+");
        parse_datetime(&text)
            .map(|ms| ms.div_euclid(MINUTE_MS) * MINUTE_MS)
            .ok_or_else(|| {
                ApiError::bad(
                    "INVALID_REPLICATION_DATE",
                    format!("{parameter} is missing or no date: {text}"),
                )
            })
    };
    let (start, end) = (moment("start")?, moment("end")?);
    let now = call.handle.clock.now_ms();
    let refuse = |message: &str| {
        call.handle.stats.refused("replication_date");
        Err(ApiError::bad("INVALID_REPLICATION_DATE", message))
    };
    if end <= start {
        return refuse("startDate must be at least one minute greater than endDate");
    }
    if start < now - look_back_days * DAY_MS {
        return refuse(&format!(
            "startDate cannot be more than {look_back_days} days ago"
        ));
    }
    // A change that is not committed holds back what is covered, so that nobody walks past it.
    let until = call.handle.oldest_open().unwrap_or(i64::MAX).min(now);
    let covered = end.min(until.div_euclid(MINUTE_MS) * MINUTE_MS);
    Ok(Window {
        object,
        start,
        end,
        covered,
    })
}

/// `GET /sobjects/<object>/updated`.
pub(super) fn updated(call: &Call, name: &str) -> Result<Response, ApiError> {
    let window = window(call, name, 30)?;
    let org = call.handle.org.read();
    let table = org.table(window.object);
    let ids: Vec<String> = table
        .stamped(window.start, window.end)
        .filter_map(|row| table.row(row))
        .filter(|record| record.deleted.is_none())
        .map(|record| record.id.to_string())
        .take(MOST_IDS + 1)
        .collect();
    within_cap(ids.len())?;
    Ok(json_ok(
        &json!({ "ids": ids, "latestDateCovered": json_datetime(window.covered) }),
    ))
}

/// `GET /sobjects/<object>/deleted`.
pub(super) fn deleted(call: &Call, name: &str) -> Result<Response, ApiError> {
    let window = window(call, name, 15)?;
    if window.end - window.start <= MINUTE_MS {
        let message = "endDate must be at least one minute greater than startDate";
        return Err(ApiError::bad("INVALID_REPLICATION_DATE", message));
    }
    let org = call.handle.org.read();
    if window.start < org.log_since {
        let message = "startDate is before the delete log begins, which has been purged";
        return Err(ApiError::bad("INVALID_REPLICATION_DATE", message));
    }
    let records: Vec<Json> = org
        .deletions(window.object)
        .filter(|(at, _)| (window.start..window.end).contains(at))
        .map(|(at, id)| json!({ "id": id.to_string(), "deletedDate": json_datetime(at) }))
        .take(MOST_IDS + 1)
        .collect();
    within_cap(records.len())?;
    let now = call.handle.clock.now_ms();
    Ok(json_ok(&json!({
        "deletedRecords": records,
        "earliestDateAvailable": json_datetime((now - 15 * DAY_MS).max(org.log_since)),
        "latestDateCovered": json_datetime(window.covered),
    })))
}

fn within_cap(found: usize) -> Result<(), ApiError> {
    if found <= MOST_IDS {
        return Ok(());
    }
    Err(ApiError::bad(
        "EXCEEDED_ID_LIMIT",
        "The limit of 600000 ids is exceeded; narrow the dates",
    ))
}
