//! The wizard: a page for each step, and what its buttons do.

mod begin;
mod edit;
mod proposal;
mod steps;
mod trying;
mod turning_on;
mod work;

use axum::extract::Path;
use axum::http::StatusCode;

use self::work::Opened;
use super::form::Form;
use super::routes::Routes;
use super::visit;
use super::visit::{Answer, Refusal, Visit};
use crate::console::wizard::Step;
use crate::console::wizard::read::{Action, Posted};
use crate::console::{Trouble, errors, fields, paths};
use crate::service::{Role, ServiceError};

pub(super) fn routes() -> Routes {
    let sync = "/tenants/{tenant}/syncs/{sync}";
    Routes::default()
        .get("/tenants/{tenant}/syncs/new", begin::show)
        .post("/tenants/{tenant}/syncs/new", begin::post)
        .get("/tenants/{tenant}/syncs/new/object-type", proposal::show)
        .post("/tenants/{tenant}/syncs/new/object-type", proposal::post)
        .get(&format!("{sync}/edit/{{step}}"), show)
        .post(&format!("{sync}/edit/{{step}}"), send)
        .post(&format!("{sync}/edit/discard"), discard)
        .post(&format!("{sync}/edit/preview/dry-run"), trying::start)
        .post(&format!("{sync}/edit/preview/dry-run/cancel"), trying::cancel)
        .get(&format!("{sync}/edit/preview/dry-run/events"), trying::events)
        .get(&format!("{sync}/turned-on"), turning_on::turned_on)
}

/// The fields of a form as the steps read them.
fn posted(form: &Form) -> Posted {
    form.fields().collect()
}

fn step_of(visit: &Visit, word: &str) -> Result<Step, Refusal> {
    Step::parse(word).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, errors::not_found(&visit.shell())))
}

async fn show(
    visit: Visit,
    Path((tenant, sync, step)): Path<(String, String, String)>,
    query: trying::ShownQuery,
) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let step = step_of(&visit, &step)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let opened = Opened::open(&tenant, &sync)
        .await
        .map_err(|error| visit.refuse(error))?;
    if step > opened.work.reached {
        let path = paths::step(tenant.id(), &opened.name, opened.work.reached);
        return Ok(visit.done(&path, &format!("{} comes first.", opened.work.reached.title())));
    }
    let page = steps::Page {
        visit: &visit,
        tenant: &tenant,
        opened: &opened,
        step,
        trouble: None,
    };
    Ok(page.look_and_show(StatusCode::OK, &query).await)
}

async fn send(
    visit: Visit,
    Path((tenant, sync, step)): Path<(String, String, String)>,
    form: Form,
) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let step = step_of(&visit, &step)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let mut opened = Opened::open(&tenant, &sync)
        .await
        .map_err(|error| visit.refuse(error))?;
    let action = Action::parse(form.action());
    let seen = form.text(fields::ETAG) == Some(opened.etag().as_str());
    let sent = edit::Sent {
        visit: &visit,
        tenant: &tenant,
        step,
        action: &action,
        posted: posted(&form),
    };
    if seen {
        return sent.take(&mut opened).await;
    }
    // What was typed is shown again beside the news; nothing is kept of it.
    let problem = ServiceError::Stale("Somebody else saved this sync meanwhile.".to_owned());
    let trouble = Trouble::new(
        problem.to_string(),
        "Your changes are below and not saved. Load the page again to see theirs, then enter yours anew.",
    );
    sent.read_again(&mut opened, trouble, visit::status_of(&problem))
        .await
}

async fn discard(visit: Visit, Path((tenant, sync)): Path<(String, String)>, _form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let opened = Opened::open(&tenant, &sync)
        .await
        .map_err(|error| visit.refuse(error))?;
    if let Err(error) = opened.forget(&tenant).await {
        return visit.not_done(&paths::tenant(tenant.id()), error);
    }
    let to = match &opened.stored {
        Some(_) => paths::sync(tenant.id(), &opened.name),
        None => paths::tenant(tenant.id()),
    };
    Ok(visit.done(&to, "The draft is discarded."))
}
