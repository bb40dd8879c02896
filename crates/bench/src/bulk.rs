//! Bulk 2.0 CSV to the bus: how fast an import's rows get there and what that costs, beside the `csv` crate merely reading
//! the same bytes.
//!
//! A sandbox, control, the loader (whose key and schemas a definition needs) and the extractor run as processes of their
//! own; this program stands where the mapper would. It takes nothing at first: the lane fills, the extractor waits, and
//! the pages of the very job that it reads can be fetched and read while nothing else goes on. Then the lane is emptied
//! as fast as it fills. Neither the wait nor what was on the bus before it ended counts.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_bus::BusConfig;
use landbridge_model::SalesforceId;
use landbridge_model::ask::ImportStatus;
use serde::Serialize;

use crate::binary::repository;
use crate::installation::{Events, Installation, SANDBOX};
use crate::latency::org::Org;
use crate::tables::table;
use crate::usage::Usage;

mod arrivals;
mod pages;

use arrivals::Arrivals;
use pages::{Pages, Yardstick};

/// Without progress for so long the run is given up.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const SYNC: &str = "vehicles";

/// Rows a second, and what they cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Pace {
    rows_per_second: f64,
    cpu_seconds_per_million: f64,
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Bulk {
    /// Rows, on the bus as in the CSV.
    rows: u64,
    /// Bytes of CSV, uncompressed.
    bytes: u64,
    /// The `csv` crate, reading them from memory.
    csv: Pace,
    /// The extractor, from Salesforce's pages to the bus.
    extractor: Pace,
    /// Processor seconds of the server for a million rows.
    server_cpu_seconds_per_million: f64,
    /// And of the sandbox, which makes and compresses the pages on the same machine.
    sandbox_cpu_seconds_per_million: f64,
    ratios: Ratios,
}

/// The extractor as a share and as multiples of the `csv` crate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Ratios {
    /// Rows a second; higher is better.
    throughput: f64,
    /// Processor time for a row; lower is better.
    cpu: f64,
    /// The same with the server's.
    cpu_with_server: f64,
}

/// Measures, in a new installation over an org of so many records.
pub(crate) async fn run(binary: &Path, folder: &Path, records: u64) -> anyhow::Result<Bulk> {
    let stages = ["control", "loader", "extractor"];
    let mut installation = Installation::start_with(binary, folder, records, &stages).await?;
    let syncs = repository().join("deploy/examples/demo");
    installation.add_tenant(&syncs, Events::Off).await?;
    let org = Org::open(installation.salesforce()).await?;

    let begun = Spent::of(&installation)?;
    installation.run(&["import", "start", SYNC]).await?;
    wait_for_full_lane(&mut installation).await?;
    let full = Spent::of(&installation)?;
    let pages = Pages::of_the_job(&org).await?;
    let (pages, yardstick) = pages.read().await?;
    let resumed = Spent::of(&installation)?;
    let arrivals = Arrivals::of(installation.bus_url(), pages.announced).await?;
    let spent = Spent::of(&installation)?.since(resumed).plus(full.since(begun));

    check(&pages, &yardstick, &arrivals)?;
    wait_for_account(&mut installation, pages.announced).await?;
    installation.stop().await;
    Ok(Bulk::new(&yardstick, &arrivals, spent))
}

/// Waits until the extractor can put nothing more on the bus.
async fn wait_for_full_lane(installation: &mut Installation) -> anyhow::Result<()> {
    let most = u64::from(BusConfig::default().lane_capacity);
    let deadline = Instant::now() + PATIENCE;
    loop {
        installation.all_run()?;
        let traffic = installation.traffic().await?;
        let there = traffic.0.get("LB_CHANGES").map_or(0, |load| load.messages);
        if there >= most {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "the extractor put {there} messages on the bus where {most} fill a lane: does the org hold enough records?"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The CSV and the bus hold the same records, each once.
fn check(pages: &Pages, yardstick: &Yardstick, arrivals: &Arrivals) -> anyhow::Result<()> {
    let (announced, read) = (pages.announced, yardstick.rows);
    anyhow::ensure!(
        announced == read,
        "Salesforce announces {announced} rows, and its pages hold {read}"
    );
    let in_pages = pages.ids()?;
    let on_bus: HashSet<SalesforceId> = arrivals.ids.iter().copied().collect();
    let twice = arrivals.ids.len() - on_bus.len();
    let (missing, strange) = (
        in_pages.difference(&on_bus).count(),
        on_bus.difference(&in_pages).count(),
    );
    anyhow::ensure!(
        (twice, missing, strange) == (0, 0, 0) && in_pages.len() as u64 == read,
        "of {read} rows {missing} are not on the bus, {twice} are there twice, and {strange} are of no page"
    );
    Ok(())
}

/// Waits until control knows of all rows: it was told of each.
async fn wait_for_account(installation: &mut Installation, rows: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        installation.all_run()?;
        let imports: Vec<ImportStatus> = installation.ask(&["import", "list"]).await?;
        let import = imports.first().context("no import is known")?;
        if import.extracted == rows && import.salesforce_total == Some(rows) {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline && import.extracted <= rows,
            "the import's account does not say that {rows} rows were extracted: {import:?}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Processor seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Spent {
    extractor: f64,
    server: f64,
    sandbox: f64,
}

impl Spent {
    fn of(installation: &Installation) -> anyhow::Result<Self> {
        let usage = installation.usage()?;
        let of = |name: &str| {
            let found = usage.iter().find(|(known, _)| *known == name);
            let Usage { cpu_seconds, .. } = found.with_context(|| format!("no {name} runs"))?.1;
            anyhow::Ok(cpu_seconds)
        };
        Ok(Self {
            extractor: of("extractor")?,
            server: of("nats-server")?,
            sandbox: of(SANDBOX)?,
        })
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            extractor: self.extractor - earlier.extractor,
            server: self.server - earlier.server,
            sandbox: self.sandbox - earlier.sandbox,
        }
    }

    fn plus(self, more: Self) -> Self {
        Self {
            extractor: self.extractor + more.extractor,
            server: self.server + more.server,
            sandbox: self.sandbox + more.sandbox,
        }
    }
}

impl Bulk {
    fn new(yardstick: &Yardstick, arrivals: &Arrivals, spent: Spent) -> Self {
        let rows = yardstick.rows;
        let million = |seconds: f64| seconds * 1e6 / rows.max(1) as f64;
        let csv = Pace {
            rows_per_second: rows as f64 / yardstick.took.as_secs_f64(),
            cpu_seconds_per_million: million(yardstick.cpu_seconds),
        };
        let extractor = Pace {
            rows_per_second: arrivals.rows_per_second,
            cpu_seconds_per_million: million(spent.extractor),
        };
        let cpu = |seconds: f64| million(seconds) / csv.cpu_seconds_per_million;
        Self {
            rows,
            bytes: yardstick.bytes,
            csv,
            extractor,
            server_cpu_seconds_per_million: million(spent.server),
            sandbox_cpu_seconds_per_million: million(spent.sandbox),
            ratios: Ratios {
                throughput: extractor.rows_per_second / csv.rows_per_second,
                cpu: cpu(spent.extractor),
                cpu_with_server: cpu(spent.extractor + spent.server),
            },
        }
    }

    /// For people.
    pub(crate) fn told(&self) -> String {
        let Self {
            csv,
            extractor,
            ratios,
            ..
        } = self;
        let with_server = extractor.cpu_seconds_per_million + self.server_cpu_seconds_per_million;
        let mut table = table(&[
            "",
            "rows/s",
            "of the csv crate",
            "CPU s a million rows",
            "of the csv crate",
        ]);
        let mut row = |name: &str, pace: Option<(f64, f64)>, cpu: f64, times: Option<f64>| {
            table.add_row([
                name.to_owned(),
                pace.map_or_else(String::new, |(pace, _)| format!("{pace:.0}")),
                pace.map_or_else(String::new, |(_, share)| format!("{share:.3}")),
                format!("{cpu:.2}"),
                times.map_or_else(String::new, |times| format!("{times:.1}")),
            ]);
        };
        let (read, carried) = (csv.rows_per_second, extractor.rows_per_second);
        let (read_cpu, carried_cpu) = (csv.cpu_seconds_per_million, extractor.cpu_seconds_per_million);
        row(
            "the csv crate, from memory",
            Some((read, 1.0)),
            read_cpu,
            Some(1.0),
        );
        row(
            "the extractor, to the bus",
            Some((carried, ratios.throughput)),
            carried_cpu,
            Some(ratios.cpu),
        );
        row(
            "with the nats-server",
            None,
            with_server,
            Some(ratios.cpu_with_server),
        );
        row(
            "beside it, the sandbox",
            None,
            self.sandbox_cpu_seconds_per_million,
            None,
        );
        format!("{} rows, {} bytes of CSV\n\n{table}\n", self.rows, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn yardstick(rows: u64) -> Yardstick {
        Yardstick {
            rows,
            bytes: 40_000_000,
            took: Duration::from_millis(50),
            cpu_seconds: 0.05,
        }
    }

    #[test]
    fn the_extractor_stands_under_the_crate() {
        let arrivals = Arrivals {
            ids: Vec::new(),
            rows_per_second: 400_000.0,
        };
        let spent = Spent {
            extractor: 0.4,
            server: 0.1,
            sandbox: 0.6,
        };
        let bulk = Bulk::new(&yardstick(100_000), &arrivals, spent);
        expect![[r#"
            100000 rows, 40000000 bytes of CSV

            |                            |  rows/s | of the csv crate | CPU s a million rows | of the csv crate |
            |----------------------------|---------|------------------|----------------------|------------------|
            | the csv crate, from memory | 2000000 |            1.000 |                 0.50 |              1.0 |
            | the extractor, to the bus  |  400000 |            0.200 |                 4.00 |              8.0 |
            | with the nats-server       |         |                  |                 5.00 |             10.0 |
            | beside it, the sandbox     |         |                  |                 6.00 |                  |
        "#]]
        .assert_eq(&bulk.told());
    }

    #[test]
    fn rows_that_differ_are_no_measurement() {
        let id = |number: u32| SalesforceId::parse(&format!("a01Hs{number:010}")).unwrap();
        let pages = |rows: u64| {
            Pages::new(
                vec!["Name,Id\na,a01Hs0000000001\nb,a01Hs0000000002\n".into()],
                rows,
            )
        };
        let arrived = |numbers: &[u32]| Arrivals {
            ids: numbers.iter().copied().map(id).collect(),
            rows_per_second: 1.0,
        };
        check(&pages(2), &yardstick(2), &arrived(&[2, 1])).unwrap();
        for (announced, read, numbers) in [
            (3, 2, &[1, 2][..]),
            (2, 2, &[1]),
            (2, 2, &[1, 1]),
            (2, 2, &[1, 2, 2]),
            (2, 2, &[1, 2, 3]),
        ] {
            let checked = check(&pages(announced), &yardstick(read), &arrived(numbers));
            assert!(checked.is_err(), "{announced} {read} {numbers:?}");
        }
    }
}
