//! From a commit in Salesforce to HubSpot's acknowledgement: how long changes are on their way.
//!
//! A sample is the time of the loader's report, by the org's clock, less the change's SystemModstamp. The stamp has a
//! grain of one second and is cut, not rounded, so a sample is up to a second too long, half a second on average.

use std::collections::BTreeMap;

use landbridge_model::{Outcome, Source, StageKind};
use serde::{Deserialize, Serialize};

/// How many hours are remembered.
const HOURS: i64 = 48;
/// Each bucket ends 4 % above the one before it.
const GROWTH: f64 = 1.04;

/// Counts by duration, in buckets 4 % wide: a quantile is exact to 2 %.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram {
    buckets: BTreeMap<u16, u64>,
}

impl Histogram {
    /// Adds one sample; a negative one (clocks differ) counts as none at all.
    pub fn add(&mut self, milliseconds: i64) {
        let milliseconds = milliseconds.max(1) as f64;
        let bucket = (milliseconds.ln() / GROWTH.ln())
            .round()
            .clamp(0.0, f64::from(u16::MAX));
        // In range by the clamp above.
        *self.buckets.entry(bucket as u16).or_default() += 1;
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// The duration below which a share of the samples lies, in milliseconds.
    pub fn quantile(&self, share: f64) -> Option<i64> {
        let wanted = (self.count() as f64 * share.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut below = 0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            below += **count;
            below >= wanted
        });
        bucket.map(|(bucket, _)| GROWTH.powi(i32::from(*bucket)).round() as i64)
    }
}

/// One tenant's samples by the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Latency {
    hours: BTreeMap<i64, Histogram>,
}

/// Whether a verdict is an acknowledgement of a live change by HubSpot.
pub fn is_sample(stage: StageKind, source: Source, outcome: Outcome) -> bool {
    stage == StageKind::Loader
        && matches!(source, Source::Increment | Source::ChangeEvent)
        && matches!(outcome, Outcome::Created | Outcome::Updated | Outcome::Deleted)
}

impl Latency {
    /// Adds a change that was acknowledged at `at_ms` by a clock which the org's is `org_ahead_ms` ahead of.
    pub fn add(&mut self, at_ms: i64, org_ahead_ms: i64, stamp_ms: i64) {
        let hour = at_ms.div_euclid(3_600_000);
        self.hours
            .entry(hour)
            .or_default()
            .add(at_ms + org_ahead_ms - stamp_ms);
        let newest = self.hours.last_key_value().map_or(hour, |(newest, _)| *newest);
        self.hours.retain(|hour, _| *hour > newest - HOURS);
    }

    /// All samples since `from_ms`, to the hour.
    pub fn since(&self, from_ms: i64) -> Histogram {
        let mut sum = Histogram::default();
        for (_, histogram) in self.hours.range(from_ms.div_euclid(3_600_000)..) {
            sum.merge(histogram);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_two_percent() {
        let mut histogram = Histogram::default();
        for milliseconds in 1..=10_000 {
            histogram.add(milliseconds);
        }
        for (share, exact) in [(0.5, 5_000.0), (0.99, 9_900.0), (1.0, 10_000.0)] {
            let found = histogram.quantile(share).unwrap() as f64;
            assert!(
                (found / exact - 1.0).abs() < 0.021,
                "{share}: {found}, not {exact}"
            );
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn the_orgs_clock_counts() {
        let mut latency = Latency::default();
        // Acknowledged at 10 s by our clock, which is 4 s behind the org's; committed at 9 s by the org's.
        latency.add(10_000, 4_000, 9_000);
        let found = latency.since(0).quantile(0.5).unwrap();
        assert!((4_900..=5_100).contains(&found), "{found}");
    }

    #[test]
    fn old_hours_are_forgotten() {
        let mut latency = Latency::default();
        for hour in 0..100 {
            latency.add(hour * 3_600_000, 0, hour * 3_600_000 - 500);
        }
        assert_eq!(latency.since(0).count(), 48);
        assert_eq!(latency.since(98 * 3_600_000).count(), 2);
    }

    #[test]
    fn only_live_writes_are_samples() {
        assert!(is_sample(StageKind::Loader, Source::Increment, Outcome::Updated));
        assert!(!is_sample(StageKind::Loader, Source::Import, Outcome::Updated));
        assert!(!is_sample(
            StageKind::Loader,
            Source::Increment,
            Outcome::Unchanged
        ));
        assert!(!is_sample(StageKind::Mapper, Source::Increment, Outcome::Deleted));
    }
}
