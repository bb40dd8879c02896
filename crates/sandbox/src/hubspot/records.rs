//! `/crm/objects/…`: which call goes where, and the calls about one record.

use super::{
    association_pairs,
    batch::{AssociationDraft, Deed, INPUTS_MAX, IdOnly, check_size},
    call::Call,
    catalog::Catalog,
    errors::{Answer, ApiError, Reply, missing_fields, parse},
    json::Properties,
    merge,
    pairs::TypeIndex,
    plan::Planner,
    read, search,
    told::{Extras, Teller},
    write,
};
use serde::Deserialize;

/// Leads a call to its end. `None`: there is no such place.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    Some(match (call.method, call.rest) {
        ("POST", [of, "batch", "create"]) => write_batch(call, of, Deed::Create),
        ("POST", [of, "batch", "update"]) => write_batch(call, of, Deed::Update),
        ("POST", [of, "batch", "upsert"]) => write_batch(call, of, Deed::Upsert),
        ("POST", [of, "batch", "read"]) => reading(call, of, read::batch),
        ("POST", [of, "batch", "archive"]) => archive_batch(call, of),
        ("POST", [of, "search"]) => reading(call, of, search::search),
        ("POST", [of, "merge"]) => merge::merge(call, of),
        ("POST", [of, "gdpr-delete"]) => gdpr_delete(call, of),
        ("GET", [of]) => reading(call, of, read::list),
        ("POST", [of]) => create(call, of),
        ("GET", [of, id]) => reading(call, of, |call, catalog, at| read::single(call, catalog, at, id)),
        ("PATCH", [of, id]) => update(call, of, id),
        ("DELETE", [of, id]) => archive(call, of, id),
        (_, [of, id, "associations", rest @ ..]) => return association_pairs::serve(call, of, id, rest),
        _ => return None,
    })
}

fn reading(call: &Call<'_>, of: &str, read: impl Fn(&Call<'_>, &Catalog, TypeIndex) -> Answer) -> Answer {
    let catalog = call.portal.catalog.read();
    let at = catalog.find(of)?;
    call.need_objects(catalog.table(at), false)?;
    read(call, &catalog, at)
}

/// The type that a writing call is about, once it may write.
pub(super) fn writable(call: &Call<'_>, of: &str) -> Result<TypeIndex, ApiError> {
    let catalog = call.portal.catalog.read();
    let at = catalog.find(of)?;
    call.need_objects(catalog.table(at), true)?;
    Ok(at)
}

fn write_batch(call: &Call<'_>, of: &str, deed: Deed) -> Answer {
    write::batch(call, writable(call, of)?, deed)
}

#[derive(Debug, Deserialize)]
struct One<'a> {
    #[serde(borrow)]
    properties: Option<Properties<'a>>,
    #[serde(borrow)]
    associations: Option<Vec<AssociationDraft<'a>>>,
}

fn create(call: &Call<'_>, of: &str) -> Answer {
    let at = writable(call, of)?;
    let one: One<'_> = parse(call.body)?;
    let Some(properties) = &one.properties else {
        return Err(missing_fields(&["properties"]));
    };
    write_one(
        call,
        at,
        None,
        properties,
        one.associations.as_deref().unwrap_or_default(),
    )
}

fn update(call: &Call<'_>, of: &str, id: &str) -> Answer {
    let at = writable(call, of)?;
    let one: One<'_> = parse(call.body)?;
    let Some(properties) = &one.properties else {
        return Err(missing_fields(&["properties"]));
    };
    if properties.0.is_empty() {
        return Err(ApiError::new(
            400,
            "No properties found to update, please provide at least one.",
        ));
    }
    write_one(call, at, Some(id), properties, &[])
}

fn write_one(
    call: &Call<'_>,
    at: TypeIndex,
    id: Option<&str>,
    properties: &Properties<'_>,
    associations: &[AssociationDraft<'_>],
) -> Answer {
    let config = &call.habits;
    let mut catalog = call.portal.catalog.write();
    let target = id
        .map(|id| read::named_row(call, catalog.table(at), id, false))
        .transpose()?;
    let deed = if target.is_some() {
        Deed::Update
    } else {
        Deed::Create
    };
    let table = catalog.table(at);
    let mut planner = Planner::new(
        table,
        call.version,
        call.now_ms,
        config.portal_id,
        config.behaviour,
        deed,
    );
    let planned = planner.plan(target, None, properties);
    let mut planned = planned.map_err(|trouble| planner.refuse(trouble, true))?;
    let arena = std::mem::take(&mut planner.arena);
    planned.links = write::new_links(&catalog, at, associations)?;
    let rows = write::apply(call, &mut catalog, at, &arena, std::iter::once(&planned))?;
    let teller = Teller {
        table: catalog.table(at),
        portal_id: config.portal_id,
    };
    let mut out = Vec::with_capacity(1024);
    let extras = Extras {
        warnings: &planned.warnings,
        ..Extras::default()
    };
    teller.written(&mut out, rows[0], &arena[planned.changes.clone()], &extras);
    Ok(Reply::raw(if target.is_some() { 200 } else { 201 }, out))
}

/// Unknown ids are as good as gone.
fn archive(call: &Call<'_>, of: &str, id: &str) -> Answer {
    let at = writable(call, of)?;
    archive_all(call, at, std::iter::once(id));
    Ok(Reply::no_content())
}

fn archive_batch(call: &Call<'_>, of: &str) -> Answer {
    #[derive(Deserialize)]
    struct Batch<'a> {
        #[serde(borrow)]
        inputs: Vec<IdOnly<'a>>,
    }
    let at = writable(call, of)?;
    let batch: Batch<'_> = parse(call.body)?;
    check_size(batch.inputs.len(), INPUTS_MAX)?;
    archive_all(call, at, batch.inputs.iter().map(|input| &*input.id));
    Ok(Reply::no_content())
}

/// Forgets a contact for good, by id or by e-mail address. Nobody there is no error; that the address is kept from coming
/// back is not played.
fn gdpr_delete(call: &Call<'_>, of: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wanted {
        object_id: String,
        id_property: Option<String>,
    }
    let at = writable(call, of)?;
    let wanted: Wanted = parse(call.body)?;
    let mut catalog = call.portal.catalog.write();
    let table = catalog.table(at);
    if table.type_id != "0-1" {
        return Err(ApiError::validation("Only contacts can be deleted for good"));
    }
    let row = match wanted.id_property.as_deref() {
        None => wanted.object_id.parse().ok().and_then(|id| table.any_row(id)),
        Some(name) => table
            .column(name)
            .filter(|column| table.is_unique(*column))
            .and_then(|column| table.row_by(column, &wanted.object_id)),
    };
    if let Some(row) = row {
        let id = table.id(row);
        catalog.table_mut(at).purge(row, call.now_ms);
        catalog.pairs.forget(at, id);
        call.portal.stats.records("purged", 1);
    }
    Ok(Reply::no_content())
}

fn archive_all<'i>(call: &Call<'_>, at: TypeIndex, ids: impl Iterator<Item = &'i str>) {
    let mut catalog = call.portal.catalog.write();
    let keep = call.habits.behaviour.archived_keep_unique_values;
    let mut archived = 0;
    for id in ids {
        let Some(id) = id.parse::<u64>().ok() else {
            continue;
        };
        let Some(row) = catalog.table(at).row(id) else {
            continue;
        };
        catalog.table_mut(at).archive(row, call.now_ms, keep);
        catalog.pairs.forget(at, id);
        archived += 1;
    }
    if archived > 0 {
        call.portal.stats.records("archived", archived);
    }
}
