//! Sync health, of one tenant and across tenants.

use std::time::Duration;

use landbridge_control::console::Place;
use landbridge_control::console::health::{
    self, AllHealth, ApiBudget, Backlog, Budgets, FailureGroup, FreshnessBucket, Health, HeldDeletes,
    OutcomeBucket, ParkedLinks, SuspendedSync, TenantHealth,
};
use landbridge_control::console::parts;
use landbridge_model::ask::{FallBack, StreamState};
use landbridge_model::{FailureCategory, Lane, StageKind, TenantId};

use super::running::outcomes;
use super::{Gallery, running, world};

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
        used_by_landbridge: Some(ours),
        allocated,
        reserved,
        forecast: Some(used + used / 2),
        renews: renews.to_owned(),
    };
    let lane = |stage, lane, messages| Backlog {
        stage,
        lane,
        messages,
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
            lane(StageKind::Mapper, Lane::Live, 0),
            lane(StageKind::Loader, Lane::Live, 3),
            lane(StageKind::Loader, Lane::Bulk, 14),
            lane(StageKind::Loader, Lane::Links, 2),
        ],
        parked: vec![ParkedLinks { sync: world::sync_name("vehicles"), field: "Depot__c".to_owned(), parent: "Depot__c".to_owned(), links: 310, oldest: Duration::from_secs(180_000), example: Some(world::id(77)) }],
        budgets: Budgets {
            salesforce: Some(budget(115_000, 16_880, 3_200, 30_000, 11_500, "over the last 24 hours")),
            hubspot: Some(budget(1_000_000, 912_590, 640_100, 900_000, 100_000, "starts anew at midnight, Europe/Berlin")),
            allocation: Some(30_000),
            etag: "1f".to_owned(),
            problems: Vec::new(),
        },
        failures: vec![group(FailureCategory::PicklistOption, 31, 300), group(FailureCategory::DuplicateUniqueValue, 5, 9_000), group(FailureCategory::HubSpotError, 2, 40)],
        suspended: vec![SuspendedSync { name: world::sync_name("rentals"), reason: "HubSpot's object type rentals no longer has the property ends_on, which 1 field is mapped to. Map it to another property, or create it again.".to_owned(), since: Some(world::before(90_000)) }],
        held: vec![HeldDeletes { sync: world::sync_name("vehicles"), waiting: 2_410, in_grace: 12, limit: "5 % of the records in one hour".to_owned(), since: world::before(4_000), examples: vec![world::id(4), world::id(5)] }],
        streams: vec![
            (world::sync_name("vehicles"), running::stream(StreamState::Streaming, None)),
            (world::sync_name("depots"), running::stream(StreamState::FallingBack, Some(FallBack::LimitReached))),
        ],
        notes: vec!["HubSpot's daily limit is nearly used up; imports slow down until midnight, Europe/Berlin.".to_owned()],
        has_history: true,
        events: Some("/events".to_owned()),
    }
}

pub(super) fn add(gallery: &mut Gallery) {
    let shell = world::shell(Place::Health);
    let tenant = world::tenant();
    gallery.add("health--filled", health::page(&shell, &tenant, &Ok(health())));
    let well = Health {
        failures: Vec::new(),
        suspended: Vec::new(),
        held: Vec::new(),
        streams: Vec::new(),
        notes: Vec::new(),
        parked: Vec::new(),
        backlog: Vec::new(),
        budgets: Budgets {
            salesforce: None,
            hubspot: None,
            allocation: None,
            etag: "1f".to_owned(),
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
