//! `/crm/objects/…/{id}/associations/…`: the associations of one record.

use super::{
    association_batches::{PAGE, page, told_default},
    association_v3,
    associations::{bits, direction, ends, full, records, told_pair},
    batch::TypeDraft,
    call::Call,
    errors::{Answer, ApiError, Reply, parse},
    pairs::{Labels, PLAIN},
    told,
    version::Version,
};
use serde_json::json;

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>, from: &str, id: &str, rest: &[&str]) -> Option<Answer> {
    if call.version == Version::V3 {
        return association_v3::serve_record(call, (from, id), rest);
    }
    Some(match (call.method, rest) {
        ("PUT", ["default", to, other]) => put(call, (from, id), (to, other), None),
        ("PUT", [to, other]) => parse(call.body)
            .and_then(|types: Vec<TypeDraft>| put(call, (from, id), (to, other), Some(&types))),
        ("DELETE", [to, other]) => delete(call, (from, id), (to, other)),
        // 2026-09 does not have this one.
        ("GET", [to]) if matches!(call.version, Version::V4 | Version::Dated2026March) => {
            list(call, (from, id), to)
        }
        _ => return None,
    })
}

fn put(
    call: &Call<'_>,
    (from, id): (&str, &str),
    (to, other): (&str, &str),
    types: Option<&[TypeDraft]>,
) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    call.need_edit_associations()?;
    let bits = match types {
        Some(types) => bits(&catalog, (from, to), types)?,
        None => direction(&catalog, from, to).map(|_| PLAIN)?,
    };
    let (from_id, to_id) = records(&catalog, (from, to), (id, other))?;
    let labels = if types.is_some() {
        Labels::Replace
    } else {
        Labels::Keep
    };
    let linked = catalog.pairs.link((from, from_id), (to, to_id), bits, labels);
    if linked.map_err(|reached| full(from_id, to_id, reached.limit))? {
        call.portal.stats.records("associated", 1);
    }
    if types.is_some() {
        return Ok(Reply::json(
            201,
            &told_pair(&catalog, (from, from_id), (to, to_id)),
        ));
    }
    let results = told_default(&catalog, (from, from_id), (to, to_id));
    let out = told::batch_of(&results, Vec::new(), call.now_ms, call.portal.clock.now_ms());
    Ok(Reply::raw(200, out))
}

fn delete(call: &Call<'_>, (from, id): (&str, &str), (to, other): (&str, &str)) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    call.need_edit_associations()?;
    if let (Ok(id), Ok(other)) = (id.parse(), other.parse())
        && catalog.pairs.unlink((from, id), (to, other))
    {
        call.portal.stats.records("dissociated", 1);
    }
    Ok(Reply::no_content())
}

fn list(call: &Call<'_>, (from, id): (&str, &str), to: &str) -> Answer {
    let catalog = call.portal.catalog.read();
    let (from, to) = ends(call, &catalog, from, to, false)?;
    let row = id
        .parse()
        .ok()
        .filter(|id| catalog.table(from).row(*id).is_some());
    let Some(id) = row else {
        return Err(
            ApiError::not_found("Object not found.  objectId are usually numeric.").context("id", &[id]),
        );
    };
    let most = match call.query.get("limit").filter(|limit| !limit.is_empty()) {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE).contains(limit))
            .ok_or_else(|| ApiError::validation(format!("Invalid limit: {text}")))?,
    };
    let (results, next) = match catalog.pairs.direction(from, to) {
        Some(direction) => page(direction, id, call.query.get("after"), most)?,
        None => (Vec::new(), None),
    };
    let mut told = json!({ "results": results });
    if let Some(after) = next {
        told["paging"] = json!({ "next": { "after": after, "link": call.next_link(&after) } });
    }
    Ok(Reply::json(200, &told))
}
