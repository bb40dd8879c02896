//! `Idempotency-Key`: a POST that is sent again, because its answer was lost, does nothing again and gets that answer.
//!
//! The answer is kept with a hash of the request. A key belongs to its caller and its route.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::session::Session;
use crate::service::{Remembered, Service, ServiceError, Turn};

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
const SECRET: [&str; 2] = ["/api/v1/tokens", "/api/v1/sessions"];

/// An answer as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
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
    let (parts, body) = request.into_parts();
    let place = place(&parts)?;
    let body = to_bytes(body, REQUEST_MAX)
        .await
        .map_err(|_| ServiceError::invalid(format!("a request has {REQUEST_MAX} bytes at most")))?;
    match service.take_turn(&place, &body).await? {
        Turn::Again(Remembered(answer)) => {
            let answer: Answer = serde_json::from_value(answer)?;
            Ok(answer.into_response())
        }
        Turn::First(turn) => {
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            let (response, answer) = keep(response).await?;
            // What failed for a reason that may pass is tried again the next time.
            let is_worth_keeping =
                !response.status().is_server_error() && response.status() != StatusCode::TOO_MANY_REQUESTS;
            match answer.filter(|_| is_worth_keeping) {
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
    let session = parts
        .extensions
        .get::<Session>()
        .ok_or_else(|| ServiceError::Unauthenticated("nobody is signed in".to_owned()))?;
    Ok([session.caller.identity(), path.to_owned(), key.to_owned()])
}

/// Reads an answer to keep it; an answer that is too large is given and not kept.
async fn keep(response: Response) -> Result<(Response, Option<Answer>), ServiceError> {
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
