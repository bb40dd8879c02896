//! The server's request interface, reduced to what the rest of the crate needs.

use std::time::Duration;

use async_nats::{Client, HeaderMap, RequestErrorKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::error::{CONSUMER_NOT_FOUND, Error, NO_MESSAGE_FOUND, STREAM_NOT_FOUND};
use crate::headers::Headers;
use crate::publish::PubAck;

/// How long the server may think about an administrative request, attempt by attempt. All of them may be repeated; the
/// first is brief, since a request that a broken connection swallowed is never answered.
const ATTEMPTS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(5),
];
/// Pause when nobody serves the interface: JetStream is starting, or electing a leader.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a look may take that is repeated anyway.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// One connection, seen as JetStream's request interface.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) client: Client,
}

/// What the server says when it refuses.
#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct RawAck {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<Refused>,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let Refused {
            code,
            err_code,
            description,
        } = refused;
        Self::Refused {
            code,
            error_code: err_code,
            description,
        }
    }
}

impl Api {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// A plain request with a deadline of its own.
    pub(crate) async fn request(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<async_nats::Message, Error> {
        let mut request = async_nats::Request::new().payload(payload).timeout(Some(timeout));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        match self.client.send_request(subject.clone(), request).await {
            Ok(reply) => Ok(reply),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::TimedOut => Error::Timeout,
                RequestErrorKind::NoResponders => Error::NoResponders(subject),
                RequestErrorKind::MaxPayloadExceeded => Error::TooLarge(error.into()),
                _ => Error::Closed(Some(error.into())),
            }),
        }
    }

    /// A request to JetStream's own interface: `$JS.API.<call>`.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        call: String,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let mut last = Error::Timeout;
        for timeout in ATTEMPTS {
            match self.call_within(timeout, call.clone(), body).await {
                Err(error @ Error::Timeout) => last = error,
                Err(error @ Error::NoResponders(_)) => {
                    last = error;
                    tokio::time::sleep(PAUSE).await;
                }
                answered => return answered,
            }
        }
        Err(last)
    }

    /// One attempt.
    pub(crate) async fn call_within<T: DeserializeOwned>(
        &self,
        timeout: Duration,
        call: String,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let payload = serde_json::to_vec(body).map_err(|e| Error::undecodable("the request", e))?;
        let subject = format!("$JS.API.{call}");
        let reply = self.request(subject, None, payload.into(), timeout).await?;
        let mut value: Value = serde_json::from_slice(&reply.payload)
            .map_err(|e| Error::undecodable(format!("the answer to {call}"), e))?;
        if let Some(error) = value.get_mut("error").map(Value::take) {
            let refused: Refused = serde_json::from_value(error)
                .map_err(|e| Error::undecodable(format!("the refusal of {call}"), e))?;
            return Err(refused.into());
        }
        serde_json::from_value(value).map_err(|e| Error::undecodable(format!("the answer to {call}"), e))
    }

    /// Publishes once and waits for the stream's word.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<PubAck, Error> {
        let reply = self
            .request(subject.to_owned(), Some(headers), payload, timeout)
            .await?;
        let ack: RawAck = serde_json::from_slice(&reply.payload)
            .map_err(|e| Error::undecodable(format!("the acknowledgement of {subject}"), e))?;
        match ack.error {
            Some(refused) => Err(refused.into()),
            None => Ok(PubAck {
                sequence: ack.seq,
                duplicate: ack.duplicate,
            }),
        }
    }

    /// The newest message of a subject, asked of the stream's leader, so never a stale one.
    pub(crate) async fn last(&self, stream: &str, subject: &str) -> Result<Option<Newest>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            message: RawMessage,
        }
        #[derive(Deserialize)]
        struct RawMessage {
            subject: String,
            seq: u64,
            time: jiff::Timestamp,
            #[serde(default)]
            hdrs: String,
            #[serde(default)]
            data: String,
        }
        let decode = |text: &str| {
            BASE64
                .decode(text)
                .map_err(|e| Error::undecodable(format!("the message of {subject}"), e))
        };
        let body = json!({ "last_by_subj": subject });
        match self
            .call::<Answer>(format!("STREAM.MSG.GET.{stream}"), &body)
            .await
        {
            Ok(Answer { message }) => Ok(Some(Newest {
                subject: message.subject.clone(),
                sequence: message.seq,
                time: message.time,
                headers: parse_headers(&decode(&message.hdrs)?),
                payload: decode(&message.data)?.into(),
            })),
            Err(error) if error.has_code(NO_MESSAGE_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes messages of one subject pattern; with `below`, only those of lower sequences.
    pub(crate) async fn purge(&self, stream: &str, pattern: &str, below: Option<u64>) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Purged {
            purged: u64,
        }
        let mut body = json!({ "filter": pattern });
        if let Some(sequence) = below {
            body["seq"] = sequence.into();
        }
        let purged: Purged = self.call(format!("STREAM.PURGE.{stream}"), &body).await?;
        Ok(purged.purged)
    }

    /// How many messages each subject of a pattern holds. The cost grows with the subjects that match.
    pub(crate) async fn counts(&self, stream: &str, pattern: &str) -> Result<Vec<(String, u64)>, Error> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(default)]
            total: usize,
            state: State,
        }
        #[derive(Deserialize)]
        struct State {
            #[serde(default)]
            subjects: Option<std::collections::BTreeMap<String, u64>>,
        }
        let mut counts = Vec::new();
        loop {
            let body = json!({ "subjects_filter": pattern, "offset": counts.len() });
            let info: Info = self.call(format!("STREAM.INFO.{stream}"), &body).await?;
            let page = info.state.subjects.unwrap_or_default();
            let ended = page.is_empty();
            counts.extend(page);
            if ended || counts.len() >= info.total {
                return Ok(counts);
            }
        }
    }

    /// Whether a consumer is (still) there.
    pub(crate) async fn consumer_exists(&self, stream: &str, consumer: &str) -> Result<bool, Error> {
        let call = format!("CONSUMER.INFO.{stream}.{consumer}");
        match self.call_within::<Value>(LOOK_TIMEOUT, call, &json!({})).await {
            Ok(_) => Ok(true),
            Err(error) if error.has_code(CONSUMER_NOT_FOUND) || error.has_code(STREAM_NOT_FOUND) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The names of a stream's consumers.
    pub(crate) async fn consumer_names(&self, stream: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Names {
            #[serde(default)]
            total: usize,
            #[serde(default)]
            consumers: Option<Vec<String>>,
        }
        let mut names = Vec::new();
        loop {
            let body = json!({ "offset": names.len() });
            let page: Names = self.call(format!("CONSUMER.NAMES.{stream}"), &body).await?;
            let consumers = page.consumers.unwrap_or_default();
            let ended = consumers.is_empty();
            names.extend(consumers);
            if ended || names.len() >= page.total {
                return Ok(names);
            }
        }
    }

    /// Removes a consumer; one that is not there is as good as removed.
    pub(crate) async fn delete_consumer(&self, stream: &str, consumer: &str) -> Result<(), Error> {
        match self
            .call::<Value>(format!("CONSUMER.DELETE.{stream}.{consumer}"), &json!({}))
            .await
        {
            Err(error) if !error.has_code(CONSUMER_NOT_FOUND) => Err(error),
            _ => Ok(()),
        }
    }

    /// Creates a consumer, and fails if there is one of the name with other settings. Gives what is pending for it.
    pub(crate) async fn create_consumer(
        &self,
        stream: &str,
        name: &str,
        config: &Value,
    ) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(default)]
            num_pending: u64,
        }
        let body = json!({ "stream_name": stream, "config": config, "action": "create" });
        let created: Created = self
            .call(format!("CONSUMER.CREATE.{stream}.{name}"), &body)
            .await?;
        Ok(created.num_pending)
    }
}

/// A subject's newest message.
#[derive(Debug)]
pub(crate) struct Newest {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) time: jiff::Timestamp,
    pub(crate) headers: Headers,
    pub(crate) payload: Bytes,
}

/// Reads headers as the server stores them: a version line, then `name: text` lines.
fn parse_headers(bytes: &[u8]) -> Headers {
    let text = String::from_utf8_lossy(bytes);
    let mut headers = Headers::new();
    for (name, text) in text.split("\r\n").skip(1).filter_map(|line| line.split_once(':')) {
        headers.set(name, text.trim());
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_headers_are_read() {
        let headers = parse_headers(b"NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL:1m0s\r\n\r\n");
        assert_eq!(headers.get("Nats-Marker-Reason"), Some("MaxAge"));
        assert_eq!(headers.get("Nats-TTL"), Some("1m0s"));
        assert_eq!(parse_headers(b""), Headers::new());
    }
}
