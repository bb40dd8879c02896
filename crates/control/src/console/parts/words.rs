//! Numbers, times and lengths of time as people read them.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

/// `12 480`, grouped by thin spaces: commas and points mean different things to different readers.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 record`, `2 records`.
pub fn one_or_many(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// One place after the point, none for large numbers.
pub fn decimal(number: f64) -> String {
    if number >= 100.0 {
        // Negative and fractional parts are out of the question here: a saturating cast is exact enough to show.
        count(number.round() as u64)
    } else {
        format!("{number:.1}")
    }
}

/// Whole percent; 0 of 0 is 0, and only all of it is 100.
pub fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let share = u128::from(part) * 100 / u128::from(whole);
    u64::try_from(share.min(100)).unwrap_or(100)
}

/// `3 of 10`.
pub fn of_limit(used: u64, limit: u64) -> String {
    format!("{} of {}", count(used), count(limit))
}

/// The two largest units: `4 min 10 s`, `2 d 3 h`.
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    if seconds == 0 {
        return format!("{} ms", length.as_millis());
    }
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units {
        let whole = rest / size;
        rest %= size;
        if whole > 0 {
            parts.push(format!("{whole}\u{a0}{unit}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

/// How long ago, with the exact time behind it.
pub fn ago(now: Timestamp, then: Timestamp) -> Markup {
    let seconds = now.as_second().saturating_sub(then.as_second());
    let words = match u64::try_from(seconds) {
        Ok(0..5) => "just now".to_owned(),
        Ok(past) => {
            let coarse = [86_400, 3_600, 60, 1]
                .into_iter()
                .find(|unit| past >= *unit)
                .unwrap_or(1);
            format!("{} ago", duration(Duration::from_secs(past / coarse * coarse)))
        }
        Err(_) => format!("in {}", duration(Duration::from_secs(seconds.unsigned_abs()))),
    };
    html! { time datetime=(then.to_string()) title=(exact(then)) { (words) } }
}

/// The time itself, in UTC.
pub fn moment(then: Timestamp) -> Markup {
    html! { time datetime=(then.to_string()) { (exact(then)) } }
}

fn exact(then: Timestamp) -> String {
    then.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A value as HubSpot or Salesforce has it; an empty one is said to be empty.
pub fn bytes_as_text(value: Option<&str>) -> Markup {
    match value {
        Some("") | None => html! { span.quiet { "empty" } },
        Some(text) => html! { code.value { (text) } },
    }
}

/// Who somebody is, and by which way they came, from the name that the audit log has: `user:ann`, `cli:root`,
/// `token:k3f9 of user:ann`.
pub fn who(name: &str) -> (String, String) {
    // Only a token's own id, which has no blank, stands before the first ` of `: people's names may hold one too.
    let token = name
        .strip_prefix("token:")
        .and_then(|rest| rest.split_once(" of "));
    let (token, owner) = match token {
        Some((token, owner)) => (Some(token), owner),
        None => (None, name),
    };
    let (way, person) = match owner.split_once(':') {
        Some(("cli", person)) => ("command line".to_owned(), person),
        Some(("user", person)) => ("signed in here".to_owned(), person),
        Some(("oidc", person)) => match person.split_once(' ').filter(|(id, _)| is_id(id)) {
            Some((id, name)) => (format!("signed in by the provider as {}", &id[..8]), name),
            None => ("signed in by the provider".to_owned(), person),
        },
        _ => (String::new(), owner),
    };
    let way = token.map_or(way, |token| format!("API token {token}"));
    (person.to_owned(), way)
}

/// What a provider's person is known by, which tells apart those who are called the same.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_nothing_but_a_name() {
        let id = "0123456789abcdef0123456789abcdef";
        for (name, person, way) in [
            ("user:ann".to_owned(), "ann", "signed in here"),
            ("token:k3f9 of user:ann".to_owned(), "ann", "API token k3f9"),
            ("cli:root".to_owned(), "root", "command line"),
            (
                "oidc:ann@acme.example".to_owned(),
                "ann@acme.example",
                "signed in by the provider",
            ),
            (
                format!("oidc:{id} x of user:ann"),
                "x of user:ann",
                "signed in by the provider as 01234567",
            ),
            (
                format!("token:k3f9 of oidc:{id} x of user:ann"),
                "x of user:ann",
                "API token k3f9",
            ),
        ] {
            assert_eq!(who(&name), (person.to_owned(), way.to_owned()), "{name}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, words) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(count(number), words);
        }
    }

    #[test]
    fn a_length_of_time_is_told_in_two_units() {
        for (seconds, words) in [
            (1, "1 s"),
            (70, "1 min 10 s"),
            (3600, "1 h"),
            (90_061, "1 d 1 h"),
            (86_410, "1 d"),
        ] {
            assert_eq!(
                duration(Duration::from_secs(seconds)).replace('\u{a0}', " "),
                words
            );
        }
        assert_eq!(duration(Duration::from_millis(120)), "120 ms");
    }

    #[test]
    fn a_share_never_claims_to_be_done_early_nor_divides_by_nothing() {
        assert_eq!(
            (
                percent(999, 1000),
                percent(1000, 1000),
                percent(0, 0),
                percent(5, 2)
            ),
            (99, 100, 0, 100)
        );
    }

    #[test]
    fn people_are_called_by_their_names() {
        for (name, person, way) in [
            ("user:ann", "ann", "signed in here"),
            ("cli:root", "root", "command line"),
            ("token:k3f9 of user:ann", "ann", "API token k3f9"),
            ("token:k3f9 of cli:root", "root", "API token k3f9"),
            ("landbridge", "landbridge", ""),
        ] {
            assert_eq!(who(name), (person.to_owned(), way.to_owned()), "{name}");
        }
    }

    #[test]
    fn ages_are_told_in_one_unit() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let words =
            |seconds: i64| ago(now, Timestamp::from_second(1_000_000 - seconds).unwrap()).into_string();
        assert!(words(2).contains(">just now<"));
        assert!(words(125).contains(">2\u{a0}min ago<"), "{}", words(125));
        assert!(words(-60).contains(">in 1\u{a0}min<"));
    }
}
