//! Which stretch of time the increment reads next. Pure.
//!
//! Windows are half-open and cut by the org's clock. Their end stays behind that clock by a lag and falls on a whole
//! second, so that a second of SystemModstamp is never read before it is over; their start reaches back over what
//! was read already, for rows whose transaction took longer than the lag.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How windows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowRule {
    /// Behind the org's clock.
    pub lag: Duration,
    /// Back over what was read already.
    pub overlap: Duration,
}

/// Stamps from `lo` on, before `hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first stamp that belongs to it.
    pub lo: Timestamp,
    /// The first stamp that does not.
    pub hi: Timestamp,
}

impl Stretch {
    /// Its part from `from` on that is at most so wide: what Salesforce answered in time before. Never empty, and whole
    /// seconds.
    #[must_use]
    pub fn part(self, from: Timestamp, widest: Duration) -> Self {
        let widest = SignedDuration::try_from(widest).unwrap_or(SignedDuration::MAX);
        let widest = widest.max(SignedDuration::from_secs(1));
        let hi = from
            .checked_add(widest)
            .map_or(self.hi, |hi| whole_second(hi).min(self.hi));
        Self { lo: from, hi }
    }

    /// How wide it is.
    #[must_use]
    pub fn width(self) -> Duration {
        self.hi
            .duration_since(self.lo)
            .max(SignedDuration::ZERO)
            .unsigned_abs()
    }
}

/// Cut to the whole second.
pub fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_millisecond().div_euclid(1000)).unwrap_or(at)
}

fn whole_minute(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

fn before(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// For how long an org's clock that is put back is taken to have run ahead at most.
const AHEAD: Duration = Duration::from_secs(24 * 3_600);

impl WindowRule {
    /// The end of what can be read now.
    pub fn horizon(self, org_now: Timestamp) -> Timestamp {
        whole_second(before(org_now, self.lag))
    }

    /// The next window, when everything before `covered` is on the bus. Nothing before `begin` is read. `None`
    /// while no new second is over.
    pub fn next(self, begin: Timestamp, covered: Timestamp, org_now: Timestamp) -> Option<Stretch> {
        let hi = self.horizon(org_now);
        let lo = self.next_start(covered).max(begin);
        (hi > covered && hi > lo).then_some(Stretch { lo, hi })
    }

    /// The earliest start of the windows that follow one which ended at `covered`.
    pub fn next_start(self, covered: Timestamp) -> Timestamp {
        before(covered, self.overlap)
    }

    /// Where reading goes on when the org's clock has been put back: everything before `covered` is on the bus by a clock
    /// that ran ahead, and for how long it did nobody knows. `None` while it was not.
    pub fn put_back(covered: Timestamp, org_now: Timestamp) -> Option<Timestamp> {
        (covered > org_now).then(|| before(org_now, AHEAD))
    }

    /// Where a window begins that also looks for transactions which took longer than the overlap: at the moment up to
    /// which all were known to have ended.
    pub fn reaching_back(stretch: Stretch, settled: Timestamp) -> Stretch {
        Stretch {
            lo: stretch.lo.min(settled),
            ..stretch
        }
    }

    /// An import's fence: the end of what can be read now, or the beginning of the oldest transaction that is still open.
    /// `covered` is what Salesforce says is complete, cut to the minute: only a minute that is over and not covered
    /// tells of an open transaction.
    pub fn fence(self, covered: Option<Timestamp>, org_now: Timestamp) -> Timestamp {
        let horizon = self.horizon(org_now);
        match covered {
            Some(covered) if covered < whole_minute(org_now) => horizon.min(covered),
            _ => horizon,
        }
    }

    /// What an import's catch-up reads: all since its fence.
    pub fn catch_up(self, fence: Timestamp, org_now: Timestamp) -> Stretch {
        let hi = self.horizon(org_now).max(fence);
        Stretch {
            lo: before(fence, self.overlap),
            hi,
        }
    }

    /// Where the live reading of a sync begins that was turned on after an import: at its fence, with the overlap that its
    /// catch-up has.
    pub fn begin(self, fence: Timestamp) -> Timestamp {
        before(fence, self.overlap)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const RULE: WindowRule = WindowRule {
        lag: Duration::from_secs(10),
        overlap: Duration::from_secs(60),
    };

    #[test]
    fn a_part_is_never_empty_and_never_beyond_its_stretch() {
        let stretch = Stretch {
            lo: at(100),
            hi: at(200),
        };
        for (from, widest_ms, hi) in [
            (100, u64::MAX, 200),
            (100, 50_000, 150),
            (180, 50_000, 200),
            (100, 10, 101),
            (150, 25_700, 175),
        ] {
            let part = stretch.part(at(from), Duration::from_millis(widest_ms));
            assert_eq!((part.lo, part.hi), (at(from), at(hi)), "{from} {widest_ms}");
        }
    }

    #[test]
    fn a_fence_stands_before_what_is_still_open() {
        let now = at(1_000); // 16:40 after the hour's begin
        for (covered, fence) in [
            (None, 990),
            (Some(960), 990), // the last whole minute: nothing is open
            (Some(840), 840), // a transaction that began in the minute of 840 is open
        ] {
            assert_eq!(RULE.fence(covered.map(at), now), at(fence), "{covered:?}");
        }
        let stretch = Stretch {
            lo: at(900),
            hi: at(990),
        };
        assert_eq!(WindowRule::reaching_back(stretch, at(840)).lo, at(840));
        assert_eq!(WindowRule::reaching_back(stretch, at(960)), stretch);
    }

    #[test]
    fn a_clock_that_is_put_back_hides_nothing() {
        assert_eq!(WindowRule::put_back(at(990), at(1_000)), None);
        assert_eq!(WindowRule::put_back(at(1_000), at(1_000)), None);
        let day = 24 * 3_600;
        let back = WindowRule::put_back(at(2 * day + 7_200), at(2 * day));
        assert_eq!(back, Some(at(day)));
    }

    #[test]
    fn windows_are_cut_by_whole_seconds_behind_the_clock() {
        let now = Timestamp::from_millisecond(1_000_700).unwrap();
        assert_eq!(
            RULE.next(at(0), at(980), now),
            Some(Stretch {
                lo: at(920),
                hi: at(990)
            })
        );
        assert_eq!(
            RULE.next(at(950), at(980), now),
            Some(Stretch {
                lo: at(950),
                hi: at(990)
            })
        );
        assert_eq!(RULE.next(at(0), at(990), now), None);
        assert_eq!(RULE.next(at(995), at(995), now), None);
    }

    #[test]
    fn a_sync_begins_at_a_fence_as_its_catch_up_does() {
        assert_eq!(RULE.begin(at(500)), at(440));
        assert_eq!(
            RULE.catch_up(at(500), at(1_000)),
            Stretch {
                lo: at(440),
                hi: at(990)
            }
        );
        assert_eq!(
            RULE.catch_up(at(500), at(501)),
            Stretch {
                lo: at(440),
                hi: at(500)
            }
        );
    }

    proptest! {
        /// Rows become visible up to lag + overlap after their stamp; polls come whenever they like. Nothing is lost.
        #[test]
        fn every_row_is_read_however_late_it_commits(
            rows in prop::collection::vec((100i64..400, 0i64..=70), 0..40),
            pauses in prop::collection::vec(1i64..90, 1..20),
        ) {
            let (begin, mut covered, mut now) = (at(0), at(90), 100);
            let mut read = BTreeSet::new();
            let end = 400 + 70 + 71;
            // A poll at least every minute while rows commit: a longer outage is covered by the same rule, because
            // `covered` stands still with it.
            for pause in pauses.into_iter().chain(std::iter::repeat(30)) {
                now += pause;
                if let Some(stretch) = RULE.next(begin, covered, at(now)) {
                    for (index, (stamp, late)) in rows.iter().enumerate() {
                        let inside = at(*stamp) >= stretch.lo && at(*stamp) < stretch.hi;
                        if inside && stamp + late <= now {
                            read.insert(index);
                        }
                    }
                    covered = stretch.hi;
                }
                if now > end {
                    break;
                }
            }
            prop_assert_eq!(read.len(), rows.len());
        }
    }
}
