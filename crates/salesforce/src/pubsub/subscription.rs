//! One subscription: credit goes out, events come in.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, Streaming};

use super::PubSub;
use super::error::PubSubError;
use super::event::{ChangeEvent, ReplayId, Told};
use super::proto::{ConsumerEvent, FetchRequest, FetchResponse, ReplayPreset};
use crate::calls::Family;

/// Events that may be owed to a subscriber at most; more are taken for as many.
const CREDIT: i32 = 100;
/// When no more are owed than this, more are asked for. A stream that is owed nothing is closed after 60 s.
const LOW: i32 = 50;
/// A stream that says nothing for so long is dead: without events there is a sign of life each 270 s.
pub const SILENCE: Duration = Duration::from_secs(300);

const WHAT: &str = "the stream of change events";

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// With what happens from now on.
    Now,
    /// Behind a place.
    After(ReplayId),
}

/// What came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// In the order of their commits. None in a sign of life.
    pub told: Vec<Told>,
    /// The place behind all of them. It may be newer than any event.
    pub latest: Option<ReplayId>,
}

type Opening = Pin<Box<dyn Future<Output = Result<Response<Streaming<FetchResponse>>, Status>> + Send>>;

enum Stream {
    /// Some servers answer only when there is something to tell.
    Opening(Opening),
    Open(Box<Streaming<FetchResponse>>),
}

/// One channel, from a place on. It ends when it is dropped.
pub struct Subscription {
    pubsub: PubSub,
    channel: String,
    asks: mpsc::Sender<FetchRequest>,
    stream: Stream,
    /// Events that are owed to us yet.
    owed: i32,
    /// What came and is not handed on: its schemas may have to be fetched first.
    came: Option<FetchResponse>,
    last_sign: Instant,
    silence: Duration,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("channel", &self.channel)
            .field("owed", &self.owed)
            .finish_non_exhaustive()
    }
}

impl PubSub {
    /// Subscribes to a channel. What Salesforce says to it comes with the first [`Subscription::next`].
    pub async fn subscribe(
        &self,
        channel: &str,
        from: &From,
        silence: Duration,
    ) -> Result<Subscription, PubSubError> {
        let (replay_preset, replay_id) = match from {
            From::Now => (ReplayPreset::Latest, Vec::new()),
            From::After(place) => (ReplayPreset::Custom, place.as_bytes().to_vec()),
        };
        let first = FetchRequest {
            topic_name: channel.to_owned(),
            replay_preset: replay_preset.into(),
            replay_id,
            num_requested: CREDIT,
            auth_refresh: String::new(),
        };
        let (asks, requests) = mpsc::channel(4);
        // There is room for it: the channel is new.
        asks.try_send(first).map_err(|_| PubSubError::Ended)?;
        let request = self.request(ReceiverStream::new(requests)).await?;
        self.client.calls().count(Family::PubSub);
        let mut grpc = self.grpc.clone();
        let opening = Box::pin(async move { grpc.subscribe(request).await });
        Ok(Subscription {
            pubsub: self.clone(),
            channel: channel.to_owned(),
            asks,
            stream: Stream::Opening(opening),
            owed: CREDIT,
            came: None,
            last_sign: Instant::now(),
            silence,
        })
    }
}

impl Subscription {
    /// Waits for so long whether Salesforce refuses the subscription. A server that answers only when it has something to
    /// tell is taken at its silence.
    pub async fn opened(&mut self, patience: Duration) -> Result<(), PubSubError> {
        match tokio::time::timeout(patience, self.open()).await {
            Ok(opened) => opened.map(|_| ()),
            Err(_) => Ok(()),
        }
    }

    /// What comes next; an empty delivery is a sign of life. May be given up at any moment without a loss. Whoever does
    /// not ask gives no credit, so that Salesforce holds back what would be too much.
    pub async fn next(&mut self) -> Result<Delivery, PubSubError> {
        let came = match self.came.take() {
            Some(came) => came,
            None => self.hear().await?,
        };
        // Kept until it is read: schemas may have to be fetched first, and whoever waits may give up meanwhile.
        let came = self.came.insert(came);
        let delivery = self.pubsub.read(came).await?;
        self.came = None;
        Ok(delivery)
    }

    async fn hear(&mut self) -> Result<FetchResponse, PubSubError> {
        self.give_credit();
        let deadline = self.last_sign + self.silence;
        let silent = |_| PubSubError::Silent { what: WHAT };
        let message = async { self.open().await?.message().await.map_err(refused) };
        let came = tokio::time::timeout_at(deadline, message)
            .await
            .map_err(silent)??;
        let came = came.ok_or(PubSubError::Ended)?;
        self.last_sign = Instant::now();
        let events = i32::try_from(came.events.len()).unwrap_or(CREDIT);
        // What the server counts may be older than our last request: the smaller number is safe.
        self.owed = (self.owed - events).min(came.pending_num_requested.max(0));
        Ok(came)
    }

    async fn open(&mut self) -> Result<&mut Streaming<FetchResponse>, PubSubError> {
        if let Stream::Opening(opening) = &mut self.stream {
            let answer = opening.await.map_err(refused)?;
            self.stream = Stream::Open(Box::new(answer.into_inner()));
        }
        match &mut self.stream {
            Stream::Open(stream) => Ok(stream),
            Stream::Opening(_) => Err(PubSubError::Ended),
        }
    }

    fn give_credit(&mut self) {
        if self.owed > LOW {
            return;
        }
        let more = FetchRequest {
            topic_name: self.channel.clone(),
            num_requested: CREDIT - self.owed,
            ..FetchRequest::default()
        };
        // A queue that is full holds requests enough; one that is closed belongs to a stream that says so itself.
        if self.asks.try_send(more).is_ok() {
            self.owed = CREDIT;
        }
    }
}

impl PubSub {
    async fn read(&self, came: &FetchResponse) -> Result<Delivery, PubSubError> {
        let mut told = Vec::with_capacity(came.events.len());
        for event in &came.events {
            told.push(self.tell(event).await?);
        }
        Ok(Delivery {
            told,
            latest: ReplayId::new(came.latest_replay_id.clone()).or_else(|| last_place(&came.events)),
        })
    }

    async fn tell(&self, event: &ConsumerEvent) -> Result<Told, PubSubError> {
        let Some(event) = &event.event else {
            return Ok(Told::Unreadable("an event without content".to_owned()));
        };
        let id = event.schema_id.as_str();
        let schema = match self.schemas.get(id, || self.schema_json(id)).await {
            Ok(schema) => schema,
            // Neither another connection nor another try makes it one of change events.
            Err(error @ PubSubError::Schema { .. }) => return Ok(Told::Unreadable(error.to_string())),
            Err(error) => return Err(error),
        };
        Ok(match ChangeEvent::decode(&schema, &event.payload) {
            Ok(change) => Told::Change(change),
            Err(reason) => Told::Unreadable(format!("event {} of schema {id}: {reason}", event.id)),
        })
    }
}

fn refused(status: Status) -> PubSubError {
    PubSubError::refused(WHAT, &status)
}

fn last_place(events: &[ConsumerEvent]) -> Option<ReplayId> {
    events
        .last()
        .and_then(|event| ReplayId::new(event.replay_id.clone()))
}
