//! The account of everything: reports folded, in the order of their stream, into imports, syncs and compares.
//!
//! Pure: no bus, no clock, no disk. An import's records and links are kept in memory maps while the import is open (20
//! MB for 100,000 records with two links each, 240 MB for a million, measured), since a disk cache costs more time per
//! record than the whole fold. What is stored on disk are the counts of closed imports and the first sequence of the
//! open ones: after a restart only the reports of open imports are read again.

mod compact;
mod compare;
mod dry_run;
mod history;
mod links;
mod rate;
mod records;
mod run;
mod tenant;

use std::collections::HashMap;

use landbridge_model::TenantId;
use landbridge_wire::Report;

pub use compare::CompareAccount;
pub use dry_run::DryRunAccount;
pub(crate) use dry_run::{Coming, KeptAnswers, Lookup, Present, SHOWN_MAX};
pub use history::{History, Series, Stretch};
pub use links::LinkAccount;
pub use rate::Rate;
pub use records::{Assessment, InFlight, Mark, RecordAccount};
pub use run::RunAccount;
pub(crate) use tenant::StoredTenant;
pub use tenant::{SyncAccount, TenantLedger};

/// The accounts of one shard's tenants.
#[derive(Debug, Default)]
pub struct Ledger {
    tenants: HashMap<TenantId, TenantLedger>,
    through: u64,
}

impl Ledger {
    /// Continues from what was stored.
    pub(crate) fn restore(through: u64, stored: impl IntoIterator<Item = (TenantId, StoredTenant)>) -> Self {
        let tenants = stored
            .into_iter()
            .map(|(tenant, stored)| (tenant, TenantLedger::restore(stored)));
        Self {
            tenants: tenants.collect(),
            through,
        }
    }

    /// Folds the report at a place of the stream. A place that was folded before is passed over.
    pub fn fold(&mut self, sequence: u64, report: &Report) {
        if let Some(tenant) = self.tenants.get_mut(&report.envelope.tenant) {
            tenant.fold(sequence, report);
        } else {
            let mut tenant = TenantLedger::default();
            tenant.fold(sequence, report);
            self.tenants.insert(report.envelope.tenant.clone(), tenant);
        }
        self.through = self.through.max(sequence);
    }

    /// Everything of the shard up to this sequence is folded.
    pub fn through(&self) -> u64 {
        self.through
    }

    /// The follower has come to this place without a report for us in between.
    pub(crate) fn passed(&mut self, sequence: u64) {
        self.through = self.through.max(sequence);
    }

    /// Where reading must start after a restart: nothing that open imports need lies before it.
    pub(crate) fn replay_from(&self) -> u64 {
        let open = self.tenants.values().filter_map(TenantLedger::oldest_open).min();
        open.unwrap_or(u64::MAX).min(self.through + 1)
    }

    /// One tenant's accounts.
    pub fn tenant(&self, tenant: &TenantId) -> Option<&TenantLedger> {
        self.tenants.get(tenant)
    }

    /// One tenant's accounts, to change.
    pub(crate) fn tenant_mut(&mut self, tenant: &TenantId) -> &mut TenantLedger {
        self.tenants.entry(tenant.clone()).or_default()
    }

    /// All tenants with accounts, to change.
    pub(crate) fn tenants_mut(&mut self) -> impl Iterator<Item = (&TenantId, &mut TenantLedger)> {
        self.tenants.iter_mut()
    }

    /// Forgets a tenant.
    pub(crate) fn forget(&mut self, tenant: &TenantId) {
        self.tenants.remove(tenant);
    }
}

#[cfg(test)]
mod tests;
