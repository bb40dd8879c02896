//! What syncs were before, and what is not a sync yet.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use landbridge_model::{Revision, SyncName};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, Named, PageQuery, paged, seen, seen_tag, tagged};
use super::problem::Problem;
use super::syncs::SyncPath;
use crate::ask::{RevisionUndo, Seen};
use crate::service::{Draft, DraftId, Page, RevisionDiff, RevisionLine, Role, Service, StoredRevision};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list_revisions))
        .routes(routes!(get_revision))
        .routes(routes!(get_revision_diff))
        .routes(routes!(get_revision_undo, undo_revision))
        .routes(routes!(list_drafts))
        .routes(routes!(get_draft, put_draft, delete_draft))
}

/// List a sync's revisions, newest first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/syncs/{sync}/revisions", tag = "revisions",
    params(PageQuery), responses((status = 200, body = Page<RevisionLine>)))]
async fn list_revisions(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<RevisionLine>>, Problem> {
    Ok(Json(tenant.revisions(&path.sync, &page.into()).await?))
}

#[derive(Deserialize)]
struct RevisionPath {
    sync: SyncName,
    revision: u32,
}

/// Read one revision with its definition.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/syncs/{sync}/revisions/{revision}", tag = "revisions",
    responses((status = 200, body = StoredRevision)))]
async fn get_revision(
    InTenant(tenant): InTenant,
    Named(path): Named<RevisionPath>,
) -> Result<Json<StoredRevision>, Problem> {
    Ok(Json(tenant.revision(&path.sync, Revision(path.revision)).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DiffTo {
    /// The revision to compare with; the one before it when left out.
    from: Option<u32>,
}

/// What is different between a revision and another one, as lines of their files.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/syncs/{sync}/revisions/{revision}/diff", tag = "revisions",
    params(DiffTo), responses((status = 200, body = RevisionDiff)))]
async fn get_revision_diff(
    InTenant(tenant): InTenant,
    Named(path): Named<RevisionPath>,
    Asked(query): Asked<DiffTo>,
) -> Result<Json<RevisionDiff>, Problem> {
    let from = match query.from {
        Some(from) => Revision(from),
        None => {
            tenant
                .revision_before(&path.sync, Revision(path.revision))
                .await?
        }
    };
    let diff = tenant.revision_diff(&path.sync, from, Revision(path.revision));
    Ok(Json(diff.await?))
}

fn with_sync_tag(undo: &RevisionUndo) -> Response {
    tagged(Json(undo).into_response(), &undo.tag)
}

/// Read what undoing a revision would do: which definition comes back, which imports are undone, and what stays. When it is
/// begun: how it stands. The `ETag` stands for the sync's definition.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/syncs/{sync}/revisions/{revision}/undo", tag = "revisions",
    responses((status = 200, body = RevisionUndo, headers(("ETag" = String)))))]
async fn get_revision_undo(
    InTenant(tenant): InTenant,
    Named(path): Named<RevisionPath>,
) -> Result<Response, Problem> {
    let undo = tenant.revision_undo(&path.sync, Revision(path.revision)).await?;
    Ok(with_sync_tag(&undo))
}

/// Undo a revision and all that came after it. The imports under them that kept what was there before are undone, the newest
/// first, while the sync is paused; then the definition is what it was before, as a new revision. Without such imports the
/// sync runs on. Send `If-Match` with the `ETag` of the plan: what somebody else changed meanwhile is answered with 412.
/// Answers when it has begun.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/syncs/{sync}/revisions/{revision}/undo", tag = "revisions",
    params(("If-Match" = String, Header, description = "The `ETag` that was read with the plan.")),
    responses((status = 200, body = RevisionUndo, headers(("ETag" = String)))))]
async fn undo_revision(
    InTenant(tenant): InTenant,
    Named(path): Named<RevisionPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = seen_tag(&headers)?;
    let undo = tenant.undo_revision(&path.sync, Revision(path.revision), &seen);
    Ok(with_sync_tag(&undo.await?))
}

#[derive(Deserialize)]
struct DraftPath {
    draft: DraftId,
}

fn with_tag(draft: &Draft) -> Response {
    tagged(Json(draft).into_response(), &draft.tag)
}

/// List a tenant's drafts, by name.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/drafts", tag = "revisions", params(PageQuery),
    responses((status = 200, body = Page<Draft>)))]
async fn list_drafts(
    InTenant(tenant): InTenant,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Draft>>, Problem> {
    Ok(paged(tenant.drafts().await?, |draft| draft.id.clone(), page)?)
}

/// Read a draft.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/drafts/{draft}", tag = "revisions",
    responses((status = 200, body = Draft, headers(("ETag" = String)))))]
async fn get_draft(InTenant(tenant): InTenant, Named(path): Named<DraftPath>) -> Result<Response, Problem> {
    Ok(with_tag(&tenant.draft(&path.draft).await?))
}

/// Store a draft: any JSON document that its editor needs to go on. Send `If-Match` with the `ETag` that you read, or
/// `If-None-Match: *` for a new draft.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/drafts/{draft}", tag = "revisions",
    request_body = serde_json::Value,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` that was read."),
        ("If-None-Match" = Option<String>, Header, description = "`*`, for a new draft.")),
    responses((status = 200, body = Draft, headers(("ETag" = String)))))]
async fn put_draft(
    InTenant(tenant): InTenant,
    Named(path): Named<DraftPath>,
    headers: HeaderMap,
    Body(body): Body<serde_json::Value>,
) -> Result<Response, Problem> {
    tenant.require(Role::Editor)?;
    let seen = match seen(&headers)? {
        Seen::Tag(tag) => Some(tag),
        Seen::Nothing | Seen::Anything => None,
    };
    Ok(with_tag(
        &tenant.put_draft(&path.draft, body, seen.as_deref()).await?,
    ))
}

/// Forget a draft. Send `If-Match` with the `ETag` that you read.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/drafts/{draft}", tag = "revisions",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` that was read.")),
    responses((status = 204, description = "It is forgotten.")))]
async fn delete_draft(
    InTenant(tenant): InTenant,
    Named(path): Named<DraftPath>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    tenant.require(Role::Editor)?;
    let seen = Seen::Tag(seen_tag(&headers)?);
    tenant.remove_draft(&path.draft, &seen).await?;
    Ok(StatusCode::NO_CONTENT)
}
