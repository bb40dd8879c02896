//! Coming and going: signing in and out, and the colours.

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::form::Form;
use super::routes::Routes;
use super::visit::{self, Answer, THEME, Visit};
use crate::console::sign_in::{SignIn, page};
use crate::console::{fields, paths};
use crate::http::{address_of, cookie};
use crate::return_path;
use crate::service::{Service, ServiceError};

/// How long a browser keeps the colours, in seconds: a year.
const THEME_SECONDS: u32 = 31_536_000;
/// Bytes of a name, a password and an address to come back to.
const SIGN_IN_BYTES_MAX: usize = 16 * 1024;

pub(super) fn routes() -> Routes {
    Routes::default()
        .get(paths::SIGN_IN, show)
        .post(paths::SIGN_IN, sign_in)
        .post(paths::SIGN_IN_OIDC, to_provider)
        .post(paths::SIGN_OUT, sign_out)
        .post(paths::THEME, theme)
}

#[derive(Deserialize)]
struct Then {
    #[serde(rename = "return")]
    then: Option<String>,
}

async fn show(
    State(service): State<Service>,
    headers: HeaderMap,
    uri: Uri,
    Query(query): Query<Then>,
) -> Response {
    let shell = visit::shell_before(&headers, &uri);
    let then = ours(query.then.as_deref()).to_owned();
    let view = SignIn {
        then,
        ..offers(&service).await
    };
    page(&shell, &view).into_response()
}

/// The ways to sign in that there are.
async fn offers(service: &Service) -> SignIn {
    SignIn {
        provider: service.has_provider().then(|| "your organisation".to_owned()),
        // When it cannot be read who there is, the form stays: the sign-in itself says what is wrong.
        has_local_users: service.has_local_users().await.unwrap_or(true),
        ..SignIn::default()
    }
}

/// A sign-in carries no token yet: a forger who signs a visitor in as somebody else gains nothing, and what follows
/// needs that session's token.
async fn sign_in(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let address = address_of(&parts.extensions, &parts.headers, service.settings());
    let Ok(body) = axum::body::to_bytes(body, SIGN_IN_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let form = Form::parse(&body);
    let then = ours(form.text(fields::RETURN)).to_owned();
    let user = form.text("user").unwrap_or_default().to_owned();
    let error = match service.sign_in(&user, form.exactly("password"), &address).await {
        Ok(signed_in) => {
            let kept = cookie::set(&signed_in.session, service.settings());
            return ([(header::SET_COOKIE, kept)], Redirect::to(&then)).into_response();
        }
        Err(error) => error,
    };
    let wait = match &error {
        ServiceError::TooMany { retry_after, .. } => Some(*retry_after),
        _ => None,
    };
    let view = SignIn {
        user,
        trouble: wait.is_none().then(|| visit::trouble(&error)),
        wait,
        then,
        ..offers(&service).await
    };
    let shell = visit::shell_before(&parts.headers, &parts.uri);
    (visit::status_of(&error), page(&shell, &view)).into_response()
}

async fn to_provider(body: Bytes) -> Redirect {
    let form = Form::parse(&body);
    let then = paths::query_value(ours(form.text(fields::RETURN)));
    Redirect::to(&format!("/api/v1/oidc/start?return_to={then}"))
}

async fn sign_out(visit: Visit, _form: Form) -> Answer {
    if let Some(id) = visit.session.cookie() {
        let ended = visit.service.sign_out(&visit.session.caller, id).await;
        ended.map_err(|error| visit.refuse(error))?;
    }
    let forgotten = cookie::clear(visit.service.settings());
    Ok(([(header::SET_COOKIE, forgotten)], Redirect::to(paths::SIGN_IN)).into_response())
}

/// Colours are nobody's secret and change nothing: they need no session.
async fn theme(body: Bytes) -> Response {
    let form = Form::parse(&body);
    let then = Redirect::to(ours(form.text(fields::RETURN)));
    let Some(theme @ ("light" | "dark" | "system")) = form.text("theme") else {
        return then.into_response();
    };
    let kept = format!("{THEME}={theme}; Path=/; HttpOnly; SameSite=Lax; Max-Age={THEME_SECONDS}");
    match HeaderValue::try_from(kept) {
        Ok(kept) => ([(header::SET_COOKIE, kept)], then).into_response(),
        Err(_) => then.into_response(),
    }
}

/// A path of this console, whatever a link said: nobody is led elsewhere.
fn ours(then: Option<&str>) -> &str {
    then.filter(|then| return_path::is_ours(then))
        .unwrap_or(paths::TENANTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for (then, to) in [
            (Some("/tenants/acme?x=1"), "/tenants/acme?x=1"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("/\t/evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (None, "/"),
        ] {
            assert_eq!(ours(then), to);
        }
    }
}
