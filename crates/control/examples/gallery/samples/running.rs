//! What runs: a sync's tab, imports, health, failures, records.

use std::time::Duration;

use landbridge_control::console::failures::{self, FailureDetail, Failures};
use landbridge_control::console::health::{
    self, AllHealth, ApiBudget, Backlog, Budgets, FailureGroup, FreshnessBucket, Health, HeldDeletes,
    OutcomeBucket, ParkedLinks, SuspendedSync, TenantHealth,
};
use landbridge_control::console::imports::{self, ImportDetail, ImportRow, Imports};
use landbridge_control::console::parts::{self, Paging};
use landbridge_control::console::record::{self, FindRecord, RecordStory, Standing};
use landbridge_control::console::start_import::{self, Estimate, Importable, StartImport};
use landbridge_control::console::sync::{
    self, BackFill, DeleteSync, Reading, RevisionDiff, RevisionRow, SyncTab,
};
use landbridge_control::console::{Place, Trouble};
use landbridge_model::ask::{FailureEntry, ImportStatus, StoryLine};
use landbridge_model::config::SyncStatus;
use landbridge_model::{
    Failure, FailureCategory, HubSpotId, ImportId, Lane, LinkOutcome, Outcome, Revision, StageKind, TenantId,
    yaml,
};

use super::{Gallery, world};

pub(crate) fn add(gallery: &mut Gallery) {
    sync_pages(gallery);
    import_pages(gallery);
    start_pages(gallery);
    health_pages(gallery);
    failure_pages(gallery);
    record_pages(gallery);
}

fn outcomes(numbers: [u64; 9]) -> Vec<(Outcome, u64)> {
    Outcome::ALL.into_iter().zip(numbers).collect()
}

fn links(numbers: [u64; 4]) -> Vec<(LinkOutcome, u64)> {
    LinkOutcome::ALL.into_iter().zip(numbers).collect()
}

fn sync_pages(gallery: &mut Gallery) {
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
            covered: world::before(7),
            trouble: None,
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
            records: Some(48_212),
            calls: Some(483),
            takes: Some(Duration::from_secs(26)),
        }),
        has_draft: false,
    };
    gallery.add(
        "sync--active",
        sync::page(&shell, &tenant, &name, &Ok(view.clone())),
    );
    let base = SyncTab {
        shown: None,
        back_fill: None,
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
        covered: world::before(900),
        trouble: Some("Salesforce answers that it is being maintained.".to_owned()),
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
        written: Some(45_890),
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
            started_ms: world::before(600).as_millisecond(),
            ended_ms: ended.map(|seconds| world::before(seconds).as_millisecond()),
            unaccounted: 0,
            reason: None,
        },
        objects: ("Vehicle".to_owned(), "Vehicle".to_owned()),
        started_by: "Mira Okonkwo".to_owned(),
        remaining: None,
    }
}

fn import_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Imports);
    let tenant = world::tenant();
    let running = ImportRow {
        remaining: Some(Duration::from_secs(118)),
        ..import(
            "vehicles-7f2c",
            "Running",
            [25_000, 1_204, 400, 0, 12, 0, 0, 0, 37],
            800,
            None,
        )
    };
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
    let rows = vec![
        running.clone(),
        import("depots-9e01", "Queued", [0; 9], 0, None),
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
    let queued = import("depots-9e01", "Queued", [0; 9], 0, None);
    gallery.add(
        "import--empty",
        imports::detail_page(&shell, &tenant, &Ok(detail(queued, true))),
    );
    gallery.add(
        "import--error",
        imports::detail_page(&shell, &tenant, &Err(world::unavailable())),
    );
}

fn start_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Imports);
    let tenant = world::tenant();
    let estimate = |records, seconds| Estimate {
        records,
        salesforce_calls: 4 + records / 5_000,
        hubspot_calls: records / 50,
        takes: Duration::from_secs(seconds),
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

fn hour(place: usize) -> String {
    format!("{:02}:00", (place + 10) % 24)
}

fn health() -> Health {
    let shape = [
        3, 2, 2, 1, 1, 2, 4, 9, 14, 18, 20, 17, 15, 16, 19, 21, 18, 12, 8, 6, 5, 4, 3, 3u64,
    ];
    let bucket = |(place, busy): (usize, &u64)| OutcomeBucket {
        time: hour(place),
        counts: outcomes([
            busy * 40,
            busy * 95,
            busy * 60,
            0,
            busy * 8,
            busy / 2,
            0,
            0,
            if place == 14 { 260 } else { busy / 4 },
        ]),
    };
    let fresh = |(place, busy): (usize, &u64)| FreshnessBucket {
        time: hour(place),
        median: (place != 3).then(|| Duration::from_millis(2_800 + busy * 140)),
        p99: (place != 3)
            .then(|| Duration::from_millis(5_000 + busy * 700 + if place == 14 { 19_000 } else { 0 })),
    };
    let budget = |limit, used, ours, allocated, reserved, renews: &str| ApiBudget {
        limit,
        used,
        used_by_landbridge: ours,
        allocated,
        reserved,
        renews: renews.to_owned(),
    };
    let lane = |stage, lane, messages, oldest: Option<u64>| Backlog {
        stage,
        lane,
        messages,
        oldest: oldest.map(Duration::from_secs),
    };
    let group = |category, count, seconds| FailureGroup {
        category,
        count,
        syncs: vec![world::sync_name("vehicles")],
        latest: world::before(seconds),
    };
    Health {
        since: world::before(86_400),
        outcomes: shape.iter().enumerate().map(bucket).collect(),
        freshness: shape.iter().enumerate().map(fresh).collect(),
        behind: Some(Duration::from_secs(7)),
        p99: Some(Duration::from_secs(21)),
        bound: Some(Duration::from_secs(30)),
        backlog: vec![
            lane(StageKind::Mapper, Lane::Live, 0, None),
            lane(StageKind::Loader, Lane::Live, 3, Some(2)),
            lane(StageKind::Loader, Lane::Bulk, 14, Some(41)),
            lane(StageKind::Loader, Lane::Links, 2, Some(5)),
        ],
        parked: vec![ParkedLinks { sync: world::sync_name("vehicles"), field: "Depot__c".to_owned(), parent: "Depot__c".to_owned(), links: 310, oldest: Duration::from_secs(180_000), example: Some(world::id(77)) }],
        budgets: Budgets {
            salesforce: Some(budget(115_000, 16_880, 3_200, 30_000, 11_500, "over the last 24 hours")),
            hubspot: Some(budget(1_000_000, 912_590, 640_100, 900_000, 100_000, "starts anew at midnight, Europe/Berlin")),
            allocation: Some(30_000),
            problems: Vec::new(),
        },
        failures: vec![group(FailureCategory::PicklistOption, 31, 300), group(FailureCategory::DuplicateUniqueValue, 5, 9_000), group(FailureCategory::HubSpotError, 2, 40)],
        suspended: vec![SuspendedSync { name: world::sync_name("rentals"), reason: "HubSpot's object type rentals no longer has the property ends_on, which 1 field is mapped to. Map it to another property, or create it again.".to_owned(), since: world::before(90_000) }],
        held: vec![HeldDeletes { sync: world::sync_name("vehicles"), waiting: 2_410, in_grace: 12, limit: "5 % of the records in one hour".to_owned(), since: world::before(4_000), examples: vec![world::id(4), world::id(5)] }],
        notes: vec!["HubSpot's daily limit is nearly used up; imports slow down until midnight, Europe/Berlin.".to_owned()],
        has_history: true,
        events: Some("/events".to_owned()),
    }
}

fn health_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Health);
    let tenant = world::tenant();
    gallery.add("health--filled", health::page(&shell, &tenant, &Ok(health())));
    let well = Health {
        failures: Vec::new(),
        suspended: Vec::new(),
        held: Vec::new(),
        notes: Vec::new(),
        parked: Vec::new(),
        backlog: Vec::new(),
        budgets: Budgets {
            salesforce: None,
            hubspot: None,
            allocation: None,
            problems: Vec::new(),
        },
        ..health()
    };
    gallery.add(
        "health--well",
        health::page(&world::viewer(shell.clone()), &tenant, &Ok(well)),
    );
    let empty = Health {
        has_history: false,
        ..health()
    };
    gallery.add("health--empty", health::page(&shell, &tenant, &Ok(empty)));
    gallery.add(
        "health--error",
        health::page(&shell, &tenant, &Err(world::unavailable())),
    );

    let wide = world::wide_shell(Place::AllHealth);
    let row = |name: &str, health, note: &str, failures| TenantHealth {
        id: TenantId::new(name).expect("a tenant's name"),
        health,
        note: note.to_owned(),
        behind: Some(Duration::from_secs(8)),
        p99: Some(Duration::from_secs(24)),
        backlog: 17,
        parked: 310,
        failures,
        held: 0,
        calls: (Some(14), Some(91)),
    };
    let all = AllHealth {
        rows: vec![
            row(
                "acme",
                parts::Health::Stopped,
                "1 sync is suspended: rentals lost a property.",
                38,
            ),
            row(
                "cobalt-labs",
                parts::Health::Attention,
                "HubSpot's daily limit is nearly used up.",
                0,
            ),
            row("dunes", parts::Health::Good, "", 0),
        ],
        paging: world::paging(),
        carried: 182_400,
        failures: 38,
        suspended: 1,
        held: 2_410,
    };
    gallery.add("all-health--filled", health::across_page(&wide, &Ok(all.clone())));
    gallery.add(
        "all-health--empty",
        health::across_page(
            &wide,
            &Ok(AllHealth {
                rows: Vec::new(),
                ..all
            }),
        ),
    );
    gallery.add(
        "all-health--error",
        health::across_page(&wide, &Err(world::unavailable())),
    );
}

fn failure(number: u32, failure: Failure) -> FailureEntry {
    FailureEntry {
        sync: world::sync_name("vehicles"),
        id: world::id(number),
        version: world::version(),
        stage: StageKind::Loader,
        failure,
        at_ms: world::before(300).as_millisecond(),
        attempts: 3,
        link_field: None,
    }
}

fn failure_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Health);
    let tenant = world::tenant();
    let option = Failure::new(
        FailureCategory::PicklistOption,
        "fuel_type has no option for \"Hydrogen\" of Fuel__c",
    )
    .property("fuel_type")
    .field("Fuel__c")
    .value("Hydrogen");
    let mut taken = Failure::new(
        FailureCategory::DuplicateUniqueValue,
        "HubSpot says: vin WVWZZZ1JZXW000010 is already used by the record 8210077004",
    )
    .property("vin")
    .field("Vin__c")
    .value("WVWZZZ1JZXW000010");
    taken.correlation_id = Some("6a1c7a0e-9d0b-4f7e-8d6e-2f0f5c1d9b77".to_owned());
    let link = FailureEntry {
        link_field: Some("Depot__c".to_owned()),
        ..failure(
            13,
            Failure::new(
                FailureCategory::AssociationLimit,
                "HubSpot allows no further association of this record with depots",
            ),
        )
    };
    let view = Failures {
        rows: vec![failure(11, option), failure(12, taken.clone()), link],
        category: None,
        sync: String::new(),
        syncs: vec!["vehicles".to_owned(), "depots".to_owned()],
        query: String::new(),
        paging: Paging {
            first: 1,
            last: 3,
            total: Some(3),
            previous: None,
            next: None,
        },
    };
    gallery.add(
        "failures--filled",
        failures::page(&shell, &tenant, &Ok(view.clone())),
    );
    let none = Failures {
        rows: Vec::new(),
        paging: Paging::default(),
        ..view
    };
    gallery.add(
        "failures--empty",
        failures::page(&shell, &tenant, &Ok(none.clone())),
    );
    gallery.add(
        "failures--no-match",
        failures::page(
            &shell,
            &tenant,
            &Ok(Failures {
                category: Some(FailureCategory::Internal),
                ..none
            }),
        ),
    );
    gallery.add(
        "failures--error",
        failures::page(&shell, &tenant, &Err(world::unavailable())),
    );
    let detail = FailureDetail {
        entry: failure(12, taken),
        salesforce_link: Some("https://acme.my.salesforce.com/a04Hs0000000012".to_owned()),
        history: story(),
    };
    gallery.add(
        "failure--filled",
        failures::detail_page(&shell, &tenant, &Ok(detail)),
    );
    gallery.add(
        "failure--error",
        failures::detail_page(&shell, &tenant, &Err(world::unavailable())),
    );
}

fn story() -> Vec<StoryLine> {
    let line = |seconds: Option<i64>, stage, text: &str| StoryLine {
        at_ms: seconds.map(|seconds| world::before(seconds).as_millisecond()),
        stage,
        sync: Some(world::sync_name("vehicles")),
        text: text.to_owned(),
    };
    vec![
        line(
            Some(172_800),
            StageKind::Extractor,
            "read from Salesforce by the import vehicles-04d1, as of 2026-03-10 09:29:58 UTC",
        ),
        line(
            Some(172_790),
            StageKind::Loader,
            "created in HubSpot as record 8210077012",
        ),
        line(
            Some(172_780),
            StageKind::Resolver,
            "its link Depot__c waits for a04Hs0000000077AAB, which is not in HubSpot yet",
        ),
        line(
            Some(400),
            StageKind::Extractor,
            "read from Salesforce as it changed, as of 2026-03-12 09:23:20 UTC",
        ),
        line(
            Some(300),
            StageKind::Loader,
            "refused: vin WVWZZZ1JZXW000010 is already used by the record 8210077004",
        ),
        line(
            None,
            StageKind::Loader,
            "HubSpot has the version of 2026-03-10 09:29:58 UTC",
        ),
    ]
}

fn record_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Record);
    let tenant = world::tenant();
    let found = RecordStory {
        id: world::id(12),
        name: Some("Transporter 12".to_owned()),
        standing: Standing::Refused,
        hubspot_id: Some(HubSpotId(8_210_077_012)),
        salesforce_link: Some("https://acme.my.salesforce.com/a04Hs0000000012".to_owned()),
        hubspot_link: Some("https://app.hubspot.com/contacts/139902/record/2-4127733/8210077012".to_owned()),
        syncs: vec![world::sync_name("vehicles")],
        lines: story(),
    };
    let page = |query: &str, view| record::page(&shell, &tenant, query, &view);
    gallery.add(
        "record--found",
        page(found.id.as_str(), Ok(FindRecord::Found(Box::new(found.clone())))),
    );
    let never = RecordStory {
        name: None,
        standing: Standing::NeverSeen,
        hubspot_id: None,
        salesforce_link: None,
        hubspot_link: None,
        syncs: Vec::new(),
        lines: Vec::new(),
        id: world::id(99),
    };
    gallery.add(
        "record--never-seen",
        page(world::id(99).as_str(), Ok(FindRecord::Found(Box::new(never)))),
    );
    gallery.add("record--empty", page("", Ok(FindRecord::Nothing)));
    let nonsense = Trouble::new(
        "“Transporter” is neither an id nor the address of a record.",
        "Paste the 15 or 18 characters of a Salesforce id, a record's address, or HubSpot's record id.",
    );
    gallery.add(
        "record--not-an-id",
        page("Transporter", Ok(FindRecord::NotAnId(nonsense))),
    );
    gallery.add("record--error", page("8210077012", Err(world::unavailable())));
}
