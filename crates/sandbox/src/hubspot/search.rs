//! `POST /{t}/search`: filters over what the index shows, which lags behind the truth.

use super::{
    call::Call,
    catalog::Catalog,
    errors::{Answer, ApiError, Reply, parse},
    filters::{Filter, FilterDraft},
    json::push_number,
    pairs::TypeIndex,
    property::Kind,
    read,
    rows::Row,
    table::Table,
    told::Teller,
};
use serde::Deserialize;
use std::cmp::Ordering;

const BODY_MAX: usize = 3000;
const GROUPS_MAX: usize = 5;
const GROUP_FILTERS_MAX: usize = 6;
const FILTERS_MAX: usize = 18;
const PAGE_DEFAULT: usize = 10;
const PAGE_MAX: usize = 200;
const RESULTS_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Request {
    filter_groups: Vec<GroupDraft>,
    filters: Vec<FilterDraft>,
    sorts: Vec<SortDraft>,
    query: Option<String>,
    limit: Option<usize>,
    after: Option<After>,
    properties: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct GroupDraft {
    filters: Vec<FilterDraft>,
}

/// A property, or a property and where to begin.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SortDraft {
    Name(String),
    #[serde(rename_all = "camelCase")]
    Full {
        property_name: String,
        direction: Option<String>,
    },
}

/// An offset, as a number or as its text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum After {
    Number(usize),
    Text(String),
}

/// A record as the index shows it: its position, values and time of change.
type Hit<'t> = (u32, &'t Row, i64);

/// Answers one search.
pub(super) fn search(call: &Call<'_>, catalog: &Catalog, at: TypeIndex) -> Answer {
    if call.body.len() > BODY_MAX {
        let message = format!("The body of a search request cannot be longer than {BODY_MAX} characters");
        return Err(ApiError::validation(message));
    }
    let request: Request = parse(call.body)?;
    let table = catalog.table(at);
    let groups = compile(table, &request, call.habits.behaviour.in_values_max)?;
    let (limit, offset) = window(&request)?;
    let mut hits = hits(table, call.now_ms, &groups, request.query.as_deref());
    if let Some(sort) = request.sorts.first() {
        order(table, &mut hits, sort)?;
    }
    let columns = match &request.properties {
        Some(names) if !names.is_empty() => read::columns(table, names.iter().map(String::as_str)),
        _ => table.by_default.clone(),
    };
    let total = hits.len().min(RESULTS_MAX);
    let teller = Teller {
        table,
        portal_id: call.habits.portal_id,
    };
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"total\":");
    push_number(&mut out, total as u64);
    out.extend_from_slice(b",\"results\":[");
    let end = (offset + limit).min(total);
    for (position, (row, values, updated_ms)) in hits.iter().take(end).skip(offset).enumerate() {
        if position > 0 {
            out.push(b',');
        }
        teller.read(&mut out, *row, Some((values, *updated_ms)), &columns, &[]);
        out.push(b'}');
    }
    out.push(b']');
    if end < total {
        out.extend_from_slice(format!(",\"paging\":{{\"next\":{{\"after\":\"{end}\"}}}}").as_bytes());
    }
    out.push(b'}');
    Ok(Reply::raw(200, out))
}

fn compile(table: &Table, request: &Request, in_values_max: usize) -> Result<Vec<Vec<Filter>>, ApiError> {
    let mut drafts: Vec<&[FilterDraft]> = request
        .filter_groups
        .iter()
        .map(|group| group.filters.as_slice())
        .collect();
    if !request.filters.is_empty() {
        drafts.push(&request.filters);
    }
    let all: usize = drafts.iter().map(|filters| filters.len()).sum();
    if drafts.len() > GROUPS_MAX
        || drafts.iter().any(|filters| filters.len() > GROUP_FILTERS_MAX)
        || all > FILTERS_MAX
    {
        let message = format!(
            "A search can have at most {GROUPS_MAX} filterGroups with at most {GROUP_FILTERS_MAX} filters each \
             and {FILTERS_MAX} filters in total"
        );
        return Err(ApiError::validation(message));
    }
    let longest = drafts.iter().flat_map(|filters| *filters);
    let longest = longest
        .filter_map(|draft| Some(draft.values.as_ref()?.len()))
        .max();
    if longest.is_some_and(|values| values > in_values_max) {
        let message = format!("A filter can have at most {in_values_max} values");
        return Err(ApiError::validation(message));
    }
    drafts
        .iter()
        .map(|filters| {
            filters
                .iter()
                .map(|draft| Filter::compile(table, draft))
                .collect()
        })
        .collect()
}

fn window(request: &Request) -> Result<(usize, usize), ApiError> {
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    if limit > PAGE_MAX {
        let message = format!("limit must be at most {PAGE_MAX}, but was {limit}");
        return Err(ApiError::validation(message));
    }
    let offset = match &request.after {
        None => 0,
        Some(After::Number(offset)) => *offset,
        Some(After::Text(text)) if text.is_empty() => 0,
        Some(After::Text(text)) => text.parse().map_err(|_| {
            let message = format!(
                "Invalid input JSON: Cannot deserialize value of type `int` from String \"{text}\": not a valid \
                 `int` value"
            );
            ApiError::new(400, message)
        })?,
    };
    if offset + limit > RESULTS_MAX {
        let message = format!("Search results are limited to {RESULTS_MAX}: after {offset} is out of reach");
        return Err(ApiError::validation(message));
    }
    Ok((limit, offset))
}

fn hits<'t>(table: &'t Table, now_ms: i64, groups: &[Vec<Filter>], query: Option<&str>) -> Vec<Hit<'t>> {
    let shadow = table.shadow(now_ms);
    let query = query
        .map(str::to_lowercase)
        .filter(|query| !query.trim().is_empty());
    let searchable: Vec<u16> = if table.definition.searchable.is_empty() {
        table.by_default.clone()
    } else {
        table
            .definition
            .searchable
            .iter()
            .filter_map(|name| table.column(name))
            .collect()
    };
    let passes = |(row, values, updated_ms): &Hit<'_>| {
        let value = |column| table.value_in(*row, values, *updated_ms, column);
        let filtered = groups.is_empty()
            || groups.iter().any(|group| {
                group
                    .iter()
                    .all(|filter| filter.passes(value(filter.column).as_deref()))
            });
        let worded = query.as_ref().is_none_or(|query| {
            searchable
                .iter()
                .any(|column| value(*column).is_some_and(|text| text.to_lowercase().contains(query)))
        });
        filtered && worded
    };
    (0..table.records.len())
        .filter_map(|row| u32::try_from(row).ok())
        .filter(|row| !table.record(*row).archived())
        .filter_map(|row| match shadow.get(&row) {
            Some(Some((values, updated_ms))) => Some((row, *values, *updated_ms)),
            Some(None) => None,
            None => Some((row, &table.record(row).row, table.record(row).updated_ms)),
        })
        .filter(passes)
        .collect()
}

fn order(table: &Table, hits: &mut [Hit<'_>], sort: &SortDraft) -> Result<(), ApiError> {
    let (name, descending) = match sort {
        SortDraft::Name(name) => (name.strip_prefix('-').unwrap_or(name), name.starts_with('-')),
        SortDraft::Full {
            property_name,
            direction,
        } => (property_name.as_str(), direction.as_deref() == Some("DESCENDING")),
    };
    let column = table
        .column(name)
        .ok_or_else(|| ApiError::validation(format!("Cannot sort by property {name}: it does not exist")))?;
    let numeric = table.property(column).kind == Kind::Number;
    hits.sort_by(|one, other| {
        let [a, b] = [one, other].map(|(row, values, at)| table.value_in(*row, values, *at, column));
        let ordering = if numeric {
            let number = |text: &Option<std::borrow::Cow<'_, str>>| {
                text.as_deref().and_then(|t| t.parse::<f64>().ok())
            };
            number(&a).partial_cmp(&number(&b)).unwrap_or(Ordering::Equal)
        } else {
            a.cmp(&b)
        };
        if descending { ordering.reverse() } else { ordering }
    });
    Ok(())
}
