//! What was sent of each record last, for syncs whose records are read again for the sake of formulas: what says the same as
//! last time costs nothing downstream.
//!
//! A cache: where nothing is known of a record it travels once more and changes nothing. Every way out of the extractor writes
//! it, so that it is never older than what HubSpot was told.

use landbridge_model::{ChangeBatch, SyncKey, Version};
use landbridge_stage::{Cache, CacheBatch, StageError};

use crate::emitted::of_sync;
use crate::rows;

/// Bytes of a version, before those of the fingerprint.
const VERSION: usize = 16;

/// The latest of one sync's records, by id.
#[derive(Clone, Debug)]
pub struct Latest {
    cache: Cache,
    prefix: Vec<u8>,
}

impl Latest {
    /// Of one sync.
    #[must_use]
    pub fn of(cache: &Cache, key: &SyncKey) -> Self {
        Self {
            cache: cache.clone(),
            prefix: of_sync(b'l', key),
        }
    }

    fn key(&self, id: &[u8]) -> Vec<u8> {
        [&self.prefix, id].concat()
    }

    /// The rows of a batch that do not say what was said last.
    pub fn changed(&self, batch: &ChangeBatch) -> Result<Vec<usize>, StageError> {
        let mut changed = Vec::new();
        for (row, id) in batch.ids.iter().enumerate() {
            let known = self.cache.get(&self.key(id.as_bytes()))?;
            let print = rows::fingerprint_in(batch, row);
            if known.is_none_or(|known| known.get(VERSION..) != Some(&print[..])) {
                changed.push(row);
            }
        }
        Ok(changed)
    }

    /// Forgets what a batch is about, before it is sent: whatever happens then, nothing older stays known. What is newer
    /// than the batch stays: the batch changes nothing of it.
    pub async fn forget(&self, batch: &ChangeBatch) -> Result<(), StageError> {
        let mut gone = CacheBatch::new();
        for (row, id) in batch.ids.iter().enumerate() {
            let key = self.key(id.as_bytes());
            if !self.is_newer(&key, batch.versions[row])? {
                gone.remove(&key);
            }
        }
        self.cache.apply(gone).await
    }

    /// Remembers a batch that is on the bus now.
    pub async fn remember(&self, batch: &ChangeBatch) -> Result<(), StageError> {
        let mut known = CacheBatch::new();
        for (row, id) in batch.ids.iter().enumerate() {
            let (key, version) = (self.key(id.as_bytes()), batch.versions[row]);
            if !self.is_newer(&key, version)? {
                let print = rows::fingerprint_in(batch, row);
                known.put(&key, &[&bytes_of(version)[..], &print[..]].concat());
            }
        }
        self.cache.apply(known).await
    }

    /// Whether more is known than a version says.
    fn is_newer(&self, key: &[u8], version: Version) -> Result<bool, StageError> {
        let known = self.cache.get(key)?;
        Ok(known.is_some_and(|known| {
            known
                .get(..VERSION)
                .is_some_and(|known| *known > bytes_of(version)[..])
        }))
    }
}

/// Sorts as the version does.
fn bytes_of(version: Version) -> [u8; VERSION] {
    let mut bytes = [0; VERSION];
    bytes[..8].copy_from_slice(&version.stamp_ms.max(0).to_be_bytes());
    bytes[8..].copy_from_slice(&version.read_ms.max(0).to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Envelope, Purpose, Shard, Source, StageKind};
    use landbridge_stage::Caches;

    use super::*;
    use crate::testing;

    fn batch(name: &str, stamp_ms: i64) -> ChangeBatch {
        let plan = testing::plan();
        let table = testing::rows(&[("a00Hs000001ABCd", "2026-01-31T10:20:30.000Z", false, name)]);
        let envelope = Envelope {
            tenant: plan.key.tenant.clone(),
            sync: plan.key.name.clone(),
            revision: plan.revision,
            purpose: Purpose::Apply,
            source: Source::Reread,
            run: None,
            force: false,
            only: None,
        };
        let keys = rows::keys(&plan, &table, 0).unwrap();
        let mut split = rows::split(&plan, &envelope, &table, &keys, 0..1, 1);
        let mut batch = split.batches.remove(0);
        batch.versions[0] = Version::new(stamp_ms, 0);
        batch
    }

    #[tokio::test]
    async fn what_was_said_last_is_known_and_nothing_older_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let caches = Caches::open(folder.path(), 1 << 20).unwrap();
        let cache = caches.shard(StageKind::Extractor, Shard(1)).unwrap();
        let latest = Latest::of(&cache, &testing::sync().key());
        let (van, car) = (batch("Van", 1_000), batch("Car", 2_000));
        assert_eq!(latest.changed(&van).unwrap(), [0]);
        latest.remember(&van).await.unwrap();
        assert!(latest.changed(&van).unwrap().is_empty());
        assert_eq!(latest.changed(&car).unwrap(), [0]);
        latest.remember(&car).await.unwrap();
        // Sent late: the record is a car.
        latest.forget(&van).await.unwrap();
        latest.remember(&van).await.unwrap();
        assert!(latest.changed(&car).unwrap().is_empty());
        assert_eq!(latest.changed(&van).unwrap(), [0]);
        // Sent, and not known whether it arrived.
        latest.forget(&car).await.unwrap();
        assert_eq!(latest.changed(&car).unwrap(), [0]);
    }
}
