//! The governor's decisions over plain values: no clock, no task, no randomness of its own.
//!
//! Times are durations since the governor was made.

use std::collections::VecDeque;
use std::time::Duration;

use super::daily::Daily;
use super::window::Window;
use super::{Family, GovernorConfig, Lesson, LimitHeaders, Share, Usage};
use crate::verdict::LimitPolicy;

pub(super) const APP: usize = 0;
pub(super) const ASSOCIATIONS: usize = 1;
pub(super) const SEARCH: usize = 2;

/// Search calls per second of one account.
const SEARCH_PER_SECOND: u32 = 5;
/// A limit of at least this many calls per window is none.
const UNLIMITED: u32 = 10_000;
/// How many intervals of its pace a share may catch up at once.
const CATCH_UP: u32 = 4;
/// Part of the limit kept after a refusal.
const DECREASE: f64 = 0.7;
/// Part of the limit won back in a quiet second.
const INCREASE_PER_SECOND: f64 = 0.02;
/// Quiet time after a refusal before anything is won back.
const COOL_DOWN: Duration = Duration::from_secs(5);
/// Calls of others that are within the error of comparing two clocks.
const FOREIGN_NOISE: f64 = 6.0;

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
    Halted(Duration),
}

#[derive(Debug)]
struct Bucket {
    /// Calls per window; `None` is no limit.
    limit: Option<u32>,
    window: Window,
    /// The window as the server counts it.
    span: Duration,
    /// Added to the window: sends may travel that much faster than the ones before them.
    slack: Duration,
    /// When the next paced send is due.
    due: Duration,
    /// Part of the limit that we allow ourselves.
    factor: f64,
    slowed_at: Option<Duration>,
    quiet_since: Duration,
    /// Calls of other clients of the same key within the window, estimated.
    foreign: f64,
    not_before: Duration,
    queues: [VecDeque<(u64, Family)>; 5],
    passed_over: [u32; 5],
}

impl Bucket {
    fn new(limit: Option<u32>, span: Duration) -> Self {
        let slack = span / 200;
        Self {
            limit,
            window: Window::new(span + slack),
            span,
            slack,
            due: Duration::ZERO,
            factor: 1.0,
            slowed_at: None,
            quiet_since: Duration::ZERO,
            foreign: 0.0,
            not_before: Duration::ZERO,
            queues: Default::default(),
            passed_over: [0; 5],
        }
    }

    /// Sends that we allow ourselves per window: the limit less one, less what others take, less what refusals taught.
    fn capacity(&self, limit: u32) -> usize {
        let margin = if limit >= 20 { 1.0 } else { 0.0 };
        let ours = (f64::from(limit) - margin - self.foreign) * self.factor;
        (ours.floor().max(1.0)) as usize
    }

    fn interval(&self, capacity: usize) -> Duration {
        (self.span + self.slack) / u32::try_from(capacity).unwrap_or(u32::MAX).max(1)
    }

    /// The earliest time at which this share may send.
    fn earliest(&self, share: Share, overdue: bool) -> Duration {
        let Some(limit) = self.limit else {
            return self.not_before;
        };
        let capacity = self.capacity(limit);
        // One place is always left for live, so that it never waits for a whole window to turn.
        let spare = usize::from(capacity >= 20 && share != Share::Live && !overdue);
        let mut at = self.window.free_at(capacity - spare).max(self.not_before);
        if share != Share::Live && !overdue {
            at = at.max(self.due.saturating_sub(self.interval(capacity) * CATCH_UP));
        }
        at
    }

    fn sent(&mut self, now: Duration) {
        let Some(limit) = self.limit else { return };
        let interval = self.interval(self.capacity(limit));
        // Live sends push the pace back too, but never further than bulk can bear.
        self.due = (self.due.max(now) + interval).min(now + interval * (CATCH_UP + 6));
        self.window.trim(now);
        self.window.record(now);
    }

    /// The shares that wait, first in line first: the overdue ones, then by precedence.
    fn line(&self) -> impl Iterator<Item = (Share, bool)> + '_ {
        let waiting = move |share: &Share| !self.queues[*share as usize].is_empty();
        let overdue = move |share: &Share| self.passed_over[*share as usize] >= share.patience();
        let late = Share::ALL
            .into_iter()
            .filter(waiting)
            .filter(overdue)
            .map(|share| (share, true));
        let rest = Share::ALL
            .into_iter()
            .filter(waiting)
            .filter(move |s| !overdue(s))
            .map(|share| (share, false));
        late.chain(rest)
    }

    fn turn_taken(&mut self, by: Share) {
        for share in Share::ALL {
            let waits = !self.queues[share as usize].is_empty();
            let count = &mut self.passed_over[share as usize];
            *count = if share == by || !waits { 0 } else { *count + 1 };
        }
    }

    fn slow_down(&mut self, sent_at: Duration, now: Duration) {
        // What was sent before we slowed down was refused for the same cause.
        if self.slowed_at.is_none_or(|at| sent_at >= at) {
            self.factor = (self.factor * DECREASE).max(0.05);
            self.slowed_at = Some(now);
        }
        self.quiet_since = now + COOL_DOWN;
    }

    fn recover(&mut self, now: Duration) {
        if self.factor < 1.0 && now > self.quiet_since {
            let quiet = (now - self.quiet_since).as_secs_f64();
            self.factor = (self.factor + quiet * INCREASE_PER_SECOND).min(1.0);
            self.quiet_since = now;
        }
    }

    /// Compares the server's count of the window with ours; the difference is other clients of the same key.
    fn compare(&mut self, max: u32, remaining: u32, sent_at: Duration, now: Duration) {
        let theirs = f64::from(max.saturating_sub(remaining));
        let earliest = sent_at.saturating_sub(self.span + self.span / 30);
        let ours = self.window.count(earliest, now) as f64;
        let surplus = theirs - ours;
        let foreign = if surplus > FOREIGN_NOISE {
            surplus + FOREIGN_NOISE / 2.0
        } else {
            0.0
        };
        self.foreign = if foreign > self.foreign {
            foreign
        } else {
            self.foreign * 0.95 + foreign * 0.05
        };
        if self.foreign < 0.5 {
            self.foreign = 0.0;
        }
        if remaining == 0 {
            let interval = self.interval(self.capacity(max));
            self.not_before = self.not_before.max(now + interval);
        }
    }
}

/// All buckets of one tenant.
#[derive(Debug)]
pub(super) struct Core {
    config: GovernorConfig,
    buckets: [Bucket; 3],
    daily: Daily,
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
        let in_flight_max = config.in_flight as f64;
        Self {
            config,
            buckets,
            daily,
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
                return Decision::Halted(until);
            }
            return Decision::Wait(until);
        }
        if !self.has_room(share) {
            return Decision::Queue;
        }
        let line: Vec<_> = self.buckets[ticket.bucket].line().collect();
        for (other, overdue) in line {
            let at = self.buckets[ticket.bucket].earliest(other, overdue);
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
            return Decision::Halted(until);
        }
        Decision::Wait(until)
    }

    fn go(&mut self, ticket: Ticket, family: Family, now: Duration) -> Decision {
        self.leave(ticket);
        let bucket = &mut self.buckets[ticket.bucket];
        bucket.sent(now);
        bucket.turn_taken(ticket.share);
        // Association calls have a daily count of their own, far from any use of ours.
        if ticket.bucket != ASSOCIATIONS {
            self.daily.sent(now);
        }
        self.in_flight += 1;
        self.calls[family as usize] += 1;
        Decision::Go
    }

    fn closed_until(&mut self, bucket: usize, share: Share, now: Duration) -> Option<Duration> {
        if bucket == ASSOCIATIONS {
            return None;
        }
        self.daily.closed_until(now, share, self.config.daily_reserve)
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

    pub(super) fn abandoned(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
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
        self.abandoned();
        self.learn_headers(family, sent_at, now, headers);
        let bucket = &mut self.buckets[family.bucket()];
        match lesson {
            Lesson::Accepted => {
                let ceiling = self.config.in_flight as f64;
                self.in_flight_max = (self.in_flight_max + 0.05).min(ceiling);
            }
            Lesson::Limited { policy, retry_after } => {
                self.refused[family as usize] += 1;
                let pause = match policy {
                    LimitPolicy::Daily => self.daily.refused(now, retry_after),
                    LimitPolicy::Secondly => retry_after.unwrap_or(Duration::from_secs(1)),
                    LimitPolicy::TenSecondly | LimitPolicy::Unknown => {
                        retry_after.unwrap_or(self.config.window.mul_f64(1.0 + jitter / 10.0))
                    }
                };
                if policy != LimitPolicy::Daily {
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
