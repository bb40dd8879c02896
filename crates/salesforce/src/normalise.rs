//! One text form for each value, whichever API it came through.
//!
//! REST gives JSON and Bulk 2.0 gives CSV, and they spell the same value differently. A row must be equal byte
//! for byte whichever road it took, because the extractor compares content hashes. So both readers bring a cell
//! into this form:
//!
//! | form | as Salesforce may send it | as we hand it on |
//! |---|---|---|
//! | text | `x`, empty, NUL bytes inside | as sent without NUL; empty is null |
//! | number | `4`, `4.0`, `4.50`, `1.5E7`, `-0.0` | `4`, `4`, `4.5`, `15000000`, `0` |
//! | date-time | `2026-01-31T10:20:30.000+0000`, `…30.000Z`, `…30Z`, `…12:20:30+02:00` | `2026-01-31T10:20:30.000Z` |
//! | boolean | `true`, `TRUE`, `1` | `true` |
//!
//! What does not look like its form is handed on as it is: judging values is the mapper's work.

use std::borrow::Cow;

/// What kind of text a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextForm {
    /// Any text, dates and times included.
    #[default]
    Text,
    /// A decimal number.
    Number,
    /// A point in time.
    DateTime,
    /// `true` or `false`.
    Boolean,
}

/// Exponents beyond this stay as they are, so that a hostile `1E999999999` cannot fill the memory.
const LARGEST_EXPONENT: i64 = 400;

/// Brings a cell into its form. `None` is null.
#[must_use]
pub fn normalise(form: TextForm, raw: &str) -> Option<Cow<'_, str>> {
    let text = strip_nul(raw);
    if text.is_empty() {
        return None;
    }
    let changed = match form {
        TextForm::Text => None,
        TextForm::Number => number(&text),
        TextForm::DateTime => date_time(&text),
        TextForm::Boolean => boolean(&text),
    };
    Some(changed.map_or(text, Cow::Owned))
}

/// NUL bytes have been seen in bulk results; nothing downstream can hold them.
fn strip_nul(raw: &str) -> Cow<'_, str> {
    if raw.as_bytes().contains(&0) {
        Cow::Owned(raw.replace('\0', ""))
    } else {
        Cow::Borrowed(raw)
    }
}

fn boolean(text: &str) -> Option<String> {
    match text {
        "true" | "false" => None,
        "1" => Some("true".to_owned()),
        "0" => Some("false".to_owned()),
        _ if text.eq_ignore_ascii_case("true") => Some("true".to_owned()),
        _ if text.eq_ignore_ascii_case("false") => Some("false".to_owned()),
        _ => None,
    }
}

/// The canonical spelling, or `None` when the text is canonical already or is no number.
fn number(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    if exponent.abs() > LARGEST_EXPONENT {
        return None;
    }
    let (whole, fraction) = shift(whole, fraction, exponent);
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let mut canonical = String::with_capacity(text.len());
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        canonical.push('-');
    }
    canonical.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        canonical.push('.');
        canonical.push_str(fraction);
    }
    (canonical != text).then_some(canonical)
}

/// Moves the decimal point by `exponent` places.
fn shift<'a>(whole: &'a str, fraction: &'a str, exponent: i64) -> (Cow<'a, str>, Cow<'a, str>) {
    let places = usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX);
    if exponent == 0 {
        (whole.into(), fraction.into())
    } else if exponent > 0 {
        let moved = places.min(fraction.len());
        let zeros = "0".repeat(places - moved);
        (
            format!("{whole}{}{zeros}", &fraction[..moved]).into(),
            fraction[moved..].into(),
        )
    } else {
        let moved = places.min(whole.len());
        let kept = whole.len() - moved;
        let zeros = "0".repeat(places - moved);
        (
            whole[..kept].into(),
            format!("{zeros}{}{fraction}", &whole[kept..]).into(),
        )
    }
}

/// The canonical spelling, or `None` when the text is canonical already or is no date-time.
fn date_time(text: &str) -> Option<String> {
    let at = parse_date_time(text)?;
    let canonical = format_date_time(at);
    (canonical != text).then_some(canonical)
}

/// Reads every spelling of a date-time that Salesforce uses: `Z`, `+0000` and `+00:00`, with or without a fraction.
#[must_use]
pub fn parse_date_time(text: &str) -> Option<jiff::Timestamp> {
    let bytes = text.as_bytes();
    // jiff reads `+00:00` and `+0000` alike; a time without an offset is not a point in time.
    if bytes.len() < 20 || bytes[4] != b'-' || bytes[10] != b'T' {
        return None;
    }
    text.parse().ok()
}

/// `2026-01-31T10:20:30.000Z`, the form that date-times have everywhere after this crate.
#[must_use]
pub fn format_date_time(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(form: TextForm, raw: &str) -> Option<String> {
        normalise(form, raw).map(Cow::into_owned)
    }

    #[test]
    fn trap_15_numbers_have_one_spelling() {
        for (raw, expected) in [
            ("4", "4"),
            ("4.0", "4"),
            ("4.50", "4.5"),
            ("0.0", "0"),
            ("-0.0", "0"),
            ("-4.10", "-4.1"),
            ("+7", "7"),
            ("007.0", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1.5E7", "15000000"),
            ("1.23456789E3", "1234.56789"),
            ("1E-3", "0.001"),
            ("12.5e-1", "1.25"),
            ("999999999999999999", "999999999999999999"),
            ("123456789012345678.90", "123456789012345678.9"),
            ("975000.0", "975000"),
            ("1E999999999", "1E999999999"),
            ("abc", "abc"),
            ("1.2.3", "1.2.3"),
            ("-", "-"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(form(TextForm::Number, raw).as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn date_times_have_one_spelling() {
        let canonical = "2026-01-31T10:20:30.000Z";
        for raw in [
            canonical,
            "2026-01-31T10:20:30.000+0000",
            "2026-01-31T10:20:30Z",
            "2026-01-31T10:20:30.000+00:00",
            "2026-01-31T12:20:30+02:00",
            "2026-01-31T05:20:30.000-0500",
        ] {
            assert_eq!(form(TextForm::DateTime, raw).as_deref(), Some(canonical), "{raw}");
        }
        for kept in ["2026-01-31", "yesterday", "2026-01-31T10:20:30"] {
            assert_eq!(form(TextForm::DateTime, kept).as_deref(), Some(kept));
        }
        assert_eq!(
            form(TextForm::DateTime, "1700-01-01T00:00:00.000+0000").unwrap(),
            "1700-01-01T00:00:00.000Z"
        );
        assert_eq!(
            form(TextForm::DateTime, "4000-12-31T23:59:59.000+0000").unwrap(),
            "4000-12-31T23:59:59.000Z"
        );
    }

    #[test]
    fn text_is_kept_and_empty_is_null() {
        assert_eq!(form(TextForm::Text, "4.0").as_deref(), Some("4.0"));
        assert_eq!(form(TextForm::Text, "a\0b").as_deref(), Some("ab"));
        assert_eq!(form(TextForm::Text, "\0"), None);
        assert_eq!(form(TextForm::Text, ""), None);
        assert_eq!(form(TextForm::Text, " x ").as_deref(), Some(" x "));
        assert_eq!(form(TextForm::Boolean, "TRUE").as_deref(), Some("true"));
        assert_eq!(form(TextForm::Boolean, "false").as_deref(), Some("false"));
        assert_eq!(form(TextForm::Number, ""), None);
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(raw in "[-+]?[0-9]{0,6}(\\.[0-9]{0,6})?([eE][-+]?[0-9]{1,2})?") {
            let once = form(TextForm::Number, &raw);
            let twice = once.as_deref().and_then(|text| form(TextForm::Number, text));
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn the_value_of_a_number_is_kept(whole in -999_999i64..999_999, cents in 0u32..100, zeros in 0usize..4) {
            let raw = format!("{whole}.{cents:02}{}", "0".repeat(zeros));
            let canonical = form(TextForm::Number, &raw).unwrap();
            prop_assert_eq!(raw.parse::<f64>().unwrap(), canonical.parse::<f64>().unwrap());
            prop_assert!(!canonical.contains('.') || !canonical.ends_with('0'));
        }

        #[test]
        fn any_text_is_survived(raw in ".{0,40}") {
            for kind in [TextForm::Text, TextForm::Number, TextForm::DateTime, TextForm::Boolean] {
                let _ = normalise(kind, &raw);
            }
        }
    }
}
