//! Deletes: only of records that Landbridge wrote, never over something newer, and never more than the safety limit.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use landbridge_model::sync::MaxDeletes;
use landbridge_model::{HubSpotId, Outcome, SalesforceId, SyncKey, Version};
use landbridge_stage::StageError;

use crate::flight::Airline;
use crate::known::{DeleteJudgement, Known, judge_delete};
use crate::portal::Portal;
use crate::row::{End, Fate, Row};

/// The time over which deletes are counted.
const WINDOW: Duration = Duration::from_secs(3_600);
/// A share of few records is less than people delete by hand in an hour: so many are always allowed by a share.
const SHARE_FLOOR: u64 = 20;

/// Counts the deletes of the last hour, by sync.
#[derive(Debug, Default)]
pub(crate) struct DeleteGuard(parking_lot::Mutex<HashMap<SyncKey, Recent>>);

/// One sync's deletes of the last hour. A delete counts once, however often it is judged or delivered.
#[derive(Debug, Default)]
struct Recent {
    order: VecDeque<(Instant, SalesforceId)>,
    granted: HashMap<SalesforceId, Version>,
}

impl DeleteGuard {
    /// Whether one more delete stays within the limit; if so it is counted. `records` tells how many records the sync
    /// has in HubSpot, and is asked only when that matters.
    pub(crate) fn allow(
        &self,
        sync: &SyncKey,
        (id, version): (SalesforceId, Version),
        limit: MaxDeletes,
        records: impl FnOnce() -> usize,
        now: Instant,
    ) -> bool {
        let mut counts = self.0.lock();
        let recent = counts.entry(sync.clone()).or_default();
        recent.forget(now);
        if recent.granted.get(&id) == Some(&version) {
            return true;
        }
        let allowed = recent.has_room(limit, records);
        if allowed {
            recent.order.push_back((now, id));
            recent.granted.insert(id, version);
        }
        allowed
    }

    /// Whether one more delete would stay within the limit. It is not counted.
    pub(crate) fn would_allow(
        &self,
        sync: &SyncKey,
        limit: MaxDeletes,
        records: impl FnOnce() -> usize,
        now: Instant,
    ) -> bool {
        let mut counts = self.0.lock();
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

impl Airline {
    /// Archives the records of these rows; gives each its fate, in their order.
    pub(crate) async fn delete(&self, portal: &Portal, rows: &mut [Row]) -> Result<Vec<Fate>, StageError> {
        let Some(first) = rows.first() else {
            return Ok(Vec::new());
        };
        let target = first.target.clone();
        self.context.lease.wait_to_send(portal.client.timeout()).await?;
        let ids: Vec<SalesforceId> = rows.iter().map(Row::id).collect();
        let found = match self
            .read(portal, &target.object_type, &target.id_property, &ids)
            .await
        {
            Ok(found) => found,
            Err(error) => return Ok(self.all_again(rows, &error).await),
        };
        let mut fates = Vec::with_capacity(rows.len());
        let mut archived: Vec<(usize, HubSpotId)> = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let remembered = self.tenant.memory.look(&target.object_type, row.id(), false)?;
            let known_id = found.get(&row.id()).map(|(id, _)| *id);
            let end = match judge_delete(found.get(&row.id()).copied(), remembered, row.version()) {
                DeleteJudgement::AlreadyGone => End::new(Outcome::Deleted, None).told(true),
                DeleteJudgement::NotOurs => End::new(Outcome::Kept, known_id),
                DeleteJudgement::Superseded => End::new(Outcome::Superseded, known_id),
                DeleteJudgement::Archive(id) => {
                    archived.push((place, id));
                    End::new(Outcome::Deleted, Some(id)).told(true)
                }
            };
            fates.push(Fate::Ended(end));
        }
        self.keep_deleted(rows, &archived).await?;
        if let Err(error) = self.archive(portal, &target.object_type, &archived).await? {
            let again = self.all_again(rows, &error).await;
            for (place, _) in archived {
                fates[place] = again[place].clone();
            }
        }
        self.remember_deleted(rows, &fates).await?;
        Ok(fates)
    }

    async fn archive(
        &self,
        portal: &Portal,
        object_type: &landbridge_model::ObjectTypeId,
        archived: &[(usize, HubSpotId)],
    ) -> Result<Result<(), landbridge_hubspot::Error>, StageError> {
        if archived.is_empty() {
            return Ok(Ok(()));
        }
        self.context.lease.wait_to_send(portal.client.timeout()).await?;
        let ids: Vec<HubSpotId> = archived.iter().map(|(_, id)| *id).collect();
        let began = Instant::now();
        let archived = portal.client.archive_records(self.share, object_type, &ids).await;
        self.count("batch-archive", &archived, began);
        Ok(archived)
    }

    /// A tombstone keeps an older row from bringing the record back.
    async fn remember_deleted(&self, rows: &[Row], fates: &[Fate]) -> Result<(), StageError> {
        let gone: Vec<(SalesforceId, Known)> = rows
            .iter()
            .zip(fates)
            .filter(|(_, fate)| matches!(fate, Fate::Ended(end) if end.outcome == Outcome::Deleted))
            .map(|(row, _)| (row.id(), Known::Gone(row.version())))
            .collect();
        match rows.first() {
            Some(first) => self.tenant.memory.remember(&first.target.object_type, gone).await,
            None => Ok(()),
        }
    }
}

/// Whether a delete may still be judged by memory alone: a newer version was applied, or it was deleted already.
pub(crate) fn settled_by_memory(known: Known, version: Version) -> Option<End> {
    match known {
        Known::Present(present)
            if present
                .version
                .is_some_and(|applied| version.is_superseded_by(applied)) =>
        {
            Some(End::new(Outcome::Superseded, Some(present.id)))
        }
        Known::Gone(gone) if version.is_superseded_by(gone) => Some(End::new(Outcome::Superseded, None)),
        Known::Gone(_) | Known::Absent => Some(End::new(Outcome::Deleted, None).told(true)),
        Known::Present(_) | Known::Nothing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::{SyncName, TenantId};

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
