//! Records as JSON.

use super::{Bound, Shape, ShapeItem, run::matching_among};
use crate::salesforce::{
    reader::Reader,
    schema::Kind,
    store::Record,
    value::{Value, write_json_text},
};
use std::fmt::Write;

/// Appends a record as query answers and single reads show it. `version` is as in the path: `v66.0`.
pub fn write_record(
    out: &mut String,
    reader: &Reader<'_>,
    object: usize,
    record: &Record,
    shape: &Shape,
    version: &str,
) {
    let name = &reader.org.schema().objects[object].name;
    let _ = write!(
        out,
        "{{\"attributes\":{{\"type\":\"{name}\",\"url\":\"/services/data/{version}/sobjects/{name}/{}\"}}",
        record.id
    );
    for item in &shape.0 {
        out.push(',');
        match item {
            ShapeItem::Field(key, field) => {
                write_json_text(out, key);
                out.push(':');
                reader.write_json(out, object, record, *field);
            }
            ShapeItem::Parent(key, field, parent, inner) => {
                write_json_text(out, key);
                out.push(':');
                let found = match &*reader.own(object, record, *field) {
                    Value::Id(id) => reader.org.find(*id).filter(|(object, _)| object == parent),
                    _ => None,
                };
                match found {
                    Some((parent, above)) => write_record(out, reader, parent, above, inner, version),
                    None => out.push_str("null"),
                }
            }
            ShapeItem::Children(key, link, query) => {
                write_json_text(out, key);
                out.push(':');
                let table = reader.org.table(link.object);
                let rows = table.children(link.field, record.id).unwrap_or_default();
                write_children(out, reader, query, rows, version);
            }
        }
    }
    out.push('}');
}

fn write_children(out: &mut String, reader: &Reader<'_>, query: &Bound, rows: Vec<u32>, version: &str) {
    let rows = matching_among(reader, query, rows);
    if rows.is_empty() {
        return out.push_str("null");
    }
    let _ = write!(out, "{{\"totalSize\":{},\"done\":true,\"records\":[", rows.len());
    let table = reader.org.table(query.object);
    for (position, record) in rows.iter().filter_map(|row| table.row(*row)).enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_record(out, reader, query.object, record, &query.shape, version);
    }
    out.push_str("]}");
}

/// Appends one group of an aggregate query.
pub fn write_aggregate(out: &mut String, reader: &Reader<'_>, query: &Bound, values: &[Value]) {
    out.push_str("{\"attributes\":{\"type\":\"AggregateResult\"}");
    for (column, value) in query.aggregates.iter().zip(values) {
        out.push(',');
        write_json_text(out, &column.name);
        out.push(':');
        let kind = match (column.function.as_deref(), &column.path) {
            (Some("COUNT" | "COUNT_DISTINCT"), _) | (_, None) => Kind::Int,
            (_, Some(path)) => path.leaf(reader.org.schema()).kind,
        };
        value.write_json(out, kind);
    }
    out.push('}');
}
