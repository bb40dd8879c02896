//! Dry runs: what an import of a definition would do, and how many records its filter lets through.

use std::cmp::Reverse;

use axum::Json;
use axum::http::StatusCode;
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{LinkStance, Outcome, PredictedRecord, RunId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, Named, PageQuery, paged};
use super::problem::Problem;
use super::syncs::SyncPath;
use crate::ask::{
    DryRunLine, DryRunPart, DryRunProgress, DryRunScope, DryRunStarted, MatchingCount, StartDryRun,
};
use crate::service::{Page, Service, ServiceError};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list_dry_runs, start_dry_run))
        .routes(routes!(get_dry_run))
        .routes(routes!(list_dry_run_records))
        .routes(routes!(cancel_dry_run))
        .routes(routes!(count_matching))
}

/// What to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// The definition. It need not be applied.
    pub definition: SyncDefinition,
    /// Over which records.
    pub scope: DryRunScope,
    /// Further definitions that would be applied with it, such as those of its parents.
    #[serde(default)]
    pub together: Vec<SyncDefinition>,
    /// Earlier dry runs whose records count as there: those of the parents that would be imported first.
    #[serde(default)]
    pub assuming: Vec<RunId>,
    /// The object type that would be created, when the portal has none of the definition's name. Its id means nothing.
    #[serde(default)]
    pub proposed: Option<ObjectSchema>,
}

impl From<DryRunRequest> for StartDryRun {
    fn from(wanted: DryRunRequest) -> Self {
        Self {
            definition: wanted.definition,
            scope: wanted.scope,
            together: wanted.together,
            assuming: wanted.assuming,
            proposed: wanted.proposed,
        }
    }
}

/// Begin to find out what an import of a definition would do; ask by the run's id how it goes. Nothing is written
/// anywhere.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/dry-runs", tag = "dry runs", request_body = DryRunRequest,
    responses((status = 202, body = DryRunStarted)))]
async fn start_dry_run(
    InTenant(tenant): InTenant,
    Body(request): Body<DryRunRequest>,
) -> Result<(StatusCode, Json<DryRunStarted>), Problem> {
    let started = tenant.start_dry_run(request.into()).await?;
    if started.run.is_none() {
        let what = "the definition has problems; nothing was compared";
        return Err(ServiceError::of_syncs(what, &[started.checked]).into());
    }
    Ok((StatusCode::ACCEPTED, Json(started)))
}

/// List the dry runs that are remembered, the newest first. Results are remembered until control restarts, and of each
/// tenant only the latest.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/dry-runs", tag = "dry runs", params(PageQuery),
    responses((status = 200, body = Page<DryRunLine>)))]
async fn list_dry_runs(
    InTenant(tenant): InTenant,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<DryRunLine>>, Problem> {
    Ok(paged(
        tenant.dry_runs().await?,
        |line| Reverse(line.run.clone()),
        page,
    )?)
}

#[derive(Deserialize)]
struct RunPath {
    run: RunId,
}

/// Read how a dry run stands, and at its end what it found.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/dry-runs/{run}", tag = "dry runs",
    responses((status = 200, body = DryRunProgress)))]
async fn get_dry_run(
    InTenant(tenant): InTenant,
    Named(path): Named<RunPath>,
) -> Result<Json<DryRunProgress>, Problem> {
    Ok(Json(tenant.dry_run(&path.run).await?))
}

/// Which records of a dry run; name one of the two.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PartQuery {
    /// Those that would end so.
    outcome: Option<Outcome>,
    /// Those that have a link that stands so.
    link: Option<LinkStance>,
}

impl PartQuery {
    fn part(&self) -> Result<DryRunPart, ServiceError> {
        match (self.outcome, self.link) {
            (Some(outcome), None) => Ok(DryRunPart::Outcome(outcome)),
            (None, Some(stance)) => Ok(DryRunPart::Link(stance)),
            _ => Err(ServiceError::invalid(
                "say which records: outcome=created or another outcome, or link=wait or another stance",
            )),
        }
    }
}

/// Records of a dry run, a page of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PredictedRecords {
    /// The records, in the order of their ids.
    pub items: Vec<PredictedRecord>,
    /// Pass it as `cursor` to go on; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// So many can be shown.
    pub kept: u64,
    /// So many there are: records, or links.
    pub total: u64,
}

/// List records of a dry run, with the values before and after.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/dry-runs/{run}/records", tag = "dry runs",
    params(PartQuery, PageQuery), responses((status = 200, body = PredictedRecords)))]
async fn list_dry_run_records(
    InTenant(tenant): InTenant,
    Named(path): Named<RunPath>,
    Asked(part): Asked<PartQuery>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<PredictedRecords>, Problem> {
    let (records, next) = tenant
        .dry_run_records_page(&path.run, part.part()?, &page.into())
        .await?;
    Ok(Json(PredictedRecords {
        items: records.records,
        next,
        kept: records.kept,
        total: records.total,
    }))
}

/// Stop a dry run. What it has found so far can still be read.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/dry-runs/{run}/cancel", tag = "dry runs",
    responses((status = 200, body = DryRunProgress)))]
async fn cancel_dry_run(
    InTenant(tenant): InTenant,
    Named(path): Named<RunPath>,
) -> Result<Json<DryRunProgress>, Problem> {
    tenant.cancel_dry_run(&path.run).await?;
    Ok(Json(tenant.dry_run(&path.run).await?))
}

/// Count in Salesforce how many records a definition's filter lets through. The rest of it need not be finished.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/syncs/{sync}/count", tag = "dry runs",
    request_body = SyncDefinition, responses((status = 200, body = MatchingCount)))]
async fn count_matching(
    InTenant(tenant): InTenant,
    Named(_path): Named<SyncPath>,
    Body(definition): Body<SyncDefinition>,
) -> Result<Json<MatchingCount>, Problem> {
    Ok(Json(tenant.count_matching(&definition).await?))
}
