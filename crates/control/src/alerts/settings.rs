//! Where a tenant's alerts go, and from where on; with what was told so far. Both are in `lb_config`, the one changed by
//! people, the other by whoever owns the tenant's shard.

use landbridge_bus::seal::Sealed;
use landbridge_bus::{Bucket, Bus, Key, KeyFilter, Kv, KvError};
use landbridge_model::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::judge::{AlertBounds, Standing};
use super::outbox::Pending;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Posted as JSON.
    Webhook,
    /// By SMTP.
    Mail,
}

impl Channel {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
        }
    }
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailSecurity {
    /// TLS from the first byte, mostly on port 465.
    #[default]
    Tls,
    /// TLS after a greeting, mostly on port 587; without it nothing is sent.
    Starttls,
    /// In the clear: only to a server on this machine.
    None,
}

impl MailSecurity {
    /// The word in forms and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Starttls => "starttls",
            Self::None => "none",
        }
    }
}

/// A webhook, as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredWebhook {
    pub(crate) url: String,
    /// What messages are signed with, sealed to control's key: it changes together with its address.
    pub(crate) secret: Sealed,
}

impl std::fmt::Debug for StoredWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredWebhook([redacted])")
    }
}

/// A mail server, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredMail {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: MailSecurity,
    pub(crate) user: Option<String>,
    /// Sealed to control's key.
    pub(crate) password: Option<Sealed>,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}

/// A tenant's alerts, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredAlerts {
    pub(crate) webhook: Option<StoredWebhook>,
    pub(crate) mail: Option<StoredMail>,
    #[serde(default)]
    pub(crate) bounds: AlertBounds,
}

impl StoredAlerts {
    /// The ways that there are.
    pub(crate) fn channels(&self) -> Vec<Channel> {
        let webhook = self.webhook.as_ref().map(|_| Channel::Webhook);
        let mail = self.mail.as_ref().map(|_| Channel::Mail);
        webhook.into_iter().chain(mail).collect()
    }
}

/// What signing in to one side said last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignIn {
    pub(crate) side: String,
    /// When it was tried, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// The refusal's words; none when it was well.
    pub(crate) refused: Option<String>,
}

/// What was told, and what is still to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AlertState {
    #[serde(default)]
    pub(crate) standing: Vec<Standing>,
    #[serde(default)]
    pub(crate) outbox: Vec<Pending>,
    #[serde(default)]
    pub(crate) sign_ins: Vec<SignIn>,
}

/// A value with its revision: 0 when there is none yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept<T> {
    pub(crate) value: T,
    pub(crate) revision: u64,
}

/// The two entries of a tenant.
#[derive(Clone, Debug)]
pub(crate) struct AlertStore {
    kv: Kv,
}

impl AlertStore {
    pub(crate) fn new(bus: &Bus) -> Self {
        Self {
            kv: bus.kv(Bucket::Config),
        }
    }

    fn settings_key(tenant: &TenantId) -> Key {
        Key::new(["alerts", tenant.as_str()])
    }

    fn state_key(tenant: &TenantId) -> Key {
        Key::new(["alert-state", tenant.as_str()])
    }

    async fn read<T: serde::de::DeserializeOwned + Default>(&self, key: &Key) -> Result<Kept<T>, KvError> {
        let found = self.kv.get_json(key).await?;
        let (value, revision) = found.unwrap_or_default();
        Ok(Kept { value, revision })
    }

    /// Refuses with a conflict when somebody else has written since the revision was read.
    async fn write<T: Serialize>(&self, key: &Key, value: &T, revision: u64) -> Result<u64, KvError> {
        match revision {
            0 => match self.kv.create_json(key, value).await {
                Err(KvError::Exists) => Err(KvError::Conflict),
                written => written,
            },
            revision => self.kv.update_json(key, value, revision).await,
        }
    }

    pub(crate) async fn settings(&self, tenant: &TenantId) -> Result<Kept<StoredAlerts>, KvError> {
        self.read(&Self::settings_key(tenant)).await
    }

    /// The settings of all tenants that have some.
    pub(crate) async fn all(&self) -> Result<Vec<(TenantId, StoredAlerts)>, KvError> {
        let mut all = Vec::new();
        for entry in self.kv.list(&KeyFilter::Under(Key::new(["alerts"]))).await? {
            if let Some(tenant) = entry
                .key
                .tokens()
                .get(1)
                .and_then(|token| TenantId::new(token).ok())
            {
                all.push((tenant, entry.json()?));
            }
        }
        Ok(all)
    }

    pub(crate) async fn put_settings(
        &self,
        tenant: &TenantId,
        settings: &StoredAlerts,
        revision: u64,
    ) -> Result<u64, KvError> {
        self.write(&Self::settings_key(tenant), settings, revision).await
    }

    pub(crate) async fn state(&self, tenant: &TenantId) -> Result<Kept<AlertState>, KvError> {
        self.read(&Self::state_key(tenant)).await
    }

    /// Stores what was told, and keeps the new revision.
    pub(crate) async fn put_state(
        &self,
        tenant: &TenantId,
        state: &mut Kept<AlertState>,
    ) -> Result<(), KvError> {
        let key = Self::state_key(tenant);
        state.revision = self.write(&key, &state.value, state.revision).await?;
        Ok(())
    }

    /// Forgets a tenant that is removed.
    pub(crate) async fn forget(&self, tenant: &TenantId) -> Result<(), KvError> {
        self.kv.delete(&Self::settings_key(tenant)).await?;
        self.kv.delete(&Self::state_key(tenant)).await
    }
}
