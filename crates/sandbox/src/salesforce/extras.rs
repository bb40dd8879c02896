//! Small resources that clients ask for on their way: layouts, recent items, tabs, themes, query plans, and
//! the tooling API, which knows little metadata and refuses the rest in its own words.

use crate::salesforce::{
    call::Call,
    errors::{ApiError, json_ok},
    metadata,
    schema::Object,
    soql,
};
use axum::response::Response;
use serde_json::{Value as Json, json};

/// The record type that every object has.
const MASTER: &str = "012000000000000AAA";

/// `/sobjects/<object>/describe/layouts` and its like.
pub(super) fn layouts(call: &Call, object: &str, rest: &[&str]) -> Result<Response, ApiError> {
    let org = call.handle.org.read();
    let object = org.schema().object(object).ok_or_else(ApiError::no_object)?;
    match rest {
        ["layouts"] => Ok(json_ok(&json!({
            "layouts": [layout(object)],
            "recordTypeMappings": [{
                "available": true,
                "defaultRecordTypeMapping": true,
                "developerName": "Master",
                "layoutId": "00h5g000000000AAA",
                "master": true,
                "name": "Master",
                "picklistsForRecordType": [],
                "recordTypeId": MASTER,
            }],
            "recordTypeSelectorRequired": [false],
        }))),
        ["layouts", id] if MASTER.starts_with(id) && id.len() >= 15 => Ok(json_ok(&layout(object))),
        ["compactLayouts"] => Ok(json_ok(&json!({
            "compactLayouts": [],
            "defaultCompactLayoutId": null,
            "recordTypeCompactLayoutMappings": [],
            "urls": {},
        }))),
        ["approvalLayouts"] => Ok(json_ok(&json!({ "approvalLayouts": [] }))),
        _ => Err(ApiError::not_found()),
    }
}

/// All fields in one section of two columns.
fn layout(object: &Object) -> Json {
    let item = |name: &str, label: &str, required: bool| {
        json!({
            "editableForNew": true,
            "editableForUpdate": true,
            "label": label,
            "layoutComponents": [{ "displayLines": 1, "tabOrder": 1, "type": "Field", "value": name }],
            "placeholder": false,
            "required": required,
        })
    };
    let fields: Vec<&_> = object.fields.iter().filter(|field| field.visible).collect();
    let rows: Vec<Json> = fields
        .chunks(2)
        .map(|pair| {
            let items: Vec<Json> = pair
                .iter()
                .map(|one| item(&one.name, &one.label, one.required))
                .collect();
            json!({ "layoutItems": items, "numItems": items.len() })
        })
        .collect();
    let section = json!({
        "columns": 2,
        "heading": "Information",
        "layoutRows": rows,
        "rows": rows.len(),
        "useCollapsibleSection": false,
        "useHeading": false,
    });
    json!({
        "buttonLayoutSection": { "detailButtons": [] },
        "detailLayoutSections": [section.clone()],
        "editLayoutSections": [section],
        "id": "00h5g000000000AAA",
        "multirowEditLayoutSections": [],
        "offlineLinks": [],
        "relatedLists": [],
    })
}

/// `/tabs`, `/theme`, `/recent`, `/quickActions`: nothing is there.
pub(super) fn nothing_there(name: &str) -> Response {
    json_ok(&match name {
        "theme" => json!({ "themeItems": [] }),
        _ => json!([]),
    })
}

/// `GET /query?explain=…`: one plan, as far as this org plans.
pub(super) fn explain(call: &Call, text: &str) -> Result<Response, ApiError> {
    let org = call.handle.org.read();
    let query = soql::bind(org.schema(), &soql::parse(text)?, call.handle.clock.now_ms())?;
    let table = org.table(query.object);
    let (operation, rows) = match soql::access(&org, query.object, query.filter.as_ref()) {
        soql::Access::Rows(from, to) => ("TableScan", (to - from) as usize),
        soql::Access::These(rows) => ("Index", rows.len()),
        soql::Access::Stamps(from, to) => ("Index", table.stamped(from, to).count()),
    };
    let all = table.len().max(1);
    Ok(json_ok(&json!({
        "plans": [{
            "cardinality": rows,
            "fields": [],
            "leadingOperationType": operation,
            "notes": [],
            "relativeCost": rows as f64 / all as f64,
            "sobjectCardinality": table.len(),
            "sobjectType": org.schema().objects[query.object].name,
        }],
        "sourceQuery": text,
    })))
}

/// `/tooling/…`: objects and fields can be queried by their names; there is no other metadata, and the refusal says so.
pub(super) fn tooling(call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    match rest {
        [] => Ok(json_ok(&json!({
            "query": call.url("tooling/query"),
            "sobjects": call.url("tooling/sobjects"),
        }))),
        ["sobjects"] => Ok(json_ok(
            &json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [] }),
        )),
        ["query" | "queryAll"] => {
            let text = call
                .parameter("q")
                .ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "A query string has to be specified"))?;
            let query = soql::parse(text)?;
            if let Some(answer) = metadata::answer(call, &query)? {
                return Ok(answer);
            }
            let object = query.from.text;
            let message = format!(
                "sObject type '{object}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
            );
            Err(ApiError::bad("INVALID_TYPE", message))
        }
        _ => Err(ApiError::not_found()),
    }
}
