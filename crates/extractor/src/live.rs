//! The increment of one sync: windows of SystemModstamp, one after the other, for as long as the sync is active.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landbridge_model::ask::LiveStatus;
use landbridge_model::config::{Sync, SyncStatus};
use landbridge_model::{Source, SyncKey};
use tracing::Instrument;

use crate::checkpoint::LiveCheckpoint;
use crate::emitted::Emitted;
use crate::outlet::Outlet;
use crate::plan::ReadPlan;
use crate::reader::{BulkRule, Reader, Rows};
use crate::rows::{fingerprint, split};
use crate::schema;
use crate::shard::Shard;
use crate::stream::trust::poll_interval;
use crate::stream::{Standing, channel_of};
use crate::trouble::{Remedy, Trouble};
use crate::window::{Stretch, WindowRule};

/// Longest pause after trouble that may pass by itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pause after trouble that somebody or the next day must cure.
const RARELY: Duration = Duration::from_secs(60);
/// Above this share of the budget, polls become rarer.
const EASY_PRESSURE: f64 = 0.6;
/// The rarest that a poll becomes for the budget's sake, as a multiple of its usual pause.
const MOST_STRETCHED: f64 = 20.0;

/// How much longer than usual to wait between polls: 1 up to 60 % of the budget, then growing.
#[must_use]
pub fn stretched(pressure: f64) -> f64 {
    let above = ((pressure - EASY_PRESSURE) / (1.0 - EASY_PRESSURE)).clamp(0.0, 1.0);
    1.0 + above * above * (MOST_STRETCHED - 1.0)
}

/// Reads one sync's increment until it is told to stop from outside.
#[derive(Debug)]
pub struct LiveReader {
    shard: Arc<Shard>,
    key: SyncKey,
    rule: WindowRule,
    emitted: Emitted,
    checkpoint: Option<LiveCheckpoint>,
    /// When open transactions were asked for last.
    settled_at: Option<Instant>,
    /// How wide a window is answered in time: what one poll learns holds for the next.
    widest_ms: Arc<AtomicU64>,
    /// When windows are read by Bulk.
    bulk: BulkRule,
}

impl LiveReader {
    /// For one sync. Nothing is read yet.
    #[must_use]
    pub fn new(shard: Arc<Shard>, key: SyncKey) -> Self {
        let rule = WindowRule {
            lag: shard.settings.lag,
            overlap: shard.settings.overlap,
        };
        let emitted = Emitted::of(&shard.context.cache, &key);
        let bulk = BulkRule::new(&shard.settings);
        Self {
            shard,
            key,
            rule,
            emitted,
            checkpoint: None,
            settled_at: None,
            widest_ms: Arc::new(AtomicU64::new(u64::MAX)),
            bulk,
        }
    }

    /// Polls for ever; dropped when the sync is no longer to be read.
    pub async fn run(mut self) {
        let mut pause_after_trouble = self.shard.settings.poll_interval.min(LONGEST_PAUSE);
        loop {
            let span = tracing::info_span!("poll", tenant = %self.key.tenant, sync = %self.key.name);
            let polled = self.poll().instrument(span).await;
            let is_well = polled.is_ok();
            let pause = match polled {
                Ok(()) => {
                    self.note_trouble(None);
                    pause_after_trouble = self.shard.settings.poll_interval.min(LONGEST_PAUSE);
                    let pressure = self
                        .shard
                        .orgs
                        .made(&self.key.tenant)
                        .map_or(0.0, |org| org.governor().pressure());
                    self.interval().mul_f64(stretched(pressure))
                }
                Err(trouble) => {
                    tracing::warn!(sync = %self.key, trouble = %trouble.chain(), "the increment cannot be read");
                    self.note_trouble(Some(trouble.chain()));
                    match trouble.remedy() {
                        Remedy::TryAgain | Remedy::NewJob => {
                            pause_after_trouble = (pause_after_trouble * 2).min(LONGEST_PAUSE);
                            pause_after_trouble
                        }
                        Remedy::TryRarely => RARELY.min(self.shard.settings.probe_interval),
                        Remedy::Stop | Remedy::Smaller
                            if schema::explains(&self.shard, &self.key, &trouble).await =>
                        {
                            RARELY
                        }
                        Remedy::Stop | Remedy::Smaller => {
                            self.shard.suspend_sync(&self.key, &trouble.chain()).await;
                            RARELY
                        }
                        Remedy::StopTenant => {
                            self.shard
                                .suspend_tenant(&self.key.tenant, &trouble.chain())
                                .await;
                            RARELY
                        }
                    }
                }
            };
            if is_well {
                self.shard.streams.hurry(&self.key).pause(pause).await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// The pause between two polls, before the budget stretches it.
    fn interval(&self) -> Duration {
        let settings = &self.shard.settings;
        let (usual, stream) = (settings.poll_interval, &settings.stream);
        let asked = self.shard.streams.hurry(&self.key).until();
        let beside = self
            .stream()
            .map(|stream| stream.beside(asked))
            .unwrap_or_default();
        let covered = self.checkpoint.as_ref().map(|checkpoint| checkpoint.covered);
        poll_interval(usual, stream.poll_interval, stream.distrust, beside, covered)
    }

    /// How the change events of the sync's object stand.
    fn stream(&self) -> Option<Arc<Standing>> {
        let channel = channel_of(&*self.shard.sync(&self.key).ok()?)?;
        self.shard.streams.standing(&channel)
    }

    /// Reads one window, if a new one is over.
    async fn poll(&mut self) -> Result<(), Trouble> {
        let sync = self.shard.sync(&self.key)?;
        let plan = Arc::new(ReadPlan::new(&sync)?);
        let client = self.shard.orgs.client(&self.key.tenant).await?;
        let reader = self.shard.reader(client, plan.clone());
        let reader = reader.with_width(self.widest_ms.clone());
        let org_now = reader.org_now().await?;
        let checkpoint = self.position(&sync, &reader, org_now).await?;
        let checkpoint = self.put_back(checkpoint, org_now).await?;
        let Some(stretch) = self.rule.next(checkpoint.begin, checkpoint.covered, org_now) else {
            return Ok(());
        };
        let settled = checkpoint.settled;
        let Some(settling) = self.settling(&reader, &checkpoint, org_now).await? else {
            self.read(&reader, stretch, checkpoint).await?;
            return self.forget(stretch, settled).await;
        };
        // What was open when its time was read is read once more, now that it has ended.
        let back = WindowRule::reaching_back(stretch, checkpoint.settled.unwrap_or(checkpoint.covered));
        self.read(&reader, back, checkpoint).await?;
        self.settled_at = Some(Instant::now());
        let settled = settling.min(stretch.hi);
        if let Some(checkpoint) = self.checkpoint.clone() {
            let settled = Some(settled);
            self.store(LiveCheckpoint {
                settled,
                ..checkpoint
            })
            .await?;
        }
        self.forget(stretch, Some(settled)).await
    }

    /// The checkpoint that is good by the org's clock as it runs now.
    async fn put_back(
        &mut self,
        checkpoint: LiveCheckpoint,
        org_now: Timestamp,
    ) -> Result<LiveCheckpoint, Trouble> {
        let Some(covered) = WindowRule::put_back(checkpoint.covered, org_now) else {
            return Ok(checkpoint);
        };
        tracing::warn!(
            sync = %self.key, covered = %checkpoint.covered, %org_now, again_from = %covered,
            "the org's clock was put back; what it may have hidden is read again"
        );
        let checkpoint = LiveCheckpoint {
            covered: covered.max(checkpoint.begin),
            settled: None,
            ..checkpoint
        };
        self.store(checkpoint.clone()).await?;
        Ok(checkpoint)
    }

    /// Up to when everything has been committed, if it is time to ask and the org tells it.
    async fn settling(
        &mut self,
        reader: &Reader,
        checkpoint: &LiveCheckpoint,
        org_now: Timestamp,
    ) -> Result<Option<Timestamp>, Trouble> {
        let interval = self.shard.settings.settle_interval;
        if self.settled_at.is_some_and(|at| at.elapsed() < interval) {
            return Ok(None);
        }
        let since = checkpoint.settled.unwrap_or(checkpoint.covered);
        let settled = reader.settled_until(since, org_now).await?;
        if settled.is_none() {
            self.settled_at = Some(Instant::now());
        }
        Ok(settled)
    }

    async fn forget(&self, stretch: Stretch, settled: Option<Timestamp>) -> Result<(), Trouble> {
        let next_start = self.rule.next_start(stretch.hi);
        let keep_from = settled.map_or(next_start, |settled| settled.min(next_start));
        Ok(self.emitted.forget_before(keep_from).await?)
    }

    /// Where reading goes on: from the checkpoint, or anew when the sync was activated since.
    async fn position(
        &mut self,
        sync: &Sync,
        reader: &Reader,
        org_now: Timestamp,
    ) -> Result<LiveCheckpoint, Trouble> {
        if self.checkpoint.is_none() {
            self.checkpoint = self.shard.checkpoints.live(&self.key).await?;
        }
        let org_id = reader.client.org_id().await?;
        if let Some(known) = &self.checkpoint {
            if known.org_id != org_id {
                let (expected, found) = (known.org_id.to_string(), org_id.to_string());
                return Err(Trouble::OtherOrg { expected, found });
            }
            if known.activation == sync.activation {
                return Ok(known.clone());
            }
        }
        let begin = match self.shard.latest_fence(&self.key, &org_id).await? {
            Some(fence) => self.rule.begin(fence),
            // No import: what was changed before is nobody's wish, but for what is committed only now. A transaction that
            // takes longer than the lag, and ends within its minute, shows nowhere: an import reads what it changed.
            None => {
                let settled = reader.settled_until(org_now, org_now).await?;
                self.rule.fence(settled, org_now)
            }
        };
        let checkpoint = LiveCheckpoint {
            org_id,
            activation: sync.activation,
            begin,
            covered: begin,
            settled: None,
        };
        self.emitted.clear().await?;
        self.store(checkpoint.clone()).await?;
        tracing::info!(sync = %self.key, %begin, "the increment begins");
        Ok(checkpoint)
    }

    async fn read(
        &mut self,
        reader: &Reader,
        stretch: Stretch,
        mut checkpoint: LiveCheckpoint,
    ) -> Result<(), Trouble> {
        let outlet = Outlet::new(&self.shard, &reader.client, &reader.plan, Source::Increment, None);
        let mut scan = reader.scan(stretch, &self.bulk.clone());
        while let Some(part) = scan.next().await? {
            self.hand_on(reader, &outlet, &part.rows).await?;
            if part.covered > checkpoint.covered {
                checkpoint.covered = part.covered;
                self.store(checkpoint.clone()).await?;
            }
        }
        checkpoint.covered = stretch.hi;
        self.store(checkpoint).await
    }

    async fn hand_on(&self, reader: &Reader, outlet: &Outlet, rows: &Rows) -> Result<(), Trouble> {
        let (table, keys) = (&rows.table, &rows.keys);
        let plan = &reader.plan;
        let fresh = self
            .emitted
            .fresh(keys, |row| fingerprint(plan, table, row, keys[row].kind))?;
        if fresh.rows.is_empty() {
            return Ok(());
        }
        if let Some(stream) = self.stream() {
            stream.compare(fresh.unknown.iter().map(|&row| &keys[row]));
        }
        let count = fresh.rows.len();
        let split = split(
            plan,
            &outlet.envelope,
            table,
            keys,
            fresh.rows,
            self.shard.settings.batch_rows,
        );
        outlet.send(&split).await?;
        self.emitted.remember(fresh.remember).await?;
        tracing::debug!(sync = %self.key, rows = count, read = keys.len(), "changes are on the bus");
        Ok(())
    }

    async fn store(&mut self, checkpoint: LiveCheckpoint) -> Result<(), Trouble> {
        self.shard.checkpoints.put_live(&self.key, &checkpoint).await?;
        let covered_ms = checkpoint.covered.as_millisecond();
        let lag_ms = u64::try_from(self.rule.lag.as_millis()).unwrap_or(u64::MAX);
        self.checkpoint = Some(checkpoint);
        let status = LiveStatus {
            sync: self.key.name.clone(),
            covered_ms,
            lag_ms,
            trouble: None,
            stream: None,
            reconcile: None,
        };
        self.shard.live.lock().insert(self.key.clone(), status);
        Ok(())
    }

    fn note_trouble(&self, trouble: Option<String>) {
        let lag_ms = u64::try_from(self.rule.lag.as_millis()).unwrap_or(u64::MAX);
        let mut live = self.shard.live.lock();
        let status = live.entry(self.key.clone()).or_insert_with(|| LiveStatus {
            sync: self.key.name.clone(),
            covered_ms: 0,
            lag_ms,
            trouble: None,
            stream: None,
            reconcile: None,
        });
        status.trouble = trouble;
    }
}

/// Whether a sync's increment is to be read.
#[must_use]
pub fn is_live(sync: &Sync) -> bool {
    sync.status == SyncStatus::Active && sync.resolved.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_become_rarer_before_the_budget_ends() {
        assert_eq!(stretched(0.0), 1.0);
        assert_eq!(stretched(0.6), 1.0);
        assert!(stretched(0.8) > 2.0 && stretched(0.8) < 10.0);
        assert_eq!(stretched(1.0), MOST_STRETCHED);
        assert_eq!(stretched(7.0), MOST_STRETCHED);
    }
}
