//! Reading the memories, and removing from them.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::StatusCode;
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use serde_json::json;

use crate::api::Api;
use crate::bus::Bus;
use crate::error::Error;
use crate::headers::Headers;
use crate::subject::{Filter, Subject};

/// Messages asked for at once.
const PAGE: usize = 256;
/// How long a page may be silent before it counts as lost.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// On a cluster a follower may answer, and be late: how often a listing that came out short is repeated.
const LISTINGS_MAX: u32 = 6;

/// A message as a stream keeps it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where it was published.
    pub subject: Subject,
    /// Its place in the stream.
    pub sequence: u64,
    /// When the stream took it, by the server's clock.
    pub time: Timestamp,
    /// Its headers.
    pub headers: Headers,
    /// Its content.
    pub payload: Bytes,
}

/// A listing in pages of bounded size.
#[derive(Debug)]
pub struct Pages {
    bus: Bus,
    filter: Filter,
    next: Option<u64>,
}

impl Pages {
    /// The next messages in the order of the stream, or `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Stored>>, Error> {
        while let Some(from) = self.next {
            let (stream, pattern) = (self.filter.stream.as_str(), &self.filter.pattern);
            let page = raw_page(self.bus.api(), stream, pattern, from).await?;
            self.next = page.next;
            let stored: Vec<Stored> = page.messages.into_iter().filter_map(RawStored::typed).collect();
            if !stored.is_empty() {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }
}

impl Bus {
    /// Everything that a filter matches, page by page. On a cluster a page may be read from a follower that is late:
    /// use [`Bus::list`] where completeness counts.
    pub fn pages(&self, filter: &Filter) -> Pages {
        Pages {
            bus: self.clone(),
            filter: filter.clone(),
            next: Some(1),
        }
    }

    /// Everything that a filter matches, complete: on a cluster it is counted at the leader first.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Stored>, Error> {
        let raw = list_raw(self, filter.stream.as_str(), &filter.pattern).await?;
        Ok(raw.into_iter().filter_map(RawStored::typed).collect())
    }

    /// The newest message of one subject, from the stream's leader.
    pub async fn last(&self, subject: &Subject) -> Result<Option<Stored>, Error> {
        let newest = self
            .api()
            .last(subject.stream().as_str(), &subject.to_string())
            .await?;
        Ok(newest.map(|newest| Stored {
            subject: subject.clone(),
            sequence: newest.sequence,
            time: newest.time,
            headers: newest.headers,
            payload: newest.payload,
        }))
    }

    /// The newest message of those that a filter matches, from the stream's leader.
    pub async fn newest(&self, filter: &Filter) -> Result<Option<Stored>, Error> {
        let newest = self.api().last(filter.stream.as_str(), &filter.pattern).await?;
        let typed = newest.map(|newest| {
            let subject = newest.subject.parse().map_err(|error| {
                Error::undecodable(format!("the subject of a message of {}", filter.stream), error)
            })?;
            Ok(Stored {
                subject,
                sequence: newest.sequence,
                time: newest.time,
                headers: newest.headers,
                payload: newest.payload,
            })
        });
        typed.transpose()
    }

    /// Removes everything that a filter matches. Gives how many messages that were.
    pub async fn purge(&self, filter: &Filter) -> Result<u64, Error> {
        self.api()
            .purge(filter.stream.as_str(), &filter.pattern, None)
            .await
    }

    /// Removes one subject's messages up to a sequence: what was published after it was read stays.
    pub async fn forget(&self, subject: &Subject, up_to: u64) -> Result<u64, Error> {
        let below = up_to.saturating_add(1);
        self.api()
            .purge(subject.stream().as_str(), &subject.to_string(), Some(below))
            .await
    }

    /// How many messages each subject holds. Ask for one shard or less: the cost grows with what matches.
    pub async fn counts(&self, filter: &Filter) -> Result<Vec<(Subject, u64)>, Error> {
        let counts = self.api().counts(filter.stream.as_str(), &filter.pattern).await?;
        Ok(counts
            .into_iter()
            .filter_map(|(text, count)| Some((text.parse().ok()?, count)))
            .collect())
    }
}

/// A message of any stream, buckets included.
#[derive(Debug)]
pub(crate) struct RawStored {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    pub(crate) headers: Headers,
    pub(crate) payload: Bytes,
}

impl RawStored {
    pub(crate) fn typed(self) -> Option<Stored> {
        let Self {
            subject,
            sequence,
            time,
            headers,
            payload,
        } = self;
        match subject.parse() {
            Ok(subject) => Some(Stored {
                subject,
                sequence,
                time,
                headers,
                payload,
            }),
            Err(unknown) => {
                tracing::warn!(%unknown, sequence, "skipped a message");
                None
            }
        }
    }
}

pub(crate) struct RawPage {
    pub(crate) messages: Vec<RawStored>,
    /// Where the next page begins.
    pub(crate) next: Option<u64>,
}

/// A complete listing. On one server a page is never late.
pub(crate) async fn list_raw(bus: &Bus, stream: &str, pattern: &str) -> Result<Vec<RawStored>, Error> {
    let expected = if bus.config().replicas > 1 {
        bus.api()
            .counts(stream, pattern)
            .await?
            .iter()
            .map(|(_, count)| count)
            .sum()
    } else {
        0
    };
    let mut pause = Duration::from_millis(5);
    for attempt in 1.. {
        let mut all = Vec::new();
        let mut next = Some(1);
        while let Some(from) = next {
            let page = raw_page(bus.api(), stream, pattern, from).await?;
            all.extend(page.messages);
            next = page.next;
        }
        // What was removed meanwhile also makes a listing shorter: after some tries the shorter one is the truth.
        if all.len() as u64 >= expected || attempt == LISTINGS_MAX {
            return Ok(all);
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
    unreachable!("the last attempt returns")
}

/// Up to [`PAGE`] messages from a sequence on, in the order of the stream, without a consumer.
pub(crate) async fn raw_page(api: &Api, stream: &str, pattern: &str, from: u64) -> Result<RawPage, Error> {
    let closed = |e: Box<dyn std::error::Error + Send + Sync>| Error::Closed(Some(e));
    let subject = format!("$JS.API.DIRECT.GET.{stream}");
    let inbox = api.client.new_inbox();
    let mut replies = api
        .client
        .subscribe(inbox.clone())
        .await
        .map_err(|e| closed(e.into()))?;
    let body = json!({ "seq": from, "next_by_subj": pattern, "batch": PAGE });
    let payload = serde_json::to_vec(&body).map_err(|e| Error::undecodable("the request", e))?;
    api.client
        .publish_with_reply(subject.clone(), inbox, payload.into())
        .await
        .map_err(|e| closed(e.into()))?;

    let mut messages: VecDeque<RawStored> = VecDeque::new();
    loop {
        let reply = match tokio::time::timeout(PAGE_TIMEOUT, replies.next()).await {
            Err(_) => return Err(Error::Timeout),
            Ok(None) => return Err(Error::Closed(None)),
            Ok(Some(reply)) => reply,
        };
        match reply.status {
            None | Some(StatusCode::OK) => messages.push_back(read_direct(reply)?),
            Some(StatusCode::NO_RESPONDERS) => return Err(Error::NoResponders(subject)),
            Some(StatusCode::NOT_FOUND) => break,
            Some(status) if status.as_u16() == 204 => break,
            Some(status) => {
                return Err(Error::Refused {
                    code: status.as_u16(),
                    error_code: 0,
                    description: reply.description.unwrap_or_default(),
                });
            }
        }
    }
    let full = messages.len() >= PAGE;
    let next = if full {
        messages.back().map(|last| last.sequence + 1)
    } else {
        None
    };
    Ok(RawPage {
        messages: messages.into(),
        next,
    })
}

fn read_direct(reply: async_nats::Message) -> Result<RawStored, Error> {
    let header = |name: &str| {
        let text = reply.headers.as_ref().and_then(|headers| headers.get(name));
        text.map(|text| text.as_str().to_owned())
            .ok_or_else(|| Error::undecodable(format!("a stored message ({name})"), "the header is missing"))
    };
    let sequence = header("Nats-Sequence")?
        .parse()
        .map_err(|e: std::num::ParseIntError| Error::undecodable("a stored message (Nats-Sequence)", e))?;
    let time = header("Nats-Time-Stamp")?
        .parse()
        .map_err(|e: jiff::Error| Error::undecodable("a stored message (Nats-Time-Stamp)", e))?;
    Ok(RawStored {
        subject: header("Nats-Subject")?,
        sequence,
        time,
        headers: Headers::from_nats(reply.headers.as_ref()),
        payload: reply.payload,
    })
}
