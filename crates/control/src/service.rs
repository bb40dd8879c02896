//! The one way in for people and programs: what the REST API and the console do, they do here.
//!
//! * **S1** Whether a caller may is decided here, once, before anything is asked or written.
//! * **S2** A tenant that a caller may not see does not exist for that caller, in the very same words as one that does
//!   not exist for anybody.
//! * **S3** Every change is in the audit log before it is begun, and again, with what came of it, before its answer is given.
//! * **S4** Passwords, tokens and sessions are stored as hashes only; credentials only sealed.
//!
//! [`Service`] is cheap to clone. What belongs to a tenant hangs on [`TenantService`], which [`Service::tenant`] gives
//! only to whom may see the tenant.

mod addresses;
mod alerts;
mod attempts;
mod audit;
mod back_fill;
mod caller;
mod connecting;
mod connections;
mod dry_runs;
mod error;
mod health;
mod identity;
mod imports;
mod keys;
mod look;
mod page;
mod password;
mod proposals;
mod provider;
mod records;
mod repeats;
mod revisions;
mod schema;
mod secret;
mod sessions;
mod shared;
mod sides;
mod standings;
mod syncs;
mod tenants;
mod tokens;
mod undo;
mod users;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use landbridge_bus::{AuditLog, Bucket, Kv};
use landbridge_model::ask::Question;
use landbridge_model::config::Tenant;
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::{ConfigView, Hub};

use crate::Settings;

pub use addresses::check_address;
pub use alerts::{
    AlertBounds, AlertKind, AlertSettings, AlertsView, Channel, MailSecurity, MailView, PutAlerts, PutMail,
    PutWebhook, Standing as StandingAlert, UnsentAlert, WebhookView,
};
pub use audit::{AuditEntry, AuditFilter, AuditState};
pub use caller::{Caller, Grant, Reach, Role};
pub use connecting::{Connecting, HUBSPOT_SCOPES, OAUTH_CALLBACK};
pub use connections::{Connections, Keys, PutCredentials, PutSide};
pub use error::ServiceError;
pub(crate) use health::HealthFacts;
pub use health::Overview;
pub use imports::{ImportCount, ImportCounts};
pub use keys::{OtherSecret, StageKeys};
pub use look::Look;
pub use page::{Page, PageRequest, cursor as page_cursor, paginate};
pub use proposals::{Associated, LeftOut, Proposed, Reviewed, TypeProposal};
pub use provider::{GroupRole, OidcSettings, SignInRoad};
pub(crate) use records::failure_key;
pub use records::{FailureFilter, FailureGroup, RecordStory, RetryRequest};
pub(crate) use repeats::{Remembered, Turn};
pub use revisions::{Draft, DraftId, RevisionDiff, RevisionLine, StoredRevision, definition_diff};
pub use secret::one_time_password;
pub use sessions::{SessionKind, SessionView, SignedIn};
pub use sides::{SideSeen, SidesSeen};
pub use standings::{Standing, SyncCounts};
pub use syncs::{SyncView, definition_tag};
pub use tenants::{PutBoth, PutHubSpot, PutSalesforce, PutTenantBody, TenantView, tenant_tag};
pub use tokens::{CreateToken, CreatedToken, TokenView};
pub use users::{PutUser, UserName, UserView};

/// How long an ordinary question may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Questions that look into Salesforce and HubSpot, or create something there.
const LONG_PATIENCE: Duration = Duration::from_secs(300);

/// The one way in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hub: Hub,
    config: ConfigView,
    settings: Settings,
    audit: AuditLog,
    access: Kv,
    definitions: Kv,
    hashing: password::Hashing,
    provider: provider::KnownProvider,
    sides: sides::Sides,
    standings: standings::Standings,
    health: shared::Shared<TenantId, HealthFacts>,
}

impl Service {
    /// Over an open bus and its configuration.
    pub fn new(hub: Hub, config: ConfigView, settings: Settings) -> Self {
        let bus = hub.bus();
        let (audit, access) = (AuditLog::new(bus), bus.kv(Bucket::Access));
        let definitions = bus.kv(Bucket::Config);
        Self {
            inner: Arc::new(Inner {
                hub,
                config,
                settings,
                audit,
                access,
                definitions,
                hashing: password::Hashing::new(),
                provider: provider::KnownProvider::default(),
                sides: sides::Sides::default(),
                standings: standings::Standings::new(),
                health: shared::Shared::default(),
            }),
        }
    }

    /// Control's settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The live view of the configuration. It knows no callers: show nothing of it that [`TenantService`] did not give.
    pub(crate) fn config(&self) -> &ConfigView {
        &self.inner.config
    }

    fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    fn now_ms(&self) -> i64 {
        self.inner.hub.now_ms()
    }

    /// A tenant, for a caller who may see it; otherwise it is not found, whether it exists or not.
    pub fn tenant(&self, caller: &Caller, tenant: &TenantId) -> Result<TenantService, ServiceError> {
        let found = self.config().tenant(tenant);
        match (found, caller.role_in(tenant)) {
            (Some(found), Some(role)) => Ok(TenantService {
                service: self.clone(),
                caller: caller.clone(),
                tenant: found,
                role,
            }),
            _ => Err(ServiceError::no_tenant(tenant.as_str())),
        }
    }

    /// The tenants that a caller may see, by name.
    pub fn tenants(&self, caller: &Caller) -> Vec<TenantService> {
        let all = self.config().tenants().into_iter();
        let seen = all.filter_map(|tenant| {
            let role = caller.role_in(&tenant.id)?;
            Some(TenantService {
                service: self.clone(),
                caller: caller.clone(),
                tenant,
                role,
            })
        });
        seen.collect()
    }
}

/// What one caller may do with one tenant that they may see. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TenantService {
    service: Service,
    caller: Caller,
    tenant: Arc<Tenant>,
    role: Role,
}

impl TenantService {
    /// Which tenant.
    pub fn id(&self) -> &TenantId {
        &self.tenant.id
    }

    /// What the caller may do here.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Refuses a caller whose role is too small.
    pub fn require(&self, needed: Role) -> Result<(), ServiceError> {
        if self.role >= needed {
            return Ok(());
        }
        Err(ServiceError::forbidden(needed, self.id().as_str()))
    }

    /// Asks the tenant's owner at a stage.
    async fn ask<Q: Question + Sync>(
        &self,
        stage: StageKind,
        question: &Q,
        patience: Duration,
    ) -> Result<Q::Answer, ServiceError> {
        Ok(self
            .service
            .hub()
            .ask(stage, self.id(), question, patience)
            .await?)
    }

    /// Asks control.
    async fn ask_control<Q: Question + Sync>(&self, question: &Q) -> Result<Q::Answer, ServiceError> {
        self.ask(StageKind::Control, question, LONG_PATIENCE).await
    }

    /// Does something in this tenant with its traces in the audit log; see [`Service::audited`].
    async fn audited<T>(
        &self,
        action: &str,
        subject: &str,
        effect: impl Future<Output = Result<(T, audit::Trace), ServiceError>>,
    ) -> Result<T, ServiceError> {
        self.service
            .audited(&self.caller, Some(self.id()), action, subject, effect)
            .await
    }
}
