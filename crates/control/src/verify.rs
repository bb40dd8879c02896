//! Verify: both systems read by themselves, compared by the same code that writes, and looked at a second time.
//!
//! The extractor reads all records of the sync into the check lane, mapper and loader compare them with what HubSpot
//! has, and HubSpot is listed for records that should not be there. What differs is read once more with nothing in
//! flight: only what stands then, of an unchanged record, is a difference.

mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landbridge_model::ask::{AskStatus, FindIdentities, ListRecords, StartCompare};
use landbridge_model::config::{Sync, SyncStatus};
use landbridge_model::{HubSpotId, RunId, SalesforceId, StageKind, SyncName, TenantId, Version};
use landbridge_stage::StageError;
use landbridge_wire::{AskError, AskErrorCode, RunPhase};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::ask::{StartVerify, VerifyProgress, VerifyReport, VerifyStarted, VerifyState};
use crate::lanes;
use crate::ledger::CompareAccount;
use crate::shard::{ControlShard, lock};
use judge::{Looks, judge};

/// How often a record that keeps changing is looked at again.
const ROUNDS_MAX: usize = 5;
/// A compare that answers nothing for so long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// How long records may be on their way before they are looked at again anyway.
const SETTLE_MAX: Duration = Duration::from_secs(120);
/// Pause between looks at the lanes.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// One page of a listing, or one batch of identities.
const PAGE: Duration = Duration::from_secs(120);
/// Identities asked for at once.
const IDENTITIES: usize = 1_000;
/// Verifies that are remembered after their end.
const REMEMBERED: usize = 32;

/// A verify under way, or its result.
#[derive(Debug)]
pub(crate) struct Verify {
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
        let run = self.new_run();
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

    fn new_run(&self) -> RunId {
        let text = format!(
            "verify-{:013}-{:04x}",
            self.context.hub.now_ms().max(0),
            rand::random::<u16>()
        );
        RunId::new(&text).expect("digits, letters and hyphens make a run id")
    }

    /// How a verify stands.
    pub(crate) fn verify_state(&self, ask: &VerifyState) -> Result<VerifyProgress, AskError> {
        let verifies = lock(&self.verifies);
        verifies
            .get(&ask.run)
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
        let parked = hub.parked(&self.tenant).await?;
        let looks = Looks {
            again: &again,
            still_there: &still_there,
            delete: self.sync.definition.spec.rules.delete,
            held: held.iter().map(|held| held.id).collect(),
            waiting: parked
                .iter()
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

    /// Runs one compare to its end and gives its answers.
    async fn compare(&self, run: &RunId, ids: Vec<SalesforceId>) -> Result<CompareAccount, Trouble> {
        let shard = &self.shard;
        shard.ledger().tenant_mut(&self.tenant).open_compare(run.clone());
        let question = StartCompare {
            sync: self.name.clone(),
            run: run.clone(),
            ids,
        };
        let started = shard
            .context
            .hub
            .ask(
                StageKind::Extractor,
                &self.tenant,
                &question,
                Duration::from_secs(60),
            )
            .await;
        let ended = match started {
            Ok(_) => self.await_compare(run).await,
            Err(error) => Err(error.into()),
        };
        let account = shard
            .ledger()
            .tenant_mut(&self.tenant)
            .take_compare(run)
            .unwrap_or_default();
        ended.map(|()| account)
    }

    /// Waits until every row that was read is answered, or none is on its way any more.
    async fn await_compare(&self, run: &RunId) -> Result<(), Trouble> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let (compared, progress) = {
                let ledger = self.shard.ledger();
                let account = ledger.tenant(&self.tenant).and_then(|tenant| tenant.compare(run));
                account
                    .map(|account| (account.compared(), account.progress.clone()))
                    .unwrap_or_default()
            };
            if *run == self.run {
                self.tell(|progress| progress.compared = compared);
            }
            match progress {
                Some(progress) if matches!(progress.phase, RunPhase::Failed | RunPhase::Canceled) => {
                    let why = progress
                        .reason
                        .unwrap_or_else(|| progress.phase.as_str().to_owned());
                    return Err(Trouble::Compare(format!("Salesforce could not be read: {why}")));
                }
                Some(progress)
                    if progress.phase == RunPhase::Ended
                        && (compared >= progress.rows || self.is_answered(run).await?) =>
                {
                    return Ok(());
                }
                _ => {}
            }
            if compared > last {
                (last, since) = (compared, Instant::now());
            }
            if since.elapsed() > SILENCE_MAX {
                let what = format!(
                    "no answer for {} s; do mapper and loader run?",
                    SILENCE_MAX.as_secs()
                );
                return Err(Trouble::Compare(what));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether the lanes hold nothing of the compare, and all its answers are folded.
    async fn is_answered(&self, run: &RunId) -> Result<bool, Trouble> {
        let lanes = lanes::of_compare(&self.shard.context.hub, &self.tenant, run).await?;
        self.shard.caught_up(&self.tenant).await?;
        Ok(lanes.is_empty())
    }

    /// Lists HubSpot: how many records of ours it has, those of which Salesforce showed nothing, and those whose
    /// Salesforce id cannot be read.
    async fn list(
        &self,
        compared: &CompareAccount,
    ) -> Result<
        (
            u64,
            BTreeMap<SalesforceId, HubSpotId>,
            Vec<crate::ask::FoundDifference>,
        ),
        Trouble,
    > {
        let (mut listed, mut strays, mut nameless) = (0, BTreeMap::new(), Vec::new());
        let Some(resolved) = &self.sync.resolved else {
            return Ok((listed, strays, nameless));
        };
        let mut question = ListRecords {
            object_type: resolved.object_type.object_type_id.clone(),
            id_property: self.sync.definition.spec.hubspot.id_property.clone(),
            after: None,
        };
        loop {
            let hub = &self.shard.context.hub;
            let page = hub.ask(StageKind::Loader, &self.tenant, &question, PAGE).await?;
            for record in page.records.iter().filter(|record| record.version.is_some()) {
                listed += 1;
                let text = record.salesforce_id.as_deref().unwrap_or_default();
                match SalesforceId::parse(text) {
                    Ok(id) if compared.version(id).is_some() => {}
                    Ok(id) => {
                        strays.insert(id, record.hubspot_id);
                    }
                    Err(_) => nameless.push(judge::nameless(record, &question.id_property)),
                }
            }
            self.tell(|progress| progress.listed = listed);
            match page.after {
                Some(after) => question.after = Some(after),
                None => return Ok((listed, strays, nameless)),
            }
        }
    }

    /// Of the records that only HubSpot showed, those that it still has.
    async fn still_there(
        &self,
        suspects: &BTreeSet<SalesforceId>,
        strays: &BTreeMap<SalesforceId, HubSpotId>,
    ) -> Result<BTreeMap<SalesforceId, HubSpotId>, Trouble> {
        let ids: Vec<SalesforceId> = suspects
            .iter()
            .filter(|id| strays.contains_key(id))
            .copied()
            .collect();
        let Some(resolved) = &self.sync.resolved else {
            return Ok(BTreeMap::new());
        };
        let mut found = BTreeMap::new();
        for some in ids.chunks(IDENTITIES) {
            let question = FindIdentities {
                object_type: resolved.object_type.object_type_id.clone(),
                property: self.sync.definition.spec.hubspot.id_property.clone(),
                unique: true,
                ids: some.to_vec(),
            };
            let hub = &self.shard.context.hub;
            found.extend(
                hub.ask(StageKind::Loader, &self.tenant, &question, PAGE)
                    .await?
                    .found,
            );
        }
        Ok(found)
    }

    /// Waits until the live reading has passed the moment of the last look, and no suspect is in a lane.
    async fn settle(
        &self,
        suspects: &BTreeSet<SalesforceId>,
        before: &BTreeMap<SalesforceId, Option<Version>>,
    ) -> Result<(), Trouble> {
        let seen_ms = before.values().flatten().map(|version| version.read_ms).max();
        let deadline = Instant::now() + SETTLE_MAX;
        while Instant::now() < deadline {
            if self.is_covered(seen_ms).await && self.is_quiet(suspects).await? {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    async fn is_quiet(&self, suspects: &BTreeSet<SalesforceId>) -> Result<bool, Trouble> {
        let hub = &self.shard.context.hub;
        let lanes = lanes::of_tenant(hub, &self.tenant).await?;
        Ok(!suspects.iter().any(|id| lanes.contains(*id))
            && lanes::links_are_quiet(hub, &self.tenant).await?)
    }

    /// A sync that does not run covers nothing: then what differs is what was not carried.
    async fn is_covered(&self, seen_ms: Option<i64>) -> bool {
        let config = &self.shard.context.config;
        let is_live = config
            .sync(&self.tenant, &self.name)
            .is_some_and(|sync| sync.status == SyncStatus::Active);
        let (true, Some(seen_ms)) = (is_live, seen_ms) else {
            return true;
        };
        let hub = &self.shard.context.hub;
        let status = hub
            .ask(
                StageKind::Extractor,
                &self.tenant,
                &AskStatus {},
                Duration::from_secs(5),
            )
            .await;
        let Ok(status) = status else { return false };
        let live = status.live.iter().find(|live| live.sync == self.name);
        live.is_some_and(|live| live.covered_ms >= seen_ms)
    }
}
