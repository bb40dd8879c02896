//! Computes an expression for one record.

use super::parser::{Binary, Call, Expr, Unary};
use crate::salesforce::{
    clock::{self, DAY_MS, civil, day_of, days_of},
    path::FieldPath,
    value::{Value, folded_eq},
};

/// What an expression can see: the record's fields and the time.
pub trait Scope {
    /// A field's value and whether it is of a numeric type.
    fn field(&self, path: &FieldPath) -> (Value, bool);
    /// The org's time, milliseconds.
    fn now_ms(&self) -> i64;
}

/// The value of an expression. What cannot be computed (a division by zero, a date from text) is null,
/// as it is in API answers.
pub fn evaluate(expr: &Expr, blank_as_zero: bool, scope: &dyn Scope) -> Value {
    Evaluation { blank_as_zero, scope }.value(expr)
}

struct Evaluation<'s> {
    blank_as_zero: bool,
    scope: &'s dyn Scope,
}

impl Evaluation<'_> {
    fn value(&self, expr: &Expr) -> Value {
        match expr {
            Expr::Literal(value) => value.clone(),
            Expr::Field(path) => match self.scope.field(path) {
                (Value::Null, true) if self.blank_as_zero => Value::Number(0.0),
                (value, _) => value,
            },
            Expr::Unary(Unary::Negate, inner) => match self.value(inner) {
                Value::Number(number) => Value::Number(-number),
                _ => Value::Null,
            },
            Expr::Unary(Unary::Not, inner) => Value::Bool(!self.truth(inner)),
            Expr::Binary(Binary::And, left, right) => Value::Bool(self.truth(left) && self.truth(right)),
            Expr::Binary(Binary::Or, left, right) => Value::Bool(self.truth(left) || self.truth(right)),
            Expr::Binary(operator, left, right) => binary(*operator, self.value(left), self.value(right)),
            Expr::Call(call, arguments) => self.call(*call, arguments),
        }
    }

    fn truth(&self, expr: &Expr) -> bool {
        self.value(expr) == Value::Bool(true)
    }

    fn number(&self, expr: &Expr) -> Option<f64> {
        match self.value(expr) {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    fn text(&self, expr: &Expr) -> String {
        shown(&self.value(expr))
    }

    /// A blank test looks at the field itself: zero-for-blank does not make it full.
    fn is_blank(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Field(path) => self.scope.field(path).0.is_null(),
            other => self.value(other).is_null(),
        }
    }

    fn call(&self, call: Call, arguments: &[Expr]) -> Value {
        match call {
            Call::And => Value::Bool(arguments.iter().all(|argument| self.truth(argument))),
            Call::Or => Value::Bool(arguments.iter().any(|argument| self.truth(argument))),
            Call::Not => Value::Bool(!self.truth(&arguments[0])),
            Call::If => self.value(&arguments[if self.truth(&arguments[0]) { 1 } else { 2 }]),
            Call::IsBlank | Call::IsNull => Value::Bool(self.is_blank(&arguments[0])),
            Call::BlankValue | Call::NullValue => {
                self.value(&arguments[usize::from(self.is_blank(&arguments[0]))])
            }
            Call::Case => self.case(arguments),
            Call::Now => Value::DateTime(clock::whole_second(self.scope.now_ms())),
            Call::Today => Value::Date(day_of(self.scope.now_ms())),
            Call::Date | Call::DateValue | Call::AddMonths | Call::Day | Call::Month | Call::Year => {
                self.date_call(call, arguments).unwrap_or(Value::Null)
            }
            Call::Abs | Call::Ceiling | Call::Floor | Call::Max | Call::Min | Call::Mod | Call::Round => self
                .number_call(call, arguments)
                .map_or(Value::Null, Value::Number),
            _ => self.text_call(call, arguments).unwrap_or(Value::Null),
        }
    }

    fn case(&self, arguments: &[Expr]) -> Value {
        let subject = self.value(&arguments[0]);
        let (pairs, rest) = arguments[1..].as_chunks::<2>();
        pairs
            .iter()
            .find(|[when, _]| binary(Binary::Equal, subject.clone(), self.value(when)) == Value::Bool(true))
            .map(|[_, then]| then)
            .or(rest.first())
            .map_or(Value::Null, |expr| self.value(expr))
    }

    fn date_call(&self, call: Call, arguments: &[Expr]) -> Option<Value> {
        if call == Call::Date {
            let part = |at: usize| self.number(&arguments[at]).map(|number| number as i64);
            let (year, month, day) = (part(0)?, part(1)?, part(2)?);
            return days_of(year as i32, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
                .map(Value::Date);
        }
        let days = match self.value(&arguments[0]) {
            Value::Date(days) => days,
            Value::DateTime(ms) => day_of(ms),
            Value::Text(text) => clock::parse_date(&text)?,
            _ => return None,
        };
        let (year, month, day) = civil(days);
        Some(match call {
            Call::DateValue => Value::Date(days),
            Call::Year => Value::Number(f64::from(year)),
            Call::Month => Value::Number(f64::from(month)),
            Call::Day => Value::Number(f64::from(day)),
            _ => {
                let months = i64::from(year) * 12 + i64::from(month) - 1 + self.number(&arguments[1])? as i64;
                let (year, month) = ((months.div_euclid(12)) as i32, (months.rem_euclid(12)) as u32 + 1);
                Value::Date((1..=day).rev().find_map(|day| days_of(year, month, day))?)
            }
        })
    }

    fn number_call(&self, call: Call, arguments: &[Expr]) -> Option<f64> {
        let first = self.number(&arguments[0])?;
        let mut all = arguments.iter().filter_map(|argument| self.number(argument));
        Some(match call {
            Call::Abs => first.abs(),
            Call::Ceiling => first.ceil(),
            Call::Floor => first.floor(),
            Call::Max => all.fold(first, f64::max),
            Call::Min => all.fold(first, f64::min),
            Call::Mod => {
                let by = all.nth(1).filter(|by| *by != 0.0)?;
                first - by * (first / by).floor()
            }
            _ => round(first, all.nth(1)? as i32),
        })
    }

    fn text_call(&self, call: Call, arguments: &[Expr]) -> Option<Value> {
        let count = |at: usize| self.number(&arguments[at]).map(|number| number.max(0.0) as usize);
        let text = arguments
            .first()
            .map(|first| self.text(first))
            .unwrap_or_default();
        Some(match call {
            Call::Text => Value::text(text),
            Call::Trim => Value::text(text.trim()),
            Call::Upper => Value::text(text.to_uppercase()),
            Call::Lower => Value::text(text.to_lowercase()),
            Call::Br => Value::text("<br>"),
            Call::Len => Value::Number(text.chars().count() as f64),
            Call::Value => Value::Number(text.trim().parse().ok()?),
            Call::Left => Value::text(text.chars().take(count(1)?).collect::<String>()),
            Call::Right => {
                let skipped = text.chars().count().saturating_sub(count(1)?);
                Value::text(text.chars().skip(skipped).collect::<String>())
            }
            Call::Mid => {
                let from = count(1)?.saturating_sub(1);
                Value::text(text.chars().skip(from).take(count(2)?).collect::<String>())
            }
            Call::Begins => Value::Bool(text.starts_with(&self.text(&arguments[1]))),
            Call::Contains => Value::Bool(text.contains(&self.text(&arguments[1]))),
            Call::Includes => {
                let wanted = self.text(&arguments[1]);
                Value::Bool(text.split(';').any(|value| folded_eq(value, &wanted)))
            }
            Call::IsPickVal => Value::Bool(folded_eq(&text, &self.text(&arguments[1]))),
            Call::Find => Value::Number(self.find(&text, arguments)),
            Call::Substitute => {
                Value::text(text.replace(&self.text(&arguments[1]), &self.text(&arguments[2])))
            }
            Call::Image => {
                let alt = self.text(&arguments[1]);
                let size = |at: usize| arguments.get(at).and_then(|_| count(at));
                let style = match (size(2), size(3)) {
                    (Some(height), Some(width)) => format!(" style=\"height:{height}px; width:{width}px;\""),
                    _ => String::new(),
                };
                Value::text(format!("<img src=\"{text}\" alt=\"{alt}\"{style} border=\"0\"/>"))
            }
            Call::Hyperlink => {
                let label = self.text(&arguments[1]);
                let target = arguments
                    .get(2)
                    .map_or_else(|| "_blank".to_owned(), |target| self.text(target));
                Value::text(format!("<a href=\"{text}\" target=\"{target}\">{label}</a>"))
            }
            _ => return None,
        })
    }

    /// The place of text in text, from 1; 0 if it is not there.
    fn find(&self, wanted: &str, arguments: &[Expr]) -> f64 {
        let within = self.text(&arguments[1]);
        let from = arguments
            .get(2)
            .and_then(|from| self.number(from))
            .map_or(0, |from| from.max(1.0) as usize - 1);
        let start = within.char_indices().nth(from).map_or(within.len(), |(at, _)| at);
        match within[start..].find(wanted) {
            Some(at) if !wanted.is_empty() => (within[..start + at].chars().count() + 1) as f64,
            _ => 0.0,
        }
    }
}

/// Rounds half away from zero, as Salesforce does, to so many digits after the point.
pub(in crate::salesforce) fn round(number: f64, digits: i32) -> f64 {
    // Fifteen digits are what a double surely holds; the small push keeps 1.005 from becoming 1.00.
    let scale = 10f64.powi(digits.clamp(-18, 18));
    let scaled = number * scale;
    let rounded = (scaled + scaled.signum() * 1e-9).round() / scale;
    if rounded.is_finite() { rounded } else { number }
}

/// A value as TEXT() shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::DateTime(ms) => {
            let mut text = String::new();
            clock::write_datetime(&mut text, *ms, "Z");
            text.replacen('T', " ", 1).replacen(".000", "", 1)
        }
        other => other.as_text().into_owned(),
    }
}

fn binary(operator: Binary, left: Value, right: Value) -> Value {
    match operator {
        Binary::Concatenate => Value::text(shown(&left) + &shown(&right)),
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Power => {
            arithmetic(operator, left, right)
        }
        _ => compare(operator, &left, &right),
    }
}

fn arithmetic(operator: Binary, left: Value, right: Value) -> Value {
    use Value::{Date, DateTime, Null, Number, Text};
    match (operator, left, right) {
        (Binary::Add, Number(a), Number(b)) => Number(a + b),
        (Binary::Subtract, Number(a), Number(b)) => Number(a - b),
        (Binary::Multiply, Number(a), Number(b)) => Number(a * b),
        (Binary::Divide, Number(a), Number(b)) if b != 0.0 => Number(a / b),
        (Binary::Power, Number(a), Number(b)) => {
            Some(a.powf(b)).filter(|n| n.is_finite()).map_or(Null, Number)
        }
        (Binary::Subtract, Date(a), Date(b)) => Number(f64::from(a - b)),
        (Binary::Subtract, DateTime(a), DateTime(b)) => Number((a - b) as f64 / DAY_MS as f64),
        (Binary::Add, Date(a), Number(b)) | (Binary::Add, Number(b), Date(a)) => Date(a + b.floor() as i32),
        (Binary::Subtract, Date(a), Number(b)) => Date(a - b.floor() as i32),
        (Binary::Add, DateTime(a), Number(b)) | (Binary::Add, Number(b), DateTime(a)) => {
            DateTime(a + (b * DAY_MS as f64) as i64)
        }
        (Binary::Subtract, DateTime(a), Number(b)) => DateTime(a - (b * DAY_MS as f64) as i64),
        // Ids concatenate like text.
        (Binary::Add, a @ (Text(_) | Value::Id(_)), b) | (Binary::Add, a, b @ (Text(_) | Value::Id(_))) => {
            Value::text(shown(&a) + &shown(&b))
        }
        _ => Null,
    }
}

fn compare(operator: Binary, left: &Value, right: &Value) -> Value {
    let equal = match (left, right) {
        (Value::Text(_) | Value::Null | Value::Id(_), Value::Text(_) | Value::Null | Value::Id(_)) => {
            left.as_text() == right.as_text()
        }
        _ => left == right,
    };
    let order = (!left.is_null() && !right.is_null()).then(|| left.order(right));
    Value::Bool(match operator {
        Binary::Equal => equal,
        Binary::NotEqual => !equal,
        Binary::Less => order.is_some_and(|order| order.is_lt()),
        Binary::LessOrEqual => order.is_some_and(|order| order.is_le()),
        Binary::Greater => order.is_some_and(|order| order.is_gt()),
        _ => order.is_some_and(|order| order.is_ge()),
    })
}
