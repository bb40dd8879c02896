//! Reading a lane: one durable consumer for each stage, shard and lane, fenced by the epoch of its owner's lease.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Message;
use bytes::Bytes;
use jiff::Timestamp;
use landbridge_model::{Lane, Shard};
use serde_json::json;
use tracing::{debug, error, warn};

use crate::bus::Bus;
use crate::error::Error;
use crate::headers::Headers;
use crate::lease::Epoch;
use crate::puller::{Demand, Puller, nanoseconds};
use crate::streams::Queue;
use crate::subject::{Filter, Subject};

/// How long an acknowledgement may take before it is sent again, and how often it is.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
const ACK_ATTEMPTS: u32 = 5;

/// How a lane is read.
#[derive(Clone, Copy, Debug)]
pub struct ConsumeSettings {
    /// How long a message may stay unacknowledged without a sign of progress. Long: acks may be minutes away.
    pub ack_wait: Duration,
    /// Messages of all tenants of the shard that may be in hand at once. Above lane capacity times tenants, or a slow
    /// tenant stops the shard.
    pub max_ack_pending: u32,
    /// Messages fetched by one request.
    pub fetch_messages: usize,
    /// Bytes fetched by one request; more than the largest message.
    pub fetch_bytes: usize,
}

impl Default for ConsumeSettings {
    fn default() -> Self {
        Self {
            ack_wait: Duration::from_secs(120),
            max_ack_pending: 200_000,
            fetch_messages: 16,
            fetch_bytes: 2 * 1024 * 1024,
        }
    }
}

/// Why a lane cannot be read any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// Another owner has taken the lane over: stop everything that this shard does.
    #[error("another owner has taken {0} over")]
    Fenced(String),
    /// A message was lost on its way to us (the connection broke): open the lane anew, which returns everything
    /// unacknowledged in order. What is in hand comes again, and its acks no longer count.
    #[error("deliveries of {0} were lost on the way; the lane must be opened anew")]
    Interrupted(String),
    /// The bus.
    #[error("the lane cannot be read")]
    Bus(#[from] Error),
}

/// Why a message is not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The consumer is gone: another owner has it, or it was opened anew. The message comes again.
    #[error("the consumer {0} is gone; the message comes again")]
    Fenced(String),
    /// The bus. The message may come again.
    #[error("the acknowledgement did not get through")]
    Bus(#[from] Error),
}

/// One lane of one shard, as its owner reads it.
pub struct LaneConsumer {
    bus: Bus,
    queue: Queue,
    consumer: Arc<ConsumerName>,
    puller: Puller,
    /// The consumer's own count: a hole in it is a lost message.
    last_consumer_sequence: u64,
}

impl fmt::Debug for LaneConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneConsumer")
            .field("consumer", &self.consumer)
            .finish_non_exhaustive()
    }
}

/// `<stage>_<shard>_<lane>_e<epoch>_<generation>`: every owner has its own, and every time it opens the lane.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ConsumerName {
    stream: &'static str,
    family: String,
    epoch: u64,
    generation: u64,
}

impl ConsumerName {
    /// Reads a name of the same family; others are nobody's business here.
    fn parse(family: &str, name: &str) -> Option<(u64, u64)> {
        let (epoch, generation) = name.strip_prefix(family)?.strip_prefix("_e")?.split_once('_')?;
        Some((epoch.parse().ok()?, generation.parse().ok()?))
    }

    fn next_generation(&self) -> Self {
        Self {
            generation: self.generation + 1,
            ..self.clone()
        }
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_e{}_{}", self.family, self.epoch, self.generation)
    }
}

impl LaneConsumer {
    /// Opens a lane for the owner of `epoch`: removes the consumers of earlier epochs, which returns all that they
    /// had not acknowledged, and creates its own. Refused if a later epoch has been here.
    pub async fn open(
        bus: &Bus,
        queue: Queue,
        shard: Shard,
        lane: Lane,
        epoch: Epoch,
        settings: ConsumeSettings,
    ) -> Result<Self, ConsumeError> {
        let stream = queue.stream().as_str();
        let family = format!("{}_{shard}_{lane}", queue.reader());
        let mut name = ConsumerName {
            stream,
            family,
            epoch: epoch.0,
            generation: 1,
        };
        for existing in bus.api().consumer_names(stream).await? {
            let Some((epoch, generation)) = ConsumerName::parse(&name.family, &existing) else {
                continue;
            };
            if epoch > name.epoch {
                return Err(ConsumeError::Fenced(existing));
            }
            if epoch == name.epoch {
                name.generation = name.generation.max(generation + 1);
            }
            debug!(consumer = existing, "removing an earlier owner's consumer");
            bus.api().delete_consumer(stream, &existing).await?;
        }
        let filter = Filter::lane(queue, shard, lane).pattern;
        let mut attempts = 0;
        loop {
            let text = name.to_string();
            let config = json!({
                "name": text,
                "durable_name": text,
                "deliver_policy": "all",
                "ack_policy": "explicit",
                "ack_wait": nanoseconds(settings.ack_wait),
                "max_deliver": -1,
                "filter_subject": filter,
                "replay_policy": "instant",
                "max_ack_pending": settings.max_ack_pending,
                "max_waiting": 64,
                "num_replicas": 0,
            });
            match bus.api().create_consumer(stream, &text, &config).await {
                Ok(_) => break,
                // No answer: it may be there all the same, so the next try has another name and removes this one.
                Err(Error::Timeout | Error::NoResponders(_)) if attempts < ACK_ATTEMPTS => {
                    attempts += 1;
                    bus.api().delete_consumer(stream, &text).await?;
                    name = name.next_generation();
                }
                Err(error) if is_overlap(&error) => return Err(ConsumeError::Fenced(text)),
                Err(error) => return Err(error.into()),
            }
        }
        let demand = Demand {
            messages: settings.fetch_messages,
            bytes: settings.fetch_bytes,
        };
        let puller = Puller::new(bus.api().clone(), stream, &name.to_string(), demand).await?;
        debug!(consumer = %name, "opened");
        Ok(Self {
            bus: bus.clone(),
            queue,
            consumer: Arc::new(name),
            puller,
            last_consumer_sequence: 0,
        })
    }

    /// The next message. Can be dropped at any await without losing one.
    pub async fn next(&mut self) -> Result<Delivery, ConsumeError> {
        loop {
            let Some((message, info)) = self.puller.next().await? else {
                return Err(ConsumeError::Fenced(self.consumer.to_string()));
            };
            if info.consumer_sequence != self.last_consumer_sequence + 1 {
                warn!(consumer = %self.consumer, expected = self.last_consumer_sequence + 1,
                    found = info.consumer_sequence, "deliveries were lost on the way");
                return Err(ConsumeError::Interrupted(self.consumer.to_string()));
            }
            self.last_consumer_sequence = info.consumer_sequence;
            self.bus
                .inner
                .metrics
                .delivered(self.queue.stream(), info.deliveries);
            let acker = Acker {
                bus: self.bus.clone(),
                consumer: self.consumer.clone(),
                reply: message.reply.as_deref().unwrap_or_default().to_owned(),
            };
            match self.typed(message, info, acker) {
                Ok(delivery) => return Ok(delivery),
                // A subject of a version that we do not know. Nobody else may read it meanwhile: leave it in place.
                Err(subject) => error!(subject, consumer = %self.consumer, "a message that cannot be placed"),
            }
        }
    }

    fn typed(
        &self,
        message: Message,
        info: crate::puller::DeliveryInfo,
        acker: Acker,
    ) -> Result<Delivery, String> {
        let subject: Subject = message.subject.parse().map_err(|_| message.subject.to_string())?;
        Ok(Delivery {
            subject,
            sequence: info.stream_sequence,
            deliveries: info.deliveries,
            published: info.published,
            headers: Headers::from_nats(message.headers.as_ref()),
            payload: message.payload,
            acker,
        })
    }
}

/// JetStream: two consumers of a work queue may not overlap. Here: a later owner created its own since we looked.
fn is_overlap(error: &Error) -> bool {
    error.has_code(10100) || error.has_code(10099)
}

/// A message in hand.
#[derive(Debug)]
pub struct Delivery {
    /// Where it was published.
    pub subject: Subject,
    /// Its place in the stream: the order of a tenant's lane is the order of these.
    pub sequence: u64,
    /// How often it has been delivered by this consumer, this time included.
    pub deliveries: u64,
    /// When the stream took it, by the server's clock.
    pub published: Timestamp,
    /// Its headers.
    pub headers: Headers,
    /// Its content.
    pub payload: Bytes,
    /// What to do with it in the end.
    pub acker: Acker,
}

/// The right to settle one message.
#[derive(Clone)]
pub struct Acker {
    bus: Bus,
    consumer: Arc<ConsumerName>,
    reply: String,
}

impl fmt::Debug for Acker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acker({})", self.reply)
    }
}

impl Acker {
    /// Takes the message off the lane, and waits for the server's word that it is off.
    pub async fn ack(&self) -> Result<(), AckError> {
        let mut pause = Duration::from_millis(20);
        let mut attempt = 1;
        loop {
            let api = self.bus.api();
            let error = match api
                .request(self.reply.clone(), None, Bytes::from_static(b"+ACK"), ACK_TIMEOUT)
                .await
            {
                Ok(_) => return Ok(()),
                Err(error @ (Error::Timeout | Error::NoResponders(_))) => error,
                Err(error) => return Err(error.into()),
            };
            // Nobody listens: either the consumer is gone, or its leader is being elected.
            if matches!(error, Error::NoResponders(_))
                && !api
                    .consumer_exists(self.consumer.stream, &self.consumer.to_string())
                    .await?
            {
                return Err(AckError::Fenced(self.consumer.to_string()));
            }
            if attempt == ACK_ATTEMPTS {
                return Err(error.into());
            }
            attempt += 1;
            tokio::time::sleep(pause).await;
            pause *= 3;
        }
    }

    /// Says that the work goes on: the message's `ack_wait` starts anew.
    pub async fn progress(&self) -> Result<(), Error> {
        self.tell(Bytes::from_static(b"+WPI")).await
    }

    /// Gives the message back, to be delivered again after `delay`. What lies behind it is delivered first: give back
    /// only the tail of a queue, and take nothing newer until all of it is back.
    pub async fn give_back(&self, delay: Duration) -> Result<(), Error> {
        let body = format!("-NAK {{\"delay\": {}}}", nanoseconds(delay));
        self.tell(body.into()).await
    }

    async fn tell(&self, words: Bytes) -> Result<(), Error> {
        let sent = self.bus.api().client.publish(self.reply.clone(), words).await;
        sent.map_err(|e| Error::Closed(Some(e.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_epoch_and_generation() {
        let name = ConsumerName {
            stream: "LB_WRITES",
            family: "loader_3_live".into(),
            epoch: 71,
            generation: 2,
        };
        assert_eq!(name.to_string(), "loader_3_live_e71_2");
        assert_eq!(
            ConsumerName::parse("loader_3_live", "loader_3_live_e71_2"),
            Some((71, 2))
        );
        for other in [
            "loader_33_live_e71_2",
            "loader_3_bulk_e71_2",
            "loader_3_live",
            "loader_3_live_ex_2",
        ] {
            assert_eq!(ConsumerName::parse("loader_3_live", other), None, "{other}");
        }
    }
}
