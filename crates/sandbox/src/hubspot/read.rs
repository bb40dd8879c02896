//! Reading records: one, a batch, a page.

use super::{
    batch::{INPUTS_MAX, IdOnly, check_size, could_not_get},
    call::Call,
    catalog::Catalog,
    dice::FastSet,
    errors::{Answer, ApiError, Reply, parse},
    pairs::TypeIndex,
    table::Table,
    told::{self, Teller},
};
use serde::Deserialize;
use serde_json::{Value, json};

const PAGE_DEFAULT: usize = 10;
const PAGE_MAX: usize = 100;
const PAGE_MAX_WITH_HISTORY: usize = 50;

/// Known columns among names; unknown ones are passed over. No names at all give the usual ones.
pub(super) fn columns<'n>(table: &Table, names: impl IntoIterator<Item = &'n str>) -> Vec<u16> {
    let mut columns: Vec<u16> = Vec::new();
    let mut named = false;
    for name in names {
        named = true;
        match table.column(name) {
            Some(column) if !columns.contains(&column) => columns.push(column),
            _ => {}
        }
    }
    if named { columns } else { table.by_default.clone() }
}

fn teller<'t>(call: &Call<'_>, table: &'t Table) -> Teller<'t> {
    Teller {
        table,
        portal_id: call.habits.portal_id,
    }
}

/// The record that a path names, by id or by a unique property. Losers of merges lead to their winners.
pub(super) fn named_row(call: &Call<'_>, table: &Table, id: &str, archived: bool) -> Result<u32, ApiError> {
    let found = match call.query.get("idProperty").filter(|name| !name.is_empty()) {
        Some("hs_object_id") | None => id.parse::<u64>().ok().and_then(|id| {
            let id = table.merged.get(&id).copied().unwrap_or(id);
            table.any_row(id)
        }),
        Some(name) => {
            let column = table
                .column(name)
                .filter(|column| table.is_unique(*column))
                .ok_or_else(|| {
                    let message = format!("Property {name} is not a unique property of {}", table.type_id);
                    ApiError::validation(message)
                })?;
            table.row_by(column, id)
        }
    };
    found
        .filter(|row| table.record(*row).shows(archived, call.now_ms))
        .ok_or_else(|| {
            ApiError::not_found("Object not found.  objectId are usually numeric.").context("id", &[id])
        })
}

/// `GET /{t}/{id}`.
pub(super) fn single(call: &Call<'_>, catalog: &Catalog, at: TypeIndex, id: &str) -> Answer {
    let table = catalog.table(at);
    let row = named_row(call, table, id, call.query.is_true("archived"))?;
    let mut out = Vec::with_capacity(1024);
    let history = history_columns(call, table);
    let columns = columns(table, call.query.list("properties"));
    teller(call, table).read(&mut out, row, None, &columns, &history);
    push_associations(call, catalog, at, table.id(row), &mut out)?;
    out.push(b'}');
    Ok(Reply::raw(200, out))
}

fn history_columns(call: &Call<'_>, table: &Table) -> Vec<u16> {
    call.query
        .list("propertiesWithHistory")
        .into_iter()
        .filter_map(|name| table.column(name))
        .collect()
}

/// `GET /{t}`: a page by ascending id. The cursor is the id after the last one shown.
pub(super) fn list(call: &Call<'_>, catalog: &Catalog, at: TypeIndex) -> Answer {
    let table = catalog.table(at);
    let history = history_columns(call, table);
    let most = if call.query.list("propertiesWithHistory").is_empty() {
        PAGE_MAX
    } else {
        PAGE_MAX_WITH_HISTORY
    };
    let limit = page_limit(call, most)?;
    let after = match call.query.get("after").filter(|after| !after.is_empty()) {
        None => 0,
        Some(after) => after
            .parse::<u64>()
            .map_err(|_| ApiError::validation(format!("Invalid cursor: {after}")))?,
    };
    let archived = call.query.is_true("archived");
    let first = table.ids.partition_point(|id| *id < after);
    let mut rows = (first..table.ids.len())
        .filter_map(|row| u32::try_from(row).ok())
        .filter(|row| table.record(*row).shows(archived, call.now_ms));
    let page: Vec<u32> = rows.by_ref().take(limit).collect();
    let more = rows.next().is_some();

    let columns = columns(table, call.query.list("properties"));
    let teller = teller(call, table);
    let mut out = Vec::with_capacity(256 + page.len() * 768);
    out.extend_from_slice(b"{\"results\":[");
    for (position, row) in page.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        teller.read(&mut out, *row, None, &columns, &history);
        push_associations(call, catalog, at, table.id(*row), &mut out)?;
        out.push(b'}');
    }
    out.push(b']');
    if let Some(last) = page.last().filter(|_| more) {
        let after = (table.id(*last) + 1).to_string();
        let link = call.next_link(&after);
        let paging = json!({ "next": { "after": after, "link": link } });
        out.extend_from_slice(b",\"paging\":");
        out.extend_from_slice(paging.to_string().as_bytes());
    }
    out.push(b'}');
    Ok(Reply::raw(200, out))
}

/// A page's size as the query says it.
pub(super) fn page_limit(call: &Call<'_>, most: usize) -> Result<usize, ApiError> {
    let Some(text) = call.query.get("limit").filter(|text| !text.is_empty()) else {
        return Ok(PAGE_DEFAULT);
    };
    let limit: usize = text
        .parse()
        .map_err(|_| ApiError::validation(format!("Invalid limit: {text}")))?;
    if limit == 0 || limit > most {
        let message = format!("Page size of {limit} is not between 1 and the maximum of {most}");
        return Err(ApiError::validation(message));
    }
    Ok(limit)
}

impl Call<'_> {
    /// This call's address with another cursor.
    pub(super) fn next_link(&self, after: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.query.pairs().filter(|(name, _)| *name != "after"));
        query.append_pair("after", after);
        format!("{}{}?{}", self.base_url, self.path, query.finish())
    }
}

/// `associations=companies,2-1` of reads: ids and the types' names, by the other type's plural.
fn push_associations(
    call: &Call<'_>,
    catalog: &Catalog,
    at: TypeIndex,
    id: u64,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let wanted = call.query.list("associations");
    if wanted.is_empty() {
        return Ok(());
    }
    let mut told = serde_json::Map::new();
    for name in wanted {
        let other = catalog.find(name)?;
        let Some(direction) = catalog.pairs.direction(at, other) else {
            continue;
        };
        let results: Vec<Value> = direction
            .links(id)
            .iter()
            .flat_map(|link| {
                direction
                    .described(link.types)
                    .map(move |described| (link.to, described))
            })
            .map(|(to, described)| json!({ "id": to.to_string(), "type": described.name.to_lowercase() }))
            .collect();
        if !results.is_empty() {
            let table = catalog.table(other);
            let key = if table.custom {
                table.fqn.clone()
            } else {
                table.definition.plural.to_lowercase()
            };
            told.insert(key, json!({ "results": results }));
        }
    }
    if !told.is_empty() {
        out.extend_from_slice(b",\"associations\":");
        out.extend_from_slice(Value::Object(told).to_string().as_bytes());
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadBatch<'a> {
    #[serde(borrow)]
    inputs: Vec<IdOnly<'a>>,
    id_property: Option<String>,
    properties: Option<Vec<String>>,
    properties_with_history: Option<Vec<String>>,
}

/// `POST …/batch/read`. Unknown property names are passed over; unknown ids are told together.
pub(super) fn batch(call: &Call<'_>, catalog: &Catalog, at: TypeIndex) -> Answer {
    let wanted: ReadBatch<'_> = parse(call.body)?;
    check_size(wanted.inputs.len(), INPUTS_MAX)?;
    let table = catalog.table(at);
    let column = match wanted
        .id_property
        .as_deref()
        .filter(|name| !name.is_empty() && *name != "hs_object_id")
    {
        None => None,
        Some(name) => {
            let unique = table.column(name).filter(|column| table.is_unique(*column));
            Some(unique.ok_or_else(|| {
                let message = format!("Property {name} is not a unique property of {}", table.type_id);
                ApiError::validation(message)
            })?)
        }
    };
    let archived = call.query.is_true("archived");
    let (mut rows, mut missing, mut seen) = (Vec::new(), Vec::new(), FastSet::default());
    for input in &wanted.inputs {
        let row = match column {
            Some(column) => table.row_by(column, &input.id),
            None => input.id.parse().ok().and_then(|id| table.any_row(id)),
        };
        match row.filter(|row| table.record(*row).shows(archived, call.now_ms)) {
            Some(row) if seen.insert(row) => rows.push(row),
            Some(_) => {}
            None => missing.push(input.id.to_string()),
        }
    }
    let columns = columns(table, wanted.properties.iter().flatten().map(String::as_str));
    let history = wanted.properties_with_history.iter().flatten();
    let history: Vec<u16> = history.filter_map(|name| table.column(name)).collect();
    let teller = teller(call, table);
    let mut out = Vec::with_capacity(256 + rows.len() * 768);
    told::begin_batch(&mut out);
    for (position, at) in call.portal.dice.order(rows.len()).into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        teller.read(&mut out, rows[at], None, &columns, &history);
        out.push(b'}');
    }
    let errors = if missing.is_empty() {
        Vec::new()
    } else {
        vec![could_not_get(table, &missing).into_item()]
    };
    let status = if errors.is_empty() {
        200
    } else {
        call.mixed_status()
    };
    told::end_batch(&mut out, errors, call.now_ms, call.portal.clock.now_ms());
    Ok(Reply::raw(status, out))
}
