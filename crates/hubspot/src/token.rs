//! What signs us in: a static token, or OAuth with a refresh before the token ends.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::error::Error;
use crate::paths::ApiVersion;
use crate::verdict::Verdict;

/// A secret text; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends or seals it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How to sign in.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A service key or a private app's token.
    Token(Secret),
    /// An installed app.
    OAuth {
        /// The app's id.
        client_id: String,
        /// The app's secret.
        client_secret: Secret,
        /// What a refresh is asked with; another may replace it ([`crate::Client::refresh_token`]).
        refresh_token: Secret,
    },
}

/// Gives out bearer tokens; one refresh at a time.
#[derive(Debug)]
pub(crate) struct Tokens {
    credentials: Mutex<Credentials>,
    current: Mutex<Option<Bearer>>,
    url: Option<Url>,
}

#[derive(Clone, Debug)]
struct Bearer {
    token: Secret,
    /// When to ask for another: at four fifths of its life.
    renew_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

/// An access token's documented life.
const LIFE_S: u64 = 1_800;

impl Tokens {
    pub(crate) fn new(credentials: Credentials, base: &Url, version: &ApiVersion) -> Self {
        let url = base.join(&version.oauth_token()).ok();
        Self {
            credentials: Mutex::new(credentials),
            current: Mutex::new(None),
            url,
        }
    }

    /// A token that should be good now.
    pub(crate) async fn bearer(&self, http: &reqwest::Client) -> Result<Secret, Error> {
        let mut current = self.current.lock().await;
        let fresh = current
            .as_ref()
            .filter(|bearer| bearer.renew_at.is_none_or(|at| Instant::now() < at));
        if let Some(bearer) = fresh {
            return Ok(bearer.token.clone());
        }
        let bearer = self.obtain(http).await?;
        Ok(current.insert(bearer).token.clone())
    }

    /// The token was refused. Answers whether another one can be had.
    pub(crate) async fn refused(&self, token: &Secret) -> bool {
        if matches!(&*self.credentials.lock().await, Credentials::Token(_)) {
            return false;
        }
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|bearer| bearer.token == *token) {
            *current = None;
        }
        true
    }

    pub(crate) async fn refresh_token(&self) -> Option<Secret> {
        match &*self.credentials.lock().await {
            Credentials::OAuth { refresh_token, .. } => Some(refresh_token.clone()),
            Credentials::Token(_) => None,
        }
    }

    async fn obtain(&self, http: &reqwest::Client) -> Result<Bearer, Error> {
        const CALL: &str = "POST oauth token";
        let mut credentials = self.credentials.lock().await;
        let (client_id, client_secret, refresh_token) = match &mut *credentials {
            Credentials::Token(token) => {
                return Ok(Bearer {
                    token: token.clone(),
                    renew_at: None,
                });
            }
            Credentials::OAuth {
                client_id,
                client_secret,
                refresh_token,
            } => (client_id, client_secret, refresh_token),
        };
        let url = self
            .url
            .clone()
            .ok_or_else(|| Error::new(Verdict::Configuration, CALL, "the address cannot be used"))?;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client_id.as_str()),
            ("client_secret", client_secret.expose()),
            ("refresh_token", refresh_token.expose()),
        ];
        let asked = Instant::now();
        let lost = |error: reqwest::Error| {
            Error::new(Verdict::Transient, CALL, "no answer to a token refresh").caused(error.without_url())
        };
        let response = http.post(url).form(&form).send().await.map_err(lost)?;
        let status = response.status();
        let body = response.bytes().await.map_err(lost)?;
        if !status.is_success() {
            let passing = status.is_server_error() || status.as_u16() == 429;
            let verdict = if passing {
                Verdict::Transient
            } else {
                Verdict::Auth
            };
            let message = format!("the token refresh was refused with status {}", status.as_u16());
            return Err(Error::new(verdict, CALL, message));
        }
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|error| Error::new(Verdict::Transient, CALL, "unreadable token answer").caused(error))?;
        if let Some(rotated) = granted.refresh_token.filter(|token| !token.is_empty()) {
            *refresh_token = Secret::new(rotated);
        }
        let life = Duration::from_secs(granted.expires_in.unwrap_or(LIFE_S));
        Ok(Bearer {
            token: Secret::new(granted.access_token),
            renew_at: Some(asked + life * 4 / 5),
        })
    }
}
