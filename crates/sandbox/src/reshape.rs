//! Answers in another shape that say the same, or nothing: what a client must read leniently. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How the JSON of an answer is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Every object has a member that nobody knows.
    ExtraMembers,
    /// Ids that are text become numbers.
    NumericIds,
    /// Ids that are numbers become text.
    TextIds,
    /// `numErrors` is left out.
    NoErrorCount,
    /// Neither results nor errors, as if nothing had been asked.
    NoResults,
}

impl Shape {
    /// The answer in this shape. What is no JSON stays as it is.
    pub(crate) fn apply(self, body: &[u8]) -> Vec<u8> {
        let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
            return body.to_vec();
        };
        match self {
            Shape::NoResults => {
                if let Value::Object(members) = &mut value {
                    members.remove("errors");
                    members.remove("numErrors");
                    members.insert("results".to_owned(), json!([]));
                }
            }
            other => other.walk(&mut value),
        }
        value.to_string().into_bytes()
    }

    fn walk(self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    // What a caller put in is the caller's.
                    if name != "properties" {
                        self.walk(member);
                    }
                }
                self.change(members);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            _ => {}
        }
    }

    fn change(self, members: &mut Map<String, Value>) {
        match self {
            Shape::ExtraMembers => {
                members.insert(
                    "unheardOf".to_owned(),
                    json!({ "since": "tomorrow", "values": [1, null] }),
                );
            }
            Shape::NoErrorCount => {
                members.remove("numErrors");
            }
            Shape::NumericIds | Shape::TextIds => {
                let ids = members
                    .iter_mut()
                    .filter(|(name, _)| *name == "id" || name.ends_with("ObjectId"));
                for (_, id) in ids {
                    let changed = match (self, &*id) {
                        (Shape::NumericIds, Value::String(text)) => text.parse::<u64>().ok().map(Value::from),
                        (Shape::TextIds, Value::Number(number)) => Some(Value::String(number.to_string())),
                        _ => None,
                    };
                    if let Some(changed) = changed {
                        *id = changed;
                    }
                }
            }
            Shape::NoResults => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_changes_what_it_names_and_nothing_else() {
        let answer = json!({
            "results": [{"id": "7", "toObjectId": 8, "properties": {"id": "9"}}], "numErrors": 1, "errors": [{}],
        });
        let shaped = |shape: Shape| -> Value {
            serde_json::from_slice(&shape.apply(answer.to_string().as_bytes())).expect("JSON stays JSON")
        };
        assert_eq!(
            shaped(Shape::NumericIds)["results"][0],
            json!({"id": 7, "toObjectId": 8, "properties": {"id": "9"}})
        );
        assert_eq!(shaped(Shape::TextIds)["results"][0]["toObjectId"], "8");
        let counted = shaped(Shape::NoErrorCount);
        assert_eq!(
            (counted.get("numErrors"), &counted["errors"]),
            (None, &json!([{}]))
        );
        assert_eq!(shaped(Shape::NoResults), json!({"results": []}));
        let more = shaped(Shape::ExtraMembers);
        assert!(more["results"][0]["unheardOf"].is_object() && more["unheardOf"].is_object());
        assert_eq!(more["results"][0]["properties"], json!({"id": "9"}));
        assert_eq!(Shape::NoResults.apply(b"<html>"), b"<html>");
    }
}
