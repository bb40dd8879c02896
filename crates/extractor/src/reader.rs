//! Reading rows of one sync: a page of a window, or records by their ids, whatever form of call that takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landbridge_model::{ChangeKind, SalesforceId, Table};
use landbridge_salesforce::collections::RETRIEVE_MAX;
use landbridge_salesforce::soql::{self, ScanPoint, Window};
use landbridge_salesforce::{Client, Columns, SalesforceError, Scope, Verdict, query};
use landbridge_stage::LeaseClock;

use crate::import::ranges::{self, IdRange};
use crate::plan::{DELETED, ID, ReadPlan, STAMP};
use crate::rows::{self, RowKey};
use crate::trouble::Trouble;
use crate::window::Stretch;

mod scan;
mod wide;

pub use scan::{BulkRule, Part, Scan};

/// Ids that one WHERE clause names: with this many the address stays far from its limit.
pub(crate) const IDS_IN_A_QUERY: usize = 200;

/// The shortest stretch that can be asked for: whole minutes, and more than one.
const SHORT: SignedDuration = SignedDuration::from_secs(120);

/// A window that takes too long and is no wider than this is tried again later.
const NARROWEST: Duration = Duration::from_secs(1);

/// The id before all others: behind it, and with a stamp, begins all that bears the stamp.
fn first_id() -> Result<SalesforceId, Trouble> {
    let id = SalesforceId::parse("000000000000000AAA");
    id.map_err(|error| Trouble::Missing(error.to_string()))
}

/// Reads the rows of one sync.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The org.
    pub client: Client,
    /// What is read.
    pub plan: Arc<ReadPlan>,
    lease: LeaseClock,
    /// How wide a window is answered in time, in milliseconds; learned from those that were not.
    widest_ms: Arc<AtomicU64>,
}

/// Rows with what they are about.
#[derive(Clone, Debug)]
pub struct Rows {
    /// With all columns of the plan.
    pub table: Table,
    /// One for each row.
    pub keys: Vec<RowKey>,
}

/// A page of a window.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its rows.
    pub rows: Rows,
    /// Where the next page goes on; `None` after the last.
    pub next: Option<ScanPoint>,
}

/// Since when open transactions are asked for. Only the end matters, and a day is a long transaction: it is far from where
/// Salesforce's own account ends, and never less than the minute that it grants.
fn asked_since(since: Timestamp, now: Timestamp) -> Timestamp {
    since.max(now - SignedDuration::from_hours(24)).min(now - SHORT)
}

impl Reader {
    /// For one sync at one revision.
    #[must_use]
    pub fn new(client: Client, plan: Arc<ReadPlan>, lease: LeaseClock) -> Self {
        Self {
            client,
            plan,
            lease,
            widest_ms: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    /// With what was learned before of how wide a window is answered in time, and to be told what is learned now.
    #[must_use]
    pub fn with_width(self, widest_ms: Arc<AtomicU64>) -> Self {
        Self { widest_ms, ..self }
    }

    /// Waits until the lease surely holds. A read may outlast it: it changes nothing in Salesforce, and what it
    /// brings is only published under a lease.
    async fn may_read(&self) -> Result<(), Trouble> {
        Ok(self.lease.wait_to_send(Duration::ZERO).await?)
    }

    /// The org's clock.
    pub async fn org_now(&self) -> Result<Timestamp, Trouble> {
        self.may_read().await?;
        Ok(self.client.org_now().await?)
    }

    /// Up to when all transactions that touched the object have ended: what they changed can be read by now. `None` when
    /// the org does not tell it of this object.
    pub async fn settled_until(
        &self,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Trouble> {
        self.settled_of(&self.plan.object, since, now).await
    }

    /// The same of another object, a parent of the records that are read.
    pub async fn settled_of(
        &self,
        object: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Trouble> {
        self.may_read().await?;
        let mut asked = self.client.updated(object, asked_since(since, now), now).await;
        if matches!(&asked, Err(error) if error.verdict() == Verdict::Shrink) {
            self.may_read().await?;
            asked = self.client.updated(object, now - SHORT, now).await;
        }
        match asked {
            Ok(updated) => Ok(Some(updated.covered_until.min(now))),
            // A user who may query an object may still be refused this.
            Err(error @ SalesforceError::Refused { .. })
                if matches!(
                    error.verdict(),
                    Verdict::Refused | Verdict::Gone | Verdict::SchemaChanged | Verdict::Configuration
                ) =>
            {
                tracing::debug!(object, %error, "the org does not tell of open transactions");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Rows without any.
    fn no_rows(&self) -> Rows {
        Rows {
            table: self.plan.columns.table(),
            keys: Vec::new(),
        }
    }

    /// One page of a window, deleted records included, in the order of stamps and ids. A window that Salesforce takes too
    /// long over is read in parts, never passed over.
    pub async fn window_page(&self, stretch: Stretch, after: Option<ScanPoint>) -> Result<Page, Trouble> {
        let from = after.map_or(stretch.lo, |after| after.stamp);
        loop {
            let widest = Duration::from_millis(self.widest_ms.load(Ordering::Relaxed));
            let part = stretch.part(from, widest);
            match self.page(part, after).await {
                Err(trouble) if trouble.is_timeout() && part.width() > NARROWEST => {
                    let half = part.width() / 2;
                    tracing::info!(object = %self.plan.object, seconds = half.as_secs(), "a window took too long and is halved");
                    let half_ms = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
                    self.widest_ms.store(half_ms, Ordering::Relaxed);
                }
                Ok(Page { rows, next: None }) if part.hi < stretch.hi => {
                    // All of the part is read; the next one may be wider again.
                    let wider = widest.saturating_mul(2);
                    let wider_ms = u64::try_from(wider.as_millis()).unwrap_or(u64::MAX);
                    self.widest_ms.store(wider_ms, Ordering::Relaxed);
                    let (stamp, id) = (part.hi, first_id()?);
                    let next = Some(ScanPoint { stamp, id });
                    return Ok(Page { rows, next });
                }
                page => return page,
            }
        }
    }

    async fn page(&self, stretch: Stretch, after: Option<ScanPoint>) -> Result<Page, Trouble> {
        let read_ms = self.org_now().await?.as_millisecond();
        let window = |columns| Window {
            object: &self.plan.object,
            columns,
            lo: stretch.lo,
            hi: stretch.hi,
            rows: soql::PAGE_ROWS_MAX,
        };
        let wide = window(&self.plan.columns).page(after);
        if query::fits_an_address(&wide) {
            let page = self
                .client
                .query(Scope::WithDeleted, &wide, &self.plan.columns)
                .await?;
            let table = self.whole(page, &self.plan.columns).await?;
            let keys = rows::keys(&self.plan, &table, read_ms)?;
            let next = next_point(&keys);
            return Ok(Page {
                rows: Rows { table, keys },
                next,
            });
        }
        // Too many columns for an address: find out which records, then read them by id.
        let narrow = window(&self.plan.keys).page(after);
        let page = self
            .client
            .query(Scope::WithDeleted, &narrow, &self.plan.keys)
            .await?;
        let table = self.whole(page, &self.plan.keys).await?;
        let keys = rows::keys(&self.plan, &table, read_ms)?;
        let next = next_point(&keys);
        let rows = self.fill(&keys, read_ms).await?;
        Ok(Page { rows, next })
    }

    /// All rows of an answer: the server may cut it into pages of its own, smaller than asked for.
    async fn whole(&self, first: query::QueryPage, columns: &Columns) -> Result<Table, Trouble> {
        let mut table = first.rows;
        let mut next = first.next;
        while let Some(at) = next {
            self.may_read().await?;
            let page = self.client.query_next(&at, columns).await?;
            append(&mut table, &page.rows);
            next = page.next;
        }
        Ok(table)
    }

    /// Full rows for records whose keys are known. A record that vanishes in between has a newer stamp by then and
    /// is found by it.
    async fn fill(&self, keys: &[RowKey], read_ms: i64) -> Result<Rows, Trouble> {
        let mut table = self.plan.columns.table();
        let live: Vec<SalesforceId> = keys
            .iter()
            .filter(|key| key.kind == ChangeKind::Upsert)
            .map(|key| key.id)
            .collect();
        for ids in live.chunks(RETRIEVE_MAX) {
            let (found, _vanished) = self.whole_rows(ids).await?;
            append(&mut table, &found);
        }
        let mut filled = rows::keys(&self.plan, &table, read_ms)?;
        for key in keys.iter().filter(|key| key.kind == ChangeKind::Delete) {
            push_deleted(&self.plan, &mut table, key);
            filled.push(*key);
        }
        Ok(Rows { table, keys: filled })
    }

    /// An id that parts a range into two that both hold records; none where there are not two. Two calls that the index answers.
    pub async fn halfway(&self, range: &IdRange) -> Result<Option<SalesforceId>, Trouble> {
        let (first, last) = (self.edge(range, "ASC").await?, self.edge(range, "DESC").await?);
        Ok(first
            .zip(last)
            .and_then(|(first, last)| ranges::halfway(&first, &last)))
    }

    async fn edge(&self, range: &IdRange, order: &str) -> Result<Option<SalesforceId>, Trouble> {
        let columns = Columns::text(["Id"]);
        let condition = range.condition();
        let select = soql::select(&self.plan.object, &columns, condition.as_deref());
        let text = format!("{select} ORDER BY Id {order} LIMIT 1");
        self.may_read().await?;
        let page = self.client.query(Scope::Live, &text, &columns).await?;
        let id = page.rows.at(ID).iter().next().flatten();
        Ok(id.and_then(|id| SalesforceId::parse(id).ok()))
    }

    /// The stamps of those of these ids that are there, and the ids of which nothing is to be seen, by one cheap call for each
    /// 2,000: their keys alone are read.
    pub async fn stamps(&self, ids: &[SalesforceId]) -> Result<(Vec<RowKey>, Vec<SalesforceId>), Trouble> {
        let (mut seen, mut missing) = (Vec::new(), Vec::new());
        for some in ids.chunks(RETRIEVE_MAX) {
            let read_ms = self.org_now().await?.as_millisecond();
            let found = self
                .client
                .retrieve(&self.plan.object, some, &self.plan.keys)
                .await?;
            seen.extend(rows::keys(&self.plan, &found.rows, read_ms)?);
            missing.extend(found.missing.iter().map(|&place| some[place]));
        }
        Ok((seen, missing))
    }

    /// Records by their ids: those that are there, those that are deleted, and the ids of which nothing is to be
    /// seen. That a record cannot be seen does not say that it is deleted.
    pub async fn by_ids(&self, ids: &[SalesforceId]) -> Result<(Rows, Vec<SalesforceId>), Trouble> {
        let read_ms = self.org_now().await?.as_millisecond();
        let mut table = self.plan.columns.table();
        let mut absent = Vec::new();
        // Paths over a parent can only be read by a query; if it cannot name all columns, they are read in parts.
        let one = soql::id_in(&[first_id()?]);
        let text = soql::select(&self.plan.object, &self.plan.columns, Some(&one));
        let by_query = self.plan.columns.has_parent_paths() && query::fits_an_address(&text);
        if by_query {
            absent.extend_from_slice(ids);
        } else {
            for some in ids.chunks(RETRIEVE_MAX) {
                let (found, missing) = self.whole_rows(some).await?;
                append(&mut table, &found);
                absent.extend(missing);
            }
        }
        let columns = if by_query {
            &self.plan.columns
        } else {
            &self.plan.keys
        };
        let mut keys = rows::keys(&self.plan, &table, read_ms)?;
        for some in absent.chunks(IDS_IN_A_QUERY) {
            let found = self.query_ids(some, columns).await?;
            for (row, key) in rows::keys(&self.plan, &found, read_ms)?.into_iter().enumerate() {
                match key.kind {
                    ChangeKind::Delete => push_deleted(&self.plan, &mut table, &key),
                    // Restored between the two calls, or hidden from one of them: it will be seen again.
                    _ if !by_query => continue,
                    _ => push_row(&mut table, &found, row),
                }
                keys.push(key);
            }
        }
        let seen: std::collections::HashSet<SalesforceId> = keys.iter().map(|key| key.id).collect();
        let unseen = ids.iter().copied().filter(|id| !seen.contains(id)).collect();
        Ok((Rows { table, keys }, unseen))
    }

    /// Queries records by id, with fewer ids at a time while the address is too long.
    async fn query_ids(&self, ids: &[SalesforceId], columns: &Columns) -> Result<Table, Trouble> {
        let mut table = columns.table();
        let mut size = ids.len().max(1);
        let mut rest = ids;
        while !rest.is_empty() {
            let some = &rest[..size.min(rest.len())];
            let text = soql::select(&self.plan.object, columns, Some(&soql::id_in(some)));
            self.may_read().await?;
            match self.client.query(Scope::WithDeleted, &text, columns).await {
                Ok(page) => {
                    append(&mut table, &self.whole(page, columns).await?);
                    rest = &rest[some.len()..];
                }
                Err(SalesforceError::QueryTooLong { .. }) if size > 1 => size /= 2,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(table)
    }
}

/// Where the page behind these rows begins: a page with fewer rows than its limit is the last.
fn next_point(keys: &[RowKey]) -> Option<ScanPoint> {
    let last = keys
        .last()
        .filter(|_| keys.len() >= soql::PAGE_ROWS_MAX as usize)?;
    let stamp = Timestamp::from_millisecond(last.version.stamp_ms).ok()?;
    Some(ScanPoint { stamp, id: last.id })
}

fn append(table: &mut Table, more: &Table) {
    for row in 0..more.rows() {
        push_row(table, more, row);
    }
}

fn push_row(table: &mut Table, from: &Table, row: usize) {
    let width = from.names().count();
    table.push_row((0..width).map(|place| from.at(place).get(row)));
}

/// A deleted record as a row without values.
fn push_deleted(plan: &ReadPlan, table: &mut Table, key: &RowKey) {
    let stamp = Timestamp::from_millisecond(key.version.stamp_ms).unwrap_or_default();
    let stamp = landbridge_salesforce::normalise::format_date_time(stamp);
    table.push_row((0..plan.columns.len()).map(|place| match place {
        ID => Some(key.id.as_str()),
        STAMP => Some(stamp.as_str()),
        DELETED => Some("true"),
        _ => None,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 24 of Salesforce's facts (17): a first look that reaches back as far as the account does is refused at its edge.
    #[test]
    fn trap_24_a_first_look_stays_away_from_the_edge_of_the_account() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (now, day) = (100 * 86_400, 86_400);
        for (since, asked) in [
            // Never read before, and after stops of all lengths.
            (0, now - day),
            (now - 31 * day, now - day),
            (now - 30 * day, now - day),
            (now - 15 * day, now - day),
            (now - 3_600, now - 3_600),
            // A minute that has just begun, and a clock that was set back.
            (now - 1, now - 120),
            (now + 3_600, now - 120),
        ] {
            assert_eq!(asked_since(at(since), at(now)), at(asked), "{since}");
        }
    }
}
