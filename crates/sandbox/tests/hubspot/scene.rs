//! Two object types with a plain association between them, and the ways to ask about it.

use super::desk::{Desk, Told};
use serde_json::{Value, json};

pub(crate) const DATED: &str = "/crm/associations/2026-09";
pub(crate) const V4: &str = "/crm/v4/associations";

/// A vehicle, two companies, and the plain type between them.
pub(crate) struct Scene {
    pub(crate) desk: Desk,
    pub(crate) vehicle: String,
    pub(crate) companies: [String; 2],
    pub(crate) plain: u64,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene::with(Desk::new())
    }

    pub(crate) fn with(desk: Desk) -> Scene {
        let (vehicle, companies) = (desk.vehicle("a"), [desk.company("Acme"), desk.company("Bolt")]);
        let labels = desk.get(&format!("{DATED}/{}/companies/labels", desk.vehicles));
        assert_eq!(labels.results().len(), 1, "{}", labels.text);
        let plain = &labels.results()[0];
        assert_eq!(
            (&plain["category"], &plain["label"]),
            (&json!("USER_DEFINED"), &Value::Null)
        );
        let plain = plain["typeId"].as_u64().unwrap_or_default();
        Scene {
            desk,
            vehicle,
            companies,
            plain,
        }
    }

    pub(crate) fn to_companies(&self, base: &str, deed: &str, inputs: Value) -> Told {
        self.desk.post(
            &format!("{base}/{}/companies/batch/{deed}", self.desk.vehicles),
            json!({ "inputs": inputs }),
        )
    }

    pub(crate) fn pair(&self, to: &str, types: &[u64]) -> Value {
        let types: Vec<Value> = types
            .iter()
            .map(|id| json!({"associationCategory": "USER_DEFINED", "associationTypeId": id}))
            .collect();
        json!({"from": {"id": self.vehicle}, "to": {"id": to}, "types": types})
    }

    /// A label and its type id seen from vehicles.
    pub(crate) fn label(&self, label: &str, inverse: Option<&str>) -> u64 {
        let path = format!("{DATED}/{}/companies/labels", self.desk.vehicles);
        let mut draft = json!({"name": label.to_lowercase(), "label": label});
        if let Some(inverse) = inverse {
            draft["inverseLabel"] = json!(inverse);
        }
        let told = self.desk.post(&path, draft);
        assert_eq!((told.status, told.results().len()), (200, 2), "{}", told.text);
        let labels = self.desk.get(&path);
        let found = labels.results().iter().find(|told| told["label"] == label);
        found.and_then(|told| told["typeId"].as_u64()).unwrap_or_default()
    }

    /// Labels by company, seen from the vehicle; the plain type is a null.
    pub(crate) fn seen(&self) -> Vec<(u64, Vec<Value>)> {
        self.seen_from(
            "/crm/associations/2026-09",
            &self.desk.vehicles,
            &self.vehicle,
            "companies",
        )
    }

    pub(crate) fn seen_from(&self, base: &str, from: &str, id: &str, to: &str) -> Vec<(u64, Vec<Value>)> {
        let told = self.desk.post(
            &format!("{base}/{from}/{to}/batch/read"),
            json!({"inputs": [{"id": id}]}),
        );
        let links = told
            .results()
            .first()
            .map(|told| told["to"].as_array().cloned().unwrap_or_default());
        let label = |link: &Value| {
            let types = link["associationTypes"].as_array().cloned().unwrap_or_default();
            types.iter().map(|told| told["label"].clone()).collect()
        };
        links
            .unwrap_or_default()
            .iter()
            .map(|link| (link["toObjectId"].as_u64().unwrap_or_default(), label(link)))
            .collect()
    }
}

pub(crate) fn number(id: &str) -> u64 {
    id.parse().unwrap_or_default()
}
