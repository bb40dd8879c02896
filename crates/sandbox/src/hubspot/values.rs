//! Which text is a value of which property, and what becomes of it. Pure.

use super::{
    clock::{self, DAY_MS},
    property::{Kind, Property},
    version::Version,
};
use std::borrow::Cow;

/// The longest text a property holds, in characters.
const TEXT_MAX: usize = 65_536;

/// Epoch numbers below this are seconds to 2026-09, which knows that nobody means the spring of 1973.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// Why a value (or a definition) is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// A value as it will be stored. Empty clears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted<'a> {
    pub(super) value: Cow<'a, str>,
    /// Set when 2026-09 bent the value into shape: what the warning calls `normalizedValue`.
    pub(super) normalised: Option<String>,
}

/// Judges one value. `stored` is what the record holds now, for multi-selects that are appended to.
pub(super) fn accept<'a>(
    property: &Property,
    raw: &'a str,
    version: Version,
    stored: Option<&str>,
) -> Result<Accepted<'a>, Refusal> {
    if property.read_only {
        let message = format!(
            "\"{}\" is a calculated property; its value can not be set",
            property.name
        );
        return Err(Refusal {
            code: "READ_ONLY_VALUE",
            message,
        });
    }
    if raw.is_empty() {
        return plain(raw);
    }
    match property.kind {
        Kind::String | Kind::PhoneNumber => text(property, raw),
        Kind::Number if is_number(raw) => plain(raw),
        Kind::Number => Err(refuse(
            "INVALID_INTEGER",
            format!("{raw} was not a valid number."),
        )),
        Kind::Bool if raw == "true" || raw == "false" => plain(raw),
        Kind::Bool => Err(not_an_option(property, raw)),
        Kind::Enumeration => enumeration(property, raw, stored),
        Kind::Date => date(raw, version),
        Kind::Datetime => datetime(raw, version),
    }
}

fn plain(raw: &str) -> Result<Accepted<'_>, Refusal> {
    Ok(Accepted {
        value: Cow::Borrowed(raw),
        normalised: None,
    })
}

fn stored_as<'a>(value: String, normalised: Option<String>) -> Result<Accepted<'a>, Refusal> {
    Ok(Accepted {
        value: Cow::Owned(value),
        normalised,
    })
}

fn refuse(code: &'static str, message: String) -> Refusal {
    Refusal { code, message }
}

fn text<'a>(property: &Property, raw: &'a str) -> Result<Accepted<'a>, Refusal> {
    if raw.len() > TEXT_MAX && raw.chars().count() > TEXT_MAX {
        let message = format!("{} is longer than {TEXT_MAX} characters", property.name);
        return Err(refuse("INVALID_LENGTH", message));
    }
    if !property.email {
        return plain(raw);
    }
    let plausible = raw
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    if !plausible || raw.contains(char::is_whitespace) {
        return Err(refuse("INVALID_EMAIL", format!("Email address {raw} is invalid")));
    }
    if raw.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return stored_as(raw.to_ascii_lowercase(), None);
    }
    plain(raw)
}

/// Digits with at most one point, a sign, an exponent. No separators, no names for what is not a number.
fn is_number(raw: &str) -> bool {
    let unsigned = raw.strip_prefix(['-', '+']).unwrap_or(raw);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty())
        && digits(whole)
        && digits(fraction)
        && !exponent.is_empty()
        && digits(exponent)
}

fn not_an_option(property: &Property, raw: &str) -> Refusal {
    let mut allowed: Vec<&str> = property
        .choices
        .iter()
        .map(|choice| choice.value.as_str())
        .collect();
    if allowed.is_empty() {
        allowed = property.accepted.iter().map(|value| &**value).collect();
        allowed.sort_unstable();
    }
    let message = format!(
        "{raw} was not one of the allowed options: [{}]",
        allowed.join(", ")
    );
    refuse("INVALID_OPTION", message)
}

fn enumeration<'a>(property: &Property, raw: &'a str, stored: Option<&str>) -> Result<Accepted<'a>, Refusal> {
    if !property.multiple() {
        return if property.accepted.contains(raw) {
            plain(raw)
        } else {
            Err(not_an_option(property, raw))
        };
    }
    let (append, list) = match raw.strip_prefix(';') {
        Some(list) => (true, list),
        None => (false, raw),
    };
    if let Some(stranger) = list.split(';').find(|value| !property.accepted.contains(*value)) {
        return Err(not_an_option(property, stranger));
    }
    if !append {
        return plain(raw);
    }
    let mut values: Vec<&str> = stored
        .map(|stored| stored.split(';').collect())
        .unwrap_or_default();
    for value in list.split(';') {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    stored_as(values.join(";"), None)
}

/// Milliseconds since the epoch, if the text is a whole number.
fn epoch(raw: &str) -> Option<i64> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| raw.parse().ok())
        .flatten()
}

/// The point in time that 2026-09 takes a number for.
fn lenient(number: i64) -> i64 {
    if number.abs() < SECONDS_BELOW {
        number * 1000
    } else {
        number
    }
}

fn not_a_long(raw: &str) -> Refusal {
    refuse("INVALID_LONG", format!("{raw} was not a valid long."))
}

fn date(raw: &str, version: Version) -> Result<Accepted<'_>, Refusal> {
    if clock::parse_date(raw).is_some() {
        return plain(raw);
    }
    let number = epoch(raw);
    let parsed = clock::parse_instant(raw);
    let ms = match (number, parsed) {
        (Some(ms), _) => ms,
        (None, Some(parsed)) => parsed.ms,
        (None, None) => return Err(not_a_long(raw)),
    };
    if ms.rem_euclid(DAY_MS) == 0 {
        return stored_as(clock::date(ms.div_euclid(DAY_MS)), None);
    }
    if version.is_2026_09() {
        let days = number.map_or(ms, lenient).div_euclid(DAY_MS);
        return stored_as(clock::date(days), Some((days * DAY_MS).to_string()));
    }
    let of_day = ms.rem_euclid(DAY_MS);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, thousandth) = (of_day / 1000 % 60, of_day % 1000);
    let message = format!("{ms} is at {hour}:{minute}:{second}.{thousandth} UTC, not midnight!");
    Err(refuse("INVALID_DATE", message))
}

fn datetime(raw: &str, version: Version) -> Result<Accepted<'_>, Refusal> {
    if let Some(number) = epoch(raw) {
        let ms = if version.is_2026_09() {
            lenient(number)
        } else {
            number
        };
        return stored_as(clock::instant(ms), (ms != number).then(|| ms.to_string()));
    }
    if let Some(days) = clock::parse_date(raw) {
        return stored_as(clock::instant(days * DAY_MS), None);
    }
    match clock::parse_instant(raw) {
        Some(parsed) if parsed.zoned && clock::is_canonical(raw) => plain(raw),
        Some(parsed) if parsed.zoned => stored_as(clock::instant(parsed.ms), None),
        Some(parsed) if version.is_2026_09() => {
            stored_as(clock::instant(parsed.ms), Some(parsed.ms.to_string()))
        }
        _ => Err(not_a_long(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hubspot::property::Choice;

    fn property(kind: Kind, field_type: &str, options: &[&str]) -> Property {
        let mut property = Property::built_in("stage", "Stage", kind, field_type, "g");
        let choice = |value: &&str| Choice {
            label: (*value).to_owned(),
            value: (*value).to_owned(),
            description: String::new(),
            display_order: -1,
            hidden: false,
        };
        property.set_choices(options.iter().map(choice).collect());
        property
    }

    #[track_caller]
    fn check(property: &Property, version: Version, table: &[(&str, Result<&str, &str>)]) {
        for (raw, want) in table {
            let actual = accept(property, raw, version, Some("A;B"));
            let actual = actual
                .as_ref()
                .map(|accepted| &*accepted.value)
                .map_err(|refusal| refusal.code);
            assert_eq!(actual, *want, "{raw:?} as {:?} in {version:?}", property.kind);
        }
    }

    #[test]
    fn numbers_have_no_separators() {
        let refused = Err("INVALID_INTEGER");
        let table = [
            ("12", Ok("12")),
            ("-12.50", Ok("-12.50")),
            ("1.2e3", Ok("1.2e3")),
            (".5", Ok(".5")),
            ("", Ok("")),
            ("1,234.5", refused),
            ("N/A", refused),
            ("1.2.3", refused),
            ("e5", refused),
            ("NaN", refused),
            (" 1", refused),
        ];
        check(&property(Kind::Number, "number", &[]), Version::V3, &table);
    }

    #[test]
    fn options_are_matched_to_the_letter() {
        let refused = Err("INVALID_OPTION");
        let one = property(Kind::Enumeration, "select", &["open", "A"]);
        check(
            &one,
            Version::V3,
            &[("open", Ok("open")), ("Open", refused), ("open;A", refused)],
        );
        let many = property(Kind::Enumeration, "checkbox", &["A", "B", "C"]);
        let table = [
            ("A;C", Ok("A;C")),
            (";C;A", Ok("A;B;C")),
            ("A; C", refused),
            ("a", refused),
            ("A;", refused),
        ];
        check(&many, Version::V3, &table);
        let truth = property(Kind::Bool, "booleancheckbox", &["true", "false"]);
        check(
            &truth,
            Version::V3,
            &[("true", Ok("true")), ("TRUE", refused), ("1", refused)],
        );
        let message = accept(&truth, "1", Version::V3, None).map_err(|refusal| refusal.message);
        assert_eq!(
            message.err().as_deref(),
            Some("1 was not one of the allowed options: [true, false]")
        );
    }

    #[test]
    fn dates_are_midnight_unless_the_version_bends_them() {
        let date = property(Kind::Date, "date", &[]);
        let late = "1579179660000";
        let old = [
            ("2026-11-23", Ok("2026-11-23")),
            ("1579132800000", Ok("2020-01-16")),
            ("2020-01-16T00:00:00Z", Ok("2020-01-16")),
            (late, Err("INVALID_DATE")),
            ("2020-01-16T13:01:00Z", Err("INVALID_DATE")),
            ("1579132800", Err("INVALID_DATE")),
            ("1/1/1", Err("INVALID_LONG")),
        ];
        check(&date, Version::V3, &old);
        check(&date, Version::Dated2026March, &old);
        let bent = [
            (late, Ok("2020-01-16")),
            ("1579132801", Ok("2020-01-16")),
            ("1/1/1", Err("INVALID_LONG")),
        ];
        check(&date, Version::Dated2026September, &bent);
        let refusal = accept(&date, late, Version::V3, None).map_err(|refusal| refusal.message);
        assert_eq!(
            refusal.err().as_deref(),
            Some("1579179660000 is at 13:1:0.0 UTC, not midnight!")
        );
        let accepted =
            accept(&date, late, Version::Dated2026September, None).map(|accepted| accepted.normalised);
        assert_eq!(accepted, Ok(Some("1579132800000".to_owned())));
    }

    #[test]
    fn datetimes_are_instants() {
        let datetime = property(Kind::Datetime, "date", &[]);
        let table = [
            ("2026-11-23T10:00:00Z", Ok("2026-11-23T10:00:00.000Z")),
            ("2026-11-23T10:00:00.5+01:00", Ok("2026-11-23T09:00:00.500Z")),
            ("1795428000123", Ok("2026-11-23T10:00:00.123Z")),
            ("1579132800", Ok("1970-01-19T06:38:52.800Z")),
            ("2026-11-23T10:00:00", Err("INVALID_LONG")),
            ("soon", Err("INVALID_LONG")),
        ];
        check(&datetime, Version::V3, &table);
        let table = [
            ("1579132800", Ok("2020-01-16T00:00:00.000Z")),
            ("2026-11-23T10:00:00", Ok("2026-11-23T10:00:00.000Z")),
        ];
        check(&datetime, Version::Dated2026September, &table);
    }

    #[test]
    fn text_has_a_longest() {
        let text = property(Kind::String, "textarea", &[]);
        let longest = "é".repeat(TEXT_MAX);
        let longer = format!("{longest}x");
        check(
            &text,
            Version::V3,
            &[(&longest, Ok(&longest)), (&longer, Err("INVALID_LENGTH"))],
        );
        let mut email = property(Kind::String, "text", &[]);
        email.email = true;
        check(
            &email,
            Version::V3,
            &[("A@B.c", Ok("a@b.c")), ("nobody", Err("INVALID_EMAIL"))],
        );
    }
}
