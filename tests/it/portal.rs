//! What stands in the portal, as any client of it sees it.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::Sandbox;

impl Sandbox {
    /// Creates the object types of a file: one of HubSpot's documents, or a list of them.
    pub fn create_object_types(&self, file: &Path) {
        let text = std::fs::read_to_string(file).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let one = std::slice::from_ref(&document);
        for schema in document.as_array().map_or(one, Vec::as_slice) {
            self.hubspot(
                "POST",
                "/crm-object-schemas/2026-09/schemas",
                Some(schema.clone()),
            );
        }
    }

    /// A property of the record with this Salesforce id, empty where it has no value; `None` without a record.
    pub fn property(&self, object_type: &str, id: &str, property: &str) -> Option<String> {
        let record = self.record(object_type, id, &[property])?;
        let value = record["properties"][property].as_str();
        Some(value.unwrap_or_default().to_owned())
    }

    /// The HubSpot id of the record with this Salesforce id.
    pub fn hubspot_id(&self, object_type: &str, id: &str) -> Option<String> {
        let record = self.record(object_type, id, &["name"])?;
        Some(record["id"].as_str()?.to_owned())
    }

    /// The HubSpot ids of the records of a type that the record with this Salesforce id is associated with.
    pub fn linked(&self, from: &str, to: &str, id: &str) -> Vec<String> {
        let Some(hubspot_id) = self.hubspot_id(from, id) else {
            return Vec::new();
        };
        let path = format!("/crm/associations/2026-09/{from}/{to}/batch/read");
        let inputs = json!({ "inputs": [{ "id": hubspot_id }] });
        let answer = self.hubspot("POST", &path, Some(inputs));
        let ends = answer["results"][0]["to"].as_array().cloned();
        let ends = ends.unwrap_or_default();
        ends.iter().map(|end| end["toObjectId"].to_string()).collect()
    }

    /// Creates a Salesforce record and gives its id.
    pub fn create(&self, object: &str, fields: Value) -> String {
        let created = self.salesforce("POST", &format!("/sobjects/{object}"), Some(fields));
        created["id"].as_str().unwrap().to_owned()
    }

    /// Edits a Salesforce record.
    pub fn edit(&self, object: &str, id: &str, fields: Value) {
        self.salesforce("PATCH", &format!("/sobjects/{object}/{id}"), Some(fields));
    }

    /// Deletes a Salesforce record.
    pub fn delete(&self, object: &str, id: &str) {
        self.salesforce("DELETE", &format!("/sobjects/{object}/{id}"), None);
    }

    /// The id of the one record that a condition of SOQL describes.
    pub fn id_of(&self, object: &str, condition: &str) -> String {
        let rows = self.query(&format!("SELECT Id FROM {object} WHERE {condition}"));
        assert_eq!(rows.len(), 1, "{object} where {condition}");
        rows[0]["Id"].as_str().unwrap().to_owned()
    }
}
