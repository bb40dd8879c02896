//! Control over HTTP: the REST API under `/api/v1`, its OpenAPI document, and a page to read it.
//!
//! Handlers translate and nothing else: what may be done, and that it was done, is the [`Service`]'s. Every route but
//! those that sign somebody in wants a session's cookie or a token; the layer around them sees to it, so that a new
//! route cannot forget.
//!
//! For pages beside the API: [`Session`] is the extractor of who is signed in (`Option<Session>` where nobody need be),
//! [`Session::check_csrf`] guards a form's post, [`cookie`] has the session's cookie.

mod access;
mod alerts;
mod connections;
pub mod cookie;
mod docs;
mod dry_runs;
mod extract;
mod failures;
mod health;
mod idempotency;
mod identity;
mod imports;
mod openapi;
mod problem;
mod proposals;
mod provider;
mod records;
mod revisions;
mod session;
mod syncs;
mod tenants;
mod waiting;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::{Service, ServiceError};
pub use access::{PasswordRequest, SignInRequest};
pub use dry_runs::{DryRunRequest, PredictedRecords};
pub use extract::address_of;
pub use identity::{AdoptRequest, DisconnectRequest};
pub(crate) use imports::csv_file;
pub use imports::{CountRequest, ImportRequest};
pub use problem::{Problem, ProblemDocument};
pub use proposals::CreateTypeRequest;
pub use records::RepairRequest;
pub use session::Session;
pub use syncs::{ApplyRequest, PutSync};
pub use waiting::{Allocation, HeldRequest};

/// The REST API with its document. Any control may serve it: it asks the owner of each tenant's shard.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that attempts to sign in can be counted by
/// address.
pub fn router(service: Service) -> Router {
    let (api, document) = api(Some(&service));
    let json: &'static str = Box::leak(openapi::to_json(&document).into_boxed_str());
    let page: &'static str = Box::leak(docs::page(&document).into_boxed_str());
    let document = get(async move || ([(header::CONTENT_TYPE, "application/json")], json));
    let page = get(async move || {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, docs::CONTENT_SECURITY_POLICY),
        ];
        (headers, page)
    });
    api.route("/api/v1/openapi.json", document)
        .route("/api/docs", page)
        .route("/api/{*rest}", axum::routing::any(unknown))
        .with_state(service)
}

/// The OpenAPI document, as it is served and checked in.
pub fn openapi_json() -> String {
    openapi::to_json(&api(None).1)
}

async fn unknown() -> Problem {
    ServiceError::NotFound("there is no such route; /api/docs lists those that there are".to_owned()).into()
}

/// All routes and their document. Without a service only the document is good for anything.
fn api(service: Option<&Service>) -> (Router<Service>, OpenApi) {
    let mut signed_in = OpenApiRouter::new()
        .merge(tenants::routes())
        .merge(waiting::routes())
        .merge(connections::routes())
        .merge(identity::routes())
        .merge(syncs::routes())
        .merge(revisions::routes())
        .merge(imports::routes())
        .merge(failures::routes())
        .merge(records::routes())
        .merge(dry_runs::routes())
        .merge(proposals::routes())
        .merge(health::routes())
        .merge(alerts::routes())
        .merge(access::routes());
    if let Some(service) = service {
        signed_in = signed_in
            .layer(from_fn_with_state(service.clone(), idempotency::layer))
            .layer(from_fn_with_state(service.clone(), session::layer));
    }
    let public = OpenApiRouter::new()
        .routes(routes!(access::sign_in))
        .merge(provider::routes());
    let all = OpenApiRouter::with_openapi(openapi::base())
        .merge(signed_in)
        .merge(public)
        .layer(from_fn(headers));
    let (router, mut document) = all.split_for_parts();
    openapi::complete(&mut document);
    (router, document)
}

/// What every answer says: it is for the caller alone, and it is what it says it is.
async fn headers(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
