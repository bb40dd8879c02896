//! The little metadata that the tooling API tells: which objects there are and which fields they have.
//!
//! It tells fields that field-level security hides from the user, as the real one does ("Use the objects from these WSDLs
//! instead of the Tooling WSDL if you need field-level security", API guide), and only to whom may view set-up.

use crate::salesforce::{
    call::Call,
    errors::{ApiError, json_ok},
    schema::{Field, Object},
    soql::{Filter, Literal, Operator, Query, Select},
};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value as Json, json};
use std::sync::atomic::Ordering;

/// The names that a query is for: of an object, and of a field.
#[derive(Default)]
struct Wanted {
    object: Option<String>,
    name: Option<String>,
}

/// Answers a query of `EntityDefinition` or `FieldDefinition`; nothing for another.
pub(super) fn answer(call: &Call, query: &Query) -> Result<Option<Response>, ApiError> {
    let is_fields = query.from.text.eq_ignore_ascii_case("FieldDefinition");
    if !is_fields && !query.from.text.eq_ignore_ascii_case("EntityDefinition") {
        return Ok(None);
    }
    if !call.handle.settings.view_setup.load(Ordering::Relaxed) {
        let message = "You do not have the level of access necessary to perform the operation you requested";
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "INSUFFICIENT_ACCESS",
            message,
        ));
    }
    let is_name = |selected: &Select| matches!(selected, Select::Field(name) if name.text.eq_ignore_ascii_case("QualifiedApiName"));
    if !query.select.iter().all(is_name) {
        return Err(ApiError::bad(
            "INVALID_FIELD",
            "only QualifiedApiName is served here",
        ));
    }
    let mut wanted = Wanted::default();
    if let Some(filter) = &query.filter {
        wanted.read(filter)?;
    }
    let org = call.handle.org.read();
    let objects = org.schema().objects.iter();
    let is_it = |name: &str, wanted: &Option<String>| {
        wanted
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let kind = if is_fields {
        "FieldDefinition"
    } else {
        "EntityDefinition"
    };
    let names: Vec<String> = if is_fields {
        let Some(object) = &wanted.object else {
            let message = "A filter on EntityDefinition is required to query FieldDefinition";
            return Err(ApiError::bad("MALFORMED_QUERY", message));
        };
        let fields = objects
            .filter(|known| known.name.eq_ignore_ascii_case(object))
            .flat_map(|object: &Object| object.fields.iter());
        let there = fields.filter(|field: &&Field| !field.name.ends_with(" (deleted)"));
        there
            .map(|field| field.name.clone())
            .filter(|name| is_it(name, &wanted.name))
            .collect()
    } else {
        let there = objects.filter(|object| !object.name.ends_with(" (deleted)"));
        there
            .map(|object| object.name.clone())
            .filter(|name| is_it(name, &wanted.name))
            .collect()
    };
    let records: Vec<Json> = names
        .iter()
        .map(|name| {
            let url = call.url(&format!("tooling/sobjects/{kind}/{name}"));
            json!({ "attributes": { "type": kind, "url": url }, "QualifiedApiName": name })
        })
        .collect();
    let answer = json!({ "size": records.len(), "totalSize": records.len(), "done": true, "queryLocator": null,
        "entityTypeName": kind, "records": records });
    Ok(Some(json_ok(&answer)))
}

impl Wanted {
    fn read(&mut self, filter: &Filter) -> Result<(), ApiError> {
        match filter {
            Filter::And(all) => all.iter().try_for_each(|one| self.read(one)),
            Filter::Or(_) => Err(ApiError::bad("MALFORMED_QUERY", "Disjunctions not supported")),
            Filter::Compare {
                field,
                operator: Operator::Equal,
                values,
            } => {
                let Some(Literal::Text(value)) = values.first() else {
                    return Err(ApiError::bad("MALFORMED_QUERY", "a name is compared with a text"));
                };
                let place = match field.text.to_ascii_lowercase().as_str() {
                    "entitydefinition.qualifiedapiname" => &mut self.object,
                    "qualifiedapiname" => &mut self.name,
                    _ => {
                        return Err(ApiError::bad(
                            "INVALID_FIELD",
                            format!("No such column '{}'", field.text),
                        ));
                    }
                };
                *place = Some(value.clone());
                Ok(())
            }
            Filter::Not(_) | Filter::Compare { .. } => Err(ApiError::bad(
                "MALFORMED_QUERY",
                "Only equals comparisons permitted",
            )),
        }
    }
}
