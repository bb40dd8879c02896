//! The audit log: who changed what and when, with what was before and after.

use landbridge_bus::AuditRecord;
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

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those that say this: in who, what, to what, where, or in their words.
    pub query: Option<String>,
    /// Only of this kind, one of [`AuditFilter::KINDS`].
    pub kind: Option<String>,
}

/// Entries looked through for one page of those that match.
const LOOKED_THROUGH_MAX: usize = 20_000;

impl AuditFilter {
    /// What actions begin with, before their dot.
    pub const KINDS: [&'static str; 13] = [
        "alerts",
        "connections",
        "credentials",
        "draft",
        "failures",
        "import",
        "records",
        "session",
        "sync",
        "tenant",
        "token",
        "user",
        "verify",
    ];

    fn takes(&self, entry: &AuditEntry) -> bool {
        let kind = entry.action.split('.').next().unwrap_or_default();
        if self.kind.as_ref().is_some_and(|wanted| wanted != kind) {
            return false;
        }
        let Some(query) = &self.query else { return true };
        let query = query.to_lowercase();
        let tenant = entry.tenant.as_ref().map(TenantId::as_str);
        let said = [
            Some(entry.who.as_str()),
            Some(entry.action.as_str()),
            Some(entry.subject.as_str()),
            entry.detail.as_deref(),
            tenant,
        ];
        said.into_iter()
            .flatten()
            .any(|text| text.to_lowercase().contains(&query))
    }
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
        self.search_audit_log(caller, &AuditFilter::default(), request)
            .await
    }

    /// The entries of the whole log that match, newest first. For admins of everything.
    pub async fn search_audit_log(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        request: &PageRequest,
    ) -> Result<Page<AuditEntry>, ServiceError> {
        self.require_everywhere(caller, Role::Admin)?;
        self.read_audit(None, filter, request).await
    }

    async fn read_audit(
        &self,
        tenant: Option<&TenantId>,
        filter: &AuditFilter,
        request: &PageRequest,
    ) -> Result<Page<AuditEntry>, ServiceError> {
        let limit = request.limit()?;
        let mut before: Option<u64> = request.after()?;
        let mut items: Vec<AuditEntry> = Vec::new();
        let mut looked_through = 0;
        loop {
            let page = self.inner.audit.newest(tenant, before, limit).await?;
            looked_through += page.records.len();
            let found = page.records.into_iter().filter_map(entry_of);
            items.extend(found.filter(|entry| filter.takes(entry)));
            before = page.before;
            if before.is_none() || items.len() >= limit || looked_through >= LOOKED_THROUGH_MAX {
                break;
            }
        }
        if items.len() > limit {
            items.truncate(limit);
            before = items.last().map(|last| last.sequence);
        }
        Ok(Page {
            items,
            next: before.map(|before| cursor(&before)).transpose()?,
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

fn entry_of(record: AuditRecord) -> Option<AuditEntry> {
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
}

impl TenantService {
    /// What was changed in this tenant, newest first.
    pub async fn audit_log(&self, request: &PageRequest) -> Result<Page<AuditEntry>, ServiceError> {
        self.search_audit_log(&AuditFilter::default(), request).await
    }

    /// The entries of this tenant that match, newest first.
    pub async fn search_audit_log(
        &self,
        filter: &AuditFilter,
        request: &PageRequest,
    ) -> Result<Page<AuditEntry>, ServiceError> {
        self.require(Role::Viewer)?;
        self.service.read_audit(Some(self.id()), filter, request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_what_they_say_and_by_their_kind() {
        let entry = AuditEntry {
            sequence: 1,
            at_ms: 0,
            tenant: Some(TenantId::new("acme").unwrap()),
            who: "user:ann".to_owned(),
            action: "sync.changed".to_owned(),
            subject: "vehicles".to_owned(),
            detail: Some("created in HubSpot: property Salesforce_ID".to_owned()),
            before: None,
            after: None,
        };
        for (query, kind, is_taken) in [
            (None, None, true),
            (Some("ANN"), None, true),
            (Some("vehic"), Some("sync"), true),
            (Some("salesforce_id"), None, true),
            (Some("acme"), None, true),
            (Some("globex"), None, false),
            (None, Some("token"), false),
            (None, Some("syn"), false),
        ] {
            let filter = AuditFilter {
                query: query.map(str::to_owned),
                kind: kind.map(str::to_owned),
            };
            assert_eq!(filter.takes(&entry), is_taken, "{filter:?}");
        }
    }
}
