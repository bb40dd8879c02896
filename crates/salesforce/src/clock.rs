//! The org's own clock, read from the `Date` header of every answer.
//!
//! Windows and versions are cut by this clock and never by ours: two machines disagree, one org does not.

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

/// What our own clock is taken to run too fast at most, in millionths: the estimate is carried forward so much slower, and
/// never gets ahead of the org by its drift.
const DRIFT: f64 = 200e-6;
/// An answer whose date is further back than this was not slow, nor is it another server's clock: the org's has been put back.
const PUT_BACK: SignedDuration = SignedDuration::from_secs(10);

/// Salesforce's time, carried forward by our monotonic clock between answers.
///
/// Every answer gives a lower bound: its `Date` header is cut to the second and was written before it arrived. The highest
/// of them is kept, so that the estimate never goes back: two reads of a record one after the other bear times in that
/// order, and the later one is never taken for the older version.
#[derive(Debug, Default)]
pub struct OrgClock {
    last: Mutex<Option<(Timestamp, Instant)>>,
}

impl OrgClock {
    /// Takes the value of a `Date` header; what is no date is ignored.
    pub fn observe(&self, header: &str) {
        let Some(date) = parse_http_date(header) else {
            return;
        };
        let mut last = self.last.lock();
        let is_news = match last.and_then(carried) {
            Some(estimate) => date > estimate || estimate.duration_since(date) > PUT_BACK,
            None => true,
        };
        if is_news {
            *last = Some((date, Instant::now()));
        }
    }

    /// The org's time now, or `None` before the first answer.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        carried((*self.last.lock())?)
    }
}

fn carried((date, seen): (Timestamp, Instant)) -> Option<Timestamp> {
    let passed = seen.elapsed().mul_f64(1.0 - DRIFT);
    date.checked_add(SignedDuration::try_from(passed).ok()?).ok()
}

/// `Mon, 23 Nov 2026 20:54:52 GMT` as a time.
fn parse_http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text.trim())
        .ok()
}

/// A time as HTTP headers want it.
#[must_use]
pub(crate) fn http_date(at: Timestamp) -> Option<String> {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_org_clock_runs_on_between_answers() {
        let clock = OrgClock::default();
        assert_eq!(clock.now(), None);
        clock.observe("Mon, 23 Nov 2026 20:54:52 GMT");
        tokio::time::advance(Duration::from_secs(8)).await;
        let ran_on = clock.now().unwrap();
        let wanted: Timestamp = "2026-11-23T20:55:00Z".parse().unwrap();
        assert!(
            ran_on <= wanted && wanted.duration_since(ran_on) < SignedDuration::from_millis(5),
            "{ran_on}"
        );
        clock.observe("not a date");
        assert_eq!(clock.now().unwrap(), ran_on);
    }

    #[tokio::test(start_paused = true)]
    async fn the_org_clock_never_goes_back_but_when_it_is_put_back() {
        let clock = OrgClock::default();
        let mut before = None;
        for (advance_ms, header) in [
            (0, "Mon, 23 Nov 2026 20:54:52 GMT"),
            // The same second, later in it.
            (900, "Mon, 23 Nov 2026 20:54:52 GMT"),
            (200, "Mon, 23 Nov 2026 20:54:53 GMT"),
            // An answer that took its time.
            (10, "Mon, 23 Nov 2026 20:54:47 GMT"),
            (10, "Mon, 23 Nov 2026 20:54:53 GMT"),
        ] {
            tokio::time::advance(Duration::from_millis(advance_ms)).await;
            clock.observe(header);
            let now = clock.now();
            assert!(now >= before, "{now:?} after {before:?}");
            before = now;
        }
        clock.observe("Mon, 23 Nov 2026 21:00:00 GMT");
        assert_eq!(clock.now().unwrap().to_string(), "2026-11-23T21:00:00Z");
        clock.observe("Mon, 23 Nov 2026 20:00:00 GMT");
        assert_eq!(clock.now().unwrap().to_string(), "2026-11-23T20:00:00Z");
    }

    #[test]
    fn http_dates_round_trip() {
        let text = "Mon, 23 Nov 2026 20:54:52 GMT";
        assert_eq!(http_date(parse_http_date(text).unwrap()).unwrap(), text);
    }
}
