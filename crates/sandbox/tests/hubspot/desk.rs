//! A portal with one custom object type, and the way to ask it things.

use http::{HeaderMap, HeaderValue, header};
use landbridge_sandbox::{
    hubspot::{Behaviour, Habits, Lags, Portal, PortalConfig},
    stats::Stats,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What came back.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `Null` if the body is no JSON.
    pub(crate) body: Value,
}

impl Told {
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn category(&self) -> &str {
        self.body["category"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.body[name].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn results(&self) -> &[Value] {
        self.list("results")
    }

    pub(crate) fn errors(&self) -> &[Value] {
        self.list("errors")
    }

    /// One member of all results, sorted.
    pub(crate) fn each(&self, pointer: &str) -> Vec<String> {
        let mut found: Vec<String> = self
            .results()
            .iter()
            .filter_map(|result| result.pointer(pointer))
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        found.sort();
        found
    }
}

/// A portal, and a token to ask it with.
pub(crate) struct Desk {
    pub(crate) portal: Portal,
    pub(crate) token: String,
    /// The custom type's id; empty without one.
    pub(crate) vehicles: String,
}

/// Nothing takes its time.
pub(crate) fn quiet() -> Habits {
    Habits {
        lags: Lags::NONE,
        ..Habits::default()
    }
}

/// Calm but for its habits.
pub(crate) fn having(habits: Habits) -> PortalConfig {
    PortalConfig { habits, ..calm() }
}

/// Without lags and limits: for the rules that are about neither.
pub(crate) fn calm() -> PortalConfig {
    PortalConfig {
        limits: landbridge_sandbox::Limits::Off,
        habits: quiet(),
        ..PortalConfig::default()
    }
}

impl Desk {
    pub(crate) fn bare(config: PortalConfig) -> Desk {
        let portal = Portal::with_config(config, Arc::new(Stats::default()));
        portal.stop_clock();
        let token = portal.credentials().token;
        Desk {
            portal,
            token,
            vehicles: String::new(),
        }
    }

    /// With the type `vehicle`: unique `key` (required) and `serial`, and a property of every sort.
    pub(crate) fn with(config: PortalConfig) -> Desk {
        let mut desk = Desk::bare(config);
        let created = desk.post("/crm-object-schemas/2026-09/schemas", vehicle());
        assert_eq!(created.status, 201, "{}", created.text);
        desk.vehicles = created.body["objectTypeId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        desk
    }

    pub(crate) fn new() -> Desk {
        Desk::with(calm())
    }

    pub(crate) fn behaving(behaviour: Behaviour) -> Desk {
        Desk::with(having(Habits { behaviour, ..quiet() }))
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &[u8]) -> Told {
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", self.token);
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_str(&bearer).expect("plain text"),
        );
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::HOST, HeaderValue::from_static("portal.test"));
        self.call_with(method, path, &headers, body)
    }

    pub(crate) fn call_with(&self, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Told {
        let response = self.portal.answer(method, path, headers, body);
        let (parts, body) = response.into_parts();
        let bytes =
            futures::executor::block_on(axum::body::to_bytes(body, usize::MAX)).expect("a body in memory");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Told {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
            body,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Told {
        self.call("GET", path, b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Told {
        self.call("DELETE", path, b"")
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Told {
        self.call("POST", path, body.to_string().as_bytes())
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Told {
        self.call("PATCH", path, body.to_string().as_bytes())
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Told {
        self.call("PUT", path, body.to_string().as_bytes())
    }

    /// A call about vehicles in a version: `v3` or a date.
    pub(crate) fn vehicles(&self, version: &str, deed: &str, inputs: Value) -> Told {
        let path = format!("{}/batch/{deed}", objects(version, &self.vehicles));
        self.post(&path, json!({ "inputs": inputs }))
    }

    /// Creates a vehicle by its key; gives its id.
    pub(crate) fn vehicle(&self, key: &str) -> String {
        let created = self.vehicles("2026-09", "create", json!([{ "properties": { "key": key } }]));
        assert_eq!(created.status, 201, "{}", created.text);
        created.results()[0]["id"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn company(&self, name: &str) -> String {
        let created = self.post(
            "/crm/objects/2026-09/companies",
            json!({ "properties": { "name": name } }),
        );
        assert_eq!(created.status, 201, "{}", created.text);
        created.body["id"].as_str().unwrap_or_default().to_owned()
    }

    /// How many vehicles there are.
    pub(crate) fn count(&self) -> u64 {
        let told = self.get("/__sandbox/objects");
        let types = told.body.as_array().cloned().unwrap_or_default();
        let vehicles = types
            .iter()
            .find(|told| told["objectTypeId"] == self.vehicles.as_str());
        vehicles.and_then(|told| told["live"].as_u64()).unwrap_or(0)
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.portal.advance_clock(std::time::Duration::from_millis(ms));
    }
}

pub(crate) fn objects(version: &str, of: &str) -> String {
    if version == "v3" {
        format!("/crm/v3/objects/{of}")
    } else {
        format!("/crm/objects/{version}/{of}")
    }
}

/// The schema of [`Desk::with`].
pub(crate) fn vehicle() -> Value {
    let options = |values: &[&str]| -> Vec<Value> {
        values
            .iter()
            .map(|value| json!({ "label": value.to_uppercase(), "value": value }))
            .collect()
    };
    json!({
        "name": "vehicle", "labels": { "singular": "Vehicle", "plural": "Vehicles" },
        "primaryDisplayProperty": "key", "requiredProperties": ["key"], "searchableProperties": ["note"],
        "secondaryDisplayProperties": [], "associatedObjects": ["0-2"], "allowsSensitiveProperties": false,
        "properties": [
            { "name": "key", "label": "Key", "type": "string", "fieldType": "text", "hasUniqueValue": true },
            { "name": "serial", "label": "Serial", "type": "string", "fieldType": "text", "hasUniqueValue": true },
            { "name": "note", "label": "Note", "type": "string", "fieldType": "textarea" },
            { "name": "price", "label": "Price", "type": "number", "fieldType": "number" },
            { "name": "stage", "label": "Stage", "type": "enumeration", "fieldType": "select",
              "options": options(&["open", "sold"]) },
            { "name": "tags", "label": "Tags", "type": "enumeration", "fieldType": "checkbox",
              "options": options(&["red", "blue", "green"]) },
            { "name": "active", "label": "Active", "type": "bool", "fieldType": "booleancheckbox",
              "options": options(&["true", "false"]) },
            { "name": "bought", "label": "Bought", "type": "date", "fieldType": "date" },
            { "name": "seen", "label": "Seen", "type": "datetime", "fieldType": "date" },
        ],
    })
}
