//! A small installation: a server, workers that write down what they handle, and messages with numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landbridge_bus::{Bus, BusConfig, LocalServer, LocalServerOptions, Message, WorkerId};
use landbridge_model::{Lane, Shard, StageKind, TenantId};
use landbridge_stage::{
    Caches, ConfigView, Hub, LaneContext, LaneSettings, OwnedShards, SecretOpener, ShardContext, StageError,
    Worker, WorkerRuntime, run,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const SHARDS: u16 = 4;

/// One message, handled; or, a moment later, acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handled {
    pub(crate) by: String,
    pub(crate) tenant: TenantId,
    pub(crate) number: u64,
    /// Whether the acknowledgement got through; none before it is sent.
    pub(crate) acked: Option<bool>,
}

/// What all workers of a test have handled, in the order in which they did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    handled: Arc<Mutex<Vec<Handled>>>,
    news: Arc<Notify>,
}

impl Ledger {
    fn write(&self, handled: Handled) {
        self.handled.lock().unwrap().push(handled);
        self.news.notify_waiters();
    }

    pub(crate) fn all(&self) -> Vec<Handled> {
        self.handled.lock().unwrap().clone()
    }

    /// Waits until the handled messages are as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&[Handled]) -> bool) {
        let waiting = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if wanted(&self.handled.lock().unwrap()) {
                    return;
                }
                news.await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .is_err()
        {
            panic!(
                "{what} did not come to pass; handled so far: {}",
                self.all().len()
            );
        }
    }

    /// For each tenant the numbers in the order in which they were first handled.
    pub(crate) fn first_handled(&self) -> BTreeMap<TenantId, Vec<u64>> {
        let mut order: BTreeMap<TenantId, Vec<u64>> = BTreeMap::new();
        for handled in self.all() {
            let numbers = order.entry(handled.tenant).or_default();
            if !numbers.contains(&handled.number) {
                numbers.push(handled.number);
            }
        }
        order
    }
}

/// A mapper that only writes down what it gets.
pub(crate) struct Recorder {
    name: String,
    ledger: Ledger,
    /// Stops the thread right before an acknowledgement, once, as a machine that is suspended does.
    stall: Option<Arc<Stall>>,
}

/// A point where a worker's thread stands still.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    armed: AtomicBool,
    reached: Notify,
    released: (Mutex<bool>, std::sync::Condvar),
}

impl Stall {
    pub(crate) fn armed() -> Arc<Self> {
        Arc::new(Self {
            armed: AtomicBool::new(true),
            ..Self::default()
        })
    }

    fn stand_still(&self) {
        if self.armed.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            let mut released = self.released.0.lock().unwrap();
            while !*released {
                released = self.released.1.wait(released).unwrap();
            }
        }
    }

    pub(crate) async fn reached(&self) {
        tokio::time::timeout(Duration::from_secs(60), self.reached.notified())
            .await
            .unwrap();
    }

    pub(crate) fn release(&self) {
        *self.released.0.lock().unwrap() = true;
        self.released.1.notify_all();
    }
}

impl Worker for Recorder {
    const KIND: StageKind = StageKind::Mapper;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn run_lane(&self, _shard: Arc<()>, mut lane: LaneContext) -> Result<(), StageError> {
        while let Some(delivery) = lane.inbox.recv().await {
            let number = std::str::from_utf8(&delivery.payload).unwrap().parse().unwrap();
            let handled = |acked| Handled {
                by: self.name.clone(),
                tenant: lane.tenant.clone(),
                number,
                acked,
            };
            self.ledger.write(handled(None));
            if let Some(stall) = &self.stall {
                stall.stand_still();
            }
            let acked = delivery.ack().await;
            self.ledger.write(handled(Some(acked.is_ok())));
            acked?;
        }
        Ok(())
    }
}

/// A server and its settings.
pub(crate) struct Rig {
    pub(crate) server: LocalServer,
    pub(crate) config: BusConfig,
    pub(crate) hub: Hub,
    pub(crate) ledger: Ledger,
}

impl Rig {
    pub(crate) async fn new(deduplication: bool) -> Self {
        let config = BusConfig {
            shards: SHARDS,
            lease_ttl: Duration::from_secs(2),
            deduplication,
            ..BusConfig::default()
        };
        let server = LocalServer::start(LocalServerOptions::default()).await.unwrap();
        let bus = Bus::open(&config, server.url(), "test").await.unwrap();
        Self {
            server,
            config,
            hub: Hub::new(bus),
            ledger: Ledger::default(),
        }
    }

    /// Tenants, so many that every shard has some.
    pub(crate) fn tenants(&self) -> Vec<TenantId> {
        (0..16)
            .map(|n| TenantId::new(&format!("tenant-{n}")).unwrap())
            .collect()
    }

    /// Publishes the numbers of a range for each tenant, in order, all tenants at once.
    pub(crate) async fn publish(&self, lane: Lane, numbers: std::ops::Range<u64>) {
        let mut tasks = tokio::task::JoinSet::new();
        for tenant in self.tenants() {
            let (hub, numbers) = (self.hub.clone(), numbers.clone());
            tasks.spawn(async move {
                let subject = hub.changes(&tenant, lane);
                for number in numbers {
                    let message = Message::new("test", number.to_string());
                    hub.bus().publish(&subject, &message).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
    }

    /// Starts a worker with a connection and a cache of its own.
    pub(crate) async fn start(&self, name: &str) -> Running {
        let launch = self.launch(name, None);
        launch.await
    }

    /// Starts a worker on a thread of its own, which stands still when `stall` says.
    pub(crate) async fn start_on_thread(&self, name: &str, stall: Arc<Stall>) -> Running {
        let launch = self.launch(name, Some(stall));
        let (send, receive) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (running, done) = launch.await.split();
                assert!(send.send(running).is_ok(), "the test waits for it");
                let _ended = done.await;
            });
        });
        receive.await.unwrap()
    }

    fn launch(&self, name: &str, stall: Option<Arc<Stall>>) -> impl Future<Output = Running> + Send + use<> {
        let recorder = Recorder {
            name: name.to_owned(),
            ledger: self.ledger.clone(),
            stall,
        };
        self.launch_worker(name, recorder)
    }

    /// Starts any worker with a connection and a cache of its own.
    pub(crate) fn launch_worker<W: Worker>(
        &self,
        name: &str,
        worker: W,
    ) -> impl Future<Output = Running> + Send + use<W> {
        let (config, url, name) = (self.config.clone(), self.server.url().to_owned(), name.to_owned());
        async move {
            let folder = tempfile::tempdir().unwrap();
            let bus = Bus::open(&config, &url, &name).await.unwrap();
            let (owned, seen) = watch::channel(OwnedShards::default());
            let runtime = WorkerRuntime {
                hub: Hub::new(bus.clone()),
                config: ConfigView::open(&bus).await.unwrap(),
                caches: Caches::open(&folder.path().join("cache"), 8 << 20).unwrap(),
                worker: WorkerId::new(name),
                secrets: SecretOpener::new(bus, None),
                call_timeout: Duration::from_millis(200),
                drain_timeout: Duration::from_secs(10),
                lanes: LaneSettings::default(),
                owned: Arc::new(owned),
            };
            let stop = CancellationToken::new();
            let task = tokio::spawn({
                let stop = stop.clone();
                async move {
                    let ended = run(worker, runtime, stop).await;
                    drop(folder);
                    ended
                }
            });
            Running {
                stop,
                task: Some(task),
                owned: seen,
            }
        }
    }
}

/// A worker at work.
pub(crate) struct Running {
    stop: CancellationToken,
    task: Option<JoinHandle<Result<(), StageError>>>,
    pub(crate) owned: watch::Receiver<OwnedShards>,
}

impl Running {
    fn split(mut self) -> (Self, JoinHandle<Result<(), StageError>>) {
        let task = self.task.take().unwrap();
        (self, task)
    }

    /// Waits until it works on so many shards.
    pub(crate) async fn owns(&mut self, shards: usize) -> std::collections::BTreeSet<Shard> {
        let seen = self.owned.clone();
        let waiting = self
            .owned
            .wait_for(|owned| owned.open.len() == shards && owned.is_ready());
        match tokio::time::timeout(Duration::from_secs(60), waiting).await {
            Ok(owned) => owned.unwrap().open.clone(),
            Err(_) => panic!("it should work on {shards} shards: {:?}", *seen.borrow()),
        }
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let task = self.task.take().unwrap();
        tokio::time::timeout(Duration::from_secs(30), task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// Ends it in the middle of whatever it does: nothing is released, nothing said.
    pub(crate) async fn kill(mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    /// Asks a worker on a thread of its own to stop.
    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }
}
