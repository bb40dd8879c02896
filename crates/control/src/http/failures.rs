//! What was refused.

use std::cmp::Reverse;

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use landbridge_model::ask::FailureEntry;
use landbridge_model::{FailureCategory, SalesforceId, SyncName};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, Named, PageQuery, paged};
use super::problem::Problem;
use crate::ask::Retried;
use crate::service::{FailureFilter, FailureGroup, Page, RetryRequest, Service, failure_key};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list_failures))
        .routes(routes!(list_failure_groups))
        .routes(routes!(get_failures_csv))
        .routes(routes!(get_record_failures))
        .routes(routes!(retry_failures))
}

/// Which failures.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FailureQuery {
    /// Only of this sync.
    sync: Option<SyncName>,
    /// Only of this category.
    category: Option<FailureCategory>,
}

impl From<FailureQuery> for FailureFilter {
    fn from(query: FailureQuery) -> Self {
        Self {
            sync: query.sync,
            category: query.category,
            id: None,
            import: None,
        }
    }
}

/// List what was refused, newest first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/failures", tag = "failures", params(FailureQuery, PageQuery),
    responses((status = 200, body = Page<FailureEntry>)))]
async fn list_failures(
    InTenant(tenant): InTenant,
    Asked(query): Asked<FailureQuery>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<FailureEntry>>, Problem> {
    Ok(Json(tenant.failures(&query.into(), &page.into()).await?))
}

/// Count what was refused, by sync and category, the most first. Between two pages of it the counts may have changed.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/failures/groups", tag = "failures", params(PageQuery),
    responses((status = 200, body = Page<FailureGroup>)))]
async fn list_failure_groups(
    InTenant(tenant): InTenant,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<FailureGroup>>, Problem> {
    let key = |group: &FailureGroup| (Reverse(group.count), group.sync.clone(), group.category);
    Ok(paged(tenant.failure_groups().await?, key, page)?)
}

/// Download what was refused as CSV: record id, link, category, property, value, message, sync, time. A text that a
/// spreadsheet would take for a formula has an apostrophe before it.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/failures.csv", tag = "failures", params(FailureQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
async fn get_failures_csv(
    InTenant(tenant): InTenant,
    Asked(query): Asked<FailureQuery>,
) -> Result<Response, Problem> {
    let file = tenant.failures_csv(&query.into()).await?;
    let name = format!("attachment; filename=\"{}-failures.csv\"", tenant.id());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, file).into_response())
}

#[derive(Deserialize)]
struct RecordPath {
    record: SalesforceId,
}

/// Read what was refused of one record, the newest first: of the record itself, and of its links.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/failures/{record}", tag = "failures", params(PageQuery),
    responses((status = 200, body = Page<FailureEntry>)))]
async fn get_record_failures(
    InTenant(tenant): InTenant,
    Named(path): Named<RecordPath>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<FailureEntry>>, Problem> {
    Ok(paged(
        tenant.failures_of_record(path.record).await?,
        failure_key,
        page,
    )?)
}

/// Read refused records again, and try again.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/failures/retry", tag = "failures",
    request_body = RetryRequest, responses((status = 200, body = Retried)))]
async fn retry_failures(
    InTenant(tenant): InTenant,
    Body(request): Body<RetryRequest>,
) -> Result<Json<Retried>, Problem> {
    Ok(Json(tenant.retry_failures(request).await?))
}
