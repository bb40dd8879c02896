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
}
