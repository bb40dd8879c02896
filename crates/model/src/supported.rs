//! What Landbridge carries, and what not: the rules that validation applies, and the same rules as a page for people.

use std::fmt::Write as _;

use crate::convert::{FIELD_TYPES, Family, Verdict, WRITABLE_TYPES, verdict};
use crate::filter::{operator_word, operators};
use crate::hubspot::{PropertyDefinition, PropertyType};
use crate::salesforce::{FieldDescribe, FieldType};

/// Endings of API names that mark no records of the customer's own, with what they mark.
pub const EXCLUDED_ENDINGS: [(&str, &str); 10] = [
    ("__e", "a platform event"),
    ("__mdt", "custom metadata"),
    ("__b", "a big object"),
    ("__x", "an external object"),
    ("__kav", "a knowledge article version"),
    ("__Share", "sharing rules"),
    ("__History", "field history"),
    ("__Feed", "a feed"),
    ("__Tag", "tags"),
    ("__ChangeEvent", "change events"),
];

/// Why an object of that name is not carried, if it is not.
pub fn excluded(object: &str) -> Option<&'static str> {
    let lower = object.to_lowercase();
    EXCLUDED_ENDINGS
        .iter()
        .find(|(ending, _)| lower.ends_with(&ending.to_lowercase()))
        .map(|(_, what)| *what)
}

/// `docs/supported.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Supported objects and fields\n\n\
         This page is written by the code that validates syncs and converts values: \
         `cargo run -p landbridge-model --example supported > docs/supported.md`.\n\n",
    );
    objects(&mut page);
    fields(&mut page);
    matrix(&mut page);
    rest(&mut page);
    page
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("writing to a String cannot fail");
}

fn objects(page: &mut String) {
    page.push_str(
        "## Salesforce objects\n\n\
         Every custom object (`Name__c`, with or without a namespace) and every standard object that can be queried \
         and has a `SystemModstamp`, as far as the Salesforce user may read it. Records go to a **custom** object type \
         in HubSpot. Not carried:\n\n| name ends with | is |\n|---|---|\n",
    );
    for (ending, what) in EXCLUDED_ENDINGS {
        line(page, format_args!("| `{ending}` | {what} |"));
    }
    page.push('\n');
}

/// A field as the page shows it.
fn sample_field(kind: FieldType) -> FieldDescribe {
    let describe = serde_json::json!({"name": "Field__c", "label": "Field", "type": "string"});
    let field: FieldDescribe =
        serde_json::from_value(describe).expect("a field needs a name, a label and a type");
    FieldDescribe { kind, ..field }
}

fn sample_property(kind: PropertyType) -> PropertyDefinition {
    PropertyDefinition {
        name: "property".to_owned(),
        label: "Property".to_owned(),
        kind,
        field_type: "text".to_owned(),
        options: Vec::new(),
        has_unique_value: false,
        read_only: false,
    }
}

fn fields(page: &mut String) {
    page.push_str(
        "## Field types\n\n\
         Formulas and roll-ups count as the type of their result. A field's type is what Salesforce's describe says. \
         A parent's field (`Depot__r.Name`) counts as the type of that field.\n\n\
         | Salesforce field | its usual HubSpot property | what becomes of a value | can be filtered by |\n|---|---|---|---|\n",
    );
    for kind in FIELD_TYPES {
        let family = Family::of(kind);
        let filters: Vec<&str> = operators(family).iter().map(|op| operator_word(*op)).collect();
        let filters = if filters.is_empty() {
            "-".to_owned()
        } else {
            filters.join(", ")
        };
        line(
            page,
            format_args!(
                "| {} | {} | {} | {filters} |",
                kind.as_str(),
                usual(kind),
                becomes(kind)
            ),
        );
    }
    page.push('\n');
}

/// The property that a proposal makes for a field of this type.
fn usual(kind: FieldType) -> String {
    match crate::propose::property_kind(kind, None) {
        Some((kind, field_type)) => format!("{} ({field_type})", kind.as_str()),
        None => "none".to_owned(),
    }
}

fn becomes(kind: FieldType) -> &'static str {
    match kind {
        FieldType::String | FieldType::Email | FieldType::Phone | FieldType::Url => {
            "as it is; control characters are taken out"
        }
        FieldType::TextArea => {
            "as it is, line ends and markup included; beyond 65,536 characters the record fails"
        }
        FieldType::EncryptedString => {
            "as Salesforce shows it: masked unless the user may view encrypted data"
        }
        FieldType::Picklist | FieldType::Combobox => {
            "the value, mapped by `values` where it is listed there; must be an option of the property"
        }
        FieldType::MultiPicklist => {
            "`A;B`, each value mapped; compared as a set; written whole, never added to what is there"
        }
        FieldType::Boolean => "`true` or `false`",
        FieldType::Int | FieldType::Long | FieldType::Double => {
            "plain digits, no exponent, no trailing zeros; exact to 18 digits, rounded only beyond both 15 digits and \
             the field's scale"
        }
        FieldType::Currency => {
            "the amount, in the record's own currency; map `CurrencyIsoCode` for the currency"
        }
        FieldType::Percent => "50 % is the number 50",
        FieldType::Date => "`YYYY-MM-DD`",
        FieldType::DateTime => "`YYYY-MM-DDTHH:MM:SS.mmmZ`, in UTC",
        FieldType::Time => "the text `HH:MM:SS`; HubSpot has no type for a time of day",
        FieldType::Id => "the 18-character id; the unique property holds it anyway",
        FieldType::Reference => {
            "an association (under `associations`); lookups to users, groups and record types can be mapped as the \
             18-character id"
        }
        FieldType::Location => "not itself: map its `__Latitude__s` and `__Longitude__s` parts",
        FieldType::Address => "not itself: map its street, city, state, postal code and country parts",
        FieldType::Base64
        | FieldType::AnyType
        | FieldType::ComplexValue
        | FieldType::Json
        | FieldType::DataCategoryGroupReference
        | FieldType::Unknown => "not carried",
    }
}

fn matrix(page: &mut String) {
    page.push_str(
        "## Which field becomes which property\n\n\
         **yes**: every value arrives. **note n**: values arrive changed, or some fail; see below. **-**: refused when \
         the sync is validated.\n\n| |",
    );
    for kind in WRITABLE_TYPES {
        write!(page, " {} |", kind.as_str()).expect("writing to a String cannot fail");
    }
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(WRITABLE_TYPES.len()));
    page.push('\n');
    let mut notes: Vec<String> = Vec::new();
    for from in FIELD_TYPES {
        let mut row = format!("| {} |", from.as_str());
        for to in WRITABLE_TYPES {
            let cell = match verdict(&sample_field(from), &sample_property(to)) {
                Verdict::Fits => "yes".to_owned(),
                Verdict::Impossible(_) => "-".to_owned(),
                Verdict::Converts(note) => {
                    let at = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
                        notes.push(note);
                        notes.len() - 1
                    });
                    format!("note {}", at + 1)
                }
            };
            write!(row, " {cell} |").expect("writing to a String cannot fail");
        }
        line(page, format_args!("{row}"));
    }
    page.push('\n');
    for (place, note) in notes.iter().enumerate() {
        line(page, format_args!("{}. {note}", place + 1));
    }
    page.push('\n');
}

fn rest(page: &mut String) {
    page.push_str(
        "HubSpot's `json` and `object_coordinates` properties, and properties that HubSpot computes, cannot be \
         written.\n\n\
         ## Lookups\n\n\
         A lookup or master-detail field becomes an association by a rule under `associations`. One that may lead to \
         several objects (`OwnerId`, `WhatId`) has a rule for each object that is to be linked, with the object's name \
         under `object`; parents of other objects are linked to nothing. Whose rule a record's parent falls under is told \
         by what its id begins with in this org (the describe's `keyPrefix`), which is read when the sync is applied. \
         Each rule's links are a thing of their own, written as `WhatId:Account` in lists of what waits or failed. Two \
         rules that lead to one HubSpot object type need distinct labels, also when they are of one field. For a lookup \
         to one object `object` may be left out.\n\n\
         ## Empty values\n\n\
         Salesforce knows no empty text: an empty cell is null, and a null clears the property. A column that was not \
         read is left alone. A null in a property that HubSpot requires makes the record fail.\n\n\
         ## Picklist values without an option\n\n\
         `unmatched` of a field says what happens: `fail` (the default; the record fails, with the value and the \
         options), `leave-empty`, or `add-option` (the options that Salesforce lists are added to the property when \
         the sync is applied; a value that Salesforce itself does not list fails in HubSpot).\n\n\
         ## Filters\n\n\
         Texts are compared without regard to case. An empty field equals nothing and differs from every value; ask \
         for it with `is-empty`. `includes` wants all of the listed values, `excludes` none of them. A date-time may be \
         compared with a date, which is midnight UTC of that day. Imports hand the conditions to Salesforce where SOQL \
         can say them (not on long texts and encrypted ones); every record is tested again when it is mapped.\n",
    );
}

#[cfg(test)]
mod tests {
    /// `UPDATE_EXPECT=1` writes the page anew.
    #[test]
    fn the_page_is_what_the_code_says() {
        expect_test::expect_file!["../../../docs/supported.md"].assert_eq(&super::markdown());
    }

    #[test]
    fn special_objects_are_told_by_their_names() {
        assert_eq!(super::excluded("Order__e"), Some("a platform event"));
        assert_eq!(super::excluded("Order__ChangeEvent"), Some("change events"));
        assert_eq!(super::excluded("Order__c"), None);
        assert_eq!(super::excluded("ns__Order__c"), None);
        assert_eq!(super::excluded("Account"), None);
    }
}
