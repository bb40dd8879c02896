//! Users, tokens and sessions.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::cookie;
use super::extract::{Asked, Body, Named, PageQuery, address_of, paged, seen, tagged};
use super::problem::Problem;
use super::session::Session;
use crate::service::{
    CreateToken, CreatedToken, Page, PutUser, Role, Service, ServiceError, SessionKind, SessionView,
    TokenView, UserName, UserView,
};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(get_session, sign_out))
        .routes(routes!(list_users))
        .routes(routes!(get_user, put_user, delete_user))
        .routes(routes!(change_password))
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(delete_token))
}

/// A name and a password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
}

impl std::fmt::Debug for SignInRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInRequest")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Sign in with a name and a password. The session is in the cookie; what changes something must carry `csrf_token` as
/// `X-CSRF-Token`.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "access", request_body = SignInRequest, security(()),
    responses((status = 201, body = SessionView, headers(("Set-Cookie" = String)))))]
pub(super) async fn sign_in(State(service): State<Service>, request: Request) -> Result<Response, Response> {
    let settings = service.settings();
    let address = address_of(request.extensions(), request.headers(), settings);
    let Body(asked) =
        <Body<SignInRequest> as axum::extract::FromRequest<Service>>::from_request(request, &service).await?;
    let signed_in = service
        .sign_in(&asked.user, &asked.password, &address)
        .await
        .map_err(|error| Problem::from(error).into_response())?;
    let view = SessionView {
        who: signed_in.caller.who.clone(),
        grants: signed_in.caller.grants().to_vec(),
        csrf_token: Some(signed_in.csrf_token),
        expires_ms: Some(signed_in.expires_ms),
    };
    let headers = [(header::SET_COOKIE, cookie::set(&signed_in.session, settings))];
    Ok((StatusCode::CREATED, headers, Json(view)).into_response())
}

/// Read who you are and what you may do.
#[utoipa::path(get, path = "/api/v1/sessions/current", tag = "access",
    responses((status = 200, body = SessionView)))]
async fn get_session(session: Session) -> Json<SessionView> {
    let (csrf_token, expires_ms) = match &session.kind {
        SessionKind::Cookie {
            csrf_token,
            expires_ms,
        } => (Some(csrf_token.clone()), Some(*expires_ms)),
        SessionKind::Token => (None, None),
    };
    Json(SessionView {
        who: session.caller.who.clone(),
        grants: session.caller.grants().to_vec(),
        csrf_token,
        expires_ms,
    })
}

/// Sign out: the session of the cookie is over. A token is revoked, not signed out.
#[utoipa::path(delete, path = "/api/v1/sessions/current", tag = "access",
    responses((status = 204, description = "The session is over.", headers(("Set-Cookie" = String)))))]
async fn sign_out(State(service): State<Service>, session: Session) -> Result<Response, Problem> {
    let id = session.cookie().ok_or_else(|| {
        ServiceError::Conflict(
            "you came with a token and not with a session; revoke the token instead".to_owned(),
        )
    })?;
    service.sign_out(&session.caller, id).await?;
    let headers = [(header::SET_COOKIE, cookie::clear(service.settings()))];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

#[derive(Deserialize)]
struct UserPath {
    user: UserName,
}

/// List the local users. Needs an admin of all tenants.
#[utoipa::path(get, path = "/api/v1/users", tag = "access", params(PageQuery),
    responses((status = 200, body = Page<UserView>)))]
async fn list_users(
    State(service): State<Service>,
    session: Session,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<UserView>>, Problem> {
    let users = service.users(&session.caller).await?;
    Ok(paged(users, |user| user.name.clone(), page)?)
}

/// Read a local user. Needs an admin of all tenants.
#[utoipa::path(get, path = "/api/v1/users/{user}", tag = "access",
    responses((status = 200, body = UserView, headers(("ETag" = String)))))]
async fn get_user(
    State(service): State<Service>,
    session: Session,
    Named(path): Named<UserPath>,
) -> Result<Response, Problem> {
    let (user, tag) = service.user_with_tag(&session.caller, &path.user).await?;
    Ok(tagged(Json(user).into_response(), &tag))
}

/// Add a local user, or change what they may do; with a password, set it and end their sessions. Needs an admin of all
/// tenants. Send `If-Match` with the `ETag` that you read, or `If-None-Match: *` for a new user.
#[utoipa::path(put, path = "/api/v1/users/{user}", tag = "access", request_body = PutUser,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` that was read."),
        ("If-None-Match" = Option<String>, Header, description = "`*`, for a new user.")),
    responses((status = 200, body = UserView, headers(("ETag" = String)))))]
async fn put_user(
    State(service): State<Service>,
    session: Session,
    Named(path): Named<UserPath>,
    headers: HeaderMap,
    Body(wanted): Body<PutUser>,
) -> Result<Response, Problem> {
    service.require_everywhere(&session.caller, Role::Admin)?;
    let seen = seen(&headers)?;
    let put = service.put_user_seen(&session.caller, &path.user, wanted, &seen);
    let (user, tag) = put.await?;
    Ok(tagged(Json(user).into_response(), &tag))
}

/// Remove a local user, with their tokens and sessions. Needs an admin of all tenants.
#[utoipa::path(delete, path = "/api/v1/users/{user}", tag = "access",
    responses((status = 204, description = "The user is removed.")))]
async fn delete_user(
    State(service): State<Service>,
    session: Session,
    Named(path): Named<UserPath>,
) -> Result<StatusCode, Problem> {
    service.remove_user(&session.caller, &path.user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An old and a new password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The password as it is.
    pub old: String,
    /// The password as it shall be, of 12 characters at least.
    pub new: String,
}

impl std::fmt::Debug for PasswordRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordRequest([redacted])")
    }
}

/// Change your own password. Your sessions are over: sign in again.
#[utoipa::path(put, path = "/api/v1/users/{user}/password", tag = "access", request_body = PasswordRequest,
    responses((status = 204, description = "It is changed.")))]
async fn change_password(
    State(service): State<Service>,
    session: Session,
    Named(path): Named<UserPath>,
    parts: axum::http::Extensions,
    headers: HeaderMap,
    Body(asked): Body<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    let address = address_of(&parts, &headers, service.settings());
    service
        .change_password(&session.caller, &path.user, &asked.old, &asked.new, &address)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List your API tokens; as an admin of all tenants, everybody's.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", params(PageQuery),
    responses((status = 200, body = Page<TokenView>)))]
async fn list_tokens(
    State(service): State<Service>,
    session: Session,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<TokenView>>, Problem> {
    let tokens = service.tokens(&session.caller).await?;
    Ok(paged(tokens, |token| (token.created_ms, token.id.clone()), page)?)
}

/// Make an API token for yourself, which can do no more than you can. It is shown this once.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access", request_body = CreateToken,
    responses((status = 201, body = CreatedToken)))]
async fn create_token(
    State(service): State<Service>,
    session: Session,
    Body(wanted): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(service.create_token(&session.caller, wanted).await?),
    ))
}

#[derive(Deserialize)]
struct TokenPath {
    token: String,
}

/// Revoke an API token.
#[utoipa::path(delete, path = "/api/v1/tokens/{token}", tag = "access",
    responses((status = 204, description = "It is good for nothing any more.")))]
async fn delete_token(
    State(service): State<Service>,
    session: Session,
    Named(path): Named<TokenPath>,
) -> Result<StatusCode, Problem> {
    service.revoke_token(&session.caller, &path.token).await?;
    Ok(StatusCode::NO_CONTENT)
}
