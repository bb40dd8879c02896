//! Tenants.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use landbridge_model::TenantId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, PageQuery, seen, tagged, tenant_of};
use super::problem::Problem;
use super::session::Session;
use crate::ask::Change;
use crate::service::{AuditEntry, AuditFilter, Page, PutTenantBody, Service, TenantView, tenant_tag};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list_tenants))
        .routes(routes!(get_tenant, put_tenant, delete_tenant))
        .routes(routes!(list_tenant_audit))
        .routes(routes!(list_audit))
}

/// List the tenants that you may see.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "tenants", params(PageQuery),
    responses((status = 200, body = Page<TenantView>)))]
async fn list_tenants(
    State(service): State<Service>,
    session: Session,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<TenantView>>, Problem> {
    Ok(Json(service.list_tenants(&session.caller, &page.into())?))
}

/// Read a tenant. Its `ETag` stands for what can be changed of it.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}", tag = "tenants",
    responses((status = 200, body = TenantView, headers(("ETag" = String)))))]
async fn get_tenant(InTenant(tenant): InTenant) -> Response {
    tagged(Json(tenant.view()).into_response(), &tenant.tag())
}

/// The tenant of the path, for whom may change it or add it. Taken before the body is read.
struct Puttable(TenantId, Session);

impl FromRequestParts<Service> for Puttable {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let session = <Session as FromRequestParts<Service>>::from_request_parts(parts, service).await?;
        let id = tenant_of(parts, service).await?;
        service.may_put_tenant(&session.caller, &id)?;
        Ok(Self(id, session))
    }
}

/// Add a tenant, or change its connections. Adding needs an admin of all tenants, changing an admin of this one. Send
/// `If-Match` with the `ETag` that you read, or `If-None-Match: *` for a new tenant.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}", tag = "tenants", request_body = PutTenantBody,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` that was read."),
        ("If-None-Match" = Option<String>, Header, description = "`*`, for a new tenant.")),
    responses((status = 200, body = TenantView, headers(("ETag" = String))),
        (status = 201, description = "It was added.", body = TenantView, headers(("ETag" = String)))))]
async fn put_tenant(
    State(service): State<Service>,
    Puttable(tenant, session): Puttable,
    headers: HeaderMap,
    Body(wanted): Body<PutTenantBody>,
) -> Result<Response, Problem> {
    let put = service.put_tenant(&session.caller, &tenant, wanted, seen(&headers)?);
    let (change, view) = put.await?;
    let status = if change == Change::Created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let tag = tenant_tag(&view.tenant);
    Ok(tagged((status, Json(view)).into_response(), &tag))
}

/// Remove a tenant with its syncs, imports and credentials. What was written to HubSpot stays.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}", tag = "tenants",
    responses((status = 204, description = "It is removed.")))]
async fn delete_tenant(
    State(service): State<Service>,
    session: Session,
    InTenant(tenant): InTenant,
) -> Result<StatusCode, Problem> {
    service.remove_tenant(&session.caller, tenant.id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which entries of the audit log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Only those that say this: in who, what, to what, where, or in their words.
    q: Option<String>,
    /// Only of this kind: what actions begin with, such as `sync` or `token`.
    kind: Option<String>,
}

impl From<AuditQuery> for AuditFilter {
    fn from(query: AuditQuery) -> Self {
        Self {
            query: query.q,
            kind: query.kind,
        }
    }
}

/// What was changed in a tenant, newest first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/audit", tag = "audit", params(PageQuery, AuditQuery),
    responses((status = 200, body = Page<AuditEntry>)))]
async fn list_tenant_audit(
    InTenant(tenant): InTenant,
    Asked(page): Asked<PageQuery>,
    Asked(which): Asked<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let found = tenant.search_audit_log(&which.into(), &page.into()).await?;
    Ok(Json(found))
}

/// What was changed anywhere, newest first. Needs an admin of all tenants.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(PageQuery, AuditQuery),
    responses((status = 200, body = Page<AuditEntry>)))]
async fn list_audit(
    State(service): State<Service>,
    session: Session,
    Asked(page): Asked<PageQuery>,
    Asked(which): Asked<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let found = service
        .search_audit_log(&session.caller, &which.into(), &page.into())
        .await?;
    Ok(Json(found))
}
