//! What control keeps for one shard: the ledger, fed from the outcomes stream, and verifies under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landbridge_bus::{Filter, FollowFrom, Followed, StreamName, Subject};
use landbridge_model::{RunId, TenantId};
use landbridge_stage::{CacheBatch, ShardContext, StageError};
use landbridge_wire::{AskError, AskErrorCode, Report, Wire};
use tokio::sync::watch;

use crate::alerts::AlertPace;
use crate::cures::Looked;
use crate::dry_run::DryRuns;
use crate::identity::InHand;
use crate::ledger::{Ledger, StoredTenant};
use crate::removals::Removals;
use crate::undo::Undos;
use crate::verify::Verify;

/// How often the ledger is put into the cache.
const STORE_EVERY: Duration = Duration::from_secs(10);
/// How long the account may lag behind the stream before a question about it is not answered.
const CATCH_UP_MAX: Duration = Duration::from_secs(20);
/// Where the position is kept in the cache.
const POSITION: &[u8] = b"position";
/// What tenants' accounts are kept under.
const TENANTS: &[u8] = b"tenant/";

/// One shard of control.
pub struct ControlShard {
    pub(crate) context: ShardContext,
    ledger: Mutex<Ledger>,
    /// Where reading begins.
    after: u64,
    through: watch::Sender<u64>,
    /// How long one question looks again for object types that do not show.
    pub(crate) object_type_patience: Duration,
    pub(crate) alert_pace: AlertPace,
    pub(crate) verifies: Mutex<BTreeMap<RunId, Verify>>,
    pub(crate) dry_runs: Mutex<DryRuns>,
    /// The tenants whose results of dry runs were looked for on the bus.
    pub(crate) recalled: Mutex<BTreeSet<TenantId>>,
    /// Syncs that are being removed with what they wrote.
    pub(crate) removals: Mutex<Removals>,
    /// Syncs whose failures were looked through for what their revision may have cured.
    pub(crate) cures: Mutex<Looked>,
    /// Imports that are being undone.
    pub(crate) undos: Mutex<Undos>,
    /// Orgs that are being adopted.
    pub(crate) adoptions: InHand,
}

impl std::fmt::Debug for ControlShard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlShard")
            .field("shard", &self.context.shard)
            .finish_non_exhaustive()
    }
}

/// A lock that no panic can poison into uselessness: what it guards is consistent between calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ControlShard {
    /// From the cache when it counts, else from nothing.
    pub(crate) fn open(
        context: ShardContext,
        object_type_patience: Duration,
        alert_pace: AlertPace,
    ) -> Result<Self, StageError> {
        let (ledger, after) = restore(&context)?;
        Ok(Self {
            context,
            ledger: Mutex::new(ledger),
            after,
            through: watch::channel(after).0,
            object_type_patience,
            alert_pace,
            verifies: Mutex::default(),
            dry_runs: Mutex::default(),
            recalled: Mutex::default(),
            removals: Mutex::default(),
            cures: Mutex::default(),
            undos: Mutex::default(),
            adoptions: InHand::default(),
        })
    }

    /// The ledger. Never held across an await.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Feeds the ledger until the shard is given up.
    pub(crate) async fn follow(&self) -> Result<(), StageError> {
        let filter = Filter::shard(StreamName::Outcomes, self.context.shard);
        let from = if self.after == 0 {
            FollowFrom::Start
        } else {
            FollowFrom::After(self.after)
        };
        let mut follow = self.context.hub.bus().follow(&filter, from).await?;
        let mut store = tokio::time::interval(STORE_EVERY);
        store.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.context.stop.cancelled() => return Ok(()),
                _ = store.tick() => self.store().await?,
                followed = follow.next() => match followed {
                    Followed::Message(stored) => self.fold(stored.sequence, &stored.payload),
                    Followed::CaughtUp => tracing::debug!(shard = %self.context.shard, "the ledger is up to date"),
                    Followed::Gap { after, before } => {
                        tracing::warn!(after, before, "outcomes are missing from the stream");
                    }
                },
            }
        }
    }

    fn fold(&self, sequence: u64, payload: &[u8]) {
        let mut ledger = self.ledger();
        match Report::decode(payload) {
            Ok(report) => ledger.fold(sequence, &report),
            Err(error) => {
                tracing::warn!(sequence, %error, "a report cannot be read and is passed over");
                ledger.passed(sequence);
            }
        }
        drop(ledger);
        // Not the ledger's own position: after a restart that is ahead of what open imports have read again.
        self.through.send_replace(sequence);
    }

    /// Waits until all that the tenant's stages have reported so far is folded.
    pub(crate) async fn caught_up(&self, tenant: &TenantId) -> Result<(), StageError> {
        let subject = Subject::Outcomes {
            shard: self.context.shard,
            tenant: tenant.clone(),
        };
        let Some(newest) = self.context.hub.bus().last(&subject).await? else {
            return Ok(());
        };
        let mut through = self.through.subscribe();
        let reached = through.wait_for(|through| *through >= newest.sequence);
        match tokio::time::timeout(CATCH_UP_MAX, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StageError::worker(
                "the outcomes are still being read; ask again in a moment",
            )),
        }
    }

    /// Puts what changed into the cache.
    pub(crate) async fn store(&self) -> Result<(), StageError> {
        let mut batch = CacheBatch::new();
        {
            let mut ledger = self.ledger();
            let position = ledger.replay_from().saturating_sub(1);
            batch.put(POSITION, format!("{position} {}", ledger.through()).as_bytes());
            for (tenant, account) in ledger.tenants_mut() {
                let Some(stored) = account.store() else { continue };
                let json = serde_json::to_vec(&stored)
                    .map_err(|error| StageError::caused("the ledger cannot be stored", error))?;
                batch.put(&[TENANTS, tenant.as_str().as_bytes()].concat(), &json);
            }
        }
        self.context.cache.apply(batch).await
    }

    /// Forgets a tenant's accounts.
    pub(crate) fn forget(&self, tenant: &TenantId) -> Result<(), StageError> {
        self.ledger().forget(tenant);
        self.context
            .cache
            .remove(&[TENANTS, tenant.as_str().as_bytes()].concat())
    }
}

/// The ledger, and the sequence behind which reading begins.
fn restore(context: &ShardContext) -> Result<(Ledger, u64), StageError> {
    let position = context.cache.get(POSITION)?;
    let position = position.as_deref().and_then(|bytes| {
        let (after, through) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        Some((after.parse::<u64>().ok()?, through.parse::<u64>().ok()?))
    });
    let (true, Some((after, through))) = (context.warm, position) else {
        context.cache.clear()?;
        return Ok((Ledger::default(), 0));
    };
    let mut tenants = Vec::new();
    for entry in context.cache.scan_prefix(TENANTS) {
        let (key, value) = entry?;
        let name = std::str::from_utf8(&key[TENANTS.len()..])
            .ok()
            .and_then(|name| TenantId::new(name).ok());
        match (name, serde_json::from_slice::<StoredTenant>(&value)) {
            (Some(name), Ok(stored)) => tenants.push((name, stored)),
            _ => {
                tracing::warn!("the stored ledger is of another version; it is built anew from the stream");
                context.cache.clear()?;
                return Ok((Ledger::default(), 0));
            }
        }
    }
    Ok((Ledger::restore(through, tenants), after))
}

/// Trouble of the bus, as an answer.
pub(crate) fn unavailable(error: StageError) -> AskError {
    AskError::new(AskErrorCode::Unavailable, error.chain())
}
