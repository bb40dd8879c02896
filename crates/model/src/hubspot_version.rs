//! Which of HubSpot's path families a portal is called by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidIdentity;

/// A date such as `2026-09`, or `v3` for the numbered paths (v3 and v4, as far as each goes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "2026-09")]
pub struct HubSpotApiVersion(String);

const NUMBERED: &str = "v3";

impl HubSpotApiVersion {
    /// The date of a dated version.
    pub fn date(&self) -> Option<&str> {
        (self.0 != NUMBERED).then_some(&*self.0)
    }
}

impl FromStr for HubSpotApiVersion {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let is_date = text.split_once('-').is_some_and(|(year, month)| {
            let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            let is_month = month.parse().is_ok_and(|month: u8| (1..=12).contains(&month));
            year.len() == 4 && month.len() == 2 && digits(year) && digits(month) && is_month
        });
        if is_date || text == NUMBERED {
            Ok(Self(text.to_owned()))
        } else {
            let expected = "a version of HubSpot's API: a year and a month such as 2026-09, or v3";
            Err(InvalidIdentity::new(text, expected))
        }
    }
}

impl TryFrom<String> for HubSpotApiVersion {
    type Error = InvalidIdentity;

    fn try_from(text: String) -> Result<Self, InvalidIdentity> {
        text.parse()
    }
}

impl From<HubSpotApiVersion> for String {
    fn from(version: HubSpotApiVersion) -> Self {
        version.0
    }
}

impl fmt::Display for HubSpotApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_dates_or_the_numbered_ones() {
        for (text, date) in [
            ("2026-09", Some(Some("2026-09"))),
            ("2025-03", Some(Some("2025-03"))),
            ("v3", Some(None)),
            ("v4", None),
            ("2026-13", None),
            ("2026-9", None),
            ("+026-09", None),
            ("../2026-09", None),
            ("", None),
        ] {
            let version = text.parse::<HubSpotApiVersion>().ok();
            assert_eq!(version.as_ref().map(HubSpotApiVersion::date), date, "{text:?}");
        }
    }
}
