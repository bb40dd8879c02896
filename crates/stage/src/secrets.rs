//! Credentials, sealed to the stage that uses them.

use std::sync::Arc;

use landbridge_bus::seal::{KeyPair, Sealed};
use landbridge_bus::{Bucket, Bus, Key, KvError};
use landbridge_model::config::{OAuthApp, SealedApp};
use landbridge_model::{StageKind, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;

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

    /// The one stage that can open it.
    pub fn stage(self) -> StageKind {
        match self {
            Self::Salesforce => StageKind::Extractor,
            Self::HubSpot => StageKind::Loader,
        }
    }
}

/// Opens what is sealed to this stage; a stage without a key of its own opens nothing.
#[derive(Clone, Debug)]
pub struct SecretOpener {
    bus: Bus,
    key: Option<Arc<KeyPair>>,
}

impl SecretOpener {
    /// With the stage's key pair, if it has one.
    pub fn new(bus: Bus, key: Option<KeyPair>) -> Self {
        Self {
            bus,
            key: key.map(Arc::new),
        }
    }

    /// Where a tenant's sealed secret is kept.
    fn place(tenant: &TenantId, side: Side) -> Key {
        Key::new([tenant.as_str(), side.as_str()])
    }

    /// A tenant's credentials; `None` when none were given yet.
    pub async fn open<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        side: Side,
    ) -> Result<Option<T>, StageError> {
        let found = self.open_at(tenant, side).await?;
        Ok(found.map(|(secret, _)| secret))
    }

    /// Opens an app that was sealed by itself.
    pub fn open_app(&self, app: SealedApp) -> Result<OAuthApp, StageError> {
        let SealedApp { to, sealed } = app;
        self.unseal(&Sealed { to, sealed }, "the sealed app")
    }

    /// Puts `with` in the place of `old`, sealed to this stage's own key. `false` when somebody has stored other
    /// credentials meanwhile: theirs stay.
    pub async fn replace<T: DeserializeOwned + Serialize + PartialEq>(
        &self,
        tenant: &TenantId,
        side: Side,
        old: &T,
        with: &T,
    ) -> Result<bool, StageError> {
        let Some((stored, revision)) = self.open_at::<T>(tenant, side).await? else {
            return Ok(false);
        };
        if stored == *with {
            return Ok(true);
        }
        if stored != *old {
            return Ok(false);
        }
        let what = || format!("the {} credentials of {tenant}", side.as_str());
        let bytes = serde_json::to_vec(with).map_err(|error| StageError::unreadable(what(), error))?;
        let sealed = self
            .key()?
            .public()
            .seal(&bytes)
            .map_err(|error| StageError::unreadable(what(), error))?;
        let bucket = self.bus.kv(Bucket::Secrets);
        match bucket
            .update_json(&Self::place(tenant, side), &sealed, revision)
            .await
        {
            Ok(_) => Ok(true),
            Err(KvError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn key(&self) -> Result<&KeyPair, StageError> {
        self.key
            .as_deref()
            .ok_or_else(|| StageError::worker("this stage holds no key"))
    }

    async fn open_at<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        side: Side,
    ) -> Result<Option<(T, u64)>, StageError> {
        self.key()?;
        let bucket = self.bus.kv(Bucket::Secrets);
        let Some((sealed, revision)) = bucket.get_json::<Sealed>(&Self::place(tenant, side)).await? else {
            return Ok(None);
        };
        let secret = self.unseal(&sealed, &format!("the {} credentials of {tenant}", side.as_str()))?;
        Ok(Some((secret, revision)))
    }

    fn unseal<T: DeserializeOwned>(&self, sealed: &Sealed, what: &str) -> Result<T, StageError> {
        let bytes = self
            .key()?
            .open(sealed)
            .map_err(|error| StageError::unreadable(what, error))?;
        // The text of a JSON error can quote its input, which is a secret here.
        serde_json::from_slice(&bytes)
            .map_err(|_| StageError::unreadable(what, "they are sealed, but not credentials"))
    }

    /// Opens what is kept elsewhere than with the credentials. `what` names it in errors.
    pub fn open_sealed(&self, what: &str, sealed: &Sealed) -> Result<Vec<u8>, StageError> {
        let Some(key) = &self.key else {
            return Err(StageError::worker("this stage holds no key"));
        };
        key.open(sealed)
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
