//! What clients send for a record, read field by field and refused as Salesforce refuses it.

use super::DmlError;
use crate::salesforce::{
    clock,
    formula::{self, Expr, Scope},
    ids::RecordId,
    path::FieldPath,
    reader::Reader,
    schema::{Field, Kind, Object, Picklist, Source},
    store::{Org, Record},
    value::Value,
};
use serde_json::{Map, Value as Json};

/// The values of a new record before anything is given.
pub(super) fn defaults(org: &Org, object: usize, now_ms: i64) -> Vec<Value> {
    let object = &org.schema().objects[object];
    let mut values = vec![Value::Null; object.slots];
    for field in &object.fields {
        let Source::Slot(slot) = field.source else {
            continue;
        };
        values[slot] = default_of(field, now_ms);
    }
    values
}

fn default_of(field: &Field, now_ms: i64) -> Value {
    let expr: Option<&Expr> = field.default.as_ref().and_then(|default| default.expr.as_ref());
    if let Some(expr) = expr {
        return formula::evaluate(expr, false, &NoRecord(now_ms));
    }
    let chosen = field
        .picklist
        .as_ref()
        .and_then(|list| list.values.iter().find(|value| value.default));
    match (chosen, field.kind, &field.rollup) {
        (Some(value), ..) => Value::text(value.value.as_str()),
        (None, Kind::Boolean, _) => Value::Bool(false),
        (None, _, Some(rollup)) if matches!(rollup.operation.as_str(), "count" | "sum") => Value::Number(0.0),
        _ => Value::Null,
    }
}

/// Defaults see no record.
struct NoRecord(i64);

impl Scope for NoRecord {
    fn field(&self, _path: &FieldPath) -> (Value, bool) {
        (Value::Null, false)
    }

    fn now_ms(&self) -> i64 {
        self.0
    }
}

/// The values that a client gives, by slot. `before` is the record that is changed, if it is there already.
pub(super) fn read(
    org: &Org,
    object: usize,
    given: &Map<String, Json>,
    before: Option<&Record>,
) -> Result<Vec<(usize, Value)>, DmlError> {
    let definition = &org.schema().objects[object];
    let mut values = Vec::with_capacity(given.len());
    let mut read_only = Vec::new();
    for (name, json) in given {
        if name == "attributes" {
            continue;
        }
        if let Some((field, id)) = by_external_id(org, definition, name, json)? {
            values.push((field, id));
            continue;
        }
        let Some(field) = definition.field(name) else {
            let message = format!("No such column '{name}' on sobject of type {}", definition.name);
            return Err(DmlError::new("INVALID_FIELD", message));
        };
        // An update may repeat the id.
        if field.kind == Kind::Id && before.is_some() {
            continue;
        }
        let master = field
            .reference
            .as_ref()
            .filter(|reference| reference.master.is_some());
        let fixed = before.is_some() && master.is_some_and(|reference| !reference.reparentable);
        let allowed = if before.is_some() {
            field.updateable && !fixed
        } else {
            field.createable
        };
        let Source::Slot(slot) = field.source else {
            read_only.push(field.name.clone());
            continue;
        };
        if !allowed {
            read_only.push(field.name.clone());
            continue;
        }
        let value = read_value(org, field, json)?;
        let unchanged = before.is_some_and(|before| before.values[slot] == value);
        if !unchanged {
            check_value(field, &value)?;
        }
        values.push((slot, value));
    }
    if read_only.is_empty() {
        return Ok(values);
    }
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
        read_only.join(", ")
    );
    Err(DmlError::of(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        message,
        read_only,
    ))
}

/// `"Depot__r": {"Code__c": "D-7"}` names a parent by an external id.
fn by_external_id(
    org: &Org,
    object: &Object,
    name: &str,
    json: &Json,
) -> Result<Option<(usize, Value)>, DmlError> {
    let (Some(index), Json::Object(key)) = (object.relationship(name), json) else {
        return Ok(None);
    };
    let field = &object.fields[index];
    let Source::Slot(slot) = field.source else {
        return Ok(None);
    };
    let parents = field.reference.iter().flat_map(|reference| &reference.to);
    let Some(parent) = parents.filter_map(|name| org.schema().index(name)).next() else {
        return Ok(None);
    };
    let parent_object = &org.schema().objects[parent];
    let Some((key_name, key_value)) = key.iter().find(|(name, _)| *name != "attributes") else {
        return Ok(None);
    };
    let refused = |message: String| DmlError::new("INVALID_FIELD", message);
    let key_index = parent_object
        .field_index(key_name)
        .filter(|index| parent_object.fields[*index].external_id);
    let Some(key_index) = key_index else {
        let message = format!(
            "Field name {key_name} is not an external ID or indexed field for {}",
            parent_object.name
        );
        return Err(refused(message));
    };
    let wanted = read_value(org, &parent_object.fields[key_index], key_value)?;
    let table = org.table(parent);
    let rows = table.keyed(key_index, &wanted).unwrap_or_default();
    let mut found = rows
        .iter()
        .filter_map(|row| table.row(*row))
        .filter(|record| record.deleted.is_none());
    match (found.next(), found.next()) {
        (Some(record), None) => Ok(Some((slot, Value::Id(record.id)))),
        (Some(_), Some(_)) => Err(DmlError::new(
            "INVALID_FIELD",
            format!("More than one record found for external id field: {key_name}"),
        )),
        (None, _) => {
            let shown = wanted.as_text();
            let message = format!(
                "Foreign key external ID: {shown} not found for field {key_name} in entity {}",
                parent_object.name
            );
            Err(DmlError::new("INVALID_FIELD", message))
        }
    }
}

fn not_deserialized(type_name: &str, json: &Json) -> DmlError {
    let (token, shown) = match json {
        Json::Null => ("VALUE_NULL", "null".to_owned()),
        Json::Bool(bool) => (if *bool { "VALUE_TRUE" } else { "VALUE_FALSE" }, bool.to_string()),
        Json::Number(number) => ("VALUE_NUMBER", number.to_string()),
        Json::String(text) => ("VALUE_STRING", text.clone()),
        Json::Array(_) => ("START_ARRAY", "[".to_owned()),
        Json::Object(_) => ("START_OBJECT", "{".to_owned()),
    };
    let message = format!(
        "Cannot deserialize instance of {type_name} from {token} value {shown} or request may be missing a required field at [line:1, column:1]"
    );
    DmlError::new("JSON_PARSER_ERROR", message)
}

/// A JSON value as a field's type takes it.
pub(super) fn read_value(org: &Org, field: &Field, json: &Json) -> Result<Value, DmlError> {
    if matches!(json, Json::Array(_) | Json::Object(_)) {
        return Err(not_deserialized(field.kind.describe_type(), json));
    }
    let text = match json {
        Json::String(text) => text.trim().replace('\0', ""),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    if field.kind == Kind::Boolean {
        return match text.as_str() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(not_deserialized("boolean", json)),
        };
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let refused = |type_name: &str| not_deserialized(type_name, json);
    match field.kind {
        Kind::Reference | Kind::Id => read_reference(org, field, &text),
        kind if kind.is_number() => {
            let number: f64 = text
                .parse()
                .map_err(|_| refused(if kind == Kind::Int { "int" } else { "double" }))?;
            if !number.is_finite() {
                return Err(refused("double"));
            }
            Ok(Value::Number(formula::round(number, field.scale as i32)))
        }
        Kind::Date => {
            let days = clock::parse_date(&text).or_else(|| clock::parse_datetime(&text).map(clock::day_of));
            days.map(Value::Date).ok_or_else(|| refused("date"))
        }
        Kind::DateTime => {
            let midnight = || clock::parse_date(&text).map(|days| i64::from(days) * clock::DAY_MS);
            let ms = clock::parse_datetime(&text)
                .or_else(midnight)
                .ok_or_else(|| refused("datetime"))?;
            Ok(Value::DateTime(clock::whole_second(ms)))
        }
        Kind::Time => clock::parse_time(&text)
            .map(Value::Time)
            .ok_or_else(|| refused("time")),
        _ => Ok(Value::text(text)),
    }
}

fn read_reference(org: &Org, field: &Field, text: &str) -> Result<Value, DmlError> {
    let wrong = |code, message: String| Err(DmlError::of(code, message, [field.name.as_str()]));
    let Some(id) = RecordId::parse(text) else {
        return wrong(
            "MALFORMED_ID",
            format!("{}: id value of incorrect type: {text}", field.label),
        );
    };
    let targets = field.reference.iter().flat_map(|reference| &reference.to);
    let fits = targets
        .filter_map(|name| org.schema().object(name))
        .any(|object| object.prefix == id.prefix());
    if !fits {
        let message = format!("{}: id value of incorrect type: {text}", field.label);
        return wrong("FIELD_INTEGRITY_EXCEPTION", message);
    }
    match org.find(id) {
        None => wrong(
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id".to_owned(),
        ),
        Some((_, record)) if record.deleted.is_some() => {
            wrong("ENTITY_IS_DELETED", "entity is deleted".to_owned())
        }
        Some(_) => Ok(Value::Id(id)),
    }
}

/// Refuses a value that the field's rules do not allow.
fn check_value(field: &Field, value: &Value) -> Result<(), DmlError> {
    let refuse = |code, message: String| Err(DmlError::of(code, message, [field.name.as_str()]));
    match value {
        Value::Number(number) if field.precision > 0 => {
            let whole_digits = field.precision.saturating_sub(field.scale) as i32;
            if number.abs() >= 10f64.powi(whole_digits) {
                let message = format!(
                    "{}: value outside of valid range on numeric field: {number:E}",
                    field.label
                );
                return refuse("NUMBER_OUTSIDE_VALID_RANGE", message);
            }
            Ok(())
        }
        Value::Text(text) => {
            if let Some(list) = field.picklist.as_ref().filter(|list| list.restricted)
                && let Some(bad) = first_unlisted(list, text, field.kind)
            {
                let message = format!("{}: bad value for restricted picklist field: {bad}", field.label);
                return refuse("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message);
            }
            if field.length > 0 && text.chars().count() > field.length as usize {
                let start: String = text.chars().take(70).collect();
                let message = format!(
                    "{}: data value too large: {start} (max length={})",
                    field.label, field.length
                );
                return refuse("STRING_TOO_LONG", message);
            }
            let is_email = || {
                text.split_once('@')
                    .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
            };
            if field.kind == Kind::Email && !is_email() {
                return refuse(
                    "INVALID_EMAIL_ADDRESS",
                    format!("{}: invalid email address: {text}", field.label),
                );
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn first_unlisted<'t>(list: &Picklist, text: &'t str, kind: Kind) -> Option<&'t str> {
    let listed = |one: &str| list.values.iter().any(|value| value.active && value.value == one);
    if kind == Kind::MultiPicklist {
        return text.split(';').find(|one| !listed(one));
    }
    (!listed(text)).then_some(text)
}

/// Refuses a record without its required values.
pub(super) fn check_required(object: &Object, values: &[Value]) -> Result<(), DmlError> {
    let missing: Vec<&str> = object
        .fields
        .iter()
        .filter(|field| field.required)
        .filter(|field| matches!(field.source, Source::Slot(slot) if values[slot].is_null()))
        .map(|field| field.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(DmlError::of("REQUIRED_FIELD_MISSING", message, missing))
}

/// Refuses a record whose unique values another one has. Records in the recycle bin do not count.
pub(super) fn check_unique(
    org: &Org,
    object: usize,
    values: &[Value],
    own: Option<RecordId>,
) -> Result<(), DmlError> {
    let table = org.table(object);
    let reader = Reader::new(org, 0);
    for (index, field) in org.schema().objects[object].fields.iter().enumerate() {
        let Source::Slot(slot) = field.source else {
            continue;
        };
        if !field.unique || values[slot].is_null() {
            continue;
        }
        let rows = table.keyed(index, &values[slot]).unwrap_or_default();
        let mut others = rows
            .iter()
            .filter_map(|row| table.row(*row))
            .filter(|record| record.deleted.is_none() && Some(record.id) != own)
            .filter(|record| !field.case_sensitive || *reader.own(object, record, index) == values[slot]);
        if let Some(other) = others.next() {
            let message = format!(
                "duplicate value found: {} duplicates value on record with id: {}",
                field.name,
                other.id.short()
            );
            return Err(DmlError::new("DUPLICATE_VALUE", message));
        }
    }
    Ok(())
}
