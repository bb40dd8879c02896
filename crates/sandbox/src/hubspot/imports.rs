//! `/crm/imports/…`: files of rows, taken in behind the caller's back.
//!
//! One file holds one object type's rows. An import is queued, runs after a while of the portal's clock
//! ([`super::Lags::imports`]) and tells afterwards how many rows became what, never which record a row became. A value
//! that cannot be is left out of its row and told as an error; a row that cannot be a record is left out whole. An
//! import is seen by the app alone that started it. Files with several object types, association columns and
//! spreadsheets are refused.

use super::{
    Inner, Lags,
    call::Call,
    clock,
    errors::{Answer, ApiError, Reply, parse},
    import_request::{self, Plan},
    import_rows::{self, RowError, Tally},
    version::Version,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};

/// Imports that run at once; the others wait.
const ACTIVE: usize = 3;
/// Errors and imports on a page, unless fewer are asked for.
const PAGE: usize = 100;

/// Every import of the portal.
#[derive(Debug)]
pub(super) struct Imports {
    all: Mutex<Vec<Import>>,
    /// When the next one is due: looked at on every call, so it costs no lock.
    due_ms: AtomicI64,
}

impl Default for Imports {
    fn default() -> Self {
        Imports {
            all: Mutex::default(),
            due_ms: AtomicI64::new(i64::MAX),
        }
    }
}

/// Every import as text.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedImports(Vec<Value>);

impl Imports {
    pub(super) fn save(&self) -> SavedImports {
        let all = self.all.lock();
        let saved = all.iter().filter_map(|import| serde_json::to_value(import).ok());
        SavedImports(saved.collect())
    }

    pub(super) fn load(saved: SavedImports, lags: Lags) -> Result<Imports, serde_json::Error> {
        let all: Vec<Import> = saved
            .0
            .into_iter()
            .map(serde_json::from_value)
            .collect::<Result<_, _>>()?;
        let due_ms = AtomicI64::new(earliest(&all, lags));
        let all = Mutex::new(all);
        Ok(Imports { all, due_ms })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Deferred,
    /// Since when.
    Running(i64),
    Done,
    Canceled,
}

#[derive(Debug, Serialize, Deserialize)]
struct Import {
    id: u64,
    app: u32,
    name: Option<String>,
    request: Value,
    plan: Plan,
    version: Version,
    stage: Stage,
    created_ms: i64,
    updated_ms: i64,
    tally: Tally,
    errors: Vec<RowError>,
}

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    let answer: fn(&Call<'_>) -> Answer = match (call.method, call.rest) {
        ("GET", []) => list,
        ("POST", []) => start,
        ("GET", [_]) => get,
        ("POST", [_, "cancel"]) => cancel,
        ("GET", [_, "errors"]) => errors,
        _ => return None,
    };
    Some(call.need(&["crm.import".to_owned()]).and_then(|()| answer(call)))
}

/// Finishes the imports that are due and starts those that waited for them. Cheap when there is nothing to do.
pub(super) fn settle(portal: &Inner, now_ms: i64) {
    if now_ms < portal.imports.due_ms.load(Ordering::Acquire) {
        return;
    }
    let lags = portal.habits.read().lags;
    let mut all = portal.imports.all.lock();
    while let Some(at) = next_due(&all, lags, now_ms) {
        let import = &mut all[at];
        run(portal, import, now_ms);
        promote(&mut all, now_ms);
    }
    note_due(portal, &all, lags);
}

fn next_due(all: &[Import], lags: Lags, now_ms: i64) -> Option<usize> {
    all.iter()
        .position(|import| matches!(import.stage, Stage::Running(since) if since + lags.imports <= now_ms))
}

/// When the next import is due.
fn earliest(all: &[Import], lags: Lags) -> i64 {
    let due = all.iter().filter_map(|import| match import.stage {
        Stage::Running(since) => Some(since + lags.imports),
        _ => None,
    });
    due.min().unwrap_or(i64::MAX)
}

fn note_due(portal: &Inner, all: &[Import], lags: Lags) {
    portal
        .imports
        .due_ms
        .store(earliest(all, lags), Ordering::Release);
}

/// Lets waiting imports run while there is room.
fn promote(all: &mut [Import], now_ms: i64) {
    let running = |import: &&Import| matches!(import.stage, Stage::Running(_));
    let room = ACTIVE.saturating_sub(all.iter().filter(running).count());
    let waiting = all.iter_mut().filter(|import| import.stage == Stage::Deferred);
    for import in waiting.take(room) {
        import.stage = Stage::Running(now_ms);
        import.updated_ms = now_ms;
    }
}

fn run(portal: &Inner, import: &mut Import, now_ms: i64) {
    let habits = *portal.habits.read();
    let mut catalog = portal.catalog.write();
    (import.tally, import.errors) = import_rows::take_in(
        portal,
        &mut catalog,
        &habits,
        &import.plan,
        import.version,
        now_ms,
    );
    import.stage = Stage::Done;
    import.updated_ms = now_ms;
}

fn start(call: &Call<'_>) -> Answer {
    let form = import_request::read_form(call.content_type, call.body)?;
    let (request, plan) = {
        let catalog = call.portal.catalog.read();
        let request: Value = parse(form.request.as_bytes())?;
        let plan = import_request::plan(call, &catalog, &request, form)?;
        (request, plan)
    };
    let mut all = call.portal.imports.all.lock();
    let id = 60_000_000 + all.len() as u64 * 7 + call.portal.dice.below(7);
    all.push(Import {
        id,
        app: call.grant.app,
        name: request["name"].as_str().map(str::to_owned),
        request,
        plan,
        version: call.version,
        stage: Stage::Deferred,
        created_ms: call.now_ms,
        updated_ms: call.now_ms,
        tally: Tally::default(),
        errors: Vec::new(),
    });
    promote(&mut all, call.now_ms);
    note_due(call.portal, &all, call.habits.lags);
    let started = all.last().map(|import| told(import, call));
    Ok(Reply::json(200, &started.unwrap_or_default()))
}

fn told(import: &Import, call: &Call<'_>) -> Value {
    let state = match import.stage {
        Stage::Deferred => "DEFERRED",
        Stage::Running(since) if since == call.now_ms => "STARTED",
        Stage::Running(_) => "PROCESSING",
        Stage::Done => "DONE",
        Stage::Canceled => "CANCELED",
    };
    let files: Vec<String> = (0..import.plan.files.len())
        .map(|at| import.file_id(at).to_string())
        .collect();
    let mut told = json!({
        "id": import.id.to_string(), "state": state, "importSource": "API", "optOutImport": false,
        "createdAt": clock::instant(import.created_ms), "updatedAt": clock::instant(import.updated_ms),
        "mappedObjectTypeIds": import.plan.type_ids(), "importRequestJson": import.request,
        "metadata": { "counters": import.tally.counters(), "fileIds": files, "objectLists": [] },
    });
    if let Some(name) = &import.name {
        told["importName"] = json!(name);
    }
    told
}

impl Import {
    fn file_id(&self, at: usize) -> u64 {
        self.id + 100_000_000 + at as u64
    }
}

/// The import that a path names, if this app started it.
fn position(all: &[Import], call: &Call<'_>) -> Result<usize, ApiError> {
    let id = call.rest.first().copied().unwrap_or_default();
    all.iter()
        .position(|import| import.app == call.grant.app && import.id.to_string() == id)
        .ok_or_else(|| ApiError::not_found(format!("Import {id} does not exist")).context("id", &[id]))
}

fn get(call: &Call<'_>) -> Answer {
    let all = call.portal.imports.all.lock();
    let at = position(&all, call)?;
    Ok(Reply::json(200, &told(&all[at], call)))
}

fn cancel(call: &Call<'_>) -> Answer {
    let mut all = call.portal.imports.all.lock();
    let at = position(&all, call)?;
    let import = &mut all[at];
    if matches!(import.stage, Stage::Done | Stage::Canceled) {
        return Err(ApiError::validation(format!(
            "Import {} is no longer active",
            import.id
        )));
    }
    import.stage = Stage::Canceled;
    import.updated_ms = call.now_ms;
    promote(&mut all, call.now_ms);
    note_due(call.portal, &all, call.habits.lags);
    let now = clock::instant(call.now_ms);
    Ok(Reply::json(
        200,
        &json!({ "status": "COMPLETE", "startedAt": now, "completedAt": now }),
    ))
}

/// The part of a list that a call asks for: its results, and where the next part begins.
fn page(call: &Call<'_>, whole: usize) -> Result<std::ops::Range<usize>, ApiError> {
    let number = |name: &str, otherwise: usize| match call.query.get(name) {
        None => Ok(otherwise),
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::validation(format!("{text} is no valid value of {name}"))),
    };
    let (after, limit) = (number("after", 0)?, number("limit", PAGE)?.clamp(1, PAGE));
    let start = after.min(whole);
    Ok(start..(start + limit).min(whole))
}

fn paged(call: &Call<'_>, results: &[Value], range: &std::ops::Range<usize>, whole: usize) -> Reply {
    let mut told = json!({ "results": results });
    if range.end < whole {
        let link = format!("{}{}?after={}", call.base_url, call.path, range.end);
        told["paging"] = json!({ "next": { "after": range.end.to_string(), "link": link } });
    }
    Reply::json(200, &told)
}

/// The app's imports, the newest first.
fn list(call: &Call<'_>) -> Answer {
    let all = call.portal.imports.all.lock();
    let own: Vec<&Import> = all
        .iter()
        .rev()
        .filter(|import| import.app == call.grant.app)
        .collect();
    let range = page(call, own.len())?;
    let results: Vec<Value> = own[range.clone()]
        .iter()
        .map(|import| told(import, call))
        .collect();
    Ok(paged(call, &results, &range, own.len()))
}

fn errors(call: &Call<'_>) -> Answer {
    let all = call.portal.imports.all.lock();
    let import = &all[position(&all, call)?];
    let range = page(call, import.errors.len())?;
    let results: Vec<Value> = import.errors[range.clone()]
        .iter()
        .enumerate()
        .map(|(at, error)| told_error(call, import, range.start + at, error))
        .collect();
    Ok(paged(call, &results, &range, import.errors.len()))
}

fn told_error(call: &Call<'_>, import: &Import, at: usize, error: &RowError) -> Value {
    let file = &import.plan.files[error.file];
    let row = if call.query.is_true("includeRowData") {
        file.row(error.line)
    } else {
        Vec::new()
    };
    let mut told = json!({
        "id": (import.id * 1000 + at as u64).to_string(), "errorType": error.kind,
        // Documented as a whole number of 32 bits, which only seconds fit into.
        "createdAt": import.updated_ms / 1000, "objectTypeId": file.type_id,
        "sourceData": {
            "fileId": import.file_id(error.file), "lineNumber": error.line, "rowData": row,
            "additionalRowData": [], "containsEncryptedProperties": false,
        },
    });
    if let Some(value) = &error.value {
        told["invalidValue"] = json!(value);
    }
    if let Some(column) = error.column {
        told["knownColumnNumber"] = json!(column + 1);
    }
    if call.query.is_true("includeErrorMessage") {
        told["errorMessage"] = json!(error.message);
    }
    told
}
