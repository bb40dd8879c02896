//! Expected values are written by hand: verify shares this code, so nothing else would notice a mistake in it.

use super::*;
use crate::hubspot::PropertyOption;
use crate::salesforce::FieldType;
use crate::testing::{field, property};

fn options(values: &[&str]) -> Vec<PropertyOption> {
    let option = |value: &&str| PropertyOption {
        label: (*value).to_owned(),
        value: (*value).to_owned(),
    };
    values.iter().map(option).collect()
}

/// `Ok(value)` as text, `clears` for a null, `refused: category` for a refusal.
fn run(converter: &Converter, cell: &str) -> String {
    match converter.convert(cell) {
        Ok(Some(value)) => value.into_owned(),
        Ok(None) => "clears".to_owned(),
        Err(refusal) => format!("refused: {}", refusal.category),
    }
}

#[track_caller]
fn check(from: FieldType, to: PropertyType, cell: &str, expected: &str) {
    let converter = Converter::new(
        &field("Field__c", from),
        &property("target", to),
        &IndexMap::new(),
        Unmatched::Fail,
    )
    .unwrap();
    assert_eq!(
        run(&converter, cell),
        expected,
        "{} -> {} of {cell:?}",
        from.as_str(),
        to.as_str()
    );
}

const REFUSED: &str = "refused: invalid-value";

#[test]
fn texts_become_strings() {
    for from in [
        FieldType::String,
        FieldType::TextArea,
        FieldType::Email,
        FieldType::Phone,
        FieldType::Url,
        FieldType::EncryptedString,
        FieldType::Picklist,
        FieldType::Combobox,
    ] {
        check(
            from,
            PropertyType::String,
            "Grüße\r\nan \"alle\"",
            "Grüße\r\nan \"alle\"",
        );
        check(from, PropertyType::String, "nul\0byte", "nulbyte");
        check(from, PropertyType::String, "", "clears");
        check(from, PropertyType::String, "\0", "clears");
        check(from, PropertyType::PhoneNumber, "617-244-3672", "617-244-3672");
    }
    let longest = "x".repeat(65_536);
    check(FieldType::TextArea, PropertyType::String, &longest, &longest);
    check(
        FieldType::TextArea,
        PropertyType::String,
        &"x".repeat(65_537),
        REFUSED,
    );
    check(
        FieldType::TextArea,
        PropertyType::String,
        "<p>Hello &amp; <b>goodbye</b></p>",
        "<p>Hello &amp; <b>goodbye</b></p>",
    );
}

#[test]
fn numbers_of_every_kind() {
    for from in [
        FieldType::Int,
        FieldType::Long,
        FieldType::Double,
        FieldType::Currency,
        FieldType::Percent,
    ] {
        for to in [PropertyType::Number, PropertyType::String] {
            for (cell, expected) in [
                ("975000.0", "975000"),
                ("0.0", "0"),
                ("12", "12"),
                ("-3.50", "-3.5"),
                ("1.0E7", "10000000"),
                ("50.0", "50"),
                ("42.35663", "42.35663"),
                ("", "clears"),
                ("twelve", REFUSED),
            ] {
                check(from, to, cell, expected);
            }
        }
    }
    check(FieldType::String, PropertyType::Number, " 1,5 ", REFUSED);
    check(FieldType::String, PropertyType::Number, " 15 ", "15");
    check(FieldType::Picklist, PropertyType::Number, "3", "3");
}

#[test]
fn checkboxes() {
    for (cell, expected) in [
        ("true", "true"),
        ("false", "false"),
        ("True", "true"),
        ("1", "true"),
        ("0", "false"),
        ("", "clears"),
        ("yes", REFUSED),
    ] {
        check(FieldType::Boolean, PropertyType::Bool, cell, expected);
        check(FieldType::Boolean, PropertyType::String, cell, expected);
    }
}

#[test]
fn trap_16_dates_are_days_and_times_are_instants() {
    check(FieldType::Date, PropertyType::Date, "2026-01-31", "2026-01-31");
    check(FieldType::Date, PropertyType::Date, "2026-02-31", REFUSED);
    check(FieldType::Date, PropertyType::Date, "", "clears");
    check(FieldType::Date, PropertyType::String, "2026-01-31", "2026-01-31");
    check(
        FieldType::Date,
        PropertyType::DateTime,
        "2026-01-31",
        "2026-01-31T00:00:00.000Z",
    );
    let stamp = "2026-01-31T23:30:00.000+0000";
    check(
        FieldType::DateTime,
        PropertyType::DateTime,
        stamp,
        "2026-01-31T23:30:00.000Z",
    );
    check(
        FieldType::DateTime,
        PropertyType::String,
        stamp,
        "2026-01-31T23:30:00.000Z",
    );
    check(FieldType::DateTime, PropertyType::Date, stamp, "2026-01-31");
    check(
        FieldType::DateTime,
        PropertyType::Date,
        "2026-01-31T23:30:00.000-0100",
        "2026-02-01",
    );
    check(FieldType::DateTime, PropertyType::DateTime, "soon", REFUSED);
    check(FieldType::Time, PropertyType::String, "13:45:00.000Z", "13:45:00");
    check(FieldType::Time, PropertyType::String, "", "clears");
    check(FieldType::String, PropertyType::Date, "2026-01-31", "2026-01-31");
    check(FieldType::String, PropertyType::Date, "31/01/2026", REFUSED);
    check(
        FieldType::String,
        PropertyType::DateTime,
        "2026-01-31T10:00:00Z",
        "2026-01-31T10:00:00.000Z",
    );
}

#[test]
fn ids_become_eighteen_characters() {
    for from in [FieldType::Id, FieldType::Reference] {
        check(
            from,
            PropertyType::String,
            "0015f00002JUWMV",
            "0015f00002JUWMVAA5",
        );
        check(
            from,
            PropertyType::String,
            "0015f00002JUWMVAA5",
            "0015f00002JUWMVAA5",
        );
        check(from, PropertyType::String, "nobody", REFUSED);
    }
}

fn picklist(multi_from: bool, multi_to: bool, unmatched: Unmatched) -> Converter {
    let mut target = property("fuel", PropertyType::Enumeration);
    target.options = options(&["petrol", "ev", "Hydrogen"]);
    target.field_type = if multi_to { "checkbox" } else { "select" }.to_owned();
    let values = IndexMap::from([
        ("Petrol".to_owned(), "petrol".to_owned()),
        ("Electric".to_owned(), "ev".to_owned()),
        ("None".to_owned(), String::new()),
    ]);
    let kind = if multi_from {
        FieldType::MultiPicklist
    } else {
        FieldType::Picklist
    };
    Converter::new(&field("Fuel__c", kind), &target, &values, unmatched).unwrap()
}

#[test]
fn picklists_become_options() {
    let converter = picklist(false, false, Unmatched::Fail);
    for (cell, expected) in [
        ("Petrol", "petrol"),
        ("Electric", "ev"),
        ("Hydrogen", "Hydrogen"),
        ("None", "clears"),
        ("", "clears"),
        ("hydrogen", "refused: picklist-option"),
        ("Diesel", "refused: picklist-option"),
    ] {
        assert_eq!(run(&converter, cell), expected, "{cell}");
    }
    assert_eq!(
        run(&picklist(false, false, Unmatched::LeaveEmpty), "Diesel"),
        "clears"
    );
    assert_eq!(
        run(&picklist(false, false, Unmatched::AddOption), "Diesel"),
        "Diesel"
    );
    assert_eq!(
        converter.convert("Diesel").unwrap_err().message,
        "\"Diesel\" is not an option of fuel (petrol, ev, Hydrogen); map it under values, add the option in HubSpot, \
         or set unmatched"
    );
}

#[test]
fn several_options_are_a_set_and_never_append() {
    let converter = picklist(true, true, Unmatched::Fail);
    for (cell, expected) in [
        ("Petrol;Electric", "petrol;ev"),
        ("Electric; Petrol ;Electric", "ev;petrol"),
        (";Petrol", "petrol"),
        ("None;Petrol", "petrol"),
        ("None", "clears"),
        ("", "clears"),
        (";", "clears"),
        ("Petrol;Diesel", "refused: picklist-option"),
    ] {
        assert_eq!(run(&converter, cell), expected, "{cell}");
    }
    assert_eq!(
        run(&picklist(true, true, Unmatched::LeaveEmpty), "Petrol;Diesel"),
        "petrol"
    );
    assert_eq!(run(&picklist(true, false, Unmatched::Fail), "Petrol"), "petrol");
    assert_eq!(
        run(&picklist(true, false, Unmatched::Fail), "Petrol;Electric"),
        REFUSED
    );
    check(FieldType::MultiPicklist, PropertyType::String, "A;B", "A;B");
    check(FieldType::MultiPicklist, PropertyType::String, ";A", "A");
}

#[test]
fn other_fields_become_options_too() {
    let mut target = property("kind", PropertyType::Enumeration);
    target.options = options(&["true", "no", "3"]);
    let values = IndexMap::from([("false".to_owned(), "no".to_owned())]);
    let make = |kind| Converter::new(&field("F__c", kind), &target, &values, Unmatched::Fail).unwrap();
    assert_eq!(run(&make(FieldType::Boolean), "true"), "true");
    assert_eq!(run(&make(FieldType::Boolean), "false"), "no");
    assert_eq!(run(&make(FieldType::Double), "3.0"), "3");
    assert_eq!(run(&make(FieldType::Double), "4.0"), "refused: picklist-option");
    assert_eq!(run(&make(FieldType::String), "no"), "no");
}

#[test]
fn mapped_values_can_become_flags() {
    let values = IndexMap::from([
        ("Yes".to_owned(), "true".to_owned()),
        ("No".to_owned(), "false".to_owned()),
    ]);
    let from = field("Insured__c", FieldType::Picklist);
    let converter = Converter::new(
        &from,
        &property("insured", PropertyType::Bool),
        &values,
        Unmatched::Fail,
    )
    .unwrap();
    assert_eq!(run(&converter, "Yes"), "true");
    assert_eq!(run(&converter, "No"), "false");
    assert_eq!(run(&converter, "Perhaps"), REFUSED);
}

#[test]
fn impossible_pairs_are_refused_when_the_converter_is_made() {
    for (from, to) in [
        (FieldType::Location, PropertyType::String),
        (FieldType::Address, PropertyType::String),
        (FieldType::Base64, PropertyType::String),
        (FieldType::Boolean, PropertyType::Number),
        (FieldType::Double, PropertyType::Bool),
        (FieldType::Double, PropertyType::Date),
        (FieldType::Date, PropertyType::Number),
        (FieldType::Date, PropertyType::Enumeration),
        (FieldType::Time, PropertyType::DateTime),
        (FieldType::Reference, PropertyType::Number),
        (FieldType::MultiPicklist, PropertyType::Bool),
        (FieldType::String, PropertyType::Json),
        (FieldType::String, PropertyType::ObjectCoordinates),
        (FieldType::Unknown, PropertyType::String),
    ] {
        let made = Converter::new(
            &field("F__c", from),
            &property("p", to),
            &IndexMap::new(),
            Unmatched::Fail,
        );
        assert!(made.is_err(), "{} -> {}", from.as_str(), to.as_str());
        assert!(matches!(
            verdict(&field("F__c", from), &property("p", to)),
            Verdict::Impossible(_)
        ));
    }
}

#[test]
fn a_converted_value_equals_itself_and_converts_to_itself() {
    for from in FIELD_TYPES {
        for to in WRITABLE_TYPES {
            let (source, target) = (field("F__c", from), property("p", to));
            let Ok(converter) = Converter::new(&source, &target, &IndexMap::new(), Unmatched::AddOption)
            else {
                continue;
            };
            for cell in [
                "12.50",
                "true",
                "2026-01-31",
                "2026-01-31T10:20:30.000Z",
                "A;B",
                "0015f00002JUWMV",
            ] {
                if let Ok(Some(value)) = converter.convert(cell) {
                    assert!(equal(to, Some(&value), Some(&value)));
                }
            }
        }
    }
}
