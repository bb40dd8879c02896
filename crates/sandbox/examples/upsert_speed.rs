//! How many records one core upserts in a second of its time, with limits off: 100 inputs a call, a dozen
//! properties each, first creating and then updating. What else the machine does is left out: the clock is
//! the thread's own. Run with `--release`; an argument sets how many records (default
//! 500,000).

use http::{HeaderMap, HeaderValue, header};
use landbridge_sandbox::{
    config::Limits,
    hubspot::{Portal, PortalConfig},
    stats::Stats,
};
use std::{fmt::Write as _, io::Write as _, sync::Arc};

fn main() -> std::io::Result<()> {
    let records: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(500_000);
    let config = PortalConfig {
        limits: Limits::Off,
        ..PortalConfig::default()
    };
    let portal = Portal::with_config(config, Arc::new(Stats::default()));
    let headers = headers(&portal);
    let schema = portal.answer(
        "POST",
        "/crm-object-schemas/2026-09/schemas",
        &headers,
        SCHEMA.as_bytes(),
    );
    assert_eq!(schema.status(), 201);
    let type_name = format!("p{}_vehicle", portal.portal_id());
    let path = format!("/crm/objects/2026-09/{type_name}/batch/upsert");

    let mut out = std::io::stdout();
    for round in ["create", "update"] {
        let bodies: Vec<String> = (0..records / 100).map(|batch| body(batch, round)).collect();
        let bytes: usize = bodies.iter().map(String::len).sum();
        let started = busy_seconds();
        for body in &bodies {
            let response = portal.answer("POST", &path, &headers, body.as_bytes());
            assert_eq!(response.status(), 200);
        }
        let seconds = busy_seconds() - started;
        let rate = (bodies.len() * 100) as f64 / seconds;
        let each = bytes / (bodies.len() * 100).max(1);
        writeln!(out, "{round}: {rate:.0} records/s ({each} bytes of JSON each)")?;
    }
    if let Some(resident) = resident_kib() {
        writeln!(out, "resident: {} MiB with {records} records", resident / 1024)?;
    }
    Ok(())
}

fn headers(portal: &Portal) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", portal.credentials().token);
    headers.insert(
        header::AUTHORIZATION,
        HeaderValue::from_str(&bearer).expect("a token is plain text"),
    );
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn body(batch: usize, round: &str) -> String {
    let mut body = String::from("{\"inputs\":[");
    for at in 0..100 {
        let number = batch * 100 + at;
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(
            body,
            "{comma}{{\"id\":\"a01xx{number:010}AAA\",\"idProperty\":\"sf_id\",\
             \"objectWriteTraceId\":\"{batch}-{at}\",\"properties\":{{\"sf_id\":\"a01xx{number:010}AAA\",\
             \"name\":\"Vehicle {number}\",\"price\":\"{}.50\",\"stage\":\"open\",\
             \"bought\":\"2026-11-23\",\"seen\":\"2026-11-23T10:00:00.123Z\",\"active\":\"true\",\
             \"tags\":\"red;blue\",\"note\":\"{round} of a vehicle with a line of text to carry along\",\
             \"mileage\":\"{number}\",\"plate\":\"AB-{number}\",\"version\":\"2026-11-23T10:00:00Z/17\"}}}}",
            number % 100_000
        );
    }
    body.push_str("]}");
    body
}

/// Seconds that this thread has run.
fn busy_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: f64 = told
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0);
    nanoseconds / 1e9
}

fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

const SCHEMA: &str = r#"{
  "name": "vehicle", "labels": {"singular": "Vehicle", "plural": "Vehicles"},
  "primaryDisplayProperty": "name", "requiredProperties": ["sf_id"], "searchableProperties": [],
  "secondaryDisplayProperties": [], "associatedObjects": ["0-2"], "allowsSensitiveProperties": false,
  "properties": [
    {"name": "sf_id", "label": "Salesforce Id", "type": "string", "fieldType": "text", "hasUniqueValue": true},
    {"name": "name", "label": "Name", "type": "string", "fieldType": "text"},
    {"name": "price", "label": "Price", "type": "number", "fieldType": "number"},
    {"name": "stage", "label": "Stage", "type": "enumeration", "fieldType": "select",
     "options": [{"label": "Open", "value": "open"}, {"label": "Closed", "value": "closed"}]},
    {"name": "bought", "label": "Bought", "type": "date", "fieldType": "date"},
    {"name": "seen", "label": "Seen", "type": "datetime", "fieldType": "date"},
    {"name": "active", "label": "Active", "type": "bool", "fieldType": "booleancheckbox",
     "options": [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}]},
    {"name": "tags", "label": "Tags", "type": "enumeration", "fieldType": "checkbox",
     "options": [{"label": "Red", "value": "red"}, {"label": "Blue", "value": "blue"}]},
    {"name": "note", "label": "Note", "type": "string", "fieldType": "textarea"},
    {"name": "mileage", "label": "Mileage", "type": "number", "fieldType": "number"},
    {"name": "plate", "label": "Plate", "type": "string", "fieldType": "text"},
    {"name": "version", "label": "Version", "type": "string", "fieldType": "text"}
  ]
}"#;
