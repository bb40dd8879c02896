//! How long to wait before a call is repeated. Pure.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(400);
const LONGEST: Duration = Duration::from_secs(30);

/// The pause before the next attempt, after `attempts` failed ones: it doubles, is jittered by `random` (0 to 1), and is
/// never shorter than what the other side asked for.
pub(crate) fn pause(attempts: u32, asked_for: Duration, random: f64) -> Duration {
    let grown = FIRST
        .saturating_mul(2u32.saturating_pow(attempts.min(16)))
        .min(LONGEST);
    asked_for + grown.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

const FIRST_RETRY: Duration = Duration::from_secs(60);
const LAST_RETRY: Duration = Duration::from_secs(6 * 3600);

/// The pause before a record is tried again that has failed so often for a reason that may pass: it grows fourfold.
pub(crate) fn retry_after(failures: u32) -> Duration {
    FIRST_RETRY
        .saturating_mul(4u32.saturating_pow(failures.saturating_sub(1).min(8)))
        .min(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let at = |attempts| pause(attempts, Duration::ZERO, 1.0);
        assert_eq!(at(0), FIRST);
        assert_eq!(at(1), FIRST * 2);
        assert_eq!(at(1_000), LONGEST);
        assert!(pause(3, Duration::from_secs(9), 0.0) >= Duration::from_secs(9));
        assert!(pause(3, Duration::ZERO, 0.0) < at(3));
    }

    #[test]
    fn retries_become_rare() {
        let minutes = [1, 2, 3, 4, 5, 6, 1_000].map(|failures| retry_after(failures).as_secs() / 60);
        assert_eq!(minutes, [1, 4, 16, 64, 256, 360, 360]);
    }
}
