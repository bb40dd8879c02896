//! A merge as a transaction of its own, for SOAP and for tests.

use crate::salesforce::{dml::DmlError, handle::OrgHandle, ids::RecordId};
use serde_json::{Map, Value as Json};

/// Merges records into another, in one transaction; gives the children that it took over.
pub(in crate::salesforce) async fn merge(
    handle: &OrgHandle,
    master: &str,
    losers: &[String],
    given: &Map<String, Json>,
) -> Result<Vec<RecordId>, DmlError> {
    let id = |text: &str| {
        let malformed = || DmlError::new("MALFORMED_ID", format!("malformed id {text}"));
        RecordId::parse(text).ok_or_else(malformed)
    };
    let master = id(master)?;
    let losers = losers
        .iter()
        .map(|loser| id(loser))
        .collect::<Result<Vec<_>, _>>()?;
    handle
        .commit(|org, change| {
            let all_or_nothing = Result::is_ok;
            org.attempt(|org| org.merge(master, &losers, given, change), all_or_nothing)
        })
        .await
}
