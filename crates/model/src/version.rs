//! A change's place in its record's history.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidIdentity;

/// Orders the changes of one record.
///
/// SystemModstamp has a grain of one second, and formula fields change without one, so the stamp alone cannot order
/// two reads of a record: the org's time of the read breaks the tie. Only a strictly older version is superseded; an
/// equal one is applied again, which changes nothing.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub struct Version {
    /// SystemModstamp, or the time of the delete: milliseconds since 1970 by the org's clock.
    pub stamp_ms: i64,
    /// When the row was read, by the org's clock; for a row of a Bulk job, when the job was created.
    pub read_ms: i64,
}

impl Version {
    /// Both times in milliseconds since 1970.
    pub fn new(stamp_ms: i64, read_ms: i64) -> Self {
        Self { stamp_ms, read_ms }
    }

    /// Whether this version must not be applied over `applied`.
    pub fn is_superseded_by(self, applied: Version) -> bool {
        self < applied
    }
}

/// The form of the HubSpot property `landbridge_version`: sorts as text as it sorts as a version.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}-{:013}", self.stamp_ms.max(0), self.read_ms.max(0))
    }
}

impl FromStr for Version {
    type Err = InvalidIdentity;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('-').and_then(|(stamp, read)| {
            Some(Self {
                stamp_ms: stamp.parse().ok()?,
                read_ms: read.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| InvalidIdentity {
            text: text.to_owned(),
            expected: "a landbridge_version",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_sorts_as_the_version_does() {
        let versions = [
            Version::new(0, 0),
            Version::new(999, 2_000_000_000_000),
            Version::new(1_767_225_600_000, 1_767_225_601_000),
            Version::new(1_767_225_600_000, 1_767_225_605_000),
            Version::new(1_767_225_601_000, 1_767_225_600_500),
        ];
        for pair in versions.windows(2) {
            assert!(pair[0] < pair[1]);
            assert!(pair[0].to_string() < pair[1].to_string());
            assert_eq!(pair[0].to_string().parse(), Ok(pair[0]));
        }
    }

    #[test]
    fn an_equal_version_is_not_superseded() {
        let version = Version::new(5, 6);
        assert!(!version.is_superseded_by(version));
        assert!(version.is_superseded_by(Version::new(5, 7)));
    }
}
