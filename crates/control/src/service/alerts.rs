//! Where a tenant's alerts go, and from where on. What is secret is sealed when it comes in, and never shown again.

use landbridge_bus::seal::{self, SealError, Sealed};
use landbridge_bus::{KvError, Secret};
use landbridge_model::{Problem, StageKind};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::addresses::check_scheme;
use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::{LONG_PATIENCE, TenantService};
use crate::alerts::mail::mailbox;
use crate::alerts::outbox::Pending;
use crate::alerts::settings::{AlertStore, StoredAlerts, StoredMail, StoredWebhook};
use crate::ask::{TestAlerts, TriedChannel};
use crate::reach;

pub use crate::alerts::judge::{AlertBounds, AlertKind, Standing};
pub use crate::alerts::settings::{Channel, MailSecurity};

/// Shortest secret that messages are signed with, in bytes.
const SECRET_MIN: usize = 16;
/// Most addresses that mails go to.
const ADDRESSES_MAX: usize = 20;

/// Where alerts go, without anything secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertSettings {
    /// Posted as JSON; not at all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookView>,
    /// By SMTP; not at all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailView>,
    /// From where on.
    pub bounds: AlertBounds,
}

/// A webhook, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Where messages are posted to; only scheme and host for those who may not change it. Whoever knows the address of
    /// many a service's webhook can post there.
    pub url: String,
}

/// What may be shown of an address whose path is a secret.
fn host_of(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) => format!("{}/…", url.origin().ascii_serialization()),
        Err(_) => "…".to_owned(),
    }
}

/// A mail server, without its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailView {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: MailSecurity,
    /// As whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether a password is stored.
    pub has_password: bool,
    /// Who sends.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

/// The alerts of a tenant as they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertsView {
    /// Where they go, and from where on.
    pub settings: AlertSettings,
    /// Stands for the settings: the `ETag`, without its quotes.
    pub tag: String,
    /// What was told and is not over.
    pub standing: Vec<Standing>,
    /// What could not be sent so far.
    pub unsent: Vec<UnsentAlert>,
}

/// A message that could not be sent so far; it is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnsentAlert {
    /// Which way.
    pub channel: Channel,
    /// What it says.
    pub text: String,
    /// Tries so far.
    pub attempts: u32,
    /// Why the last one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Where alerts are to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutAlerts {
    /// Posted as JSON; not at all when left out.
    #[serde(default)]
    pub webhook: Option<PutWebhook>,
    /// By SMTP; not at all when left out.
    #[serde(default)]
    pub mail: Option<PutMail>,
    /// From where on.
    #[serde(default)]
    pub bounds: AlertBounds,
}

/// A webhook.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutWebhook {
    /// Where messages are posted to: https, unless it is on this machine.
    pub url: String,
    /// What they are signed with, 16 characters at least; the stored one when left out, as long as the
    /// host stays the same.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub secret: Option<Secret>,
}

impl std::fmt::Debug for PutWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PutWebhook")
            .field("url", &host_of(&self.url))
            .finish_non_exhaustive()
    }
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutMail {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    #[serde(default)]
    pub security: MailSecurity,
    /// As whom; without signing in when left out.
    #[serde(default)]
    pub user: Option<String>,
    /// With which password; the stored one when left out, as long as server and user stay the same.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub password: Option<Secret>,
    /// Who sends.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

impl From<&StoredAlerts> for AlertSettings {
    fn from(stored: &StoredAlerts) -> Self {
        let mail = stored.mail.as_ref();
        Self {
            webhook: stored.webhook.as_ref().map(|webhook| WebhookView {
                url: webhook.url.clone(),
            }),
            mail: mail.map(|mail| MailView {
                host: mail.host.clone(),
                port: mail.port,
                security: mail.security,
                user: mail.user.clone(),
                has_password: mail.password.is_some(),
                from: mail.from.clone(),
                to: mail.to.clone(),
            }),
            bounds: stored.bounds.clone(),
        }
    }
}

impl AlertSettings {
    /// The same, for those who may not change them, and for the audit log.
    fn masked(mut self) -> Self {
        if let Some(webhook) = &mut self.webhook {
            webhook.url = host_of(&webhook.url);
        }
        self
    }
}

impl PutAlerts {
    /// Everything that is wrong with it, beside what is stored.
    fn problems(&self, stored: &StoredAlerts, allow_private: bool) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(webhook) = &self.webhook {
            webhook.problems(stored.webhook.as_ref(), allow_private, &mut problems);
        }
        if let Some(mail) = &self.mail {
            mail.problems(stored.mail.as_ref(), allow_private, &mut problems);
        }
        if self.bounds.behind_seconds == Some(0) || self.bounds.credential_days == Some(0) {
            problems.push(Problem::new(
                "bounds",
                "a bound of 0 is always passed",
                "give a larger one, or none not to be told",
            ));
        }
        problems
    }
}

impl PutWebhook {
    /// Whether the stored secret may be used there: nobody else shall get messages that the old receiver could be shown.
    fn keeps(&self, stored: &StoredWebhook) -> bool {
        let origin = |url: &str| Url::parse(url).map(|url| url.origin());
        matches!((origin(&self.url), origin(&stored.url)), (Ok(new), Ok(old)) if new == old)
    }

    fn problems(&self, stored: Option<&StoredWebhook>, allow_private: bool, problems: &mut Vec<Problem>) {
        let url = Url::parse(&self.url).map_err(|error| error.to_string());
        let checked = url.and_then(|url| {
            check_scheme(&url)?;
            reach::check(&url, allow_private).map_err(|error| error.to_string())
        });
        if let Err(what) = checked {
            let cure = "write an address such as https://hooks.acme.example/landbridge";
            problems.push(Problem::new("webhook.url", what, cure));
        }
        let given = self.secret.as_ref().map(|secret| secret.reveal().len());
        let is_stored = stored.is_some_and(|stored| self.keeps(stored));
        if given.map_or(!is_stored, |length| length < SECRET_MIN) {
            let cure = match stored {
                Some(_) if given.is_none() => {
                    "the stored one does not follow another host: make up a new one, and give it to the receiver too"
                }
                _ => "make up a random one, and give it to the receiver too",
            };
            problems.push(Problem::new(
                "webhook.secret",
                format!("messages are signed with a secret of {SECRET_MIN} characters at least"),
                cure,
            ));
        }
    }
}

impl PutMail {
    /// Whether the stored password may go there.
    fn keeps(&self, stored: &StoredMail) -> bool {
        self.host == stored.host && self.port == stored.port && self.user == stored.user
    }

    fn problems(&self, stored: Option<&StoredMail>, allow_private: bool, problems: &mut Vec<Problem>) {
        let mut wrong = |place: &str, what: &str, cure: &str| problems.push(Problem::new(place, what, cure));
        if self.host.is_empty() || self.host.contains(['/', ':', '@', ' ']) {
            let cure = "write its name alone, such as smtp.acme.example";
            wrong("mail.host", "this is no name of a server", cure);
        } else if let Err(why) = reach::check_server(&self.host, allow_private) {
            wrong("mail.host", &why.to_string(), "");
        }
        if self.port == 0 {
            wrong(
                "mail.port",
                "0 is no port",
                "mostly it is 465, or 587 with STARTTLS",
            );
        }
        let is_here = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.security == MailSecurity::None && !is_here {
            let cure = "use TLS or STARTTLS";
            wrong(
                "mail.security",
                "password and messages would travel in the clear",
                cure,
            );
        }
        let stored = stored.filter(|stored| self.keeps(stored));
        let has_password = self.password.is_some() || stored.is_some_and(|stored| stored.password.is_some());
        if self.user.is_some() != has_password {
            let cure = "enter both, or neither; a stored password does not follow another server or user";
            wrong("mail.password", "user and password go together", cure);
        }
        if let Err(what) = mailbox(&self.from) {
            wrong("mail.from", &what, "");
        }
        if self.to.is_empty() || self.to.len() > ADDRESSES_MAX {
            let what = format!("mails go to 1 to {ADDRESSES_MAX} addresses");
            wrong("mail.to", &what, "write one a line");
        }
        for what in self.to.iter().filter_map(|to| mailbox(to).err()) {
            wrong("mail.to", &what, "");
        }
    }
}

fn unsent(pending: Pending) -> UnsentAlert {
    UnsentAlert {
        channel: pending.channel,
        text: pending.told.text,
        attempts: pending.attempts,
        trouble: pending.trouble,
    }
}

impl TenantService {
    fn alert_store(&self) -> AlertStore {
        AlertStore::new(self.service.hub().bus())
    }

    /// Where alerts go, and what they told.
    pub async fn alerts(&self) -> Result<AlertsView, ServiceError> {
        self.require(Role::Viewer)?;
        let store = self.alert_store();
        let settings = store.settings(self.id()).await?;
        let state = store.state(self.id()).await?.value;
        let tried = state.outbox.into_iter().filter(|pending| pending.attempts > 0);
        let shown = AlertSettings::from(&settings.value);
        let shown = match self.require(Role::Admin) {
            Ok(()) => shown,
            Err(_) => shown.masked(),
        };
        Ok(AlertsView {
            settings: shown,
            tag: settings.revision.to_string(),
            standing: state.standing,
            unsent: tried.map(unsent).collect(),
        })
    }

    /// Changes where alerts go. `seen` is the tag of the settings that the caller has seen; `0` stands for none.
    pub async fn put_alerts(&self, wanted: PutAlerts, seen: &str) -> Result<AlertsView, ServiceError> {
        self.require(Role::Admin)?;
        let store = self.alert_store();
        let stored = store.settings(self.id()).await?;
        let stale = || {
            ServiceError::Stale(
                "the alerts were changed since you looked: read them again, and make your change to that"
                    .to_owned(),
            )
        };
        if seen != stored.revision.to_string() {
            return Err(stale());
        }
        let allow_private = self.service.settings().allow_private_addresses;
        let problems = wanted.problems(&stored.value, allow_private);
        if !problems.is_empty() {
            return Err(ServiceError::Invalid {
                message: "the alerts cannot be sent like this".to_owned(),
                problems,
            });
        }
        let settings = self.sealed_alerts(wanted, &stored.value).await?;
        self.audited("alerts.changed", self.id().as_str(), async {
            match store.put_settings(self.id(), &settings, stored.revision).await {
                Err(KvError::Conflict) => return Err(stale()),
                written => written?,
            };
            let (before, after) = (AlertSettings::from(&stored.value), AlertSettings::from(&settings));
            let is_moved = before.webhook.is_some() && before.webhook != after.webhook;
            let (before, after) = (before.masked(), after.masked());
            let change = Change::between(Some(&before), Some(&after))?;
            Ok((
                (),
                match is_moved && before.webhook == after.webhook {
                    true => change
                        .with_detail("the webhook has another address of the same host")
                        .into(),
                    false => change.into(),
                },
            ))
        })
        .await?;
        self.alerts().await
    }

    /// Seals what is secret; what is not given anew stays as it is.
    async fn sealed_alerts(
        &self,
        wanted: PutAlerts,
        stored: &StoredAlerts,
    ) -> Result<StoredAlerts, ServiceError> {
        let mut settings = StoredAlerts {
            bounds: wanted.bounds,
            ..StoredAlerts::default()
        };
        if let Some(webhook) = wanted.webhook {
            let kept = stored.webhook.as_ref().filter(|stored| webhook.keeps(stored));
            let kept = kept.map(|stored| stored.secret.clone());
            let secret = self.seal_for_control(webhook.secret).await?.or(kept);
            settings.webhook = secret.map(|secret| StoredWebhook {
                url: webhook.url,
                secret,
            });
        }
        if let Some(mail) = wanted.mail {
            let kept = stored.mail.as_ref().filter(|stored| mail.keeps(stored));
            let kept = kept.and_then(|stored| stored.password.clone());
            let password = self.seal_for_control(mail.password).await?.or(kept);
            settings.mail = Some(StoredMail {
                host: mail.host,
                port: mail.port,
                security: mail.security,
                user: mail.user,
                password,
                from: mail.from,
                to: mail.to,
            });
        }
        Ok(settings)
    }

    async fn seal_for_control(&self, secret: Option<Secret>) -> Result<Option<Sealed>, ServiceError> {
        let Some(secret) = secret else {
            return Ok(None);
        };
        let key = seal::public_key(self.service.hub().bus(), StageKind::Control).await;
        let key = key.map_err(|error| match error {
            SealError::NoKey(_) => ServiceError::Unavailable(
                "there is nobody to seal the secret to: control has no key; see docs/alerts.md".to_owned(),
            ),
            error => ServiceError::Unavailable(error.to_string()),
        })?;
        let sealed = key.seal(secret.reveal().as_bytes());
        sealed
            .map(Some)
            .map_err(|_| ServiceError::Internal("the secret cannot be sealed".to_owned()))
    }

    /// Sends a test message each way.
    pub async fn test_alerts(&self) -> Result<Vec<TriedChannel>, ServiceError> {
        self.require(Role::Admin)?;
        self.audited("alerts.tested", self.id().as_str(), async {
            let tried = self
                .ask(StageKind::Control, &TestAlerts {}, LONG_PATIENCE)
                .await?;
            if tried.is_empty() {
                return Err(ServiceError::invalid(
                    "there is nowhere to send a test to: set a webhook or a mail server first",
                ));
            }
            Ok((tried, Change::done().into()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_follow_another_host() {
        let sealed = || Sealed {
            to: String::new(),
            sealed: String::new(),
        };
        let stored = StoredAlerts {
            webhook: Some(StoredWebhook {
                url: "https://hooks.acme.example/old".to_owned(),
                secret: sealed(),
            }),
            ..StoredAlerts::default()
        };
        for (url, secret, is_taken) in [
            ("https://hooks.acme.example/new", None, true),
            ("https://hooks.other.example/old", None, false),
            ("https://hooks.acme.example:8443/old", None, false),
            ("https://hooks.other.example/old", Some("sixteen letters!"), true),
        ] {
            let wanted = PutAlerts {
                webhook: Some(PutWebhook {
                    url: url.to_owned(),
                    secret: secret.map(|secret| Secret::new(secret.to_owned())),
                }),
                ..PutAlerts::default()
            };
            let problems = wanted.problems(&stored, false);
            assert_eq!(problems.is_empty(), is_taken, "{url}: {problems:?}");
        }
    }

    #[test]
    fn a_mail_server_is_public_or_let_in() {
        let wanted = |host: &str| PutAlerts {
            mail: Some(PutMail {
                host: host.to_owned(),
                port: 465,
                security: MailSecurity::Tls,
                user: None,
                password: None,
                from: "landbridge@acme.example".to_owned(),
                to: vec!["ops@acme.example".to_owned()],
            }),
            ..PutAlerts::default()
        };
        let places = |host: &str, allow_private: bool| -> Vec<String> {
            let problems = wanted(host).problems(&StoredAlerts::default(), allow_private);
            problems.into_iter().map(|problem| problem.place).collect()
        };
        assert_eq!(places("smtp.acme.example", false), Vec::<String>::new());
        for private in ["relay.internal", "10.0.0.25", "localhost"] {
            assert_eq!(places(private, false), ["mail.host"], "{private}");
            assert_eq!(places(private, true), Vec::<String>::new(), "{private}");
        }
    }

    #[test]
    fn of_an_address_its_host_is_shown() {
        for (url, shown) in [
            (
                "https://hooks.acme.example/T0/s3cret?k=s3cret",
                "https://hooks.acme.example/…",
            ),
            (
                "https://me:s3cret@hooks.acme.example:8443/",
                "https://hooks.acme.example:8443/…",
            ),
            ("http://127.0.0.1:9/s3cret", "http://127.0.0.1:9/…"),
            ("s3cret", "…"),
        ] {
            assert_eq!(host_of(url), shown);
            let put = PutWebhook {
                url: url.to_owned(),
                secret: None,
            };
            assert!(!format!("{put:?}").contains("s3cret"), "{put:?}");
        }
    }
}
