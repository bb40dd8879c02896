//! The pull protocol: one request for messages at a time, renewed when it is used up or silent.
//!
//! The client library has a reader of its own, but one that loses what it has buffered when it must be made anew, and
//! lost messages come back only after `ack_wait`, behind newer ones.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use futures::StreamExt;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;
use tracing::debug;

use crate::api::Api;
use crate::error::Error;

const EXPIRES: Duration = Duration::from_secs(20);
const HEARTBEAT: Duration = Duration::from_secs(4);
/// Two heartbeats and some: after this silence the request is taken for lost.
const SILENCE: Duration = Duration::from_secs(9);
/// How often, while nothing comes, the connection is looked at: a request does not survive a reconnection.
const LOOK: Duration = Duration::from_millis(500);
/// Pause after the server could not serve a request (its leader is being elected).
const PAUSE: Duration = Duration::from_millis(100);

/// How much one request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// What the server says about a delivered message in its reply subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryInfo {
    pub(crate) deliveries: u64,
    pub(crate) stream_sequence: u64,
    pub(crate) consumer_sequence: u64,
    pub(crate) published: Timestamp,
    pub(crate) pending: u64,
}

impl DeliveryInfo {
    /// Reads `$JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<consumer seq>.<nanoseconds>.<pending>`, or the longer
    /// form with domain and account in front (and a random token behind).
    pub(crate) fn parse(reply: &str) -> Option<Self> {
        let tokens: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let numbers = match tokens.len() {
            7 => &tokens[2..7],
            9.. => &tokens[4..9],
            _ => return None,
        };
        let number = |at: usize| numbers[at].parse::<u64>().ok();
        Some(Self {
            deliveries: number(0)?,
            stream_sequence: number(1)?,
            consumer_sequence: number(2)?,
            published: Timestamp::from_nanosecond(i128::from(number(3)?)).ok()?,
            pending: number(4)?,
        })
    }
}

pub(crate) struct Puller {
    api: Api,
    stream: String,
    consumer: String,
    demand: Demand,
    inbox: String,
    replies: Subscriber,
    /// Numbers the requests, so that an old one's end is not taken for the present one's.
    request: u64,
    outstanding: usize,
    /// Which connection it was made on, by the client's count.
    connection: u64,
    heard: Instant,
    must_pause: bool,
}

impl Puller {
    pub(crate) async fn new(api: Api, stream: &str, consumer: &str, demand: Demand) -> Result<Self, Error> {
        let inbox = api.client.new_inbox();
        let subscribed = api.client.subscribe(format!("{inbox}.*")).await;
        let replies = subscribed.map_err(|e| Error::Closed(Some(e.into())))?;
        Ok(Self {
            api,
            stream: stream.to_owned(),
            consumer: consumer.to_owned(),
            demand,
            inbox,
            replies,
            request: 0,
            outstanding: 0,
            connection: 0,
            heard: Instant::now(),
            must_pause: false,
        })
    }

    /// The next message, or `None` when the consumer is not there any more. Can be dropped at any await without losing
    /// a message.
    pub(crate) async fn next(&mut self) -> Result<Option<(Message, DeliveryInfo)>, Error> {
        loop {
            if self.must_pause {
                tokio::time::sleep(PAUSE).await;
                self.must_pause = false;
            }
            if self.outstanding == 0 {
                self.ask().await?;
            }
            let message = match tokio::time::timeout(LOOK, self.replies.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Err(Error::Closed(None)),
                Err(_) => {
                    if self.is_lost() {
                        debug!(consumer = self.consumer, "a pull is lost; asking again");
                        self.outstanding = 0;
                        if !self.still_there().await {
                            return Ok(None);
                        }
                    }
                    continue;
                }
            };
            self.heard = Instant::now();
            match message.status {
                None | Some(StatusCode::OK) => {
                    self.outstanding = self.outstanding.saturating_sub(1);
                    if let Some(info) = message.reply.as_deref().and_then(DeliveryInfo::parse) {
                        return Ok(Some((message, info)));
                    }
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(status) => {
                    if self.ended(&message, status).await {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// One request more.
    async fn ask(&mut self) -> Result<(), Error> {
        let number = self.request + 1;
        self.connection = self.connections();
        self.heard = Instant::now();
        let body = json!({
            "batch": self.demand.messages,
            "max_bytes": self.demand.bytes,
            "expires": nanoseconds(EXPIRES),
            "idle_heartbeat": nanoseconds(HEARTBEAT),
        });
        let payload = serde_json::to_vec(&body).map_err(|e| Error::undecodable("the request", e))?;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream, self.consumer);
        let reply = format!("{}.{number}", self.inbox);
        let sent = self
            .api
            .client
            .publish_with_reply(subject, reply, payload.into())
            .await;
        sent.map_err(|e| Error::Closed(Some(e.into())))?;
        self.request = number;
        self.outstanding = self.demand.messages;
        Ok(())
    }

    /// A request's end: says whether the consumer is gone.
    async fn ended(&mut self, message: &Message, status: StatusCode) -> bool {
        let words = message.description.as_deref().unwrap_or_default();
        if words == "Consumer Deleted" {
            return true;
        }
        let current = message
            .subject
            .rsplit('.')
            .next()
            .and_then(|token| token.parse().ok());
        if current != Some(self.request) {
            return false; // an earlier request's end
        }
        self.outstanding = 0;
        if status == StatusCode::NO_RESPONDERS {
            if !self.still_there().await {
                return true;
            }
            self.must_pause = true;
        } else if status != StatusCode::TIMEOUT && !words.starts_with("Message Size Exceeds MaxBytes") {
            debug!(consumer = self.consumer, %status, words, "a pull ended");
            self.must_pause = words != "Batch Completed";
        }
        false
    }

    /// Whether the outstanding request will never be answered.
    fn is_lost(&self) -> bool {
        self.connections() != self.connection || self.heard.elapsed() > SILENCE
    }

    fn connections(&self) -> u64 {
        self.api.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Whether the consumer exists; while the server cannot say, it is taken to.
    async fn still_there(&self) -> bool {
        self.api
            .consumer_exists(&self.stream, &self.consumer)
            .await
            .unwrap_or(true)
    }
}

/// How the server takes durations.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_subjects_are_read_in_both_forms() {
        let expected = DeliveryInfo {
            deliveries: 2,
            stream_sequence: 41,
            consumer_sequence: 7,
            published: Timestamp::from_nanosecond(1_700_000_000_000_000_000).unwrap(),
            pending: 3,
        };
        for reply in [
            "$JS.ACK.LB_WRITES.loader_3_live_e7_1.2.41.7.1700000000000000000.3",
            "$JS.ACK.hub.ACCT.LB_WRITES.loader_3_live_e7_1.2.41.7.1700000000000000000.3.x9",
        ] {
            assert_eq!(DeliveryInfo::parse(reply), Some(expected));
        }
        assert_eq!(DeliveryInfo::parse("_INBOX.abc"), None);
    }
}
