//! Everything that the demo runs: a sandbox, a bus, the five stages, one tenant with three syncs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use landbridge_bus::seal;
use landbridge_bus::server::Server;
use landbridge_control::ask::{ApplySyncs, PutTenant, SetSyncs, TestConnections};
use landbridge_control::service::{Caller, Grant, PutUser, Role, UserName};
use landbridge_model::ask::{CreateObjectType, Question};
use landbridge_model::config::{
    HubSpotConnection, HubSpotCredentials, SalesforceConnection, SalesforceCredentials, SyncStatus, Tenant,
};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{StageKind, SyncName, TenantId, yaml};
use landbridge_sandbox::{Announcement, Sandbox, SandboxConfig};
use landbridge_stage::{Hub, Telemetry};
use tokio_util::sync::CancellationToken;

use super::screen::Screen;
use crate::ALL_STAGES;
use crate::cli::DemoArgs;
use crate::process::Process;
use crate::settings::Settings;

/// In the order in which they are imported: children before the parents they link to.
const DEFINITIONS: [(&str, &str); 3] = [
    (
        "service-visits.yaml",
        include_str!("../../../../deploy/examples/demo/service-visits.yaml"),
    ),
    (
        "vehicles.yaml",
        include_str!("../../../../deploy/examples/demo/vehicles.yaml"),
    ),
    (
        "depots.yaml",
        include_str!("../../../../deploy/examples/demo/depots.yaml"),
    ),
];
/// What the portal's administrator has made ready.
const OBJECT_TYPES: &str = include_str!("../../../../deploy/examples/demo/object-types.json");

/// How far behind the org's clock the increment stays in the demo. The sandbox commits at once, so this can be short.
const LAG: Duration = Duration::from_secs(2);
/// How often the increment looks.
const POLL: Duration = Duration::from_secs(1);
/// The same beside change events: they bring almost everything.
const POLL_STREAMING: Duration = Duration::from_secs(5);

/// A running world.
pub struct World {
    sandbox: Sandbox,
    server: Server,
    process: Process,
    tenant: TenantId,
    definitions: Vec<SyncDefinition>,
    lag: Duration,
    password: String,
    _state: StateFolder,
}

/// Where the demo keeps its state: a temporary folder, or a folder of its own in the one that was named.
enum StateFolder {
    Temporary(tempfile::TempDir),
    Named(PathBuf),
}

impl StateFolder {
    /// A rerun begins anew: its sandbox is a new org, and a new org's records are nobody's we know.
    fn open(named: Option<&PathBuf>) -> anyhow::Result<Self> {
        let Some(named) = named else {
            return Ok(Self::Temporary(
                tempfile::Builder::new().prefix("landbridge-demo-").tempdir()?,
            ));
        };
        let own = named.join("landbridge-demo");
        if own.exists() {
            std::fs::remove_dir_all(&own).with_context(|| format!("cannot empty {}", own.display()))?;
        }
        std::fs::create_dir_all(&own).with_context(|| format!("cannot make {}", own.display()))?;
        Ok(Self::Named(own))
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Temporary(folder) => folder.path().to_owned(),
            Self::Named(folder) => folder.clone(),
        }
    }
}

impl World {
    /// Starts everything and makes the tenant ready; imports nothing yet.
    pub async fn start(
        arguments: &DemoArgs,
        mut settings: Settings,
        telemetry: Telemetry,
        stop: CancellationToken,
        screen: &Screen,
    ) -> anyhow::Result<Self> {
        let state = StateFolder::open(arguments.state_dir.as_ref())?;
        settings.state_dir = state.path();
        settings.keys_dir = None;
        settings.extractor.lag = LAG;
        settings.extractor.poll_interval = POLL;
        settings.extractor.poll_interval_streaming = POLL_STREAMING;
        settings.control.listen = Some(loopback(arguments.control_port));
        // The org and the portal are on this machine.
        settings.control.allow_private_addresses = true;
        let sandbox = start_sandbox(arguments, screen).await?;
        screen.line("Starting the bus (the first time this fetches nats-server, once).");
        let server = Server::find_or_start(&settings.bus, &settings.state_dir).await?;
        let mut process =
            Process::connect(settings, server.url(), "landbridge-demo", telemetry, stop).await?;
        screen.line(&format!("  bus         {}", server.url()));
        let mut owned = Vec::new();
        for stage in ALL_STAGES {
            owned.push(process.start(stage).await?);
        }
        for mut stage in owned {
            stage
                .wait_for(landbridge_stage::OwnedShards::is_ready)
                .await
                .context("a stage did not come up")?;
        }
        process.serve_health().await?;
        let definitions = DEFINITIONS.iter().map(|(file, text)| yaml::load(file, text));
        let definitions = definitions
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        let tenant = TenantId::new("demo")?;
        let password = add_user(&process).await?;
        let world = Self {
            sandbox,
            server,
            process,
            tenant,
            definitions,
            lag: LAG,
            password,
            _state: state,
        };
        world.make_ready(screen).await?;
        Ok(world)
    }

    /// The bus, typed.
    pub fn hub(&self) -> &Hub {
        self.process.hub()
    }

    /// The one tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Where the two sides are and how to get in.
    pub fn access(&self) -> &Announcement {
        self.sandbox.announcement()
    }

    /// The bus's address, for the operator's commands.
    pub fn bus_url(&self) -> &str {
        self.server.url()
    }

    /// Where control is served.
    pub fn control_address(&self) -> Option<std::net::SocketAddr> {
        self.process.control_address()
    }

    /// The password of the user `demo`, who may do everything.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// How far behind the org's clock the increment stays.
    pub fn lag(&self) -> Duration {
        self.lag
    }

    /// The syncs, in the order of import.
    pub fn sync_names(&self) -> Vec<SyncName> {
        self.definitions
            .iter()
            .map(|definition| definition.metadata.name.clone())
            .collect()
    }

    /// Asks control.
    pub async fn control<Q: Question>(&self, question: &Q) -> anyhow::Result<Q::Answer> {
        let asked = self.hub().ask(
            StageKind::Control,
            &self.tenant,
            question,
            Duration::from_secs(60),
        );
        asked
            .await
            .with_context(|| format!("control refuses {}", Q::SERVICE))
    }

    async fn make_ready(&self, screen: &Screen) -> anyhow::Result<()> {
        self.add_tenant().await?;
        let test = self.control(&TestConnections {}).await?;
        anyhow::ensure!(
            test.problems.is_empty(),
            "the connections have problems: {}",
            test.problems.join("; ")
        );
        self.create_object_types().await?;
        self.apply(screen).await?;
        screen.line("  tenant      demo, with the syncs service-visits, vehicles and depots");
        Ok(())
    }

    async fn apply(&self, screen: &Screen) -> anyhow::Result<()> {
        let question = ApplySyncs {
            definitions: self.definitions.clone(),
            dry_run: false,
        };
        let applied = self.control(&question).await?;
        for sync in &applied.syncs {
            for problem in &sync.problems {
                screen.line(&format!("  {}: {problem}", sync.name));
            }
        }
        anyhow::ensure!(!applied.has_problems(), "the demo's own definitions were refused");
        Ok(())
    }

    /// As `landbridge tenant add` does it: credentials are sealed here, to the stage that will use them.
    async fn add_tenant(&self) -> anyhow::Result<()> {
        let access = self.access();
        let salesforce = SalesforceCredentials::ClientCredentials {
            client_id: access.salesforce.client_id.clone(),
            client_secret: access.salesforce.client_secret.clone(),
        };
        let hubspot = HubSpotCredentials::Token {
            token: access.hubspot.token.clone(),
        };
        let bus = self.hub().bus();
        let to_extractor = seal::public_key(bus, StageKind::Extractor).await?;
        let to_loader = seal::public_key(bus, StageKind::Loader).await?;
        let tenant = Tenant {
            id: self.tenant.clone(),
            salesforce: SalesforceConnection {
                login_url: access.salesforce.login_url.clone(),
                org_id: None,
                daily_calls: None,
                change_events: true,
                pubsub_url: access.salesforce.pubsub.clone(),
                adopted_ms: None,
            },
            hubspot: HubSpotConnection {
                base_url: access.hubspot.base_url.clone(),
                portal_id: None,
                calls_per_ten_seconds: None,
                api_version: None,
            },
            suspended: None,
        };
        let put = PutTenant {
            tenant,
            salesforce: Some(to_extractor.seal(&serde_json::to_vec(&salesforce)?)?),
            hubspot: Some(to_loader.seal(&serde_json::to_vec(&hubspot)?)?),
            keep: Vec::new(),
        };
        self.control(&put).await.map(drop)
    }

    async fn create_object_types(&self) -> anyhow::Result<()> {
        let schemas: Vec<serde_json::Value> = serde_json::from_str(OBJECT_TYPES)?;
        for schema in schemas {
            let question = CreateObjectType { schema };
            self.hub()
                .ask(
                    StageKind::Loader,
                    &self.tenant,
                    &question,
                    Duration::from_secs(30),
                )
                .await?;
        }
        Ok(())
    }

    /// Turns the syncs on.
    pub async fn activate(&self) -> anyhow::Result<()> {
        let question = SetSyncs {
            names: self.sync_names(),
            status: SyncStatus::Active,
        };
        let applied = self.control(&question).await?;
        anyhow::ensure!(!applied.has_problems(), "a sync cannot be turned on: {applied:?}");
        Ok(())
    }

    /// Drains the workers, then ends the bus and the sandbox.
    pub async fn end(self) -> anyhow::Result<()> {
        let drained = self.process.wait().await;
        self.server.stop().await;
        self.sandbox.stop().await;
        drained
    }
}

fn loopback(port: u16) -> std::net::SocketAddr {
    std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port))
}

/// Somebody to sign in as, with a password of this run alone.
async fn add_user(process: &Process) -> anyhow::Result<String> {
    let password = landbridge_control::service::one_time_password();
    let wanted = PutUser {
        grants: vec![Grant::everywhere(Role::Admin)],
        password: Some(password.clone()),
    };
    let demo = UserName::new("demo")?;
    process
        .service()
        .put_user(&Caller::local("demo"), &demo, wanted)
        .await?;
    Ok(password)
}

async fn start_sandbox(arguments: &DemoArgs, screen: &Screen) -> anyhow::Result<Sandbox> {
    let config = SandboxConfig {
        salesforce: loopback(arguments.salesforce_port),
        hubspot: loopback(arguments.hubspot_port),
        records: Some(arguments.records),
        seed: arguments.seed,
        hubspot_limits: arguments.limits,
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::start(config).await?;
    let access = sandbox.announcement();
    screen.line("Starting a Salesforce org and a HubSpot portal to rehearse against.");
    screen.line(&format!("  Salesforce  {}", access.salesforce.login_url));
    screen.line(&format!("  HubSpot     {}", access.hubspot.base_url));
    Ok(sandbox)
}
