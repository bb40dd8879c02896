//! The audit log: who changed what and when, with what was before and after.

mod change;

use std::collections::HashSet;
use std::time::Duration;

use landbridge_bus::AuditRecord;
use landbridge_model::TenantId;
use landbridge_wire::AskError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub(crate) use self::change::{Change, Trace};
use super::caller::{Caller, Role};
use super::error::ServiceError;
use super::page::{Page, PageRequest, cursor};
use super::{Service, TenantService, secret};

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
    /// Whether it is known that it was done.
    #[serde(default)]
    pub state: AuditState,
}

/// What is known of a change: each is written down before anything is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuditState {
    /// It was done.
    #[default]
    Done,
    /// It was asked for; it is under way, or whoever did it was cut off.
    Asked,
    /// It was asked for and ended with the error that is told: it may be done, in whole or in part, or not.
    Unclear,
}

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those that say this: in who, what, to what, where, or in their words.
    pub query: Option<String>,
    /// Only of this kind, one of [`AuditFilter::KINDS`].
    pub kind: Option<String>,
}

/// The longest that one change may take.
const LONGEST: Duration = Duration::from_secs(600);
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

/// What an entry is, when it is not what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    /// It is about to be done. Shown for as long as nothing follows.
    Asked,
    /// Nothing was done. Never shown.
    Nothing,
    /// It ended with an error that leaves open what was done.
    Unclear,
}

#[derive(Serialize, Deserialize)]
struct StoredEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    /// What the entries of one change share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<String>,
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
    /// Does something and writes down that it was done. That it is about to be done is stored before `effect` is begun,
    /// so that nothing is done without a trace; where it cannot be stored, nothing is done.
    pub(super) async fn audited<T>(
        &self,
        caller: &Caller,
        tenant: Option<&TenantId>,
        action: &str,
        subject: &str,
        effect: impl Future<Output = Result<(T, Trace), ServiceError>>,
    ) -> Result<T, ServiceError> {
        let attempt = secret::generate();
        let entry = |phase: Option<Phase>, (action, subject): (&str, &str), change: Change| StoredEntry {
            phase,
            attempt: Some(attempt.clone()),
            who: caller.who.clone(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: change.detail,
            before: change.before,
            after: change.after,
        };
        let asked = entry(Some(Phase::Asked), (action, subject), Change::done());
        self.append_audit(tenant, &asked).await.map_err(|error| {
            ServiceError::Unavailable(format!(
                "nothing is done, since the audit log cannot be written: {error}"
            ))
        })?;
        let (done, entries) = match effect.await {
            Ok((done, Trace(lines))) if lines.is_empty() => {
                let nothing = entry(Some(Phase::Nothing), (action, subject), Change::done());
                (Ok(done), vec![nothing])
            }
            Ok((done, Trace(lines))) => {
                let lines = lines.into_iter().map(|line| {
                    let named = line.named.as_ref();
                    let named = named.map_or((action, subject), |(action, subject)| (action, subject));
                    entry(None, named, line.change)
                });
                (Ok(done), lines.collect())
            }
            Err(error) => {
                let (phase, change) = if error.leaves_all_as_it_was() {
                    (Phase::Nothing, Change::done())
                } else {
                    (Phase::Unclear, Change::told(error.to_string()))
                };
                (Err(error), vec![entry(Some(phase), (action, subject), change)])
            }
        };
        for entry in entries {
            if entry.phase.is_none() {
                let (who, tenant) = (&entry.who, tenant.map(TenantId::as_str));
                tracing::info!(
                    who,
                    action = entry.action,
                    subject = entry.subject,
                    tenant,
                    "changed"
                );
            }
            match (self.append_audit(tenant, &entry).await, &done) {
                (Err(error), Ok(_)) => {
                    return Err(ServiceError::Unavailable(format!(
                        "it is done, but the audit log shows only that it was asked for: {error}"
                    )));
                }
                // The error of the change itself says more.
                (_, Err(_)) | (Ok(()), _) => {}
            }
        }
        done
    }

    async fn append_audit(&self, tenant: Option<&TenantId>, entry: &StoredEntry) -> Result<(), ServiceError> {
        self.inner
            .audit
            .append(tenant, serde_json::to_vec(entry)?)
            .await?;
        Ok(())
    }

    /// Makes a change over the bus, for somebody who has that in hand.
    pub async fn noted<T>(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        (action, subject): (&str, &str),
        effect: impl Future<Output = Result<T, AskError>>,
    ) -> Result<T, ServiceError> {
        let effect = async { Ok((effect.await?, Change::told("over the bus").into())) };
        self.audited(caller, Some(tenant), action, subject, effect).await
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
        let mut ended = match before {
            Some(before) => self.ended_since(tenant, before).await?,
            None => HashSet::new(),
        };
        loop {
            let page = self.inner.audit.newest(tenant, before, limit).await?;
            looked_through += page.records.len();
            let found = page
                .records
                .into_iter()
                .filter_map(|record| entry_of(record, &mut ended));
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

    /// The attempts that ended soon after a place in the log: what they say was asked for before it is told there.
    async fn ended_since(
        &self,
        tenant: Option<&TenantId>,
        place: u64,
    ) -> Result<HashSet<String>, ServiceError> {
        let mut ended = HashSet::new();
        for record in self.inner.audit.following(tenant, place, LONGEST).await? {
            let _later = entry_of(record, &mut ended);
        }
        Ok(ended)
    }

    /// Refuses a caller whose role over the whole installation is too small.
    pub(crate) fn require_everywhere(&self, caller: &Caller, needed: Role) -> Result<(), ServiceError> {
        if caller.role_everywhere() >= Some(needed) {
            return Ok(());
        }
        Err(ServiceError::forbidden(needed, "all tenants"))
    }
}

/// What a record of the log shows; nothing of what was asked for if `ended` knows how it ended. Records are given the
/// newest first, and `ended` grows by them.
fn entry_of(record: AuditRecord, ended: &mut HashSet<String>) -> Option<AuditEntry> {
    let stored: StoredEntry = serde_json::from_slice(&record.payload).ok()?;
    let state = match stored.phase {
        Some(Phase::Asked)
            if stored
                .attempt
                .as_ref()
                .is_some_and(|attempt| ended.contains(attempt)) =>
        {
            return None;
        }
        Some(Phase::Asked) => AuditState::Asked,
        Some(Phase::Nothing) => {
            ended.extend(stored.attempt);
            return None;
        }
        Some(Phase::Unclear) => {
            ended.extend(stored.attempt);
            AuditState::Unclear
        }
        None => {
            ended.extend(stored.attempt);
            AuditState::Done
        }
    };
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
        state,
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
mod tests;
