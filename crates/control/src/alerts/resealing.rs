//! The secrets of alerts follow control's key: what is sealed to an earlier key is sealed again to the current one.

use std::time::Duration;

use landbridge_bus::KvError;
use landbridge_bus::seal::Sealed;
use landbridge_model::ask::SealedSecret;
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::{SecretOpener, StageError};
use landbridge_wire::AskError;

use super::settings::{AlertStore, StoredAlerts};
use crate::shard::{ControlShard, unavailable};

/// How long to wait before secrets are looked at again that could not be.
const AGAIN: Duration = Duration::from_secs(10);

/// What a tenant's secret of this kind is called.
fn what(kind: &str, tenant: &TenantId) -> String {
    format!("the {kind} of the alerts of {tenant}")
}

/// The secrets of a tenant's alerts, by what they are called.
pub(crate) fn secrets_of<'a>(tenant: &TenantId, settings: &'a StoredAlerts) -> Vec<(String, &'a Sealed)> {
    let webhook = settings.webhook.as_ref().map(|webhook| &webhook.secret);
    let password = settings.mail.as_ref().and_then(|mail| mail.password.as_ref());
    let webhook = webhook.map(|secret| (what("webhook's secret", tenant), secret));
    let password = password.map(|secret| (what("mail server's password", tenant), secret));
    webhook.into_iter().chain(password).collect()
}

/// Seals what can be to the current key; says whether anything was, and how everything is sealed then.
fn reseal(
    opener: &SecretOpener,
    tenant: &TenantId,
    settings: &mut StoredAlerts,
) -> (bool, Vec<SealedSecret>) {
    let told = secrets_of(tenant, settings).into_iter();
    let (again, told): (Vec<_>, Vec<_>) = told.map(|(what, sealed)| opener.resealed(&what, sealed)).unzip();
    let mut again = again.into_iter();
    let is_changed = again.as_slice().iter().any(Option::is_some);
    if let Some(webhook) = &mut settings.webhook
        && let Some(Some(sealed)) = again.next()
    {
        webhook.secret = sealed;
    }
    if let Some(password) = settings.mail.as_mut().and_then(|mail| mail.password.as_mut())
        && let Some(Some(sealed)) = again.next()
    {
        *password = sealed;
    }
    (is_changed, told)
}

impl ControlShard {
    /// Seals the secrets of a tenant's alerts to the current key, and says how they are sealed then.
    pub(crate) async fn reseal_alerts(&self, tenant: &TenantId) -> Result<Vec<SealedSecret>, AskError> {
        let resealed = self.try_reseal_alerts(tenant).await;
        resealed.map_err(|error| unavailable(error.into()))
    }

    async fn try_reseal_alerts(&self, tenant: &TenantId) -> Result<Vec<SealedSecret>, KvError> {
        let store = AlertStore::new(self.context.hub.bus());
        loop {
            let mut settings = store.settings(tenant).await?;
            let (is_changed, told) = reseal(&self.context.secrets, tenant, &mut settings.value);
            if !is_changed {
                return Ok(told);
            }
            match store
                .put_settings(tenant, &settings.value, settings.revision)
                .await
            {
                Ok(_) => {
                    tracing::info!(%tenant, "the secrets of alerts are sealed to the current key");
                    return Ok(told);
                }
                // Somebody has just changed them: look again.
                Err(KvError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Seals the secrets of the shard's alerts to the current key, once: what comes later is sealed to it.
    pub(crate) async fn seal_alerts_to_current_key(&self) {
        if !self.context.secrets.holds_keys() {
            return;
        }
        while let Err(error) = self.reseal_shard().await {
            let shard = self.context.shard;
            tracing::warn!(%shard, error = %error.chain(), "the secrets of alerts could not be looked at; they are soon again");
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn reseal_shard(&self) -> Result<(), StageError> {
        self.context.secrets.announce(StageKind::Control).await?;
        let stored = AlertStore::new(self.context.hub.bus()).all().await?;
        let own = stored
            .into_iter()
            .filter(|(tenant, _)| self.context.hub.shard_of(tenant) == self.context.shard);
        for (tenant, _) in own {
            for sealed in self.try_reseal_alerts(&tenant).await? {
                if let Some(trouble) = sealed.trouble {
                    tracing::error!(%tenant, "{trouble}");
                }
            }
        }
        Ok(())
    }
}
