//! The keeper of one tenant's budget of Salesforce calls.
//!
//! Salesforce allows an org so many API calls in any 24 hours, shared by everything that talks to it. Every call of
//! the client asks a [`Governor`] first and reports what the answer's `Sforce-Limit-Info` header said.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::calls::Family;
use crate::error::Verdict;

/// The org's use of its daily allocation, as `Sforce-Limit-Info` and the limits call give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiUsage {
    /// Calls used in the rolling day, by everybody.
    pub used: u64,
    /// Calls that the org may make.
    pub allowed: u64,
}

impl ApiUsage {
    /// Reads `api-usage=10018/100000`, also with a `per-app-api-usage` behind it.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let own = header
            .split(';')
            .find_map(|part| part.trim().strip_prefix("api-usage="))?;
        let (used, allowed) = own.split_once('/')?;
        Some(Self {
            used: used.trim().parse().ok()?,
            allowed: allowed.trim().parse().ok()?,
        })
    }
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Go ahead.
    Go,
    /// Go ahead after a pause.
    After(Duration),
    /// The budget is spent.
    Stop {
        /// Calls used.
        used: u64,
        /// Calls allowed to us.
        allowed: u64,
    },
}

/// Asked before every call, told after every answer.
pub trait Governor: Send + Sync + std::fmt::Debug {
    /// May this call be made now?
    fn admit(&self, family: Family) -> Admission;
    /// What an answer said about the org's use.
    fn observe(&self, usage: ApiUsage);
    /// Salesforce refused a call because the day's allocation is used up.
    fn exhausted(&self);
    /// How much of the budget is used, 0 to 1 and beyond: pollers stretch their pauses by it.
    fn pressure(&self) -> f64;
    /// The last usage seen.
    fn usage(&self) -> Option<ApiUsage>;
    /// One try of a call has ended: well, or with a failure that asks for this. For those who measure.
    fn ended(&self, _family: Family, _verdict: Option<Verdict>, _took: Duration) {}
}

/// A share of the org's daily allocation.
///
/// Calls stop at the share; one call every [`DailyBudget::PROBE_EVERY`] is let through even then, since the gauge
/// moves only with answers.
#[derive(Debug)]
pub struct DailyBudget {
    /// The part of the allocation, 0 to 1, at which we stop, counted with everybody's use.
    share: f64,
    /// How often a call is let through although the budget is spent.
    probe_every: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Calls of our own that are allowed in a day.
    own_allowed: Option<u64>,
    usage: Option<ApiUsage>,
    last_probe: Option<Instant>,
    /// Our own calls of the last day by hours, oldest first: when they no longer count, and how many they are.
    own: VecDeque<(Instant, u64)>,
}

impl State {
    /// Whether a call is let through although the budget is spent: not at first, then once in a while.
    fn may_probe(&mut self, now: Instant, every: Duration) -> bool {
        let due = self.last_probe.map(|last| now.duration_since(last) >= every);
        if due != Some(false) {
            self.last_probe = Some(now);
        }
        due == Some(true)
    }

    fn count_own(&mut self, now: Instant) {
        match self.own.back_mut() {
            Some((until, calls)) if until.duration_since(now) > DAY - HOUR => *calls += 1,
            _ => self.own.push_back((now + DAY, 1)),
        }
    }

    fn own_used(&mut self, now: Instant) -> u64 {
        while self.own.front().is_some_and(|(until, _)| *until <= now) {
            self.own.pop_front();
        }
        self.own.iter().map(|(_, calls)| calls).sum()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

impl DailyBudget {
    /// How often a call is let through although the budget is spent.
    pub const PROBE_EVERY: Duration = Duration::from_secs(300);

    /// Stops when the org has used this part of its allocation.
    #[must_use]
    pub fn new(share: f64) -> Self {
        Self {
            share: share.clamp(0.01, 1.0),
            probe_every: Self::PROBE_EVERY,
            state: Mutex::new(State::default()),
        }
    }

    /// Stops also when we have made so many calls in a day ourselves: those of this process, and those of earlier ones that
    /// [`DailyBudget::remember_own`] was told of.
    #[must_use]
    pub fn with_own_calls(self, allowed: Option<u64>) -> Self {
        self.allow_own_calls(allowed);
        self
    }

    /// Lets a call through so often although the budget is spent.
    #[must_use]
    pub fn probing_every(self, probe_every: Duration) -> Self {
        Self { probe_every, ..self }
    }

    /// Changes how many calls we may make in a day ourselves; those made so far still count.
    pub fn allow_own_calls(&self, allowed: Option<u64>) {
        self.state.lock().own_allowed = allowed;
    }

    /// How many calls we made ourselves in the last day.
    #[must_use]
    pub fn own_calls(&self) -> u64 {
        self.state.lock().own_used(Instant::now())
    }

    /// Our own calls of the last day, by hours: for how long they still count, and how many they are. For whoever keeps
    /// them for the next process.
    #[must_use]
    pub fn own_by_hours(&self) -> Vec<(Duration, u64)> {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.own_used(now);
        let hours = state.own.iter();
        hours
            .map(|(until, calls)| (until.duration_since(now), *calls))
            .collect()
    }

    /// Counts the calls that an earlier process made, besides those of this one.
    pub fn remember_own(&self, hours: &[(Duration, u64)]) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let earlier = hours.iter().map(|(rest, calls)| (now + (*rest).min(DAY), *calls));
        state.own.extend(earlier);
        state.own.make_contiguous().sort_by_key(|(until, _)| *until);
    }

    /// How many calls we may make in a day: our own allocation, and never what is left to others.
    #[must_use]
    pub fn allocated(&self, usage: ApiUsage) -> u64 {
        let shared = self.limit(usage);
        let own = self.state.lock().own_allowed;
        own.map_or(shared, |own| own.min(shared))
    }

    /// Where we stop, counted with everybody's use.
    #[must_use]
    pub fn limit(&self, usage: ApiUsage) -> u64 {
        // Allocations are far below 2^52, so the product is exact enough.
        (usage.allowed as f64 * self.share) as u64
    }
}

impl Default for DailyBudget {
    /// Leaves the last twentieth of the allocation to others.
    fn default() -> Self {
        Self::new(0.95)
    }
}

impl Governor for DailyBudget {
    fn admit(&self, family: Family) -> Admission {
        if !family.is_counted() {
            return Admission::Go;
        }
        let mut state = self.state.lock();
        let now = Instant::now();
        if let Some(allowed) = state.own_allowed {
            let used = state.own_used(now);
            if used >= allowed {
                return Admission::Stop { used, allowed };
            }
        }
        if let Some(usage) = state.usage {
            let allowed = self.limit(usage);
            if usage.used >= allowed && !state.may_probe(now, self.probe_every) {
                return Admission::Stop {
                    used: usage.used,
                    allowed,
                };
            }
        }
        state.count_own(now);
        Admission::Go
    }

    fn observe(&self, usage: ApiUsage) {
        let mut state = self.state.lock();
        if usage.used < self.limit(usage) {
            state.last_probe = None;
        }
        state.usage = Some(usage);
    }

    fn exhausted(&self) {
        let mut state = self.state.lock();
        let allowed = state.usage.map_or(1, |usage| usage.allowed);
        state.usage = Some(ApiUsage {
            used: allowed,
            allowed,
        });
    }

    fn pressure(&self) -> f64 {
        let mut state = self.state.lock();
        let orgs = state
            .usage
            .map_or(0.0, |usage| usage.used as f64 / self.limit(usage).max(1) as f64);
        let used = state.own_used(Instant::now());
        let own = state
            .own_allowed
            .map_or(0.0, |allowed| used as f64 / allowed.max(1) as f64);
        orgs.max(own)
    }

    fn usage(&self) -> Option<ApiUsage> {
        self.state.lock().usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_in_both_forms() {
        let usage = |used, allowed| Some(ApiUsage { used, allowed });
        assert_eq!(ApiUsage::parse("api-usage=10018/100000"), usage(10018, 100_000));
        assert_eq!(
            ApiUsage::parse("api-usage=25/5000; per-app-api-usage=17/250(appName=x)"),
            usage(25, 5000)
        );
        assert_eq!(ApiUsage::parse("per-app-api-usage=17/250(appName=x)"), None);
        assert_eq!(ApiUsage::parse("api-usage=x/y"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_stop_at_the_share_and_a_probe_finds_the_way_back() {
        let budget = DailyBudget::new(0.5);
        assert_eq!(budget.admit(Family::Query), Admission::Go);
        budget.observe(ApiUsage {
            used: 49,
            allowed: 100,
        });
        assert_eq!(budget.admit(Family::Query), Admission::Go);
        budget.observe(ApiUsage {
            used: 50,
            allowed: 100,
        });
        let stop = Admission::Stop {
            used: 50,
            allowed: 50,
        };
        assert_eq!(budget.admit(Family::Query), stop);
        assert_eq!(budget.admit(Family::SignIn), Admission::Go);
        tokio::time::advance(DailyBudget::PROBE_EVERY).await;
        assert_eq!(budget.admit(Family::Query), Admission::Go);
        assert_eq!(budget.admit(Family::Query), stop);
        budget.observe(ApiUsage {
            used: 10,
            allowed: 100,
        });
        assert_eq!(budget.admit(Family::Query), Admission::Go);
        budget.exhausted();
        assert!(matches!(budget.admit(Family::Query), Admission::Stop { .. }));
        assert!(budget.pressure() >= 1.0);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_of_an_earlier_process_count_for_as_long_as_they_would_have() {
        let earlier = DailyBudget::new(1.0);
        for _ in 0..2 {
            assert_eq!(earlier.admit(Family::Query), Admission::Go);
            tokio::time::advance(HOUR).await;
        }
        let kept = earlier.own_by_hours();
        assert_eq!(kept, [(DAY - 2 * HOUR, 1), (DAY - HOUR, 1)]);
        let budget = DailyBudget::new(1.0).with_own_calls(Some(3));
        budget.remember_own(&kept);
        assert_eq!(
            (budget.own_calls(), budget.admit(Family::Query)),
            (2, Admission::Go)
        );
        let stop = Admission::Stop { used: 3, allowed: 3 };
        assert_eq!(budget.admit(Family::Query), stop);
        tokio::time::advance(DAY - 2 * HOUR).await;
        assert_eq!(budget.own_calls(), 2, "the oldest is a day ago");
        assert_eq!(budget.admit(Family::Query), Admission::Go);
    }

    #[tokio::test(start_paused = true)]
    async fn an_allowance_of_our_own_frees_itself_by_the_hour() {
        let budget = DailyBudget::new(1.0).with_own_calls(Some(2));
        assert_eq!(budget.admit(Family::Query), Admission::Go);
        tokio::time::advance(HOUR).await;
        assert_eq!(budget.admit(Family::Query), Admission::Go);
        assert_eq!(
            budget.admit(Family::Query),
            Admission::Stop { used: 2, allowed: 2 }
        );
        tokio::time::advance(DAY - HOUR).await;
        assert_eq!(budget.admit(Family::Query), Admission::Go);
        assert_eq!(
            budget.admit(Family::Query),
            Admission::Stop { used: 2, allowed: 2 }
        );
    }
}
