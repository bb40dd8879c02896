//! What waits for a person, and what they decide: held deletes, refused records that they let be, the allocation of
//! Salesforce calls; and how a tenant did lately.

use landbridge_model::ask::{DecideHeld, Decided, HeldDecision};
use landbridge_model::config::Tenant;
use landbridge_model::sync::MaxDeletes;
use landbridge_model::{SalesforceId, SyncName};

use super::TenantService;
use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use crate::ask::{
    AskHistory, ChangeTenant, DismissFailure, HeldEntry, ListHeld, ListParked, ParkedGroup, Seen,
    TenantHistory,
};
use crate::definitions::tenant_tag;

impl TenantService {
    /// What became of changes over time.
    pub async fn history(&self) -> Result<TenantHistory, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask_control(&AskHistory {}).await
    }

    /// The links that wait for a record, by lookup field.
    pub async fn parked(&self) -> Result<Vec<ParkedGroup>, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask_control(&ListParked {}).await
    }

    /// Deletes in grace or awaiting approval, the oldest first.
    pub async fn held(&self, sync: Option<SyncName>) -> Result<Vec<HeldEntry>, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask_control(&ListHeld { sync }).await
    }

    /// The syncs by name, each with how many deletes it may write in an hour without being told to.
    pub(crate) fn delete_limits(&self) -> Vec<(SyncName, MaxDeletes)> {
        let syncs = self.service.config().syncs(self.id());
        let limits = syncs.iter().map(|sync| {
            let definition = &sync.definition;
            let limit = definition.spec.rules.max_deletes.unwrap_or_default();
            (definition.metadata.name.clone(), limit)
        });
        limits.collect()
    }

    /// A person's word on held deletes; on all of the sync when no record is named.
    pub async fn decide_held(
        &self,
        sync: SyncName,
        ids: Vec<SalesforceId>,
        decision: HeldDecision,
    ) -> Result<Decided, ServiceError> {
        self.require(Role::Operator)?;
        self.stored_sync(&sync)?;
        let question = DecideHeld { sync, ids, decision };
        let action = match decision {
            HeldDecision::Approve => "held.approved",
            HeldDecision::Discard => "held.discarded",
        };
        self.audited(action, question.sync.as_str(), async {
            let decided = self.ask_control(&question).await?;
            let change = Change::told(format!("{} deletes", decided.count));
            Ok((decided, change.into()))
        })
        .await
    }

    /// Strikes a record's failures off the list without another try.
    pub async fn dismiss_failure(&self, sync: &SyncName, id: SalesforceId) -> Result<(), ServiceError> {
        self.require(Role::Operator)?;
        let question = DismissFailure {
            sync: sync.clone(),
            id,
        };
        self.audited("failure.dismissed", sync.as_str(), async {
            self.ask_control(&question).await?;
            Ok(((), Change::told(id.as_str()).into()))
        })
        .await
    }

    /// Changes how many calls a day Landbridge may make to Salesforce, if the tenant is as the caller has seen it; `None`
    /// leaves only the reserve alone. Gives the tenant's new tag.
    pub async fn allocate(&self, daily_calls: Option<u64>, seen: Seen) -> Result<String, ServiceError> {
        self.require(Role::Operator)?;
        if daily_calls == Some(0) {
            return Err(ServiceError::invalid(
                "with no call at all nothing can be read: give at least 1, or nothing to leave only the reserve alone",
            ));
        }
        let change = ChangeTenant::Allocate { daily_calls, seen };
        self.audited("allocation.changed", self.id().as_str(), async {
            self.ask_control(&change).await?;
            let is_seen = |seen: &Tenant| seen.salesforce.daily_calls == daily_calls;
            let after = self.service.tenant_soon(self.id(), is_seen).await?;
            let change = Change::between(Some(&*self.tenant), Some(&*after))?;
            Ok((tenant_tag(&after), change.into()))
        })
        .await
    }
}
