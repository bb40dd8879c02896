//! "Create this object in HubSpot": proposed from the describe, reviewed by a person, created.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use landbridge_model::{Problem, propose};
use serde::Deserialize;

use super::begin::{drafts, free_name};
use super::posted;
use super::work::{Opened, Work};
use crate::console::wizard::Step;
use crate::console::wizard::proposal::{self, ProposalReview};
use crate::console::wizard::read;
use crate::console::{Place, paths};
use crate::console_routes::form::Form;
use crate::console_routes::visit::{self, Answer, Visit};
use crate::service::{Proposed, Reviewed, Role, ServiceError, TenantService};

#[derive(Deserialize)]
pub(super) struct Of {
    #[serde(default)]
    object: String,
}

/// What the page shows of a review.
async fn view(
    tenant: &TenantService,
    proposed: &Proposed,
    reviewed: Reviewed,
    problems: Vec<Problem>,
) -> Result<ProposalReview, ServiceError> {
    let associated = proposed.associated().into_iter();
    Ok(ProposalReview {
        object: (proposed.object.label.clone(), proposed.object.name.clone()),
        proposal: reviewed.proposal,
        required: reviewed.required,
        excluded: reviewed.excluded,
        associations: associated.map(|end| (end.field, end.label, end.to)).collect(),
        limit: tenant.object_type_limit().await?,
        problems,
    })
}

pub(super) async fn show(visit: Visit, Path(tenant): Path<String>, Query(of): Query<Of>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let shell = visit.shell_in(&tenant, Place::Connected);
    let seen = async {
        let proposed = tenant.propose_type(&of.object).await?;
        view(&tenant, &proposed, proposed.untouched(), Vec::new()).await
    };
    Ok(match seen.await {
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
    let proposed = match tenant.propose_type(&of.object).await {
        Ok(proposed) => proposed,
        Err(error) => return visit.not_done(&here, error),
    };
    let reviewed = read::proposal(&posted(&form), propose::object_type(&proposed.object));
    let mut problems = reviewed.problems(|name| proposed.is_taken(name));
    if problems.is_empty() {
        match create(&tenant, &proposed, &reviewed).await {
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
    Ok(match view(&tenant, &proposed, reviewed, problems).await {
        Ok(view) => {
            let page = proposal::page(&shell, tenant.id(), &Ok(view));
            visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page)
        }
        Err(error) => return visit.not_done(&here, error),
    })
}

/// Creates the type and begins the sync that fills it.
async fn create(
    tenant: &TenantService,
    proposed: &Proposed,
    reviewed: &Reviewed,
) -> Result<Opened, ServiceError> {
    let created = tenant.create_proposed_type(proposed, reviewed).await?;
    let objects = read::Objects {
        object: proposed.object.name.clone(),
        object_type: created.name.clone(),
        name: String::new(),
    };
    let name = objects
        .sync_name()
        .map_err(|problem| ServiceError::invalid(problem.to_string()))?;
    let name = free_name(tenant, &drafts(tenant).await?, name)?;
    let proposal = reviewed.included();
    let mut definition = proposal.definition(tenant.id().clone(), name.clone(), &proposed.object.name);
    definition.spec.hubspot.object_type.clone_from(&created.name);
    let work = Work {
        created_type: Some(created),
        ..Work::new(definition)
    };
    let mut opened = Opened::begin(name, work);
    opened.save(tenant).await?;
    Ok(opened)
}
