//! From stored credentials to what the client signs in with, and back when HubSpot gives another refresh token.

use landbridge_hubspot::{Credentials, Keeping, Secret, TokenKeeper};
use landbridge_model::TenantId;
use landbridge_model::config::{HubSpotCredentials, OAuthApp};
use landbridge_stage::{SecretOpener, Side, StageError};
use parking_lot::Mutex;

/// What the client signs in with.
pub(crate) fn signing_in(
    secrets: &SecretOpener,
    stored: HubSpotCredentials,
) -> Result<Credentials, StageError> {
    Ok(match stored {
        HubSpotCredentials::Token { token } => Credentials::Token(Secret::new(token)),
        HubSpotCredentials::OAuth {
            client_id,
            client_secret,
            refresh_token,
        } => Credentials::OAuth {
            client_id,
            client_secret: Secret::new(client_secret),
            refresh_token: Secret::new(refresh_token),
        },
        HubSpotCredentials::AuthorizationCode {
            app,
            code,
            redirect_uri,
        } => {
            let app = secrets.open_app(app)?;
            Credentials::AuthorizationCode {
                client_id: app.client_id,
                client_secret: Secret::new(app.client_secret),
                code: Secret::new(code),
                redirect_uri,
            }
        }
    })
}

/// Seals a refresh token that replaces the one before, and stores it.
#[derive(Debug)]
pub(crate) struct Resealer {
    secrets: SecretOpener,
    tenant: TenantId,
    stored: Mutex<HubSpotCredentials>,
}

impl Resealer {
    pub(crate) fn new(secrets: SecretOpener, tenant: TenantId, stored: HubSpotCredentials) -> Self {
        let stored = Mutex::new(stored);
        Self {
            secrets,
            tenant,
            stored,
        }
    }

    fn with(
        &self,
        stored: HubSpotCredentials,
        refresh_token: String,
    ) -> Result<HubSpotCredentials, StageError> {
        let app = match stored {
            HubSpotCredentials::OAuth {
                client_id,
                client_secret,
                ..
            } => OAuthApp {
                client_id,
                client_secret,
            },
            HubSpotCredentials::AuthorizationCode { app, .. } => self.secrets.open_app(app)?,
            static_token @ HubSpotCredentials::Token { .. } => return Ok(static_token),
        };
        Ok(HubSpotCredentials::OAuth {
            client_id: app.client_id,
            client_secret: app.client_secret,
            refresh_token,
        })
    }

    async fn reseal(&self, refresh_token: &Secret) -> Result<(), StageError> {
        let old = self.stored.lock().clone();
        let new = self.with(old.clone(), refresh_token.expose().to_owned())?;
        // Credentials that somebody has entered meanwhile stay: this client is given up when the portal is opened next.
        if self
            .secrets
            .replace(&self.tenant, Side::HubSpot, &old, &new)
            .await?
        {
            *self.stored.lock() = new;
        }
        Ok(())
    }
}

impl TokenKeeper for Resealer {
    fn keep(&self, refresh_token: Secret) -> Keeping<'_> {
        Box::pin(async move {
            let resealed = self.reseal(&refresh_token).await;
            resealed.map_err(|error| error.chain())
        })
    }
}
