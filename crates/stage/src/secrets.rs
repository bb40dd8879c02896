//! Credentials, sealed to the stage that uses them.

use std::sync::Arc;

use landbridge_bus::seal::{KeyPair, Sealed};
use landbridge_bus::{Bucket, Bus, Key};
use landbridge_model::{StageKind, TenantId};
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
        let Some(key) = &self.key else {
            return Err(StageError::worker("this stage holds no key"));
        };
        let bucket = self.bus.kv(Bucket::Secrets);
        let Some((sealed, _)) = bucket.get_json::<Sealed>(&Self::place(tenant, side)).await? else {
            return Ok(None);
        };
        let what = format!("the {} credentials of {tenant}", side.as_str());
        let bytes = key
            .open(&sealed)
            .map_err(|error| StageError::unreadable(what.clone(), error))?;
        // The text of a JSON error can quote its input, which is a secret here.
        serde_json::from_slice(&bytes)
            .map(Some)
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
            bus.kv(Bucket::Secrets).delete(&Self::place(tenant, side)).await?;
        }
        Ok(())
    }
}
