//! What goes on while an org's daily calls run low: first everything, then slower, then the live reading alone. Pure but for
//! the look at the governor.

use landbridge_salesforce::Client;

use crate::trouble::Trouble;

/// Above this share of the budget only the live reading goes on, and what people ask for one by one.
pub const ONLY_LIVE: f64 = 0.9;

/// Whether imports and other long reading go on at a share of the budget.
#[must_use]
pub fn may_read_at_length(pressure: f64) -> bool {
    pressure < ONLY_LIVE
}

/// Refuses long reading while the daily calls run low: it waits, and the live reading has the rest.
///
/// # Errors
/// [`Trouble::OnlyLive`].
pub fn at_length(client: &Client) -> Result<(), Trouble> {
    let pressure = client.governor().pressure();
    if may_read_at_length(pressure) {
        return Ok(());
    }
    let percent = (pressure * 100.0).round() as u64;
    Err(Trouble::OnlyLive { percent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_reading_stops_before_the_live_reading_does() {
        for (pressure, may) in [
            (0.0, true),
            (0.89, true),
            (0.9, false),
            (1.0, false),
            (7.0, false),
        ] {
            assert_eq!(may_read_at_length(pressure), may, "{pressure}");
        }
        // Polls are rarer long before that.
        assert!(crate::live::stretched(ONLY_LIVE) > 10.0);
    }
}
