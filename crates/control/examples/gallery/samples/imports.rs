//! Imports: the table, one import, starting some.

use std::time::Duration;

use landbridge_control::console::imports::{self, ImportDetail, ImportRow, Imports};
use landbridge_control::console::parts::Paging;
use landbridge_control::console::start_import::{self, Estimate, Importable, StartImport};
use landbridge_control::console::{Place, Trouble};
use landbridge_model::ask::{ImportStatus, UndoStatus};
use landbridge_model::before::UndoCounts;
use landbridge_model::{ImportId, Revision};

use super::running::{links, outcomes};
use super::{Gallery, world};

pub(super) fn add(gallery: &mut Gallery) {
    import_pages(gallery);
    start_pages(gallery);
}

fn import(id: &str, state: &str, numbers: [u64; 9], in_flight: u64, ended: Option<i64>) -> ImportRow {
    let settled: u64 = numbers.iter().sum();
    ImportRow {
        status: ImportStatus {
            id: ImportId::new(id).expect("an import's id"),
            sync: world::sync_name("vehicles"),
            revision: Revision(3),
            state: state.to_owned(),
            salesforce_total: (state != "Queued" && state != "Counting").then_some(if ended.is_some() {
                settled
            } else {
                48_212
            }),
            extracted: settled + in_flight,
            outcomes: outcomes(numbers),
            in_flight,
            links: links(if settled > 20_000 {
                [22_010, 0, 310, 2]
            } else {
                [0; 4]
            }),
            rate: 182.4,
            remaining_seconds: None,
            started_by: "Mira Okonkwo".to_owned(),
            started_ms: world::before(600).as_millisecond(),
            ended_ms: ended.map(|seconds| world::before(seconds).as_millisecond()),
            unaccounted: 0,
            reason: None,
            waits_for: Vec::new(),
            keeps_before: false,
            undo: None,
        },
        objects: ("Vehicle".to_owned(), "Vehicle".to_owned()),
    }
}

fn import_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Imports);
    let tenant = world::tenant();
    let mut running = import(
        "vehicles-7f2c",
        "Running",
        [25_000, 1_204, 400, 0, 12, 0, 0, 3, 37],
        800,
        None,
    );
    running.status.remaining_seconds = Some(118.0);
    let mut failed = import(
        "vehicles-55b0",
        "Failed",
        [900, 0, 0, 0, 0, 0, 0, 0, 0],
        0,
        Some(300),
    );
    failed.status.reason = Some(
        "Salesforce refuses the user: its licence was removed. Give it a licence, then resume.".to_owned(),
    );
    let mut queued = import("depots-9e01", "Queued", [0; 9], 0, None);
    queued.status.waits_for = vec![running.status.id.clone()];
    let rows = vec![
        running.clone(),
        queued.clone(),
        import("rentals-31aa", "Counting", [0; 9], 0, None),
        import(
            "vehicles-2c77",
            "Paused",
            [9_000, 0, 0, 0, 0, 0, 0, 0, 0],
            12,
            None,
        ),
        import(
            "vehicles-04d1",
            "Completed with errors",
            [45_890, 1_204, 1_080, 0, 3_120, 0, 0, 0, 37],
            0,
            Some(400),
        ),
        import(
            "depots-88e2",
            "Completed",
            [212, 0, 0, 0, 0, 0, 0, 0, 0],
            0,
            Some(500),
        ),
        import(
            "vehicles-1e90",
            "Canceled",
            [4_400, 0, 0, 0, 0, 0, 0, 0, 0],
            0,
            Some(500),
        ),
        failed.clone(),
    ];
    let view = Imports {
        rows,
        paging: Paging {
            first: 1,
            last: 8,
            total: Some(8),
            previous: None,
            next: None,
        },
        events: Some("/events".to_owned()),
    };
    gallery.add("imports--filled", imports::page(&shell, &tenant, &Ok(view)));
    let empty = Imports {
        rows: Vec::new(),
        paging: Paging::default(),
        events: None,
    };
    gallery.add("imports--empty", imports::page(&shell, &tenant, &Ok(empty)));
    gallery.add(
        "imports--error",
        imports::page(&shell, &tenant, &Err(world::unavailable())),
    );
    let detail = |row: ImportRow, is_paused| ImportDetail {
        row,
        is_paused,
        continues: None,
        continued_by: None,
        events: Some("/events".to_owned()),
    };
    gallery.add(
        "import--running",
        imports::detail_page(&shell, &tenant, &Ok(detail(running, false))),
    );
    gallery.add(
        "import--failed",
        imports::detail_page(&shell, &tenant, &Ok(detail(failed, false))),
    );
    undo_pages(gallery);
    gallery.add(
        "import--empty",
        imports::detail_page(&shell, &tenant, &Ok(detail(queued, false))),
    );
    gallery.add(
        "import--error",
        imports::detail_page(&shell, &tenant, &Err(world::unavailable())),
    );
}

/// An import that can be undone, is being undone, and was.
fn undo_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Imports);
    let tenant = world::tenant();
    let undone = |state: &str, undo: Option<UndoStatus>| {
        let mut row = import(
            "vehicles-04d1",
            state,
            [45_890, 1_204, 1_080, 0, 3_120, 0, 0, 0, 0],
            0,
            Some(4_000),
        );
        row.status.keeps_before = true;
        let is_under_way = undo.as_ref().is_some_and(|undo| undo.ended_ms.is_none());
        row.status.undo = undo;
        ImportDetail {
            row,
            is_paused: false,
            continues: None,
            continued_by: None,
            events: is_under_way.then(|| "/events".to_owned()),
        }
    };
    let begun = |restored, archived, links, left| UndoStatus {
        by: "Mira Okonkwo".to_owned(),
        began_ms: world::before(300).as_millisecond(),
        ended_ms: None,
        counts: UndoCounts {
            restored,
            archived,
            links,
            left,
        },
        trouble: None,
    };
    let stuck = UndoStatus {
        trouble: Some("HubSpot's daily calls are used up until midnight, Europe/Berlin".to_owned()),
        ..begun(640, 20_400, 9_310, 0)
    };
    let over = UndoStatus {
        ended_ms: Some(world::before(60).as_millisecond()),
        ..begun(1_187, 45_873, 22_010, 34)
    };
    for (name, detail) in [
        ("import--undoable", undone("Completed", None)),
        (
            "import--undoing",
            undone("Undoing", Some(begun(640, 20_400, 9_310, 0))),
        ),
        ("import--undo-stuck", undone("Undoing", Some(stuck))),
        ("import--undone", undone("Undone", Some(over))),
    ] {
        gallery.add(name, imports::detail_page(&shell, &tenant, &Ok(detail)));
    }
}

fn start_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Imports);
    let tenant = world::tenant();
    let estimate = |records, seconds| Estimate {
        records,
        salesforce_calls: 4 + records / 5_000,
        hubspot_calls: records / 50,
        before_calls: records / 100,
        takes: Some(Duration::from_secs(seconds)),
    };
    let one =
        |name: &str, label: &str, is_chosen, estimate, blocked: Option<&str>, after: &[&str]| Importable {
            name: world::sync_name(name),
            objects: (label.to_owned(), label.to_owned()),
            is_chosen,
            estimate,
            blocked: blocked.map(str::to_owned),
            after: after.iter().map(|name| world::sync_name(name)).collect(),
            is_filtered: name == "vehicles",
        };
    let view = StartImport {
        syncs: vec![
            one("depots", "Depot", true, Ok(estimate(212, 2)), None, &[]),
            one(
                "vehicles",
                "Vehicle",
                true,
                Ok(estimate(48_212, 258)),
                None,
                &["depots"],
            ),
            one(
                "rentals",
                "Rental",
                false,
                Err("suspended: its schema changed".to_owned()),
                Some("The sync is suspended; resume it first."),
                &["vehicles"],
            ),
        ],
        chosen: Some(estimate(48_424, 260)),
        overwrite: false,
        keep_before: false,
        trouble: None,
    };
    gallery.add(
        "start-import--filled",
        start_import::page(&shell, &tenant, &Ok(view.clone())),
    );
    let refused = StartImport {
        chosen: None,
        trouble: Some(Trouble::new(
            "Nothing was started.",
            "Choose at least one object.",
        )),
        ..view.clone()
    };
    gallery.add(
        "start-import--wrong",
        start_import::page(&shell, &tenant, &Ok(refused)),
    );
    gallery.add(
        "start-import--empty",
        start_import::page(
            &shell,
            &tenant,
            &Ok(StartImport {
                syncs: Vec::new(),
                ..view
            }),
        ),
    );
    gallery.add(
        "start-import--error",
        start_import::page(&shell, &tenant, &Err(world::unavailable())),
    );
}
