//! Associations by the batch: create, default, read, archive, take labels off.

use super::{
    associations::{bits, direction, ends, full, records, told_pair, told_types},
    batch::{IdOnly, TypeDraft, check_size},
    call::Call,
    catalog::Catalog,
    errors::{Answer, ApiError, Reply, parse},
    pairs::{Labels, PLAIN, TypeIndex},
    told,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const CREATE_MAX: usize = 2000;
pub(super) const READ_MAX: usize = 1000;
/// Links of one record in one answer.
pub(super) const PAGE: usize = 500;

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>, from: &str, to: &str, rest: &[&str]) -> Option<Answer> {
    Some(match rest {
        ["create"] => create(call, from, to),
        ["associate", "default"] => associate_default(call, from, to),
        ["read"] => read(call, from, to),
        ["archive"] => archive(call, from, to),
        ["labels", "archive"] => archive_labels(call, from, to),
        _ => return None,
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct Inputs<T> {
    pub(super) inputs: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct PairDraft<'a> {
    #[serde(borrow)]
    from: IdOnly<'a>,
    #[serde(borrow)]
    to: IdOnly<'a>,
    #[serde(default)]
    types: Vec<TypeDraft>,
}

/// In another order than they came in.
pub(super) fn shuffled(call: &Call<'_>, results: &[Value]) -> Vec<Value> {
    call.portal
        .dice
        .order(results.len())
        .into_iter()
        .map(|at| results[at].clone())
        .collect()
}

pub(super) fn reply(call: &Call<'_>, success: u16, results: &[Value], errors: Vec<Value>) -> Reply {
    let status = if errors.is_empty() {
        success
    } else {
        call.mixed_status()
    };
    Reply::raw(
        status,
        told::batch_of(results, errors, call.now_ms, call.portal.clock.now_ms()),
    )
}

/// Answers without content, or with an empty batch in the dated versions.
fn gone(call: &Call<'_>) -> Reply {
    if call.version.is_dated() {
        reply(call, 200, &[], Vec::new())
    } else {
        Reply::no_content()
    }
}

/// A pair's labels become those of the last input about it.
fn create(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let batch: Inputs<PairDraft<'_>> = parse(call.body)?;
    check_size(batch.inputs.len(), CREATE_MAX)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    call.need_edit_associations()?;
    let types: Vec<u64> = batch
        .inputs
        .iter()
        .map(|input| bits(&catalog, (from, to), &input.types))
        .collect::<Result<_, ApiError>>()?;
    let (mut results, mut errors) = (Vec::with_capacity(batch.inputs.len()), Vec::new());
    for (input, types) in batch.inputs.iter().zip(types) {
        match link(call, &mut catalog, (from, to), input, types, Labels::Replace) {
            Ok((from_id, to_id)) => results.push(told_pair(&catalog, (from, from_id), (to, to_id))),
            Err(error) => errors.push(error.into_item()),
        }
    }
    // Since 2026-09 a batch declares a single status for success.
    let success = if call.version.is_2026_09() { 200 } else { 201 };
    Ok(reply(call, success, &shuffled(call, &results), errors))
}

fn link(
    call: &Call<'_>,
    catalog: &mut Catalog,
    (from, to): (TypeIndex, TypeIndex),
    input: &PairDraft<'_>,
    types: u64,
    labels: Labels,
) -> Result<(u64, u64), ApiError> {
    let (from_id, to_id) = records(catalog, (from, to), (&input.from.id, &input.to.id))?;
    let linked = catalog.pairs.link((from, from_id), (to, to_id), types, labels);
    if linked.map_err(|reached| full(from_id, to_id, reached.limit))? {
        call.portal.stats.records("associated", 1);
    }
    Ok((from_id, to_id))
}

/// The plain type in both directions of a pair, as the default endpoints tell it.
pub(super) fn told_default(
    catalog: &Catalog,
    (from, from_id): (TypeIndex, u64),
    (to, to_id): (TypeIndex, u64),
) -> Vec<Value> {
    let row = |from, from_id: u64, to, to_id: u64| {
        let plain = catalog
            .pairs
            .direction(from, to)
            .and_then(|direction| direction.types.first())?;
        Some(json!({
            "from": { "id": from_id.to_string() }, "to": { "id": to_id.to_string() },
            "associationSpec": {
                "associationCategory": plain.category.as_str(), "associationTypeId": plain.type_id,
            },
        }))
    };
    [row(from, from_id, to, to_id), row(to, to_id, from, from_id)]
        .into_iter()
        .flatten()
        .collect()
}

fn associate_default(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let batch: Inputs<PairDraft<'_>> = parse(call.body)?;
    check_size(batch.inputs.len(), CREATE_MAX)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    call.need_edit_associations()?;
    direction(&catalog, from, to)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &batch.inputs {
        match link(call, &mut catalog, (from, to), input, PLAIN, Labels::Keep) {
            Ok((from_id, to_id)) => results.extend(told_default(&catalog, (from, from_id), (to, to_id))),
            Err(error) => errors.push(error.into_item()),
        }
    }
    Ok(reply(call, 200, &shuffled(call, &results), errors))
}

#[derive(Debug, Deserialize)]
struct ReadDraft<'a> {
    #[serde(borrow)]
    id: super::json::Text<'a>,
    after: Option<String>,
}

/// A record's links after a cursor, a page of them, and the next cursor.
pub(super) fn page(
    direction: &super::links::Direction,
    from: u64,
    after: Option<&str>,
    most: usize,
) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let after: u64 = match after.filter(|after| !after.is_empty()) {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::validation(format!("Invalid cursor: {text}")))?,
    };
    let links = direction.links(from);
    let links = &links[links.partition_point(|link| link.to < after)..];
    let shown = &links[..links.len().min(most)];
    let told = shown
        .iter()
        .map(|link| json!({ "toObjectId": link.to, "associationTypes": told_types(direction, link.types) }))
        .collect();
    let next = shown
        .last()
        .filter(|_| links.len() > shown.len())
        .map(|last| (last.to + 1).to_string());
    Ok((told, next))
}

fn read(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let batch: Inputs<ReadDraft<'_>> = parse(call.body)?;
    check_size(batch.inputs.len(), READ_MAX)?;
    let catalog = call.portal.catalog.read();
    let (from, to) = ends(call, &catalog, from, to, false)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &batch.inputs {
        let id = input.id.parse::<u64>().ok();
        let direction = catalog.pairs.direction(from, to);
        let found = match (id, direction) {
            (Some(id), Some(direction)) => page(direction, id, input.after.as_deref(), PAGE)?,
            _ => (Vec::new(), None),
        };
        if found.0.is_empty() {
            errors.push(nothing_found(&catalog, from, to, &input.id));
            continue;
        }
        let mut told = json!({ "from": { "id": &*input.id }, "to": found.0 });
        if let Some(after) = found.1 {
            told["paging"] = json!({ "next": { "after": after, "link": call.next_link(&after) } });
        }
        results.push(told);
    }
    Ok(reply(call, 200, &shuffled(call, &results), errors))
}

pub(super) fn nothing_found(catalog: &Catalog, from: TypeIndex, to: TypeIndex, id: &str) -> Value {
    let name = |at: TypeIndex| catalog.table(at).definition.name.to_lowercase();
    ApiError::not_found(format!("No {} is associated with {} {id}.", name(to), name(from)))
        .sub_category("crm.associations.NO_ASSOCIATIONS_FOUND")
        .context("fromObjectId", &[id])
        .context("fromObjectType", &[name(from)])
        .context("toObjectType", &[name(to)])
        .into_item()
}

fn archive(call: &Call<'_>, from: &str, to: &str) -> Answer {
    #[derive(Debug, Deserialize)]
    struct Draft<'a> {
        #[serde(borrow)]
        from: IdOnly<'a>,
        #[serde(borrow)]
        to: Vec<IdOnly<'a>>,
    }
    let batch: Inputs<Draft<'_>> = parse(call.body)?;
    check_size(batch.inputs.len(), call.habits.behaviour.association_archive_max)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    call.need_edit_associations()?;
    let mut removed = 0;
    for input in &batch.inputs {
        for other in &input.to {
            let (Ok(from_id), Ok(to_id)) = (input.from.id.parse(), other.id.parse()) else {
                continue;
            };
            removed += u64::from(catalog.pairs.unlink((from, from_id), (to, to_id)));
        }
    }
    call.portal.stats.records("dissociated", removed);
    Ok(gone(call))
}

fn archive_labels(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let batch: Inputs<PairDraft<'_>> = parse(call.body)?;
    check_size(batch.inputs.len(), call.habits.behaviour.association_archive_max)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    call.need_edit_associations()?;
    for input in &batch.inputs {
        let named = bits(&catalog, (from, to), &input.types)?;
        // The plain type counts only when it is named.
        let direction = direction(&catalog, from, to)?;
        let plain = direction
            .types
            .first()
            .map(|plain| (plain.category.as_str(), plain.type_id));
        let names_plain = input
            .types
            .iter()
            .any(|draft| Some((draft.association_category.as_str(), draft.association_type_id)) == plain);
        let types = if names_plain { named } else { named & !PLAIN };
        let (Ok(from_id), Ok(to_id)) = (input.from.id.parse(), input.to.id.parse()) else {
            continue;
        };
        if catalog.pairs.unlabel((from, from_id), (to, to_id), types) {
            call.portal.stats.records("dissociated", 1);
        }
    }
    Ok(gone(call))
}
