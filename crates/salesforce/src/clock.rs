//! The org's own clock, read from the `Date` header of every answer.
//!
//! Windows and versions are cut by this clock and never by ours: two machines disagree, one org does not.

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Salesforce's time, carried forward by our monotonic clock between answers.
///
/// The estimate is never ahead of the org by more than the drift of a monotonic clock: a `Date` header is cut to
/// the second and was written before it arrived.
#[derive(Debug, Default)]
pub struct OrgClock {
    last: Mutex<Option<(Timestamp, Instant)>>,
}

impl OrgClock {
    /// Takes the value of a `Date` header; what is no date is ignored.
    pub fn observe(&self, header: &str) {
        if let Some(date) = parse_http_date(header) {
            *self.last.lock() = Some((date, Instant::now()));
        }
    }

    /// The org's time now, or `None` before the first answer.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let (date, seen) = (*self.last.lock())?;
        date.checked_add(jiff::SignedDuration::try_from(seen.elapsed()).ok()?)
            .ok()
    }
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
        assert_eq!(clock.now().unwrap().to_string(), "2026-11-23T20:55:00Z");
        clock.observe("not a date");
        assert_eq!(clock.now().unwrap().to_string(), "2026-11-23T20:55:00Z");
    }

    #[test]
    fn http_dates_round_trip() {
        let text = "Mon, 23 Nov 2026 20:54:52 GMT";
        assert_eq!(http_date(parse_http_date(text).unwrap()).unwrap(), text);
    }
}
