//! What was sent lately, so that reading a stretch of time again costs nothing downstream.
//!
//! A cache: when it is lost, rows of the overlap travel once more and change nothing.

use jiff::Timestamp;
use landbridge_model::{SalesforceId, SyncKey};
use landbridge_stage::{Cache, CacheBatch, StageError};

use crate::rows::RowKey;

/// Rows that one sync's increment has put on the bus: by stamp and id, with a fingerprint of what was said.
#[derive(Clone, Debug)]
pub struct Emitted {
    cache: Cache,
    prefix: Vec<u8>,
}

/// What one kind of one sync's entries are kept under in the shard's cache.
pub(crate) fn of_sync(kind: u8, key: &SyncKey) -> Vec<u8> {
    let (tenant, name) = (key.tenant.as_str().as_bytes(), key.name.as_str().as_bytes());
    [&[kind], tenant, &[0], name, &[0]].concat()
}

/// Rows that are new since they were last sent.
#[derive(Debug, Default)]
pub struct Fresh {
    /// Their places.
    pub rows: Vec<usize>,
    /// Of them, those of which nothing was sent with their stamp: they are no news of what was sent with another content.
    pub unknown: Vec<usize>,
    /// To be applied once they are stored on the bus.
    pub remember: CacheBatch,
}

impl Emitted {
    /// Of one sync.
    #[must_use]
    pub fn of(cache: &Cache, key: &SyncKey) -> Self {
        Self {
            cache: cache.clone(),
            prefix: of_sync(b'e', key),
        }
    }

    fn key(&self, stamp_ms: i64, id: &SalesforceId) -> Vec<u8> {
        let mut key = self.prefix.clone();
        key.extend_from_slice(&stamp_ms.to_be_bytes());
        key.extend_from_slice(id.as_bytes());
        key
    }

    /// The rows that were not sent with the same content before.
    pub fn fresh(
        &self,
        keys: &[RowKey],
        fingerprint: impl Fn(usize) -> [u8; 16],
    ) -> Result<Fresh, StageError> {
        let mut fresh = Fresh::default();
        for (row, key) in keys.iter().enumerate() {
            let print = fingerprint(row);
            let at = self.key(key.version.stamp_ms, &key.id);
            match self.cache.get(&at)? {
                Some(known) if *known == print => continue,
                Some(_) => {}
                None => fresh.unknown.push(row),
            }
            fresh.rows.push(row);
            fresh.remember.put(&at, &print);
        }
        Ok(fresh)
    }

    /// Remembers rows that are on the bus now.
    pub async fn remember(&self, fresh: CacheBatch) -> Result<(), StageError> {
        self.cache.apply(fresh).await
    }

    /// Forgets rows older than any window will reach again.
    pub async fn forget_before(&self, at: Timestamp) -> Result<(), StageError> {
        let mut gone = CacheBatch::new();
        for entry in self.cache.scan_prefix(&self.prefix) {
            let (key, _) = entry?;
            if self.stamp(&key).is_none_or(|stamp| stamp >= at.as_millisecond()) {
                break;
            }
            gone.remove(&key);
        }
        self.cache.apply(gone).await
    }

    /// Forgets all of the sync: its live reading begins anew.
    pub async fn clear(&self) -> Result<(), StageError> {
        self.forget_before(Timestamp::MAX).await
    }

    /// The stamps with which a record was sent lately, oldest first.
    pub fn stamps_of(&self, id: &SalesforceId) -> Result<Vec<i64>, StageError> {
        let mut stamps = Vec::new();
        for entry in self.cache.scan_prefix(&self.prefix) {
            let (key, _) = entry?;
            if key.ends_with(id.as_bytes()) {
                stamps.extend(self.stamp(&key));
            }
        }
        Ok(stamps)
    }

    fn stamp(&self, key: &[u8]) -> Option<i64> {
        let bytes = key.get(self.prefix.len()..self.prefix.len() + 8)?;
        Some(i64::from_be_bytes(bytes.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{ChangeKind, Shard, StageKind, Version};
    use landbridge_stage::Caches;

    use super::*;
    use crate::testing;

    fn key(id: &str, stamp_ms: i64) -> RowKey {
        let id = SalesforceId::parse(id).unwrap();
        RowKey {
            id,
            version: Version::new(stamp_ms, 0),
            kind: ChangeKind::Upsert,
        }
    }

    #[tokio::test]
    async fn rows_are_sent_once_for_each_content_and_forgotten_by_age() {
        let folder = tempfile::tempdir().unwrap();
        let caches = Caches::open(folder.path(), 1 << 20).unwrap();
        let cache = caches.shard(StageKind::Extractor, Shard(1)).unwrap();
        let emitted = Emitted::of(&cache, &testing::sync().key());
        let rows = [key("a00Hs000001ABCd", 1_000), key("a00Hs000001ABCe", 2_000)];
        let first = emitted.fresh(&rows, |_| [1; 16]).unwrap();
        assert_eq!((&*first.rows, &*first.unknown), (&[0, 1][..], &[0, 1][..]));
        emitted.remember(first.remember).await.unwrap();
        assert!(emitted.fresh(&rows, |_| [1; 16]).unwrap().rows.is_empty());
        let changed = emitted
            .fresh(&rows, |row| if row == 1 { [2; 16] } else { [1; 16] })
            .unwrap();
        assert_eq!(changed.rows, [1], "the same second, another content");
        assert!(changed.unknown.is_empty(), "it was sent before");
        assert_eq!(emitted.stamps_of(&rows[1].id).unwrap(), [2_000]);
        emitted
            .forget_before(Timestamp::from_second(2).unwrap())
            .await
            .unwrap();
        assert_eq!(emitted.fresh(&rows, |_| [1; 16]).unwrap().rows, [0]);
        emitted.clear().await.unwrap();
        assert!(emitted.stamps_of(&rows[1].id).unwrap().is_empty());
    }
}
