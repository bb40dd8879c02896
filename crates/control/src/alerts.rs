//! Alerts: whoever owns a tenant's shard looks at its health, and tells people what is wrong and when it is over.
//!
//! What is to be told is stored before it is sent, and struck off once it has arrived. A control that dies between the
//! two sends it once more, under the same id.

pub(crate) mod facts;
pub(crate) mod judge;
pub(crate) mod mail;
pub(crate) mod outbox;
pub(crate) mod resealing;
pub(crate) mod settings;
mod trust;
mod way;
mod webhook;

use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt as _;
use landbridge_bus::{Bucket, Key, KvError};
use landbridge_model::ask::{TestHubSpot, TestSalesforce};
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::{Side, StageError, StoredSecret};
use landbridge_wire::{AskError, AskErrorCode};

use crate::ask::TriedChannel;
use crate::shard::{ControlShard, unavailable};
use facts::{CredentialFacts, Facts};
use judge::{AlertKind, Told, Turn, judge};
use outbox::Pending;
use settings::{AlertState, AlertStore, Channel, Kept, SignIn, StoredAlerts};
use way::Way;

/// Tenants that are looked at side by side.
const TENANTS_AT_ONCE: usize = 8;
/// How often signing in is tried, in milliseconds: each try costs calls.
const SIGN_IN_EVERY_MS: i64 = 3_600_000;
/// How long signing in may take.
const SIGN_IN: Duration = Duration::from_secs(30);
/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// How alerts are looked after, from control's settings.
#[derive(Clone, Debug)]
pub(crate) struct AlertPace {
    /// Between two looks at a tenant.
    pub(crate) every: Duration,
    /// How long a condition must stay away to be over.
    pub(crate) settle: Duration,
    /// How long one message may take. While it is longer than the lease surely holds, nothing is sent: somebody else
    /// might send the same.
    pub(crate) timeout: Duration,
    /// Where browsers reach the console.
    pub(crate) console: Option<String>,
    /// A file with certificates that are trusted besides the system's own.
    pub(crate) ca: Option<PathBuf>,
    /// Whether receivers and mail servers may be on this machine or in its networks.
    pub(crate) allow_private: bool,
}

impl ControlShard {
    /// Looks at every tenant of the shard, again and again.
    pub(crate) async fn look_after_alerts(&self) {
        let mut tick = tokio::time::interval(self.alert_pace.every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let tenants = self.context.config.tenants().into_iter();
            let own = tenants.filter(|tenant| self.context.hub.shard_of(&tenant.id) == self.context.shard);
            let looks = own.map(|tenant| async move {
                if let Err(error) = self.look_at_alerts(&tenant.id).await {
                    let tenant = &tenant.id;
                    tracing::warn!(%tenant, error = %error.chain(), "alerts could not be looked after; they are soon again");
                }
            });
            futures::stream::iter(looks)
                .for_each_concurrent(TENANTS_AT_ONCE, |look| look)
                .await;
        }
    }

    async fn look_at_alerts(&self, tenant: &TenantId) -> Result<(), StageError> {
        let store = AlertStore::new(self.context.hub.bus());
        let settings = store.settings(tenant).await?.value;
        let channels = settings.channels();
        if channels.is_empty() {
            return Ok(());
        }
        let mut state = store.state(tenant).await?;
        let before = state.value.clone();
        let facts = self.alert_facts(tenant, &mut state.value).await;
        if let Some(facts) = facts {
            self.judge_alerts(&mut state.value, &facts, &settings);
        }
        // What nobody wants to be told that way any more is not sent that way.
        state
            .value
            .outbox
            .retain(|pending| channels.contains(&pending.channel));
        if state.value != before {
            match store.put_state(tenant, &mut state).await {
                // Another owner is at it.
                Err(KvError::Conflict) => return Ok(()),
                written => written?,
            }
        }
        self.send_due(tenant, &store, &settings, state).await
    }

    fn judge_alerts(&self, state: &mut AlertState, facts: &Facts, settings: &StoredAlerts) {
        let now_ms = self.context.hub.now_ms();
        let settle_ms = i64::try_from(self.alert_pace.settle.as_millis()).unwrap_or(i64::MAX);
        let (standing, told) = judge(&state.standing, facts, &settings.bounds, settle_ms, now_ms);
        state.standing = standing;
        for told in told {
            let pending = |channel| Pending::new(channel, told.clone());
            state.outbox.extend(settings.channels().into_iter().map(pending));
        }
    }

    /// How the tenant stands; none when even control itself cannot say.
    async fn alert_facts(&self, tenant: &TenantId, state: &mut AlertState) -> Option<Facts> {
        let status = self.tenant_status(tenant).await.ok()?;
        let held = if status.held == 0 {
            Some(Vec::new())
        } else {
            self.context.hub.held(tenant, None).await.ok()
        };
        let mut credentials = Vec::new();
        for side in [Side::Salesforce, Side::HubSpot] {
            credentials.extend(self.credentials(tenant, side, state).await);
        }
        Some(Facts::of(&status, held.as_deref(), credentials))
    }

    /// How one side's credentials stand; none when there are none.
    async fn credentials(
        &self,
        tenant: &TenantId,
        side: Side,
        state: &mut AlertState,
    ) -> Option<CredentialFacts> {
        let bucket = self.context.hub.bus().kv(Bucket::Secrets);
        let place = Key::new([tenant.as_str(), side.as_str()]);
        let stored = bucket.get(&place).await.ok()??;
        let stored_ms = stored.time.as_millisecond();
        // What was sealed again since is as old as when it was entered.
        let entered_ms = stored
            .json::<StoredSecret>()
            .ok()?
            .entered_ms
            .unwrap_or(stored_ms);
        let now_ms = self.context.hub.now_ms();
        let known = state.sign_ins.iter().position(|one| one.side == side.as_str());
        let is_fresh = |one: &SignIn| one.at_ms > stored_ms && now_ms - one.at_ms < SIGN_IN_EVERY_MS;
        let refused = match known
            .map(|place| &state.sign_ins[place])
            .filter(|one| is_fresh(one))
        {
            Some(known) => Some(known.refused.clone()),
            None => {
                let refused = self.sign_in(tenant, side).await;
                if let Some(refused) = &refused {
                    state.sign_ins.retain(|one| one.side != side.as_str());
                    state.sign_ins.push(SignIn {
                        side: side.as_str().to_owned(),
                        at_ms: now_ms,
                        refused: refused.clone(),
                    });
                }
                refused
            }
        };
        Some(CredentialFacts {
            side: side.as_str(),
            name: side.name(),
            refused,
            age_days: u32::try_from((now_ms - entered_ms) / DAY_MS).ok(),
        })
    }

    /// What signing in says: the words of a refusal, or nothing when it is well. None when nobody can be asked.
    async fn sign_in(&self, tenant: &TenantId, side: Side) -> Option<Option<String>> {
        let hub = &self.context.hub;
        let answer: Result<(), AskError> = match side {
            Side::Salesforce => hub
                .ask(StageKind::Extractor, tenant, &TestSalesforce {}, SIGN_IN)
                .await
                .map(drop),
            Side::HubSpot => hub
                .ask(StageKind::Loader, tenant, &TestHubSpot {}, SIGN_IN)
                .await
                .map(drop),
        };
        match answer {
            Ok(()) => Some(None),
            Err(error) if matches!(error.code, AskErrorCode::Unauthorized | AskErrorCode::Forbidden) => {
                Some(Some(error.message))
            }
            Err(_) => None,
        }
    }

    /// Sends what is due, one by one, and strikes off each that has arrived.
    async fn send_due(
        &self,
        tenant: &TenantId,
        store: &AlertStore,
        settings: &StoredAlerts,
        mut state: Kept<AlertState>,
    ) -> Result<(), StageError> {
        let patience = self.alert_pace.timeout;
        while let Some(place) = outbox::due(&state.value.outbox, self.context.hub.now_ms()) {
            if !self.context.lease.may_send(patience) || self.context.stop.is_cancelled() {
                return Ok(());
            }
            let pending = state.value.outbox[place].clone();
            match self
                .send(tenant, settings, pending.channel, &pending.told, false)
                .await
            {
                Ok(()) => drop(state.value.outbox.remove(place)),
                Err(trouble) => {
                    let channel = pending.channel.as_str();
                    tracing::warn!(%tenant, channel, trouble, "an alert could not be sent");
                    match pending.again(trouble, self.context.hub.now_ms()) {
                        Some(later) => state.value.outbox[place] = later,
                        None => drop(state.value.outbox.remove(place)),
                    }
                }
            }
            match store.put_state(tenant, &mut state).await {
                Err(KvError::Conflict) => return Ok(()),
                written => written?,
            }
        }
        Ok(())
    }

    async fn send(
        &self,
        tenant: &TenantId,
        settings: &StoredAlerts,
        channel: Channel,
        told: &Told,
        is_test: bool,
    ) -> Result<(), String> {
        let console = self.alert_pace.console.as_ref();
        let link = console.map(|console| format!("{console}/tenants/{tenant}/health"));
        let roots = trust::extra_roots(self.alert_pace.ca.as_deref()).await?;
        let way = Way {
            patience: self.alert_pace.timeout,
            roots: &roots,
            allow_private: self.alert_pace.allow_private,
        };
        match (channel, &settings.webhook, &settings.mail) {
            (Channel::Webhook, Some(webhook), _) => {
                let secret = self.open_secret(&webhook.secret)?;
                let body = webhook::body(tenant, told, link.as_deref(), is_test);
                let signature = webhook::signature(&secret, &body, self.context.hub.now_ms());
                webhook::post(&webhook.url, &told.id, body, signature, way).await
            }
            (Channel::Mail, _, Some(mail)) => {
                let password = mail.password.as_ref().map(|sealed| self.open_secret(sealed));
                let password = password
                    .transpose()?
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let message = mail::message(mail, tenant, told, link.as_deref(), is_test)?;
                mail::send(mail, password, message, way).await
            }
            _ => Err(format!("there is no {} any more", channel.as_str())),
        }
    }

    fn open_secret(&self, sealed: &landbridge_bus::seal::Sealed) -> Result<Vec<u8>, String> {
        let opened = self
            .context
            .secrets
            .open_sealed("the secret of the alerts", sealed);
        opened.map_err(|error| error.chain())
    }

    /// Sends a test message each way, and says how it went.
    pub(crate) async fn test_alerts(&self, tenant: &TenantId) -> Result<Vec<TriedChannel>, AskError> {
        let store = AlertStore::new(self.context.hub.bus());
        let settings = store.settings(tenant).await.map_err(StageError::from);
        let settings = settings.map_err(unavailable)?.value;
        let now_ms = self.context.hub.now_ms();
        let told = Told {
            id: format!("test.{now_ms}"),
            alert: AlertKind::TenantSuspended,
            subject: None,
            turn: Turn::Raised,
            text: "This is a test of Landbridge's alerts. Nothing is wrong.".to_owned(),
            since_ms: now_ms,
            at_ms: now_ms,
        };
        let mut tried = Vec::new();
        for channel in settings.channels() {
            let sent = self.send(tenant, &settings, channel, &told, true).await;
            tried.push(TriedChannel {
                channel,
                trouble: sent.err(),
            });
        }
        Ok(tried)
    }
}
