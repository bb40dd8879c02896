//! For how long marks are collected before they are read together. Pure.
//!
//! A read costs a call however many records it brings. Reads are paid for out of a purse that fills as fast as a part of
//! the day's calls that are left would last for a day: while there is something in it, windows are as short as can be; when
//! it is empty, the next read waits until it can be paid. So a few edits arrive at once, and an org that is edited all day
//! costs an even part of its budget, a smaller one as the budget shrinks.

use std::time::Duration;

use landbridge_model::ask::CallBudget;

/// The part of the calls that are left which reads by events may take.
const SHARE: f64 = 0.5;
/// Reads that the purse holds at most.
const PURSE: f64 = 20.0;
const DAY_SECONDS: f64 = 86_400.0;

/// The purse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    purse: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { purse: PURSE }
    }
}

/// Reads that may be paid for in a second; no bound while the budget is not known.
#[must_use]
pub fn per_second(budget: Option<CallBudget>) -> f64 {
    let Some(budget) = budget else {
        return f64::INFINITY;
    };
    let shared = budget
        .limit
        .saturating_sub(budget.reserved)
        .saturating_sub(budget.used);
    let own = budget
        .own
        .map_or(shared, |own| budget.allocated.saturating_sub(own));
    // Budgets are far below 2^52.
    shared.min(own) as f64 * SHARE / DAY_SECONDS
}

impl Pace {
    /// Time has passed.
    #[must_use]
    pub fn refilled(self, passed: Duration, per_second: f64) -> Self {
        let earned = if passed.is_zero() {
            0.0
        } else {
            passed.as_secs_f64() * per_second
        };
        Self {
            purse: (self.purse + earned).min(PURSE),
        }
    }

    /// Calls were made.
    #[must_use]
    pub fn paid(self, calls: u64) -> Self {
        Self {
            purse: (self.purse - calls as f64).max(-PURSE),
        }
    }

    /// For how long marks are collected now.
    #[must_use]
    pub fn window(self, per_second: f64, shortest: Duration, longest: Duration) -> Duration {
        let longest = longest.max(shortest);
        if self.purse >= 1.0 {
            return shortest;
        }
        let lacking = (1.0 - self.purse) / per_second;
        if lacking.is_finite() && lacking < longest.as_secs_f64() {
            Duration::from_secs_f64(lacking).clamp(shortest, longest)
        } else {
            longest
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHORTEST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(60);

    fn budget(limit: u64, used: u64) -> Option<CallBudget> {
        let reserved = limit / 20;
        Some(CallBudget {
            limit,
            used,
            own: Some(0),
            allocated: limit - reserved,
            reserved,
            forecast: None,
        })
    }

    #[test]
    fn windows_grow_as_the_budget_shrinks() {
        let empty = Pace::default().paid(20);
        for (budget, seconds) in [
            (None, 0.25),
            (budget(1_000_000, 0), 0.25),
            (budget(100_000, 0), 1.819),
            (budget(100_000, 50_000), 3.84),
            (budget(15_000, 0), 12.126),
            (budget(15_000, 12_000), 60.0),
            (budget(15_000, 15_000), 60.0),
        ] {
            let window = empty.window(per_second(budget), SHORTEST, LONGEST);
            assert!(
                (window.as_secs_f64() - seconds).abs() < 0.001,
                "{budget:?}: {window:?}"
            );
        }
    }

    #[test]
    fn our_own_allocation_counts_too() {
        let small = CallBudget {
            limit: 100_000,
            used: 0,
            own: Some(900),
            allocated: 1_000,
            reserved: 5_000,
            forecast: None,
        };
        assert!((per_second(Some(small)) - 100.0 * SHARE / DAY_SECONDS).abs() < 1e-9);
    }

    #[test]
    fn a_few_reads_are_at_once_and_many_are_even() {
        let rate = per_second(budget(15_000, 0));
        let mut pace = Pace::default();
        for _ in 0..20 {
            assert_eq!(pace.window(rate, SHORTEST, LONGEST), SHORTEST);
            pace = pace.paid(1);
        }
        let wait = pace.window(rate, SHORTEST, LONGEST);
        assert!(wait > Duration::from_secs(10), "{wait:?}");
        // A little more than that: floating-point numbers round.
        let then = pace.refilled(wait + Duration::from_millis(1), rate);
        assert_eq!(then.window(rate, SHORTEST, LONGEST), SHORTEST);
    }

    proptest! {
        #[test]
        fn a_day_of_edits_takes_no_more_than_its_share(limit in 1_000u64..200_000, used in 0u64..200_000) {
            let rate = per_second(budget(limit, used.min(limit)));
            let (mut pace, mut calls, mut passed) = (Pace::default(), 0u32, 0.0);
            while passed < DAY_SECONDS {
                let window = pace.window(rate, SHORTEST, LONGEST);
                passed += window.as_secs_f64();
                pace = pace.refilled(window, rate).paid(1);
                calls += 1;
            }
            // The longest window lets a read through once a minute even when nothing is left: the governor refuses it.
            let bound = (PURSE + rate * DAY_SECONDS).max(DAY_SECONDS / LONGEST.as_secs_f64()) + PURSE + 2.0;
            prop_assert!(f64::from(calls) <= bound, "{} calls, {} allowed", calls, bound);
        }
    }
}
