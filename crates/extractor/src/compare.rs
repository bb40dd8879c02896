//! Reading for a compare: the same rows as an import, into the check lane. Nothing is remembered: a compare that is
//! cut off is started again by whoever wants it.

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::ask::StartCompare;
use landbridge_model::{RunId, SalesforceId, Source, SyncKey};
use landbridge_salesforce::{Position, Scope, query, soql};
use landbridge_wire::RunPhase;

use crate::import::download_options;
use crate::outlet::Outlet;
use crate::plan::{ID, ReadPlan};
use crate::reader::{BulkRule, Reader};
use crate::rows;
use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};
use crate::window::WindowRule;

/// Tries of a whole compare.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// Which records are read.
enum Extent {
    All,
    Ids(Vec<SalesforceId>),
    Sample(u64),
}

/// One compare's reading.
struct Compare {
    shard: Arc<Shard>,
    reader: Reader,
    outlet: Outlet,
    rows: u64,
}

/// Starts a compare's reading. It ends by a report, whatever comes of it.
pub async fn start(
    shard: &Arc<Shard>,
    tenant: &landbridge_model::TenantId,
    ask: StartCompare,
) -> Result<(), Trouble> {
    // Made once here, so that what cannot be read is answered and not only reported.
    let compare = prepare(shard, tenant, &ask).await?;
    let extent = match (ask.ids, ask.sample) {
        (ids, _) if !ids.is_empty() => Extent::Ids(ids),
        (_, Some(records)) => Extent::Sample(records),
        (_, None) => Extent::All,
    };
    let task = tokio::spawn(run(compare, extent));
    let mut running = shard.compares.lock();
    running.retain(|_, task| !task.is_finished());
    running.insert(ask.run, tokio_util::task::AbortOnDropHandle::new(task));
    Ok(())
}

/// Ends a compare's reading, if it still runs.
pub fn stop(shard: &Shard, run: &RunId) {
    shard.compares.lock().remove(run);
}

async fn prepare(
    shard: &Arc<Shard>,
    tenant: &landbridge_model::TenantId,
    ask: &StartCompare,
) -> Result<Compare, Trouble> {
    let (plan, source) = if ask.draft {
        let draft = shard.draft(tenant, &ask.run).await?;
        (ReadPlan::new(&draft.sync)?, Source::DryRun)
    } else {
        let sync = shard.sync(&SyncKey {
            tenant: tenant.clone(),
            name: ask.sync.clone(),
        })?;
        (ReadPlan::new(&sync)?, Source::Compare)
    };
    let plan = Arc::new(plan);
    let client = shard.orgs.client(tenant).await?;
    let outlet = Outlet::new(shard, &client, &plan, source, Some(ask.run.clone()));
    let reader = shard.reader(client, plan);
    Ok(Compare {
        shard: shard.clone(),
        reader,
        outlet,
        rows: 0,
    })
}

async fn run(mut compare: Compare, extent: Extent) {
    let mut trouble = None;
    for attempt in 1..=ATTEMPTS {
        compare.rows = 0;
        match compare.read(&extent).await {
            Ok(total) => {
                compare.tell(RunPhase::Ended, Some(total), None).await;
                return;
            }
            Err(error) => {
                tracing::warn!(attempt, trouble = %error.chain(), "a compare's reading broke off");
                trouble = Some(error.chain());
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    compare.tell(RunPhase::Failed, None, trouble).await;
}

impl Compare {
    async fn tell(&self, phase: RunPhase, total: Option<u64>, reason: Option<String>) {
        if let Err(error) = self.outlet.progress(phase, total, self.rows, reason).await {
            tracing::error!(error = %error.chain(), "a compare's end could not be told");
        }
    }

    /// Reads all rows that are wanted; returns how many there are.
    async fn read(&mut self, extent: &Extent) -> Result<u64, Trouble> {
        match extent {
            Extent::Ids(ids) => self.by_ids(ids).await,
            Extent::Sample(records) => {
                let ids = self.first_ids(*records).await?;
                self.by_ids(&ids).await
            }
            Extent::All if self.outlet.envelope.source == Source::DryRun => {
                let fence = self.rule().horizon(self.reader.org_now().await?);
                self.all().await?;
                self.catch_up(fence).await
            }
            Extent::All => self.all().await,
        }
    }

    fn rule(&self) -> WindowRule {
        WindowRule {
            lag: self.shard.settings.lag,
            overlap: self.shard.settings.overlap,
        }
    }

    /// What an import's catch-up reads besides: what was changed or deleted of late, whatever the filter says of it.
    async fn catch_up(&mut self, fence: jiff::Timestamp) -> Result<u64, Trouble> {
        let stretch = self.rule().catch_up(fence, self.reader.org_now().await?);
        let limit = self.shard.settings.batch_rows;
        let mut scan = self.reader.scan(stretch, &BulkRule::new(&self.shard.settings));
        while let Some(part) = scan.next().await? {
            let (table, keys) = (&part.rows.table, &part.rows.keys);
            let envelope = &self.outlet.envelope;
            let split = rows::split(&self.reader.plan, envelope, table, keys, 0..keys.len(), limit);
            self.rows += self.outlet.send(&split).await?;
        }
        Ok(self.rows)
    }

    /// The ids of so many records that match the filter, in the order of ids.
    async fn first_ids(&self, records: u64) -> Result<Vec<SalesforceId>, Trouble> {
        let plan = &self.reader.plan;
        let mut ids: Vec<SalesforceId> = Vec::new();
        while let Some(left) = records.checked_sub(ids.len() as u64).filter(|left| *left > 0) {
            let page = u32::try_from(left).unwrap_or(u32::MAX).min(soql::PAGE_ROWS_MAX);
            let filter = plan.filter.as_deref();
            let text = soql::by_id(&plan.object, &plan.keys, filter, ids.last(), page);
            let mut found = self.reader.client.query(Scope::Live, &text, &plan.keys).await?;
            let before = ids.len();
            loop {
                for key in rows::keys(plan, &found.rows, 0)? {
                    ids.push(key.id);
                }
                let Some(next) = found.next else { break };
                found = self.reader.client.query_next(&next, &plan.keys).await?;
            }
            if ids.len() - before < page as usize {
                break;
            }
        }
        Ok(ids)
    }

    async fn all(&mut self) -> Result<u64, Trouble> {
        let plan = self.reader.plan.clone();
        let total = self
            .reader
            .client
            .count(Scope::Live, &plan.object, plan.filter.as_deref())
            .await?;
        self.outlet
            .progress(RunPhase::Reading, Some(total), 0, None)
            .await?;
        let fits = query::fits_an_address(&self.scan_query(&plan, Some(&longest_id())));
        if total <= self.shard.settings.bulk_from && fits {
            return self.by_scan(&plan).await;
        }
        match self.by_bulk(&plan).await {
            // A job that takes too long has brought nothing; pages are never too much.
            Err(trouble) if trouble.remedy() == Remedy::Smaller && fits => self.by_scan(&plan).await,
            read => read,
        }
    }

    fn scan_query(&self, plan: &ReadPlan, after: Option<&SalesforceId>) -> String {
        soql::by_id(
            &plan.object,
            &plan.columns,
            plan.filter.as_deref(),
            after,
            soql::PAGE_ROWS_MAX,
        )
    }

    async fn by_ids(&mut self, ids: &[SalesforceId]) -> Result<u64, Trouble> {
        let (found, _absent) = self.reader.by_ids(ids).await?;
        let limit = self.shard.settings.batch_rows;
        let all = 0..found.keys.len();
        let envelope = &self.outlet.envelope;
        let split = rows::split(&self.reader.plan, envelope, &found.table, &found.keys, all, limit);
        self.rows += self.outlet.send(&split).await?;
        Ok(self.rows)
    }

    async fn by_scan(&mut self, plan: &ReadPlan) -> Result<u64, Trouble> {
        let mut after = None;
        loop {
            let read_ms = self.reader.org_now().await?.as_millisecond();
            let text = self.scan_query(plan, after.as_ref());
            let mut page = self
                .reader
                .client
                .query(Scope::Live, &text, &plan.columns)
                .await?;
            let mut seen = 0;
            loop {
                seen += page.rows.rows();
                let last = page
                    .rows
                    .rows()
                    .checked_sub(1)
                    .and_then(|row| page.rows.at(ID).get(row));
                after = last.and_then(|id| SalesforceId::parse(id).ok()).or(after);
                self.hand_on(plan, &page.rows, read_ms).await?;
                let Some(next) = page.next else { break };
                page = self.reader.client.query_next(&next, &plan.columns).await?;
            }
            if seen < soql::PAGE_ROWS_MAX as usize {
                return Ok(self.rows);
            }
        }
    }

    async fn by_bulk(&mut self, plan: &ReadPlan) -> Result<u64, Trouble> {
        let client = self.reader.client.clone();
        let text = soql::select(&plan.object, &plan.columns, plan.filter.as_deref());
        let job = client.create_job(Scope::Live, &text).await?;
        let job = client.wait_for_job(&job.id, |_| {}).await?;
        let options = download_options(&self.shard.settings);
        let (id, read_ms) = (job.id.clone(), job.created_date.as_millisecond());
        let mut download = client.download(job, plan.columns.clone(), Position::default(), options);
        while let Some(chunk) = download.next().await? {
            self.hand_on(plan, &chunk.rows, read_ms).await?;
        }
        let _best_effort = client.delete_job(&id).await;
        Ok(self.rows)
    }

    async fn hand_on(
        &mut self,
        plan: &ReadPlan,
        table: &landbridge_model::Table,
        read_ms: i64,
    ) -> Result<(), Trouble> {
        let keys = rows::keys(plan, table, read_ms)?;
        let limit = self.shard.settings.batch_rows;
        let split = rows::split(plan, &self.outlet.envelope, table, &keys, 0..keys.len(), limit);
        self.rows += self.outlet.send(&split).await?;
        Ok(())
    }
}

/// Stands for any id when the length of a query is asked.
fn longest_id() -> SalesforceId {
    SalesforceId::parse("000000000000000AAA").expect("a documented example of an id")
}
