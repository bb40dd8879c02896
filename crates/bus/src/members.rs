//! Which workers are there, and how they share the shards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use landbridge_model::{Shard, StageKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bus::Bus;
use crate::kv::{Key, KeyFilter, Kv, KvError, KvEvent, KvWatch};
use crate::streams::Bucket;

/// One worker process, or one worker of several in a process: new at every start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(String);

impl WorkerId {
    /// A new one: readable by its host and process, unique by a random end.
    pub fn generate() -> Self {
        let host = std::env::var("HOSTNAME").unwrap_or_default();
        let host = if host.is_empty() {
            "worker".to_owned()
        } else {
            host
        };
        Self(format!(
            "{host}-{}-{:08x}",
            std::process::id(),
            rand::random::<u32>()
        ))
    }

    /// A given one, for tests.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A worker as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which one.
    pub worker: WorkerId,
    /// Of which stage.
    pub stage: StageKind,
    /// Landbridge's version.
    pub version: String,
    /// Where its health endpoint listens, if it has one.
    pub health: Option<String>,
    /// Since when.
    pub started: jiff::Timestamp,
}

/// The register of workers.
#[derive(Clone, Debug)]
pub struct Members {
    kv: Kv,
    ttl: Duration,
}

impl Members {
    /// Entries last as long as leases do.
    pub fn new(bus: &Bus) -> Self {
        let ttl = Duration::from_secs(bus.config().lease_ttl.as_secs().max(1));
        Self {
            kv: bus.kv(Bucket::Members),
            ttl,
        }
    }

    /// How long an entry lasts; announce again at a third of it.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Enters a worker, or says that it is still there.
    pub async fn announce(&self, member: &Member) -> Result<(), KvError> {
        let key = key(member.stage, &member.worker);
        let bytes = serde_json::to_vec(member).map_err(|source| KvError::Unwritable {
            key: key.to_string(),
            source,
        })?;
        self.kv.put_for(&key, bytes, self.ttl).await.map(|_| ())
    }

    /// Takes a worker out, so that the others need not wait.
    pub async fn leave(&self, stage: StageKind, worker: &WorkerId) -> Result<(), KvError> {
        self.kv.delete(&key(stage, worker)).await
    }

    /// The workers of a stage.
    pub async fn list(&self, stage: StageKind) -> Result<Vec<Member>, KvError> {
        let entries = self
            .kv
            .list(&KeyFilter::Under(Key::new([stage.as_str()])))
            .await?;
        entries.iter().map(|entry| entry.json()).collect()
    }

    /// All workers.
    pub async fn list_all(&self) -> Result<Vec<Member>, KvError> {
        let entries = self.kv.list(&KeyFilter::All).await?;
        entries.iter().map(|entry| entry.json()).collect()
    }

    /// Watches who comes and goes. Repeated announcements are not news.
    pub async fn watch(&self, stage: StageKind) -> Result<MemberWatch, KvError> {
        let watch = self
            .kv
            .watch(&KeyFilter::Under(Key::new([stage.as_str()])))
            .await?;
        Ok(MemberWatch {
            watch,
            present: BTreeSet::new(),
            ready: false,
        })
    }
}

/// A watch on a stage's workers.
#[derive(Debug)]
pub struct MemberWatch {
    watch: KvWatch,
    present: BTreeSet<WorkerId>,
    ready: bool,
}

impl MemberWatch {
    /// Who is there after the next change. Can be dropped at any await.
    pub async fn changed(&mut self) -> BTreeSet<WorkerId> {
        loop {
            let changed = match self.watch.next().await {
                KvEvent::Ready => {
                    self.ready = true;
                    true
                }
                KvEvent::Put(entry) => entry
                    .json::<Member>()
                    .is_ok_and(|member| self.present.insert(member.worker)),
                KvEvent::Gone { key, .. } => key
                    .tokens()
                    .pop()
                    .is_some_and(|worker| self.present.remove(&WorkerId(worker))),
            };
            if changed && self.ready {
                return self.present.clone();
            }
        }
    }
}

fn key(stage: StageKind, worker: &WorkerId) -> Key {
    Key::new([stage.as_str(), worker.as_str()])
}

/// How much a worker wants a shard: every worker computes the same numbers.
fn weight(worker: &WorkerId, shard: Shard) -> u64 {
    let mut hash = Sha256::new();
    hash.update(worker.as_str().as_bytes());
    hash.update([0]);
    hash.update(shard.0.to_be_bytes());
    u64::from_be_bytes(
        hash.finalize()[..8]
            .try_into()
            .expect("a SHA-256 digest has 32 bytes"),
    )
}

/// Who should own which shard: rendezvous hashing with even shares. Nobody has more than one shard more than anybody
/// else, the order in which workers are listed does not matter, and who leaves or comes moves few shards besides its
/// own.
pub fn share(workers: &BTreeSet<WorkerId>, shards: u16) -> BTreeMap<Shard, WorkerId> {
    let Some(count) = u16::try_from(workers.len()).ok().filter(|count| *count > 0) else {
        return BTreeMap::new();
    };
    let (floor, mut extras) = (shards / count, shards % count);
    let mut loads: BTreeMap<&WorkerId, u16> = workers.iter().map(|worker| (worker, 0)).collect();
    let mut plan = BTreeMap::new();
    for shard in (0..shards).map(Shard) {
        let takes = |load: u16| load < floor || (load == floor && extras > 0);
        let open = loads.iter_mut().filter(|(_, load)| takes(**load));
        if let Some((worker, load)) = open.max_by_key(|(worker, _)| weight(worker, shard)) {
            if *load == floor {
                extras -= 1;
            }
            *load += 1;
            plan.insert(shard, (*worker).clone());
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn workers(names: impl IntoIterator<Item = u8>) -> BTreeSet<WorkerId> {
        names
            .into_iter()
            .map(|name| WorkerId::new(format!("w{name}")))
            .collect()
    }

    proptest! {
        #[test]
        fn every_shard_has_one_owner_and_shares_are_even(
            names in proptest::collection::btree_set(any::<u8>(), 1..40),
            shards in 1u16..200,
        ) {
            let workers = workers(names);
            let plan = share(&workers, shards);
            prop_assert_eq!(plan.len(), usize::from(shards));
            let mut loads: BTreeMap<&WorkerId, usize> = workers.iter().map(|worker| (worker, 0)).collect();
            for owner in plan.values() {
                *loads.get_mut(owner).expect("owners are workers") += 1;
            }
            let (least, most) = (loads.values().min().unwrap(), loads.values().max().unwrap());
            prop_assert!(most - least <= 1);
        }
    }

    #[test]
    fn a_worker_that_leaves_moves_little_besides_its_own() {
        let all = workers(0..8);
        let before = share(&all, 64);
        let mut fewer = all.clone();
        let gone = fewer.pop_first().unwrap();
        let after = share(&fewer, 64);
        let moved = before
            .iter()
            .filter(|(shard, owner)| **owner != gone && after[*shard] != **owner)
            .count();
        assert!(
            moved <= 24,
            "{moved} of 56 shards moved although their owner stayed"
        );
    }

    #[test]
    fn nobody_owns_nothing() {
        assert!(share(&BTreeSet::new(), 16).is_empty());
    }
}
