//! Tenants: listed, added, changed, removed.

use std::net::IpAddr;
use std::sync::Arc;

use landbridge_model::config::{HubSpotConnection, SalesforceConnection, Tenant};
use landbridge_model::{StageKind, TenantId};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::audit;
use super::caller::{Caller, Role};
use super::connections::{PutCredentials, PutSide};
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::{LONG_PATIENCE, Service, TenantService};
use crate::ask::{Change, EditTenant, PutTenant, RemoveTenant, Seen};

pub use crate::definitions::tenant_tag;

/// A tenant, as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantView {
    /// Where it is and what it is called.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// How many syncs it has.
    pub syncs: usize,
    /// What the caller may do here.
    pub role: Role,
}

/// A tenant as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutTenantBody {
    /// The Salesforce side.
    pub salesforce: PutSalesforce,
    /// The HubSpot side.
    pub hubspot: PutHubSpot,
    /// Credentials of both sides. Needed for a side whose address changes: no secret is sent to another address than
    /// the one it was given for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PutBoth>,
}

/// Credentials of both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutBoth {
    /// For Salesforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salesforce: Option<PutCredentials>,
    /// For HubSpot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hubspot: Option<PutCredentials>,
}

/// Where the org is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSalesforce {
    /// The org's My Domain address, such as `https://acme.my.salesforce.com`.
    pub login_url: String,
    /// API calls a day that Landbridge may spend in the org; all but the reserve when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_calls: Option<u64>,
    /// Whether changes are heard of by change events, for objects that are selected for change data capture. Whatever is not
    /// heard is polled for.
    #[serde(default = "with_change_events")]
    pub change_events: bool,
    /// Where the org's Pub/Sub API is, when it is not where the installation says, such as
    /// `https://api.deu.pubsub.salesforce.com:7443`. The org's tokens go there: whoever changes it gives credentials as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pubsub_url: Option<String>,
}

fn with_change_events() -> bool {
    true
}

/// Where the portal is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutHubSpot {
    /// HubSpot's address.
    #[serde(default = "hubspot_address")]
    pub base_url: String,
    /// Calls per ten seconds to start from, until HubSpot's headers say otherwise; 0 is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_ten_seconds: Option<u32>,
}

fn hubspot_address() -> String {
    "https://api.hubapi.com".to_owned()
}

impl Service {
    /// The tenants that a caller may see.
    pub fn list_tenants(
        &self,
        caller: &Caller,
        request: &PageRequest,
    ) -> Result<Page<TenantView>, ServiceError> {
        let seen = self.tenants(caller);
        let views = seen.iter().map(TenantService::view);
        paginate(views, |view| view.tenant.id.clone(), request)
    }

    /// Whether a caller may change a tenant, or add it.
    pub fn may_put_tenant(&self, caller: &Caller, id: &TenantId) -> Result<(), ServiceError> {
        match self.tenant(caller, id) {
            Ok(tenant) => tenant.require(Role::Admin),
            // Whoever may not add one learns nothing of which there are.
            Err(error) if caller.role_everywhere() < Some(Role::Admin) => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Adds a tenant, or changes its connections. Adding needs an admin of everything.
    pub async fn put_tenant(
        &self,
        caller: &Caller,
        id: &TenantId,
        wanted: PutTenantBody,
        seen: Seen,
    ) -> Result<(Change, TenantView), ServiceError> {
        self.may_put_tenant(caller, id)?;
        let stored = self.config().tenant(id);
        let (put, changed_secrets) = self.prepare_tenant(id, stored.as_deref(), wanted).await?;
        let action = if stored.is_none() {
            "tenant.added"
        } else {
            "tenant.changed"
        };
        let edit = EditTenant { put, seen };
        let effect = async {
            let asked = self.hub().ask(StageKind::Control, id, &edit, LONG_PATIENCE);
            let change = asked.await?;
            let after = self.tenant_soon(&edit.put.tenant).await?;
            self.inner.sides.forget(id);
            if change == Change::Unchanged {
                return Ok((change, audit::Trace::nothing()));
            }
            let mut told = audit::Change::between(stored.as_deref(), Some(&*after))?;
            if changed_secrets {
                told = told.with_detail("with credentials");
            }
            Ok((change, told.into()))
        };
        let change = self
            .audited(caller, Some(id), action, id.as_str(), effect)
            .await?;
        Ok((change, self.tenant(caller, id)?.view()))
    }

    /// A tenant that was just written by the owner of its shard, as soon as that is seen here.
    pub(super) async fn tenant_soon(&self, wanted: &Tenant) -> Result<Arc<Tenant>, ServiceError> {
        let seen = self.config().wait_for(|config| {
            let seen = config.tenant(&wanted.id)?;
            let (ours, theirs) = (&wanted.salesforce, &seen.salesforce);
            let salesforce = ours.login_url == theirs.login_url
                && ours.daily_calls == theirs.daily_calls
                && ours.change_events == theirs.change_events
                && ours.pubsub_url == theirs.pubsub_url;
            let (ours, theirs) = (&wanted.hubspot, &seen.hubspot);
            let hubspot = ours.base_url == theirs.base_url
                && ours.calls_per_ten_seconds == theirs.calls_per_ten_seconds;
            (salesforce && hubspot).then_some(seen)
        });
        tokio::time::timeout(super::PATIENCE, seen).await.map_err(|_| {
            ServiceError::Unavailable("it is done, but not seen here yet; read the tenant again".to_owned())
        })
    }

    async fn prepare_tenant(
        &self,
        id: &TenantId,
        stored: Option<&Tenant>,
        wanted: PutTenantBody,
    ) -> Result<(PutTenant, bool), ServiceError> {
        let login_url = address("salesforce.login_url", &wanted.salesforce.login_url)?;
        let base_url = address("hubspot.base_url", &wanted.hubspot.base_url)?;
        let pubsub_url = wanted.salesforce.pubsub_url.as_deref();
        let pubsub_url = pubsub_url
            .map(|url| address("salesforce.pubsub_url", url))
            .transpose()?;
        let (salesforce, hubspot) = wanted
            .credentials
            .map_or((None, None), |both| (both.salesforce, both.hubspot));
        let moved = |before: Option<&str>, now: &str| before.is_some_and(|before| before != now);
        let moves = [
            (
                moved(
                    stored.map(|tenant| tenant.salesforce.login_url.as_str()),
                    &login_url,
                ),
                salesforce.is_some(),
            ),
            (
                stored
                    .is_some_and(|tenant| pubsub_url.is_some() && tenant.salesforce.pubsub_url != pubsub_url),
                salesforce.is_some(),
            ),
            (
                moved(stored.map(|tenant| tenant.hubspot.base_url.as_str()), &base_url),
                hubspot.is_some(),
            ),
        ];
        if moves.iter().any(|(moved, given)| *moved && !given) {
            return Err(ServiceError::invalid(
                "the address of a side changes: give that side's credentials as well, in `credentials`",
            ));
        }
        let changed_secrets = salesforce.is_some() || hubspot.is_some();
        let put = PutTenant {
            tenant: Tenant {
                id: id.clone(),
                salesforce: SalesforceConnection {
                    login_url,
                    org_id: None,
                    daily_calls: wanted.salesforce.daily_calls,
                    change_events: wanted.salesforce.change_events,
                    pubsub_url,
                    adopted_ms: None,
                },
                hubspot: HubSpotConnection {
                    base_url,
                    portal_id: None,
                    calls_per_ten_seconds: wanted.hubspot.calls_per_ten_seconds,
                },
                suspended: stored.and_then(|tenant| tenant.suspended.clone()),
            },
            salesforce: self.seal(PutSide::Salesforce, salesforce).await?,
            hubspot: self.seal(PutSide::HubSpot, hubspot).await?,
        };
        Ok((put, changed_secrets))
    }

    /// Removes a tenant with everything that is kept for it. What was written to HubSpot stays. Needs an admin of
    /// everything.
    pub async fn remove_tenant(&self, caller: &Caller, id: &TenantId) -> Result<(), ServiceError> {
        let tenant = self.tenant(caller, id)?;
        self.require_everywhere(caller, Role::Admin)?;
        tenant
            .audited("tenant.removed", id.as_str(), async {
                tenant.ask_control(&RemoveTenant {}).await?;
                Ok(((), audit::Change::between(Some(&*tenant.tenant), None)?.into()))
            })
            .await
    }
}

impl TenantService {
    /// Stands for what people can change of the tenant, as the caller sees it.
    pub fn tag(&self) -> String {
        tenant_tag(&self.tenant)
    }

    /// The tenant as the caller sees it.
    pub fn view(&self) -> TenantView {
        TenantView {
            tenant: (*self.tenant).clone(),
            syncs: self.service.config().syncs(self.id()).len(),
            role: self.role,
        }
    }
}

/// An address without a path, to which credentials can be sent without being seen on the way.
pub fn check_address(text: &str) -> Result<String, String> {
    let url = Url::parse(text)
        .map_err(|error| format!("{error}; write an address such as https://acme.my.salesforce.com"))?;
    check_scheme(&url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address holds no credentials; leave them out".to_owned());
    }
    if url.path() != "/" || url.query().is_some() {
        return Err("only scheme, host and port are wanted; leave the rest out".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether nothing travels there in the clear, but to this machine.
pub(super) fn check_scheme(url: &Url) -> Result<(), String> {
    let host = url
        .host_str()
        .ok_or("it names no host; write an address such as https://api.hubapi.com")?;
    let is_here = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        "http" => Err("credentials would travel in the clear; write https".to_owned()),
        other => Err(format!(
            "{other} is not a scheme that is spoken here; write https"
        )),
    }
}

fn address(key: &str, text: &str) -> Result<String, ServiceError> {
    check_address(text).map_err(|problem| ServiceError::invalid(format!("{key}: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_or_refused_with_a_remedy() {
        for (text, taken) in [
            (
                "https://acme.my.salesforce.com/",
                "https://acme.my.salesforce.com",
            ),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("http://localhost:8081", "http://localhost:8081"),
        ] {
            assert_eq!(check_address(text).as_deref(), Ok(taken));
        }
        for (text, part) in [
            ("acme.my.salesforce.com", "write an address"),
            ("http://api.hubapi.com", "write https"),
            ("ftp://api.hubapi.com", "write https"),
            ("https://me:secret@api.hubapi.com", "leave them out"),
            ("https://api.hubapi.com/crm", "leave the rest out"),
        ] {
            let problem = check_address(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
