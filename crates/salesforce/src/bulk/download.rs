//! All rows of a job, in order, a bounded part at a time.
//!
//! Pages are handed on in the order of their locators; while one is being read, the following ones are fetched
//! ahead. What follows a page is known for sure only from that page's own answer: the list of pages
//! (`resultPages`) is a guess that is dropped as soon as an answer contradicts it.

use std::collections::VecDeque;

use landbridge_model::Table;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::csv::Room;
use super::page::{self, PageEnd, PageRequest};
use super::{Client, Job};
use crate::columns::Columns;
use crate::error::SalesforceError;

/// Chunks that wait in memory for each page being fetched.
const CHUNKS_AHEAD: usize = 2;

/// How far the reading of a job's rows has come. Together with the job's id it is all that is needed to go on
/// later, in another process too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The page being read; `None` is the first.
    pub locator: Option<String>,
    /// Rows of that page that have been handed on.
    pub rows_in_page: u64,
    /// Rows handed on in all.
    pub rows: u64,
    /// Whether all rows have been handed on.
    pub finished: bool,
}

/// How to read.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// Most rows and bytes of one chunk.
    pub room: Room,
    /// Pages fetched at the same time. With 1, pages are asked for one after the other with [`Self::page_rows`].
    pub parallel: usize,
    /// Most rows of a page, where we may choose.
    pub page_rows: u32,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            room: Room {
                rows: 500,
                bytes: 400 * 1024,
            },
            parallel: 3,
            page_rows: 50_000,
        }
    }
}

/// Some rows, and where the reading stands once they are taken care of.
#[derive(Debug, Clone)]
pub struct RowChunk {
    /// The rows.
    pub rows: Table,
    /// Where to go on from after them.
    pub position: Position,
}

/// The rows of a completed job. Dropping it stops everything it has started.
#[derive(Debug)]
pub struct Download {
    client: Client,
    job: Job,
    columns: Columns,
    options: DownloadOptions,
    position: Position,
    /// The page being read, then those fetched ahead.
    pages: VecDeque<PageTask>,
    guess: Guess,
}

#[derive(Debug)]
struct PageTask {
    locator: Option<String>,
    rows: mpsc::Receiver<Table>,
    end: AbortOnDropHandle<Result<PageEnd, SalesforceError>>,
}

/// What the list of pages says will come.
#[derive(Debug)]
enum Guess {
    /// Not asked yet.
    Unknown,
    /// Pages after the last one started; where the list goes on.
    Listed {
        coming: VecDeque<Option<String>>,
        more: Option<String>,
    },
    /// Not to be had, or proved wrong.
    Dropped,
}

impl Client {
    /// Reads the rows of a completed job from `position` on. `columns` must be what its query selects.
    #[must_use]
    pub fn download(
        &self,
        job: Job,
        columns: Columns,
        position: Position,
        options: DownloadOptions,
    ) -> Download {
        let guess = if options.parallel > 1 {
            Guess::Unknown
        } else {
            Guess::Dropped
        };
        Download {
            client: self.clone(),
            job,
            columns,
            options,
            position,
            pages: VecDeque::new(),
            guess,
        }
    }
}

impl Download {
    /// Where the reading stands.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The next rows, or `None` after the last.
    ///
    /// # Errors
    /// [`SalesforceError::RowsMissing`] at the end when the rows are not as many as the job announced; the verdict
    /// `Gone` when the job's results no longer exist: both mean a new job.
    pub async fn next(&mut self) -> Result<Option<RowChunk>, SalesforceError> {
        while !self.position.finished {
            self.start_pages().await?;
            let Some(page) = self.pages.front_mut() else { break };
            if let Some(rows) = page.rows.recv().await {
                let count = rows.rows() as u64;
                self.position.rows_in_page += count;
                self.position.rows += count;
                return Ok(Some(RowChunk {
                    rows,
                    position: self.position.clone(),
                }));
            }
            let Some(page) = self.pages.pop_front() else { break };
            let end = page.end.await.unwrap_or_else(|error| {
                Err(SalesforceError::BrokenPage {
                    reason: format!("its reader stopped: {error}"),
                })
            })?;
            self.turn_page(end)?;
        }
        Ok(None)
    }

    fn turn_page(&mut self, end: PageEnd) -> Result<(), SalesforceError> {
        self.position.rows_in_page = end.skip_left;
        if end.next.is_none() {
            let announced = self.job.number_records_processed;
            if self.position.rows != announced {
                let delivered = self.position.rows;
                return Err(SalesforceError::RowsMissing {
                    job: self.job.id.clone(),
                    announced,
                    delivered,
                });
            }
            self.position.finished = true;
            self.pages.clear();
            return Ok(());
        }
        self.position.locator = end.next;
        let expected = self
            .pages
            .front()
            .is_none_or(|page| page.locator == self.position.locator);
        if !expected || end.skip_left > 0 {
            self.drop_guess("the pages are not cut as their list says");
        }
        Ok(())
    }

    fn drop_guess(&mut self, reason: &str) {
        debug!(job = %self.job.id, reason, "pages are fetched one after the other");
        self.pages.clear();
        self.guess = Guess::Dropped;
    }

    /// Starts the page to be read, unless it is under way, and as many of the following as are wanted and known.
    async fn start_pages(&mut self) -> Result<(), SalesforceError> {
        self.look_ahead().await;
        if self.pages.is_empty() {
            self.start(self.position.locator.clone(), self.position.rows_in_page);
            if let Guess::Listed { coming, .. } = &mut self.guess {
                // What the list has up to this page lies behind us; a list without it is of no use.
                match coming
                    .iter()
                    .position(|locator| *locator == self.position.locator)
                {
                    Some(at) => drop(coming.drain(..=at)),
                    None if coming.is_empty() => {}
                    None => self.guess = Guess::Dropped,
                }
            }
        }
        while self.pages.len() < self.options.parallel {
            let Guess::Listed { coming, .. } = &mut self.guess else {
                break;
            };
            let Some(locator) = coming.pop_front() else { break };
            self.start(locator, 0);
        }
        Ok(())
    }

    /// Asks for more of the list of pages when all that is known has been started. A list that cannot be had is
    /// not missed.
    async fn look_ahead(&mut self) {
        let from = match &self.guess {
            Guess::Unknown => None,
            Guess::Listed {
                coming,
                more: Some(more),
            } if coming.is_empty() => Some(more.clone()),
            Guess::Listed { .. } | Guess::Dropped => return,
        };
        match page::list(&self.client, &self.job.id, from.as_deref()).await {
            Ok(list) => {
                // The first page has no locator when it is read from the start, whatever the list calls it.
                let mut coming: VecDeque<_> = list.locators.into();
                if from.is_none()
                    && let Some(first) = coming.front_mut()
                    && self.position.locator.is_none()
                {
                    *first = None;
                }
                self.guess = Guess::Listed {
                    coming,
                    more: list.next,
                };
            }
            Err(error) => {
                debug!(job = %self.job.id, %error, "the list of pages cannot be had");
                self.guess = Guess::Dropped;
            }
        }
    }

    fn start(&mut self, locator: Option<String>, skip: u64) {
        let listed = matches!(self.guess, Guess::Listed { .. });
        let request = PageRequest {
            job: self.job.id.clone(),
            locator: locator.clone(),
            page_rows: (!listed).then_some(self.options.page_rows),
            columns: self.columns.clone(),
            room: self.options.room,
            skip,
        };
        let (sender, rows) = mpsc::channel(CHUNKS_AHEAD);
        let task = tokio::spawn(page::fetch(self.client.clone(), request, sender));
        self.pages.push_back(PageTask {
            locator,
            rows,
            end: AbortOnDropHandle::new(task),
        });
    }
}
