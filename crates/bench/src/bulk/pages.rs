//! The yardstick: the result pages of the job that the extractor reads, uncompressed and in memory, read by the `csv`
//! crate.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use landbridge_model::SalesforceId;

use crate::latency::org::Org;
use crate::usage::thread_seconds;

/// The reading is over quickly; the middle one of so many is taken.
const ROUNDS: usize = 5;

/// Pages of CSV, each with its header.
pub(super) struct Pages {
    pages: Vec<Bytes>,
    /// Rows that the job has, as Salesforce says.
    pub(super) announced: u64,
}

/// What reading them came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Yardstick {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
    pub(super) cpu_seconds: f64,
}

impl Pages {
    pub(super) fn new(pages: Vec<Bytes>, announced: u64) -> Self {
        Self { pages, announced }
    }

    /// Those of the only job that the org has.
    pub(super) async fn of_the_job(org: &Org) -> anyhow::Result<Self> {
        let (job, announced) = org.finished_job().await?;
        Ok(Self::new(org.result_pages(&job).await?, announced))
    }

    /// Reads them several times, on a thread of its own.
    pub(super) async fn read(self) -> anyhow::Result<(Self, Yardstick)> {
        tokio::task::spawn_blocking(move || {
            let mut rounds = Vec::with_capacity(ROUNDS);
            for _ in 0..ROUNDS {
                rounds.push(self.round()?);
            }
            let yardstick = Yardstick {
                took: middle(rounds.iter().map(|round| round.took)),
                ..rounds[0]
            };
            let cpu = middle(
                rounds
                    .iter()
                    .map(|round| Duration::from_secs_f64(round.cpu_seconds)),
            );
            let cpu_seconds = cpu.as_secs_f64();
            Ok((
                self,
                Yardstick {
                    cpu_seconds,
                    ..yardstick
                },
            ))
        })
        .await?
    }

    fn round(&self) -> anyhow::Result<Yardstick> {
        let (began, before) = (Instant::now(), thread_seconds()?);
        let mut rows = 0;
        let mut record = csv::ByteRecord::new();
        for page in &self.pages {
            let mut reader = csv::Reader::from_reader(page.as_ref());
            while reader.read_byte_record(&mut record)? {
                std::hint::black_box(&record);
                rows += 1;
            }
        }
        Ok(Yardstick {
            rows,
            bytes: self.pages.iter().map(|page| page.len() as u64).sum(),
            took: began.elapsed(),
            cpu_seconds: thread_seconds()? - before,
        })
    }

    /// The records in them.
    pub(super) fn ids(&self) -> anyhow::Result<HashSet<SalesforceId>> {
        let mut ids = HashSet::new();
        for page in &self.pages {
            let mut reader = csv::Reader::from_reader(page.as_ref());
            let place = reader.headers()?.iter().position(|name| name == "Id");
            let place = place.context("a page has no column Id")?;
            for record in reader.records() {
                ids.insert(SalesforceId::parse(&record?[place])?);
            }
        }
        Ok(ids)
    }
}

fn middle(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_row_of_every_page_is_read() {
        let page = "\"Id\",\"Notes__c\"\n\"a01Hs0000000001\",\"says: \"\"left\"\",\nand on\"\n";
        let other = "\"Id\",\"Notes__c\"\n\"a01Hs0000000002\",\"\"\n\"a01Hs0000000003\",\"x\"\n";
        let (pages, yardstick) = Pages::new(vec![page.into(), other.into()], 3)
            .read()
            .await
            .unwrap();
        assert_eq!(yardstick.rows, 3);
        assert_eq!(yardstick.bytes, (page.len() + other.len()) as u64);
        assert_eq!(pages.ids().unwrap().len(), 3);
    }
}
