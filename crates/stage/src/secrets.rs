//! Credentials, sealed to the stage that uses them.

use std::sync::Arc;

use landbridge_bus::seal::{KeyPair, KeyRing, SealError, Sealed};
use landbridge_bus::{Bucket, Bus, Key, KvError};
use landbridge_model::ask::SealedSecret;
use landbridge_model::config::{OAuthApp, SealedApp};
use landbridge_model::{StageKind, TenantId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StageError;

/// Which of a tenant's two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Sealed to the extractor's key.
    Salesforce,
    /// Sealed to the loader's key.
    HubSpot,
}

impl Side {
    /// The token in the bucket's keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::HubSpot => "hubspot",
        }
    }

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Salesforce => "Salesforce",
            Self::HubSpot => "HubSpot",
        }
    }

    /// The side whose credentials a stage opens.
    pub fn of(stage: StageKind) -> Option<Self> {
        [Self::Salesforce, Self::HubSpot]
            .into_iter()
            .find(|side| side.stage() == stage)
    }

    /// The one stage that can open it.
    pub fn stage(self) -> StageKind {
        match self {
            Self::Salesforce => StageKind::Extractor,
            Self::HubSpot => StageKind::Loader,
        }
    }
}

/// A tenant's sealed credentials, as they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecret {
    /// The seal.
    #[serde(flatten)]
    pub sealed: Sealed,
    /// When they were entered, in milliseconds since 1970, once they were stored again since: to another key, or with a
    /// rotated token. Until then the time of the entry itself says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_ms: Option<i64>,
}

/// Opens what is sealed to this stage; a stage without a key of its own opens nothing.
#[derive(Clone, Debug)]
pub struct SecretOpener {
    bus: Bus,
    keys: Option<Arc<KeyRing>>,
}

impl SecretOpener {
    /// With the stage's key pair, if it has one.
    pub fn new(bus: Bus, key: Option<KeyPair>) -> Self {
        Self::with_keys(bus, key.map(|key| KeyRing::new(key, Vec::new())))
    }

    /// With the stage's key pair and those that it takes over from.
    pub fn with_keys(bus: Bus, keys: Option<KeyRing>) -> Self {
        Self {
            bus,
            keys: keys.map(Arc::new),
        }
    }

    /// Where a tenant's sealed secret is kept.
    fn place(tenant: &TenantId, side: Side) -> Key {
        Key::new([tenant.as_str(), side.as_str()])
    }

    /// A tenant's credentials; `None` when none were given yet. What is sealed to an earlier key is sealed again on the way.
    pub async fn open<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        side: Side,
    ) -> Result<Option<T>, StageError> {
        let Some(opened) = self.open_at(tenant, side).await? else {
            return Ok(None);
        };
        if !self.keys()?.is_current(&opened.stored.sealed.to) {
            self.reseal(tenant, side).await?;
        }
        Ok(Some(opened.secret))
    }

    /// Opens an app that was sealed by itself.
    pub fn open_app(&self, app: SealedApp) -> Result<OAuthApp, StageError> {
        let SealedApp { to, sealed } = app;
        self.unseal(&Sealed { to, sealed }, "the sealed app")
    }

    /// Puts `with` in the place of `old`, sealed to this stage's current key. `false` when somebody has stored other
    /// credentials meanwhile: theirs stay.
    pub async fn replace<T: DeserializeOwned + Serialize + PartialEq>(
        &self,
        tenant: &TenantId,
        side: Side,
        old: &T,
        with: &T,
    ) -> Result<bool, StageError> {
        let what = || what(tenant, side);
        let bytes = serde_json::to_vec(with).map_err(|error| StageError::unreadable(what(), error))?;
        let sealed = self
            .keys()?
            .public()
            .seal(&bytes)
            .map_err(|error| StageError::unreadable(what(), error))?;
        loop {
            let Some(found) = self.open_at::<T>(tenant, side).await? else {
                return Ok(false);
            };
            if found.secret == *with {
                return Ok(true);
            }
            if found.secret != *old {
                return Ok(false);
            }
            if self.store_over(tenant, side, &found, sealed.clone()).await? {
                return Ok(true);
            }
        }
    }

    /// Seals a tenant's credentials to the current key if they are sealed to an earlier one; says how they are sealed
    /// then. `None` when there are none.
    pub async fn reseal(&self, tenant: &TenantId, side: Side) -> Result<Option<SealedSecret>, StageError> {
        loop {
            let Some(found) = self.stored_at(tenant, side).await? else {
                return Ok(None);
            };
            match self.keys()?.reseal(&found.stored.sealed) {
                Ok(Some(sealed)) => {
                    let to = sealed.to.clone();
                    if self.store_over(tenant, side, &found, sealed).await? {
                        tracing::info!(%tenant, side = side.as_str(), to, "credentials are sealed to the current key");
                    }
                }
                other => {
                    return Ok(Some(sealed_secret(
                        &what(tenant, side),
                        &found.stored.sealed,
                        other.err(),
                    )));
                }
            }
        }
    }

    /// The same for a secret that is kept elsewhere than with the credentials: what is to be stored in its place, if
    /// anything, and how it is sealed then. `what` names it.
    pub fn resealed(&self, what: &str, sealed: &Sealed) -> (Option<Sealed>, SealedSecret) {
        let Some(keys) = &self.keys else {
            let trouble = "this stage holds no key".to_owned();
            return (
                None,
                SealedSecret {
                    trouble: Some(trouble),
                    ..sealed_secret(what, sealed, None)
                },
            );
        };
        match keys.reseal(sealed) {
            Ok(Some(again)) => {
                let told = sealed_secret(what, &again, None);
                (Some(again), told)
            }
            other => (None, sealed_secret(what, sealed, other.err())),
        }
    }

    /// Makes the current key known again: another process of the stage may have announced an earlier one since.
    pub async fn announce(&self, stage: StageKind) -> Result<(), StageError> {
        let key = self.keys()?.public();
        let announced = landbridge_bus::seal::publish_key(&self.bus, stage, &key).await;
        announced.map_err(|error| StageError::caused("the public key cannot be announced", error))
    }

    /// Whether this stage holds a key.
    pub fn holds_keys(&self) -> bool {
        self.keys.is_some()
    }

    fn keys(&self) -> Result<&KeyRing, StageError> {
        self.keys
            .as_deref()
            .ok_or_else(|| StageError::worker("this stage holds no key"))
    }

    /// Puts a seal in the place of the one that was found; `false` when somebody has stored another meanwhile.
    async fn store_over<T>(
        &self,
        tenant: &TenantId,
        side: Side,
        found: &Found<T>,
        sealed: Sealed,
    ) -> Result<bool, StageError> {
        let entered_ms = found.stored.entered_ms.unwrap_or(found.at_ms);
        let stored = StoredSecret {
            sealed,
            entered_ms: Some(entered_ms),
        };
        let bucket = self.bus.kv(Bucket::Secrets);
        let place = Self::place(tenant, side);
        match bucket.update_json(&place, &stored, found.revision).await {
            Ok(_) => Ok(true),
            Err(KvError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn stored_at(&self, tenant: &TenantId, side: Side) -> Result<Option<Found<()>>, StageError> {
        let bucket = self.bus.kv(Bucket::Secrets);
        let Some(entry) = bucket.get(&Self::place(tenant, side)).await? else {
            return Ok(None);
        };
        Ok(Some(Found {
            secret: (),
            stored: entry.json()?,
            revision: entry.revision,
            at_ms: entry.time.as_millisecond(),
        }))
    }

    async fn open_at<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        side: Side,
    ) -> Result<Option<Found<T>>, StageError> {
        self.keys()?;
        let Some(found) = self.stored_at(tenant, side).await? else {
            return Ok(None);
        };
        let secret = self.unseal(&found.stored.sealed, &what(tenant, side))?;
        Ok(Some(Found {
            secret,
            stored: found.stored,
            revision: found.revision,
            at_ms: found.at_ms,
        }))
    }

    fn unseal<T: DeserializeOwned>(&self, sealed: &Sealed, what: &str) -> Result<T, StageError> {
        let bytes = self
            .keys()?
            .open(sealed)
            .map_err(|error| StageError::unreadable(what, error))?;
        // The text of a JSON error can quote its input, which is a secret here.
        serde_json::from_slice(&bytes)
            .map_err(|_| StageError::unreadable(what, "they are sealed, but not credentials"))
    }

    /// Opens what is kept elsewhere than with the credentials. `what` names it in errors.
    pub fn open_sealed(&self, what: &str, sealed: &Sealed) -> Result<Vec<u8>, StageError> {
        self.keys()?
            .open(sealed)
            .map_err(|error| StageError::unreadable(what.to_owned(), error))
    }

    /// Stores a tenant's sealed credentials.
    pub async fn store(bus: &Bus, tenant: &TenantId, side: Side, sealed: &Sealed) -> Result<(), StageError> {
        bus.kv(Bucket::Secrets)
            .put_json(&Self::place(tenant, side), sealed)
            .await?;
        Ok(())
    }

    /// Forgets a tenant's credentials.
    pub async fn forget(bus: &Bus, tenant: &TenantId) -> Result<(), StageError> {
        for side in [Side::Salesforce, Side::HubSpot] {
            Self::forget_side(bus, tenant, side).await?;
        }
        Ok(())
    }

    /// Forgets the secrets of one side.
    pub async fn forget_side(bus: &Bus, tenant: &TenantId, side: Side) -> Result<(), StageError> {
        Ok(bus.kv(Bucket::Secrets).delete(&Self::place(tenant, side)).await?)
    }
}

/// Credentials that were found.
struct Found<T> {
    secret: T,
    stored: StoredSecret,
    revision: u64,
    at_ms: i64,
}

fn what(tenant: &TenantId, side: Side) -> String {
    format!("the {} credentials of {tenant}", side.name())
}

fn sealed_secret(what: &str, sealed: &Sealed, trouble: Option<SealError>) -> SealedSecret {
    SealedSecret {
        what: what.to_owned(),
        to: sealed.to.clone(),
        trouble: trouble.map(|error| format!("{what} cannot be read: {error}")),
    }
}
