//! The client: one tenant's way into its org. Everything it sends goes through `Client::send`, which asks the
//! governor, carries the token, renews it once, reads what the answer says of time and limits, and tries again
//! where the policy and the kind of call allow it.

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::SalesforceId;
use reqwest::{Response, header};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;
use url::Url;

use crate::auth::{Flow, Session, Sessions, TokenKeeper};
use crate::calls::{Calls, Family};
use crate::clock::OrgClock;
use crate::error::{Refusal, SalesforceError, Verdict, classify};
use crate::governor::{Admission, ApiUsage, DailyBudget, Governor};
use crate::retry::RetryPolicy;

mod call;

pub(crate) use call::{Call, Path};

/// Largest part of an error body that is read.
const ERROR_BODY_MAX: usize = 64 * 1024;

/// How to reach an org.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Sign-in host: the org's My Domain, or the login host for the flows that allow it.
    pub login_url: Url,
    /// How to sign in.
    pub flow: Flow,
    /// Keeps refresh tokens that replace the configured one; without it they live as long as the client.
    pub keeper: Option<Arc<dyn TokenKeeper>>,
    /// API version in its path form, `v66.0`.
    pub api_version: String,
    /// Sent as `Sforce-Call-Options: client=…`; shows up in change events' origin.
    pub client_name: String,
    /// Longest time for one try of one call, its body included. Streams of rows have no such bound.
    pub call_timeout: Duration,
    /// Longest silence within a stream of rows.
    pub silence_timeout: Duration,
    /// Calls that are under way at once, downloads included. An org runs 25 calls at once that take 20 seconds or more,
    /// everybody's together (facts: Salesforce, 10); what is beyond waits here and is not refused there.
    pub calls_at_once: usize,
    /// When to try again.
    pub retry: RetryPolicy,
}

impl ClientConfig {
    /// The usual settings.
    #[must_use]
    pub fn new(login_url: Url, flow: Flow) -> Self {
        Self {
            login_url,
            flow,
            keeper: None,
            api_version: "v66.0".to_owned(),
            client_name: "landbridge".to_owned(),
            call_timeout: Duration::from_secs(120),
            silence_timeout: Duration::from_secs(60),
            calls_at_once: 15,
            retry: RetryPolicy::default(),
        }
    }
}

/// A client of one org. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    config: ClientConfig,
    sessions: Sessions,
    governor: Arc<dyn Governor>,
    calls: Calls,
    clock: OrgClock,
    /// One for each call that may be under way.
    places: Arc<Semaphore>,
}

impl Client {
    /// A client with a share of the daily allocation as its budget. Nothing is sent yet.
    pub fn new(config: ClientConfig) -> Result<Self, SalesforceError> {
        Self::with_governor(config, Arc::new(DailyBudget::default()))
    }

    /// A client with a governor of the caller's.
    pub fn with_governor(config: ClientConfig, governor: Arc<dyn Governor>) -> Result<Self, SalesforceError> {
        let mut headers = header::HeaderMap::new();
        headers.insert(
            header::ACCEPT,
            header::HeaderValue::from_static("application/json"),
        );
        let options = header::HeaderValue::from_str(&format!("client={}", config.client_name))
            .map_err(|_| SalesforceError::Setting("the client name must be plain ASCII".to_owned()))?;
        headers.insert("sforce-call-options", options);
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("landbridge/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(config.silence_timeout)
            .gzip(true)
            .build()
            .map_err(|source| SalesforceError::transport("the client's start", source))?;
        let sessions = Sessions::new(
            &config.login_url,
            config.flow.clone(),
            config.keeper.clone(),
            config.call_timeout,
        )?;
        let (calls, clock) = (Calls::default(), OrgClock::default());
        let places = Arc::new(Semaphore::new(config.calls_at_once.max(1)));
        Ok(Self(Arc::new(Inner {
            http,
            config,
            sessions,
            governor,
            calls,
            clock,
            places,
        })))
    }

    /// The settings it was made with.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }

    /// Calls made so far.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.0.calls
    }

    /// The org's clock.
    #[must_use]
    pub fn clock(&self) -> &OrgClock {
        &self.0.clock
    }

    /// The keeper of the budget.
    #[must_use]
    pub fn governor(&self) -> &dyn Governor {
        &*self.0.governor
    }

    /// The signed-in session, signing in if need be.
    pub async fn session(&self) -> Result<Arc<Session>, SalesforceError> {
        self.session_other_than(None).await
    }

    /// The org's time now. Asks, without cost, when no answer has told it yet.
    pub async fn org_now(&self) -> Result<jiff::Timestamp, SalesforceError> {
        if let Some(now) = self.0.clock.now() {
            return Ok(now);
        }
        self.versions().await?;
        self.0.clock.now().ok_or_else(|| {
            SalesforceError::Setting("the answers of this address carry no Date header".to_owned())
        })
    }

    /// The org that the sign-in leads to now, if that is another than at first: every call is refused with
    /// [`SalesforceError::OtherOrg`] from then on, and another client is needed.
    #[must_use]
    pub fn moved_to(&self) -> Option<SalesforceId> {
        self.0.sessions.moved_to()
    }

    /// The org's id, `00D…`, signing in if need be. It is the same for as long as the client lives.
    pub async fn org_id(&self) -> Result<SalesforceId, SalesforceError> {
        Ok(self.session().await?.org_id)
    }

    /// A session that is not `stale`: the current one, or a new one.
    pub(crate) async fn session_other_than(
        &self,
        stale: Option<&Arc<Session>>,
    ) -> Result<Arc<Session>, SalesforceError> {
        let policy = &self.0.config.retry;
        let mut next = 2;
        loop {
            let count = |answer: &Response| {
                self.0.calls.count(Family::SignIn);
                self.observe(answer);
            };
            let error = match self.0.sessions.other_than(&self.0.http, stale, count).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            let Verdict::Retry { after } = error.verdict() else {
                return Err(error);
            };
            let Some(pause) = policy.jittered(next, after) else {
                return Err(error);
            };
            tokio::time::sleep(pause).await;
            next += 1;
        }
    }

    /// Sends a call and reads the JSON answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, SalesforceError> {
        self.read(call, |body| serde_json::from_slice(body)).await
    }

    /// Sends a call and reads the whole answer.
    pub(crate) async fn body(&self, call: &Call) -> Result<bytes::Bytes, SalesforceError> {
        self.read(call, |body| Ok(body.clone())).await
    }

    /// Sends a call and reads the whole answer. A connection that breaks within the body is tried again, and so is a body
    /// that is not JSON or no body at all: something on the way has answered in Salesforce's place.
    pub(crate) async fn read<T>(
        &self,
        call: &Call,
        parse: impl Fn(&bytes::Bytes) -> Result<T, serde_json::Error>,
    ) -> Result<T, SalesforceError> {
        let what = call.what;
        let mut next = 2;
        loop {
            let answer = self.send(call).await?;
            let read = match answer.bytes().await {
                Ok(body) => parse(&body).map_err(|source| SalesforceError::Unreadable { what, source }),
                Err(source) => Err(SalesforceError::transport(what, source)),
            };
            let error = match read {
                Ok(read) => return Ok(read),
                Err(error) => error,
            };
            if !call.repeatable || !matches!(error.verdict(), Verdict::Retry { .. }) {
                return Err(error);
            }
            let Some(pause) = self.0.config.retry.jittered(next, None) else {
                return Err(error);
            };
            debug!(what, %error, pause_ms = pause.as_millis(), "trying again");
            tokio::time::sleep(pause).await;
            next += 1;
        }
    }

    /// Sends a call until it is answered with success (or 304), refused for good, or the policy gives up.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response, SalesforceError> {
        let mut refreshed = false;
        let mut next = 2;
        let mut session = self.session().await?;
        loop {
            let error = match self.try_once(call, &session).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.verdict() {
                Verdict::Refresh if !refreshed => {
                    refreshed = true;
                    session = self.session_other_than(Some(&session)).await?;
                }
                Verdict::Retry { after } if call.repeatable || was_not_carried_out(&error) => {
                    let Some(pause) = self.0.config.retry.jittered(next, after) else {
                        return Err(error);
                    };
                    debug!(what = call.what, %error, pause_ms = pause.as_millis(), "trying again");
                    tokio::time::sleep(pause).await;
                    next += 1;
                }
                Verdict::WaitForWindow => {
                    if error.is_day_spent() {
                        self.0.governor.exhausted();
                    }
                    return Err(error);
                }
                _ => return Err(error),
            }
        }
    }

    async fn try_once(&self, call: &Call, session: &Session) -> Result<Response, SalesforceError> {
        // Before the budget is asked: what waits here has spent nothing.
        let place = self.0.places.clone().acquire_owned().await;
        let place = place.map_err(|_| SalesforceError::Setting("the client was closed".to_owned()))?;
        match self.0.governor.admit(call.family) {
            Admission::Go => {}
            Admission::After(pause) => tokio::time::sleep(pause).await,
            Admission::Stop { used, allowed } => return Err(SalesforceError::Budget { used, allowed }),
        }
        let started = tokio::time::Instant::now();
        let ended = self.exchange(call, session, place).await;
        let verdict = ended.as_ref().err().map(SalesforceError::verdict);
        if ended.as_ref().is_err_and(SalesforceError::is_limit) {
            self.0.calls.count_refused(call.family);
        }
        self.0.governor.ended(call.family, verdict, started.elapsed());
        ended
    }

    async fn exchange(
        &self,
        call: &Call,
        session: &Session,
        place: OwnedSemaphorePermit,
    ) -> Result<Response, SalesforceError> {
        self.0.calls.count(call.family);
        let url = self.address(call, session)?;
        let mut request = self
            .0
            .http
            .request(call.method.clone(), url)
            .bearer_auth(session.token.expose());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if !call.stream {
            request = request.timeout(self.0.config.call_timeout);
        }
        let mut answer = request
            .send()
            .await
            .map_err(|source| SalesforceError::transport(call.what, source))?;
        self.observe(&answer);
        // The place is taken until the body is read.
        answer.extensions_mut().insert(Arc::new(place));
        if answer.status().is_success() || answer.status() == reqwest::StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        Err(SalesforceError::Refused {
            what: call.what,
            refusal: read_refusal(answer).await,
        })
    }

    fn observe(&self, answer: &Response) {
        // What fails may have been answered on the way, by something with a clock of its own: a window that ends by that
        // clock is past what is not committed yet.
        let is_salesforces =
            answer.status().is_success() || answer.status() == reqwest::StatusCode::NOT_MODIFIED;
        if let Some(date) = text_header(answer, "date").filter(|_| is_salesforces) {
            self.0.clock.observe(date);
        }
        if let Some(usage) = text_header(answer, "sforce-limit-info").and_then(ApiUsage::parse) {
            self.0.governor.observe(usage);
        }
    }

    /// The full address. Paths given by the server keep to the instance: only their path and query are used.
    fn address(&self, call: &Call, session: &Session) -> Result<Url, SalesforceError> {
        let mut url = session.instance_url.clone();
        match &call.path {
            Path::Versioned(path) => {
                url.set_path(&format!("/services/data/{}/{path}", self.0.config.api_version));
            }
            Path::Given(given) => {
                let parsed = session.instance_url.join(given).map_err(|error| {
                    SalesforceError::Setting(format!("Salesforce named an unusable address: {error}"))
                })?;
                url.set_path(parsed.path());
                url.set_query(parsed.query());
            }
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }
}

/// A header's value as text.
pub(crate) fn text_header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

async fn read_refusal(mut answer: Response) -> Refusal {
    let status = answer.status().as_u16();
    let retry_after = text_header(&answer, "retry-after")
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() >= ERROR_BODY_MAX {
            break;
        }
    }
    let (errors, body_start) = classify::read_errors(&body);
    Refusal {
        status,
        errors,
        body_start,
        retry_after,
    }
}

/// Whether the server said that it did nothing, so that even a call with effects may be sent again.
fn was_not_carried_out(error: &SalesforceError) -> bool {
    match error {
        SalesforceError::Refused { refusal, .. } => {
            matches!(refusal.status, 406 | 420 | 429 | 503)
                || matches!(
                    refusal.code(),
                    "UNABLE_TO_LOCK_ROW" | "REQUEST_LIMIT_EXCEEDED" | "SERVER_UNAVAILABLE"
                )
        }
        SalesforceError::Transport { source, .. } => source.is_connect(),
        _ => false,
    }
}
