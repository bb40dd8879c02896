//! `Idempotency-Key`: a POST that is sent again, because its answer was lost, does nothing again and gets that answer.
//!
//! The answer is kept with a hash of the request. A key belongs to its caller and its route, and an answer to whoever may
//! do no less there than when it was given. Only what was done is kept: what was refused may be done once its cause is
//! gone.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::extract::tenant_of;
use super::problem::Problem;
use super::session::Session;
use crate::service::{Remembered, Role, Service, ServiceError, Turn};

/// The header as the document has it.
pub(super) const HEADER: &str = "Idempotency-Key";
/// The header.
const KEY: &str = "idempotency-key";
/// Longest key.
const KEY_MAX: usize = 128;
/// Largest request that is taken with a key.
const REQUEST_MAX: usize = 2 * 1024 * 1024;
/// Largest answer that is kept.
const ANSWER_MAX: usize = 256 * 1024;
/// How long an answer is kept.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// Routes whose answers hold a secret, which is stored nowhere.
pub(super) const SECRET: [&str; 2] = ["/api/v1/tokens", "/api/v1/sessions"];

/// What every tenant's path begins with.
const IN_TENANT: &str = "/api/v1/tenants/";

/// An answer as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    /// What its receiver might do there; none in an answer that an earlier version kept, which is given to nobody.
    #[serde(default)]
    role: Option<Role>,
    status: u16,
    content_type: Option<String>,
    body: String,
}

pub(super) async fn layer(State(service): State<Service>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match once(&service, request, next).await {
        Ok(response) => response,
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn once(service: &Service, request: Request, next: Next) -> Result<Response, ServiceError> {
    let (mut parts, body) = request.into_parts();
    let place = place(&parts)?;
    let role = role(&mut parts, service).await?;
    let body = to_bytes(body, REQUEST_MAX)
        .await
        .map_err(|_| ServiceError::invalid(format!("a request has {REQUEST_MAX} bytes at most")))?;
    match service.take_turn(&place, &body).await? {
        Turn::Again(Remembered(answer)) => {
            let answer: Answer = serde_json::from_value(answer)?;
            if answer.role.is_none() || role < answer.role {
                return Err(ServiceError::Forbidden(
                    "this request was answered when you might do more here than now: its answer is not given again"
                        .to_owned(),
                ));
            }
            Ok(answer.into_response())
        }
        Turn::First(turn) => {
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            let (response, answer) = keep(response, role).await?;
            // What was refused did nothing: it is tried again the next time.
            match answer.filter(|_| response.status().is_success()) {
                Some(answer) => {
                    service
                        .remember_answer(turn, Remembered(serde_json::to_value(answer)?), KEPT)
                        .await?
                }
                None => service.forget_turn(turn).await?,
            }
            Ok(response)
        }
    }
}

/// What the caller may do where the request goes: in the tenant, or everywhere. A tenant that they may not see is not
/// there, whatever they were answered once.
async fn role(parts: &mut Parts, service: &Service) -> Result<Option<Role>, ServiceError> {
    let caller = session(parts)?.caller.clone();
    if !parts.uri.path().starts_with(IN_TENANT) {
        return Ok(caller.role_everywhere());
    }
    let tenant = tenant_of(parts, service).await?;
    Ok(Some(service.tenant(&caller, &tenant)?.role()))
}

fn session(parts: &Parts) -> Result<&Session, ServiceError> {
    let nobody = || ServiceError::Unauthenticated("nobody is signed in".to_owned());
    parts.extensions.get::<Session>().ok_or_else(nobody)
}

/// What a request with a key can derive the names from of what it makes: its repetition then finds it, even where no
/// answer was kept because control ended in between. None without a key.
pub(super) struct Once(pub(super) Option<String>);

impl FromRequestParts<Service> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        if !parts.headers.contains_key(KEY) {
            return Ok(Self(None));
        }
        Ok(Self(Some(service.place_of_turn(&place(parts)?)?)))
    }
}

/// Whose key it is, and of which route.
fn place(parts: &Parts) -> Result<[String; 3], ServiceError> {
    let key = parts
        .headers
        .get(KEY)
        .and_then(|key| key.to_str().ok())
        .unwrap_or_default();
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(ServiceError::invalid(format!(
            "an Idempotency-Key has 1 to {KEY_MAX} visible characters"
        )));
    }
    let path = parts.uri.path();
    if SECRET.contains(&path) {
        return Err(ServiceError::invalid(
            "this route's answer holds a secret and cannot be repeated: send it without an Idempotency-Key",
        ));
    }
    Ok([session(parts)?.caller.identity(), path.to_owned(), key.to_owned()])
}

/// Reads an answer to keep it; an answer that is too large is given and not kept.
async fn keep(response: Response, role: Option<Role>) -> Result<(Response, Option<Answer>), ServiceError> {
    let (parts, body) = response.into_parts();
    let internal = |_| ServiceError::Internal("the answer could not be read".to_owned());
    let body: Bytes = to_bytes(body, usize::MAX).await.map_err(internal)?;
    let text = String::from_utf8(body.to_vec())
        .ok()
        .filter(|text| text.len() <= ANSWER_MAX);
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let answer = text.map(|body| Answer {
        role,
        status: parts.status.as_u16(),
        content_type,
        body,
    });
    Ok((Response::from_parts(parts, Body::from(body)), answer))
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = (status, self.body).into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
        if let Some(value) = self
            .content_type
            .and_then(|text| HeaderValue::try_from(text).ok())
        {
            response.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        response
            .headers_mut()
            .insert("idempotency-replayed", HeaderValue::from_static("true"));
        response
    }
}
