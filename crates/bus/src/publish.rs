//! Publishing: one message in flight per lane, repeated with the same id until it is stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::bus::Bus;
use crate::error::{Error, Verdict};
use crate::headers::Headers;
use crate::streams::StreamName;
use crate::subject::Subject;

/// How long a stream may take to acknowledge before the same message is sent again.
const ACK_TIMEOUT: Duration = Duration::from_millis(1500);
/// First and longest pause before a message is sent again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_secs(1));
/// A publisher that waits longer than this for anything but a full lane says so.
const WORTH_A_WARNING: Duration = Duration::from_secs(5);

/// The identity of a message, made of its cause and its content, never of a position alone: a page that is read again
/// can hold different rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// Hashes parts; where one part ends and the next begins counts.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hex::encode(&hash.finalize()[..16]))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is published.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its identity.
    pub id: MessageId,
    /// The encoded content.
    pub payload: Bytes,
    /// Headers of the sender's own. The trace context is added when it is published.
    pub headers: Headers,
}

impl Message {
    /// A message whose id is the hash of `cause` and the payload.
    pub fn new(cause: &str, payload: impl Into<Bytes>) -> Self {
        let payload = payload.into();
        Self {
            id: MessageId::of([cause.as_bytes(), &payload]),
            payload,
            headers: Headers::new(),
        }
    }
}

/// A stream's word that it has a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PubAck {
    /// The message's place in its stream.
    pub sequence: u64,
    /// Whether the stream had it already.
    pub duplicate: bool,
}

/// Why a message can never be stored.
#[derive(Debug, thiserror::Error)]
#[error("{subject} does not take the message")]
pub struct PublishError {
    /// Where it should have gone.
    pub subject: Subject,
    /// Why it did not.
    #[source]
    pub source: Error,
}

/// The only publisher of one lane's subject.
///
/// `publish` takes `&mut self`, since one message at a time is what keeps a lane in order.
#[derive(Debug)]
pub struct LanePublisher {
    bus: Bus,
    subject: Subject,
}

impl LanePublisher {
    /// For one subject. A second publisher of the same subject would break the order: see to it that there is none.
    pub fn new(bus: &Bus, subject: Subject) -> Self {
        Self {
            bus: bus.clone(),
            subject,
        }
    }

    /// Where it publishes.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Stores the message, however long the lane is full or the bus is away. To cancel it, drop the future: the
    /// message may or may not be stored then, so do not acknowledge its cause.
    pub async fn publish(&mut self, message: &Message) -> Result<PubAck, PublishError> {
        self.bus.publish(&self.subject, message).await
    }
}

/// Publishers by subject, made when they are first needed. Callers of one subject take turns, in the order in which
/// they came.
#[derive(Clone, Debug)]
pub struct LanePublishers {
    bus: Bus,
    lanes: Arc<parking::Lanes>,
}

mod parking {
    //! The map is locked for a look-up only, never across an await.
    use super::{Arc, HashMap, LanePublisher, Subject};

    #[derive(Debug, Default)]
    pub(super) struct Lanes(std::sync::Mutex<HashMap<Subject, Arc<tokio::sync::Mutex<LanePublisher>>>>);

    impl Lanes {
        pub(super) fn of(
            &self,
            subject: &Subject,
            make: impl FnOnce() -> LanePublisher,
        ) -> Arc<tokio::sync::Mutex<LanePublisher>> {
            let mut lanes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match lanes.get(subject) {
                Some(lane) => lane.clone(),
                None => {
                    let lane = Arc::new(tokio::sync::Mutex::new(make()));
                    lanes.insert(subject.clone(), lane.clone());
                    lane
                }
            }
        }
    }
}

impl LanePublishers {
    /// None yet.
    pub fn new(bus: &Bus) -> Self {
        Self {
            bus: bus.clone(),
            lanes: Arc::default(),
        }
    }

    /// Stores a message behind all that callers have already handed in for its subject.
    pub async fn publish(&self, subject: &Subject, message: &Message) -> Result<PubAck, PublishError> {
        let lane = self
            .lanes
            .of(subject, || LanePublisher::new(&self.bus, subject.clone()));
        lane.lock_owned().await.publish(message).await
    }
}

impl Bus {
    /// Stores one message, outside any lane's order: outcomes, parked links, failures and the other memories.
    /// Waits and repeats like [`LanePublisher::publish`].
    pub async fn publish(&self, subject: &Subject, message: &Message) -> Result<PubAck, PublishError> {
        let text = subject.to_string();
        let headers = self.message_headers(&text, subject.stream(), message);
        let started = Instant::now();
        let mut pause = PAUSE.0;
        let mut warned = false;
        loop {
            let attempt = self
                .api()
                .publish(&text, headers.clone(), message.payload.clone(), ACK_TIMEOUT);
            let error = match attempt.await {
                Ok(ack) => {
                    self.inner
                        .metrics
                        .published(subject.stream(), message.payload.len());
                    if pause > PAUSE.0 {
                        self.inner
                            .metrics
                            .waited(subject.stream(), started.elapsed().as_secs_f64());
                    }
                    return Ok(ack);
                }
                Err(error) if error.verdict() == Verdict::Retry => error,
                Err(source) => {
                    return Err(PublishError {
                        subject: subject.clone(),
                        source,
                    });
                }
            };
            if !error.is_lane_full() && !warned && started.elapsed() > WORTH_A_WARNING {
                warned = true;
                warn!(subject = text, error = %error, "cannot publish; trying on");
            } else {
                debug!(subject = text, error = %error, "not stored yet");
            }
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// The server's memory of ids is one for a whole stream, so the subject is part of the id. Only queues have ids: a
    /// memory that was told, made to forget and told the same again must remember it.
    fn message_headers(&self, subject: &str, stream: StreamName, message: &Message) -> HeaderMap {
        let mut headers = message.headers.clone();
        headers.inject_current_span();
        let mut map = headers.to_nats();
        if self.inner.config.deduplication && stream.is_queue() {
            let id = MessageId::of([subject.as_bytes(), message.id.as_str().as_bytes()]);
            map.insert(async_nats::header::NATS_MESSAGE_ID, id.as_str());
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hash_cause_and_content() {
        let id = |cause: &str, payload: &'static str| Message::new(cause, payload).id;
        assert_eq!(id("page 1", "rows"), id("page 1", "rows"));
        assert_ne!(
            id("page 1", "rows"),
            id("page 1", "other rows"),
            "a page read again can hold other rows"
        );
        assert_ne!(id("page 1", "rows"), id("page 2", "rows"));
        assert_ne!(id("ab", "c"), id("a", "bc"), "where a part ends counts");
    }
}
