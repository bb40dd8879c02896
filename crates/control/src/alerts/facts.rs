//! The health of a tenant, as far as alerts look at it.

use std::collections::BTreeMap;

use landbridge_model::SyncName;
use landbridge_model::config::SyncStatus;
use landbridge_wire::HeldDelete;

use crate::ask::{SyncLine, TenantStatus};

/// How a tenant stands. `None` is what could not be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Why it stands still, when it does.
    pub(crate) suspended: Option<String>,
    pub(crate) syncs: Vec<SyncFacts>,
    /// Deletes that wait for a person, by sync.
    pub(crate) held: Option<BTreeMap<SyncName, u64>>,
    /// Records and links that are refused.
    pub(crate) failures: Option<u64>,
    pub(crate) credentials: Vec<CredentialFacts>,
}

/// How a sync stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyncFacts {
    pub(crate) name: SyncName,
    /// Why Landbridge stopped it, when it did.
    pub(crate) suspended: Option<String>,
    /// Whether it reads.
    pub(crate) runs: bool,
    /// How far it is behind, in milliseconds.
    pub(crate) behind_ms: Option<i64>,
}

/// How one side's credentials stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CredentialFacts {
    /// The word for programs.
    pub(crate) side: &'static str,
    /// The name for people.
    pub(crate) name: &'static str,
    /// What signing in said last: `Some(None)` when it was well, the refusal's words when it was not.
    pub(crate) refused: Option<Option<String>>,
    /// Days since they were entered; none when there are none.
    pub(crate) age_days: Option<u32>,
}

impl Facts {
    /// Out of what the stages said.
    pub(crate) fn of(
        status: &TenantStatus,
        held: Option<&[HeldDelete]>,
        credentials: Vec<CredentialFacts>,
    ) -> Self {
        Self {
            suspended: status.suspended.clone(),
            syncs: status
                .syncs
                .iter()
                .map(|line| sync(line, status.suspended.is_none()))
                .collect(),
            held: held.map(waiting),
            failures: Some(status.failures),
            credentials,
        }
    }
}

/// While the tenant stands still, all of it is behind, and that is told already.
fn sync(line: &SyncLine, tenant_runs: bool) -> SyncFacts {
    let reason = || {
        let reason = line.reason.clone();
        reason.unwrap_or_else(|| "the reason was not recorded".to_owned())
    };
    SyncFacts {
        name: line.name.clone(),
        suspended: (line.status == SyncStatus::Suspended).then(reason),
        runs: line.status == SyncStatus::Active,
        behind_ms: line.behind_ms.filter(|_| tenant_runs),
    }
}

/// What is in its grace goes by itself; what has no end waits for a person.
fn waiting(held: &[HeldDelete]) -> BTreeMap<SyncName, u64> {
    let mut counts = BTreeMap::new();
    for delete in held.iter().filter(|delete| delete.until_ms.is_none()) {
        *counts.entry(delete.envelope.sync.clone()).or_insert(0) += 1;
    }
    counts
}
