//! Which field type can become which property type, and what is lost on the way.

use crate::convert::text::TEXT_CHARS_MAX;
use crate::hubspot::{PropertyDefinition, PropertyType};
use crate::salesforce::{FieldDescribe, FieldType};

/// Every field type of describe, in the order of the table of supported fields.
pub const FIELD_TYPES: [FieldType; 28] = [
    FieldType::String,
    FieldType::TextArea,
    FieldType::Email,
    FieldType::Phone,
    FieldType::Url,
    FieldType::EncryptedString,
    FieldType::Picklist,
    FieldType::MultiPicklist,
    FieldType::Combobox,
    FieldType::Boolean,
    FieldType::Int,
    FieldType::Long,
    FieldType::Double,
    FieldType::Currency,
    FieldType::Percent,
    FieldType::Date,
    FieldType::DateTime,
    FieldType::Time,
    FieldType::Id,
    FieldType::Reference,
    FieldType::Location,
    FieldType::Address,
    FieldType::Base64,
    FieldType::AnyType,
    FieldType::ComplexValue,
    FieldType::Json,
    FieldType::DataCategoryGroupReference,
    FieldType::Unknown,
];

/// Property types that can be written.
pub const WRITABLE_TYPES: [PropertyType; 7] = [
    PropertyType::String,
    PropertyType::Number,
    PropertyType::Bool,
    PropertyType::Enumeration,
    PropertyType::Date,
    PropertyType::DateTime,
    PropertyType::PhoneNumber,
];

/// What the field types mean for conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Any text.
    Text,
    /// One value of a list.
    Choice,
    /// Several values of a list, joined by `;`.
    Choices,
    /// `true` or `false`.
    Flag,
    /// A decimal number.
    Number,
    /// A day.
    Day,
    /// An instant.
    Instant,
    /// A time of day without a zone.
    TimeOfDay,
    /// A record id.
    Id,
    /// Cannot be carried, and why.
    None(&'static str),
}

impl Family {
    /// The family of a field type.
    pub fn of(kind: FieldType) -> Self {
        match kind {
            FieldType::String
            | FieldType::TextArea
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::EncryptedString => Self::Text,
            FieldType::Picklist | FieldType::Combobox => Self::Choice,
            FieldType::MultiPicklist => Self::Choices,
            FieldType::Boolean => Self::Flag,
            FieldType::Int
            | FieldType::Long
            | FieldType::Double
            | FieldType::Currency
            | FieldType::Percent => Self::Number,
            FieldType::Date => Self::Day,
            FieldType::DateTime => Self::Instant,
            FieldType::Time => Self::TimeOfDay,
            FieldType::Id | FieldType::Reference => Self::Id,
            FieldType::Location => {
                Self::None("a geolocation is read by its parts: map its Latitude__s and Longitude__s fields")
            }
            FieldType::Address => {
                Self::None("an address is read by its parts: map its street, city, postal code fields")
            }
            FieldType::Base64 => Self::None("the content of files is not carried"),
            FieldType::AnyType
            | FieldType::ComplexValue
            | FieldType::Json
            | FieldType::DataCategoryGroupReference => Self::None("Salesforce gives it no value as text"),
            FieldType::Unknown => Self::None("this version of Landbridge does not know the field's type"),
        }
    }
}

/// Whether a field can become a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every value arrives as it is.
    Fits,
    /// Values arrive changed, or some values make their record fail: what and when.
    Converts(String),
    /// No value could arrive: why.
    Impossible(String),
}

/// Judges a pair by its types alone; options of picklists are judged by [`crate::validate`].
pub fn verdict(field: &FieldDescribe, property: &PropertyDefinition) -> Verdict {
    match judge(field, property) {
        Ok(None) => Verdict::Fits,
        Ok(Some(note)) => Verdict::Converts(note),
        Err(reason) => Verdict::Impossible(reason),
    }
}

/// `Ok` with a note of what is lost, or why it cannot be.
pub(super) fn judge(field: &FieldDescribe, property: &PropertyDefinition) -> Result<Option<String>, String> {
    let family = Family::of(field.kind);
    if let Family::None(reason) = family {
        return Err(reason.to_owned());
    }
    match property.kind {
        PropertyType::String | PropertyType::PhoneNumber => Ok(text_note(family, field, property)),
        PropertyType::Number => number_note(family, field),
        PropertyType::Bool => flag_note(family),
        PropertyType::Enumeration => option_note(family, property),
        PropertyType::Date => day_note(family),
        PropertyType::DateTime => instant_note(family),
        PropertyType::Json | PropertyType::ObjectCoordinates => {
            Err("HubSpot keeps properties of this type for itself".to_owned())
        }
        PropertyType::Unknown => {
            Err("this version of Landbridge does not know the property's type".to_owned())
        }
    }
}

fn text_note(family: Family, field: &FieldDescribe, property: &PropertyDefinition) -> Option<String> {
    let is_rich = field.extra_type_info.as_deref() == Some("richtextarea");
    let note = match family {
        Family::Text if is_rich && property.field_type != "html" => {
            "HTML markup is kept and shown as text; a rich text property (field type html) shows it formatted"
                .to_owned()
        }
        Family::Text if field.length as usize > TEXT_CHARS_MAX => {
            format!("a text longer than HubSpot's {TEXT_CHARS_MAX} characters makes its record fail")
        }
        Family::Text if field.kind == FieldType::EncryptedString => {
            "arrives masked unless the Salesforce user may view encrypted data".to_owned()
        }
        Family::Text | Family::Choice => return None,
        Family::Choices => "the values become one text, joined by ;".to_owned(),
        Family::Flag => "becomes the text true or false".to_owned(),
        Family::Number => "becomes a text of plain digits".to_owned(),
        Family::Day => "becomes the text YYYY-MM-DD".to_owned(),
        Family::Instant => "becomes the text YYYY-MM-DDTHH:MM:SS.mmmZ, in UTC".to_owned(),
        Family::TimeOfDay => "becomes the text HH:MM:SS; Salesforce times have no zone".to_owned(),
        Family::Id => "becomes the 18-character Salesforce id as text; it links nothing".to_owned(),
        Family::None(_) => return None,
    };
    Some(note)
}

fn number_note(family: Family, field: &FieldDescribe) -> Result<Option<String>, String> {
    match family {
        Family::Number if field.kind == FieldType::Percent => {
            Ok(Some("50 % becomes the number 50, not 0.5".to_owned()))
        }
        Family::Number => Ok(None),
        Family::Text | Family::Choice => {
            Ok(Some("a value that is no number makes its record fail".to_owned()))
        }
        _ => Err("only numbers, and texts that are numbers, become a number".to_owned()),
    }
}

fn flag_note(family: Family) -> Result<Option<String>, String> {
    match family {
        Family::Flag => Ok(None),
        Family::Text | Family::Choice => Ok(Some(
            "a value that is neither true nor false, nor mapped to one of them, makes its record fail"
                .to_owned(),
        )),
        _ => Err("only checkboxes, and values mapped to true or false, become a yes/no property".to_owned()),
    }
}

fn option_note(family: Family, property: &PropertyDefinition) -> Result<Option<String>, String> {
    match family {
        Family::Choices if !is_multi_select(property) => Ok(Some(
            "the property takes one option: a record with several values fails".to_owned(),
        )),
        Family::Choice | Family::Choices => Ok(None),
        Family::Flag => Ok(Some(
            "needs options true and false, or values mapped to options".to_owned(),
        )),
        Family::Text | Family::Number => Ok(Some(
            "a value that is not an option, nor mapped to one, makes its record fail".to_owned(),
        )),
        _ => Err("only picklists, checkboxes, numbers and texts become options".to_owned()),
    }
}

fn day_note(family: Family) -> Result<Option<String>, String> {
    match family {
        Family::Day => Ok(None),
        Family::Instant => Ok(Some(
            "the time of day is dropped; the day is the day in UTC".to_owned(),
        )),
        Family::Text => Ok(Some(
            "a value that is not YYYY-MM-DD makes its record fail".to_owned(),
        )),
        _ => Err("only dates, date-times, and texts that are dates become a date".to_owned()),
    }
}

fn instant_note(family: Family) -> Result<Option<String>, String> {
    match family {
        Family::Instant => Ok(None),
        Family::Day => Ok(Some("becomes midnight UTC of the day".to_owned())),
        Family::Text => Ok(Some(
            "a value that is not a date-time with a zone makes its record fail".to_owned(),
        )),
        _ => Err("only date-times, dates, and texts that are date-times become a date-time".to_owned()),
    }
}

/// Whether an enumeration takes several options.
pub fn is_multi_select(property: &PropertyDefinition) -> bool {
    property.kind == PropertyType::Enumeration && property.field_type == "checkbox"
}

/// Whether HubSpot fills an enumeration's options from elsewhere (owners, teams), so that none are listed here.
pub fn has_foreign_options(property: &PropertyDefinition) -> bool {
    property.options.is_empty() && (property.name.starts_with("hs_") || property.name.starts_with("hubspot_"))
}
