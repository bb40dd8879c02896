//! How both connections stood when they were looked at last, for those who may see but not test them.
//!
//! A look signs in and reads limits, which costs calls on both sides and takes as long as they take: it is shared, and
//! repeated in the background only while somebody looks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use landbridge_bus::{Bucket, Key};
use landbridge_model::ask::{HubSpotTest, SalesforceTest, TestHubSpot, TestSalesforce};
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::Side;
use landbridge_wire::AskError;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Role;
use super::error::ServiceError;
use super::{Service, TenantService};

/// Signing in and reading limits takes a few calls.
const LOOK: Duration = Duration::from_secs(60);
/// A look that is older is repeated when somebody asks.
const OLD_AFTER: Duration = Duration::from_secs(60);
/// How long the very first look at a tenant is waited for.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// One connection, as it was seen last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SideSeen<T> {
    /// Whether credentials are stored. They are never shown.
    pub has_credentials: bool,
    /// When it was looked at, in milliseconds since 1970; none when the first look has not ended yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// What was seen, when it could be signed in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<T>,
    /// Why it could not be signed in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Both connections, as they were seen last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SidesSeen {
    /// Salesforce.
    pub salesforce: SideSeen<SalesforceTest>,
    /// HubSpot.
    pub hubspot: SideSeen<HubSpotTest>,
}

/// The last looks, by tenant.
#[derive(Debug, Default)]
pub(super) struct Sides {
    seen: Mutex<HashMap<TenantId, Look>>,
}

#[derive(Clone, Debug)]
struct Look {
    seen: SidesSeen,
    at: Instant,
    is_under_way: bool,
}

impl Sides {
    /// What was seen is not so any more.
    pub(super) fn forget(&self, tenant: &TenantId) {
        self.seen.lock().remove(tenant);
    }
}

impl TenantService {
    /// How both connections stood a moment ago. Only the first time somebody asks is the look waited for, and not for
    /// long.
    pub async fn sides_seen(&self) -> Result<SidesSeen, ServiceError> {
        self.require(Role::Viewer)?;
        let (salesforce, hubspot) = (
            self.has_credentials(Side::Salesforce).await?,
            self.has_credentials(Side::HubSpot).await?,
        );
        let mut seen = self.looked_at().await;
        seen.salesforce.has_credentials = salesforce;
        seen.hubspot.has_credentials = hubspot;
        Ok(seen)
    }

    /// Whether credentials of one side are stored; they themselves stay where they are.
    pub(crate) async fn has_credentials(&self, side: Side) -> Result<bool, ServiceError> {
        let bucket = self.service.hub().bus().kv(Bucket::Secrets);
        let place = Key::new([self.id().as_str(), side.as_str()]);
        Ok(bucket.get(&place).await?.is_some())
    }

    async fn looked_at(&self) -> SidesSeen {
        let sides = &self.service.inner.sides;
        let (known, begins) = {
            let mut all = sides.seen.lock();
            match all.get_mut(self.id()) {
                Some(look) => {
                    let begins = !look.is_under_way && look.at.elapsed() > OLD_AFTER;
                    look.is_under_way |= begins;
                    (Some(look.seen.clone()), begins)
                }
                None => (None, true),
            }
        };
        let look = begins.then(|| tokio::spawn(look(self.service.clone(), self.id().clone())));
        match (known, look) {
            (Some(known), _) => known,
            (None, Some(look)) => {
                let first = tokio::time::timeout(FIRST_LOOK, look).await;
                first.ok().and_then(Result::ok).unwrap_or_default()
            }
            (None, None) => SidesSeen::default(),
        }
    }
}

/// Looks at both sides of a tenant and remembers what was seen.
async fn look(service: Service, tenant: TenantId) -> SidesSeen {
    let hub = service.hub();
    let (salesforce, hubspot) = futures::join!(
        hub.ask(StageKind::Extractor, &tenant, &TestSalesforce {}, LOOK),
        hub.ask(StageKind::Loader, &tenant, &TestHubSpot {}, LOOK),
    );
    let at_ms = service.now_ms();
    let seen = SidesSeen {
        salesforce: side(salesforce, at_ms),
        hubspot: side(hubspot, at_ms),
    };
    let look = Look {
        seen: seen.clone(),
        at: Instant::now(),
        is_under_way: false,
    };
    service.inner.sides.seen.lock().insert(tenant, look);
    seen
}

fn side<T>(answer: Result<T, AskError>, at_ms: i64) -> SideSeen<T> {
    let (test, trouble) = match answer {
        Ok(test) => (Some(test), None),
        Err(error) => (None, Some(error.to_string())),
    };
    SideSeen {
        has_credentials: false,
        at_ms: Some(at_ms),
        test,
        trouble,
    }
}
