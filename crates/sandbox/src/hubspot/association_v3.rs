//! Associations as v3 has them: types by name or number instead of category, and no pages.
//!
//! The dated versions and v4 know labels; these paths are what older clients still call.

use super::{
    association_batches::{CREATE_MAX, Inputs, READ_MAX, nothing_found, reply, shuffled},
    associations::{direction, ends, full, records},
    batch::{IdOnly, check_size},
    call::Call,
    catalog::Catalog,
    errors::{Answer, ApiError, Reply, parse},
    json::Text,
    links::{AssociationType, Direction},
    pairs::{Labels, PLAIN, TypeIndex},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// `/crm/v3/associations/{from}/{to}/…`.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    Some(match (call.method, call.rest) {
        ("POST", [from, to, "batch", "create"]) => create(call, from, to),
        ("POST", [from, to, "batch", "read"]) => read(call, from, to),
        ("POST", [from, to, "batch", "archive"]) => archive(call, from, to),
        ("GET", [from, to, "types"]) => types(call, from, to),
        _ => return None,
    })
}

/// `/crm/v3/objects/{from}/{id}/associations/{to}/…`.
pub(super) fn serve_record(call: &Call<'_>, (from, id): (&str, &str), rest: &[&str]) -> Option<Answer> {
    Some(match (call.method, rest) {
        ("GET", [to]) => list(call, (from, id), to),
        ("PUT", [to, other, of_type]) => put(call, (from, id), (to, other), of_type),
        ("DELETE", [to, other, of_type]) => delete(call, (from, id), (to, other), of_type),
        _ => return None,
    })
}

#[derive(Debug, Deserialize)]
struct PairDraft<'a> {
    #[serde(borrow)]
    from: IdOnly<'a>,
    #[serde(borrow)]
    to: IdOnly<'a>,
    #[serde(borrow, rename = "type")]
    of_type: Text<'a>,
}

/// A type's name here.
fn name(described: &AssociationType) -> String {
    described.name.to_lowercase()
}

/// The bit of the type that a name or a number means.
fn bit(catalog: &Catalog, (from, to): (TypeIndex, TypeIndex), wanted: &str) -> Result<u64, ApiError> {
    let found = direction(catalog, from, to)?.types.iter().position(|described| {
        !described.deleted
            && (described.name.eq_ignore_ascii_case(wanted) || described.type_id.to_string() == wanted)
    });
    found.map(|at| 1 << at).ok_or_else(|| {
        let (from, to) = (&catalog.table(from).type_id, &catalog.table(to).type_id);
        ApiError::validation(format!(
            "{wanted} is not a valid association type between {from} and {to}"
        ))
        .context("type", &[wanted])
    })
}

/// Links two records under a type, which joins those that they have.
fn link(
    call: &Call<'_>,
    catalog: &mut Catalog,
    (from, to): (TypeIndex, TypeIndex),
    (from_id, to_id): (&str, &str),
    bit: u64,
) -> Result<(), ApiError> {
    let (from_id, to_id) = records(catalog, (from, to), (from_id, to_id))?;
    let kept = catalog
        .pairs
        .direction(from, to)
        .and_then(|direction| direction.get(from_id, to_id))
        .map_or(0, |link| link.types);
    let linked = catalog
        .pairs
        .link((from, from_id), (to, to_id), PLAIN | bit | kept, Labels::Replace);
    if linked.map_err(|reached| full(from_id, to_id, reached.limit))? {
        call.portal.stats.records("associated", 1);
    }
    Ok(())
}

/// Takes a type off two records; what is not there is as good as gone.
fn unlink(
    call: &Call<'_>,
    catalog: &mut Catalog,
    (from, to): (TypeIndex, TypeIndex),
    (from_id, to_id): (&str, &str),
    bit: u64,
) {
    if let (Ok(from_id), Ok(to_id)) = (from_id.parse(), to_id.parse())
        && catalog.pairs.unlabel((from, from_id), (to, to_id), bit)
    {
        call.portal.stats.records("dissociated", 1);
    }
}

fn create(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let batch: Inputs<PairDraft<'_>> = parse(call.body)?;
    check_size(batch.inputs.len(), CREATE_MAX)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    let bits: Vec<u64> = batch
        .inputs
        .iter()
        .map(|input| bit(&catalog, (from, to), &input.of_type))
        .collect::<Result<_, ApiError>>()?;
    let (mut results, mut errors) = (Vec::with_capacity(bits.len()), Vec::new());
    for (input, bit) in batch.inputs.iter().zip(bits) {
        let ids = (&*input.from.id, &*input.to.id);
        match link(call, &mut catalog, (from, to), ids, bit) {
            Ok(()) => results.push(json!({
                "from": { "id": ids.0 }, "to": { "id": ids.1 }, "type": &*input.of_type,
            })),
            Err(error) => errors.push(error.into_item()),
        }
    }
    Ok(reply(call, 201, &shuffled(call, &results), errors))
}

/// A record's links, a row for each of their types.
fn rows(direction: &Direction, from: u64) -> Vec<Value> {
    let links = direction.links(from).iter();
    links
        .flat_map(|link| {
            let described = direction.described(link.types);
            described.map(|described| json!({ "id": link.to.to_string(), "type": name(described) }))
        })
        .collect()
}

fn read(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let batch: Inputs<IdOnly<'_>> = parse(call.body)?;
    check_size(batch.inputs.len(), READ_MAX)?;
    let catalog = call.portal.catalog.read();
    let (from, to) = ends(call, &catalog, from, to, false)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &batch.inputs {
        let id = input.id.parse::<u64>().ok();
        let rows = match (id, catalog.pairs.direction(from, to)) {
            (Some(id), Some(direction)) => rows(direction, id),
            _ => Vec::new(),
        };
        if rows.is_empty() {
            errors.push(nothing_found(&catalog, from, to, &input.id));
        } else {
            results.push(json!({ "from": { "id": &*input.id }, "to": rows }));
        }
    }
    Ok(reply(call, 200, &shuffled(call, &results), errors))
}

fn archive(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let batch: Inputs<PairDraft<'_>> = parse(call.body)?;
    check_size(batch.inputs.len(), call.habits.behaviour.association_archive_max)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    for input in &batch.inputs {
        let bit = bit(&catalog, (from, to), &input.of_type)?;
        unlink(
            call,
            &mut catalog,
            (from, to),
            (&input.from.id, &input.to.id),
            bit,
        );
    }
    Ok(Reply::no_content())
}

fn types(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let catalog = call.portal.catalog.read();
    let (from, to) = ends(call, &catalog, from, to, false)?;
    let results: Vec<Value> = direction(&catalog, from, to)?
        .types
        .iter()
        .filter(|described| !described.deleted)
        .map(|described| json!({ "id": described.type_id.to_string(), "name": name(described) }))
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

fn list(call: &Call<'_>, (from, id): (&str, &str), to: &str) -> Answer {
    let catalog = call.portal.catalog.read();
    let (from, to) = ends(call, &catalog, from, to, false)?;
    let row = id
        .parse()
        .ok()
        .filter(|id| catalog.table(from).row(*id).is_some());
    let Some(id) = row else {
        let message = "Object not found.  objectId are usually numeric.";
        return Err(ApiError::not_found(message).context("id", &[id]));
    };
    let direction = catalog.pairs.direction(from, to);
    let results = direction.map(|direction| rows(direction, id)).unwrap_or_default();
    Ok(Reply::json(200, &json!({ "results": results })))
}

fn put(call: &Call<'_>, (from, id): (&str, &str), (to, other): (&str, &str), of_type: &str) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    let bit = bit(&catalog, (from, to), of_type)?;
    link(call, &mut catalog, (from, to), (id, other), bit)?;
    let table = catalog.table(from);
    let Some(row) = id.parse().ok().and_then(|id| table.row(id)) else {
        return Err(ApiError::not_found(
            "Object not found.  objectId are usually numeric.",
        ));
    };
    let teller = super::told::Teller {
        table,
        portal_id: call.habits.portal_id,
    };
    let mut out = Vec::with_capacity(512);
    teller.read(&mut out, row, None, &table.by_default, &[]);
    out.push(b'}');
    Ok(Reply::raw(200, out))
}

fn delete(call: &Call<'_>, (from, id): (&str, &str), (to, other): (&str, &str), of_type: &str) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    let bit = bit(&catalog, (from, to), of_type)?;
    unlink(call, &mut catalog, (from, to), (id, other), bit);
    Ok(Reply::no_content())
}
