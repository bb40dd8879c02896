//! One tenant's portal: its client, and what all lanes of the tenant share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landbridge_hubspot::account::AccountDetails;
use landbridge_hubspot::{Client, Error, Governor, GovernorConfig, Verdict};
use landbridge_model::ask::{Condition, ConditionKind};
use landbridge_model::config::{HubSpotConnection, HubSpotCredentials};
use landbridge_model::{ObjectTypeId, SalesforceId, TenantId};
use landbridge_stage::{ShardContext, Side, StageError};
use landbridge_wire::{AskError, AskErrorCode};
use parking_lot::Mutex;

use crate::busy::Busy;
use crate::known::Memory;
use crate::scan::Scans;
use crate::signing_in::{Resealer, signing_in};
use crate::unanswered::Unanswered;

/// A HubSpot record, by what Salesforce calls it.
pub(crate) type RecordKey = (ObjectTypeId, SalesforceId);

/// How long a lane waits before it tries again to open a portal that cannot be opened.
const REOPEN: Duration = Duration::from_secs(3);

/// An open portal.
#[derive(Debug)]
pub(crate) struct Portal {
    pub(crate) client: Client,
    pub(crate) details: AccountDetails,
    connection: HubSpotConnection,
}

/// What makes two connections spend from one budget, as far as it is known before the portal is asked who it is.
#[derive(Debug, PartialEq, Eq)]
struct Limits {
    base_url: String,
    calls_per_ten_seconds: Option<u32>,
}

/// What all lanes of one tenant share.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) memory: Memory,
    pub(crate) scans: Scans,
    portal: tokio::sync::Mutex<Option<Arc<Portal>>>,
    /// Outlives the portals that are opened one after the other.
    governor: Mutex<Option<(Limits, Governor)>>,
    call_timeout: Duration,
    /// Records with a write under way, or that are being judged.
    pub(crate) busy: Busy,
    pub(crate) unanswered: Unanswered,
    /// What people should know, newest last, by topic.
    conditions: Mutex<HashMap<&'static str, Condition>>,
    /// Types of which a listing runs in the background.
    pub(crate) listing: Mutex<HashSet<ObjectTypeId>>,
    /// Held while a page of an undo is under way: an asker that lost its patience asks again.
    pub(crate) undoing: tokio::sync::Mutex<()>,
    /// When it is time to ask how full records are.
    ceilings_due: Mutex<Option<Instant>>,
    /// Calls that HubSpot answered: while it rises, HubSpot is there.
    answers: AtomicU64,
}

impl Tenant {
    pub(crate) fn new(id: TenantId, memory: Memory, call_timeout: Duration) -> Self {
        Self {
            id,
            memory,
            scans: Scans::default(),
            portal: tokio::sync::Mutex::new(None),
            governor: Mutex::default(),
            call_timeout,
            busy: Busy::default(),
            unanswered: Unanswered::default(),
            conditions: Mutex::default(),
            listing: Mutex::default(),
            undoing: tokio::sync::Mutex::default(),
            ceilings_due: Mutex::default(),
            answers: AtomicU64::new(0),
        }
    }

    /// Whether it is time to ask how full records are; if so, it counts as asked. The first time is soon, but not while
    /// everything else begins.
    pub(crate) fn ceilings_due(&self, now: Instant, every: Duration) -> bool {
        let mut due = self.ceilings_due.lock();
        let is_due = *due.get_or_insert(now + every / 10) <= now;
        if is_due {
            *due = Some(now + every);
        }
        is_due
    }

    /// HubSpot answered a call.
    pub(crate) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Tells people; `None` when it is over.
    pub(crate) fn note(&self, topic: &'static str, condition: Option<Condition>) {
        let mut conditions = self.conditions.lock();
        match condition {
            Some(condition) => {
                if conditions.get(topic) != Some(&condition) {
                    tracing::warn!(tenant = %self.id, "{}", condition.text);
                }
                conditions.insert(topic, condition);
            }
            None => {
                conditions.remove(topic);
            }
        }
    }

    pub(crate) fn conditions(&self) -> Vec<Condition> {
        self.conditions.lock().values().cloned().collect()
    }

    /// The portal if it is open already.
    pub(crate) async fn opened(&self) -> Option<Arc<Portal>> {
        self.portal.lock().await.clone()
    }

    /// Whether the portal is open, and over the connection that is configured now.
    pub(crate) async fn is_open(&self, context: &ShardContext) -> bool {
        let open = self.portal.lock().await.clone();
        let configured = context.config.tenant(&self.id);
        open.zip(configured)
            .is_some_and(|(portal, tenant)| portal.connection == tenant.hubspot)
    }

    /// The credential was refused: the next use opens the portal anew, with whatever credentials are stored then.
    pub(crate) async fn forget_portal(&self) {
        *self.portal.lock().await = None;
    }

    /// Opens the portal, or gives the open one while its connection is still the configured one.
    pub(crate) async fn portal(&self, context: &ShardContext) -> Result<Arc<Portal>, AskError> {
        let mut slot = self.portal.lock().await;
        let tenant = context.config.tenant(&self.id).ok_or_else(|| {
            AskError::new(
                AskErrorCode::NotFound,
                format!("there is no tenant called {}", self.id),
            )
        })?;
        if let Some(open) = slot.as_ref().filter(|portal| portal.connection == tenant.hubspot) {
            return Ok(open.clone());
        }
        let portal = Arc::new(self.open(context, tenant.hubspot.clone()).await?);
        Ok(slot.insert(portal).clone())
    }

    async fn open(&self, context: &ShardContext, connection: HubSpotConnection) -> Result<Portal, AskError> {
        let internal = |error: StageError| AskError::new(AskErrorCode::Internal, error.chain());
        let sealed = context
            .secrets
            .open::<HubSpotCredentials>(&self.id, Side::HubSpot)
            .await;
        let Some(credentials) = sealed.map_err(internal)? else {
            let message = format!("no HubSpot credentials were given for {} yet", self.id);
            return Err(AskError::new(AskErrorCode::Unauthorized, message));
        };
        let keeper = Resealer::new(context.secrets.clone(), self.id.clone(), credentials.clone());
        let credentials = signing_in(&context.secrets, credentials).map_err(internal)?;
        let base_url = connection.base_url.parse().map_err(|error| {
            let message = format!(
                "the HubSpot address {:?} cannot be used: {error}",
                connection.base_url
            );
            AskError::new(AskErrorCode::Invalid, message)
        })?;
        let mut settings = landbridge_hubspot::Settings::new(base_url, credentials);
        settings.keeper = Some(Arc::new(keeper));
        settings.governor = self
            .governor(context.hub.now_ms(), &connection)
            .map_err(internal)?;
        settings.timeout = self.call_timeout;
        if let Some(version) = &connection.api_version {
            settings.version = version.into();
        }
        let client = Client::new(settings).map_err(|error| ask_error(&error))?;
        let details = client.account().await.map_err(|error| ask_error(&error))?;
        if let Some(pinned) = connection.portal_id.filter(|pinned| *pinned != details.portal_id) {
            let message = format!(
                "the token belongs to portal {}, but this tenant is pinned to portal {pinned}: nothing is written",
                details.portal_id
            );
            return Err(AskError::new(AskErrorCode::Invalid, message));
        }
        if let Some(rest) = details.day_ends_in(jiff::Timestamp::now()) {
            client.governor().day_ends_in(rest);
        }
        // Not every credential is told; then headers tell, or nobody.
        if let Some(day) = client
            .api_usage()
            .await
            .ok()
            .and_then(|days| days.into_iter().next())
        {
            let calls = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            client
                .governor()
                .day_stands_at(calls(day.usage_limit), calls(day.current_usage));
        }
        Ok(Portal {
            client,
            details,
            connection,
        })
    }

    /// The governor of a portal that is opened: the same as before while it is the same portal under the same limit.
    /// HubSpot counts the calls of the last ten seconds whether or not the portal was opened anew in between.
    fn governor(&self, now_ms: i64, connection: &HubSpotConnection) -> Result<Governor, StageError> {
        let limits = Limits {
            base_url: connection.base_url.clone(),
            calls_per_ten_seconds: connection.calls_per_ten_seconds,
        };
        let mut last = self.governor.lock();
        if let Some((_, governor)) = last.as_ref().filter(|(of, _)| *of == limits) {
            return Ok(governor.clone());
        }
        let burst = match connection.calls_per_ten_seconds {
            Some(0) => None,
            Some(calls) => Some(calls),
            None => GovernorConfig::default().burst,
        };
        let config = GovernorConfig {
            burst,
            ..GovernorConfig::default()
        };
        let put_down = self.memory.daily()?.filter(|(ends_ms, _)| now_ms < *ends_ms);
        let governor = Governor::new(config, put_down.map_or(0, |(_, spent)| spent));
        Ok(last.insert((limits, governor)).1.clone())
    }

    /// Waits until the tenant may be written: it is there, not suspended, and its portal opens. `None` on a stop, or
    /// when the tenant is removed.
    pub(crate) async fn ready(&self, context: &ShardContext) -> Option<Arc<Portal>> {
        let mut changed = context.config.changed();
        loop {
            changed.mark_unchanged();
            let tenant = context.config.tenant(&self.id);
            let suspended = tenant.as_ref().and_then(|tenant| tenant.suspended.clone());
            let (kind, text) = match (tenant, suspended) {
                (Some(_), Some(reason)) => (ConditionKind::StandsStill, format!("suspended: {reason}")),
                (None, _) => (
                    ConditionKind::UnderWay,
                    "the tenant is not known here yet".to_owned(),
                ),
                (Some(_), None) => match self.portal(context).await {
                    Ok(portal) => {
                        self.note("portal", None);
                        return Some(portal);
                    }
                    Err(error) => (closed_by(error.code), format!("HubSpot cannot be used: {error}")),
                },
            };
            self.note("portal", Some(Condition::new(kind, text)));
            tokio::select! {
                () = context.stop.cancelled() => return None,
                () = tokio::time::sleep(REOPEN) => {}
                _ = changed.changed() => {}
            }
        }
    }
}

/// What keeps a portal closed that could not be opened.
fn closed_by(code: AskErrorCode) -> ConditionKind {
    match code {
        AskErrorCode::Unauthorized | AskErrorCode::Forbidden => ConditionKind::Credentials,
        AskErrorCode::Limited => ConditionKind::Limited,
        AskErrorCode::Invalid
        | AskErrorCode::NotFound
        | AskErrorCode::Unavailable
        | AskErrorCode::Conflict
        | AskErrorCode::Internal => ConditionKind::Unusable,
    }
}

/// A client's error as an answer to a question.
pub(crate) fn ask_error(error: &Error) -> AskError {
    let code = match &error.verdict {
        Verdict::Auth => AskErrorCode::Unauthorized,
        Verdict::Scopes { .. } => AskErrorCode::Forbidden,
        Verdict::NotFound => AskErrorCode::NotFound,
        Verdict::RateLimited { .. } => AskErrorCode::Limited,
        Verdict::Locked { .. } | Verdict::Migrating { .. } | Verdict::Ambiguous | Verdict::Transient => {
            AskErrorCode::Unavailable
        }
        Verdict::Invalid(_)
        | Verdict::Duplicates(_)
        | Verdict::TooLarge
        | Verdict::Conflict { .. }
        | Verdict::Configuration => AskErrorCode::Invalid,
    };
    let mut message = error.to_string();
    if let Some(id) = &error.correlation_id {
        message.push_str(&format!(" (HubSpot correlation id {id})"));
    }
    AskError::new(code, message)
}
