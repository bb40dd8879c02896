//! One process: a bus connection, the workers that run in it, its health, its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use landbridge_bus::seal::{self, KeyPair, KeyRing, SealError};
use landbridge_bus::{Bus, WorkerId};
use landbridge_model::StageKind;
use landbridge_stage::{
    Caches, ConfigView, Health, Hub, OwnedShards, SecretOpener, Telemetry, Worker, WorkerRuntime,
    serve_health,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// Everything a process of ours has while it runs.
pub struct Process {
    settings: Settings,
    hub: Hub,
    config: ConfigView,
    health: Health,
    telemetry: Telemetry,
    stop: CancellationToken,
    control: Option<SocketAddr>,
    workers: JoinSet<anyhow::Result<()>>,
}

impl Process {
    /// Connects to the bus at `url`. `name` shows in the server's list of connections.
    pub async fn connect(
        settings: Settings,
        url: &str,
        name: &str,
        telemetry: Telemetry,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let bus = Bus::open(&settings.bus, url, name).await?;
        let config = ConfigView::open(&bus).await?;
        let health = Health::new();
        health.add_bus(&bus);
        Ok(Self {
            settings,
            hub: Hub::new(bus),
            config,
            health,
            telemetry,
            stop,
            control: None,
            workers: JoinSet::new(),
        })
    }

    /// The bus, typed.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// What the REST API and the console do, for this process itself.
    pub fn service(&self) -> landbridge_control::Service {
        let settings = self.settings.control.clone();
        landbridge_control::Service::new(self.hub.clone(), self.config.clone(), settings)
    }

    /// Where control is served, once it is.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Starts one stage's worker in this process.
    pub async fn start(&mut self, stage: StageKind) -> anyhow::Result<watch::Receiver<OwnedShards>> {
        match stage {
            StageKind::Extractor => {
                self.spawn(landbridge_extractor::Extractor::new(self.settings.extractor()))
                    .await
            }
            StageKind::Mapper => {
                let metrics = self.telemetry.metrics(StageKind::Mapper);
                self.spawn(landbridge_mapper::Mapper::new(metrics)).await
            }
            StageKind::Resolver => {
                self.spawn(landbridge_resolver::Resolver::new(self.settings.resolver.clone()))
                    .await
            }
            StageKind::Loader => {
                self.spawn(landbridge_loader::Loader::new(self.settings.loader()))
                    .await
            }
            StageKind::Control => {
                self.serve_control().await?;
                self.spawn(landbridge_control::Control::new(self.settings.control.clone()))
                    .await
            }
        }
    }

    /// The REST API stands beside control's worker.
    async fn serve_control(&mut self) -> anyhow::Result<()> {
        let Some(address) = self.settings.control.listen else {
            return Ok(());
        };
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("control cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        self.control = Some(address);
        tracing::info!(%address, "control is served");
        let service = self.service();
        let pages = landbridge_control::console_routes::router(service.clone());
        let router = landbridge_control::router(service).merge(pages);
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(%error, "control is no longer served");
            }
        });
        Ok(())
    }

    async fn spawn<W: Worker>(&mut self, worker: W) -> anyhow::Result<watch::Receiver<OwnedShards>> {
        let keys = self.keys(W::KIND).await?;
        let caches = Caches::open(
            &self.settings.cache_dir(W::KIND),
            self.settings.process.cache_bytes,
        )?;
        let (owned, watched) = watch::channel(OwnedShards::default());
        self.health.add_worker(W::KIND, watched.clone());
        let runtime = WorkerRuntime {
            hub: self.hub.clone(),
            config: self.config.clone(),
            caches,
            worker: WorkerId::generate(),
            secrets: SecretOpener::with_keys(self.hub.bus().clone(), keys),
            call_timeout: self.settings.process.call_timeout,
            drain_timeout: self.settings.process.drain_timeout,
            lanes: self.settings.process.lanes(),
            owned: Arc::new(owned),
        };
        let stop = self.stop.clone();
        self.workers.spawn(async move {
            landbridge_stage::run(worker, runtime, stop)
                .await
                .with_context(|| format!("the {} stopped", W::KIND))
        });
        Ok(watched)
    }

    /// Only the two stages that sign in hold keys, and control for what alerts are signed with. Without a key of its own
    /// control still does everything else.
    async fn keys(&self, stage: StageKind) -> anyhow::Result<Option<KeyRing>> {
        let loaded = match stage {
            StageKind::Extractor | StageKind::Loader | StageKind::Control => self.load_keys(stage),
            StageKind::Mapper | StageKind::Resolver => return Ok(None),
        };
        let keys = match loaded {
            Err(error) if stage == StageKind::Control => {
                tracing::warn!(%error, "control has no key: alerts with secrets cannot be sent");
                return Ok(None);
            }
            loaded => loaded?,
        };
        seal::publish_key(self.hub.bus(), stage, &keys.public()).await?;
        Ok(Some(keys))
    }

    fn load_keys(&self, stage: StageKind) -> Result<KeyRing, SealError> {
        let current = KeyPair::load_or_create(&self.settings.key_file(stage))?;
        let files = self.settings.earlier_key_files(stage);
        let earlier = files.iter().map(|file| KeyPair::load(file));
        let earlier: Vec<Option<KeyPair>> = earlier.collect::<Result<_, _>>()?;
        Ok(KeyRing::new(current, earlier.into_iter().flatten().collect()))
    }

    /// Serves health and metrics where the settings say so.
    pub async fn serve_health(&self) -> anyhow::Result<Option<SocketAddr>> {
        let Some(address) = self.settings.health else {
            return Ok(None);
        };
        let (health, telemetry) = (self.health.clone(), self.telemetry.clone());
        let served = serve_health(address, health, telemetry, self.stop.clone()).await;
        let (address, _server) = served.with_context(|| format!("health cannot be served on {address}"))?;
        Ok(Some(address))
    }

    /// Waits until a stop is asked for or a worker fails; then drains. Ends within the drain time and a little more.
    pub async fn wait(mut self) -> anyhow::Result<()> {
        let first = tokio::select! {
            () = self.stop.cancelled() => Ok(()),
            Some(ended) = self.workers.join_next(), if !self.workers.is_empty() => flatten(ended),
        };
        self.stop.cancel();
        let grace = self.settings.process.drain_timeout + Duration::from_secs(5);
        let drained = tokio::time::timeout(grace, async {
            let mut result = Ok(());
            while let Some(ended) = self.workers.join_next().await {
                result = result.and(flatten(ended));
            }
            result
        });
        let rest = match drained.await {
            Ok(result) => result,
            Err(_) => Err(anyhow::anyhow!(
                "the drain time is over; what was in hand will come again"
            )),
        };
        self.hub.bus().flush().await?;
        first.and(rest)
    }
}

fn flatten(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    ended.context("a worker did not survive")?
}

/// Fires at the first SIGTERM or Ctrl-C. A second one ends the process at once, by the signal itself.
pub fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing what is in hand");
        token.cancel();
    });
    Ok(stop)
}
