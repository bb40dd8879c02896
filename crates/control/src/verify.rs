//! Verify: both systems read by themselves, compared by the same code that writes, and looked at a second time.
//!
//! The extractor reads all records of the sync into the check lane, mapper and loader compare them with what HubSpot
//! has, and HubSpot is listed for records that should not be there. What differs is read once more with nothing in
//! flight: only what stands then, of an unchanged record, is a difference.

mod judge;
mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landbridge_model::config::Sync;
use landbridge_model::{HubSpotId, RunId, SalesforceId, SyncName, TenantId, Version};
use landbridge_stage::StageError;
use landbridge_wire::{AskError, AskErrorCode};
use tokio_util::task::AbortOnDropHandle;

use crate::ask::{StartVerify, VerifyProgress, VerifyReport, VerifyStarted, VerifyState};
use crate::shard::{ControlShard, lock};
use judge::{Looks, judge};

/// How often a record that keeps changing is looked at again.
const ROUNDS_MAX: usize = 5;
/// Verifies that are remembered after their end.
const REMEMBERED: usize = 32;

/// A verify under way, or its result.
#[derive(Debug)]
pub(crate) struct Verify {
    tenant: TenantId,
    progress: VerifyProgress,
    /// Ends with the shard.
    _task: Option<AbortOnDropHandle<()>>,
}

/// Why a verify came to no result.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Ask(#[from] AskError),
    #[error("{}", .0.chain())]
    Stage(#[from] StageError),
    #[error("{0}")]
    Compare(String),
}

impl ControlShard {
    /// Starts comparing a sync's records.
    pub(crate) fn start_verify(
        self: &Arc<Self>,
        tenant: &TenantId,
        ask: &StartVerify,
    ) -> Result<VerifyStarted, AskError> {
        let sync = self.context.config.sync(tenant, &ask.sync).ok_or_else(|| {
            AskError::new(
                AskErrorCode::NotFound,
                format!("{tenant} has no sync {}", ask.sync),
            )
        })?;
        if sync.resolved.is_none() {
            let what = format!("{} has never run: activate it or import it first", ask.sync);
            return Err(AskError::new(AskErrorCode::Invalid, what));
        }
        let run = self.new_run("verify");
        let job = Job {
            shard: self.clone(),
            tenant: tenant.clone(),
            name: ask.sync.clone(),
            sync,
            run: run.clone(),
        };
        let mut verifies = lock(&self.verifies);
        while verifies.len() >= REMEMBERED {
            verifies.pop_first();
        }
        let progress = VerifyProgress {
            phase: "starting".to_owned(),
            ..VerifyProgress::default()
        };
        verifies.insert(
            run.clone(),
            Verify {
                tenant: tenant.clone(),
                progress,
                _task: None,
            },
        );
        let task = AbortOnDropHandle::new(tokio::spawn(job.run_to_end()));
        if let Some(verify) = verifies.get_mut(&run) {
            verify._task = Some(task);
        }
        Ok(VerifyStarted { run })
    }

    /// An id for a run that begins now.
    pub(crate) fn new_run(&self, kind: &str) -> RunId {
        let text = format!(
            "{kind}-{:013}-{:04x}",
            self.context.hub.now_ms().max(0),
            rand::random::<u16>()
        );
        RunId::new(&text).expect("digits, letters and hyphens make a run id")
    }

    /// How a verify stands. One of another tenant is as unknown as one that never was.
    pub(crate) fn verify_state(
        &self,
        tenant: &TenantId,
        ask: &VerifyState,
    ) -> Result<VerifyProgress, AskError> {
        let verifies = lock(&self.verifies);
        verifies
            .get(&ask.run)
            .filter(|verify| verify.tenant == *tenant)
            .map(|verify| verify.progress.clone())
            .ok_or_else(|| {
                let what = format!(
                    "the verify {} is not known here: control was restarted; start it again",
                    ask.run
                );
                AskError::new(AskErrorCode::NotFound, what)
            })
    }
}

/// One verify's work.
struct Job {
    shard: Arc<ControlShard>,
    tenant: TenantId,
    name: SyncName,
    sync: Arc<Sync>,
    run: RunId,
}

impl Job {
    async fn run_to_end(self) {
        let result = self.verify().await;
        self.tell(|progress| match result {
            Ok(report) => {
                progress.phase = "done".to_owned();
                progress.report = Some(report);
            }
            Err(trouble) => {
                progress.phase = "broken off".to_owned();
                progress.trouble = Some(trouble.to_string());
            }
        });
    }

    fn tell(&self, change: impl FnOnce(&mut VerifyProgress)) {
        if let Some(verify) = lock(&self.shard.verifies).get_mut(&self.run) {
            change(&mut verify.progress);
        }
    }

    fn phase(&self, phase: &str) {
        self.tell(|progress| phase.clone_into(&mut progress.phase));
    }

    async fn verify(&self) -> Result<VerifyReport, Trouble> {
        self.phase("comparing all records");
        let all = self.compare(&self.run, Vec::new()).await?;
        self.phase("listing HubSpot");
        let (listed, strays, nameless) = self.list(&all).await?;
        let mut report = VerifyReport {
            compared: all.compared(),
            links: all.links(),
            listed,
            differences: nameless,
            ..VerifyReport::default()
        };
        let mut suspects: BTreeSet<SalesforceId> = all.differences().keys().copied().collect();
        suspects.extend(strays.keys());
        let mut before: BTreeMap<SalesforceId, Option<Version>> =
            suspects.iter().map(|id| (*id, all.version(*id))).collect();
        drop(all);
        for round in 2..=ROUNDS_MAX + 1 {
            if suspects.is_empty() {
                break;
            }
            suspects = self
                .look_again(round, &suspects, &strays, &mut before, &mut report)
                .await?;
        }
        report.unsettled = suspects.into_iter().collect();
        Ok(report)
    }

    /// Reads suspects once more, takes what stands into the report, and gives those that changed meanwhile.
    async fn look_again(
        &self,
        round: usize,
        suspects: &BTreeSet<SalesforceId>,
        strays: &BTreeMap<SalesforceId, HubSpotId>,
        before: &mut BTreeMap<SalesforceId, Option<Version>>,
        report: &mut VerifyReport,
    ) -> Result<BTreeSet<SalesforceId>, Trouble> {
        self.phase(&format!(
            "waiting until nothing of {} suspects is on its way",
            suspects.len()
        ));
        self.settle(suspects, before).await?;
        self.phase(&format!("looking at {} suspects again", suspects.len()));
        let run = RunId::new(&format!("{}-{round}", self.run)).unwrap_or_else(|_| self.run.clone());
        let again = self.compare(&run, suspects.iter().copied().collect()).await?;
        let still_there = self.still_there(suspects, strays).await?;
        let hub = &self.shard.context.hub;
        let held = hub.held(&self.tenant, Some(&self.name)).await?;
        let parked = hub.parked(&self.tenant, Some(&self.name)).await?;
        let looks = Looks {
            again: &again,
            still_there: &still_there,
            delete: self.sync.definition.spec.rules.delete,
            held: held.iter().map(|held| held.id).collect(),
            waiting: parked
                .iter()
                .filter(|link| judge::may_wait(&self.sync.definition.spec.associations, &link.field))
                .map(|link| (link.child, link.field.as_str()))
                .collect(),
        };
        let mut moving = BTreeSet::new();
        for id in suspects {
            let now = again.version(*id);
            let was = before.insert(*id, now).flatten();
            // Only a stamp tells a change: every read has another time of reading.
            let moved = matches!((was, now), (Some(was), Some(now)) if was.stamp_ms != now.stamp_ms);
            if moved {
                moving.insert(*id);
            } else {
                judge(*id, &looks, report);
            }
        }
        Ok(moving)
    }
}
