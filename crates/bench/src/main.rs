//! Benchmarks of the whole engine, as ratios to what the bus alone would cost.
//!
//! `pipeline` imports an org of the sandbox through separate processes, as an operator would start them, and relays the
//! same payload over three lanes of the same server. `memory` imports two sizes and shows resident memory of both.
//! `sandbox` measures the sandbox alone, which both others stand on. `console` loads the console's pages over a full
//! store. `latency` measures how long a change is on its way to the bus, with change events and without.
//! `limits` imports at HubSpot's real limits, alone, with live edits and beside a second client of the same key.
//! `csv` carries Bulk CSV to the bus beside the `csv` crate. `parked` keeps links whose parents do not come.
//!
//! * **B1** What is compared was measured in one run on one machine, with the same server binary.
//! * **B2** Nothing is asserted of a time: a slow machine gives other numbers, never a failure. A record that is not
//!   accounted for is a failure.
//! * **B3** The sandbox has a process of its own, and counts neither for the engine nor against it.
//!
//! It must never know how a stage works: it sees processes, their metrics, and the operator's commands.

mod binary;
mod bulk;
mod console;
mod figures;
mod installation;
mod latency;
mod limits;
mod page;
mod parked;
mod payload;
mod pipeline;
mod relay;
mod sandbox;
mod server;
mod tables;
mod traffic;
mod usage;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::figures::Figures;
use crate::pipeline::{Measured, Objects};

/// Benchmarks of the whole engine, as ratios to what the bus alone would cost.
#[derive(Debug, Parser)]
#[command(name = "landbridge-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import the sandbox's org, and compare with a plain relay of the same payload.
    Pipeline(PipelineArgs),
    /// Import orgs of several sizes, and show the resident memory of every process.
    Memory(MemoryArgs),
    /// Upsert into the sandbox alone, over HTTP, and compare with parsing the same JSON.
    Sandbox(SandboxArgs),
    /// Edit records one by one, and compare how they are heard of: by change events, and by the increment alone.
    Latency(LatencyArgs),
    /// Import at HubSpot's real limits, alone, with live edits and beside a second client of the same key.
    Limits(LimitsArgs),
    /// Carry the rows of a Bulk query to the bus, and compare with the csv crate merely reading the same bytes.
    Csv(CsvArgs),
    /// Park links whose parents do not come, show what that takes, and let some parents come.
    Parked(ParkedArgs),
    /// Load the console's pages with many tenants in the store, and compare with a page that asks nothing. Fails when a
    /// page takes over 100 ms at the median.
    Console(ConsoleArgs),
}

#[derive(Debug, Args)]
struct PipelineArgs {
    /// Records of custom objects that the sandbox's org holds. Those of objects without a sync stay where they are.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    records: u64,
    /// What is imported.
    #[arg(long, value_enum, default_value_t)]
    object: Objects,
    /// Note the ratios in docs/benchmarks.md.
    #[arg(long)]
    record: bool,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
struct MemoryArgs {
    /// Records of custom objects that the sandbox's org holds, run by run.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [100_000, 1_000_000])]
    sizes: Vec<u64>,
    /// What is imported.
    #[arg(long, value_enum, default_value_t)]
    object: Objects,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
struct SandboxArgs {
    /// Records to create, and then to update.
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    records: usize,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
struct LatencyArgs {
    /// Edits of each of the four rounds, each of another record.
    #[arg(long, value_name = "N", default_value_t = 200)]
    edits: usize,
    /// Milliseconds between two edits.
    #[arg(long, value_name = "MS", default_value_t = 250)]
    pace: u64,
    /// Records of custom objects that the sandbox's org holds; the import reads the vehicles among them.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    records: u64,
    /// Seconds for which calls are counted without a change, twice.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    idle: u64,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
struct LimitsArgs {
    /// Records of custom objects that the sandbox's org holds; the import reads the vehicles among them.
    #[arg(long, value_name = "N", default_value_t = 330_000)]
    records: u64,
    /// Live edits of each round.
    #[arg(long, value_name = "N", default_value_t = 120)]
    edits: usize,
    /// Milliseconds between two of them.
    #[arg(long, value_name = "MS", default_value_t = 250)]
    pace: u64,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
struct CsvArgs {
    /// Records of custom objects that the sandbox's org holds; the vehicles among them are carried, about a third.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    records: u64,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
struct ParkedArgs {
    /// Links to park.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    links: u64,
    /// Parents that come in the end; one in a hundred when not given.
    #[arg(long, value_name = "N")]
    released: Option<u64>,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
struct ConsoleArgs {
    /// Tenants in the store.
    #[arg(long, value_name = "N", default_value_t = 200)]
    tenants: usize,
    /// Syncs of each of them.
    #[arg(long, value_name = "N", default_value_t = 5)]
    syncs: usize,
    /// How often each page is loaded.
    #[arg(long, value_name = "N", default_value_t = 50)]
    requests: usize,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
struct Setup {
    /// Measure this binary, instead of the one beside this program, brought up to date.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Take the binary beside this program as it is.
    #[arg(long)]
    no_build: bool,
    /// Keep state and logs in this folder, instead of in a temporary one.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

impl Setup {
    fn binary(&self) -> anyhow::Result<PathBuf> {
        match &self.binary {
            Some(binary) => Ok(binary.clone()),
            None => binary::landbridge(self.no_build),
        }
    }

    /// The folder of one run.
    fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        let mut folder = tempfile::Builder::new();
        folder.prefix("landbridge-bench-");
        Ok(match &self.keep {
            Some(keep) => {
                std::fs::create_dir_all(keep).with_context(|| format!("cannot make {}", keep.display()))?;
                folder.disable_cleanup(true).tempdir_in(keep)?
            }
            None => folder.tempdir()?,
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "landbridge-bench: {error:#}"); // nobody listens
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    // reqwest wants a TLS provider even for plain HTTP.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is installed already");
    }
    let work = async {
        match cli.command {
            Command::Pipeline(arguments) => pipeline(arguments).await,
            Command::Memory(arguments) => memory(arguments).await,
            Command::Sandbox(arguments) => {
                let upserts = sandbox::run(&arguments.setup.binary()?, arguments.records).await?;
                say(&upserts.told())?;
                say(&serde_json::to_string(&upserts)?)
            }
            Command::Latency(arguments) => latency(arguments).await,
            Command::Limits(arguments) => limits(arguments).await,
            Command::Csv(arguments) => csv(arguments).await,
            Command::Parked(arguments) => parked(arguments).await,
            Command::Console(arguments) => console(arguments).await,
        }
    };
    // Children end with their handles, so that an interrupted run leaves nothing behind.
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    }
}

async fn pipeline(arguments: PipelineArgs) -> anyhow::Result<()> {
    let measured = measure(&arguments.setup, arguments.records, arguments.object).await?;
    say(&format!(
        "relaying the same payload over three lanes, for {} records",
        measured.records
    ))?;
    let relay = relay::run(measured.records).await?;
    let figures = Figures::of(&measured, &relay);
    let (commit, cores) = (binary::commit(), cores());
    say(&format!("\n{}", tables::pipeline(&figures, &measured)))?;
    let line = Line {
        objects: Some(arguments.object.as_str()),
        ..Line::new("pipeline", &figures)
    };
    say(&serde_json::to_string(&line)?)?;
    if arguments.record {
        let date = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
        let objects = arguments.object.as_str();
        page::record(&page::Run {
            commit: &commit,
            date,
            objects,
            cores,
            figures: &figures,
        })?;
    }
    Ok(())
}

/// Everything on one line, for programs.
#[derive(Serialize)]
struct Line<'a, T> {
    bench: &'static str,
    commit: String,
    cores: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<&'static str>,
    #[serde(flatten)]
    figures: &'a T,
}

impl<'a, T> Line<'a, T> {
    fn new(bench: &'static str, figures: &'a T) -> Self {
        Self {
            bench,
            commit: binary::commit(),
            cores: cores(),
            objects: None,
            figures,
        }
    }
}

async fn memory(arguments: MemoryArgs) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for records in &arguments.sizes {
        runs.push(measure(&arguments.setup, *records, arguments.object).await?);
    }
    say(&format!("\n{}", tables::memory(&runs)))
}

/// Measures in a folder that stays when it was named, or when something went wrong.
async fn in_folder<T>(
    setup: &Setup,
    run: impl AsyncFnOnce(&Path, &Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let binary = setup.binary()?;
    let mut folder = setup.folder()?;
    let measured = run(&binary, folder.path()).await;
    if measured.is_err() {
        folder.disable_cleanup(true);
    }
    measured.with_context(|| format!("the run failed; see {}", folder.path().display()))
}

/// One import in a new installation.
async fn measure(setup: &Setup, records: u64, objects: Objects) -> anyhow::Result<Measured> {
    say(&format!(
        "importing {} of {records} records through separate processes",
        objects.as_str()
    ))?;
    let run = async |binary: &Path, folder: &Path| pipeline::run(binary, folder, records, objects).await;
    let measured = in_folder(setup, run).await?;
    for complaint in &measured.complaints {
        say(&format!("note: {complaint}"))?;
    }
    Ok(measured)
}

async fn latency(arguments: LatencyArgs) -> anyhow::Result<()> {
    let plan = latency::Plan {
        edits: arguments.edits,
        pace: std::time::Duration::from_millis(arguments.pace),
        records: arguments.records,
        idle: std::time::Duration::from_secs(arguments.idle),
    };
    let run = async |binary: &Path, folder: &Path| latency::run(binary, folder, plan).await;
    let measured = in_folder(&arguments.setup, run).await?;
    say(&measured.told())?;
    say(&serde_json::to_string(&measured)?)
}

async fn limits(arguments: LimitsArgs) -> anyhow::Result<()> {
    let plan = limits::Plan {
        records: arguments.records,
        edits: arguments.edits,
        pace: std::time::Duration::from_millis(arguments.pace),
    };
    let run = async |binary: &Path, folder: &Path| limits::run(binary, folder, plan).await;
    let measured = in_folder(&arguments.setup, run).await?;
    say(&measured.told())?;
    say(&serde_json::to_string(&measured)?)
}

async fn csv(arguments: CsvArgs) -> anyhow::Result<()> {
    let run = async |binary: &Path, folder: &Path| bulk::run(binary, folder, arguments.records).await;
    let measured = in_folder(&arguments.setup, run).await?;
    say(&format!("\n{}", measured.told()))?;
    say(&serde_json::to_string(&Line::new("csv", &measured))?)
}

async fn parked(arguments: ParkedArgs) -> anyhow::Result<()> {
    let links = arguments.links;
    let released = arguments.released.unwrap_or((links / 100).max(1));
    let run = async |binary: &Path, folder: &Path| parked::run(binary, folder, links, released).await;
    let measured = in_folder(&arguments.setup, run).await?;
    say(&format!("\n{}", measured.told()))?;
    say(&serde_json::to_string(&Line::new("parked", &measured))?)
}

async fn console(arguments: ConsoleArgs) -> anyhow::Result<()> {
    let (tenants, syncs, requests) = (arguments.tenants, arguments.syncs, arguments.requests);
    let run =
        async |binary: &Path, folder: &Path| console::run(binary, folder, tenants, syncs, requests).await;
    let pages = in_folder(&arguments.setup, run).await?;
    say(&pages.told())?;
    say(&serde_json::to_string(&pages)?)?;
    pages.check()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("standard output is closed")
}
