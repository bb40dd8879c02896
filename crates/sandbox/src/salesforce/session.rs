//! Who may call: the app, the user, and the sessions that OAuth and SOAP logins open.

use crate::salesforce::{
    clock::json_datetime,
    errors::{ApiError, json_ok, json_response},
    handle::OrgHandle,
    ids::RecordId,
};
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use std::collections::HashMap;

/// A session ends after so long without a call, in milliseconds.
const IDLE_MS: i64 = 2 * 3_600_000;

/// How to get in.
#[derive(Debug, Clone)]
pub struct OrgCredentials {
    /// The one user.
    pub username: String,
    /// Its password, without the security token.
    pub password: String,
    /// Appended to the password by clients that log in with it.
    pub security_token: String,
    /// The app's consumer key.
    pub client_id: String,
    /// The app's consumer secret.
    pub client_secret: String,
    /// A refresh token that is already granted.
    pub refresh_token: String,
}

impl OrgCredentials {
    /// The same for the same seed.
    pub fn of_seed(seed: u64) -> OrgCredentials {
        let mut letters = Letters::new(seed ^ 0x5A1E_5F0C);
        OrgCredentials {
            username: format!("integration@sandbox{seed}.example"),
            password: letters.take(16),
            security_token: letters.take(24),
            client_id: format!("3MVG9{}", letters.take(80)),
            client_secret: letters.take(64).to_uppercase(),
            refresh_token: format!("5Aep861{}", letters.take(80)),
        }
    }
}

/// A repeatable run of letters and digits.
#[derive(Debug)]
struct Letters(u64);

impl Letters {
    fn new(seed: u64) -> Letters {
        Letters(seed)
    }

    fn take(&mut self, length: usize) -> String {
        const SET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..length)
            .map(|_| SET[(super::random::mix(&mut self.0) % 62) as usize] as char)
            .collect()
    }
}

/// The open sessions, by token.
#[derive(Debug)]
pub struct Sessions {
    open: HashMap<String, i64>,
    letters: Letters,
}

impl Sessions {
    pub(super) fn new(seed: u64) -> Sessions {
        Sessions {
            open: HashMap::new(),
            letters: Letters::new(seed ^ 0x70CE_2121),
        }
    }

    fn open(&mut self, org: RecordId, now_ms: i64) -> String {
        let token = format!("{}!AR8AQ{}", org.short(), self.letters.take(91));
        self.open.insert(token.clone(), now_ms);
        token
    }

    /// Whether a token is good; if so it is good for longer.
    pub(super) fn touch(&mut self, token: &str, now_ms: i64) -> bool {
        match self.open.get_mut(token) {
            Some(last) if now_ms - *last <= IDLE_MS => {
                *last = now_ms;
                true
            }
            Some(_) => {
                self.open.remove(token);
                false
            }
            None => false,
        }
    }

    /// Ends all sessions.
    pub(super) fn expire_all(&mut self) {
        self.open.clear();
    }
}

/// Opens a session for the one user; gives its token.
pub(super) fn open(handle: &OrgHandle) -> String {
    let (org_id, _) = handle.identity();
    handle.sessions.lock().open(org_id, handle.clock.now_ms())
}

/// Whether a token's session is open; if so it stays open for longer.
pub(super) fn is_open(handle: &OrgHandle, token: &str) -> bool {
    handle.sessions.lock().touch(token, handle.clock.now_ms())
}

/// Ends a session.
pub(super) fn close(handle: &OrgHandle, token: &str) {
    handle.sessions.lock().open.remove(token);
}

fn refused(error: &str, description: &str) -> Response {
    let body = json!({ "error": error, "error_description": description }).to_string();
    let mut response = json_response(StatusCode::BAD_REQUEST, body);
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}

/// `POST /services/oauth2/token`.
pub(super) fn token(handle: &OrgHandle, headers: &HeaderMap, form: &HashMap<String, String>) -> Response {
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let basic = basic(headers);
    let (id, secret) = match &basic {
        Some((id, secret)) => (id.as_str(), secret.as_str()),
        None => (given("client_id"), given("client_secret")),
    };
    let app = &handle.credentials;
    let grant = given("grant_type");
    if !matches!(grant, "client_credentials" | "password" | "refresh_token") {
        return refused("unsupported_grant_type", "grant type not supported");
    }
    if id != app.client_id {
        return refused("invalid_client_id", "client identifier invalid");
    }
    // Public clients refresh without a secret.
    if secret != app.client_secret && !(grant == "refresh_token" && secret.is_empty()) {
        return refused("invalid_client", "invalid client credentials");
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    match grant {
        "client_credentials" if matches!(host, "login.salesforce.com" | "test.salesforce.com") => {
            refused("invalid_grant", "request not supported on this domain")
        }
        "password" if !password_fits(handle, given("username"), given("password")) => {
            refused("invalid_grant", "authentication failure")
        }
        "refresh_token" if given("refresh_token") != app.refresh_token => {
            refused("invalid_grant", "expired access/refresh token")
        }
        _ => granted(handle, grant),
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Whether a password is the user's, with or without the security token.
pub(super) fn password_fits(handle: &OrgHandle, username: &str, password: &str) -> bool {
    let user = &handle.credentials;
    let with_token = format!("{}{}", user.password, user.security_token);
    username == user.username && (password == user.password || password == with_token)
}

fn granted(handle: &OrgHandle, grant: &str) -> Response {
    let (org_id, user_id) = handle.identity();
    let now = handle.clock.now_ms();
    let token = open(handle);
    let mut answer = json!({
        "access_token": token,
        "instance_url": handle.instance_url,
        "id": format!("{}/id/{org_id}/{user_id}", handle.instance_url),
        "token_type": "Bearer",
        "issued_at": now.to_string(),
        "signature": BASE64_STANDARD.encode([now as u8; 32]),
    });
    if grant != "password" {
        answer["scope"] = json!("api refresh_token");
    }
    json_ok(&answer)
}

/// `/services/oauth2/userinfo` and the identity URL.
pub(super) fn userinfo(handle: &OrgHandle) -> Response {
    let (org_id, user_id) = handle.identity();
    let username = &handle.credentials.username;
    let rest = format!("{}/services/data/v{{version}}/", handle.instance_url);
    json_ok(&json!({
        "sub": format!("{}/id/{org_id}/{user_id}", handle.instance_url),
        "id": format!("{}/id/{org_id}/{user_id}", handle.instance_url),
        "user_id": user_id.to_string(),
        "organization_id": org_id.to_string(),
        "preferred_username": username,
        "username": username,
        "display_name": "Integration User",
        "name": "Integration User",
        "email": username,
        "email_verified": true,
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "zoneinfo": "UTC",
        "updated_at": json_datetime(handle.schema_since()),
        "urls": {
            "rest": rest,
            "sobjects": format!("{rest}sobjects/"),
            "query": format!("{rest}query/"),
            "enterprise": format!("{}/services/Soap/c/{{version}}/{}", handle.instance_url, org_id.short()),
            "partner": format!("{}/services/Soap/u/{{version}}/{}", handle.instance_url, org_id.short()),
        },
    }))
}

/// `POST /services/oauth2/revoke`.
pub(super) fn revoke(handle: &OrgHandle, form: &HashMap<String, String>) -> Response {
    match form.get("token") {
        Some(token) => {
            close(handle, token);
            StatusCode::OK.into_response()
        }
        None => refused("unsupported_token_type", "this token type is not supported"),
    }
}

/// The bearer token of a call, if its session is open.
pub(super) fn authenticate(handle: &OrgHandle, headers: &HeaderMap) -> Result<String, ApiError> {
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // OAuth is the header's older spelling.
    let token = header
        .strip_prefix("Bearer ")
        .or_else(|| header.strip_prefix("OAuth "))
        .unwrap_or_default();
    if is_open(handle, token.trim()) {
        return Ok(token.trim().to_owned());
    }
    handle.stats.refused("invalid_session");
    Err(ApiError::session())
}
