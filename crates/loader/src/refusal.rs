//! HubSpot's refusals as failures that people can act on. Pure.

use landbridge_hubspot::verdict::PropertyError;
use landbridge_hubspot::{Error, Verdict};
use landbridge_model::{Failure, FailureCategory};

/// The category of one property's trouble, by HubSpot's code.
fn category_of(code: &str) -> FailureCategory {
    match code {
        "INVALID_OPTION" => FailureCategory::PicklistOption,
        "MISSING_REQUIRED_PROPERTY" | "MISSING_CONDITIONAL_REQUIRED_PROPERTY" => {
            FailureCategory::MissingRequiredProperty
        }
        "CONFLICTING_UNIQUE_VALUE" => FailureCategory::DuplicateUniqueValue,
        "PROPERTY_DOESNT_EXIST" | "READ_ONLY_VALUE" => FailureCategory::SchemaChanged,
        _ => FailureCategory::InvalidValue,
    }
}

/// One row's failure. `value_of` gives the value that the row carries for a property.
pub(crate) fn row_failure(
    verdict: &Verdict,
    message: &str,
    correlation_id: Option<&str>,
    value_of: impl Fn(&str) -> Option<String>,
) -> Failure {
    let mut failure = match verdict {
        Verdict::Invalid(errors) => match pick(errors, &value_of) {
            Some(error) => property_failure(error, message, &value_of),
            None => Failure::new(FailureCategory::InvalidValue, message),
        },
        Verdict::Conflict { existing } => {
            let told = existing.filter(|id| !message.contains(&id.to_string()));
            let text = match told {
                Some(id) => format!("{message} (HubSpot record {id} has the value)"),
                None => message.to_owned(),
            };
            Failure::new(FailureCategory::DuplicateUniqueValue, text)
        }
        Verdict::Scopes { missing } => {
            let text = format!(
                "{message} Grant the scopes {} to Landbridge's key.",
                missing.join(", ")
            );
            Failure::new(FailureCategory::Permission, text)
        }
        Verdict::Auth => Failure::new(FailureCategory::Authentication, message),
        Verdict::RateLimited { .. } => Failure::new(FailureCategory::RateLimit, message),
        Verdict::NotFound => Failure::new(FailureCategory::SchemaChanged, message),
        Verdict::Duplicates(_)
        | Verdict::TooLarge
        | Verdict::Locked { .. }
        | Verdict::Migrating { .. }
        | Verdict::Ambiguous
        | Verdict::Transient
        | Verdict::Configuration => Failure::new(FailureCategory::HubSpotError, message),
    };
    failure.correlation_id = correlation_id.map(str::to_owned);
    failure
}

/// Of several properties' errors the one that this row's values match best.
fn pick<'e>(
    errors: &'e [PropertyError],
    value_of: &impl Fn(&str) -> Option<String>,
) -> Option<&'e PropertyError> {
    errors
        .iter()
        .find(|error| names_value(error, value_of))
        .or_else(|| errors.first())
}

/// Whether an error quotes the very value that a row carries.
pub(crate) fn names_value(error: &PropertyError, value_of: &impl Fn(&str) -> Option<String>) -> bool {
    let ours = error.property.as_deref().and_then(value_of);
    ours.is_some() && ours == error.value
}

fn property_failure(
    error: &PropertyError,
    message: &str,
    value_of: &impl Fn(&str) -> Option<String>,
) -> Failure {
    let words = if error.message.is_empty() {
        message
    } else {
        &error.message
    };
    let mut failure = Failure::new(category_of(&error.code), words);
    if let Some(property) = &error.property {
        failure.value = value_of(property).or_else(|| error.value.clone());
        failure.property = Some(property.clone());
    }
    failure
}

/// Whether the refusal may only be that a new property is not usable everywhere yet.
pub(crate) fn may_be_lag(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Invalid(errors)
        if !errors.is_empty() && errors.iter().all(|error| error.code == "PROPERTY_DOESNT_EXIST"))
}

/// A call's failure that is not about single rows, for all of them.
pub(crate) fn call_failure(error: &Error) -> Failure {
    row_failure(
        &error.verdict,
        &error.message,
        error.correlation_id.as_deref(),
        |_| None,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::HubSpotId;

    fn error(property: &str, value: Option<&str>, code: &str) -> PropertyError {
        PropertyError {
            property: Some(property.into()),
            value: value.map(Into::into),
            code: code.into(),
            message: format!("{property} is wrong"),
        }
    }

    #[test]
    fn a_failure_names_the_property_and_the_rows_own_value() {
        let errors = vec![
            error("fuel", Some("coal"), "INVALID_OPTION"),
            error("price", Some("x"), "INVALID_INTEGER"),
        ];
        let value_of = |name: &str| (name == "price").then(|| "x".to_owned());
        let failure = row_failure(
            &Verdict::Invalid(errors),
            "Property values were not valid",
            Some("c-1"),
            value_of,
        );
        assert_eq!(failure.category, FailureCategory::InvalidValue);
        assert_eq!(failure.property.as_deref(), Some("price"));
        assert_eq!(failure.value.as_deref(), Some("x"));
        assert_eq!(failure.message, "price is wrong");
        assert_eq!(failure.correlation_id.as_deref(), Some("c-1"));
    }

    #[test]
    fn codes_become_categories() {
        for (code, category) in [
            ("INVALID_OPTION", FailureCategory::PicklistOption),
            (
                "MISSING_REQUIRED_PROPERTY",
                FailureCategory::MissingRequiredProperty,
            ),
            ("CONFLICTING_UNIQUE_VALUE", FailureCategory::DuplicateUniqueValue),
            ("PROPERTY_DOESNT_EXIST", FailureCategory::SchemaChanged),
            ("INVALID_DATE", FailureCategory::InvalidValue),
        ] {
            let verdict = Verdict::Invalid(vec![error("a", None, code)]);
            assert_eq!(
                row_failure(&verdict, "no", None, |_| None).category,
                category,
                "{code}"
            );
        }
    }

    #[test]
    fn a_conflict_names_the_record_that_has_the_value() {
        let verdict = Verdict::Conflict {
            existing: Some(HubSpotId(77)),
        };
        let failure = row_failure(&verdict, "Value is taken.", None, |_| None);
        assert_eq!(
            failure.message,
            "Value is taken. (HubSpot record 77 has the value)"
        );
        assert_eq!(failure.category, FailureCategory::DuplicateUniqueValue);
    }
}
