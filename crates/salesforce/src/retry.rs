//! When to try again, and how long to wait first: one place for every call of the client.

use std::time::Duration;

use rand::RngExt;

/// How often and how patiently a call is repeated.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Tries in all, the first one included.
    pub attempts: u32,
    /// Upper bound of the pause before the second try; it doubles with each further one.
    pub first_pause: Duration,
    /// No pause is longer than this, unless the server asks for more.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// A policy that tries once only.
    #[must_use]
    pub fn once() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    /// The pause before try number `next` (the second try is 2), or `None` when it is time to give up.
    /// `jitter` in 0..1 picks a place between half and all of the step; the server's own wish is a floor.
    #[must_use]
    pub fn pause_before(&self, next: u32, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
        if next > self.attempts {
            return None;
        }
        let doublings = next.saturating_sub(2).min(16);
        let step = self
            .first_pause
            .saturating_mul(1 << doublings)
            .min(self.longest_pause);
        let own = step.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
        Some(own.max(asked.unwrap_or_default()))
    }

    /// [`Self::pause_before`] with a random jitter.
    #[must_use]
    pub fn jittered(&self, next: u32, asked: Option<Duration>) -> Option<Duration> {
        self.pause_before(next, asked, rand::rng().random_range(0.0..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_stay_bounded_and_end() {
        let policy = RetryPolicy {
            attempts: 4,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_millis(250),
        };
        let pauses: Vec<_> = (2..7).map(|next| policy.pause_before(next, None, 1.0)).collect();
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(pauses, [ms(100), ms(200), ms(250), None, None]);
        assert_eq!(policy.pause_before(2, None, 0.0), ms(50));
        assert_eq!(policy.pause_before(2, ms(900), 0.0), ms(900));
    }
}
