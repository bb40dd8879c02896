use landbridge_model::config::ImportWish;
use landbridge_model::{ImportId, SyncName, TenantId, yaml};

use super::*;

const KEPT: Duration = Duration::from_secs(10);

/// A revision that maps these properties, made at a thousand times its number.
fn revision(number: u32, properties: &[&str]) -> StoredRevision {
    let fields: Vec<String> = properties
        .iter()
        .map(|to| format!("{{ from: Name, to: {to} }}"))
        .collect();
    let text = format!(
        "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: vehicles }}\nspec:\n  salesforce: \
         {{ object: Vehicle__c }}\n  hubspot: {{ objectType: vehicles }}\n  fields: [ {} ]\n",
        fields.join(", ")
    );
    StoredRevision {
        revision: Revision(number),
        definition: yaml::load("test.yaml", &text).unwrap().remove(0),
        by: None,
        at_ms: i64::from(number) * 1_000,
    }
}

fn import(id: &str, revision: u32, started_ms: i64) -> Import {
    Import {
        id: ImportId::new(id).unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        sync: SyncName::new("vehicles").unwrap(),
        revision: Revision(revision),
        wish: ImportWish::Run,
        overwrite: false,
        only: None,
        keep_before: true,
        undo_ms: None,
        started_by: String::new(),
        started_ms,
        continues: None,
        after: Vec::new(),
    }
}

fn ended(import: &Import) -> Seen<'_> {
    Seen {
        import,
        images: 2,
        is_open: false,
        ended_ms: Some(import.started_ms + 100),
        undo_ended: None,
    }
}

/// What is decided of each import, in the order in which it is done.
fn fates<'d>(decided: &'d Decided<'_>) -> Vec<(&'d str, ImportFate)> {
    let imports = decided.imports.iter();
    imports.map(|import| (import.id.as_str(), import.fate)).collect()
}

#[test]
fn a_revision_goes_with_all_that_came_after_it() {
    let revisions = [
        revision(1, &["name"]),
        revision(2, &["name", "price"]),
        revision(3, &["name", "price", "fuel"]),
    ];
    for (undone, back_to, later, stays) in [
        (2, 1, vec![Revision(3)], vec!["fuel", "price"]),
        (3, 2, vec![], vec!["fuel"]),
    ] {
        let decided = decide(&revisions, Revision(undone), &[], 0, KEPT).unwrap();
        assert_eq!(decided.back_to.revision, Revision(back_to));
        assert_eq!((&decided.later, &decided.imports), (&later, &vec![]));
        assert_eq!(decided.stays, stays, "revision {undone}");
        assert_eq!(decided.obstacle, None);
    }
}

#[test]
fn what_cannot_be_undone_at_all_is_refused_with_the_reason() {
    let same = |number| revision(number, &["name"]);
    let other = |number| revision(number, &["name", "price"]);
    for (revisions, undone, expected) in [
        (vec![same(1)], 9, "no revision r9"),
        (vec![same(1), other(2)], 1, "first revision"),
        // Numbers that are no longer kept.
        (vec![same(4), other(5)], 4, "first revision"),
        (vec![same(1), same(2)], 2, "objects themselves changed"),
        (vec![same(1), other(2), same(3)], 2, "nothing of r2 is left"),
    ] {
        let refused = decide(&revisions, Revision(undone), &[], 0, KEPT).unwrap_err();
        let (Refusal::Unknown(why) | Refusal::Impossible(why)) = &refused;
        assert!(why.contains(expected), "{why}");
        assert_eq!(matches!(refused, Refusal::Unknown(_)), undone == 9);
    }
}

#[test]
fn each_import_is_undone_or_said_to_stay_the_newest_first() {
    use ImportFate::{Stays, Undo, Undone};
    let revisions = [revision(1, &["name"]), revision(2, &["name", "price"])];
    let older = import("imp-older", 1, 1_000);
    let across = import("imp-across", 1, 1_950);
    let first = import("imp-first", 2, 2_500);
    let second = Import {
        continues: Some(first.id.clone()),
        ..import("imp-second", 2, 3_000)
    };
    let plain = Import {
        keep_before: false,
        ..import("imp-plain", 2, 3_500)
    };
    let undone = Seen {
        undo_ended: Some(true),
        ..ended(&second)
    };
    for (seen, now_ms, expected) in [
        (vec![ended(&older)], 5_000, vec![]),
        (vec![ended(&across)], 5_000, vec![("imp-across", Stays)]),
        (vec![ended(&first)], 5_000, vec![("imp-first", Undo)]),
        (vec![ended(&first)], 12_501, vec![("imp-first", Stays)]),
        (vec![ended(&plain)], 5_000, vec![("imp-plain", Stays)]),
        (
            vec![ended(&first), ended(&plain), ended(&older), ended(&second)],
            5_000,
            vec![("imp-plain", Stays), ("imp-second", Undo), ("imp-first", Undo)],
        ),
        (
            vec![ended(&first), undone],
            5_000,
            vec![("imp-second", Undone), ("imp-first", Undo)],
        ),
    ] {
        let decided = decide(&revisions, Revision(2), &seen, now_ms, KEPT).unwrap();
        assert_eq!(fates(&decided), expected);
        for import in &decided.imports {
            let is_told = import.reason.as_ref().is_some_and(|reason| !reason.is_empty());
            assert_eq!(is_told, import.fate == Stays, "{import:?}");
        }
        assert_eq!(decided.obstacle, None);
    }
}

#[test]
fn imports_are_undone_where_the_definition_is_back_already() {
    let revisions = [
        revision(1, &["name"]),
        revision(2, &["name", "price"]),
        revision(3, &["name"]),
    ];
    let import = import("imp-1", 2, 2_500);
    let decided = decide(&revisions, Revision(2), &[ended(&import)], 5_000, KEPT).unwrap();
    assert_eq!(fates(&decided), [("imp-1", ImportFate::Undo)]);
    let gone = decide(&revisions, Revision(2), &[ended(&import)], 99_000, KEPT);
    assert!(matches!(gone, Err(Refusal::Impossible(_))), "{gone:?}");
}

#[test]
fn what_runs_stands_in_the_way() {
    let revisions = [revision(1, &["name"]), revision(2, &["name", "price"])];
    let (old, new) = (import("imp-old", 1, 1_000), import("imp-new", 2, 2_500));
    for (seen, expected) in [
        (ended(&new), None),
        (
            Seen {
                is_open: true,
                ended_ms: None,
                ..ended(&new)
            },
            Some("imp-new has not ended"),
        ),
        // Also one of an older revision: it would write on while others are undone.
        (
            Seen {
                is_open: true,
                ended_ms: None,
                ..ended(&old)
            },
            Some("imp-old has not ended"),
        ),
        (
            Seen {
                undo_ended: Some(false),
                ..ended(&old)
            },
            Some("imp-old is being undone"),
        ),
        // A cancelled import that was undone is over, though the account never saw its end.
        (
            Seen {
                undo_ended: Some(true),
                is_open: true,
                ended_ms: None,
                ..ended(&new)
            },
            None,
        ),
    ] {
        let decided = decide(&revisions, Revision(2), &[seen], 5_000, KEPT).unwrap();
        match (&decided.obstacle, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
            _ => panic!("{seen:?}: {:?}", decided.obstacle),
        }
    }
}
