//! Signing in: the OAuth token endpoint, and the session that comes of it.
//!
//! A token has no announced end: it lives until a call is answered with 401, and then exactly one of the waiting
//! callers fetches the next one (OAuth token endpoint; there is no `expires_in`).

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::SalesforceId;
use parking_lot::RwLock;
use serde::Deserialize;
use url::Url;

use crate::error::{SalesforceError, classify};
use crate::secret::Secret;

/// How the client proves who it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Flow {
    /// Client credentials: runs as the app's own user. The sign-in address must be the org's My Domain.
    ClientCredentials {
        /// Consumer key.
        client_id: String,
        /// Consumer secret.
        client_secret: Secret,
    },
    /// A refresh token from an earlier authorization-code exchange.
    RefreshToken {
        /// Consumer key.
        client_id: String,
        /// Consumer secret, when the app has one.
        client_secret: Option<Secret>,
        /// The refresh token. A rotated one replaces it in memory; see [`Sessions::rotated`].
        refresh_token: Secret,
    },
    /// User name and password; most orgs refuse it.
    Password {
        /// Consumer key.
        client_id: String,
        /// Consumer secret.
        client_secret: Secret,
        /// User name.
        username: String,
        /// Password with the security token behind it.
        password: Secret,
    },
}

impl Flow {
    /// The form to post. `rotated` is the refresh token that replaced the configured one.
    fn form(&self, rotated: Option<&Secret>) -> Vec<(&'static str, String)> {
        match self {
            Self::ClientCredentials {
                client_id,
                client_secret,
            } => vec![
                ("grant_type", "client_credentials".into()),
                ("client_id", client_id.clone()),
                ("client_secret", client_secret.expose().into()),
            ],
            Self::RefreshToken {
                client_id,
                client_secret,
                refresh_token,
            } => {
                let token = rotated.unwrap_or(refresh_token);
                let mut form = vec![
                    ("grant_type", "refresh_token".into()),
                    ("client_id", client_id.clone()),
                    ("refresh_token", token.expose().into()),
                ];
                form.extend(
                    client_secret
                        .iter()
                        .map(|secret| ("client_secret", secret.expose().into())),
                );
                form
            }
            Self::Password {
                client_id,
                client_secret,
                username,
                password,
            } => vec![
                ("grant_type", "password".into()),
                ("client_id", client_id.clone()),
                ("client_secret", client_secret.expose().into()),
                ("username", username.clone()),
                ("password", password.expose().into()),
            ],
        }
    }
}

/// A token and where it is good for.
#[derive(Debug, Clone)]
pub struct Session {
    /// The bearer token.
    pub token: Secret,
    /// Where all calls go; always the latest answer's, since an org may move.
    pub instance_url: Url,
    /// The org, `00D…`.
    pub org_id: SalesforceId,
    /// The user that calls run as, `005…`.
    pub user_id: SalesforceId,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Secret,
    instance_url: String,
    id: String,
    refresh_token: Option<Secret>,
}

/// The current session, renewed by one caller at a time.
#[derive(Debug)]
pub struct Sessions {
    token_url: Url,
    flow: Flow,
    timeout: Duration,
    current: RwLock<Option<Arc<Session>>>,
    rotated: RwLock<Option<Secret>>,
    renewing: tokio::sync::Mutex<()>,
}

impl Sessions {
    pub(crate) fn new(login_url: &Url, flow: Flow, timeout: Duration) -> Result<Self, SalesforceError> {
        let token_url = login_url.join("/services/oauth2/token").map_err(|error| {
            SalesforceError::Setting(format!("the sign-in address {login_url} cannot be used: {error}"))
        })?;
        Ok(Self {
            token_url,
            flow,
            timeout,
            current: RwLock::new(None),
            rotated: RwLock::new(None),
            renewing: tokio::sync::Mutex::new(()),
        })
    }

    /// The session in use, if there is one.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Session>> {
        self.current.read().clone()
    }

    /// The refresh token that replaced the configured one, to be stored before the process ends.
    #[must_use]
    pub fn rotated(&self) -> Option<Secret> {
        self.rotated.read().clone()
    }

    /// A session that is not `stale`: the current one, or a new one fetched by whoever comes first.
    pub(crate) async fn other_than(
        &self,
        http: &reqwest::Client,
        stale: Option<&Arc<Session>>,
        on_answer: impl Fn(&reqwest::Response),
    ) -> Result<Arc<Session>, SalesforceError> {
        let usable = || {
            self.current()
                .filter(|current| !stale.is_some_and(|stale| Arc::ptr_eq(stale, current)))
        };
        if let Some(current) = usable() {
            return Ok(current);
        }
        let _turn = self.renewing.lock().await;
        if let Some(current) = usable() {
            return Ok(current);
        }
        let session = Arc::new(self.fetch(http, on_answer).await?);
        *self.current.write() = Some(session.clone());
        Ok(session)
    }

    async fn fetch(
        &self,
        http: &reqwest::Client,
        on_answer: impl Fn(&reqwest::Response),
    ) -> Result<Session, SalesforceError> {
        const WHAT: &str = "the sign-in";
        let transport = |source| SalesforceError::transport(WHAT, source);
        let form = self.flow.form(self.rotated.read().as_ref());
        let request = http
            .post(self.token_url.clone())
            .timeout(self.timeout)
            .form(&form);
        let answer = request.send().await.map_err(transport)?;
        on_answer(&answer);
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(transport)?;
        if status != 200 {
            return Err(refusal(status, &body));
        }
        let answer: TokenAnswer = serde_json::from_slice(&body)
            .map_err(|source| SalesforceError::Unreadable { what: WHAT, source })?;
        if let Some(token) = answer.refresh_token {
            *self.rotated.write() = Some(token);
        }
        let (org_id, user_id) = identity(&answer.id)?;
        let instance_url = Url::parse(&answer.instance_url).map_err(|error| {
            SalesforceError::Setting(format!(
                "the sign-in answered with an unusable instance address: {error}"
            ))
        })?;
        Ok(Session {
            token: answer.access_token,
            instance_url,
            org_id,
            user_id,
        })
    }
}

/// The token endpoint's refusal. It answers with an OAuth object, sometimes with an API error array.
fn refusal(status: u16, body: &[u8]) -> SalesforceError {
    let (errors, start) = classify::read_errors(body);
    let first = errors.into_iter().next();
    let code = first
        .as_ref()
        .map_or_else(|| status.to_string(), |error| error.code.clone());
    let message = first.map_or(start, |error| error.message);
    let transient = status >= 500
        || status == 429
        || matches!(
            code.as_str(),
            "unknown_error" | "temporarily_unavailable" | "REQUEST_LIMIT_EXCEEDED"
        )
        || message.contains("rate exceeded");
    SalesforceError::SignIn {
        code,
        message,
        transient,
    }
}

/// Org and user from the identity address `…/id/00D…/005…`.
fn identity(id_url: &str) -> Result<(SalesforceId, SalesforceId), SalesforceError> {
    let mut parts = id_url.trim_end_matches('/').rsplit('/');
    let user = parts.next().and_then(|part| SalesforceId::parse(part).ok());
    let org = parts.next().and_then(|part| SalesforceId::parse(part).ok());
    match (org, user) {
        (Some(org), Some(user)) => Ok((org, user)),
        _ => Err(SalesforceError::Setting(
            "the sign-in's answer names no org and user".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Verdict;

    #[test]
    fn org_and_user_come_from_the_identity_address() {
        let url = "https://login.salesforce.com/id/00D000000000000/005000000000001";
        let (org, user) = identity(url).unwrap();
        assert_eq!(
            (org.as_str(), user.as_str()),
            ("00D000000000000EAA", "005000000000001AAA")
        );
        assert!(identity("https://login.salesforce.com/id/").is_err());
    }

    #[test]
    fn refusals_are_read_in_every_shape() {
        let wrong = refusal(
            400,
            br#"{"error":"invalid_client","error_description":"invalid client credentials"}"#,
        );
        assert_eq!(
            wrong.to_string(),
            "Salesforce refused the sign-in: invalid_client: invalid client credentials"
        );
        assert_eq!(wrong.verdict(), Verdict::Configuration);
        let busy = refusal(403, br#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"x"}]"#);
        assert!(matches!(busy.verdict(), Verdict::Retry { .. }));
        assert!(matches!(
            refusal(503, b"<html>down</html>").verdict(),
            Verdict::Retry { .. }
        ));
    }

    #[test]
    fn secrets_do_not_show() {
        let flow = Flow::ClientCredentials {
            client_id: "key".into(),
            client_secret: Secret::new("hush-hush"),
        };
        assert!(!format!("{flow:?}").contains("hush"));
    }
}
