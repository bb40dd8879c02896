//! A tenant's alerts: where they go, from where on, and what was told. Secrets go in and are never shown again.

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::{Problem, TenantId};
use maud::{Markup, html};

use super::parts::{
    self, Choice, Control, Icon, Table, ago, cell, duration, error_summary, icon, one_or_many, problems_of,
    select, submit, text_input, to_control,
};
use super::{Content, Role, Shell, fields, paths};

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    /// What is in the form.
    pub form: AlertsForm,
    /// What was told and is not over.
    pub standing: Vec<StandingAlert>,
    /// What could not be sent so far.
    pub unsent: Vec<Unsent>,
}

/// What is in the form, as it was stored or as it was entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertsForm {
    /// Stands for what was stored when the form was shown.
    pub tag: String,
    /// Where messages are posted to; empty for no webhook.
    pub webhook_url: String,
    /// Whether a secret is stored.
    pub has_secret: bool,
    /// The mail server; empty for no mail.
    pub mail_host: String,
    /// Its port.
    pub mail_port: String,
    /// How it is spoken to: `tls`, `starttls`, `none`.
    pub mail_security: String,
    /// As whom.
    pub mail_user: String,
    /// Whether a password is stored.
    pub has_password: bool,
    /// Who sends.
    pub mail_from: String,
    /// To whom, parted by commas.
    pub mail_to: String,
    /// Seconds that a sync may be behind.
    pub behind_seconds: String,
    /// Records and links that may be refused.
    pub failures: String,
    /// Days that credentials may be old.
    pub credential_days: String,
    /// What is to be put right. Places are the names of the fields.
    pub problems: Vec<Problem>,
}

impl AlertsForm {
    /// Whether alerts go anywhere.
    pub fn goes_somewhere(&self) -> bool {
        !self.webhook_url.is_empty() || !self.mail_host.is_empty()
    }
}

/// Something that was told and is not over.
#[derive(Clone, Debug)]
pub struct StandingAlert {
    /// What is wrong, as a sentence.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether it has stayed away for a moment, and its end is told soon.
    pub is_going: bool,
}

/// A message that could not be sent so far.
#[derive(Clone, Debug)]
pub struct Unsent {
    /// Which way: `webhook` or `mail`.
    pub channel: String,
    /// What it says.
    pub text: String,
    /// Tries so far.
    pub attempts: u64,
    /// Why the last one failed.
    pub trouble: String,
}

/// The page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<Alerts>) -> Markup {
    let body = html! {
        div.page-head {
            div { h1 { "Alerts" } p.quiet { "What needs a person is told once when it begins, and once when it is over." } }
        }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document("Alerts", &body)
}

fn inner(shell: &Shell, tenant: &TenantId, view: &Alerts) -> Markup {
    let form = &view.form;
    html! {
        (error_summary(&form.problems, to_control))
        (standing(shell, view))
        @if shell.may(Role::Admin) {
            (settings(shell, tenant, form))
        } @else {
            section.card {
                h2 { "Where they go" }
                @if form.goes_somewhere() { p { "To " (ways(form)) "." } } @else { p { "Nowhere so far." } }
                p.quiet { "Administrators of this tenant can change it." }
            }
        }
    }
}

fn ways(form: &AlertsForm) -> String {
    let webhook = (!form.webhook_url.is_empty()).then_some("a webhook");
    let mail = (!form.mail_host.is_empty()).then_some(form.mail_to.as_str());
    webhook.into_iter().chain(mail).collect::<Vec<_>>().join(" and ")
}

fn standing(shell: &Shell, view: &Alerts) -> Markup {
    let mut table = Table::new("What was told and is not over")
        .column("What")
        .column("Since");
    for alert in &view.standing {
        table.row(vec![
            cell(html! { (alert.text) @if alert.is_going { " " span.quiet { "It seems to be over; that is told in a moment." } } }),
            cell(html! { (ago(shell.now, alert.since)) }),
        ]);
    }
    let mut unsent = Table::new("What could not be sent so far")
        .column("Message")
        .column("Way")
        .column("Why not");
    for message in &view.unsent {
        unsent.row(vec![
            cell(html! { (message.text) }),
            cell(html! { (message.channel) }),
            cell(html! { (message.trouble) " " span.quiet { (one_or_many(message.attempts, "try", "tries")) " so far; it is tried again." } }),
        ]);
    }
    html! {
        section.card {
            @if view.standing.is_empty() {
                p { (icon(Icon::Good)) " Nothing is wrong that would have been told." }
            } @else { (table.show()) }
            @if !view.unsent.is_empty() { (unsent.show()) }
        }
    }
}

struct Inputs<'a>(&'a AlertsForm);

impl Inputs<'_> {
    fn control<'c>(
        &self,
        name: &'c str,
        label: &'c str,
        hint: &'c str,
        value: &'c str,
        kind: &str,
    ) -> Markup {
        let wrong = problems_of(&self.0.problems, name);
        let control = Control {
            name,
            label,
            hint,
            value,
            problems: &wrong,
            ..Control::default()
        };
        text_input(
            control,
            kind,
            if kind == "password" { "new-password" } else { "off" },
        )
    }

    fn security(&self) -> Markup {
        let name = "mail.security";
        let wrong = problems_of(&self.0.problems, name);
        let choice = |value: &str, label: &str| Choice {
            value: value.to_owned(),
            label: label.to_owned(),
            ..Choice::default()
        };
        let choices = [
            choice("tls", "TLS from the start (mostly port 465)"),
            choice("starttls", "STARTTLS (mostly port 587)"),
            choice("none", "In the clear (only on this machine)"),
        ];
        let control = Control {
            name,
            label: "Encryption",
            value: &self.0.mail_security,
            problems: &wrong,
            ..Control::default()
        };
        select(control, &choices)
    }
}

fn settings(shell: &Shell, tenant: &TenantId, form: &AlertsForm) -> Markup {
    let inputs = Inputs(form);
    let kept = |is_stored: bool, otherwise: &'static str| {
        if is_stored {
            "One is stored; leave this empty to keep it."
        } else {
            otherwise
        }
    };
    html! {
        (shell.form(&paths::alerts(tenant), "form", html! {
            input type="hidden" name=(fields::ETAG) value=(form.tag);
            section.card {
                h2 { "Webhook" }
                p.quiet { "Each message is posted as JSON and signed, so that its receiver can tell it from anybody else's." }
                (inputs.control("webhook.url", "Address", "Leave it empty for no webhook.", &form.webhook_url, "url"))
                (inputs.control("webhook.secret", "Secret", kept(form.has_secret, "16 characters at least. The receiver checks the signature with it."), "", "password"))
            }
            section.card {
                h2 { "Mail" }
                (inputs.control("mail.host", "Server", "Leave it empty for no mail.", &form.mail_host, "text"))
                (inputs.control("mail.port", "Port", "", &form.mail_port, "number"))
                (inputs.security())
                (inputs.control("mail.user", "User", "Leave it empty when the server wants none.", &form.mail_user, "text"))
                (inputs.control("mail.password", "Password", kept(form.has_password, "Only with a user."), "", "password"))
                (inputs.control("mail.from", "From", "", &form.mail_from, "text"))
                (inputs.control("mail.to", "To", "One address, or several parted by commas.", &form.mail_to, "text"))
            }
            section.card {
                h2 { "From where on" }
                p.quiet { "A suspended tenant or sync, deletes that wait for approval and refused credentials are always told." }
                (inputs.control("bounds.behindSeconds", "Seconds behind Salesforce", &told_as(&form.behind_seconds), &form.behind_seconds, "number"))
                (inputs.control("bounds.failures", "Refused records and links", "Leave it empty not to be told.", &form.failures, "number"))
                (inputs.control("bounds.credentialDays", "Age of credentials, in days", "Leave it empty not to be told.", &form.credential_days, "number"))
            }
            p.quiet { (icon(Icon::Lock)) " Secret and password are sealed at once to control's own key. Nobody can read them here again." }
            div.actions { (submit("Save", "save", "primary")) }
        }))
        @if form.goes_somewhere() && form.problems.is_empty() {
            (shell.button(&paths::alerts_test(tenant), "Send a test", "", &[]))
        }
    }
}

/// The same as people say it.
fn told_as(seconds: &str) -> String {
    match seconds.parse::<u64>() {
        Ok(seconds) if seconds > 0 => format!(
            "That is {}. Leave it empty not to be told.",
            duration(Duration::from_secs(seconds))
        ),
        _ => "Leave it empty not to be told.".to_owned(),
    }
}
