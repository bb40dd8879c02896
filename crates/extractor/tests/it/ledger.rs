//! A mapper that only writes down what it gets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use landbridge_model::{ChangeBatch, ChangeKind, Lane, SalesforceId, Source, StageKind, Version};
use landbridge_stage::{LaneContext, ShardContext, StageError, Worker};
use landbridge_wire::Wire;
use tokio::sync::Notify;

use crate::rig::DEADLINE;

/// One change, as the mapper got it.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) lane: Lane,
    pub(crate) source: Source,
    pub(crate) id: SalesforceId,
    pub(crate) version: Version,
    pub(crate) kind: ChangeKind,
    pub(crate) cells: BTreeMap<String, Option<String>>,
}

/// All changes that arrived, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    news: Arc<Notify>,
}

impl Ledger {
    fn write(&self, lane: Lane, batch: &ChangeBatch) {
        let mut arrivals = self.arrivals.lock().unwrap();
        for row in 0..batch.ids.len() {
            let cells = batch
                .table
                .iter()
                .map(|(name, column)| (name.to_owned(), column.get(row).map(str::to_owned)));
            arrivals.push(Arrival {
                lane,
                source: batch.envelope.source,
                id: batch.ids[row],
                version: batch.versions[row],
                kind: batch.kinds[row],
                cells: cells.collect(),
            });
        }
        drop(arrivals);
        self.news.notify_waiters();
    }

    pub(crate) fn all(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }

    /// Looks at all of them where they are: there may be many.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&[Arrival]) -> T) -> T {
        at(&self.arrivals.lock().unwrap())
    }

    pub(crate) fn of(&self, id: &SalesforceId) -> Vec<Arrival> {
        self.all()
            .into_iter()
            .filter(|arrival| arrival.id == *id)
            .collect()
    }

    pub(crate) fn ids(&self, lane: Lane) -> BTreeSet<SalesforceId> {
        self.all()
            .into_iter()
            .filter(|arrival| arrival.lane == lane)
            .map(|arrival| arrival.id)
            .collect()
    }

    /// Waits until the arrivals are as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&[Arrival]) -> bool) {
        let waiting = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if wanted(&self.arrivals.lock().unwrap()) {
                    return;
                }
                news.await;
            }
        };
        if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
            panic!(
                "{what} did not come to pass; {} arrivals so far",
                self.all().len()
            );
        }
    }
}

/// A mapper that only writes down.
pub(crate) struct Recorder(pub(crate) Ledger);

impl Worker for Recorder {
    const KIND: StageKind = StageKind::Mapper;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn run_lane(&self, _shard: Arc<()>, mut lane: LaneContext) -> Result<(), StageError> {
        while let Some(delivery) = lane.inbox.recv().await {
            self.0
                .write(lane.lane, &ChangeBatch::decode(&delivery.payload).unwrap());
            delivery.ack().await?;
        }
        Ok(())
    }
}
