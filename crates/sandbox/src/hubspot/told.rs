//! Records as answers tell them, written straight into bytes.

use super::{
    clock::push_instant,
    json::{push_number, push_text},
    rows::Row,
    table::{Change, Table},
};
use serde_json::Value;

/// A value that 2026-09 bent into shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warning {
    pub(super) property: String,
    pub(super) raw: String,
    pub(super) normalised: String,
}

/// What an answer to a write adds to a record.
#[derive(Debug, Default)]
pub(super) struct Extras<'e> {
    pub(super) new: Option<bool>,
    pub(super) trace_id: Option<&'e str>,
    pub(super) warnings: &'e [Warning],
}

/// Writes records of one table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller<'t> {
    pub(super) table: &'t Table,
    pub(super) portal_id: u32,
}

impl Teller<'_> {
    /// What was written plus what the portal sets itself: never the whole record.
    pub(super) fn written(&self, out: &mut Vec<u8>, row: u32, changes: &[Change<'_>], extras: &Extras<'_>) {
        self.begin(out, row);
        let mut first = true;
        for (column, value) in changes {
            self.name(out, *column, &mut first);
            push_text(out, value);
        }
        let updated_ms = self.table.record(row).updated_ms;
        for column in &self.table.always {
            self.system(out, row, updated_ms, *column, &mut first);
        }
        if !self.table.custom {
            for (name, value) in [
                ("hs_object_source", "INTEGRATION"),
                ("hs_object_source_id", "1000001"),
                ("hs_object_source_label", "Integration"),
            ] {
                out.push(b',');
                push_text(out, name);
                out.push(b':');
                push_text(out, value);
            }
        }
        self.end(out, row, updated_ms);
        push_extras(out, extras);
        out.push(b'}');
    }

    /// The asked-for columns, unset ones as nulls, and those that every answer holds. The record is left
    /// open: close it with a brace.
    pub(super) fn read(
        &self,
        out: &mut Vec<u8>,
        row: u32,
        version: Option<(&Row, i64)>,
        columns: &[u16],
        history: &[u16],
    ) {
        let record = self.table.record(row);
        let (values, updated_ms) = version.unwrap_or((&record.row, record.updated_ms));
        self.begin(out, row);
        let mut first = true;
        for column in columns {
            self.name(out, *column, &mut first);
            match self.table.value_in(row, values, updated_ms, *column) {
                Some(value) => push_text(out, &value),
                None => out.extend_from_slice(b"null"),
            }
        }
        for column in self
            .table
            .always
            .iter()
            .filter(|column| !columns.contains(column))
        {
            self.system(out, row, updated_ms, *column, &mut first);
        }
        self.end(out, row, updated_ms);
        if !history.is_empty() {
            self.history(out, row, history);
        }
    }

    fn begin(&self, out: &mut Vec<u8>, row: u32) {
        out.extend_from_slice(b"{\"id\":\"");
        push_number(out, self.table.id(row));
        out.extend_from_slice(b"\",\"properties\":{");
    }

    fn name(&self, out: &mut Vec<u8>, column: u16, first: &mut bool) {
        if !std::mem::take(first) {
            out.push(b',');
        }
        push_text(out, &self.table.property(column).name);
        out.push(b':');
    }

    fn system(&self, out: &mut Vec<u8>, row: u32, updated_ms: i64, column: u16, first: &mut bool) {
        use super::property::System;
        self.name(out, column, first);
        out.push(b'"');
        match self.table.property(column).system {
            Some(System::ObjectId) => push_number(out, self.table.id(row)),
            Some(System::Created) => push_instant(out, self.table.record(row).created_ms),
            _ => push_instant(out, updated_ms),
        }
        out.push(b'"');
    }

    fn end(&self, out: &mut Vec<u8>, row: u32, updated_ms: i64) {
        let record = self.table.record(row);
        out.extend_from_slice(b"},\"createdAt\":\"");
        push_instant(out, record.created_ms);
        out.extend_from_slice(b"\",\"updatedAt\":\"");
        push_instant(out, updated_ms);
        if record.archived() {
            out.extend_from_slice(b"\",\"archived\":true,\"archivedAt\":\"");
            push_instant(out, record.archived_ms);
            out.extend_from_slice(b"\",\"url\":\"https://app.hubspot.com/contacts/");
        } else {
            out.extend_from_slice(b"\",\"archived\":false,\"url\":\"https://app.hubspot.com/contacts/");
        }
        push_number(out, self.portal_id.into());
        out.extend_from_slice(b"/record/");
        out.extend_from_slice(self.table.type_id.as_bytes());
        out.push(b'/');
        push_number(out, self.table.id(row));
        out.push(b'"');
    }

    /// The current value is all the history there is.
    fn history(&self, out: &mut Vec<u8>, row: u32, columns: &[u16]) {
        out.extend_from_slice(b",\"propertiesWithHistory\":{");
        let mut first = true;
        for column in columns {
            self.name(out, *column, &mut first);
            out.push(b'[');
            if let Some(value) = self.table.value(row, *column) {
                out.extend_from_slice(b"{\"value\":");
                push_text(out, &value);
                out.extend_from_slice(b",\"timestamp\":\"");
                push_instant(out, self.table.record(row).updated_ms);
                out.extend_from_slice(b"\",\"sourceType\":\"INTEGRATION\",\"sourceId\":\"1000001\"}");
            }
            out.push(b']');
        }
        out.push(b'}');
    }
}

fn push_extras(out: &mut Vec<u8>, extras: &Extras<'_>) {
    if let Some(new) = extras.new {
        out.extend_from_slice(if new { b",\"new\":true" } else { b",\"new\":false" });
    }
    if let Some(trace_id) = extras.trace_id {
        out.extend_from_slice(b",\"objectWriteTraceId\":");
        push_text(out, trace_id);
    }
    for (at, warning) in extras.warnings.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b",\"warnings\":[" } else { b"," });
        let told = serde_json::json!({
            "category": "PROPERTY_VALUE_NORMALIZED",
            "message": format!("{} was normalized", warning.property),
            "context": {
                "propertyName": warning.property, "rawValue": warning.raw,
                "normalizedValue": warning.normalised,
            },
        });
        out.extend_from_slice(told.to_string().as_bytes());
    }
    if !extras.warnings.is_empty() {
        out.push(b']');
    }
}

/// Opens a batch's answer; the results follow.
pub(super) fn begin_batch(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"status\":\"COMPLETE\",\"results\":[");
}

/// Closes a batch's answer after its results.
pub(super) fn end_batch(out: &mut Vec<u8>, errors: Vec<Value>, started_ms: i64, completed_ms: i64) {
    out.push(b']');
    if !errors.is_empty() {
        out.extend_from_slice(b",\"numErrors\":");
        push_number(out, errors.len() as u64);
        out.extend_from_slice(b",\"errors\":");
        out.extend_from_slice(Value::Array(errors).to_string().as_bytes());
    }
    out.extend_from_slice(b",\"startedAt\":\"");
    push_instant(out, started_ms);
    out.extend_from_slice(b"\",\"completedAt\":\"");
    push_instant(out, completed_ms);
    out.extend_from_slice(b"\"}");
}

/// A batch's answer whose results are few enough to be built.
pub(super) fn batch_of(results: &[Value], errors: Vec<Value>, started_ms: i64, completed_ms: i64) -> Vec<u8> {
    let mut out = Vec::new();
    begin_batch(&mut out);
    for (at, result) in results.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(result.to_string().as_bytes());
    }
    end_batch(&mut out, errors, started_ms, completed_ms);
    out
}
