//! What a search looks for. Pure: a filter is compiled once and asked per record.

use super::{
    clock,
    dice::FastSet,
    errors::ApiError,
    property::{Kind, Property},
    table::Table,
};
use serde::Deserialize;

/// One condition as it is posted.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilterDraft {
    pub(super) property_name: String,
    pub(super) operator: String,
    pub(super) value: Option<String>,
    pub(super) values: Option<Vec<String>>,
    pub(super) high_value: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Is(Operand),
    IsNot(Operand),
    Less(Operand),
    AtMost(Operand),
    More(Operand),
    AtLeast(Operand),
    Between(Operand, Operand),
    In(FastSet<String>),
    NotIn(FastSet<String>),
    Known,
    Unknown,
    Token(String),
    NoToken(String),
}

/// A comparable form of a value.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Operand {
    Number(f64),
    Text(String),
}

/// One condition on one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    pub(super) column: u16,
    kind: Kind,
    test: Test,
}

/// How a stored value compares: numbers and times by size, text without case, options to the letter.
fn operand(kind: Kind, text: &str) -> Option<Operand> {
    Some(match kind {
        Kind::Number => Operand::Number(text.trim().parse().ok()?),
        Kind::Date | Kind::Datetime => Operand::Number(time(text)? as f64),
        Kind::Enumeration | Kind::Bool => Operand::Text(text.to_owned()),
        Kind::String | Kind::PhoneNumber => Operand::Text(text.to_lowercase()),
    })
}

fn time(text: &str) -> Option<i64> {
    text.parse::<i64>()
        .ok()
        .or_else(|| clock::parse_date(text).map(|days| days * clock::DAY_MS))
        .or_else(|| clock::parse_instant(text).map(|parsed| parsed.ms))
}

impl Filter {
    /// Compiles a draft against a type's properties.
    pub(super) fn compile(table: &Table, draft: &FilterDraft) -> Result<Filter, ApiError> {
        let name = &draft.property_name;
        let column = table.column(name).ok_or_else(|| {
            ApiError::validation(format!(
                "There was a problem with the request: property {name} does not exist"
            ))
        })?;
        let property = table.property(column);
        let test = Filter::test(property, draft)?;
        Ok(Filter {
            column,
            kind: property.kind,
            test,
        })
    }

    fn test(property: &Property, draft: &FilterDraft) -> Result<Test, ApiError> {
        let bad = |what: &str| {
            ApiError::validation(format!(
                "There was a problem with the request: {} {what}",
                draft.operator
            ))
        };
        let read = |text: &str| {
            let message = format!("{text} is not a valid value of {}", property.name);
            operand(property.kind, text).ok_or_else(|| ApiError::validation(message))
        };
        let value = || draft.value.as_deref().ok_or_else(|| bad("needs a value"));
        let one = || read(value()?);
        // The list is compared with the index as it is, and the index has no capitals.
        let list = || {
            draft
                .values
                .clone()
                .filter(|values| !values.is_empty())
                .ok_or_else(|| bad("needs values"))
        };
        Ok(match draft.operator.as_str() {
            "EQ" => Test::Is(one()?),
            "NEQ" => Test::IsNot(one()?),
            "LT" => Test::Less(one()?),
            "LTE" => Test::AtMost(one()?),
            "GT" => Test::More(one()?),
            "GTE" => Test::AtLeast(one()?),
            "BETWEEN" => {
                let high = draft
                    .high_value
                    .as_deref()
                    .ok_or_else(|| bad("needs a highValue"))?;
                Test::Between(one()?, read(high)?)
            }
            "IN" => Test::In(list()?.into_iter().collect()),
            "NOT_IN" => Test::NotIn(list()?.into_iter().collect()),
            "HAS_PROPERTY" => Test::Known,
            "NOT_HAS_PROPERTY" => Test::Unknown,
            "CONTAINS_TOKEN" => Test::Token(value()?.to_lowercase()),
            "NOT_CONTAINS_TOKEN" => Test::NoToken(value()?.to_lowercase()),
            other => return Err(ApiError::validation(format!("{other} is not a search operator"))),
        })
    }

    /// Whether a value passes.
    pub(super) fn passes(&self, value: Option<&str>) -> bool {
        let value = value.filter(|value| !value.is_empty());
        let compared = || value.and_then(|value| operand(self.kind, value));
        match &self.test {
            Test::Known => value.is_some(),
            Test::Unknown => value.is_none(),
            Test::Is(want) => compared().as_ref() == Some(want),
            Test::IsNot(want) => compared().as_ref() != Some(want),
            Test::Less(want) => compared().is_some_and(|value| value < *want),
            Test::AtMost(want) => compared().is_some_and(|value| value <= *want),
            Test::More(want) => compared().is_some_and(|value| value > *want),
            Test::AtLeast(want) => compared().is_some_and(|value| value >= *want),
            Test::Between(low, high) => compared().is_some_and(|value| value >= *low && value <= *high),
            Test::In(list) => value.is_some_and(|value| self.listed(list, value)),
            Test::NotIn(list) => value.is_some_and(|value| !self.listed(list, value)),
            Test::Token(token) => value.is_some_and(|value| has_token(value, token)),
            Test::NoToken(token) => !value.is_some_and(|value| has_token(value, token)),
        }
    }

    fn listed(&self, list: &FastSet<String>, value: &str) -> bool {
        match self.kind {
            Kind::String | Kind::PhoneNumber => {
                let value = value.to_lowercase();
                list.contains(&value)
            }
            kind => {
                let value = operand(kind, value);
                list.iter().any(|wanted| operand(kind, wanted) == value)
            }
        }
    }
}

/// Tokens are runs of letters and digits; a star at an end matches the rest of one.
fn has_token(value: &str, token: &str) -> bool {
    let value = value.to_lowercase();
    let bare = token.trim_matches('*');
    let matches = |word: &str| match (token.starts_with('*'), token.ends_with('*')) {
        (true, true) => word.contains(bare),
        (true, false) => word.ends_with(bare),
        (false, true) => word.starts_with(bare),
        (false, false) => word == bare,
    };
    matches(&value) || value.split(|letter: char| !letter.is_alphanumeric()).any(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, draft: &str, table: &[(Option<&str>, bool)]) {
        let property = Property::built_in("p", "P", kind, "", "g");
        let draft: FilterDraft = serde_json::from_str(draft).expect("a filter");
        let test = Filter::test(&property, &draft).expect("it compiles");
        let filter = Filter {
            column: 0,
            kind,
            test,
        };
        for (value, passes) in table {
            assert_eq!(filter.passes(*value), *passes, "{value:?} {draft:?}");
        }
    }

    #[test]
    fn lists_must_be_lower_case_to_match_text() {
        let lower = r#"{"propertyName":"p","operator":"IN","values":["001xx000003dgb2aae"]}"#;
        check(
            Kind::String,
            lower,
            &[
                (Some("001xx000003DGb2AAE"), true),
                (Some("x"), false),
                (None, false),
            ],
        );
        let upper = r#"{"propertyName":"p","operator":"IN","values":["001xx000003DGb2AAE"]}"#;
        check(Kind::String, upper, &[(Some("001xx000003DGb2AAE"), false)]);
        let options = r#"{"propertyName":"p","operator":"IN","values":["Open"]}"#;
        check(
            Kind::Enumeration,
            options,
            &[(Some("Open"), true), (Some("open"), false)],
        );
    }

    #[test]
    fn sizes_are_compared_as_the_type_says() {
        let more = r#"{"propertyName":"p","operator":"GT","value":"9"}"#;
        check(
            Kind::Number,
            more,
            &[(Some("10"), true), (Some("9.0"), false), (None, false)],
        );
        let since = r#"{"propertyName":"p","operator":"GTE","value":"1795428000000"}"#;
        check(
            Kind::Datetime,
            since,
            &[
                (Some("2026-11-23T10:00:00.000Z"), true),
                (Some("2026-11-23T09:59:59.999Z"), false),
            ],
        );
        let between =
            r#"{"propertyName":"p","operator":"BETWEEN","value":"2026-01-01","highValue":"2026-02-01"}"#;
        check(
            Kind::Date,
            between,
            &[(Some("2026-02-01"), true), (Some("2026-02-02"), false)],
        );
        let same = r#"{"propertyName":"p","operator":"EQ","value":"ABC"}"#;
        check(Kind::String, same, &[(Some("abc"), true), (Some("abcd"), false)]);
        let token = r#"{"propertyName":"p","operator":"CONTAINS_TOKEN","value":"old*"}"#;
        check(
            Kind::String,
            token,
            &[(Some("An Older one"), true), (Some("bold"), false)],
        );
    }
}
