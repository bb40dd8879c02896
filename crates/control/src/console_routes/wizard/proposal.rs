//! "Create this object in HubSpot": proposed from the describe, reviewed by a person, created.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::salesforce::{FieldType, ObjectDescribe};
use landbridge_model::{Problem, Surroundings, SyncName, propose};
use serde::Deserialize;

use super::begin::{drafts, free_name};
use super::posted;
use super::work::{Opened, Work};
use crate::console::wizard::Step;
use crate::console::wizard::associations::lookup_rows;
use crate::console::wizard::proposal::{self, ProposalReview};
use crate::console::wizard::read::{self, Reviewed};
use crate::console::{Place, paths};
use crate::console_routes::form::Form;
use crate::console_routes::visit::{self, Answer, Visit};
use crate::service::{Look, Role, ServiceError, TenantService};

#[derive(Deserialize)]
pub(super) struct Of {
    #[serde(default)]
    object: String,
}

/// What the review is made of.
struct Seen {
    object: ObjectDescribe,
    look: Look,
}

async fn see(tenant: &TenantService, object: &str) -> Result<Seen, ServiceError> {
    let object = tenant.salesforce_object(object).await?;
    let name = SyncName::new("new").map_err(|error| ServiceError::invalid(error.to_string()))?;
    let definition = propose::object_type(&object).definition(tenant.id().clone(), name, &object.name);
    let look = tenant.look(&definition).await?;
    Ok(Seen { object, look })
}

impl Seen {
    fn untouched(&self) -> Reviewed {
        let never_empty = |field: &str| {
            let found = self.object.field(field);
            found
                .is_some_and(|field| !field.nillable && field.kind != FieldType::Boolean && !field.calculated)
        };
        Reviewed::untouched(propose::object_type(&self.object), never_empty)
    }

    /// Lookups whose records come to HubSpot: field, label, the object at the other end, its id.
    fn associations(
        &self,
        tenant: &TenantService,
    ) -> Result<Vec<(String, String, String, String)>, ServiceError> {
        let name = SyncName::new("new").map_err(|error| ServiceError::invalid(error.to_string()))?;
        let definition =
            propose::object_type(&self.object).definition(tenant.id().clone(), name, &self.object.name);
        let around = Surroundings {
            object: Some(&self.object),
            ..self.look.around()
        };
        let rows = lookup_rows(&definition, &around, &Vec::new());
        let found = rows.into_iter().filter_map(|row| {
            let end = row
                .ends
                .into_iter()
                .find(|end| end.name != definition.spec.hubspot.object_type)?;
            let id = self.type_id(&end.name)?;
            Some((row.field.name, row.field.label, end.label, id))
        });
        Ok(found.collect())
    }

    fn type_id(&self, name: &str) -> Option<String> {
        if let Some(standard) = landbridge_model::standard::standard_type(name) {
            return Some(standard.object_type_id.to_owned());
        }
        let found = self
            .look
            .object_types
            .iter()
            .find(|schema| schema.is_called(name));
        found.map(|schema| schema.object_type_id.to_string())
    }

    async fn view(
        &self,
        tenant: &TenantService,
        reviewed: Reviewed,
        problems: Vec<Problem>,
    ) -> Result<ProposalReview, ServiceError> {
        let associations = self.associations(tenant)?.into_iter();
        Ok(ProposalReview {
            object: (self.object.label.clone(), self.object.name.clone()),
            proposal: reviewed.proposal,
            required: reviewed.required,
            excluded: reviewed.excluded,
            associations: associations
                .map(|(field, label, to, _)| (field, label, to))
                .collect(),
            limit: tenant.object_type_limit().await?,
            problems,
        })
    }
}

pub(super) async fn show(visit: Visit, Path(tenant): Path<String>, Query(of): Query<Of>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let shell = visit.shell_in(&tenant, Place::Connected);
    let view = async {
        let seen = see(&tenant, &of.object).await?;
        let untouched = seen.untouched();
        seen.view(&tenant, untouched, Vec::new()).await
    };
    Ok(match view.await {
        Ok(view) => visit.page(proposal::page(&shell, tenant.id(), &Ok(view))),
        Err(error @ ServiceError::NotFound(_)) => return Err(visit.refuse(error)),
        Err(error) => visit.page_with(
            visit::status_of(&error),
            proposal::page(&shell, tenant.id(), &Err(visit::trouble(&error))),
        ),
    })
}

pub(super) async fn post(
    visit: Visit,
    Path(tenant): Path<String>,
    Query(of): Query<Of>,
    form: Form,
) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let here = paths::new_object_type(tenant.id(), &of.object);
    let seen = match see(&tenant, &of.object).await {
        Ok(seen) => seen,
        Err(error) => return visit.not_done(&here, error),
    };
    let reviewed = read::proposal(&posted(&form), propose::object_type(&seen.object));
    let taken = |name: &str| seen.look.object_types.iter().any(|schema| schema.is_called(name));
    let mut problems = reviewed.problems(taken);
    if problems.is_empty() {
        match create(&tenant, &seen, &reviewed).await {
            Ok(opened) => {
                let path = paths::step(tenant.id(), &opened.name, Step::Rules);
                let told = format!("“{}” is created in HubSpot.", reviewed.proposal.singular);
                return Ok(visit.done(&path, &told));
            }
            Err(error @ (ServiceError::Invalid { .. } | ServiceError::RefusedThere(_))) => {
                problems.push(Problem::new(
                    "name",
                    error.to_string(),
                    "put it right and try again",
                ));
            }
            Err(error) => return visit.not_done(&here, error),
        }
    }
    let shell = visit.shell_in(&tenant, Place::Connected);
    Ok(match seen.view(&tenant, reviewed, problems).await {
        Ok(view) => {
            let page = proposal::page(&shell, tenant.id(), &Ok(view));
            visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page)
        }
        Err(error) => return visit.not_done(&here, error),
    })
}

/// Creates the type and begins the sync that fills it.
async fn create(tenant: &TenantService, seen: &Seen, reviewed: &Reviewed) -> Result<Opened, ServiceError> {
    let proposal = reviewed.included();
    let mut schema = proposal.schema();
    schema["requiredProperties"] = serde_json::to_value(&reviewed.required)?;
    let ends: Vec<String> = seen
        .associations(tenant)?
        .into_iter()
        .map(|(_, _, _, id)| id)
        .collect();
    schema["associatedObjects"] = serde_json::to_value(unique(ends))?;
    let created: ObjectSchema = tenant.create_object_type(schema).await?;
    let objects = read::Objects {
        object: seen.object.name.clone(),
        object_type: created.name.clone(),
        name: String::new(),
    };
    let name = objects
        .sync_name()
        .map_err(|problem| ServiceError::invalid(problem.to_string()))?;
    let name = free_name(tenant, &drafts(tenant).await?, name)?;
    let mut definition = proposal.definition(tenant.id().clone(), name.clone(), &seen.object.name);
    definition.spec.hubspot.object_type.clone_from(&created.name);
    let work = Work {
        created_type: Some(created),
        ..Work::new(definition)
    };
    let mut opened = Opened::begin(name, work);
    opened.save(tenant).await?;
    Ok(opened)
}

fn unique(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all.dedup();
    all
}
