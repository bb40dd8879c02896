//! A tenant's alerts.

use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, InTenant, Precondition, precondition, tagged};
use super::problem::Problem;
use crate::ask::TriedChannel;
use crate::service::{AlertsView, PutAlerts, Role, Service, ServiceError};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(get_alerts, put_alerts))
        .routes(routes!(test_alerts))
}

fn with_tag(view: &AlertsView) -> Response {
    tagged(Json(view).into_response(), &view.tag)
}

/// Read where alerts go and from where on, what was told and is not over, and what could not be sent. Secrets are never
/// shown.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/alerts", tag = "alerts",
    responses((status = 200, body = AlertsView, headers(("ETag" = String)))))]
async fn get_alerts(InTenant(tenant): InTenant) -> Result<Response, Problem> {
    Ok(with_tag(&tenant.alerts().await?))
}

/// Change where alerts go and from where on. A secret that is left out stays as it is.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/alerts", tag = "alerts", request_body = PutAlerts,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` that was read.")),
    responses((status = 200, body = AlertsView, headers(("ETag" = String)))))]
async fn put_alerts(
    InTenant(tenant): InTenant,
    headers: HeaderMap,
    Body(wanted): Body<PutAlerts>,
) -> Result<Response, Problem> {
    tenant.require(Role::Admin)?;
    let seen = match precondition(&headers)? {
        Precondition::Tag(tag) => tag,
        Precondition::Absent => "0".to_owned(),
        Precondition::None => {
            let what = "send If-Match with the ETag that you read".to_owned();
            return Err(ServiceError::PreconditionRequired(what).into());
        }
    };
    Ok(with_tag(&tenant.put_alerts(wanted, &seen).await?))
}

/// Send a test message each way that is set, and read how it went.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/alerts/test", tag = "alerts",
    responses((status = 200, body = Vec<TriedChannel>)))]
async fn test_alerts(InTenant(tenant): InTenant) -> Result<Json<Vec<TriedChannel>>, Problem> {
    Ok(Json(tenant.test_alerts().await?))
}
