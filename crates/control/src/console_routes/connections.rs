//! The forms of a tenant's two connections: credentials go in, are sealed, and are tried at once.

mod browser;
mod entered;
mod store;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use landbridge_model::Problem;
use landbridge_model::config::Tenant;
use serde::Deserialize;

use self::browser::{come_back, go_on};
use self::entered::{Entered, entered_of};
use self::store::{address_of, store_sealed};
use super::form::Form;
use super::routes::Routes;
use super::visit::{Answer, Refusal, Visit};
use crate::ask::ConnectionsTest;
use crate::console::connections::{ConnectionForm, Flow, Side, page};
use crate::console::{Place, paths};
use crate::service::{OAUTH_CALLBACK, PutCredentials, Role, ServiceError, TenantService};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/tenants/{tenant}/connections/{side}", show)
        .post("/tenants/{tenant}/connections/{side}", save)
        .get(OAUTH_CALLBACK, come_back)
}

#[derive(Deserialize)]
struct Wanted {
    flow: Option<String>,
}

/// The way that is named, or the plainest one.
fn flow_of(side: Side, name: Option<&str>) -> Flow {
    let flows = side.flows();
    let named = flows.iter().find(|flow| Some(flow.as_str()) == name);
    *named.unwrap_or(&flows[0])
}

fn side_of(visit: &Visit, name: &str) -> Result<Side, Refusal> {
    let side = [Side::Salesforce, Side::HubSpot]
        .into_iter()
        .find(|side| side.as_str() == name);
    side.ok_or_else(|| {
        visit.refuse(ServiceError::NotFound(format!(
            "there is no connection to {name}"
        )))
    })
}

fn stored_side(side: Side) -> landbridge_stage::Side {
    match side {
        Side::Salesforce => landbridge_stage::Side::Salesforce,
        Side::HubSpot => landbridge_stage::Side::HubSpot,
    }
}

fn pinned(tenant: &Tenant, side: Side) -> Option<String> {
    match side {
        Side::Salesforce => tenant.salesforce.org_id.as_ref().map(|id| format!("org {id}")),
        Side::HubSpot => tenant.hubspot.portal_id.map(|id| format!("portal {id}")),
    }
}

/// The form, with nothing that is secret in it.
async fn form_of(
    visit: &Visit,
    tenant: &TenantService,
    side: Side,
    flow: Flow,
) -> Result<ConnectionForm, Refusal> {
    let stored = tenant.has_credentials(stored_side(side)).await;
    let view = tenant.view().tenant;
    Ok(ConnectionForm {
        tenant: tenant.id().clone(),
        side,
        flow,
        address: address_of(&view, side).to_owned(),
        client_id: String::new(),
        pinned: pinned(&view, side),
        is_stored: stored.map_err(|error| visit.refuse(error))?,
        continue_at: None,
        callback: visit.service.oauth_callback(),
        problems: Vec::new(),
    })
}

async fn show(
    visit: Visit,
    Path((tenant, side)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    visit.require(&tenant, Role::Admin, "change connections")?;
    let side = side_of(&visit, &side)?;
    let view = form_of(&visit, &tenant, side, flow_of(side, wanted.flow.as_deref())).await?;
    let shell = visit.shell_in(&tenant, Place::Connected);
    Ok(visit.page(page(&shell, side, tenant.id(), &Ok(view))))
}

async fn save(visit: Visit, Path((tenant, side)): Path<(String, String)>, form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    visit.require(&tenant, Role::Admin, "change connections")?;
    let side = side_of(&visit, &side)?;
    let mut view = form_of(&visit, &tenant, side, flow_of(side, form.text("flow"))).await?;
    let is_test = form.action() == "test";
    if !is_test {
        let entered = form.text("address").unwrap_or_default().trim_end_matches('/');
        entered.clone_into(&mut view.address);
        form.text("clientId")
            .unwrap_or_default()
            .clone_into(&mut view.client_id);
        let credentials = match entered_of(&view, &form) {
            Ok(Entered::App(app)) => return go_on(&visit, &tenant, view, app).await,
            Ok(Entered::Credentials(open)) => Some(PutCredentials::Open(open)),
            Ok(Entered::Nothing) => None,
            Err(problems) => return Ok(again(&visit, &tenant, view, problems)),
        };
        if let Err(error) = store_sealed(&visit, &tenant, side, &view.address, credentials).await {
            let problem = visit.problem("", error)?;
            return Ok(again(&visit, &tenant, view, vec![problem]));
        }
        view.is_stored = tenant
            .has_credentials(stored_side(side))
            .await
            .map_err(|error| visit.refuse(error))?;
    }
    tested(&visit, &tenant, view, is_test).await
}

/// Tries what is stored, and tells how it went.
async fn tested(visit: &Visit, tenant: &TenantService, view: ConnectionForm, is_test: bool) -> Answer {
    // What was stored is what is tested; the tenant's pins may be new.
    let tenant = visit.tenant(tenant.id().as_str())?;
    match tenant.test_connections().await {
        Ok(test) => match verdict(view.side, &test) {
            Ok(told) => Ok(visit.done(&next_page(&tenant, view.side).await, &told)),
            Err(problems) => {
                let problems = problems
                    .into_iter()
                    .map(|what| told_after(what, is_test))
                    .collect();
                Ok(again(visit, &tenant, view, problems))
            }
        },
        Err(error) => {
            let problem = visit.problem("", error)?;
            Ok(again(visit, &tenant, view, vec![problem]))
        }
    }
}

/// After the first side comes the other one; after both their page.
async fn next_page(tenant: &TenantService, side: Side) -> String {
    let other = match side {
        Side::Salesforce => Side::HubSpot,
        Side::HubSpot => Side::Salesforce,
    };
    match tenant.has_credentials(stored_side(other)).await {
        Ok(false) => paths::connection(tenant.id(), other),
        _ => paths::tenant(tenant.id()),
    }
}

fn again(
    visit: &Visit,
    tenant: &TenantService,
    mut view: ConnectionForm,
    problems: Vec<Problem>,
) -> Response {
    view.problems = problems;
    let shell = visit.shell_in(tenant, Place::Connected);
    let page = page(&shell, view.side, tenant.id(), &Ok(view.clone()));
    visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page)
}

/// What a test says of one side: that it works and who we are there, or what is wrong.
fn verdict(side: Side, test: &ConnectionsTest) -> Result<String, Vec<String>> {
    let prefix = format!("{}: ", side.name());
    let problems: Vec<String> = test
        .problems
        .iter()
        .filter_map(|problem| problem.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect();
    let told = match side {
        Side::Salesforce => test.salesforce.as_ref().map(|test| {
            format!(
                "Salesforce works: signed in to org {} as {}.",
                test.org_id, test.user
            )
        }),
        Side::HubSpot => test
            .hubspot
            .as_ref()
            .map(|test| format!("HubSpot works: signed in to portal {}.", test.portal_id)),
    };
    match told {
        Some(told) if problems.is_empty() => Ok(told),
        _ => Err(problems),
    }
}

/// A problem that a test found, as one of the form.
fn told_after(what: String, is_test: bool) -> Problem {
    let remedy = if is_test {
        "put it right there, or enter other credentials"
    } else {
        "what you entered is stored: put it right there and test again, or enter other credentials"
    };
    Problem::new("", what, remedy)
}

#[cfg(test)]
mod tests {
    use landbridge_model::ask::{HubSpotTest, SalesforceTest};

    use super::*;

    #[test]
    fn a_test_is_judged_by_its_own_side() {
        let test = ConnectionsTest {
            salesforce: Some(SalesforceTest {
                org_id: "00DHs000001AbCdMAK".to_owned(),
                user: "integration@acme.example".to_owned(),
                ..SalesforceTest::default()
            }),
            hubspot: None::<HubSpotTest>,
            problems: vec!["HubSpot: no credentials were given".to_owned()],
            rival: None,
        };
        let told = verdict(Side::Salesforce, &test).unwrap();
        assert!(
            told.contains("00DHs000001AbCdMAK") && told.contains("integration@"),
            "{told}"
        );
        assert_eq!(
            verdict(Side::HubSpot, &test),
            Err(vec!["no credentials were given".to_owned()])
        );
    }
}
