//! A window from its beginning to its end: by pages while they are few, by one Bulk job for what is left when that is much.
//!
//! Only a first page that is full has the rest counted, so that what changes little costs no further call. Bulk is a shorter way
//! and nothing else: whatever is wrong with it, the window is read on by pages from where it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landbridge_salesforce::soql::{self, ScanPoint, Window};
use landbridge_salesforce::{Download, Position, SalesforceError, Scope};
use parking_lot::Mutex;

use super::{Reader, Rows};
use crate::import::download_options;
use crate::rows;
use crate::settings::ExtractorSettings;
use crate::trouble::Trouble;
use crate::window::Stretch;

/// A job that takes longer to collect its rows is not waited for: what is changed meanwhile waits too.
const JOB_AT_MOST: Duration = Duration::from_secs(900);

/// When windows are read by Bulk.
#[derive(Clone, Debug)]
pub struct BulkRule {
    settings: Arc<ExtractorSettings>,
    /// After Bulk was of no use: until when it is not tried.
    rests_until: Arc<Mutex<Option<Instant>>>,
}

impl BulkRule {
    /// By an installation's settings.
    #[must_use]
    pub fn new(settings: &Arc<ExtractorSettings>) -> Self {
        Self {
            settings: settings.clone(),
            rests_until: Arc::default(),
        }
    }

    fn may_try(&self) -> bool {
        self.rests_until
            .lock()
            .is_none_or(|until| Instant::now() >= until)
    }

    fn rest(&self) {
        *self.rests_until.lock() = Instant::now().checked_add(self.settings.probe_interval);
    }
}

/// Some rows of a window.
#[derive(Debug)]
pub struct Part {
    /// The rows.
    pub rows: Rows,
    /// Everything in the window before this has been read, with these rows.
    pub covered: Timestamp,
}

/// Reads a window.
#[derive(Debug)]
pub struct Scan<'r> {
    reader: &'r Reader,
    rule: BulkRule,
    stretch: Stretch,
    next: Next,
}

#[derive(Debug)]
enum Next {
    /// The page behind a row, or the first one.
    Page(Option<ScanPoint>),
    /// What is behind a row, if it is not too much for pages.
    Rest(ScanPoint),
    /// A job's rows; the row behind which all that it reads lies.
    Job(Box<Job>, ScanPoint),
    /// Nothing.
    Over,
}

#[derive(Debug)]
struct Job {
    id: String,
    download: Download,
    read_ms: i64,
}

impl Reader {
    /// Reads a window from its beginning, deleted records included.
    #[must_use]
    pub fn scan(&self, stretch: Stretch, rule: &BulkRule) -> Scan<'_> {
        Scan {
            reader: self,
            rule: rule.clone(),
            stretch,
            next: Next::Page(None),
        }
    }
}

impl Scan<'_> {
    /// The next rows; none after the last. By pages they come in the order of stamps, by Bulk in no order.
    pub async fn next(&mut self) -> Result<Option<Part>, Trouble> {
        loop {
            match std::mem::replace(&mut self.next, Next::Over) {
                Next::Over => return Ok(None),
                Next::Page(after) => return self.page(after).await.map(Some),
                Next::Rest(point) => {
                    self.next = match self.begin_job(point).await? {
                        Some(job) => Next::Job(Box::new(job), point),
                        None => Next::Page(Some(point)),
                    };
                }
                Next::Job(mut job, point) => match self.chunk(&mut job).await {
                    Ok(Some(rows)) => {
                        self.next = Next::Job(job, point);
                        let covered = point.stamp;
                        return Ok(Some(Part { rows, covered }));
                    }
                    Ok(None) => {
                        self.drop_job(&job.id).await;
                        let rows = self.reader.no_rows();
                        let covered = self.stretch.hi;
                        return Ok(Some(Part { rows, covered }));
                    }
                    Err(trouble) => {
                        self.give_up(trouble)?;
                        self.drop_job(&job.id).await;
                        // What the job has brought comes once more, and is known.
                        self.next = Next::Page(Some(point));
                    }
                },
            }
        }
    }

    async fn page(&mut self, after: Option<ScanPoint>) -> Result<Part, Trouble> {
        let page = self.reader.window_page(self.stretch, after).await?;
        self.next = match page.next {
            None => Next::Over,
            Some(point) if after.is_none() => Next::Rest(point),
            Some(point) => Next::Page(Some(point)),
        };
        Ok(Part {
            rows: page.rows,
            covered: page.next.map_or(self.stretch.hi, |point| point.stamp),
        })
    }

    /// A job for what is behind a row, complete; none when that is little, or Bulk is of no use.
    async fn begin_job(&self, after: ScanPoint) -> Result<Option<Job>, Trouble> {
        if !self.rule.may_try() {
            return Ok(None);
        }
        match self.job(after).await {
            Ok(job) => Ok(job),
            Err(trouble) => {
                self.give_up(trouble)?;
                Ok(None)
            }
        }
    }

    async fn job(&self, after: ScanPoint) -> Result<Option<Job>, Trouble> {
        let (reader, plan, client) = (self.reader, &self.reader.plan, &self.reader.client);
        let window = Window {
            object: &plan.object,
            columns: &plan.columns,
            lo: self.stretch.lo,
            hi: self.stretch.hi,
            rows: soql::PAGE_ROWS_MAX,
        };
        let rest = window.condition(Some(after));
        reader.may_read().await?;
        let count = client
            .count(Scope::WithDeleted, &plan.object, Some(&rest))
            .await?;
        if count <= self.rule.settings.bulk_from {
            return Ok(None);
        }
        let text = soql::select(&plan.object, &plan.columns, Some(&rest));
        let job = client.create_job(Scope::WithDeleted, &text).await?;
        let (id, read_ms) = (job.id, job.created_date.as_millisecond());
        tracing::info!(object = %plan.object, job = %id, rows = count, "a large window is read by Bulk");
        let waiting = tokio::time::timeout(JOB_AT_MOST, client.wait_for_job(&id, |_| {}));
        let complete = match waiting.await {
            Ok(Ok(job)) => job,
            Ok(Err(error)) => {
                self.drop_job(&id).await;
                return Err(error.into());
            }
            Err(_) => {
                let (job, state) = (id.clone(), "taking too long");
                let message = format!("no rows after {} s", JOB_AT_MOST.as_secs());
                let _best_effort = client.abort_job(&id).await;
                self.drop_job(&id).await;
                return Err(SalesforceError::JobEnded { job, state, message }.into());
            }
        };
        let options = download_options(&self.rule.settings);
        let download = client.download(complete, plan.columns.clone(), Position::default(), options);
        Ok(Some(Job {
            id,
            download,
            read_ms,
        }))
    }

    async fn chunk(&self, job: &mut Job) -> Result<Option<Rows>, Trouble> {
        let Some(chunk) = job.download.next().await? else {
            return Ok(None);
        };
        let keys = rows::keys(&self.reader.plan, &chunk.rows, job.read_ms)?;
        let table = chunk.rows;
        Ok(Some(Rows { table, keys }))
    }

    /// Goes on without Bulk for a while, unless the trouble is not Bulk's.
    fn give_up(&self, trouble: Trouble) -> Result<(), Trouble> {
        let Trouble::Salesforce(error) = trouble else {
            return Err(trouble);
        };
        tracing::warn!(object = %self.reader.plan.object, %error, "a large window cannot be read by Bulk; it is read by pages");
        self.rule.rest();
        Ok(())
    }

    /// Salesforce drops what is left after a week; this is only tidiness.
    async fn drop_job(&self, id: &str) {
        if let Err(error) = self.reader.client.delete_job(id).await {
            tracing::debug!(job = id, %error, "a window's job stays until Salesforce drops it");
        }
    }
}
