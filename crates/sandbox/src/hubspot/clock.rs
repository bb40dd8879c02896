//! The portal's time, and the text forms of time on the wire.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

pub(super) const DAY_MS: i64 = 86_400_000;

/// This machine's clock, moved by as much as a test says: limits, lags and expiries can be waited for
/// without waiting.
#[derive(Debug, Default)]
pub(super) struct Clock {
    ahead_ms: AtomicI64,
    /// The machine's time at which it was stopped; 0 while it runs.
    stopped_ms: AtomicI64,
}

impl Clock {
    pub(super) fn now_ms(&self) -> i64 {
        let machine_ms = match self.stopped_ms.load(Ordering::Relaxed) {
            0 => machine_ms(),
            stopped_ms => stopped_ms,
        };
        machine_ms + self.ahead_ms.load(Ordering::Relaxed)
    }

    pub(super) fn advance(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// How far it was moved.
    pub(super) fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.stopped_ms.store(machine_ms(), Ordering::Relaxed);
    }
}

fn machine_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
pub(super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn push_padded(out: &mut Vec<u8>, number: i64, width: usize) {
    let mut digits = [b'0'; 8];
    let mut rest = number.unsigned_abs();
    for place in digits[..width].iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    out.extend_from_slice(&digits[..width]);
}

/// `2026-11-23`.
pub(super) fn push_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil_from_days(days);
    push_padded(out, year.clamp(0, 9999), 4);
    out.push(b'-');
    push_padded(out, month, 2);
    out.push(b'-');
    push_padded(out, day, 2);
}

/// `2026-11-23T10:00:00.123Z`.
pub(super) fn push_instant(out: &mut Vec<u8>, ms: i64) {
    push_date(out, ms.div_euclid(DAY_MS));
    let of_day = ms.rem_euclid(DAY_MS);
    for (mark, unit, modulus, width) in [
        (b'T', 3_600_000, 24, 2),
        (b':', 60_000, 60, 2),
        (b':', 1000, 60, 2),
        (b'.', 1, 1000, 3),
    ] {
        out.push(mark);
        push_padded(out, of_day / unit % modulus, width);
    }
    out.push(b'Z');
}

/// [`push_date`] as text.
pub(super) fn date(days: i64) -> String {
    let mut out = Vec::with_capacity(10);
    push_date(&mut out, days);
    String::from_utf8_lossy(&out).into_owned()
}

/// [`push_instant`] as text.
pub(super) fn instant(ms: i64) -> String {
    let mut out = Vec::with_capacity(24);
    push_instant(&mut out, ms);
    String::from_utf8_lossy(&out).into_owned()
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Days since 1970-01-01, from `YYYY-MM-DD`.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || !text.is_ascii() || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?);
    let days = days_from_civil(year, month, day);
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// An ISO 8601 point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParsedInstant {
    pub(super) ms: i64,
    /// The text says which zone it means. Without one it is read as UTC.
    pub(super) zoned: bool,
}

/// From `YYYY-MM-DDTHH:MM[:SS[.fraction]][Z|±HH:MM]`.
pub(super) fn parse_instant(text: &str) -> Option<ParsedInstant> {
    if !text.is_ascii() || text.len() < 16 || text.as_bytes()[10] != b'T' {
        return None;
    }
    let days = parse_date(&text[..10])?;
    let (clock, offset_ms, zoned) = split_zone(&text[11..])?;
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let seconds = parts.next().unwrap_or("0");
    if parts.next().is_some() {
        return None;
    }
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let whole = number(whole)?;
    number(fraction)?;
    let shown = &fraction[..fraction.len().min(3)];
    let thousandths = number(shown)? * [1000, 100, 10, 1][shown.len()];
    if hour > 23 || minute > 59 || whole > 59 {
        return None;
    }
    let of_day = ((hour * 60 + minute) * 60 + whole) * 1000 + thousandths;
    Some(ParsedInstant {
        ms: days * DAY_MS + of_day - offset_ms,
        zoned,
    })
}

/// Whether a valid instant is written as [`push_instant`] would write it.
pub(super) fn is_canonical(text: &str) -> bool {
    text.len() == 24 && text.as_bytes()[19] == b'.' && text.ends_with('Z')
}

fn split_zone(text: &str) -> Option<(&str, i64, bool)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, 0, true));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, 0, false));
    };
    let zone = text[at + 1..].replace(':', "");
    if zone.len() != 4 {
        return None;
    }
    let minutes = number(&zone[..2])? * 60 + number(&zone[2..])?;
    let sign = if text.as_bytes()[at] == b'-' { -1 } else { 1 };
    Some((&text[..at], sign * minutes * 60_000, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverses() {
        for days in (-200_000..200_000).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(date(20_780), "2026-11-23");
    }

    #[test]
    fn instants_are_read_and_written() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:01.5Z", 1500),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01T00:00:00.123456Z", 123),
            ("1969-12-31T23:59Z", -60_000),
        ] {
            assert_eq!(
                parse_instant(text),
                Some(ParsedInstant { ms, zoned: true }),
                "{text}"
            );
        }
        assert_eq!(instant(-60_000), "1969-12-31T23:59:00.000Z");
        assert_eq!(instant(1_795_428_000_123), "2026-11-23T10:00:00.123Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-13-01",
            "2026-02-30",
            "1/1/1",
            "2026-2-3",
            "20261123",
            "٢٠٢٦-٠١-٠١",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        for text in [
            "2026-11-23",
            "2026-11-23T25:00:00Z",
            "2026-11-23T10",
            "2026-11-23T10:00:00+1",
            "x",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }
}
