//! `landbridge alerts`.

use landbridge_bus::Secret;
use landbridge_control::ask::TriedChannel;
use landbridge_control::service::{AlertSettings, AlertsView, PutAlerts, TenantService};
use landbridge_model::TenantId;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::secret::SecretSource;
use super::{Context, Installation, local};
use crate::cli::{AlertsCommand, AlertsSetArgs, BoundArg, TenantArg};
use crate::output::{CommandError, Exit, show, table, time};

pub(super) async fn run(context: &Context, command: AlertsCommand) -> anyhow::Result<Exit> {
    match command {
        AlertsCommand::Show(tenant) => show_alerts(context, &tenant).await,
        AlertsCommand::Set(arguments) => set(context, &arguments).await,
        AlertsCommand::Test(tenant) => test(context, &tenant).await,
    }
}

/// The tenant beside the bus.
fn beside_bus(context: &Context, tenant: &TenantId) -> Result<Option<TenantService>, CommandError> {
    match &context.installation {
        Installation::Bus { service, .. } => Ok(Some(service.tenant(&local(), tenant)?)),
        Installation::Server(_) => Ok(None),
    }
}

async fn alerts(context: &Context, tenant: &TenantId) -> Result<AlertsView, CommandError> {
    match (&context.installation, beside_bus(context, tenant)?) {
        (_, Some(service)) => Ok(service.alerts().await?),
        (Installation::Server(remote), None) => {
            let path = ["tenants", tenant.as_str(), "alerts"];
            remote.call(Method::GET, &path, &[], None).await
        }
        (Installation::Bus { .. }, None) => unreachable!("the bus has its service"),
    }
}

async fn put(
    context: &Context,
    tenant: &TenantId,
    wanted: &Value,
    tag: &str,
) -> Result<AlertsView, CommandError> {
    match (&context.installation, beside_bus(context, tenant)?) {
        (_, Some(service)) => {
            let wanted: PutAlerts = serde_json::from_value(wanted.clone())
                .map_err(|_| CommandError::invalid("the settings cannot be written"))?;
            Ok(service.put_alerts(wanted, tag).await?)
        }
        (Installation::Server(remote), None) => {
            let path = ["tenants", tenant.as_str(), "alerts"];
            remote.put_over(&path, tag, wanted).await
        }
        (Installation::Bus { .. }, None) => unreachable!("the bus has its service"),
    }
}

async fn show_alerts(context: &Context, argument: &TenantArg) -> anyhow::Result<Exit> {
    let tenant = context.tenant(argument).await?;
    let view = alerts(context, &tenant).await?;
    show(context.output, &view, |view| {
        let mut lines = settings_lines(&tenant, &view.settings);
        if !view.standing.is_empty() {
            let rows = view
                .standing
                .iter()
                .map(|standing| [time(standing.since_ms), standing.text.clone()]);
            lines.push(table(["since", "told and not over"], rows));
        }
        if !view.unsent.is_empty() {
            let rows = view.unsent.iter().map(|unsent| {
                [
                    unsent.channel.as_str().to_owned(),
                    unsent.text.clone(),
                    unsent.trouble.clone().unwrap_or_default(),
                ]
            });
            lines.push(table(["way", "not sent so far", "why"], rows));
        }
        lines.join("\n")
    })?;
    Ok(Exit::Done)
}

fn settings_lines(tenant: &TenantId, settings: &AlertSettings) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(webhook) = &settings.webhook {
        lines.push(format!("{tenant} posts alerts to {}", webhook.url));
    }
    if let Some(mail) = &settings.mail {
        let (to, host, port) = (mail.to.join(", "), &mail.host, mail.port);
        lines.push(format!(
            "{tenant} mails alerts to {to}, by {host}:{port} ({})",
            mail.security.as_str()
        ));
    }
    if lines.is_empty() {
        lines.push(format!(
            "the alerts of {tenant} go nowhere: landbridge alerts set"
        ));
    }
    let bounds = &settings.bounds;
    let bound = |what: &str, bound: Option<u64>| match bound {
        Some(bound) => format!("  {what}: told beyond {bound}"),
        None => format!("  {what}: never told"),
    };
    lines.push(bound("seconds behind Salesforce", bounds.behind_seconds));
    lines.push(bound("refused records and links", bounds.failures));
    lines.push(bound(
        "age of credentials in days",
        bounds.credential_days.map(u64::from),
    ));
    lines
}

async fn set(context: &Context, arguments: &AlertsSetArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let before = alerts(context, &tenant).await?;
    let wanted = changed(&before.settings, arguments, &read_secret)?;
    let after = put(context, &tenant, &wanted, &before.tag).await?;
    show(context.output, &after, |after| {
        settings_lines(&tenant, &after.settings).join("\n")
    })?;
    Ok(Exit::Done)
}

/// Which secret is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    WebhookSecret,
    MailPassword,
}

fn read_secret(wanted: Wanted, arguments: &AlertsSetArgs) -> Result<Secret, CommandError> {
    let source = match wanted {
        Wanted::WebhookSecret => SecretSource {
            what: "the secret that messages are signed with",
            flag: "--webhook-secret-file",
            file: arguments.webhook_secret_file.as_deref(),
            variable: "LANDBRIDGE_WEBHOOK_SECRET",
        },
        Wanted::MailPassword => SecretSource {
            what: "the password of the mail server",
            flag: "--mail-password-file",
            file: arguments.mail_password_file.as_deref(),
            variable: "LANDBRIDGE_MAIL_PASSWORD",
        },
    };
    source.read()
}

type Read<'a> = &'a dyn Fn(Wanted, &AlertsSetArgs) -> Result<Secret, CommandError>;

/// The settings with what the arguments change, as the API takes them.
fn changed(before: &AlertSettings, arguments: &AlertsSetArgs, read: Read<'_>) -> Result<Value, CommandError> {
    let bound = |given: Option<BoundArg>, before: Option<u64>| given.map_or(before, |given| given.0);
    let bounds = &before.bounds;
    let days = bound(arguments.credential_days, bounds.credential_days.map(u64::from));
    let mut wanted = json!({ "bounds": {
        "behind_seconds": bound(arguments.behind_seconds, bounds.behind_seconds),
        "failures": bound(arguments.failures, bounds.failures),
        "credential_days": days,
    }});
    if let Some(webhook) = webhook(before, arguments, read)? {
        wanted["webhook"] = webhook;
    }
    if let Some(mail) = mail(before, arguments, read)? {
        wanted["mail"] = mail;
    }
    Ok(wanted)
}

fn webhook(
    before: &AlertSettings,
    arguments: &AlertsSetArgs,
    read: Read<'_>,
) -> Result<Option<Value>, CommandError> {
    let stored = before.webhook.as_ref();
    let url = arguments.webhook.as_ref().or(stored.map(|stored| &stored.url));
    let Some(url) = url.filter(|_| !arguments.no_webhook) else {
        return Ok(None);
    };
    let mut webhook = json!({ "url": url });
    if stored.is_none() || arguments.webhook_secret_file.is_some() {
        let secret = read(Wanted::WebhookSecret, arguments)?;
        webhook["secret"] = secret.reveal().into();
    }
    Ok(Some(webhook))
}

fn mail(
    before: &AlertSettings,
    arguments: &AlertsSetArgs,
    read: Read<'_>,
) -> Result<Option<Value>, CommandError> {
    let stored = before.mail.as_ref();
    let host = arguments.mail_host.as_ref().or(stored.map(|stored| &stored.host));
    let Some(host) = host.filter(|_| !arguments.no_mail) else {
        return Ok(None);
    };
    let port = arguments
        .mail_port
        .or(stored.map(|stored| stored.port))
        .unwrap_or(465);
    let security = stored.map_or("tls", |stored| stored.security.as_str());
    let security = arguments.mail_security.as_deref().unwrap_or(security);
    let user = arguments.mail_user.as_ref();
    let user = user.or(stored.and_then(|stored| stored.user.as_ref()));
    let user = user.filter(|user| !user.is_empty());
    let from = arguments.mail_from.as_ref().or(stored.map(|stored| &stored.from));
    let from = from.ok_or_else(|| CommandError::invalid("say who sends, with --mail-from"))?;
    let to = match stored {
        Some(stored) if arguments.mail_to.is_empty() => &stored.to,
        _ => &arguments.mail_to,
    };
    let mut mail = Map::from_iter([
        ("host".to_owned(), json!(host)),
        ("port".to_owned(), json!(port)),
        ("security".to_owned(), json!(security)),
        ("from".to_owned(), json!(from)),
        ("to".to_owned(), json!(to)),
    ]);
    if let Some(user) = user {
        mail.insert("user".to_owned(), json!(user));
        let stays = stored.is_some_and(|stored| {
            stored.has_password
                && stored.host == *host
                && stored.port == port
                && stored.user.as_ref() == Some(user)
        });
        if !stays || arguments.mail_password_file.is_some() {
            let password = read(Wanted::MailPassword, arguments)?;
            mail.insert("password".to_owned(), json!(password.reveal()));
        }
    }
    Ok(Some(mail.into()))
}

async fn test(context: &Context, argument: &TenantArg) -> anyhow::Result<Exit> {
    let tenant = context.tenant(argument).await?;
    let tried: Vec<TriedChannel> = match (&context.installation, beside_bus(context, &tenant)?) {
        (_, Some(service)) => service.test_alerts().await?,
        (Installation::Server(remote), None) => {
            let path = ["tenants", tenant.as_str(), "alerts", "test"];
            remote.call(Method::POST, &path, &[], None).await?
        }
        (Installation::Bus { .. }, None) => unreachable!("the bus has its service"),
    };
    show(context.output, &tried, |tried| {
        let lines = tried.iter().map(|one| match &one.trouble {
            None => format!("{}: sent", one.channel.as_str()),
            Some(trouble) => format!("{}: {trouble}", one.channel.as_str()),
        });
        lines.collect::<Vec<_>>().join("\n")
    })?;
    let is_well = tried.iter().all(|one| one.trouble.is_none());
    Ok(if is_well { Exit::Done } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use landbridge_control::service::{MailSecurity, MailView, WebhookView};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: AlertsSetArgs,
    }

    fn stored() -> AlertSettings {
        AlertSettings {
            webhook: Some(WebhookView {
                url: "https://hooks.acme.example".to_owned(),
            }),
            mail: Some(MailView {
                host: "smtp.acme.example".to_owned(),
                port: 587,
                security: MailSecurity::Starttls,
                user: Some("ops".to_owned()),
                has_password: true,
                from: "landbridge@acme.example".to_owned(),
                to: vec!["ops@acme.example".to_owned()],
            }),
            ..AlertSettings::default()
        }
    }

    /// What is put, and which secrets were asked for.
    fn wanted(before: &AlertSettings, line: &str) -> (Value, Vec<Wanted>) {
        let words = std::iter::once("set").chain(line.split(' ').filter(|word| !word.is_empty()));
        let arguments = Line::parse_from(words).arguments;
        let asked = std::cell::RefCell::new(Vec::new());
        let read = |what, _: &AlertsSetArgs| {
            asked.borrow_mut().push(what);
            Ok(Secret::new("hush"))
        };
        let value = changed(before, &arguments, &read).unwrap();
        (value, asked.into_inner())
    }

    #[test]
    fn what_is_not_named_stays() {
        let (put, asked) = wanted(&stored(), "");
        let mail = json!({"host": "smtp.acme.example", "port": 587, "security": "starttls", "user": "ops",
            "from": "landbridge@acme.example", "to": ["ops@acme.example"]});
        let webhook = json!({"url": "https://hooks.acme.example"});
        let bounds = json!({"behind_seconds": 900, "failures": 100, "credential_days": null});
        assert_eq!(put, json!({"bounds": bounds, "webhook": webhook, "mail": mail}));
        assert!(asked.is_empty());
    }

    #[test]
    fn what_is_named_changes_and_new_places_want_their_secrets() {
        let none = AlertSettings::default();
        let new_mail = "--mail-host a --mail-user ops --mail-from a@b.c --mail-to d@e.f";
        for (before, line, at, value, asked) in [
            (&stored(), "--no-webhook", "/webhook", Value::Null, vec![]),
            (&stored(), "--no-mail", "/mail", Value::Null, vec![]),
            (
                &stored(),
                "--failures never",
                "/bounds/failures",
                Value::Null,
                vec![],
            ),
            (
                &stored(),
                "--behind-seconds 60",
                "/bounds/behind_seconds",
                json!(60),
                vec![],
            ),
            (
                &stored(),
                "--mail-port 465",
                "/mail/password",
                json!("hush"),
                vec![Wanted::MailPassword],
            ),
            (
                &stored(),
                "--webhook https://x.example",
                "/webhook/secret",
                Value::Null,
                vec![],
            ),
            (
                &none,
                "--webhook https://x.example",
                "/webhook/secret",
                json!("hush"),
                vec![Wanted::WebhookSecret],
            ),
            (
                &none,
                new_mail,
                "/mail/port",
                json!(465),
                vec![Wanted::MailPassword],
            ),
        ] {
            let (put, wanted) = wanted(before, line);
            assert_eq!(put.pointer(at).cloned().unwrap_or_default(), value, "{line}");
            assert_eq!(wanted, asked, "{line}");
        }
    }
}
