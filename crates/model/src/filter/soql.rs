//! Conditions in Salesforce's words.

use std::fmt::Write as _;

use super::{Check, Comparison, Value};
use crate::convert::moments;

/// One condition. Where an empty field counts as "not the same", SOQL is told so in so many words.
pub(super) fn condition(field: &str, check: &Check) -> String {
    match check {
        Check::Empty(true) => format!("{field} = null"),
        Check::Empty(false) => format!("{field} != null"),
        Check::Compare { comparison, value } => {
            let sign = match comparison {
                Comparison::Equal => "=",
                Comparison::NotEqual => "!=",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
            };
            let said = format!("{field} {sign} {}", literal(value));
            match (comparison, value) {
                // A checkbox is never empty.
                (Comparison::NotEqual, Value::Flag(_)) => said,
                (Comparison::NotEqual, _) => or_empty(field, &said),
                _ => said,
            }
        }
        Check::Among { wanted, values } => {
            let list = joined(values.iter().map(literal));
            if *wanted {
                format!("{field} IN ({list})")
            } else {
                or_empty(field, &format!("{field} NOT IN ({list})"))
            }
        }
        Check::Within { at_start, raw, .. } => {
            let open = if *at_start { "" } else { "%" };
            format!("{field} LIKE '{open}{}%'", pattern(raw))
        }
        Check::Set { wanted: true, values } => {
            let all: Vec<&str> = values.iter().map(String::as_str).collect();
            format!("{field} INCLUDES ({})", quoted(&all.join(";")))
        }
        Check::Set {
            wanted: false,
            values,
        } => {
            let list = joined(values.iter().map(|value| quoted(value)));
            or_empty(field, &format!("{field} EXCLUDES ({list})"))
        }
    }
}

fn or_empty(field: &str, said: &str) -> String {
    format!("({field} = null OR {said})")
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text { raw, .. } => quoted(raw),
        Value::Id(id) => quoted(id.as_str()),
        Value::Flag(flag) => flag.to_string(),
        Value::Number { plain, .. } => plain.clone(),
        Value::Day(day) => moments::day_text(*day),
        Value::Instant(instant) => moments::instant_text(*instant),
        Value::Time(time) => format!(
            "{:02}:{:02}:{:02}.{:03}Z",
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond()
        ),
    }
}

/// A string literal.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A text within LIKE: its own wildcards mean themselves.
fn pattern(text: &str) -> String {
    let mut pattern = String::new();
    for c in escaped(text).chars() {
        let wild = if matches!(c, '%' | '_') { "\\" } else { "" };
        write!(pattern, "{wild}{c}").expect("writing to a String cannot fail");
    }
    pattern
}
