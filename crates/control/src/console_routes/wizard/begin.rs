//! "+ Sync custom object": which object becomes which.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::supported;
use landbridge_model::sync::{
    API_VERSION, DEFAULT_ID_PROPERTY, HubSpotEnd, KIND, Metadata, Rules, SalesforceEnd, SyncDefinition,
    SyncSpec,
};
use landbridge_model::{Problem, SyncName};
use serde::Deserialize;

use super::posted;
use super::work::{Opened, Work, work_of};
use crate::console::wizard::Step;
use crate::console::wizard::map_objects::{self, MapObjects, ObjectChoice, TypeChoice};
use crate::console::wizard::read::{self, Action, Objects};
use crate::console::{Place, paths};
use crate::console_routes::Form;
use crate::console_routes::visit::{self, Answer, Visit};
use crate::service::{Role, ServiceError, SyncView, TenantService};

#[derive(Deserialize)]
pub(super) struct Chosen {
    /// The object to begin with.
    #[serde(default)]
    object: String,
}

pub(super) async fn show(visit: Visit, Path(tenant): Path<String>, Query(chosen): Query<Chosen>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let shell = visit.shell_in(&tenant, Place::Connected);
    let chosen = Objects {
        object: chosen.object,
        object_type: String::new(),
        name: String::new(),
    };
    Ok(match view(&tenant, chosen, Vec::new()).await {
        Ok(view) => visit.page(map_objects::page(&shell, tenant.id(), &Ok(view))),
        Err(error) => visit.page_with(
            visit::status_of(&error),
            map_objects::page(&shell, tenant.id(), &Err(visit::trouble(&error))),
        ),
    })
}

pub(super) async fn post(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let here = paths::new_sync(tenant.id());
    let action = Action::parse(form.action());
    let view = match view(&tenant, read::objects(&posted(&form)), Vec::new()).await {
        Ok(view) => view,
        Err(error) => return visit.not_done(&here, error),
    };
    let chosen = resolved(&view);
    if action == Action::CreateObjectType
        && view
            .objects
            .iter()
            .any(|known| known.object.name == chosen.object)
    {
        let path = paths::new_object_type(tenant.id(), &chosen.object);
        return Ok(Redirect::to(&path).into_response());
    }
    let outcome = if action == Action::CreateObjectType {
        Ok(Begun::Wrong(vec![no_object()]))
    } else {
        begin(&tenant, &chosen).await
    };
    match outcome {
        Ok(Begun::Work(name, step)) => {
            let path = paths::step(tenant.id(), &name, step);
            Ok(Redirect::to(&path).into_response())
        }
        Ok(Begun::Again(name, step)) => {
            let path = paths::step(tenant.id(), &name, step);
            Ok(visit.done(&path, "You have begun this one already: here is its draft."))
        }
        Ok(Begun::Wrong(problems)) => {
            let shell = visit.shell_in(&tenant, Place::Connected);
            let view = MapObjects {
                object: chosen.object,
                object_type: chosen.object_type,
                problems,
                ..view
            };
            let page = map_objects::page(&shell, tenant.id(), &Ok(view));
            Ok(visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page))
        }
        Err(error) => visit.not_done(&here, error),
    }
}

/// What came of a beginning.
enum Begun {
    /// A draft, and where it goes on.
    Work(SyncName, Step),
    /// There is a draft of the same already.
    Again(SyncName, Step),
    Wrong(Vec<Problem>),
}

fn no_object() -> Problem {
    Problem::new(
        "spec.salesforce.object",
        "no Salesforce object is chosen",
        "choose the object whose records you want in HubSpot",
    )
}

async fn begin(tenant: &TenantService, chosen: &Objects) -> Result<Begun, ServiceError> {
    let mut problems = Vec::new();
    if chosen.object.is_empty() {
        problems.push(no_object());
    }
    if chosen.object_type.is_empty() {
        problems.push(Problem::new(
            "spec.hubspot.objectType",
            "no HubSpot object is chosen",
            "choose one, or create it",
        ));
    }
    if !problems.is_empty() {
        return Ok(Begun::Wrong(problems));
    }
    let drafts = drafts(tenant).await?;
    let is_same = |work: &Work| {
        let spec = &work.definition.spec;
        work.base.is_none()
            && spec.salesforce.object == chosen.object
            && spec.hubspot.object_type == chosen.object_type
    };
    if let Some((name, work)) = drafts.iter().find(|(_, work)| is_same(work)) {
        return Ok(Begun::Again(name.clone(), work.reached));
    }
    let name = match chosen.sync_name() {
        Ok(name) if chosen.name.is_empty() => free_name(tenant, &drafts, name)?,
        Ok(name) => name,
        Err(problem) => return Ok(Begun::Wrong(vec![problem])),
    };
    if is_taken(tenant, &drafts, &name)? {
        return Ok(Begun::Wrong(vec![Problem::new(
            "metadata.name",
            format!("there is a sync or a draft named {name} already"),
            "choose another name, or edit that one",
        )]));
    }
    let work = Work::new(definition(
        tenant,
        name.clone(),
        &chosen.object,
        &chosen.object_type,
    ));
    let look = work.look(tenant).await?;
    let problems = work.problems(&look);
    let wrong: Vec<Problem> = problems
        .into_iter()
        .filter(|problem| Step::of_problem(problem) == Step::MapObjects)
        .collect();
    if !wrong.is_empty() {
        return Ok(Begun::Wrong(wrong));
    }
    let mut opened = Opened::begin(name, work);
    opened.save(tenant).await?;
    Ok(Begun::Work(opened.name, opened.work.reached))
}

fn definition(tenant: &TenantService, name: SyncName, object: &str, object_type: &str) -> SyncDefinition {
    SyncDefinition {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        metadata: Metadata {
            tenant: tenant.id().clone(),
            name,
        },
        spec: SyncSpec {
            salesforce: SalesforceEnd {
                object: object.to_owned(),
            },
            hubspot: HubSpotEnd {
                object_type: object_type.to_owned(),
                id_property: DEFAULT_ID_PROPERTY.to_owned(),
            },
            rules: Rules::default(),
            filter: None,
            associations: Vec::new(),
            fields: Vec::new(),
        },
    }
}

/// The console's drafts.
pub(super) async fn drafts(tenant: &TenantService) -> Result<Vec<(SyncName, Work)>, ServiceError> {
    let drafts = tenant.drafts().await?;
    let ours = drafts
        .iter()
        .filter_map(|draft| Some((SyncName::new(&draft.id).ok()?, work_of(draft)?)));
    Ok(ours.collect())
}

fn is_taken(
    tenant: &TenantService,
    drafts: &[(SyncName, Work)],
    name: &SyncName,
) -> Result<bool, ServiceError> {
    let stored = match tenant.sync(name) {
        Ok(_) => true,
        Err(ServiceError::NotFound(_)) => false,
        Err(error) => return Err(error),
    };
    Ok(stored || drafts.iter().any(|(other, _)| other == name))
}

/// The name, or the name with a number that nobody has.
pub(super) fn free_name(
    tenant: &TenantService,
    drafts: &[(SyncName, Work)],
    wanted: SyncName,
) -> Result<SyncName, ServiceError> {
    let mut name = wanted.clone();
    let mut number = 2;
    while is_taken(tenant, drafts, &name)? {
        let stem: String = wanted.as_str().chars().take(60).collect();
        name = SyncName::new(&format!("{stem}-{number}"))
            .map_err(|error| ServiceError::invalid(error.to_string()))?;
        number += 1;
    }
    Ok(name)
}

async fn view(
    tenant: &TenantService,
    chosen: Objects,
    problems: Vec<Problem>,
) -> Result<MapObjects, ServiceError> {
    let (objects, schemas, limit) = tokio::try_join!(
        tenant.salesforce_objects(),
        tenant.hubspot_schemas(),
        tenant.object_type_limit()
    )?;
    let syncs = tenant.every_sync()?;
    let objects = objects.into_iter().map(|object| ObjectChoice {
        synced_by: synced_by(&syncs, |sync| {
            sync.definition
                .spec
                .salesforce
                .object
                .eq_ignore_ascii_case(&object.name)
        }),
        blocked: supported::excluded(&object.name).map(str::to_owned),
        object,
    });
    let types = schemas.iter().map(|schema: &ObjectSchema| TypeChoice {
        name: schema.name.clone(),
        label: schema.label.clone(),
        synced_by: synced_by(&syncs, |sync| {
            schema.is_called(&sync.definition.spec.hubspot.object_type)
        }),
    });
    Ok(MapObjects {
        objects: objects.collect(),
        object_types: types.collect(),
        object: chosen.object,
        object_type: chosen.object_type,
        name: chosen.name,
        limit,
        problems,
    })
}

fn synced_by(syncs: &[SyncView], is_it: impl Fn(&SyncView) -> bool) -> Option<SyncName> {
    syncs
        .iter()
        .find(|sync| is_it(sync))
        .map(|sync| sync.name.clone())
}

/// What was typed may be a label, or a name in other letters.
fn resolved(view: &MapObjects) -> Objects {
    let object = view
        .objects
        .iter()
        .map(|known| (known.object.name.as_str(), known.object.label.as_str()));
    let object_type = view
        .object_types
        .iter()
        .map(|known| (known.name.as_str(), known.label.as_str()));
    Objects {
        object: meant(&view.object, object.collect()),
        object_type: meant(&view.object_type, object_type.collect()),
        name: view.name.clone(),
    }
}

/// The name that a text means: itself, the same in other letters, or the one name that goes by it as a label.
fn meant(typed: &str, known: Vec<(&str, &str)>) -> String {
    let same = |name: &&(&str, &str)| name.0.eq_ignore_ascii_case(typed);
    let labelled = || {
        let mut found = known
            .iter()
            .filter(|(_, label)| label.eq_ignore_ascii_case(typed));
        found.next().filter(|_| found.next().is_none())
    };
    let found = known.iter().find(same).or_else(labelled);
    found.map_or(typed, |(name, _)| *name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_means_the_one_object_that_has_it() {
        let known = || vec![("Depot__c", "Depot"), ("Box__c", "Box"), ("acme__Box__c", "Box")];
        for (typed, expected) in [
            ("Depot__c", "Depot__c"),
            ("depot__C", "Depot__c"),
            ("depot", "Depot__c"),
            ("Box", "Box"),
            ("Nothing", "Nothing"),
            ("", ""),
        ] {
            assert_eq!(meant(typed, known()), expected, "{typed}");
        }
    }
}
