//! Days, instants and times of day as text.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// Reads `2026-01-31` and nothing else.
pub fn day(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i16::try_from(digits(&bytes[..4])?).ok()?;
    Date::new(year, small(&bytes[5..7])?, small(&bytes[8..10])?).ok()
}

/// Reads an instant: `2026-01-31T10:20:30.000Z`, `…+0000`, `…+01:00`, with or without a fraction.
/// A text without an offset is refused: which instant it means is not known.
pub fn instant(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', ' '])?;
    let offset_at = rest.find(['Z', '+', '-'])?;
    let (time, offset) = rest.split_at(offset_at);
    let local = DateTime::from_parts(day(date)?, time_of_day(time)?);
    let offset = Offset::from_seconds(offset_seconds(offset)?).ok()?;
    offset.to_timestamp(local).ok()
}

/// Reads an instant as HubSpot may give it back: ISO 8601, a bare day (midnight UTC), or milliseconds since 1970.
pub fn lenient_instant(text: &str) -> Option<Timestamp> {
    instant(text)
        .or_else(|| midnight(day(text)?))
        .or_else(|| Timestamp::from_millisecond(text.parse().ok()?).ok())
}

/// Reads a day as HubSpot may give it back: a day, an instant, or milliseconds since 1970.
pub fn lenient_day(text: &str) -> Option<Date> {
    day(text).or_else(|| lenient_instant(text).map(utc_day))
}

/// The day that an instant falls on in UTC.
pub fn utc_day(instant: Timestamp) -> Date {
    Offset::UTC.to_datetime(instant).date()
}

/// Midnight UTC at the start of a day.
pub fn midnight(day: Date) -> Option<Timestamp> {
    Offset::UTC
        .to_timestamp(DateTime::from_parts(day, Time::midnight()))
        .ok()
}

/// `2026-01-31`.
pub fn day_text(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
}

/// `2026-01-31T10:20:30.000Z`, in UTC, with milliseconds.
pub fn instant_text(instant: Timestamp) -> String {
    let utc = Offset::UTC.to_datetime(instant);
    format!(
        "{}T{:02}:{:02}:{:02}.{:03}Z",
        day_text(utc.date()),
        utc.hour(),
        utc.minute(),
        utc.second(),
        utc.millisecond()
    )
}

/// The one text form of an instant; borrowed when the text has it already.
pub fn canonical_instant(text: &str) -> Option<Cow<'_, str>> {
    let parsed = instant(text)?;
    let bytes = text.as_bytes();
    let is_canonical = bytes.len() == 24 && bytes[10] == b'T' && bytes[19] == b'.' && bytes[23] == b'Z';
    Some(if is_canonical {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(instant_text(parsed))
    })
}

/// Reads `13:45`, `13:45:00`, `13:45:00.250`.
pub fn time_of_day(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    if bytes.len() < 5 || bytes[2] != b':' {
        return None;
    }
    let (hour, minute) = (small(&bytes[..2])?, small(&bytes[3..5])?);
    let rest = &bytes[5..];
    let (second, fraction) = match rest {
        [] => (0, &rest[..0]),
        [b':', tens, ones] => (small(&[*tens, *ones])?, &rest[..0]),
        [b':', tens, ones, b'.', fraction @ ..] => (small(&[*tens, *ones])?, fraction),
        _ => return None,
    };
    if fraction.len() > 9 || (rest.len() > 3 && fraction.is_empty()) {
        return None;
    }
    let mut nanos = digits(fraction)?;
    for _ in fraction.len()..9 {
        nanos *= 10;
    }
    Time::new(hour, minute, second, i32::try_from(nanos).ok()?).ok()
}

/// `13:45:00`, with milliseconds only when there are any. Salesforce marks times with a `Z` that means nothing: its
/// times have no zone.
pub fn time_text(text: &str) -> Option<String> {
    let time = time_of_day(text.strip_suffix('Z').unwrap_or(text))?;
    let seconds = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    Some(match time.millisecond() {
        0 => seconds,
        millis => format!("{seconds}.{millis:03}"),
    })
}

fn offset_seconds(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let rest = rest.as_bytes();
    let (hours, minutes) = match rest {
        [a, b] => (digits(&[*a, *b])?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (digits(&[*a, *b])?, digits(&[*c, *d])?),
        _ => return None,
    };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    Some(if sign == "-" { -seconds } else { seconds })
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0u32, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
    })
}

fn small(bytes: &[u8]) -> Option<i8> {
    i8::try_from(digits(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_one_text_form() {
        for (text, expected) in [
            ("2026-01-31T10:20:30.000Z", "2026-01-31T10:20:30.000Z"),
            ("2026-01-31T10:20:30.000+0000", "2026-01-31T10:20:30.000Z"),
            ("2026-01-31T10:20:30Z", "2026-01-31T10:20:30.000Z"),
            ("2026-01-31T10:20:30.5Z", "2026-01-31T10:20:30.500Z"),
            ("2026-01-31T10:20:30+01:00", "2026-01-31T09:20:30.000Z"),
            ("2026-01-01T00:30:00-0130", "2026-01-01T02:00:00.000Z"),
            ("1700-01-01T00:00:00.000Z", "1700-01-01T00:00:00.000Z"),
            ("4000-12-31T23:59:59.000Z", "4000-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(canonical_instant(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T10:20:30",
            "2026-02-30T10:20:30Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T10:20:30.Z",
            "31.01.2026 10:20Z",
            "2026-01-31T10:20:30.000Zulu",
        ] {
            assert_eq!(canonical_instant(text), None, "{text}");
        }
        for text in [
            "2026-02-29",
            "2026-1-31",
            "20260131",
            "0000-00-00",
            "2026-01-31T00:00:00Z",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
        assert!(day("2024-02-29").is_some());
    }

    #[test]
    fn times_lose_only_their_zone() {
        for (text, expected) in [
            ("13:45:00.000Z", Some("13:45:00")),
            ("13:45:00.250Z", Some("13:45:00.250")),
            ("00:00:00.000Z", Some("00:00:00")),
            ("13:45", Some("13:45:00")),
            ("24:00:00.000Z", None),
            ("quarter to two", None),
        ] {
            assert_eq!(time_text(text).as_deref(), expected, "{text}");
        }
    }
}
