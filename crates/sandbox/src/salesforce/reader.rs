//! Reads fields of records: stored ones, computed ones and those of records above.

use crate::salesforce::{
    formula::{self, Scope},
    path::FieldPath,
    schema::{Field, Kind, Source},
    store::{Org, Record},
    value::{Value, write_json_text},
};
use std::borrow::Cow;

/// Formulas may read formulas, to this depth.
const DEEPEST: u8 = 8;

/// A look at the org at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'o> {
    /// What is read.
    pub org: &'o Org,
    /// The org's time, for formulas.
    pub now_ms: i64,
    depth: u8,
}

impl<'o> Reader<'o> {
    /// A look at `org` at its time `now_ms`.
    pub fn new(org: &'o Org, now_ms: i64) -> Reader<'o> {
        Reader {
            org,
            now_ms,
            depth: 0,
        }
    }

    /// The value of one of the record's own fields.
    pub fn own<'r>(&self, object: usize, record: &'r Record, field: usize) -> Cow<'r, Value> {
        let field = &self.org.schema().objects[object].fields[field];
        match &field.source {
            Source::Slot(slot) => record
                .values
                .get(*slot)
                .map_or(Cow::Owned(Value::Null), Cow::Borrowed),
            Source::System(which) => Cow::Owned(record.system(*which)),
            Source::Formula(formula) => {
                let Some(expr) = formula.expr.as_ref().filter(|_| self.depth < DEEPEST) else {
                    return Cow::Owned(Value::Null);
                };
                let scope = RecordScope {
                    reader: Reader {
                        depth: self.depth + 1,
                        ..*self
                    },
                    record,
                };
                Cow::Owned(as_kind(
                    formula::evaluate(expr, formula.blank_as_zero, &scope),
                    field,
                ))
            }
            Source::Compound | Source::Nothing => Cow::Owned(Value::Null),
        }
    }

    /// The value at the end of a path. Null where a record on the way is missing.
    pub fn value<'r>(&self, object: usize, record: &'r Record, path: &FieldPath) -> Cow<'r, Value>
    where
        'o: 'r,
    {
        if path.hops.is_empty() {
            return self.own(object, record, path.field);
        }
        match self.follow(object, record, path) {
            Some(end) => self.own(path.object, end, path.field),
            None => Cow::Owned(Value::Null),
        }
    }

    /// The record at the end of a path's hops.
    pub fn follow<'r>(&self, object: usize, record: &'r Record, path: &FieldPath) -> Option<&'r Record>
    where
        'o: 'r,
    {
        let mut at = record;
        let mut object_at = object;
        for hop in &path.hops {
            let Value::Id(id) = *self.own(object_at, at, hop.field) else {
                return None;
            };
            let (object, next) = self.org.find(id)?;
            if object != hop.object {
                return None;
            }
            at = next;
            object_at = object;
        }
        Some(at)
    }

    /// Appends a field as JSON, compound ones as objects of their parts.
    pub fn write_json(&self, out: &mut String, object: usize, record: &Record, field: usize) {
        let definition = &self.org.schema().objects[object].fields[field];
        if !definition.kind.is_compound() {
            return self.own(object, record, field).write_json(out, definition.kind);
        }
        let fields = self.org.schema().objects[object].fields.iter().enumerate();
        let mut parts: Vec<(String, Cow<'_, Value>, Kind)> = fields
            .filter(|(_, part)| part.part_of.as_deref() == Some(&definition.name))
            .map(|(index, part)| {
                (
                    part_name(&part.name, &definition.name),
                    self.own(object, record, index),
                    part.kind,
                )
            })
            .collect();
        if parts.iter().all(|(_, value, _)| value.is_null()) {
            return out.push_str("null");
        }
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        out.push('{');
        for (position, (name, value, kind)) in parts.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write_json_text(out, name);
            out.push(':');
            value.write_json(out, *kind);
        }
        out.push('}');
    }
}

/// `Location__Latitude__s` in `Location__c` is `latitude`; `BillingPostalCode` in `BillingAddress` is
/// `postalCode`.
fn part_name(part: &str, whole: &str) -> String {
    let name = match whole.strip_suffix("Address") {
        Some(stem) => part.strip_prefix(stem).unwrap_or(part),
        None => part
            .strip_suffix("__s")
            .and_then(|name| name.rsplit("__").next())
            .unwrap_or(part),
    };
    let mut chars = name.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

struct RecordScope<'r> {
    reader: Reader<'r>,
    record: &'r Record,
}

impl Scope for RecordScope<'_> {
    fn field(&self, path: &FieldPath) -> (Value, bool) {
        let object = self
            .reader
            .org
            .schema()
            .by_prefix(self.record.id.prefix())
            .unwrap_or_default();
        let value = self.reader.value(object, self.record, path).into_owned();
        (value, path.leaf(self.reader.org.schema()).kind.is_number())
    }

    fn now_ms(&self) -> i64 {
        self.reader.now_ms
    }
}

/// A computed value as its field's type holds it.
fn as_kind(value: Value, field: &Field) -> Value {
    match value {
        Value::Number(number) if field.kind.is_number() => {
            Value::Number(formula::round(number, field.scale as i32))
        }
        Value::Null if field.kind == Kind::Boolean => Value::Bool(false),
        value @ (Value::Null | Value::Text(_)) => value,
        value if field.kind.is_text() => Value::text(value.as_text()),
        value => value,
    }
}
