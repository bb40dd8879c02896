//! What changed in Salesforce's schema, and another org in the place of the one before.

use axum::Json;
use axum::http::StatusCode;
use landbridge_model::ask::FormulaReading;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, InTenant, Named};
use super::problem::Problem;
use super::syncs::SyncPath;
use crate::ask::{Adopted, ConnectionSide, SchemaEvents};
use crate::service::Service;

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list_schema_events))
        .routes(routes!(get_formulas))
        .routes(routes!(adopt_org))
        .routes(routes!(disconnect))
}

/// List what changed in the Salesforce schema that a sync reads, newest first, each with what followed from it: all
/// that is remembered at once, which is the latest hundred.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/syncs/{sync}/schema-events", tag = "syncs",
    responses((status = 200, body = SchemaEvents)))]
async fn list_schema_events(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
) -> Result<Json<SchemaEvents>, Problem> {
    Ok(Json(tenant.schema_events(&path.sync).await?))
}

/// Read which mapped fields change without their records being stamped, how those are read again, and what that costs. Counts
/// the object's records, which is a call to Salesforce.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/syncs/{sync}/formulas", tag = "syncs",
    responses((status = 200, body = FormulaReading)))]
async fn get_formulas(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
) -> Result<Json<FormulaReading>, Problem> {
    Ok(Json(tenant.formulas(&path.sync).await?))
}

/// Which org is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptRequest {
    /// The id of the org that answers now, as the test of the connections shows it.
    pub org_id: String,
}

/// Take the Salesforce org that answers now in the place of the one before, as after the refresh of a sandbox. Nothing that
/// was known of the other one is used: every active sync is imported again, and records that the org does not have are held
/// for a person. Needs an admin.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/adopt", tag = "connections",
    request_body = AdoptRequest, responses((status = 200, body = Adopted)))]
async fn adopt_org(
    InTenant(tenant): InTenant,
    Body(request): Body<AdoptRequest>,
) -> Result<Json<Adopted>, Problem> {
    Ok(Json(tenant.adopt_org(request.org_id).await?))
}

/// Which side is disconnected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisconnectRequest {
    /// The side.
    pub side: ConnectionSide,
}

/// Forget the credentials of a side. All syncs stand still until others are entered and both sides answer as before; what
/// was written to HubSpot stays. Needs an admin.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/disconnect", tag = "connections",
    request_body = DisconnectRequest, responses((status = 204, description = "They are forgotten.")))]
async fn disconnect(
    InTenant(tenant): InTenant,
    Body(request): Body<DisconnectRequest>,
) -> Result<StatusCode, Problem> {
    tenant.disconnect(request.side).await?;
    Ok(StatusCode::NO_CONTENT)
}
