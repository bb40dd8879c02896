//! A property as it is posted, and what it must satisfy to become one.

use super::{
    dice::FastSet,
    property::{Choice, Kind, Property},
    values::Refusal,
};
use serde::Deserialize;

/// A choice as it is posted.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChoiceDraft {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) description: Option<String>,
    pub(super) display_order: Option<i64>,
    pub(super) hidden: Option<bool>,
}

/// A property as it is posted: to create one, inside a new schema, or to change one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PropertyDraft {
    pub(super) name: Option<String>,
    pub(super) label: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) field_type: Option<String>,
    pub(super) group_name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) options: Option<Vec<ChoiceDraft>>,
    pub(super) has_unique_value: Option<bool>,
    pub(super) hidden: Option<bool>,
    pub(super) form_field: Option<bool>,
    pub(super) display_order: Option<i64>,
    pub(super) external_options: Option<bool>,
    pub(super) referenced_object_type: Option<String>,
    pub(super) calculation_formula: Option<String>,
    pub(super) data_sensitivity: Option<String>,
}

impl PropertyDraft {
    /// The fields a new property cannot do without, of those that are missing.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        [
            ("fieldType", self.field_type.is_none()),
            ("groupName", self.group_name.is_none()),
            ("label", self.label.is_none()),
            ("name", self.name.is_none()),
            ("type", self.kind.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, missing)| missing.then_some(name))
        .collect()
    }

    /// The definition that this draft asks for.
    pub(super) fn build(self, now_ms: i64) -> Result<Property, Refusal> {
        let name = self.name.unwrap_or_default();
        check_name(&name)?;
        let kind_name = self.kind.unwrap_or_else(|| "string".to_owned());
        let kind = Kind::parse(&kind_name).ok_or_else(|| {
            refusal(
                "INVALID_TYPE",
                format!("{kind_name} is not a valid property type"),
            )
        })?;
        let field_type = self.field_type.unwrap_or_else(|| "text".to_owned());
        check_pairing(kind, &field_type)?;
        let external = self.external_options.unwrap_or(false);
        let choices = choices(self.options.unwrap_or_default());
        check_choices(kind, &choices, external || self.calculation_formula.is_some())?;
        let unique = self.has_unique_value.unwrap_or(false);
        if unique && !matches!(kind, Kind::String | Kind::Number) {
            let message = format!("Property type {kind_name} does not support unique values");
            return Err(refusal("INVALID_UNIQUE_TYPE", message));
        }
        let mut property = Property::built_in(&name, "", kind, &field_type, "");
        property.label = self.label.unwrap_or_else(|| name.clone());
        property.description = self.description.unwrap_or_default();
        property.group = self.group_name.unwrap_or_default();
        property.hubspot_defined = false;
        property.read_only = self.calculation_formula.is_some();
        property.calculation_formula = self.calculation_formula;
        property.unique = unique;
        property.hidden = self.hidden.unwrap_or(false);
        property.form_field = self.form_field.unwrap_or(false);
        property.display_order = self.display_order.unwrap_or(-1);
        property.external_options = external;
        property.referenced_object_type = self.referenced_object_type;
        property.data_sensitivity = self
            .data_sensitivity
            .unwrap_or_else(|| "non_sensitive".to_owned());
        property.created_ms = now_ms;
        property.updated_ms = now_ms;
        property.set_choices(choices);
        Ok(property)
    }

    /// Lays this draft over a definition. What cannot change is passed over without a word.
    pub(super) fn apply(self, property: &mut Property, now_ms: i64) -> Result<(), Refusal> {
        let kind = match &self.kind {
            Some(name) => Kind::parse(name)
                .ok_or_else(|| refusal("INVALID_TYPE", format!("{name} is not a valid property type")))?,
            None => property.kind,
        };
        let field_type = self.field_type.unwrap_or_else(|| property.field_type.clone());
        check_pairing(kind, &field_type)?;
        if let Some(options) = self.options {
            let choices = choices(options);
            check_choices(kind, &choices, property.external_options)?;
            property.set_choices(choices);
        }
        property.kind = kind;
        property.field_type = field_type;
        property.label = self.label.unwrap_or_else(|| property.label.clone());
        property.description = self.description.unwrap_or_else(|| property.description.clone());
        property.group = self.group_name.unwrap_or_else(|| property.group.clone());
        property.hidden = self.hidden.unwrap_or(property.hidden);
        property.form_field = self.form_field.unwrap_or(property.form_field);
        property.display_order = self.display_order.unwrap_or(property.display_order);
        property.updated_ms = now_ms;
        Ok(())
    }
}

fn refusal(code: &'static str, message: String) -> Refusal {
    Refusal { code, message }
}

fn choices(drafts: Vec<ChoiceDraft>) -> Vec<Choice> {
    let build = |(at, draft): (usize, ChoiceDraft)| Choice {
        label: draft.label,
        value: draft.value,
        description: draft.description.unwrap_or_default(),
        display_order: draft.display_order.unwrap_or(i64::try_from(at).unwrap_or(-1)),
        hidden: draft.hidden.unwrap_or(false),
    };
    drafts.into_iter().enumerate().map(build).collect()
}

/// Starts with a letter, goes on with lower-case letters, digits and underscores; two prefixes are taken.
fn check_name(name: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_lowercase());
    let of_an_app = name
        .strip_prefix('a')
        .and_then(|rest| rest.split_once('_'))
        .is_some_and(|(digits, _)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    if !starts_well || !name.bytes().all(plain) || name.len() > 100 {
        let message = format!(
            "Property name '{name}' is invalid: names start with a letter and hold only lower-case letters, \
             digits and underscores"
        );
        return Err(refusal("INVALID_PROPERTY_NAME", message));
    }
    if name.starts_with("hs_") || of_an_app {
        return Err(refusal(
            "RESERVED_PROPERTY_NAME",
            format!("The prefix of '{name}' is reserved"),
        ));
    }
    Ok(())
}

fn check_pairing(kind: Kind, field_type: &str) -> Result<(), Refusal> {
    if kind.takes(field_type) {
        return Ok(());
    }
    let message = format!("fieldType {field_type} is not valid for type {}", kind.as_str());
    Err(refusal("INVALID_FIELD_TYPE", message))
}

fn check_choices(kind: Kind, choices: &[Choice], supplied_elsewhere: bool) -> Result<(), Refusal> {
    match kind {
        Kind::Bool => {
            let mut values: Vec<&str> = choices.iter().map(|choice| choice.value.as_str()).collect();
            values.sort_unstable();
            if values != ["false", "true"] && !supplied_elsewhere {
                let message = "Boolean properties must have exactly the options true and false".to_owned();
                return Err(refusal("INVALID_BOOLEAN_OPTION", message));
            }
        }
        Kind::Enumeration if choices.is_empty() && !supplied_elsewhere => {
            return Err(refusal(
                "MISSING_OPTIONS",
                "Enumeration properties must have options".to_owned(),
            ));
        }
        _ => {}
    }
    let (mut values, mut labels) = (FastSet::default(), FastSet::default());
    for choice in choices {
        if !values.insert(choice.value.as_str()) || !labels.insert(choice.label.as_str()) {
            let message = format!(
                "Property options must be unique: {} ({})",
                choice.label, choice.value
            );
            return Err(refusal("DUPLICATE_OPTION", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Result<Property, &'static str> {
        let draft: PropertyDraft = serde_json::from_str(text).expect("a draft");
        draft.build(0).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_draft_is_checked_before_it_is_a_property() {
        for (text, code) in [
            (r#"{"name":"Price"}"#, "INVALID_PROPERTY_NAME"),
            (r#"{"name":"1st"}"#, "INVALID_PROPERTY_NAME"),
            (r#"{"name":"hs_own"}"#, "RESERVED_PROPERTY_NAME"),
            (r#"{"name":"a123_own"}"#, "RESERVED_PROPERTY_NAME"),
            (r#"{"name":"x","type":"money"}"#, "INVALID_TYPE"),
            (
                r#"{"name":"x","type":"number","fieldType":"text"}"#,
                "INVALID_FIELD_TYPE",
            ),
            (
                r#"{"name":"x","type":"enumeration","fieldType":"select"}"#,
                "MISSING_OPTIONS",
            ),
            (
                r#"{"name":"x","type":"bool","fieldType":"booleancheckbox",
                    "options":[{"label":"Yes","value":"yes"},{"label":"No","value":"no"}]}"#,
                "INVALID_BOOLEAN_OPTION",
            ),
            (
                r#"{"name":"x","type":"date","fieldType":"date","hasUniqueValue":true}"#,
                "INVALID_UNIQUE_TYPE",
            ),
        ] {
            assert_eq!(draft(text).err(), Some(code), "{text}");
        }
        assert!(draft(r#"{"name":"a_price_2","type":"number","fieldType":"number"}"#).is_ok());
    }
}
