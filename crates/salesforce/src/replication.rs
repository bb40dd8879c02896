//! Ids of records that were updated or deleted in a stretch of time.
//!
//! Both ends are cut to the minute by the server. `covered_until` is what was really covered: while a long
//! transaction is open it lies before the asked end, and the next stretch must begin there.

use jiff::Timestamp;
use landbridge_model::SalesforceId;
use serde::{Deserialize, Deserializer};

use crate::calls::Family;
use crate::client::{Call, Client};
use crate::describe::object_name;
use crate::error::SalesforceError;
use crate::normalise::parse_date_time;

/// Records created or changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Updated {
    /// Their ids.
    #[serde(default)]
    pub ids: Vec<SalesforceId>,
    /// The end of the stretch that this answer is complete for.
    #[serde(rename = "latestDateCovered", deserialize_with = "time")]
    pub covered_until: Timestamp,
}

/// Records deleted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Which and when.
    #[serde(default)]
    pub deleted_records: Vec<DeletedRecord>,
    /// Deletes before this are no longer known: what lies before can only be found by comparing all ids.
    #[serde(deserialize_with = "time")]
    pub earliest_date_available: Timestamp,
    /// The end of the stretch that this answer is complete for.
    #[serde(rename = "latestDateCovered", deserialize_with = "time")]
    pub covered_until: Timestamp,
}

/// One deleted record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRecord {
    /// Its id.
    pub id: SalesforceId,
    /// When it was deleted.
    #[serde(deserialize_with = "time")]
    pub deleted_date: Timestamp,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_date_time(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no date-time")))
}

impl Client {
    /// Ids of records created or changed from `start` to `end`. At most 30 days back; more than 600,000 ids are
    /// refused with a verdict to shrink the stretch.
    pub async fn updated(
        &self,
        object: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Updated, SalesforceError> {
        self.json(&stretch("updated records", object, "updated", start, end)?)
            .await
    }

    /// Ids of records deleted from `start` to `end`, which must be more than a minute apart. At most 15 days back.
    /// A stretch that the delete log no longer covers is refused with the verdict [`crate::Verdict::Gone`].
    pub async fn deleted(
        &self,
        object: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Deleted, SalesforceError> {
        self.json(&stretch("deleted records", object, "deleted", start, end)?)
            .await
    }
}

fn stretch(
    what: &'static str,
    object: &str,
    resource: &str,
    start: Timestamp,
    end: Timestamp,
) -> Result<Call, SalesforceError> {
    let path = format!("sobjects/{}/{resource}/", object_name(object)?);
    let literal = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    Ok(Call::get(what, Family::Replication, path)
        .query("start", literal(start))
        .query("end", literal(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let deleted: Deleted = serde_json::from_str(
            r#"{"deletedRecords":[{"id":"a00Hs000001ABCd","deletedDate":"2026-01-02T22:07:19.000+0000"}],
                "earliestDateAvailable":"2026-01-01T00:00:00.000+0000","latestDateCovered":"2026-01-02T22:10:00.000+0000"}"#,
        )
        .unwrap();
        assert_eq!(
            deleted.deleted_records[0].deleted_date.to_string(),
            "2026-01-02T22:07:19Z"
        );
        let none: Updated =
            serde_json::from_str(r#"{"latestDateCovered":"2026-01-02T22:10:00.000Z"}"#).unwrap();
        assert!(none.ids.is_empty());
    }
}
