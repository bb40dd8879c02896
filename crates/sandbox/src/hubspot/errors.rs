//! HubSpot's error objects, and the pages of HTML that stand in for some of them.

use super::values::Refusal;
use serde_json::{Map, Value, json};

/// What a call is answered with.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Body,
    pub(super) location: Option<String>,
}

/// A reply's content.
#[derive(Debug)]
pub(super) enum Body {
    Empty,
    Json(Vec<u8>),
    Html(String),
}

impl Reply {
    pub(super) fn json(status: u16, value: &Value) -> Reply {
        Reply::raw(status, value.to_string().into_bytes())
    }

    pub(super) fn raw(status: u16, json: Vec<u8>) -> Reply {
        Reply {
            status,
            body: Body::Json(json),
            location: None,
        }
    }

    pub(super) fn no_content() -> Reply {
        Reply {
            status: 204,
            body: Body::Empty,
            location: None,
        }
    }

    /// What a load balancer or a router of pages says.
    pub(super) fn html(status: u16, title: &str) -> Reply {
        Reply::page(status, title, "")
    }

    /// A page with something on it. `content` is HTML.
    pub(super) fn page(status: u16, title: &str, content: &str) -> Reply {
        let page = format!(
            "<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1>{content}\
             </center>\n</body>\n</html>\n"
        );
        Reply {
            status,
            body: Body::Html(page),
            location: None,
        }
    }

    /// Sends a browser elsewhere.
    pub(super) fn to(address: &str) -> Reply {
        Reply {
            status: 302,
            body: Body::Empty,
            location: Some(address.to_owned()),
        }
    }
}

/// A refusal of a whole call. Its correlation id is added where it leaves the portal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiError {
    pub(super) status: u16,
    body: Map<String, Value>,
}

/// A call's end.
pub(super) type Answer = Result<Reply, ApiError>;

impl ApiError {
    /// An error without a category: some have none.
    pub(super) fn new(status: u16, message: impl Into<String>) -> ApiError {
        let mut body = Map::new();
        body.insert("status".to_owned(), json!("error"));
        body.insert("message".to_owned(), Value::String(message.into()));
        ApiError { status, body }
    }

    pub(super) fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new(400, message).category("VALIDATION_ERROR")
    }

    pub(super) fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(404, message).category("OBJECT_NOT_FOUND")
    }

    pub(super) fn with(mut self, key: &str, value: Value) -> ApiError {
        self.body.insert(key.to_owned(), value);
        self
    }

    pub(super) fn category(self, category: &str) -> ApiError {
        self.with("category", json!(category))
    }

    pub(super) fn sub_category(self, sub_category: &str) -> ApiError {
        self.with("subCategory", json!(sub_category))
    }

    pub(super) fn context(mut self, key: &str, values: &[impl AsRef<str>]) -> ApiError {
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        let context = self.body.entry("context").or_insert_with(|| json!({}));
        context[key] = json!(values);
        self
    }

    /// The same refusal as an item of a batch's `errors`.
    pub(super) fn into_item(self) -> Value {
        Value::Object(self.body)
    }

    pub(super) fn into_reply(mut self, correlation_id: &str) -> Reply {
        self.body
            .insert("correlationId".to_owned(), json!(correlation_id));
        Reply::json(self.status, &Value::Object(self.body))
    }
}

/// A refused value, with the property it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) property: String,
    pub(super) refusal: Refusal,
}

/// `Property values were not valid: [<json>]`: which property and why, never which input.
pub(super) fn invalid_values_message(problems: &[Problem], portal_id: u32) -> String {
    let embedded: Vec<Value> = problems
        .iter()
        .map(|problem| {
            json!({
                "isValid": false, "message": problem.refusal.message, "error": problem.refusal.code,
                "name": problem.property, "localizedErrorMessage": problem.refusal.message,
                "portalId": portal_id,
            })
        })
        .collect();
    format!("Property values were not valid: {}", Value::Array(embedded))
}

/// The whole-call refusal of values. `errors` says each complaint once, so that it may be shorter than the
/// list in the message.
pub(super) fn invalid_values(problems: &[Problem], portal_id: u32) -> ApiError {
    let mut errors: Vec<Value> = Vec::new();
    for problem in problems {
        let error = json!({
            "message": problem.refusal.message, "code": problem.refusal.code,
            "context": { "propertyName": [problem.property] },
        });
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    ApiError::validation(invalid_values_message(problems, portal_id)).with("errors", Value::Array(errors))
}

/// A complaint about a definition, which has a code and no values.
pub(super) fn invalid_definition(refusal: &Refusal) -> ApiError {
    ApiError::validation(refusal.message.clone()).with(
        "errors",
        json!([{ "message": refusal.message, "code": refusal.code }]),
    )
}

/// `Some required fields were not set`, as the JSON binding says it.
pub(super) fn missing_fields(names: &[&str]) -> ApiError {
    let names = names.join(", ");
    ApiError::new(
        400,
        format!("Invalid input JSON on line 1, column 2. Some required fields were not set: [{names}]"),
    )
}

/// Reads a request's body, or says what HubSpot says when it cannot.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        let message = "Invalid JSON input: a request body was expected, but none found";
        return Err(ApiError::validation(message));
    }
    serde_json::from_slice(body).map_err(|error| {
        let told = error.to_string();
        if let Some(name) = told
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split('`').next())
        {
            return missing_fields(&[name]);
        }
        let what = told.split(" at line ").next().unwrap_or_default();
        let what = if error.is_data() {
            format!("Cannot deserialize value: {what}")
        } else {
            what.to_owned()
        };
        ApiError::new(
            400,
            format!(
                "Invalid input JSON on line {}, column {}: {what}",
                error.line(),
                error.column()
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_complaints_are_embedded_each_time_and_listed_once() {
        let problem = |property: &str| Problem {
            property: property.to_owned(),
            refusal: Refusal {
                code: "PROPERTY_DOESNT_EXIST",
                message: format!("Property \"{property}\" does not exist"),
            },
        };
        let error = invalid_values(&[problem("x"), problem("y"), problem("x")], 7).into_item();
        let message = error["message"].as_str().unwrap_or_default();
        let embedded = message
            .strip_prefix("Property values were not valid: ")
            .unwrap_or_default();
        let embedded: Vec<Value> = serde_json::from_str(embedded).expect("the message embeds JSON");
        assert_eq!(embedded.len(), 3);
        assert_eq!(error["errors"].as_array().map(Vec::len), Some(2));
        assert_eq!(embedded[0]["error"], "PROPERTY_DOESNT_EXIST");
    }

    #[test]
    fn unreadable_bodies_have_their_own_messages() {
        #[derive(Debug, serde::Deserialize)]
        struct Want {
            #[expect(dead_code, reason = "only its absence matters")]
            inputs: Vec<String>,
        }
        for (body, want) in [
            (
                "",
                "Invalid JSON input: a request body was expected, but none found",
            ),
            (
                "{}",
                "Invalid input JSON on line 1, column 2. Some required fields were not set: [inputs]",
            ),
        ] {
            let error = parse::<Want>(body.as_bytes())
                .expect_err("it is no body")
                .into_item();
            assert_eq!(error["message"], want);
        }
        let error = parse::<Want>(b"{\n\"inputs\": 5}")
            .expect_err("a number is no list")
            .into_item();
        let message = error["message"].as_str().unwrap_or_default();
        assert!(
            message.starts_with("Invalid input JSON on line 2, column "),
            "{message}"
        );
        assert!(error.get("category").is_none());
    }
}
