//! One look for a sync's records in Salesforce: what HubSpot lists, in the order of its ids, against what one cheap call for each
//! 2,000 shows of ids and stamps.
//!
//! What is absent twice is a delete with the time of the look as its version. If the user demonstrably sees all records of the
//! object, before the look and after it, it is a delete as others are, under the sync's rule and safety limit; else it is held
//! by the loader until a person decides: absence may also be a permission that was lost. What is held already is not told again,
//! and what a person has decided to keep is not either, until the record is seen again: by a look, or by a version in HubSpot that
//! is newer than the delete which was discarded.
//!
//! What Salesforce shows with a newer stamp than HubSpot has, although the increment has passed that stamp, is read again. HubSpot
//! may be right all the same: what changed may be nothing that the sync carries, or nothing that HubSpot takes. So a stamp is
//! read again once only, unless a person asked for the look.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::{ListRecords, ListedRecord, RecordPage};
use landbridge_model::{ChangeKind, Lane, SalesforceId, Source, StageKind, SyncKey, Version};
use landbridge_salesforce::collections::RETRIEVE_MAX;
use landbridge_stage::{Cache, CacheBatch, StageError};
use landbridge_wire::AskErrorCode;

use super::decided::Decided;
use super::{LookPoint, source};
use crate::budget;
use crate::emitted::of_sync;
use crate::outlet::Outlet;
use crate::reader::{Reader, Rows};
use crate::rows::{self, RowKey};
use crate::shard::Shard;
use crate::trouble::Trouble;

/// For one page of the portal's records.
const PATIENCE: Duration = Duration::from_secs(60);

/// A record that Landbridge wrote, and the version that HubSpot has of it.
type Listed = (SalesforceId, Option<Version>);

/// One look.
pub(super) struct Look<'a> {
    shard: &'a Arc<Shard>,
    reader: &'a Reader,
    key: &'a SyncKey,
    point: LookPoint,
    /// What absence says, unless the user is found to see less.
    source: Source,
    /// Everything stamped before this has been read; none while stamps are not compared.
    covered: Option<Timestamp>,
    is_adopting: bool,
    decided: Decided,
}

impl<'a> Look<'a> {
    pub(super) fn new(
        shard: &'a Arc<Shard>,
        reader: &'a Reader,
        point: LookPoint,
        source: Source,
        is_adopting: bool,
    ) -> Self {
        Self {
            shard,
            reader,
            key: &reader.plan.key,
            point,
            source,
            covered: None,
            is_adopting,
            decided: Decided::default(),
        }
    }

    /// Looks for all that is left; each part of it is put down once what came of it is on the bus. Gives where it has ended.
    pub(super) async fn run(mut self) -> Result<LookPoint, Trouble> {
        let (hub, key) = (&self.shard.context.hub, self.key);
        let held = hub.held(&key.tenant, Some(&key.name)).await?;
        let held: HashSet<SalesforceId> = held.iter().map(|held| held.id).collect();
        self.decided = Decided::new(hub.kept_absent(&key.tenant, &key.name).await?);
        // All records of an adopted org are read again anyway.
        if !self.is_adopting {
            let live = self.shard.checkpoints.live(key).await?;
            self.covered = live.map(|live| live.covered);
        }
        let is_whole = self.point.after.is_none();
        self.put_down().await?;
        let mut after = self.point.after.clone();
        let mut waiting: Vec<Listed> = Vec::new();
        loop {
            let page = self.list(after.as_deref()).await?;
            let listed = page.records.iter().filter_map(ours);
            let listed: Vec<Listed> = listed.filter(|(id, _)| !held.contains(id)).collect();
            if !waiting.is_empty() && waiting.len() + listed.len() > RETRIEVE_MAX {
                self.look_for(&waiting).await?;
                waiting.clear();
                self.point.after = after;
                self.put_down().await?;
            }
            waiting.extend(listed);
            match page.after {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.look_for(&waiting).await?;
        if is_whole {
            self.forget(self.decided.over()).await?;
        }
        let found = self.point.found;
        tracing::info!(
            looked_for = found.looked_for,
            behind = found.behind,
            deleted = found.deleted,
            absent = found.absent,
            kept = found.kept,
            "what HubSpot has was looked for in Salesforce"
        );
        Ok(self.point)
    }

    async fn put_down(&self) -> Result<(), Trouble> {
        self.shard.checkpoints.put_look(self.key, &self.point).await?;
        self.shard.looks.tell(self.key, self.point.status(true));
        Ok(())
    }

    async fn list(&self, after: Option<&str>) -> Result<RecordPage, Trouble> {
        let sync = self.shard.sync(self.key)?;
        let question = ListRecords {
            object_type: self.point.object_type.clone(),
            id_property: sync.definition.spec.hubspot.id_property.clone(),
            after: after.map(str::to_owned),
        };
        let hub = &self.shard.context.hub;
        let listed = hub.ask(StageKind::Loader, &self.key.tenant, &question, PATIENCE);
        match listed.await {
            Ok(page) => Ok(page),
            Err(error) => {
                if error.code == AskErrorCode::Invalid && after.is_some() {
                    // A place that HubSpot knows no more: the next try begins before it, with the version of this one.
                    let anew = LookPoint {
                        after: None,
                        ..self.point.clone()
                    };
                    self.shard.checkpoints.put_look(self.key, &anew).await?;
                }
                let what = format!("the loader does not list HubSpot's records: {error}");
                Err(StageError::worker(what).into())
            }
        }
    }

    async fn forget(&self, decisions: Vec<SalesforceId>) -> Result<(), Trouble> {
        let hub = &self.shard.context.hub;
        for id in decisions {
            hub.forget_kept_absent(&self.key.tenant, &self.key.name, id)
                .await?;
        }
        Ok(())
    }

    async fn look_for(&mut self, listed: &[Listed]) -> Result<(), Trouble> {
        for some in listed.chunks(RETRIEVE_MAX) {
            budget::at_length(&self.reader.client)?;
            for (id, version) in some {
                self.decided.listed(*id, *version);
            }
            let ids: Vec<SalesforceId> = some.iter().map(|(id, _)| *id).collect();
            let (seen, missing) = self.reader.stamps(&ids).await?;
            self.read_behind(some, &seen).await?;
            self.look_again(&missing).await?;
            self.forget(self.decided.over_among(&ids)).await?;
            self.point.found.looked_for += ids.len() as u64;
        }
        Ok(())
    }

    /// Reads again what HubSpot has an older version of than Salesforce shows.
    async fn read_behind(&mut self, listed: &[Listed], seen: &[RowKey]) -> Result<(), Trouble> {
        let Some(covered) = self.covered else {
            return Ok(());
        };
        let memory = Memory::of(&self.shard.context.cache, self.key);
        let behind = behind(listed, seen, covered.as_millisecond());
        let mut wanted: Vec<(SalesforceId, i64)> = Vec::new();
        for (id, stamp_ms) in behind {
            if self.point.is_asked || !memory.has_read(&id, stamp_ms)? {
                wanted.push((id, stamp_ms));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let ids: Vec<SalesforceId> = wanted.iter().map(|(id, _)| *id).collect();
        let (found, _vanished) = self.reader.by_ids(&ids).await?;
        self.send(&found).await?;
        memory.remember(&wanted).await?;
        self.point.found.behind += found.keys.len() as u64;
        Ok(())
    }

    /// The second look at what the first did not show: by a query, which also shows what lies in the recycle bin.
    async fn look_again(&mut self, missing: &[SalesforceId]) -> Result<(), Trouble> {
        if missing.is_empty() {
            return Ok(());
        }
        let (seen, absent) = self.reader.by_ids(missing).await?;
        let (absent, kept): (Vec<_>, Vec<_>) = absent.into_iter().partition(|id| !self.decided.still(*id));
        // A permission that was lost since the look began hides records as well.
        if self.source == Source::Purged && !absent.is_empty() {
            self.source = source(self.reader).await?;
        }
        self.send(&seen).await?;
        let (plan, client) = (&self.reader.plan, &self.reader.client);
        let reconciling = Outlet::new(self.shard, client, plan, self.source, None);
        let most = self.shard.settings.batch_rows;
        reconciling.absent(plan, &absent, self.point.began, most).await?;
        self.point.found.deleted += seen.keys.len() as u64;
        self.point.found.absent += absent.len() as u64;
        self.point.found.kept += kept.len() as u64;
        Ok(())
    }

    /// Beside the live changes, not before them: nobody waits for these.
    async fn send(&self, rows: &Rows) -> Result<(), Trouble> {
        let plan = &self.reader.plan;
        let outlet = Outlet::new(self.shard, &self.reader.client, plan, Source::Reread, None);
        let outlet = outlet.in_lane(Lane::Bulk);
        let (all, most) = (0..rows.keys.len(), self.shard.settings.batch_rows);
        let split = rows::split(plan, &outlet.envelope, &rows.table, &rows.keys, all, most);
        outlet.send(&split).await?;
        Ok(())
    }
}

/// The Salesforce id of a record that Landbridge wrote, and the version that HubSpot has of it.
fn ours(record: &ListedRecord) -> Option<Listed> {
    let version = record.version.as_ref()?.parse().ok();
    let id = SalesforceId::parse(record.salesforce_id.as_deref()?).ok()?;
    Some((id, version))
}

/// Live records, with their stamps, of which HubSpot has an older version. What is stamped at `covered_ms` or later is the
/// increment's yet. Pure.
fn behind(listed: &[Listed], seen: &[RowKey], covered_ms: i64) -> Vec<(SalesforceId, i64)> {
    let versions: std::collections::HashMap<SalesforceId, Version> = listed
        .iter()
        .filter_map(|(id, version)| Some((*id, (*version)?)))
        .collect();
    let is_behind = |key: &&RowKey| {
        let stamp_ms = key.version.stamp_ms;
        let has = versions.get(&key.id);
        key.kind == ChangeKind::Upsert
            && stamp_ms < covered_ms
            && has.is_some_and(|has| has.stamp_ms < stamp_ms)
    };
    let behind = seen.iter().filter(is_behind);
    behind.map(|key| (key.id, key.version.stamp_ms)).collect()
}

/// The stamps at which records were read again before. A cache: what it has lost is read again once more.
struct Memory {
    cache: Cache,
    prefix: Vec<u8>,
}

impl Memory {
    fn of(cache: &Cache, key: &SyncKey) -> Self {
        Self {
            cache: cache.clone(),
            prefix: of_sync(b'r', key),
        }
    }

    fn key(&self, id: &SalesforceId) -> Vec<u8> {
        [&self.prefix[..], id.as_bytes()].concat()
    }

    fn has_read(&self, id: &SalesforceId, stamp_ms: i64) -> Result<bool, StageError> {
        let known = self.cache.get(&self.key(id))?;
        Ok(known.is_some_and(|known| *known == stamp_ms.to_be_bytes()))
    }

    /// Once they are on the bus.
    async fn remember(&self, read: &[(SalesforceId, i64)]) -> Result<(), StageError> {
        let mut known = CacheBatch::new();
        for (id, stamp_ms) in read {
            known.put(&self.key(id), &stamp_ms.to_be_bytes());
        }
        self.cache.apply(known).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_increment_has_passed_and_hubspot_has_older_is_behind() {
        let id = |n: u32| SalesforceId::parse(&format!("a0000000000000{n}")).unwrap();
        let listed =
            |n, stamp_ms: Option<i64>| (id(n), stamp_ms.map(|stamp_ms| Version::new(stamp_ms, 9_999)));
        let row = |n, stamp_ms, kind| RowKey {
            id: id(n),
            version: Version::new(stamp_ms, 50_000),
            kind,
        };
        let upsert = |n, stamp_ms| row(n, stamp_ms, ChangeKind::Upsert);
        let all = [
            listed(1, Some(1_000)),
            listed(2, Some(2_000)),
            listed(3, Some(3_000)),
            listed(4, None),
            listed(5, Some(1_000)),
            listed(6, Some(1_000)),
        ];
        let seen = [
            upsert(1, 2_000),
            upsert(2, 2_000),
            // HubSpot has what the org's replica does not show yet.
            upsert(3, 2_000),
            upsert(4, 2_000),
            // The increment reads it by itself.
            upsert(5, 10_000),
            row(6, 2_000, ChangeKind::Delete),
        ];
        assert_eq!(behind(&all, &seen, 10_000), [(id(1), 2_000)]);
    }
}
