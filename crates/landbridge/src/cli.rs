//! The command line: what can be asked for, with help that shows how.

mod access;
mod alerts;
mod imports;
mod operator;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use landbridge_model::StageKind;
use landbridge_sandbox::Limits;

pub use access::{GrantArgs, TokenCommand, TokenCreateArgs, UserAddArgs, UserCommand, UserPasswordArgs};
pub use alerts::{AlertsCommand, AlertsSetArgs, BoundArg};
pub use imports::{
    ImportCommand, ImportListArgs, ImportOneArgs, ImportStartArgs, ImportUndoArgs, ImportWatchArgs,
};
pub use operator::{
    ConnectionCommand, ExplainArgs, FailuresCommand, FailuresListArgs, FailuresRetryArgs, FailuresShowArgs,
    HeldCommand, HeldDecideArgs, HeldListArgs, KeysCommand, OperatorCommand, RecordsArg, SideArg, StatusArgs,
    SyncCommand, SyncDryRunArgs, SyncExportArgs, SyncFilesArgs, SyncListArgs, SyncNamesArgs, SyncRemoveArgs,
    SyncSchemaArgs, SyncUndoArgs, TenantAddArgs, TenantAdoptArgs, TenantArg, TenantCommand,
    TenantDisconnectArgs, TenantRemoveArgs, VerifyArgs,
};

/// What every exit code means; shown below the help of the whole program.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, for a reason that is printed
  2  the command line, a file or a definition is wrong; nothing was written
  3  verify found differences, or an import ended with failures
  4  what was asked about does not exist
  5  the bus or a worker cannot be reached now
  6  credentials or permissions are refused
  7  a budget of API calls is used up

Examples:
  landbridge demo                              see the whole road of a record, against a sandbox
  landbridge up                                all workers in one process, with a bus of their own
  landbridge sync apply -f fleet.yaml          write what a file says
  landbridge import start vehicles --watch     carry the records that already exist
  landbridge verify vehicles                   compare both systems, by themselves";

/// Carries Salesforce custom objects into HubSpot custom objects, continuously, with an account of every record.
#[derive(Debug, Parser)]
#[command(name = "landbridge", version, about, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// The TOML file of settings; `LANDBRIDGE_*` variables and flags go before it.
    #[arg(long, global = true, value_name = "FILE", env = "LANDBRIDGE_CONFIG")]
    pub config: Option<PathBuf>,
    /// The NATS server, such as nats://127.0.0.1:4222; several are separated by commas.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "LANDBRIDGE_NATS",
        hide_env_values = true
    )]
    pub nats: Option<String>,
    /// Ask a control over its REST API instead of the bus, such as `https://landbridge.acme.example`; goes before
    /// --nats. Its token is taken from LANDBRIDGE_TOKEN.
    #[arg(long, global = true, value_name = "URL", env = "LANDBRIDGE_SERVER")]
    pub server: Option<String>,
    /// How lists and statuses are printed.
    #[arg(long, global = true, value_enum, default_value_t, env = "LANDBRIDGE_OUTPUT")]
    pub output: OutputFormat,
}

/// How lists and statuses are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON document, or one a line where things go on.
    Json,
}

/// Everything that can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do the main job against a sandbox, in one process tree: import, live edits, verify, summary.
    Demo(DemoArgs),
    /// Run all workers and control in one process; with a bus of its own unless --nats names one.
    Up(UpArgs),
    /// Run one kind of worker.
    Worker(WorkerArgs),
    /// Run control: definitions, imports, failures, health.
    Control(ControlArgs),
    /// Run a Salesforce org and a HubSpot portal to rehearse against.
    Sandbox(SandboxArgs),
    /// The operator's commands: each asks a running installation.
    #[command(flatten)]
    Operator(OperatorCommand),
}

/// `landbridge demo`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge demo
  landbridge demo --records 100000 --limits off
  landbridge demo --keep-running       leaves everything up until Ctrl-C")]
pub struct DemoArgs {
    /// How many records of custom objects the org holds at the start.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub records: usize,
    /// Leave everything up after the summary, until Ctrl-C.
    #[arg(long)]
    pub keep_running: bool,
    /// Makes ids, stamps and sample values repeatable.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// HubSpot's calls per ten seconds: `real`, `off` or a number.
    #[arg(long, value_name = "LIMITS", default_value = "real")]
    pub limits: Limits,
    /// Port of the sandbox's Salesforce side on the loopback interface; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub salesforce_port: u16,
    /// Port of the sandbox's HubSpot side on the loopback interface; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub hubspot_port: u16,
    /// Where control listens on the loopback interface; 0 takes a free port.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub control_port: u16,
    /// Where the demo keeps its state; a temporary folder that goes with it when left out.
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
}

/// `landbridge up`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge up
  landbridge up --config landbridge.toml --control 127.0.0.1:8080
  landbridge up --nats nats://bus:4222 --state-dir /var/lib/landbridge")]
pub struct UpArgs {
    /// Flags of every long-running process.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Where control listens.
    #[arg(long, value_name = "ADDRESS")]
    pub control: Option<SocketAddr>,
}

/// `landbridge worker`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge worker extractor --nats nats://bus:4222
  landbridge worker loader --config landbridge.toml --health 0.0.0.0:9100")]
pub struct WorkerArgs {
    /// Which worker.
    #[arg(value_enum)]
    pub stage: WorkerStage,
    /// Flags of every long-running process.
    #[command(flatten)]
    pub process: ProcessArgs,
}

/// `landbridge control`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge control --nats nats://bus:4222 --listen 127.0.0.1:8080")]
pub struct ControlArgs {
    /// Where control listens.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Flags of every long-running process.
    #[command(flatten)]
    pub process: ProcessArgs,
}

/// Flags of every long-running process.
#[derive(Clone, Debug, Args)]
pub struct ProcessArgs {
    /// Where caches and keys are kept. Caches may be deleted at any time; keys may not.
    #[arg(long, value_name = "FOLDER", env = "LANDBRIDGE_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Where /healthz, /readyz and /metrics are served; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub health: Option<SocketAddr>,
}

/// The kinds of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WorkerStage {
    /// Reads Salesforce.
    Extractor,
    /// Turns rows into property values and link intents.
    Mapper,
    /// Joins link intents with identities.
    Resolver,
    /// Writes HubSpot.
    Loader,
}

impl From<WorkerStage> for StageKind {
    fn from(stage: WorkerStage) -> Self {
        match stage {
            WorkerStage::Extractor => Self::Extractor,
            WorkerStage::Mapper => Self::Mapper,
            WorkerStage::Resolver => Self::Resolver,
            WorkerStage::Loader => Self::Loader,
        }
    }
}

/// `landbridge sandbox`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge sandbox --salesforce 127.0.0.1:8081 --hubspot 127.0.0.1:8082
  landbridge sandbox --org ./dreamhouse --records 10000 --seed 7
  landbridge sandbox --json --limits off      one JSON object on stdout once it listens")]
pub struct SandboxArgs {
    /// Where the Salesforce side listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub salesforce: SocketAddr,
    /// Where the HubSpot side listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub hubspot: SocketAddr,
    /// A Salesforce DX source folder to take objects, fields and sample data from; the built-in org when left out.
    #[arg(long, value_name = "FOLDER")]
    pub org: Option<PathBuf>,
    /// How many records of custom objects to hold in total.
    #[arg(long, value_name = "N")]
    pub records: Option<usize>,
    /// Makes ids, stamps and sample values repeatable.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// HubSpot's calls per ten seconds: `real`, `off` or a number.
    #[arg(long, value_name = "LIMITS", default_value = "real")]
    pub limits: Limits,
    /// Keep what both sides hold in this folder, over restarts; a stop forgets it otherwise.
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Print addresses and credentials as one JSON object once both sides listen.
    #[arg(long)]
    pub json: bool,
    /// Serve TLS with this certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// Every command that does something says how it is called.
    #[test]
    fn every_command_shows_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} has no help text");
            let leaves: Vec<_> = command
                .get_subcommands()
                .filter(|c| c.get_name() != "help")
                .collect();
            if leaves.is_empty() {
                let help = command
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(help.contains("Example"), "{path} shows no example");
                for line in help
                    .lines()
                    .filter(|line| line.trim_start().starts_with("landbridge "))
                {
                    let line = line.trim().split("   ").next().unwrap_or_default();
                    assert!(
                        Cli::try_parse_from(line.split_whitespace()).is_ok(),
                        "the example {line:?} of {path} is refused"
                    );
                }
            }
            for command in leaves {
                walk(command, &path);
            }
        }
        walk(&Cli::command(), "");
    }

    #[test]
    fn global_flags_may_stand_anywhere() {
        let cli = Cli::try_parse_from(["landbridge", "status", "--output", "json", "--nats", "nats://x:1"]);
        let cli = cli.expect("the line is right");
        assert_eq!(cli.global.output, OutputFormat::Json);
        assert_eq!(cli.global.nats.as_deref(), Some("nats://x:1"));
    }
}
