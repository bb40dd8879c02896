//! Signing in by an OpenID Connect provider, as a browser does it.

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::cookie;
use super::extract::{Asked, address_of};
use super::problem::Problem;
use crate::service::{Service, ServiceError};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(begin_sign_in))
        .routes(routes!(end_sign_in))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BeginQuery {
    /// The path of this server to go to at the end.
    return_to: Option<String>,
}

/// Sign in by the OpenID Connect provider: leads a browser to it.
#[utoipa::path(get, path = "/api/v1/oidc/start", tag = "access", params(BeginQuery), security(()),
    responses((status = 303, description = "To the provider.")))]
async fn begin_sign_in(
    State(service): State<Service>,
    extensions: Extensions,
    headers: HeaderMap,
    Asked(query): Asked<BeginQuery>,
) -> Result<Response, Problem> {
    let address = address_of(&extensions, &headers, service.settings());
    let road = service
        .begin_sign_in(query.return_to.as_deref().unwrap_or("/"), &address)
        .await?;
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, road.address)]).into_response();
    let kept = cookie::set_state(&road.state, service.settings());
    response.headers_mut().append(header::SET_COOKIE, kept);
    Ok(response)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EndQuery {
    /// What the browser was sent to the provider with.
    state: Option<String>,
    /// What the provider gives for the person.
    code: Option<String>,
    /// Why the provider gives nothing.
    error: Option<String>,
}

/// Where the provider sends the browser back to: begins the session.
#[utoipa::path(get, path = "/api/v1/oidc/callback", tag = "access", params(EndQuery), security(()),
    responses((status = 303, description = "To where the sign-in was begun.", headers(("Set-Cookie" = String)))))]
async fn end_sign_in(
    State(service): State<Service>,
    extensions: Extensions,
    headers: HeaderMap,
    Asked(query): Asked<EndQuery>,
) -> Result<Response, Problem> {
    let settings = service.settings();
    let (Some(state), Some(code)) = (query.state, query.code) else {
        let why = query.error.unwrap_or_else(|| "it sent no code".to_owned());
        return Err(ServiceError::Unauthenticated(format!("the provider signs you in not: {why}")).into());
    };
    let kept = cookie::state_of(&headers, settings);
    let address = address_of(&extensions, &headers, settings);
    let ended = service.end_sign_in(kept.as_deref(), &state, code, &address);
    let (signed_in, return_to) = ended.await?;
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, return_to)]).into_response();
    for value in [
        cookie::set(&signed_in.session, settings),
        cookie::clear_state(settings),
    ] {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}
