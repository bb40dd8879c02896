//! Several records in one call: collections and trees.

use crate::salesforce::{
    call::Call,
    dml::{Change, DmlError},
    errors::{ApiError, json_ok, json_response},
    ids::RecordId,
    reader::Reader,
    rows::{Upserted, outcome_json, shape_of, upsert},
    soql::write_record,
    store::Org,
    subrequests,
};
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

/// The most records of a collection that is written, of a tree, and of one that is read.
const MOST_WRITTEN: usize = 200;
const MOST_READ: usize = 2000;

pub(super) async fn serve(call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    match (call.method.clone(), rest) {
        (Method::POST | Method::PATCH, ["sobjects"]) => write(call).await,
        (Method::DELETE, ["sobjects"]) => delete(call).await,
        (Method::GET | Method::POST, ["sobjects", object]) => retrieve(call, object),
        (Method::PATCH, ["sobjects", object, key]) => upsert_all(call, object, key).await,
        (Method::POST, ["tree", object]) => tree(call, object).await,
        (Method::POST, []) => subrequests::composite(call).await,
        (Method::POST, ["batch"]) => subrequests::batch(call).await,
        (Method::POST, ["graph"]) => subrequests::graphs(call).await,
        (Method::GET, []) => {
            let url = |rest: &str| call.url(&format!("composite/{rest}"));
            Ok(json_ok(&json!({
                "tree": url("tree"), "batch": url("batch"), "sobjects": url("sobjects"), "graph": url("graph"),
            })))
        }
        (method, [] | ["batch" | "graph"]) => Err(ApiError::method(&method, "POST")),
        (method, ["sobjects"]) => Err(ApiError::method(&method, "POST,PATCH,DELETE")),
        _ => Err(ApiError::not_found()),
    }
}

type Outcome = (Result<RecordId, DmlError>, Option<bool>);

/// Applies one step to each record; with `all_or_none` a single refusal takes everything back.
async fn each<T>(
    call: &Call,
    items: Vec<T>,
    all_or_none: bool,
    step: impl Fn(&mut Org, T, Change) -> Outcome,
) -> Response {
    let mut outcomes = call
        .handle
        .commit(|org, change| {
            let run = |org: &mut Org| {
                items
                    .into_iter()
                    .map(|item| step(org, item, change))
                    .collect::<Vec<_>>()
            };
            org.attempt(run, |outcomes| {
                !all_or_none || outcomes.iter().all(|(outcome, _)| outcome.is_ok())
            })
        })
        .await;
    if all_or_none && outcomes.iter().any(|(outcome, _)| outcome.is_err()) {
        for (outcome, _) in outcomes.iter_mut().filter(|(outcome, _)| outcome.is_ok()) {
            let message = "Record rolled back because not all records were valid and the request was using AllOrNone header";
            *outcome = Err(DmlError::new("ALL_OR_NONE_OPERATION_ROLLED_BACK", message));
        }
    }
    call.handle.stats.records("composite", outcomes.len() as u64);
    json_ok(&Json::Array(
        outcomes
            .iter()
            .map(|(outcome, is_new)| outcome_json(outcome, *is_new))
            .collect(),
    ))
}

fn too_many(found: usize, most: usize) -> Result<(), ApiError> {
    if found <= most {
        return Ok(());
    }
    let message = format!("The number of records {found} exceeds the limit of {most}");
    Err(ApiError::bad("EXCEEDED_ID_LIMIT", message))
}

/// An object's name and a record's fields.
type TypedRecord = (String, Map<String, Json>);

/// The records of a body, each with its object.
fn records(given: &Map<String, Json>) -> Result<Vec<TypedRecord>, ApiError> {
    let list = given.get("records").and_then(Json::as_array).ok_or_else(|| {
        ApiError::bad(
            "JSON_PARSER_ERROR",
            "The request body must have a list of records",
        )
    })?;
    too_many(list.len(), MOST_WRITTEN)?;
    list.iter()
        .map(|record| {
            let fields = record
                .as_object()
                .ok_or_else(|| ApiError::body("a record must be an object"))?;
            let kind = record["attributes"]["type"]
                .as_str()
                .ok_or_else(|| ApiError::bad("INVALID_INPUT", "Include a type attribute in each record"))?;
            Ok((kind.to_owned(), fields.clone()))
        })
        .collect()
}

fn all_or_none(given: &Map<String, Json>) -> bool {
    given.get("allOrNone").and_then(Json::as_bool).unwrap_or(false)
}

fn no_type(name: &str) -> DmlError {
    DmlError::new("INVALID_TYPE", format!("sObject type '{name}' is not supported."))
}

async fn write(call: &Call) -> Result<Response, ApiError> {
    let given = call.object()?;
    let records = records(&given)?;
    let creates = call.method == Method::POST;
    let step = move |org: &mut Org, (kind, fields): (String, Map<String, Json>), change: Change| -> Outcome {
        let Some(object) = org.schema().index(&kind) else {
            return (Err(no_type(&kind)), None);
        };
        if creates {
            return (org.create(object, &fields, change), None);
        }
        let id = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("Id"));
        let id = id.and_then(|(_, id)| RecordId::parse(id.as_str().unwrap_or_default()));
        let Some(id) = id else {
            return (
                Err(DmlError::new(
                    "MISSING_ARGUMENT",
                    "Id not specified in an update call",
                )),
                None,
            );
        };
        (org.update(id, &fields, change).map(|()| id), None)
    };
    Ok(each(call, records, all_or_none(&given), step).await)
}

async fn upsert_all(call: &Call, object: &str, key: &str) -> Result<Response, ApiError> {
    let given = call.object()?;
    let records = records(&given)?;
    let index = call
        .handle
        .org
        .read()
        .schema()
        .index(object)
        .ok_or_else(ApiError::no_object)?;
    let step = |org: &mut Org, (_, mut fields): (String, Map<String, Json>), change: Change| -> Outcome {
        let name = fields.keys().find(|name| name.eq_ignore_ascii_case(key)).cloned();
        let value = name.and_then(|name| fields.remove(&name));
        let text = match value {
            Some(Json::String(text)) => text,
            Some(Json::Null) | None => {
                return (
                    Err(DmlError::new("MISSING_ARGUMENT", format!("{key} not specified"))),
                    None,
                );
            }
            Some(other) => other.to_string(),
        };
        match upsert(org, index, key, &text, &fields, change) {
            Ok(Upserted::One(id, is_new)) => (Ok(id), Some(is_new)),
            Ok(Upserted::Many(_)) => {
                let message = format!("{key}: more than one record found for external id field");
                (Err(DmlError::new("DUPLICATE_EXTERNAL_ID", message)), None)
            }
            Err(error) => (
                Err(DmlError {
                    code: error.code,
                    message: error.message,
                    fields: error.fields.unwrap_or_default(),
                }),
                None,
            ),
        }
    };
    Ok(each(call, records, all_or_none(&given), step).await)
}

async fn delete(call: &Call) -> Result<Response, ApiError> {
    let ids: Vec<String> = call
        .parameter("ids")
        .unwrap_or_default()
        .split(',')
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
        .collect();
    too_many(ids.len(), MOST_WRITTEN)?;
    let strict = call
        .parameter("allOrNone")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let step = |org: &mut Org, text: String, change: Change| -> Outcome {
        let outcome = match RecordId::parse(&text) {
            Some(id) => org.delete(id, change).map(|()| id),
            None => Err(DmlError::new("MALFORMED_ID", format!("malformed id {text}"))),
        };
        (outcome, None)
    };
    Ok(each(call, ids, strict, step).await)
}

/// Up to 2,000 records by id, each in its place; null where there is none.
fn retrieve(call: &Call, object: &str) -> Result<Response, ApiError> {
    let list = |value: Option<&Json>| -> Vec<String> {
        let items = value.and_then(Json::as_array);
        items
            .map(|items| items.iter().filter_map(Json::as_str).map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let split = |text: Option<&str>| -> Vec<String> {
        text.unwrap_or_default()
            .split(',')
            .map(|one| one.trim().to_owned())
            .collect()
    };
    let (ids, fields) = if call.method == Method::POST {
        let given = call.object()?;
        (list(given.get("ids")), list(given.get("fields")))
    } else {
        (split(call.parameter("ids")), split(call.parameter("fields")))
    };
    too_many(ids.len(), MOST_READ)?;
    if fields.iter().all(String::is_empty) {
        return Err(ApiError::bad(
            "MISSING_ARGUMENT",
            "The fields parameter is required",
        ));
    }
    let org = call.handle.org.read();
    let index = org.schema().index(object).ok_or_else(ApiError::no_object)?;
    let names: Vec<&str> = fields.iter().map(String::as_str).collect();
    let shape = shape_of(org.schema(), index, Some(&names))?;
    let reader = Reader::new(&org, call.handle.clock.now_ms());
    let mut out = String::from("[");
    for (position, text) in ids.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        let id = RecordId::parse(text)
            .ok_or_else(|| ApiError::bad("MALFORMED_ID", format!("malformed id {text}")))?;
        match org.find(id) {
            Some((found, record)) if found == index && record.deleted.is_none() => {
                write_record(&mut out, &reader, index, record, &shape, &call.version);
            }
            _ => out.push_str("null"),
        }
    }
    out.push(']');
    call.handle.stats.records("retrieve", ids.len() as u64);
    Ok(json_response(StatusCode::OK, out))
}

/// Parents with their children, all or none.
async fn tree(call: &Call, object: &str) -> Result<Response, ApiError> {
    let given = call.object()?;
    let index = call
        .handle
        .org
        .read()
        .schema()
        .index(object)
        .ok_or_else(ApiError::no_object)?;
    let records = given
        .get("records")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    let (created, refused) = call
        .handle
        .commit(|org, change| {
            org.attempt(
                |org| {
                    let mut planted = Planted::default();
                    for record in &records {
                        planted.plant(org, index, record, None, change);
                    }
                    (planted.created, planted.refused)
                },
                |(_, refused)| refused.is_empty(),
            )
        })
        .await;
    too_many(created.len(), MOST_WRITTEN)?;
    if refused.is_empty() {
        let results: Vec<Json> = created
            .iter()
            .map(|(name, id)| json!({ "referenceId": name, "id": id.to_string() }))
            .collect();
        let body = json!({ "hasErrors": false, "results": results });
        return Ok(json_response(StatusCode::CREATED, body.to_string()));
    }
    let results: Vec<Json> = refused
        .iter()
        .map(|(name, error)| {
            let errors =
                json!([{ "statusCode": error.code, "message": error.message, "fields": error.fields }]);
            json!({ "referenceId": name, "errors": errors })
        })
        .collect();
    let body = json!({ "hasErrors": true, "results": results });
    Ok(json_response(StatusCode::BAD_REQUEST, body.to_string()))
}

/// What has become of a tree so far.
#[derive(Debug, Default)]
pub(super) struct Planted {
    /// Reference name and id.
    pub(super) created: Vec<(String, RecordId)>,
    /// Reference name and refusal.
    pub(super) refused: Vec<(String, DmlError)>,
    /// Ids by reference name, of this tree and of those before it.
    pub(super) known: HashMap<String, RecordId>,
}

impl Planted {
    /// Creates a record and its children; `above` is the parent's field and id.
    pub(super) fn plant(
        &mut self,
        org: &mut Org,
        object: usize,
        record: &Json,
        above: Option<(&str, RecordId)>,
        change: Change,
    ) {
        let name = record["attributes"]["referenceId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let mut fields = record.as_object().cloned().unwrap_or_default();
        let mut nested = Vec::new();
        fields.retain(|key, value| {
            let children = value.get("records").and_then(Json::as_array).cloned();
            children
                .map(|children| nested.push((key.clone(), children)))
                .is_none()
        });
        if let Some((field, id)) = above {
            fields.insert(field.to_owned(), json!(id.to_string()));
        }
        let outcome = self
            .resolve(&mut fields)
            .and_then(|()| org.create(object, &fields, change));
        let id = match outcome {
            Ok(id) => id,
            Err(error) => return self.refused.push((name, error)),
        };
        self.known.insert(name.clone(), id);
        self.created.push((name.clone(), id));
        let links = org.schema().objects[object].children.clone();
        for (relationship, children) in nested {
            let link = links.iter().find(|link| {
                link.name
                    .as_deref()
                    .is_some_and(|known| known.eq_ignore_ascii_case(&relationship))
            });
            let Some(link) = link else {
                let message = format!("No such relationship '{relationship}'");
                self.refused
                    .push((name.clone(), DmlError::new("INVALID_FIELD", message)));
                continue;
            };
            let field = org.schema().objects[link.object].fields[link.field].name.clone();
            for child in &children {
                self.plant(org, link.object, child, Some((&field, id)), change);
            }
        }
    }

    /// Puts ids in the place of `@names`.
    fn resolve(&self, fields: &mut Map<String, Json>) -> Result<(), DmlError> {
        for (field, value) in fields.iter_mut() {
            let Some(name) = value.as_str().and_then(|text| text.strip_prefix('@')) else {
                continue;
            };
            // A value may begin with an at sign for reasons of its own: only references are resolved.
            let is_reference = field.ends_with("__c") || field.ends_with("Id");
            match self.known.get(name) {
                Some(id) => *value = json!(id.to_string()),
                None if is_reference && !name.contains(' ') => {
                    let message = format!("{field}: unknown reference @{name}");
                    return Err(DmlError::of(
                        "INVALID_CROSS_REFERENCE_KEY",
                        message,
                        [field.as_str()],
                    ));
                }
                None => {}
            }
        }
        Ok(())
    }
}
