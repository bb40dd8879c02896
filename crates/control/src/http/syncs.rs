//! Syncs: one by one, and several at once as files have them.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use landbridge_model::SyncName;
use landbridge_model::config::SyncStatus;
use landbridge_model::sync::SyncDefinition;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, Named, PageQuery, seen, seen_tag, tagged};
use super::problem::Problem;
use super::session::Session;
use crate::ask::{Applied, AppliedSync, Change, Expected, Seen, WrittenRecords};
use crate::service::{Page, Role, Service, ServiceError, SyncView, TenantService};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list_syncs))
        .routes(routes!(get_sync, put_sync, delete_sync))
        .routes(routes!(validate_sync))
        .routes(routes!(activate_sync))
        .routes(routes!(pause_sync))
        .routes(routes!(apply_syncs))
        .routes(routes!(export_syncs))
        .routes(routes!(export_all_syncs))
}

/// The name of a sync in a path.
#[derive(Deserialize)]
pub(super) struct SyncPath {
    pub(super) sync: SyncName,
}

fn with_tag(status: StatusCode, view: &SyncView) -> Response {
    tagged((status, Json(view)).into_response(), &view.tag)
}

/// List a tenant's syncs.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/syncs", tag = "syncs", params(PageQuery),
    responses((status = 200, body = Page<SyncView>)))]
async fn list_syncs(
    InTenant(tenant): InTenant,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<SyncView>>, Problem> {
    Ok(Json(tenant.syncs(&page.into())?))
}

/// Read a sync. Its `ETag` stands for its definition.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/syncs/{sync}", tag = "syncs",
    responses((status = 200, body = SyncView, headers(("ETag" = String)))))]
async fn get_sync(InTenant(tenant): InTenant, Named(path): Named<SyncPath>) -> Result<Response, Problem> {
    Ok(with_tag(StatusCode::OK, &tenant.sync(&path.sync)?))
}

/// Make a sync what the definition says. Send `If-Match` with the `ETag` that you read, or `If-None-Match: *` for a new
/// sync: what somebody else changed meanwhile is answered with 412, and not overwritten.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/syncs/{sync}", tag = "syncs", request_body = SyncDefinition,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` that was read."),
        ("If-None-Match" = Option<String>, Header, description = "`*`, for a new sync.")),
    responses((status = 200, body = PutSync, headers(("ETag" = String))),
        (status = 201, description = "It was made.", body = PutSync, headers(("ETag" = String)))))]
async fn put_sync(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
    headers: HeaderMap,
    Body(definition): Body<SyncDefinition>,
) -> Result<Response, Problem> {
    tenant.require(Role::Editor)?;
    if definition.metadata.name != path.sync {
        return Err(ServiceError::invalid(format!(
            "the definition is of {}, and the path of {}",
            definition.metadata.name, path.sync
        ))
        .into());
    }
    let tag = match seen(&headers)? {
        Seen::Tag(tag) => Some(tag),
        Seen::Nothing | Seen::Anything => None,
    };
    let name = path.sync;
    let expected = Expected {
        name: name.clone(),
        tag,
    };
    let applied = tenant.apply(vec![definition], vec![expected]).await?;
    let line = applied.syncs.first();
    let line = line.ok_or_else(|| ServiceError::Internal("a definition was not looked at".to_owned()))?;
    let is_new = line.change == Change::Created;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let sync = tenant.sync_at(&name, line.revision).await?;
    let tag = sync.tag.clone();
    let put = PutSync {
        sync,
        touched_properties: line.touched_properties.clone(),
        touched_lookups: line.touched_lookups.clone(),
    };
    Ok(tagged((status, Json(put)).into_response(), &tag))
}

/// A sync as it was made, and what older records lack of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PutSync {
    /// The sync.
    #[serde(flatten)]
    pub sync: SyncView,
    /// Properties that are mapped anew or otherwise, when records may have been written before. Those get them with
    /// their next change, or by an import with `back_fill`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched_properties: Vec<String>,
    /// Lookup fields that become other associations, when records may have been written before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched_lookups: Vec<String>,
}

/// What is to become of what a removed sync wrote.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    /// `keep` leaves it in HubSpot, and is meant when left out. `delete` archives it as deletes of the sync are: what the
    /// safety limit allows at once, the rest when a person approves it. The sync stands still meanwhile, and goes when no
    /// delete of it is held any more.
    #[serde(default)]
    records: WrittenRecords,
}

/// Remove a sync, and what it wrote to HubSpot if that is to go too. Send `If-Match` with the `ETag` that you read.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/syncs/{sync}", tag = "syncs",
    params(RemoveQuery, ("If-Match" = Option<String>, Header, description = "The `ETag` that was read.")),
    responses((status = 204, description = "It is removed."),
        (status = 202, description = "It stands still, and goes with what it wrote.")))]
async fn delete_sync(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
    Asked(query): Asked<RemoveQuery>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let seen = seen_tag(&headers)?;
    tenant.remove_sync(&path.sync, Some(seen), query.records).await?;
    Ok(match query.records {
        WrittenRecords::Keep => StatusCode::NO_CONTENT,
        WrittenRecords::Delete => StatusCode::ACCEPTED,
    })
}

/// Check a definition against itself and both schemas. Nothing is written.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/syncs/{sync}/validate", tag = "syncs",
    request_body = SyncDefinition, responses((status = 200, body = AppliedSync)))]
async fn validate_sync(
    InTenant(tenant): InTenant,
    Named(_path): Named<SyncPath>,
    Body(definition): Body<SyncDefinition>,
) -> Result<Json<AppliedSync>, Problem> {
    let plan = tenant.plan(vec![definition]).await?;
    let line = plan.syncs.into_iter().next();
    let line = line.ok_or_else(|| ServiceError::Internal("a definition was not looked at".to_owned()))?;
    Ok(Json(line))
}

async fn set_status(
    tenant: &TenantService,
    path: SyncPath,
    status: SyncStatus,
) -> Result<Json<AppliedSync>, Problem> {
    let applied = tenant.set_status(vec![path.sync], status).await?;
    let line = applied.syncs.into_iter().next();
    let line = line.ok_or_else(|| ServiceError::Internal("a sync was not looked at".to_owned()))?;
    Ok(Json(line))
}

/// Turn a sync on: from then on what is created or changed in Salesforce travels.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/syncs/{sync}/activate", tag = "syncs",
    responses((status = 200, body = AppliedSync)))]
async fn activate_sync(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
) -> Result<Json<AppliedSync>, Problem> {
    set_status(&tenant, path, SyncStatus::Active).await
}

/// Stop a sync's reading; activating continues where it stopped.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/syncs/{sync}/pause", tag = "syncs",
    responses((status = 200, body = AppliedSync)))]
async fn pause_sync(
    InTenant(tenant): InTenant,
    Named(path): Named<SyncPath>,
) -> Result<Json<AppliedSync>, Problem> {
    set_status(&tenant, path, SyncStatus::Paused).await
}

/// Several definitions at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// The definitions.
    pub definitions: Vec<SyncDefinition>,
    /// Only say what would be done, and what is wrong.
    #[serde(default)]
    pub dry_run: bool,
    /// What a plan was made from: for each sync the `stored_tag` of the plan, or the `tag` that was read. When that is no
    /// longer so, nothing is written and the answer is 412. A sync that would be overwritten and is not named here is
    /// answered with 428; one that is new, or is there just so, need not be named.
    #[serde(default)]
    pub expected: Vec<Expected>,
}

/// Make definitions what they are given as: all of them, or none when one has a problem. Applying the same again changes
/// nothing.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/apply", tag = "syncs", request_body = ApplyRequest,
    responses((status = 200, body = Applied)))]
async fn apply_syncs(
    InTenant(tenant): InTenant,
    Body(request): Body<ApplyRequest>,
) -> Result<Json<Applied>, Problem> {
    Ok(Json(if request.dry_run {
        tenant.plan(request.definitions).await?
    } else {
        tenant.apply(request.definitions, request.expected).await?
    }))
}

/// Names that a query repeats: `?sync=vehicles&sync=depots`.
fn names_of(query: Option<String>) -> Result<Vec<SyncName>, ServiceError> {
    let query = query.unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let names = pairs.filter(|(key, _)| key == "sync");
    names
        .map(|(_, name)| SyncName::new(&name).map_err(|error| ServiceError::invalid(error.to_string())))
        .collect()
}

fn yaml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/yaml")], text).into_response()
}

/// A tenant's definitions as one YAML file, byte for byte what `landbridge sync export` prints.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/export", tag = "syncs",
    params(("sync" = Option<Vec<String>>, Query, description = "Only these syncs; repeat it for several.")),
    responses((status = 200, body = String, content_type = "application/yaml")))]
async fn export_syncs(InTenant(tenant): InTenant, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Ok(yaml(tenant.export(&names_of(query)?)?))
}

/// The definitions of all tenants that you may see, as one YAML file.
#[utoipa::path(get, path = "/api/v1/export", tag = "syncs",
    responses((status = 200, body = String, content_type = "application/yaml")))]
async fn export_all_syncs(State(service): State<Service>, session: Session) -> Response {
    yaml(service.export_all(&session.caller))
}
