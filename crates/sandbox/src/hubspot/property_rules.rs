//! Validation rules of properties: what an administrator asks of values besides their type.
//!
//! All rule types of HubSpot's guide to property validations, with its arguments. Which code and words HubSpot
//! refuses with is known for letters alone (`INVALID_ALPHA`, "Enter only letters"); the others follow that pattern.
//! A phone number is checked for its explicit country code, not for being one of that country.

use super::{
    clock::{self, DAY_MS},
    property::Kind,
    values::Refusal,
};
use jiff::{Span, Timestamp, tz::TimeZone};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

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

/// Holds a value of the right type against a property's rules; gives it back as they want it stored.
pub(super) fn judge<'v>(
    rules: &[PropertyRule],
    value: Cow<'v, str>,
    now_ms: i64,
) -> Result<Cow<'v, str>, Refusal> {
    rules.iter().try_fold(value, |value, rule| {
        let value = if rule.normalises {
            normalised(&rule.check, value)
        } else {
            value
        };
        match refusal(&rule.check, &value, now_ms) {
            None => Ok(value),
            Some((code, message)) => Err(Refusal { code, message }),
        }
    })
}

fn normalised<'v>(check: &Check, value: Cow<'v, str>) -> Cow<'v, str> {
    match check {
        Check::Upper => Cow::Owned(value.to_uppercase()),
        Check::Lower => Cow::Owned(value.to_lowercase()),
        Check::Capitalised => Cow::Owned(capitalised(&value)),
        Check::Trimmed => Cow::Owned(value.trim().to_owned()),
        Check::NoWhitespace => Cow::Owned(value.split_whitespace().collect()),
        _ => value,
    }
}

fn capitalised(value: &str) -> String {
    let mut at_start = true;
    value
        .chars()
        .flat_map(|letter| {
            let first = std::mem::replace(&mut at_start, letter.is_whitespace());
            let (upper, same) = if first {
                (Some(letter.to_uppercase()), None)
            } else {
                (None, Some(letter))
            };
            upper.into_iter().flatten().chain(same)
        })
        .collect()
}

/// The code and the words of a refusal.
fn refusal(check: &Check, value: &str, now_ms: i64) -> Option<(&'static str, String)> {
    let all = |is: fn(char) -> bool| value.chars().all(is);
    let (good, code, message): (bool, &'static str, Cow<'static, str>) = match check {
        Check::Letters => (
            all(char::is_alphabetic),
            "INVALID_ALPHA",
            "Enter only letters".into(),
        ),
        Check::Digits => (
            all(|c| c.is_ascii_digit()),
            "INVALID_NUMERIC",
            "Enter only numbers".into(),
        ),
        Check::LettersAndDigits => (
            all(char::is_alphanumeric),
            "INVALID_ALPHANUMERIC",
            "Enter only letters and numbers".into(),
        ),
        Check::NoSpecialCharacters => (
            all(|c| c.is_alphanumeric() || c.is_whitespace()),
            "INVALID_SPECIAL_CHARACTERS",
            "Special characters are not allowed".into(),
        ),
        Check::NoWhitespace => (
            !value.contains(char::is_whitespace),
            "INVALID_WHITESPACE",
            "Spaces are not allowed".into(),
        ),
        Check::Trimmed => (
            value.trim() == value,
            "INVALID_WHITESPACE",
            "Spaces are not allowed at the beginning or end".into(),
        ),
        Check::Upper => (
            value.to_uppercase() == value,
            "INVALID_FORMAT",
            "Enter only upper case".into(),
        ),
        Check::Lower => (
            value.to_lowercase() == value,
            "INVALID_FORMAT",
            "Enter only lower case".into(),
        ),
        Check::Capitalised => (
            capitalised(value) == value,
            "INVALID_FORMAT",
            "Begin each word with a capital letter".into(),
        ),
        Check::Longest(most) => (
            value.chars().count() <= *most,
            "INVALID_MAX_LENGTH",
            format!("Enter {most} characters at the most").into(),
        ),
        Check::Shortest(least) => (
            value.chars().count() >= *least,
            "INVALID_MIN_LENGTH",
            format!("Enter {least} characters at least").into(),
        ),
        Check::AtMost(most) => (
            value.parse::<f64>().is_ok_and(|number| number <= *most),
            "INVALID_MAX_NUMBER",
            format!("Enter a number of {most} at the most").into(),
        ),
        Check::AtLeast(least) => (
            value.parse::<f64>().is_ok_and(|number| number >= *least),
            "INVALID_MIN_NUMBER",
            format!("Enter a number of {least} at least").into(),
        ),
        Check::Decimals(most) => (
            decimals(value) <= *most,
            "INVALID_DECIMAL",
            format!("Enter {most} decimal places at the most").into(),
        ),
        Check::Pattern(pattern, message) => {
            (pattern.is_match(value), "INVALID_REGEX", message.clone().into())
        }
        Check::Domain | Check::Email | Check::Url | Check::EmailOf(..) | Check::UrlOf(..) | Check::Phone => {
            return address_refusal(check, value);
        }
        Check::NotBefore(_)
        | Check::NotAfter(_)
        | Check::After(_)
        | Check::Before(_)
        | Check::Weekdays(_) => {
            return date_refusal(check, value, now_ms);
        }
    };
    (!good).then(|| (code, message.into_owned()))
}

fn address_refusal(check: &Check, value: &str) -> Option<(&'static str, String)> {
    let (good, code, message) = match check {
        Check::Domain => (is_domain(value), "INVALID_DOMAIN", "Enter a domain"),
        Check::Url => (host(value).is_some(), "INVALID_URL", "Enter a URL"),
        Check::UrlOf(domains, allowed) => (
            host(value).is_some_and(|host| domains.iter().any(|of| is_within(&host, of)) == *allowed),
            "INVALID_URL_DOMAIN",
            "URLs of this domain are not allowed",
        ),
        Check::EmailOf(domains, allowed) => (
            mail_domain(value).is_some_and(|domain| domains.contains(&domain) == *allowed),
            "INVALID_EMAIL_DOMAIN",
            "Email addresses of this domain are not allowed",
        ),
        Check::Phone => (
            is_phone(value),
            "INVALID_PHONE_NUMBER",
            "Enter a phone number with its country code",
        ),
        _ => (
            mail_domain(value).is_some(),
            "INVALID_EMAIL",
            "Enter an email address",
        ),
    };
    (!good).then(|| (code, message.to_owned()))
}

fn is_domain(value: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    value.contains('.') && value.split('.').all(label)
}

fn mail_domain(value: &str) -> Option<String> {
    let (user, domain) = value.split_once('@')?;
    let plain = !user.is_empty() && !user.contains(char::is_whitespace);
    (plain && is_domain(domain)).then(|| domain.to_lowercase())
}

fn host(value: &str) -> Option<String> {
    let address = url::Url::parse(value).ok()?;
    let web = matches!(address.scheme(), "http" | "https");
    address.host_str().filter(|_| web).map(str::to_lowercase)
}

fn is_within(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn is_phone(value: &str) -> bool {
    let Some(rest) = value.strip_prefix('+') else {
        return false;
    };
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    (7..=15).contains(&digits) && rest.chars().all(|c| c.is_ascii_digit() || " -().".contains(c))
}

/// Decimal places of a number as text, its exponent reckoned in.
fn decimals(value: &str) -> i64 {
    let (mantissa, exponent) = value.split_once(['e', 'E']).unwrap_or((value, "0"));
    let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let exponent: i64 = exponent.parse().unwrap_or(0);
    (i64::try_from(places).unwrap_or(i64::MAX) - exponent).max(0)
}

fn date_refusal(check: &Check, value: &str, now_ms: i64) -> Option<(&'static str, String)> {
    let ms = clock::parse_date(value)
        .map(|days| days * DAY_MS)
        .or_else(|| clock::parse_instant(value).map(|parsed| parsed.ms))?;
    let (good, code, message) = match check {
        Check::NotBefore(first) => (ms >= *first, "INVALID_START_DATE", "The date is too early"),
        Check::NotAfter(last) => (ms <= *last, "INVALID_END_DATE", "The date is too late"),
        Check::After(period) => (
            moved(now_ms, *period).is_some_and(|earliest| ms >= earliest),
            "INVALID_AFTER_DURATION",
            "The date is too early",
        ),
        Check::Before(period) => (
            moved(now_ms, -*period).is_some_and(|latest| ms <= latest),
            "INVALID_BEFORE_DURATION",
            "The date is too late",
        ),
        Check::Weekdays(days) => (
            // The first day of 1970 was a Thursday.
            days.contains(&(ms.div_euclid(DAY_MS) + 3).rem_euclid(7)),
            "INVALID_DAY_OF_WEEK",
            "The day of the week is not allowed",
        ),
        _ => return None,
    };
    (!good).then(|| (code, message.to_owned()))
}

fn moved(now_ms: i64, by: Span) -> Option<i64> {
    let now = Timestamp::from_millisecond(now_ms)
        .ok()?
        .to_zoned_datetime(TimeZone::UTC);
    Some(now.checked_add(by).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, arguments: &[&str], kind: Kind) -> Result<PropertyRule, String> {
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        PropertyRule::new(rule_name(name).expect("a rule"), arguments, false, kind)
    }

    #[test]
    fn every_rule_takes_what_it_should_and_refuses_the_rest() {
        use Kind::{Date, Datetime, Number, String};
        // 2026-11-25, a Wednesday.
        let now_ms = 1_795_564_800_000;
        type Row = (
            &'static str,
            &'static [&'static str],
            Kind,
            &'static [&'static str],
            &'static [&'static str],
        );
        let table: &[Row] = &[
            (
                "ALPHANUMERIC",
                &["ALPHA_ONLY"],
                String,
                &["abc", "Ünä"],
                &["a1", "a b"],
            ),
            ("ALPHANUMERIC", &["NUMERIC_ONLY"], String, &["123"], &["1.2", "x"]),
            ("ALPHANUMERIC", &["ALPHANUMERIC"], String, &["a1"], &["a-1"]),
            ("SPECIAL_CHARACTERS", &["NOT_ALLOWED"], String, &["a 1"], &["a!"]),
            ("WHITESPACE", &[], String, &["ab"], &["a b"]),
            ("WHITESPACE", &["TRIM"], String, &["a b"], &[" a"]),
            ("FORMAT", &["UPPER"], String, &["AB"], &["Ab"]),
            (
                "FORMAT",
                &["CAPITALIZATION"],
                String,
                &["Ada Byron"],
                &["Ada byron"],
            ),
            ("MAX_LENGTH", &["3"], String, &["äöü"], &["abcd"]),
            ("MIN_LENGTH", &["2"], String, &["ab"], &["a"]),
            ("MAX_NUMBER", &["99.99"], Number, &["99.99", "-5"], &["100"]),
            ("MIN_NUMBER", &["-1"], Number, &["-1"], &["-1.5"]),
            (
                "DECIMAL",
                &["2"],
                Number,
                &["1.25", "1.2345e2"],
                &["1.255", "1.2e-2"],
            ),
            ("DOMAIN", &[], String, &["hubspot.com"], &["hubspot", "a..b"]),
            ("EMAIL", &[], String, &["a@b.co"], &["a@b", "a b@c.de"]),
            (
                "EMAIL_ALLOWED_DOMAINS",
                &["b.co"],
                String,
                &["a@B.co"],
                &["a@c.co"],
            ),
            (
                "EMAIL_BLOCKED_DOMAINS",
                &["b.co"],
                String,
                &["a@c.co"],
                &["a@b.co"],
            ),
            ("URL", &[], String, &["https://a.b/c"], &["a.b", "ftp://a.b"]),
            (
                "URL_ALLOWED_DOMAINS",
                &["b.co"],
                String,
                &["https://a.b.co"],
                &["https://ab.co"],
            ),
            (
                "URL_BLOCKED_DOMAINS",
                &["b.co"],
                String,
                &["https://ab.co"],
                &["https://b.co/x"],
            ),
            (
                "PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE",
                &["us"],
                String,
                &["+1 (212) 555-0100"],
                &["212 555 0100"],
            ),
            (
                "REGEX",
                &["^[A-Z]+$", "Must be upper case"],
                String,
                &["AB"],
                &["ab"],
            ),
            (
                "START_DATE",
                &["1795564800000"],
                Date,
                &["2026-11-25"],
                &["2026-11-24"],
            ),
            (
                "END_DATETIME",
                &["1795564800000"],
                Datetime,
                &["2026-11-25T00:00:00Z"],
                &["2026-11-25T00:00:01Z"],
            ),
            ("AFTER_DURATION", &["P7D"], Date, &["2026-12-02"], &["2026-12-01"]),
            (
                "BEFORE_DURATION",
                &["P1M"],
                Date,
                &["2026-10-25"],
                &["2026-10-26"],
            ),
            (
                "DAYS_OF_WEEK",
                &["WEDNESDAY", "FRIDAY"],
                Date,
                &["2026-11-25", "2026-11-27"],
                &["2026-11-26"],
            ),
        ];
        for (name, arguments, kind, good, bad) in table {
            let rules = [rule(name, arguments, *kind).expect(name)];
            for value in *good {
                assert!(
                    judge(&rules, Cow::Borrowed(*value), now_ms).is_ok(),
                    "{name}: {value}"
                );
            }
            for value in *bad {
                assert!(
                    judge(&rules, Cow::Borrowed(*value), now_ms).is_err(),
                    "{name}: {value}"
                );
            }
        }
    }

    #[test]
    fn arguments_are_checked() {
        for (name, arguments, kind) in [
            ("ALPHANUMERIC", &["LETTERS"][..], Kind::String),
            ("MAX_LENGTH", &["0"], Kind::String),
            ("MAX_LENGTH", &["3"], Kind::Number),
            ("DECIMAL", &["21"], Kind::Number),
            ("REGEX", &["("], Kind::String),
            ("AFTER_DURATION", &["soon"], Kind::Date),
            ("DAYS_OF_WEEK", &["FREITAG"], Kind::Date),
            ("EMAIL_ALLOWED_DOMAINS", &[], Kind::String),
        ] {
            assert!(rule(name, arguments, kind).is_err(), "{name} {arguments:?}");
        }
        assert_eq!(rule_name("NOTHING"), None);
    }

    #[test]
    fn a_normalising_rule_bends_first() {
        let mut upper = rule("FORMAT", &["UPPER"], Kind::String).expect("a rule");
        upper.normalises = true;
        let mut trim = rule("WHITESPACE", &["TRIM"], Kind::String).expect("a rule");
        trim.normalises = true;
        let stored = judge(&[upper, trim], Cow::Borrowed(" ab "), 0).map(Cow::into_owned);
        assert_eq!(stored.ok().as_deref(), Some("AB"));
    }
}
