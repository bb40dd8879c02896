//! The looks themselves: running a compare, listing HubSpot, waiting until nothing is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landbridge_model::ask::{AskStatus, FindIdentities, ListRecords, StartCompare};
use landbridge_model::config::SyncStatus;
use landbridge_model::{HubSpotId, RunId, SalesforceId, StageKind, Version};
use landbridge_wire::RunPhase;
use tokio::time::Instant;

use super::{Job, Trouble, judge};
use crate::ask::FoundDifference;
use crate::lanes;
use crate::ledger::CompareAccount;

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

impl Job {
    /// Runs one compare to its end and gives its answers.
    pub(super) async fn compare(
        &self,
        run: &RunId,
        ids: Vec<SalesforceId>,
    ) -> Result<CompareAccount, Trouble> {
        let shard = &self.shard;
        shard.ledger().tenant_mut(&self.tenant).open_compare(run.clone());
        let question = StartCompare {
            sync: self.name.clone(),
            run: run.clone(),
            ids,
            draft: false,
            sample: None,
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
    pub(super) async fn list(
        &self,
        compared: &CompareAccount,
    ) -> Result<(u64, BTreeMap<SalesforceId, HubSpotId>, Vec<FoundDifference>), Trouble> {
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
    pub(super) async fn still_there(
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
                remembered: false,
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
    pub(super) async fn settle(
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
