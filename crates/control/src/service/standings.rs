//! How all tenants stand, at once: for pages that must not ask hundreds of shards before they answer.
//!
//! What the configuration knows is read as it is. What only the workers know is asked in the background, a few tenants
//! at a time, as long as somebody looks, and is shown as it was when it was asked last.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use landbridge_model::config::SyncStatus;
use landbridge_model::{StageKind, SyncName, TenantId};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::caller::Caller;
use super::{Inner, Service, TenantService};
use crate::ask::{AskTenant, TenantStatus};

/// Between two rounds of questions.
const ROUND_EVERY: Duration = Duration::from_secs(5);
/// The questions end when nobody has looked for so long.
const UNWATCHED_MAX: Duration = Duration::from_secs(60);
/// Tenants asked at the same time.
const TOGETHER: usize = 16;
/// How long one tenant's status may take.
const STATUS: Duration = Duration::from_secs(15);
/// How long the first look waits for answers. What has not come by then is shown as not known yet.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// What was asked lately, and whether it goes on being asked.
#[derive(Debug)]
pub(super) struct Standings {
    asked: Mutex<Asked>,
    rounds: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Asked {
    answers: HashMap<TenantId, Result<Arc<TenantStatus>, String>>,
    looked: Option<Instant>,
    is_asking: bool,
}

impl Standings {
    pub(super) fn new() -> Self {
        Self {
            asked: Mutex::default(),
            rounds: watch::channel(0).0,
        }
    }
}

/// How one tenant stands, as far as it is known.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Which tenant, and what the caller may do there.
    pub tenant: TenantService,
    /// Its syncs, from the configuration.
    pub syncs: SyncCounts,
    /// How its workers say that it stands, as of a moment ago; none when they have not been asked yet.
    pub status: Option<Result<Arc<TenantStatus>, String>>,
}

/// A tenant's syncs by what they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncCounts {
    /// All of them.
    pub all: u64,
    /// Those that run.
    pub active: u64,
    /// Those that Landbridge stopped, with the reason.
    pub suspended: Vec<(SyncName, Option<String>)>,
}

impl Service {
    /// How the tenants stand that the caller may see, by name, without waiting for any of them.
    pub async fn standings(&self, caller: &Caller) -> Vec<Standing> {
        self.keep_asking().await;
        let mut counts = self.sync_counts();
        let tenants = self.tenants(caller);
        let asked = self.inner.standings.asked.lock();
        let standing = |tenant: TenantService| Standing {
            syncs: counts.remove(tenant.id()).unwrap_or_default(),
            status: asked.answers.get(tenant.id()).cloned(),
            tenant,
        };
        tenants.into_iter().map(standing).collect()
    }

    fn sync_counts(&self) -> BTreeMap<TenantId, SyncCounts> {
        let mut counts: BTreeMap<TenantId, SyncCounts> = BTreeMap::new();
        for sync in self.config().all_syncs() {
            let metadata = &sync.definition.metadata;
            let of_tenant = counts.entry(metadata.tenant.clone()).or_default();
            of_tenant.all += 1;
            match sync.status {
                SyncStatus::Active => of_tenant.active += 1,
                SyncStatus::Suspended => {
                    let reason = sync.reason.clone();
                    of_tenant.suspended.push((metadata.name.clone(), reason));
                }
                SyncStatus::Draft | SyncStatus::Paused => {}
            }
        }
        counts
    }

    /// Sees to it that the workers are asked, and gives the first answers a moment to come.
    async fn keep_asking(&self) {
        let mut rounds = self.inner.standings.rounds.subscribe();
        rounds.mark_unchanged();
        let begins = {
            let mut asked = self.inner.standings.asked.lock();
            asked.looked = Some(Instant::now());
            !std::mem::replace(&mut asked.is_asking, true)
        };
        if begins {
            tokio::spawn(ask_on(Arc::downgrade(&self.inner)));
            // Whether it was in time or not: what is known is shown.
            drop(tokio::time::timeout(FIRST_LOOK, rounds.changed()).await);
        }
    }
}

/// Asks round by round until nobody looks any more.
async fn ask_on(inner: Weak<Inner>) {
    loop {
        let Some(inner) = inner.upgrade() else { return };
        ask_all(&inner).await;
        inner.standings.rounds.send_modify(|round| *round += 1);
        {
            let mut asked = inner.standings.asked.lock();
            let watched = asked
                .looked
                .is_some_and(|looked| looked.elapsed() < UNWATCHED_MAX);
            if !watched {
                asked.is_asking = false;
                return;
            }
        }
        drop(inner);
        tokio::time::sleep(ROUND_EVERY).await;
    }
}

async fn ask_all(inner: &Inner) {
    let tenants = inner.config.tenants();
    let questions = tenants.iter().cloned().map(|tenant| async move {
        let question = AskTenant {};
        let answer = inner
            .hub
            .ask(StageKind::Control, &tenant.id, &question, STATUS)
            .await;
        let answer = answer.map(Arc::new).map_err(|error| error.to_string());
        inner
            .standings
            .asked
            .lock()
            .answers
            .insert(tenant.id.clone(), answer);
    });
    futures::stream::iter(questions)
        .buffer_unordered(TOGETHER)
        .collect::<()>()
        .await;
    let is_there = |id: &TenantId| tenants.iter().any(|tenant| tenant.id == *id);
    inner.standings.asked.lock().answers.retain(|id, _| is_there(id));
}
