//! How a tenant stands: syncs, imports, backlog, failures, calls, latency.

use std::time::Duration;

use landbridge_bus::{Filter, Queue, StreamName, Subject};
use landbridge_model::ask::{AskStatus, Condition, ConditionKind, StageStatus};
use landbridge_model::config::{Import, ImportWish, SyncStatus};
use landbridge_model::{Lane, LinkOutcome, Outcome, RunId, StageKind, TenantId};
use landbridge_stage::StageError;
use landbridge_wire::AskError;

use crate::ask::{LaneDepth, LatencyLine, SyncLine, TenantStatus};
use crate::definitions;
use crate::ledger::SyncAccount;
use crate::shard::{ControlShard, unavailable};

/// How long a stage may think about its status.
const STAGE: Duration = Duration::from_secs(5);
/// The latencies of so long are shown, in milliseconds.
const LATENCY_OF_MS: i64 = 24 * 3_600_000;

impl ControlShard {
    /// How a tenant stands.
    pub(crate) async fn tenant_status(&self, tenant_id: &TenantId) -> Result<TenantStatus, AskError> {
        let tenant = definitions::tenant(&self.context, tenant_id)?;
        let (extractor, mapper, resolver, loader) = futures::join!(
            self.stage_status(StageKind::Extractor, tenant_id),
            self.stage_status(StageKind::Mapper, tenant_id),
            self.stage_status(StageKind::Resolver, tenant_id),
            self.stage_status(StageKind::Loader, tenant_id),
        );
        let mut status = TenantStatus {
            tenant: tenant_id.to_string(),
            suspended: tenant.suspended.clone(),
            latency: self.latency(tenant_id),
            carried_last_hour: self.carried_last_hour(tenant_id),
            ..TenantStatus::default()
        };
        for (stage, answer) in [
            (StageKind::Extractor, &extractor),
            (StageKind::Mapper, &mapper),
            (StageKind::Resolver, &resolver),
            (StageKind::Loader, &loader),
        ] {
            match answer {
                Ok(answer) => answer
                    .all_conditions()
                    .into_iter()
                    .for_each(|told| status.tell(told)),
                Err(error) => status.tell(Condition::new(
                    ConditionKind::Silent,
                    format!("the {stage} cannot be asked: {error}"),
                )),
            }
        }
        let extractor = extractor.unwrap_or_default();
        status.salesforce_calls.clone_from(&extractor.calls);
        status.salesforce_budget = extractor.budget;
        let loader = loader.unwrap_or_default();
        status.hubspot_calls = loader.calls;
        status.hubspot_budget = loader.budget;
        status.syncs = self.sync_lines(tenant_id, &extractor);
        self.count_waiting(tenant_id, &mut status)
            .await
            .map_err(unavailable)?;
        status.imports = self.open_imports(tenant_id).await.map_err(unavailable)?;
        Ok(status)
    }

    async fn stage_status(&self, stage: StageKind, tenant: &TenantId) -> Result<StageStatus, AskError> {
        self.context.hub.ask(stage, tenant, &AskStatus {}, STAGE).await
    }

    /// How long live changes were on their way, over the last day.
    fn latency(&self, tenant: &TenantId) -> LatencyLine {
        let since = self.context.hub.now_ms() - LATENCY_OF_MS;
        let ledger = self.ledger();
        let histogram = ledger
            .tenant(tenant)
            .map(|tenant| tenant.latency().since(since))
            .unwrap_or_default();
        LatencyLine {
            samples: histogram.count(),
            median_ms: histogram.quantile(0.5),
            p99_ms: histogram.quantile(0.99),
        }
    }

    fn carried_last_hour(&self, tenant: &TenantId) -> u64 {
        let since = self.context.hub.now_ms() - 3_600_000;
        let ledger = self.ledger();
        let Some(account) = ledger.tenant(tenant) else {
            return 0;
        };
        let stretches = account.history().minutes.stretches();
        let recent = stretches.filter(|(begin_ms, _)| *begin_ms >= since);
        let written = [Outcome::Created, Outcome::Updated, Outcome::Deleted];
        recent
            .map(|(_, stretch)| {
                let outcomes = Outcome::ALL.into_iter().zip(stretch.outcomes);
                outcomes
                    .filter(|(outcome, _)| written.contains(outcome))
                    .map(|(_, count)| count)
                    .sum::<u64>()
            })
            .sum()
    }

    fn sync_lines(&self, tenant: &TenantId, extractor: &StageStatus) -> Vec<SyncLine> {
        let now_ms = self.context.hub.now_ms();
        let ledger = self.ledger();
        let accounts = ledger.tenant(tenant).map(|tenant| tenant.syncs());
        let line = |sync: &landbridge_model::config::Sync| {
            let name = &sync.definition.metadata.name;
            let none = SyncAccount::default();
            let account = accounts.and_then(|accounts| accounts.get(name)).unwrap_or(&none);
            let live = extractor.live.iter().find(|live| live.sync == *name).cloned();
            let runs = sync.status == SyncStatus::Active;
            SyncLine {
                name: name.clone(),
                object: sync.definition.spec.salesforce.object.clone(),
                object_type: sync.definition.spec.hubspot.object_type.clone(),
                status: sync.status,
                reason: sync.reason.clone(),
                revision: sync.revision,
                changes: Outcome::ALL.into_iter().zip(account.changes).collect(),
                links: LinkOutcome::ALL.into_iter().zip(account.links).collect(),
                failures: 0,
                behind_ms: live.as_ref().filter(|_| runs).map(|live| {
                    let polled = (now_ms - live.covered_ms).max(0);
                    let heard = live.stream.as_ref().and_then(|stream| stream.behind_ms);
                    heard.map_or(polled, |heard| heard.min(polled))
                }),
                live,
                last_ms: account.last_ms,
            }
        };
        self.context
            .config
            .syncs(tenant)
            .iter()
            .map(|sync| line(sync))
            .collect()
    }

    /// What waits: in the lanes and in the memories.
    async fn count_waiting(&self, tenant: &TenantId, status: &mut TenantStatus) -> Result<(), StageError> {
        let hub = &self.context.hub;
        for queue in Queue::ALL {
            let filter = Filter::tenant(queue.stream(), self.context.shard, tenant);
            let mut lanes: Vec<(Lane, u64)> = Vec::new();
            for (subject, count) in hub.bus().counts(&filter).await? {
                let Some(lane) = subject.lane() else { continue };
                match lanes.iter_mut().find(|(known, _)| *known == lane) {
                    Some((_, messages)) => *messages += count,
                    None => lanes.push((lane, count)),
                }
            }
            lanes.sort_unstable();
            let stage = queue.reader();
            let depths = lanes.into_iter().map(|(lane, messages)| LaneDepth {
                stage,
                lane,
                messages,
            });
            status.backlog.extend(depths);
        }
        status.parked = hub.count(StreamName::Parked, tenant).await?;
        self.count_failures(tenant, status).await?;
        status.held = hub.count(StreamName::Held, tenant).await?;
        status.rereads = hub.count(StreamName::Reread, tenant).await?;
        Ok(())
    }

    /// Refused records and links, in all and by sync.
    async fn count_failures(&self, tenant: &TenantId, status: &mut TenantStatus) -> Result<(), StageError> {
        let filter = Filter::tenant(StreamName::Failed, self.context.shard, tenant);
        for (subject, count) in self.context.hub.bus().counts(&filter).await? {
            status.failures += count;
            let Subject::Failed(record) = subject else {
                continue;
            };
            let line = status
                .syncs
                .iter_mut()
                .find(|line| line.name.as_str() == record.sync);
            if let Some(line) = line {
                line.failures += count;
            }
        }
        Ok(())
    }

    /// Whether nothing more comes of an import, as far as the account knows.
    pub(crate) fn is_over(&self, import: &Import) -> bool {
        let ledger = self.ledger();
        let account = ledger
            .tenant(&import.tenant)
            .and_then(|tenant| tenant.run(&RunId::from(&import.id)));
        match account {
            Some(account) => account.ended_ms.is_some(),
            None => import.wish == ImportWish::Cancel,
        }
    }

    pub(crate) async fn open_imports(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<landbridge_model::ask::ImportStatus>, StageError> {
        let mut open = Vec::new();
        for import in self.context.config.imports(tenant) {
            if !self.is_over(&import) {
                open.push(self.import_status(&import).await?);
            }
        }
        // One that ended while it was looked at is no longer open.
        open.retain(|status| status.ended_ms.is_none());
        Ok(open)
    }
}
