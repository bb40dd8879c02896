//! A synced object's own tab, and what all samples of running things count by.

use std::collections::BTreeSet;
use std::time::Duration;

use landbridge_control::console::Place;
use landbridge_control::console::identity::{self, IdentityView};
use landbridge_control::console::parts::choices;
use landbridge_control::console::schema::SchemaView;
use landbridge_control::console::sync::{
    self, BackFill, DeleteSync, DuplicateSync, Reading, RevisionDiff, RevisionRow, RowUndo, SyncTab,
};
use landbridge_model::ask::{FallBack, FormulaReading, ReconcileStatus, StreamState, StreamStatus};
use landbridge_model::config::SyncStatus;
use landbridge_model::drift::{Consequence, SchemaChange, SchemaEvent, Whereabouts};
use landbridge_model::formula::{ParentRead, Unstamped};
use landbridge_model::salesforce::FieldType;
use landbridge_model::{LinkOutcome, Outcome, Problem, Revision, yaml};

use super::{Gallery, world};

pub(super) fn outcomes(numbers: [u64; 9]) -> Vec<(Outcome, u64)> {
    Outcome::ALL.into_iter().zip(numbers).collect()
}

pub(super) fn links(numbers: [u64; 4]) -> Vec<(LinkOutcome, u64)> {
    LinkOutcome::ALL.into_iter().zip(numbers).collect()
}

/// How an object's change events stand.
pub(super) fn stream(state: StreamState, why: Option<FallBack>) -> StreamStatus {
    StreamStatus {
        state,
        why,
        reason: why.map(|_| "You have exceeded the event delivery limit for your org.".to_owned()),
        events: 12_907,
        unheard: 0,
        behind_ms: None,
    }
}

fn schema() -> SchemaView {
    let event = |seconds, field: &str, change, consequence, text: &str| SchemaEvent {
        version: 1,
        revision: Revision(2),
        at_ms: world::before(seconds).as_millisecond(),
        object: "Vehicle__c".to_owned(),
        field: Some(field.to_owned()),
        change,
        consequence,
        text: text.to_owned(),
        resolves: false,
    };
    let (from, to) = (FieldType::Double, FieldType::String);
    let retyped = "Seats__c was of type double and is of type string: its property can hold that, so all records are read again";
    let gone = "Price__c is hidden from Landbridge's user by a permission: give the user read access to it, and resume the sync";
    let whereabouts = Whereabouts::Hidden;
    let field = Unstamped {
        field: "Age_Days__c".to_owned(),
        is_formula: true,
        depends_on_time: true,
        is_unreadable: false,
        parents: BTreeSet::new(),
    };
    let (object, lookup) = ("Depot__c".to_owned(), "Depot__c".to_owned());
    let above = Unstamped {
        field: "Label__c".to_owned(),
        depends_on_time: false,
        parents: BTreeSet::from([ParentRead { object, lookup }]),
        ..field.clone()
    };
    let formulas = FormulaReading {
        fields: vec![field, above],
        every_seconds: Some(86_400),
        records: 48_212,
        calls: 8,
        calls_per_day: 296,
        last_ms: Some(world::before(30_000).as_millisecond()),
        last_read: 48_212,
        last_sent: 31_004,
    };
    SchemaView {
        formulas,
        looked: Some(world::before(120)),
        events: vec![
            event(
                900,
                "Price__c",
                SchemaChange::FieldGone { whereabouts },
                Consequence::Suspend,
                gone,
            ),
            event(
                4_000,
                "Seats__c",
                SchemaChange::FieldRetyped { from, to },
                Consequence::BackFill,
                retyped,
            ),
            event(
                9_000,
                "Color__c",
                SchemaChange::FieldAdded { kind: to },
                Consequence::Continue,
                "Color__c is new: map it if it is to be carried",
            ),
        ],
    }
}

fn add_identity(gallery: &mut Gallery) {
    let shell = world::shell(Place::Connected);
    let view = IdentityView {
        pinned: Some("00DHs000001AbCdMAK".to_owned()),
        answers: Ok("00DHs000009ZyXwMAV".to_owned()),
        is_suspended: true,
        active: 3,
    };
    gallery.add(
        "identity--other",
        identity::page(&shell, &world::tenant(), &Ok(view.clone())),
    );
    let same = IdentityView {
        answers: Ok("00DHs000001AbCdMAK".to_owned()),
        is_suspended: false,
        ..view.clone()
    };
    gallery.add(
        "identity--same",
        identity::page(&shell, &world::tenant(), &Ok(same)),
    );
    let silent = IdentityView {
        answers: Err(world::unavailable()),
        ..view
    };
    gallery.add(
        "identity--silent",
        identity::page(&shell, &world::tenant(), &Ok(silent)),
    );
}

pub(super) fn add(gallery: &mut Gallery) {
    add_identity(gallery);
    let shell = world::shell(Place::Connected);
    let (tenant, name) = (world::tenant(), world::sync_name("vehicles"));
    let definition = world::definition();
    let newer = yaml::export(std::slice::from_ref(&definition));
    let mut before = definition.clone();
    before.spec.fields.truncate(5);
    let older = yaml::export(std::slice::from_ref(&before));
    let revision = |number, seconds, summary: &str| RevisionRow {
        revision: Revision(number),
        at: world::before(seconds),
        by: "Mira Okonkwo".to_owned(),
        summary: summary.to_owned(),
        undo: if number > 1 {
            RowUndo::Possible
        } else {
            RowUndo::Impossible
        },
    };
    let view = SyncTab {
        syncs: world::syncs(),
        definition,
        revision: Revision(3),
        etag: "r3-9c1f".to_owned(),
        status: SyncStatus::Active,
        reason: None,
        behind: Some(Duration::from_secs(7)),
        changes: outcomes([45_902, 12_044, 80_210, 3, 3_120, 12, 0, 4, 38]),
        links: links([44_120, 210, 310, 0]),
        reading: Some(Reading {
            reconcile: Some(ReconcileStatus {
                began_ms: world::before(7_200).as_millisecond(),
                is_running: false,
                looked_for: 12_400,
                behind: 3,
                deleted: 1,
                absent: 2,
                kept: 0,
            }),
            covered: world::before(7),
            trouble: None,
            stream: Some(stream(StreamState::Streaming, None)),
        }),
        revisions: vec![
            revision(3, 1_200, "Maps Fuel__c to fuel_type."),
            revision(2, 90_000, "Adds a filter on Status__c."),
            revision(1, 200_000, "Made in the wizard."),
        ],
        shown: Some(RevisionDiff {
            from: Revision(2),
            to: Revision(3),
            lines: sync::diff(&older, &newer),
        }),
        back_fill: Some(BackFill {
            properties: vec!["fuel_type".to_owned()],
            everything: false,
            records: Some(48_212),
            calls: Some(483),
            takes: Some(Duration::from_secs(26)),
        }),
        schema: schema(),
        has_draft: false,
        trouble: None,
    };
    gallery.add(
        "sync--active",
        sync::page(&shell, &tenant, &name, &Ok(view.clone())),
    );
    let base = SyncTab {
        shown: None,
        back_fill: None,
        schema: SchemaView::default(),
        ..view
    };
    let suspended = SyncTab {
        status: SyncStatus::Suspended,
        reason: Some("HubSpot's object type vehicles no longer has the property fuel_type. Map Fuel__c to another property, or create it again, then resume.".to_owned()),
        behind: None,
        ..base.clone()
    };
    gallery.add(
        "sync--suspended",
        sync::page(&shell, &tenant, &name, &Ok(suspended)),
    );
    let late = Reading {
        reconcile: None,
        covered: world::before(900),
        trouble: Some("Salesforce answers that it is being maintained.".to_owned()),
        stream: Some(stream(StreamState::FallingBack, Some(FallBack::LimitReached))),
    };
    let paused = SyncTab {
        status: SyncStatus::Paused,
        behind: None,
        has_draft: true,
        reading: Some(late),
        ..base.clone()
    };
    gallery.add("sync--paused", sync::page(&shell, &tenant, &name, &Ok(paused)));
    let draft = SyncTab {
        status: SyncStatus::Draft,
        behind: None,
        changes: outcomes([0; 9]),
        links: links([0; 4]),
        reading: None,
        ..base
    };
    gallery.add("sync--empty", sync::page(&shell, &tenant, &name, &Ok(draft)));
    gallery.add(
        "sync--error",
        sync::page(&shell, &tenant, &name, &Err(world::unavailable())),
    );
    let delete = DeleteSync {
        children: vec![world::sync_name("rentals")],
        is_mistyped: true,
        etag: "r3-9c1f".to_owned(),
    };
    gallery.add(
        "sync-delete--filled",
        sync::delete_page(&shell, &tenant, &name, &Ok(delete)),
    );
    gallery.add(
        "sync-delete--error",
        sync::delete_page(&shell, &tenant, &name, &Err(world::unavailable())),
    );
    let copy = DuplicateSync {
        name: "vehicles-copy".to_owned(),
        objects: choices(&[("Rental__c", "Rental"), ("Depot__c", "Depot")]),
        object_types: choices(&[("rentals", "Rental"), ("depots", "Depot")]),
        ..DuplicateSync::default()
    };
    gallery.add(
        "sync-duplicate--filled",
        sync::duplicate_page(&shell, &tenant, &name, &copy),
    );
    let wrong = DuplicateSync {
        name: "vehicles".to_owned(),
        object: "Depot__c".to_owned(),
        object_type: "depots".to_owned(),
        objects: Vec::new(),
        object_types: Vec::new(),
        problems: vec![Problem::new(
            "name",
            "there is a sync vehicles already",
            "give the copy a name of its own",
        )],
    };
    gallery.add(
        "sync-duplicate--wrong",
        sync::duplicate_page(&shell, &tenant, &name, &wrong),
    );
}
