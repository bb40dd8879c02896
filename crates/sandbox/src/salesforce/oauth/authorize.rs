//! `/services/oauth2/authorize`: where a person lets the app in.
//!
//! A browser gets a page with a form. `approve=1`, which exists nowhere else, signs the one user in without
//! one, for tests.

use super::{Form, given, grant_fields, tell::SCOPE};
use crate::salesforce::{credentials::password_fits, handle::OrgHandle, session};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use std::fmt::Write as _;
use url::Url;

/// What the form hands on to itself.
const HANDED_ON: [&str; 7] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
];

pub(super) fn serve(handle: &OrgHandle, method: &Method, form: &Form) -> Response {
    handle.stats.call("authorize");
    if given(form, "client_id") != handle.credentials.client_id {
        return problem("invalid_client_id", "client identifier invalid");
    }
    let Some(callback) = callback(given(form, "redirect_uri")) else {
        return problem("redirect_uri_mismatch", "redirect_uri must match configuration");
    };
    let kind = given(form, "response_type");
    if !matches!(kind, "code" | "token") {
        return back(callback, form, false, &[("error", "unsupported_response_type")]);
    }
    let method_named = given(form, "code_challenge_method");
    if !matches!(method_named, "" | "S256") {
        return back(
            callback,
            form,
            false,
            &[
                ("error", "invalid_request"),
                ("error_description", "code_challenge_method must be S256"),
            ],
        );
    }
    if given(form, "deny") == "1" {
        return back(
            callback,
            form,
            kind == "token",
            &[
                ("error", "access_denied"),
                ("error_description", "end-user denied authorization"),
            ],
        );
    }
    let signs_in = method == Method::POST;
    let fits = signs_in && password_fits(handle, given(form, "username"), given(form, "password"));
    if !fits && given(form, "approve") != "1" {
        return page(form, signs_in);
    }
    if kind == "token" {
        let refresh_token = handle.grants.lock().grant();
        let token = session::open(handle, Some(&refresh_token));
        let fields = grant_fields(handle, &token);
        let mut fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
        fields.push(("refresh_token", &refresh_token));
        fields.push(("scope", SCOPE));
        return back(callback, form, true, &fields);
    }
    let challenge = form
        .get("code_challenge")
        .map(String::as_str)
        .filter(|text| !text.is_empty());
    let now = handle.clock.now_ms();
    let code = handle
        .grants
        .lock()
        .code(given(form, "redirect_uri"), challenge, now);
    back(callback, form, false, &[("code", &code)])
}

/// A callback must be encrypted or on the client's own machine; schemes of apps are their own.
fn callback(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_own = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    (url.scheme() != "http" || is_own).then_some(url)
}

/// Sends the browser back, with the state that the client gave.
fn back(mut to: Url, form: &Form, in_fragment: bool, fields: &[(&str, &str)]) -> Response {
    let state = form.get("state").map(|state| ("state", state.as_str()));
    let fields = fields.iter().copied().chain(state);
    if in_fragment {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(fields);
        let text = text.finish();
        to.set_fragment(Some(&text));
    } else {
        to.query_pairs_mut().extend_pairs(fields);
    }
    (StatusCode::FOUND, [(header::LOCATION, to.to_string())]).into_response()
}

fn problem(error: &str, description: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html><title>OAuth Error</title><p>error={error}</p><p>error_description={description}</p>"
    );
    html(StatusCode::BAD_REQUEST, page)
}

fn html(status: StatusCode, page: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=UTF-8")], page).into_response()
}

/// The sign-in form; `again` after a wrong password.
fn page(form: &Form, again: bool) -> Response {
    let mut fields = String::new();
    for name in HANDED_ON {
        if let Some(value) = form.get(name) {
            let _ = write!(
                fields,
                "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
                escaped(value)
            );
        }
    }
    let told = if again {
        "<p role=\"alert\">Please check your username and password.</p>"
    } else {
        ""
    };
    html(
        StatusCode::OK,
        format!(
            "<!DOCTYPE html><html lang=\"en\"><title>Log in and allow access</title>{told}\
         <form method=\"post\" action=\"/services/oauth2/authorize\">{fields}\
         <label>Username <input name=\"username\" autocomplete=\"username\" value=\"{}\"></label>\
         <label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\"></label>\
         <button>Log in and allow</button><button name=\"deny\" value=\"1\">Deny</button></form></html>",
            escaped(given(form, "login_hint"))
        ),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
