//! Starts both sides, ties them together, stops them.

use crate::{
    announcement::{Announcement, HubSpotAccess, SalesforceAccess},
    config::SandboxConfig,
    fault::Faults,
    hubspot::{self, Portal, PortalConfig},
    native::NativeSync,
    salesforce::{self, OrgError, OrgHandle, OrgReport},
    server::{self, Listener, ServeError},
    state::StateError,
    stats::Stats,
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_http::{compression::CompressionLayer, decompression::RequestDecompressionLayer};

/// How often what the portal holds is kept.
const KEEP_EVERY: Duration = Duration::from_secs(30);
/// How often what the org counts is kept.
const TEND_EVERY: Duration = Duration::from_secs(1);

/// A running org and portal. Dropping it stops them; [`Sandbox::stop`] also waits.
#[derive(Debug)]
pub struct Sandbox {
    announcement: Announcement,
    report: StartReport,
    org: Arc<OrgHandle>,
    portal: Arc<Portal>,
    salesforce_faults: Arc<Faults>,
    hubspot_faults: Arc<Faults>,
    salesforce_stats: Arc<Stats>,
    hubspot_stats: Arc<Stats>,
    tasks: Vec<JoinHandle<()>>,
    /// Where what they hold is kept.
    state: Option<PathBuf>,
    stop: CancellationToken,
}

/// What was loaded, and what of it the sandbox cannot do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct StartReport {
    /// The Salesforce side.
    pub salesforce: OrgReport,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A listener or its certificate.
    #[error("cannot serve the {side} side")]
    Serve {
        /// `Salesforce`, `Pub/Sub` or `HubSpot`.
        side: &'static str,
        /// What went wrong.
        source: ServeError,
    },
    /// The org's definitions or its sample data.
    #[error("cannot load the org")]
    Org(#[from] OrgError),
    /// What an earlier run left behind.
    #[error("cannot take up the state of an earlier run")]
    State(#[from] StateError),
    /// Loading panicked or was cancelled.
    #[error("loading the org did not finish")]
    Loading(#[from] tokio::task::JoinError),
}

impl Sandbox {
    /// Loads the org, binds both sides and answers on them.
    pub async fn start(config: SandboxConfig) -> Result<Sandbox, SandboxError> {
        let serving = |side| move |source| SandboxError::Serve { side, source };
        let tls = config
            .tls
            .as_ref()
            .map(server::tls_acceptor)
            .transpose()
            .map_err(serving("Salesforce"))?;
        let salesforce_listener = Listener::bind(config.salesforce, tls.clone())
            .await
            .map_err(serving("Salesforce"))?;
        let pubsub_listener = Listener::bind(config.pubsub, tls.clone())
            .await
            .map_err(serving("Pub/Sub"))?;
        let hubspot_listener = Listener::bind(config.hubspot, tls)
            .await
            .map_err(serving("HubSpot"))?;

        let salesforce_stats = Arc::new(Stats::default());
        let hubspot_stats = Arc::new(Stats::default());
        let (org, report) = {
            let (config, stats, url) = (
                config.clone(),
                salesforce_stats.clone(),
                salesforce_listener.url(),
            );
            tokio::task::spawn_blocking(move || OrgHandle::load(&config, url, stats)).await??
        };
        let org = Arc::new(org);
        let portal = Arc::new(portal(&config, hubspot_stats.clone()).await?);
        let stop = CancellationToken::new();
        let mut tasks = vec![tokio::spawn(org.clone().sweep(stop.clone()))];
        if let Some(folder) = config.state.clone() {
            tasks.push(tokio::spawn(keep_now_and_then(
                portal.clone(),
                folder,
                stop.clone(),
            )));
            tasks.push(tokio::spawn(tend(org.clone(), stop.clone())));
        }
        if config.companies.enabled {
            let mut native = NativeSync::new(org.clone(), portal.clone(), config.companies.clone());
            native.first_copy();
            tasks.push(tokio::spawn(native.run(stop.clone())));
        }

        let announcement = announce(
            &org,
            &portal,
            &salesforce_listener,
            &pubsub_listener,
            &hubspot_listener,
        );
        let salesforce_faults = Arc::new(Faults::new(salesforce::fault_body));
        let hubspot_faults = Arc::new(Faults::new(hubspot::fault_body));
        let salesforce_side = server::dress(
            salesforce::router(org.clone()),
            salesforce_faults.clone(),
            salesforce_stats.clone(),
        )
        .layer(CompressionLayer::new().quality(tower_http::CompressionLevel::Fastest))
        .layer(RequestDecompressionLayer::new());
        let hubspot_side = server::dress(
            hubspot::router(portal.clone()),
            hubspot_faults.clone(),
            hubspot_stats.clone(),
        );
        // Events fail as the org's other calls do, by the same faults.
        let pubsub_side = server::dress(
            salesforce::pubsub::router(org.clone(), stop.clone()),
            salesforce_faults.clone(),
            salesforce_stats.clone(),
        );
        tasks.push(pubsub_listener.serve(pubsub_side, stop.clone()));
        tasks.push(salesforce_listener.serve(salesforce_side, stop.clone()));
        tasks.push(hubspot_listener.serve(hubspot_side, stop.clone()));
        Ok(Sandbox {
            announcement,
            report: StartReport { salesforce: report },
            org,
            portal,
            salesforce_faults,
            hubspot_faults,
            salesforce_stats,
            hubspot_stats,
            tasks,
            state: config.state,
            stop,
        })
    }

    /// Where it is and how to get in.
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// What was loaded, and what of it is not supported.
    pub fn report(&self) -> &StartReport {
        &self.report
    }

    /// The org, for tests in the same process: its journal and its clock.
    pub fn org(&self) -> &Arc<OrgHandle> {
        &self.org
    }

    /// The portal, for tests in the same process.
    pub fn portal(&self) -> &Arc<Portal> {
        &self.portal
    }

    /// The Salesforce side's faults.
    pub fn salesforce_faults(&self) -> &Faults {
        &self.salesforce_faults
    }

    /// The HubSpot side's faults.
    pub fn hubspot_faults(&self) -> &Faults {
        &self.hubspot_faults
    }

    /// The Salesforce side's counters.
    pub fn salesforce_stats(&self) -> &Stats {
        &self.salesforce_stats
    }

    /// The HubSpot side's counters.
    pub fn hubspot_stats(&self) -> &Stats {
        &self.hubspot_stats
    }

    /// Stops both sides; open calls may finish for a short while. What they hold is kept, if there is a folder for it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for mut task in std::mem::take(&mut self.tasks) {
            if tokio::time::timeout(Duration::from_secs(5), &mut task)
                .await
                .is_err()
            {
                task.abort();
            }
        }
        // Nobody writes any more.
        if let Some(folder) = self.state.take() {
            keep(self.portal.clone(), folder).await;
            let org = self.org.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || org.keep_last()).await {
                tracing::error!(%error, "the org's state is not kept");
            }
        }
    }
}

/// The portal, as an earlier run left it or new.
async fn portal(config: &SandboxConfig, stats: Arc<Stats>) -> Result<Portal, SandboxError> {
    let portal = PortalConfig {
        limits: config.hubspot_limits,
        seed: config.seed,
        ..PortalConfig::default()
    };
    let Some(folder) = config.state.clone() else {
        return Ok(Portal::with_config(portal, stats));
    };
    Ok(tokio::task::spawn_blocking(move || Portal::open(portal, stats, &folder)).await??)
}

/// Keeps what the org counts; everything else it keeps as it happens.
async fn tend(org: Arc<OrgHandle>, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(TEND_EVERY))
        .await
        .is_some()
    {
        let org = org.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || org.tend_state()).await {
            tracing::error!(%error, "the org's state is not kept");
        }
    }
}

/// Keeps the portal now and then, when anything happened.
async fn keep_now_and_then(portal: Arc<Portal>, folder: PathBuf, stop: CancellationToken) {
    let mut kept = None;
    while stop
        .run_until_cancelled(tokio::time::sleep(KEEP_EVERY))
        .await
        .is_some()
    {
        let pulse = portal.pulse();
        if kept != Some(pulse) {
            keep(portal.clone(), folder.clone()).await;
            kept = Some(pulse);
        }
    }
}

/// Keeps the portal. What goes wrong is told and tried again the next time.
async fn keep(portal: Arc<Portal>, folder: PathBuf) {
    match tokio::task::spawn_blocking(move || portal.keep(&folder)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(error = &error as &dyn std::error::Error, "state not kept"),
        Err(error) => tracing::error!(%error, "state not kept"),
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn announce(
    org: &OrgHandle,
    portal: &Portal,
    salesforce: &Listener,
    pubsub: &Listener,
    hubspot: &Listener,
) -> Announcement {
    let user = org.credentials();
    let app = portal.credentials();
    Announcement {
        salesforce: SalesforceAccess {
            login_url: salesforce.url(),
            instance_url: salesforce.url(),
            username: user.username.clone(),
            password: user.password.clone(),
            security_token: user.security_token.clone(),
            client_id: user.client_id.clone(),
            client_secret: user.client_secret.clone(),
            refresh_token: user.refresh_token.clone(),
            jwt_private_key: user.jwt_private_key.clone(),
            pubsub: Some(pubsub.url()),
        },
        hubspot: HubSpotAccess {
            base_url: hubspot.url(),
            token: app.token,
            client_id: app.client_id,
            client_secret: app.client_secret,
            refresh_token: app.refresh_token,
        },
    }
}
