//! SOQL as text: literals, and the queries that a scan is made of. Pure.

use jiff::Timestamp;
use landbridge_model::SalesforceId;

use crate::columns::Columns;

/// Rows that one REST page can hold at most.
pub const PAGE_ROWS_MAX: u32 = 2_000;

/// A text literal, quoted and escaped.
#[must_use]
pub fn text(value: &str) -> String {
    let mut literal = String::with_capacity(value.len() + 2);
    literal.push('\'');
    for c in value.chars() {
        match c {
            '\'' => literal.push_str("\\'"),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '\u{8}' => literal.push_str("\\b"),
            '\u{c}' => literal.push_str("\\f"),
            _ => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

/// A date-time literal: unquoted, UTC, whole milliseconds.
#[must_use]
pub fn date_time(at: Timestamp) -> String {
    crate::normalise::format_date_time(at)
}

/// `Id IN ('…','…')`.
#[must_use]
pub fn id_in(ids: &[SalesforceId]) -> String {
    let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("Id IN ({})", list.join(","))
}

/// A plain query.
#[must_use]
pub fn select(object: &str, columns: &Columns, filter: Option<&str>) -> String {
    let filter = filter
        .map(|filter| format!(" WHERE {filter}"))
        .unwrap_or_default();
    format!("SELECT {} FROM {object}{filter}", columns.select_list())
}

/// Where a scan in order of (SystemModstamp, Id) stands: the last row it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScanPoint {
    /// The row's SystemModstamp.
    pub stamp: Timestamp,
    /// The row's id: breaks the tie between rows of one second.
    pub id: SalesforceId,
}

/// A half-open window of SystemModstamp, `lo <= stamp < hi`, read in keyset pages.
///
/// Thousands of rows may share one stamp (mass updates), so the page's last id is part of the position. Ids are
/// compared as Salesforce sorts them, which for the rows of one object is their ASCII order.
#[derive(Debug, Clone)]
pub struct Window<'a> {
    /// The object's name.
    pub object: &'a str,
    /// The columns; `Id` and `SystemModstamp` must be among them.
    pub columns: &'a Columns,
    /// The first stamp that belongs to the window.
    pub lo: Timestamp,
    /// The first stamp that does not.
    pub hi: Timestamp,
    /// Rows of one page.
    pub rows: u32,
}

impl Window<'_> {
    /// The query of the page that follows `after`, or of the first page.
    #[must_use]
    pub fn page(&self, after: Option<ScanPoint>) -> String {
        let condition = self.condition(after);
        format!(
            "{} ORDER BY SystemModstamp ASC, Id ASC LIMIT {}",
            select(self.object, self.columns, Some(&condition)),
            self.rows.min(PAGE_ROWS_MAX)
        )
    }

    /// What all rows behind `after` meet, or all rows of the window.
    #[must_use]
    pub fn condition(&self, after: Option<ScanPoint>) -> String {
        let hi = date_time(self.hi);
        match after {
            None => format!(
                "SystemModstamp >= {} AND SystemModstamp < {hi}",
                date_time(self.lo)
            ),
            // The first condition alone would do for truth; with it the stamp's index still serves.
            Some(ScanPoint { stamp, id }) => {
                let stamp = date_time(stamp);
                format!(
                    "SystemModstamp >= {stamp} AND SystemModstamp < {hi} AND (SystemModstamp > {stamp} OR Id > '{id}')"
                )
            }
        }
    }
}

/// The query of a scan by id: rows after `after`, in the order of ids.
#[must_use]
pub fn by_id(
    object: &str,
    columns: &Columns,
    filter: Option<&str>,
    after: Option<&SalesforceId>,
    rows: u32,
) -> String {
    let after = after.map(|id| format!("Id > '{id}'"));
    let filter = match (filter, after) {
        (Some(filter), Some(after)) => Some(format!("({filter}) AND {after}")),
        (Some(filter), None) => Some(filter.to_owned()),
        (None, after) => after,
    };
    format!(
        "{} ORDER BY Id ASC LIMIT {}",
        select(object, columns, filter.as_deref()),
        rows.min(PAGE_ROWS_MAX)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn literals_are_escaped() {
        assert_eq!(text("O'Neil \\ co\n"), r"'O\'Neil \\ co\n'");
        assert_eq!(date_time(at("2026-01-31T10:20:30Z")), "2026-01-31T10:20:30.000Z");
    }

    #[test]
    fn trap_02_a_window_is_half_open_and_pages_by_stamp_and_id() {
        let columns = Columns::text(["Id", "SystemModstamp"]);
        let window = Window {
            object: "Car__c",
            columns: &columns,
            lo: at("2026-01-01T00:00:00Z"),
            hi: at("2026-01-01T00:05:00Z"),
            rows: 5_000,
        };
        assert_eq!(
            window.page(None),
            "SELECT Id, SystemModstamp FROM Car__c WHERE SystemModstamp >= 2026-01-01T00:00:00.000Z \
             AND SystemModstamp < 2026-01-01T00:05:00.000Z ORDER BY SystemModstamp ASC, Id ASC LIMIT 2000"
        );
        let after = ScanPoint {
            stamp: at("2026-01-01T00:01:00Z"),
            id: SalesforceId::parse("a00Hs000001ABCd").unwrap(),
        };
        assert_eq!(
            window.page(Some(after)),
            "SELECT Id, SystemModstamp FROM Car__c WHERE SystemModstamp >= 2026-01-01T00:01:00.000Z \
             AND SystemModstamp < 2026-01-01T00:05:00.000Z AND (SystemModstamp > 2026-01-01T00:01:00.000Z \
             OR Id > 'a00Hs000001ABCdIAO') ORDER BY SystemModstamp ASC, Id ASC LIMIT 2000"
        );
    }

    #[test]
    fn scans_by_id_keep_their_filter_apart() {
        let columns = Columns::text(["Id"]);
        let id = SalesforceId::parse("a00Hs000001ABCd").unwrap();
        assert_eq!(
            by_id("Car__c", &columns, Some("A__c = 1 OR B__c = 2"), Some(&id), 10),
            "SELECT Id FROM Car__c WHERE (A__c = 1 OR B__c = 2) AND Id > 'a00Hs000001ABCdIAO' ORDER BY Id ASC LIMIT 10"
        );
        assert_eq!(
            by_id("Car__c", &columns, None, None, 10),
            "SELECT Id FROM Car__c ORDER BY Id ASC LIMIT 10"
        );
    }
}
