//! Single records: create, read, change, upsert, delete, bring back.

mod merge;
mod related;

use crate::salesforce::{
    call::Call,
    dml::{Change, DmlError},
    errors::{ApiError, json_ok, json_response},
    handle::OrgHandle,
    ids::RecordId,
    reader::Reader,
    schema::{Schema, Source},
    soql::{Shape, ShapeItem, write_record},
    store::{Org, Record},
    value::Value,
};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
pub(super) use merge::merge;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// What a call does to the records of an object.
pub(super) struct Action<'a> {
    pub(super) method: &'a Method,
    /// As in the path: `v66.0`.
    pub(super) version: &'a str,
    /// The path below the object.
    pub(super) rest: &'a [&'a str],
    /// The names of the `fields` parameter.
    pub(super) fields: Option<&'a str>,
    pub(super) body: &'a Map<String, Json>,
    pub(super) now_ms: i64,
}

/// An answer that is not on the wire yet.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// Empty where there is nothing to say.
    pub(super) body: String,
}

impl Reply {
    fn nothing() -> Reply {
        Reply {
            status: StatusCode::NO_CONTENT,
            body: String::new(),
        }
    }

    fn json(status: StatusCode, body: &Json) -> Reply {
        Reply {
            status,
            body: body.to_string(),
        }
    }

    fn response(self) -> Response {
        if self.body.is_empty() {
            return (self.status, ()).into_response();
        }
        json_response(self.status, self.body)
    }
}

pub(super) async fn serve(call: &Call, object: &str, rest: &[&str]) -> Result<Response, ApiError> {
    let index = call
        .handle
        .org
        .read()
        .schema()
        .index(object)
        .ok_or_else(ApiError::no_object)?;
    if rest.is_empty() && call.method == Method::GET {
        return Ok(recent(call, index));
    }
    let writes = matches!(call.method, Method::POST | Method::PATCH);
    let body = if writes { call.object()? } else { Map::new() };
    let action = Action {
        method: &call.method,
        version: &call.version,
        rest,
        fields: call.parameter("fields"),
        body: &body,
        now_ms: call.handle.clock.now_ms(),
    };
    let reply = if call.method == Method::GET {
        look(&call.handle.org.read(), index, &action)?
    } else {
        call.handle
            .commit(|org, change| act(org, index, &action, change))
            .await?
    };
    Ok(reply.response())
}

/// Reads a record, or what it is related to.
pub(super) fn look(org: &Org, object: usize, action: &Action<'_>) -> Result<Reply, ApiError> {
    match action.rest {
        [id] => look_by_id(org, object, id, action),
        [key, id] if key.eq_ignore_ascii_case("Id") => look_by_id(org, object, id, action),
        [id, way] if RecordId::parse(id).is_some() && org.schema().objects[object].field(id).is_none() => {
            related::look(org, object, id, way, action)
        }
        [key, value] => {
            let found = keyed(org, object, key, value)?;
            match found.as_slice() {
                [] => Err(ApiError::not_found()),
                [id] => read(org, object, existing(org, object, *id)?, action),
                many => Ok(choices(action.version, &org.schema().objects[object].name, many)),
            }
        }
        _ => Err(ApiError::not_found()),
    }
}

/// Creates, changes, upserts or deletes a record.
pub(super) fn act(
    org: &mut Org,
    object: usize,
    action: &Action<'_>,
    change: Change,
) -> Result<Reply, ApiError> {
    match action.rest {
        [] if *action.method == Method::POST => {
            let id = org.create(object, action.body, change)?;
            let body = json!({ "id": id.to_string(), "success": true, "errors": [] });
            Ok(Reply::json(StatusCode::CREATED, &body))
        }
        [] => Err(ApiError::method(action.method, "GET,HEAD,POST")),
        [id] => act_by_id(org, object, id, action, change),
        [key, id] if key.eq_ignore_ascii_case("Id") => act_by_id(org, object, id, action, change),
        [key, value] => act_by_key(org, object, key, value, action, change),
        _ => Err(ApiError::not_found()),
    }
}

/// `GET /sobjects/<object>`: its basic description.
fn recent(call: &Call, object: usize) -> Response {
    let org = call.handle.org.read();
    let object = &org.schema().objects[object];
    json_ok(&json!({
        "objectDescribe": {
            "name": object.name,
            "label": object.label,
            "labelPlural": object.plural,
            "keyPrefix": String::from_utf8_lossy(&object.prefix),
            "custom": object.custom,
        },
        "recentItems": [],
    }))
}

fn look_by_id(org: &Org, object: usize, text: &str, action: &Action<'_>) -> Result<Reply, ApiError> {
    let id = RecordId::parse(text).ok_or_else(ApiError::not_found)?;
    read(org, object, existing(org, object, id)?, action)
}

fn act_by_id(
    org: &mut Org,
    object: usize,
    text: &str,
    action: &Action<'_>,
    change: Change,
) -> Result<Reply, ApiError> {
    let id =
        RecordId::parse(text).ok_or_else(|| ApiError::bad("MALFORMED_ID", format!("malformed id {text}")))?;
    match *action.method {
        Method::PATCH => {
            if action.body.keys().any(|name| name.eq_ignore_ascii_case("Id")) {
                let message = "The Id field should not be specified in the sobject data.";
                return Err(DmlError::of("INVALID_FIELD", message, ["Id"]).into());
            }
            own(org, object, id)?;
            org.update(id, action.body, change)?;
            Ok(Reply::nothing())
        }
        Method::DELETE => {
            own(org, object, id)?;
            org.delete(id, change)?;
            Ok(Reply::nothing())
        }
        _ => Err(ApiError::method(action.method, "GET,HEAD,PATCH,DELETE")),
    }
}

fn act_by_key(
    org: &mut Org,
    object: usize,
    key: &str,
    text: &str,
    action: &Action<'_>,
    change: Change,
) -> Result<Reply, ApiError> {
    match *action.method {
        Method::PATCH => match upsert(org, object, key, text, action.body, change)? {
            Upserted::Many(ids) => Ok(choices(action.version, &org.schema().objects[object].name, &ids)),
            Upserted::One(id, is_new) => {
                let body = json!({ "id": id.to_string(), "success": true, "errors": [], "created": is_new });
                let status = if is_new {
                    StatusCode::CREATED
                } else {
                    StatusCode::OK
                };
                Ok(Reply::json(status, &body))
            }
        },
        Method::DELETE => {
            let found = keyed(org, object, key, text)?;
            let [id] = found.as_slice() else {
                return Err(ApiError::not_found());
            };
            org.delete(*id, change)?;
            Ok(Reply::nothing())
        }
        _ => Err(ApiError::method(action.method, "GET,HEAD,PATCH,DELETE")),
    }
}

/// The record of an id, if it is of this object and there.
fn own(org: &Org, object: usize, id: RecordId) -> Result<(), DmlError> {
    match org.find(id) {
        Some((found, _)) if found == object => Ok(()),
        _ => Err(DmlError::new(
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
        )),
    }
}

fn existing(org: &Org, object: usize, id: RecordId) -> Result<&Arc<Record>, ApiError> {
    match org.find(id) {
        Some((found, record)) if found == object => match record.deleted {
            None => Ok(record),
            Some(_) => Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "ENTITY_IS_DELETED",
                "entity is deleted",
            )),
        },
        _ => Err(ApiError::not_found()),
    }
}

fn read(org: &Org, object: usize, record: &Record, action: &Action<'_>) -> Result<Reply, ApiError> {
    let fields = action
        .fields
        .map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
    let shape = shape_of(org.schema(), object, fields.as_deref())?;
    let mut body = String::new();
    let reader = Reader::new(org, action.now_ms);
    write_record(&mut body, &reader, object, record, &shape, action.version);
    Ok(Reply {
        status: StatusCode::OK,
        body,
    })
}

/// The JSON keys for the named fields, or for all of them.
pub(super) fn shape_of(schema: &Schema, object: usize, fields: Option<&[&str]>) -> Result<Shape, ApiError> {
    let definition = &schema.objects[object];
    let item = |index: usize| ShapeItem::Field(definition.fields[index].name.clone(), index);
    let Some(names) = fields else {
        let all = 0..definition.fields.len();
        return Ok(Shape(
            all.filter(|index| definition.fields[*index].visible)
                .map(item)
                .collect(),
        ));
    };
    let mut items = Vec::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        let index = definition.field_index(name).ok_or_else(|| {
            let message = format!("No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", definition.name);
            ApiError::bad("INVALID_FIELD", message)
        })?;
        let one = item(index);
        if !items.contains(&one) {
            items.push(one);
        }
    }
    Ok(Shape(items))
}

fn choices(version: &str, object: &str, ids: &[RecordId]) -> Reply {
    let urls: Vec<String> = ids
        .iter()
        .map(|id| format!("/services/data/{version}/sobjects/{object}/{id}"))
        .collect();
    Reply::json(StatusCode::MULTIPLE_CHOICES, &json!(urls))
}

/// The live records with a value in an external-id field.
fn keyed(org: &Org, object: usize, key: &str, text: &str) -> Result<Vec<RecordId>, ApiError> {
    let definition = &org.schema().objects[object];
    let index = definition
        .field_index(key)
        .filter(|index| definition.fields[*index].external_id)
        .ok_or_else(|| {
            let message = format!("Provided external ID field does not exist or is not accessible: {key}");
            ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
        })?;
    let value = match definition.fields[index].kind {
        kind if kind.is_number() => text.parse().map_or(Value::Null, Value::Number),
        _ => Value::text(text),
    };
    let table = org.table(object);
    let rows = table.keyed(index, &value).unwrap_or_default();
    let live = rows
        .iter()
        .filter_map(|row| table.row(*row))
        .filter(|record| record.deleted.is_none());
    Ok(live.map(|record| record.id).collect())
}

/// What an upsert came to.
pub(super) enum Upserted {
    /// The record, and whether it is new.
    One(RecordId, bool),
    /// The value belongs to several records; nothing was done.
    Many(Vec<RecordId>),
}

/// Creates or changes the record that an external id names.
pub(super) fn upsert(
    org: &mut Org,
    object: usize,
    key: &str,
    text: &str,
    given: &Map<String, Json>,
    change: Change,
) -> Result<Upserted, ApiError> {
    let found = keyed(org, object, key, text)?;
    match found.as_slice() {
        [id] => {
            org.update(*id, given, change)?;
            Ok(Upserted::One(*id, false))
        }
        [] => {
            let definition = &org.schema().objects[object];
            let field = definition
                .field(key)
                .filter(|field| matches!(field.source, Source::Slot(_)));
            let name = field
                .map(|field| field.name.clone())
                .unwrap_or_else(|| key.to_owned());
            let mut given = given.clone();
            given.retain(|known, _| !known.eq_ignore_ascii_case(&name));
            given.insert(name, json!(text));
            Ok(Upserted::One(org.create(object, &given, change)?, true))
        }
        many => Ok(Upserted::Many(many.to_vec())),
    }
}

/// `POST /__sandbox/undelete` with `{"ids": [...]}`: REST has no undelete of its own, only SOAP and Apex
/// have, so this path stands in for them. Answers like a collection delete.
pub(super) async fn undelete(call: &Call) -> Result<Response, ApiError> {
    let given = call.object()?;
    let ids = given
        .get("ids")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    let ids: Vec<String> = ids
        .iter()
        .map(|id| id.as_str().unwrap_or_default().to_owned())
        .collect();
    Ok(json_ok(&bring_back(&call.handle, &ids).await))
}

/// Undeletes records one by one; gives their outcomes.
pub(super) async fn bring_back(handle: &OrgHandle, ids: &[String]) -> Json {
    let mut results = Vec::new();
    for text in ids {
        let outcome = match RecordId::parse(text) {
            Some(id) => {
                handle
                    .commit(|org, change| org.undelete(id, change).map(|()| id))
                    .await
            }
            None => Err(DmlError::new("MALFORMED_ID", format!("malformed id {text}"))),
        };
        results.push(outcome_json(&outcome, None));
    }
    Json::Array(results)
}

/// A record's outcome as collections show it.
pub(super) fn outcome_json(outcome: &Result<RecordId, DmlError>, is_new: Option<bool>) -> Json {
    let mut json = match outcome {
        Ok(id) => json!({ "id": id.to_string(), "success": true, "errors": [] }),
        Err(error) => json!({
            "success": false,
            "errors": [{ "statusCode": error.code, "message": error.message, "fields": error.fields }],
        }),
    };
    if let Some(is_new) = is_new {
        json["created"] = json!(is_new);
    }
    json
}
