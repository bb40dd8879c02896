//! Decimal numbers as text. Nothing here goes through binary floating point: a price of 18 digits stays itself.

use std::borrow::Cow;
use std::cmp::Ordering;

/// Digits that a double carries faithfully. A fraction beyond them is the noise of the formula engine or of JSON.
const FAITHFUL_DIGITS: usize = 15;
/// Longest run of digits or zeros that is written out; Salesforce numbers have 18 digits at most.
const PLACES_MAX: i64 = 60;

/// A decimal number: `0.d1d2d3… × 10^point`, digits without zeros at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    /// Reads `12`, `-0.5`, `.5`, `975000.0`, `1.2E3`. `None` for anything else, thousands separators included.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (significand, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
        let mut decimal = Self {
            negative,
            digits,
            point,
        };
        decimal.normalise();
        Some(decimal)
    }

    fn normalise(&mut self) {
        while self.digits.last() == Some(&b'0') {
            self.digits.pop();
        }
        let leading = self.digits.iter().take_while(|&&digit| digit == b'0').count();
        self.digits.drain(..leading);
        self.point -= leading as i64;
        if self.digits.is_empty() {
            self.negative = false;
            self.point = 0;
        }
    }

    /// Rounds away what lies beyond both fifteen significant digits and `scale` places after the point.
    fn without_noise(mut self, scale: u32) -> Self {
        let by_scale = usize::try_from(self.point + i64::from(scale)).unwrap_or(0);
        let whole = usize::try_from(self.point).unwrap_or(0);
        let keep = FAITHFUL_DIGITS.max(by_scale).max(whole);
        if self.digits.len() <= keep {
            return self;
        }
        let round_up = self.digits[keep] >= b'5';
        self.digits.truncate(keep);
        if round_up {
            self.increment();
        }
        self.normalise();
        self
    }

    fn increment(&mut self) {
        for digit in self.digits.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.digits.insert(0, b'1');
        self.point += 1;
    }

    /// Plain digits: no exponent, no trailing zeros. `None` when they would run beyond any number of either system.
    fn plain(&self) -> Option<String> {
        if self.digits.is_empty() || self.point < -PLACES_MAX {
            return Some("0".to_owned());
        }
        if self.point > PLACES_MAX {
            return None;
        }
        let mut text = String::with_capacity(self.digits.len() + 4);
        if self.negative {
            text.push('-');
        }
        if self.point <= 0 {
            text.push_str("0.");
            text.extend((0..-self.point).map(|_| '0'));
        }
        for (place, digit) in self.digits.iter().enumerate() {
            if place > 0 && place as i64 == self.point {
                text.push('.');
            }
            text.push(char::from(*digit));
        }
        text.extend((self.digits.len() as i64..self.point).map(|_| '0'));
        Some(text)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        };
        let size = |a: &Self, b: &Self| a.point.cmp(&b.point).then_with(|| a.digits.cmp(&b.digits));
        rank(self).cmp(&rank(other)).then_with(|| {
            if self.negative {
                size(other, self)
            } else {
                size(self, other)
            }
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The one text form of a number: `975000.0` is `975000`, `1.2E3` is `1200`. `scale` is the field's own: places that
/// are never rounded away as noise. `None` when the text is not a number.
pub fn canonical(text: &str, scale: u32) -> Option<Cow<'_, str>> {
    if is_canonical(text) {
        return Some(Cow::Borrowed(text));
    }
    let plain = Decimal::parse(text)?.without_noise(scale).plain()?;
    Some(Cow::Owned(plain))
}

/// Whether two texts are the same number, exactly or to the last bit of a double (HubSpot may keep one).
pub fn same(ours: &str, theirs: &str) -> bool {
    let (Some(a), Some(b)) = (Decimal::parse(ours), Decimal::parse(theirs)) else {
        return ours == theirs;
    };
    let as_double = |text: &str| text.trim().parse::<f64>().ok();
    a == b || (as_double(ours).is_some() && as_double(ours) == as_double(theirs))
}

/// Most cells are canonical already and need no work.
fn is_canonical(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let whole_fits = is_digits(whole) && (whole == "0" || !whole.starts_with('0'));
    let fraction_fits = fraction.is_none_or(|part| is_digits(part) && !part.ends_with('0'));
    whole_fits && fraction_fits && unsigned.len() <= FAITHFUL_DIGITS && text != "-0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, scale: u32, expected: Option<&str>) {
        assert_eq!(
            canonical(text, scale).as_deref(),
            expected,
            "{text} at scale {scale}"
        );
    }

    #[test]
    fn numbers_have_one_text_form() {
        for (text, expected) in [
            ("0", "0"),
            ("0.0", "0"),
            ("-0.0", "0"),
            ("4.0", "4"),
            ("975000.0", "975000"),
            ("9.75E5", "975000"),
            ("1.2e3", "1200"),
            ("1E-3", "0.001"),
            ("-1.50", "-1.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+7", "7"),
            ("007", "7"),
            (" 12 ", "12"),
            ("1.2345678901234568E17", "123456789012345680"),
            ("123456789012345678", "123456789012345678"),
            ("-71.11095", "-71.11095"),
            ("100", "100"),
        ] {
            check(text, 2, Some(expected));
        }
    }

    #[test]
    fn floating_point_noise_is_rounded_away_and_nothing_else() {
        check("0.30000000000000004", 2, Some("0.3"));
        check("1234.5600000000002", 2, Some("1234.56"));
        check("0.1000000000000000055511151231257827", 2, Some("0.1"));
        check("33.333333333333336", 0, Some("33.3333333333333"));
        check("999999999999999.99", 0, Some("1000000000000000"));
        check("9.9999999999999999", 2, Some("10"));
        check("1234567890123456.78", 2, Some("1234567890123456.78"));
        check("12345678901234567.89", 2, Some("12345678901234567.89"));
        check("1.5E-20", 2, Some("0.000000000000000000015"));
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in [
            "", "-", ".", "N/A", "1,234.5", "1.2.3", "1e", "0x10", "NaN", "1E400", "١",
        ] {
            check(text, 2, None);
        }
    }

    #[test]
    fn numbers_compare_as_numbers() {
        for (a, b, expected) in [
            ("2", "10", Ordering::Less),
            ("-2", "-10", Ordering::Greater),
            ("-1", "0", Ordering::Less),
            ("0.10", "0.1", Ordering::Equal),
            ("1E2", "99.999", Ordering::Greater),
            ("0", "-0.0", Ordering::Equal),
            ("0.01", "0.009", Ordering::Greater),
        ] {
            let actual = Decimal::parse(a).unwrap().cmp(&Decimal::parse(b).unwrap());
            assert_eq!(actual, expected, "{a} against {b}");
        }
    }

    #[test]
    fn a_double_read_back_is_the_same_number() {
        assert!(same("975000", "975000.0"));
        assert!(same("123456789012345678", "123456789012345680"));
        assert!(same("0.1", "1E-1"));
        assert!(!same("0.1", "0.2"));
        assert!(!same("1", ""));
    }
}
