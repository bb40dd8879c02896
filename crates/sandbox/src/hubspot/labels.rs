//! `/crm/associations/…/labels`: what associations between two object types are called.

use super::{
    associations::{direction, ends},
    call::Call,
    catalog::Catalog,
    errors::{Answer, ApiError, Reply, parse},
    links::{AssociationType, Category},
    pairs::TypeIndex,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Bits of a link's types, less the plain and the primary one.
const SLOTS_MAX: usize = 62;

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>, from: &str, to: &str, rest: &[&str]) -> Option<Answer> {
    Some(match (call.method, rest) {
        ("GET", []) => list(call, from, to),
        ("POST", []) => create(call, from, to),
        ("PUT", []) => update(call, from, to),
        ("DELETE", [type_id]) => delete(call, from, to, type_id),
        _ => return None,
    })
}

fn told(described: &AssociationType) -> Value {
    json!({
        "category": described.category.as_str(), "typeId": described.type_id, "label": described.label,
    })
}

fn list(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let catalog = call.portal.catalog.read();
    let (from, to) = ends(call, &catalog, from, to, false)?;
    let direction = catalog.pairs.direction(from, to);
    let types = direction
        .map(|direction| direction.types.as_slice())
        .unwrap_or_default();
    let results: Vec<Value> = types
        .iter()
        .filter(|described| !described.deleted)
        .map(told)
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Draft {
    name: String,
    label: String,
    inverse_label: Option<String>,
}

fn check_name(catalog: &Catalog, name: &str) -> Result<(), ApiError> {
    let starts_badly = name.bytes().next().is_none_or(|first| first.is_ascii_digit());
    if starts_badly || name.contains('-') {
        let message = format!("Label name '{name}' is invalid: no hyphens, and no digit in front");
        return Err(ApiError::validation(message));
    }
    let taken = catalog.pairs.all().any(|(_, _, direction)| {
        direction
            .types
            .iter()
            .any(|described| !described.deleted && described.name == name)
    });
    if taken {
        return Err(ApiError::validation(format!(
            "An association named '{name}' already exists"
        )));
    }
    Ok(())
}

fn create(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let draft: Draft = parse(call.body)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    let there = direction(&catalog, from, to)?;
    check_name(&catalog, &draft.name)?;
    let labels = there
        .types
        .iter()
        .filter(|described| described.custom_label && !described.deleted)
        .count();
    let most = call.habits.behaviour.labels_max;
    if labels >= most || there.types.len() >= SLOTS_MAX {
        let message = format!(
            "No more than {most} association types are allowed between {} and {}",
            catalog.table(from).type_id,
            catalog.table(to).type_id
        );
        return Err(ApiError::new(437, message));
    }
    let taken = there.types.iter().any(|described| {
        !described.deleted
            && described
                .label
                .as_deref()
                .is_some_and(|label| label.eq_ignore_ascii_case(&draft.label))
    });
    if taken {
        let message = format!(
            "A label '{}' already exists between these object types",
            draft.label
        );
        return Err(ApiError::validation(message));
    }
    let (max_there, max_back) = (limit(&catalog, from, to), limit(&catalog, to, from));
    let there = catalog.user_type(Some(&draft.label), &draft.name, max_there, call.now_ms);
    // Between a type and itself, a label without an inverse reads the same from both ends.
    let back = (from != to || draft.inverse_label.is_some()).then(|| {
        let label = draft.inverse_label.as_deref().unwrap_or(&draft.label);
        catalog.user_type(
            Some(label),
            &format!("{}_inverse", draft.name),
            max_back,
            call.now_ms,
        )
    });
    let results: Vec<Value> = back.iter().chain([&there]).map(told).collect();
    catalog.pairs.define(from, to, there, back);
    Ok(Reply::json(200, &json!({ "results": results })))
}

fn limit(catalog: &Catalog, from: TypeIndex, to: TypeIndex) -> u32 {
    let direction = catalog.pairs.direction(from, to);
    direction
        .and_then(|direction| direction.types.first())
        .map_or(1, |plain| plain.max_to)
}

/// Where a label of one's own is.
fn position(catalog: &Catalog, from: TypeIndex, to: TypeIndex, type_id: u32) -> Result<usize, ApiError> {
    let direction = direction(catalog, from, to)?;
    let found = direction
        .find(Category::User, type_id)
        .filter(|at| direction.types[*at].custom_label);
    found.ok_or_else(|| {
        ApiError::validation(format!(
            "Association type {type_id} is no label that can be changed"
        ))
    })
}

fn update(call: &Call<'_>, from: &str, to: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Change {
        association_type_id: u32,
        label: String,
        inverse_label: Option<String>,
    }
    let change: Change = parse(call.body)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    let at = position(&catalog, from, to, change.association_type_id)?;
    let there = &mut catalog.pairs.direction_mut(from, to).types[at];
    there.label = Some(change.label.clone());
    let inverse = usize::from(there.inverse);
    let back = &mut catalog.pairs.direction_mut(to, from).types[inverse];
    back.label = Some(change.inverse_label.unwrap_or(change.label));
    Ok(Reply::no_content())
}

fn delete(call: &Call<'_>, from: &str, to: &str, type_id: &str) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    let number = type_id
        .parse()
        .map_err(|_| ApiError::validation(format!("{type_id} is not a valid ID")))?;
    let at = position(&catalog, from, to, number)?;
    let direction = direction(&catalog, from, to)?;
    if direction
        .all()
        .any(|(_, links)| links.iter().any(|link| link.types >> at & 1 == 1))
    {
        let message = format!("Association type {number} is in use and cannot be deleted");
        return Err(ApiError::validation(message));
    }
    remove(&mut catalog, (from, to), at);
    Ok(Reply::no_content())
}

/// Takes a type of association away in both directions; with the plain one, all links go.
pub(super) fn remove(catalog: &mut Catalog, (from, to): (TypeIndex, TypeIndex), position: usize) {
    let direction = catalog.pairs.direction_mut(from, to);
    let inverse = usize::from(direction.types[position].inverse);
    let linked: Vec<(u64, u64)> = direction
        .all()
        .flat_map(|(from, links)| links.iter().map(move |link| (from, link.to)))
        .collect();
    for (from_id, to_id) in linked {
        catalog.pairs.unlabel((from, from_id), (to, to_id), 1 << position);
    }
    if position == 0 {
        catalog.pairs.direction_mut(from, to).types.clear();
        catalog.pairs.direction_mut(to, from).types.clear();
        return;
    }
    catalog.pairs.direction_mut(from, to).types[position].deleted = true;
    catalog.pairs.direction_mut(to, from).types[inverse].deleted = true;
}
