//! Rows of an upload, and what each does to the org.

use super::{Job, Operation, Outcome, Target};
use crate::salesforce::{
    bulk::Dialect,
    dml::{Change, DmlError},
    handle::OrgHandle,
    ids::RecordId,
    rows::{Upserted, upsert},
    store::Org,
};
use serde_json::{Map, Value as Json, json};

/// A row as it stands in the upload and as fields.
#[derive(Debug, Default)]
pub(in crate::salesforce) struct Row {
    cells: Vec<String>,
    fields: Map<String, Json>,
}

impl Row {
    /// A row that was given as fields, not as cells.
    pub(in crate::salesforce) fn of(fields: Map<String, Json>) -> Row {
        Row {
            cells: Vec::new(),
            fields,
        }
    }

    /// The rows that a stopped job never came to.
    pub(in crate::salesforce::ingest) fn unprocessed(job: &Job) -> Vec<Vec<String>> {
        let upload = job.upload.clone().unwrap_or_default();
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(job.dialect.delimiter_byte())
            .flexible(true)
            .from_reader(upload.as_ref());
        let rest = reader.records().filter_map(Result::ok).skip(job.done.len());
        rest.map(|record| record.iter().map(str::to_owned).collect())
            .collect()
    }
}

/// Reads an upload: its header and its rows. A header that names no field fails the job.
pub(in crate::salesforce) fn read(
    handle: &OrgHandle,
    object: usize,
    dialect: Dialect,
    upload: &[u8],
) -> Result<(Vec<String>, Vec<Row>), String> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(dialect.delimiter_byte())
        .from_reader(upload);
    let header: Vec<String> = reader
        .headers()
        .map_err(|error| format!("InvalidBatch : {error}"))?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_owned())
        .collect();
    {
        let org = handle.org.read();
        let object = &org.schema().objects[object];
        for name in &header {
            let known = match name.split_once('.') {
                Some((way, _)) => object
                    .relationship(way.rsplit(':').next().unwrap_or(way))
                    .is_some(),
                None => object.field(name).is_some(),
            };
            if !known {
                return Err(format!("InvalidBatch : Field name not found : {name}"));
            }
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("InvalidBatch : {error}"))?;
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        let fields = header
            .iter()
            .zip(&cells)
            .filter_map(|(name, cell)| field(name, cell))
            .collect();
        rows.push(Row { cells, fields });
    }
    Ok((header, rows))
}

/// An empty cell leaves a field alone, `#N/A` clears it, a dotted header names a parent by its external id.
fn field(name: &str, cell: &str) -> Option<(String, Json)> {
    let value = match cell {
        "" => return None,
        "#N/A" => Json::Null,
        text => json!(text),
    };
    Some(match name.split_once('.') {
        Some((way, key)) => (
            way.rsplit(':').next().unwrap_or(way).to_owned(),
            json!({ key: value }),
        ),
        None => (name.to_owned(), value),
    })
}

/// Does what the job does with one row.
pub(in crate::salesforce) fn apply(org: &mut Org, job: &Target, row: &Row, change: Change) -> Outcome {
    let id = || {
        let given = row
            .fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("Id"));
        let text = given.and_then(|(_, id)| id.as_str()).unwrap_or_default();
        let missing = || DmlError::new("MISSING_ARGUMENT", "Id not specified");
        if text.is_empty() {
            return Err(missing());
        }
        RecordId::parse(text).ok_or_else(|| DmlError::new("MALFORMED_ID", format!("malformed id {text}")))
    };
    let result = match job.operation {
        Operation::Insert => org.create(job.object, &row.fields, change).map(|id| (id, true)),
        Operation::Update => id().and_then(|id| org.update(id, &row.fields, change).map(|()| (id, false))),
        Operation::Delete => id().and_then(|id| org.delete(id, change).map(|()| (id, false))),
        Operation::HardDelete => id().and_then(|id| {
            if org.find(id).is_some_and(|(_, record)| record.deleted.is_none()) {
                org.delete(id, change)?;
            }
            org.hard_delete(id).map(|()| (id, false))
        }),
        Operation::Upsert => upserted(org, job, row, change),
    };
    Outcome {
        cells: row.cells.clone(),
        result,
    }
}

fn upserted(org: &mut Org, job: &Target, row: &Row, change: Change) -> Result<(RecordId, bool), DmlError> {
    let key = job.key.as_deref().unwrap_or_default();
    let mut fields = row.fields.clone();
    let name = fields.keys().find(|name| name.eq_ignore_ascii_case(key)).cloned();
    let value = name.and_then(|name| fields.remove(&name));
    let text = match value {
        Some(Json::String(text)) => text,
        Some(Json::Null) | None => {
            return Err(DmlError::new("MISSING_ARGUMENT", format!("{key} not specified")));
        }
        // A JSON upload may give a number.
        Some(other) => other.to_string(),
    };
    match upsert(org, job.object, key, &text, &fields, change) {
        Ok(Upserted::One(id, created)) => Ok((id, created)),
        Ok(Upserted::Many(_)) => {
            let message = format!("{key}: more than one record found for external id field");
            Err(DmlError::new("DUPLICATE_EXTERNAL_ID", message))
        }
        Err(error) => Err(DmlError {
            code: error.code,
            message: error.message,
            fields: error.fields.unwrap_or_default(),
        }),
    }
}
