//! What Landbridge needs to know of a Salesforce object: a describe, reduced.

use serde::{Deserialize, Serialize};

/// An object, as its describe call gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDescribe {
    /// API name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Whether it is a custom object.
    pub custom: bool,
    /// Whether it can be queried.
    pub queryable: bool,
    /// The three characters its record ids start with.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// Its fields, those that the user can see.
    pub fields: Vec<FieldDescribe>,
}

impl ObjectDescribe {
    /// The field of that name, in any case.
    pub fn field(&self, name: &str) -> Option<&FieldDescribe> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

/// A field, as describe gives it. Key names are Salesforce's own, so that a describe's JSON reads straight into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldDescribe {
    /// API name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Describe's `type`.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Longest text; 0 where it does not apply.
    #[serde(default)]
    pub length: u32,
    /// Digits in all.
    #[serde(default)]
    pub precision: u32,
    /// Digits after the point.
    #[serde(default)]
    pub scale: u32,
    /// Whether it may be null; not to be trusted, real nulls appear on fields that say no.
    #[serde(default)]
    pub nillable: bool,
    /// Whether values are unique.
    #[serde(default)]
    pub unique: bool,
    /// Whether it is a formula or a roll-up.
    #[serde(default)]
    pub calculated: bool,
    /// A formula's text, when readable.
    #[serde(default)]
    pub calculated_formula: Option<String>,
    /// Whether it is custom.
    #[serde(default)]
    pub custom: bool,
    /// The objects that a reference may name.
    #[serde(default)]
    pub reference_to: Vec<String>,
    /// `Depot__r` for `Depot__c`.
    #[serde(default)]
    pub relationship_name: Option<String>,
    /// 0 or 1 for a master-detail field; `None` for a mere lookup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relationship_order: Option<u32>,
    /// Whether only listed picklist values are allowed.
    #[serde(default)]
    pub restricted_picklist: bool,
    /// Picklist values.
    #[serde(default)]
    pub picklist_values: Vec<PicklistValue>,
    /// The compound field that it is a part of.
    #[serde(default)]
    pub compound_field_name: Option<String>,
    /// `richtextarea`, `plaintextarea`, …
    #[serde(default)]
    pub extra_type_info: Option<String>,
}

/// One value of a picklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PicklistValue {
    /// What records carry.
    pub value: String,
    /// What people see.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether new records may take it; old records may still carry it when not.
    #[serde(default)]
    pub active: bool,
}

/// Describe's field types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are Salesforce's own")]
pub enum FieldType {
    Id,
    Reference,
    String,
    TextArea,
    Picklist,
    MultiPicklist,
    Combobox,
    Boolean,
    Int,
    Long,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Time,
    Email,
    Phone,
    Url,
    EncryptedString,
    Location,
    Address,
    Base64,
    AnyType,
    ComplexValue,
    Json,
    DataCategoryGroupReference,
    /// A type that did not exist when this was written.
    #[serde(other)]
    Unknown,
}

impl FieldType {
    /// Describe's own word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Reference => "reference",
            Self::String => "string",
            Self::TextArea => "textarea",
            Self::Picklist => "picklist",
            Self::MultiPicklist => "multipicklist",
            Self::Combobox => "combobox",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Time => "time",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::EncryptedString => "encryptedstring",
            Self::Location => "location",
            Self::Address => "address",
            Self::Base64 => "base64",
            Self::AnyType => "anyType",
            Self::ComplexValue => "complexvalue",
            Self::Json => "json",
            Self::DataCategoryGroupReference => "DataCategoryGroupReference",
            Self::Unknown => "unknown",
        }
    }
}
