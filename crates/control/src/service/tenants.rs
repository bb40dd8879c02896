//! Tenants: listed, added, changed, removed.

use std::sync::Arc;

use landbridge_model::config::{HubSpotConnection, SalesforceConnection, Tenant};
use landbridge_model::{HubSpotApiVersion, StageKind, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit;
use super::caller::{Caller, Role};
use super::connections::{PutCredentials, PutSide};
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::{LONG_PATIENCE, Service, TenantService};
use crate::ask::{Change, EditTenant, PutTenant, RemoveTenant, Seen, TenantPart};

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

/// Where the org is. What is left out stays as it is in a tenant that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSalesforce {
    /// The org's My Domain address, such as `https://acme.my.salesforce.com`.
    pub login_url: String,
    /// API calls a day that Landbridge may spend in the org; with `null` all but the reserve.
    #[serde(
        default,
        deserialize_with = "mentioned",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub daily_calls: Option<Option<u64>>,
    /// Whether changes are heard of by change events, for objects that are selected for change data capture, as in a new
    /// tenant. Whatever is not heard is polled for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_events: Option<bool>,
    /// Where the org's Pub/Sub API is, such as `https://api.deu.pubsub.salesforce.com:7443`; with `null` where the
    /// installation says. The org's tokens go there: whoever changes it gives credentials as well.
    #[serde(
        default,
        deserialize_with = "mentioned",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub pubsub_url: Option<Option<String>>,
}

/// What is mentioned, be it as `null`; what is not is `None` by default.
fn mentioned<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Where the portal is. What is left out stays as it is in a tenant that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutHubSpot {
    /// HubSpot's address: `https://api.hubapi.com` in a new tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Calls per ten seconds to start from, until HubSpot's headers say otherwise; 0 is no limit.
    #[serde(
        default,
        deserialize_with = "mentioned",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>)]
    pub calls_per_ten_seconds: Option<Option<u32>>,
    /// HubSpot's paths to call: a date such as `2026-03`, or `v3` for the numbered ones; null is the newest that Landbridge knows.
    #[serde(
        default,
        deserialize_with = "mentioned",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub api_version: Option<Option<HubSpotApiVersion>>,
}

/// HubSpot's address.
const HUBSPOT: &str = "https://api.hubapi.com";

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
            let after = self.tenant_soon(id, |seen| is_as_put(&edit.put, seen)).await?;
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
    pub(super) async fn tenant_soon(
        &self,
        id: &TenantId,
        is_seen: impl Fn(&Tenant) -> bool + Send,
    ) -> Result<Arc<Tenant>, ServiceError> {
        let seen = self
            .config()
            .wait_for(|config| config.tenant(id).filter(|seen| is_seen(seen)));
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
        let sides = stored.map(|tenant| (&tenant.salesforce, &tenant.hubspot));
        let login_url = self.reachable(
            "salesforce.login_url",
            &wanted.salesforce.login_url,
            sides.map(|(salesforce, _)| salesforce.login_url.as_str()),
        )?;
        let keep = unmentioned(&wanted);
        let base_url = match &wanted.hubspot.base_url {
            Some(base_url) => {
                let before = sides.map(|(_, hubspot)| hubspot.base_url.as_str());
                self.reachable("hubspot.base_url", base_url, before)?
            }
            None => stored
                .map_or(HUBSPOT, |tenant| &tenant.hubspot.base_url)
                .to_owned(),
        };
        let pubsub_url = wanted.salesforce.pubsub_url.flatten();
        let pubsub_url = pubsub_url
            .map(|url| {
                let before = sides.and_then(|(salesforce, _)| salesforce.pubsub_url.as_deref());
                self.reachable("salesforce.pubsub_url", &url, before)
            })
            .transpose()?;
        let (salesforce, hubspot) = wanted
            .credentials
            .map_or((None, None), |both| (both.salesforce, both.hubspot));
        let given = (salesforce.is_some(), hubspot.is_some());
        if stored
            .is_some_and(|stored| moves_bare(stored, (&login_url, pubsub_url.as_deref(), &base_url), given))
        {
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
                    daily_calls: wanted.salesforce.daily_calls.flatten(),
                    change_events: wanted.salesforce.change_events.unwrap_or(true),
                    pubsub_url,
                    adopted_ms: None,
                },
                hubspot: HubSpotConnection {
                    base_url,
                    portal_id: None,
                    calls_per_ten_seconds: wanted.hubspot.calls_per_ten_seconds.flatten(),
                    api_version: wanted.hubspot.api_version.clone().flatten(),
                },
                suspended: None,
            },
            salesforce: self.seal(PutSide::Salesforce, salesforce).await?,
            hubspot: self.seal(PutSide::HubSpot, hubspot).await?,
            keep,
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

/// Whether a side moves to another address without credentials for it. The addresses are My Domain, the Pub/Sub API and
/// HubSpot; `given` says of which side credentials come along.
fn moves_bare(
    stored: &Tenant,
    (login_url, pubsub_url, base_url): (&str, Option<&str>, &str),
    (salesforce, hubspot): (bool, bool),
) -> bool {
    let listens_elsewhere = pubsub_url.is_some() && pubsub_url != stored.salesforce.pubsub_url.as_deref();
    let moves = login_url != stored.salesforce.login_url || listens_elsewhere;
    (moves && !salesforce) || (base_url != stored.hubspot.base_url && !hubspot)
}

/// What somebody who wants a tenant so said nothing of.
fn unmentioned(wanted: &PutTenantBody) -> Vec<TenantPart> {
    let (salesforce, hubspot) = (&wanted.salesforce, &wanted.hubspot);
    [
        (TenantPart::DailyCalls, salesforce.daily_calls.is_none()),
        (TenantPart::ChangeEvents, salesforce.change_events.is_none()),
        (TenantPart::PubsubUrl, salesforce.pubsub_url.is_none()),
        (
            TenantPart::CallsPerTenSeconds,
            hubspot.calls_per_ten_seconds.is_none(),
        ),
        (TenantPart::ApiVersion, hubspot.api_version.is_none()),
    ]
    .into_iter()
    .filter_map(|(part, is_unmentioned)| is_unmentioned.then_some(part))
    .collect()
}

/// Whether a tenant is as it was put, but for what was to stay.
fn is_as_put(put: &PutTenant, seen: &Tenant) -> bool {
    let kept = |part| put.keep.contains(&part);
    let (ours, theirs) = (&put.tenant.salesforce, &seen.salesforce);
    let salesforce = ours.login_url == theirs.login_url
        && (kept(TenantPart::DailyCalls) || ours.daily_calls == theirs.daily_calls)
        && (kept(TenantPart::ChangeEvents) || ours.change_events == theirs.change_events)
        && (kept(TenantPart::PubsubUrl) || ours.pubsub_url == theirs.pubsub_url);
    let (ours, theirs) = (&put.tenant.hubspot, &seen.hubspot);
    salesforce
        && ours.base_url == theirs.base_url
        && (kept(TenantPart::CallsPerTenSeconds)
            || ours.calls_per_ten_seconds == theirs.calls_per_ten_seconds)
        && (kept(TenantPart::ApiVersion) || ours.api_version == theirs.api_version)
}
