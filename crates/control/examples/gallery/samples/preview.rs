//! The wizard's preview, with the dry run in each of its states.

use std::time::Duration;

use landbridge_control::console::Place;
use landbridge_control::console::parts::Paging;
use landbridge_control::console::wizard::prediction::{
    Change, DryRun, PredictedLink, PredictedRecord, Prediction, Unpredictable, WouldBe,
};
use landbridge_control::console::wizard::preview::{Preview, page};
use landbridge_control::console::wizard::{Draft, Step};
use landbridge_model::ask::CallCount;
use landbridge_model::{Failure, FailureCategory, HubSpotId, Problem, yaml};

use super::{Gallery, world};

fn change(property: &str, before: Option<&str>, after: Option<&str>) -> Change {
    Change {
        property: property.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    }
}

fn record(number: u32, name: &str, would_be: WouldBe) -> PredictedRecord {
    PredictedRecord {
        id: world::id(number),
        name: name.to_owned(),
        hubspot_id: (would_be != WouldBe::Created).then(|| HubSpotId(8_210_077_000 + u64::from(number))),
        would_be,
        changes: Vec::new(),
        links: Vec::new(),
        refusal: None,
        reason: None,
    }
}

fn records() -> Vec<PredictedRecord> {
    let link = |field: &str, what: &str, waits| PredictedLink {
        field: field.to_owned(),
        what: what.to_owned(),
        waits,
    };
    let refusal = Failure::new(
        FailureCategory::PicklistOption,
        "fuel_type has no option for \"Hydrogen\" of Fuel__c.",
    )
    .property("fuel_type")
    .field("Fuel__c")
    .value("Hydrogen");
    vec![
        PredictedRecord {
            refusal: Some(refusal),
            ..record(11, "Hydrogen Van 7", WouldBe::Refused)
        },
        PredictedRecord {
            changes: vec![
                change("price", Some("21500"), Some("19990")),
                change("notes", Some("new tyres"), None),
                change("registered_on", None, Some("2025-11-02")),
            ],
            links: vec![link(
                "Depot__c",
                "would move from “Depot Nord” to “Depot Mitte”",
                false,
            )],
            ..record(12, "Transporter 12", WouldBe::Updated)
        },
        PredictedRecord {
            changes: vec![
                change("name", None, Some("Roadster 3")),
                change("vin", None, Some("WVWZZZ1JZXW000010")),
                change("price", None, Some("48200")),
                change("fuel_type", None, Some("ev")),
            ],
            links: vec![
                link(
                    "Account__c",
                    "would be associated with the company “Nordwind AG”",
                    false,
                ),
                link(
                    "Depot__c",
                    "would wait for its parent, which is not in HubSpot yet",
                    true,
                ),
            ],
            ..record(13, "Roadster 3", WouldBe::Created)
        },
        record(14, "Estate 9", WouldBe::Unchanged),
        PredictedRecord {
            reason: Some("Status__c is Scrapped: the filter wants Status__c not-equals Scrapped.".to_owned()),
            ..record(15, "Van 1", WouldBe::Filtered)
        },
        PredictedRecord {
            reason: Some("Its formula field depends on the moment at which it is read.".to_owned()),
            ..record(16, "Coupé 4", WouldBe::Unpredictable)
        },
    ]
}

fn prediction() -> Prediction {
    let calls = |family: &str, calls| CallCount {
        family: family.to_owned(),
        calls,
        refused: 0,
    };
    Prediction {
        at: world::before(75),
        looked_at: 51_332,
        records: 51_332,
        totals: vec![
            (WouldBe::Created, 45_890),
            (WouldBe::Updated, 1_204),
            (WouldBe::Unchanged, 1_080),
            (WouldBe::Filtered, 3_120),
            (WouldBe::Deleted, 0),
            (WouldBe::Refused, 37),
            (WouldBe::Unpredictable, 1),
        ],
        links: vec![
            ("would be made".to_owned(), 44_120),
            ("stand already".to_owned(), 2_010),
            ("would wait for their parent".to_owned(), 310),
            ("would be refused".to_owned(), 0),
        ],
        shown: None,
        list: records(),
        paging: Paging {
            first: 1,
            last: 6,
            total: Some(51_332),
            previous: None,
            next: Some("/tenants/acme/syncs/vehicles/edit/preview?page=2".to_owned()),
        },
        unpredictable: vec![
            Unpredictable {
                what: "Values of HubSpot's own calculated properties".to_owned(),
                why: "HubSpot computes them after the write".to_owned(),
                records: None,
            },
            Unpredictable {
                what: "Records that change while the import runs".to_owned(),
                why: "they are carried with the values that they have then".to_owned(),
                records: None,
            },
        ],
        salesforce_calls: vec![calls("bulk", 14), calls("query", 3)],
        hubspot_calls: vec![calls("objects", 472), calls("associations", 444)],
        cost_notes: Vec::new(),
        takes: Some(Duration::from_secs(312)),
        bounded_by: "HubSpot's limits".to_owned(),
        would_create: vec!["property salesforce_id of vehicles".to_owned()],
    }
}

pub(crate) fn add(gallery: &mut Gallery) {
    let shell = world::shell(Place::Connected);
    let definition = world::definition();
    let view = Preview {
        draft: world::draft(Step::TurnOn),
        yaml: yaml::export(std::slice::from_ref(&definition)),
        definition,
        problems: Vec::new(),
        notes: vec![Problem::new(
            "spec.fields[3]",
            "Registered__c to registered_on: the time of day is dropped; the day is the day in UTC",
            "",
        )],
        dry_run: DryRun::Done(Box::new(prediction())),
    };
    gallery.add("wizard-preview--filled", page(&shell, &Ok(view.clone())));
    let none = Preview {
        dry_run: DryRun::None {
            records: Some(51_332),
        },
        ..view.clone()
    };
    gallery.add("wizard-preview--empty", page(&shell, &Ok(none)));
    let sample = Prediction {
        looked_at: 200,
        shown: Some(WouldBe::Refused),
        list: Vec::new(),
        paging: Paging::default(),
        ..prediction()
    };
    gallery.add(
        "wizard-preview--sample",
        page(
            &shell,
            &Ok(Preview {
                dry_run: DryRun::Done(Box::new(sample)),
                ..view.clone()
            }),
        ),
    );
    let running = DryRun::Running {
        phase: "Reading Salesforce and comparing with HubSpot".to_owned(),
        compared: 18_400,
        of: Some(51_332),
        events: "/events".to_owned(),
    };
    gallery.add(
        "wizard-preview--running",
        page(
            &shell,
            &Ok(Preview {
                dry_run: running,
                ..view.clone()
            }),
        ),
    );
    let wrong = Preview {
        draft: Draft {
            wrong: vec![Step::Mappings],
            ..view.draft.clone()
        },
        problems: vec![Problem::new(
            "spec.fields[2].to",
            "vehicles has no property prise",
            "did you mean price?",
        )],
        dry_run: DryRun::None { records: None },
        ..view.clone()
    };
    gallery.add("wizard-preview--wrong", page(&shell, &Ok(wrong)));
    let failed = DryRun::Failed(world::unavailable());
    gallery.add(
        "wizard-preview--failed",
        page(
            &shell,
            &Ok(Preview {
                dry_run: failed,
                ..view
            }),
        ),
    );
    gallery.add("wizard-preview--error", page(&shell, &Err(world::unavailable())));
}
