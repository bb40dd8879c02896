//! Imports.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use landbridge_model::ask::ImportStatus;
use landbridge_model::before::LeftValue;
use landbridge_model::{ImportId, SyncName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, Named, PageQuery};
use super::idempotency::Once;
use super::problem::Problem;
use crate::ask::{StartedImport, Writing};
use crate::service::{ImportCounts, Page, Service, ServiceError};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list_imports, start_imports))
        .routes(routes!(count_imports))
        .routes(routes!(get_import))
        .routes(routes!(cancel_import))
        .routes(routes!(pause_import))
        .routes(routes!(resume_import))
        .routes(routes!(get_import_errors))
        .routes(routes!(undo_import))
        .routes(routes!(list_left))
        .routes(routes!(get_left_file))
}

/// Which syncs to import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// The syncs. They are imported parents first, whatever their order here.
    pub syncs: Vec<SyncName>,
    /// Write even what HubSpot already has.
    #[serde(default)]
    pub overwrite: bool,
    /// Write only what edits touched since records were written, and only of records that were written.
    #[serde(default)]
    pub back_fill: bool,
    /// Keep what is there before it is written over, so that the imports can be undone. Costs one read for every 100
    /// records.
    #[serde(default)]
    pub keep_before: bool,
}

impl ImportRequest {
    fn writing(&self) -> Result<Writing, Problem> {
        match (self.overwrite, self.back_fill) {
            (false, false) => Ok(Writing::Changes),
            (true, false) => Ok(Writing::Everything),
            (false, true) => Ok(Writing::Touched),
            (true, true) => {
                let what = "an import overwrites everything or back-fills what edits touched, not both";
                Err(ServiceError::invalid(what).into())
            }
        }
    }
}

/// Which syncs to count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountRequest {
    /// The syncs.
    pub syncs: Vec<SyncName>,
}

/// Count in Salesforce how many records imports would read, filters applied.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/imports/count", tag = "imports",
    request_body = CountRequest, responses((status = 200, body = ImportCounts)))]
async fn count_imports(
    InTenant(tenant): InTenant,
    Body(request): Body<CountRequest>,
) -> Result<Json<ImportCounts>, Problem> {
    Ok(Json(tenant.count_import(&request.syncs).await?))
}

/// Start an import of each sync, parents first; none when any has a problem.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/imports", tag = "imports", request_body = ImportRequest,
    responses((status = 201, body = Vec<StartedImport>)))]
async fn start_imports(
    InTenant(tenant): InTenant,
    Once(once): Once,
    Body(request): Body<ImportRequest>,
) -> Result<(StatusCode, Json<Vec<StartedImport>>), Problem> {
    let started = tenant
        .start_imports_once(&request.syncs, request.writing()?, request.keep_before, once)
        .await?;
    Ok((StatusCode::CREATED, Json(started)))
}

/// List a tenant's imports, newest first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/imports", tag = "imports", params(PageQuery),
    responses((status = 200, body = Page<ImportStatus>)))]
async fn list_imports(
    InTenant(tenant): InTenant,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<ImportStatus>>, Problem> {
    Ok(Json(tenant.imports(&page.into()).await?))
}

#[derive(Deserialize)]
struct ImportPath {
    import: ImportId,
}

/// Read how an import stands.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/imports/{import}", tag = "imports",
    responses((status = 200, body = ImportStatus)))]
async fn get_import(
    InTenant(tenant): InTenant,
    Named(path): Named<ImportPath>,
) -> Result<Json<ImportStatus>, Problem> {
    Ok(Json(tenant.import(&path.import).await?))
}

/// Stop an import: nothing more is read, what is on its way still arrives.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/imports/{import}/cancel", tag = "imports",
    responses((status = 200, body = ImportStatus)))]
async fn cancel_import(
    InTenant(tenant): InTenant,
    Named(path): Named<ImportPath>,
) -> Result<Json<ImportStatus>, Problem> {
    Ok(Json(tenant.cancel_import(&path.import).await?))
}

/// Let an import stand until it is resumed: nothing more is read, what is on its way still arrives.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/imports/{import}/pause", tag = "imports",
    responses((status = 200, body = ImportStatus)))]
async fn pause_import(
    InTenant(tenant): InTenant,
    Named(path): Named<ImportPath>,
) -> Result<Json<ImportStatus>, Problem> {
    Ok(Json(tenant.pause_import(&path.import).await?))
}

/// Let an import go on where it was. One that was cancelled or has failed is gone on with by another import: the answer
/// is that one.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/imports/{import}/resume", tag = "imports",
    responses((status = 200, body = ImportStatus)))]
async fn resume_import(
    InTenant(tenant): InTenant,
    Named(path): Named<ImportPath>,
) -> Result<Json<ImportStatus>, Problem> {
    Ok(Json(tenant.resume_import(&path.import).await?))
}

/// Download as CSV what an import brought and is still refused: record id, link, category, property, value, message,
/// sync, time.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/imports/{import}/errors.csv", tag = "imports",
    responses((status = 200, body = String, content_type = "text/csv")))]
async fn get_import_errors(
    InTenant(tenant): InTenant,
    Named(path): Named<ImportPath>,
) -> Result<Response, Problem> {
    let file = tenant.import_errors_csv(&path.import).await?;
    Ok(csv_file(&format!("{}-errors.csv", path.import), file))
}

/// Undo an import that kept what was there before it: its sync is paused, what still has the import's value gets back what it
/// had, records that it created and nobody touched are archived, associations are as they were. What was edited since stays,
/// and is listed. Answers when it has begun.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/imports/{import}/undo", tag = "imports",
    responses((status = 200, body = ImportStatus)))]
async fn undo_import(
    InTenant(tenant): InTenant,
    Named(path): Named<ImportPath>,
) -> Result<Json<ImportStatus>, Problem> {
    Ok(Json(tenant.undo_import(&path.import).await?))
}

/// List what the undo of an import left as it is, by record.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/imports/{import}/left", tag = "imports", params(PageQuery),
    responses((status = 200, body = Page<LeftValue>)))]
async fn list_left(
    InTenant(tenant): InTenant,
    Named(path): Named<ImportPath>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<LeftValue>>, Problem> {
    Ok(Json(tenant.left_by_undo(&path.import, &page.into()).await?))
}

/// Download as CSV what the undo of an import left as it is: record id, link, HubSpot id, property, what is there, what was
/// there before, why.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/imports/{import}/left.csv", tag = "imports",
    responses((status = 200, body = String, content_type = "text/csv")))]
async fn get_left_file(
    InTenant(tenant): InTenant,
    Named(path): Named<ImportPath>,
) -> Result<Response, Problem> {
    let file = tenant.left_by_undo_csv(&path.import).await?;
    Ok(csv_file(&format!("{}-left.csv", path.import), file))
}

/// A CSV file to be kept, under a name that is a token.
pub(crate) fn csv_file(name: &str, file: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (headers, file).into_response()
}
