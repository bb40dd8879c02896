//! The forms of jobs, batches and refusals: XML with a namespace of its own, or JSON of the same names.

use super::{
    job::{Batch, BatchState, Job},
    text,
};
use crate::salesforce::{
    clock::{json_datetime, whole_second},
    ids::RecordId,
};
use axum::response::Response;
use http::StatusCode;
use roxmltree::Document;
use serde_json::{Map, Value as Json, json};
use std::fmt::Write as _;

/// The namespace of every element.
pub(super) const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";
pub(super) const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// A refused request.
#[derive(Debug)]
pub(super) struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal {
            code,
            message: message.into(),
        }
    }

    /// All refusals are bad requests, an ended session too.
    pub(super) fn response(&self, is_json: bool) -> Response {
        let fields = [
            ("exceptionCode", json!(self.code)),
            ("exceptionMessage", json!(self.message)),
        ];
        answer("error", &fields, is_json, StatusCode::BAD_REQUEST)
    }
}

/// Names and values, in order.
pub(super) type Fields = [(&'static str, Json)];

/// One thing with its fields, as the whole answer.
pub(super) fn answer(name: &str, fields: &Fields, is_json: bool, status: StatusCode) -> Response {
    if is_json {
        return text(status, "application/json", object(fields).to_string());
    }
    let mut out = format!("{PROLOG}<{name}\n   xmlns=\"{NAMESPACE}\">\n");
    write_fields(&mut out, fields);
    let _ = write!(out, "</{name}>");
    text(status, "application/xml", out)
}

pub(super) fn object(fields: &Fields) -> Json {
    let pairs = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Json::Object(pairs.collect::<Map<String, Json>>())
}

/// Elements, one a line; nothing for what has no value.
pub(super) fn write_fields(out: &mut String, fields: &Fields) {
    for (name, value) in fields {
        let shown = match value {
            Json::Null => continue,
            Json::String(text) => escaped(text),
            other => other.to_string(),
        };
        let _ = writeln!(out, " <{name}>{shown}</{name}>");
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn moment(ms: i64, is_json: bool) -> Json {
    let text = json_datetime(whole_second(ms));
    json!(if is_json { text } else { text.replace("+0000", "Z") })
}

/// What a job tells of itself.
pub(super) fn job_fields(job: &Job, batches: &[Batch], is_json: bool) -> Vec<(&'static str, Json)> {
    let in_state = |state| batches.iter().filter(|batch| batch.state == state).count();
    let version = job.version.parse::<f64>().unwrap_or(66.0);
    let (processed, refused) = batches
        .iter()
        .map(Batch::counts)
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    vec![
        ("id", json!(job.id)),
        ("operation", json!(job.operation)),
        ("object", json!(job.object_name)),
        ("createdById", json!(RecordId::new(*b"005", 1).to_string())),
        ("createdDate", moment(job.created, is_json)),
        ("systemModstamp", moment(job.changed, is_json)),
        ("state", json!(job.state.name())),
        ("externalIdFieldName", json!(job.target.key)),
        (
            "concurrencyMode",
            json!(if job.serial { "Serial" } else { "Parallel" }),
        ),
        ("contentType", json!(job.content.name())),
        ("numberBatchesQueued", json!(in_state(BatchState::Queued))),
        ("numberBatchesInProgress", json!(in_state(BatchState::InProgress))),
        ("numberBatchesCompleted", json!(in_state(BatchState::Completed))),
        ("numberBatchesFailed", json!(in_state(BatchState::Failed))),
        ("numberBatchesTotal", json!(batches.len())),
        ("numberRecordsProcessed", json!(processed)),
        ("numberRetries", json!(0)),
        ("apiVersion", json!(version)),
        ("numberRecordsFailed", json!(refused)),
        ("totalProcessingTime", json!(0)),
        ("apiActiveProcessingTime", json!(0)),
        ("apexProcessingTime", json!(0)),
    ]
}

/// What a batch tells of itself.
pub(super) fn batch_fields(batch: &Batch, is_json: bool) -> Vec<(&'static str, Json)> {
    let (processed, refused) = batch.counts();
    vec![
        ("id", json!(batch.id)),
        ("jobId", json!(batch.job)),
        ("state", json!(batch.state.name())),
        ("stateMessage", json!(batch.message)),
        ("createdDate", moment(batch.created, is_json)),
        ("systemModstamp", moment(batch.changed, is_json)),
        ("numberRecordsProcessed", json!(processed)),
        ("numberRecordsFailed", json!(refused)),
        ("totalProcessingTime", json!(0)),
        ("apiActiveProcessingTime", json!(0)),
        ("apexProcessingTime", json!(0)),
    ]
}

/// What a request says of a job.
#[derive(Debug, Default)]
pub(super) struct GivenJob {
    pub(super) operation: Option<String>,
    pub(super) object: Option<String>,
    pub(super) key: Option<String>,
    pub(super) content: Option<String>,
    pub(super) state: Option<String>,
    pub(super) serial: bool,
}

/// Reads a job's body.
pub(super) fn read_job(body: &[u8], is_json: bool) -> Result<GivenJob, Refusal> {
    let map = if is_json {
        from_json(body)?
    } else {
        from_xml(body)?
    };
    let text = |name: &str| match map.get(name) {
        Some(Json::String(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    // JSON clients may name a mode by its place in the list.
    let serial = match map.get("concurrencyMode") {
        Some(Json::String(mode)) => mode == "Serial",
        Some(mode) => mode.as_u64() == Some(1),
        None => false,
    };
    Ok(GivenJob {
        operation: text("operation"),
        object: text("object"),
        key: text("externalIdFieldName"),
        content: text("contentType"),
        state: text("state"),
        serial,
    })
}

fn from_json(body: &[u8]) -> Result<Map<String, Json>, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new("InvalidJob", format!("Unable to parse the job: {error}")))
}

fn from_xml(body: &[u8]) -> Result<Map<String, Json>, Refusal> {
    let broken = |problem: String| Refusal::new("InvalidXML", format!("Unable to parse the job: {problem}"));
    let source = String::from_utf8_lossy(body);
    let document = Document::parse(source.trim()).map_err(|error| broken(error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "jobInfo" {
        return Err(broken(format!("unexpected element {}", root.tag_name().name())));
    }
    let fields = root.children().filter(roxmltree::Node::is_element);
    Ok(fields
        .map(|node| {
            let value = node.text().unwrap_or_default().trim();
            (node.tag_name().name().to_owned(), json!(value))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_read_in_both_forms() {
        let xml = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><jobInfo xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">\n  <operation>upsert</operation>\n  <object>Depot__c</object><externalIdFieldName>Code__c</externalIdFieldName>\n<concurrencyMode>Serial</concurrencyMode><contentType>CSV</contentType></jobInfo>";
        let json = br#"{"operation":"upsert","object":"Depot__c","externalIdFieldName":"Code__c","concurrencyMode":1,"contentType":"CSV"}"#;
        for (body, is_json) in [(&xml[..], false), (&json[..], true)] {
            let job = read_job(body, is_json).expect("a job");
            assert_eq!(job.operation.as_deref(), Some("upsert"));
            assert_eq!(job.object.as_deref(), Some("Depot__c"));
            assert_eq!(job.key.as_deref(), Some("Code__c"));
            assert_eq!(job.content.as_deref(), Some("CSV"));
            assert!(job.serial);
        }
        assert!(read_job(b"<jobInfo>", false).is_err());
        assert!(read_job(b"[]", true).is_err());
    }
}
