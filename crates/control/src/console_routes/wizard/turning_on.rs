//! The last step: the definition is applied, and the sync turned on or kept for later.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect};
use landbridge_model::config::SyncStatus;
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::validate::wanted_options;

use super::edit::Sent;
use super::steps::labels;
use super::work::Opened;
use crate::ask::{Applied, Expected};
use crate::console::wizard::Draft;
use crate::console::wizard::associations::Labels;
use crate::console::wizard::read::Action;
use crate::console::wizard::turn_on::{self, TurnOn, TurnedOn};
use crate::console::{Place, paths};
use crate::console_routes::summary::length;
use crate::console_routes::visit::{Answer, Visit};
use crate::service::{Look, Role, ServiceError, TenantService};

/// The step's page.
pub(super) async fn view(
    tenant: &TenantService,
    opened: &Opened,
    look: &Look,
    draft: Draft,
    problems: usize,
) -> TurnOn {
    let counted = tenant.count_matching(&opened.work.definition).await;
    // Whether labels are missing is told when it is known.
    let labels = labels(tenant, opened, look).await.ok();
    TurnOn {
        draft,
        existing: counted.ok().map(|counted| counted.matching),
        problems,
        creates: creates(opened, look, labels.as_ref()),
    }
}

/// What HubSpot lacks and turning on creates. Pure.
fn creates(opened: &Opened, look: &Look, labels: Option<&Labels>) -> Vec<String> {
    let definition = &opened.work.definition;
    let Some(schema) = &look.object_type else {
        return Vec::new();
    };
    let id_property = definition.spec.hubspot.id_property.as_str();
    let mut told = Vec::new();
    if schema.property(id_property).is_none() {
        told.push(format!("The unique property {id_property} of {}.", schema.label));
    }
    if schema.property(VERSION_PROPERTY).is_none() {
        told.push(format!("The property {VERSION_PROPERTY} of {}.", schema.label));
    }
    for option in wanted_options(definition, &look.around()) {
        told.push(format!("The option “{}” of {}.", option.value, option.property));
    }
    let rules = definition.spec.associations.iter();
    for (rule, label) in rules.filter_map(|rule| Some((rule, rule.label.as_ref()?))) {
        let is_there = labels.is_none_or(|all| {
            let mut known = all.iter().flat_map(|(_, labels)| labels);
            known.any(|known| known.eq_ignore_ascii_case(label))
        });
        if !is_there {
            told.push(format!(
                "The association label “{label}” between {} and {}.",
                schema.label, rule.to
            ));
        }
    }
    told
}

/// Sentences of what was created, with the object types' labels in place of their ids. Pure.
fn in_words(created: &[String], look: &Look) -> Vec<String> {
    let named = |told: &String| {
        let words = told.split(' ').map(|word| {
            let of_id = look
                .object_types
                .iter()
                .find(|schema| schema.object_type_id.as_str() == word);
            of_id.map_or(word, |schema| schema.label.as_str())
        });
        words.collect::<Vec<_>>().join(" ")
    };
    created.iter().map(named).collect()
}

/// Does what the step's buttons say.
pub(super) async fn take(sent: &Sent<'_>, opened: &mut Opened) -> Answer {
    match sent.action {
        Action::Start => start(sent, opened).await,
        Action::Save => save_for_later(sent, opened).await,
        _ => {
            let path = paths::step(sent.tenant.id(), &opened.name, sent.step);
            Ok(Redirect::to(&path).into_response())
        }
    }
}

async fn apply(sent: &Sent<'_>, opened: &Opened) -> Result<Applied, ServiceError> {
    let expected = Expected {
        name: opened.name.clone(),
        tag: opened.work.base.clone(),
    };
    sent.tenant
        .apply(vec![opened.work.definition.clone()], vec![expected])
        .await
}

async fn start(sent: &Sent<'_>, opened: &mut Opened) -> Answer {
    let (visit, tenant) = (sent.visit, sent.tenant);
    match turn_it_on(sent, opened).await {
        Ok(created) => {
            let told = match (opened.is_running(), created.is_empty()) {
                (true, _) => format!("{} runs by its new revision.", opened.name),
                (false, true) => format!("{} is on.", opened.name),
                (false, false) => format!(
                    "{} is on. Created in HubSpot: {}.",
                    opened.name,
                    created.join("; ")
                ),
            };
            let to = if opened.is_running() {
                paths::sync(tenant.id(), &opened.name)
            } else {
                paths::turned_on(tenant.id(), &opened.name)
            };
            Ok(visit.done(&to, &told))
        }
        Err(error) => sent.not_now(opened, error).await,
    }
}

/// Applies the definition, and turns the sync on unless it runs or was paused by somebody. Gives what was created.
async fn turn_it_on(sent: &Sent<'_>, opened: &mut Opened) -> Result<Vec<String>, ServiceError> {
    let tenant = sent.tenant;
    if !opened.is_running() {
        tenant.require(Role::Operator)?;
    }
    let look = opened.work.look(tenant).await?;
    let applied = apply(sent, opened).await?;
    let mut created: Vec<String> = applied
        .syncs
        .iter()
        .flat_map(|line| line.provisioned.clone())
        .collect();
    if let Some(line) = applied.syncs.first() {
        let written = tenant.sync_at(&opened.name, line.revision).await?;
        opened.work.base = Some(written.tag);
    }
    if !opened.is_running() {
        let on = tenant
            .set_status(vec![opened.name.clone()], SyncStatus::Active)
            .await;
        let on = match on {
            Ok(on) => on,
            Err(error) => {
                // It is stored now: the draft goes on from there.
                opened.save(tenant).await?;
                return Err(error);
            }
        };
        created.extend(on.syncs.into_iter().flat_map(|line| line.provisioned));
    }
    opened.forget(tenant).await?;
    Ok(in_words(&created, &look))
}

async fn save_for_later(sent: &Sent<'_>, opened: &mut Opened) -> Answer {
    let (visit, tenant) = (sent.visit, sent.tenant);
    let look = match opened.work.look(tenant).await {
        Ok(look) => look,
        Err(error) => return sent.not_now(opened, error).await,
    };
    if opened.is_running() || !opened.work.problems(&look).is_empty() {
        return match opened.save(tenant).await {
            Ok(()) => Ok(visit.done(&paths::tenant(tenant.id()), "Your changes are kept as a draft.")),
            Err(error) => sent.not_now(opened, error).await,
        };
    }
    match apply(sent, opened).await {
        Ok(_) => {
            let forgotten = opened.forget(tenant).await;
            forgotten.map_err(|error| visit.refuse(error))?;
            let told = format!(
                "{} is saved. Nothing is read or written until it is turned on.",
                opened.name
            );
            Ok(visit.done(&paths::sync(tenant.id(), &opened.name), &told))
        }
        Err(error) => sent.not_now(opened, error).await,
    }
}

/// The page after turning on.
pub(super) async fn turned_on(visit: Visit, Path((tenant, sync)): Path<(String, String)>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let opened = Opened::open(&tenant, &sync)
        .await
        .map_err(|error| visit.refuse(error))?;
    let look = opened
        .work
        .look(&tenant)
        .await
        .map_err(|error| visit.refuse(error))?;
    // What was created in HubSpot is told at the top: turning on ended with it.
    let reckoned = tenant.reckon_import(&opened.name).await.ok();
    let view = TurnedOn {
        draft: opened.draft(&tenant, &look, &[]),
        existing: reckoned.as_ref().map(|reckoned| reckoned.records),
        import_takes: reckoned.and_then(|reckoned| length(reckoned.seconds?)),
    };
    Ok(visit.page(turn_on::turned_on(
        &visit.shell_in(&tenant, Place::Connected),
        &view,
    )))
}
