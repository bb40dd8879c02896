//! The rows of an import on their way to records.

use super::{
    Habits, Inner,
    batch::Deed,
    catalog::Catalog,
    import_request::{Column, DateFormat, FilePlan, Plan},
    json::{Properties, Text},
    pairs::TypeIndex,
    plan::{Planner, Trouble},
    property::Kind,
    table::{Change, Table},
    version::Version,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// What went wrong with a row, or with one value in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowError {
    pub(super) file: usize,
    pub(super) line: usize,
    pub(super) column: Option<usize>,
    pub(super) kind: Cow<'static, str>,
    pub(super) value: Option<String>,
    pub(super) message: String,
}

/// What became of an import's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    rows: usize,
    created: usize,
    updated: usize,
    values: usize,
    errors: usize,
    columns: usize,
}

impl Tally {
    /// By HubSpot's names, those that count anything.
    pub(super) fn counters(&self) -> Value {
        let written = self.created + self.updated;
        let counts = [
            ("TOTAL_ROWS", self.rows),
            ("CREATED_OBJECTS", self.created),
            ("UPDATED_OBJECTS", self.updated),
            ("UNIQUE_OBJECTS_WRITTEN", written),
            ("PROPERTY_VALUES_EMITTED", self.values),
            ("MAPPED_COLUMNS", self.columns),
            ("ERRORS", self.errors),
        ];
        let told: Map<String, Value> = counts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect();
        Value::Object(told)
    }
}

/// Writes every row that can be written, one after the other.
pub(super) fn take_in(
    portal: &Inner,
    catalog: &mut Catalog,
    habits: &Habits,
    plan: &Plan,
    version: Version,
    now_ms: i64,
) -> (Tally, Vec<RowError>) {
    let mut taking = Taking {
        portal,
        habits,
        version,
        now_ms,
        tally: Tally::default(),
        errors: Vec::new(),
    };
    for (number, file) in plan.files.iter().enumerate() {
        let Ok(at) = catalog.find(&file.type_id) else {
            taking.fail(
                number,
                file.first_line,
                "MISSING_OBJECT_DEFINITION",
                "The object type is gone",
            );
            continue;
        };
        let mapped = file
            .columns
            .iter()
            .filter(|column| !matches!(column, Column::Skipped));
        taking.tally.columns += mapped.count();
        for (row, cells) in file.rows.iter().enumerate() {
            taking.tally.rows += 1;
            taking.row(catalog, at, file, (number, file.first_line + row), cells);
        }
    }
    taking.tally.errors = taking.errors.len();
    portal.stats.records("created", taking.tally.created as u64);
    portal.stats.records("updated", taking.tally.updated as u64);
    (taking.tally, taking.errors)
}

struct Taking<'t> {
    portal: &'t Inner,
    habits: &'t Habits,
    version: Version,
    now_ms: i64,
    tally: Tally,
    errors: Vec<RowError>,
}

/// A row's record, as its cells say it.
struct Reading<'r> {
    /// The column, the property and the text.
    values: Vec<(usize, &'r str, Cow<'r, str>)>,
    /// A unique property and its value.
    alternate: Option<(&'r str, &'r str)>,
    id: Option<&'r str>,
}

impl Taking<'_> {
    fn fail(&mut self, file: usize, line: usize, kind: &'static str, message: &str) {
        self.errors.push(RowError {
            file,
            line,
            column: None,
            kind: kind.into(),
            value: None,
            message: message.to_owned(),
        });
    }

    fn row(
        &mut self,
        catalog: &mut Catalog,
        at: TypeIndex,
        file: &FilePlan,
        (number, line): (usize, usize),
        cells: &[String],
    ) {
        if cells.len() != file.columns.len() {
            let message = format!("{} columns instead of {}", cells.len(), file.columns.len());
            return self.fail(number, line, "INCORRECT_NUMBER_OF_COLUMNS", &message);
        }
        let mut reading = read(catalog.table(at), file, cells);
        let (target, found_by) = match find(catalog.table(at), &reading, file.deed) {
            Ok(found) => found,
            Err((kind, message)) => return self.fail(number, line, kind, &message),
        };
        // A value that cannot be is left out and told; what is left is judged again.
        loop {
            let properties = properties(&reading);
            let mut planner = Planner::new(
                catalog.table(at),
                self.version,
                self.now_ms,
                self.habits.portal_id,
                self.habits.behaviour,
                file.deed,
            );
            match planner.plan(target, found_by, &properties) {
                Ok(planned) => {
                    let arena = std::mem::take(&mut planner.arena);
                    let changes: Vec<Change<'static>> = arena[planned.changes]
                        .iter()
                        .map(|(column, value)| (*column, Cow::Owned(value.clone().into_owned())))
                        .collect();
                    return self.write(catalog, at, target, &changes, (number, line));
                }
                Err(Trouble::Values(problems)) => {
                    let before = reading.values.len();
                    for problem in problems {
                        let kind = error_kind(problem.refusal.code);
                        let cell = reading
                            .values
                            .iter()
                            .find(|(_, name, _)| **name == *problem.property);
                        self.errors.push(RowError {
                            file: number,
                            line,
                            column: cell.map(|(column, ..)| *column),
                            kind: kind.into(),
                            value: cell.map(|(_, _, value)| value.to_string()),
                            message: problem.refusal.message,
                        });
                        reading.values.retain(|(_, name, _)| **name != *problem.property);
                    }
                    if reading.values.len() == before {
                        // Missing by a rule: there is nothing to leave out.
                        return;
                    }
                }
                Err(trouble) => {
                    let (kind, message) = whole_row(trouble);
                    return self.fail(number, line, kind, &message);
                }
            }
        }
    }

    fn write(
        &mut self,
        catalog: &mut Catalog,
        at: TypeIndex,
        target: Option<u32>,
        changes: &[Change<'_>],
        (number, line): (usize, usize),
    ) {
        let lag_ms = self.habits.lags.search_index;
        if let Some(row) = target {
            catalog.table_mut(at).update(row, self.now_ms, lag_ms, changes);
            self.tally.updated += 1;
        } else {
            if catalog.table(at).custom && catalog.custom_records() >= self.habits.custom_records {
                let message = "This account cannot have more records of custom objects";
                return self.fail(number, line, "PORTAL_WIDE_CUSTOM_OBJECT_LIMIT_EXCEEDED", message);
            }
            let id = catalog.new_record_id(&self.portal.dice);
            catalog.table_mut(at).create(id, self.now_ms, lag_ms, changes);
            self.tally.created += 1;
        }
        self.tally.values += changes.len();
    }
}

fn read<'r>(table: &Table, file: &'r FilePlan, cells: &'r [String]) -> Reading<'r> {
    let mut reading = Reading {
        values: Vec::new(),
        alternate: None,
        id: None,
    };
    for (at, (column, cell)) in file.columns.iter().zip(cells).enumerate() {
        let name = match column {
            Column::Skipped => continue,
            Column::ObjectId => {
                reading.id = Some(cell.as_str()).filter(|cell| !cell.is_empty());
                continue;
            }
            Column::AlternateId(name) => {
                reading.alternate = Some((name.as_str(), cell.as_str())).filter(|_| !cell.is_empty());
                name
            }
            Column::Property(name) => name,
        };
        // An empty cell leaves a value alone.
        if cell.is_empty() {
            continue;
        }
        let is_date = table
            .column(name)
            .is_some_and(|column| table.property(column).kind == Kind::Date);
        let value = if is_date {
            file.date_format.reordered(cell)
        } else {
            Cow::Borrowed(cell.as_str())
        };
        reading.values.push((at, name.as_str(), value));
    }
    reading
}

impl DateFormat {
    /// `03/11/2026` as the portal stores it, if it is such a date.
    fn reordered(self, cell: &str) -> Cow<'_, str> {
        let parts: Vec<&str> = cell.split(['/', '-', '.']).collect();
        let [a, b, c] = parts.as_slice() else {
            return Cow::Borrowed(cell);
        };
        let (year, month, day) = match self {
            DateFormat::MonthDayYear => (c, a, b),
            DateFormat::DayMonthYear => (c, b, a),
            DateFormat::YearMonthDay => (a, b, c),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || ![year, month, day].iter().all(|text| digits(text)) {
            return Cow::Borrowed(cell);
        }
        Cow::Owned(format!("{year}-{month:0>2}-{day:0>2}"))
    }
}

fn properties<'r>(reading: &Reading<'r>) -> Properties<'r> {
    let pair = |(_, name, value): &(usize, &'r str, Cow<'r, str>)| {
        (Text(Cow::Borrowed(*name)), Some(Text(value.clone())))
    };
    Properties(reading.values.iter().map(pair).collect())
}

/// The record that a row is about, and the unique value that it was found by.
type Found<'r> = (Option<u32>, Option<(u16, &'r str)>);

fn find<'r>(table: &Table, reading: &Reading<'r>, deed: Deed) -> Result<Found<'r>, (&'static str, String)> {
    let found: Found<'r> = match (reading.id, reading.alternate) {
        (Some(id), _) => {
            let row = id.parse().ok().and_then(|id| table.row(id));
            let row = row.ok_or_else(|| ("INVALID_OBJECT_ID", format!("There is no record {id}")))?;
            (Some(row), None)
        }
        (None, Some((name, value))) => {
            let column = table.column(name).filter(|column| table.is_unique(*column));
            let column =
                column.ok_or_else(|| ("INVALID_ALTERNATE_ID", format!("{name} is no unique property")))?;
            (table.row_by(column, value), Some((column, value)))
        }
        (None, None) => (None, None),
    };
    match (deed, found.0) {
        (Deed::Update, None) => Err(("UPDATE_ONLY_IMPORT", "There is no record to update".to_owned())),
        (Deed::Create, Some(_)) => Err(("CREATE_ONLY_IMPORT", "The record exists already".to_owned())),
        _ => Ok(found),
    }
}

/// How imports name a refused value.
fn error_kind(code: &str) -> &'static str {
    match code {
        "INVALID_OPTION" => "INVALID_ENUMERATION_OPTION",
        "INVALID_INTEGER" => "COULD_NOT_PARSE_NUMBER",
        "INVALID_DATE" | "INVALID_LONG" => "COULD_NOT_PARSE_DATE",
        "PROPERTY_DOESNT_EXIST" => "PROPERTY_DEFINITION_NOT_FOUND",
        "INVALID_EMAIL" => "INVALID_EMAIL",
        "INVALID_LENGTH" => "COLUMN_TOO_LARGE",
        "CONFLICTING_UNIQUE_VALUE" => "DUPLICATE_UNIQUE_PROPERTY_VALUE",
        "MISSING_CONDITIONAL_REQUIRED_PROPERTY" => "MISSING_REQUIRED_PROPERTY",
        "READ_ONLY_VALUE" => "FAILED_VALIDATION",
        _ => "INVALID_CUSTOM_PROPERTY_VALIDATION",
    }
}

fn whole_row(trouble: Trouble) -> (&'static str, String) {
    match trouble {
        Trouble::Conflict { existing } => (
            "DUPLICATE_UNIQUE_PROPERTY_VALUE",
            existing.map_or_else(
                || "The unique value is taken".to_owned(),
                |id| format!("Record {id} has the unique value"),
            ),
        ),
        Trouble::Required(names) => (
            "MISSING_REQUIRED_PROPERTY",
            format!("Required: {}", names.join(", ")),
        ),
        Trouble::Missing(id) => ("INVALID_OBJECT_ID", format!("There is no record {id}")),
        Trouble::Values(_) | Trouble::Other(_) => {
            ("UNKNOWN_ERROR", "The row could not be written".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_order_that_the_request_says() {
        let table = [
            (DateFormat::MonthDayYear, "3/11/2026", "2026-03-11"),
            (DateFormat::DayMonthYear, "3.11.2026", "2026-11-03"),
            (DateFormat::YearMonthDay, "2026-3-11", "2026-03-11"),
            (DateFormat::YearMonthDay, "soon", "soon"),
            (DateFormat::DayMonthYear, "2026-11-03", "2026-11-03"),
        ];
        for (format, cell, want) in table {
            assert_eq!(format.reordered(cell), want, "{format:?} {cell}");
        }
    }
}
