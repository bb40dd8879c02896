//! The table of what follows from what.

use serde_json::json;

use super::*;
use crate::config::Sync;

fn object(fields: serde_json::Value) -> ObjectDescribe {
    serde_json::from_value(json!({
        "name": "Vehicle__c", "label": "Vehicle", "custom": true, "queryable": true, "fields": fields,
    }))
    .unwrap()
}

fn field(name: &str, kind: &str) -> serde_json::Value {
    json!({ "name": name, "label": name, "type": kind })
}

fn property(kind: &str, adds_options: bool) -> FieldUse {
    let property = json!({ "name": "p", "label": "P", "type": kind, "fieldType": "text" });
    FieldUse::Property {
        property: Some(serde_json::from_value(property).unwrap()),
        adds_options,
    }
}

fn watches(path: &str, used: FieldUse) -> WatchedField {
    WatchedField {
        path: path.to_owned(),
        object: "Vehicle__c".to_owned(),
        field: path.to_owned(),
        uses: vec![used],
    }
}

const SEEN: Seen = Seen {
    version: 4,
    revision: Revision(2),
    at_ms: 1_000,
};

fn between(
    before: Option<serde_json::Value>,
    now: Option<serde_json::Value>,
    watched: &[WatchedField],
    whereabouts: Whereabouts,
) -> Vec<SchemaEvent> {
    let before = before.map(|fields| Shape::of(&object(fields), watched, true));
    let now = now.map(object);
    let look = Look {
        object: "Vehicle__c",
        before: before.as_ref(),
        now: now.as_ref(),
    };
    events(look, watched, |_| whereabouts, SEEN)
}

/// Each change alone: what it is called, and what follows.
#[test]
fn every_change_has_its_consequence() {
    use Consequence::{BackFill, Continue, Suspend};
    let name = || field("Name", "string");
    let picklist = |values: &[&str]| {
        let values: Vec<_> = values
            .iter()
            .map(|value| json!({ "value": value, "active": true }))
            .collect();
        json!({ "name": "Fuel__c", "label": "Fuel", "type": "picklist", "picklistValues": values })
    };
    let formula = |text: &str| json!({ "name": "Age__c", "label": "Age", "type": "double", "calculated": true, "calculatedFormula": text });
    let text = |path| watches(path, property("string", false));
    let table = [
        ("nothing", json!([name()]), json!([name()]), text("Name"), vec![]),
        (
            "added",
            json!([name()]),
            json!([name(), field("New__c", "date")]),
            text("Name"),
            vec![("field-added", Continue)],
        ),
        (
            "another gone",
            json!([name(), field("Old__c", "date")]),
            json!([name()]),
            text("Name"),
            vec![("field-gone", Continue)],
        ),
        (
            "gone",
            json!([name(), field("Old__c", "date")]),
            json!([name()]),
            text("Old__c"),
            vec![("field-gone", Suspend)],
        ),
        (
            "a lookup gone",
            json!([name(), field("Depot__c", "reference")]),
            json!([name()]),
            watches("Depot__c", FieldUse::Lookup),
            vec![("field-gone", Suspend)],
        ),
        (
            "back",
            json!([name()]),
            json!([name(), field("Old__c", "date")]),
            text("Old__c"),
            vec![("field-back", Continue)],
        ),
        (
            "in another case",
            json!([field("NAME", "string")]),
            json!([field("name", "string")]),
            text("Name"),
            vec![],
        ),
        (
            "retyped, fits",
            json!([field("Seats__c", "double")]),
            json!([field("Seats__c", "string")]),
            text("Seats__c"),
            vec![("field-retyped", BackFill)],
        ),
        (
            "retyped, does not fit",
            json!([field("Seats__c", "double")]),
            json!([field("Seats__c", "boolean")]),
            watches("Seats__c", property("date", false)),
            vec![("field-retyped", Suspend)],
        ),
        (
            "a condition retyped",
            json!([field("Seats__c", "double")]),
            json!([field("Seats__c", "string")]),
            watches("Seats__c", FieldUse::Condition),
            vec![("field-retyped", Suspend)],
        ),
        (
            "another retyped",
            json!([name(), field("Seats__c", "double")]),
            json!([name(), field("Seats__c", "string")]),
            text("Name"),
            vec![],
        ),
        (
            "a value added",
            json!([picklist(&["Petrol"])]),
            json!([picklist(&["Petrol", "Wood"])]),
            text("Fuel__c"),
            vec![("values-added", Continue)],
        ),
        (
            "a value gone",
            json!([picklist(&["Petrol", "Wood"])]),
            json!([picklist(&["Petrol"])]),
            text("Fuel__c"),
            vec![],
        ),
        (
            "rewritten",
            json!([formula("1")]),
            json!([formula("2")]),
            text("Age__c"),
            vec![("formula-changed", BackFill)],
        ),
        (
            "as written",
            json!([formula("1")]),
            json!([formula("1")]),
            text("Age__c"),
            vec![],
        ),
    ];
    for (what, before, now, watched, expected) in table {
        let found = between(Some(before), Some(now), &[watched], Whereabouts::Deleted);
        let told: Vec<_> = found
            .iter()
            .map(|event| {
                let json = serde_json::to_value(event).unwrap();
                (json["change"].as_str().unwrap().to_owned(), event.consequence)
            })
            .collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(change, then)| (change.to_owned(), then))
            .collect();
        assert_eq!(told, expected, "{what}");
        assert!(
            found
                .iter()
                .all(|event| event.version == 4 && event.revision == Revision(2)),
            "{what}"
        );
        let again: Vec<SchemaEvent> = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
        assert_eq!(again, found, "{what}");
    }
}

#[test]
fn hidden_is_told_apart_from_deleted_as_far_as_it_is_known() {
    let before = || Some(json!([field("Price__c", "currency")]));
    for (whereabouts, words) in [
        (Whereabouts::Deleted, "Price__c was deleted: take it out"),
        (
            Whereabouts::Hidden,
            "Price__c is hidden from Landbridge's user by a permission: give the user read access",
        ),
        (
            Whereabouts::HiddenOrDeleted,
            "Price__c was deleted, or is hidden from Landbridge's user by a permission: give",
        ),
    ] {
        let watched = [watches("Price__c", property("number", false))];
        let found = between(before(), Some(json!([])), &watched, whereabouts);
        assert!(found[0].text.starts_with(words), "{}", found[0].text);
        assert_eq!(suspension(&found).as_deref(), Some(found[0].text.as_str()));
        let gone = between(before(), None, &watched, whereabouts);
        assert_eq!(gone[0].change, SchemaChange::ObjectGone { whereabouts });
        assert_eq!((gone.len(), gone[0].consequence), (1, Consequence::Suspend));
    }
    let back = between(None, before(), &[], Whereabouts::Deleted);
    assert_eq!(
        (back[0].change.clone(), back[0].consequence),
        (SchemaChange::ObjectBack, Consequence::Continue)
    );
    assert_eq!(suspension(&back), None);
}

#[test]
fn what_was_never_described_whole_makes_nothing_new() {
    let watched = [watches("Name", property("string", false))];
    let before = Shape::of(&object(json!([field("Name", "string")])), &watched, false);
    let now = object(json!([field("Name", "string"), field("New__c", "date")]));
    let look = Look {
        object: "Vehicle__c",
        before: Some(&before),
        now: Some(&now),
    };
    assert_eq!(events(look, &watched, |_| Whereabouts::Deleted, SEEN), []);
}

#[test]
fn a_record_keeps_what_is_to_be_done_until_it_is_done() {
    let watched = [watches("Seats__c", property("string", true))];
    let change = |from: &str, to: &str| {
        between(
            Some(json!([field("Seats__c", from)])),
            Some(json!([field("Seats__c", to)])),
            &watched,
            Whereabouts::Deleted,
        )
    };
    let mut record = SchemaRecord::default();
    record.add(&[]);
    assert_eq!((record.version, record.pending), (0, None));
    record.add(&change("double", "string"));
    assert_eq!(
        record.pending,
        Some(Pending {
            version: 1,
            back_fill: true
        })
    );
    let mut option = change("double", "string");
    option[0].consequence = Consequence::Continue;
    option[0].resolves = true;
    record.add(&option);
    assert_eq!(
        record.pending,
        Some(Pending {
            version: 2,
            back_fill: true
        }),
        "the back-fill is still due"
    );
    for _ in 0..EVENTS_KEPT {
        record.add(&change("double", "string"));
    }
    assert_eq!(record.events.len(), EVENTS_KEPT);
}

#[test]
fn paths_are_followed_to_the_object_of_their_last_field() {
    let sync: Sync = serde_json::from_value(json!({
        "definition": {
            "apiVersion": "landbridge/v1", "kind": "Sync", "metadata": { "tenant": "acme", "name": "vehicles" },
            "spec": {
                "salesforce": { "object": "Vehicle__c" }, "hubspot": { "objectType": "vehicles" },
                "associations": [{ "field": "Depot__c", "to": "depots" }],
                "filter": { "all": [{ "field": "name", "op": "is-not-empty" }] },
                "fields": [{ "from": "Name", "to": "name" }, { "from": "Depot__r.Region__r.Code__c", "to": "code" }],
            },
        },
        "revision": 1, "status": "active",
        "resolved": {
            "object": object(json!([])),
            "object_type": { "objectTypeId": "2-1", "name": "vehicles", "properties": [
                { "name": "name", "label": "Name", "type": "string", "fieldType": "text" },
                { "name": "code", "label": "Code", "type": "string", "fieldType": "text" },
            ] },
        },
    }))
    .unwrap();
    let lookup = |name: &str, relationship: &str, to: &str| json!({ "name": name, "label": name, "type": "reference", "relationshipName": relationship, "referenceTo": [to] });
    let mut objects = BTreeMap::new();
    assert_eq!(objects_of(&sync, &objects), ["Vehicle__c"]);
    objects.insert(
        "vehicle__c".to_owned(),
        object(json!([lookup("Depot__c", "Depot__r", "Depot__c")])),
    );
    assert_eq!(objects_of(&sync, &objects), ["Vehicle__c", "Depot__c"]);
    objects.insert(
        "depot__c".to_owned(),
        object(json!([lookup("Region__c", "Region__r", "Region__c")])),
    );
    assert_eq!(
        objects_of(&sync, &objects),
        ["Vehicle__c", "Depot__c", "Region__c"]
    );
    let told: Vec<String> = watched(&sync, &objects)
        .iter()
        .map(|watched| {
            format!(
                "{} {}.{} {}",
                watched.path,
                watched.object,
                watched.field,
                watched.uses.len()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "Name Vehicle__c.Name 2",
            "Depot__r.Region__r.Code__c Region__c.Code__c 1",
            "Depot__c Vehicle__c.Depot__c 1"
        ]
    );
}
