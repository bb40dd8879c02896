//! Since when a shard's cache is filled without a gap.

use landbridge_bus::Epoch;
use landbridge_stage::{Cache, StageError};

/// Under which epochs a shard's cache was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reign {
    /// When it was empty last.
    since: Epoch,
    now: Epoch,
}

impl Reign {
    const SINCE: &[u8] = b"e";

    /// Of a cache that was just opened. An empty one begins a reign, which lasts as long as the cache is warm.
    pub(crate) fn open(cache: &Cache, warm: bool, now: Epoch) -> Result<Self, StageError> {
        let stored = if warm { cache.get(Self::SINCE)? } else { None };
        let since = match stored.as_deref().and_then(epoch) {
            Some(since) => since,
            None => {
                cache.put(Self::SINCE, &now.0.to_be_bytes())?;
                now
            }
        };
        Ok(Self { since, now })
    }

    /// A mark that something is known whole.
    pub(crate) fn mark(self) -> [u8; 8] {
        self.now.0.to_be_bytes()
    }

    /// Whether a mark holds: what was written before the cache was emptied is gone, however late the mark was set.
    pub(crate) fn holds(self, mark: &[u8]) -> bool {
        epoch(mark).is_some_and(|mark| (self.since..=self.now).contains(&mark))
    }
}

fn epoch(bytes: &[u8]) -> Option<Epoch> {
    bytes.try_into().ok().map(u64::from_be_bytes).map(Epoch)
}

#[cfg(test)]
mod tests {
    use landbridge_model::{ObjectTypeId, TenantId};

    use super::*;
    use crate::known::Memory;

    #[test]
    fn a_type_is_known_whole_only_by_a_listing_since_the_cache_was_empty() {
        let folder = tempfile::tempdir().unwrap();
        let caches = landbridge_stage::Caches::open(folder.path(), 1 << 20).unwrap();
        let cache = caches
            .shard(landbridge_model::StageKind::Loader, landbridge_model::Shard(0))
            .unwrap();
        let cars = ObjectTypeId::new("2-1");
        let memory = |warm: bool, now: u64| {
            let reign = Reign::open(&cache, warm, Epoch(now)).unwrap();
            Memory::new(cache.clone(), TenantId::new("acme").unwrap(), reign)
        };
        let first = memory(false, 4);
        assert!(!first.is_complete(&cars).unwrap());
        first.set_complete(&cars).unwrap();
        assert!(first.is_complete(&cars).unwrap());
        assert!(memory(true, 7).is_complete(&cars).unwrap(), "handed on whole");

        cache.clear().unwrap();
        let second = memory(false, 9);
        // A listing of the life before ends only now: of what it listed first nothing is left.
        first.set_complete(&cars).unwrap();
        assert!(!second.is_complete(&cars).unwrap());
        assert!(!memory(true, 12).is_complete(&cars).unwrap());
        second.set_complete(&cars).unwrap();
        assert!(memory(true, 12).is_complete(&cars).unwrap());
    }
}
