//! How a value read back from HubSpot is judged against the value that would be written.

use std::collections::BTreeSet;

use crate::convert::{moments, number};
use crate::hubspot::{PropertyDefinition, PropertyType};

/// Whether HubSpot's value is ours, as the property's type sees it: numbers as numbers, moments as moments, several
/// options in any order, and an empty text is no value.
pub fn equal(property_type: PropertyType, ours: Option<&str>, theirs: Option<&str>) -> bool {
    let ours = ours.filter(|text| !text.is_empty());
    let theirs = theirs.filter(|text| !text.is_empty());
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return ours.is_none() && theirs.is_none();
    };
    ours == theirs
        || match property_type {
            PropertyType::Number => number::same(ours, theirs),
            PropertyType::Bool => ours.eq_ignore_ascii_case(theirs),
            PropertyType::Date => alike(moments::lenient_day(ours), moments::lenient_day(theirs)),
            PropertyType::DateTime => alike(moments::lenient_instant(ours), moments::lenient_instant(theirs)),
            PropertyType::Enumeration => options(ours) == options(theirs),
            // HubSpot formats phone numbers for reading.
            PropertyType::PhoneNumber => dialled(ours) == dialled(theirs),
            PropertyType::String
            | PropertyType::Json
            | PropertyType::ObjectCoordinates
            | PropertyType::Unknown => false,
        }
}

/// The same with the property's definition at hand: it also tells a text that HubSpot formats as a phone number.
pub fn equal_in(property: &PropertyDefinition, ours: Option<&str>, theirs: Option<&str>) -> bool {
    let is_phone = property.kind == PropertyType::String && property.field_type == "phonenumber";
    let kind = if is_phone {
        PropertyType::PhoneNumber
    } else {
        property.kind
    };
    equal(kind, ours, theirs)
}

fn alike<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    a.is_some() && a == b
}

fn options(text: &str) -> BTreeSet<&str> {
    text.split(';')
        .map(str::trim)
        .filter(|option| !option.is_empty())
        .collect()
}

fn dialled(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged_as_their_type_sees_them() {
        use PropertyType::{Bool, Date, DateTime, Enumeration, Number, PhoneNumber, String};
        for (kind, ours, theirs, expected) in [
            (Number, "975000", "975000.0", true),
            (Number, "1200", "1.2E3", true),
            (Number, "1", "2", false),
            (Bool, "true", "true", true),
            (Bool, "true", "false", false),
            (Date, "2026-01-31", "2026-01-31", true),
            (Date, "2026-01-31", "1769817600000", true),
            (Date, "2026-01-31", "2026-01-31T00:00:00Z", true),
            (Date, "2026-01-31", "2026-02-01", false),
            (DateTime, "2026-01-31T10:20:30.000Z", "2026-01-31T10:20:30Z", true),
            (DateTime, "2026-01-31T10:20:30.000Z", "1769854830000", true),
            (
                DateTime,
                "2026-01-31T10:20:30.000Z",
                "2026-01-31T10:20:31Z",
                false,
            ),
            (Enumeration, "A;B", "B;A", true),
            (Enumeration, "A;B", "A", false),
            (Enumeration, "a", "A", false),
            (PhoneNumber, "617-244-3672", "(617) 244 3672", true),
            (String, "a", "a", true),
            (String, "a", "A", false),
            (String, "1", "1.0", false),
        ] {
            assert_eq!(
                equal(kind, Some(ours), Some(theirs)),
                expected,
                "{kind:?} {ours} {theirs}"
            );
        }
    }

    #[test]
    fn empty_is_no_value() {
        assert!(equal(PropertyType::String, None, Some("")));
        assert!(equal(PropertyType::Number, Some(""), None));
        assert!(!equal(PropertyType::Bool, None, Some("false")));
    }
}
