//! What an answer means: the one place where HubSpot's statuses, categories and words are judged.

use std::collections::BTreeMap;
use std::time::Duration;

use landbridge_model::HubSpotId;
use serde::Deserialize;

/// Which limit refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitPolicy {
    /// Calls within a second (search).
    Secondly,
    /// Calls within ten rolling seconds.
    TenSecondly,
    /// Calls of the account's day.
    Daily,
    /// Not said; handled as the ten-second limit.
    Unknown,
}

/// One property of one record that HubSpot would not take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertyError {
    /// The property, when named.
    pub property: Option<String>,
    /// The refused value, when HubSpot's sentence quotes it.
    pub value: Option<String>,
    /// HubSpot's code, such as `INVALID_OPTION`; empty when none was given.
    pub code: String,
    /// HubSpot's words.
    pub message: String,
}

/// What a refused or lost call means for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole request is refused for some of its values; they are named as far as HubSpot named them.
    Invalid(Vec<PropertyError>),
    /// The same id stands twice in one batch.
    Duplicates(Vec<String>),
    /// Too many bytes or inputs: send less at once.
    TooLarge,
    /// A unique value, or a definition's name, is taken.
    Conflict {
        /// The record that has it, when named.
        existing: Option<HubSpotId>,
    },
    /// No such record, type, property or route.
    NotFound,
    /// 429.
    RateLimited {
        /// Which limit.
        policy: LimitPolicy,
        /// How long to wait at least.
        wait: Duration,
    },
    /// Others write the same records just now.
    Locked {
        /// How long to wait at least.
        wait: Duration,
    },
    /// The account moves between data centres.
    Migrating {
        /// How long to wait.
        wait: Duration,
    },
    /// A write whose effect nobody knows: the answer was lost or was the server's own trouble.
    Ambiguous,
    /// Trouble that passes, and nothing was written.
    Transient,
    /// The credential is refused.
    Auth,
    /// The credential lacks scopes.
    Scopes {
        /// The scopes of which one or more are missing, as far as HubSpot named them.
        missing: Vec<String>,
    },
    /// The request can never succeed as it is: our bug, or a setting.
    Configuration,
}

impl Verdict {
    /// Whether the same request may succeed later without anybody doing anything, and how long to wait at least.
    /// No wildcard arm: a new variant has to choose.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { wait, .. } | Self::Locked { wait } | Self::Migrating { wait } => Some(*wait),
            Self::Ambiguous | Self::Transient => Some(Duration::ZERO),
            Self::Invalid(_)
            | Self::Duplicates(_)
            | Self::TooLarge
            | Self::Conflict { .. }
            | Self::NotFound
            | Self::Auth
            | Self::Scopes { .. }
            | Self::Configuration => None,
        }
    }

    /// Whether a batch refused like this may hold rows that would be taken without the others.
    pub fn is_about_rows(&self) -> bool {
        matches!(
            self,
            Self::Invalid(_) | Self::Duplicates(_) | Self::Conflict { .. }
        )
    }
}

/// Whether a lost answer leaves a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call only reads.
    Reads,
    /// The call writes.
    Writes,
}

/// HubSpot's error envelope. Every field may be missing; none of it may be there at all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorBody {
    /// HubSpot's words.
    #[serde(deserialize_with = "lenient_text")]
    pub message: String,
    /// `VALIDATION_ERROR`, `CONFLICT` and so on; the list is open.
    #[serde(deserialize_with = "lenient_text")]
    pub category: String,
    /// Finer than the category; sometimes an object instead of text.
    #[serde(deserialize_with = "lenient_text")]
    pub sub_category: String,
    /// For support.
    pub correlation_id: Option<String>,
    /// Which limit refused.
    #[serde(deserialize_with = "lenient_text")]
    pub policy_name: String,
    /// Names with values.
    pub context: BTreeMap<String, OneOrMany>,
    /// Details.
    pub errors: Vec<ErrorDetail>,
}

/// One entry of an error's details.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorDetail {
    /// HubSpot's words.
    #[serde(deserialize_with = "lenient_text")]
    pub message: String,
    /// Code.
    #[serde(deserialize_with = "lenient_text")]
    pub code: String,
    /// Names with values.
    pub context: BTreeMap<String, OneOrMany>,
}

/// A list, or its only item without the brackets; numbers become text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(match value {
            serde_json::Value::Array(items) => items.into_iter().map(plain).collect(),
            serde_json::Value::Null => Vec::new(),
            other => vec![plain(other)],
        }))
    }
}

fn plain(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn lenient_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => String::new(),
        other => plain(other),
    })
}

impl ErrorBody {
    /// Reads a body of any kind: JSON, a page of HTML, nothing.
    pub fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Whether the finer category says that a limit of the account's is reached: of associations, of records, of types.
    pub fn names_limit(&self) -> bool {
        self.sub_category.to_ascii_uppercase().contains("LIMIT_EXCEEDED")
    }

    /// The values of one name in the context.
    pub fn named(&self, name: &str) -> &[String] {
        self.context.get(name).map_or(&[], |values| &values.0)
    }

    /// What HubSpot said of single properties: the JSON array inside the message, which is the complete one, or else
    /// the details.
    pub fn property_errors(&self) -> Vec<PropertyError> {
        let mut found = embedded_errors(&self.message);
        if found.is_empty() {
            found = self
                .errors
                .iter()
                .filter(|detail| !detail.code.is_empty())
                .map(detail_error)
                .collect();
        }
        if found.is_empty() {
            let names = self.named("properties").iter().chain(self.named("propertyName"));
            found = names.map(|name| self.about(name)).collect();
        }
        found
    }

    fn about(&self, property: &str) -> PropertyError {
        let missing = self.message.contains("required");
        let code = if missing { "MISSING_REQUIRED_PROPERTY" } else { "" };
        PropertyError {
            property: Some(property.to_owned()),
            code: code.to_owned(),
            message: self.message.clone(),
            value: None,
        }
    }

    fn existing_id(&self) -> Option<HubSpotId> {
        let named = self.named("existingId").first().map(String::as_str);
        let told = || self.message.split("Existing ID:").nth(1).map(str::trim);
        let digits = named.or_else(told)?;
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse().ok()
    }

    fn is_conflict(&self, properties: &[PropertyError]) -> bool {
        let by_code = properties
            .iter()
            .any(|error| error.code == "CONFLICTING_UNIQUE_VALUE");
        let by_category = matches!(self.category.as_str(), "CONFLICT" | "OBJECT_ALREADY_EXISTS");
        by_code || by_category || self.message.contains("Existing ID:")
    }

    fn policy(&self) -> LimitPolicy {
        let told = if self.policy_name.is_empty() {
            &self.message
        } else {
            &self.policy_name
        };
        let told = told.to_ascii_lowercase();
        if told.contains("ten_secondly") {
            LimitPolicy::TenSecondly
        } else if told.contains("secondly") {
            LimitPolicy::Secondly
        } else if told.contains("daily") {
            LimitPolicy::Daily
        } else {
            LimitPolicy::Unknown
        }
    }

    fn missing_scopes(&self) -> Vec<String> {
        let detailed = self
            .errors
            .iter()
            .filter_map(|detail| detail.context.get("requiredGranularScopes"));
        let all = detailed.chain(self.context.get("requiredGranularScopes"));
        let mut scopes: Vec<String> = all.flat_map(|values| values.0.iter().cloned()).collect();
        if let Some((_, scope)) = self.message.split_once("Missing required scope for: ") {
            scopes.push(scope.trim().to_owned());
        }
        scopes
    }
}

/// The array in `Property values were not valid: [{…}]`; empty when there is none or it cannot be read.
fn embedded_errors(message: &str) -> Vec<PropertyError> {
    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Embedded {
        #[serde(deserialize_with = "lenient_text")]
        message: String,
        #[serde(deserialize_with = "lenient_text")]
        error: String,
        name: Option<String>,
    }
    let Some(start) = message.find("[{") else {
        return Vec::new();
    };
    let mut stream = serde_json::Deserializer::from_str(&message[start..]).into_iter::<Vec<Embedded>>();
    let Some(Ok(entries)) = stream.next() else {
        return Vec::new();
    };
    entries
        .into_iter()
        .map(|entry| PropertyError {
            property: entry.name,
            value: quoted_value(&entry.message),
            code: entry.error,
            message: entry.message,
        })
        .collect()
}

fn detail_error(detail: &ErrorDetail) -> PropertyError {
    let property = detail
        .context
        .get("propertyName")
        .and_then(|names| names.0.first().cloned());
    PropertyError {
        property,
        value: quoted_value(&detail.message),
        code: detail.code.clone(),
        message: detail.message.clone(),
    }
}

/// The refused value in `X was not one of the allowed options: …` and `X was not a valid number.`
fn quoted_value(message: &str) -> Option<String> {
    let cut = [
        " was not one of the allowed options",
        " was not a valid",
        " is at ",
    ]
    .iter()
    .find_map(|phrase| message.find(phrase))?;
    Some(message[..cut].trim_matches('"').to_owned())
}

/// How long the lock of heavily written records lasts.
const LOCK: Duration = Duration::from_secs(2);
/// Waits when a limit's answer does not say.
const SECOND: Duration = Duration::from_secs(1);
const TEN_SECONDS: Duration = Duration::from_secs(10);
const DAY_PROBE: Duration = Duration::from_secs(900);
const MIGRATION: Duration = Duration::from_secs(60);

/// Judges an answer that is not a 2xx.
pub fn judge(status: u16, body: &ErrorBody, retry_after: Option<Duration>, effect: Effect) -> Verdict {
    match status {
        400 | 422 => judge_bad_request(body),
        401 => Verdict::Auth,
        403 => Verdict::Scopes {
            missing: body.missing_scopes(),
        },
        404 => Verdict::NotFound,
        409 => Verdict::Conflict {
            existing: body.existing_id(),
        },
        413 | 414 | 530 => Verdict::TooLarge,
        423 => Verdict::Locked {
            wait: retry_after.unwrap_or(LOCK).max(LOCK),
        },
        429 => judge_limit(body, retry_after),
        477 => Verdict::Migrating {
            wait: retry_after.unwrap_or(MIGRATION),
        },
        525 | 526 => Verdict::Configuration,
        408 | 500..=599 if effect == Effect::Writes => Verdict::Ambiguous,
        408 | 500..=599 => Verdict::Transient,
        _ => Verdict::Configuration,
    }
}

fn judge_bad_request(body: &ErrorBody) -> Verdict {
    if body.message.starts_with("Duplicate IDs found in batch input") {
        return Verdict::Duplicates(body.named("ids").to_vec());
    }
    let properties = body.property_errors();
    if body.is_conflict(&properties) {
        return Verdict::Conflict {
            existing: body.existing_id(),
        };
    }
    if !properties.is_empty() || body.message.contains("Property values were not valid") {
        return Verdict::Invalid(properties);
    }
    // Without a category it is the request that HubSpot could not read, not a value.
    let about_request = body.category.is_empty() || body.message.contains("non-unique");
    if about_request {
        Verdict::Configuration
    } else {
        Verdict::Invalid(properties)
    }
}

fn judge_limit(body: &ErrorBody, retry_after: Option<Duration>) -> Verdict {
    let policy = body.policy();
    let wait = retry_after.unwrap_or(match policy {
        LimitPolicy::Secondly => SECOND,
        LimitPolicy::TenSecondly | LimitPolicy::Unknown => TEN_SECONDS,
        LimitPolicy::Daily => DAY_PROBE,
    });
    Verdict::RateLimited { policy, wait }
}

/// Judges one item's error inside a 2xx batch answer.
pub fn judge_item(body: &ErrorBody) -> Verdict {
    let properties = body.property_errors();
    if body.is_conflict(&properties) {
        return Verdict::Conflict {
            existing: body.existing_id(),
        };
    }
    match body.category.as_str() {
        "OBJECT_NOT_FOUND" => Verdict::NotFound,
        "MISSING_SCOPES" => Verdict::Scopes {
            missing: body.missing_scopes(),
        },
        "RATE_LIMITS" => judge_limit(body, None),
        "INTERNAL_ERROR" => Verdict::Transient,
        _ if body.sub_category.ends_with("OBJECT_NOT_FOUND") => Verdict::NotFound,
        _ => Verdict::Invalid(properties),
    }
}

#[cfg(test)]
mod tests;
