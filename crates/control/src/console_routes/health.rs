//! Sync health: of one tenant, and across tenants.

mod across;
mod view;

use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use landbridge_model::ask::HeldDecision;
use landbridge_model::{Problem, SyncName};

use super::listing::{Listing, ROWS};
use super::live::{self, Told};
use super::routes::Routes;
use super::visit::trouble;
use super::{Answer, Form, Visit};
use crate::ask::Seen;
use crate::console::health::{AllHealth, Health, across_page, live_figures, page};
use crate::console::{Content, Place, fields, paths};
use crate::service::{PageRequest, ServiceError, TenantService};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get(paths::HEALTH, all)
        .get("/tenants/{tenant}/health", show)
        .get("/tenants/{tenant}/health/events", events)
        .post("/tenants/{tenant}/health/allocation", allocate)
        .post("/tenants/{tenant}/health/held/approve", approve)
        .post("/tenants/{tenant}/health/held/discard", discard)
}

async fn all(visit: Visit, Query(listing): Query<Listing>) -> Answer {
    let request = PageRequest {
        cursor: listing.cursor.clone(),
        limit: Some(ROWS),
    };
    let found = visit.service.overview(&visit.session.caller, &request).await;
    let content: Content<AllHealth> = match found {
        Ok(found) => {
            let paging = listing.paging(paths::HEALTH, &[], found.items.len(), found.next);
            Ok(across::view(&found.items, paging))
        }
        Err(error) => Err(trouble(&error)),
    };
    Ok(visit.page(across_page(&visit.shell_at(Place::AllHealth), &content)))
}

async fn content(visit: &Visit, tenant: &TenantService) -> Content<Health> {
    let facts = tenant.health_now().await.map_err(|error| trouble(&error))?;
    Ok(Health {
        events: Some(paths::health_events(tenant.id())),
        ..view::health(&facts, visit.now())
    })
}

async fn show(visit: Visit, Path(tenant): Path<String>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let content = content(&visit, &tenant).await;
    Ok(visit.page(page(
        &visit.shell_in(&tenant, Place::Health),
        tenant.id(),
        &content,
    )))
}

async fn events(visit: Visit, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    visit.tenant(&name)?;
    Ok(live::follow(visit, &headers, move |visit| {
        let name = name.clone();
        async move {
            let tenant = visit.find_tenant(&name)?;
            let facts = tenant.recent_health().await?;
            Ok(Told {
                parts: live_figures(&view::health(&facts, visit.now())),
                goes_on: true,
            })
        }
    }))
}

/// The page again, with what is wrong in the allocation that was entered.
async fn refused(visit: &Visit, tenant: &TenantService, problem: Problem) -> Response {
    let content = content(visit, tenant).await.map(|mut view| {
        view.budgets.problems = vec![problem];
        view
    });
    let shell = visit.shell_in(tenant, Place::Health);
    visit.page_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        page(&shell, tenant.id(), &content),
    )
}

async fn allocate(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(crate::service::Role::Operator)
        .map_err(|error| visit.refuse(error))?;
    let problem = |what: &str| Problem::new("dailyCalls", what, "enter a whole number from 1, or nothing");
    let wanted = match form.text("dailyCalls").map(str::parse::<u64>) {
        None => None,
        Some(Ok(0)) => {
            return Ok(refused(&visit, &tenant, problem("without any call nothing can be read")).await);
        }
        Some(Ok(calls)) => Some(calls),
        Some(Err(_)) => return Ok(refused(&visit, &tenant, problem("this is no number of calls")).await),
    };
    let path = paths::health(tenant.id());
    // A form without a tag is nobody's page: it has seen no allocation.
    let seen = Seen::Tag(form.text(fields::ETAG).unwrap_or_default().to_owned());
    match tenant.allocate(wanted, seen).await {
        Ok(_) => Ok(visit.done(
            &path,
            "The allocation is changed. It holds from the next call on.",
        )),
        Err(error) => visit.not_done(&path, error),
    }
}

async fn approve(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    decide(visit, &tenant, &form, HeldDecision::Approve).await
}

async fn discard(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    decide(visit, &tenant, &form, HeldDecision::Discard).await
}

async fn decide(visit: Visit, tenant: &str, form: &Form, decision: HeldDecision) -> Answer {
    let tenant = visit.tenant(tenant)?;
    let path = paths::health(tenant.id());
    let Some(sync) = form.text("sync").and_then(|name| SyncName::new(name).ok()) else {
        return visit.not_done(
            &path,
            ServiceError::invalid("this names no sync: nothing was decided"),
        );
    };
    match tenant.decide_held(sync, Vec::new(), decision).await {
        Ok(decided) => {
            let text = match decision {
                HeldDecision::Approve => {
                    format!("{} deletes are approved, and are written now.", decided.count)
                }
                HeldDecision::Discard => format!(
                    "{} deletes are discarded: HubSpot keeps the records.",
                    decided.count
                ),
            };
            Ok(visit.done(&path, &text))
        }
        Err(error) => visit.not_done(&path, error),
    }
}
