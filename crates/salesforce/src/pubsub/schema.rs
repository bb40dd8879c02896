//! Schemas of change events: fetched once each, kept for good. An id never gets another meaning; a channel's events may
//! bear several of them.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::OnceCell;

use super::bitmap::Field;
use super::error::PubSubError;

/// Schemas that are kept at most; an org has one for each object and each change of its fields.
const KEPT: usize = 4_096;

/// What is needed of a schema: how its header is written, and what its fields are called.
#[derive(Debug)]
pub(super) struct EventSchema {
    pub(super) header: Schema,
    pub(super) fields: Vec<Field>,
}

/// The schemas of one org, by their ids.
#[derive(Debug, Default)]
pub struct Schemas {
    known: Mutex<HashMap<String, Arc<OnceCell<Arc<EventSchema>>>>>,
}

impl Schemas {
    /// The schema of an id. Whoever needs it first fetches it; all others wait for that.
    pub(super) async fn get<F>(
        &self,
        id: &str,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<EventSchema>, PubSubError>
    where
        F: Future<Output = Result<String, PubSubError>>,
    {
        let cell = {
            let mut known = self.known.lock();
            if known.len() >= KEPT && !known.contains_key(id) {
                known.clear();
            }
            known.entry(id.to_owned()).or_default().clone()
        };
        let read = || async {
            let json = fetch().await?;
            let schema = EventSchema::parse(&json).map_err(|reason| PubSubError::Schema {
                id: id.to_owned(),
                reason,
            })?;
            Ok(Arc::new(schema))
        };
        cell.get_or_try_init(read).await.cloned()
    }
}

impl EventSchema {
    /// From Avro's JSON. The header comes first; nothing behind it is decoded, so that nothing there can be in the way.
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        let schema: Json = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let fields = schema["fields"].as_array().ok_or("it has no fields")?;
        let header = fields
            .first()
            .filter(|first| first["name"] == "ChangeEventHeader")
            .ok_or("its first field is not ChangeEventHeader: these are not change events")?;
        let header = Schema::parse(&header["type"]).map_err(|error| error.to_string())?;
        let mut records = HashMap::new();
        let fields = fields
            .iter()
            .map(|field| Field {
                name: field["name"].as_str().unwrap_or_default().to_owned(),
                parts: parts(&field["type"], &mut records),
            })
            .collect();
        Ok(Self { header, fields })
    }
}

/// The names of a compound field's parts. A record is spelled out where it is first used, and named from there on.
fn parts(kind: &Json, records: &mut HashMap<String, Vec<String>>) -> Vec<String> {
    match kind {
        Json::Array(union) => union
            .iter()
            .map(|kind| parts(kind, records))
            .find(|parts| !parts.is_empty())
            .unwrap_or_default(),
        Json::String(name) => records.get(name).cloned().unwrap_or_default(),
        Json::Object(record) => {
            let fields = record.get("fields").and_then(Json::as_array);
            let names: Vec<String> = fields
                .into_iter()
                .flatten()
                .filter_map(|field| Some(field["name"].as_str()?.to_owned()))
                .collect();
            if let Some(name) = record.get("name").and_then(Json::as_str) {
                records.insert(name.to_owned(), names.clone());
            }
            names
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::event::tests::SCHEMA;
    use super::*;

    #[test]
    fn compound_fields_know_their_parts_where_they_are_named_again() {
        let mut schema: Json = serde_json::from_str(SCHEMA).unwrap();
        let second =
            serde_json::json!({ "name": "Second__c", "type": ["null", "Location"], "default": null });
        schema["fields"].as_array_mut().unwrap().push(second);
        let schema = EventSchema::parse(&schema.to_string()).unwrap();
        let of = |name: &str| {
            schema
                .fields
                .iter()
                .find(|field| field.name == name)
                .unwrap()
                .parts
                .clone()
        };
        assert_eq!(of("Location__c"), ["Latitude", "Longitude", "XyzEncoded"]);
        assert_eq!(of("Second__c"), ["Latitude", "Longitude", "XyzEncoded"]);
        assert!(of("Price__c").is_empty());
    }

    #[test]
    fn other_events_are_refused() {
        let refused = EventSchema::parse(
            r#"{"name":"Order__e","type":"record","fields":[{"name":"CreatedDate","type":"long"}]}"#,
        );
        assert!(refused.unwrap_err().contains("not change events"));
        assert!(EventSchema::parse("{").is_err());
    }

    #[tokio::test]
    async fn a_schema_is_fetched_once_by_all_who_need_it() {
        let (schemas, fetched) = (Schemas::default(), AtomicUsize::new(0));
        let fetch = || async {
            fetched.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(SCHEMA.to_owned())
        };
        let asked = (0..8).map(|_| schemas.get("K98a", fetch));
        let found = futures::future::join_all(asked).await;
        assert!(found.iter().all(Result::is_ok));
        assert_eq!(fetched.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_fetch_that_failed_is_tried_again() {
        let schemas = Schemas::default();
        let failed = schemas.get("K98a", || async { Err(PubSubError::Ended) }).await;
        assert!(failed.is_err());
        assert!(
            schemas
                .get("K98a", || async { Ok(SCHEMA.to_owned()) })
                .await
                .is_ok()
        );
    }
}
