use landbridge_model::hubspot::PropertyType;
use proptest::prelude::*;

use super::*;

fn property(name: &str, kind: PropertyType) -> PropertyDefinition {
    PropertyDefinition {
        name: name.to_owned(),
        label: String::new(),
        kind,
        field_type: String::new(),
        options: Vec::new(),
        has_unique_value: false,
        read_only: false,
    }
}

type Times = (Option<&'static str>, Option<&'static str>, Option<&'static str>);

/// A record with a name, a price and a version, each before, by us, and now.
fn then<'a>(
    price: &'a PropertyDefinition,
    existed: bool,
    [name, cost, version]: [Times; 3],
) -> RecordThen<'a> {
    let cell = |name, property, (before, ours, now)| Cell {
        name,
        property,
        before,
        ours,
        now,
    };
    RecordThen {
        kind: ChangeKind::Upsert,
        existed,
        now: Some(HubSpotId(7)),
        cells: vec![
            cell("name", None, name),
            cell("price", Some(price), cost),
            cell(VERSION_PROPERTY, None, version),
        ],
        others: vec![("notes", None)],
    }
}

fn told(undo: &RecordUndo<'_>) -> String {
    match undo {
        RecordUndo::AsBefore => "as before".to_owned(),
        RecordUndo::GoneAgain => "gone again".to_owned(),
        RecordUndo::Archive(id) => format!("archive {id}"),
        RecordUndo::Restore { set, left } => {
            let set = set
                .iter()
                .map(|(name, value)| format!("{name}={}", value.unwrap_or("-")));
            let left = left
                .iter()
                .map(|left| format!("!{}={}", left.property, left.now.unwrap_or("-")));
            set.chain(left).collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn a_record_that_was_there_gets_back_what_is_still_ours() {
    let price = property("price", PropertyType::Number);
    let (a, b, c) = (Some("a"), Some("b"), Some("c"));
    let ours = (None, Some("v2"), Some("v2"));
    for (name, cost, version, expected) in [
        (
            (a, b, b),
            (None, Some("5"), Some("5.0")),
            ours,
            "name=a price=- landbridge_version=-",
        ),
        // Edited since: left, the rest is put back.
        (
            (a, b, c),
            (None, Some("5"), Some("5")),
            ours,
            "price=- landbridge_version=- !name=c",
        ),
        // Put back by hand already.
        (
            (a, b, a),
            (Some("1"), Some("5"), Some("1.00")),
            ours,
            "landbridge_version=-",
        ),
        // The import set what was there, and somebody edited it since.
        (
            (a, a, c),
            (None, None, None),
            ours,
            "landbridge_version=- !name=c",
        ),
        // Never sent, though somebody wrote the same values.
        (
            (a, b, b),
            (None, Some("5"), Some("5")),
            (None, Some("v2"), None),
            "as before",
        ),
        // The sync wrote it since.
        (
            (a, b, c),
            (None, Some("5"), Some("5")),
            (None, Some("v2"), Some("v3")),
            "price=- !name=c !landbridge_version=v3",
        ),
        // A back-fill keeps the version.
        (
            (a, b, b),
            (None, None, None),
            (Some("v1"), Some("v1"), Some("v1")),
            "name=a",
        ),
        (
            (a, a, a),
            (None, None, None),
            (Some("v1"), Some("v1"), Some("v1")),
            "as before",
        ),
        // Cleared by us, which HubSpot shows as no value.
        (
            (a, None, Some("")),
            (None, None, None),
            ours,
            "name=a landbridge_version=-",
        ),
    ] {
        let undo = record(&then(&price, true, [name, cost, version])).clone();
        assert_eq!(told(&undo), expected, "{name:?} {cost:?} {version:?}");
    }
}

#[test]
fn a_record_that_the_import_made_goes_when_nobody_touched_it() {
    let price = property("price", PropertyType::Number);
    let untouched = [
        (None, Some("b"), Some("b")),
        (None, Some("5"), Some("5.0")),
        (None, Some("v2"), Some("v2")),
    ];
    assert_eq!(told(&record(&then(&price, false, untouched))), "archive 7");
    let mut filled = then(&price, false, untouched);
    filled.others[0].1 = Some("call back");
    assert_eq!(told(&record(&filled)), "!notes=call back");
    let edited = [(None, Some("b"), Some("c")), untouched[1], untouched[2]];
    assert_eq!(told(&record(&then(&price, false, edited))), "!name=c");
    let written = [untouched[0], untouched[1], (None, Some("v2"), Some("v3"))];
    assert_eq!(
        told(&record(&then(&price, false, written))),
        "!landbridge_version=v3"
    );
    let mut gone = then(&price, false, untouched);
    gone.now = None;
    assert_eq!(told(&record(&gone)), "gone again");
    gone.existed = true;
    assert_eq!(
        told(&record(&gone)),
        "!=-",
        "a record that was there and is gone is told"
    );
    gone.kind = ChangeKind::Delete;
    assert_eq!(told(&record(&gone)), "!=-", "a delete cannot be undone");
    gone.now = Some(HubSpotId(8));
    assert_eq!(told(&record(&gone)), "as before");
}

fn kinds(labels: &[u32]) -> BTreeSet<AssociationType> {
    labels
        .iter()
        .map(|&type_id| AssociationType {
            category: "USER_DEFINED".into(),
            type_id,
        })
        .collect()
}

#[test]
fn a_pair_loses_what_the_import_gave_and_gets_what_it_took() {
    let some = |labels: &[u32]| Some(kinds(labels));
    for (before, ours, now, expected) in [
        (None, some(&[]), some(&[]), PairUndo::Dissociate),
        (None, some(&[1]), some(&[1]), PairUndo::Dissociate),
        (None, some(&[1]), some(&[1, 9]), PairUndo::Strip(kinds(&[1]))),
        (None, some(&[]), some(&[9]), PairUndo::AsBefore),
        (None, some(&[1]), None, PairUndo::AsBefore),
        (
            some(&[2]),
            some(&[1, 2]),
            some(&[1, 2]),
            PairUndo::Strip(kinds(&[1])),
        ),
        (
            some(&[2]),
            some(&[1, 2]),
            some(&[1, 2, 9]),
            PairUndo::Strip(kinds(&[1])),
        ),
        (some(&[]), some(&[1]), some(&[1]), PairUndo::Strip(kinds(&[1]))),
        (some(&[2]), some(&[]), some(&[]), PairUndo::Label(kinds(&[2]))),
        (some(&[2]), some(&[]), some(&[9]), PairUndo::Label(kinds(&[2, 9]))),
        (some(&[2]), None, None, PairUndo::Label(kinds(&[2]))),
        (some(&[]), None, None, PairUndo::Plain),
        (some(&[2]), None, some(&[]), PairUndo::Label(kinds(&[2]))),
        (some(&[]), None, some(&[9]), PairUndo::AsBefore),
        (some(&[2]), some(&[1, 2]), None, PairUndo::Left),
        (some(&[2]), some(&[2]), some(&[2]), PairUndo::AsBefore),
    ] {
        assert_eq!(
            pair(&before, &ours, &now),
            expected,
            "{before:?} {ours:?} {now:?}"
        );
    }
}

/// What HubSpot makes of a pair.
fn applied(now: &Association, undo: &PairUndo) -> Association {
    match undo {
        PairUndo::AsBefore | PairUndo::Left => now.clone(),
        PairUndo::Dissociate => None,
        PairUndo::Plain => Some(now.clone().unwrap_or_default()),
        PairUndo::Strip(labels) => now.as_ref().map(|is| is.difference(labels).cloned().collect()),
        PairUndo::Label(labels) => Some(labels.clone()),
    }
}

proptest! {
    #[test]
    fn an_undo_of_what_nobody_touched_gives_what_was_there(
        before in proptest::option::of(prop::collection::btree_set(1u32..5, 0..4)),
        ours in proptest::option::of(prop::collection::btree_set(1u32..5, 0..4)),
    ) {
        let of = |labels: Option<BTreeSet<u32>>| labels.map(|labels| kinds(&labels.into_iter().collect::<Vec<_>>()));
        let (before, ours) = (of(before), of(ours));
        let undo = pair(&before, &ours, &ours);
        let now = applied(&ours, &undo);
        prop_assert_eq!(&now, &before);
        prop_assert_eq!(pair(&before, &ours, &now), PairUndo::AsBefore, "a second undo changes nothing");
    }

    #[test]
    fn a_second_undo_changes_nothing(
        [before, ours, now] in proptest::array::uniform3(proptest::option::of(prop::collection::btree_set(1u32..5, 0..4))),
    ) {
        let of = |labels: Option<BTreeSet<u32>>| labels.map(|labels| kinds(&labels.into_iter().collect::<Vec<_>>()));
        let (before, ours, now) = (of(before), of(ours), of(now));
        let after = applied(&now, &pair(&before, &ours, &now));
        let again = pair(&before, &ours, &after);
        prop_assert!(matches!(again, PairUndo::AsBefore | PairUndo::Left) || applied(&after, &again) == after);
    }
}
