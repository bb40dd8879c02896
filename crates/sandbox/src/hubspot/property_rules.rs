//! Validation rules of properties: what an administrator asks of values besides their type.
//!
//! All rule types of HubSpot's guide to property validations, with its arguments. Which code and words HubSpot
//! refuses with is known for letters alone (`INVALID_ALPHA`, "Enter only letters"); the others follow that pattern.
//! A phone number is checked for its explicit country code, not for being one of that country.

mod judge;
#[cfg(test)]
mod tests;

use super::property::Kind;
use jiff::Span;
use regex::Regex;
use serde::{Deserialize, Serialize};

pub(super) use judge::judge;

/// One rule of a property.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "SavedRule", into = "SavedRule")]
pub(super) struct PropertyRule {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    /// Values are brought into shape before they are judged, where the rule can.
    pub(super) normalises: bool,
    check: Check,
}

/// A rule as text.
#[derive(Serialize, Deserialize)]
struct SavedRule {
    name: String,
    arguments: Vec<String>,
    normalises: bool,
}

impl From<PropertyRule> for SavedRule {
    fn from(rule: PropertyRule) -> SavedRule {
        SavedRule {
            name: rule.name,
            arguments: rule.arguments,
            normalises: rule.normalises,
        }
    }
}

impl TryFrom<SavedRule> for PropertyRule {
    type Error = String;

    fn try_from(saved: SavedRule) -> Result<PropertyRule, String> {
        let check = check(&saved.name, &saved.arguments)
            .ok_or_else(|| format!("a rule of type {} has arguments that are not valid", saved.name))?;
        Ok(PropertyRule {
            name: saved.name,
            arguments: saved.arguments,
            normalises: saved.normalises,
            check,
        })
    }
}

#[derive(Debug, Clone)]
enum Check {
    Letters,
    Digits,
    LettersAndDigits,
    NoSpecialCharacters,
    NoWhitespace,
    Trimmed,
    Upper,
    Lower,
    Capitalised,
    Longest(usize),
    Shortest(usize),
    AtMost(f64),
    AtLeast(f64),
    Decimals(i64),
    Domain,
    Email,
    Url,
    EmailOf(Vec<String>, bool),
    UrlOf(Vec<String>, bool),
    Phone,
    Pattern(Box<Regex>, String),
    NotBefore(i64),
    NotAfter(i64),
    /// At least so long after now.
    After(Span),
    /// At least so long before now.
    Before(Span),
    /// Monday is 0.
    Weekdays(Vec<i64>),
}

/// Names of rules with the property types that take them.
const RULES: &[(&str, &[Kind])] = &[
    ("AFTER_DATETIME_DURATION", &[Kind::Datetime]),
    ("AFTER_DURATION", &[Kind::Date]),
    ("ALPHANUMERIC", &[Kind::String]),
    ("BEFORE_DATETIME_DURATION", &[Kind::Datetime]),
    ("BEFORE_DURATION", &[Kind::Date]),
    ("DAYS_OF_WEEK", &[Kind::Date, Kind::Datetime]),
    ("DECIMAL", &[Kind::Number]),
    ("DOMAIN", &[Kind::String]),
    ("EMAIL", &[Kind::String]),
    ("EMAIL_ALLOWED_DOMAINS", &[Kind::String]),
    ("EMAIL_BLOCKED_DOMAINS", &[Kind::String]),
    ("END_DATE", &[Kind::Date]),
    ("END_DATETIME", &[Kind::Datetime]),
    ("FORMAT", &[Kind::String]),
    ("MAX_LENGTH", &[Kind::String, Kind::PhoneNumber]),
    ("MAX_NUMBER", &[Kind::Number]),
    ("MIN_LENGTH", &[Kind::String, Kind::PhoneNumber]),
    ("MIN_NUMBER", &[Kind::Number]),
    (
        "PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE",
        &[Kind::String, Kind::PhoneNumber],
    ),
    ("REGEX", &[Kind::String]),
    ("SPECIAL_CHARACTERS", &[Kind::String]),
    ("START_DATE", &[Kind::Date]),
    ("START_DATETIME", &[Kind::Datetime]),
    ("URL", &[Kind::String]),
    ("URL_ALLOWED_DOMAINS", &[Kind::String]),
    ("URL_BLOCKED_DOMAINS", &[Kind::String]),
    ("WHITESPACE", &[Kind::String]),
];

const WEEKDAYS: [&str; 7] = [
    "MONDAY",
    "TUESDAY",
    "WEDNESDAY",
    "THURSDAY",
    "FRIDAY",
    "SATURDAY",
    "SUNDAY",
];

/// A rule's own name, if there is such a rule.
pub(super) fn rule_name(name: &str) -> Option<&'static str> {
    RULES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(known, _)| *known)
}

impl PropertyRule {
    /// A rule for a property of a type, or what is wrong with its arguments.
    pub(super) fn new(
        name: &'static str,
        arguments: Vec<String>,
        normalises: bool,
        kind: Kind,
    ) -> Result<PropertyRule, String> {
        let kinds = RULES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kinds)| *kinds);
        if !kinds.unwrap_or_default().contains(&kind) {
            return Err(format!(
                "Rule type {name} does not apply to properties of type {}",
                kind.as_str()
            ));
        }
        let check = check(name, &arguments).ok_or_else(|| {
            format!(
                "Arguments [{}] are not valid for rule type {name}",
                arguments.join(", ")
            )
        })?;
        Ok(PropertyRule {
            name: name.to_owned(),
            arguments,
            normalises,
            check,
        })
    }
}

fn check(name: &str, arguments: &[String]) -> Option<Check> {
    let only = match arguments {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let moment = || only?.parse::<i64>().ok();
    let period = || only?.parse::<Span>().ok();
    let domains = || (1..=20).contains(&arguments.len()).then(|| lower(arguments));
    Some(match (name, only) {
        ("ALPHANUMERIC", Some("ALPHANUMERIC")) => Check::LettersAndDigits,
        ("ALPHANUMERIC", Some("ALPHA_ONLY")) => Check::Letters,
        ("ALPHANUMERIC", Some("NUMERIC_ONLY")) => Check::Digits,
        ("SPECIAL_CHARACTERS", Some("NOT_ALLOWED")) => Check::NoSpecialCharacters,
        ("WHITESPACE", Some("TRIM")) => Check::Trimmed,
        ("WHITESPACE", Some("ALL")) => Check::NoWhitespace,
        ("WHITESPACE", None) if arguments.is_empty() => Check::NoWhitespace,
        ("FORMAT", Some("UPPER")) => Check::Upper,
        ("FORMAT", Some("LOWER")) => Check::Lower,
        ("FORMAT", Some("CAPITALIZATION")) => Check::Capitalised,
        ("MAX_LENGTH", Some(most)) => {
            Check::Longest(most.parse().ok().filter(|most| (1..=10_000).contains(most))?)
        }
        ("MIN_LENGTH", Some(least)) => Check::Shortest(least.parse().ok().filter(|least| *least > 0)?),
        ("MAX_NUMBER", Some(most)) => Check::AtMost(most.parse().ok()?),
        ("MIN_NUMBER", Some(least)) => Check::AtLeast(least.parse().ok()?),
        ("DECIMAL", Some(places)) => {
            Check::Decimals(places.parse().ok().filter(|places| (0..=20).contains(places))?)
        }
        ("DOMAIN", None) if arguments.is_empty() => Check::Domain,
        ("EMAIL", None) if arguments.is_empty() => Check::Email,
        ("URL", None) if arguments.is_empty() => Check::Url,
        ("EMAIL_ALLOWED_DOMAINS", _) => Check::EmailOf(domains()?, true),
        ("EMAIL_BLOCKED_DOMAINS", _) => Check::EmailOf(domains()?, false),
        ("URL_ALLOWED_DOMAINS", _) => Check::UrlOf(domains()?, true),
        ("URL_BLOCKED_DOMAINS", _) => Check::UrlOf(domains()?, false),
        ("PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE", _) if arguments.len() <= 1 => Check::Phone,
        ("REGEX", _) => match arguments {
            [pattern, rest @ ..] => {
                let message = rest
                    .first()
                    .cloned()
                    .unwrap_or_else(|| "Enter a value in the right form".to_owned());
                Check::Pattern(Box::new(Regex::new(pattern).ok()?), message)
            }
            [] => return None,
        },
        ("START_DATE" | "START_DATETIME", _) => Check::NotBefore(moment()?),
        ("END_DATE" | "END_DATETIME", _) => Check::NotAfter(moment()?),
        ("AFTER_DURATION" | "AFTER_DATETIME_DURATION", _) => Check::After(period()?),
        ("BEFORE_DURATION" | "BEFORE_DATETIME_DURATION", _) => Check::Before(period()?),
        ("DAYS_OF_WEEK", _) if !arguments.is_empty() => {
            let day = |name: &String| WEEKDAYS.iter().position(|known| known == name);
            let days: Option<Vec<usize>> = arguments.iter().map(day).collect();
            Check::Weekdays(
                days?
                    .into_iter()
                    .filter_map(|day| i64::try_from(day).ok())
                    .collect(),
            )
        }
        _ => return None,
    })
}

fn lower(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.to_lowercase()).collect()
}
