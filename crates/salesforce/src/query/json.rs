//! JSON records as rows of text.
//!
//! Numbers keep the digits that were sent (no detour over a floating-point type), parents are flattened to
//! `Depot__r.Name`, a null parent makes all its columns null.

use std::borrow::Cow;
use std::fmt;

use landbridge_model::Table;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::columns::Columns;

/// A JSON object as its keys and unread values, in order.
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    fields.push((entry.0.0, entry.1));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A key that is borrowed when it holds no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Appends one JSON record to `table`, whose columns are `columns`. Fields that were not asked for are ignored.
pub(crate) fn push_record(
    columns: &Columns,
    record: &RawValue,
    table: &mut Table,
) -> Result<(), serde_json::Error> {
    let mut cells = vec![None; columns.len()];
    fill(columns, record, "", &mut cells)?;
    table.push_row(cells.iter().map(|cell: &Option<String>| cell.as_deref()));
    Ok(())
}

fn fill(
    columns: &Columns,
    record: &RawValue,
    prefix: &str,
    cells: &mut [Option<String>],
) -> Result<(), serde_json::Error> {
    let Fields(fields) = serde_json::from_str(record.get())?;
    for (name, value) in fields {
        if name == "attributes" {
            continue;
        }
        let path = if prefix.is_empty() {
            name
        } else {
            Cow::Owned(format!("{prefix}.{name}"))
        };
        let raw = value.get();
        match columns.place(&path) {
            Some(place) => {
                let text = scalar(raw)?;
                cells[place] = text.and_then(|text| columns.cell(place, &text).map(Cow::into_owned));
            }
            None if raw.starts_with('{') => fill(columns, value, &path, cells)?,
            None => {}
        }
    }
    Ok(())
}

/// The text of a JSON value: strings unescaped, everything else as sent.
fn scalar(raw: &str) -> Result<Option<Cow<'_, str>>, serde_json::Error> {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(raw).map(|text| Some(Cow::Owned(text))),
        Some(b'n') => Ok(None),
        _ => Ok(Some(Cow::Borrowed(raw))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::{PageParser, Room};
    use crate::normalise::TextForm;

    fn columns() -> Columns {
        Columns::new([
            ("Id", TextForm::Text),
            ("Price__c", TextForm::Number),
            ("Active__c", TextForm::Boolean),
            ("SystemModstamp", TextForm::DateTime),
            ("Note__c", TextForm::Text),
            ("Depot__r.Region__r.Name", TextForm::Text),
        ])
    }

    const RECORD: &str = r#"{"attributes":{"type":"Car__c","url":"/services/x"},"ID":"a01","Price__c":12345678901234567.10,
        "Active__c":true,"SystemModstamp":"2026-01-31T10:20:30.000+0000","Note__c":"tab\tand \"quotes\" and \u00fc",
        "Depot__r":{"attributes":{"type":"Depot__c"},"Region__r":{"Name":"North"}},"Other__c":1}"#;

    fn rows(record: &str) -> Table {
        let mut table = columns().table();
        let raw: Box<RawValue> = serde_json::from_str(record).unwrap();
        push_record(&columns(), &raw, &mut table).unwrap();
        table
    }

    #[test]
    fn digits_paths_and_escapes_survive() {
        let table = rows(RECORD);
        let row: Vec<_> = (0..6).map(|at| table.at(at).get(0)).collect();
        assert_eq!(
            row,
            [
                Some("a01"),
                Some("12345678901234567.1"),
                Some("true"),
                Some("2026-01-31T10:20:30.000Z"),
                Some("tab\tand \"quotes\" and ü"),
                Some("North"),
            ]
        );
    }

    #[test]
    fn a_null_parent_makes_its_columns_null() {
        let table = rows(r#"{"Id":"a01","Price__c":null,"Depot__r":null,"Note__c":""}"#);
        assert!((1..6).all(|at| table.at(at).get(0).is_none()));
    }

    #[test]
    fn both_apis_give_the_same_row() {
        let page = concat!(
            "\"Id\",\"Price__c\",\"Active__c\",\"SystemModstamp\",\"Note__c\",\"Depot__r.Region__r.Name\"\n",
            "\"a01\",\"1.23456789012345671E16\",\"true\",\"2026-01-31T10:20:30.000Z\",",
            "\"tab\tand \"\"quotes\"\" and ü\",\"North\"\n"
        );
        let mut parser = PageParser::new(
            columns(),
            Room {
                rows: 10,
                bytes: 1 << 20,
            },
            0,
        );
        parser.feed(page.as_bytes()).unwrap();
        parser.finish().unwrap();
        assert_eq!(parser.take(), rows(RECORD));
    }
}
