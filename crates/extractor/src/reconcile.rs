//! What HubSpot has, looked for in Salesforce by ids and stamps alone.
//!
//! A record that is purged, or deleted for good, leaves no row behind that a window could show; and what was lost on its way,
//! for whatever reason, leaves HubSpot behind without anybody's knowing. So what HubSpot has is looked for in Salesforce from
//! time to time, and whenever a person asks (`look`).
//!
//! A look remembers how far it has come: whoever takes the shard over goes on there, and what it finds absent has the time at
//! which the look began as its version, whoever finds it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landbridge_model::ask::ReconcileStatus;
use landbridge_model::config::Sync;
use landbridge_model::salesforce::FieldDescribe;
use landbridge_model::{ObjectTypeId, SalesforceId, Source, SyncKey};
use landbridge_salesforce::Verdict;
use landbridge_wire::{AskError, AskErrorCode};
use serde::{Deserialize, Serialize};
use tracing::Instrument;

use crate::live::is_live;
use crate::plan::ReadPlan;
use crate::reader::Reader;
use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};

mod decided;
mod look;
mod told;

use look::Look;
pub use told::Looks;

/// Pause after trouble that may pass by itself, and after one that a person or the next day must cure.
const PAUSES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(1_800));
/// Above this share of the budget no look begins by the clock: the increment needs the rest.
const EASY_PRESSURE: f64 = 0.6;

/// How far a look has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookPoint {
    /// The org that is looked through.
    pub org_id: SalesforceId,
    /// The type whose records HubSpot lists; the place in the listing means nothing for another one.
    pub object_type: ObjectTypeId,
    /// The org's clock when the look began: the version of what is found absent.
    pub began: Timestamp,
    /// Where the listing goes on, which is in the order of ids: all before was looked for, and what came of it is on the bus.
    pub after: Option<String>,
    /// Whether a person asked for it: then it trusts no memory of what it read again before.
    pub is_asked: bool,
    /// What it has found so far.
    pub found: Found,
}

/// What one look found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Records that were looked for.
    pub looked_for: u64,
    /// Of them, those that Salesforce shows with a newer stamp than HubSpot has, and that were read again.
    pub behind: u64,
    /// Those that lie in the recycle bin.
    pub deleted: u64,
    /// Those of which nothing is to be seen.
    pub absent: u64,
    /// The same, where a person has decided to keep them.
    pub kept: u64,
}

impl LookPoint {
    /// As people are told of it.
    fn status(&self, is_running: bool) -> ReconcileStatus {
        let Found {
            looked_for,
            behind,
            deleted,
            absent,
            kept,
        } = self.found;
        ReconcileStatus {
            began_ms: self.began.as_millisecond(),
            is_running,
            looked_for,
            behind,
            deleted,
            absent,
            kept,
        }
    }
}

/// Looks for one sync's records until it is told to stop from outside.
#[derive(Debug)]
pub struct Reconciler {
    shard: Arc<Shard>,
    key: SyncKey,
}

impl Reconciler {
    /// For one sync. Nothing is read yet.
    #[must_use]
    pub fn new(shard: Arc<Shard>, key: SyncKey) -> Self {
        Self { shard, key }
    }

    /// Looks again and again; dropped when the sync is no longer to be read.
    pub async fn run(self) {
        let span = tracing::info_span!("reconcile", sync = %self.key);
        async {
            loop {
                let pause = match self.look_if_due().await {
                    Ok(pause) => pause,
                    Err(trouble) => self.after(&trouble).await,
                };
                self.shard.looks.pause(&self.key, pause).await;
            }
        }
        .instrument(span)
        .await;
    }

    async fn after(&self, trouble: &Trouble) -> Duration {
        tracing::warn!(trouble = %trouble.chain(), "HubSpot's records cannot be looked for");
        match trouble.remedy() {
            Remedy::TryAgain | Remedy::NewJob => PAUSES.0,
            // Who reads the increment says so, and stops it.
            Remedy::TryRarely | Remedy::Smaller | Remedy::Stop => PAUSES.1,
            Remedy::StopTenant => {
                let reason = trouble.chain();
                self.shard.suspend_tenant(&self.key.tenant, &reason).await;
                PAUSES.1
            }
        }
    }

    /// Looks, or goes on with a look that was cut off; gives how long it is until the next.
    async fn look_if_due(&self) -> Result<Duration, Trouble> {
        let interval = self.shard.settings.reconcile_interval;
        let begun = self.shard.checkpoints.look(&self.key).await?;
        let asked = self.shard.checkpoints.look_asked(&self.key).await?;
        let is_adopting = self.shard.checkpoints.is_adopting(&self.key).await?;
        let is_wanted = begun.is_some() || asked.is_some() || is_adopting;
        if interval.is_zero() && !is_wanted {
            return Ok(PAUSES.1);
        }
        let sync = self.shard.sync(&self.key)?;
        let Some(object_type) = object_type(&sync) else {
            return Ok(PAUSES.1);
        };
        let plan = Arc::new(ReadPlan::new(&sync)?);
        let client = self.shard.orgs.client(&self.key.tenant).await?;
        let reader = self.shard.reader(client, plan);
        let now = reader.org_now().await?;
        if !is_wanted && let Some(rest) = self.rest(&reader, interval, now).await? {
            return Ok(rest);
        }
        let org_id = reader.client.org_id().await?;
        let fits = |point: &LookPoint| point.org_id == org_id && point.object_type == object_type;
        let point = begun.filter(fits).unwrap_or(LookPoint {
            org_id,
            object_type,
            began: asked.unwrap_or(now),
            after: None,
            is_asked: asked.is_some(),
            found: Found::default(),
        });
        let source = if is_adopting {
            Source::Reconcile
        } else {
            source(&reader).await?
        };
        let look = Look::new(&self.shard, &reader, point, source, is_adopting);
        let ended = look.run().await?;
        self.shard
            .checkpoints
            .put_reconciled(&self.key, ended.began)
            .await?;
        self.shard.checkpoints.forget_look(&self.key).await?;
        if ended.is_asked {
            self.shard.checkpoints.answer_look(&self.key).await?;
        }
        self.shard.looks.tell(&self.key, ended.status(false));
        if is_adopting {
            self.shard.checkpoints.has_adopted(&self.key).await?;
        }
        // Whoever asked during a look by the clock has rung, and a look of their own follows at once.
        Ok(if interval.is_zero() { PAUSES.1 } else { interval })
    }

    /// How long it is until a look is due by the clock; none when it is.
    async fn rest(
        &self,
        reader: &Reader,
        interval: Duration,
        now: Timestamp,
    ) -> Result<Option<Duration>, Trouble> {
        let Some(last) = self.shard.checkpoints.reconciled(&self.key).await? else {
            // What was turned on a moment ago has nothing to be looked for yet.
            self.shard.checkpoints.put_reconciled(&self.key, now).await?;
            return Ok(Some(interval));
        };
        let rest = rest_of(interval, last, now);
        if !rest.is_zero() {
            return Ok(Some(rest));
        }
        let is_dear = reader.client.governor().pressure() > EASY_PRESSURE;
        Ok(is_dear.then_some(PAUSES.1))
    }
}

fn object_type(sync: &Sync) -> Option<ObjectTypeId> {
    let resolved = sync.resolved.as_ref()?;
    Some(resolved.object_type.object_type_id.clone())
}

/// A person wants a look now. Written down before it is answered: whoever owns the shard then looks. One that was asked for and is
/// under way is the one that is wanted; one by the clock is not, for it trusts what was read again before.
///
/// # Errors
/// When the sync stands still, and whatever keeps the org from being asked for its time.
pub async fn ask(shard: &Arc<Shard>, key: &SyncKey) -> Result<ReconcileStatus, AskError> {
    let troubled = |trouble: Trouble| trouble.answer();
    let sync = shard.sync(key).map_err(troubled)?;
    if !is_live(&sync) {
        let status = sync.status.as_str();
        let message = format!("{key} is {status}; turn it on first: what stands still is not looked for");
        return Err(AskError::new(AskErrorCode::Conflict, message));
    }
    let status = begin(shard, key, &sync).await.map_err(troubled)?;
    shard.looks.ring(key);
    Ok(status)
}

async fn begin(shard: &Arc<Shard>, key: &SyncKey, sync: &Sync) -> Result<ReconcileStatus, Trouble> {
    let point = shard.checkpoints.look(key).await?;
    if let Some(point) = point.filter(|point| point.is_asked) {
        return Ok(point.status(true));
    }
    let began = match shard.checkpoints.look_asked(key).await? {
        Some(asked) => asked,
        None => {
            let client = shard.orgs.client(&key.tenant).await?;
            let reader = shard.reader(client, Arc::new(ReadPlan::new(sync)?));
            let now = reader.org_now().await?;
            shard.checkpoints.ask_look(key, now).await?;
            now
        }
    };
    Ok(ReconcileStatus {
        began_ms: began.as_millisecond(),
        is_running: true,
        ..ReconcileStatus::default()
    })
}

/// What absence says: a delete, if the user demonstrably sees all records of the object and of the masters that its
/// sharing follows. A user who may not ask does not.
async fn source(reader: &Reader) -> Result<Source, Trouble> {
    let object = reader.client.describe(&reader.plan.object).await?;
    let is_master = |field: &&FieldDescribe| field.relationship_order.is_some();
    let masters = object
        .fields
        .iter()
        .filter(is_master)
        .flat_map(|field| &field.reference_to);
    let mut objects = vec![object.name.as_str()];
    objects.extend(masters.map(String::as_str));
    let user = reader.client.session().await?.user_id;
    match reader.client.sees_all(&user, &objects).await {
        Ok(true) => Ok(Source::Purged),
        Ok(false) => Ok(Source::Reconcile),
        Err(error) if matches!(error.verdict(), Verdict::Retry { .. } | Verdict::WaitForWindow) => {
            Err(error.into())
        }
        Err(error) => {
            tracing::info!(%error, "the user may not ask what it sees; what is absent is held");
            Ok(Source::Reconcile)
        }
    }
}

/// How long it is until the next look.
fn rest_of(interval: Duration, last: Timestamp, now: Timestamp) -> Duration {
    let passed = now.duration_since(last).max(SignedDuration::ZERO);
    interval.saturating_sub(passed.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_once_its_interval_is_over() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let day = Duration::from_secs(86_400);
        assert_eq!(rest_of(day, at(1_000), at(1_000)), day);
        assert_eq!(rest_of(day, at(1_000), at(87_300)), Duration::from_secs(100));
        assert_eq!(rest_of(day, at(1_000), at(99_999)), Duration::ZERO);
        // The org's clock was set back.
        assert_eq!(rest_of(day, at(1_000), at(0)), day);
    }
}
