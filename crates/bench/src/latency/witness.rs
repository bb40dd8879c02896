//! Who stands where the mapper would: takes every message, and notes when which change came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_bus::{Bus, BusConfig, ConsumeSettings, Epoch, LaneConsumer, Queue};
use landbridge_model::{ChangeBatch, Lane, Shard, Source, TenantId};
use landbridge_wire::Wire as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::installation::TENANT;

/// An import that puts nothing on the bus for so long does not run.
const PATIENCE: Duration = Duration::from_secs(300);

/// Between two messages of an import: with 200 rows in each, HubSpot's own ceiling of some 1,900 records a second.
const BULK_PAUSE: Duration = Duration::from_millis(100);

/// A change on the bus.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// When it came.
    pub(super) at: Instant,
    /// Whether a change event told of it.
    pub(super) by_event: bool,
}

#[derive(Debug, Default)]
struct Seen {
    /// By the record's name, which each edit makes another one.
    changes: HashMap<String, Arrival>,
    import_rows: u64,
    trouble: Option<String>,
}

/// The reader of the tenant's changes.
pub(super) struct Witness {
    seen: Arc<Mutex<Seen>>,
    news: Arc<Notify>,
    _lanes: JoinSet<()>,
}

impl Witness {
    /// Takes the lanes over: no mapper may run.
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let config = BusConfig::default();
        let shard = Shard::of(&TenantId::new(TENANT)?, config.shards);
        let bus = Bus::open(&config, url, "landbridge-bench").await;
        let bus = bus.context("the bus cannot be used")?;
        let (seen, news) = (Arc::<Mutex<Seen>>::default(), Arc::<Notify>::default());
        let mut lanes = JoinSet::new();
        for lane in [Lane::Live, Lane::Bulk] {
            let settings = ConsumeSettings::default();
            let consumer = LaneConsumer::open(&bus, Queue::Changes, shard, lane, Epoch(1), settings).await?;
            let (seen, news) = (seen.clone(), news.clone());
            lanes.spawn(async move {
                let Err(error) = watch(consumer, lane, &seen, &news).await;
                lock(&seen).trouble = Some(format!("{error:#}"));
                news.notify_waiters();
            });
        }
        Ok(Self {
            seen,
            news,
            _lanes: lanes,
        })
    }

    /// Waits for the change that gave a record this name.
    pub(super) async fn arrival(&self, name: &str) -> anyhow::Result<Arrival> {
        self.look(|seen| seen.changes.get(name).copied()).await
    }

    /// Rows of imports that came until now.
    pub(super) fn import_rows(&self) -> u64 {
        lock(&self.seen).import_rows
    }

    /// Waits until more rows of an import come.
    pub(super) async fn import_began(&self) -> anyhow::Result<()> {
        let before = self.import_rows();
        let more = self.look(|seen| (seen.import_rows > before).then_some(()));
        tokio::time::timeout(PATIENCE, more)
            .await
            .context("no row of the import came")?
    }

    async fn look<T>(&self, wanted: impl Fn(&Seen) -> Option<T>) -> anyhow::Result<T> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            {
                let seen = lock(&self.seen);
                if let Some(trouble) = &seen.trouble {
                    anyhow::bail!("the lanes cannot be read: {trouble}");
                }
                if let Some(found) = wanted(&seen) {
                    return Ok(found);
                }
            }
            news.await;
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch(
    mut consumer: LaneConsumer,
    lane: Lane,
    seen: &Mutex<Seen>,
    news: &Notify,
) -> anyhow::Result<std::convert::Infallible> {
    loop {
        let delivery = consumer.next().await?;
        let at = Instant::now();
        let batch = ChangeBatch::decode(&delivery.payload)?;
        note(&mut lock(seen), lane, &batch, at);
        news.notify_waiters();
        if lane == Lane::Bulk {
            // An import is as slow as HubSpot, and lasts; changes overtake it in their own lane.
            tokio::time::sleep(BULK_PAUSE).await;
        }
        delivery.acker.ack().await?;
    }
}

fn note(seen: &mut Seen, lane: Lane, batch: &ChangeBatch, at: Instant) {
    if lane == Lane::Bulk {
        seen.import_rows += batch.ids.len() as u64;
        return;
    }
    let by_event = batch.envelope.source == Source::ChangeEvent;
    let names = batch.table.iter().find(|(name, _)| *name == "Name");
    for row in 0..batch.ids.len() {
        if let Some(name) = names.as_ref().and_then(|(_, column)| column.get(row)) {
            // The first time counts.
            seen.changes
                .entry(name.to_owned())
                .or_insert(Arrival { at, by_event });
        }
    }
}
