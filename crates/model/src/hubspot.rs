//! What Landbridge needs to know of a HubSpot portal: object types, properties, association labels, reduced.

use serde::{Deserialize, Serialize};

use crate::batch::AssociationType;
use crate::ids::ObjectTypeId;

/// An object type with its properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSchema {
    /// `2-123456`.
    pub object_type_id: ObjectTypeId,
    /// Short name.
    pub name: String,
    /// `p<portal>_<name>`.
    #[serde(default)]
    pub fully_qualified_name: Option<String>,
    /// Singular label.
    #[serde(default)]
    pub label: String,
    /// Properties that a new record must have.
    #[serde(default)]
    pub required_properties: Vec<String>,
    /// Its properties.
    pub properties: Vec<PropertyDefinition>,
}

impl ObjectSchema {
    /// The property of that name.
    pub fn property(&self, name: &str) -> Option<&PropertyDefinition> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// Whether `name` is one of the names this type goes by: id, fully qualified name, or short name in any case.
    pub fn is_called(&self, name: &str) -> bool {
        self.object_type_id.as_str() == name
            || self.fully_qualified_name.as_deref() == Some(name)
            || self.name.eq_ignore_ascii_case(name)
    }
}

/// A property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PropertyDefinition {
    /// Internal name.
    pub name: String,
    /// Label.
    #[serde(default)]
    pub label: String,
    /// HubSpot's `type`.
    #[serde(rename = "type")]
    pub kind: PropertyType,
    /// HubSpot's `fieldType`: `checkbox` makes an enumeration multi-select.
    #[serde(default)]
    pub field_type: String,
    /// Options of an enumeration.
    #[serde(default)]
    pub options: Vec<PropertyOption>,
    /// Whether no two records may share a value; fixed at creation.
    #[serde(default)]
    pub has_unique_value: bool,
    /// Whether HubSpot computes or guards the value.
    #[serde(default)]
    pub read_only: bool,
}

/// One option of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PropertyOption {
    /// What people see.
    #[serde(default)]
    pub label: String,
    /// What records carry; compared with case.
    pub value: String,
}

/// HubSpot's property types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are HubSpot's own")]
pub enum PropertyType {
    String,
    Number,
    Bool,
    Enumeration,
    Date,
    #[serde(rename = "datetime")]
    DateTime,
    PhoneNumber,
    Json,
    ObjectCoordinates,
    /// A type that did not exist when this was written.
    #[serde(other)]
    Unknown,
}

impl PropertyType {
    /// HubSpot's own word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Enumeration => "enumeration",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::PhoneNumber => "phone_number",
            Self::Json => "json",
            Self::ObjectCoordinates => "object_coordinates",
            Self::Unknown => "unknown",
        }
    }
}

/// One association label of a pair of object types, in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AssociationLabel {
    /// Category and number.
    #[serde(flatten)]
    pub kind: AssociationType,
    /// `None` is the plain association.
    #[serde(default)]
    pub label: Option<String>,
}
