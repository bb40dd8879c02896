//! What is posted to start an import: a form with a request and files, and what they ask for.

use super::{
    batch::Deed,
    call::Call,
    catalog::Catalog,
    errors::{ApiError, missing_fields},
};
use bytes::Bytes;
use futures::{FutureExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, convert::Infallible};

/// The most rows of one file.
const ROWS_MAX: usize = 1_048_576;

/// The form's parts.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) request: String,
    /// By name.
    files: BTreeMap<String, Bytes>,
}

/// What an import will do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) files: Vec<FilePlan>,
}

/// What will be done with one file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FilePlan {
    pub(super) type_id: String,
    pub(super) deed: Deed,
    pub(super) columns: Vec<Column>,
    /// Data rows; the first is line `first_line` of the file.
    pub(super) rows: Vec<Vec<String>>,
    pub(super) first_line: usize,
    /// The order of day, month and year in dates.
    pub(super) date_format: DateFormat,
}

/// One column of a file, in its order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Column {
    /// Not mapped.
    Skipped,
    Property(String),
    /// Finds records by a unique property, and is one.
    AlternateId(String),
    /// Finds records by their own id.
    ObjectId,
}

/// How dates are written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum DateFormat {
    #[default]
    MonthDayYear,
    DayMonthYear,
    YearMonthDay,
}

impl Plan {
    /// The object types that the import writes.
    pub(super) fn type_ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.files.iter().map(|file| file.type_id.as_str()).collect();
        ids.dedup();
        ids
    }
}

impl FilePlan {
    /// The cells of a line of the file.
    pub(super) fn row(&self, line: usize) -> Vec<String> {
        let row = line.checked_sub(self.first_line).and_then(|at| self.rows.get(at));
        row.cloned().unwrap_or_default()
    }
}

/// Takes the form apart.
pub(super) fn read_form(content_type: &str, body: &[u8]) -> Result<Form, ApiError> {
    let unreadable = |error: multer::Error| ApiError::validation(format!("Cannot read the form: {error}"));
    let boundary = multer::parse_boundary(content_type).map_err(unreadable)?;
    let whole = Bytes::copy_from_slice(body);
    let once = stream::once(async move { Ok::<Bytes, Infallible>(whole) });
    let mut parts = multer::Multipart::new(once, boundary);
    let reading = async {
        let mut form = Form::default();
        while let Some(field) = parts.next_field().await? {
            match field.name() {
                Some("importRequest") => form.request = field.text().await?,
                Some("files") => {
                    let name = field.file_name().unwrap_or_default().to_owned();
                    form.files.insert(name, field.bytes().await?);
                }
                _ => {}
            }
        }
        Ok(form)
    };
    // Everything is in memory, so nothing is waited for.
    let form: Form = reading
        .now_or_never()
        .unwrap_or(Err(multer::Error::IncompleteStream))
        .map_err(unreadable)?;
    if form.request.is_empty() {
        return Err(missing_fields(&["importRequest"]));
    }
    Ok(form)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestDraft {
    #[serde(default)]
    import_operations: BTreeMap<String, String>,
    #[serde(default)]
    date_format: DateFormat,
    files: Vec<FileDraft>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileDraft {
    file_name: String,
    file_format: Option<String>,
    file_import_page: PageDraft,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageDraft {
    #[serde(default)]
    has_header: bool,
    column_mappings: Vec<ColumnDraft>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ColumnDraft {
    column_object_type_id: Option<String>,
    column_name: Option<String>,
    property_name: Option<String>,
    column_type: Option<String>,
    id_column_type: Option<String>,
}

/// What the request asks for, checked against the portal as it is.
pub(super) fn plan(
    call: &Call<'_>,
    catalog: &Catalog,
    request: &Value,
    form: Form,
) -> Result<Plan, ApiError> {
    let draft: RequestDraft = serde_json::from_value(request.clone())
        .map_err(|error| ApiError::validation(format!("The import request cannot be read: {error}")))?;
    if draft.files.is_empty() {
        return Err(missing_fields(&["files"]));
    }
    let files: Result<Vec<FilePlan>, ApiError> = draft
        .files
        .iter()
        .map(|file| plan_file(call, catalog, &draft, file, &form))
        .collect();
    Ok(Plan { files: files? })
}

fn plan_file(
    call: &Call<'_>,
    catalog: &Catalog,
    draft: &RequestDraft,
    file: &FileDraft,
    form: &Form,
) -> Result<FilePlan, ApiError> {
    let refuse = |what: String| ApiError::validation(format!("{}: {what}", file.file_name));
    if file.file_format.as_deref().is_some_and(|format| format != "CSV") {
        return Err(refuse(
            "only files of comma-separated values can be imported here".to_owned(),
        ));
    }
    let page = &file.file_import_page;
    let mut named = page
        .column_mappings
        .iter()
        .filter_map(|column| column.column_object_type_id.as_deref());
    let of = named
        .next()
        .ok_or_else(|| refuse("no column says its object type".to_owned()))?;
    if named.any(|other| other != of) {
        return Err(refuse(
            "several object types in one file are not supported here".to_owned(),
        ));
    }
    let at = catalog.find(of)?;
    let table = catalog.table(at);
    call.need_objects(table, true)?;
    let bytes = form
        .files
        .get(&file.file_name)
        .ok_or_else(|| refuse("the form has no file of this name".to_owned()))?;
    let (header, rows) = read_rows(bytes, page.has_header).map_err(|error| refuse(error.to_string()))?;
    if rows.len() > ROWS_MAX {
        return Err(refuse(format!("a file has {ROWS_MAX} rows at the most")));
    }
    let deed = match draft.import_operations.get(of).map(String::as_str) {
        None | Some("UPSERT") => Deed::Upsert,
        Some("CREATE") => Deed::Create,
        Some("UPDATE") => Deed::Update,
        Some(other) => return Err(refuse(format!("{other} is no import operation"))),
    };
    Ok(FilePlan {
        type_id: table.type_id.clone(),
        deed,
        columns: columns(page, header.as_deref()).map_err(refuse)?,
        rows,
        first_line: 1 + usize::from(page.has_header),
        date_format: draft.date_format,
    })
}

type Rows = (Option<Vec<String>>, Vec<Vec<String>>);

fn read_rows(bytes: &[u8], has_header: bool) -> Result<Rows, csv::Error> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut rows = Vec::new();
    for row in reader.records() {
        rows.push(row?.iter().map(str::to_owned).collect::<Vec<String>>());
    }
    let header = (has_header && !rows.is_empty()).then(|| rows.remove(0));
    Ok((header, rows))
}

/// The file's columns: by the header's names where it has one, else in the mappings' order.
fn columns(page: &PageDraft, header: Option<&[String]>) -> Result<Vec<Column>, String> {
    let Some(header) = header else {
        return page.column_mappings.iter().map(column).collect();
    };
    header
        .iter()
        .map(|name| {
            let mapping = page
                .column_mappings
                .iter()
                .find(|mapping| mapping.column_name.as_ref() == Some(name));
            mapping.map_or(Ok(Column::Skipped), column)
        })
        .collect()
}

fn column(draft: &ColumnDraft) -> Result<Column, String> {
    let property = || {
        draft
            .property_name
            .clone()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| "a column of values needs a propertyName".to_owned())
    };
    match draft.column_type.as_deref().or(draft.id_column_type.as_deref()) {
        Some("HUBSPOT_OBJECT_ID") => Ok(Column::ObjectId),
        Some("HUBSPOT_ALTERNATE_ID") => property().map(Column::AlternateId),
        None | Some("STANDARD") => property().map(Column::Property),
        Some(other) => Err(format!("columns of type {other} are not supported here")),
    }
}
