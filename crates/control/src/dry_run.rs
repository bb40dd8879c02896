//! Dry runs: what an import of a definition would do, found out by the road that imports take, up to the last call.
//!
//! The definition is resolved without creating anything and put beside the syncs as a draft of the run. Extractor,
//! mapper and loader find it by the run's id, read both systems, and answer by reports. What was found is kept here in
//! memory, exact totals and of each kind as many records as may be shown, and on the bus for the control after this one.

mod job;
pub(crate) mod kept;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landbridge_model::ask::StopCompare;
use landbridge_model::config::Draft;
use landbridge_model::{ObjectTypeId, RunId, StageKind, SyncName, TenantId};
use landbridge_stage::StageError;
use landbridge_wire::{AskError, AskErrorCode};
use tokio_util::task::AbortOnDropHandle;

use crate::ask::{
    CancelDryRun, Done, DryRunLine, DryRunPage, DryRunPart, DryRunProgress, DryRunRecords, DryRunScope,
    DryRunStarted, DryRunState, StartDryRun,
};
use crate::definitions;
use crate::ledger::{DryRunAccount, Present};
use crate::shard::{ControlShard, lock, unavailable};
use job::Job;

/// Dry runs of a tenant that are remembered.
const REMEMBERED: usize = 16;
/// Records of a page.
const PAGE_MAX: usize = 200;
/// Bytes of values of a page.
const PAGE_BYTES_MAX: usize = 400 * 1024;
/// How much of before and after a report may carry: everything where few records are looked at.
const DETAIL_BYTES: usize = 256 * 1024;
/// The same when all records are looked at, since the reports of all are stored.
const DETAIL_BYTES_OF_ALL: usize = 48 * 1024;
/// How long a draft stays when nobody renews it.
const DRAFT_TTL: Duration = Duration::from_secs(1_800);
/// How long it stays after the run, so that what is still on its way is dropped.
const OVER_TTL: Duration = Duration::from_secs(600);

/// All dry runs of a shard.
pub(crate) type DryRuns = BTreeMap<RunId, DryRun>;

/// A dry run under way, or its result.
#[derive(Debug)]
pub(crate) struct DryRun {
    tenant: TenantId,
    sync: SyncName,
    progress: DryRunProgress,
    /// While it may still be under way.
    draft: Option<Draft>,
    /// What it has found, once nothing more comes.
    found: Option<DryRunAccount>,
    /// What would be in HubSpot afterwards.
    brings: Option<Arc<Brings>>,
    /// Ends with the shard.
    task: Option<AbortOnDropHandle<()>>,
}

/// Records that an import would bring to HubSpot.
#[derive(Debug)]
pub(crate) struct Brings {
    /// Their object type.
    object_type: ObjectTypeId,
    /// The property that would hold their Salesforce ids.
    id_property: String,
    records: Present,
    /// Whether these are all that it would bring.
    are_all: bool,
}

fn unknown(run: &RunId) -> AskError {
    let what = format!(
        "the dry run {run} is not known here: it is more than a day old, others came after it, or control was restarted \
         while it ran"
    );
    AskError::new(AskErrorCode::NotFound, format!("{what}; start it again"))
}

impl ControlShard {
    /// Starts a dry run, unless the definition has problems.
    pub(crate) async fn start_dry_run(
        self: &Arc<Self>,
        tenant: &TenantId,
        ask: StartDryRun,
    ) -> Result<DryRunStarted, AskError> {
        if matches!(&ask.scope, DryRunScope::Ids(ids) if ids.is_empty()) {
            let what = "name at least one record, or choose a sample or all";
            return Err(AskError::new(AskErrorCode::Invalid, what));
        }
        let assumed = self.assumed(tenant, &ask.assuming)?;
        make_room(&mut lock(&self.dry_runs), tenant)?;
        let (checked, preview) = definitions::preview(self, tenant, &ask).await?;
        let Some(preview) = preview else {
            return Ok(DryRunStarted { run: None, checked });
        };
        let run = self.new_run("dry-run");
        let draft = Draft {
            run: run.clone(),
            sync: preview.sync,
            missing: preview.missing,
            detail_bytes: match ask.scope {
                DryRunScope::All => DETAIL_BYTES_OF_ALL,
                DryRunScope::Sample(_) | DryRunScope::Ids(_) => DETAIL_BYTES,
            },
            over: false,
        };
        self.context
            .config
            .put_draft(&draft, DRAFT_TTL)
            .await
            .map_err(unavailable)?;
        let job = Job {
            shard: self.clone(),
            tenant: tenant.clone(),
            draft: draft.clone(),
            scope: ask.scope,
            would_create: preview.would_create,
            notes: checked.notes.clone(),
            assumed,
        };
        let progress = DryRunProgress {
            phase: "starting".to_owned(),
            ..DryRunProgress::default()
        };
        let mut runs = lock(&self.dry_runs);
        let dry_run = DryRun {
            tenant: tenant.clone(),
            sync: draft.sync.definition.metadata.name.clone(),
            progress,
            draft: Some(draft),
            found: None,
            brings: None,
            task: None,
        };
        runs.insert(run.clone(), dry_run);
        let task = AbortOnDropHandle::new(tokio::spawn(job.run_to_end()));
        if let Some(dry_run) = runs.get_mut(&run) {
            dry_run.task = Some(task);
        }
        Ok(DryRunStarted {
            run: Some(run),
            checked,
        })
    }

    /// What earlier dry runs would bring.
    fn assumed(&self, tenant: &TenantId, runs: &[RunId]) -> Result<Vec<Arc<Brings>>, AskError> {
        let known = lock(&self.dry_runs);
        let of_run = |run: &RunId| {
            let dry_run = known.get(run).filter(|dry_run| dry_run.tenant == *tenant);
            let brings = dry_run.ok_or_else(|| unknown(run))?.brings.clone();
            brings.ok_or_else(|| {
                let what = format!(
                    "the dry run {run} has no result to build on: wait for its end; start it again if control was \
                     restarted since"
                );
                AskError::new(AskErrorCode::Invalid, what)
            })
        };
        runs.iter().map(of_run).collect()
    }

    /// The dry runs of a tenant that are remembered, the newest first.
    pub(crate) fn list_dry_runs(&self, tenant: &TenantId) -> Vec<DryRunLine> {
        let runs: Vec<(RunId, SyncName)> = {
            let runs = lock(&self.dry_runs);
            let of_tenant = runs.iter().filter(|(_, dry_run)| dry_run.tenant == *tenant);
            let named = of_tenant.map(|(run, dry_run)| (run.clone(), dry_run.sync.clone()));
            named.rev().collect()
        };
        let line = |(run, sync): (RunId, SyncName)| {
            let ask = DryRunState { run: run.clone() };
            // One that was forgotten meanwhile is not listed.
            let progress = self.dry_run_state(tenant, &ask).ok()?;
            Some(DryRunLine {
                run,
                sync,
                phase: progress.phase,
                over: progress.over,
                answered: progress.answered,
                expected: progress.expected,
            })
        };
        runs.into_iter().filter_map(line).collect()
    }

    /// How a dry run stands.
    pub(crate) fn dry_run_state(
        &self,
        tenant: &TenantId,
        ask: &DryRunState,
    ) -> Result<DryRunProgress, AskError> {
        let mut progress = {
            let runs = lock(&self.dry_runs);
            of_tenant(&runs, tenant, &ask.run)?.progress.clone()
        };
        if !progress.over {
            let ledger = self.ledger();
            if let Some(account) = ledger.tenant(tenant).and_then(|one| one.dry_run(&ask.run)) {
                progress.answered = account.answered();
                progress.outcomes = account.outcomes();
            }
        }
        Ok(progress)
    }

    /// A page of what a dry run has found.
    pub(crate) fn dry_run_page(
        &self,
        tenant: &TenantId,
        ask: &DryRunPage,
    ) -> Result<DryRunRecords, AskError> {
        let runs = lock(&self.dry_runs);
        let dry_run = of_tenant(&runs, tenant, &ask.run)?;
        if let Some(found) = &dry_run.found {
            return Ok(page(found, ask));
        }
        drop(runs);
        let ledger = self.ledger();
        let account = ledger.tenant(tenant).and_then(|one| one.dry_run(&ask.run));
        Ok(account.map(|account| page(account, ask)).unwrap_or_default())
    }

    /// Stops a dry run. What is on its way is dropped where it is.
    pub(crate) async fn cancel_dry_run(
        &self,
        tenant: &TenantId,
        ask: &CancelDryRun,
    ) -> Result<Done, AskError> {
        let draft = {
            let mut runs = lock(&self.dry_runs);
            of_tenant(&runs, tenant, &ask.run)?;
            let Some(dry_run) = runs.get_mut(&ask.run).filter(|dry_run| !dry_run.progress.over) else {
                return Ok(Done {});
            };
            dry_run.task = None;
            dry_run.draft.take()
        };
        let found = self.ledger().tenant_mut(tenant).take_dry_run(&ask.run);
        if let Some(dry_run) = lock(&self.dry_runs).get_mut(&ask.run) {
            let progress = &mut dry_run.progress;
            "canceled".clone_into(&mut progress.phase);
            progress.over = true;
            if let Some(found) = &found {
                progress.answered = found.answered();
                progress.outcomes = found.outcomes();
            }
            dry_run.found = found;
        }
        self.keep_dry_run(tenant, &ask.run).await;
        if let Some(draft) = draft {
            self.end_draft(tenant, draft).await.map_err(unavailable)?;
        }
        Ok(Done {})
    }

    /// Lets the stages know that nobody waits for the run's records any more.
    async fn end_draft(&self, tenant: &TenantId, mut draft: Draft) -> Result<(), StageError> {
        draft.over = true;
        let question = StopCompare {
            run: draft.run.clone(),
        };
        let stopped = self
            .context
            .hub
            .ask(StageKind::Extractor, tenant, &question, Duration::from_secs(5))
            .await;
        if let Err(error) = stopped {
            tracing::debug!(%tenant, run = %draft.run, %error, "the extractor could not be told that a dry run is over");
        }
        self.context.config.put_draft(&draft, OVER_TTL).await
    }
}

/// Forgets a tenant's oldest results; a run that is under way is never ended by a newer one.
fn make_room(runs: &mut DryRuns, tenant: &TenantId) -> Result<(), AskError> {
    loop {
        let of_tenant: Vec<(&RunId, bool)> = runs
            .iter()
            .filter(|(_, dry_run)| dry_run.tenant == *tenant)
            .map(|(run, dry_run)| (run, dry_run.progress.over))
            .collect();
        if of_tenant.len() < REMEMBERED {
            return Ok(());
        }
        let Some((oldest, _)) = of_tenant.iter().find(|(_, over)| *over) else {
            let what =
                format!("{REMEMBERED} dry runs of {tenant} are under way; wait for one, or cancel one");
            return Err(AskError::new(AskErrorCode::Limited, what));
        };
        let oldest = (*oldest).clone();
        runs.remove(&oldest);
    }
}

/// A run of another tenant is as unknown as one that never was.
fn of_tenant<'r>(runs: &'r DryRuns, tenant: &TenantId, run: &RunId) -> Result<&'r DryRun, AskError> {
    let found = runs.get(run).filter(|dry_run| dry_run.tenant == *tenant);
    found.ok_or_else(|| unknown(run))
}

fn page(account: &DryRunAccount, ask: &DryRunPage) -> DryRunRecords {
    match ask.part {
        DryRunPart::Outcome(outcome) => {
            let (kept, records) = account.of_outcome(outcome, ask.after);
            cut(records, ask.limit, kept, account.count(outcome))
        }
        DryRunPart::Link(stance) => {
            let (kept, records) = account.of_stance(stance, ask.after);
            cut(records, ask.limit, kept, account.links(stance))
        }
    }
}

fn cut<'a>(
    records: impl Iterator<Item = &'a landbridge_model::PredictedRecord>,
    limit: usize,
    kept: u64,
    total: u64,
) -> DryRunRecords {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut page = DryRunRecords {
        kept,
        total,
        ..DryRunRecords::default()
    };
    let mut bytes = 0;
    for record in records {
        bytes += record.detail_bytes();
        let is_full = page.records.len() >= limit || bytes > PAGE_BYTES_MAX;
        if is_full && !page.records.is_empty() {
            page.after = page.records.last().map(|record| record.id);
            break;
        }
        page.records.push(record.clone());
    }
    page
}
