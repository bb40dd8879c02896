//! Values held against rules. Pure.

use super::{Check, PropertyRule};
use crate::hubspot::{
    clock::{self, DAY_MS},
    values::Refusal,
};
use jiff::{Span, Timestamp, tz::TimeZone};
use std::borrow::Cow;

/// Holds a value of the right type against a property's rules; gives it back as they want it stored.
pub(in crate::hubspot) fn judge<'v>(
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
