//! What batches leave behind, in the format of their job.

use super::{
    job::{Batch, BatchState, ContentType, Job, Result as BatchResult, Work},
    text,
    wire::{NAMESPACE, PROLOG, Refusal, answer, batch_fields, escaped, object, write_fields},
};
use crate::salesforce::{
    bulk::{Dialect, JobResult, csv_body},
    clock::DAY_MS,
    dml::DmlError,
    handle::OrgHandle,
    ids::RecordId,
    ingest::Outcome,
    schema::Kind,
    value::Value,
};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Map, Value as Json, json};
use std::{fmt::Write as _, ops::Range, sync::Arc, sync::atomic::Ordering};

/// What the body of an empty result says.
const NOTHING_FOUND: &str = "Records not found for this query";

pub(super) fn batch_info(job: &Job, batch: &Batch, status: StatusCode) -> Response {
    let is_json = job.content == ContentType::Json;
    answer("batchInfo", &batch_fields(batch, is_json), is_json, status)
}

pub(super) fn batch_list(job: &Job, batches: &[Batch]) -> Response {
    if job.content == ContentType::Json {
        let list: Vec<Json> = batches
            .iter()
            .map(|batch| object(&batch_fields(batch, true)))
            .collect();
        return text(
            StatusCode::OK,
            "application/json",
            json!({ "batchInfo": list }).to_string(),
        );
    }
    let mut out = format!("{PROLOG}<batchInfoList\n   xmlns=\"{NAMESPACE}\">\n");
    for batch in batches {
        out.push_str(" <batchInfo>\n");
        write_fields(&mut out, &batch_fields(batch, false));
        out.push_str(" </batchInfo>\n");
    }
    out.push_str("</batchInfoList>");
    text(StatusCode::OK, "application/xml", out)
}

/// A batch as it was sent.
pub(super) fn request(job: &Job, batch: &Batch) -> Response {
    (
        [(header::CONTENT_TYPE, job.content.header())],
        batch.request.clone(),
    )
        .into_response()
}

fn finished(batch: &Batch) -> Result<&BatchResult, Refusal> {
    match &batch.result {
        Some(result) if batch.state == BatchState::Completed => Ok(result),
        _ => Err(Refusal::new(
            "InvalidBatch",
            format!("Batch not completed: its state is {}", batch.state.name()),
        )),
    }
}

/// The result ids of a query's batch, or the outcomes of the records of another.
pub(super) fn of_batch(handle: &OrgHandle, job: &Job, batch: &Batch) -> Result<Response, Refusal> {
    match finished(batch)? {
        BatchResult::Rows(rows) => Ok(result_list(job, &parts(handle, batch, rows))),
        BatchResult::Outcomes(outcomes) => Ok(match job.content {
            ContentType::Csv => outcomes_csv(outcomes),
            ContentType::Json => text(StatusCode::OK, job.content.header(), outcomes_json(outcomes)),
            ContentType::Xml => text(StatusCode::OK, job.content.header(), outcomes_xml(outcomes)),
        }),
    }
}

/// The parts of a result, each with its id. Large results come in several.
fn parts(handle: &OrgHandle, batch: &Batch, rows: &JobResult) -> Vec<(String, Range<usize>)> {
    let size = handle.settings.bulk_page_rows.load(Ordering::Relaxed);
    let number = RecordId::parse(&batch.id)
        .and_then(|id| id.number())
        .unwrap_or_default();
    (0..rows.len().max(1))
        .step_by(size)
        .enumerate()
        .map(|(part, start)| {
            // As many result ids as there may be parts lie between the ids of two batches.
            let id = RecordId::new(*b"752", number * 1000 + part as u64);
            (id.to_string(), start..(start + size).min(rows.len()))
        })
        .collect()
}

fn result_list(job: &Job, parts: &[(String, Range<usize>)]) -> Response {
    if job.content == ContentType::Json {
        let ids: Vec<&str> = parts.iter().map(|(id, _)| id.as_str()).collect();
        return text(StatusCode::OK, "application/json", json!(ids).to_string());
    }
    let mut out = format!("<result-list xmlns=\"{NAMESPACE}\">");
    for (id, _) in parts {
        let _ = write!(out, "<result>{id}</result>");
    }
    out.push_str("</result-list>");
    text(StatusCode::OK, "application/xml", out)
}

/// The rows of one part of a query's result.
pub(super) fn of_query(
    handle: &OrgHandle,
    job: &Job,
    batch: &Batch,
    result: &str,
) -> Result<Response, Refusal> {
    let missing = || Refusal::new("InvalidBatch", format!("Unable to find result: {result}"));
    let (Work::Query { .. }, BatchResult::Rows(rows)) = (job.work, finished(batch)?) else {
        return Err(missing());
    };
    let wanted = super::full_id(result).ok_or_else(missing)?;
    let all = parts(handle, batch, rows);
    let (_, range) = all
        .into_iter()
        .find(|(id, _)| *id == wanted)
        .ok_or_else(missing)?;
    handle.stats.records("bulk_v1_results", range.len() as u64);
    let kind = [(header::CONTENT_TYPE, job.content.header())];
    Ok(match job.content {
        ContentType::Csv if rows.len() == 0 => (kind, NOTHING_FOUND).into_response(),
        ContentType::Csv => {
            let dialect = Dialect::of(None, None).ok_or_else(missing)?;
            (kind, csv_body(rows.clone(), dialect, range)).into_response()
        }
        ContentType::Json => (kind, rows_json(job, rows, range)).into_response(),
        ContentType::Xml => (kind, rows_xml(job, rows, range)).into_response(),
    })
}

/// A value as JSON results show it: moments as milliseconds since 1970, which REST never does.
fn json_value(value: &Value, kind: Kind) -> Json {
    match value {
        Value::DateTime(ms) => json!(ms),
        Value::Date(days) => json!(i64::from(*days) * DAY_MS),
        other => {
            let mut out = String::new();
            other.write_json(&mut out, kind);
            serde_json::from_str(&out).unwrap_or(Json::Null)
        }
    }
}

fn rows_json(job: &Job, rows: &Arc<JobResult>, range: Range<usize>) -> String {
    let records: Vec<Json> = range
        .map(|row| {
            let id = rows.record(row).id;
            let name = &job.object_name;
            let url = format!("/services/data/v{}/sobjects/{name}/{id}", job.version);
            let mut record = Map::new();
            record.insert("attributes".to_owned(), json!({ "type": name, "url": url }));
            for (column, (value, kind)) in rows.names.iter().zip(rows.row(row)) {
                put(&mut record, column, json_value(&value, kind));
            }
            Json::Object(record)
        })
        .collect();
    Json::Array(records).to_string()
}

/// Puts a value where its path leads: `Depot__r.Name` into the object `Depot__r`.
fn put(record: &mut Map<String, Json>, column: &str, value: Json) {
    match column.split_once('.') {
        None => {
            record.insert(column.to_owned(), value);
        }
        Some((way, rest)) => {
            let parent = record.entry(way.to_owned()).or_insert_with(|| json!({}));
            if let Json::Object(parent) = parent {
                put(parent, rest, value);
            }
        }
    }
}

fn rows_xml(job: &Job, rows: &Arc<JobResult>, range: Range<usize>) -> String {
    let mut out = format!(
        "{PROLOG}<queryResult xmlns=\"{NAMESPACE}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
    );
    for row in range {
        let _ = write!(
            out,
            "<records xsi:type=\"sObject\"><type>{}</type>",
            job.object_name
        );
        for (column, (value, kind)) in rows.names.iter().zip(rows.row(row)) {
            let (open, close) = elements(column);
            if value.is_null() {
                let _ = write!(out, "{}xsi:nil=\"true\"/>{close}", open);
                continue;
            }
            let mut cell = String::new();
            value.write_csv(&mut cell, kind);
            let name = column.rsplit('.').next().unwrap_or(column);
            let _ = write!(out, "{}>{}</{name}>{close}", open.trim_end(), escaped(&cell));
        }
        out.push_str("</records>");
    }
    out.push_str("</queryResult>");
    out
}

/// What opens a column's element, up to its attributes, and what closes the elements around it.
fn elements(column: &str) -> (String, String) {
    let mut ways: Vec<&str> = column.split('.').collect();
    let name = ways.pop().unwrap_or(column);
    let open: String = ways.iter().map(|way| format!("<{way}>")).collect();
    let close: String = ways.iter().rev().map(|way| format!("</{way}>")).collect();
    (format!("{open}<{name} "), close)
}

fn told(error: &DmlError) -> String {
    format!("{}:{}:{} --", error.code, error.message, error.fields.join(","))
}

fn outcomes_csv(outcomes: &[Outcome]) -> Response {
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    let head = writer.write_record(["Id", "Success", "Created", "Error"]);
    let written = outcomes.iter().fold(head, |written, outcome| {
        let row = match &outcome.result {
            Ok((id, created)) => [
                id.to_string(),
                "true".to_owned(),
                created.to_string(),
                String::new(),
            ],
            Err(error) => [String::new(), "false".to_owned(), "false".to_owned(), told(error)],
        };
        written.and_then(|()| writer.write_record(row))
    });
    let body = written
        .ok()
        .and_then(|()| writer.into_inner().ok())
        .unwrap_or_default();
    // Clients compare this header to the letter; only the rows of queries come with their charset.
    ([(header::CONTENT_TYPE, "text/csv")], body).into_response()
}

fn outcomes_json(outcomes: &[Outcome]) -> String {
    let list = outcomes.iter().map(|outcome| match &outcome.result {
        Ok((id, created)) => {
            json!({ "success": true, "created": created, "id": id.to_string(), "errors": [] })
        }
        Err(error) => json!({
            "success": false,
            "created": false,
            "id": null,
            "errors": [{
                "message": error.message,
                "fields": error.fields,
                "statusCode": error.code,
                "extendedErrorDetails": null,
            }],
        }),
    });
    Json::Array(list.collect()).to_string()
}

fn outcomes_xml(outcomes: &[Outcome]) -> String {
    let mut out = format!("{PROLOG}<results xmlns=\"{NAMESPACE}\">");
    for outcome in outcomes {
        match &outcome.result {
            Ok((id, created)) => {
                let _ = write!(
                    out,
                    "<result><id>{id}</id><success>true</success><created>{created}</created></result>"
                );
            }
            Err(error) => {
                out.push_str("<result><errors>");
                for field in &error.fields {
                    let _ = write!(out, "<fields>{}</fields>", escaped(field));
                }
                let _ = write!(
                    out,
                    "<message>{}</message><statusCode>{}</statusCode></errors>\
                     <success>false</success><created>false</created></result>",
                    escaped(&error.message),
                    error.code
                );
            }
        }
    }
    out.push_str("</results>");
    out
}
