//! One channel's subscription: opened, listened to, given up, tried again, for as long as a sync wants it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::StreamState;
use landbridge_salesforce::Client;
use landbridge_salesforce::pubsub::{
    self, Delivery, From, PubSub, PubSubError, ReplayId, StreamVerdict, Subscription, Told,
};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::course::{self, Ended, Step};
use super::heard::heard;
use super::pace::{self, Pace};
use super::place::{Place, Places};
use super::{Channel, Standing, note_states, reading};
use crate::shard::Shard;
use crate::trouble::Trouble;

/// A server that has not refused by then has taken the subscription; some answer only when there is something to tell.
const OPENING_PATIENCE: Duration = Duration::from_secs(5);
/// The org's clock is known to the second, and windows are cut by whole ones: what happened now is stamped before this is over.
const GRAIN: Duration = Duration::from_secs(2);
/// Most records that are read together.
const TOGETHER: usize = 2_000;

/// One channel's subscription.
#[derive(Debug)]
pub struct Subscriber {
    shard: Arc<Shard>,
    channel: Channel,
    /// Of the Pub/Sub API.
    address: String,
    standing: Arc<Standing>,
    places: Places,
    /// As it was when it was used last.
    pubsub: Option<PubSub>,
    pace: Pace,
    paced_at: Instant,
    /// Subscriptions in a row that came to nothing.
    failures: u32,
}

impl Subscriber {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(shard: Arc<Shard>, channel: Channel, address: String) -> Self {
        let standing = shard.streams.begin(&channel);
        let places = Places::new(&shard.context.hub);
        Self {
            shard,
            channel,
            address,
            standing,
            places,
            pubsub: None,
            pace: Pace::default(),
            paced_at: Instant::now(),
            failures: 0,
        }
    }

    /// Listens for ever; dropped when no sync wants it any more.
    pub async fn run(mut self) {
        let Channel { tenant, object } = self.channel.clone();
        loop {
            let span = tracing::info_span!("stream", %tenant, %object);
            let Err(ended) = self.listen().instrument(span).await;
            let step = course::after(&ended, self.failures, &self.shard.settings.stream);
            self.failures = self.failures.saturating_add(1);
            self.fall_back(&ended, &step).await;
            tokio::time::sleep(step.pause).await;
        }
    }

    /// Subscribes, and listens until that ends.
    async fn listen(&mut self) -> Result<Infallible, Ended> {
        let tenant = &self.channel.tenant;
        let client = self.shard.orgs.client(tenant).await?;
        let wire = self.shard.streams.wire(&self.address).map_err(Trouble::from)?;
        let pubsub = PubSub::new(client.clone(), &wire, self.shard.streams.schemas(tenant));
        let pubsub = self.pubsub.insert(pubsub).clone();
        let name = pubsub::channel_of(&self.channel.object);
        if !pubsub.may_subscribe(&name).await? {
            return Err(Ended::Stream(PubSubError::Refused {
                what: "the stream of change events",
                code: "can_subscribe".to_owned(),
                message: format!("this user may not subscribe to {name}"),
                verdict: StreamVerdict::PermissionLost,
            }));
        }
        let org_id = client.org_id().await.map_err(Trouble::from)?;
        let known = self.places.get(&self.channel).await.map_err(Trouble::from)?;
        let from = match known {
            Some(place) if place.org_id == org_id => From::After(place.replay_id),
            Some(_) | None => From::Now,
        };
        let silence = self.shard.settings.stream.silence;
        let mut subscription = pubsub.subscribe(&name, &from, silence).await?;
        subscription.opened(OPENING_PATIENCE).await?;
        let now = client.org_now().await.map_err(Trouble::from)?;
        tracing::info!(
            from = if from == From::Now {
                "now"
            } else {
                "where it stood"
            },
            "change events are heard"
        );
        // What was stamped by then may have been committed before anybody listened.
        self.standing.opened(now.checked_add(GRAIN).unwrap_or(now));
        note_states(&self.shard);
        // What happened while nobody listened, and what the stream has forgotten of it.
        self.ask_increments(now);
        self.collect(&client, &mut subscription).await
    }

    /// Marks what is told, and reads it once the window is over.
    async fn collect(
        &mut self,
        client: &Client,
        subscription: &mut Subscription,
    ) -> Result<Infallible, Ended> {
        let mut latest: Option<ReplayId> = None;
        let mut until: Option<Instant> = None;
        loop {
            let delivery = match until {
                None => Some(subscription.next().await?),
                Some(until) => match tokio::time::timeout_at(until, subscription.next()).await {
                    Ok(delivery) => Some(delivery?),
                    Err(_) => None,
                },
            };
            if let Some(delivery) = delivery {
                self.take(client, &delivery);
                latest = delivery.latest.or(latest);
            }
            let marks = self.standing.marks();
            if marks > 0 {
                let until = *until.get_or_insert_with(|| Instant::now() + self.window());
                if marks < TOGETHER && Instant::now() < until {
                    continue;
                }
                self.read().await?;
            }
            until = None;
            if let Some(place) = latest.take() {
                self.store(client, place).await?;
            }
        }
    }

    fn take(&self, client: &Client, delivery: &Delivery) {
        for told in &delivery.told {
            let heard = heard(&self.channel.object, told);
            let committed = match told {
                Told::Change(event) => Some(event.committed),
                Told::Unreadable(_) => None,
            };
            self.standing.mark(&heard.marks, committed);
            self.note_event(told);
            let Some(ask) = heard.ask else { continue };
            let (tenant, object) = (&self.channel.tenant, &self.channel.object);
            tracing::info!(%tenant, %object, why = ask.as_str(), ?told, "an event does not tell all; the increment is asked");
            if let Some(now) = client.clock().now() {
                self.ask_increments(now);
            }
        }
    }

    /// For how long marks are collected now.
    fn window(&mut self) -> Duration {
        let settings = &self.shard.settings.stream;
        let rate = pace::per_second(self.shard.orgs.budget(&self.channel.tenant));
        let now = Instant::now();
        self.pace = self.pace.refilled(now - self.paced_at, rate);
        self.paced_at = now;
        self.pace.window(rate, settings.window, settings.longest_window)
    }

    /// Reads what is marked.
    async fn read(&mut self) -> Result<(), Trouble> {
        let ids = self.standing.marked();
        let calls = reading::read(&self.shard, &self.channel, &ids).await?;
        self.pace = self.pace.paid(calls);
        self.standing.read(&ids);
        Ok(())
    }

    /// Remembers a place: all before it is on the bus, or was never told whole and is left to the increment.
    async fn store(&mut self, client: &Client, replay_id: ReplayId) -> Result<(), Trouble> {
        let org_id = client.org_id().await?;
        let place = Place { org_id, replay_id };
        self.places.put(&self.channel, &place).await?;
        self.failures = 0;
        Ok(())
    }

    async fn fall_back(&mut self, ended: &Ended, step: &Step) {
        let was_streaming = self.standing.state() == StreamState::Streaming;
        let reason = course::chain(ended);
        let Channel { tenant, object } = &self.channel;
        let seconds = step.pause.as_secs();
        match step.state {
            // An org without change data capture is as good as one with it.
            StreamState::NotEntitled => {
                tracing::info!(%tenant, %object, reason, again_in_s = seconds, "there are no change events; polling finds all changes");
            }
            _ => {
                tracing::warn!(%tenant, %object, reason, again_in_s = seconds, "change events do not come; polling stands in")
            }
        }
        self.standing.ended(step, reason);
        note_states(&self.shard);
        if was_streaming {
            let now = self
                .shard
                .orgs
                .made(tenant)
                .and_then(|client| client.clock().now());
            self.ask_increments(now.unwrap_or_default());
        }
        if step.forget_place
            && let Err(error) = self.places.forget(&self.channel).await
        {
            tracing::warn!(tenant = %self.channel.tenant, error = %error.chain(), "a void place in a stream cannot be forgotten yet");
        }
        if step.sign_in
            && let Some(pubsub) = &self.pubsub
            && let Err(error) = pubsub.sign_in_again().await
        {
            tracing::debug!(tenant = %self.channel.tenant, %error, "the sign-in is not renewed yet");
        }
    }

    /// Asks the increments of the object's syncs to look at once, and to pass what happened up to now.
    fn ask_increments(&self, now: Timestamp) {
        let until = now.checked_add(GRAIN).unwrap_or(now);
        for sync in reading::syncs(&self.shard, &self.channel) {
            self.shard.streams.hurry(&sync.key()).ask(until);
        }
    }

    fn note_event(&self, told: &Told) {
        let change = match told {
            Told::Change(event) => event.change.as_str(),
            Told::Unreadable(_) => "unreadable",
        };
        self.shard.metrics.change_events(change, 1);
    }
}
