//! What signs us in: a static token, or OAuth with a refresh before the token ends.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
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
        /// What a refresh is asked with; another may replace it ([`TokenKeeper`]).
        refresh_token: Secret,
    },
    /// An app that a person has just installed: the code is exchanged for a refresh token at the first use, once.
    AuthorizationCode {
        /// The app's id.
        client_id: String,
        /// The app's secret.
        client_secret: Secret,
        /// The code that the browser was given.
        code: Secret,
        /// Where the browser was sent with it.
        redirect_uri: String,
    },
}

/// Keeps a refresh token where a restart finds it: what was exchanged for a code, or what replaced the token before.
pub trait TokenKeeper: fmt::Debug + Send + Sync {
    /// Keeps it durably, or says why it could not. Called again until it succeeds.
    fn keep(&self, refresh_token: Secret) -> Keeping<'_>;
}

/// The end of keeping a token.
pub type Keeping<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Gives out bearer tokens; one refresh at a time.
#[derive(Debug)]
pub(crate) struct Tokens {
    credentials: Mutex<Credentials>,
    /// A refresh token that is not kept yet.
    unkept: Mutex<Option<Secret>>,
    keeper: Option<Arc<dyn TokenKeeper>>,
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
    pub(crate) fn new(
        credentials: Credentials,
        keeper: Option<Arc<dyn TokenKeeper>>,
        base: &Url,
        version: &ApiVersion,
    ) -> Self {
        let url = base.join(&version.oauth_token()).ok();
        Self {
            credentials: Mutex::new(credentials),
            unkept: Mutex::default(),
            keeper,
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
            Credentials::Token(_) | Credentials::AuthorizationCode { .. } => None,
        }
    }

    async fn obtain(&self, http: &reqwest::Client) -> Result<Bearer, Error> {
        let mut credentials = self.credentials.lock().await;
        let form = match grant_of(&credentials) {
            Ok(form) => form,
            Err(token) => {
                return Ok(Bearer {
                    token,
                    renew_at: None,
                });
            }
        };
        self.keep().await?;
        let url = self
            .url
            .clone()
            .ok_or_else(|| Error::new(Verdict::Configuration, CALL, "the address cannot be used"))?;
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
            let rotated = Secret::new(rotated);
            if credentials.take(&rotated) {
                *self.unkept.lock().await = Some(rotated);
                self.keep().await?;
            }
        }
        if matches!(&*credentials, Credentials::AuthorizationCode { .. }) {
            let message = "no refresh token was given for the code: install the app once more";
            return Err(Error::new(Verdict::Auth, CALL, message));
        }
        let life = Duration::from_secs(granted.expires_in.unwrap_or(LIFE_S));
        Ok(Bearer {
            token: Secret::new(granted.access_token),
            renew_at: Some(asked + life * 4 / 5),
        })
    }
    /// Has a new refresh token kept, if there is one that is not.
    async fn keep(&self) -> Result<(), Error> {
        let mut unkept = self.unkept.lock().await;
        if let (Some(token), Some(keeper)) = (&*unkept, &self.keeper) {
            keeper.keep(token.clone()).await.map_err(|why| {
                let message = format!("the new refresh token cannot be stored yet: {why}");
                Error::new(Verdict::Transient, CALL, message)
            })?;
        }
        *unkept = None;
        Ok(())
    }
}

const CALL: &str = "POST oauth token";

/// The form that asks for a token, or the token that needs no asking.
fn grant_of(credentials: &Credentials) -> Result<Vec<(&'static str, String)>, Secret> {
    let app = |grant: &str, client_id: &String, client_secret: &Secret| {
        vec![
            ("grant_type", grant.to_owned()),
            ("client_id", client_id.clone()),
            ("client_secret", client_secret.expose().to_owned()),
        ]
    };
    match credentials {
        Credentials::Token(token) => Err(token.clone()),
        Credentials::OAuth {
            client_id,
            client_secret,
            refresh_token,
        } => {
            let mut form = app("refresh_token", client_id, client_secret);
            form.push(("refresh_token", refresh_token.expose().to_owned()));
            Ok(form)
        }
        Credentials::AuthorizationCode {
            client_id,
            client_secret,
            code,
            redirect_uri,
        } => {
            let mut form = app("authorization_code", client_id, client_secret);
            form.push(("code", code.expose().to_owned()));
            form.push(("redirect_uri", redirect_uri.clone()));
            Ok(form)
        }
    }
}

impl Credentials {
    /// Takes the refresh token that replaces the code or the token before; whether it is another one.
    fn take(&mut self, rotated: &Secret) -> bool {
        match self {
            Self::Token(_) => false,
            Self::OAuth { refresh_token, .. } => {
                std::mem::replace(refresh_token, rotated.clone()) != *rotated
            }
            Self::AuthorizationCode {
                client_id,
                client_secret,
                ..
            } => {
                *self = Self::OAuth {
                    client_id: std::mem::take(client_id),
                    client_secret: client_secret.clone(),
                    refresh_token: rotated.clone(),
                };
                true
            }
        }
    }
}
