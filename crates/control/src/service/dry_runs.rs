//! Dry runs: what an import of a definition would do. Nothing is written anywhere, so whoever may see the tenant may
//! ask; the calls to both systems are the editors' to spend.

use landbridge_model::sync::SyncDefinition;
use landbridge_model::{RunId, SalesforceId};

use super::TenantService;
use super::caller::Role;
use super::error::ServiceError;
use super::page::{PageRequest, cursor};
use crate::ask::{
    CancelDryRun, CountMatching, DryRunLine, DryRunPage, DryRunPart, DryRunProgress, DryRunRecords,
    DryRunStarted, DryRunState, ListDryRuns, MatchingCount, StartDryRun,
};

impl TenantService {
    /// Starts a dry run; none when the definition has problems, which are in the answer.
    pub async fn start_dry_run(&self, wanted: StartDryRun) -> Result<DryRunStarted, ServiceError> {
        self.require(Role::Editor)?;
        self.check_owner(std::slice::from_ref(&wanted.definition))?;
        self.check_owner(&wanted.together)?;
        self.ask_control(&wanted).await
    }

    /// Where a dry run stands.
    pub async fn dry_run(&self, run: &RunId) -> Result<DryRunProgress, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask_control(&DryRunState { run: run.clone() }).await
    }

    /// A page of a dry run's records.
    pub async fn dry_run_records(&self, wanted: &DryRunPage) -> Result<DryRunRecords, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask_control(wanted).await
    }

    /// The same by the cursor of a list, which it answers too.
    pub async fn dry_run_records_page(
        &self,
        run: &RunId,
        part: DryRunPart,
        page: &PageRequest,
    ) -> Result<(DryRunRecords, Option<String>), ServiceError> {
        let wanted = DryRunPage {
            run: run.clone(),
            part,
            after: page.after::<SalesforceId>()?,
            limit: page.limit()?,
        };
        let records = self.dry_run_records(&wanted).await?;
        let next = records.after.as_ref().map(cursor).transpose()?;
        Ok((records, next))
    }

    /// The dry runs that are remembered, the newest first.
    pub async fn dry_runs(&self) -> Result<Vec<DryRunLine>, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask_control(&ListDryRuns {}).await
    }

    /// Stops a dry run. What it has found so far can still be asked for.
    pub async fn cancel_dry_run(&self, run: &RunId) -> Result<(), ServiceError> {
        self.require(Role::Editor)?;
        self.ask_control(&CancelDryRun { run: run.clone() })
            .await
            .map(drop)
    }

    /// How many records a definition's filter lets through. The rest of the definition need not be finished.
    pub async fn count_matching(&self, definition: &SyncDefinition) -> Result<MatchingCount, ServiceError> {
        self.require(Role::Viewer)?;
        self.check_owner(std::slice::from_ref(definition))?;
        let definition = definition.clone();
        self.ask_control(&CountMatching { definition }).await
    }
}
