//! Conditions: bound to fields and types, then asked of records.

use super::{
    SoqlError,
    syntax::{Filter, Literal, Name, Operator},
};
use crate::salesforce::{
    clock::{DAY_MS, civil, day_of, days_of},
    ids::RecordId,
    path::FieldPath,
    reader::Reader,
    schema::{Field, Kind, Schema},
    store::Record,
    value::{Value, folded_eq},
};

/// A bound condition.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    /// Compares with a value.
    Compare(FieldPath, Operator, Value),
    /// Compares with a period of time: from, up to.
    Within(FieldPath, Operator, Value, Value),
    /// One of, or none of.
    Among(FieldPath, bool, Vec<Value>),
    /// Like a pattern, already folded.
    Like(FieldPath, Vec<Pattern>),
    /// A multi-picklist holds, or does not hold, one of these sets.
    Holds(FieldPath, bool, Vec<Vec<String>>),
}

/// A piece of a LIKE pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Pattern {
    Any,
    One,
    Char(char),
}

/// What binding a condition needs to know.
pub(super) struct Binder<'b> {
    pub(super) schema: &'b Schema,
    pub(super) query: &'b str,
    pub(super) now_ms: i64,
    /// Resolves a name to a path.
    pub(super) resolve: &'b dyn Fn(&Name) -> Result<FieldPath, SoqlError>,
}

impl Binder<'_> {
    pub(super) fn bind(&self, filter: &Filter) -> Result<Test, SoqlError> {
        Ok(match filter {
            Filter::And(parts) => Test::And(self.all(parts)?),
            Filter::Or(parts) => Test::Or(self.all(parts)?),
            Filter::Not(inner) => Test::Not(Box::new(self.bind(inner)?)),
            Filter::Compare {
                field,
                operator,
                values,
            } => self.compare(field, *operator, values)?,
        })
    }

    fn all(&self, parts: &[Filter]) -> Result<Vec<Test>, SoqlError> {
        parts.iter().map(|part| self.bind(part)).collect()
    }

    fn refuse(&self, code: &'static str, name: &Name, message: String) -> SoqlError {
        SoqlError::at(code, self.query, name.at, message)
    }

    fn compare(&self, name: &Name, operator: Operator, literals: &[Literal]) -> Result<Test, SoqlError> {
        let path = (self.resolve)(name)?;
        let field = path.leaf(self.schema);
        if !field.kind.is_filterable() {
            let message = format!("field '{}' can not be filtered in a query call", field.name);
            return Err(self.refuse("INVALID_FIELD", name, message));
        }
        match operator {
            Operator::Includes | Operator::Excludes => return self.holds(name, path, operator, literals),
            Operator::Like => return self.like(name, path, &literals[0]),
            _ => {}
        }
        if let [Literal::Period(period_name, number)] = literals {
            let (from, to) = period(period_name, *number, self.now_ms).unwrap_or_default();
            let (from, to) = match field.kind {
                Kind::Date => (Value::Date(from), Value::Date(to)),
                Kind::DateTime => (
                    Value::DateTime(i64::from(from) * DAY_MS),
                    Value::DateTime(i64::from(to) * DAY_MS),
                ),
                _ => return Err(self.wrong_type(name, field)),
            };
            return Ok(Test::Within(path, operator, from, to));
        }
        let values = literals
            .iter()
            .map(|literal| self.typed(name, field, literal))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match operator {
            Operator::In => Test::Among(path, true, values),
            Operator::NotIn => Test::Among(path, false, values),
            _ => Test::Compare(path, operator, values.into_iter().next().unwrap_or(Value::Null)),
        })
    }

    fn wrong_type(&self, name: &Name, field: &Field) -> SoqlError {
        let type_name = match field.kind {
            Kind::DateTime => "dateTime",
            Kind::Int => "int",
            kind if kind.is_number() => "double",
            kind if kind.is_text() || kind == Kind::Id || kind == Kind::Reference => {
                let message = format!(
                    "value of filter criterion for field '{}' must be of type string and should be enclosed in quotes",
                    field.name
                );
                return self.refuse("INVALID_FIELD", name, message);
            }
            kind => kind.describe_type(),
        };
        let message = format!(
            "value of filter criterion for field '{}' must be of type {type_name} and should not be enclosed in quotes",
            field.name
        );
        self.refuse("INVALID_FIELD", name, message)
    }

    fn typed(&self, name: &Name, field: &Field, literal: &Literal) -> Result<Value, SoqlError> {
        Ok(match (literal, field.kind) {
            (Literal::Null, _) => Value::Null,
            (Literal::Text(text), Kind::Id | Kind::Reference) => {
                if text.is_empty() {
                    return Ok(Value::Null);
                }
                let id = RecordId::parse(text).ok_or_else(|| {
                    self.refuse(
                        "INVALID_QUERY_FILTER_OPERATOR",
                        name,
                        format!("invalid ID field: {text}"),
                    )
                })?;
                Value::Id(id)
            }
            (Literal::Text(text), kind) if kind.is_text() => Value::text(text.as_str()),
            (Literal::Text(text), Kind::Time) => crate::salesforce::clock::parse_time(text)
                .map(Value::Time)
                .ok_or_else(|| self.wrong_type(name, field))?,
            (Literal::Number(number), kind) if kind.is_number() => Value::Number(*number),
            (Literal::Bool(bool), Kind::Boolean) => Value::Bool(*bool),
            (Literal::Date(days), Kind::Date) => Value::Date(*days),
            (Literal::DateTime(ms), Kind::DateTime) => Value::DateTime(*ms),
            _ => return Err(self.wrong_type(name, field)),
        })
    }

    fn like(&self, name: &Name, path: FieldPath, literal: &Literal) -> Result<Test, SoqlError> {
        let field = path.leaf(self.schema);
        let Literal::Text(text) = literal else {
            return Err(self.wrong_type(name, field));
        };
        if !field.kind.is_text() || field.kind == Kind::MultiPicklist {
            let message = format!("invalid operator on {} field", field.kind.describe_type());
            return Err(self.refuse("INVALID_QUERY_FILTER_OPERATOR", name, message));
        }
        let mut pattern = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => pattern.push(Pattern::Any),
                '_' => pattern.push(Pattern::One),
                '\\' => pattern.extend(chars.next().map(Pattern::Char)),
                c => pattern.extend(c.to_lowercase().map(Pattern::Char)),
            }
        }
        Ok(Test::Like(path, pattern))
    }

    fn holds(
        &self,
        name: &Name,
        path: FieldPath,
        operator: Operator,
        literals: &[Literal],
    ) -> Result<Test, SoqlError> {
        let field = path.leaf(self.schema);
        if field.kind != Kind::MultiPicklist {
            let message = "includes and excludes operators only valid on multipicklist field".to_owned();
            return Err(self.refuse("INVALID_QUERY_FILTER_OPERATOR", name, message));
        }
        let sets = literals
            .iter()
            .map(|literal| match literal {
                Literal::Text(text) => Ok(text.split(';').map(str::to_lowercase).collect()),
                _ => Err(self.wrong_type(name, field)),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Test::Holds(path, operator == Operator::Includes, sets))
    }
}

impl Test {
    /// Whether a record passes.
    pub fn passes(&self, reader: &Reader<'_>, object: usize, record: &Record) -> bool {
        match self {
            Test::And(parts) => parts.iter().all(|part| part.passes(reader, object, record)),
            Test::Or(parts) => parts.iter().any(|part| part.passes(reader, object, record)),
            Test::Not(inner) => !inner.passes(reader, object, record),
            Test::Compare(path, operator, wanted) => {
                compares(&reader.value(object, record, path), *operator, wanted)
            }
            Test::Within(path, operator, from, to) => {
                let value = reader.value(object, record, path);
                let known = !value.is_null();
                let at_least = known && value.order(from).is_ge();
                let below = known && value.order(to).is_lt();
                match operator {
                    Operator::Equal => at_least && below,
                    Operator::NotEqual => !(at_least && below),
                    Operator::Less => known && !at_least,
                    Operator::LessOrEqual => below,
                    Operator::Greater => known && !below,
                    _ => at_least,
                }
            }
            Test::Among(path, among, wanted) => {
                let value = reader.value(object, record, path);
                wanted.iter().any(|one| compares(&value, Operator::Equal, one)) == *among
            }
            Test::Like(path, pattern) => match &*reader.value(object, record, path) {
                Value::Null => false,
                value => {
                    let text: Vec<char> = value.as_text().chars().flat_map(char::to_lowercase).collect();
                    like(pattern, &text)
                }
            },
            Test::Holds(path, holds, sets) => {
                let value = reader.value(object, record, path);
                let chosen = value.as_text().to_lowercase();
                let chosen: Vec<&str> = chosen.split(';').collect();
                let any = sets
                    .iter()
                    .any(|set| set.iter().all(|one| chosen.contains(&one.as_str())));
                any == *holds
            }
        }
    }
}

fn compares(value: &Value, operator: Operator, wanted: &Value) -> bool {
    let equal = match (value, wanted) {
        (Value::Text(a), Value::Text(b)) => folded_eq(a, b),
        (a, b) => a == b,
    };
    match operator {
        Operator::Equal => equal,
        Operator::NotEqual => !equal,
        _ if value.is_null() || wanted.is_null() => false,
        Operator::Less => value.order(wanted).is_lt(),
        Operator::LessOrEqual => value.order(wanted).is_le(),
        Operator::Greater => value.order(wanted).is_gt(),
        Operator::GreaterOrEqual => value.order(wanted).is_ge(),
        _ => false,
    }
}

fn like(pattern: &[Pattern], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((Pattern::Any, rest)) => (0..=text.len()).any(|skip| like(rest, &text[skip..])),
        Some((Pattern::One, rest)) => !text.is_empty() && like(rest, &text[1..]),
        Some((Pattern::Char(c), rest)) => text.first() == Some(c) && like(rest, &text[1..]),
    }
}

/// A date literal's first day and the day after its last; `None` for a name that is none.
pub(super) fn period(name: &str, number: Option<i64>, now_ms: i64) -> Option<(i32, i32)> {
    let today = day_of(now_ms);
    let (year, month, _) = civil(today);
    let months = |from: i32, to: i32| Some((month_start(year, month, from)?, month_start(year, month, to)?));
    // Weeks begin on Sunday; 1970-01-01 was a Thursday.
    let week = today - (today + 4).rem_euclid(7);
    let quarter = -(((month - 1) % 3) as i32);
    let january = 1 - month as i32;
    if let Some(count) = number {
        let n = i32::try_from(count).ok().filter(|n| (0..=10_000).contains(n))?;
        return match name {
            "LAST_N_DAYS" => Some((today - n, today + 1)),
            "NEXT_N_DAYS" => Some((today + 1, today + n + 1)),
            "N_DAYS_AGO" => Some((today - n, today - n + 1)),
            "LAST_N_WEEKS" => Some((week - 7 * n, week)),
            "NEXT_N_WEEKS" => Some((week + 7, week + 7 * (n + 1))),
            "N_WEEKS_AGO" => Some((week - 7 * n, week - 7 * n + 7)),
            "LAST_N_MONTHS" => months(-n, 0),
            "NEXT_N_MONTHS" => months(1, n + 1),
            "N_MONTHS_AGO" => months(-n, 1 - n),
            "LAST_N_QUARTERS" => months(quarter - 3 * n, quarter),
            "NEXT_N_QUARTERS" => months(quarter + 3, quarter + 3 * (n + 1)),
            "LAST_N_YEARS" => months(january - 12 * n, january),
            "NEXT_N_YEARS" => months(january + 12, january + 12 * (n + 1)),
            "N_YEARS_AGO" => months(january - 12 * n, january - 12 * n + 12),
            _ => None,
        };
    }
    match name {
        "YESTERDAY" => Some((today - 1, today)),
        "TODAY" => Some((today, today + 1)),
        "TOMORROW" => Some((today + 1, today + 2)),
        "LAST_WEEK" => Some((week - 7, week)),
        "THIS_WEEK" => Some((week, week + 7)),
        "NEXT_WEEK" => Some((week + 7, week + 14)),
        "LAST_MONTH" => months(-1, 0),
        "THIS_MONTH" => months(0, 1),
        "NEXT_MONTH" => months(1, 2),
        "LAST_90_DAYS" => Some((today - 90, today + 1)),
        "NEXT_90_DAYS" => Some((today + 1, today + 91)),
        "LAST_QUARTER" => months(quarter - 3, quarter),
        "THIS_QUARTER" => months(quarter, quarter + 3),
        "NEXT_QUARTER" => months(quarter + 3, quarter + 6),
        "LAST_YEAR" => months(january - 12, january),
        "THIS_YEAR" => months(january, january + 12),
        "NEXT_YEAR" => months(january + 12, january + 24),
        _ => None,
    }
}

fn month_start(year: i32, month: u32, shift: i32) -> Option<i32> {
    let months = year * 12 + month as i32 - 1 + shift;
    days_of(months.div_euclid(12), months.rem_euclid(12) as u32 + 1, 1)
}
