//! How fast records settle, lately.

use std::collections::VecDeque;

/// The stretch of time that counts as lately, in seconds.
const WINDOW_S: i64 = 20;

/// Counts by second over the window.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    seconds: VecDeque<(i64, u64)>,
    first_s: Option<i64>,
}

impl Rate {
    /// So many settled at this time.
    pub(crate) fn add(&mut self, at_ms: i64, count: u64) {
        if count == 0 {
            return;
        }
        let second = at_ms.div_euclid(1000);
        self.first_s = Some(self.first_s.map_or(second, |first| first.min(second)));
        // Reports of several workers come nearly in order of time: look from the end.
        match self.seconds.iter().rposition(|(known, _)| *known <= second) {
            Some(place) if self.seconds[place].0 == second => self.seconds[place].1 += count,
            Some(place) => self.seconds.insert(place + 1, (second, count)),
            None => self.seconds.push_front((second, count)),
        }
        while self.seconds.len() > 2 * usize::try_from(WINDOW_S).unwrap_or(1) {
            self.seconds.pop_front();
        }
    }

    /// Settled records a second over the last seconds before `now_ms`; less than a window after the start, over the
    /// time since then.
    pub fn per_second(&self, now_ms: i64) -> f64 {
        let now = now_ms.div_euclid(1000);
        let Some(first) = self.first_s else { return 0.0 };
        let from = first.max(now - WINDOW_S);
        let counted: u64 = self
            .seconds
            .iter()
            .filter(|(second, _)| *second >= from && *second <= now)
            .map(|(_, n)| n)
            .sum();
        counted as f64 / (now - from).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_the_last_seconds_only() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(0), 0.0);
        for second in 100..200 {
            rate.add(second * 1000, 50);
            rate.add(second * 1000 + 500, 50);
        }
        assert_eq!(
            rate.per_second(199_999).round(),
            105.0,
            "the second under way counts as well"
        );
        assert_eq!(rate.per_second(300_000), 0.0);
    }

    #[test]
    fn a_start_is_not_diluted_by_the_time_before_it() {
        let mut rate = Rate::default();
        rate.add(50_000, 300);
        rate.add(52_000, 300);
        assert_eq!(rate.per_second(53_000), 200.0);
    }
}
