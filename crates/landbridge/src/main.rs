//! The binary: what is typed, the settings, and which parts run in this process.

#![allow(
    unreachable_pub,
    reason = "a binary has no outside; `pub` says what a module offers its neighbours"
)]

mod cli;
mod commands;
mod demo;
mod output;
mod process;
mod sandbox_command;
mod settings;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use landbridge_bus::server::Server;
use landbridge_model::StageKind;
use landbridge_stage::telemetry::{self, Telemetry};
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command, GlobalArgs, ProcessArgs};
use crate::process::{Process, stop_on_signal};
use crate::settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before any TLS connection: reqwest and async-nats take the process's one provider.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return output::complain(&anyhow::anyhow!("another TLS provider is installed already"));
    }
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::complain(&error.into()),
    };
    let code = match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => output::complain(&error),
    };
    // Blocking helpers, such as a DNS look-up that hangs, must not hold the end up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { global, command } = cli;
    match command {
        Command::Demo(arguments) => {
            let settings = Settings::load(&global, None)?;
            let telemetry = telemetry::init("landbridge-demo", &settings.log.options(Some("error")))?;
            let stop = stop_on_signal()?;
            let code = demo::run(arguments, settings, telemetry.clone(), stop).await;
            telemetry.shutdown();
            code
        }
        Command::Up(arguments) => {
            let settings = with_control(
                Settings::load(&global, Some(&arguments.process))?,
                arguments.control,
            );
            serve("landbridge", settings, &ALL_STAGES).await
        }
        Command::Worker(arguments) => {
            let stage = StageKind::from(arguments.stage);
            let settings = external_bus(Settings::load(&global, Some(&arguments.process))?)?;
            serve(&format!("landbridge-{stage}"), settings, &[stage]).await
        }
        Command::Control(arguments) => {
            let settings = external_bus(Settings::load(&global, Some(&arguments.process))?)?;
            serve(
                "landbridge-control",
                with_control(settings, arguments.listen),
                &[StageKind::Control],
            )
            .await
        }
        Command::Sandbox(arguments) => {
            let settings = Settings::load(&global, None)?;
            let telemetry = telemetry::init("landbridge-sandbox", &settings.log.options(None))?;
            let ended = sandbox_command::run(arguments, stop_on_signal()?).await;
            telemetry.shutdown();
            ended.map(|()| ExitCode::SUCCESS)
        }
        Command::Operator(command) => operate(&global, command).await,
    }
}

/// In the order in which `up` starts them: whoever reads before whoever writes.
const ALL_STAGES: [StageKind; 5] = [
    StageKind::Control,
    StageKind::Loader,
    StageKind::Resolver,
    StageKind::Mapper,
    StageKind::Extractor,
];

fn with_control(mut settings: Settings, listen: Option<std::net::SocketAddr>) -> Settings {
    if listen.is_some() {
        settings.control.listen = listen;
    }
    settings
}

/// Parts of one installation must meet on one bus: a child of one of them would be a bus for itself alone.
fn external_bus(settings: Settings) -> anyhow::Result<Settings> {
    anyhow::ensure!(
        settings.bus.url.is_some(),
        "a worker needs the bus that the others use: name it with --nats, LANDBRIDGE_NATS or bus.url \
         (`landbridge up` runs everything in one process with a bus of its own)"
    );
    Ok(settings)
}

/// Runs stages in this process until a stop is asked for.
async fn serve(name: &str, settings: Settings, stages: &[StageKind]) -> anyhow::Result<ExitCode> {
    let telemetry = telemetry::init(name, &settings.log.options(None))?;
    let stop = stop_on_signal()?;
    let ended = serve_until(name, settings, stages, &telemetry, stop).await;
    telemetry.shutdown();
    ended.map(|()| ExitCode::SUCCESS)
}

async fn serve_until(
    name: &str,
    settings: Settings,
    stages: &[StageKind],
    telemetry: &Telemetry,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let server = Server::find_or_start(&settings.bus, &settings.state_dir).await?;
    let mut process = Process::connect(settings, server.url(), name, telemetry.clone(), stop).await?;
    if matches!(server, Server::Local(_)) {
        tracing::info!(
            url = server.url(),
            "operator's commands find this bus with --nats"
        );
    }
    for stage in stages {
        process.start(*stage).await?;
    }
    process.serve_health().await?;
    let ended = process.wait().await;
    server.stop().await;
    ended
}

/// Runs one of the operator's commands against a running installation.
async fn operate(global: &GlobalArgs, command: cli::OperatorCommand) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(global, None::<&ProcessArgs>)?;
    commands::run(global, settings, command).await
}
