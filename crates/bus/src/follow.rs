//! Following a memory: what is there, then what comes, in order, through reconnections.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use serde_json::json;
use tracing::{debug, warn};

use crate::bus::Bus;
use crate::error::Error;
use crate::headers::Headers;
use crate::memory::{RawStored, Stored};
use crate::puller::{Demand, Puller, nanoseconds};
use crate::streams::StreamName;
use crate::subject::Filter;

/// A reader that is not read from for so long is removed by the server, and made anew when it is read again.
const INACTIVE: Duration = Duration::from_secs(60);
const DEMAND: Demand = Demand {
    messages: 128,
    bytes: 4 * 1024 * 1024,
};
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Where following begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowFrom {
    /// With all that is there.
    Start,
    /// Behind a sequence that was seen already.
    After(u64),
    /// With what comes.
    New,
}

/// What following brings.
#[derive(Debug)]
pub enum Followed {
    /// A message.
    Message(Stored),
    /// All that was there at the beginning has been given. Comes once.
    CaughtUp,
    /// Messages between two sequences, both excluded, are not there any more. Only seen when a whole stream is
    /// followed.
    Gap {
        /// The last message before.
        after: u64,
        /// The first message behind.
        before: u64,
    },
}

/// A reader of some of a stream's subjects. Dropping it ends it.
pub struct Follow {
    raw: RawFollow,
    watch_gaps: bool,
    pending: VecDeque<Followed>,
    last: Option<u64>,
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow")
            .field("patterns", &self.raw.patterns)
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// Follows a memory. (A queue's messages belong to its consumers: it cannot be followed.)
    pub async fn follow(&self, filter: &Filter, from: FollowFrom) -> Result<Follow, Error> {
        let patterns = vec![filter.pattern.clone()];
        let raw = RawFollow::open(self, filter.stream.as_str(), patterns, from).await?;
        let whole = *filter == Filter::whole(filter.stream);
        let last = match from {
            FollowFrom::After(sequence) => Some(sequence),
            FollowFrom::Start | FollowFrom::New => None,
        };
        let watch_gaps = whole && filter.stream == StreamName::Outcomes;
        Ok(Follow {
            raw,
            watch_gaps,
            pending: VecDeque::new(),
            last,
        })
    }
}

impl Follow {
    /// What comes next. Trouble with the bus is sat out and logged. Can be dropped at any await.
    pub async fn next(&mut self) -> Followed {
        loop {
            if let Some(followed) = self.pending.pop_front() {
                return followed;
            }
            match self.raw.next().await {
                RawFollowed::CaughtUp => return Followed::CaughtUp,
                RawFollowed::Message(raw) => {
                    let sequence = raw.sequence;
                    if self.watch_gaps
                        && let Some(after) = self.last
                        && sequence > after + 1
                    {
                        self.pending.push_back(Followed::Gap {
                            after,
                            before: sequence,
                        });
                    }
                    self.last = Some(sequence);
                    self.pending.extend(raw.typed().map(Followed::Message));
                }
            }
        }
    }
}

#[derive(Debug)]
pub(crate) enum RawFollowed {
    Message(RawStored),
    CaughtUp,
}

/// The same for any stream, buckets included.
pub(crate) struct RawFollow {
    bus: Bus,
    stream: String,
    pub(crate) patterns: Vec<String>,
    reader: Option<Reader>,
    /// The newest sequence given out: a new reader begins behind it.
    last: Option<u64>,
    from: FollowFrom,
    caught_up: bool,
    pause: Duration,
}

struct Reader {
    name: String,
    puller: Puller,
    consumer_sequence: u64,
    /// Whether there is nothing before what comes.
    empty: bool,
}

impl RawFollow {
    pub(crate) async fn open(
        bus: &Bus,
        stream: &str,
        patterns: Vec<String>,
        from: FollowFrom,
    ) -> Result<Self, Error> {
        let mut follow = Self {
            bus: bus.clone(),
            stream: stream.to_owned(),
            patterns,
            reader: None,
            last: None,
            from,
            caught_up: false,
            pause: Duration::from_millis(50),
        };
        follow.reader = Some(follow.open_reader().await?);
        Ok(follow)
    }

    pub(crate) async fn next(&mut self) -> RawFollowed {
        loop {
            let reader = match self.reader.take() {
                Some(reader) => self.reader.insert(reader),
                None => match self.open_reader().await {
                    Ok(reader) => self.reader.insert(reader),
                    Err(error) => {
                        warn!(%error, patterns = ?self.patterns, "cannot follow; trying on");
                        tokio::time::sleep(self.pause).await;
                        self.pause = (self.pause * 2).min(PAUSE_MAX);
                        continue;
                    }
                },
            };
            if reader.empty && !self.caught_up {
                self.caught_up = true;
                return RawFollowed::CaughtUp;
            }
            match reader.puller.next().await {
                Ok(Some((message, info))) => {
                    if info.consumer_sequence != reader.consumer_sequence + 1 {
                        debug!(
                            patterns = ?self.patterns,
                            "messages were lost on the way; reading them again"
                        );
                        self.close_reader();
                        continue;
                    }
                    reader.consumer_sequence = info.consumer_sequence;
                    reader.empty = info.pending == 0;
                    self.last = Some(info.stream_sequence);
                    self.pause = Duration::from_millis(50);
                    return RawFollowed::Message(RawStored {
                        subject: message.subject.to_string(),
                        sequence: info.stream_sequence,
                        time: info.published,
                        headers: Headers::from_nats(message.headers.as_ref()),
                        payload: message.payload,
                    });
                }
                Ok(None) => self.close_reader(),
                Err(error) => {
                    warn!(%error, patterns = ?self.patterns, "cannot follow; trying on");
                    self.close_reader();
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn open_reader(&self) -> Result<Reader, Error> {
        let name = format!("follow_{:016x}", rand::random::<u64>());
        let mut config = json!({
            "name": name,
            "deliver_policy": "all",
            "ack_policy": "none",
            "filter_subjects": self.patterns,
            "replay_policy": "instant",
            "inactive_threshold": nanoseconds(INACTIVE),
            "num_replicas": 1,
            "mem_storage": true,
        });
        let after = match (self.last, self.from) {
            (Some(last), _) | (None, FollowFrom::After(last)) => Some(last),
            (None, FollowFrom::Start) => None,
            (None, FollowFrom::New) => {
                config["deliver_policy"] = "new".into();
                None
            }
        };
        if let Some(last) = after {
            config["deliver_policy"] = "by_start_sequence".into();
            config["opt_start_seq"] = (last + 1).into();
        }
        let api = self.bus.api();
        let pending = api.create_consumer(&self.stream, &name, &config).await?;
        let puller = Puller::new(api.clone(), &self.stream, &name, DEMAND).await?;
        Ok(Reader {
            name,
            puller,
            consumer_sequence: 0,
            empty: pending == 0,
        })
    }

    /// Removes the server's side in the background; if that fails, inactivity removes it.
    fn close_reader(&mut self) {
        if let Some(reader) = self.reader.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (bus, stream) = (self.bus.clone(), self.stream.clone());
            runtime.spawn(async move {
                if let Err(error) = bus.api().delete_consumer(&stream, &reader.name).await {
                    debug!(%error, "a reader is left to the server to remove");
                }
            });
        }
    }
}

impl Drop for RawFollow {
    fn drop(&mut self) {
        self.close_reader();
    }
}
