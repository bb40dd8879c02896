//! Imports: started and cancelled by a wish in `lb_config`, accounted for from outcomes and lanes.

use landbridge_model::ask::{ImportStatus, ListImports, UndoStatus};
use landbridge_model::config::{Import, ImportWish, SyncStatus};
use landbridge_model::{ImportId, LinkOutcome, Outcome, RunId, SyncName, TenantId};
use landbridge_stage::StageError;
use landbridge_wire::{AskError, AskErrorCode, RunPhase};

use crate::lanes;
use crate::ledger::{Assessment, RunAccount};
use crate::shard::{ControlShard, unavailable};

pub(crate) mod order;
mod wishes;

/// How long after its end an import's records are still kept, for links that arrive late, in milliseconds.
const CLOSE_AFTER_MS: i64 = 30_000;

/// What an import's state depends on besides its account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    /// Why its tenant or sync stands still, if it does.
    pub stopped: Option<&'a str>,
    /// The imports that are read before it and have not been yet.
    pub before: &'a [ImportId],
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

/// How an import stands.
pub(crate) fn status(
    import: &Import,
    account: Option<&RunAccount>,
    counts: &Assessment,
    around: Circumstances<'_>,
    undo: Option<UndoStatus>,
) -> ImportStatus {
    let progress = account.and_then(|account| account.progress.as_ref());
    let links = account.map(|account| account.links.counts()).unwrap_or_default();
    let (state, reason) = match &undo {
        Some(UndoStatus {
            ended_ms: Some(_),
            trouble,
            ..
        }) => ("Undone", trouble.clone()),
        Some(undo) => ("Undoing", undo.trouble.clone()),
        None => (
            state(import, account, counts, &links, around),
            reason(account, counts, around),
        ),
    };
    let waits_for = if state == "Queued" { around.before } else { &[] };
    let rate = account.map_or(0.0, |account| account.rate.per_second(around.now_ms));
    let mut status = ImportStatus {
        id: import.id.clone(),
        sync: import.sync.clone(),
        revision: import.revision,
        state: state.to_owned(),
        salesforce_total: progress.and_then(|progress| progress.salesforce_total),
        extracted: counts.extracted,
        outcomes: Outcome::ALL.into_iter().zip(counts.outcomes).collect(),
        in_flight: counts.in_flight,
        links,
        rate,
        remaining_seconds: None,
        started_by: import.started_by.clone(),
        started_ms: import.started_ms,
        ended_ms: account.and_then(|account| account.ended_ms),
        unaccounted: i64::try_from(counts.unaccounted).unwrap_or(i64::MAX),
        reason,
        waits_for: waits_for.to_vec(),
        keeps_before: import.keep_before,
        undo,
    };
    status.remaining_seconds = remaining(&status);
    status
}

/// How long the rest takes at the pace of the last moments, in seconds; `None` while that cannot be told.
fn remaining(status: &ImportStatus) -> Option<f64> {
    /// Slower than this is no pace to reckon by.
    const SLOWEST: f64 = 0.05;
    let total = status.salesforce_total?.max(status.extracted);
    let settled: u64 = status.outcomes.iter().map(|(_, number)| number).sum();
    let goes = status.state == "Running" && status.ended_ms.is_none() && status.rate >= SLOWEST;
    goes.then(|| total.saturating_sub(settled) as f64 / status.rate)
}

fn state(
    import: &Import,
    account: Option<&RunAccount>,
    counts: &Assessment,
    links: &[(LinkOutcome, u64)],
    around: Circumstances<'_>,
) -> &'static str {
    let phase = account.map_or(RunPhase::Queued, RunAccount::phase);
    match phase {
        RunPhase::Failed => "Failed",
        RunPhase::Canceled => "Canceled",
        RunPhase::Ended if account.is_some_and(|account| account.ended_ms.is_some()) => {
            let failed_links = links
                .iter()
                .any(|(outcome, count)| *outcome == LinkOutcome::Failed && *count > 0);
            let failed = counts.outcomes[Outcome::Failed as usize] > 0;
            if failed || failed_links {
                "Completed with errors"
            } else {
                "Completed"
            }
        }
        // What is all on the bus only has to arrive: a cancel that comes later than the end of the reading stops nothing,
        // and is refused when control knows it (`cancel_import`).
        RunPhase::Ended if around.stopped.is_none() => "Running",
        _ if import.wish == ImportWish::Cancel && phase != RunPhase::Ended => "Canceled",
        _ if import.wish == ImportWish::Pause => "Paused",
        _ if around.stopped.is_some() => "Paused",
        RunPhase::Queued => "Queued",
        RunPhase::Counting => "Counting",
        RunPhase::Reading | RunPhase::CatchingUp | RunPhase::Ended => "Running",
    }
}

fn reason(account: Option<&RunAccount>, counts: &Assessment, around: Circumstances<'_>) -> Option<String> {
    let told = account
        .and_then(|account| account.progress.as_ref())
        .and_then(|progress| progress.reason.clone());
    let lost = || {
        let examples: Vec<&str> = counts
            .examples
            .iter()
            .map(landbridge_model::SalesforceId::as_str)
            .collect();
        (!examples.is_empty()).then(|| format!("unaccounted for: {} …", examples.join(", ")))
    };
    let truncated = || {
        account.filter(|account| account.truncated).map(|_| {
            "its first outcomes are older than the stream keeps them (bus.outcomes_max_age): the counts are too low"
                .to_owned()
        })
    };
    told.or_else(truncated)
        .or_else(lost)
        .or_else(|| around.stopped.map(str::to_owned))
}

impl ControlShard {
    /// How the tenant's imports stand, oldest first.
    pub(crate) async fn list_imports(
        &self,
        tenant: &TenantId,
        ask: &ListImports,
    ) -> Result<Vec<ImportStatus>, AskError> {
        let mut imports = self.context.config.imports(tenant);
        if let Some(id) = &ask.id {
            imports.retain(|import| import.id == *id);
            if imports.is_empty() {
                return Err(AskError::new(
                    AskErrorCode::NotFound,
                    format!("{tenant} has no import {id}"),
                ));
            }
        }
        imports.sort_by(|a, b| (a.started_ms, &a.id).cmp(&(b.started_ms, &b.id)));
        let mut statuses = Vec::with_capacity(imports.len());
        for import in imports {
            statuses.push(self.import_status(&import).await.map_err(unavailable)?);
        }
        Ok(statuses)
    }

    /// How one import stands, its records counted.
    pub(crate) async fn import_status(&self, import: &Import) -> Result<ImportStatus, StageError> {
        let run = RunId::from(&import.id);
        let counts = self.assess(&import.tenant, &run).await?;
        let stopped = self.why_stopped(&import.tenant, &import.sync);
        let before = self.read_before(import);
        let around = Circumstances {
            stopped: stopped.as_deref(),
            before: &before,
            now_ms: self.context.hub.now_ms(),
        };
        self.settle_end(&import.tenant, &run, &counts);
        let undo = self.undo_of(import).await?;
        let kept_ms = self.context.hub.bus().config().outcomes_max_age.as_millis();
        let is_truncated = u128::try_from(around.now_ms - import.started_ms).is_ok_and(|age| age > kept_ms);
        let mut ledger = self.ledger();
        let account = ledger.tenant_mut(&import.tenant).run_mut(&run).map(|account| {
            account.truncated |= is_truncated && !account.is_closed();
            &*account
        });
        Ok(status(import, account, &counts, around, undo))
    }

    /// The imports that this one waits for, as the extractor decides it: those that go on and have not been read yet.
    fn read_before(&self, import: &Import) -> Vec<ImportId> {
        let (config, tenant) = (&self.context.config, &import.tenant);
        let is_waited_for = |id: &ImportId| {
            let before = config.import(tenant, id)?;
            let goes_on = before.is_waited_for(config.sync(tenant, &before.sync).as_deref());
            goes_on.then_some(())
        };
        let ledger = self.ledger();
        let accounts = ledger.tenant(tenant);
        let is_read = |id: &ImportId| {
            accounts
                .and_then(|known| known.run(&RunId::from(id)))
                .is_some_and(RunAccount::is_final)
        };
        let open = import
            .after
            .iter()
            .filter(|id| is_waited_for(id).is_some() && !is_read(id));
        open.cloned().collect()
    }

    /// Accounts for the records of a run: what is extracted first, then the lanes, then the outcomes.
    async fn assess(&self, tenant: &TenantId, run: &RunId) -> Result<Assessment, StageError> {
        // After a restart the account is not there yet, or only in part.
        self.caught_up(tenant).await?;
        let mark = {
            let ledger = self.ledger();
            match ledger.tenant(tenant).and_then(|tenant| tenant.run(run)) {
                None => return Ok(Assessment::default()),
                Some(account) if account.is_closed() => {
                    return Ok(account
                        .records
                        .assess(account.records.mark(), &Default::default()));
                }
                Some(account) => account.records.mark(),
            }
        };
        let lanes = lanes::of_import(&self.context.hub, tenant, run).await?;
        self.caught_up(tenant).await?;
        let ledger = self.ledger();
        let account = ledger.tenant(tenant).and_then(|tenant| tenant.run(run));
        Ok(account
            .map(|account| account.records.assess(mark, &lanes))
            .unwrap_or_default())
    }

    /// Notes the end of an import of which nothing is on its way any more.
    fn settle_end(&self, tenant: &TenantId, run: &RunId, counts: &Assessment) {
        let now_ms = self.context.hub.now_ms();
        let mut ledger = self.ledger();
        let account = ledger.tenant(tenant).and_then(|tenant| tenant.run(run));
        // The counts are of a moment ago: they must be of everything that was extracted.
        let is_over = account.is_some_and(|account| {
            let complete = counts.extracted == account.records.distinct();
            account.is_final() && account.ended_ms.is_none() && complete
        });
        if is_over
            && counts.in_flight == 0
            && counts.unaccounted == 0
            && let Some(account) = ledger.tenant_mut(tenant).run_mut(run)
        {
            account.ended_ms = Some(account.settled_ms.unwrap_or(now_ms));
        }
    }

    fn why_stopped(&self, tenant: &TenantId, sync: &SyncName) -> Option<String> {
        let config = &self.context.config;
        if let Some(why) = config.tenant(tenant).and_then(|tenant| tenant.suspended.clone()) {
            return Some(why);
        }
        let sync = config.sync(tenant, sync)?;
        match sync.status {
            SyncStatus::Draft | SyncStatus::Active => None,
            SyncStatus::Paused => Some("its sync is paused; it goes on when the sync is resumed".to_owned()),
            SyncStatus::Suspended => {
                let reason = sync.reason.clone();
                Some(reason.unwrap_or_else(|| "the sync is suspended".to_owned()))
            }
        }
    }

    /// Looks after imports that the extractor has done with: notes their end, and lets go of records of those that
    /// ended a while ago.
    pub(crate) async fn look_after_imports(&self) -> Result<(), StageError> {
        let runs: Vec<(TenantId, RunId)> = {
            let mut ledger = self.ledger();
            let tenants = ledger.tenants_mut();
            let open = tenants.flat_map(|(tenant, accounts)| {
                let runs = accounts
                    .runs()
                    .filter(|(_, run)| run.is_final() && !run.is_closed());
                runs.map(|(run, _)| (tenant.clone(), run.clone()))
                    .collect::<Vec<_>>()
            });
            open.collect()
        };
        for (tenant, run) in runs {
            let counts = self.assess(&tenant, &run).await?;
            self.settle_end(&tenant, &run, &counts);
            if self.has_rested(&tenant, &run) && lanes::links_are_quiet(&self.context.hub, &tenant).await? {
                self.caught_up(&tenant).await?;
                let mut ledger = self.ledger();
                if let Some(account) = ledger.tenant_mut(&tenant).run_mut(&run) {
                    account.close(counts);
                    tracing::info!(%tenant, %run, "the import is complete; its account is closed");
                }
            }
        }
        Ok(())
    }

    fn has_rested(&self, tenant: &TenantId, run: &RunId) -> bool {
        let now_ms = self.context.hub.now_ms();
        let ledger = self.ledger();
        let account = ledger.tenant(tenant).and_then(|tenant| tenant.run(run));
        account.is_some_and(|account| {
            let last = account
                .ended_ms
                .map(|ended| ended.max(account.linked_ms.unwrap_or(ended)));
            last.is_some_and(|last| now_ms - last > CLOSE_AFTER_MS)
        })
    }
}

#[cfg(test)]
mod tests;
