//! Who stands where the mapper would: takes an import's rows off the bus as fast as they come.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_bus::{Bus, BusConfig, ConsumeSettings, Epoch, LaneConsumer, Queue};
use landbridge_model::{ChangeBatch, Lane, SalesforceId, Shard, TenantId};
use landbridge_wire::Wire as _;

use crate::installation::TENANT;

/// A lane that stays empty for so long brings nothing more.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came.
pub(super) struct Arrivals {
    /// Of each row, in the order of the lane.
    pub(super) ids: Vec<SalesforceId>,
    /// From the first message that was not on the bus before.
    pub(super) rows_per_second: f64,
}

impl Arrivals {
    /// Takes the lane over, which must be full, and empties it until so many rows have come: no mapper may run.
    pub(super) async fn of(url: &str, rows: u64) -> anyhow::Result<Self> {
        let config = BusConfig::default();
        let shard = Shard::of(&TenantId::new(TENANT)?, config.shards);
        let bus = Bus::open(&config, url, "landbridge-bench").await;
        let bus = bus.context("the bus cannot be used")?;
        let settings = ConsumeSettings::default();
        let mut lane =
            LaneConsumer::open(&bus, Queue::Changes, shard, Lane::Bulk, Epoch(1), settings).await?;
        let mut ids = Vec::with_capacity(usize::try_from(rows)?);
        let mut messages = 0;
        let mut clock = None;
        while (ids.len() as u64) < rows {
            let delivery = tokio::time::timeout(PATIENCE, lane.next()).await;
            let delivery = delivery.with_context(|| format!("{} of {rows} rows came", ids.len()))??;
            ids.extend(ChangeBatch::decode(&delivery.payload)?.ids);
            delivery.acker.ack().await?;
            messages += 1;
            // Those that filled the lane were there already, and the next one's sender may have been asleep.
            if messages == config.lane_capacity + 1 {
                clock = Some((Instant::now(), ids.len()));
            }
        }
        let (began, before) = clock.context("the org holds too few records: they all lay in the lane")?;
        let measured = (ids.len() - before) as f64;
        anyhow::ensure!(
            measured > 0.0,
            "the org holds too few records to measure anything"
        );
        Ok(Self {
            rows_per_second: measured / began.elapsed().as_secs_f64(),
            ids,
        })
    }
}
