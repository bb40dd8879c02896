//! From what a transaction did to the events that tell of it.

use super::{
    avro::{Datum, bitmap},
    layout::{Layout, Slot},
    long_text,
};
use crate::salesforce::{
    clock::DAY_MS,
    ids::RecordId,
    reader::Reader,
    schema::Kind,
    store::{ChangeKind, Record},
    value::Value,
};

/// The place of each change type in the schema's enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeType {
    Create = 0,
    Update = 1,
    Delete = 2,
    Undelete = 3,
    GapOverflow = 8,
}

impl ChangeType {
    pub(super) fn of(kind: ChangeKind) -> Option<ChangeType> {
        match kind {
            ChangeKind::Create => Some(ChangeType::Create),
            ChangeKind::Update => Some(ChangeType::Update),
            ChangeKind::Delete => Some(ChangeType::Delete),
            ChangeKind::Undelete => Some(ChangeType::Undelete),
            ChangeKind::Purge => None,
        }
    }

    /// The number of the gap that stands for a change.
    fn gap(self) -> i64 {
        self as i64 + 4
    }
}

/// What all events of a transaction share.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) origin: String,
    pub(super) key: String,
    pub(super) at_ms: i64,
    pub(super) number: i64,
    pub(super) user: RecordId,
}

/// What an event says after its header, and which fields it says were changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) datum: Datum,
    pub(super) changed: Vec<String>,
    pub(super) nulled: Vec<String>,
    /// Fields whose value is a difference of texts.
    pub(super) diffed: Vec<String>,
    /// How many fields changed.
    pub(super) fields: usize,
}

/// A record's values in the order of its layout.
fn values(layout: &Layout, reader: &Reader<'_>, object: usize, record: &Record) -> Vec<Vec<Value>> {
    let own = |place: usize| reader.own(object, record, place).into_owned();
    let columns = layout.columns.iter();
    columns
        .map(|column| match &column.slot {
            _ if !column.visible => vec![Value::Null],
            Slot::Field(place, _) => vec![own(*place)],
            Slot::Parts(parts) => parts
                .iter()
                .map(|part| part.map_or(Value::Null, |(place, _)| own(place)))
                .collect(),
        })
        .collect()
}

/// Everything of a record, as creations and undeletes tell it.
pub(super) fn whole(layout: &Layout, reader: &Reader<'_>, object: usize, record: &Record) -> Body {
    let mut body = Body {
        fields: 1,
        ..Body::default()
    };
    for (column, values) in layout.columns.iter().zip(values(layout, reader, object, record)) {
        write(&mut body.datum, &column.slot, &values);
    }
    body
}

/// Nothing, as deletes and gaps tell it: every field null.
pub(super) fn nothing(layout: &Layout) -> Body {
    let mut body = Body {
        fields: 1,
        ..Body::default()
    };
    layout.columns.iter().for_each(|_| body.datum.branch(false));
    body
}

/// What is different, with the bitmaps that tell a null from a silence.
pub(super) fn difference(
    layout: &Layout,
    reader: &Reader<'_>,
    object: usize,
    before: &Record,
    after: &Record,
) -> Body {
    let old = values(layout, reader, object, before);
    let new = values(layout, reader, object, after);
    let mut body = Body::default();
    let (mut changed, mut nulled, mut parts_changed) = (Vec::new(), Vec::new(), Vec::new());
    let mut diffed = Vec::new();
    for (position, (column, (old, new))) in layout.columns.iter().zip(old.iter().zip(&new)).enumerate() {
        // The header is field 0.
        let bit = position + 1;
        let is_null = new.iter().all(Value::is_null);
        if old == new && column.name != "LastModifiedDate" {
            body.datum.branch(false);
            continue;
        }
        body.fields += 1;
        match long_text::difference(&column.slot, old, new) {
            Some(text) => {
                body.datum.branch(true);
                body.datum.text(&text);
                diffed.push(bit);
            }
            None => write(&mut body.datum, &column.slot, new),
        }
        match &column.slot {
            _ if is_null => {
                changed.push(bit);
                nulled.push(bit);
            }
            // All parts of a geolocation are sent when one changes.
            Slot::Parts(parts) => {
                let sent: Vec<usize> = (0..parts.len()).filter(|part| parts[*part].is_some()).collect();
                parts_changed.extend(bitmap(&sent).map(|bits| format!("{bit}-{bits}")));
            }
            Slot::Field(..) => changed.push(bit),
        }
    }
    body.changed = bitmap(&changed).into_iter().chain(parts_changed).collect();
    body.nulled = bitmap(&nulled).into_iter().collect();
    body.diffed = bitmap(&diffed).into_iter().collect();
    body
}

fn write(datum: &mut Datum, slot: &Slot, values: &[Value]) {
    match slot {
        Slot::Field(_, kind) => write_value(datum, values.first().unwrap_or(&Value::Null), *kind),
        Slot::Parts(_) if values.iter().all(Value::is_null) => datum.branch(false),
        Slot::Parts(parts) => {
            datum.branch(true);
            for (part, value) in parts.iter().zip(values) {
                write_value(datum, value, part.map_or(Kind::Text, |(_, kind)| kind));
            }
        }
    }
}

fn write_value(datum: &mut Datum, value: &Value, kind: Kind) {
    datum.branch(!value.is_null());
    match value {
        Value::Null => {}
        Value::Bool(value) => datum.boolean(*value),
        Value::Number(number) if kind == Kind::Int => datum.long(*number as i64),
        Value::Number(number) => datum.double(*number),
        Value::Date(days) => datum.long(i64::from(*days) * DAY_MS),
        Value::DateTime(ms) => datum.long(*ms),
        Value::Time(ms) => datum.long(i64::from(*ms)),
        Value::Text(text) => datum.text(text),
        Value::Id(id) => datum.text(&id.to_string()),
    }
}

/// A whole event: the header, then the body.
pub(super) fn payload(
    layout: &Layout,
    commit: &Commit,
    change: ChangeType,
    ids: &[String],
    sequence: i64,
    body: &Body,
) -> Vec<u8> {
    encode(&layout.entity, commit, change as i64, ids, sequence, body)
}

/// The gap that stands for an event: its header, and no word of what changed.
pub(super) fn gap(
    layout: &Layout,
    commit: &Commit,
    change: ChangeType,
    ids: &[String],
    sequence: i64,
) -> Vec<u8> {
    let commit = Commit {
        origin: String::new(),
        ..commit.clone()
    };
    encode(
        &layout.entity,
        &commit,
        change.gap(),
        ids,
        sequence,
        &nothing(layout),
    )
}

fn encode(entity: &str, commit: &Commit, change: i64, ids: &[String], sequence: i64, body: &Body) -> Vec<u8> {
    let mut datum = Datum::default();
    datum.text(entity);
    datum.texts(ids);
    datum.long(change);
    datum.text(&commit.origin);
    datum.text(&commit.key);
    datum.long(sequence);
    datum.long(commit.at_ms);
    datum.long(commit.number);
    datum.text(&commit.user.to_string());
    datum.texts(&body.nulled);
    datum.texts(&body.diffed);
    datum.texts(&body.changed);
    datum.0.extend_from_slice(&body.datum.0);
    datum.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that was written with another implementation: an update that sets a price and a place and
    /// clears a status.
    #[test]
    fn a_known_event_is_written_byte_by_byte() {
        let expected = "1650726f70657274795f5f63022461303278783030303030303030303141414100025a636f6d2f73616c6573666f7263652f6170692f726573742f36362e303b636c69656e743d61636d652d73796e634830303034613366322d316232632d336434652d356636302d3731383239336134623563360280a0d5edee66d4e0c8fe874024303035787830303030303030303031414141020c3078303230300000040c3078303332300e31302d3078303300000000000280a0d5edee660000020000000030c12d410002020000000000404540020000000000d051c000";
        let mut body = Body {
            changed: vec!["0x0320".to_owned(), "10-0x03".to_owned()],
            nulled: vec!["0x0200".to_owned()],
            ..Body::default()
        };
        let field = |kind| Slot::Field(0, kind);
        let place = Slot::Parts(vec![Some((0, Kind::Double)), Some((1, Kind::Double)), None]);
        let columns = [
            (field(Kind::Reference), vec![Value::Null]),
            (field(Kind::Text), vec![Value::Null]),
            (field(Kind::DateTime), vec![Value::Null]),
            (field(Kind::Reference), vec![Value::Null]),
            (field(Kind::DateTime), vec![Value::DateTime(1_767_225_600_000)]),
            (field(Kind::Reference), vec![Value::Null]),
            (field(Kind::Reference), vec![Value::Null]),
            (field(Kind::Currency), vec![Value::Number(975_000.0)]),
            (field(Kind::Picklist), vec![Value::Null]),
            (
                place,
                vec![Value::Number(42.5), Value::Number(-71.25), Value::Null],
            ),
        ];
        for (slot, values) in &columns {
            write(&mut body.datum, slot, values);
        }
        let commit = Commit {
            origin: "com/salesforce/api/rest/66.0;client=acme-sync".to_owned(),
            key: "0004a3f2-1b2c-3d4e-5f60-718293a4b5c6".to_owned(),
            at_ms: 1_767_225_600_000,
            number: 1_100_583_868_458,
            user: RecordId::parse("005xx0000000001AAA").expect("an id"),
        };
        let bytes = encode(
            "Property__c",
            &commit,
            1,
            &["a02xx0000000001AAA".to_owned()],
            1,
            &body,
        );
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn gaps_follow_the_changes_they_stand_for() {
        assert_eq!((ChangeType::Create.gap(), ChangeType::Undelete.gap()), (4, 7));
        assert_eq!(ChangeType::GapOverflow as i64, 8);
    }
}
