//! The governor's decisions over plain values: no clock, no task, no randomness of its own.
//!
//! Times are durations since the governor was made.

use std::time::Duration;

use super::bucket::Bucket;
use super::daily::Daily;
use super::{Family, GovernorConfig, Lesson, LimitHeaders, Share, Standstill, Usage};
use crate::verdict::LimitPolicy;

pub(super) const APP: usize = 0;
pub(super) const ASSOCIATIONS: usize = 1;
pub(super) const SEARCH: usize = 2;

/// Search calls per second of one account.
const SEARCH_PER_SECOND: u32 = 5;
/// A limit of at least this many calls per window is none.
const UNLIMITED: u32 = 10_000;

/// A place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    bucket: usize,
    share: Share,
    number: u64,
}

/// What the holder of a ticket does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Call now. The ticket is used up.
    Go,
    /// Ask again at that time, or when something changed.
    Wait(Duration),
    /// Ask again when something changed.
    Queue,
    /// Not before that time, which is too far away to wait for. The ticket is used up.
    Halted(Duration, Standstill),
}

/// All buckets of one tenant.
#[derive(Debug)]
pub(super) struct Core {
    config: GovernorConfig,
    buckets: [Bucket; 3],
    daily: Daily,
    daily_associations: Daily,
    in_flight: usize,
    /// How many calls may be in flight; shrinks on locks, grows back on success.
    in_flight_max: f64,
    next_ticket: u64,
    calls: [u64; 8],
    refused: [u64; 8],
}

impl Core {
    pub(super) fn new(config: GovernorConfig, daily_spent: u32) -> Self {
        let limited = config.burst.is_some();
        let buckets = [
            Bucket::new(config.burst, config.window),
            Bucket::new(config.burst.map(association_limit), config.window),
            Bucket::new(limited.then_some(SEARCH_PER_SECOND), Duration::from_secs(1)),
        ];
        let daily = Daily::new(config.daily, daily_spent);
        let daily_associations = Daily::new(config.daily_associations.filter(|_| limited), 0);
        let in_flight_max = config.in_flight as f64;
        Self {
            config,
            buckets,
            daily,
            daily_associations,
            in_flight: 0,
            in_flight_max,
            next_ticket: 0,
            calls: [0; 8],
            refused: [0; 8],
        }
    }

    pub(super) fn enter(&mut self, family: Family, share: Share) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket {
            bucket: family.bucket(),
            share,
            number: self.next_ticket,
        };
        self.buckets[ticket.bucket].queues[share as usize].push_back((ticket.number, family));
        ticket
    }

    /// Gives a place up; answers whether it was still held.
    pub(super) fn leave(&mut self, ticket: Ticket) -> bool {
        let queue = &mut self.buckets[ticket.bucket].queues[ticket.share as usize];
        let before = queue.len();
        queue.retain(|(number, _)| *number != ticket.number);
        queue.len() != before
    }

    /// Whether the holder of the ticket may call now.
    pub(super) fn poll(&mut self, ticket: Ticket, now: Duration) -> Decision {
        let share = ticket.share;
        self.buckets[ticket.bucket].recover(now);
        let head = self.buckets[ticket.bucket].queues[share as usize]
            .front()
            .copied();
        let Some((_, family)) = head.filter(|(number, _)| *number == ticket.number) else {
            return Decision::Queue;
        };
        if let Some(until) = self.closed_until(ticket.bucket, share, now) {
            if until.saturating_sub(now) > self.config.patience {
                self.leave(ticket);
                return Decision::Halted(until, Standstill::Day);
            }
            return Decision::Wait(until);
        }
        if !self.has_room(share) {
            return Decision::Queue;
        }
        let line: Vec<_> = self.buckets[ticket.bucket].line().collect();
        for (other, overdue) in line {
            let at = self.buckets[ticket.bucket].earliest(other, overdue, now);
            if other == share {
                return if at <= now {
                    self.go(ticket, family, now)
                } else {
                    self.wait(ticket, at, now)
                };
            }
            let open = self.closed_until(ticket.bucket, other, now).is_none();
            if open && at <= now && self.has_room(other) {
                return Decision::Queue; // its own holder is awake or will be, and nudges us
            }
        }
        Decision::Queue
    }

    fn wait(&mut self, ticket: Ticket, until: Duration, now: Duration) -> Decision {
        if until.saturating_sub(now) > self.config.patience {
            self.leave(ticket);
            return Decision::Halted(until, Standstill::Pause);
        }
        Decision::Wait(until)
    }

    fn go(&mut self, ticket: Ticket, family: Family, now: Duration) -> Decision {
        self.leave(ticket);
        let bucket = &mut self.buckets[ticket.bucket];
        bucket.sent(ticket.share, now);
        bucket.turn_taken(ticket.share);
        self.day_of(ticket.bucket).sent(ticket.share, now);
        self.in_flight += 1;
        self.calls[family as usize] += 1;
        Decision::Go
    }

    fn closed_until(&mut self, bucket: usize, share: Share, now: Duration) -> Option<Duration> {
        let reserve = self.config.daily_reserve;
        self.day_of(bucket).closed_until(now, share, reserve)
    }

    fn day_of(&mut self, bucket: usize) -> &mut Daily {
        if bucket == ASSOCIATIONS {
            &mut self.daily_associations
        } else {
            &mut self.daily
        }
    }

    fn has_room(&self, share: Share) -> bool {
        // A few places are left for live and lookups.
        let spare = if share <= Share::Lookups {
            0.0
        } else {
            (self.in_flight_max / 8.0).floor()
        };
        (self.in_flight as f64) < (self.in_flight_max - spare).max(1.0)
    }

    /// Nobody waits any more for a call sent at `sent_at`.
    pub(super) fn abandoned(&mut self, family: Family, sent_at: Duration, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.buckets[family.bucket()].over(sent_at, now);
    }

    /// A call sent at `sent_at` is over. `jitter` is a random number from 0 to 1.
    pub(super) fn finished(
        &mut self,
        family: Family,
        sent_at: Duration,
        now: Duration,
        headers: LimitHeaders,
        lesson: Lesson,
        jitter: f64,
    ) {
        self.abandoned(family, sent_at, now);
        self.learn_headers(family, sent_at, now, headers);
        match lesson {
            Lesson::Accepted => {
                let ceiling = self.config.in_flight as f64;
                self.in_flight_max = (self.in_flight_max + 0.05).min(ceiling);
            }
            Lesson::Limited { policy, retry_after } => {
                self.refused[family as usize] += 1;
                let pause = match policy {
                    LimitPolicy::Daily => self.day_of(family.bucket()).refused(now, retry_after),
                    LimitPolicy::Secondly => retry_after.unwrap_or(Duration::from_secs(1)),
                    LimitPolicy::TenSecondly | LimitPolicy::Unknown => {
                        retry_after.unwrap_or(self.config.window.mul_f64(1.0 + jitter / 10.0))
                    }
                };
                if policy != LimitPolicy::Daily {
                    let bucket = &mut self.buckets[family.bucket()];
                    bucket.slow_down(sent_at, now);
                    bucket.not_before = bucket.not_before.max(now + pause);
                }
            }
            Lesson::Locked => self.in_flight_max = (self.in_flight_max / 2.0).max(2.0),
            Lesson::Migrating(wait) => {
                for bucket in &mut self.buckets {
                    bucket.not_before = bucket.not_before.max(now + wait);
                }
            }
            Lesson::Other => {}
        }
    }

    fn learn_headers(&mut self, family: Family, sent_at: Duration, now: Duration, headers: LimitHeaders) {
        if let (Some(limit), Some(remaining)) = (headers.daily, headers.daily_remaining)
            && family.bucket() != ASSOCIATIONS
        {
            self.daily.learn(limit, remaining);
        }
        let Some(max) = headers.max.filter(|&max| max > 0 && family.bucket() == APP) else {
            return;
        };
        // Told "no limit" by whoever set us up: headers do not bring one back.
        if self.config.burst.is_none() {
            return;
        }
        let unlimited = max >= UNLIMITED;
        self.buckets[APP].limit = (!unlimited).then_some(max);
        self.buckets[ASSOCIATIONS].limit = (!unlimited).then(|| association_limit(max));
        self.buckets[SEARCH].limit = (!unlimited).then_some(SEARCH_PER_SECOND);
        if let Some(remaining) = headers.remaining.filter(|_| !unlimited) {
            self.buckets[APP].compare(max, remaining, sent_at, now);
        }
    }

    pub(super) fn day_ends_at(&mut self, at: Duration) {
        self.daily.resets_at = Some(at);
        self.daily_associations.resets_at = Some(at);
    }

    pub(super) fn day_stands_at(&mut self, limit: u32, spent: u32) {
        self.daily.told(limit, spent);
    }

    pub(super) fn usage(&self, now: Duration) -> Usage {
        let app = &self.buckets[APP];
        Usage {
            calls: self.calls,
            refused: self.refused,
            burst_limit: app.limit,
            burst_factor: app.factor,
            daily_limit: self.daily.limit,
            daily_spent: self.daily.spent,
            daily_forecast: self.daily.forecast(now),
            daily_reserve: self.config.daily_reserve,
            in_flight: self.in_flight,
            paused: app.not_before.checked_sub(now).filter(|rest| !rest.is_zero()),
        }
    }
}

/// The association limit that comes with an account's burst limit: 100, 150 and 200 go with 100, 190 and 250.
fn association_limit(burst: u32) -> u32 {
    match burst {
        0..=109 => burst,
        110..=190 => 150.min(burst),
        _ => (burst - burst / 5).max(150),
    }
}
