//! From stored credentials to the client's way of signing in, and back when Salesforce gives another refresh token.

use std::sync::Arc;

use landbridge_model::TenantId;
use landbridge_model::config::{OAuthApp, SalesforceCredentials};
use landbridge_salesforce::{Flow, Keeping, Secret, TokenKeeper};
use landbridge_stage::{SecretOpener, Side, StageError};
use parking_lot::Mutex;

/// What the client signs in with.
pub(crate) fn signing_in(secrets: &SecretOpener, stored: SalesforceCredentials) -> Result<Flow, StageError> {
    let secret = |text: String| Some(text).filter(|text| !text.is_empty()).map(Secret::new);
    Ok(match stored {
        SalesforceCredentials::ClientCredentials {
            client_id,
            client_secret,
        } => Flow::ClientCredentials {
            client_id,
            client_secret: Secret::new(client_secret),
        },
        SalesforceCredentials::RefreshToken {
            client_id,
            client_secret,
            refresh_token,
        } => Flow::RefreshToken {
            client_id,
            client_secret: secret(client_secret),
            refresh_token: Secret::new(refresh_token),
        },
        SalesforceCredentials::Jwt {
            client_id,
            username,
            private_key,
            audience,
        } => Flow::Jwt {
            client_id,
            username,
            private_key: Secret::new(private_key),
            audience,
        },
        SalesforceCredentials::AuthorizationCode {
            app,
            code,
            code_verifier,
            redirect_uri,
        } => {
            let app = secrets.open_app(app)?;
            Flow::AuthorizationCode {
                client_id: app.client_id,
                client_secret: secret(app.client_secret),
                code: Secret::new(code),
                code_verifier: Secret::new(code_verifier),
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
    stored: Arc<Mutex<SalesforceCredentials>>,
}

impl TokenKeeper for Resealer {
    fn keep(&self, refresh_token: Secret) -> Keeping<'_> {
        Box::pin(async move {
            let resealed = self.reseal(&refresh_token).await;
            resealed.map_err(|error| error.chain())
        })
    }
}

impl Resealer {
    /// For a client that is made of what `stored` holds.
    pub(crate) fn new(
        secrets: SecretOpener,
        tenant: TenantId,
        stored: Arc<Mutex<SalesforceCredentials>>,
    ) -> Self {
        Self {
            secrets,
            tenant,
            stored,
        }
    }

    async fn reseal(&self, refresh_token: &Secret) -> Result<(), StageError> {
        let old = self.stored.lock().clone();
        let new = self.with(old.clone(), refresh_token.expose().to_owned())?;
        // Credentials that somebody has entered meanwhile stay: this client is given up at the next look.
        if self
            .secrets
            .replace(&self.tenant, Side::Salesforce, &old, &new)
            .await?
        {
            *self.stored.lock() = new;
        }
        Ok(())
    }

    fn with(
        &self,
        stored: SalesforceCredentials,
        refresh_token: String,
    ) -> Result<SalesforceCredentials, StageError> {
        let app = match stored {
            SalesforceCredentials::RefreshToken {
                client_id,
                client_secret,
                ..
            } => OAuthApp {
                client_id,
                client_secret,
            },
            SalesforceCredentials::AuthorizationCode { app, .. } => self.secrets.open_app(app)?,
            // They come with no refresh token; one that is sent all the same is of no use.
            other @ (SalesforceCredentials::ClientCredentials { .. } | SalesforceCredentials::Jwt { .. }) => {
                return Ok(other);
            }
        };
        Ok(SalesforceCredentials::RefreshToken {
            client_id: app.client_id,
            client_secret: app.client_secret,
            refresh_token,
        })
    }
}
