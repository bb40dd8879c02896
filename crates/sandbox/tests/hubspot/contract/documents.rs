//! HubSpot's OpenAPI documents, made fit for a JSON Schema validator, and the judgement of one exchange by them.

use jsonschema::{Draft, Validator, error::ValidationErrorKind};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

/// Where the documents are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/contract/hubspot");

/// One thing in an exchange that its document does not allow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// The document's name, without `.json`.
    pub(crate) document: String,
    /// Method and path as the document writes them.
    pub(crate) operation: String,
    /// `request`, or the status of the answer.
    pub(crate) part: String,
    /// Where in the body, with `*` for places in lists and for names that are free.
    pub(crate) at: String,
    /// What is wrong there.
    pub(crate) problem: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({}), {}: {} {}",
            self.operation, self.document, self.part, self.at, self.problem
        )
    }
}

/// One operation of one document.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) document: String,
    pub(crate) method: String,
    pub(crate) path: String,
    told: Value,
}

impl Operation {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// How many segments are literal if the path is one of this operation's.
    fn fit(&self, path: &str) -> Option<usize> {
        let (mine, given): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        if mine.len() != given.len() {
            return None;
        }
        mine.iter().zip(&given).try_fold(0, |literal, (mine, given)| {
            if mine == given {
                Some(literal + 1)
            } else {
                (mine.starts_with('{') && !given.is_empty()).then_some(literal)
            }
        })
    }
}

/// All documents.
pub(crate) struct Contract {
    components: BTreeMap<String, Value>,
    pub(crate) operations: Vec<Operation>,
    /// By document and the schema's text: many operations share one.
    validators: Mutex<BTreeMap<(String, String), Arc<Validator>>>,
}

impl Contract {
    pub(crate) fn load() -> Contract {
        let (mut components, mut operations) = (BTreeMap::new(), Vec::new());
        let mut files: Vec<_> = std::fs::read_dir(FOLDER)
            .expect("the documents are in the repository")
            .map(|entry| entry.expect("a readable folder").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        files.sort();
        for file in files {
            let name = document_name(&file);
            let text = std::fs::read_to_string(&file).expect("a readable document");
            let mut document: Value = serde_json::from_str(&text).expect("a document is JSON");
            operations.extend(operations_of(&name, &document));
            let mut told = document["components"].take();
            strict(&mut told["schemas"]);
            components.insert(name, told);
        }
        Contract {
            components,
            operations,
            validators: Mutex::default(),
        }
    }

    /// The operations that a call is one of: at most one of each document, the one with the most literal path.
    pub(crate) fn find(&self, method: &str, path: &str) -> Vec<&Operation> {
        let mut best: BTreeMap<&str, (usize, &Operation)> = BTreeMap::new();
        for operation in self.operations.iter().filter(|one| one.method == method) {
            let Some(fit) = operation.fit(path) else { continue };
            let known = best.entry(&operation.document).or_insert((fit, operation));
            if fit > known.0 {
                *known = (fit, operation);
            }
        }
        best.into_values().map(|(_, operation)| operation).collect()
    }

    /// What an answer breaks. Statuses that a document does not declare are judged by what it declares for errors,
    /// or, if they are successes, by its other success.
    pub(crate) fn judge_answer(&self, operation: &Operation, status: u16, body: &[u8]) -> Vec<Violation> {
        let part = status.to_string();
        let declared = operation.told["responses"].get(&part);
        let mut found = Vec::new();
        let response = match declared {
            Some(declared) => Some(declared),
            None if status >= 400 => operation.told["responses"].get("default"),
            None => {
                found.push(violation(
                    operation,
                    &part,
                    "",
                    "is a status that is not declared",
                ));
                let mut statuses = ["200", "201"].into_iter();
                statuses.find_map(|status| operation.told["responses"].get(status))
            }
        };
        let Some(response) = response else { return found };
        let schema = match response["$ref"].as_str() {
            Some(reference) => {
                let name = reference.rsplit('/').next().unwrap_or_default();
                &self.components[&operation.document]["responses"][name]["content"]["*/*"]["schema"]
            }
            None => &response["content"]["application/json"]["schema"],
        };
        if schema.is_null() {
            if !body.is_empty() {
                found.push(violation(
                    operation,
                    &part,
                    "",
                    "has a body where none is declared",
                ));
            }
            return found;
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(body) => found.extend(self.judge(operation, &part, schema, &body)),
            Err(_) => found.push(violation(operation, &part, "", "is no JSON")),
        }
        found
    }

    /// What a call breaks: its body, the names in its query, and what of the query is missing.
    pub(crate) fn judge_call(
        &self,
        operation: &Operation,
        query: &BTreeSet<String>,
        body: &[u8],
    ) -> Vec<Violation> {
        let mut found = Vec::new();
        let parameters = operation.told["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let in_query: Vec<&Value> = parameters.iter().filter(|told| told["in"] == "query").collect();
        for name in query {
            if !in_query.iter().any(|told| told["name"] == name.as_str()) {
                let at = format!("?{name}");
                found.push(violation(operation, "request", &at, "is not in the document"));
            }
        }
        for told in in_query.iter().filter(|told| told["required"] == true) {
            let name = told["name"].as_str().unwrap_or_default();
            if !query.contains(name) {
                let at = format!("?{name}");
                found.push(violation(operation, "request", &at, "is required"));
            }
        }
        let content = &operation.told["requestBody"]["content"];
        if content.is_null() {
            if !body.is_empty() {
                found.push(violation(
                    operation,
                    "request",
                    "",
                    "has a body where none is declared",
                ));
            }
            return found;
        }
        let form = &content["application/x-www-form-urlencoded"]["schema"];
        if !form.is_null() {
            let pairs: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
            let mut form = form.clone();
            strict(&mut form);
            found.extend(self.judge(operation, "request", &form, &json!(pairs)));
            return found;
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(body) => {
                found.extend(self.judge(
                    operation,
                    "request",
                    &content["application/json"]["schema"],
                    &body,
                ));
            }
            Err(_) => found.push(violation(operation, "request", "", "is no JSON")),
        }
        found
    }

    fn judge(&self, operation: &Operation, part: &str, schema: &Value, body: &Value) -> Vec<Violation> {
        let validator = self.validator(&operation.document, schema);
        let mut found = BTreeSet::new();
        for error in validator.iter_errors(body) {
            let at = general(error.instance_path().as_str());
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { unexpected } => {
                    found.extend(unexpected.iter().map(|name| {
                        violation(operation, part, &format!("{at}/{name}"), "is not in the document")
                    }));
                }
                ValidationErrorKind::Required { property } => {
                    let name = property.as_str().unwrap_or_default();
                    found.insert(violation(operation, part, &format!("{at}/{name}"), "is missing"));
                }
                // The value itself says nothing and differs each time.
                ValidationErrorKind::Type { .. } => {
                    let problem = error.masked_with(kind_of(error.instance())).to_string();
                    found.insert(violation(operation, part, &at, &problem));
                }
                ValidationErrorKind::Maximum { .. } => {
                    let problem = error.masked_with("a number").to_string();
                    found.insert(violation(operation, part, &at, &problem));
                }
                _ => {
                    found.insert(violation(operation, part, &at, &error.to_string()));
                }
            }
        }
        found.into_iter().collect()
    }

    fn validator(&self, document: &str, schema: &Value) -> Arc<Validator> {
        let key = (document.to_owned(), schema.to_string());
        let mut validators = self.validators.lock();
        let validator = validators.entry(key).or_insert_with(|| {
            let mut root = schema.clone();
            root["components"] = json!({ "schemas": self.components[document]["schemas"] });
            let built = jsonschema::options()
                .with_draft(Draft::Draft4)
                .should_validate_formats(true)
                .build(&root)
                .unwrap_or_else(|error| panic!("{document}: {schema}: {error}"));
            Arc::new(built)
        });
        validator.clone()
    }
}

fn violation(operation: &Operation, part: &str, at: &str, problem: &str) -> Violation {
    Violation {
        document: operation.document.clone(),
        operation: operation.name(),
        part: part.to_owned(),
        at: at.to_owned(),
        problem: problem.to_owned(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "a null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn document_name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn operations_of(name: &str, document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, told) in methods.as_object().into_iter().flatten() {
            found.push(Operation {
                document: name.to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                told: told.clone(),
            });
        }
    }
    found
}

/// OpenAPI 3.0 as JSON Schema, and stricter: what has named members has no others, and whole numbers fit their format.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for member in members.values_mut() {
                strict(member);
            }
            // A map of members may have one that is called `properties`: only a schema has a type that is text.
            let named = members.get("properties").and_then(Value::as_object);
            if named.is_some_and(|named| !named.is_empty())
                && members.get("type").is_some_and(|kind| kind == "object")
            {
                members
                    .entry("additionalProperties")
                    .or_insert(Value::Bool(false));
            }
            if members.get("nullable") == Some(&Value::Bool(true))
                && let Some(kind) = members.get("type").cloned()
            {
                members.insert("type".to_owned(), json!([kind, "null"]));
            }
            if members.get("format") == Some(&json!("int32")) {
                members.insert("minimum".to_owned(), json!(i32::MIN));
                members.insert("maximum".to_owned(), json!(i32::MAX));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

/// A pointer with `*` for places in lists and for names that are a caller's own.
fn general(pointer: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pointer.split('/') {
        let free = matches!(
            parts.last(),
            Some(&("properties" | "context" | "propertiesWithHistory" | "associations"))
        ) && parts.len() > 1;
        let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.push(if number || free { "*" } else { part });
    }
    parts.join("/")
}
