//! Every rule, on both sides of its edge.

use super::*;
use std::borrow::Cow;

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
