//! Asking the owner of a shard, outside the lanes: a question, and an answer of any length before a deadline.

use std::fmt;
use std::time::Duration;

use async_nats::{HeaderMap, StatusCode, Subscriber};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use landbridge_model::{Shard, StageKind};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::bus::Bus;
use crate::error::{Error, Verdict};
use crate::headers::Headers;

/// The largest part of an answer in one message; the server takes 1 MiB by default.
const PART: usize = 900 * 1024;
/// Headers of the protocol: how many milliseconds the asker waits, what a message is, and why there is no answer.
const DEADLINE: &str = "Landbridge-Deadline-Ms";
const KIND: &str = "Landbridge-Part";
const REFUSAL: &str = "Landbridge-Refusal";
/// First and longest pause before a shard without an owner is asked again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which stage is asked.
    pub stage: StageKind,
    /// Whose owner is asked.
    pub shard: Shard,
    /// What is asked, one token.
    pub service: String,
    /// The encoded question.
    pub payload: Bytes,
    /// How long the asker waits for the whole answer.
    pub deadline: Duration,
    /// Whether to ask again, until the deadline, while the shard has no owner (it may be changing hands).
    pub patient: bool,
}

/// Why a question is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// No such service here.
    Unknown,
    /// The question makes no sense.
    Invalid,
    /// What is asked about does not exist.
    NotFound,
    /// Not now: overloaded, limited, or starting.
    Busy,
    /// The outside world refused (credentials, permissions).
    Denied,
    /// It went wrong.
    Failed,
}

/// An answer that is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Its kind.
    pub kind: RefusalKind,
    /// In words for a person.
    pub message: String,
}

impl Refusal {
    /// A refusal of a kind.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The shard has no owner at this moment.
    #[error("no {stage} owns shard {shard} at this moment")]
    NoOwner {
        /// The stage.
        stage: StageKind,
        /// The shard.
        shard: Shard,
    },
    /// The owner did not finish before the deadline.
    #[error("the {0} did not answer in time")]
    Deadline(StageKind),
    /// The owner said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The bus.
    #[error("the question cannot be asked")]
    Bus(#[from] Error),
}

impl AskError {
    /// What the asker does next.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::NoOwner { .. } | Self::Deadline(_) => Verdict::Retry,
            Self::Refused(refusal) if refusal.kind == RefusalKind::Busy => Verdict::Retry,
            Self::Refused(_) => Verdict::Stop,
            Self::Bus(error) => error.verdict(),
        }
    }
}

fn subject(stage: StageKind, shard: Shard, service: &str) -> String {
    format!("lb.ask.{stage}.{shard}.{}", crate::subject::escape(service))
}

impl Bus {
    /// Asks, and gives the whole answer, its parts joined.
    pub async fn ask(&self, ask: Ask) -> Result<Bytes, AskError> {
        let mut answers = self.ask_for_many(ask).await?;
        let mut whole = BytesMut::new();
        while let Some(answer) = answers.next().await? {
            if whole.is_empty() && answers.ended {
                return Ok(answer); // the usual case: one message, not copied
            }
            whole.extend_from_slice(&answer);
        }
        Ok(whole.freeze())
    }

    /// Asks for a series of answers, each given as the owner sends it.
    pub async fn ask_for_many(&self, ask: Ask) -> Result<Answers, AskError> {
        let until = Instant::now() + ask.deadline;
        let mut pause = PAUSE.0;
        loop {
            match self.ask_once(&ask, until).await {
                Err(AskError::NoOwner { .. }) if ask.patient && Instant::now() + pause < until => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                other => return other,
            }
        }
    }

    /// Sends the question and waits for the first message, to know that there is an owner.
    async fn ask_once(&self, ask: &Ask, until: Instant) -> Result<Answers, AskError> {
        let closed = |e: Box<dyn std::error::Error + Send + Sync>| Error::Closed(Some(e));
        let client = &self.api().client;
        let inbox = client.new_inbox();
        let replies = client
            .subscribe(inbox.clone())
            .await
            .map_err(|e| closed(e.into()))?;
        let remaining = until.saturating_duration_since(Instant::now());
        let mut headers = Headers::new().with(DEADLINE, remaining.as_millis().to_string());
        headers.inject_current_span();
        let subject = subject(ask.stage, ask.shard, &ask.service);
        let asked =
            client.publish_with_reply_and_headers(subject, inbox, headers.to_nats(), ask.payload.clone());
        asked.await.map_err(|e| closed(e.into()))?;
        let mut answers = Answers {
            stage: ask.stage,
            shard: ask.shard,
            replies,
            until,
            first: None,
            ended: false,
        };
        answers.first = answers.receive().await?;
        Ok(answers)
    }

    /// Answers for a shard, as its owner: everything asked of `stage` about it arrives here until it is dropped.
    pub async fn respond(&self, stage: StageKind, shard: Shard) -> Result<Responder, Error> {
        let pattern = format!("lb.ask.{stage}.{shard}.*");
        let client = &self.api().client;
        let questions = client
            .subscribe(pattern)
            .await
            .map_err(|e| Error::Closed(Some(e.into())))?;
        // The server must know before anybody is told that we own the shard.
        client.flush().await.map_err(|e| Error::Closed(Some(e.into())))?;
        Ok(Responder {
            bus: self.clone(),
            questions,
        })
    }
}

/// The answers to one question.
#[derive(Debug)]
pub struct Answers {
    stage: StageKind,
    shard: Shard,
    replies: Subscriber,
    until: Instant,
    first: Option<Bytes>,
    ended: bool,
}

impl Answers {
    /// The next answer, or `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>, AskError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        self.receive().await
    }

    async fn receive(&mut self) -> Result<Option<Bytes>, AskError> {
        let mut split = BytesMut::new();
        while !self.ended {
            let message = match tokio::time::timeout_at(self.until, self.replies.next()).await {
                Err(_) => return Err(AskError::Deadline(self.stage)),
                Ok(None) => return Err(Error::Closed(None).into()),
                Ok(Some(message)) => message,
            };
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(AskError::NoOwner {
                    stage: self.stage,
                    shard: self.shard,
                });
            }
            let headers = Headers::from_nats(message.headers.as_ref());
            if let Some(text) = headers.get(REFUSAL) {
                let refusal: Refusal =
                    serde_json::from_str(text).map_err(|e| Error::undecodable("a refusal", e))?;
                return Err(refusal.into());
            }
            let part = Part::parse(headers.get(KIND).unwrap_or_default());
            match part {
                Part::End => self.ended = true,
                Part::More => split.extend_from_slice(&message.payload),
                Part::Answer | Part::Last => {
                    self.ended = part == Part::Last;
                    if split.is_empty() {
                        return Ok(Some(message.payload));
                    }
                    split.extend_from_slice(&message.payload);
                    return Ok(Some(split.freeze()));
                }
            }
        }
        Ok(None)
    }
}

/// What one message of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The beginning of an answer; the next message continues it.
    More,
    /// An answer, or its end. Others follow.
    Answer,
    /// The only or the last answer.
    Last,
    /// No answer any more.
    End,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Answer => "answer",
            Self::Last => "last",
            Self::End => "end",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "more" => Self::More,
            "answer" => Self::Answer,
            "end" => Self::End,
            _ => Self::Last,
        }
    }
}

/// What is asked about one shard.
pub struct Responder {
    bus: Bus,
    questions: Subscriber,
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder")
    }
}

impl Responder {
    /// The next question, or `None` when the connection has ended for good. Can be dropped at any await.
    pub async fn next(&mut self) -> Option<Question> {
        loop {
            let message = self.questions.next().await?;
            let Some(reply) = message.reply else { continue };
            let headers = Headers::from_nats(message.headers.as_ref());
            let milliseconds = headers
                .get(DEADLINE)
                .and_then(|text| text.parse().ok())
                .unwrap_or(5_000);
            let service = message
                .subject
                .rsplit('.')
                .next()
                .and_then(crate::subject::unescape);
            return Some(Question {
                service: service.unwrap_or_default(),
                payload: message.payload,
                headers,
                deadline: Instant::now() + Duration::from_millis(milliseconds),
                bus: self.bus.clone(),
                reply: reply.to_string(),
            });
        }
    }
}

/// A question to answer.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub service: String,
    /// The encoded question.
    pub payload: Bytes,
    /// Its headers, the asker's trace context among them.
    pub headers: Headers,
    /// When the asker stops waiting.
    pub deadline: Instant,
    bus: Bus,
    reply: String,
}

impl Question {
    /// Gives the one answer, or the last of a series.
    pub async fn answer(self, payload: impl Into<Bytes>) -> Result<(), Error> {
        self.send(payload.into(), Part::Last).await
    }

    /// Gives one answer of a series; end it with [`Question::end`], or with [`Question::answer`].
    pub async fn answer_one(&self, payload: impl Into<Bytes>) -> Result<(), Error> {
        self.send(payload.into(), Part::Answer).await
    }

    /// Ends a series.
    pub async fn end(self) -> Result<(), Error> {
        self.publish(Headers::new().with(KIND, Part::End.as_str()), Bytes::new())
            .await
    }

    /// Says no, and why.
    pub async fn refuse(self, refusal: &Refusal) -> Result<(), Error> {
        let text = serde_json::to_string(refusal).map_err(|e| Error::undecodable("a refusal", e))?;
        self.publish(Headers::new().with(REFUSAL, text), Bytes::new())
            .await
    }

    async fn send(&self, mut payload: Bytes, last: Part) -> Result<(), Error> {
        let most = PART.min(self.bus.max_payload());
        while payload.len() > most {
            let part = payload.split_to(most);
            self.publish(Headers::new().with(KIND, Part::More.as_str()), part)
                .await?;
        }
        self.publish(Headers::new().with(KIND, last.as_str()), payload)
            .await
    }

    async fn publish(&self, headers: Headers, payload: Bytes) -> Result<(), Error> {
        let headers: HeaderMap = headers.to_nats();
        let sent = self
            .bus
            .api()
            .client
            .publish_with_headers(self.reply.clone(), headers, payload)
            .await;
        sent.map_err(|e| Error::Closed(Some(e.into())))
    }
}
