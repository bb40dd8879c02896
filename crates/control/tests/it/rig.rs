//! A server, control at work, and stand-ins for extractor and loader.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landbridge_bus::seal::{self, KeyPair};
use landbridge_bus::{Bus, BusConfig, LocalServer, LocalServerOptions, WorkerId};
use landbridge_control::ask::{ApplySyncs, PutTenant};
use landbridge_control::{Control, Settings};
use landbridge_model::ask::Question;
use landbridge_model::config::{HubSpotConnection, SalesforceConnection, Tenant};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{
    Envelope, Purpose, Revision, RunId, SalesforceId, Source, StageKind, SyncName, TenantId, Version, yaml,
};
use landbridge_stage::{
    Caches, ConfigView, Hub, LaneSettings, OwnedShards, SecretOpener, StageError, Worker, WorkerRuntime, run,
};
use landbridge_wire::{AskError, HeldDelete, ParkedLink, Report, ReportBody};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::stand_ins::{ExtractorStandIn, LoaderStandIn, World};

pub(crate) const VEHICLES: &str = "
apiVersion: landbridge/v1
kind: Sync
metadata: { tenant: acme, name: vehicles }
spec:
  salesforce: { object: Vehicle__c }
  hubspot: { objectType: vehicles }
  fields: [ { from: Name, to: name } ]
";

/// What is waited for must come, but not for ever.
pub(crate) async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), waiting).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come to pass"),
    }
}

pub(crate) struct Rig {
    pub(crate) hub: Hub,
    pub(crate) config: ConfigView,
    pub(crate) world: Arc<Mutex<World>>,
    bus_config: BusConfig,
    server: LocalServer,
    folder: tempfile::TempDir,
    /// Control's own.
    key: KeyPair,
    _stand_ins: Vec<Running>,
}

/// A worker at work; dropping it is a hard stop.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), StageError>>,
}

impl Running {
    /// Asks it to stop and waits until it has put everything down.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        soon("the end", &mut self.task).await.unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rig {
    /// With the tenant acme, and no control yet.
    pub(crate) async fn new() -> Self {
        let bus_config = BusConfig {
            shards: 1,
            lease_ttl: Duration::from_secs(2),
            deduplication: false,
            ..BusConfig::default()
        };
        let server = LocalServer::start(LocalServerOptions::default()).await.unwrap();
        let bus = Bus::open(&bus_config, server.url(), "test").await.unwrap();
        let mut rig = Self {
            config: ConfigView::open(&bus).await.unwrap(),
            hub: Hub::new(bus),
            world: Arc::default(),
            bus_config,
            server,
            folder: tempfile::tempdir().unwrap(),
            key: KeyPair::generate(),
            _stand_ins: Vec::new(),
        };
        seal::publish_key(rig.hub.bus(), StageKind::Control, &rig.key.public())
            .await
            .unwrap();
        let extractor = rig.start(ExtractorStandIn(rig.world.clone())).await;
        let loader = rig.start(LoaderStandIn(rig.world.clone())).await;
        rig._stand_ins = vec![extractor, loader];
        rig
    }

    pub(crate) async fn start<W: Worker>(&self, worker: W) -> Running {
        let bus = Bus::open(&self.bus_config, self.server.url(), "worker")
            .await
            .unwrap();
        let (owned, mut seen) = watch::channel(OwnedShards::default());
        let runtime = WorkerRuntime {
            hub: Hub::new(bus.clone()),
            config: ConfigView::open(&bus).await.unwrap(),
            caches: self.caches(W::KIND).await,
            worker: WorkerId::generate(),
            secrets: SecretOpener::new(bus, (W::KIND == StageKind::Control).then(|| self.key.clone())),
            call_timeout: Duration::from_millis(100),
            drain_timeout: Duration::from_secs(10),
            lanes: LaneSettings::default(),
            owned: Arc::new(owned),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(worker, runtime, stop.clone()));
        soon("that the shard is owned", seen.wait_for(OwnedShards::is_ready))
            .await
            .unwrap();
        Running { stop, task }
    }

    /// Takes a stream away, as nobody of ours does: the server is told in its own protocol.
    pub(crate) async fn remove_stream(&self, name: &str) {
        use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
        let address = self.server.url().rsplit(['/', '@']).next().unwrap().to_owned();
        let mut stream = BufReader::new(tokio::net::TcpStream::connect(address).await.unwrap());
        let ask = format!(
            "CONNECT {{\"verbose\":false}}\r\nSUB told 1\r\nPUB $JS.API.STREAM.DELETE.{name} told 0\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).await.unwrap();
        soon("that the stream is gone", async {
            let mut line = String::new();
            while !line.contains("\"success\":true") {
                line.clear();
                assert!(
                    stream.read_line(&mut line).await.unwrap() > 0,
                    "the server hung up"
                );
            }
        })
        .await;
    }

    /// A worker that was dropped lets go of its database a moment later.
    async fn caches(&self, stage: StageKind) -> Caches {
        soon("that the cache is free", async {
            loop {
                match Caches::open(&self.cache_of(stage), 8 << 20) {
                    Ok(caches) => return caches,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await
    }

    fn cache_of(&self, stage: StageKind) -> std::path::PathBuf {
        self.folder.path().join(stage.as_str())
    }

    /// Control, and the tenant.
    pub(crate) async fn control(&self) -> Running {
        self.control_with(Settings::default()).await
    }

    /// The same with other settings.
    pub(crate) async fn control_with(&self, settings: Settings) -> Running {
        let control = self.start(Control::new(settings)).await;
        let put = PutTenant {
            tenant: acme(),
            salesforce: None,
            hubspot: None,
            keep: Vec::new(),
        };
        self.ask(&put).await.unwrap();
        control
    }

    /// Another tenant, at the same addresses.
    pub(crate) async fn add_tenant(&self, name: &str) {
        let id = TenantId::new(name).unwrap();
        let put = PutTenant {
            tenant: Tenant {
                id: id.clone(),
                ..acme()
            },
            salesforce: None,
            hubspot: None,
            keep: Vec::new(),
        };
        let asked = self
            .hub
            .ask(StageKind::Control, &id, &put, Duration::from_secs(30));
        asked.await.unwrap();
        soon("the tenant", self.config.wait_for(|config| config.tenant(&id))).await;
        soon(
            "the tenant",
            self.config.wait_for(|config| config.tenant(&tenant())),
        )
        .await;
    }

    /// Deletes the cache of a control that was dropped, once it has let go of it.
    pub(crate) async fn forget_control_cache(&self) {
        drop(self.caches(StageKind::Control).await);
        std::fs::remove_dir_all(self.control_folder()).unwrap();
    }

    /// Where control keeps its cache.
    pub(crate) fn control_folder(&self) -> std::path::PathBuf {
        self.cache_of(StageKind::Control)
    }

    pub(crate) async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, AskError> {
        self.hub
            .ask(StageKind::Control, &tenant(), question, Duration::from_secs(30))
            .await
    }

    pub(crate) async fn apply(&self, text: &str) {
        let applied = self
            .ask(&ApplySyncs {
                definitions: vec![definition(text)],
                dry_run: false,
            })
            .await
            .unwrap();
        assert!(!applied.has_problems(), "{applied:?}");
    }

    pub(crate) fn envelope(&self, source: Source, run: Option<&RunId>) -> Envelope {
        Envelope {
            tenant: tenant(),
            sync: sync_name(),
            revision: Revision(1),
            purpose: Purpose::Apply,
            source,
            run: run.cloned(),
            force: false,
            only: None,
        }
    }

    pub(crate) async fn report(
        &self,
        stage: StageKind,
        source: Source,
        run: Option<&RunId>,
        body: ReportBody,
    ) {
        let report = Report {
            envelope: self.envelope(source, run),
            stage,
            at_ms: self.hub.now_ms(),
            org_ahead_ms: 0,
            body,
        };
        self.hub.report(&report).await.unwrap();
    }
}

impl Rig {
    /// A delete that is held, until a moment or until a person decides.
    pub(crate) fn held(&self, number: u32, until_ms: Option<i64>) -> HeldDelete {
        HeldDelete {
            envelope: self.envelope(Source::Increment, None),
            id: id(number),
            version: version(1),
            until_ms,
            reason: "more deletes than the limit allows".to_owned(),
        }
    }

    /// A link that waits for its parent.
    pub(crate) fn parked(&self, child: u32, parent: u32) -> ParkedLink {
        ParkedLink {
            envelope: self.envelope(Source::Increment, None),
            child: id(child),
            field: "Tows__c".to_owned(),
            parent: Some(id(parent)),
            version: version(1),
            since_ms: self.hub.now_ms(),
        }
    }
}

pub(crate) fn definition(text: &str) -> SyncDefinition {
    yaml::load("test.yaml", text).unwrap().remove(0)
}

pub(crate) fn acme() -> Tenant {
    Tenant {
        id: tenant(),
        salesforce: SalesforceConnection {
            login_url: "http://127.0.0.1:1".to_owned(),
            org_id: None,
            daily_calls: None,
            change_events: true,
            pubsub_url: None,
            adopted_ms: None,
        },
        hubspot: HubSpotConnection {
            base_url: "http://127.0.0.1:2".to_owned(),
            portal_id: None,
            calls_per_ten_seconds: None,
            api_version: None,
        },
        suspended: None,
    }
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

pub(crate) fn sync_name() -> SyncName {
    SyncName::new("vehicles").unwrap()
}

pub(crate) fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("a01{number:012}")).unwrap()
}

pub(crate) fn version(stamp: i64) -> Version {
    Version::new(stamp * 1_000, stamp * 1_000)
}
