//! A tenant's alerts: shown, changed, tried.

use axum::extract::Path;
use axum::http::StatusCode;
use jiff::Timestamp;
use landbridge_bus::Secret;
use landbridge_model::Problem;

use super::form::Form;
use super::routes::Routes;
use super::visit::{self, Answer, Visit};
use crate::ask::TriedChannel;
use crate::console::alerts::{Alerts, AlertsForm, StandingAlert, Unsent, page};
use crate::console::{Place, fields, paths};
use crate::service::{
    AlertBounds, AlertSettings, AlertsView, MailSecurity, PutAlerts, PutMail, PutWebhook, Role, ServiceError,
    TenantService,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/tenants/{tenant}/alerts", show)
        .post("/tenants/{tenant}/alerts", save)
        .post("/tenants/{tenant}/alerts/test", test)
}

/// What the page shows of the alerts. Pure.
fn view(alerts: AlertsView) -> Alerts {
    let standing = alerts.standing.into_iter().map(|standing| StandingAlert {
        text: standing.text,
        since: Timestamp::from_millisecond(standing.since_ms).unwrap_or_default(),
        is_going: standing.away_since_ms.is_some(),
    });
    let unsent = alerts.unsent.into_iter().map(|unsent| Unsent {
        channel: unsent.channel.as_str().to_owned(),
        text: unsent.text,
        attempts: u64::from(unsent.attempts),
        trouble: unsent.trouble.unwrap_or_default(),
    });
    Alerts {
        form: form_of(&alerts.settings, alerts.tag),
        standing: standing.collect(),
        unsent: unsent.collect(),
    }
}

fn form_of(settings: &AlertSettings, tag: String) -> AlertsForm {
    let number = |bound: Option<u64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    let mut form = AlertsForm {
        tag,
        mail_port: "465".to_owned(),
        mail_security: MailSecurity::Tls.as_str().to_owned(),
        behind_seconds: number(settings.bounds.behind_seconds),
        failures: number(settings.bounds.failures),
        credential_days: number(settings.bounds.credential_days.map(u64::from)),
        ..AlertsForm::default()
    };
    if let Some(webhook) = &settings.webhook {
        form.webhook_url.clone_from(&webhook.url);
        form.has_secret = true;
    }
    if let Some(mail) = &settings.mail {
        form.mail_host.clone_from(&mail.host);
        form.mail_port = mail.port.to_string();
        mail.security.as_str().clone_into(&mut form.mail_security);
        form.mail_user = mail.user.clone().unwrap_or_default();
        form.has_password = mail.has_password;
        form.mail_from.clone_from(&mail.from);
        form.mail_to = mail.to.join(", ");
    }
    form
}

/// What was entered, to be shown again; without what is secret.
fn entered(form: &Form, before: &AlertsForm) -> AlertsForm {
    let text = |name| form.text(name).unwrap_or_default().to_owned();
    AlertsForm {
        tag: text(fields::ETAG),
        webhook_url: text("webhook.url"),
        has_secret: before.has_secret,
        mail_host: text("mail.host"),
        mail_port: text("mail.port"),
        mail_security: text("mail.security"),
        mail_user: text("mail.user"),
        has_password: before.has_password,
        mail_from: text("mail.from"),
        mail_to: text("mail.to"),
        behind_seconds: text("bounds.behindSeconds"),
        failures: text("bounds.failures"),
        credential_days: text("bounds.credentialDays"),
        problems: Vec::new(),
    }
}

/// What the form asks for, or what in it is no number.
fn wanted(
    form: &AlertsForm,
    secret: Option<Secret>,
    password: Option<Secret>,
) -> Result<PutAlerts, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut number = |place: &str, text: &str| {
        let read = text.parse::<u64>();
        if !text.is_empty() && read.is_err() {
            problems.push(Problem::new(
                place,
                "this is no whole number",
                "enter one, or nothing",
            ));
        }
        read.ok()
    };
    let behind_seconds = number("bounds.behindSeconds", &form.behind_seconds);
    let failures = number("bounds.failures", &form.failures);
    let days = number("bounds.credentialDays", &form.credential_days);
    let port = number("mail.port", &form.mail_port).and_then(|port| u16::try_from(port).ok());
    if !problems.is_empty() {
        return Err(problems);
    }
    let security = [MailSecurity::Tls, MailSecurity::Starttls, MailSecurity::None];
    let security = security
        .into_iter()
        .find(|known| known.as_str() == form.mail_security);
    let addresses = form.mail_to.split([',', ';', '\n']).map(str::trim);
    Ok(PutAlerts {
        webhook: (!form.webhook_url.is_empty()).then(|| PutWebhook {
            url: form.webhook_url.clone(),
            secret,
        }),
        mail: (!form.mail_host.is_empty()).then(|| PutMail {
            host: form.mail_host.clone(),
            port: port.unwrap_or_default(),
            security: security.unwrap_or_default(),
            user: Some(form.mail_user.clone()).filter(|user| !user.is_empty()),
            password,
            from: form.mail_from.clone(),
            to: addresses.filter(|to| !to.is_empty()).map(str::to_owned).collect(),
        }),
        bounds: AlertBounds {
            behind_seconds,
            failures,
            credential_days: days.and_then(|days| u32::try_from(days).ok()),
        },
    })
}

fn secret(form: &Form, name: &str) -> Option<Secret> {
    let text = form.exactly(name);
    (!text.is_empty()).then(|| Secret::new(text))
}

async fn show(visit: Visit, Path(tenant): Path<String>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let content = tenant.alerts().await;
    let content = content.map(view).map_err(|error| visit::trouble(&error));
    let shell = visit.shell_in(&tenant, Place::Alerts);
    Ok(visit.page(page(&shell, tenant.id(), &content)))
}

async fn save(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    visit.require(&tenant, Role::Admin, "change where alerts go")?;
    let path = paths::alerts(tenant.id());
    let mut shown = match tenant.alerts().await {
        Ok(alerts) => view(alerts),
        Err(error) => return visit.not_done(&path, error),
    };
    shown.form = entered(&form, &shown.form);
    match store(&tenant, &form, &shown.form).await {
        Ok(()) => Ok(visit.done(&path, "The alerts are changed.")),
        Err(ServiceError::Invalid { message, problems }) => {
            shown.form.problems = problems;
            if shown.form.problems.is_empty() {
                shown.form.problems = vec![Problem::new("", message, "")];
            }
            let page = page(&visit.shell_in(&tenant, Place::Alerts), tenant.id(), &Ok(shown));
            Ok(visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page))
        }
        Err(error) => visit.not_done(&path, error),
    }
}

async fn store(tenant: &TenantService, form: &Form, entered: &AlertsForm) -> Result<(), ServiceError> {
    let (secret, password) = (secret(form, "webhook.secret"), secret(form, "mail.password"));
    let wanted = wanted(entered, secret, password).map_err(|problems| ServiceError::Invalid {
        message: "the alerts cannot be sent like this".to_owned(),
        problems,
    })?;
    tenant.put_alerts(wanted, &entered.tag).await.map(drop)
}

async fn test(visit: Visit, Path(tenant): Path<String>, _form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    visit.require(&tenant, Role::Admin, "send a test")?;
    let path = paths::alerts(tenant.id());
    match tenant.test_alerts().await {
        Ok(tried) => match verdict(&tried) {
            Ok(told) => Ok(visit.done(&path, &told)),
            Err(trouble) => visit.not_done(&path, ServiceError::invalid(trouble)),
        },
        Err(error) => visit.not_done(&path, error),
    }
}

/// How the test went, in words.
fn verdict(tried: &[TriedChannel]) -> Result<String, String> {
    let failed: Vec<String> = tried
        .iter()
        .filter_map(|one| Some(format!("{}: {}", one.channel.as_str(), one.trouble.as_ref()?)))
        .collect();
    let ways: Vec<&str> = tried.iter().map(|one| one.channel.as_str()).collect();
    if failed.is_empty() {
        return Ok(format!("The test was sent, by {}.", ways.join(" and by ")));
    }
    Err(format!(
        "The test did not arrive everywhere. {}",
        failed.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::MailView;

    fn settings() -> AlertSettings {
        AlertSettings {
            webhook: None,
            mail: Some(MailView {
                host: "smtp.acme.example".to_owned(),
                port: 587,
                security: MailSecurity::Starttls,
                user: Some("ops".to_owned()),
                has_password: true,
                from: "Landbridge <landbridge@acme.example>".to_owned(),
                to: vec!["ops@acme.example".to_owned(), "ann@acme.example".to_owned()],
            }),
            bounds: AlertBounds::default(),
        }
    }

    #[test]
    fn a_form_that_is_sent_back_changes_nothing() {
        let form = form_of(&settings(), "7".to_owned());
        let put = wanted(&form, None, None).unwrap();
        assert_eq!(put.webhook, None);
        assert_eq!(put.bounds, AlertBounds::default());
        let (mail, stored) = (put.mail.unwrap(), settings().mail.unwrap());
        assert_eq!(
            (mail.host, mail.port, mail.to),
            (stored.host, stored.port, stored.to)
        );
        assert_eq!(
            (mail.security, mail.user, mail.password),
            (stored.security, stored.user, None)
        );
    }

    #[test]
    fn what_is_no_number_is_told_at_its_place() {
        let form = AlertsForm {
            failures: "many".to_owned(),
            mail_port: "smtp".to_owned(),
            ..form_of(&settings(), String::new())
        };
        let problems = wanted(&form, None, None).unwrap_err();
        let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(places, ["bounds.failures", "mail.port"]);
    }
}
