//! A tenant's alerts.

use landbridge_control::console::Place;
use landbridge_control::console::alerts::{Alerts, AlertsForm, StandingAlert, Unsent, page};
use landbridge_model::Problem;

use super::{Gallery, world};

fn form() -> AlertsForm {
    AlertsForm {
        tag: "7".to_owned(),
        webhook_url: "https://hooks.acme.example/landbridge".to_owned(),
        has_secret: true,
        mail_host: "smtp.acme.example".to_owned(),
        mail_port: "587".to_owned(),
        mail_security: "starttls".to_owned(),
        mail_user: "landbridge".to_owned(),
        has_password: true,
        mail_from: "Landbridge <landbridge@acme.example>".to_owned(),
        mail_to: "ops@acme.example, ann@acme.example".to_owned(),
        behind_seconds: "900".to_owned(),
        failures: "100".to_owned(),
        credential_days: "150".to_owned(),
        problems: Vec::new(),
    }
}

pub(super) fn add(gallery: &mut Gallery) {
    let shell = world::shell(Place::Alerts);
    let tenant = world::tenant();
    let standing = |text: &str, seconds: i64, is_going: bool| StandingAlert {
        text: text.to_owned(),
        since: world::before(seconds),
        is_going,
    };
    let filled = Alerts {
        form: form(),
        standing: vec![
            standing(
                "2410 deletes of the sync vehicles wait for approval.",
                4_000,
                false,
            ),
            standing(
                "The sync depots is 17 minutes behind Salesforce; the bound is 15 minutes.",
                300,
                true,
            ),
        ],
        unsent: vec![Unsent {
            channel: "webhook".to_owned(),
            text: "2410 deletes of the sync vehicles wait for approval.".to_owned(),
            attempts: 3,
            trouble: "the receiver answers 503 Service Unavailable".to_owned(),
        }],
    };
    gallery.add("alerts--filled", page(&shell, &tenant, &Ok(filled.clone())));
    gallery.add(
        "alerts--viewer",
        page(&world::viewer(shell.clone()), &tenant, &Ok(filled.clone())),
    );
    let empty = Alerts {
        form: AlertsForm {
            behind_seconds: "900".to_owned(),
            failures: "100".to_owned(),
            mail_port: "465".to_owned(),
            ..AlertsForm::default()
        },
        ..Alerts::default()
    };
    gallery.add("alerts--empty", page(&shell, &tenant, &Ok(empty)));
    let wrong = Alerts {
        form: AlertsForm {
            webhook_url: "hooks.acme.example".to_owned(),
            problems: vec![
                Problem::new(
                    "webhook.url",
                    "this is no address",
                    "write an address such as https://hooks.acme.example/landbridge",
                ),
                Problem::new(
                    "mail.password",
                    "user and password go together",
                    "enter both, or neither",
                ),
            ],
            ..form()
        },
        ..filled
    };
    gallery.add("alerts--wrong", page(&shell, &tenant, &Ok(wrong)));
    gallery.add("alerts--error", page(&shell, &tenant, &Err(world::unavailable())));
}
