//! One field's value, and the text it becomes in JSON and in CSV.

use crate::salesforce::{
    clock::{write_date, write_datetime, write_time},
    ids::RecordId,
    schema::Kind,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, cmp::Ordering, fmt::Write};

/// A stored or computed value. Which of the wire's many types it is, its field knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// No value. Empty text is stored as this.
    #[serde(rename = "-")]
    Null,
    /// A checkbox.
    #[serde(rename = "b")]
    Bool(bool),
    /// Any number.
    #[serde(rename = "n", with = "exact")]
    Number(f64),
    /// Any text.
    #[serde(rename = "t")]
    Text(Box<str>),
    /// Days since 1970-01-01.
    #[serde(rename = "d")]
    Date(i32),
    /// Milliseconds since 1970.
    #[serde(rename = "m")]
    DateTime(i64),
    /// Milliseconds since midnight.
    #[serde(rename = "c")]
    Time(u32),
    /// A reference to a record.
    #[serde(rename = "i")]
    Id(RecordId),
}

/// Numbers by their bits, so that they come back as they were.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

impl Value {
    /// Text, or null if there is none.
    pub fn text(text: impl Into<Box<str>>) -> Value {
        let text = text.into();
        if text.is_empty() {
            Value::Null
        } else {
            Value::Text(text)
        }
    }

    /// Whether there is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text as formulas and comparisons see it.
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Value::Null => Cow::Borrowed(""),
            Value::Text(text) => Cow::Borrowed(text),
            other => {
                let mut out = String::new();
                other.write_csv(&mut out, Kind::Double);
                Cow::Owned(out)
            }
        }
    }

    /// Orders two values of one field: nothing first, text without regard to case.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Null, _) => Ordering::Less,
            (_, Value::Null) => Ordering::Greater,
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Id(a), Value::Id(b)) => a.cmp(b),
            (a, b) => folded_order(&a.as_text(), &b.as_text()),
        }
    }

    /// Appends the JSON form for a field of this kind.
    pub fn write_json(&self, out: &mut String, kind: Kind) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
            Value::Number(number) => write_number(out, *number, kind),
            Value::Text(text) => write_json_text(out, text),
            other => {
                out.push('"');
                match other {
                    Value::DateTime(ms) => write_datetime(out, *ms, "+0000"),
                    other => other.write_csv(out, kind),
                }
                out.push('"');
            }
        }
    }

    /// Appends the text that stands in a CSV cell, not yet quoted.
    pub fn write_csv(&self, out: &mut String, kind: Kind) {
        match self {
            Value::Null => {}
            Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
            Value::Number(number) => write_number(out, *number, kind),
            Value::Text(text) => out.push_str(text),
            Value::Date(days) => write_date(out, *days),
            Value::DateTime(ms) => write_datetime(out, *ms, "Z"),
            Value::Time(ms) => write_time(out, *ms),
            Value::Id(id) => {
                let bytes = id.bytes();
                out.push_str(std::str::from_utf8(&bytes).unwrap_or_default());
            }
        }
    }
}

/// Numbers carry a fraction even where the field has none; whole numbers only where the type is int.
/// Very large and very small ones come in scientific notation.
fn write_number(out: &mut String, number: f64, kind: Kind) {
    let size = number.abs();
    let written = if kind == Kind::Int {
        write!(out, "{}", number as i64)
    } else if size != 0.0 && !(1e-3..1e7).contains(&size) && kind == Kind::Double {
        let text = format!("{number:E}");
        let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
        let fraction = if digits.contains('.') { "" } else { ".0" };
        write!(out, "{digits}{fraction}E{exponent}")
    } else if number.fract() == 0.0 {
        write!(out, "{number:.1}")
    } else {
        write!(out, "{number}")
    };
    debug_assert!(written.is_ok());
}

/// Appends a JSON string.
pub fn write_json_text(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + 1;
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Compares text as the database does: without regard to case.
pub fn folded_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        let fold = |byte: u8| byte.to_ascii_lowercase();
        return a.bytes().map(fold).cmp(b.bytes().map(fold));
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}

/// Equality of text without regard to case.
pub fn folded_eq(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && a.to_lowercase() == b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(value: Value, kind: Kind) -> String {
        let mut out = String::new();
        value.write_csv(&mut out, kind);
        out
    }

    #[test]
    fn numbers_look_as_salesforce_writes_them() {
        let table = [
            (4.0, Kind::Double, "4.0"),
            (12.0, Kind::Int, "12"),
            (12345.6, Kind::Double, "12345.6"),
            (975000.0, Kind::Currency, "975000.0"),
            (12345678.25, Kind::Currency, "12345678.25"),
            (12345678.0, Kind::Double, "1.2345678E7"),
            (0.0001, Kind::Double, "1.0E-4"),
            (-71.11095, Kind::Double, "-71.11095"),
            (0.0, Kind::Percent, "0.0"),
        ];
        for (number, kind, text) in table {
            assert_eq!(csv(Value::Number(number), kind), text);
        }
    }

    #[test]
    fn json_text_is_escaped() {
        let mut out = String::new();
        write_json_text(&mut out, "a\"b\\c\r\nd\u{1}é😀");
        assert_eq!(
            serde_json::from_str::<String>(&out).expect("valid JSON"),
            "a\"b\\c\r\nd\u{1}é😀"
        );
    }

    #[test]
    fn values_order_as_the_database_does() {
        let mut texts = ["b", "A", "a1", "B2"].map(Value::text);
        texts.sort_by(Value::order);
        assert_eq!(texts, ["A", "a1", "b", "B2"].map(Value::text));
        assert_eq!(Value::Null.order(&Value::Number(-1.0)), Ordering::Less);
    }
}
