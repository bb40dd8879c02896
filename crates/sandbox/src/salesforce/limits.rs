//! The org's allowances, and approximate record counts.

use crate::salesforce::{
    bulk_v1,
    call::Call,
    errors::{ApiError, json_ok},
};
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use std::sync::atomic::Ordering;

/// `GET /limits`.
pub(super) fn limits(call: &Call) -> Response {
    let handle = &call.handle;
    let most = handle.settings.daily_requests.load(Ordering::Relaxed);
    let used = handle.usage.lock().used(handle.clock.now_ms());
    let mut all = Map::new();
    let mut put = |name: &str, most: u64, used: u64| {
        all.insert(
            name.to_owned(),
            json!({ "Max": most, "Remaining": most.saturating_sub(used) }),
        );
    };
    put("DailyApiRequests", most, used);
    let batches = handle.bulk_v1.batches_today(handle.clock.now_ms());
    put("DailyBulkApiBatches", bulk_v1::MOST_BATCHES, batches);
    put(
        "DailyBulkV2QueryJobs",
        10_000,
        handle.jobs.made_today(handle.clock.now_ms()),
    );
    put("DailyBulkV2QueryFileStorageMB", 976_562, 0);
    let (most, delivered) = handle.bus.deliveries(handle.clock.now_ms());
    put("DailyDeliveredPlatformEvents", most, delivered);
    put("HourlyPublishedPlatformEvents", 250_000, 0);
    put("DailyStandardVolumePlatformEvents", 25_000, 0);
    put("DataStorageMB", 10_240, 0);
    put("FileStorageMB", 10_240, 0);
    put("ConcurrentAsyncGetReportInstances", 200, 0);
    put("SingleEmail", 5_000, 0);
    json_ok(&Json::Object(all))
}

/// `GET /limits/recordCount?sObjects=A,B`.
pub(super) fn record_count(call: &Call) -> Result<Response, ApiError> {
    let org = call.handle.org.read();
    let wanted = call
        .parameter("sObjects")
        .map(|names| names.split(',').map(str::trim).collect::<Vec<_>>());
    let counts: Vec<Json> = org
        .schema()
        .objects
        .iter()
        .enumerate()
        .filter(|(_, object)| {
            wanted
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(&object.name)))
        })
        .map(|(index, object)| json!({ "count": org.table(index).live, "name": object.name }))
        .collect();
    Ok(json_ok(&json!({ "sObjects": counts })))
}
