//! What tokens and their user are.

use super::{Form, Refused, check_app, given};
use crate::salesforce::{clock::json_datetime, errors::json_ok, handle::OrgHandle, session};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value as Json, json};
use std::sync::atomic::Ordering;

/// What every token is good for.
pub(super) const SCOPE: &str = "api refresh_token";

/// `GET /services/oauth2/userinfo`.
pub(in crate::salesforce) fn userinfo(handle: &OrgHandle, headers: &HeaderMap) -> Response {
    identity(handle, headers)
}

/// The identity URL. It refuses in a way of its own.
pub(in crate::salesforce) fn identity(handle: &OrgHandle, headers: &HeaderMap) -> Response {
    match session::authenticate(handle, headers) {
        Ok(_) => json_ok(&user(handle)),
        Err(_) => (StatusCode::FORBIDDEN, "Bad_OAuth_Token").into_response(),
    }
}

/// `POST /services/oauth2/introspect`: whether a token is good, and what for. Asking does not lengthen it.
pub(super) fn introspect(handle: &OrgHandle, headers: &HeaderMap, form: &Form) -> Result<Response, Refused> {
    check_app(handle, headers, form, false)?;
    let token = given(form, "token");
    let (org_id, user_id) = handle.identity();
    let about = |kind: &str| {
        json!({
            "active": true,
            "scope": SCOPE,
            "client_id": handle.credentials.client_id,
            "username": handle.credentials.username,
            "sub": format!("{}/id/{org_id}/{user_id}", handle.instance_url),
            "token_type": kind,
        })
    };
    if let Some(session) = session::look(handle, token) {
        let mut answer = about("access_token");
        let idle = handle.settings.session_ms.load(Ordering::Relaxed);
        answer["iat"] = json!(session.opened / 1000);
        answer["nbf"] = json!(session.opened / 1000);
        answer["exp"] = json!((session.opened + idle) / 1000);
        return Ok(json_ok(&answer));
    }
    if handle.grants.lock().is_granted(token) {
        return Ok(json_ok(&about("refresh_token")));
    }
    Ok(json_ok(&json!({ "active": false })))
}

/// Who the user is.
fn user(handle: &OrgHandle) -> Json {
    let (org_id, user_id) = handle.identity();
    let username = &handle.credentials.username;
    let rest = format!("{}/services/data/v{{version}}/", handle.instance_url);
    json!({
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
    })
}
