//! The daily allowance that all apps of one account share.

use std::time::Duration;

use super::Share;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// After a refusal by the day's limit whose end nobody knows: ask again this much later.
const PROBE: Duration = Duration::from_secs(15 * 60);

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
}

impl Daily {
    pub(super) fn new(limit: Option<u32>, spent: u32) -> Self {
        Self {
            limit,
            spent,
            resets_at: None,
            refused_until: None,
        }
    }

    pub(super) fn sent(&mut self, now: Duration) {
        self.roll(now);
        self.spent = self.spent.saturating_add(1);
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
        let open = self.spent < limit.saturating_sub(kept_back);
        (!open).then(|| self.resets_at.unwrap_or(now + PROBE))
    }

    fn roll(&mut self, now: Duration) {
        while let Some(at) = self.resets_at.filter(|&at| at <= now) {
            self.spent = 0;
            self.refused_until = None;
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
}
