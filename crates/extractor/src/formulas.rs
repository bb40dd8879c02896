//! Reads records again whose formulas, or whose parents' fields, may have changed without a stamp: those of a changed parent
//! soon after, all of them by a schedule if the date or something unreadable is among what is mapped. What says the same as
//! last time is not sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landbridge_model::ask::FormulaReading;
use landbridge_model::formula::{self, ParentRead, Unstamped};
use landbridge_model::{SalesforceId, Source, SyncKey, Table};
use landbridge_salesforce::soql::{self, PAGE_ROWS_MAX, Window};
use landbridge_salesforce::{Columns, Position, Scope};
use landbridge_stage::StageError;
use serde::{Deserialize, Serialize};
use tracing::Instrument;

use crate::budget;
use crate::estimate;
use crate::import::download_options;
use crate::latest::Latest;
use crate::outlet::Outlet;
use crate::plan::{ID, ReadPlan};
use crate::reader::Reader;
use crate::rows;
use crate::schema;
use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};
use crate::window::WindowRule;

/// Pause after trouble that may pass by itself, and after one that a person or the next day must cure.
const PAUSES: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
/// Pause until the increment has begun: its beginning is the beginning here too.
const NOT_BEGUN: Duration = Duration::from_secs(5);
/// Parents that one WHERE clause names.
const PARENTS_IN_A_QUERY: usize = 100;
/// With more changed parents than this, all records are read instead.
const PARENTS_MAX: usize = 2_000;

/// How far reading for formulas has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormulaPoint {
    /// Up to when each parent's object was looked at for changes.
    pub parents: BTreeMap<String, Timestamp>,
    /// When all records were read last.
    pub all: Option<Timestamp>,
    /// Records that the last reading of all read, and those of them that had changed.
    #[serde(default)]
    pub last: (u64, u64),
}

/// Reads for one sync until it is told to stop from outside.
#[derive(Debug)]
pub struct FormulaReader {
    shard: Arc<Shard>,
    key: SyncKey,
}

impl FormulaReader {
    /// For one sync. Nothing is read yet.
    #[must_use]
    pub fn new(shard: Arc<Shard>, key: SyncKey) -> Self {
        Self { shard, key }
    }

    /// Looks again and again; dropped when the sync is no longer to be read.
    pub async fn run(self) {
        let span = tracing::info_span!("formulas", sync = %self.key);
        async {
            loop {
                let pause = match self.look().await {
                    Ok(pause) => pause,
                    Err(trouble) => {
                        tracing::warn!(trouble = %trouble.chain(), "records cannot be read again for their formulas");
                        match trouble.remedy() {
                            Remedy::TryAgain | Remedy::NewJob => PAUSES.0.min(self.shard.settings.formula_interval),
                            // Who reads the increment says so, and stops it.
                            Remedy::TryRarely | Remedy::Smaller | Remedy::Stop => PAUSES.1,
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

    /// One look; gives how long it is until the next.
    async fn look(&self) -> Result<Duration, Trouble> {
        let pause = self.shard.settings.formula_interval;
        let sync = self.shard.sync(&self.key)?;
        let plan = Arc::new(ReadPlan::new(&sync)?);
        if !plan.is_read_again {
            return Ok(pause);
        }
        let client = self.shard.orgs.client(&self.key.tenant).await?;
        budget::at_length(&client)?;
        let objects = schema::described_for_formulas(&self.shard, &client, &sync.definition).await?;
        let fields = formula::unstamped(&sync.definition, &objects);
        let every = formula::interval(&sync.definition.spec.rules, &fields);
        if fields.is_empty() && every.is_none() {
            return Ok(pause);
        }
        let reader = self.shard.reader(client, plan);
        let mut point = self
            .shard
            .checkpoints
            .formulas(&self.key)
            .await?
            .unwrap_or_default();
        let now = reader.org_now().await?;
        // What was read before the increment's beginning, by an import, shows formulas and parents as they were then.
        let Some(live) = self.shard.checkpoints.live(&self.key).await? else {
            return Ok(pause.min(NOT_BEGUN));
        };
        let last = *point.all.get_or_insert(live.begin);
        if is_due(every, Some(last), now) {
            self.read_all(&reader, &mut point, now).await?;
        } else {
            self.after_parents(&reader, &fields, (&mut point, live.begin), now)
                .await?;
        }
        self.shard.checkpoints.put_formulas(&self.key, &point).await?;
        Ok(pause)
    }

    /// The records below parents that were changed since the last look.
    async fn after_parents(
        &self,
        reader: &Reader,
        fields: &[Unstamped],
        (point, begin): (&mut FormulaPoint, Timestamp),
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let rule = WindowRule {
            lag: self.shard.settings.lag,
            overlap: self.shard.settings.overlap,
        };
        let reads: BTreeSet<&ParentRead> = fields.iter().flat_map(|field| &field.parents).collect();
        let objects: BTreeSet<&str> = reads.iter().map(|read| read.object.as_str()).collect();
        for object in objects {
            let covered = point.parents.get(object).copied().unwrap_or(begin);
            let Some(stretch) = rule.next(Timestamp::UNIX_EPOCH, covered, now) else {
                continue;
            };
            // What is open when the parents are read is looked for again from its beginning on.
            let settled = reader.settled_of(object, covered, now).await?;
            let covered = settled.map_or(stretch.hi, |settled| settled.clamp(covered, stretch.hi));
            let parents = self.changed(reader, object, stretch.lo, stretch.hi).await?;
            let Some(parents) = parents else {
                self.read_all(reader, point, now).await?;
                point.parents.insert(object.to_owned(), covered);
                continue;
            };
            let mut children: BTreeSet<SalesforceId> = BTreeSet::new();
            for read in reads.iter().filter(|read| read.object == object) {
                children.extend(self.below(reader, &read.lookup, &parents).await?);
            }
            let children: Vec<SalesforceId> = children.into_iter().collect();
            let sent = self.read_these(reader, &children).await?;
            if !parents.is_empty() {
                let (parents, children) = (parents.len(), children.len());
                tracing::info!(
                    object,
                    parents,
                    children,
                    sent,
                    "parents changed; their children were read again"
                );
            }
            point.parents.insert(object.to_owned(), covered);
        }
        Ok(())
    }

    /// The ids of an object's records that were changed in a stretch of time; none when there are too many.
    async fn changed(
        &self,
        reader: &Reader,
        object: &str,
        lo: Timestamp,
        hi: Timestamp,
    ) -> Result<Option<Vec<SalesforceId>>, Trouble> {
        let columns = Columns::text(["Id", "SystemModstamp"]);
        let window = Window {
            object,
            columns: &columns,
            lo,
            hi,
            rows: PAGE_ROWS_MAX,
        };
        self.shard.context.lease.wait_to_send(Duration::ZERO).await?;
        let mut page = reader
            .client
            .query(Scope::WithDeleted, &window.page(None), &columns)
            .await?;
        let mut ids = Vec::new();
        loop {
            ids.extend(ids_of(&page.rows)?);
            if ids.len() >= PARENTS_MAX {
                return Ok(None);
            }
            let Some(next) = page.next else {
                return Ok(Some(ids));
            };
            page = reader.client.query_next(&next, &columns).await?;
        }
    }

    /// The ids of the sync's records whose lookup leads to one of these.
    async fn below(
        &self,
        reader: &Reader,
        lookup: &str,
        parents: &[SalesforceId],
    ) -> Result<Vec<SalesforceId>, Trouble> {
        let columns = Columns::text(["Id"]);
        let mut found = Vec::new();
        for some in parents.chunks(PARENTS_IN_A_QUERY) {
            let list: Vec<String> = some.iter().map(|id| format!("'{id}'")).collect();
            let filter = format!("{lookup} IN ({})", list.join(","));
            let mut after = None;
            loop {
                self.shard.context.lease.wait_to_send(Duration::ZERO).await?;
                let text = soql::by_id(
                    &reader.plan.object,
                    &columns,
                    Some(&filter),
                    after.as_ref(),
                    PAGE_ROWS_MAX,
                );
                let mut page = reader.client.query(Scope::Live, &text, &columns).await?;
                let before = found.len();
                loop {
                    found.extend(ids_of(&page.rows)?);
                    let Some(next) = page.next else { break };
                    page = reader.client.query_next(&next, &columns).await?;
                }
                if found.len() - before < PAGE_ROWS_MAX as usize {
                    break;
                }
                after = found.last().copied();
            }
        }
        Ok(found)
    }

    async fn read_these(&self, reader: &Reader, ids: &[SalesforceId]) -> Result<u64, Trouble> {
        let mut sent = 0;
        for some in ids.chunks(PAGE_ROWS_MAX as usize) {
            let (found, _absent) = reader.by_ids(some).await?;
            sent += self.send(reader, &found.table, &found.keys).await?;
        }
        Ok(sent)
    }

    /// All records that the sync's filter may want, by the way that is cheaper.
    async fn read_all(
        &self,
        reader: &Reader,
        point: &mut FormulaPoint,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let plan = &reader.plan;
        let total = reader.client.count(Scope::Live, &plan.object, None).await?;
        let is_small = total <= self.shard.settings.bulk_from && fits(plan);
        let (read, sent) = match is_small {
            true => self.by_scan(reader).await?,
            false => match self.by_bulk(reader).await {
                // A job that takes too long has brought nothing; pages are never too much.
                Err(trouble) if trouble.remedy() == Remedy::Smaller && fits(plan) => {
                    self.by_scan(reader).await?
                }
                read => read?,
            },
        };
        point.all = Some(now);
        point.last = (read, sent);
        tracing::info!(read, sent, "all records were read again for their formulas");
        Ok(())
    }

    async fn by_scan(&self, reader: &Reader) -> Result<(u64, u64), Trouble> {
        let (plan, mut after, mut read, mut sent) = (&reader.plan, None, 0, 0);
        loop {
            let read_ms = reader.org_now().await?.as_millisecond();
            // Without the filter: it may be a formula that a record matches by, or no longer does.
            let text = soql::by_id(&plan.object, &plan.columns, None, after.as_ref(), PAGE_ROWS_MAX);
            let mut page = reader.client.query(Scope::Live, &text, &plan.columns).await?;
            let mut seen = 0;
            loop {
                let keys = rows::keys(plan, &page.rows, read_ms)?;
                seen += keys.len();
                after = keys.last().map(|key| key.id).or(after);
                sent += self.send(reader, &page.rows, &keys).await?;
                let Some(next) = page.next else { break };
                page = reader.client.query_next(&next, &plan.columns).await?;
            }
            read += seen as u64;
            if seen < PAGE_ROWS_MAX as usize {
                return Ok((read, sent));
            }
            budget::at_length(&reader.client)?;
        }
    }

    async fn by_bulk(&self, reader: &Reader) -> Result<(u64, u64), Trouble> {
        let (plan, client) = (&reader.plan, &reader.client);
        let text = soql::select(&plan.object, &plan.columns, None);
        let job = client.create_job(Scope::Live, &text).await?;
        let job = client.wait_for_job(&job.id, |_| {}).await?;
        let (id, read_ms) = (job.id.clone(), job.created_date.as_millisecond());
        let options = download_options(&self.shard.settings);
        let mut download = client.download(job, plan.columns.clone(), Position::default(), options);
        let (mut read, mut sent) = (0, 0);
        while let Some(chunk) = download.next().await? {
            let keys = rows::keys(plan, &chunk.rows, read_ms)?;
            read += keys.len() as u64;
            sent += self.send(reader, &chunk.rows, &keys).await?;
        }
        let _best_effort = client.delete_job(&id).await;
        Ok((read, sent))
    }

    /// Sends the rows that do not say what was sent last.
    async fn send(&self, reader: &Reader, table: &Table, keys: &[rows::RowKey]) -> Result<u64, Trouble> {
        let (plan, most) = (&reader.plan, self.shard.settings.batch_rows);
        let outlet = Outlet::new(&self.shard, &reader.client, plan, Source::Reread, None);
        let latest = Latest::of(&self.shard.context.cache, &self.key);
        let all = rows::split(plan, &outlet.envelope, table, keys, 0..keys.len(), usize::MAX);
        let mut changed: BTreeSet<SalesforceId> = BTreeSet::new();
        for batch in &all.batches {
            changed.extend(latest.changed(batch)?.into_iter().map(|row| batch.ids[row]));
        }
        let fresh = keys
            .iter()
            .enumerate()
            .filter(|(_, key)| changed.contains(&key.id));
        let fresh = fresh.map(|(row, _)| row);
        let split = rows::split(plan, &outlet.envelope, table, keys, fresh, most);
        Ok(outlet.send(&split).await?)
    }
}

/// Whether a scan's query fits an address.
fn fits(plan: &ReadPlan) -> bool {
    let text = soql::by_id(&plan.object, &plan.columns, None, None, PAGE_ROWS_MAX);
    // The id that a page goes on behind is not in it yet.
    landbridge_salesforce::query::fits_an_address(&format!("{text} AND Id > '000000000000000AAA'"))
}

/// Whether all records are to be read: never before the first interval is over.
fn is_due(every: Option<Duration>, last: Option<Timestamp>, now: Timestamp) -> bool {
    let (Some(every), Some(last)) = (every, last) else {
        return false;
    };
    now.duration_since(last) >= SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX)
}

fn ids_of(rows: &Table) -> Result<Vec<SalesforceId>, Trouble> {
    let parse = |cell: Option<&str>| {
        let id = cell.and_then(|text| SalesforceId::parse(text).ok());
        id.ok_or_else(|| StageError::worker(format!("Salesforce gave {cell:?} as an id")).into())
    };
    rows.at(ID).iter().map(parse).collect()
}

/// Which fields change without a stamp, how they are read again, and what that costs.
pub async fn report(shard: &Arc<Shard>, key: &SyncKey) -> Result<FormulaReading, Trouble> {
    let sync = shard.sync(key)?;
    let plan = ReadPlan::new(&sync)?;
    if !plan.is_read_again {
        return Ok(FormulaReading::default());
    }
    let client = shard.orgs.client(&key.tenant).await?;
    let objects = schema::described_for_formulas(shard, &client, &sync.definition).await?;
    let fields = formula::unstamped(&sync.definition, &objects);
    let records = client.count(Scope::Live, &plan.object, None).await?;
    let point = shard.checkpoints.formulas(key).await?.unwrap_or_default();
    let every = formula::interval(&sync.definition.spec.rules, &fields);
    let calls = if records > shard.settings.bulk_from || !fits(&plan) {
        estimate::import(&shard.settings, records, None).total()
    } else {
        // The count, and a query for each page.
        1 + records / u64::from(PAGE_ROWS_MAX) + 1
    };
    let parents: BTreeSet<&str> = fields
        .iter()
        .flat_map(|field| &field.parents)
        .map(|parent| parent.object.as_str())
        .collect();
    // Which transactions are open, and which parents changed.
    let looks = 2 * per_day(shard.settings.formula_interval) * parents.len() as u64;
    let (last_read, last_sent) = point.last;
    Ok(FormulaReading {
        every_seconds: every.map(|every| every.as_secs()),
        records,
        calls,
        calls_per_day: every.map_or(0, |every| calls * per_day(every)) + looks,
        last_ms: point.all.filter(|_| last_read > 0).map(|at| at.as_millisecond()),
        last_read,
        last_sent,
        fields,
    })
}

/// How often in a day; never more seldom than once, so that no cost is told as none.
fn per_day(every: Duration) -> u64 {
    if every.is_zero() {
        return 0;
    }
    (formula::DAILY.as_secs_f64() / every.as_secs_f64()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_records_are_due_once_an_interval_is_over() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let hour = Some(Duration::from_secs(3_600));
        for (every, last, due) in [
            (None, Some(0), false),
            (hour, None, false),
            (hour, Some(9_000), false),
            (hour, Some(6_400), true),
            (hour, Some(0), true),
        ] {
            assert_eq!(is_due(every, last.map(at), at(10_000)), due, "{every:?} {last:?}");
        }
    }
}
