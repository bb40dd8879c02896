//! What objects there are and what they are made of.
//!
//! Describe calls show what the signed-in user may see: a field hidden by field-level security is not there at all.

use jiff::Timestamp;
use landbridge_model::salesforce::{FieldDescribe, FieldType, ObjectDescribe};
use reqwest::{StatusCode, header};
use serde::Deserialize;

use crate::calls::Family;
use crate::client::{Call, Client};
use crate::clock::http_date;
use crate::error::SalesforceError;
use crate::normalise::TextForm;

/// One line of the list of all objects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSummary {
    /// API name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Label of many.
    #[serde(default)]
    pub label_plural: String,
    /// Whether it is a custom object.
    #[serde(default)]
    pub custom: bool,
    /// Whether it is a custom setting, which looks like a custom object.
    #[serde(default)]
    pub custom_setting: bool,
    /// Whether it can be queried.
    #[serde(default)]
    pub queryable: bool,
    /// Whether ids of its updated and deleted records can be asked for.
    #[serde(default)]
    pub replicateable: bool,
    /// The three characters its ids start with.
    #[serde(default)]
    pub key_prefix: Option<String>,
}

impl ObjectSummary {
    /// Whether records of this kind can be carried: queryable, and no companion of another object
    /// (`__Share`, `__History`, `__Feed`, `__ChangeEvent`, …) nor a setting, an event or metadata.
    #[must_use]
    pub fn holds_records(&self) -> bool {
        const COMPANIONS: [&str; 12] = [
            "__Share",
            "__History",
            "__Feed",
            "__Tag",
            "__ChangeEvent",
            "__mdt",
            "__e",
            "__b",
            "__x",
            "__kav",
            "__ViewStat",
            "__VoteStat",
        ];
        let standard_companion = ["ChangeEvent", "History", "Share", "Feed"];
        self.queryable
            && !self.custom_setting
            && !COMPANIONS.iter().any(|suffix| self.name.ends_with(suffix))
            && (self.custom
                || !standard_companion
                    .iter()
                    .any(|suffix| self.name.ends_with(suffix)))
    }
}

#[derive(Deserialize)]
struct GlobalAnswer {
    sobjects: Vec<ObjectSummary>,
}

/// The text form that a field's values are handed on in.
#[must_use]
pub fn text_form(field: &FieldDescribe) -> TextForm {
    match field.kind {
        FieldType::Int | FieldType::Long | FieldType::Double | FieldType::Currency | FieldType::Percent => {
            TextForm::Number
        }
        FieldType::DateTime => TextForm::DateTime,
        FieldType::Boolean => TextForm::Boolean,
        FieldType::Id
        | FieldType::Reference
        | FieldType::String
        | FieldType::TextArea
        | FieldType::Picklist
        | FieldType::MultiPicklist
        | FieldType::Combobox
        | FieldType::Date
        | FieldType::Time
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::EncryptedString
        | FieldType::Location
        | FieldType::Address
        | FieldType::Base64
        | FieldType::AnyType
        | FieldType::ComplexValue
        | FieldType::Json
        | FieldType::DataCategoryGroupReference
        | FieldType::Unknown => TextForm::Text,
    }
}

/// Whether a field can be a column of every read. Compound fields and blobs cannot be read by Bulk 2.0; the parts
/// of a compound field are fields of their own.
#[must_use]
pub fn is_readable(field: &FieldDescribe) -> bool {
    !matches!(
        field.kind,
        FieldType::Location
            | FieldType::Address
            | FieldType::Base64
            | FieldType::ComplexValue
            | FieldType::Json
    )
}

impl Client {
    /// All objects that the user can see, companions of other objects included.
    pub async fn describe_global(&self) -> Result<Vec<ObjectSummary>, SalesforceError> {
        let call = Call::get("the list of objects", Family::Describe, "sobjects/");
        Ok(self.json::<GlobalAnswer>(&call).await?.sobjects)
    }

    /// One object with its fields.
    pub async fn describe(&self, object: &str) -> Result<ObjectDescribe, SalesforceError> {
        self.json(&describe_call(object)?).await
    }

    /// One object with its fields, or `None` when nothing about it has changed since `since`.
    pub async fn describe_if_changed(
        &self,
        object: &str,
        since: Timestamp,
    ) -> Result<Option<ObjectDescribe>, SalesforceError> {
        let mut call = describe_call(object)?;
        if let Some(date) = http_date(since) {
            call = call.header(header::IF_MODIFIED_SINCE, date);
        }
        let answer = self.send(&call).await?;
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let body = answer
            .bytes()
            .await
            .map_err(|source| SalesforceError::transport(call.what, source))?;
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|source| SalesforceError::Unreadable {
                what: call.what,
                source,
            })
    }
}

fn describe_call(object: &str) -> Result<Call, SalesforceError> {
    let object = object_name(object)?;
    Ok(Call::get(
        "a describe",
        Family::Describe,
        format!("sobjects/{object}/describe/"),
    ))
}

/// Object names go into paths: only what can be a name is let through.
pub(crate) fn object_name(name: &str) -> Result<&str, SalesforceError> {
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain {
        Ok(name)
    } else {
        Err(SalesforceError::Setting(format!(
            "{name:?} is not an object's name"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(name: &str, custom: bool) -> ObjectSummary {
        ObjectSummary {
            name: name.into(),
            label: name.into(),
            label_plural: String::new(),
            custom,
            custom_setting: false,
            queryable: true,
            replicateable: true,
            key_prefix: None,
        }
    }

    #[test]
    fn trap_21_companions_hold_no_records() {
        assert!(summary("Car__c", true).holds_records());
        assert!(summary("Account", false).holds_records());
        for name in ["Car__Share", "Car__ChangeEvent", "Rule__mdt", "Ping__e", "Big__b"] {
            assert!(!summary(name, true).holds_records(), "{name}");
        }
        assert!(!summary("AccountChangeEvent", false).holds_records());
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_a_path() {
        assert!(object_name("Car__c").is_ok());
        for bad in ["", "../limits", "a b", "Car__c/x"] {
            assert!(object_name(bad).is_err(), "{bad}");
        }
    }
}
