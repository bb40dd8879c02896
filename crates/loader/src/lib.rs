//! The loader: the only code that talks to HubSpot. Applies writes within the portal's limits and says what came of
//! each; reads where a compare wants reading; answers what others ask about a portal.
//!
//! * **L1** A delivery is acknowledged only after its effects are HubSpot's and what came of them is on the bus.
//! * **L2** No write of a record is sent while an earlier one is unanswered, and no older version over a newer one,
//!   with a warm cache or with none.
//!   Whoever takes a shard over waits for calls that its former owner left without an answer.
//! * **L3** Handling a delivery twice changes nothing but a count of calls.
//! * **L4** One bad row costs its neighbours nothing: each row of a refused batch lands or fails alone.
//! * **L5** A delete touches only a record that carries `landbridge_version`, and no more of them within an hour than the
//!   sync's safety limit without a person's word, however often the shard changes hands.
//! * **L6** Record writes never wait for link writes, nor live for bulk.
//!
//! It must never know of Salesforce, nor how a value was converted. Start at [`Loader`]; the decisions are in `known`,
//! `queue`, `refusal`, `pairs` and `compare`, all pure.

mod alone;
mod answers;
mod backoff;
mod before;
mod busy;
mod ceilings;
mod check;
mod compare;
mod decide;
mod deletes;
mod estimate;
mod finish;
mod flight;
mod held;
mod known;
mod links;
mod pairs;
mod portal;
mod predict;
mod provision;
mod queue;
mod refusal;
mod reign;
mod removal;
mod retry;
mod row;
mod safety;
mod scan;
mod shard;
mod signing_in;
mod target;
mod unanswered;
mod undo;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::{Lane, StageKind};
use landbridge_stage::{LaneContext, ShardContext, StageError, Worker};
use landbridge_wire::{Ask, AskError};

pub use shard::LoaderShard;

/// How a loader works.
#[derive(Clone, Copy, Debug)]
pub struct LoaderSettings {
    /// How long a row waits for others to share a call with.
    pub linger: Duration,
    /// The longest that a call to HubSpot may take; a lease must outlast it.
    pub call_timeout: Duration,
    /// How often a tenant's portal is asked how full records are of associations: two calls for each pair of types.
    pub ceilings_every: Duration,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(50),
            call_timeout: Duration::from_secs(30),
            ceilings_every: Duration::from_secs(600),
        }
    }
}

/// The worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loader {
    settings: LoaderSettings,
}

impl Loader {
    /// With settings.
    pub fn new(settings: LoaderSettings) -> Self {
        Self { settings }
    }
}

impl Worker for Loader {
    const KIND: StageKind = StageKind::Loader;
    type Shard = LoaderShard;

    async fn open(&self, context: ShardContext) -> Result<Arc<LoaderShard>, StageError> {
        LoaderShard::open(self.settings, context).await.map(Arc::new)
    }

    async fn run_lane(&self, shard: Arc<LoaderShard>, lane: LaneContext) -> Result<(), StageError> {
        match lane.lane {
            Lane::Live | Lane::Bulk => writes::run(shard, lane).await,
            Lane::Links => links::run(shard, lane).await,
            Lane::Check => check::run(shard, lane).await,
        }
    }

    async fn background(&self, shard: Arc<LoaderShard>, context: ShardContext) -> Result<(), StageError> {
        let ceilings = ceilings::run(shard.clone(), context.clone());
        let held = held::run(shard, context);
        tokio::pin!(held);
        // The ceilings end with the shard, and may not keep it when the held deletes cannot go on.
        tokio::select! {
            biased;
            ended = &mut held => return ended,
            () = ceilings => {}
        }
        held.await
    }

    async fn answer(&self, shard: Arc<LoaderShard>, ask: Ask) -> Result<String, AskError> {
        answers::answer(&shard, ask).await
    }

    fn is_settled(&self, shard: &LoaderShard, finished: bool) -> bool {
        finished && shard.has_all_answers()
    }

    async fn close(&self, shard: Arc<LoaderShard>) {
        held::put_budgets_down(&shard).await;
    }
}
