//! Control as a worker: it owns shards like the others, follows the outcomes and answers questions.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use landbridge_model::StageKind;
use landbridge_model::ask::{
    DecideHeld, Explain, FollowSchema, ListFailures, ListImports, Question, Reseal, StartReconcile,
};
use landbridge_stage::{ShardContext, StageError, Worker, answer_with, parse_ask};
use landbridge_wire::{Ask, AskError, AskErrorCode};
use serde::{Deserialize, Serialize};

use crate::alerts::AlertPace;
use crate::ask::{
    AdoptOrg, ApplySyncs, AskHistory, AskRevisionUndo, AskTenant, CancelDryRun, CancelImport, ChangeTenant,
    CountMatching, Disconnect, DismissFailure, DryRunPage, DryRunState, EditSyncs, EditTenant,
    FindByHubSpotId, ListDryRuns, ListHeld, ListLeft, ListParked, ListSchemaEvents, PauseImport, PutTenant,
    RemoveSyncs, RemoveTenant, Repair, ResumeImport, RetryFailures, Seen, SetSyncs, StartDryRun,
    StartImports, StartVerify, TestAlerts, TestConnections, UndoImport, UndoRevision, VerifyState,
};
use crate::service::{OidcSettings, ServiceError};
use crate::shard::{ControlShard, unavailable};
use crate::{definitions, explain, failures, find, health, held};

/// How often imports that the extractor has done with are looked at.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// `[control]`: definitions, imports, failures, health.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the REST API is served; not at all when left out.
    pub listen: Option<SocketAddr>,
    /// How long one question may look again for object types that a definition names and HubSpot does not show, all
    /// its definitions together: what was created in HubSpot a moment ago shows some seconds later.
    #[serde(with = "humantime_serde")]
    pub object_type_patience: Duration,
    /// How often the health of each tenant that has alerts is looked at.
    #[serde(with = "humantime_serde")]
    pub alert_every: Duration,
    /// How long what was wrong must be well before its end is told.
    #[serde(with = "humantime_serde")]
    pub alert_settle: Duration,
    /// How long sending one message may take; shorter than two thirds of `bus.lease_ttl`.
    #[serde(with = "humantime_serde")]
    pub alert_timeout: Duration,
    /// A file with certificates (PEM) that mail servers and receivers of webhooks may be signed by besides the system's
    /// own.
    pub alert_ca: Option<PathBuf>,
    /// The address under which browsers reach it, such as `https://landbridge.acme.example`. With `https` the session's
    /// cookie is sent over TLS only.
    pub public_url: Option<String>,
    /// Whether tenants' admins may name addresses of this machine and its networks, as a rehearsal needs: for either side, and
    /// for webhooks.
    pub allow_private_addresses: bool,
    /// Whether a proxy stands in front that names the client's address last in `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// How long a session lasts that is not used.
    #[serde(with = "humantime_serde")]
    pub session_idle: Duration,
    /// How long a session lasts at most.
    #[serde(with = "humantime_serde")]
    pub session_max: Duration,
    /// The OpenID Connect provider by which people sign in; local users only when left out.
    pub oidc: Option<OidcSettings>,
}

impl Settings {
    /// The address under which browsers reach control, without a slash at its end.
    pub(crate) fn public_address(&self) -> Result<String, ServiceError> {
        if let Some(url) = &self.public_url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        match self
            .listen
            .filter(|address| address.ip().is_loopback() && address.port() != 0)
        {
            Some(address) => Ok(format!("http://{address}")),
            None => Err(ServiceError::Internal(
                "control.public_url is not set: the provider cannot send anybody back".to_owned(),
            )),
        }
    }

    /// Whether the session's cookie is sent over TLS only: always, unless control is served in the clear to this machine
    /// alone.
    pub fn secure_cookies(&self) -> bool {
        let is_https = self
            .public_url
            .as_ref()
            .is_some_and(|url| url.starts_with("https://"));
        let is_here = self.listen.is_some_and(|address| address.ip().is_loopback());
        is_https || !is_here
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: None,
            object_type_patience: Duration::from_secs(5),
            alert_every: Duration::from_secs(30),
            alert_settle: Duration::from_secs(120),
            alert_timeout: Duration::from_secs(10),
            alert_ca: None,
            public_url: None,
            allow_private_addresses: false,
            behind_proxy: false,
            session_idle: Duration::from_secs(8 * 3_600),
            session_max: Duration::from_secs(7 * 24 * 3_600),
            oidc: None,
        }
    }
}

/// Questions that want to know of dry runs that are over, whichever control has found their results.
const ABOUT_DRY_RUNS: [&str; 5] = [
    StartDryRun::SERVICE,
    DryRunState::SERVICE,
    DryRunPage::SERVICE,
    ListDryRuns::SERVICE,
    CancelDryRun::SERVICE,
];

/// How long the extractor may take to write a wish down: it asks the org for its time first.
const LOOK_UP: Duration = Duration::from_secs(20);

/// Control.
#[derive(Clone, Debug)]
pub struct Control {
    settings: Settings,
}

impl Control {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Worker for Control {
    const KIND: StageKind = StageKind::Control;
    type Shard = ControlShard;

    async fn open(&self, context: ShardContext) -> Result<Arc<ControlShard>, StageError> {
        let alert_pace = AlertPace {
            every: self.settings.alert_every,
            settle: self.settings.alert_settle,
            timeout: self.settings.alert_timeout,
            console: self.settings.public_address().ok(),
            ca: self.settings.alert_ca.clone(),
            allow_private: self.settings.allow_private_addresses,
        };
        ControlShard::open(context, self.settings.object_type_patience, alert_pace).map(Arc::new)
    }

    async fn background(&self, shard: Arc<ControlShard>, context: ShardContext) -> Result<(), StageError> {
        let look_after = async {
            let mut tick = tokio::time::interval(LOOK_AFTER);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                if let Err(error) = shard.look_after_imports().await {
                    tracing::warn!(shard = %context.shard, error = %error.chain(), "imports could not be looked after");
                }
                if let Err(error) = shard.look_after_cures().await {
                    tracing::warn!(shard = %context.shard, error = %error.chain(), "failures could not be looked through; they are soon again");
                }
                if let Err(error) = shard.look_after_removals().await {
                    tracing::warn!(shard = %context.shard, error = %error.chain(), "removals could not be gone on with; they are soon again");
                }
            }
        };
        // Alerts are sent once their secrets are looked after.
        let alerts = async {
            shard.seal_alerts_to_current_key().await;
            shard.look_after_alerts().await;
        };
        tokio::select! {
            ended = shard.follow() => ended,
            () = look_after => Ok(()),
            () = alerts => Ok(()),
            () = shard.look_after_undos() => Ok(()),
            () = shard.look_after_adoptions() => Ok(()),
        }
    }

    async fn answer(&self, shard: Arc<ControlShard>, ask: Ask) -> Result<String, AskError> {
        let (context, tenant) = (&shard.context, &ask.tenant);
        if ABOUT_DRY_RUNS.contains(&ask.service.as_str()) {
            let recalled = shard.recall_dry_runs(tenant).await;
            recalled.map_err(|error| unavailable(error.into()))?;
        }
        match ask.service.as_str() {
            PutTenant::SERVICE => {
                let put = definitions::put_tenant(context, tenant, parse_ask(&ask)?, &Seen::Anything);
                answer_with(&put.await?)
            }
            EditTenant::SERVICE => {
                let EditTenant { put, seen } = parse_ask(&ask)?;
                answer_with(&definitions::put_tenant(context, tenant, put, &seen).await?)
            }
            ChangeTenant::SERVICE => {
                answer_with(&definitions::change_tenant(context, tenant, parse_ask(&ask)?).await?)
            }
            RemoveTenant::SERVICE => answer_with(&definitions::remove_tenant(&shard, tenant).await?),
            TestConnections::SERVICE => answer_with(&definitions::test_connections(context, tenant).await?),
            ApplySyncs::SERVICE => answer_with(&definitions::apply(&shard, tenant, parse_ask(&ask)?).await?),
            EditSyncs::SERVICE => answer_with(&definitions::edit(&shard, tenant, parse_ask(&ask)?).await?),
            FindByHubSpotId::SERVICE => {
                answer_with(&find::by_hubspot_id(context, tenant, &parse_ask(&ask)?).await?)
            }
            SetSyncs::SERVICE => {
                answer_with(&definitions::set_status(&shard, tenant, parse_ask(&ask)?).await?)
            }
            RemoveSyncs::SERVICE => {
                answer_with(&definitions::remove(&shard, tenant, parse_ask(&ask)?).await?)
            }
            StartImports::SERVICE => answer_with(&shard.start_imports(tenant, parse_ask(&ask)?).await?),
            ListImports::SERVICE => answer_with(&shard.list_imports(tenant, &parse_ask(&ask)?).await?),
            CancelImport::SERVICE => answer_with(&shard.cancel_import(tenant, &parse_ask(&ask)?).await?),
            PauseImport::SERVICE => answer_with(&shard.pause_import(tenant, &parse_ask(&ask)?).await?),
            ResumeImport::SERVICE => answer_with(&shard.resume_import(tenant, &parse_ask(&ask)?).await?),
            UndoImport::SERVICE => answer_with(&shard.begin_undo(tenant, &parse_ask(&ask)?).await?),
            AskRevisionUndo::SERVICE => answer_with(&shard.revision_undo(tenant, &parse_ask(&ask)?).await?),
            UndoRevision::SERVICE => answer_with(&shard.undo_revision(tenant, &parse_ask(&ask)?).await?),
            ListLeft::SERVICE => answer_with(&shard.list_left(tenant, &parse_ask(&ask)?).await?),
            ListFailures::SERVICE => answer_with(&failures::list(context, tenant, &parse_ask(&ask)?).await?),
            RetryFailures::SERVICE => answer_with(&failures::retry(context, tenant, parse_ask(&ask)?).await?),
            ListHeld::SERVICE => answer_with(&held::list(context, tenant, &parse_ask(&ask)?).await?),
            DecideHeld::SERVICE => answer_with(&held::decide(context, tenant, parse_ask(&ask)?).await?),
            DismissFailure::SERVICE => {
                answer_with(&failures::dismiss(context, tenant, &parse_ask(&ask)?).await?)
            }
            Repair::SERVICE => answer_with(&failures::repair(context, tenant, parse_ask(&ask)?).await?),
            Explain::SERVICE => answer_with(&explain::explain(context, tenant, &parse_ask(&ask)?).await?),
            StartReconcile::SERVICE => {
                let question: StartReconcile = parse_ask(&ask)?;
                let hub = &context.hub;
                answer_with(&hub.ask(StageKind::Extractor, tenant, &question, LOOK_UP).await?)
            }
            StartVerify::SERVICE => answer_with(&shard.start_verify(tenant, &parse_ask(&ask)?)?),
            VerifyState::SERVICE => answer_with(&shard.verify_state(tenant, &parse_ask(&ask)?)?),
            StartDryRun::SERVICE => answer_with(&shard.start_dry_run(tenant, parse_ask(&ask)?).await?),
            DryRunState::SERVICE => answer_with(&shard.dry_run_state(tenant, &parse_ask(&ask)?)?),
            TestAlerts::SERVICE => answer_with(&shard.test_alerts(tenant).await?),
            Reseal::SERVICE => answer_with(&shard.reseal_alerts(tenant).await?),
            ListDryRuns::SERVICE => answer_with(&shard.list_dry_runs(tenant)),
            DryRunPage::SERVICE => answer_with(&shard.dry_run_page(tenant, &parse_ask(&ask)?)?),
            CancelDryRun::SERVICE => answer_with(&shard.cancel_dry_run(tenant, &parse_ask(&ask)?).await?),
            CountMatching::SERVICE => {
                answer_with(&definitions::count_matching(&shard, tenant, &parse_ask(&ask)?).await?)
            }
            AskHistory::SERVICE => answer_with(&shard.tenant_history(tenant).await?),
            ListParked::SERVICE => answer_with(&health::parked(context, tenant).await?),
            ListSchemaEvents::SERVICE => answer_with(&shard.schema_events(tenant, &parse_ask(&ask)?).await?),
            FollowSchema::SERVICE => answer_with(&shard.follow_schema(tenant, &parse_ask(&ask)?).await?),
            AdoptOrg::SERVICE => answer_with(&shard.adopt_org(tenant, parse_ask(&ask)?).await?),
            Disconnect::SERVICE => answer_with(&shard.disconnect(tenant, &parse_ask(&ask)?).await?),
            AskTenant::SERVICE => answer_with(&shard.tenant_status(tenant).await?),
            other => {
                let what =
                    format!("control answers no question called {other}; it may be of another version");
                Err(AskError::new(AskErrorCode::Invalid, what))
            }
        }
    }

    async fn close(&self, shard: Arc<ControlShard>) {
        if let Err(error) = shard.store().await {
            tracing::warn!(error = %error.chain(), "the ledger could not be put down; it is built anew from the stream");
        }
    }
}
