//! Records that HubSpot has and Salesforce shows no more.
//!
//! A record that is purged, or deleted for good, leaves no row behind that a window could show. So what HubSpot has is
//! looked for in Salesforce from time to time, by ids alone. What is absent twice is a delete with the time of the look as
//! its version. If the user demonstrably sees all records of the object, before the look and after it, it is a delete as
//! others are, under the sync's rule and safety limit; else it is held by the loader until a person decides: absence may also
//! be a permission that was lost. What is held already is not told again, and what a person has decided to keep is not either,
//! until the record is seen again: by a look, or by a version in HubSpot that is newer than the delete which was discarded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landbridge_model::ask::{ListRecords, ListedRecord};
use landbridge_model::salesforce::FieldDescribe;
use landbridge_model::{SalesforceId, Source, StageKind, SyncKey, Version};
use landbridge_salesforce::Verdict;
use landbridge_salesforce::collections::RETRIEVE_MAX;
use landbridge_stage::StageError;
use tracing::Instrument;

use crate::outlet::Outlet;
use crate::plan::ReadPlan;
use crate::reader::Reader;
use crate::rows;
use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};

/// Pause after trouble that may pass by itself, and after one that a person or the next day must cure.
const PAUSES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(1_800));
/// Above this share of the budget nothing is looked for: the increment needs the rest.
const EASY_PRESSURE: f64 = 0.6;
/// For one page of the portal's records.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks for one sync's records until it is told to stop from outside.
#[derive(Debug)]
pub struct Reconciler {
    shard: Arc<Shard>,
    key: SyncKey,
}

/// What one look found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    looked_for: usize,
    deleted: usize,
    absent: usize,
    kept: usize,
}

impl Found {
    fn tell(self) {
        tracing::info!(
            looked_for = self.looked_for,
            deleted = self.deleted,
            absent = self.absent,
            kept = self.kept,
            "what HubSpot has was looked for in Salesforce"
        );
    }
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
                    Err(trouble) => {
                        tracing::warn!(trouble = %trouble.chain(), "HubSpot's records cannot be looked for");
                        match trouble.remedy() {
                            Remedy::TryAgain | Remedy::NewJob => PAUSES.0,
                            // Who reads the increment says so, and stops it.
                            Remedy::TryRarely | Remedy::Stop => PAUSES.1,
                            Remedy::StopTenant => {
                                let reason = trouble.chain();
                                self.shard.suspend_tenant(&self.key.tenant, &reason).await;
                                PAUSES.1
                            }
                        }
                    }
                };
                tokio::time::sleep(pause).await;
            }
        }
        .instrument(span)
        .await;
    }

    /// Gives how long it is until the next look.
    async fn look_if_due(&self) -> Result<Duration, Trouble> {
        let interval = self.shard.settings.reconcile_interval;
        let sync = self.shard.sync(&self.key)?;
        let plan = Arc::new(ReadPlan::new(&sync)?);
        let client = self.shard.orgs.client(&self.key.tenant).await?;
        let reader = self.shard.reader(client, plan);
        let now = reader.org_now().await?;
        // Also where nothing is looked for by the clock.
        let is_adopting = self.shard.checkpoints.is_adopting(&self.key).await?;
        if is_adopting {
            let found = self.look(&reader, now, Source::Reconcile).await?;
            found.tell();
            self.shard.checkpoints.put_reconciled(&self.key, now).await?;
            self.shard.checkpoints.has_adopted(&self.key).await?;
            return Ok(interval);
        }
        if interval.is_zero() {
            return Ok(PAUSES.1);
        }
        let Some(last) = self.shard.checkpoints.reconciled(&self.key).await? else {
            // What was turned on a moment ago has nothing to be looked for yet.
            self.shard.checkpoints.put_reconciled(&self.key, now).await?;
            return Ok(interval);
        };
        let rest = rest_of(interval, last, now);
        if !rest.is_zero() {
            return Ok(rest);
        }
        if reader.client.governor().pressure() > EASY_PRESSURE {
            return Ok(PAUSES.1);
        }
        let source = self.source(&reader).await?;
        let found = self.look(&reader, now, source).await?;
        found.tell();
        self.shard.checkpoints.put_reconciled(&self.key, now).await?;
        Ok(interval)
    }

    /// What absence says: a delete, if the user demonstrably sees all records of the object and of the masters that its
    /// sharing follows. A user who may not ask does not.
    async fn source(&self, reader: &Reader) -> Result<Source, Trouble> {
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

    async fn look(&self, reader: &Reader, now: Timestamp, source: Source) -> Result<Found, Trouble> {
        let sync = self.shard.sync(&self.key)?;
        let mut found = Found::default();
        let Some(resolved) = &sync.resolved else {
            return Ok(found);
        };
        let mut question = ListRecords {
            object_type: resolved.object_type.object_type_id.clone(),
            id_property: sync.definition.spec.hubspot.id_property.clone(),
            after: None,
        };
        let hub = &self.shard.context.hub;
        let held = hub.held(&self.key.tenant, Some(&self.key.name)).await?;
        let held: HashSet<SalesforceId> = held.iter().map(|held| held.id).collect();
        let mut decided = Decided::new(hub.kept_absent(&self.key.tenant, &self.key.name).await?);
        let mut ids: Vec<SalesforceId> = Vec::with_capacity(RETRIEVE_MAX);
        loop {
            let listed = hub
                .ask(StageKind::Loader, &self.key.tenant, &question, PATIENCE)
                .await;
            let page = listed.map_err(|error| {
                StageError::worker(format!("the loader does not list HubSpot's records: {error}"))
            })?;
            for (id, version) in page.records.iter().filter_map(ours) {
                if !held.contains(&id) {
                    decided.listed(id, version);
                    ids.push(id);
                }
            }
            let is_last = page.after.is_none();
            question.after = page.after;
            while ids.len() >= RETRIEVE_MAX || (is_last && !ids.is_empty()) {
                let some: Vec<SalesforceId> = ids.drain(..ids.len().min(RETRIEVE_MAX)).collect();
                self.look_for(reader, &some, (now, source), (&mut decided, &mut found))
                    .await?;
            }
            if is_last {
                for id in decided.over() {
                    hub.forget_kept_absent(&self.key.tenant, &self.key.name, id)
                        .await?;
                }
                return Ok(found);
            }
        }
    }

    async fn look_for(
        &self,
        reader: &Reader,
        ids: &[SalesforceId],
        (now, source): (Timestamp, Source),
        (decided, found): (&mut Decided, &mut Found),
    ) -> Result<(), Trouble> {
        found.looked_for += ids.len();
        let missing = reader.missing(ids).await?;
        if missing.is_empty() {
            return Ok(());
        }
        // The second look: by a query, which also shows what lies in the recycle bin.
        let (seen, absent) = reader.by_ids(&missing).await?;
        let (absent, kept): (Vec<_>, Vec<_>) = absent.into_iter().partition(|id| !decided.still(*id));
        // A permission that was lost since the look began hides records as well.
        let source = match source {
            Source::Purged if !absent.is_empty() => self.source(reader).await?,
            source => source,
        };
        let (plan, client) = (&reader.plan, &reader.client);
        let most = self.shard.settings.batch_rows;
        let reread = Outlet::new(&self.shard, client, plan, Source::Reread, None);
        let all = 0..seen.keys.len();
        let split = rows::split(plan, &reread.envelope, &seen.table, &seen.keys, all, most);
        reread.send(&split).await?;
        let reconciling = Outlet::new(&self.shard, client, plan, source, None);
        reconciling.absent(plan, &absent, now, most).await?;
        found.deleted += seen.keys.len();
        found.absent += absent.len();
        found.kept += kept.len();
        Ok(())
    }
}

/// The Salesforce id of a record that Landbridge wrote, and the version that HubSpot has of it.
fn ours(record: &ListedRecord) -> Option<(SalesforceId, Option<Version>)> {
    let version = record.version.as_ref()?.parse().ok();
    Some((
        SalesforceId::parse(record.salesforce_id.as_deref()?).ok()?,
        version,
    ))
}

/// Absences that a person has decided on, in one look. Pure.
#[derive(Debug, Default)]
struct Decided {
    /// By record, the version of the delete that was discarded.
    discarded: HashMap<SalesforceId, Version>,
    /// Those that HubSpot lists as they were then.
    unchanged: HashSet<SalesforceId>,
    /// Those that are absent as they were then.
    still: HashSet<SalesforceId>,
}

impl Decided {
    fn new(discarded: HashMap<SalesforceId, Version>) -> Self {
        Self {
            discarded,
            ..Self::default()
        }
    }

    /// HubSpot has a record at a version. A newer one than the delete's was written because Salesforce showed the record.
    fn listed(&mut self, id: SalesforceId, version: Option<Version>) {
        let Some(discarded) = self.discarded.get(&id) else {
            return;
        };
        if version.is_none_or(|version| version <= *discarded) {
            self.unchanged.insert(id);
        }
    }

    /// Whether a record that is absent was decided on as such.
    fn still(&mut self, id: SalesforceId) -> bool {
        let is_decided = self.unchanged.contains(&id);
        if is_decided {
            self.still.insert(id);
        }
        is_decided
    }

    /// Decisions that the whole look has found no case for: the records are there, or HubSpot has them no more, or their
    /// absence is another one.
    fn over(&self) -> Vec<SalesforceId> {
        let decided = self.discarded.keys();
        decided.filter(|id| !self.still.contains(id)).copied().collect()
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
    fn an_absence_is_decided_until_the_record_is_seen_again() {
        let id = |text: &str| SalesforceId::parse(text).unwrap();
        let [kept, rewritten, back, gone, other] = [
            "a00000000000001",
            "a00000000000002",
            "a00000000000003",
            "a00000000000004",
            "a00000000000005",
        ]
        .map(id);
        let at = |ms| Version::new(ms, ms);
        let discarded = [kept, rewritten, back, gone].map(|id| (id, at(2_000)));
        let mut decided = Decided::new(HashMap::from(discarded));
        decided.listed(kept, Some(at(1_000)));
        // Written since: Salesforce had shown it again.
        decided.listed(rewritten, Some(at(3_000)));
        decided.listed(back, Some(at(1_000)));
        decided.listed(other, Some(at(1_000)));
        // All but the one that is back are absent.
        assert!(decided.still(kept));
        assert!(!decided.still(rewritten));
        assert!(!decided.still(other));
        let mut over = decided.over();
        over.sort();
        assert_eq!(over, [rewritten, back, gone]);
    }

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
