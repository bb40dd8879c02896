//! Many records by their ids in one call (sObject collections).

use landbridge_model::{SalesforceId, Table};
use reqwest::Method;
use serde_json::value::RawValue;

use crate::calls::Family;
use crate::client::{Call, Client};
use crate::columns::Columns;
use crate::describe::object_name;
use crate::error::SalesforceError;
use crate::query::json;

/// Ids that one call may name.
pub const RETRIEVE_MAX: usize = 2_000;

/// What came of asking for records by id.
#[derive(Debug, Clone)]
pub struct Retrieved {
    /// The records that are there, in the order in which they were asked for.
    pub rows: Table,
    /// For each row, its place among the ids asked for.
    pub places: Vec<usize>,
    /// The places of ids that gave no record: deleted, hidden, or never there. One call cannot tell which.
    pub missing: Vec<usize>,
}

impl Client {
    /// Reads live records by id, at most [`RETRIEVE_MAX`] of them.
    pub async fn retrieve(
        &self,
        object: &str,
        ids: &[SalesforceId],
        columns: &Columns,
    ) -> Result<Retrieved, SalesforceError> {
        if ids.len() > RETRIEVE_MAX {
            return Err(SalesforceError::Setting(format!(
                "{} ids in one call, where {RETRIEVE_MAX} are allowed",
                ids.len()
            )));
        }
        let path = format!("composite/sobjects/{}", object_name(object)?);
        let body = serde_json::json!({ "ids": ids, "fields": columns.names() });
        let call = Call::with(
            "records by id",
            Family::Collections,
            Method::POST,
            path,
            Some(body),
        );
        self.read(&call, |body| {
            let records: Vec<Option<&RawValue>> = serde_json::from_slice(body)?;
            let mut retrieved = Retrieved {
                rows: columns.table(),
                places: Vec::new(),
                missing: Vec::new(),
            };
            for (place, record) in records.into_iter().enumerate() {
                match record.filter(|record| record.get() != "null") {
                    Some(record) => {
                        json::push_record(columns, record, &mut retrieved.rows)?;
                        retrieved.places.push(place);
                    }
                    None => retrieved.missing.push(place),
                }
            }
            Ok(retrieved)
        })
        .await
    }
}
