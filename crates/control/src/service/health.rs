//! How tenants stand, and what happens as it happens.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use landbridge_model::SyncName;
use landbridge_model::sync::MaxDeletes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::alerts::Standing as StandingAlert;
use super::caller::{Caller, Role};
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::records::FailureGroup;
use super::{Service, TenantService};
use crate::ask::{AskTenant, HeldEntry, ParkedGroup, TenantHistory, TenantStatus};

/// How long one tenant's status may take.
const STATUS: Duration = Duration::from_secs(15);
/// Tenants asked at the same time.
const TOGETHER: usize = 16;

/// One tenant in an overview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// Which tenant.
    pub tenant: landbridge_model::TenantId,
    /// How it stands; none when it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TenantStatus>,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What a page of a tenant's health is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct HealthFacts {
    pub(crate) status: TenantStatus,
    pub(crate) history: TenantHistory,
    pub(crate) parked: Vec<ParkedGroup>,
    pub(crate) held: Vec<HeldEntry>,
    pub(crate) failures: Vec<FailureGroup>,
    /// The safety limits of the syncs.
    pub(crate) limits: Vec<(SyncName, MaxDeletes)>,
    /// What was told to people and is not over.
    pub(crate) standing: Vec<StandingAlert>,
    /// Freshness beyond this is told to people.
    pub(crate) bound: Option<Duration>,
    /// Calls a day that Landbridge may make to Salesforce.
    pub(crate) allocation: Option<u64>,
    /// Stands for the tenant, allocation included.
    pub(crate) tag: String,
}

impl Service {
    /// How the tenants stand that the caller may see. One that cannot be asked does not hide the others.
    pub async fn overview(
        &self,
        caller: &Caller,
        request: &PageRequest,
    ) -> Result<Page<Overview>, ServiceError> {
        let page = paginate(self.tenants(caller), |tenant| tenant.id().clone(), request)?;
        let asked = futures::stream::iter(page.items).map(|tenant| async move {
            let (status, trouble) = match tenant.status().await {
                Ok(status) => (Some(status), None),
                Err(error) => (None, Some(error.to_string())),
            };
            Overview {
                tenant: tenant.id().clone(),
                status,
                trouble,
            }
        });
        Ok(Page {
            items: asked.buffered(TOGETHER).collect().await,
            next: page.next,
        })
    }
}

impl TenantService {
    /// How the tenant stands.
    pub async fn status(&self) -> Result<TenantStatus, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask(landbridge_model::StageKind::Control, &AskTenant {}, STATUS)
            .await
    }

    /// The tenant's health as it is now.
    pub(crate) async fn health_now(&self) -> Result<Arc<HealthFacts>, ServiceError> {
        self.require(Role::Viewer)?;
        self.service.inner.health.now(self.id(), self.find_health()).await
    }

    /// The tenant's health as it was a moment ago. All failures, held deletes and parked links are listed for it: once for
    /// all pages that follow it.
    pub(crate) async fn recent_health(&self) -> Result<Arc<HealthFacts>, ServiceError> {
        self.require(Role::Viewer)?;
        self.service
            .inner
            .health
            .recent(self.id(), self.find_health())
            .await
    }

    /// Nothing in it depends on who asks.
    async fn find_health(&self) -> Result<HealthFacts, ServiceError> {
        let (status, history, parked, held, failures, alerts) = futures::try_join!(
            self.status(),
            self.history(),
            self.parked(),
            self.held(None),
            self.failure_groups(),
            self.alerts(),
        )?;
        let settings = &alerts.settings;
        let bound = settings.bounds.behind_seconds.map(Duration::from_secs);
        Ok(HealthFacts {
            status,
            history,
            parked,
            held,
            failures,
            bound: bound.filter(|_| settings.webhook.is_some() || settings.mail.is_some()),
            standing: alerts.standing,
            limits: self.delete_limits(),
            allocation: self.tenant.salesforce.daily_calls,
            tag: self.tag(),
        })
    }
}
