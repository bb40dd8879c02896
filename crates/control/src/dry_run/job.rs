//! One dry run's work, from counting to the costs.

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::ask::{Estimate, EstimateReading, Question, StartCompare};
use landbridge_model::config::Draft;
use landbridge_model::validate::Problem;
use landbridge_model::{SalesforceId, StageKind, TenantId};
use landbridge_stage::StageError;
use landbridge_wire::{AskError, RunPhase};
use tokio::time::Instant;

use super::{Brings, DRAFT_TTL, report};
use crate::ask::{DryRunProgress, DryRunReport, DryRunScope, MatchingCount};
use crate::definitions;
use crate::lanes;
use crate::ledger::{Coming, DryRunAccount};
use crate::shard::{ControlShard, lock};

/// A dry run that answers nothing for so long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// Pause between looks.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a question to a stage may take.
const ANSWER: Duration = Duration::from_secs(60);

/// One dry run's work.
pub(super) struct Job {
    pub(super) shard: Arc<ControlShard>,
    pub(super) tenant: TenantId,
    pub(super) draft: Draft,
    pub(super) scope: DryRunScope,
    pub(super) would_create: Vec<String>,
    pub(super) notes: Vec<Problem>,
    pub(super) assumed: Vec<Arc<Brings>>,
}

/// Why a dry run came to no result.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Ask(#[from] AskError),
    #[error("{}", .0.chain())]
    Stage(#[from] StageError),
    #[error("{0}")]
    Compare(String),
}

impl Job {
    pub(super) async fn run_to_end(self) {
        let result = self.find_out().await;
        let taken = {
            let mut ledger = self.shard.ledger();
            ledger.tenant_mut(&self.tenant).take_dry_run(&self.draft.run)
        };
        let mut found = taken.unwrap_or_default();
        let told = match result {
            Ok(records) => self.conclude(&mut found, records).await,
            Err(trouble) => Err(trouble),
        };
        let brings = told.is_ok().then(|| {
            Arc::new(Brings {
                object_type: self.object_type().clone(),
                id_property: self.draft.sync.definition.spec.hubspot.id_property.clone(),
                records: found.present(),
                are_all: self.scope == DryRunScope::All,
            })
        });
        found.close();
        if let Some(dry_run) = lock(&self.shard.dry_runs).get_mut(&self.draft.run) {
            let progress = &mut dry_run.progress;
            progress.over = true;
            match told {
                Ok(report) => {
                    "done".clone_into(&mut progress.phase);
                    progress.answered = report.compared;
                    progress.outcomes = report.outcomes.clone();
                    progress.report = Some(report);
                }
                Err(trouble) => {
                    "broken off".clone_into(&mut progress.phase);
                    progress.trouble = Some(trouble.to_string());
                }
            }
            dry_run.found = Some(found);
            dry_run.brings = brings;
        }
        self.shard.keep_dry_run(&self.tenant, &self.draft.run).await;
        if let Err(error) = self.shard.end_draft(&self.tenant, self.draft.clone()).await {
            tracing::warn!(run = %self.draft.run, error = %error.chain(), "a draft stays until it expires");
        }
    }

    fn tell(&self, change: impl FnOnce(&mut DryRunProgress)) {
        if let Some(dry_run) = lock(&self.shard.dry_runs).get_mut(&self.draft.run) {
            change(&mut dry_run.progress);
        }
    }

    fn phase(&self, phase: &str) {
        self.tell(|progress| phase.clone_into(&mut progress.phase));
    }

    fn object_type(&self) -> &landbridge_model::ObjectTypeId {
        let resolved = self.draft.sync.resolved.as_ref();
        &resolved
            .expect("a draft is made from what was resolved")
            .object_type
            .object_type_id
    }

    async fn ask<Q: Question + Sync>(&self, stage: StageKind, question: &Q) -> Result<Q::Answer, Trouble> {
        let hub = &self.shard.context.hub;
        Ok(hub.ask(stage, &self.tenant, question, ANSWER).await?)
    }

    /// Counts, reads, and waits for all answers.
    async fn find_out(&self) -> Result<MatchingCount, Trouble> {
        self.phase("counting");
        let context = &self.shard.context;
        let records = definitions::count(context, &self.tenant, self.draft.sync.clone()).await?;
        let (ids, sample) = match &self.scope {
            DryRunScope::All => (Vec::new(), None),
            DryRunScope::Sample(size) => (Vec::new(), Some(*size)),
            DryRunScope::Ids(ids) => (ids.clone(), None),
        };
        let expected = match &self.scope {
            DryRunScope::All => records.matching,
            DryRunScope::Sample(size) => records.matching.min(*size),
            DryRunScope::Ids(ids) => ids.len() as u64,
        };
        self.tell(|progress| progress.expected = Some(expected));
        self.phase("comparing");
        let run = &self.draft.run;
        self.shard
            .ledger()
            .tenant_mut(&self.tenant)
            .open_dry_run(run.clone());
        let question = StartCompare {
            sync: self.draft.sync.definition.metadata.name.clone(),
            run: run.clone(),
            ids,
            draft: true,
            sample,
        };
        self.ask(StageKind::Extractor, &question).await?;
        self.await_answers().await?;
        Ok(records)
    }

    /// Waits until every row that was read is answered, or none is on its way any more.
    async fn await_answers(&self) -> Result<(), Trouble> {
        let (mut last, mut since) = (0, Instant::now());
        let mut renewed = Instant::now();
        loop {
            let (answered, progress) = {
                let ledger = self.shard.ledger();
                let account = ledger
                    .tenant(&self.tenant)
                    .and_then(|tenant| tenant.dry_run(&self.draft.run));
                account
                    .map(|account| (account.answered(), account.progress.clone()))
                    .unwrap_or_default()
            };
            if let Some(progress) = progress {
                match progress.phase {
                    RunPhase::Failed | RunPhase::Canceled => {
                        let why = progress
                            .reason
                            .unwrap_or_else(|| progress.phase.as_str().to_owned());
                        return Err(Trouble::Compare(format!("Salesforce could not be read: {why}")));
                    }
                    RunPhase::Ended if answered >= progress.rows || self.is_answered().await? => {
                        return Ok(());
                    }
                    _ => {}
                }
            }
            if answered > last {
                (last, since) = (answered, Instant::now());
            }
            if since.elapsed() > SILENCE_MAX {
                let what = format!(
                    "no answer for {} s; do mapper and loader run?",
                    SILENCE_MAX.as_secs()
                );
                return Err(Trouble::Compare(what));
            }
            if renewed.elapsed() > DRAFT_TTL / 3 {
                renewed = Instant::now();
                let config = &self.shard.context.config;
                config.put_draft(&self.draft, DRAFT_TTL).await?;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether the lanes hold nothing of the run, and all its answers are folded.
    async fn is_answered(&self) -> Result<bool, Trouble> {
        let lanes = lanes::of_compare(&self.shard.context.hub, &self.tenant, &self.draft.run).await?;
        self.shard.caught_up(&self.tenant).await?;
        Ok(lanes.is_empty())
    }

    /// Decides what depends on all answers, asks for the costs, and sums up.
    async fn conclude(
        &self,
        found: &mut DryRunAccount,
        records: MatchingCount,
    ) -> Result<DryRunReport, Trouble> {
        self.settle_waiting(found);
        self.phase("estimating");
        let wanted = report::writing(found, &self.draft, &self.scope, records);
        let reading = EstimateReading {
            records: records.matching,
        };
        let salesforce: Estimate = self.ask(StageKind::Extractor, &reading).await?;
        let hubspot: Estimate = self.ask(StageKind::Loader, &wanted).await?;
        let unseen: Vec<SalesforceId> = match &self.scope {
            DryRunScope::Ids(ids) => ids.iter().filter(|id| !found.has(**id)).copied().collect(),
            DryRunScope::All | DryRunScope::Sample(_) => Vec::new(),
        };
        Ok(report::sum_up(
            found,
            report::Circumstances {
                draft: &self.draft,
                scope: &self.scope,
                records,
                would_create: &self.would_create,
                notes: &self.notes,
                unseen,
                salesforce,
                hubspot,
            },
        ))
    }

    /// A link whose parent is not in HubSpot yet would be made all the same when this import, or one that is assumed to
    /// have gone before, brings it.
    fn settle_waiting(&self, found: &mut DryRunAccount) {
        let own = Brings {
            object_type: self.object_type().clone(),
            id_property: self.draft.sync.definition.spec.hubspot.id_property.clone(),
            records: found.present(),
            are_all: self.scope == DryRunScope::All,
        };
        let resolved = self.draft.sync.resolved.as_ref();
        let associations = resolved.map_or(&[][..], |resolved| &resolved.associations);
        found.settle_waiting(|field, has| {
            let Some(association) = associations.iter().find(|one| one.field == field) else {
                return Coming::No;
            };
            let assumed = self.assumed.iter().map(Arc::as_ref);
            let sources = assumed.chain([&own]).filter(|brings| {
                brings.object_type == association.to && brings.id_property == association.match_property
            });
            let mut coming = Coming::No;
            for brings in sources {
                if has(&brings.records) {
                    return Coming::Yes;
                }
                if !brings.are_all {
                    coming = Coming::Unknown;
                }
            }
            coming
        });
    }
}
