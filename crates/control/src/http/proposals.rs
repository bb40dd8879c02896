//! What is created in HubSpot before a sync: object types for Salesforce objects, and properties.

use axum::Json;
use axum::http::StatusCode;
use landbridge_model::hubspot::{ObjectSchema, PropertyDefinition};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, InTenant, Named};
use super::problem::Problem;
use crate::service::{Reviewed, Role, Service, TypeProposal};

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(propose_object_type))
        .routes(routes!(create_object_type))
        .routes(routes!(create_property))
}

#[derive(Deserialize)]
struct ObjectName {
    object: String,
}

/// Propose an object type for a Salesforce object: a property for every field that can be carried. Nothing is created.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/salesforce/objects/{object}/proposal", tag = "connections",
    responses((status = 200, body = TypeProposal)))]
async fn propose_object_type(
    InTenant(tenant): InTenant,
    Named(name): Named<ObjectName>,
) -> Result<Json<TypeProposal>, Problem> {
    Ok(Json(tenant.propose_type(&name.object).await?.proposal()))
}

/// Which object type to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTypeRequest {
    /// The Salesforce object that it is for.
    pub object: String,
    /// The proposal as it was answered, with what you changed in it; as it stands when left out.
    #[serde(default)]
    pub proposal: Option<TypeProposal>,
}

/// Create an object type in HubSpot for a Salesforce object, with the associations that its lookups become.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/hubspot/schemas", tag = "connections",
    request_body = CreateTypeRequest, responses((status = 201, body = ObjectSchema)))]
async fn create_object_type(
    InTenant(tenant): InTenant,
    Body(request): Body<CreateTypeRequest>,
) -> Result<(StatusCode, Json<ObjectSchema>), Problem> {
    // Whoever may not create it learns nothing of what would be wrong with it.
    tenant.require(Role::Editor)?;
    let proposed = tenant.propose_type(&request.object).await?;
    let reviewed = request
        .proposal
        .map_or_else(|| proposed.untouched(), Reviewed::from);
    let created = tenant.create_proposed_type(&proposed, &reviewed).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

#[derive(Deserialize)]
struct TypeName {
    object_type: String,
}

/// Create a property of an object type in HubSpot; the type goes by its name or its id.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/hubspot/schemas/{object_type}/properties",
    tag = "connections", request_body = PropertyDefinition, responses((status = 201, body = PropertyDefinition)))]
async fn create_property(
    InTenant(tenant): InTenant,
    Named(name): Named<TypeName>,
    Body(property): Body<PropertyDefinition>,
) -> Result<(StatusCode, Json<PropertyDefinition>), Problem> {
    tenant.require(Role::Editor)?;
    let schema = tenant.hubspot_schema(&name.object_type).await?;
    let created = tenant.create_property(&schema.object_type_id, property).await?;
    Ok((StatusCode::CREATED, Json(created)))
}
