//! What an import would do to a record, in the words in which it is told afterwards: outcomes, with the values before
//! and after, and where each of the record's links stands.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{HubSpotId, SalesforceId};
use crate::outcome::{Failure, LinkOutcome, Outcome, RecordOutcome};
use crate::version::Version;

/// Characters of a value that a prediction shows.
pub const SHOWN_CHARS_MAX: usize = 500;

/// What an import would make of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PredictedRecord {
    /// The record.
    pub id: SalesforceId,
    /// As it was read.
    pub version: Version,
    /// The verdict that an import would end in.
    pub outcome: Outcome,
    /// The HubSpot record, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hubspot_id: Option<HubSpotId>,
    /// For `failed`: why. For `filtered`: the condition, as the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// For `created` the values, for `updated` what differs; an update without any sets only Landbridge's own
    /// properties. For `unchanged` what differs in HubSpot and is left alone, since the record was not changed in
    /// Salesforce after it was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<PropertyChange>,
    /// Whether `changes` were left out for want of room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Its lookups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<PredictedLink>,
}

impl PredictedRecord {
    /// A verdict and nothing else.
    pub fn new(id: SalesforceId, version: Version, outcome: Outcome) -> Self {
        Self {
            id,
            version,
            outcome,
            hubspot_id: None,
            failure: None,
            changes: Vec::new(),
            cut: false,
            links: Vec::new(),
        }
    }

    /// Leaves the values out, and says so.
    pub fn cut(&mut self) {
        self.cut |= !self.changes.is_empty();
        self.changes.clear();
    }

    /// Bytes of text that its values take.
    pub fn detail_bytes(&self) -> usize {
        let value = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let of_change =
            |change: &PropertyChange| change.property.len() + value(&change.before) + value(&change.after);
        self.changes.iter().map(of_change).sum()
    }
}

impl From<RecordOutcome> for PredictedRecord {
    /// The value in a failure is shown by its beginning.
    fn from(told: RecordOutcome) -> Self {
        let failure = told.failure.map(|failure| Failure {
            value: failure.value.as_deref().map(shown),
            ..failure
        });
        Self {
            hubspot_id: told.hubspot_id,
            failure,
            ..Self::new(told.id, told.version, told.outcome)
        }
    }
}

/// One property, as it is and as it would be. `None` is no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PropertyChange {
    /// The HubSpot property.
    pub property: String,
    /// What HubSpot has.
    pub before: Option<String>,
    /// What it would have.
    pub after: Option<String>,
}

impl PropertyChange {
    /// With values cut to [`SHOWN_CHARS_MAX`] characters.
    pub fn new(property: &str, before: Option<&str>, after: Option<&str>) -> Self {
        Self {
            property: property.to_owned(),
            before: before.map(shown),
            after: after.map(shown),
        }
    }
}

/// A value's beginning, marked as one when there is more.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What an import would make of one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PredictedLink {
    /// The lookup field.
    pub field: String,
    /// The record that the lookup names; `None` when it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<SalesforceId>,
    /// Where it stands.
    pub stance: LinkStance,
    /// The parent's HubSpot record, when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_hubspot_id: Option<HubSpotId>,
    /// Records that are linked now and would not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<HubSpotId>,
    /// The record that it would wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<SalesforceId>,
    /// Why it would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Where a link stands beside what the lookup says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LinkStance {
    /// It would be made.
    Link,
    /// It is there already.
    Stands,
    /// It would be made, and others of the same lookup taken away.
    Replace,
    /// The lookup is empty: what is linked would be taken away.
    Unlink,
    /// It would wait for a record.
    Wait,
    /// It would be refused.
    Refuse,
    /// Nobody can say: whether the parent comes is not looked at.
    Unknown,
}

impl LinkStance {
    /// Every stance, in the order in which people read them.
    pub const ALL: [Self; 7] = [
        Self::Link,
        Self::Stands,
        Self::Replace,
        Self::Unlink,
        Self::Wait,
        Self::Refuse,
        Self::Unknown,
    ];

    /// The word used in output and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Stands => "stands",
            Self::Replace => "replace",
            Self::Unlink => "unlink",
            Self::Wait => "wait",
            Self::Refuse => "refuse",
            Self::Unknown => "unknown",
        }
    }

    /// What the link ends in; `None` where nobody can say.
    pub fn outcome(self) -> Option<LinkOutcome> {
        match self {
            Self::Link | Self::Stands | Self::Replace => Some(LinkOutcome::Linked),
            Self::Unlink => Some(LinkOutcome::Unlinked),
            Self::Wait => Some(LinkOutcome::Parked),
            Self::Refuse => Some(LinkOutcome::Failed),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for LinkStance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_shown_by_its_beginning() {
        assert_eq!(shown("short"), "short");
        let exact = "ä".repeat(SHOWN_CHARS_MAX);
        assert_eq!(shown(&exact), exact);
        let cut = shown(&format!("{exact}b"));
        assert_eq!(cut.chars().count(), SHOWN_CHARS_MAX + 1);
        assert!(cut.ends_with('…'));
    }
}
