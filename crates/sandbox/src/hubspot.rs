//! The HubSpot side: a portal.
//!
//! Speaks the CRM APIs under their dated paths (2026-03, 2026-09) and their numbered ones (v3, v4), with
//! what is documented to differ between them. Bodies are read borrowed and written straight into bytes,
//! and a record's values are one allocation: a batch of upserts costs microseconds a record, so that the
//! portal never hides its client's speed.
//!
//! 1. **All or nothing, unless asked.** A batch is checked whole before any of it is written. Only when
//!    every input has its own `objectWriteTraceId` does the good part of it go through.
//! 2. **Order means nothing.** Results of batches are shuffled, repeatably by seed.
//! 3. **Values are what the property says.** Nothing is guessed into shape but what 2026-09 announces.
//! 4. **What is not established about HubSpot is a switch** ([`Behaviour`]), set to what hurts a careless
//!    client most.
//!
//! Start at `Inner::handle`: everything behind it is a plain function from a call to an answer.

mod account;
mod allowances;
mod association_batches;
mod association_pairs;
mod association_v3;
mod associations;
mod auth;
mod backdoor;
mod batch;
mod call;
mod catalog;
mod clock;
mod configurations;
mod definitions;
mod dice;
mod errors;
mod fault_bodies;
mod filters;
mod habits;
mod import_request;
mod import_rows;
mod imports;
mod install;
mod json;
mod kinds;
mod labels;
mod limits;
mod links;
mod merge;
mod oauth;
mod object_type;
mod pairs;
mod plan;
mod properties;
mod property;
mod property_draft;
mod property_rules;
mod read;
mod records;
mod rows;
mod schema_create;
mod schemas;
mod search;
mod state;
mod table;
mod told;
mod validations;
mod values;
mod version;
mod write;

use crate::{config::Limits, server, stats::Stats};
use auth::{Auth, Grant};
use axum::{
    Router,
    body::Body as HttpBody,
    extract::{Request, State},
    response::Response,
};
use call::{Area, Call, Place, Query};
use catalog::Catalog;
use clock::Clock;
use dice::Dice;
use errors::{Answer, Body, Reply};
pub use fault_bodies::fault_body;
pub use habits::{Behaviour, Habits, Lags};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use limits::{Headers, Limiter, Refused};
use parking_lot::{Mutex, RwLock};
pub use state::StateError;
use std::sync::Arc;

/// The longest path and query that gets through, in bytes.
const URL_MAX: usize = 16_200;
/// The largest request body that is read at all, in bytes.
const BODY_MAX: usize = 64 << 20;

/// What a client needs to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalCredentials {
    /// A service key.
    pub token: String,
    /// The OAuth app's id.
    pub client_id: String,
    /// The OAuth app's secret.
    pub client_secret: String,
    /// A refresh token that is already granted.
    pub refresh_token: String,
}

/// Everything that shapes a portal.
#[derive(Debug, Clone)]
pub struct PortalConfig {
    /// What it lets through.
    pub limits: Limits,
    /// Makes ids, shuffles and secrets repeatable.
    pub seed: u64,
    /// The service key; one is made up without it.
    pub token: Option<String>,
    /// What the service key grants; `None` grants everything.
    pub scopes: Option<Vec<String>>,
    /// Calls a day, all apps together.
    pub daily_calls: u64,
    /// Association calls a day, all apps together.
    pub daily_association_calls: u64,
    /// What may change later.
    pub habits: Habits,
}

impl Default for PortalConfig {
    fn default() -> Self {
        PortalConfig {
            limits: Limits::Real,
            seed: 1,
            token: None,
            scopes: None,
            daily_calls: 1_000_000,
            daily_association_calls: 500_000,
            habits: Habits::default(),
        }
    }
}

/// The portal's state. Clones share it.
#[derive(Debug, Clone)]
pub struct Portal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    habits: RwLock<Habits>,
    stats: Arc<Stats>,
    clock: Clock,
    dice: Dice,
    auth: Auth,
    limiter: Limiter,
    catalog: RwLock<Catalog>,
    imports: imports::Imports,
    /// One keeping of the state at a time.
    keeping: Mutex<()>,
}

impl Portal {
    /// An empty portal with HubSpot's habits.
    pub fn new(limits: Limits, seed: u64, stats: Arc<Stats>) -> Portal {
        Portal::with_config(
            PortalConfig {
                limits,
                seed,
                ..PortalConfig::default()
            },
            stats,
        )
    }

    /// An empty portal with habits of its own.
    pub fn with_config(config: PortalConfig, stats: Arc<Stats>) -> Portal {
        let dice = Dice::new(config.seed);
        let inner = Inner {
            auth: Auth::new(&dice, config.token.as_deref(), config.scopes.clone()),
            limiter: Limiter::new(
                config.limits,
                config.daily_calls,
                config.daily_association_calls,
                account::UTC_OFFSET_MS,
            ),
            catalog: RwLock::new(Catalog::new(&dice, config.habits.behaviour.unique_ignores_case)),
            clock: Clock::default(),
            imports: imports::Imports::default(),
            keeping: Mutex::new(()),
            dice,
            stats,
            habits: RwLock::new(config.habits),
        };
        Portal {
            inner: Arc::new(inner),
        }
    }

    /// How to get in.
    pub fn credentials(&self) -> PortalCredentials {
        let auth = &self.inner.auth;
        PortalCredentials {
            token: auth.token.clone(),
            client_id: auth.client_id.clone(),
            client_secret: auth.client_secret.clone(),
            refresh_token: auth.refresh_token.clone(),
        }
    }

    /// The account's id.
    pub fn portal_id(&self) -> u32 {
        self.inner.habits.read().portal_id
    }

    /// Changes what may change while it runs.
    pub fn change_habits(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.inner.habits.write());
    }

    /// Creates or renames the company that stands for an Account, as HubSpot's own Salesforce integration
    /// does: found by `salesforceaccountid`, which is not unique. Gives the company's id.
    pub fn put_company(&self, name: &str, salesforce_account_id: &str) -> u64 {
        backdoor::put_company(&self.inner, name, salesforce_account_id)
    }

    /// Lets time pass for the portal alone.
    pub fn advance_clock(&self, by: std::time::Duration) {
        self.inner
            .clock
            .advance(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Stops the portal's clock: from now on only [`Portal::advance_clock`] moves it.
    pub fn stop_clock(&self) {
        self.inner.clock.stop();
    }

    /// All of the portal's paths.
    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    /// Answers one call in memory: what [`Portal::router`] does once a body has arrived.
    pub fn answer(&self, method: &str, path_and_query: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let (reply, extra) = self.inner.handle(method, path_and_query, headers, body);
        self.inner.respond(reply, extra)
    }
}

/// All of the portal's paths.
pub fn router(portal: Arc<Portal>) -> Router {
    portal.router()
}

async fn answer(State(portal): State<Portal>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path_and_query = parts.uri.path_and_query().map_or("/", |whole| whole.as_str());
    match axum::body::to_bytes(body, BODY_MAX).await {
        Ok(body) => portal.answer(parts.method.as_str(), path_and_query, &parts.headers, &body),
        Err(_) => portal
            .inner
            .respond(Reply::html(413, "413 Request Entity Too Large"), Headers::new()),
    }
}

impl Inner {
    fn handle(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> (Reply, Headers) {
        if body.len() > self.habits.read().behaviour.body_max {
            self.stats.refused("body_too_large");
            return (Reply::html(413, "413 Request Entity Too Large"), Headers::new());
        }
        if path_and_query.len() > URL_MAX {
            self.stats.refused("url_too_long");
            return (Reply::html(414, "414 Request-URI Too Large"), Headers::new());
        }
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let decoded = call::segments(path);
        let decoded: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        let now_ms = self.clock.now_ms();
        imports::settle(self, now_ms);
        if let ["__sandbox", rest @ ..] = decoded.as_slice() {
            let reply = backdoor::serve(self, method, rest, body);
            return (
                reply.unwrap_or_else(|| Reply::html(404, "404 Not Found")),
                Headers::new(),
            );
        }
        if let ["oauth", "authorize"] = decoded.as_slice() {
            let page = install::serve(self, method, query, body, now_ms);
            return (page, Headers::new());
        }
        let Some(place) = Place::of(&decoded) else {
            self.stats.call("unknown");
            return (Reply::html(404, "404 Not Found"), Headers::new());
        };
        self.stats.call(place.family(method));
        let (grant, extra) = match self.admit(&place, headers, now_ms) {
            Ok(admitted) => admitted,
            Err(refused) => {
                self.stats.refused(refused.reason);
                return (refused.error.into_reply(&self.dice.uuid()), refused.headers);
            }
        };
        let content_type = text(headers, header::CONTENT_TYPE).unwrap_or_default();
        if !body.is_empty() && !acceptable(place.area, content_type) {
            return (Reply::html(415, "415 Unsupported Media Type"), extra);
        }
        let base_url = format!(
            "{}://{}",
            text(headers, server::SCHEME).unwrap_or("http"),
            text(headers, header::HOST).unwrap_or("api.hubapi.com")
        );
        let call = Call {
            portal: self,
            habits: *self.habits.read(),
            method,
            version: place.version,
            rest: place.rest,
            query: Query::parse(query),
            body,
            content_type,
            base_url: &base_url,
            path,
            grant,
            now_ms,
        };
        let reply = match serve(place.area, &call) {
            None => Reply::html(404, "404 Not Found"),
            Some(Ok(reply)) => reply,
            Some(Err(error)) => error.into_reply(&self.dice.uuid()),
        };
        (reply, extra)
    }

    /// Who calls, and whether there is still room for a call.
    fn admit(
        &self,
        place: &Place<'_>,
        headers: &HeaderMap,
        now_ms: i64,
    ) -> Result<(Grant, Headers), Refused> {
        let grant = if place.area == Area::OAuth {
            Grant::nobody()
        } else {
            let bearer = text(headers, header::AUTHORIZATION);
            self.auth.check(bearer, now_ms).map_err(|error| Refused {
                error,
                reason: "unauthorized",
                headers: Headers::new(),
            })?
        };
        match self.limiter.admit(place.bucket(), &grant, now_ms, &self.dice) {
            Ok(extra) => Ok((grant, extra)),
            Err(mut refused) => {
                if let Some(seconds) = self.habits.read().behaviour.retry_after_s {
                    refused.headers.push(("retry-after", seconds.to_string()));
                }
                Err(refused)
            }
        }
    }

    fn respond(&self, reply: Reply, extra: Headers) -> Response {
        let (kind, body) = match reply.body {
            Body::Empty => (None, HttpBody::empty()),
            Body::Json(json) => (Some("application/json;charset=utf-8"), HttpBody::from(json)),
            Body::Html(page) => (Some("text/html; charset=utf-8"), HttpBody::from(page)),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let more = [
            ("x-hubspot-correlation-id", self.dice.uuid()),
            ("x-trace", format!("2B{:030X}", self.dice.draw())),
        ];
        for (name, value) in extra.into_iter().chain(more) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if let Some(location) = reply
            .location
            .and_then(|location| HeaderValue::from_str(&location).ok())
        {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

fn serve(area: Area, call: &Call<'_>) -> Option<Answer> {
    match area {
        Area::Objects => records::serve(call),
        Area::Schemas => schemas::serve(call),
        Area::Properties => properties::serve(call),
        Area::Validations => validations::serve(call),
        Area::Imports => imports::serve(call),
        Area::Associations => associations::serve(call),
        Area::LimitsTracking => allowances::serve(call),
        Area::Owners => account::serve_owners(call),
        Area::AccountInfo => account::serve(call),
        Area::OAuth => oauth::serve(call),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn acceptable(area: Area, content_type: &str) -> bool {
    let kind = content_type.to_ascii_lowercase();
    match area {
        Area::OAuth => true,
        Area::Imports => kind.starts_with("multipart/form-data"),
        _ => kind.starts_with("application/json"),
    }
}
