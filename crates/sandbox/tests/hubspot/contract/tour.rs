//! A portal to tour, and the judgement of every call on the way.

use super::documents::{Contract, Violation};
use crate::hubspot::desk::{Desk, Told, having, quiet};
use http::{HeaderMap, HeaderValue, header};
use landbridge_sandbox::hubspot::{Habits, Lags};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Calls a portal by one version's paths and keeps what its documents say about the answers.
pub(crate) struct Tour {
    pub(crate) desk: Desk,
    pub(crate) contract: Contract,
    /// `v3` or a date.
    pub(crate) version: &'static str,
    /// Operations that answered with a success, as `METHOD path (document)`.
    pub(crate) succeeded: BTreeSet<String>,
    pub(crate) violations: Vec<Violation>,
}

impl Tour {
    pub(crate) fn new() -> Tour {
        Tour {
            desk: Desk::with(having(Habits {
                custom_object_types: 100,
                // Long enough to be cancelled first.
                lags: Lags {
                    imports: 30_000,
                    ..Lags::NONE
                },
                ..quiet()
            })),
            contract: Contract::load(),
            version: "v3",
            succeeded: BTreeSet::new(),
            violations: Vec::new(),
        }
    }

    /// Whether this version has documents for such a path at all: some APIs skipped one.
    pub(crate) fn is_documented(&self, method: &str, path: &str) -> bool {
        !self.contract.find(method, path).is_empty()
    }

    /// One call that must be answered with this status.
    pub(crate) fn ask(&mut self, want: u16, method: &str, path: &str, body: Value) -> Told {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(want, method, path, "application/json", body.as_bytes())
    }

    pub(crate) fn get(&mut self, path: &str) -> Told {
        self.ask(200, "GET", path, Value::Null)
    }

    pub(crate) fn send(&mut self, want: u16, method: &str, path: &str, kind: &str, body: &[u8]) -> Told {
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", self.desk.token);
        for (name, value) in [
            (header::AUTHORIZATION, bearer.as_str()),
            (header::CONTENT_TYPE, kind),
            (header::HOST, "portal.test"),
        ] {
            headers.insert(name, HeaderValue::from_str(value).expect("plain text"));
        }
        let told = self.desk.call_with(method, path, &headers, body);
        assert_eq!(told.status, want, "{method} {path}: {}", told.text);
        self.judge(method, path, &told);
        told
    }

    fn judge(&mut self, method: &str, path: &str, told: &Told) {
        let path = path.split('?').next().unwrap_or_default();
        for operation in self.contract.find(method, path) {
            let found = self
                .contract
                .judge_answer(operation, told.status, told.text.as_bytes());
            self.violations.extend(found);
            if told.status < 300 {
                let name = format!("{} ({})", operation.name(), operation.document);
                self.succeeded.insert(name);
            }
        }
    }

    /// A path of records.
    pub(crate) fn objects(&self, tail: &str) -> String {
        self.place("objects", tail)
    }

    /// A path of properties.
    pub(crate) fn properties(&self, tail: &str) -> String {
        self.place("properties", tail)
    }

    /// A path of one of the APIs under `/crm`, which old and dated versions build in opposite orders.
    pub(crate) fn place(&self, api: &str, tail: &str) -> String {
        if self.version == "v3" {
            format!("/crm/v3/{api}{tail}")
        } else {
            format!("/crm/{api}/{}{tail}", self.version)
        }
    }

    pub(crate) fn schemas(&self, tail: &str) -> String {
        format!("/crm-object-schemas/{}/schemas{tail}", self.version)
    }

    /// Paths of associations: v4 stands beside v3.
    pub(crate) fn associations(&self, tail: &str) -> String {
        match self.version {
            "v3" => format!("/crm/v4/associations{tail}"),
            dated => format!("/crm/associations/{dated}{tail}"),
        }
    }

    /// Paths of one pair of records.
    pub(crate) fn pair(&self, tail: &str) -> String {
        match self.version {
            "v3" => format!("/crm/v4/objects{tail}"),
            dated => format!("/crm/objects/{dated}{tail}"),
        }
    }

    /// The status of a batch of which a part was refused.
    pub(crate) const MIXED: u16 = 207;

    /// A custom object type of this version's own, with properties of every sort; gives its id.
    pub(crate) fn new_type(&mut self, name: &str) -> String {
        let mut draft = crate::hubspot::desk::vehicle();
        draft["name"] = json!(format!("{name}_{}", self.version.replace('-', "_")));
        let path = self.schemas("");
        let told = self.ask(201, "POST", &path, draft);
        told.body["objectTypeId"].as_str().unwrap_or_default().to_owned()
    }

    /// A record with this key; gives its id.
    pub(crate) fn new_record(&mut self, of: &str, key: &str) -> String {
        let path = self.objects(&format!("/{of}"));
        let told = self.ask(201, "POST", &path, json!({ "properties": { "key": key } }));
        told.body["id"].as_str().unwrap_or_default().to_owned()
    }

    /// A company; gives its id.
    pub(crate) fn new_company(&mut self, name: &str) -> String {
        let path = self.objects("/companies");
        let told = self.ask(201, "POST", &path, json!({ "properties": { "name": name } }));
        told.body["id"].as_str().unwrap_or_default().to_owned()
    }
}
