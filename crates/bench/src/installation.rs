//! An installation of separate processes beside a sandbox, started as an operator would start it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_bus::{LocalServer, LocalServerOptions};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::server::process_id;
use crate::traffic::Traffic;
use crate::usage::Usage;

/// How long a part may take to come up, and to end.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// Whoever reads before whoever writes.
const STAGES: [&str; 5] = ["control", "loader", "resolver", "mapper", "extractor"];

/// Everything that runs. Processes end with it.
pub(crate) struct Installation {
    binary: PathBuf,
    folder: PathBuf,
    server: LocalServer,
    access: Access,
    limits: SandboxLimits,
    sandbox: Process,
    stages: Vec<Process>,
    /// Where control serves the REST API and the console.
    control: SocketAddr,
    http: reqwest::Client,
}

struct Process {
    name: &'static str,
    child: Child,
    pid: u32,
    /// Where its metrics are.
    metrics: String,
}

/// What the sandbox says of itself.
#[derive(Deserialize)]
struct Access {
    salesforce: SalesforceAccess,
    hubspot: HubSpotAccess,
}

/// How to get into the org.
#[derive(Deserialize)]
pub(crate) struct SalesforceAccess {
    pub(crate) login_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// Where its change events are.
    pub(crate) pubsub: String,
}

/// Whether the tenant hears of changes by change events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Events {
    /// It does.
    Heard,
    /// It polls alone.
    Off,
}

/// The one tenant.
pub(crate) const TENANT: &str = "demo";

/// How to get into the portal.
#[derive(Deserialize)]
pub(crate) struct HubSpotAccess {
    pub(crate) base_url: String,
    pub(crate) token: String,
}

/// Whether the portal counts calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SandboxLimits {
    /// As HubSpot does.
    Real,
    /// It does not.
    Off,
}

impl Installation {
    /// Starts everything over an org of so many records; `folder` is for state and logs.
    pub(crate) async fn start(binary: &Path, folder: &Path, records: u64) -> anyhow::Result<Self> {
        Self::start_with(binary, folder, records, &STAGES).await
    }

    /// The same with some of the stages.
    pub(crate) async fn start_with(
        binary: &Path,
        folder: &Path,
        records: u64,
        stages: &[&'static str],
    ) -> anyhow::Result<Self> {
        Self::start_as(binary, folder, records, stages, SandboxLimits::Off).await
    }

    /// With all stages and the portal's limits as they are.
    pub(crate) async fn start_limited(
        binary: &Path,
        folder: &Path,
        records: u64,
        limits: SandboxLimits,
    ) -> anyhow::Result<Self> {
        Self::start_as(binary, folder, records, &STAGES, limits).await
    }

    async fn start_as(
        binary: &Path,
        folder: &Path,
        records: u64,
        stages: &[&'static str],
        limits: SandboxLimits,
    ) -> anyhow::Result<Self> {
        let store = Some(folder.join("nats"));
        let server = LocalServer::start(LocalServerOptions {
            store,
            ..Default::default()
        })
        .await?;
        let (sandbox, access) = start_sandbox(binary, folder, records, limits).await?;
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()?;
        let mut installation = Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            server,
            access,
            limits,
            sandbox,
            stages: Vec::new(),
            control: free_address()?,
            http,
        };
        for &stage in stages {
            let process = installation.start_stage(stage)?;
            installation.stages.push(process);
        }
        installation.wait_until_ready().await?;
        Ok(installation)
    }

    fn start_stage(&self, stage: &'static str) -> anyhow::Result<Process> {
        let health = free_address()?;
        let mut command = self.command();
        match stage {
            "control" => command.arg("control"),
            stage => command.args(["worker", stage]),
        };
        command.args(["--health", &health.to_string()]);
        command.env("LANDBRIDGE_STATE_DIR", self.folder.join(stage));
        if stage == "control" {
            command.env("LANDBRIDGE_CONTROL__LISTEN", self.control.to_string());
        }
        spawn(stage, command, &self.folder, format!("http://{health}/metrics"))
    }

    fn command(&self) -> Command {
        let mut command = command(&self.binary);
        command.env("LANDBRIDGE_NATS", self.server.url());
        command
    }

    /// The bus.
    pub(crate) fn bus_url(&self) -> &str {
        self.server.url()
    }

    /// Where control serves the REST API and the console.
    pub(crate) fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// A token of an admin of everything.
    pub(crate) async fn token(&self) -> anyhow::Result<String> {
        let mut command = self.command();
        command.args(["token", "create", "bench", "--role", "admin", "--all-tenants"]);
        let said = succeed(command, "token create").await?;
        let said = String::from_utf8(said)?;
        let token = said.lines().map(str::trim).find(|line| line.starts_with("lbt_"));
        token.map(str::to_owned).context("no token was printed")
    }

    /// Whether credentials can be sealed to whom they are for.
    async fn keys_are_known(&self) -> anyhow::Result<bool> {
        let keys: Vec<serde_json::Value> = self.ask(&["keys", "list"]).await?;
        Ok(keys.iter().all(|key| key["current"].is_string()))
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.all_run()?;
            let answer = self.command().arg("status").output().await?;
            let said = match answer.status.success() {
                false => String::from_utf8_lossy(&answer.stderr).into_owned(),
                true if self.keys_are_known().await? => return Ok(()),
                true => "not every stage has published its public key".to_owned(),
            };
            anyhow::ensure!(Instant::now() < deadline, "the stages do not come up: {said}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Fails when a process has ended by itself.
    pub(crate) fn all_run(&mut self) -> anyhow::Result<()> {
        for process in self.stages.iter_mut().chain([&mut self.sandbox]) {
            if let Some(status) = process.child.try_wait()? {
                let log = self.folder.join(format!("{}.log", process.name));
                anyhow::bail!(
                    "{} ended with {status}; its log is {}",
                    process.name,
                    log.display()
                );
            }
        }
        anyhow::ensure!(self.server.is_running(), "nats-server ended");
        Ok(())
    }

    /// Makes the portal's object types, adds the tenant without a limit of calls, and applies the syncs of a folder
    /// that has `object-types.json` beside them.
    pub(crate) async fn add_tenant(&self, syncs: &Path, events: Events) -> anyhow::Result<()> {
        self.create_object_types(&std::fs::read(syncs.join("object-types.json"))?)
            .await?;
        self.put_tenant(events).await?;
        let mut apply = self.command();
        apply.args(["sync", "apply", "-f"]).arg(syncs);
        succeed(apply, "sync apply").await.map(drop)
    }

    /// How to get into the portal.
    pub(crate) fn hubspot(&self) -> &HubSpotAccess {
        &self.access.hubspot
    }

    /// How to get into the org.
    pub(crate) fn salesforce(&self) -> &SalesforceAccess {
        &self.access.salesforce
    }

    /// Adds the tenant, or changes how it hears of changes.
    pub(crate) async fn put_tenant(&self, events: Events) -> anyhow::Result<()> {
        let (salesforce, hubspot) = (&self.access.salesforce, &self.access.hubspot);
        let mut add = self.command();
        add.args(["tenant", "add", TENANT])
            .args(["--salesforce-login-url", &salesforce.login_url])
            .args(["--client-id", &salesforce.client_id])
            .args(["--hubspot-url", &hubspot.base_url])
            .env("LANDBRIDGE_SALESFORCE_CLIENT_SECRET", &salesforce.client_secret)
            .env("LANDBRIDGE_HUBSPOT_TOKEN", &hubspot.token);
        if self.limits == SandboxLimits::Off {
            add.args(["--hubspot-calls-per-ten-seconds", "0"]);
        }
        match events {
            Events::Heard => add.args(["--salesforce-pubsub-url", &salesforce.pubsub]),
            Events::Off => add.arg("--salesforce-without-change-events"),
        };
        succeed(add, "tenant add").await.map(drop)
    }

    async fn create_object_types(&self, types: &[u8]) -> anyhow::Result<()> {
        let url = format!(
            "{}/crm-object-schemas/2026-09/schemas",
            self.access.hubspot.base_url
        );
        let token = &self.access.hubspot.token;
        let types: Vec<serde_json::Value> = serde_json::from_slice(types)?;
        for schema in &types {
            let request = self.http.post(&url).bearer_auth(token).json(schema);
            let answer = request.send().await?;
            answer.error_for_status().context("an object type was refused")?;
        }
        Ok(())
    }

    /// Runs an operator's command that must succeed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = self.command();
        command.args(arguments);
        succeed(command, &arguments.join(" ")).await.map(drop)
    }

    /// Runs an operator's command that must succeed, and reads its JSON.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, arguments: &[&str]) -> anyhow::Result<T> {
        let mut command = self.command();
        command.args(["--output", "json"]).args(arguments);
        let said = succeed(command, &arguments.join(" ")).await?;
        serde_json::from_slice(&said)
            .with_context(|| format!("{arguments:?} printed {:?}", String::from_utf8_lossy(&said)))
    }

    /// What every process has used until now, the sandbox's and the server's included.
    pub(crate) fn usage(&self) -> anyhow::Result<Vec<(&'static str, Usage)>> {
        let mut all = vec![
            (SANDBOX, Usage::of(self.sandbox.pid)?),
            ("nats-server", Usage::of(process_id(&self.server)?)?),
        ];
        for process in self.stages.iter().rev() {
            all.push((process.name, Usage::of(process.pid)?));
        }
        Ok(all)
    }

    /// What the stages have published until now.
    pub(crate) async fn traffic(&self) -> anyhow::Result<Traffic> {
        let mut traffic = Traffic::default();
        for process in &self.stages {
            let answer = self.http.get(&process.metrics).send().await?.error_for_status()?;
            traffic.add(&answer.text().await?);
        }
        Ok(traffic)
    }

    /// Ends one stage in an orderly way, so that the benchmark can stand where it stood.
    pub(crate) async fn stop_stage(&mut self, name: &str) -> anyhow::Result<()> {
        let place = self.stages.iter().position(|process| process.name == name);
        let place = place.with_context(|| format!("no {name} runs"))?;
        self.stages.remove(place).stop().await
    }

    /// Ends everything in an orderly way, whoever writes first. Gives what did not end as it should, in words: it
    /// does not touch what was measured.
    pub(crate) async fn stop(self) -> Vec<String> {
        let mut complaints = Vec::new();
        for process in self.stages.into_iter().rev().chain([self.sandbox]) {
            if let Err(error) = process.stop().await {
                complaints.push(format!("{error:#}"));
            }
        }
        self.server.stop().await;
        complaints
    }
}

/// The sandbox's name in figures: it is no part of the engine.
pub(crate) const SANDBOX: &str = "sandbox";

impl Process {
    async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGTERM)?;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} does not end after SIGTERM", self.name))??;
        anyhow::ensure!(
            status.success(),
            "{} ended with {status} after SIGTERM",
            self.name
        );
        Ok(())
    }
}

/// Without the settings of whoever started the benchmark.
fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LANDBRIDGE_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn spawn(
    name: &'static str,
    mut command: Command,
    folder: &Path,
    metrics: String,
) -> anyhow::Result<Process> {
    let log = std::fs::File::create(folder.join(format!("{name}.log")))?;
    let child = command
        .stderr(log)
        .spawn()
        .with_context(|| format!("{name} cannot be started"))?;
    let pid = child.id().with_context(|| format!("{name} ended at once"))?;
    Ok(Process {
        name,
        child,
        pid,
        metrics,
    })
}

/// Returns once it listens; filling a large org takes a while.
async fn start_sandbox(
    binary: &Path,
    folder: &Path,
    records: u64,
    limits: SandboxLimits,
) -> anyhow::Result<(Process, Access)> {
    let mut command = command(binary);
    command.args([
        "sandbox",
        "--json",
        "--limits",
        match limits {
            SandboxLimits::Real => "real",
            SandboxLimits::Off => "off",
        },
        "--records",
        &records.to_string(),
    ]);
    command.stdout(Stdio::piped());
    let mut sandbox = spawn(SANDBOX, command, folder, String::new())?;
    let output = sandbox.child.stdout.take().context("the sandbox has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await?;
    let access = serde_json::from_str(&line).with_context(|| format!("the sandbox printed {line:?}"))?;
    Ok((sandbox, access))
}

/// A port that is free now. Somebody may take it before our process does; then that process says so and ends.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

async fn succeed(mut command: Command, what: &str) -> anyhow::Result<Vec<u8>> {
    let output = command.output().await?;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    anyhow::ensure!(
        output.status.success(),
        "`{what}` ended with {}: {out}{err}",
        output.status
    );
    Ok(output.stdout)
}
