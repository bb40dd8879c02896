//! Starts both sides, ties them together, stops them.

use crate::{
    announcement::{Announcement, HubSpotAccess, SalesforceAccess},
    config::SandboxConfig,
    fault::Faults,
    hubspot::{self, Portal, PortalConfig, StateError},
    native::NativeSync,
    salesforce::{self, OrgError, OrgHandle, OrgReport},
    server::{self, Listener, ServeError},
    stats::Stats,
};
use serde_json::json;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_http::{compression::CompressionLayer, decompression::RequestDecompressionLayer};

/// How often what the portal holds is kept.
const KEEP_EVERY: Duration = Duration::from_secs(30);

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
    /// Ends by itself, however long the last keeping takes.
    keeper: Option<JoinHandle<()>>,
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
        /// `Salesforce` or `HubSpot`.
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
        let mut tasks = Vec::new();
        let mut keeper = None;
        if let Some(folder) = config.state.clone() {
            keeper = Some(tokio::spawn(keep(portal.clone(), folder, stop.clone())));
        }
        if config.companies.enabled {
            let mut native = NativeSync::new(org.clone(), portal.clone(), config.companies.clone());
            native.first_copy();
            tasks.push(tokio::spawn(native.run(stop.clone())));
        }

        let announcement = announce(&org, &portal, &salesforce_listener, &hubspot_listener);
        let salesforce_faults = Arc::new(Faults::new(salesforce::fault_body));
        let hubspot_faults = Arc::new(Faults::new(hubspot_fault_body));
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
            keeper,
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
        if let Some(keeper) = self.keeper.take()
            && let Err(error) = keeper.await
        {
            tracing::error!(%error, "the portal's state was not kept");
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

/// Keeps the portal now and then, when anything happened, and once more at the end.
async fn keep(portal: Arc<Portal>, folder: PathBuf, stop: CancellationToken) {
    let mut kept = None;
    loop {
        let stopping = stop
            .run_until_cancelled(tokio::time::sleep(KEEP_EVERY))
            .await
            .is_none();
        if stopping {
            // Calls that were under way have had their answers by then, and their writes with them.
            tokio::time::sleep(server::DRAIN).await;
        }
        let pulse = portal.pulse();
        if kept != Some(pulse) {
            let (portal, folder) = (portal.clone(), folder.clone());
            match tokio::task::spawn_blocking(move || portal.keep(&folder)).await {
                Ok(Ok(())) => kept = Some(pulse),
                Ok(Err(error)) => tracing::error!(error = &error as &dyn std::error::Error, "state not kept"),
                Err(error) => tracing::error!(%error, "state not kept"),
            }
        }
        if stopping {
            return;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn announce(org: &OrgHandle, portal: &Portal, salesforce: &Listener, hubspot: &Listener) -> Announcement {
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
            pubsub: None,
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

/// HubSpot's error object, as a fault gives it.
fn hubspot_fault_body(status: http::StatusCode) -> serde_json::Value {
    json!({
        "status": "error",
        "message": status.canonical_reason().unwrap_or("error"),
        "correlationId": "00000000-0000-4000-8000-000000000000",
        "category": if status.is_server_error() { "INTERNAL_ERROR" } else { "VALIDATION_ERROR" },
    })
}
