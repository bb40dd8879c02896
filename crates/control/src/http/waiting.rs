//! What waits for a person, and how a tenant did lately.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use landbridge_model::ask::{Decided, HeldDecision};
use landbridge_model::{SalesforceId, SyncName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, Named, PageQuery, paged, seen_tag, tagged};
use super::problem::Problem;
use crate::ask::{HeldEntry, ParkedGroup, Seen, TenantHistory};
use crate::service::{Page, Role, Service};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(get_history))
        .routes(routes!(list_parked))
        .routes(routes!(list_held))
        .routes(routes!(decide_held))
        .routes(routes!(dismiss_failure))
        .routes(routes!(put_allocation))
}

/// Read what became of changes over time: by five minutes for three hours, by hours for two days.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/history", tag = "health",
    responses((status = 200, body = TenantHistory)))]
async fn get_history(InTenant(tenant): InTenant) -> Result<Json<TenantHistory>, Problem> {
    Ok(Json(tenant.history().await?))
}

/// List the links that wait for a record, by lookup field, the one that has waited longest first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/parked", tag = "health", params(PageQuery),
    responses((status = 200, body = Page<ParkedGroup>)))]
async fn list_parked(
    InTenant(tenant): InTenant,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<ParkedGroup>>, Problem> {
    let key = |group: &ParkedGroup| (group.oldest_ms, group.sync.clone(), group.field.clone());
    Ok(paged(tenant.parked().await?, key, page)?)
}

/// Which held deletes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HeldQuery {
    /// Only of this sync.
    sync: Option<SyncName>,
}

/// List the deletes that are in their grace period or wait for approval, the oldest first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/held", tag = "health", params(HeldQuery, PageQuery),
    responses((status = 200, body = Page<HeldEntry>)))]
async fn list_held(
    InTenant(tenant): InTenant,
    Asked(query): Asked<HeldQuery>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<HeldEntry>>, Problem> {
    let key = |entry: &HeldEntry| (entry.deleted_ms, entry.sync.clone(), entry.id);
    Ok(paged(tenant.held(query.sync).await?, key, page)?)
}

/// A person's word on held deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldRequest {
    /// Of which sync.
    pub sync: SyncName,
    /// Of which records; all that the sync holds when left out.
    #[serde(default)]
    pub ids: Vec<SalesforceId>,
    /// What is to become of them.
    pub decision: HeldDecision,
}

/// Approve held deletes, or discard them and keep the records in HubSpot.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/held/decide", tag = "health",
    request_body = HeldRequest, responses((status = 200, body = Decided)))]
async fn decide_held(
    InTenant(tenant): InTenant,
    Body(request): Body<HeldRequest>,
) -> Result<Json<Decided>, Problem> {
    let decided = tenant.decide_held(request.sync, request.ids, request.decision);
    Ok(Json(decided.await?))
}

#[derive(Deserialize)]
struct FailurePath {
    sync: SyncName,
    record: SalesforceId,
}

/// Strike a record's failures off the list without another try.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/syncs/{sync}/failures/{record}", tag = "failures",
    responses((status = 204)))]
async fn dismiss_failure(
    InTenant(tenant): InTenant,
    Named(path): Named<FailurePath>,
) -> Result<StatusCode, Problem> {
    tenant.dismiss_failure(&path.sync, path.record).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many calls a day may be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// API calls a day that Landbridge may make to the org; all but the reserve when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_calls: Option<u64>,
}

/// Change how many API calls a day Landbridge may make to Salesforce. Send `If-Match` with the `ETag` of the tenant, of
/// which this is a part.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/allocation", tag = "health", request_body = Allocation,
    params(("If-Match" = Option<String>, Header, description = "The tenant's `ETag` that was read.")),
    responses((status = 200, body = Allocation, headers(("ETag" = String)))))]
async fn put_allocation(
    InTenant(tenant): InTenant,
    headers: HeaderMap,
    Body(wanted): Body<Allocation>,
) -> Result<Response, Problem> {
    tenant.require(Role::Operator)?;
    let seen = Seen::Tag(seen_tag(&headers)?);
    let tag = tenant.allocate(wanted.daily_calls, seen).await?;
    Ok(tagged(Json(wanted).into_response(), &tag))
}
