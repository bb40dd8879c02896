//! The worker: lanes in, questions out, and the clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use landbridge_bus::StreamName;
use landbridge_model::ask::{AskStatus, Condition, ConditionKind, Explain, Question as _, StageStatus};
use landbridge_model::{Identities, Lane, LinkIntents, Purpose, StageKind, TenantId};
use landbridge_stage::telemetry::Metrics;
use landbridge_stage::{Delivery, LaneContext, ShardContext, StageError, Worker, answer_with, parse_ask};
use landbridge_wire::{Ask, AskError, AskErrorCode, LinkMessage, Wire};
use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;
use tracing::Instrument;

use crate::catalog::{Catalog, own_directory};
use crate::decide::Event;
use crate::facts::Cause;
use crate::settings::ResolverSettings;
use crate::tenant::{Letter, Tenant};

/// How many messages of a lane are decided together, so that link writes share messages.
const TOGETHER: usize = 8;
/// How often patience is looked at while messages are in hand.
const PATIENCE_TICK: Duration = Duration::from_millis(50);

/// The resolver, as a worker.
#[derive(Debug, Default)]
pub struct Resolver {
    settings: ResolverSettings,
}

impl Resolver {
    /// With these settings.
    pub fn new(settings: ResolverSettings) -> Self {
        Self { settings }
    }
}

/// What the resolver keeps for one shard.
#[derive(Debug)]
pub struct ResolverShard {
    context: ShardContext,
    settings: ResolverSettings,
    metrics: Metrics,
    tenants: Mutex<HashMap<TenantId, Arc<Tenant>>>,
    /// Counts the tenants, for the task that looks after them.
    opened: tokio::sync::watch::Sender<usize>,
}

impl ResolverShard {
    async fn tenant(&self, id: &TenantId) -> Result<Arc<Tenant>, StageError> {
        let mut tenants = self.tenants.lock().await;
        if let Some(tenant) = tenants.get(id) {
            return Ok(tenant.clone());
        }
        let (context, settings, metrics) =
            (self.context.clone(), self.settings.clone(), self.metrics.clone());
        let tenant = Tenant::open(id.clone(), context, settings, metrics).await?;
        let tenant = Arc::new(tenant);
        tenants.insert(id.clone(), tenant.clone());
        self.opened.send_replace(tenants.len());
        Ok(tenant)
    }
}

impl Worker for Resolver {
    const KIND: StageKind = StageKind::Resolver;
    type Shard = ResolverShard;

    /// Nothing is handled before all that is parked is known again, and asked for.
    async fn open(&self, context: ShardContext) -> Result<Arc<ResolverShard>, StageError> {
        let parked = context.hub.parked_of_shard(context.shard).await?;
        let shard = ResolverShard {
            context,
            settings: self.settings.clone(),
            metrics: Metrics::new(StageKind::Resolver),
            tenants: Mutex::default(),
            opened: tokio::sync::watch::Sender::new(0),
        };
        let mut by_tenant: HashMap<TenantId, Vec<_>> = HashMap::new();
        for link in parked {
            by_tenant
                .entry(link.envelope.tenant.clone())
                .or_default()
                .push(link);
        }
        for (id, parked) in by_tenant {
            tracing::info!(tenant = %id, links = parked.len(), "taking up parked links");
            shard.tenant(&id).await?.rebuild(parked).await?;
        }
        Ok(Arc::new(shard))
    }

    async fn run_lane(&self, shard: Arc<ResolverShard>, mut lane: LaneContext) -> Result<(), StageError> {
        let tenant = shard.tenant(&lane.tenant).await?;
        while let Some(first) = lane.inbox.recv().await {
            let mut deliveries = vec![first];
            while deliveries.len() < TOGETHER {
                let Some(next) = lane.inbox.try_recv() else { break };
                deliveries.push(next);
            }
            let span = tracing::info_span!("links", tenant = %tenant.id, lane = %lane.lane);
            deliveries[0].continue_trace(&span);
            take(&shard, &tenant, lane.lane, deliveries)
                .instrument(span)
                .await?;
        }
        Ok(())
    }

    async fn background(&self, shard: Arc<ResolverShard>, context: ShardContext) -> Result<(), StageError> {
        let mut opened = shard.opened.subscribe();
        opened.mark_changed();
        let mut tasks = tokio::task::JoinSet::new();
        let mut known: Vec<TenantId> = Vec::new();
        loop {
            tokio::select! {
                () = context.stop.cancelled() => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    ended_well(ended)?;
                }
                changed = opened.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    for (id, tenant) in shard.tenants.lock().await.iter() {
                        if !known.contains(id) {
                            known.push(id.clone());
                            tasks.spawn(look_after(tenant.clone()).boxed());
                        }
                    }
                }
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended_well(ended)?;
        }
        Ok(())
    }

    async fn answer(&self, shard: Arc<ResolverShard>, ask: Ask) -> Result<String, AskError> {
        let internal = |error: StageError| AskError::new(AskErrorCode::Internal, error.chain());
        match ask.service.as_str() {
            Explain::SERVICE => {
                let question: Explain = parse_ask(&ask)?;
                let tenant = shard.tenant(&ask.tenant).await.map_err(internal)?;
                answer_with(&tenant.explain(question.id).await.map_err(internal)?)
            }
            AskStatus::SERVICE => answer_with(&status(&shard, &ask.tenant).await.map_err(internal)?),
            other => {
                let message = format!("the resolver answers no question called {other}");
                Err(AskError::new(AskErrorCode::Invalid, message))
            }
        }
    }
}

/// Handles messages that came together.
async fn take(
    shard: &ResolverShard,
    tenant: &Tenant,
    lane: Lane,
    deliveries: Vec<Delivery>,
) -> Result<(), StageError> {
    let started = Instant::now();
    let mut letters = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        letters.extend(open_letter(shard, tenant, delivery).await?);
    }
    let events = letters.iter().map(|letter| letter.events.len()).sum::<usize>();
    tenant.take(lane, letters).await?;
    shard
        .metrics
        .batch_handled(lane, events as u64, started.elapsed());
    Ok(())
}

/// Reads a message. `None` when that was all there was to do with it.
async fn open_letter(
    shard: &ResolverShard,
    tenant: &Tenant,
    delivery: Delivery,
) -> Result<Option<Letter>, StageError> {
    let message = match LinkMessage::decode(&delivery.payload) {
        Ok(message) => message,
        Err(error) => {
            delivery.poison(&error.to_string()).await?;
            return Ok(None);
        }
    };
    let envelope = match &message {
        LinkMessage::Intents(intents) => &intents.envelope,
        LinkMessage::Identities(identities) => &identities.envelope,
    };
    if envelope.tenant != tenant.id || envelope.purpose != Purpose::Apply {
        delivery
            .poison("it is not for this lane: another tenant's, or part of a compare")
            .await?;
        return Ok(None);
    }
    let events = match message {
        LinkMessage::Intents(intents) => intents_to_events(shard, tenant, &intents).await?,
        LinkMessage::Identities(identities) => identities_to_events(shard, &identities).await,
    };
    Ok(Some(Letter { delivery, events }))
}

async fn intents_to_events(
    shard: &ResolverShard,
    tenant: &Tenant,
    intents: &LinkIntents,
) -> Result<Vec<Event>, StageError> {
    let (config, envelope) = (&shard.context.config, &intents.envelope);
    let fresh = config.wait_for(|config| {
        if config.tenant(&envelope.tenant).is_none() {
            return Some(None);
        }
        let sync = config.sync(&envelope.tenant, &envelope.sync)?;
        (sync.revision >= envelope.revision)
            .then(|| Catalog::of(&sync))
            .flatten()
            .map(Some)
    });
    let catalog = match tokio::time::timeout(shard.settings.config_wait, fresh).await {
        Ok(found) => found,
        // An older revision than the message's is better than none.
        Err(_) => config
            .sync(&envelope.tenant, &envelope.sync)
            .and_then(|sync| Catalog::of(&sync)),
    };
    match catalog {
        Some(catalog) => Ok(catalog.intents(intents)),
        None => {
            if config.tenant(&envelope.tenant).is_some() {
                tenant.fail_all(intents, &Cause::of(envelope)).await?;
            }
            Ok(Vec::new())
        }
    }
}

async fn identities_to_events(shard: &ResolverShard, identities: &Identities) -> Vec<Event> {
    let (config, envelope) = (&shard.context.config, &identities.envelope);
    let there = config.wait_for(|config| {
        let gone = config.tenant(&envelope.tenant).is_none();
        if gone {
            Some(None)
        } else {
            config.sync(&envelope.tenant, &envelope.sync).map(Some)
        }
    });
    let Ok(Some(sync)) = tokio::time::timeout(shard.settings.config_wait, there).await else {
        tracing::warn!(tenant = %envelope.tenant, sync = %envelope.sync,
            "identities of a sync that does not exist are of no use to anybody");
        return Vec::new();
    };
    let directory = own_directory(&sync, &identities.object_type);
    identities
        .identities
        .iter()
        .map(|identity| Event::identity(&directory, identity))
        .collect()
}

async fn status(shard: &ResolverShard, tenant: &TenantId) -> Result<StageStatus, StageError> {
    let parked = shard.context.hub.count(StreamName::Parked, tenant).await?;
    let tenant = shard.tenant(tenant).await?;
    let in_hand = {
        let state = tenant.state.lock().await;
        [Lane::Live, Lane::Bulk]
            .map(|lane| (lane, state.hand.len(lane) as u64))
            .to_vec()
    };
    let (waiting, under_way) = {
        let asks = tenant.asks();
        (asks.waiting(), asks.under_way())
    };
    let asked = waiting + under_way;
    let asking = (asked > 0).then(|| {
        let text = format!("asking the loader for {asked} records");
        Condition::new(ConditionKind::UnderWay, text)
    });
    Ok(StageStatus {
        in_hand,
        parked,
        ..StageStatus::told(asking)
    })
}

/// A tenant's task ends well on a stop only; the others are left to finish what they do.
fn ended_well(ended: Result<Result<(), StageError>, tokio::task::JoinError>) -> Result<(), StageError> {
    ended.map_err(|error| StageError::caused("the task of a tenant did not survive", error))?
}

/// Runs until the shard is given up: parks what has waited long enough, asks the loader, and asks again.
async fn look_after(tenant: Arc<Tenant>) -> Result<(), StageError> {
    let settings = &tenant.settings;
    let mut sweep = tokio::time::interval(settings.recheck);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweep.reset();
    let sweeps_per_full = (settings.recheck_announced.as_secs_f64() / settings.recheck.as_secs_f64()).ceil();
    let mut sweeps = 0.0;
    let mut questions = FuturesUnordered::new();
    loop {
        let busy = !tenant.state.lock().await.hand.is_empty() || tenant.asks().waiting() > 0;
        tokio::select! {
            () = tenant.context.stop.cancelled() => return Ok(()),
            () = tenant.nudge.notified(), if !busy => {}
            () = tokio::time::sleep(PATIENCE_TICK.min(settings.ask_linger)), if busy => {}
            Some((question, answer)) = questions.next(), if !questions.is_empty() => {
                tenant.answer(question, answer).await?;
            }
            _ = sweep.tick() => {
                sweeps += 1.0;
                let full = sweeps >= sweeps_per_full;
                if full {
                    sweeps = 0.0;
                }
                tenant.sweep(full).await?;
            }
        }
        tenant.lose_patience().await?;
        while questions.len() < settings.asks_max {
            let Some(question) = tenant.asks().next(settings.ask_ids_max, Instant::now()) else {
                break;
            };
            let tenant = tenant.clone();
            questions.push(async move {
                let answer = tenant.ask(&question).await;
                (question, answer)
            });
        }
    }
}
