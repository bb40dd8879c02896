//! The audit log: who changed what and when, with what was before and after.

use landbridge_model::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::{Caller, Role};
use super::error::ServiceError;
use super::page::{Page, PageRequest, cursor};
use super::{Service, TenantService};

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the log.
    pub sequence: u64,
    /// When, by the bus's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// In which tenant; none for what belongs to the installation.
    pub tenant: Option<TenantId>,
    /// Who: `user:ann`, `token:k3f9 of user:ann`, `cli:root`.
    pub who: String,
    /// What was done, such as `sync.changed`.
    pub action: String,
    /// To what: a sync's name, an import's id, a user.
    pub subject: String,
    /// More of it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What was there before, where it is a definition or the like. Never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What an entry holds besides who, when and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    detail: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Change {
    /// Nothing to add.
    pub(crate) fn done() -> Self {
        Self::default()
    }

    /// In words.
    pub(crate) fn told(detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::default()
        }
    }

    /// The same, with words.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Something that was one thing and is another.
    pub(crate) fn between<T: Serialize>(before: Option<&T>, after: Option<&T>) -> Result<Self, ServiceError> {
        Ok(Self {
            detail: None,
            before: before.map(serde_json::to_value).transpose()?,
            after: after.map(serde_json::to_value).transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredEntry {
    who: String,
    action: String,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

impl Service {
    /// Writes an entry, and returns once it is stored.
    pub(super) async fn write_audit(
        &self,
        caller: &Caller,
        tenant: Option<&TenantId>,
        action: &str,
        subject: &str,
        change: Change,
    ) -> Result<(), ServiceError> {
        let entry = StoredEntry {
            who: caller.who.clone(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: change.detail,
            before: change.before,
            after: change.after,
        };
        tracing::info!(
            who = entry.who,
            action,
            subject,
            tenant = tenant.map(TenantId::as_str),
            "changed"
        );
        let written = self.inner.audit.append(tenant, serde_json::to_vec(&entry)?).await;
        written.map(drop).map_err(|error| {
            ServiceError::Unavailable(format!(
                "it is done, but the audit log could not be written: {error}"
            ))
        })
    }

    /// Notes a change that was made over the bus, by somebody who has that in hand.
    pub async fn note(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        action: &str,
        subject: &str,
    ) -> Result<(), ServiceError> {
        self.write_audit(
            caller,
            Some(tenant),
            action,
            subject,
            Change::told("over the bus"),
        )
        .await
    }

    /// The whole log, newest first. For admins of everything.
    pub async fn audit_log(
        &self,
        caller: &Caller,
        request: &PageRequest,
    ) -> Result<Page<AuditEntry>, ServiceError> {
        self.require_everywhere(caller, Role::Admin)?;
        self.read_audit(None, request).await
    }

    async fn read_audit(
        &self,
        tenant: Option<&TenantId>,
        request: &PageRequest,
    ) -> Result<Page<AuditEntry>, ServiceError> {
        let page = self
            .inner
            .audit
            .newest(tenant, request.after()?, request.limit()?)
            .await?;
        let items = page.records.into_iter().filter_map(|record| {
            let stored: StoredEntry = serde_json::from_slice(&record.payload).ok()?;
            Some(AuditEntry {
                sequence: record.sequence,
                at_ms: record.time.as_millisecond(),
                tenant: record.tenant,
                who: stored.who,
                action: stored.action,
                subject: stored.subject,
                detail: stored.detail,
                before: stored.before,
                after: stored.after,
            })
        });
        Ok(Page {
            items: items.collect(),
            next: page.before.map(|before| cursor(&before)).transpose()?,
        })
    }

    /// Refuses a caller whose role over the whole installation is too small.
    pub(super) fn require_everywhere(&self, caller: &Caller, needed: Role) -> Result<(), ServiceError> {
        if caller.role_everywhere() >= Some(needed) {
            return Ok(());
        }
        Err(ServiceError::forbidden(needed, "all tenants"))
    }
}

impl TenantService {
    /// What was changed in this tenant, newest first.
    pub async fn audit_log(&self, request: &PageRequest) -> Result<Page<AuditEntry>, ServiceError> {
        self.require(Role::Viewer)?;
        self.service.read_audit(Some(self.id()), request).await
    }
}
