//! Connected apps › Salesforce.

use landbridge_control::console::connected::{Connected, Connection, page};
use landbridge_control::console::{Notice, Place, Shell, TenantHead, Trouble};
use landbridge_model::ask::{HubSpotTest, LimitUse, SalesforceTest};

use super::{Gallery, world};

fn salesforce() -> SalesforceTest {
    SalesforceTest {
        org_id: "00DHs000001AbCdMAK".to_owned(),
        org_name: Some("Acme Rentals GmbH".to_owned()),
        user: "integration@acme.example".to_owned(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        api_version: "v64.0".to_owned(),
        daily_calls_max: Some(115_000),
        daily_calls_left: Some(98_120),
        clock_ms: None,
        problems: Vec::new(),
    }
}

fn hubspot() -> HubSpotTest {
    HubSpotTest {
        portal_id: 139_902,
        account_type: "STANDARD".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        ui_domain: Some("app-eu1.hubspot.com".to_owned()),
        data_hosting: Some("eu1".to_owned()),
        burst_max: Some(190),
        daily_max: Some(1_000_000),
        daily_left: Some(87_410),
        object_types: Some(LimitUse { limit: 10, used: 3 }),
        problems: Vec::new(),
    }
}

fn filled() -> Connected {
    Connected {
        salesforce: Connection::Tested {
            test: salesforce(),
            at: world::before(180),
        },
        hubspot: Connection::Tested {
            test: hubspot(),
            at: world::before(180),
        },
        syncs: world::syncs(),
        trouble: None,
    }
}

pub(crate) fn add(gallery: &mut Gallery) {
    let shell = || world::shell(Place::Connected);
    let tenant = world::tenant();
    gallery.add("connected--filled", page(&shell(), &tenant, &Ok(filled())));
    let empty = Connected {
        syncs: Vec::new(),
        ..filled()
    };
    gallery.add("connected--no-syncs", page(&shell(), &tenant, &Ok(empty)));
    let new = Connected {
        salesforce: Connection::Missing,
        hubspot: Connection::Missing,
        syncs: Vec::new(),
        trouble: None,
    };
    gallery.add("connected--empty", page(&shell(), &tenant, &Ok(new)));
    gallery.add(
        "connected--viewer",
        page(&world::viewer(shell()), &tenant, &Ok(filled())),
    );
    let slow = Connected {
        salesforce: Connection::Untested,
        hubspot: Connection::Untested,
        ..filled()
    };
    gallery.add("connected--untested", page(&shell(), &tenant, &Ok(slow)));
    let mut lacking = salesforce();
    lacking.problems = vec![
        "The user may not read deleted records, so deletes in Salesforce are not seen. Give it the permission \u{201c}View All Data\u{201d}, or \u{201c}View All\u{201d} on each synced object.".to_owned(),
    ];
    let refused = Trouble::new(
        "HubSpot refused the key.",
        "It was deleted or has expired. Make a new service key in HubSpot and enter it under Repair; nothing was lost, and reading goes on where it stopped.",
    );
    let troubled = Connected {
        salesforce: Connection::Tested {
            test: lacking,
            at: world::before(60),
        },
        hubspot: Connection::Broken(refused),
        syncs: world::syncs(),
        trouble: Some(world::unavailable()),
    };
    let stopped = Shell {
        tenant: Some(TenantHead {
            id: tenant.clone(),
            suspended: Some(
                "HubSpot refuses the key since 08:12. Nothing is read or written until it is replaced."
                    .to_owned(),
            ),
        }),
        notices: vec![Notice {
            good: false,
            text: "The connection was tested: HubSpot refused the key.".to_owned(),
        }],
        ..shell()
    };
    gallery.add("connected--troubled", page(&stopped, &tenant, &Ok(troubled)));
    gallery.add(
        "connected--error",
        page(&shell(), &tenant, &Err(world::unavailable())),
    );
}
