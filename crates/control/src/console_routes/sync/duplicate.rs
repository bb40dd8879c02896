//! A copy of a sync for another pair of objects: a draft, for the wizard to go on with.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use landbridge_model::config::Sync;
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{Problem, SyncName};
use serde_json::json;

use super::super::form::Form;
use super::super::visit::{Answer, Visit};
use super::sync_of;
use crate::console::parts::Choice;
use crate::console::sync::{DuplicateSync, duplicate_page};
use crate::console::wizard::Step;
use crate::console::{Place, paths};
use crate::service::{DraftId, Role, TenantService};

/// Names that are tried for a copy.
const COPIES: u32 = 100;

pub(super) async fn ask(visit: Visit, Path(place): Path<(String, String)>) -> Answer {
    let (tenant, name, sync) = sync_of(&visit, &place)?;
    visit.require(&tenant, Role::Editor, "change syncs")?;
    let spec = sync.definition.spec;
    let view = DuplicateSync {
        name: copy_name(&name, &tenant.configured_syncs()),
        object: spec.salesforce.object,
        object_type: String::new(),
        ..DuplicateSync::default()
    };
    let view = with_choices(&tenant, view).await;
    let shell = visit.shell_in(&tenant, Place::Connected);
    Ok(visit.page(duplicate_page(&shell, tenant.id(), &name, &view)))
}

/// What there is to choose from. Whoever cannot be asked just now offers nothing, and names can still be typed.
async fn with_choices(tenant: &TenantService, mut view: DuplicateSync) -> DuplicateSync {
    let (objects, types) = futures::join!(tenant.salesforce_objects(), tenant.hubspot_schemas());
    let choice = |value: String, label: String| Choice {
        value,
        label,
        ..Choice::default()
    };
    view.objects = objects
        .unwrap_or_default()
        .into_iter()
        .map(|object| choice(object.name, object.label))
        .collect();
    view.object_types = types
        .unwrap_or_default()
        .into_iter()
        .map(|schema| choice(schema.name, schema.label))
        .collect();
    view
}

pub(super) async fn copy(visit: Visit, Path(place): Path<(String, String)>, form: Form) -> Answer {
    let (tenant, name, sync) = sync_of(&visit, &place)?;
    visit.require(&tenant, Role::Editor, "change syncs")?;
    let text = |name| form.text(name).unwrap_or_default().to_owned();
    let mut view = DuplicateSync {
        name: text("name"),
        object: text("object"),
        object_type: text("objectType"),
        ..DuplicateSync::default()
    };
    let stored = match copied(&view, &sync.definition, &tenant.configured_syncs()) {
        Err(problems) => Err(problems),
        Ok((id, definition)) => {
            let body = json!({ "definition": definition, "reached": Step::Rules.as_str() });
            match tenant.create_draft(&id, body).await {
                Ok(Some(_)) => Ok(definition.metadata.name),
                Ok(None) => {
                    let what = format!("there is a draft {} already", view.name);
                    Err(vec![Problem::new("name", what, "choose another name")])
                }
                Err(error) => Err(vec![visit.problem("name", error)?]),
            }
        }
    };
    match stored {
        Ok(copy) => {
            let told = format!(
                "{copy} is a draft with everything that {name} has. Nothing is read or written for it yet."
            );
            Ok(visit.done(&paths::step(tenant.id(), &copy, Step::Rules), &told))
        }
        Err(problems) => {
            view.problems = problems;
            let view = with_choices(&tenant, view).await;
            let shell = visit.shell_in(&tenant, Place::Connected);
            let page = duplicate_page(&shell, tenant.id(), &name, &view);
            Ok(visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page))
        }
    }
}

/// The copy that a form asks for, or everything that is wrong with it.
fn copied(
    view: &DuplicateSync,
    of: &SyncDefinition,
    syncs: &[Arc<Sync>],
) -> Result<(DraftId, SyncDefinition), Vec<Problem>> {
    let mut problems = Vec::new();
    let named = SyncName::new(&view.name)
        .map_err(|error| error.to_string())
        .and_then(|name| {
            Ok((
                view.name.parse::<DraftId>().map_err(|error| error.to_string())?,
                name,
            ))
        });
    match &named {
        Err(what) => {
            let remedy = "use lower-case letters, digits, hyphens or underscores";
            problems.push(Problem::new("name", what.clone(), remedy));
        }
        Ok((_, name)) if is_taken(name, syncs) => {
            problems.push(Problem::new(
                "name",
                format!("there is a sync {name} already"),
                "choose another name",
            ));
        }
        Ok(_) => {}
    }
    for (place, value, what) in [
        ("object", &view.object, "no Salesforce object is chosen"),
        (
            "objectType",
            &view.object_type,
            "no HubSpot custom object is chosen",
        ),
    ] {
        if value.is_empty() {
            problems.push(Problem::new(place, what, "choose one"));
        }
    }
    let carries = |sync: &&Arc<Sync>| {
        let spec = &sync.definition.spec;
        spec.salesforce.object == view.object && spec.hubspot.object_type == view.object_type
    };
    if let Some(other) = syncs.iter().find(carries) {
        let what = format!(
            "the sync {} carries {} to {} already",
            other.definition.metadata.name, view.object, view.object_type
        );
        problems.push(Problem::new(
            "objectType",
            what,
            "choose another object on one of the two sides",
        ));
    }
    match named {
        Ok((id, name)) if problems.is_empty() => {
            let mut copy = of.clone();
            copy.metadata.name = name;
            copy.spec.salesforce.object.clone_from(&view.object);
            copy.spec.hubspot.object_type.clone_from(&view.object_type);
            Ok((id, copy))
        }
        _ => Err(problems),
    }
}

fn is_taken(name: &SyncName, syncs: &[Arc<Sync>]) -> bool {
    syncs.iter().any(|sync| sync.definition.metadata.name == *name)
}

/// A name to begin with: the first that is free, or none when all that are tried are taken.
fn copy_name(name: &SyncName, syncs: &[Arc<Sync>]) -> String {
    let names = (1..=COPIES).map(|number| match number {
        1 => format!("{name}-copy"),
        number => format!("{name}-copy-{number}"),
    });
    let mut free = names.filter(|copy| SyncName::new(copy).is_ok_and(|copy| !is_taken(&copy, syncs)));
    free.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use landbridge_model::config::SyncStatus;
    use landbridge_model::{Revision, yaml};

    use super::*;

    fn sync(name: &str) -> Arc<Sync> {
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: {name} }}\nspec:\n  \
             salesforce: {{ object: Vehicle__c }}\n  hubspot: {{ objectType: vehicles }}\n  fields: [ {{ from: Name, to: name }} ]\n"
        );
        Arc::new(Sync {
            definition: yaml::load("test.yaml", &text).unwrap().remove(0),
            revision: Revision(1),
            status: SyncStatus::Draft,
            reason: None,
            resolved: None,
            activation: 0,
        })
    }

    #[test]
    fn a_copy_begins_with_the_first_name_that_is_free() {
        let name = SyncName::new("vehicles").unwrap();
        assert_eq!(copy_name(&name, &[]), "vehicles-copy");
        let taken = [sync("vehicles-copy"), sync("vehicles-copy-2")];
        assert_eq!(copy_name(&name, &taken), "vehicles-copy-3");
    }

    #[test]
    fn a_copy_carries_another_pair_under_another_name() {
        let all = [sync("vehicles")];
        let view = |name: &str, object: &str, object_type: &str| DuplicateSync {
            name: name.to_owned(),
            object: object.to_owned(),
            object_type: object_type.to_owned(),
            ..DuplicateSync::default()
        };
        for (view, places) in [
            (view("No Name", "Vehicle__c", "cars"), vec!["name"]),
            (view("vehicles", "Vehicle__c", "cars"), vec!["name"]),
            (view("cars", "", ""), vec!["object", "objectType"]),
            (view("cars", "Vehicle__c", "vehicles"), vec!["objectType"]),
        ] {
            let problems = copied(&view, &all[0].definition, &all).map(|_| ()).unwrap_err();
            let found: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
            assert_eq!(found, places, "{view:?}");
        }
        let (_, copy) = copied(&view("cars", "Car__c", "cars"), &all[0].definition, &all).unwrap();
        assert_eq!(copy.spec.salesforce.object, "Car__c");
        assert_eq!(copy.spec.fields, all[0].definition.spec.fields);
    }
}
