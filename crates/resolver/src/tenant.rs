//! One tenant: its knowledge behind one lock, its only publisher of link writes, its questions to the loader.

mod translate;

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex as SyncMutex;
use std::sync::PoisonError;
use std::time::Instant;

use futures::{FutureExt, StreamExt, TryStreamExt};
use landbridge_bus::{Bucket, Key};
use landbridge_model::ask::{FindIdentities, FoundIdentities};
use landbridge_model::{Lane, LinkOutcome, StageKind, TenantId, Version};
use landbridge_stage::telemetry::Metrics;
use landbridge_stage::{Delivery, ShardContext, StageError};
use landbridge_wire::{AskError, ParkedLink};
use tokio::sync::{Mutex, Notify};

use crate::asks::{Asks, Question};
use crate::catalog::{Catalog, announced};
use crate::decide::Event;
use crate::facts::{End, Slot};
use crate::hand::Hand;
use crate::outbox;
use crate::plan::{Announced, Decisions, Plan};
use crate::settings::ResolverSettings;
use crate::store::Store;
use crate::tenant::translate::{answers, rebuilt, reread, slot_of_intent};

/// How many subjects are forgotten at once: each is a request of its own.
const FORGET_TOGETHER: usize = 32;
/// Waiting links looked at in one sweep of one directory.
const SWEEP_ROWS_MAX: usize = 100_000;

/// A decoded message with what it wants.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) delivery: Delivery,
    pub(crate) events: Vec<Event>,
}

pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) hand: Hand<Slot, Delivery>,
    /// Counts what was ordered, so that no two orders have the same message id.
    orders: u64,
    /// Whether it is written down that this tenant's links were touched.
    marked: bool,
}

/// One tenant at the resolver.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) context: ShardContext,
    pub(crate) settings: ResolverSettings,
    pub(crate) metrics: Metrics,
    pub(crate) state: Mutex<State>,
    pub(crate) asks: SyncMutex<Asks>,
    /// There is something to wait for.
    pub(crate) nudge: Notify,
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Tenant {
    /// Opens a tenant's knowledge. When there is none, a mark in the checkpoints tells whether there ever was any:
    /// without it nothing of the tenant was ever linked, and nothing has to be looked for.
    pub(crate) async fn open(
        id: TenantId,
        context: ShardContext,
        settings: ResolverSettings,
        metrics: Metrics,
    ) -> Result<Self, StageError> {
        let (mut store, known) = Store::open(&context.cache, &id)?;
        let mark = context
            .hub
            .bus()
            .kv(Bucket::Checkpoints)
            .get(&mark_key(&id))
            .await?;
        if !known {
            store.begin(mark.is_none())?;
        }
        let state = State {
            store,
            hand: Hand::default(),
            orders: 0,
            marked: mark.is_some(),
        };
        let (state, asks, nudge) = (Mutex::new(state), SyncMutex::default(), Notify::new());
        Ok(Self {
            id,
            context,
            settings,
            metrics,
            state,
            asks,
            nudge,
        })
    }

    pub(crate) fn asks(&self) -> std::sync::MutexGuard<'_, Asks> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what was parked before this worker owned the shard.
    pub(crate) async fn rebuild(&self, parked: Vec<ParkedLink>) -> Result<(), StageError> {
        let mut catalogs: HashMap<_, Option<Catalog>> = HashMap::new();
        let (mut events, mut dropped) = (Vec::new(), Vec::new());
        for link in parked {
            let catalog = catalogs.entry(link.envelope.sync.clone()).or_insert_with(|| {
                let sync = self.context.config.sync(&self.id, &link.envelope.sync);
                sync.and_then(|sync| Catalog::of(&sync))
            });
            match catalog.as_ref().and_then(|catalog| rebuilt(catalog, &link)) {
                Some(event) => events.push(event),
                None => dropped.push(link),
            }
        }
        self.drop_parked(dropped).await?;
        let mut state = self.state.lock().await;
        self.work(&mut state, events).await
    }

    /// Ends what waits for an association that is no more: nothing is linked by it, and control is told so before it is
    /// forgotten that anything waited.
    async fn drop_parked(&self, links: Vec<ParkedLink>) -> Result<(), StageError> {
        let (hub, now_ms) = (&self.context.hub, self.context.hub.now_ms());
        for link in &links {
            tracing::info!(tenant = %self.id, sync = %link.envelope.sync, field = link.field, child = %link.child,
                "a parked link belongs to no association any more; it ends as unlinked");
        }
        // Of a sync that is removed nobody wants to know any more.
        let config = &self.context.config;
        let told = links
            .iter()
            .filter(|link| config.sync(&self.id, &link.envelope.sync).is_some());
        let reports = outbox::ended(told, now_ms);
        for report in &reports {
            hub.report(report).await?;
        }
        self.metrics
            .links_settled(LinkOutcome::Unlinked, reports.len() as u64);
        for link in &links {
            let (sync, field) = (&link.envelope.sync, link.field.as_str());
            // Two claimants of a parent are a failure that nobody could cure any more.
            hub.forget_failure(&self.id, sync, link.child, Some(field))
                .await?;
            hub.unpark(&self.id, sync, link.child, field).await?;
        }
        Ok(())
    }

    /// Takes messages of a lane, in their order; acknowledges those of which all that they wanted is durable.
    pub(crate) async fn take(&self, lane: Lane, letters: Vec<Letter>) -> Result<(), StageError> {
        let mut state = self.state.lock().await;
        let mut wanted = Vec::with_capacity(letters.len());
        let mut events = Vec::new();
        for letter in letters {
            let slots: Vec<(Slot, Version)> = letter.events.iter().filter_map(slot_of_intent).collect();
            wanted.push((letter.delivery, slots));
            events.extend(letter.events);
        }
        self.work(&mut state, events).await?;
        let mut done = Vec::new();
        for (delivery, mut slots) in wanted {
            let store = &state.store;
            let mut trouble = None;
            slots.retain(|(slot, version)| match store.wish(slot) {
                Ok(wish) => wish.is_some_and(|wish| wish.version == *version && wish.is_in_hand()),
                Err(error) => {
                    trouble = Some(error);
                    true
                }
            });
            if let Some(error) = trouble {
                return Err(error);
            }
            if slots.is_empty() {
                done.push(delivery);
            } else {
                let slots = slots.into_iter().map(|(slot, _)| slot).collect();
                state.hand.hold(lane, delivery, slots, Instant::now());
            }
        }
        let waits = !state.hand.is_empty();
        drop(state);
        acknowledge(done).await?;
        if waits {
            self.nudge.notify_one();
        }
        Ok(())
    }

    /// Parks what has been in hand for long enough.
    pub(crate) async fn lose_patience(&self) -> Result<(), StageError> {
        let mut state = self.state.lock().await;
        let due = state.hand.due(
            Instant::now(),
            self.settings
                .patience(self.context.hub.bus().config().lane_capacity),
        );
        let events = due
            .iter()
            .cloned()
            .map(|slot| Event::PatienceOver { slot })
            .collect();
        self.work(&mut state, events).await?;
        // Whatever became of them, no message has to remember them now.
        let free: Vec<Delivery> = due.iter().flat_map(|slot| state.hand.release(slot)).collect();
        drop(state);
        acknowledge(free).await
    }

    /// Takes the loader's answer, or its absence.
    pub(crate) async fn answer(
        &self,
        question: Question,
        answer: Result<FoundIdentities, AskError>,
    ) -> Result<(), StageError> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(tenant = %self.id, %error, ids = question.ids.len(),
                    "the loader does not say which records it knows; asking again");
                self.asks().unanswered(&question, Instant::now());
                return Ok(());
            }
        };
        let mut state = self.state.lock().await;
        let counts = self.asks().answered(&question);
        let events = answers(&question, &answer, counts);
        self.work(&mut state, events).await
    }

    /// Asks again for parents that somebody waits for, unless what they wait for is something else.
    ///
    /// The questions are put while the knowledge is locked: an announcement overtakes those that were put before it,
    /// and one that was already taken in leaves nothing to ask.
    pub(crate) async fn sweep(&self, announced_too: bool) -> Result<(), StageError> {
        let announced = announced(&self.context.config, &self.id);
        let state = self.state.lock().await;
        let mut awaited = state.store.awaited(
            |directory| {
                let key = (directory.object_type.clone(), directory.property.clone());
                announced_too || !announced.contains(&key)
            },
            SWEEP_ROWS_MAX,
        )?;
        let mut trouble = None;
        awaited.retain(|end| match state.store.known(end) {
            Ok(known) => known.is_none_or(|known| known.is_worth_asking()),
            Err(error) => {
                trouble.get_or_insert(error);
                false
            }
        });
        if let Some(error) = trouble {
            return Err(error);
        }
        self.look_up(awaited);
        Ok(())
    }

    fn look_up(&self, ends: Vec<End>) {
        if ends.is_empty() {
            return;
        }
        let mut asks = self.asks();
        ends.into_iter().for_each(|end| asks.want(end));
        drop(asks);
        self.nudge.notify_one();
    }

    /// Decides events and does what follows, until nothing does.
    async fn work(&self, state: &mut State, events: Vec<Event>) -> Result<(), StageError> {
        let announced: Announced = announced(&self.context.config, &self.id);
        let portal = self
            .context
            .config
            .tenant(&self.id)
            .and_then(|tenant| tenant.hubspot.portal_id);
        state.store.belongs_to(portal)?;
        let mut events = VecDeque::from(events);
        for event in &events {
            if let Event::Identity { end, .. } = event {
                self.asks().overtaken(end);
            }
        }
        while !events.is_empty() {
            let now_ms = self.context.hub.now_ms();
            let plan = {
                let mut decisions = Decisions::new(&state.store, announced.clone(), now_ms);
                decisions.decide_all(&mut events);
                decisions.plan()?
            };
            self.carry_out(state, plan, now_ms).await?;
        }
        Ok(())
    }

    /// The order is the argument: what is parked is durable before anybody is asked or told; the cache remembers last
    /// that something was done.
    async fn carry_out(&self, state: &mut State, plan: Plan, now_ms: i64) -> Result<(), StageError> {
        let hub = &self.context.hub;
        for order in &plan.orders {
            let link = &order.link;
            tracing::debug!(tenant = %self.id, sync = %order.sync, child = %link.child, field = link.field, child_id = %link.child_hubspot_id,
                parent = ?link.parent, former = ?link.former, version = %link.version, "a link is ordered");
        }
        let park: Vec<ParkedLink> = plan
            .park
            .iter()
            .map(|(slot, wish)| outbox::parked_link(&self.id, slot, wish, now_ms))
            .collect();
        hub.park(&park).await?;
        self.order(state, &plan).await?;
        for report in outbox::reports(&self.id, &plan.tell, now_ms) {
            hub.report(&report).await?;
        }
        for outcome in LinkOutcome::ALL {
            let told = plan
                .tell
                .iter()
                .filter(|(_, _, verdict)| verdict.outcome == outcome)
                .count();
            if told > 0 {
                self.metrics.links_settled(outcome, told as u64);
            }
        }
        for failed in outbox::failures(&self.id, &plan.tell, now_ms) {
            hub.remember_failure(&failed).await?;
        }
        for slot in &plan.mended {
            hub.forget_failure(&self.id, &slot.sync, slot.child, Some(&slot.field))
                .await?;
        }
        for (slot, cause) in &plan.reread {
            hub.ask_reread(&reread(&self.id, slot, cause)).await?;
        }
        self.forget(&plan.unpark).await?;
        let touched: Vec<Slot> = plan
            .wishes
            .iter()
            .filter(|(_, wish)| wish.as_ref().is_none_or(|wish| !wish.is_in_hand()))
            .map(|(slot, _)| slot.clone())
            .collect();
        let batch = state.store.batch(plan.ends, plan.wishes, &plan.before)?;
        state.store.apply(batch).await?;
        let free: Vec<Delivery> = touched.iter().flat_map(|slot| state.hand.release(slot)).collect();
        self.look_up(plan.look_up);
        acknowledge(free).await
    }

    async fn forget(&self, parked: &[Slot]) -> Result<(), StageError> {
        let mut requests = Vec::with_capacity(parked.len());
        for slot in parked {
            let (hub, sync) = (&self.context.hub, &slot.sync);
            requests.push(hub.unpark(&self.id, sync, slot.child, &slot.field).boxed());
        }
        futures::stream::iter(requests)
            .buffer_unordered(FORGET_TOGETHER)
            .try_collect()
            .boxed()
            .await
    }

    async fn order(&self, state: &mut State, plan: &Plan) -> Result<(), StageError> {
        if plan.orders.is_empty() {
            return Ok(());
        }
        let hub = &self.context.hub;
        if !state.marked {
            hub.bus()
                .kv(Bucket::Checkpoints)
                .put(&mark_key(&self.id), "1")
                .await?;
            state.marked = true;
        }
        let lane = hub.writes(&self.id, Lane::Links);
        for writes in outbox::link_writes(&self.id, plan.orders.clone()) {
            state.orders += 1;
            let cause = format!("{}.{}", self.context.epoch, state.orders);
            hub.send(&lane, &cause, &writes).await?;
        }
        Ok(())
    }

    /// Asks the loader.
    pub(crate) async fn ask(&self, question: &Question) -> Result<FoundIdentities, AskError> {
        let ask = FindIdentities {
            object_type: question.directory.object_type.clone(),
            property: question.directory.property.to_string(),
            unique: question.directory.unique,
            remembered: true,
            ids: question.ids.clone(),
        };
        self.context
            .hub
            .ask(StageKind::Loader, &self.id, &ask, self.settings.ask_timeout)
            .await
    }
}

fn mark_key(tenant: &TenantId) -> Key {
    Key::new(["links", tenant.as_str()])
}

async fn acknowledge(deliveries: Vec<Delivery>) -> Result<(), StageError> {
    for delivery in deliveries {
        delivery.ack().await?;
    }
    Ok(())
}
