//! SOQL over REST: pages of rows, counts.
//!
//! Long scans do not lean on a server-side cursor: cursors die with their session and are evicted by others.
//! [`crate::soql::Window`] asks for keyset pages instead, each a query of its own.

use serde::Deserialize;
use serde_json::value::RawValue;

use landbridge_model::Table;

use crate::calls::Family;
use crate::client::{Call, Client};
use crate::columns::Columns;
use crate::error::SalesforceError;

pub(crate) mod json;

/// Longest address that is sent: Salesforce refuses addresses of 16,384 bytes, headers included.
pub const ADDRESS_MAX: usize = 14_000;

/// Whether soft-deleted rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Live rows only.
    Live,
    /// Deleted ones in the recycle bin too (`queryAll`).
    WithDeleted,
}

impl Scope {
    /// The REST resource and the Bulk 2.0 operation have the same name.
    #[must_use]
    pub fn operation(self) -> &'static str {
        match self {
            Self::Live => "query",
            Self::WithDeleted => "queryAll",
        }
    }
}

/// One page of an answer.
#[derive(Debug, Clone)]
pub struct QueryPage {
    /// The rows, in the server's order.
    pub rows: Table,
    /// How many rows match in all.
    pub total: u64,
    /// Where the next page is, if there is one.
    pub next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryAnswer<'a> {
    #[serde(default)]
    total_size: u64,
    next_records_url: Option<String>,
    #[serde(borrow, default)]
    records: Vec<&'a RawValue>,
}

impl Client {
    /// Runs a query and reads its first page. `soql` must select exactly `columns`.
    ///
    /// # Errors
    /// [`SalesforceError::QueryTooLong`] before anything is sent when the query does not fit an address.
    pub async fn query(
        &self,
        scope: Scope,
        soql: &str,
        columns: &Columns,
    ) -> Result<QueryPage, SalesforceError> {
        check_length(soql)?;
        let call = Call::get("a query", Family::Query, scope.operation()).query("q", soql);
        self.page(&call, columns).await
    }

    /// Reads the page that `next` of an earlier one names.
    pub async fn query_next(&self, next: &str, columns: &Columns) -> Result<QueryPage, SalesforceError> {
        self.page(&Call::given("a query's next page", Family::Query, next), columns)
            .await
    }

    pub(crate) async fn page(&self, call: &Call, columns: &Columns) -> Result<QueryPage, SalesforceError> {
        self.read(call, |body| {
            let answer: QueryAnswer<'_> = serde_json::from_slice(body)?;
            let mut rows = columns.table();
            for record in answer.records {
                json::push_record(columns, record, &mut rows)?;
            }
            Ok(QueryPage {
                rows,
                total: answer.total_size,
                next: answer.next_records_url,
            })
        })
        .await
    }

    /// Counts the rows that match: `SELECT COUNT() FROM object [WHERE filter]`.
    pub async fn count(
        &self,
        scope: Scope,
        object: &str,
        filter: Option<&str>,
    ) -> Result<u64, SalesforceError> {
        let filter = filter
            .map(|filter| format!(" WHERE {filter}"))
            .unwrap_or_default();
        let soql = format!("SELECT COUNT() FROM {object}{filter}");
        check_length(&soql)?;
        let call = Call::get("a count", Family::Query, scope.operation()).query("q", soql);
        self.read(&call, |body| {
            let answer: QueryAnswer<'_> = serde_json::from_slice(body)?;
            Ok(answer.total_size)
        })
        .await
    }
}

/// Refuses a query that no GET address can carry.
fn check_length(soql: &str) -> Result<(), SalesforceError> {
    let bytes: usize = url::form_urlencoded::byte_serialize(soql.as_bytes())
        .map(str::len)
        .sum();
    if bytes > ADDRESS_MAX {
        return Err(SalesforceError::QueryTooLong {
            bytes,
            limit: ADDRESS_MAX,
        });
    }
    Ok(())
}

/// Whether a query fits the address of a GET.
#[must_use]
pub fn fits_an_address(soql: &str) -> bool {
    check_length(soql).is_ok()
}
