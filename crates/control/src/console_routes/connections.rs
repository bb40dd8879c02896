//! The forms of a tenant's two connections: credentials go in, are sealed, and are tried at once.

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use landbridge_model::Problem;
use landbridge_model::config::{OAuthApp, Tenant};
use serde::Deserialize;
use serde_json::{Value, json};

use super::form::Form;
use super::visit::{self, Answer, Refusal, Visit};
use crate::ask::ConnectionsTest;
use crate::console::connections::{ConnectionForm, Flow, Side, page};
use crate::console::{Place, paths};
use crate::service::{
    OAUTH_CALLBACK, PutBoth, PutCredentials, PutHubSpot, PutSalesforce, PutSide, PutTenantBody, Role,
    Service, ServiceError, TenantService, check_address,
};

pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/tenants/{tenant}/connections/{side}", get(show).post(save))
        .route(OAUTH_CALLBACK, get(come_back))
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

fn address_of(tenant: &Tenant, side: Side) -> &str {
    match side {
        Side::Salesforce => &tenant.salesforce.login_url,
        Side::HubSpot => &tenant.hubspot.base_url,
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
        let entered = match entered_of(&view, &form) {
            Ok(entered) => entered,
            Err(problems) => return Ok(again(&visit, &tenant, view, problems)),
        };
        if view.flow.is_in_browser() {
            return go_on(&visit, &tenant, view, entered).await;
        }
        if let Err(error) = store(&visit, &tenant, side, &view.address, entered).await {
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

/// Sends the person to the other side's page: by a link, since a form of ours may lead nowhere else.
async fn go_on(
    visit: &Visit,
    tenant: &TenantService,
    mut view: ConnectionForm,
    app: Option<Value>,
) -> Answer {
    let text = |key: &str| {
        let value = app.as_ref().and_then(|app| app[key].as_str());
        value.unwrap_or_default().to_owned()
    };
    let app = OAuthApp {
        client_id: text("client_id"),
        client_secret: text("client_secret"),
    };
    match tenant
        .begin_connecting(put_side(view.side), &view.address, app)
        .await
    {
        Ok(page_there) => {
            view.continue_at = Some(page_there.into());
            let shell = visit.shell_in(tenant, Place::Connected);
            Ok(visit.page(page(&shell, view.side, tenant.id(), &Ok(view))))
        }
        Err(error) => {
            let problem = visit.problem("", error)?;
            Ok(again(visit, tenant, view, vec![problem]))
        }
    }
}

/// With what the other side sends a person back.
#[derive(Deserialize)]
struct CameBack {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn come_back(visit: Visit, Query(back): Query<CameBack>) -> Answer {
    let refuse = |error| visit.refuse(error);
    let Some(code) = back.code else {
        let why = back.error_description.or(back.error);
        let why = why.unwrap_or_else(|| "it sent no code".to_owned());
        return Err(refuse(ServiceError::invalid(format!(
            "the other side did not connect: {why}; begin anew from the tenant's connections"
        ))));
    };
    let caller = &visit.session.caller;
    let ended = visit.service.end_connecting(caller, &back.state, code).await;
    let connecting = ended.map_err(refuse)?;
    let tenant = visit.tenant(connecting.tenant.as_str())?;
    let (side, flow) = match connecting.side {
        PutSide::Salesforce => (Side::Salesforce, Flow::SalesforceOAuth),
        PutSide::HubSpot => (Side::HubSpot, Flow::HubSpotOAuth),
    };
    let credentials = Some(connecting.credentials);
    if let Err(error) = store_sealed(&visit, &tenant, side, &connecting.address, credentials).await {
        let view = form_of(&visit, &tenant, side, flow).await?;
        let problem = visit.problem("", error)?;
        return Ok(again(&visit, &tenant, view, vec![problem]));
    }
    let view = form_of(&visit, &tenant, side, flow).await?;
    tested(&visit, &tenant, view, false).await
}

fn put_side(side: Side) -> PutSide {
    match side {
        Side::Salesforce => PutSide::Salesforce,
        Side::HubSpot => PutSide::HubSpot,
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

/// What was entered: credentials, or nothing when those that are stored shall stay.
fn entered_of(view: &ConnectionForm, form: &Form) -> Result<Option<Value>, Vec<Problem>> {
    let mut problems = Vec::new();
    if let Err(problem) = check_address(&view.address) {
        problems.push(visit::address_problem("address", &problem));
    }
    let (flow, names): (&str, &[(&str, &str, &str)]) = match view.flow {
        Flow::ClientCredentials => (
            "client-credentials",
            &[
                ("clientId", "client_id", "the consumer key"),
                ("clientSecret", "client_secret", "the consumer secret"),
            ],
        ),
        Flow::RefreshToken => (
            "refresh-token",
            &[
                ("clientId", "client_id", "the consumer key"),
                ("clientSecret", "client_secret", "the consumer secret"),
                ("refreshToken", "refresh_token", "the refresh token"),
            ],
        ),
        Flow::ServiceKey => ("token", &[("token", "token", "the service key")]),
        Flow::PrivateApp => ("token", &[("token", "token", "the access token")]),
        Flow::Jwt => (
            "jwt",
            &[
                ("clientId", "client_id", "the consumer key"),
                ("username", "username", "the user name"),
                ("privateKey", "private_key", "the private key"),
            ],
        ),
        // What the code is asked for with.
        Flow::SalesforceOAuth | Flow::HubSpotOAuth => (
            "oauth-app",
            &[
                ("clientId", "client_id", "the app's key"),
                ("clientSecret", "client_secret", "the app's secret"),
            ],
        ),
    };
    let is_empty = names.iter().all(|(field, ..)| form.text(field).is_none());
    if is_empty && view.is_stored && !view.flow.is_in_browser() && problems.is_empty() {
        return Ok(None);
    }
    let mut document = json!({ "flow": flow });
    for (field, key, words) in names {
        match form.text(field) {
            Some(text) => document[*key] = json!(text),
            None => problems.push(Problem::new(
                *field,
                format!("{words} is missing"),
                "what belongs together is sealed together: enter all of it",
            )),
        }
    }
    if problems.is_empty() {
        Ok(Some(document))
    } else {
        Err(problems)
    }
}

/// Stores what was entered: a new address only together with credentials of its own.
async fn store(
    visit: &Visit,
    tenant: &TenantService,
    side: Side,
    address: &str,
    entered: Option<Value>,
) -> Result<(), ServiceError> {
    let credentials = entered.map(PutCredentials::Open);
    store_sealed(visit, tenant, side, address, credentials).await
}

async fn store_sealed(
    visit: &Visit,
    tenant: &TenantService,
    side: Side,
    address: &str,
    credentials: Option<PutCredentials>,
) -> Result<(), ServiceError> {
    let stored = tenant.view().tenant;
    if address == address_of(&stored, side) {
        return match credentials {
            Some(credentials) => tenant.put_credentials(put_side(side), credentials).await,
            None => Ok(()),
        };
    }
    let mut wanted = PutTenantBody {
        salesforce: PutSalesforce {
            login_url: stored.salesforce.login_url,
            daily_calls: stored.salesforce.daily_calls,
            change_events: stored.salesforce.change_events,
            pubsub_url: stored.salesforce.pubsub_url,
        },
        hubspot: PutHubSpot {
            base_url: stored.hubspot.base_url,
            calls_per_ten_seconds: stored.hubspot.calls_per_ten_seconds,
        },
        credentials: None,
    };
    let (mut salesforce, mut hubspot) = (None, None);
    match side {
        Side::Salesforce => {
            address.clone_into(&mut wanted.salesforce.login_url);
            salesforce = credentials;
        }
        Side::HubSpot => {
            address.clone_into(&mut wanted.hubspot.base_url);
            hubspot = credentials;
        }
    }
    wanted.credentials = Some(PutBoth { salesforce, hubspot });
    let caller = &visit.session.caller;
    visit.service.put_tenant(caller, tenant.id(), wanted).await?;
    Ok(())
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
    use landbridge_model::TenantId;
    use landbridge_model::ask::{HubSpotTest, SalesforceTest};

    use super::*;

    fn view(flow: Flow, is_stored: bool) -> ConnectionForm {
        ConnectionForm {
            tenant: TenantId::new("acme").unwrap(),
            side: Side::Salesforce,
            flow,
            address: "https://acme.my.salesforce.com".to_owned(),
            client_id: String::new(),
            pinned: None,
            is_stored,
            continue_at: None,
            callback: None,
            problems: Vec::new(),
        }
    }

    #[test]
    fn what_is_entered_is_whole_or_refused() {
        for (flow, stored, body, expected) in [
            (
                Flow::ClientCredentials,
                false,
                "clientId=k&clientSecret=s",
                Ok(Some(
                    json!({"flow": "client-credentials", "client_id": "k", "client_secret": "s"}),
                )),
            ),
            (
                Flow::RefreshToken,
                true,
                "clientId=k&clientSecret=s&refreshToken=r",
                Ok(Some(
                    json!({"flow": "refresh-token", "client_id": "k", "client_secret": "s", "refresh_token": "r"}),
                )),
            ),
            (
                Flow::ServiceKey,
                false,
                "token=pat-1",
                Ok(Some(json!({"flow": "token", "token": "pat-1"}))),
            ),
            (Flow::PrivateApp, true, "token=", Ok(None)),
            (Flow::ClientCredentials, true, "", Ok(None)),
            (
                Flow::ClientCredentials,
                true,
                "clientId=k",
                Err(vec!["clientSecret"]),
            ),
            (
                Flow::ClientCredentials,
                false,
                "",
                Err(vec!["clientId", "clientSecret"]),
            ),
            (Flow::PrivateApp, false, "", Err(vec!["token"])),
            (Flow::Jwt, false, "clientId=k&username=u", Err(vec!["privateKey"])),
            (
                Flow::Jwt,
                true,
                "clientId=k&username=u&privateKey=pem",
                Ok(Some(
                    json!({"flow": "jwt", "client_id": "k", "username": "u", "private_key": "pem"}),
                )),
            ),
            (
                Flow::SalesforceOAuth,
                true,
                "",
                Err(vec!["clientId", "clientSecret"]),
            ),
        ] {
            let entered = entered_of(&view(flow, stored), &Form::parse(body.as_bytes()));
            let entered = entered.map_err(|problems| {
                let places = problems.into_iter().map(|problem| problem.place);
                places.collect::<Vec<_>>()
            });
            let expected =
                expected.map_err(|places| places.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(entered, expected, "{flow:?} {body}");
        }
    }

    #[test]
    fn an_address_is_checked_before_anything_is_stored() {
        let wrong = ConnectionForm {
            address: "http://acme.my.salesforce.com".to_owned(),
            ..view(Flow::ClientCredentials, true)
        };
        let problems = entered_of(&wrong, &Form::parse(b"clientId=k&clientSecret=s")).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].place, "address");
        assert!(!problems[0].remedy.is_empty());
    }

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
