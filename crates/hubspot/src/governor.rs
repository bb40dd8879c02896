//! One tenant's API budget on the HubSpot side: who may call next, and when.
//!
//! HubSpot limits by bucket: ordinary calls and association calls over a rolling ten seconds, search by the second, and
//! a daily count that all apps of the account share. The core decides over plain values; [`Governor`] puts a clock
//! and waiting tasks around it.
//!
//! * **G1** No rolling window of the server's holds more calls than the limit, whatever the shares ask for and however long calls
//!   travel: a call counts until a window after its answer, less the shortest round trip.
//! * **G2** Live goes first; lookups, links and bulk follow; every share that waits gets a turn within a bounded number
//!   of others' turns.
//! * **G3** Alone, a saturated governor reaches at least 98 % of the limit.
//! * **G4** A refusal slows the bucket down by a factor, once for all calls refused by the same cause; quiet time
//!   speeds it up by small steps.
//! * **G5** What was spent of the day can be read and given to the next owner.

mod bucket;
mod core;
mod daily;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::Lane;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::core::{Core, Decision, Ticket};
use crate::verdict::LimitPolicy;

/// What a call is for; each kind is counted apart and belongs to one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Account, limits, owners, tokens.
    Account,
    /// Schemas, properties, groups, association labels.
    Schema,
    /// Records by id or by unique property.
    Read,
    /// Pages of a type's records.
    List,
    /// Upserts, creates and updates.
    Write,
    /// Archiving of records.
    Archive,
    /// Search.
    Search,
    /// Association batches.
    Associations,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 8] = [
        Self::Account,
        Self::Schema,
        Self::Read,
        Self::List,
        Self::Write,
        Self::Archive,
        Self::Search,
        Self::Associations,
    ];

    /// The word used in metrics and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Schema => "schema",
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
            Self::Archive => "archive",
            Self::Search => "search",
            Self::Associations => "associations",
        }
    }

    fn bucket(self) -> usize {
        match self {
            Self::Associations => core::ASSOCIATIONS,
            Self::Search => core::SEARCH,
            _ => core::APP,
        }
    }
}

/// Who asks for a call, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Share {
    /// Changes as they happen, and people who wait for an answer.
    Live,
    /// Identity look-ups of the resolver.
    Lookups,
    /// Association writes.
    Links,
    /// Imports.
    Bulk,
    /// Compares.
    Check,
}

impl Share {
    /// Every share, first in line first.
    pub const ALL: [Self; 5] = [Self::Live, Self::Lookups, Self::Links, Self::Bulk, Self::Check];

    /// How many turns of others a waiting share puts up with.
    fn patience(self) -> u32 {
        match self {
            Self::Live => 2,
            Self::Lookups => 4,
            Self::Links => 8,
            Self::Bulk => 10,
            Self::Check => 20,
        }
    }

    /// Whether it gives way when the day's calls run short.
    fn slows_down(self) -> bool {
        matches!(self, Self::Bulk | Self::Check)
    }

    /// Which part of the daily reserve this share leaves alone.
    fn reserve_factor(self) -> f64 {
        match self {
            Self::Live | Self::Lookups => 0.1,
            Self::Links => 0.5,
            Self::Bulk | Self::Check => 1.0,
        }
    }
}

impl From<Lane> for Share {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Live => Self::Live,
            Lane::Links => Self::Links,
            Lane::Bulk => Self::Bulk,
            Lane::Check => Self::Check,
        }
    }
}

/// What the governor assumes until headers tell.
#[derive(Clone, Debug)]
pub struct GovernorConfig {
    /// Calls per ten seconds to start from; `None` is no limit at all (only against a portal that has none).
    pub burst: Option<u32>,
    /// Length of the rolling window that `burst` and the association limit count over.
    pub window: Duration,
    /// Calls a day of the account; `None` until a header tells.
    pub daily: Option<u32>,
    /// Association calls a day of the account, which are counted apart; HubSpot tells them in no header.
    pub daily_associations: Option<u32>,
    /// Part of the day's calls that imports leave to the customer's other apps; links leave half of it, live a tenth.
    pub daily_reserve: f64,
    /// Calls in flight at once.
    pub in_flight: usize,
    /// A wait longer than this is not waited but answered with [`Halted`].
    pub patience: Duration,
}

impl Default for GovernorConfig {
    fn default() -> Self {
        Self {
            burst: Some(190),
            window: Duration::from_secs(10),
            daily: None,
            daily_associations: Some(500_000),
            daily_reserve: 0.1,
            in_flight: 32,
            patience: Duration::from_secs(60),
        }
    }
}

/// No call now, and not for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}: no HubSpot call for another {} s", .until.as_secs())]
pub struct Halted {
    /// How long from now.
    pub until: Duration,
    /// Why.
    pub why: Standstill,
}

/// Why no call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Standstill {
    /// The part of the day's calls that such work may use is spent, or nearly.
    #[error("the part of HubSpot's daily calls that such work may use is spent")]
    Day,
    /// HubSpot asked for a long pause.
    #[error("HubSpot asked for a pause")]
    Pause,
}

/// The rate-limit headers of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitHeaders {
    /// `X-HubSpot-RateLimit-Max`.
    pub max: Option<u32>,
    /// `X-HubSpot-RateLimit-Remaining`.
    pub remaining: Option<u32>,
    /// `X-HubSpot-RateLimit-Daily`.
    pub daily: Option<u32>,
    /// `X-HubSpot-RateLimit-Daily-Remaining`.
    pub daily_remaining: Option<u32>,
}

/// What the governor should learn from one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lesson {
    /// Taken.
    Accepted,
    /// 429.
    Limited {
        /// Which limit.
        policy: LimitPolicy,
        /// The server's own word on when to come back.
        retry_after: Option<Duration>,
    },
    /// 423: too many writers on the same records.
    Locked,
    /// 477: the account moves between data centres.
    Migrating(Duration),
    /// Refused or lost for other reasons.
    Other,
}

/// Calls and limits as they stand.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Usage {
    /// Calls sent, by family in the order of [`Family::ALL`].
    pub calls: [u64; 8],
    /// Calls refused with 429, by family.
    pub refused: [u64; 8],
    /// Calls per window that HubSpot allows; `None` is no limit.
    pub burst_limit: Option<u32>,
    /// The part of it that we allow ourselves, from 0 to 1.
    pub burst_factor: f64,
    /// Calls a day of the account, when known.
    pub daily_limit: Option<u32>,
    /// Calls made today by all apps, as far as we know.
    pub daily_spent: u32,
    /// Calls that the day will have seen at its end, at the pace of the last minutes; `None` when the end or the pace is not known.
    pub daily_forecast: Option<u32>,
    /// The part of the day's calls that imports leave to others, from 0 to 1.
    pub daily_reserve: f64,
    /// Calls in flight.
    pub in_flight: usize,
    /// How long from now ordinary calls stand still, when they do.
    pub paused: Option<Duration>,
}

impl Usage {
    /// Calls sent in one family.
    pub fn calls_of(&self, family: Family) -> u64 {
        self.calls[family as usize]
    }

    /// All calls sent.
    pub fn total(&self) -> u64 {
        self.calls.iter().sum()
    }

    /// All calls refused with 429.
    pub fn total_refused(&self) -> u64 {
        self.refused.iter().sum()
    }
}

#[derive(Debug)]
struct Shared {
    core: Mutex<Core>,
    nudge: Notify,
    epoch: Instant,
}

/// One tenant's governor; cheap to clone, all clones are one.
#[derive(Clone, Debug)]
pub struct Governor(Arc<Shared>);

impl Governor {
    /// A governor with an empty window and the day's calls as far as they are known.
    pub fn new(config: GovernorConfig, daily_spent: u32) -> Self {
        let core = Mutex::new(Core::new(config, daily_spent));
        Self(Arc::new(Shared {
            core,
            nudge: Notify::new(),
            epoch: Instant::now(),
        }))
    }

    fn now(&self) -> Duration {
        self.0.epoch.elapsed()
    }

    /// Waits for a turn. The permit must be [finished](Permit::finish) with what came back.
    pub async fn acquire(&self, family: Family, share: Share) -> Result<Permit, Halted> {
        let place = Place {
            governor: self,
            ticket: self.0.core.lock().enter(family, share),
        };
        loop {
            let nudged = self.0.nudge.notified();
            tokio::pin!(nudged);
            nudged.as_mut().enable();
            let now = self.now();
            let decision = self.0.core.lock().poll(place.ticket, now);
            match decision {
                Decision::Go => {
                    self.0.nudge.notify_waiters();
                    return Ok(Permit {
                        governor: self.clone(),
                        family,
                        sent_at: now,
                        open: true,
                    });
                }
                Decision::Halted(until, why) => {
                    return Err(Halted {
                        until: until.saturating_sub(now),
                        why,
                    });
                }
                Decision::Queue => nudged.await,
                Decision::Wait(until) => {
                    tokio::select! {
                        () = &mut nudged => {}
                        () = tokio::time::sleep_until(self.0.epoch + until) => {}
                    }
                }
            }
        }
    }

    /// Calls and limits as they stand.
    pub fn usage(&self) -> Usage {
        self.0.core.lock().usage(self.now())
    }

    /// The account's report told a day's calls and how many of them are spent; a report of less than was known counts for nothing.
    pub fn day_stands_at(&self, limit: u32, spent: u32) {
        self.0.core.lock().day_stands_at(limit, spent);
    }

    /// When the account's day ends, counted from now.
    pub fn day_ends_in(&self, rest: Duration) {
        let now = self.now();
        self.0.core.lock().day_ends_at(now + rest);
        self.0.nudge.notify_waiters();
    }
}

/// A place in the queue; leaving it early lets the next one move up.
struct Place<'a> {
    governor: &'a Governor,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.governor.0.core.lock().leave(self.ticket) {
            self.governor.0.nudge.notify_waiters();
        }
    }
}

/// Leave to make one call.
#[derive(Debug)]
#[must_use = "a permit stands for a call in flight"]
pub struct Permit {
    governor: Governor,
    family: Family,
    sent_at: Duration,
    open: bool,
}

impl Permit {
    /// The call is over: what it taught.
    pub fn finish(mut self, headers: LimitHeaders, lesson: Lesson) {
        self.open = false;
        let now = self.governor.now();
        let jitter = rand::random::<f64>();
        self.governor
            .0
            .core
            .lock()
            .finished(self.family, self.sent_at, now, headers, lesson, jitter);
        self.governor.0.nudge.notify_waiters();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.open {
            let now = self.governor.now();
            let mut core = self.governor.0.core.lock();
            core.abandoned(self.family, self.sent_at, now);
            drop(core);
            self.governor.0.nudge.notify_waiters();
        }
    }
}
