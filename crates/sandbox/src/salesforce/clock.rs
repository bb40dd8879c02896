//! The org's clock and the forms that times take on the wire.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;

/// This machine's clock, ahead or behind by a settable amount, and faster if so wished: days pass in seconds. All
/// stamps of the org come from here.
#[derive(Debug)]
pub struct OrgClock {
    anchor: Mutex<Anchor>,
}

/// A moment on both clocks, and how many of the org's milliseconds pass in one of this machine's.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Anchor {
    machine: i64,
    org: i64,
    rate: f64,
}

impl Anchor {
    fn at(self, machine: i64) -> i64 {
        self.org + ((machine - self.machine) as f64 * self.rate) as i64
    }
}

/// A clock as it was at a moment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedClock {
    anchor: Anchor,
    now: i64,
}

impl SavedClock {
    /// The org's moment in which it was saved.
    pub(super) fn now_ms(&self) -> i64 {
        self.now
    }
}

fn machine_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

impl OrgClock {
    /// A clock that is `skew_ms` ahead of this machine's and as fast.
    pub fn new(skew_ms: i64) -> OrgClock {
        let machine = machine_ms();
        OrgClock {
            anchor: Mutex::new(Anchor {
                machine,
                org: machine + skew_ms,
                rate: 1.0,
            }),
        }
    }

    /// A clock that goes on from an earlier run as if it had never stood, and in no case before `least`, wherever this
    /// machine's own clock is by now.
    pub(super) fn going_on(saved: &SavedClock, least: i64) -> OrgClock {
        let (machine, mut anchor) = (machine_ms(), saved.anchor);
        let behind = least - anchor.at(machine);
        anchor.org += behind.max(0);
        OrgClock {
            anchor: Mutex::new(anchor),
        }
    }

    pub(super) fn save(&self) -> SavedClock {
        let anchor = *self.anchor.lock();
        SavedClock {
            anchor,
            now: anchor.at(machine_ms()),
        }
    }

    /// Milliseconds since 1970 in the org.
    pub fn now_ms(&self) -> i64 {
        self.anchor.lock().at(machine_ms())
    }

    /// The same, cut to the second: the grain of every audit stamp.
    pub fn stamp(&self) -> i64 {
        whole_second(self.now_ms())
    }

    /// Moves the clock to `skew_ms` ahead of this machine's.
    pub fn set_skew_ms(&self, skew_ms: i64) {
        let mut anchor = self.anchor.lock();
        anchor.machine = machine_ms();
        anchor.org = anchor.machine + skew_ms;
    }

    /// Lets time pass.
    pub fn advance_ms(&self, ms: i64) {
        self.anchor.lock().org += ms;
    }

    /// From now on the org's time passes `rate` times as fast as this machine's.
    pub fn set_rate(&self, rate: f64) {
        let mut anchor = self.anchor.lock();
        let machine = machine_ms();
        *anchor = Anchor {
            machine,
            org: anchor.at(machine),
            rate,
        };
    }
}

/// Cuts milliseconds off.
pub fn whole_second(ms: i64) -> i64 {
    ms.div_euclid(1000) * 1000
}

/// Year, month and day of a day number (days since 1970-01-01), by the proleptic Gregorian calendar.
pub fn civil(days: i32) -> (i32, u32, u32) {
    let shifted = i64::from(days) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    } as u32;
    let year = (year_of_era + era * 400 + i64::from(month <= 2)) as i32;
    (year, month, day)
}

/// The day number of a date, if there is such a date.
pub fn days_of(year: i32, month: u32, day: u32) -> Option<i32> {
    let year = i16::try_from(year).ok()?;
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    Some(
        date.duration_since(jiff::civil::Date::constant(1970, 1, 1))
            .as_hours() as i32
            / 24,
    )
}

/// The day of a moment, in UTC: the org's and its user's time zone.
pub fn day_of(ms: i64) -> i32 {
    ms.div_euclid(DAY_MS) as i32
}

/// `2026-01-31`.
pub fn write_date(out: &mut String, days: i32) {
    let (year, month, day) = civil(days);
    two_digits(out, (year / 100) as u32);
    two_digits(out, (year % 100) as u32);
    out.push('-');
    two_digits(out, month);
    out.push('-');
    two_digits(out, day);
}

/// Formatting machinery is too slow for what every row of a Bulk result needs several times.
fn two_digits(out: &mut String, number: u32) {
    out.push(char::from(b'0' + (number / 10 % 10) as u8));
    out.push(char::from(b'0' + (number % 10) as u8));
}

/// `2026-01-31T10:20:30.000` and the zone as given: `+0000` in JSON, `Z` in Bulk results.
pub fn write_datetime(out: &mut String, ms: i64, zone: &str) {
    write_date(out, day_of(ms));
    out.push('T');
    write_clock(out, ms.rem_euclid(DAY_MS));
    out.push_str(zone);
}

/// `13:45:00.000Z`.
pub fn write_time(out: &mut String, ms: u32) {
    write_clock(out, i64::from(ms));
    out.push('Z');
}

fn write_clock(out: &mut String, ms: i64) {
    let (seconds, ms) = ((ms / 1000) as u32, (ms % 1000) as u32);
    two_digits(out, seconds / 3600);
    out.push(':');
    two_digits(out, seconds / 60 % 60);
    out.push(':');
    two_digits(out, seconds % 60);
    out.push('.');
    out.push(char::from(b'0' + (ms / 100) as u8));
    two_digits(out, ms % 100);
}

/// A moment as JSON answers show it.
pub fn json_datetime(ms: i64) -> String {
    let mut text = String::with_capacity(28);
    write_datetime(&mut text, ms, "+0000");
    text
}

/// A moment as an HTTP date: `Mon, 23 Nov 2026 20:45:27 GMT`.
pub fn http_date(ms: i64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = day_of(ms);
    let (year, month, day) = civil(days);
    let seconds = ms.rem_euclid(DAY_MS) / 1000;
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        WEEKDAYS[days.rem_euclid(7) as usize],
        MONTHS[month as usize - 1],
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// An HTTP date back to milliseconds.
pub fn parse_http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text)
        .ok()
        .map(|zoned| zoned.timestamp().as_millisecond())
}

/// `2026-01-31`, within the years that Salesforce stores.
pub fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let month = parts.next().filter(|part| part.len() == 2)?.parse().ok()?;
    let day = parts.next().filter(|part| part.len() == 2)?.parse().ok()?;
    if !(1700..=4000).contains(&year) {
        return None;
    }
    days_of(year, month, day)
}

/// `2026-01-31T10:20:30Z`, with or without a fraction, with any offset (`Z`, `+0100`, `+01:00`).
pub fn parse_datetime(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone_at);
    let offset = match zone {
        "Z" | "z" => 0,
        zone => {
            let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
            let (hours, minutes) = match digits.len() {
                2 => (digits.parse::<i64>().ok()?, 0),
                4 => (digits[..2].parse::<i64>().ok()?, digits[2..].parse::<i64>().ok()?),
                _ => return None,
            };
            let minutes = hours * 60 + minutes;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    Some(i64::from(days) * DAY_MS + i64::from(parse_clock(clock)?) - offset * 60_000)
}

/// `13:45`, `13:45:00` or `13:45:00.000`, with or without a closing `Z`.
pub fn parse_time(text: &str) -> Option<u32> {
    parse_clock(text.strip_suffix(['Z', 'z']).unwrap_or(text))
}

fn parse_clock(text: &str) -> Option<u32> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock
        .split(':')
        .map(|part| part.parse::<u32>().ok().filter(|_| part.len() == 2));
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let millis = match fraction {
        "" => 0,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<3}")[..3].parse::<u32>().ok()?
        }
        _ => return None,
    };
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_read_in_every_form_clients_send() {
        let noon = 1_769_854_830_000;
        for text in [
            "2026-01-31T10:20:30Z",
            "2026-01-31T10:20:30.000Z",
            "2026-01-31T10:20:30.000+0000",
            "2026-01-31T11:20:30+01:00",
            "2026-01-31T05:50:30.000-0430",
        ] {
            assert_eq!(parse_datetime(text), Some(noon), "{text}");
        }
        assert_eq!(json_datetime(noon), "2026-01-31T10:20:30.000+0000");
        assert_eq!(http_date(noon), "Sat, 31 Jan 2026 10:20:30 GMT");
        assert_eq!(parse_http_date("Sat, 31 Jan 2026 10:20:30 GMT"), Some(noon));
    }

    #[test]
    fn time_passes_as_fast_as_is_wished() {
        let anchor = Anchor {
            machine: 1_000,
            org: 50_000,
            rate: 3_600.0,
        };
        assert_eq!((anchor.at(1_000), anchor.at(2_000)), (50_000, 3_650_000));
        let clock = OrgClock::new(0);
        let before = clock.now_ms();
        clock.advance_ms(DAY_MS);
        assert!(clock.now_ms() >= before + DAY_MS);
        clock.set_rate(0.0);
        assert_eq!(clock.now_ms(), clock.now_ms(), "a stopped clock stands");
    }

    #[test]
    fn a_clock_goes_on_and_never_back() {
        let machine = machine_ms();
        let saved = |machine: i64| SavedClock {
            anchor: Anchor {
                machine,
                org: 50_000,
                rate: 2.0,
            },
            now: 50_000,
        };
        let slept = OrgClock::going_on(&saved(machine - 1_000), 50_000);
        assert!(slept.now_ms() >= 52_000, "time passed meanwhile, at its own rate");
        let machine_went_back = OrgClock::going_on(&saved(machine + 3_600_000), 60_000);
        assert!(machine_went_back.now_ms() >= 60_000);
    }

    #[test]
    fn nonsense_is_no_moment() {
        for text in [
            "",
            "2026-01-31",
            "2026-02-30T00:00:00Z",
            "2026-01-31T25:00:00Z",
            "1500-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
        assert_eq!(parse_time("13:45:00.000Z"), Some(49_500_000));
        assert_eq!(parse_time("24:00"), None);
    }

    proptest! {
        #[test]
        fn days_survive_the_calendar(days in -98_000i32..740_000) {
            let (year, month, day) = civil(days);
            prop_assert_eq!(days_of(year, month, day), Some(days));
        }
    }
}
