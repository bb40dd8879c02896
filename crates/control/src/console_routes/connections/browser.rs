//! Signing in on the other side's own pages: there by a link, back with a code.

use axum::extract::Query;
use landbridge_model::config::OAuthApp;
use serde::Deserialize;

use super::store::{put_side, store_sealed};
use super::{again, form_of, tested};
use crate::console::Place;
use crate::console::connections::{ConnectionForm, Flow, Side, page};
use crate::console_routes::visit::{Answer, Visit};
use crate::service::{PutSide, ServiceError, TenantService};

/// Sends the person to the other side's page: by a link, since a form of ours may lead nowhere else.
pub(super) async fn go_on(
    visit: &Visit,
    tenant: &TenantService,
    mut view: ConnectionForm,
    app: OAuthApp,
) -> Answer {
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
pub(super) struct CameBack {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

pub(super) async fn come_back(visit: Visit, Query(back): Query<CameBack>) -> Answer {
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
