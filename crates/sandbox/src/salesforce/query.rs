//! `/query` and `/queryAll`: pages of records, and the cursors that lead to the next page.

use crate::salesforce::{
    call::Call,
    errors::{ApiError, json_response},
    handle::OrgHandle,
    ids::RecordId,
    reader::Reader,
    soql::{self, Bound},
    store::Org,
};
use axum::response::Response;
use http::StatusCode;
use std::{collections::VecDeque, fmt::Write, sync::Arc};

/// The most open cursors; one more ends the oldest.
const MOST_CURSORS: usize = 10;
/// A cursor lives two days.
const CURSOR_MS: i64 = 2 * 86_400_000;
/// The most rows of a page, and what is given without a wish.
const PAGE: usize = 2000;
/// Rows of a page when two or more long text fields are selected.
const WIDE_PAGE: usize = 200;

/// The rows of a query that did not fit on its first page.
#[derive(Debug)]
struct Cursor {
    id: String,
    token: String,
    made: i64,
    query: Arc<Bound>,
    rows: Arc<Vec<u32>>,
    page: usize,
    with_deleted: bool,
}

/// The open cursors.
#[derive(Debug)]
pub struct Cursors {
    open: VecDeque<Cursor>,
    last: u64,
}

fn no_cursor(handle: &OrgHandle) -> ApiError {
    handle.stats.refused("query_locator");
    ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator")
}

pub(super) fn serve(call: &Call, with_deleted: bool, cursor: Option<&str>) -> Result<Response, ApiError> {
    if call.method != http::Method::GET {
        return Err(ApiError::method(&call.method, "GET,HEAD"));
    }
    match cursor {
        Some(locator) => next_page(call, locator),
        None => {
            let text = call
                .parameter("q")
                .ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "A query string has to be specified"))?;
            first_page(call, text, with_deleted)
        }
    }
}

fn first_page(call: &Call, text: &str, with_deleted: bool) -> Result<Response, ApiError> {
    let handle = &call.handle;
    let now = handle.clock.now_ms();
    let org = handle.org.read();
    let query = soql::bind(org.schema(), &soql::parse(text)?, now)?;
    let reader = Reader::new(&org, now);
    if query.is_count {
        let size = soql::count(&reader, &query, with_deleted);
        let body = format!("{{\"totalSize\":{size},\"done\":true,\"records\":[]}}");
        return Ok(json_response(StatusCode::OK, body));
    }
    if query.traits.aggregate {
        return Ok(aggregates(&reader, &query, with_deleted));
    }
    let rows = soql::matching(&reader, &query, with_deleted);
    let page = page_size(call, &reader, &query);
    let total = rows.len();
    let next = if total > page {
        let (query, rows) = (Arc::new(query.clone()), Arc::new(rows.clone()));
        Some(
            handle
                .cursors
                .lock()
                .open(&call.token, now, query, rows, page, with_deleted),
        )
    } else {
        None
    };
    let next = next.map(|id| (id, page));
    handle.stats.records("query", total.min(page) as u64);
    Ok(write_page(
        call,
        &reader,
        &query,
        &rows[..total.min(page)],
        total,
        next,
        with_deleted,
    ))
}

/// A query's answer within a transaction: all rows at once, which must fit a page.
pub(super) fn whole(org: &Org, text: &str, version: &str, now_ms: i64) -> Result<String, ApiError> {
    let query = soql::bind(org.schema(), &soql::parse(text)?, now_ms)?;
    let reader = Reader::new(org, now_ms);
    let rows = soql::matching(&reader, &query, false);
    if query.is_count || query.traits.aggregate || rows.len() > PAGE {
        let message = "Only queries of up to 2000 records can be subrequests of a transaction";
        return Err(ApiError::bad("INVALID_INPUT", message));
    }
    let table = org.table(query.object);
    let mut out = String::new();
    let _ = write!(out, "{{\"totalSize\":{},\"done\":true,\"records\":[", rows.len());
    for (position, record) in rows.iter().filter_map(|row| table.row(*row)).enumerate() {
        if position > 0 {
            out.push(',');
        }
        soql::write_record(&mut out, &reader, query.object, record, &query.shape, version);
    }
    out.push_str("]}");
    Ok(out)
}

fn aggregates(reader: &Reader<'_>, query: &Bound, with_deleted: bool) -> Response {
    let groups = soql::aggregate(reader, query, with_deleted);
    let mut out = format!("{{\"totalSize\":{},\"done\":true,\"records\":[", groups.len());
    for (position, group) in groups.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        soql::write_aggregate(&mut out, reader, query, group);
    }
    out.push_str("]}");
    json_response(StatusCode::OK, out)
}

/// As many rows as the client wishes, within the bounds; fewer where rows are wide.
fn page_size(call: &Call, reader: &Reader<'_>, query: &Bound) -> usize {
    use crate::salesforce::schema::Kind;
    let wish = call
        .headers
        .get("Sforce-Query-Options")
        .and_then(|value| value.to_str().ok())
        .and_then(|options| {
            options
                .split([',', ';'])
                .find_map(|option| option.trim().strip_prefix("batchSize="))
        })
        .and_then(|size| size.trim().parse::<usize>().ok());
    let long_texts = query
        .columns
        .iter()
        .filter(|column| {
            let field = column.path.leaf(reader.org.schema());
            field.custom && matches!(field.kind, Kind::LongTextArea | Kind::Html)
        })
        .count();
    let size = wish.unwrap_or(PAGE).clamp(WIDE_PAGE, PAGE);
    if long_texts >= 2 {
        size.min(WIDE_PAGE)
    } else {
        size
    }
}

fn next_page(call: &Call, locator: &str) -> Result<Response, ApiError> {
    let malformed = || ApiError::bad("INVALID_QUERY_LOCATOR_FORMAT", "invalid query locator format");
    let (id, offset) = locator.rsplit_once('-').ok_or_else(malformed)?;
    let offset: usize = offset.parse().map_err(|_| malformed())?;
    if !id.starts_with("01g") || RecordId::parse(id).is_none() {
        return Err(malformed());
    }
    let handle = &call.handle;
    let now = handle.clock.now_ms();
    let (query, rows, page, with_deleted) = {
        let cursors = handle.cursors.lock();
        let known = cursors.open.iter().find(|cursor| cursor.id == id);
        let cursor = known
            .filter(|cursor| cursor.token == call.token && now - cursor.made <= CURSOR_MS)
            .ok_or_else(|| no_cursor(handle))?;
        (
            cursor.query.clone(),
            cursor.rows.clone(),
            cursor.page,
            cursor.with_deleted,
        )
    };
    let rest = rows.get(offset..).ok_or_else(|| no_cursor(handle))?;
    let count = rest.len().min(page);
    let next = (rest.len() > page).then(|| (id.to_owned(), offset + page));
    handle.stats.records("query", count as u64);
    let org = handle.org.read();
    let reader = Reader::new(&org, now);
    Ok(write_page(
        call,
        &reader,
        &query,
        &rest[..count],
        rows.len(),
        next,
        with_deleted,
    ))
}

/// Rows are read when their page is asked for: one that is gone by then is left out.
fn write_page(
    call: &Call,
    reader: &Reader<'_>,
    query: &Bound,
    rows: &[u32],
    total: usize,
    next: Option<(String, usize)>,
    with_deleted: bool,
) -> Response {
    let table = reader.org.table(query.object);
    let mut out = String::with_capacity(rows.len() * 400 + 200);
    let _ = write!(out, "{{\"totalSize\":{total},\"done\":{}", next.is_none());
    if let Some((id, offset)) = next {
        let _ = write!(
            out,
            ",\"nextRecordsUrl\":\"{}\"",
            call.url(&format!("query/{id}-{offset}"))
        );
    }
    out.push_str(",\"records\":[");
    let mut first = true;
    for record in rows.iter().filter_map(|row| table.row(*row)) {
        if record.deleted.is_some() && !with_deleted {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        soql::write_record(
            &mut out,
            reader,
            query.object,
            record,
            &query.shape,
            &call.version,
        );
    }
    out.push_str("]}");
    json_response(StatusCode::OK, out)
}

impl Cursors {
    /// None is open, and the next one's number follows this.
    pub(super) fn after(last: u64) -> Cursors {
        Cursors {
            open: VecDeque::new(),
            last,
        }
    }

    fn open(
        &mut self,
        token: &str,
        made: i64,
        query: Arc<Bound>,
        rows: Arc<Vec<u32>>,
        page: usize,
        with_deleted: bool,
    ) -> String {
        self.last += 1;
        let id = RecordId::new(*b"01g", self.last).to_string();
        let token = token.to_owned();
        self.open.push_back(Cursor {
            id: id.clone(),
            token,
            made,
            query,
            rows,
            page,
            with_deleted,
        });
        while self.open.len() > MOST_CURSORS {
            self.open.pop_front();
        }
        id
    }
}
