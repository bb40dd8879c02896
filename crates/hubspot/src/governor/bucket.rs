//! One limit of HubSpot's: who may send within it, and when. Times are durations since the governor was made.

use std::collections::VecDeque;
use std::time::Duration;

use super::window::Window;
use super::{Family, Share};

/// How many intervals of its pace a share may catch up at once.
const CATCH_UP: u32 = 8;
/// Places of a window that are left for live changes while there are some.
const LIVE_PLACES: usize = 2;
/// Part of the limit kept after a refusal.
const DECREASE: f64 = 0.7;
/// Part of the limit won back in a quiet second.
const INCREASE_PER_SECOND: f64 = 0.02;
/// Quiet time after a refusal before anything is won back.
const COOL_DOWN: Duration = Duration::from_secs(5);
/// Calls of others that are no sign of a client beside us: a page that somebody opens.
const FOREIGN_NOISE: usize = 2;

#[derive(Debug)]
pub(super) struct Bucket {
    /// Calls per window; `None` is no limit.
    pub(super) limit: Option<u32>,
    window: Window,
    /// The window as the server counts it.
    span: Duration,
    /// When the next paced send is due.
    due: Duration,
    /// When live last sent.
    live_at: Option<Duration>,
    /// Part of the limit that we allow ourselves.
    pub(super) factor: f64,
    slowed_at: Option<Duration>,
    quiet_since: Duration,
    /// Calls of other clients of the same key within the window, estimated.
    foreign: f64,
    pub(super) not_before: Duration,
    pub(super) queues: [VecDeque<(u64, Family)>; 5],
    passed_over: [u32; 5],
}

impl Bucket {
    pub(super) fn new(limit: Option<u32>, span: Duration) -> Self {
        Self {
            limit,
            window: Window::new(span),
            span,
            due: Duration::ZERO,
            live_at: None,
            factor: 1.0,
            slowed_at: None,
            quiet_since: Duration::ZERO,
            foreign: 0.0,
            not_before: Duration::ZERO,
            queues: Default::default(),
            passed_over: [0; 5],
        }
    }

    /// Calls that we allow ourselves per window: the limit less one (a round trip may be shorter than all before it), less what
    /// others take, less what refusals taught.
    fn capacity(&self, limit: u32) -> usize {
        let margin = if limit >= 20 { 1.0 } else { 0.0 };
        let ours = (f64::from(limit) - margin - self.foreign) * self.factor;
        (ours.floor().max(1.0)) as usize
    }

    fn interval(&self, capacity: usize) -> Duration {
        self.span / u32::try_from(capacity).unwrap_or(u32::MAX).max(1)
    }

    /// The earliest time at which this share may send.
    pub(super) fn earliest(&self, share: Share, overdue: bool, now: Duration) -> Duration {
        let Some(limit) = self.limit else {
            return self.not_before;
        };
        let capacity = self.capacity(limit);
        // While there is live traffic a few places are left for it, so that it never waits for the window to turn.
        let live_lately = self.live_at.is_some_and(|at| now < at + self.span);
        let is_spared = live_lately && capacity >= 20 && share != Share::Live && !overdue;
        let spare = if is_spared { LIVE_PLACES } else { 0 };
        let mut at = self.window.free_at(capacity - spare, now).max(self.not_before);
        if share != Share::Live && !overdue {
            at = at.max(self.due.saturating_sub(self.interval(capacity) * CATCH_UP));
        }
        at
    }

    pub(super) fn sent(&mut self, share: Share, now: Duration) {
        if share == Share::Live {
            self.live_at = Some(now);
        }
        self.window.open();
        let Some(limit) = self.limit else { return };
        let interval = self.interval(self.capacity(limit));
        // Live sends push the pace back too, but never further than bulk can bear.
        self.due = (self.due.max(now) + interval).min(now + interval * (CATCH_UP + 6));
    }

    /// A call is over that was sent then.
    pub(super) fn over(&mut self, sent_at: Duration, now: Duration) {
        self.window.close(sent_at, now);
    }

    /// The shares that wait, first in line first: the overdue ones, then by precedence.
    pub(super) fn line(&self) -> impl Iterator<Item = (Share, bool)> + '_ {
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

    pub(super) fn turn_taken(&mut self, by: Share) {
        for share in Share::ALL {
            let waits = !self.queues[share as usize].is_empty();
            let count = &mut self.passed_over[share as usize];
            *count = if share == by || !waits { 0 } else { *count + 1 };
        }
    }

    pub(super) fn slow_down(&mut self, sent_at: Duration, now: Duration) {
        // What was sent before we slowed down was refused for the same cause.
        if self.slowed_at.is_none_or(|at| sent_at >= at) {
            self.factor = (self.factor * DECREASE).max(0.05);
            self.slowed_at = Some(now);
        }
        self.quiet_since = now + COOL_DOWN;
    }

    pub(super) fn recover(&mut self, now: Duration) {
        if self.factor < 1.0 && now > self.quiet_since {
            let quiet = (now - self.quiet_since).as_secs_f64();
            self.factor = (self.factor + quiet * INCREASE_PER_SECOND).min(1.0);
            self.quiet_since = now;
        }
    }

    /// Compares the server's count of the window with ours; the difference is other clients of the same key. When there are
    /// more calls than ours can be, half of those are theirs that may be ours or not.
    pub(super) fn compare(&mut self, max: u32, remaining: u32, sent_at: Duration, now: Duration) {
        let theirs = max.saturating_sub(remaining) as usize;
        let (surely, perhaps) = self.window.counted(sent_at, now);
        let foreign = if theirs > perhaps + FOREIGN_NOISE {
            theirs as f64 - (surely + perhaps) as f64 / 2.0
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
        if remaining == 0 && theirs > perhaps {
            let interval = self.interval(self.capacity(max));
            self.not_before = self.not_before.max(now + interval);
        }
    }
}
