//! Undoing a revision: the plan, while it goes, and the account.

use landbridge_control::ask::{
    ImportFate, LiveWrites, PlannedImport, RevisionUndo, RevisionUndoPlan, RevisionUndoStatus, StayingImport,
};
use landbridge_control::console::Place;
use landbridge_control::console::undo::{self, UndoPage};
use landbridge_model::before::UndoCounts;
use landbridge_model::{ImportId, Revision};

use super::{Gallery, world};

fn import_id(tail: &str) -> ImportId {
    ImportId::new(&format!("imp-20260301-101500-{tail}")).expect("the id is right")
}

fn planned(tail: &str, fate: ImportFate, reason: Option<&str>) -> PlannedImport {
    PlannedImport {
        id: import_id(tail),
        revision: Revision(3),
        back_fill: fate == ImportFate::Undo,
        started_ms: world::before(900).as_millisecond(),
        images: if fate == ImportFate::Undo { 483 } else { 0 },
        fate,
        reason: reason.map(str::to_owned),
    }
}

const KEPT_NOTHING: &str =
    "imp-20260301-101500-p2q4 did not keep what was there before it, so it cannot be undone";

fn plan() -> RevisionUndoPlan {
    let lines = [
        "     - from: Name",
        "       to: name",
        "-    - from: Fuel__c",
        "-      to: fuel_type",
    ];
    RevisionUndoPlan {
        back_to: Revision(2),
        later: vec![Revision(4)],
        lines: lines.map(str::to_owned).to_vec(),
        imports: vec![
            planned("p2q4", ImportFate::Stays, Some(KEPT_NOTHING)),
            planned("k3f9", ImportFate::Undo, None),
            planned("a7b8", ImportFate::Undone, None),
        ],
        live: LiveWrites {
            records: 312,
            links: 1,
        },
        stays: vec!["fuel_type".to_owned()],
        obstacle: None,
    }
}

fn status() -> RevisionUndoStatus {
    RevisionUndoStatus {
        by: "user:mira".to_owned(),
        began_ms: world::before(120).as_millisecond(),
        ended_ms: Some(world::before(20).as_millisecond()),
        back_to: Revision(2),
        tag: "r3-9c1f".to_owned(),
        imports: vec![import_id("k3f9")],
        stays: vec![StayingImport {
            id: import_id("p2q4"),
            reason: KEPT_NOTHING.to_owned(),
        }],
        live: LiveWrites {
            records: 312,
            links: 1,
        },
        counts: UndoCounts {
            restored: 48_000,
            archived: 0,
            links: 0,
            left: 12,
        },
        made: Some(Revision(5)),
        trouble: None,
    }
}

pub(super) fn add(gallery: &mut Gallery) {
    let shell = world::shell(Place::Connected);
    let (tenant, name) = (world::tenant(), world::sync_name("vehicles"));
    let found = RevisionUndo {
        sync: name.clone(),
        revision: Revision(3),
        tag: "r3-9c1f".to_owned(),
        plan: Some(plan()),
        undo: None,
    };
    let mut show = |page: &str, found: RevisionUndo, events: Option<String>| {
        let view = UndoPage { undo: found, events };
        gallery.add(page, undo::page(&shell, &tenant, (&name, Revision(3)), &Ok(view)));
    };
    show("revision-undo--filled", found.clone(), None);
    let blocked = RevisionUndoPlan {
        obstacle: Some(
            "the import imp-20260301-101500-k3f9 has not ended: cancel it, or wait for its end".to_owned(),
        ),
        ..plan()
    };
    let blocked = RevisionUndo {
        plan: Some(blocked),
        ..found.clone()
    };
    show("revision-undo--blocked", blocked, None);
    let going = RevisionUndoStatus {
        ended_ms: None,
        made: None,
        ..status()
    };
    let of = |undo| RevisionUndo {
        plan: None,
        undo: Some(undo),
        ..found.clone()
    };
    show("revision-undo--running", of(going), None);
    show("revision-undo--done", of(status()), None);
    gallery.add(
        "revision-undo--error",
        undo::page(&shell, &tenant, (&name, Revision(3)), &Err(world::unavailable())),
    );
}
