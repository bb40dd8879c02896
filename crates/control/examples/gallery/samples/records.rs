//! Refused records, and the story of one.

use landbridge_control::console::failures::{self, FailureDetail, Failures};
use landbridge_control::console::parts::Paging;
use landbridge_control::console::record::{self, FindRecord, RecordStory, Standing};
use landbridge_control::console::{Place, Trouble};
use landbridge_model::ask::{FailureEntry, StoryLine};
use landbridge_model::{Failure, FailureCategory, HubSpotId, StageKind};

use super::{Gallery, world};

pub(super) fn add(gallery: &mut Gallery) {
    failure_pages(gallery);
    record_pages(gallery);
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
        run: None,
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
