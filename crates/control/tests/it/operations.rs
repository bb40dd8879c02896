//! Every operation of the document, asked for what it does and for what it cannot do. An operation without an entry fails
//! the test below: give it one in the file of its area, where entries run from top to bottom in one world.

mod imports;
mod people;
mod records;
mod schemas;
mod syncs;
mod tenants;

use std::collections::BTreeMap;
use std::pin::Pin;

use axum::http::Method;
use serde_json::{Value, json};

use crate::api::{Answer, Api, Operation, Proof, operations};
use crate::console::PASSWORD;
use crate::rig::soon;

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum By {
    /// An admin of everything, by a token.
    #[default]
    Admin,
    /// The local user ann, in a new session.
    Ann,
    /// Nobody.
    Nobody,
    /// Whoever shows what is no token.
    Forger,
}

/// A request. Texts may name what was kept from earlier answers, in braces: `{tag}`.
#[derive(Clone, Debug, Default)]
struct Ask {
    by: By,
    /// Parameters of the path that are not the world's.
    names: Vec<(&'static str, &'static str)>,
    query: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Value>,
}

fn ask() -> Ask {
    Ask::default()
}

/// A request to a tenant that is not there: all that can be wrong with some.
fn nowhere() -> Ask {
    ask().at("tenant", "nowhere")
}

fn body(body: Value) -> Ask {
    Ask {
        body: Some(body),
        ..ask()
    }
}

fn query(query: &'static str) -> Ask {
    Ask { query, ..ask() }
}

impl Ask {
    fn by(self, by: By) -> Self {
        Self { by, ..self }
    }

    fn at(mut self, name: &'static str, value: &'static str) -> Self {
        self.names.push((name, value));
        self
    }

    fn with(mut self, header: &'static str, value: &'static str) -> Self {
        self.headers.push((header, value));
        self
    }
}

/// A part of an answer.
type Part = fn(&Answer) -> Value;

type Done<'w> = Pin<Box<dyn Future<Output = Answer> + 'w>>;

/// The request that succeeds.
enum Good {
    Plain(Ask),
    /// What is not one request with a whole answer.
    Other(fn(&World) -> Done<'_>),
}

/// An operation: what it answers, and what it refuses. What is refused is asked first.
struct Entry {
    id: &'static str,
    good: Good,
    status: u16,
    says: fn(&Answer),
    /// Asked again until this holds: what is true a moment later.
    until: fn(&Answer) -> bool,
    bad: Vec<(Ask, u16)>,
    /// Neither parameters nor a body: nothing can be wrong with it but who asks.
    takes_nothing: bool,
    keeps: Vec<(&'static str, Part)>,
}

fn entry(id: &'static str, good: Ask, status: u16, says: fn(&Answer)) -> Entry {
    Entry {
        id,
        good: Good::Plain(good),
        status,
        says,
        until: |_| true,
        bad: Vec::new(),
        takes_nothing: false,
        keeps: Vec::new(),
    }
}

impl Entry {
    fn refuses(mut self, bad: Ask, status: u16) -> Self {
        self.bad.push((bad, status));
        self
    }

    fn takes_nothing(self) -> Self {
        Self {
            takes_nothing: true,
            ..self
        }
        .refuses(ask().by(By::Forger), 401)
    }

    fn until(self, until: fn(&Answer) -> bool) -> Self {
        Self { until, ..self }
    }

    /// Keeps a part of the answer under a name, for the entries below.
    fn keeps(mut self, name: &'static str, part: Part) -> Self {
        self.keeps.push((name, part));
        self
    }

    fn by_other_means(self, other: fn(&World) -> Done<'_>) -> Self {
        Self {
            good: Good::Other(other),
            ..self
        }
    }
}

/// An answer without a body.
fn says_nothing(answer: &Answer) {
    assert_eq!(answer.text, "");
}

/// What an area's entries are asked of.
struct World {
    api: Api,
    admin: Proof,
    kept: BTreeMap<&'static str, Value>,
}

impl World {
    async fn new(api: Api) -> Self {
        let kept = [
            ("tenant", "acme"),
            ("sync", "vehicles"),
            ("revision", "1"),
            ("object", "Vehicle__c"),
            ("object_type", "vehicles"),
            ("draft", "fleet"),
        ];
        Self {
            admin: api.admin().await,
            api,
            kept: kept.map(|(name, value)| (name, json!(value))).into(),
        }
    }

    fn keep(&mut self, name: &'static str, value: impl Into<Value>) {
        self.kept.insert(name, value.into());
    }

    async fn proof(&self, by: By) -> Proof {
        match by {
            By::Admin => self.admin.clone(),
            By::Nobody => Proof::Nothing,
            By::Forger => Proof::Token("lbt_forged".to_owned()),
            By::Ann => {
                let signed_in = self.api.service.sign_in("ann", PASSWORD, "127.0.0.1").await;
                let signed_in = signed_in.unwrap();
                Proof::Cookie(
                    format!("landbridge_session={}", signed_in.session),
                    Some(signed_in.csrf_token),
                )
            }
        }
    }

    fn filled(&self, text: &str) -> String {
        self.kept.iter().fold(text.to_owned(), |text, (name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace(&format!("{{{name}}}"), &value)
        })
    }

    /// A text that is only a name becomes what was kept, whatever that is.
    fn filled_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
                let kept = name.and_then(|name| self.kept.get(name));
                kept.cloned().unwrap_or_else(|| json!(self.filled(text)))
            }
            Value::Array(items) => items.iter().map(|item| self.filled_value(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter();
                Value::Object(
                    fields
                        .map(|(name, value)| (name.clone(), self.filled_value(value)))
                        .collect(),
                )
            }
            other => other.clone(),
        }
    }

    async fn send(&self, operation: &Operation, ask: &Ask) -> Answer {
        let named = ask
            .names
            .iter()
            .fold(operation.path.clone(), |path, (name, value)| {
                path.replace(&format!("{{{name}}}"), value)
            });
        let path = self.filled(&format!("{named}{}", ask.query));
        assert!(!path.contains('{'), "{path}: a parameter has no value");
        let headers: Vec<(&str, String)> = ask
            .headers
            .iter()
            .map(|(name, value)| (*name, self.filled(value)))
            .collect();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = ask.body.as_ref().map(|body| self.filled_value(body));
        let proof = self.proof(ask.by).await;
        self.api
            .send(operation.method.clone(), &path, &proof, &headers, body.as_ref())
            .await
    }

    async fn good(&self, operation: &Operation, good: &Good) -> Answer {
        match good {
            Good::Plain(ask) => self.send(operation, ask).await,
            Good::Other(other) => other(self).await,
        }
    }

    /// Asks for all of it, from top to bottom.
    async fn run(mut self, entries: Vec<Entry>) {
        let document: Value = serde_json::from_str(&landbridge_control::http::openapi_json()).unwrap();
        for entry in entries {
            let id = entry.id;
            let operation = operations().into_iter().find(|operation| operation.id == id);
            let operation = operation.unwrap_or_else(|| panic!("the document has no operation {id}"));
            let documented = documented(&document, &operation);
            if entry.takes_nothing {
                assert!(
                    documented["parameters"].as_array().is_none_or(Vec::is_empty) && !operation.takes_body,
                    "{id} takes something: something can be wrong with it"
                );
            }
            assert!(!entry.bad.is_empty(), "{id}: nothing is said of what it refuses");
            for (bad, status) in &entry.bad {
                let answer = self.send(&operation, bad).await;
                assert_eq!(answer.status.as_u16(), *status, "{id} {bad:?}: {}", answer.text);
                assert!(
                    answer.status.is_client_error(),
                    "{id}: {status} is not the caller's error"
                );
                assert!(!answer.kind().is_empty(), "{id} {bad:?}: {}", answer.text);
            }
            let answer = soon(id, async {
                loop {
                    let answer = self.good(&operation, &entry.good).await;
                    if (entry.until)(&answer) {
                        return answer;
                    }
                    tokio::task::yield_now().await;
                }
            })
            .await;
            assert_eq!(answer.status.as_u16(), entry.status, "{id}: {}", answer.text);
            holds_what_is_documented(&document, documented, id, &answer);
            (entry.says)(&answer);
            for (name, part) in &entry.keeps {
                self.kept.insert(*name, part(&answer));
            }
        }
    }
}

fn documented<'d>(document: &'d Value, operation: &Operation) -> &'d Value {
    let method = match operation.method {
        Method::GET => "get",
        Method::PUT => "put",
        Method::POST => "post",
        Method::DELETE => "delete",
        ref other => panic!("{other} is not asked here"),
    };
    &document["paths"][&operation.path][method]
}

/// The status is one that the document has, the kind of the body too, and of what it says must be there all is there.
fn holds_what_is_documented(document: &Value, documented: &Value, id: &str, answer: &Answer) {
    let response = &documented["responses"][answer.status.as_str()];
    assert!(
        response.is_object(),
        "{id}: the document knows no {}",
        answer.status
    );
    let Some(content) = response["content"].as_object() else {
        return;
    };
    let sent = answer.header("content-type");
    let known = content.iter().find(|(kind, _)| sent.starts_with(kind.as_str()));
    let (kind, content) = known.unwrap_or_else(|| panic!("{id}: {sent} is not documented"));
    if kind == "application/json" {
        has_what_is_required(document, &content["schema"], &answer.json(), id);
    }
}

fn has_what_is_required(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        let named = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{name} is not in the document"));
        return has_what_is_required(document, named, value, place);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        has_what_is_required(document, part, value, place);
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for value in values {
            has_what_is_required(document, items, value, place);
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        assert!(
            value.get(name).is_some(),
            "{place}: {name} must be there: {value}"
        );
    }
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (name, schema) in properties {
        if let Some(value) = value.get(name).filter(|value| !value.is_null()) {
            has_what_is_required(document, schema, value, &format!("{place}.{name}"));
        }
    }
}

#[test]
fn every_operation_has_an_entry() {
    let areas = [
        imports::entries(),
        people::entries(),
        records::entries(),
        schemas::entries(),
        syncs::entries(),
        tenants::entries(),
    ];
    let mut entries: Vec<&str> = areas.iter().flatten().map(|entry| entry.id).collect();
    entries.sort_unstable();
    let mut all: Vec<String> = operations().into_iter().map(|operation| operation.id).collect();
    all.sort_unstable();
    entries.dedup();
    assert_eq!(
        entries, all,
        "each operation has an entry in the file of its area, and no other has one"
    );
}
