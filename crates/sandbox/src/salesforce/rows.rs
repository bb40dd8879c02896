//! Single records: create, read, change, upsert, delete, bring back.

use crate::salesforce::{
    call::{Call, nothing},
    dml::DmlError,
    errors::{ApiError, json_ok, json_response},
    handle::OrgHandle,
    ids::RecordId,
    reader::Reader,
    schema::{Schema, Source},
    soql::{Shape, ShapeItem, write_record},
    store::{Org, Record},
    value::Value,
};
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

pub(super) async fn serve(call: &Call, object: &str, rest: &[&str]) -> Result<Response, ApiError> {
    let index = call
        .handle
        .org
        .read()
        .schema()
        .index(object)
        .ok_or_else(ApiError::no_object)?;
    match rest {
        [] => match call.method {
            Method::POST => create(call, index).await,
            Method::GET => Ok(recent(call, index)),
            _ => Err(ApiError::method(&call.method, "GET,HEAD,POST")),
        },
        [id] => by_id(call, index, id).await,
        [key, id] if key.eq_ignore_ascii_case("Id") => by_id(call, index, id).await,
        [key, value] => by_key(call, index, key, value).await,
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

async fn create(call: &Call, object: usize) -> Result<Response, ApiError> {
    let given = call.object()?;
    let id = call
        .handle
        .commit(|org, change| org.create(object, &given, change))
        .await?;
    Ok(created(id))
}

fn created(id: RecordId) -> Response {
    let body = json!({ "id": id.to_string(), "success": true, "errors": [] });
    json_response(StatusCode::CREATED, body.to_string())
}

async fn by_id(call: &Call, object: usize, text: &str) -> Result<Response, ApiError> {
    let id = RecordId::parse(text).ok_or_else(|| match call.method {
        Method::GET => ApiError::not_found(),
        _ => ApiError::new(
            StatusCode::BAD_REQUEST,
            "MALFORMED_ID",
            format!("malformed id {text}"),
        ),
    })?;
    match call.method {
        Method::GET => {
            let org = call.handle.org.read();
            read(call, &org, object, existing(&org, object, id)?)
        }
        Method::PATCH => {
            let given = call.object()?;
            if given.keys().any(|name| name.eq_ignore_ascii_case("Id")) {
                let message = "The Id field should not be specified in the sobject data.";
                return Err(DmlError::of("INVALID_FIELD", message, ["Id"]).into());
            }
            call.handle
                .commit(|org, change| {
                    own(org, object, id)?;
                    org.update(id, &given, change)
                })
                .await?;
            Ok(nothing())
        }
        Method::DELETE => {
            call.handle
                .commit(|org, change| {
                    own(org, object, id)?;
                    org.delete(id, change)
                })
                .await?;
            Ok(nothing())
        }
        _ => Err(ApiError::method(&call.method, "GET,HEAD,PATCH,DELETE")),
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

fn read(call: &Call, org: &Org, object: usize, record: &Record) -> Result<Response, ApiError> {
    let fields = call
        .parameter("fields")
        .map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
    let shape = shape_of(org.schema(), object, fields.as_deref())?;
    let mut out = String::new();
    let reader = Reader::new(org, call.handle.clock.now_ms());
    write_record(&mut out, &reader, object, record, &shape, &call.version);
    Ok(json_response(StatusCode::OK, out))
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

async fn by_key(call: &Call, object: usize, key: &str, text: &str) -> Result<Response, ApiError> {
    match call.method {
        Method::GET => {
            let org = call.handle.org.read();
            let found = keyed(&org, object, key, text)?;
            match found.as_slice() {
                [] => Err(ApiError::not_found()),
                [id] => read(call, &org, object, existing(&org, object, *id)?),
                many => Ok(choices(call, &org.schema().objects[object].name, many)),
            }
        }
        Method::PATCH => {
            let given = call.object()?;
            let outcome = call
                .handle
                .commit(|org, change| upsert(org, object, key, text, &given, change))
                .await?;
            match outcome {
                Upserted::Many(ids) => {
                    let org = call.handle.org.read();
                    Ok(choices(call, &org.schema().objects[object].name, &ids))
                }
                Upserted::One(id, is_new) => {
                    let body =
                        json!({ "id": id.to_string(), "success": true, "errors": [], "created": is_new });
                    let status = if is_new {
                        StatusCode::CREATED
                    } else {
                        StatusCode::OK
                    };
                    Ok(json_response(status, body.to_string()))
                }
            }
        }
        Method::DELETE => {
            let found = keyed(&call.handle.org.read(), object, key, text)?;
            let [id] = found.as_slice() else {
                return Err(ApiError::not_found());
            };
            let id = *id;
            call.handle.commit(|org, change| org.delete(id, change)).await?;
            Ok(nothing())
        }
        _ => Err(ApiError::method(&call.method, "GET,HEAD,PATCH,DELETE")),
    }
}

fn choices(call: &Call, object: &str, ids: &[RecordId]) -> Response {
    let urls: Vec<String> = ids
        .iter()
        .map(|id| call.url(&format!("sobjects/{object}/{id}")))
        .collect();
    json_response(StatusCode::MULTIPLE_CHOICES, json!(urls).to_string())
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
    change: crate::salesforce::dml::Change,
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
