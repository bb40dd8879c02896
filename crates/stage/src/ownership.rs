//! Who works on which shard: members, leases, and the life of one owned shard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landbridge_bus::members::share;
use landbridge_bus::{Epoch, Lease, LeaseError, LeaseEvent, Leases, Member, Members, Take};
use landbridge_model::Shard;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::cache::Cache;
use crate::error::StageError;
use crate::telemetry::Metrics;
use crate::worker::{LeaseClock, ShardContext, Worker, WorkerRuntime};

/// A shard that failed is left alone for so long before it is taken again, so that a fault cannot spin.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// What a worker owns, for readiness and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedShards {
    /// Shards that are open.
    pub open: BTreeSet<Shard>,
    /// Shards that this worker should own by the even shares of all present; `None` before the first look.
    pub wanted: Option<BTreeSet<Shard>>,
}

impl OwnedShards {
    /// Whether the worker does all that it should.
    pub fn is_ready(&self) -> bool {
        self.wanted
            .as_ref()
            .is_some_and(|wanted| wanted.is_subset(&self.open))
    }
}

/// One owned shard's task, as the loop sees it.
struct Owned {
    task: Id,
    give_up: CancellationToken,
}

/// Runs a worker until `stop` fires: announces it, takes its even share of the shards, works on them, gives back what
/// others should own, and at the end finishes what is in hand and releases everything.
pub async fn run<W: Worker>(
    worker: W,
    runtime: WorkerRuntime,
    stop: CancellationToken,
) -> Result<(), StageError> {
    let keeper = Keeper {
        worker: Arc::new(worker),
        runtime,
        owned: BTreeMap::new(),
        tasks: JoinSet::new(),
    };
    keeper.run(stop).await
}

struct Keeper<W: Worker> {
    worker: Arc<W>,
    runtime: WorkerRuntime,
    owned: BTreeMap<Shard, Owned>,
    tasks: JoinSet<Shard>,
}

impl<W: Worker> Keeper<W> {
    async fn run(mut self, stop: CancellationToken) -> Result<(), StageError> {
        let bus = self.runtime.hub.bus().clone();
        let (members, leases) = (Members::new(&bus), Leases::new(&bus));
        let me = Member {
            worker: self.runtime.worker.clone(),
            stage: W::KIND,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            health: None,
            started: jiff::Timestamp::now(),
        };
        members.announce(&me).await?;
        let mut member_watch = members.watch(W::KIND).await?;
        let mut lease_watch = leases.watch(W::KIND).await?;
        let mut present = BTreeSet::from([me.worker.clone()]);
        let mut heartbeat = tokio::time::interval(members.ttl() / 3);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut retry = Box::pin(tokio::time::sleep(Duration::ZERO));
        let metrics = Metrics::new(W::KIND);
        let mut owned = self.runtime.owned.subscribe();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.forget(ended);
                    retry.as_mut().reset(Instant::now() + AFTER_FAILURE);
                    continue;
                }
                _ = heartbeat.tick() => {
                    if let Err(error) = members.announce(&me).await {
                        tracing::warn!(%error, "could not say that this worker is still here");
                    }
                }
                now_present = member_watch.changed() => {
                    present = now_present;
                    present.insert(me.worker.clone());
                }
                event = lease_watch.next() => if !matches!(event, LeaseEvent::Free(_)) { continue },
                Ok(()) = owned.changed() => {
                    let open = owned.borrow_and_update().open.len();
                    metrics.shards_owned(open as u64);
                    continue;
                }
                () = retry.as_mut() => retry.as_mut().reset(Instant::now() + members.ttl() / 3),
            }
            self.balance(&leases, &present).await;
        }
        self.give_everything_up().await;
        members.leave(W::KIND, &me.worker).await?;
        Ok(())
    }

    /// Gives up what others should own, takes what is ours to take.
    async fn balance(&mut self, leases: &Leases, present: &BTreeSet<landbridge_bus::WorkerId>) {
        let plan = share(present, self.runtime.hub.shards());
        let mine: BTreeSet<Shard> = plan
            .into_iter()
            .filter(|(_, owner)| *owner == self.runtime.worker)
            .map(|(shard, _)| shard)
            .collect();
        for (shard, owned) in &self.owned {
            if !mine.contains(shard) {
                owned.give_up.cancel();
            }
        }
        self.runtime.owned.send_if_modified(|owned| {
            let changed = owned.wanted.as_ref() != Some(&mine);
            owned.wanted = Some(mine.clone());
            changed
        });
        for shard in mine {
            if self.owned.contains_key(&shard) {
                continue;
            }
            match leases.take(W::KIND, shard, &self.runtime.worker).await {
                Ok(Take::Won {
                    lease,
                    previous,
                    unsettled,
                }) => self.begin(leases, lease, previous, unsettled),
                Ok(Take::Held { .. } | Take::Lost) => {}
                Err(error) => tracing::warn!(%shard, %error, "could not ask for a shard's lease"),
            }
        }
    }

    fn begin(&mut self, leases: &Leases, lease: Lease, previous: Option<Epoch>, unsettled: bool) {
        let shard = lease.shard();
        let give_up = CancellationToken::new();
        let life = ShardLife {
            worker: self.worker.clone(),
            runtime: self.runtime.clone(),
            leases: leases.clone(),
            give_up: give_up.clone(),
            tasks: TaskTracker::new(),
        };
        let span = tracing::info_span!("shard", stage = %W::KIND, %shard, epoch = %lease.epoch());
        let task = async move {
            life.live(lease, previous, unsettled).await;
            shard
        };
        let handle = self.tasks.spawn(task.instrument(span));
        self.owned.insert(
            shard,
            Owned {
                task: handle.id(),
                give_up,
            },
        );
    }

    fn forget(&mut self, ended: Result<(Id, Shard), tokio::task::JoinError>) {
        let task = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        if let Err(error) = ended {
            tracing::error!(%error, "a shard's task did not survive; its lease runs out by itself");
        }
        self.owned.retain(|shard, owned| {
            let is_it = owned.task == task;
            if is_it {
                self.runtime.owned.send_modify(|owned| {
                    owned.open.remove(shard);
                });
            }
            !is_it
        });
    }

    async fn give_everything_up(&mut self) {
        for owned in self.owned.values() {
            owned.give_up.cancel();
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.forget(ended);
        }
    }
}

/// What does not change while a lease is held.
#[derive(Clone, Copy)]
struct LeaseFacts {
    shard: Shard,
    epoch: Epoch,
}

/// How a life of a shard began, and what its end leaves to the next.
struct Begun<'a> {
    previous: Option<Epoch>,
    unsettled: bool,
    settled: &'a AtomicBool,
}

/// One shard from the winning of its lease to its end.
struct ShardLife<W: Worker> {
    worker: Arc<W>,
    runtime: WorkerRuntime,
    leases: Leases,
    give_up: CancellationToken,
    /// Every task of this life.
    tasks: TaskTracker,
}

impl<W: Worker> ShardLife<W> {
    async fn live(self, mut lease: Lease, previous: Option<Epoch>, unsettled: bool) {
        let (deadline, until) = watch::channel(lease.deadline().into_std());
        let facts = LeaseFacts {
            shard: lease.shard(),
            epoch: lease.epoch(),
        };
        // Until a part of it says otherwise, nothing has been begun.
        let settled = AtomicBool::new(true);
        let begun = Begun {
            previous,
            unsettled,
            settled: &settled,
        };
        let work = self.work(facts, begun, LeaseClock::new(until));
        // Dropping the work cancels every task of the shard: they live in join sets inside it, or end with its stop.
        let ended = tokio::select! {
            biased;
            lost = keep(&self.leases, &mut lease, &deadline) => Err(lost),
            ended = work => Ok(ended),
        };
        // A task that is cancelled goes on to its next await, and this process may take the shard again, with the same
        // cache: whatever it still writes must be written before.
        self.tasks.close();
        self.tasks.wait().await;
        let ended = match ended {
            Ok(ended) => ended,
            Err(lost) => {
                tracing::warn!(error = %lost, "the shard is lost; everything it was doing is dropped");
                return;
            }
        };
        match ended {
            Ok(()) => tracing::debug!("the shard is given back"),
            Err(error) => {
                tracing::warn!(
                    error = error.chain(),
                    "the shard is given up and will be taken again"
                );
            }
        }
        if let Err(error) = self.leases.release(lease, settled.into_inner()).await {
            tracing::warn!(%error, "the lease could not be released; it runs out by itself");
        }
    }

    async fn work(&self, lease: LeaseFacts, begun: Begun<'_>, clock: LeaseClock) -> Result<(), StageError> {
        if begun.unsettled {
            // The former owner may not know yet, or its calls were cut short: the last one can last so long.
            tokio::select! {
                () = self.give_up.cancelled() => {
                    begun.settled.store(false, Ordering::Relaxed); // the next owner waits in our place
                    return Ok(());
                }
                () = tokio::time::sleep(self.runtime.call_timeout) => {}
            }
        }
        let cache = self
            .runtime
            .caches
            .shard(W::KIND, lease.shard)?
            .tracked_by(&self.tasks);
        let warm = reclaim(&cache, begun.previous).await?;
        let context = ShardContext {
            shard: lease.shard,
            epoch: lease.epoch,
            hub: self.runtime.hub.clone(),
            config: self.runtime.config.clone(),
            cache: cache.clone(),
            warm,
            secrets: self.runtime.secrets.clone(),
            stop: self.give_up.child_token(),
            lease: clock,
            tasks: self.tasks.clone(),
        };
        // However this ends, also by being dropped: what runs beside the lanes ends with it.
        let _over = context.stop.clone().drop_guard();
        let state = self.worker.open(context.clone()).await?;
        self.runtime.owned.send_modify(|owned| {
            owned.open.insert(lease.shard);
        });
        let worked = crate::shard::serve(&self.worker, &state, &context, &self.runtime).await;
        self.runtime.owned.send_modify(|owned| {
            owned.open.remove(&lease.shard);
        });
        context.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let settled = self.worker.is_settled(&state, worked.is_ok());
        begun.settled.store(settled, Ordering::Relaxed);
        self.worker.close(state).await;
        worked?;
        put_down(&cache, lease.epoch).await
    }
}

/// Renews a lease until it is lost; gives the reason.
async fn keep(
    leases: &Leases,
    lease: &mut Lease,
    deadline: &watch::Sender<std::time::Instant>,
) -> LeaseError {
    let third = lease.ttl() / 3;
    let mut pause = third;
    loop {
        tokio::time::sleep(pause.min(lease.remaining())).await;
        match leases.renew(lease).await {
            Ok(()) => {
                deadline.send_replace(lease.deadline().into_std());
                pause = third;
            }
            Err(lost @ LeaseError::Lost { .. }) => return lost,
            Err(error) => {
                if lease.remaining().is_zero() {
                    return error;
                }
                tracing::debug!(%error, "a renewal did not get through; trying again");
                pause = lease.ttl() / 12;
            }
        }
    }
}

const CLEAN: &[u8] = b"\0clean";

/// Empties the cache unless it was put down cleanly under exactly the epoch before this one. Gives whether it counts.
async fn reclaim(cache: &Cache, previous: Option<Epoch>) -> Result<bool, StageError> {
    let mark = cache.get(CLEAN)?;
    let warm = match (mark, previous) {
        (Some(mark), Some(epoch)) => *mark == epoch.0.to_be_bytes(),
        _ => false,
    };
    if warm {
        cache.remove(CLEAN)?;
        cache.flush().await?; // a hard stop from here on must find no mark
    } else {
        cache.clear()?;
    }
    Ok(warm)
}

/// Marks the cache as complete up to this epoch.
async fn put_down(cache: &Cache, epoch: Epoch) -> Result<(), StageError> {
    cache.flush().await?;
    cache.put(CLEAN, &epoch.0.to_be_bytes())?;
    cache.flush().await
}
