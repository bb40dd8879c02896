//! How tenants stand, and what happens as it happens.

use std::time::Duration;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Caller, Role};
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::{Service, TenantService};
use crate::ask::{AskTenant, TenantStatus};

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
}
