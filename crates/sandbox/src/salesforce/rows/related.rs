//! Records by relationship: `/sobjects/Vehicle__c/<id>/Depot__r` and `/sobjects/Depot__c/<id>/Vehicles__r`.

use super::{Action, Reply, existing, read, shape_of};
use crate::salesforce::{
    errors::ApiError, ids::RecordId, reader::Reader, soql::write_record, store::Org, value::Value,
};
use http::StatusCode;
use std::fmt::Write as _;

/// The most children of one answer.
const MOST: usize = 2000;

/// The record above, or the records below, along a relationship.
pub(super) fn look(
    org: &Org,
    object: usize,
    id: &str,
    way: &str,
    action: &Action<'_>,
) -> Result<Reply, ApiError> {
    let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?;
    let record = existing(org, object, id)?;
    let reader = Reader::new(org, action.now_ms);
    let definition = &org.schema().objects[object];
    if let Some(field) = definition.relationship(way) {
        let Value::Id(above) = *reader.own(object, record, field) else {
            return Err(ApiError::not_found());
        };
        let (parent, _) = org.find(above).ok_or_else(ApiError::not_found)?;
        return read(org, parent, existing(org, parent, above)?, action);
    }
    let link = definition.children.iter().find(|link| {
        let name = link.name.as_deref();
        name.is_some_and(|name| name.eq_ignore_ascii_case(way))
    });
    let link = link.ok_or_else(ApiError::not_found)?;
    let names = action
        .fields
        .map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
    let shape = shape_of(org.schema(), link.object, names.as_deref())?;
    let table = org.table(link.object);
    let rows = table.children(link.field, id).unwrap_or_default();
    let children: Vec<_> = rows
        .into_iter()
        .filter_map(|row| table.row(row))
        .filter(|child| child.deleted.is_none())
        .take(MOST)
        .collect();
    let mut body = String::new();
    let _ = write!(
        body,
        "{{\"totalSize\":{},\"done\":true,\"records\":[",
        children.len()
    );
    for (position, child) in children.iter().enumerate() {
        if position > 0 {
            body.push(',');
        }
        write_record(&mut body, &reader, link.object, child, &shape, action.version);
    }
    body.push_str("]}");
    Ok(Reply {
        status: StatusCode::OK,
        body,
    })
}
