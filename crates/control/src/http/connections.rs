//! A tenant's two connections, and what can be seen through them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use landbridge_model::ask::ObjectSummary;
use landbridge_model::hubspot::{AssociationLabel, ObjectSchema};
use landbridge_model::salesforce::ObjectDescribe;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, Body, InTenant, Named};
use super::problem::Problem;
use super::session::Session;
use crate::ask::ConnectionsTest;
use crate::service::{Connections, Keys, PutCredentials, PutSide, Service, SidesSeen, StageKeys};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(get_keys))
        .routes(routes!(get_keys_in_use))
        .routes(routes!(get_connections))
        .routes(routes!(see_connections))
        .routes(routes!(test_connections))
        .routes(routes!(put_salesforce_credentials))
        .routes(routes!(put_hubspot_credentials))
        .routes(routes!(list_salesforce_objects))
        .routes(routes!(get_salesforce_object))
        .routes(routes!(list_hubspot_schemas))
        .routes(routes!(get_hubspot_schema))
        .routes(routes!(list_hubspot_labels))
}

/// Read the public keys that credentials can be sealed to.
#[utoipa::path(get, path = "/api/v1/keys", tag = "connections", responses((status = 200, body = Keys)))]
async fn get_keys(State(service): State<Service>, _session: Session) -> Result<Json<Keys>, Problem> {
    Ok(Json(service.keys().await?))
}

/// Read to which keys secrets are sealed, by stage. What a stage can open and is sealed to an earlier key of it is sealed
/// to its current key first; an earlier key is needed no more when no secret is left that is sealed to it.
#[utoipa::path(get, path = "/api/v1/keys/in-use", tag = "connections", responses((status = 200, body = Vec<StageKeys>)))]
async fn get_keys_in_use(
    State(service): State<Service>,
    session: Session,
) -> Result<Json<Vec<StageKeys>>, Problem> {
    Ok(Json(service.keys_in_use(&session.caller).await?))
}

/// Read where both sides are, and the public keys that credentials can be sealed to.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/connections", tag = "connections",
    responses((status = 200, body = Connections)))]
async fn get_connections(InTenant(tenant): InTenant) -> Result<Json<Connections>, Problem> {
    Ok(Json(tenant.connections().await?))
}

/// Read how both connections stood when they were looked at last. A look that is old is repeated meanwhile.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/connections/health", tag = "connections",
    responses((status = 200, body = SidesSeen)))]
async fn see_connections(InTenant(tenant): InTenant) -> Result<Json<SidesSeen>, Problem> {
    Ok(Json(tenant.sides_seen().await?))
}

/// Sign in to both sides and tell how they stand.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/connections/test", tag = "connections",
    responses((status = 200, body = ConnectionsTest)))]
async fn test_connections(InTenant(tenant): InTenant) -> Result<Json<ConnectionsTest>, Problem> {
    Ok(Json(tenant.test_connections().await?))
}

/// Replace the Salesforce credentials. They are sealed to the extractor's key at once, and never shown again.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/connections/salesforce/credentials", tag = "connections",
    request_body = PutCredentials, responses((status = 204, description = "They are sealed and stored.")))]
async fn put_salesforce_credentials(
    InTenant(tenant): InTenant,
    Body(credentials): Body<PutCredentials>,
) -> Result<StatusCode, Problem> {
    tenant.put_credentials(PutSide::Salesforce, credentials).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replace the HubSpot credentials. They are sealed to the loader's key at once, and never shown again.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/connections/hubspot/credentials", tag = "connections",
    request_body = PutCredentials, responses((status = 204, description = "They are sealed and stored.")))]
async fn put_hubspot_credentials(
    InTenant(tenant): InTenant,
    Body(credentials): Body<PutCredentials>,
) -> Result<StatusCode, Problem> {
    tenant.put_credentials(PutSide::HubSpot, credentials).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the org's objects: all at once, as the org itself gives them. It has some thousands at most.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/salesforce/objects", tag = "connections",
    responses((status = 200, body = Vec<ObjectSummary>)))]
async fn list_salesforce_objects(InTenant(tenant): InTenant) -> Result<Json<Vec<ObjectSummary>>, Problem> {
    Ok(Json(tenant.salesforce_objects().await?))
}

#[derive(Deserialize)]
struct ObjectName {
    object: String,
}

/// Describe one of the org's objects.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/salesforce/objects/{object}", tag = "connections",
    responses((status = 200, body = ObjectDescribe)))]
async fn get_salesforce_object(
    InTenant(tenant): InTenant,
    Named(name): Named<ObjectName>,
) -> Result<Json<ObjectDescribe>, Problem> {
    Ok(Json(tenant.salesforce_object(&name.object).await?))
}

/// List the portal's custom object types: all at once. A portal's plan allows a few dozen at most.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/hubspot/schemas", tag = "connections",
    responses((status = 200, body = Vec<ObjectSchema>)))]
async fn list_hubspot_schemas(InTenant(tenant): InTenant) -> Result<Json<Vec<ObjectSchema>>, Problem> {
    Ok(Json(tenant.hubspot_schemas().await?))
}

#[derive(Deserialize)]
struct TypeName {
    object_type: String,
}

/// Describe one object type, by its name or its id; standard types go by their names too.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/hubspot/schemas/{object_type}", tag = "connections",
    responses((status = 200, body = ObjectSchema)))]
async fn get_hubspot_schema(
    InTenant(tenant): InTenant,
    Named(name): Named<TypeName>,
) -> Result<Json<ObjectSchema>, Problem> {
    Ok(Json(tenant.hubspot_schema(&name.object_type).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LabelsOf {
    /// The child's object type id.
    from: String,
    /// The parent's object type id.
    to: String,
}

/// List the association labels between two object types: all at once. HubSpot allows a few dozen for a pair.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/hubspot/labels", tag = "connections", params(LabelsOf),
    responses((status = 200, body = Vec<AssociationLabel>)))]
async fn list_hubspot_labels(
    InTenant(tenant): InTenant,
    Asked(pair): Asked<LabelsOf>,
) -> Result<Json<Vec<AssociationLabel>>, Problem> {
    Ok(Json(tenant.hubspot_labels(&pair.from, &pair.to).await?))
}
