//! What a worker implements, and what it is given.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_bus::{Epoch, WorkerId};
use landbridge_model::{Shard, StageKind};
use landbridge_wire::{Ask, AskError, AskErrorCode};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::{Cache, Caches};
use crate::config_view::ConfigView;
use crate::error::StageError;
use crate::hub::Hub;
use crate::lanes::{LaneContext, LaneSettings};
use crate::ownership::OwnedShards;
use crate::secrets::SecretOpener;

/// One kind of worker. The framework owns leases, consumers, queues, in-progress signals, health and shutdown.
pub trait Worker: Send + Sync + 'static {
    /// Which stage it is.
    const KIND: StageKind;

    /// What it keeps for one shard while it owns it.
    type Shard: Send + Sync + 'static;

    /// Prepares a shard whose lease was won; no lane of it runs before this returns.
    fn open(
        &self,
        context: ShardContext,
    ) -> impl Future<Output = Result<Arc<Self::Shard>, StageError>> + Send;

    /// Handles one tenant's lane until the inbox ends. A message that makes no sense is poisoned, not an error; an
    /// error gives the whole shard up, and what was not acknowledged comes again.
    fn run_lane(
        &self,
        _shard: Arc<Self::Shard>,
        mut lane: LaneContext,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async move {
            while let Some(delivery) = lane.inbox.recv().await {
                delivery.poison("this stage reads no lanes").await?;
            }
            Ok(())
        }
    }

    /// Work that no lane causes. Ends when the context's `stop` fires.
    fn background(
        &self,
        _shard: Arc<Self::Shard>,
        context: ShardContext,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async move {
            context.stop.cancelled().await;
            Ok(())
        }
    }

    /// Answers a question about a tenant of the shard.
    fn answer(
        &self,
        _shard: Arc<Self::Shard>,
        ask: Ask,
    ) -> impl Future<Output = Result<String, AskError>> + Send {
        async move {
            let message = format!("the {} answers no question called {}", Self::KIND, ask.service);
            Err(AskError::new(AskErrorCode::Invalid, message))
        }
    }

    /// Whether nothing that this life of the shard sent outside can still be carried out. Asked when all of its tasks have
    /// ended: by themselves (`finished`), or cut short by an error or the end of the drain time. While something is not
    /// settled the next owner waits for one call's time.
    fn is_settled(&self, _shard: &Self::Shard, _finished: bool) -> bool {
        true
    }

    /// The last chance to put something down before the shard is given up in peace.
    fn close(&self, _shard: Arc<Self::Shard>) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What a worker may use for one shard.
#[derive(Clone)]
pub struct ShardContext {
    /// Which shard.
    pub shard: Shard,
    /// Of the lease under which it is owned.
    pub epoch: Epoch,
    /// The bus.
    pub hub: Hub,
    /// Tenants, syncs, imports.
    pub config: ConfigView,
    /// The shard's cache; empty unless `warm`.
    pub cache: Cache,
    /// Whether the cache comes from an unbroken chain of ownership.
    pub warm: bool,
    /// Opens what is sealed to this stage.
    pub secrets: SecretOpener,
    /// Fires when the shard is given up or lost: stop taking new work.
    pub stop: CancellationToken,
    /// Whether there is time for an outside call.
    pub lease: LeaseClock,
    pub(crate) tasks: TaskTracker,
}

impl ShardContext {
    /// Counts a future among the work of this life of the shard, which is waited for before the shard can be taken again.
    /// For futures that become tasks of a lane: the lane drops them when it is dropped.
    pub fn tracked<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.tasks.track_future(work)
    }

    /// Starts work beside the lanes that may be dropped at any await. It is dropped when the shard is given up or lost, and
    /// has ended before anybody can take the shard again.
    pub fn spawn_beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let _runs_by_itself = self.tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
        });
    }
}

impl std::fmt::Debug for ShardContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardContext")
            .field("shard", &self.shard)
            .field("epoch", &self.epoch)
            .finish()
    }
}

/// Until when a lease surely holds, on a monotonic clock.
#[derive(Clone, Debug)]
pub struct LeaseClock {
    until: tokio::sync::watch::Receiver<Instant>,
}

impl LeaseClock {
    pub(crate) fn new(until: tokio::sync::watch::Receiver<Instant>) -> Self {
        Self { until }
    }

    /// Whether a call that takes at most `longest` surely ends before the lease can. Ask before every outside call.
    pub fn may_send(&self, longest: Duration) -> bool {
        Instant::now() + longest < *self.until.borrow()
    }

    /// Waits until such a call may be sent; `NotOurs` when the lease is gone.
    pub async fn wait_to_send(&self, longest: Duration) -> Result<(), StageError> {
        let mut until = self.until.clone();
        until
            .wait_for(|until| Instant::now() + longest < *until)
            .await
            .map(drop)
            .map_err(|_| StageError::NotOurs)
    }
}

/// What a worker process runs on.
#[derive(Clone, Debug)]
pub struct WorkerRuntime {
    /// The bus.
    pub hub: Hub,
    /// Tenants, syncs, imports.
    pub config: ConfigView,
    /// The database of this worker.
    pub caches: Caches,
    /// Names this process among its like.
    pub worker: WorkerId,
    /// Opens what is sealed to this stage.
    pub secrets: SecretOpener,
    /// The longest that an outside call may take; a shard whose lease ran out under another worker is left alone
    /// for so long before its first message is handled.
    pub call_timeout: Duration,
    /// Time to finish what is in hand on a stop.
    pub drain_timeout: Duration,
    /// How lanes are read.
    pub lanes: LaneSettings,
    /// What this worker owns is told here.
    pub owned: Arc<tokio::sync::watch::Sender<OwnedShards>>,
}
