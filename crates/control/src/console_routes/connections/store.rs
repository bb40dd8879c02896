//! Where what was entered goes.

use landbridge_model::config::Tenant;

use crate::ask::Seen;
use crate::console::connections::Side;
use crate::console_routes::visit::Visit;
use crate::service::{
    PutBoth, PutCredentials, PutHubSpot, PutSalesforce, PutSide, PutTenantBody, ServiceError, TenantService,
};

pub(super) fn address_of(tenant: &Tenant, side: Side) -> &str {
    match side {
        Side::Salesforce => &tenant.salesforce.login_url,
        Side::HubSpot => &tenant.hubspot.base_url,
    }
}

pub(super) fn put_side(side: Side) -> PutSide {
    match side {
        Side::Salesforce => PutSide::Salesforce,
        Side::HubSpot => PutSide::HubSpot,
    }
}

/// Stores sealed or open credentials, or none when those that are there shall stay: a new address only together with
/// credentials of its own.
pub(super) async fn store_sealed(
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
            daily_calls: None,
            change_events: None,
            pubsub_url: None,
        },
        hubspot: PutHubSpot {
            base_url: Some(stored.hubspot.base_url),
            calls_per_ten_seconds: None,
            api_version: None,
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
            wanted.hubspot.base_url = Some(address.to_owned());
            hubspot = credentials;
        }
    }
    wanted.credentials = Some(PutBoth { salesforce, hubspot });
    let caller = &visit.session.caller;
    visit
        .service
        .put_tenant(caller, tenant.id(), wanted, Seen::Tag(tenant.tag()))
        .await?;
    Ok(())
}
