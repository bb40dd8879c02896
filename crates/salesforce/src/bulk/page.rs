//! One results page, streamed: fetched, parsed and handed on in chunks, and fetched again where it broke off.

use landbridge_model::Table;
use reqwest::header;
use serde::Deserialize;
use tokio::sync::mpsc;
use tracing::debug;

use super::csv::{PageParser, Room};
use super::job_path;
use crate::calls::Family;
use crate::client::{Call, Client, text_header};
use crate::columns::Columns;
use crate::error::{SalesforceError, Verdict};

/// Which page, and how its rows are wanted.
#[derive(Debug, Clone)]
pub(super) struct PageRequest {
    pub job: String,
    /// `None` is the first page.
    pub locator: Option<String>,
    /// Most rows the server may put into the page; `None` leaves it to the server.
    pub page_rows: Option<u32>,
    pub columns: Columns,
    pub room: Room,
    /// Rows at the page's start that are not wanted.
    pub skip: u64,
}

/// How a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageEnd {
    /// The page behind it, if there is one.
    pub next: Option<String>,
    /// Rows that should have been skipped but were more than the page holds: to be skipped in the next page.
    pub skip_left: u64,
}

/// Fetches a page and sends its rows. A page that breaks off is fetched again, without the rows already sent:
/// a locator names the same rows in the same order every time.
pub(super) async fn fetch(
    client: Client,
    request: PageRequest,
    rows: mpsc::Sender<Table>,
) -> Result<PageEnd, SalesforceError> {
    let mut done = request.skip;
    let mut next = 2;
    loop {
        let before = done;
        let error = match attempt(&client, &request, &mut done, &rows).await {
            Ok(end) => return Ok(end),
            Err(error) => error,
        };
        // `send` has its own tries; these are for pages that break off within.
        if !matches!(
            error,
            SalesforceError::BrokenPage { .. } | SalesforceError::Transport { .. }
        ) {
            return Err(error);
        }
        if done > before {
            next = 2;
        }
        let Verdict::Retry { after } = error.verdict() else {
            return Err(error);
        };
        let Some(pause) = client.config().retry.jittered(next, after) else {
            return Err(error);
        };
        debug!(job = %request.job, rows = done, %error, "a results page is fetched again");
        tokio::time::sleep(pause).await;
        next += 1;
    }
}

/// One try. `done` counts the rows that have been skipped or sent, over all tries.
async fn attempt(
    client: &Client,
    request: &PageRequest,
    done: &mut u64,
    rows: &mpsc::Sender<Table>,
) -> Result<PageEnd, SalesforceError> {
    const WHAT: &str = "a bulk results page";
    let mut call = Call::get(
        WHAT,
        Family::BulkPage,
        format!("{}/results", job_path(&request.job)?),
    )
    .header(header::ACCEPT, "text/csv");
    call.stream = true;
    if let Some(page_rows) = request.page_rows {
        call = call.query("maxRecords", page_rows.to_string());
    }
    if let Some(locator) = &request.locator {
        call = call.query("locator", locator.clone());
    }
    let mut answer = client.send(&call).await?;
    // The literal text `null` and a missing header both mean that no page follows.
    let next = text_header(&answer, "sforce-locator").filter(|text| *text != "null" && !text.is_empty());
    let next = next.map(str::to_owned);
    let announced = text_header(&answer, "sforce-numberofrecords").and_then(|text| text.parse::<u64>().ok());

    let mut parser = PageParser::new(request.columns.clone(), request.room, *done);
    while let Some(piece) = answer
        .chunk()
        .await
        .map_err(|source| SalesforceError::transport(WHAT, source))?
    {
        let mut piece = &piece[..];
        while !piece.is_empty() {
            let used = parser.feed(piece)?;
            piece = &piece[used..];
            if parser.is_full() {
                hand_on(parser.take(), done, rows).await?;
            }
        }
    }
    parser.finish()?;
    let seen = parser.rows();
    hand_on(parser.take(), done, rows).await?;
    if announced.is_some_and(|announced| announced != seen) {
        let announced = announced.unwrap_or_default();
        return Err(SalesforceError::BrokenPage {
            reason: format!("{seen} rows arrived of {announced} announced"),
        });
    }
    Ok(PageEnd {
        next,
        skip_left: done.saturating_sub(seen),
    })
}

async fn hand_on(chunk: Table, done: &mut u64, rows: &mpsc::Sender<Table>) -> Result<(), SalesforceError> {
    let count = chunk.rows() as u64;
    if count == 0 {
        return Ok(());
    }
    // The reader is gone: whatever is returned here, nobody sees it.
    rows.send(chunk)
        .await
        .map_err(|_| SalesforceError::Setting("the reader of the rows has stopped".to_owned()))?;
    *done += count;
    Ok(())
}

/// The list of pages: locators in order, and where the list goes on.
#[derive(Debug, Default)]
pub(super) struct PageList {
    pub locators: Vec<Option<String>>,
    pub next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageListAnswer {
    #[serde(default)]
    result_pages: Vec<PageEntry>,
    next_records_url: Option<String>,
    #[serde(default)]
    done: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageEntry {
    result_url: String,
}

/// Reads the next part of the list of pages; `from` is where an earlier part said that it goes on.
pub(super) async fn list(
    client: &Client,
    job: &str,
    from: Option<&str>,
) -> Result<PageList, SalesforceError> {
    const WHAT: &str = "a bulk job's list of pages";
    let call = match from {
        Some(path) => Call::given(WHAT, Family::BulkPage, path),
        None => Call::get(WHAT, Family::BulkPage, format!("{}/resultPages", job_path(job)?)),
    };
    let answer: PageListAnswer = client.json(&call).await?;
    let locators = answer
        .result_pages
        .iter()
        .map(|entry| locator_of(&entry.result_url))
        .collect();
    let next = answer.next_records_url.filter(|_| !answer.done);
    Ok(PageList { locators, next })
}

/// The locator in a result page's address.
fn locator_of(address: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "locator")
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators_are_found_in_addresses() {
        let path = "/services/data/v66.0/jobs/query/750x/results";
        assert_eq!(locator_of(path), None);
        assert_eq!(
            locator_of(&format!("{path}?maxRecords=5&locator=aBc%3D")),
            Some("aBc=".to_owned())
        );
        assert_eq!(locator_of(&format!("{path}?maxRecords=5")), None);
    }
}
