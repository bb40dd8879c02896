//! Who a request is from.

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::cookie;
use super::problem::Problem;
use crate::service::{Caller, Service, ServiceError, SessionKind};

/// The header with the token against forged posts.
pub(super) const CSRF_HEADER: &str = "x-csrf-token";

/// Who is signed in. As an extractor it answers 401 when nobody is; take `Option<Session>` to show a page to sign in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who they are and what they may do: every call of the [`Service`] wants it.
    pub caller: Caller,
    /// How they proved it.
    pub kind: SessionKind,
    proof: Proof,
}

#[derive(Clone)]
enum Proof {
    Cookie(String),
    Bearer(String),
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Session {
    /// The token that a page puts into its forms; empty for those who came with a bearer token.
    pub fn csrf_token(&self) -> &str {
        match &self.kind {
            SessionKind::Cookie { csrf_token, .. } => csrf_token,
            SessionKind::Token => "",
        }
    }

    /// Refuses a form whose token is not this session's: it was posted by somebody else's page.
    pub fn check_csrf(&self, sent: Option<&str>) -> Result<(), ServiceError> {
        if self.kind.allows_change(sent) {
            return Ok(());
        }
        Err(ServiceError::Forbidden(
            "the token against forged posts is missing or another session's; load the page again (programs send it as \
             X-CSRF-Token)"
                .to_owned(),
        ))
    }

    /// The session's id in the cookie, to end it.
    pub(crate) fn cookie(&self) -> Option<&str> {
        match &self.proof {
            Proof::Cookie(session) => Some(session),
            Proof::Bearer(_) => None,
        }
    }

    /// The same, looked up again: for answers that go on for a long time.
    pub(crate) async fn again(&self, service: &Service) -> Result<Self, ServiceError> {
        resolve(self.proof.clone(), service).await
    }
}

fn proof(headers: &HeaderMap, service: &Service) -> Result<Option<Proof>, ServiceError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|text| text.split_once(' '));
        return match token {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Ok(Some(Proof::Bearer(token.trim().to_owned())))
            }
            _ => Err(ServiceError::Unauthenticated(
                "Authorization takes `Bearer` and a token".to_owned(),
            )),
        };
    }
    Ok(cookie::session_of(headers, service.settings()).map(Proof::Cookie))
}

async fn resolve(proof: Proof, service: &Service) -> Result<Session, ServiceError> {
    let (caller, kind) = match &proof {
        Proof::Bearer(token) => (service.caller_of_token(token).await?, SessionKind::Token),
        Proof::Cookie(session) => service.caller_of_session(session).await?,
    };
    Ok(Session { caller, kind, proof })
}

impl FromRequestParts<Service> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        if let Some(session) = parts.extensions.get::<Self>() {
            return Ok(session.clone());
        }
        let proof = proof(&parts.headers, service)?.ok_or_else(|| {
            ServiceError::Unauthenticated("sign in, or send a token: Authorization: Bearer …".to_owned())
        })?;
        let session = resolve(proof, service).await?;
        parts.extensions.insert(session.clone());
        Ok(session)
    }
}

impl OptionalFromRequestParts<Service> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Option<Self>, Problem> {
        match <Self as FromRequestParts<Service>>::from_request_parts(parts, service).await {
            Ok(session) => Ok(Some(session)),
            Err(problem) if matches!(problem.error(), ServiceError::Unauthenticated(_)) => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// Lets nobody pass who is not signed in, nor a change that a cookie alone would vouch for.
pub(super) async fn layer(State(service): State<Service>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let session = match <Session as FromRequestParts<Service>>::from_request_parts(&mut parts, &service).await
    {
        Ok(session) => session,
        Err(problem) => return problem.into_response(),
    };
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        let sent = parts
            .headers
            .get(CSRF_HEADER)
            .and_then(|value| value.to_str().ok());
        if let Err(error) = session.check_csrf(sent) {
            return Problem::from(error).into_response();
        }
    }
    next.run(Request::from_parts(parts, body)).await
}
