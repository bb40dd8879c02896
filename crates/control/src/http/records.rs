//! Single records, and whole syncs compared.

use axum::Json;
use axum::http::StatusCode;
use landbridge_model::ask::ReconcileStatus;
use landbridge_model::{RunId, SalesforceId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, Named};
use super::problem::Problem;
use super::syncs::SyncPath;
use crate::ask::{Retried, VerifyProgress, VerifyStarted};
use crate::service::{RecordStory, Service};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(explain_record))
        .routes(routes!(start_reconcile))
        .routes(routes!(start_verify))
        .routes(routes!(get_verify))
        .routes(routes!(repair_records))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RecordQuery {
    /// A Salesforce id, the address of the record in Salesforce or HubSpot, or a HubSpot id.
    record: String,
}

/// Tell a record's story: what each stage knows of it, in the order of time.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/explain", tag = "records", params(RecordQuery),
    responses((status = 200, body = RecordStory)))]
async fn explain_record(
    InTenant(tenant): InTenant,
    Asked(query): Asked<RecordQuery>,
) -> Result<Json<RecordStory>, Problem> {
    Ok(Json(tenant.explain(&query.record).await?))
}

/// Look in Salesforce, now, for what HubSpot has of a sync: what was purged there becomes a delete, under the sync's rule and
/// safety limit, and what HubSpot is behind with is read again. Only a sync that is turned on. A look that is under way is answered
/// with how far it is; the status tells how it ends.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/syncs/{sync}/reconcile", tag = "records",
    responses((status = 202, body = ReconcileStatus)))]
async fn start_reconcile(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
) -> Result<(StatusCode, Json<ReconcileStatus>), Problem> {
    Ok((
        StatusCode::ACCEPTED,
        Json(tenant.start_reconcile(&path.sync).await?),
    ))
}

/// Begin to compare a sync's records on both sides; ask by the run's id how it goes.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/syncs/{sync}/verify", tag = "records",
    responses((status = 202, body = VerifyStarted)))]
async fn start_verify(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
) -> Result<(StatusCode, Json<VerifyStarted>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(tenant.start_verify(&path.sync).await?)))
}

#[derive(Deserialize)]
struct RunPath {
    run: RunId,
}

/// Read how a verify stands, and at its end what it found.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/verifications/{run}", tag = "records",
    responses((status = 200, body = VerifyProgress)))]
async fn get_verify(
    InTenant(tenant): InTenant,
    Named(path): Named<RunPath>,
) -> Result<Json<VerifyProgress>, Problem> {
    Ok(Json(tenant.verify_state(&path.run).await?))
}

/// Which records to repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepairRequest {
    /// The records.
    pub ids: Vec<SalesforceId>,
}

/// Read records again and write them, whatever was written before. Versions, the delete rule and the safety limit hold.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/syncs/{sync}/repair", tag = "records",
    request_body = RepairRequest, responses((status = 200, body = Retried)))]
async fn repair_records(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
    Body(request): Body<RepairRequest>,
) -> Result<Json<Retried>, Problem> {
    Ok(Json(tenant.repair(&path.sync, request.ids).await?))
}
