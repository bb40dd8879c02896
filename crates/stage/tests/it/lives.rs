//! What one life of a shard leaves to the next.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use landbridge_bus::{Leases, Message, Subject, Take, WorkerId};
use landbridge_model::{Lane, Shard, StageKind};
use landbridge_stage::{LaneContext, ShardContext, StageError, Worker};

use crate::rig::{Rig, SHARDS};

/// What happened, in order.
#[derive(Debug, Default)]
struct Log {
    events: Mutex<Vec<&'static str>>,
    news: Condvar,
}

impl Log {
    /// Gives how many events there are now.
    fn add(&self, event: &'static str) -> usize {
        let mut events = self.events.lock().unwrap();
        events.push(event);
        self.news.notify_all();
        events.len()
    }

    /// Blocks the thread until an event was seen so often, or for so long.
    fn wait(&self, event: &str, times: usize, longest: Duration) {
        let events = self.events.lock().unwrap();
        let short =
            |events: &mut Vec<&'static str>| events.iter().filter(|one| **one == event).count() < times;
        drop(self.news.wait_timeout_while(events, longest, short).unwrap());
    }
}

/// A worker whose first message fails its shard while something beside the lanes stands still between two awaits.
struct Faulty(Arc<Log>);

impl Worker for Faulty {
    const KIND: StageKind = StageKind::Mapper;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn run_lane(&self, _shard: Arc<()>, mut lane: LaneContext) -> Result<(), StageError> {
        while let Some(delivery) = lane.inbox.recv().await {
            if self.0.add("message") > 1 {
                delivery.ack().await?;
                continue;
            }
            let log = self.0.clone();
            let (begun, begins) = tokio::sync::oneshot::channel();
            lane.shard.spawn_beside(async move {
                let _seen = begun.send(());
                // Long enough for the shard to be taken again, were it taken without waiting for this.
                log.wait("message", 2, Duration::from_secs(4));
                log.add("end of the first life");
            });
            let _begun = begins.await;
            return Err(StageError::worker("the first message fails"));
        }
        Ok(())
    }
}

/// A worker whose first message fails its shard in the middle of a call.
struct CutShort;

impl Worker for CutShort {
    const KIND: StageKind = StageKind::Mapper;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn run_lane(&self, _shard: Arc<()>, mut lane: LaneContext) -> Result<(), StageError> {
        match lane.inbox.recv().await {
            Some(_) => Err(StageError::worker("it fails")),
            None => Ok(()),
        }
    }

    fn is_settled(&self, _shard: &(), finished: bool) -> bool {
        finished
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_owner_hears_of_calls_that_were_cut_short() {
    let rig = Rig::new(false).await;
    let mut running = rig.launch_worker("cut-short", CutShort).await;
    running.owns(4).await;
    let tenant = rig.tenants().remove(0);
    let failing = rig.hub.shard_of(&tenant);
    let subject: Subject = rig.hub.changes(&tenant, Lane::Live);
    rig.hub
        .bus()
        .publish(&subject, &Message::new("test", "0"))
        .await
        .unwrap();
    running
        .owned
        .wait_for(|owned| !owned.open.contains(&failing))
        .await
        .unwrap();
    running.stop().await;
    let leases = Leases::new(rig.hub.bus());
    for shard in (0..SHARDS).map(Shard) {
        let taken = leases
            .take(StageKind::Mapper, shard, &WorkerId::new("heir"))
            .await
            .unwrap();
        let Take::Won { unsettled, .. } = taken else {
            panic!("{taken:?} of shard {shard}")
        };
        assert_eq!(unsettled, shard == failing, "shard {shard}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shard_is_taken_again_only_when_nothing_of_its_life_before_goes_on() {
    let rig = Rig::new(false).await;
    let log = Arc::new(Log::default());
    let running = rig.launch_worker("faulty", Faulty(log.clone())).await;
    let tenant = rig.tenants().remove(0);
    let subject: Subject = rig.hub.changes(&tenant, Lane::Live);
    rig.hub
        .bus()
        .publish(&subject, &Message::new("test", "0"))
        .await
        .unwrap();
    let seen = log.clone();
    tokio::task::spawn_blocking(move || seen.wait("message", 2, Duration::from_secs(60)))
        .await
        .unwrap();
    running.stop().await;
    assert_eq!(
        *log.events.lock().unwrap(),
        ["message", "end of the first life", "message"]
    );
}
