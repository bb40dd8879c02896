//! The safety limit: no more deletes of a sync within an hour than it allows without a person's word. The hour outlives
//! whoever counts it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use landbridge_bus::{Bucket, Key, KeyFilter};
use landbridge_model::sync::MaxDeletes;
use landbridge_model::{SalesforceId, SyncKey, SyncName, TenantId, Version};
use landbridge_stage::{ShardContext, StageError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The time over which deletes are counted.
const WINDOW: Duration = Duration::from_secs(3_600);
/// A share of few records is less than people delete by hand in an hour: so many are always allowed by a share.
const SHARE_FLOOR: u64 = 20;

/// Granted deletes stored together at most.
const GRANTS_MAX: usize = 5_000;
/// The first token of their keys in `lb_checkpoints`.
const GRANTS: &str = "deletes";

/// Counts the deletes of the last hour, by sync. What it grants is stored before it is carried out.
#[derive(Debug, Default)]
pub(crate) struct DeleteGuard {
    counts: Mutex<HashMap<SyncKey, Recent>>,
    /// Who stores: a delete whose grant somebody else stores just now waits for that.
    storing: tokio::sync::Mutex<()>,
}

/// One sync's deletes of the last hour. A delete counts once, however often it is judged or delivered.
#[derive(Debug, Default)]
struct Recent {
    order: VecDeque<(Instant, SalesforceId)>,
    granted: HashMap<SalesforceId, Version>,
    /// Not stored yet.
    fresh: Vec<Grant>,
}

/// A delete that was granted.
type Grant = (SalesforceId, Version);

/// What is stored of deletes that were granted at about one time.
#[derive(Debug, Serialize, Deserialize)]
struct Granted {
    at_ms: i64,
    deletes: Vec<Grant>,
}

impl DeleteGuard {
    /// Whether one more delete stays within the limit; if so it is counted. `records` tells how many records the sync
    /// has in HubSpot, and is asked only when that matters.
    pub(crate) fn allow(
        &self,
        sync: &SyncKey,
        (id, version): Grant,
        limit: MaxDeletes,
        records: impl FnOnce() -> usize,
        now: Instant,
    ) -> bool {
        let mut counts = self.counts.lock();
        let recent = counts.entry(sync.clone()).or_default();
        recent.forget(now);
        if recent.granted.get(&id) == Some(&version) {
            return true;
        }
        let allowed = recent.has_room(limit, records);
        if allowed {
            recent.grant(now, (id, version));
            recent.fresh.push((id, version));
        }
        allowed
    }

    /// Takes what was granted in this tenant and not stored yet.
    fn take_fresh(&self, tenant: &TenantId) -> Vec<(SyncKey, Vec<Grant>)> {
        let mut counts = self.counts.lock();
        let of_tenant = counts.iter_mut().filter(|(sync, _)| sync.tenant == *tenant);
        of_tenant
            .map(|(sync, recent)| (sync.clone(), std::mem::take(&mut recent.fresh)))
            .filter(|(_, fresh)| !fresh.is_empty())
            .collect()
    }

    /// Stores what was granted, for the next owner of the shard: to be waited for before it is carried out. It disappears
    /// by itself when it no longer counts.
    pub(crate) async fn put_down(&self, context: &ShardContext, tenant: &TenantId) -> Result<(), StageError> {
        let _turn = self.storing.lock().await;
        let kv = context.hub.bus().kv(Bucket::Checkpoints);
        for (sync, fresh) in self.take_fresh(tenant) {
            for part in fresh.chunks(GRANTS_MAX) {
                let granted = Granted {
                    at_ms: context.hub.now_ms(),
                    deletes: part.to_vec(),
                };
                let bytes = serde_json::to_vec(&granted)
                    .map_err(|error| StageError::caused("granted deletes cannot be written", error))?;
                if let Err(error) = kv.put_for(&grants_key(&sync), bytes, WINDOW).await {
                    let mut counts = self.counts.lock();
                    counts.entry(sync).or_default().fresh.extend(fresh);
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// With what former owners of the shard granted within the hour.
    pub(crate) async fn restore(context: &ShardContext) -> Result<Self, StageError> {
        let kv = context.hub.bus().kv(Bucket::Checkpoints);
        let mut stored: Vec<(SyncKey, Granted)> = Vec::new();
        for entry in kv.list(&KeyFilter::Under(Key::new([GRANTS]))).await? {
            let Some(sync) = sync_of(&entry.key) else { continue };
            if context.hub.shard_of(&sync.tenant) != context.shard {
                continue;
            }
            match entry.json() {
                Ok(granted) => stored.push((sync, granted)),
                Err(error) => {
                    let SyncKey { tenant, name } = sync;
                    tracing::warn!(%tenant, sync = %name, %error, "deletes of the last hour do not count against the safety limit");
                }
            }
        }
        let guard = Self::default();
        guard.count_again(stored, context.hub.now_ms(), Instant::now());
        Ok(guard)
    }

    fn count_again(&self, mut stored: Vec<(SyncKey, Granted)>, now_ms: i64, now: Instant) {
        stored.sort_by_key(|(_, granted)| granted.at_ms);
        let mut counts = self.counts.lock();
        for (sync, granted) in stored {
            let ago = Duration::from_millis(u64::try_from(now_ms - granted.at_ms).unwrap_or(0));
            // A clock that cannot go back so far counts it for longer than it must.
            let at = now.checked_sub(ago).unwrap_or(now);
            let recent = counts.entry(sync).or_default();
            for (id, version) in granted.deletes {
                // What could not be stored for sure was stored again.
                if recent.granted.get(&id) != Some(&version) {
                    recent.grant(at, (id, version));
                }
            }
        }
    }

    /// Whether one more delete would stay within the limit. It is not counted.
    pub(crate) fn would_allow(
        &self,
        sync: &SyncKey,
        limit: MaxDeletes,
        records: impl FnOnce() -> usize,
        now: Instant,
    ) -> bool {
        let mut counts = self.counts.lock();
        match counts.get_mut(sync) {
            Some(recent) => {
                recent.forget(now);
                recent.has_room(limit, records)
            }
            None => Recent::default().has_room(limit, records),
        }
    }
}

impl Recent {
    fn grant(&mut self, at: Instant, (id, version): Grant) {
        self.order.push_back((at, id));
        self.granted.insert(id, version);
    }

    /// Forgets what was deleted longer ago.
    fn forget(&mut self, now: Instant) {
        while self
            .order
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            if let Some((_, id)) = self.order.pop_front() {
                self.granted.remove(&id);
            }
        }
    }

    fn has_room(&self, limit: MaxDeletes, records: impl FnOnce() -> usize) -> bool {
        let made = self.order.len() as u64;
        let most = match limit {
            MaxDeletes::Count(count) => count,
            MaxDeletes::Percent(_) if made < SHARE_FLOOR => SHARE_FLOOR,
            // What was deleted within the hour counts among the records that there were.
            MaxDeletes::Percent(share) => (records() as u64 + made) * u64::from(share) / 100,
        };
        made < most
    }
}

/// `deletes.<tenant>.<sync>.<some token>`
fn grants_key(sync: &SyncKey) -> Key {
    let token = format!("{:016x}", rand::random::<u64>());
    Key::new([GRANTS, sync.tenant.as_str(), sync.name.as_str(), &token])
}

fn sync_of(key: &Key) -> Option<SyncKey> {
    let tokens = key.tokens();
    let [_, tenant, name, _] = tokens.as_slice() else {
        return None;
    };
    Some(SyncKey {
        tenant: TenantId::new(tenant).ok()?,
        name: SyncName::new(name).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync() -> SyncKey {
        SyncKey {
            tenant: TenantId::new("acme").unwrap(),
            name: SyncName::new("cars").unwrap(),
        }
    }

    fn delete(serial: usize) -> (SalesforceId, Version) {
        (
            SalesforceId::parse(&format!("a00{serial:012}")).unwrap(),
            Version::new(1, 0),
        )
    }

    fn allowed(limit: MaxDeletes, records: usize, wishes: usize) -> usize {
        let guard = DeleteGuard::default();
        let now = Instant::now();
        let mut deleted = 0;
        for wish in 0..wishes {
            deleted += usize::from(guard.allow(&sync(), delete(wish), limit, || records - deleted, now));
        }
        deleted
    }

    #[test]
    fn a_mass_delete_stops_at_the_limit() {
        for (limit, records, wishes, expected) in [
            (MaxDeletes::Count(5), 100, 50, 5),
            (MaxDeletes::Count(0), 100, 50, 0),
            (MaxDeletes::Percent(10), 1_000, 1_000, 100),
            (MaxDeletes::Percent(10), 30, 30, 20),
        ] {
            assert_eq!(
                allowed(limit, records, wishes),
                expected,
                "{limit:?} of {records}"
            );
        }
    }

    #[test]
    fn what_a_former_owner_granted_counts_for_the_rest_of_its_hour() {
        let (limit, now) = (MaxDeletes::Count(3), Instant::now());
        let before = DeleteGuard::default();
        for serial in 0..3 {
            assert!(before.allow(&sync(), delete(serial), limit, || 9, now));
        }
        let stored = before
            .take_fresh(&sync().tenant)
            .into_iter()
            .map(|(sync, deletes)| {
                (
                    sync,
                    Granted {
                        at_ms: 1_000,
                        deletes,
                    },
                )
            });
        let guard = DeleteGuard::default();
        guard.count_again(stored.collect(), 601_000, now);
        let allow = |serial, after| {
            let at = now + Duration::from_secs(after);
            guard.allow(&sync(), delete(serial), limit, || 9, at)
        };
        assert!(allow(2, 0), "it was granted, and comes again");
        assert!(!allow(3, 0));
        assert!(!allow(3, 2_999), "granted ten minutes before");
        assert!(allow(3, 3_001));
        assert!(before.take_fresh(&sync().tenant).is_empty(), "stored once");
    }

    #[test]
    fn the_count_is_of_the_last_hour() {
        let guard = DeleteGuard::default();
        let (limit, now) = (MaxDeletes::Count(1), Instant::now());
        let allow = |serial, after| {
            guard.allow(
                &sync(),
                delete(serial),
                limit,
                || 9,
                now + Duration::from_secs(after),
            )
        };
        assert!(allow(1, 0));
        assert!(allow(1, 5), "judged again, it is the same delete");
        assert!(!allow(2, 3_599));
        assert!(allow(2, 3_601));
    }
}
