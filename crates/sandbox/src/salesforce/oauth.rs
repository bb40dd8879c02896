//! `/services/oauth2/…`: the ways in. JWT bearer, authorization code with PKCE, client credentials, refresh,
//! username and password; and revoking, introspection, user info.
//!
//! No answer of the token endpoint says when a token ends: clients learn it from a 401.

mod assertion;
mod authorize;
mod grants;
mod tell;

pub use grants::Grants;
pub(super) use grants::SavedGrants;
pub(super) use tell::{identity, userinfo};

use crate::salesforce::{
    credentials::password_fits,
    errors::{ApiError, json_ok, json_response},
    handle::OrgHandle,
    session,
};
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use grants::Refused;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use std::{collections::HashMap, sync::atomic::Ordering};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a client sent: its query and its form together.
type Form = HashMap<String, String>;

pub(super) fn serve(
    handle: &OrgHandle,
    method: &Method,
    rest: &[&str],
    headers: &HeaderMap,
    form: &Form,
) -> Result<Response, ApiError> {
    match rest {
        ["token"] if method == Method::POST => {
            handle.stats.call("login");
            Ok(token(handle, headers, form).unwrap_or_else(IntoResponse::into_response))
        }
        ["authorize"] => Ok(authorize::serve(handle, method, form)),
        ["revoke"] => Ok(revoke(handle, form)),
        ["introspect"] if method == Method::POST => {
            Ok(tell::introspect(handle, headers, form).unwrap_or_else(IntoResponse::into_response))
        }
        ["userinfo"] => Ok(userinfo(handle, headers)),
        _ => Err(ApiError::not_found()),
    }
}

fn given<'f>(form: &'f Form, name: &str) -> &'f str {
    form.get(name).map(String::as_str).unwrap_or_default()
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = json_response(StatusCode::BAD_REQUEST, body.to_string());
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// The app's id and secret, from the header or the form.
fn app_of(headers: &HeaderMap, form: &Form) -> (String, String) {
    basic(headers).unwrap_or_else(|| {
        (
            given(form, "client_id").to_owned(),
            given(form, "client_secret").to_owned(),
        )
    })
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Checks the app. `may_lack_secret` is for public clients.
fn check_app(
    handle: &OrgHandle,
    headers: &HeaderMap,
    form: &Form,
    may_lack_secret: bool,
) -> Result<(), Refused> {
    let (id, secret) = app_of(headers, form);
    let app = &handle.credentials;
    if id != app.client_id {
        return Err(Refused::new("invalid_client_id", "client identifier invalid"));
    }
    if secret != app.client_secret && !(may_lack_secret && secret.is_empty()) {
        return Err(Refused::new("invalid_client", "invalid client credentials"));
    }
    Ok(())
}

/// `POST /services/oauth2/token`.
fn token(handle: &OrgHandle, headers: &HeaderMap, form: &Form) -> Result<Response, Refused> {
    let grant = given(form, "grant_type");
    match grant {
        JWT_BEARER => {
            assertion::check(handle, given(form, "assertion"), host(headers))?;
            Ok(granted(handle, None, true))
        }
        "client_credentials" => {
            check_app(handle, headers, form, false)?;
            if matches!(host(headers), "login.salesforce.com" | "test.salesforce.com") {
                return Err(Refused::new(
                    "invalid_grant",
                    "request not supported on this domain",
                ));
            }
            Ok(granted(handle, None, true))
        }
        "password" => {
            check_app(handle, headers, form, false)?;
            if !password_fits(handle, given(form, "username"), given(form, "password")) {
                return Err(Refused::new("invalid_grant", "authentication failure"));
            }
            Ok(granted(handle, None, false))
        }
        "authorization_code" => {
            let has_verifier = !given(form, "code_verifier").is_empty();
            check_app(handle, headers, form, has_verifier)?;
            let now = handle.clock.now_ms();
            let mut grants = handle.grants.lock();
            grants.redeem(
                given(form, "code"),
                given(form, "redirect_uri"),
                given(form, "code_verifier"),
                now,
            )?;
            let refresh_token = grants.grant();
            drop(grants);
            Ok(granted(handle, Some(Refresh::Shown(refresh_token)), true))
        }
        "refresh_token" => {
            check_app(handle, headers, form, true)?;
            let rotates = handle.settings.rotate_refresh_tokens.load(Ordering::Relaxed);
            let old = given(form, "refresh_token");
            let new = handle.grants.lock().refresh(old, rotates)?;
            Ok(match new {
                Some(new) => granted(handle, Some(Refresh::Shown(new)), true),
                None => granted(handle, Some(Refresh::Kept(old.to_owned())), true),
            })
        }
        _ => Err(Refused::new("unsupported_grant_type", "grant type not supported")),
    }
}

fn host(headers: &HeaderMap) -> &str {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.unwrap_or_default().split(':').next().unwrap_or_default()
}

/// The refresh token that a session comes from.
enum Refresh {
    /// The answer names it: it is new.
    Shown(String),
    /// The client has it already.
    Kept(String),
}

/// What every successful login says.
fn grant_fields(handle: &OrgHandle, access_token: &str) -> Vec<(&'static str, String)> {
    let (org_id, user_id) = handle.identity();
    let now = handle.clock.now_ms();
    vec![
        ("access_token", access_token.to_owned()),
        ("instance_url", handle.instance_url.clone()),
        ("id", format!("{}/id/{org_id}/{user_id}", handle.instance_url)),
        ("token_type", "Bearer".to_owned()),
        ("issued_at", now.to_string()),
        ("signature", BASE64_STANDARD.encode([now as u8; 32])),
    ]
}

fn granted(handle: &OrgHandle, refresh: Option<Refresh>, with_scope: bool) -> Response {
    let from = match &refresh {
        Some(Refresh::Shown(token) | Refresh::Kept(token)) => Some(token.as_str()),
        None => None,
    };
    let access_token = session::open(handle, from);
    let mut answer = json!({});
    for (name, value) in grant_fields(handle, &access_token) {
        answer[name] = json!(value);
    }
    if with_scope {
        answer["scope"] = json!(tell::SCOPE);
    }
    if let Some(Refresh::Shown(token)) = refresh {
        answer["refresh_token"] = json!(token);
    }
    json_ok(&answer)
}

/// `/services/oauth2/revoke`: an access token alone, or a refresh token with all sessions that came from it.
fn revoke(handle: &OrgHandle, form: &Form) -> Response {
    let token = given(form, "token");
    if session::close(handle, token) {
        return StatusCode::OK.into_response();
    }
    if handle.grants.lock().revoke(token) {
        handle.sessions.lock().end_those_of(token);
        return StatusCode::OK.into_response();
    }
    Refused::new("unsupported_token_type", "this token type is not supported").into_response()
}
