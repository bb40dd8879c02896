//! Leases: who owns which shard at which stage, with an end that comes by itself.
//!
//! Taken and renewed by our own publish: the client library's calls lose the time to live on a renewal and on a key
//! that was removed before, and a lease without one never ends.

use std::fmt;
use std::time::Duration;

use landbridge_model::{Shard, StageKind};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::bus::Bus;
use crate::error::{Error, Verdict};
use crate::kv::{Key, KeyFilter, Kv, KvError, KvEvent, KvWatch};
use crate::members::WorkerId;
use crate::streams::Bucket;

/// The revision at which a lease was won: later owners have higher ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A shard that is ours, as long as it is renewed.
#[derive(Debug)]
pub struct Lease {
    stage: StageKind,
    shard: Shard,
    epoch: Epoch,
    revision: u64,
    value: LeaseValue,
    ttl: Duration,
    deadline: Instant,
}

/// What a lease's key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LeaseValue {
    owner: WorkerId,
    /// Tells our own renewal, whose acknowledgement was lost, from somebody else's.
    token: u64,
}

/// What the key beside it holds, for good: who owned the shard last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chain {
    epoch: Epoch,
    owner: WorkerId,
}

/// What came of trying to take a lease.
#[derive(Debug)]
pub enum Take {
    /// It is ours.
    Won {
        /// The lease.
        lease: Lease,
        /// The epoch before. A cache that was written under exactly this epoch has missed nothing: nobody else has
        /// owned the shard since.
        previous: Option<Epoch>,
        /// Whether the former owner did not release it, or released it while a call of its own may still have been carried
        /// out. Wait for as long as its longest outside call can last.
        unsettled: bool,
    },
    /// Somebody else has it.
    Held {
        /// Who.
        by: WorkerId,
    },
    /// Somebody else was faster.
    Lost,
}

/// Why a lease is not renewed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Somebody else has it: stop at once.
    #[error("the lease of {stage} shard {shard} is lost")]
    Lost {
        /// The stage.
        stage: StageKind,
        /// The shard.
        shard: Shard,
    },
    /// The bus does not say: the lease still holds until its deadline, so try again.
    #[error("the bus does not answer for the lease")]
    Unsure(#[source] KvError),
}

impl LeaseError {
    /// What the owner does next.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Lost { .. } => Verdict::Reopen,
            Self::Unsure(_) => Verdict::Retry,
        }
    }
}

impl Lease {
    /// Of which stage.
    pub fn stage(&self) -> StageKind {
        self.stage
    }

    /// Of which shard.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// When it was won, as a number that grows.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// When it ends unless it is renewed, on the monotonic clock and never later than on the server's.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How much of it is left.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How long it lasts after a renewal.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// All leases of an installation.
#[derive(Clone, Debug)]
pub struct Leases {
    kv: Kv,
    ttl: Duration,
}

impl Leases {
    /// With the configured time to live.
    pub fn new(bus: &Bus) -> Self {
        let ttl = Duration::from_secs(bus.config().lease_ttl.as_secs().max(1));
        Self {
            kv: bus.kv(Bucket::Leases),
            ttl,
        }
    }

    /// Tries to make a shard ours.
    pub async fn take(&self, stage: StageKind, shard: Shard, worker: &WorkerId) -> Result<Take, KvError> {
        let key = lease_key(stage, shard);
        let (revision, settled) = match self.kv.slot(&key).await? {
            Some(slot) => match slot.value {
                Some(entry) => {
                    return Ok(Take::Held {
                        by: entry.json::<LeaseValue>()?.owner,
                    });
                }
                None => (slot.revision, !slot.expired && !slot.unsettled),
            },
            None => (0, false),
        };
        let value = LeaseValue {
            owner: worker.clone(),
            token: rand::random(),
        };
        let before = Instant::now();
        let bytes = encode(&key, &value)?;
        let won = match self
            .kv
            .write_at(&key, bytes.into(), revision, Some(self.ttl))
            .await
        {
            Ok(revision) => revision,
            Err(KvError::Conflict) => return Ok(Take::Lost),
            // It may have got through: then it is ours, and nobody knows. Look.
            Err(KvError::Bus(error)) if error.verdict() == Verdict::Retry => {
                match self.mine(&key, &value).await? {
                    Some(revision) => revision,
                    None => return Err(KvError::Bus(error)),
                }
            }
            Err(error) => return Err(error),
        };
        let epoch = Epoch(won);
        let lease = Lease {
            stage,
            shard,
            epoch,
            revision: won,
            value,
            ttl: self.ttl,
            deadline: before + self.ttl,
        };
        let previous = self.extend_chain(&lease).await?;
        // A key that never was has no former owner, whatever happened to its mark.
        let unsettled = !settled && previous.is_some();
        Ok(Take::Won {
            lease,
            previous,
            unsettled,
        })
    }

    /// Renews a lease. Its deadline counts from before the renewal was sent; one that is not renewed when its deadline
    /// comes is lost, whatever the server would say.
    pub async fn renew(&self, lease: &mut Lease) -> Result<(), LeaseError> {
        let lost = LeaseError::Lost {
            stage: lease.stage,
            shard: lease.shard,
        };
        if lease.remaining().is_zero() {
            return Err(lost);
        }
        let deadline = lease.deadline;
        tokio::time::timeout_at(deadline, self.renew_in_time(lease))
            .await
            .unwrap_or(Err(lost))
    }

    async fn renew_in_time(&self, lease: &mut Lease) -> Result<(), LeaseError> {
        let key = lease_key(lease.stage, lease.shard);
        let before = Instant::now();
        let bytes = encode(&key, &lease.value).map_err(LeaseError::Unsure)?;
        match self
            .kv
            .write_at(&key, bytes.into(), lease.revision, Some(lease.ttl))
            .await
        {
            Ok(revision) => {
                lease.revision = revision;
                lease.deadline = before + lease.ttl;
                Ok(())
            }
            // Either somebody else has it, or an earlier renewal got through without our hearing of it. In the second
            // case the deadline stays where it was: the next renewal moves it.
            Err(KvError::Conflict) => match self.mine(&key, &lease.value).await {
                Ok(Some(revision)) => {
                    lease.revision = revision;
                    Ok(())
                }
                Ok(None) => Err(LeaseError::Lost {
                    stage: lease.stage,
                    shard: lease.shard,
                }),
                Err(error) => Err(LeaseError::Unsure(error)),
            },
            Err(error) => Err(LeaseError::Unsure(error)),
        }
    }

    /// Gives a lease up, so that another worker can have it at once. Unless everything is `settled` the next owner waits for
    /// one call's time before it begins, as after a lease that ran out.
    pub async fn release(&self, lease: Lease, settled: bool) -> Result<(), KvError> {
        match self
            .kv
            .release(&lease_key(lease.stage, lease.shard), lease.revision, settled)
            .await
        {
            Ok(_) | Err(KvError::Conflict) => Ok(()), // in a conflict somebody else has it already
            Err(error) => Err(error),
        }
    }

    /// Who owns which shard of a stage now.
    pub async fn list(&self, stage: StageKind) -> Result<Vec<(Shard, WorkerId, Epoch)>, KvError> {
        let entries = self
            .kv
            .list(&KeyFilter::Under(Key::new([stage.as_str()])))
            .await?;
        let mut leases = Vec::new();
        for entry in entries {
            if let Some(shard) = shard_of(&entry.key) {
                let chain = self.kv.get_json::<Chain>(&chain_key(stage, shard)).await?;
                let epoch = chain.map_or(Epoch(entry.revision), |(chain, _)| chain.epoch);
                leases.push((shard, entry.json::<LeaseValue>()?.owner, epoch));
            }
        }
        leases.sort_by_key(|(shard, ..)| *shard);
        Ok(leases)
    }

    /// Watches a stage's leases.
    pub async fn watch(&self, stage: StageKind) -> Result<LeaseWatch, KvError> {
        let watch = self
            .kv
            .watch(&KeyFilter::Under(Key::new([stage.as_str()])))
            .await?;
        Ok(LeaseWatch { watch })
    }

    /// The key's revision, if what it holds is `value`.
    async fn mine(&self, key: &Key, value: &LeaseValue) -> Result<Option<u64>, KvError> {
        let Some((found, revision)) = self.kv.get_json::<LeaseValue>(key).await? else {
            return Ok(None);
        };
        Ok((found == *value).then_some(revision))
    }

    /// Writes who owns the shard now, and gives who did before. Nothing may be done under the lease before this is
    /// written, or a cache could pass for unbroken.
    async fn extend_chain(&self, lease: &Lease) -> Result<Option<Epoch>, KvError> {
        let key = chain_key(lease.stage, lease.shard);
        let previous = self
            .kv
            .get_json::<Chain>(&key)
            .await?
            .map(|(chain, _)| chain.epoch);
        let chain = Chain {
            epoch: lease.epoch,
            owner: lease.value.owner.clone(),
        };
        self.kv.put_json(&key, &chain).await?;
        Ok(previous)
    }
}

/// A change in who owns what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// Somebody has it (won or renewed).
    Held {
        /// Which shard.
        shard: Shard,
        /// Who.
        by: WorkerId,
    },
    /// Nobody has it: released or run out.
    Free(Shard),
    /// All that was there when the watch began has been given. Comes once.
    Ready,
}

/// A watch on a stage's leases. Dropping it ends it.
#[derive(Debug)]
pub struct LeaseWatch {
    watch: KvWatch,
}

impl LeaseWatch {
    /// The next change. Can be dropped at any await.
    pub async fn next(&mut self) -> LeaseEvent {
        loop {
            match self.watch.next().await {
                KvEvent::Ready => return LeaseEvent::Ready,
                KvEvent::Gone { key, .. } => {
                    if let Some(shard) = shard_of(&key) {
                        return LeaseEvent::Free(shard);
                    }
                }
                KvEvent::Put(entry) => {
                    if let (Some(shard), Ok(value)) = (shard_of(&entry.key), entry.json::<LeaseValue>()) {
                        return LeaseEvent::Held {
                            shard,
                            by: value.owner,
                        };
                    }
                }
            }
        }
    }
}

/// `<stage>.<shard>`
fn lease_key(stage: StageKind, shard: Shard) -> Key {
    Key::new([stage.as_str(), &shard.to_string()])
}

/// `chain.<stage>.<shard>`
fn chain_key(stage: StageKind, shard: Shard) -> Key {
    Key::new(["chain", stage.as_str(), &shard.to_string()])
}

fn shard_of(key: &Key) -> Option<Shard> {
    key.as_str().rsplit('.').next()?.parse().ok().map(Shard)
}

fn encode(key: &Key, value: &LeaseValue) -> Result<Vec<u8>, KvError> {
    serde_json::to_vec(value).map_err(|source| KvError::Unwritable {
        key: key.to_string(),
        source,
    })
}

impl From<KvError> for Error {
    fn from(error: KvError) -> Self {
        match error {
            KvError::Bus(error) => error,
            other => Self::undecodable("a bucket's entry", other),
        }
    }
}
