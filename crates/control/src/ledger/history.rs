//! What became of a tenant's changes over time: counts for stretches of time, of which only so many are kept.

use std::collections::BTreeMap;

use landbridge_model::Outcome;
use serde::{Deserialize, Serialize};

use crate::latency::Histogram;

/// What became of changes in one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Changes by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// How long live changes were on their way.
    pub latency: Histogram,
}

/// Stretches of one length, the newest of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    length_ms: i64,
    kept: i64,
    stretches: BTreeMap<i64, Stretch>,
}

impl Series {
    fn new(length_ms: i64, kept: i64) -> Self {
        Self {
            length_ms,
            kept,
            stretches: BTreeMap::new(),
        }
    }

    /// How long each stretch is, in milliseconds.
    pub fn length_ms(&self) -> i64 {
        self.length_ms
    }

    /// The stretches in which something happened, with their beginnings in milliseconds since 1970, oldest first.
    pub fn stretches(&self) -> impl Iterator<Item = (i64, &Stretch)> {
        let length = self.length_ms;
        self.stretches
            .iter()
            .map(move |(place, stretch)| (place * length, stretch))
    }

    /// The stretch of a moment; `None` when it is older than what is kept.
    fn at(&mut self, at_ms: i64) -> Option<&mut Stretch> {
        let place = at_ms.div_euclid(self.length_ms);
        let newest = self
            .stretches
            .last_key_value()
            .map_or(place, |(newest, _)| *newest);
        let oldest = newest.max(place) - self.kept;
        if place <= oldest {
            return None;
        }
        self.stretches.retain(|place, _| *place > oldest);
        Some(self.stretches.entry(place).or_default())
    }
}

/// A tenant's history: by five minutes for three hours, and by hours for two days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// By five minutes.
    pub minutes: Series,
    /// By hours.
    pub hours: Series,
}

impl Default for History {
    fn default() -> Self {
        Self {
            minutes: Series::new(5 * 60_000, 36),
            hours: Series::new(3_600_000, 48),
        }
    }
}

impl History {
    /// Adds a change's verdict.
    pub(crate) fn settled(&mut self, at_ms: i64, outcome: usize) {
        for series in [&mut self.minutes, &mut self.hours] {
            if let Some(stretch) = series.at(at_ms) {
                stretch.outcomes[outcome] += 1;
            }
        }
    }

    /// Adds how long a live change was on its way, in milliseconds.
    pub(crate) fn carried(&mut self, at_ms: i64, took_ms: i64) {
        for series in [&mut self.minutes, &mut self.hours] {
            if let Some(stretch) = series.at(at_ms) {
                stretch.latency.add(took_ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn stretches_are_counted_apart_and_the_oldest_are_let_go() {
        let mut history = History::default();
        for minute in 0..(72 * 60) {
            history.settled(minute * 60_000, 0);
        }
        history.carried(72 * HOUR - 1, 1_000);
        let hours: Vec<_> = history.hours.stretches().collect();
        assert_eq!((hours.len(), hours[0].0), (48, 24 * HOUR));
        assert!(hours.iter().all(|(_, hour)| hour.outcomes[0] == 60));
        assert_eq!(hours[47].1.latency.count(), 1);
        let minutes: Vec<_> = history.minutes.stretches().collect();
        assert_eq!((minutes.len(), minutes[0].0), (36, 69 * HOUR));
        assert!(minutes.iter().all(|(_, stretch)| stretch.outcomes[0] == 5));
        // One that comes very late changes nothing of what is kept.
        let before = history.clone();
        history.settled(HOUR, 0);
        assert_eq!(history, before);
    }
}
