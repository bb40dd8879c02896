//! References between calls: `@{first.id}`, `@{found.records[0].Depot__c}`.

use super::{Outcome, Subrequest};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;

/// What earlier calls came to, by their names.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<String, Json>);

impl Known {
    /// Remembers what a call came to; one that failed is not to be referred to.
    pub(super) fn learn(&mut self, name: &str, outcome: &Outcome) {
        if outcome.status.is_success() {
            self.0.insert(name.to_owned(), outcome.body.clone());
        }
    }

    /// A call with every reference replaced by what it refers to.
    pub(super) fn resolve(&self, request: &Subrequest) -> Result<Subrequest, String> {
        let mut resolved = request.clone();
        resolved.url = self.in_text(&request.url)?;
        resolved.body = self.in_json(&request.body)?;
        Ok(resolved)
    }

    fn in_json(&self, value: &Json) -> Result<Json, String> {
        Ok(match value {
            Json::String(text) => Json::String(self.in_text(text)?),
            Json::Array(items) => Json::Array(
                items
                    .iter()
                    .map(|item| self.in_json(item))
                    .collect::<Result<_, _>>()?,
            ),
            Json::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), self.in_json(value)?)));
                Json::Object(fields.collect::<Result<Map<String, Json>, String>>()?)
            }
            other => other.clone(),
        })
    }

    fn in_text(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("@{") {
            let Some((path, behind)) = after.split_once('}') else {
                break;
            };
            out.push_str(before);
            out.push_str(&self.value(path)?);
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, path: &str) -> Result<String, String> {
        let missing = || format!("Invalid reference specified. No value for {path} found");
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let mut at = self.0.get(&path[..end]).ok_or_else(missing)?;
        for step in path[end..].split(['.', '[', ']']).filter(|step| !step.is_empty()) {
            at = match step.parse::<usize>() {
                Ok(position) => at.get(position),
                Err(_) => at.get(step),
            }
            .ok_or_else(missing)?;
        }
        match at {
            Json::String(text) => Ok(text.clone()),
            Json::Null | Json::Array(_) | Json::Object(_) => Err(missing()),
            other => Ok(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use serde_json::json;

    #[test]
    fn references_lead_into_earlier_answers() {
        let mut known = Known::default();
        let outcome = |status, body| Outcome {
            status,
            body,
            location: None,
        };
        known.learn("made", &outcome(StatusCode::CREATED, json!({"id": "a00"})));
        known.learn(
            "found",
            &outcome(StatusCode::OK, json!({"records": [{"N": 4.0}]})),
        );
        known.learn("list", &outcome(StatusCode::OK, json!([{"id": "a01"}])));
        known.learn(
            "failed",
            &outcome(StatusCode::BAD_REQUEST, json!([{"errorCode": "X"}])),
        );
        let table = [
            ("/sobjects/A/@{made.id}", Some("/sobjects/A/a00")),
            ("@{found.records[0].N} and @{list[0].id}", Some("4.0 and a01")),
            ("no reference @ {here}", Some("no reference @ {here}")),
            ("@{failed.id}", None),
            ("@{made.name}", None),
        ];
        for (text, value) in table {
            assert_eq!(known.in_text(text).ok().as_deref(), value, "{text}");
        }
    }
}
