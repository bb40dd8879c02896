//! `/crm/associations/…`: which call goes where, and what all of them look up first.

use super::{
    association_batches, association_v3,
    batch::TypeDraft,
    call::Call,
    catalog::Catalog,
    configurations,
    errors::{Answer, ApiError, Reply},
    labels,
    links::{Category, Direction},
    pairs::{PLAIN, TypeIndex},
    version::Version,
};
use serde_json::{Value, json};

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    if call.version == Version::V3 {
        return association_v3::serve(call);
    }
    match (call.method, call.rest) {
        (_, ["definitions", "configurations", rest @ ..]) => configurations::serve(call, rest),
        ("POST", ["usage", "high-usage-report", user]) => {
            let told = json!({
                "enqueueTime": { "dateOnly": false, "timeZoneShift": 0, "value": call.now_ms / 1000 },
                "userEmail": "sandbox@example.com", "userId": user.parse::<i64>().unwrap_or(1),
            });
            Some(Ok(Reply::json(200, &told)))
        }
        (_, [from, to, "labels", rest @ ..]) => labels::serve(call, from, to, rest),
        ("POST", [from, to, "batch", rest @ ..]) => association_batches::serve(call, from, to, rest),
        _ => None,
    }
}

/// The two object types of a path, once the caller may touch them.
pub(super) fn ends(
    call: &Call<'_>,
    catalog: &Catalog,
    from: &str,
    to: &str,
    write: bool,
) -> Result<(TypeIndex, TypeIndex), ApiError> {
    let (from, to) = (catalog.find(from)?, catalog.find(to)?);
    call.need_either(catalog.table(from), catalog.table(to), write)?;
    Ok((from, to))
}

/// A pair's definitions in one direction: without any, the two cannot be associated.
pub(super) fn direction(catalog: &Catalog, from: TypeIndex, to: TypeIndex) -> Result<&Direction, ApiError> {
    catalog.pairs.direction(from, to).ok_or_else(|| {
        let (from, to) = (&catalog.table(from).type_id, &catalog.table(to).type_id);
        ApiError::validation(format!(
            "No association definition exists between {from} and {to}"
        ))
    })
}

/// The bits of posted types, the plain one always among them.
pub(super) fn bits(
    catalog: &Catalog,
    (from, to): (TypeIndex, TypeIndex),
    drafts: &[TypeDraft],
) -> Result<u64, ApiError> {
    let direction = direction(catalog, from, to)?;
    if drafts.is_empty() {
        return Err(ApiError::validation("At least one association type is required"));
    }
    drafts.iter().try_fold(PLAIN, |bits, draft| {
        let category = Category::parse(&draft.association_category);
        let position = category.and_then(|category| direction.find(category, draft.association_type_id));
        position.map(|position| bits | 1 << position).ok_or_else(|| {
            let message = format!(
                "Association type {} of category {} is not valid between {} and {}",
                draft.association_type_id,
                draft.association_category,
                catalog.table(from).type_id,
                catalog.table(to).type_id
            );
            ApiError::validation(message)
        })
    })
}

/// The live records that two ids name, or the item that says why not.
pub(super) fn records(
    catalog: &Catalog,
    (from_type, to_type): (TypeIndex, TypeIndex),
    (from, to): (&str, &str),
) -> Result<(u64, u64), ApiError> {
    let number = |id: &str| {
        id.parse::<u64>().map_err(|_| {
            ApiError::validation(format!("{id} is not a valid ID"))
                .sub_category("crm.associations.INVALID_IDENTIFIER")
                .context("id", &[id])
        })
    };
    let (from_id, to_id) = (number(from)?, number(to)?);
    if from_type == to_type && from_id == to_id {
        let message = format!("Object {from_id} cannot be associated to itself ({from_id})");
        return Err(ApiError::validation(message));
    }
    let exists = |of: TypeIndex, id: u64, side: &str, key: &str| {
        let table = catalog.table(of);
        table.row(id).map(|_| ()).ok_or_else(|| {
            ApiError::not_found(format!(
                "No {} with ID {id} exists",
                table.definition.name.to_lowercase()
            ))
            .sub_category(&format!("crm.associations.{side}_OBJECT_NOT_FOUND"))
            .context(key, &[id.to_string()])
        })
    };
    exists(from_type, from_id, "FROM", "fromObjectId")?;
    exists(to_type, to_id, "TO", "toObjectId")?;
    Ok((from_id, to_id))
}

/// A record that is full.
pub(super) fn full(from: u64, to: u64, limit: u32) -> ApiError {
    ApiError::validation(format!(
        "Associating {from} and {to} would exceed the maximum of {limit} associations of a record"
    ))
    .sub_category("crm.associations.ASSOCIATION_LIMIT_EXCEEDED")
    .context("fromObjectId", &[from.to_string()])
    .context("toObjectId", &[to.to_string()])
}

/// A link's types as reads tell them.
pub(super) fn told_types(direction: &Direction, types: u64) -> Vec<Value> {
    direction
        .described(types)
        .map(|described| {
            json!({
                "category": described.category.as_str(), "typeId": described.type_id, "label": described.label,
            })
        })
        .collect()
}

/// A link as writes tell it: ids are numbers here.
pub(super) fn told_pair(
    catalog: &Catalog,
    (from_type, from): (TypeIndex, u64),
    (to_type, to): (TypeIndex, u64),
) -> Value {
    let direction = catalog.pairs.direction(from_type, to_type);
    let labels: Vec<&str> = direction
        .and_then(|direction| Some((direction, direction.get(from, to)?)))
        .map(|(direction, link)| {
            direction
                .described(link.types)
                .filter_map(|described| described.label.as_deref())
                .collect()
        })
        .unwrap_or_default();
    json!({
        "fromObjectTypeId": catalog.table(from_type).type_id, "fromObjectId": from,
        "toObjectTypeId": catalog.table(to_type).type_id, "toObjectId": to, "labels": labels,
    })
}
