//! Which records travel: a sync's conditions, evaluated on rows as they come and written as SOQL for imports.
//!
//! Both readings agree: text ignores case, an empty field equals nothing and differs from everything, a multi-select
//! field is a set. A condition that SOQL cannot say (on a long text) is left out of the query; the mapper applies
//! every condition again, so a wider query costs rows, never correctness.

mod soql;

use std::cmp::Ordering;

use crate::config::ParentField;
use crate::convert::moments;
use crate::convert::number::Decimal;
use crate::convert::{Family, text};
use crate::ids::SalesforceId;
use crate::salesforce::{FieldDescribe, FieldType, ObjectDescribe};
use crate::sync::{Condition, Filter, OnLeave, Operator};

/// Longest text that Salesforce can filter on.
const FILTERABLE_CHARS_MAX: u32 = 255;

/// A filter made ready for rows.
#[derive(Clone, Debug)]
pub struct CompiledFilter {
    tests: Vec<Test>,
    on_leave: OnLeave,
}

/// One condition made ready.
#[derive(Clone, Debug)]
pub struct Test {
    field: String,
    check: Check,
    words: String,
    /// Whether SOQL can say it.
    filterable: bool,
}

/// What a cell must be.
#[derive(Clone, Debug)]
enum Check {
    Empty(bool),
    Compare {
        comparison: Comparison,
        value: Value,
    },
    Among {
        wanted: bool,
        values: Vec<Value>,
    },
    Within {
        needle: String,
        at_start: bool,
        raw: String,
    },
    Set {
        wanted: bool,
        values: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value of a field's type.
#[derive(Clone, Debug)]
enum Value {
    /// In lower case for comparing, and as written for SOQL.
    Text {
        folded: String,
        raw: String,
    },
    Id(SalesforceId),
    Flag(bool),
    Number {
        value: Decimal,
        plain: String,
    },
    Day(jiff::civil::Date),
    Instant(jiff::Timestamp),
    Time(jiff::civil::Time),
}

impl CompiledFilter {
    /// Prepares every condition; the errors name the condition by its place in the list.
    pub fn compile(
        filter: &Filter,
        object: &ObjectDescribe,
        parents: &[ParentField],
    ) -> Result<Self, Vec<(usize, String)>> {
        let mut tests = Vec::new();
        let mut troubles = Vec::new();
        for (place, condition) in filter.all.iter().enumerate() {
            let compiled = match describe_of(&condition.field, object, parents) {
                Some((name, field)) => Test::compile(name, condition, field),
                None => Err(format!("{} has no field {}", object.name, condition.field)),
            };
            match compiled {
                Ok(test) => tests.push(test),
                Err(trouble) => troubles.push((place, trouble)),
            }
        }
        if troubles.is_empty() {
            Ok(Self {
                tests,
                on_leave: filter.on_leave,
            })
        } else {
            Err(troubles)
        }
    }

    /// What happens to a record that stops matching.
    pub fn on_leave(&self) -> OnLeave {
        self.on_leave
    }

    /// The fields looked at, in the conditions' order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|test| test.field.as_str())
    }

    /// The first condition that a record does not meet, in words. `cell` gives a field's cell; null and empty are one.
    pub fn first_miss<'a, 'c>(&'a self, cell: impl Fn(usize) -> Option<&'c str>) -> Option<&'a str> {
        self.tests
            .iter()
            .enumerate()
            .find(|(place, test)| !test.check.holds(cell(*place).filter(|text| !text.is_empty())))
            .map(|(_, test)| test.words.as_str())
    }

    /// The conditions that SOQL can say, as the body of a WHERE clause; empty when there are none.
    pub fn to_soql(&self) -> String {
        let parts: Vec<String> = self
            .tests
            .iter()
            .filter(|test| test.filterable)
            .map(|test| soql::condition(&test.field, &test.check))
            .collect();
        parts.join(" AND ")
    }

    /// Whether [`Self::to_soql`] says every condition: then a query counts what the filter lets through.
    pub fn is_said_by_soql(&self) -> bool {
        self.tests.iter().all(|test| test.filterable)
    }
}

/// The describe of a field of the object, or of a parent's field that was resolved, with its name as describe has it.
pub(crate) fn describe_of<'a>(
    name: &'a str,
    object: &'a ObjectDescribe,
    parents: &'a [ParentField],
) -> Option<(&'a str, &'a FieldDescribe)> {
    if let Some(field) = object.field(name) {
        return Some((field.name.as_str(), field));
    }
    parents
        .iter()
        .find(|parent| parent.path.eq_ignore_ascii_case(name))
        .map(|parent| (parent.path.as_str(), &parent.field))
}

impl Test {
    fn compile(name: &str, condition: &Condition, field: &FieldDescribe) -> Result<Self, String> {
        let check = Check::compile(condition, field)?;
        let is_long = field.kind == FieldType::TextArea && field.length > FILTERABLE_CHARS_MAX;
        Ok(Self {
            field: name.to_owned(),
            words: words(name, condition),
            check,
            filterable: !is_long && field.kind != FieldType::EncryptedString,
        })
    }
}

/// The condition as a person would say it, such as `Status__c not-equals Scrapped`.
fn words(name: &str, condition: &Condition) -> String {
    let operator = operator_word(condition.op);
    match &condition.value {
        Some(values) => format!("{name} {operator} {}", text::shown(&values.0.join(", "))),
        None => format!("{name} {operator}"),
    }
}

/// The operator as definitions write it.
pub fn operator_word(operator: Operator) -> &'static str {
    match operator {
        Operator::Equals => "equals",
        Operator::NotEquals => "not-equals",
        Operator::LessThan => "less-than",
        Operator::LessOrEqual => "less-or-equal",
        Operator::GreaterThan => "greater-than",
        Operator::GreaterOrEqual => "greater-or-equal",
        Operator::In => "in",
        Operator::NotIn => "not-in",
        Operator::Contains => "contains",
        Operator::StartsWith => "starts-with",
        Operator::Includes => "includes",
        Operator::Excludes => "excludes",
        Operator::IsEmpty => "is-empty",
        Operator::IsNotEmpty => "is-not-empty",
    }
}

/// The operators that fit a family of field types.
pub fn operators(family: Family) -> &'static [Operator] {
    use Operator::{
        Contains, Equals, Excludes, GreaterOrEqual, GreaterThan, In, Includes, IsEmpty, IsNotEmpty,
        LessOrEqual, LessThan, NotEquals, NotIn, StartsWith,
    };
    match family {
        Family::Text | Family::Choice => &[
            Equals, NotEquals, In, NotIn, Contains, StartsWith, IsEmpty, IsNotEmpty,
        ],
        Family::Id => &[Equals, NotEquals, In, NotIn, IsEmpty, IsNotEmpty],
        Family::Choices => &[Includes, Excludes, IsEmpty, IsNotEmpty],
        Family::Flag => &[Equals, NotEquals],
        Family::Number | Family::Day | Family::Instant | Family::TimeOfDay => &[
            Equals,
            NotEquals,
            LessThan,
            LessOrEqual,
            GreaterThan,
            GreaterOrEqual,
            In,
            NotIn,
            IsEmpty,
            IsNotEmpty,
        ],
        Family::None(_) => &[],
    }
}

impl Check {
    fn compile(condition: &Condition, field: &FieldDescribe) -> Result<Self, String> {
        let family = Family::of(field.kind);
        let fitting = operators(family);
        let word = operator_word(condition.op);
        if fitting.is_empty() {
            return Err(format!(
                "a field of type {} cannot be filtered on",
                field.kind.as_str()
            ));
        }
        if !fitting.contains(&condition.op) {
            let fitting: Vec<&str> = fitting.iter().map(|op| operator_word(*op)).collect();
            return Err(format!(
                "{word} does not fit a field of type {}; use {}",
                field.kind.as_str(),
                fitting.join(", ")
            ));
        }
        let given: &[String] = condition.value.as_ref().map_or(&[], |values| &values.0);
        let one = || match given {
            [value] if !value.is_empty() => Ok(value.as_str()),
            _ => Err(format!(
                "{word} takes one value; is-empty asks for an empty field"
            )),
        };
        let several = || match given {
            [] => Err(format!("{word} takes a list of values")),
            values if values.iter().any(String::is_empty) => Err(format!(
                "{word} takes no empty value; is-empty asks for an empty field"
            )),
            values => Ok(values),
        };
        let compare =
            |comparison| Value::parse(one()?, family).map(|value| Self::Compare { comparison, value });
        let among = |wanted| {
            let values: Result<Vec<Value>, String> = several()?
                .iter()
                .map(|value| Value::parse(value, family))
                .collect();
            values.map(|values| Self::Among { wanted, values })
        };
        let within = |at_start| {
            one().map(|needle| Self::Within {
                needle: needle.to_lowercase(),
                at_start,
                raw: needle.to_owned(),
            })
        };
        let set = |wanted| {
            several().map(|values| Self::Set {
                wanted,
                values: values.to_vec(),
            })
        };
        match condition.op {
            Operator::Equals => compare(Comparison::Equal),
            Operator::NotEquals => compare(Comparison::NotEqual),
            Operator::LessThan => compare(Comparison::Less),
            Operator::LessOrEqual => compare(Comparison::LessOrEqual),
            Operator::GreaterThan => compare(Comparison::Greater),
            Operator::GreaterOrEqual => compare(Comparison::GreaterOrEqual),
            Operator::In => among(true),
            Operator::NotIn => among(false),
            Operator::Contains => within(false),
            Operator::StartsWith => within(true),
            Operator::Includes => set(true),
            Operator::Excludes => set(false),
            Operator::IsEmpty | Operator::IsNotEmpty if !given.is_empty() => {
                Err(format!("{word} takes no value"))
            }
            Operator::IsEmpty => Ok(Self::Empty(true)),
            Operator::IsNotEmpty => Ok(Self::Empty(false)),
        }
    }

    fn holds(&self, cell: Option<&str>) -> bool {
        match (self, cell) {
            (Self::Empty(wanted), cell) => cell.is_none() == *wanted,
            (Self::Compare { comparison, .. }, None) => *comparison == Comparison::NotEqual,
            (Self::Among { wanted, .. } | Self::Set { wanted, .. }, None) => !wanted,
            (Self::Within { .. }, None) => false,
            (Self::Compare { comparison, value }, Some(cell)) => match value.against(cell) {
                Some(order) => comparison.allows(order),
                None => *comparison == Comparison::NotEqual,
            },
            (Self::Among { wanted, values }, Some(cell)) => {
                values
                    .iter()
                    .any(|value| value.against(cell) == Some(Ordering::Equal))
                    == *wanted
            }
            (Self::Within { needle, at_start, .. }, Some(cell)) => {
                let folded = cell.to_lowercase();
                if *at_start {
                    folded.starts_with(needle.as_str())
                } else {
                    folded.contains(needle.as_str())
                }
            }
            (Self::Set { wanted, values }, Some(cell)) => {
                let has = |value: &String| {
                    cell.split(';')
                        .any(|part| part.trim().eq_ignore_ascii_case(value))
                };
                if *wanted {
                    values.iter().all(has)
                } else {
                    !values.iter().any(has)
                }
            }
        }
    }
}

impl Comparison {
    fn allows(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::NotEqual => order != Ordering::Equal,
            Self::Less => order == Ordering::Less,
            Self::LessOrEqual => order != Ordering::Greater,
            Self::Greater => order == Ordering::Greater,
            Self::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

impl Value {
    fn parse(given: &str, family: Family) -> Result<Self, String> {
        let wrong = |expected: &str| format!("{:?} is not {expected}", text::shown(given));
        match family {
            Family::Id => SalesforceId::parse(given)
                .map(Self::Id)
                .map_err(|error| error.to_string()),
            Family::Flag => match given.to_ascii_lowercase().as_str() {
                "true" => Ok(Self::Flag(true)),
                "false" => Ok(Self::Flag(false)),
                _ => Err(wrong("true or false")),
            },
            Family::Number => Decimal::parse(given)
                .zip(crate::convert::number::canonical(given, 18))
                .map(|(value, plain)| Self::Number {
                    value,
                    plain: plain.into_owned(),
                })
                .ok_or_else(|| wrong("a number")),
            Family::Day => moments::day(given)
                .map(Self::Day)
                .ok_or_else(|| wrong("a date (YYYY-MM-DD)")),
            Family::Instant => moments::instant(given)
                .or_else(|| moments::midnight(moments::day(given)?))
                .map(Self::Instant)
                .ok_or_else(|| wrong("a date-time (YYYY-MM-DDTHH:MM:SSZ) or a date (midnight UTC)")),
            Family::TimeOfDay => moments::time_of_day(given.trim_end_matches('Z'))
                .map(Self::Time)
                .ok_or_else(|| wrong("a time (HH:MM:SS)")),
            Family::Text | Family::Choice | Family::Choices | Family::None(_) => Ok(Self::Text {
                folded: given.to_lowercase(),
                raw: given.to_owned(),
            }),
        }
    }

    /// How a cell stands to this value; `None` when the cell is not of the field's type.
    fn against(&self, cell: &str) -> Option<Ordering> {
        match self {
            Self::Text { folded, .. } => Some(cell.to_lowercase().as_str().cmp(folded.as_str())),
            Self::Id(id) => Some(SalesforceId::parse(cell).ok()?.cmp(id)),
            Self::Flag(flag) => Some(cell.eq_ignore_ascii_case("true").cmp(flag)),
            Self::Number { value, .. } => Some(Decimal::parse(cell)?.cmp(value)),
            Self::Day(day) => Some(moments::day(cell)?.cmp(day)),
            Self::Instant(instant) => Some(moments::instant(cell)?.cmp(instant)),
            Self::Time(time) => Some(moments::time_of_day(cell.trim_end_matches('Z'))?.cmp(time)),
        }
    }
}

#[cfg(test)]
mod tests;
