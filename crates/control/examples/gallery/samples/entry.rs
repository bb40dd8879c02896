//! Signing in, all tenants, connections, people, the audit log, errors.

use std::time::Duration;

use landbridge_control::console::audit::{self, Audit, AuditRow};
use landbridge_control::console::connections::{self, ConnectionForm, Flow, NewTenant, Side};
use landbridge_control::console::parts::{Health, Paging};
use landbridge_control::console::people::{self, NewToken, People, Token, TokenForm, User, UserForm};
use landbridge_control::console::sign_in::{self, SignIn};
use landbridge_control::console::sync::diff;
use landbridge_control::console::tenants::{self, TenantRow, Tenants};
use landbridge_control::console::{Place, Role, Shell, Trouble, errors};
use landbridge_control::service::AuditState;
use landbridge_model::{Problem, TenantId};

use super::{Gallery, world};

pub(crate) fn add(gallery: &mut Gallery) {
    sign_in_pages(gallery);
    tenant_pages(gallery);
    connection_pages(gallery);
    people_pages(gallery);
    audit_pages(gallery);
    let shell = world::wide_shell(Place::Elsewhere);
    gallery.add("error--404", errors::not_found(&shell));
    gallery.add("error--403", errors::forbidden(&shell, "turn syncs on"));
    gallery.add("error--stale-form", errors::stale_form(&shell));
    gallery.add("error--500", errors::broken(&shell, "7f2c1e90"));
}

fn sign_in_pages(gallery: &mut Gallery) {
    let shell = Shell {
        person: None,
        ..world::wide_shell(Place::Elsewhere)
    };
    let view = SignIn {
        provider: Some("Acme Single Sign-On".to_owned()),
        has_local_users: true,
        then: "/".to_owned(),
        ..SignIn::default()
    };
    gallery.add("sign-in--filled", sign_in::page(&shell, &view));
    gallery.add("sign-in--empty", sign_in::page(&shell, &SignIn::default()));
    let refused = SignIn {
        provider: None,
        user: "mira".to_owned(),
        trouble: Some(Trouble::new(
            "The user name or the password is wrong.",
            "Check both. After five attempts there is a pause.",
        )),
        ..view.clone()
    };
    gallery.add("sign-in--refused", sign_in::page(&shell, &refused));
    let waiting = SignIn {
        wait: Some(Duration::from_secs(240)),
        provider: None,
        ..view
    };
    gallery.add("sign-in--waiting", sign_in::page(&shell, &waiting));
}

fn tenant_rows() -> Vec<TenantRow> {
    let names = [
        "acme",
        "bluewater",
        "cobalt-labs",
        "dunes",
        "eastgate",
        "fjord",
        "granite",
        "harbour",
    ];
    let row = |(place, name): (usize, &&str)| {
        let number = place as u64;
        let (health, note) = match place {
            0 => (Health::Stopped, "1 sync is suspended: rentals lost a property."),
            2 => (
                Health::Attention,
                "38 records are refused, the oldest for 2 days.",
            ),
            5 => (Health::Unknown, "Its extractor cannot be asked just now."),
            _ => (Health::Good, ""),
        };
        TenantRow {
            id: TenantId::new(name).expect("a tenant's name"),
            org: Some(format!("{} Holdings", name.to_uppercase())),
            portal: (place != 7).then_some(139_902 + number * 7_331),
            health,
            note: note.to_owned(),
            active: 3 + number % 4,
            syncs: 4 + number % 4,
            behind: (place != 5).then(|| Duration::from_secs(6 + number * 3)),
            failures: (place != 5).then_some(if place == 2 { 38 } else { 0 }),
            imports: (place != 5).then(|| u64::from(place == 1)),
        }
    };
    names.iter().enumerate().map(row).collect()
}

fn tenant_pages(gallery: &mut Gallery) {
    let shell = world::wide_shell(Place::Tenants);
    let counts = vec![
        (Health::Stopped, 3),
        (Health::Attention, 11),
        (Health::Unknown, 1),
        (Health::Good, 185),
    ];
    let view = Tenants {
        rows: tenant_rows(),
        query: String::new(),
        health: None,
        counts,
        paging: world::paging(),
    };
    gallery.add("tenants--filled", tenants::page(&shell, &Ok(view.clone())));
    let none = Tenants {
        rows: Vec::new(),
        query: "zebra".to_owned(),
        paging: Paging::default(),
        ..view.clone()
    };
    gallery.add("tenants--no-match", tenants::page(&shell, &Ok(none)));
    let empty = Tenants {
        rows: Vec::new(),
        counts: Vec::new(),
        paging: Paging::default(),
        ..view
    };
    gallery.add("tenants--empty", tenants::page(&shell, &Ok(empty)));
    gallery.add(
        "tenants--error",
        tenants::page(&shell, &Err(world::unavailable())),
    );
    gallery.add(
        "new-tenant--empty",
        connections::new_tenant(&shell, &NewTenant::default()),
    );
    let wrong = NewTenant {
        name: "Acme Rentals".to_owned(),
        salesforce: "https://acme.my.salesforce.com".to_owned(),
        hubspot: "https://api.hubapi.com".to_owned(),
        problems: vec![Problem::new(
            "tenant",
            "\"Acme Rentals\" is not a tenant name",
            "use lower-case letters, digits, hyphens or underscores",
        )],
    };
    gallery.add("new-tenant--wrong", connections::new_tenant(&shell, &wrong));
}

fn connection_pages(gallery: &mut Gallery) {
    let shell = world::shell(Place::Connected);
    let tenant = world::tenant();
    let form = |side, flow| ConnectionForm {
        tenant: world::tenant(),
        side,
        flow,
        address: "https://acme.my.salesforce.com".to_owned(),
        client_id: "3MVG9lKcPoNINVBIPJjdw1J9LLM82Hn".to_owned(),
        pinned: Some("org 00DHs000001AbCdMAK".to_owned()),
        is_stored: true,
        continue_at: None,
        callback: Some("https://landbridge.acme.example/oauth/callback".to_owned()),
        problems: Vec::new(),
    };
    for (name, side, flow) in [
        ("salesforce-jwt", Side::Salesforce, Flow::Jwt),
        (
            "salesforce-client-credentials",
            Side::Salesforce,
            Flow::ClientCredentials,
        ),
        ("salesforce-refresh-token", Side::Salesforce, Flow::RefreshToken),
        ("salesforce-oauth", Side::Salesforce, Flow::SalesforceOAuth),
        ("hubspot-service-key", Side::HubSpot, Flow::ServiceKey),
        ("hubspot-private-app", Side::HubSpot, Flow::PrivateApp),
        ("hubspot-oauth", Side::HubSpot, Flow::HubSpotOAuth),
    ] {
        let mut view = form(side, flow);
        if side == Side::HubSpot {
            view.pinned = None;
            view.is_stored = false;
        }
        gallery.add(
            &format!("connection--{name}"),
            connections::page(&shell, side, &tenant, &Ok(view)),
        );
    }
    let mut ready = form(Side::Salesforce, Flow::SalesforceOAuth);
    ready.continue_at = Some("https://acme.my.salesforce.com/services/oauth2/authorize".to_owned());
    gallery.add(
        "connection--continue",
        connections::page(&shell, Side::Salesforce, &tenant, &Ok(ready)),
    );
    let mut wrong = form(Side::Salesforce, Flow::ClientCredentials);
    wrong.problems = vec![
        Problem::new(
            "address",
            "login.salesforce.com does not take client credentials",
            "enter the org's My Domain",
        ),
        Problem::new(
            "clientSecret",
            "Salesforce refused the key and secret",
            "copy both again from the external client app",
        ),
    ];
    gallery.add(
        "connection--wrong",
        connections::page(&shell, Side::Salesforce, &tenant, &Ok(wrong)),
    );
    gallery.add(
        "connection--error",
        connections::page(&shell, Side::HubSpot, &tenant, &Err(world::unavailable())),
    );
}

fn people_pages(gallery: &mut Gallery) {
    let shell = world::wide_shell(Place::People);
    let user = |name: &str, roles, is_self| User {
        name: name.to_owned(),
        roles,
        since: world::before(3_000_000),
        is_self,
    };
    let token = |name: &str, role, ends: i64| Token {
        id: name.to_owned(),
        name: name.to_owned(),
        roles: vec![(Some(world::tenant()), role)],
        by: "mira".to_owned(),
        since: world::before(900_000),
        expires: world::before(ends),
    };
    let view = People {
        users: Some(vec![
            user("mira", vec![(None, Role::Admin)], true),
            user(
                "jo.lind",
                vec![
                    (Some(world::tenant()), Role::Viewer),
                    (Some(TenantId::new("dunes").expect("a name")), Role::Editor),
                ],
                false,
            ),
            user("sam@acme.example", Vec::new(), false),
        ]),
        tokens: vec![
            token("deploy", Role::Editor, -8_000_000),
            token("night-report", Role::Viewer, 86_400),
        ],
        tenants: vec![world::tenant(), TenantId::new("dunes").expect("a name")],
        has_all_tenants: true,
        own_password: Some("mira".to_owned()),
        new_token: None,
        token_form: TokenForm::default(),
        token_days: 366,
        user_form: UserForm::default(),
        problems: Vec::new(),
    };
    gallery.add("people--filled", people::page(&shell, &Ok(view.clone())));
    let made = People {
        new_token: Some(NewToken {
            name: "deploy".to_owned(),
            secret: "lb_sample_token_shown_once".to_owned(),
        }),
        ..view.clone()
    };
    gallery.add("people--token-made", people::page(&shell, &Ok(made)));
    let wrong = People {
        problems: vec![Problem::new(
            "token.expires",
            "the day is in the past",
            "choose one within the next 366 days",
        )],
        token_form: TokenForm {
            name: "ci".to_owned(),
            expires: "2026-01-01".to_owned(),
            ..TokenForm::default()
        },
        ..view.clone()
    };
    gallery.add("people--wrong", people::page(&shell, &Ok(wrong)));
    let own = People {
        users: None,
        tokens: Vec::new(),
        has_all_tenants: false,
        ..view.clone()
    };
    gallery.add(
        "people--own",
        people::page(&world::viewer(world::wide_shell(Place::People)), &Ok(own)),
    );
    let empty = People {
        users: Some(Vec::new()),
        tokens: Vec::new(),
        own_password: None,
        ..view
    };
    gallery.add("people--empty", people::page(&shell, &Ok(empty)));
    gallery.add("people--error", people::page(&shell, &Err(world::unavailable())));
}

fn audit_pages(gallery: &mut Gallery) {
    let row = |seconds, who: &str, via: &str, action: &str, what: &str| AuditRow {
        at: world::before(seconds),
        who: who.to_owned(),
        via: via.to_owned(),
        tenant: Some(world::tenant()),
        action: action.to_owned(),
        what: what.to_owned(),
        state: AuditState::Done,
        diff: Vec::new(),
    };
    let edited = AuditRow {
        diff: diff(
            "  fields:\n    - from: Price__c\n      to: price\n",
            "  fields:\n    - from: Price__c\n      to: price\n    - from: Mileage__c\n      to: mileage\n",
        ),
        ..row(
            1_200,
            "Mira Okonkwo",
            "console",
            "sync.edited",
            "Edited vehicles: r2 became r3.",
        )
    };
    let view = Audit {
        rows: vec![
            row(
                90,
                "Mira Okonkwo",
                "console",
                "import.started",
                "Started an import of vehicles and depots.",
            ),
            edited,
            AuditRow {
                state: AuditState::Asked,
                ..row(
                    2_400,
                    "Mira Okonkwo",
                    "console",
                    "sync.paused",
                    "Paused the sync depots.",
                )
            },
            row(
                5_000,
                "Landbridge",
                "by itself",
                "sync.suspended",
                "Suspended rentals: HubSpot's object type lost the property ends_on.",
            ),
            AuditRow {
                tenant: None,
                ..row(
                    90_000,
                    "token deploy",
                    "API",
                    "token.made",
                    "Made the token night-report, for a viewer of acme.",
                )
            },
        ],
        query: String::new(),
        actions: vec!["import".to_owned(), "sync".to_owned(), "token".to_owned()],
        action: String::new(),
        paging: world::paging(),
    };
    let (wide, narrow) = (world::wide_shell(Place::AllAudit), world::shell(Place::Audit));
    gallery.add("audit--filled", audit::page(&wide, None, &Ok(view.clone())));
    gallery.add(
        "audit--tenant",
        audit::page(&narrow, Some(&world::tenant()), &Ok(view.clone())),
    );
    let empty = Audit {
        rows: Vec::new(),
        paging: Paging::default(),
        ..view
    };
    gallery.add(
        "audit--empty",
        audit::page(&narrow, Some(&world::tenant()), &Ok(empty)),
    );
    gallery.add(
        "audit--error",
        audit::page(&wide, None, &Err(world::unavailable())),
    );
}
