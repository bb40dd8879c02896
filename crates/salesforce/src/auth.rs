//! Signing in: the OAuth token endpoint, and the session that comes of it.
//!
//! A token has no announced end: it lives until a call is answered with 401, and then exactly one of the waiting
//! callers fetches the next one (OAuth token endpoint; there is no `expires_in`).

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use landbridge_model::SalesforceId;
use parking_lot::RwLock;
use serde::Deserialize;
use url::Url;

use crate::error::{SalesforceError, classify};
use crate::secret::Secret;

mod flow;

pub use flow::{Flow, audience_of};

/// Keeps a refresh token where a restart finds it: what was exchanged for a code, or what replaced the token before. With
/// rotation the one before is dead by then.
pub trait TokenKeeper: std::fmt::Debug + Send + Sync {
    /// Keeps it durably, or says why it could not. Called again until it succeeds.
    fn keep(&self, refresh_token: Secret) -> Keeping<'_>;
}

/// The end of keeping a token.
pub type Keeping<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

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

/// A refresh token that replaced the configured one.
#[derive(Debug, Clone)]
struct Rotated {
    token: Secret,
    is_kept: bool,
}

/// The current session, renewed by one caller at a time.
#[derive(Debug)]
pub struct Sessions {
    login_url: Url,
    token_url: Url,
    flow: Flow,
    keeper: Option<Arc<dyn TokenKeeper>>,
    timeout: Duration,
    current: RwLock<Option<Arc<Session>>>,
    rotated: RwLock<Option<Rotated>>,
    renewing: tokio::sync::Mutex<()>,
    /// The org of the first session: one run never goes over from one org to another.
    org: OnceLock<SalesforceId>,
    /// The org that a later sign-in led to instead. From then on no session is given out.
    moved_to: OnceLock<SalesforceId>,
}

impl Sessions {
    pub(crate) fn new(
        login_url: &Url,
        flow: Flow,
        keeper: Option<Arc<dyn TokenKeeper>>,
        timeout: Duration,
    ) -> Result<Self, SalesforceError> {
        let token_url = login_url.join("/services/oauth2/token").map_err(|error| {
            SalesforceError::Setting(format!("the sign-in address {login_url} cannot be used: {error}"))
        })?;
        Ok(Self {
            login_url: login_url.clone(),
            token_url,
            flow,
            keeper,
            timeout,
            current: RwLock::new(None),
            rotated: RwLock::new(None),
            renewing: tokio::sync::Mutex::new(()),
            org: OnceLock::new(),
            moved_to: OnceLock::new(),
        })
    }

    /// The org that the sign-in leads to now, if that is not the one it led to first.
    #[must_use]
    pub fn moved_to(&self) -> Option<SalesforceId> {
        self.moved_to.get().copied()
    }

    /// The session in use, if there is one.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Session>> {
        self.current.read().clone()
    }

    /// A session that is not `stale`: the current one, or a new one fetched by whoever comes first.
    pub(crate) async fn other_than(
        &self,
        http: &reqwest::Client,
        stale: Option<&Arc<Session>>,
        on_answer: impl Fn(&reqwest::Response),
    ) -> Result<Arc<Session>, SalesforceError> {
        let usable = || -> Result<Option<Arc<Session>>, SalesforceError> {
            self.same_org()?;
            let current = self.current();
            Ok(current.filter(|current| !stale.is_some_and(|stale| Arc::ptr_eq(stale, current))))
        };
        if let Some(current) = usable()? {
            return Ok(current);
        }
        let _turn = self.renewing.lock().await;
        if let Some(current) = usable()? {
            return Ok(current);
        }
        let session = Arc::new(self.fetch(http, on_answer).await?);
        let org = *self.org.get_or_init(|| session.org_id);
        if org != session.org_id {
            let _first_wins = self.moved_to.set(session.org_id);
            self.same_org()?;
        }
        *self.current.write() = Some(session.clone());
        Ok(session)
    }

    /// Refuses once a sign-in has led to another org than the first one did.
    fn same_org(&self) -> Result<(), SalesforceError> {
        match (self.org.get(), self.moved_to.get()) {
            (Some(&expected), Some(&found)) => Err(SalesforceError::OtherOrg { expected, found }),
            _ => Ok(()),
        }
    }

    async fn fetch(
        &self,
        http: &reqwest::Client,
        on_answer: impl Fn(&reqwest::Response),
    ) -> Result<Session, SalesforceError> {
        const WHAT: &str = "the sign-in";
        let transport = |source| SalesforceError::transport(WHAT, source);
        // A token that could not be kept is kept before another one can replace it.
        self.keep().await?;
        let rotated = self.rotated.read().as_ref().map(|rotated| rotated.token.clone());
        let form = self
            .flow
            .form(rotated.as_ref(), &self.login_url, SystemTime::now())?;
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
        let is_new = |token: &Secret| rotated.as_ref() != Some(token) && !self.flow.is_configured(token);
        match answer.refresh_token.filter(is_new) {
            Some(token) => {
                let is_kept = false;
                *self.rotated.write() = Some(Rotated { token, is_kept });
                self.keep().await?;
            }
            None if rotated.is_none() && self.flow.is_code() => {
                return Err(SalesforceError::Setting(
                    "Salesforce gave no refresh token for the sign-in: the app must have the scope refresh_token"
                        .to_owned(),
                ));
            }
            None => {}
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

impl Sessions {
    /// Has a new refresh token kept, if there is one that is not.
    async fn keep(&self) -> Result<(), SalesforceError> {
        let unkept = self.rotated.read().clone().filter(|rotated| !rotated.is_kept);
        let (Some(rotated), Some(keeper)) = (unkept, &self.keeper) else {
            return Ok(());
        };
        keeper
            .keep(rotated.token)
            .await
            .map_err(|why| SalesforceError::SignIn {
                code: "refresh-token-not-stored".to_owned(),
                message: format!("the new refresh token cannot be stored yet: {why}"),
                transient: true,
            })?;
        if let Some(rotated) = &mut *self.rotated.write() {
            rotated.is_kept = true;
        }
        Ok(())
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
            "unknown_error" | "temporarily_unavailable" | "REQUEST_LIMIT_EXCEEDED" | "LOGIN_RATE_EXCEEDED"
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
        let often = refusal(400, br#"{"error":"LOGIN_RATE_EXCEEDED","error_description":"x"}"#);
        assert!(matches!(often.verdict(), Verdict::Retry { .. }));
        assert!(matches!(
            refusal(503, b"<html>down</html>").verdict(),
            Verdict::Retry { .. }
        ));
    }
}
