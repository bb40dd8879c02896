//! A daily allowance that all apps of one account share.
//!
//! What imports may use of it ends before the reserve. Shortly before that they slow down, so that what is left lasts until the
//! day ends; live changes go on into the reserve.

use std::time::Duration;

use super::Share;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// After a refusal by the day's limit whose end nobody knows: ask again this much later.
const PROBE: Duration = Duration::from_secs(15 * 60);
/// Imports slow down when less than this part of the day's calls is left to them.
const SLOW_BELOW: f64 = 0.05;
/// The time over which the pace of the day is taken.
const TREND: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Daily {
    /// Calls a day; `None` until configured or told by a header.
    pub(super) limit: Option<u32>,
    /// Calls made today by all apps, as far as we know.
    pub(super) spent: u32,
    /// When the count starts anew.
    pub(super) resets_at: Option<Duration>,
    /// Refused by the day's limit until then.
    refused_until: Option<Duration>,
    /// When a call was sent that slows down.
    slow_sent: Option<Duration>,
    /// The count at some time before, to tell how fast it rises.
    since: Option<(Duration, u32)>,
}

impl Daily {
    pub(super) fn new(limit: Option<u32>, spent: u32) -> Self {
        Self {
            limit,
            spent,
            resets_at: None,
            refused_until: None,
            slow_sent: None,
            since: None,
        }
    }

    pub(super) fn sent(&mut self, share: Share, now: Duration) {
        self.roll(now);
        self.spent = self.spent.saturating_add(1);
        if share.slows_down() {
            self.slow_sent = Some(now);
        }
        match self.since {
            Some((at, _)) if now < at + TREND => {}
            _ => self.since = Some((now, self.spent)),
        }
    }

    /// At the pace of the last minutes: how many calls the day will have seen at its end.
    pub(super) fn forecast(&self, now: Duration) -> Option<u32> {
        let rest = self.resets_at?.checked_sub(now)?;
        let (at, before) = self.since?;
        let passed = now.saturating_sub(at).as_secs_f64();
        if passed < TREND.as_secs_f64() / 10.0 {
            return None;
        }
        let pace = f64::from(self.spent.saturating_sub(before)) / passed;
        Some(self.spent.saturating_add((pace * rest.as_secs_f64()) as u32))
    }

    /// A header told the day's limit and what is left of it.
    pub(super) fn learn(&mut self, limit: u32, remaining: u32) {
        self.limit = Some(limit);
        let spent = limit.saturating_sub(remaining);
        // Answers overtake each other by a few calls; a count that fell by more is a new day.
        if spent > self.spent || self.spent - spent > 1_000 {
            self.spent = spent;
        }
    }

    /// The account's report told the limit and what is spent of it; for some credentials it reports no use.
    pub(super) fn told(&mut self, limit: u32, spent: u32) {
        if limit > 0 {
            self.limit = Some(limit);
        }
        self.spent = self.spent.max(spent);
    }

    /// Refused by the day's limit: no call before the reset. Answers how long that is.
    pub(super) fn refused(&mut self, now: Duration, retry_after: Option<Duration>) -> Duration {
        let until = self
            .resets_at
            .filter(|&at| at > now)
            .unwrap_or(now + retry_after.unwrap_or(PROBE));
        self.refused_until = Some(until);
        until - now
    }

    /// Until when this share must not call; `None` when it may.
    pub(super) fn closed_until(&mut self, now: Duration, share: Share, reserve: f64) -> Option<Duration> {
        self.roll(now);
        if let Some(until) = self.refused_until {
            if now < until {
                return Some(until);
            }
            self.refused_until = None;
        }
        let limit = self.limit?;
        let kept_back = (f64::from(limit) * reserve * share.reserve_factor()) as u32;
        let left = limit.saturating_sub(kept_back).saturating_sub(self.spent);
        if left == 0 {
            return Some(self.resets_at.unwrap_or(now + PROBE));
        }
        self.slowed_until(now, share, left, limit)
    }

    /// When the next call of a share that slows down is due.
    fn slowed_until(&self, now: Duration, share: Share, left: u32, limit: u32) -> Option<Duration> {
        if !share.slows_down() || f64::from(left) > f64::from(limit) * SLOW_BELOW {
            return None;
        }
        let rest = self.resets_at?.checked_sub(now)?;
        let due = self.slow_sent? + rest / left;
        (due > now).then_some(due)
    }

    fn roll(&mut self, now: Duration) {
        while let Some(at) = self.resets_at.filter(|&at| at <= now) {
            self.spent = 0;
            (self.refused_until, self.slow_sent, self.since) = (None, None, None);
            self.resets_at = Some(at + DAY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_stop_before_live_does_and_both_go_on_after_the_reset() {
        let mut daily = Daily::new(Some(1_000), 0);
        let (now, reset) = (Duration::from_secs(5), Duration::from_secs(60));
        daily.resets_at = Some(reset);
        for (spent, bulk_open, live_open) in [
            (0, true, true),
            (899, true, true),
            (900, false, true),
            (990, false, false),
        ] {
            daily.spent = spent;
            assert_eq!(
                daily.closed_until(now, Share::Bulk, 0.1).is_none(),
                bulk_open,
                "bulk at {spent}"
            );
            assert_eq!(
                daily.closed_until(now, Share::Live, 0.1).is_none(),
                live_open,
                "live at {spent}"
            );
        }
        assert_eq!(daily.closed_until(now, Share::Bulk, 0.1), Some(reset));
        assert_eq!(daily.closed_until(reset, Share::Bulk, 0.1), None);
        assert_eq!(daily.resets_at, Some(reset + DAY));
    }

    #[test]
    fn a_late_answer_does_not_give_calls_back() {
        let mut daily = Daily::new(None, 0);
        daily.learn(1_000_000, 900_000);
        daily.learn(1_000_000, 900_003);
        assert_eq!(daily.spent, 100_000);
        daily.learn(1_000_000, 999_999);
        assert_eq!(daily.spent, 1, "a new day began");
    }

    #[test]
    fn what_is_left_to_imports_lasts_until_the_day_ends() {
        let mut daily = Daily::new(Some(100_000), 85_001);
        let hour = Duration::from_secs(3_600);
        daily.resets_at = Some(hour);
        let (mut now, mut sent) = (Duration::ZERO, 0);
        while now < hour {
            match daily.closed_until(now, Share::Bulk, 0.1) {
                Some(until) => now = until,
                None => {
                    daily.sent(Share::Bulk, now);
                    sent += 1;
                    now += Duration::from_millis(1);
                }
            }
            assert_eq!(
                daily.closed_until(now, Share::Live, 0.1),
                None,
                "live never slows down"
            );
        }
        assert!(
            (4_950..=4_999).contains(&sent),
            "{sent} of the 4,999 that were left"
        );
    }

    #[test]
    fn the_day_is_forecast_at_the_pace_of_the_last_minutes() {
        let mut daily = Daily::new(Some(1_000), 0);
        let second = Duration::from_secs(1);
        daily.resets_at = Some(second * 1_000);
        assert_eq!(daily.forecast(Duration::ZERO), None, "nothing was sent yet");
        (0..100).for_each(|at| daily.sent(Share::Live, second * at));
        assert_eq!(daily.forecast(second * 99), Some(100 + 901));
    }
}
