//! Field types.

use serde::{Deserialize, Serialize};

/// A field's type as describe names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are Salesforce's own")]
pub enum Kind {
    Id,
    Reference,
    Text,
    TextArea,
    LongTextArea,
    Html,
    Picklist,
    MultiPicklist,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Time,
    Email,
    Phone,
    Url,
    Encrypted,
    Location,
    Address,
}

impl Kind {
    /// Describe's `type`.
    pub fn describe_type(self) -> &'static str {
        match self {
            Kind::Id => "id",
            Kind::Reference => "reference",
            Kind::Text => "string",
            Kind::TextArea | Kind::LongTextArea | Kind::Html => "textarea",
            Kind::Picklist => "picklist",
            Kind::MultiPicklist => "multipicklist",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Double => "double",
            Kind::Currency => "currency",
            Kind::Percent => "percent",
            Kind::Date => "date",
            Kind::DateTime => "datetime",
            Kind::Time => "time",
            Kind::Email => "email",
            Kind::Phone => "phone",
            Kind::Url => "url",
            Kind::Encrypted => "encryptedstring",
            Kind::Location => "location",
            Kind::Address => "address",
        }
    }

    /// Describe's `soapType`.
    pub fn soap_type(self) -> &'static str {
        match self {
            Kind::Id | Kind::Reference => "tns:ID",
            Kind::Boolean => "xsd:boolean",
            Kind::Int => "xsd:int",
            Kind::Double | Kind::Currency | Kind::Percent => "xsd:double",
            Kind::Date => "xsd:date",
            Kind::DateTime => "xsd:dateTime",
            Kind::Time => "xsd:time",
            Kind::Location => "urn:location",
            Kind::Address => "urn:address",
            _ => "xsd:string",
        }
    }

    /// Stored as text.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Kind::Text
                | Kind::TextArea
                | Kind::LongTextArea
                | Kind::Html
                | Kind::Picklist
                | Kind::MultiPicklist
                | Kind::Email
                | Kind::Phone
                | Kind::Url
                | Kind::Encrypted
        )
    }

    /// Stored as a number.
    pub fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::Double | Kind::Currency | Kind::Percent)
    }

    /// Has parts and no value of its own.
    pub fn is_compound(self) -> bool {
        matches!(self, Kind::Location | Kind::Address)
    }

    /// May stand in WHERE.
    pub fn is_filterable(self) -> bool {
        !matches!(self, Kind::LongTextArea | Kind::Html | Kind::Encrypted) && !self.is_compound()
    }

    /// May stand in ORDER BY.
    pub fn is_sortable(self) -> bool {
        self.is_filterable() && self != Kind::MultiPicklist
    }
}
