//! One call: through the governor, with a token, judged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::Error;
use crate::governor::{
    Family, Governor, GovernorConfig, Halted, Lesson, LimitHeaders, Permit, Share, Standstill, Usage,
};
use crate::paths::ApiVersion;
use crate::token::{Credentials, Secret, TokenKeeper, Tokens};
use crate::verdict::{Effect, ErrorBody, LimitPolicy, Verdict, judge};

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://api.hubapi.com`, or a sandbox.
    pub base_url: Url,
    /// Which family of paths to use.
    pub version: ApiVersion,
    /// How to sign in.
    pub credentials: Credentials,
    /// Keeps refresh tokens that replace the configured one; without it they live as long as the client.
    pub keeper: Option<Arc<dyn TokenKeeper>>,
    /// Longest time for one call, from sending to the last byte.
    pub timeout: Duration,
    /// The budget. A client that replaces another one of the same account takes over its governor, since the account
    /// remembers what was spent.
    pub governor: Governor,
}

impl Settings {
    /// The usual settings for an address and a credential.
    pub fn new(base_url: Url, credentials: Credentials) -> Self {
        Self {
            base_url,
            version: ApiVersion::default(),
            credentials,
            keeper: None,
            timeout: Duration::from_secs(30),
            governor: Governor::new(GovernorConfig::default(), 0),
        }
    }
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    base_url: Url,
    version: ApiVersion,
    tokens: Tokens,
    governor: Governor,
    timeout: Duration,
}

/// A portal, as one tenant may use it. Cheap to clone; all clones share one governor.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

/// A call before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Bytes>,
    pub(crate) family: Family,
    pub(crate) share: Share,
    pub(crate) effect: Effect,
}

impl Call {
    pub(crate) fn get(path: String, family: Family, share: Share) -> Self {
        let (method, effect) = (Method::GET, Effect::Reads);
        Self {
            method,
            path,
            query: Vec::new(),
            body: None,
            family,
            share,
            effect,
        }
    }

    pub(crate) fn post(path: String, body: Bytes, family: Family, share: Share, effect: Effect) -> Self {
        Self {
            method: Method::POST,
            path,
            query: Vec::new(),
            body: Some(body),
            family,
            share,
            effect,
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

/// A 2xx answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// 200, 201, 204 or 207.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
    /// HubSpot's id of the call.
    pub correlation_id: Option<String>,
    call: Arc<str>,
}

impl Reply {
    /// Reads the body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.unreadable(error))
    }

    /// A 2xx whose body makes no sense: what it did is unknown.
    pub(crate) fn unreadable(&self, error: serde_json::Error) -> Error {
        let mut unreadable = Error::new(
            Verdict::Ambiguous,
            &self.call,
            "the answer's body could not be read",
        )
        .caused(error);
        unreadable.status = Some(self.status);
        unreadable.correlation_id = self.correlation_id.as_deref().map(Into::into);
        unreadable
    }
}

/// Serialises a request body.
pub(crate) fn json_body<T: Serialize>(body: &T) -> Bytes {
    serde_json::to_vec(body)
        .expect("our own request types always serialise")
        .into()
}

impl Client {
    /// Makes a client. It calls nobody yet.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(Duration::from_secs(10).min(settings.timeout))
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .user_agent(concat!("landbridge/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Error::new(Verdict::Configuration, "client", "no HTTP client could be built").caused(error)
            })?;
        let tokens = Tokens::new(
            settings.credentials,
            settings.keeper,
            &settings.base_url,
            &settings.version,
        );
        Ok(Self(Arc::new(Inner {
            http,
            base_url: settings.base_url,
            version: settings.version,
            tokens,
            governor: settings.governor,
            timeout: settings.timeout,
        })))
    }

    /// The budget.
    pub fn governor(&self) -> &Governor {
        &self.0.governor
    }

    /// Calls and limits as they stand.
    pub fn usage(&self) -> Usage {
        self.0.governor.usage()
    }

    /// Longest time for one call.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// The refresh token as it now is, for whoever keeps it; `None` with a static token.
    pub async fn refresh_token(&self) -> Option<Secret> {
        self.0.tokens.refresh_token().await
    }

    pub(crate) async fn current_token(&self) -> Result<Secret, Error> {
        self.0.tokens.bearer(&self.0.http).await
    }

    pub(crate) fn version(&self) -> &ApiVersion {
        &self.0.version
    }

    /// Sends a call once; once more when an OAuth token turned out to be stale.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply, Error> {
        let token = self.0.tokens.bearer(&self.0.http).await?;
        match self.send_with(&call, &token).await {
            Err(error) if error.verdict == Verdict::Auth && self.0.tokens.refused(&token).await => {
                let token = self.0.tokens.bearer(&self.0.http).await?;
                self.send_with(&call, &token).await
            }
            other => other,
        }
    }

    async fn send_with(&self, call: &Call, token: &Secret) -> Result<Reply, Error> {
        let name = format!("{} {}", call.method, call.path);
        let mut url = self.0.base_url.clone();
        url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), call.path));
        let mut request = self
            .0
            .http
            .request(call.method.clone(), url)
            .bearer_auth(token.expose());
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(body) = &call.body {
            request = request
                .header("content-type", "application/json")
                .body(body.clone());
        }
        let permit = match self.0.governor.acquire(call.family, call.share).await {
            Ok(permit) => permit,
            Err(halt) => return Err(halted(&name, halt)),
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(lost(&name, call.effect, error, permit)),
        };
        let status = response.status();
        let headers = response.headers().clone();
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return Err(lost(&name, call.effect, error, permit)),
        };
        let correlation_id = text_header(&headers, "x-hubspot-correlation-id");
        if status.is_success() {
            permit.finish(limit_headers(&headers), Lesson::Accepted);
            return Ok(Reply {
                status: status.as_u16(),
                body,
                correlation_id,
                call: name.into(),
            });
        }
        let error_body = ErrorBody::parse(&body);
        let told = retry_after(&headers);
        let verdict = judge(status.as_u16(), &error_body, told, call.effect);
        permit.finish(limit_headers(&headers), lesson(status, &verdict, told));
        Err(Error::answered(
            verdict,
            status.as_u16(),
            &name,
            error_body,
            correlation_id,
        ))
    }
}

fn halted(name: &str, halted: Halted) -> Error {
    let policy = match halted.why {
        Standstill::Day => LimitPolicy::Daily,
        Standstill::Pause => LimitPolicy::Unknown,
    };
    let wait = halted.until;
    Error::new(
        Verdict::RateLimited { policy, wait },
        name,
        halted.why.to_string(),
    )
}

fn lost(name: &str, effect: Effect, error: reqwest::Error, permit: Permit) -> Error {
    permit.finish(LimitHeaders::default(), Lesson::Other);
    // A connection that was never made carried nothing.
    let ambiguous = effect == Effect::Writes && !error.is_connect();
    let verdict = if ambiguous {
        Verdict::Ambiguous
    } else {
        Verdict::Transient
    };
    let message = if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection failed"
    };
    Error::new(verdict, name, message).caused(error.without_url())
}

fn lesson(status: StatusCode, verdict: &Verdict, retry_after: Option<Duration>) -> Lesson {
    match verdict {
        Verdict::RateLimited { policy, .. } => Lesson::Limited {
            policy: *policy,
            retry_after,
        },
        Verdict::Locked { .. } => Lesson::Locked,
        Verdict::Migrating { wait } => Lesson::Migrating(*wait),
        _ if status.is_client_error() => Lesson::Accepted,
        _ => Lesson::Other,
    }
}

fn text_header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn number_header(headers: &HeaderMap, name: &str) -> Option<u32> {
    let number: u64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    number_header(headers, "retry-after").map(|seconds| Duration::from_secs(seconds.into()))
}

fn limit_headers(headers: &HeaderMap) -> LimitHeaders {
    LimitHeaders {
        max: number_header(headers, "x-hubspot-ratelimit-max"),
        remaining: number_header(headers, "x-hubspot-ratelimit-remaining"),
        daily: number_header(headers, "x-hubspot-ratelimit-daily"),
        daily_remaining: number_header(headers, "x-hubspot-ratelimit-daily-remaining"),
    }
}

#[cfg(test)]
mod tests;
