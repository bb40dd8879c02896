//! The one verdict that each change of each record ends in.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{HubSpotId, SalesforceId};
use crate::version::Version;

/// What became of one change of one record.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// HubSpot has a record that it did not have.
    Created,
    /// HubSpot's record took the values.
    Updated,
    /// HubSpot's record already had the values; no call was made.
    Unchanged,
    /// A newer version was already applied.
    Superseded,
    /// The sync's filter does not want the record.
    Filtered,
    /// HubSpot's record is archived.
    Deleted,
    /// Deleted in Salesforce (or left the filter), and the sync's rule says to do nothing.
    Kept,
    /// A delete in its grace period or waiting for a person's approval.
    Held,
    /// Refused; the failure says why.
    Failed,
}

impl Outcome {
    /// Every outcome, in the order in which people read them.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Updated,
        Self::Unchanged,
        Self::Superseded,
        Self::Filtered,
        Self::Deleted,
        Self::Kept,
        Self::Held,
        Self::Failed,
    ];

    /// The word used in metrics, output and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Superseded => "superseded",
            Self::Filtered => "filtered",
            Self::Deleted => "deleted",
            Self::Kept => "kept",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of one link.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LinkOutcome {
    /// The two records are associated.
    Linked,
    /// The association that the lookup no longer wants is gone.
    Unlinked,
    /// Waiting for the record at its other end.
    Parked,
    /// Refused; the failure says why.
    Failed,
}

impl LinkOutcome {
    /// Every outcome of a link.
    pub const ALL: [Self; 4] = [Self::Linked, Self::Unlinked, Self::Parked, Self::Failed];

    /// Whether it may still change without a change of the record.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Parked | Self::Failed)
    }

    /// The word used in metrics, output and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Parked => "parked",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for LinkOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why something failed; people group by it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCategory {
    /// A value that HubSpot's property type cannot take.
    InvalidValue,
    /// HubSpot wants a property that the record leaves empty.
    MissingRequiredProperty,
    /// A picklist value without a HubSpot option.
    PicklistOption,
    /// Another HubSpot record already has this value of a unique property.
    DuplicateUniqueValue,
    /// The pair, label or record has as many associations as HubSpot allows.
    AssociationLimit,
    /// A link that waits for a parent longer than allowed.
    WaitingForParent,
    /// A scope or permission is missing.
    Permission,
    /// A credential is refused.
    Authentication,
    /// A field or property is not what the sync was compiled for.
    SchemaChanged,
    /// An API budget is used up.
    RateLimit,
    /// Salesforce answered with an error of its own.
    SalesforceError,
    /// HubSpot answered with an error of its own.
    HubSpotError,
    /// Landbridge is wrong.
    Internal,
}

impl FailureCategory {
    /// Every category.
    pub const ALL: [Self; 13] = [
        Self::InvalidValue,
        Self::MissingRequiredProperty,
        Self::PicklistOption,
        Self::DuplicateUniqueValue,
        Self::AssociationLimit,
        Self::WaitingForParent,
        Self::Permission,
        Self::Authentication,
        Self::SchemaChanged,
        Self::RateLimit,
        Self::SalesforceError,
        Self::HubSpotError,
        Self::Internal,
    ];

    /// Whether trying again without a person may help. The others wait for a person or for the sync's next revision.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::RateLimit | Self::SalesforceError | Self::HubSpotError | Self::Authentication
        )
    }

    /// The word used in metrics, output and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidValue => "invalid-value",
            Self::MissingRequiredProperty => "missing-required-property",
            Self::PicklistOption => "picklist-option",
            Self::DuplicateUniqueValue => "duplicate-unique-value",
            Self::AssociationLimit => "association-limit",
            Self::WaitingForParent => "waiting-for-parent",
            Self::Permission => "permission",
            Self::Authentication => "authentication",
            Self::SchemaChanged => "schema-changed",
            Self::RateLimit => "rate-limit",
            Self::SalesforceError => "salesforce-error",
            Self::HubSpotError => "hubspot-error",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for FailureCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a record or a link was refused, in words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    /// What kind of trouble.
    pub category: FailureCategory,
    /// What happened, in one sentence; HubSpot's or Salesforce's own words where there are any.
    pub message: String,
    /// The HubSpot property concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// The Salesforce field concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The value that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// HubSpot's correlation id of the refused call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

impl Failure {
    /// A failure with nothing but a category and a message.
    pub fn new(category: FailureCategory, message: impl Into<String>) -> Self {
        Self {
            category,
            message: message.into(),
            property: None,
            field: None,
            value: None,
            correlation_id: None,
        }
    }

    /// Names the HubSpot property.
    pub fn property(mut self, property: &str) -> Self {
        self.property = Some(property.to_owned());
        self
    }

    /// Names the Salesforce field.
    pub fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Shows the refused value.
    pub fn value(mut self, value: &str) -> Self {
        self.value = Some(value.to_owned());
        self
    }
}

/// One record's verdict, as it travels to control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOutcome {
    /// Which record.
    pub id: SalesforceId,
    /// Which change of it.
    pub version: Version,
    /// The verdict.
    pub outcome: Outcome,
    /// The HubSpot record, when known.
    pub hubspot_id: Option<HubSpotId>,
    /// For `failed`: why. For `filtered`: the condition, as the message.
    pub failure: Option<Failure>,
}

/// One link's verdict, as it travels to control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkVerdict {
    /// The record that holds the lookup.
    pub child: SalesforceId,
    /// The lookup field.
    pub field: String,
    /// The record that the lookup names; `None` when it was cleared.
    pub parent: Option<SalesforceId>,
    /// Which change of the child.
    pub version: Version,
    /// The verdict.
    pub outcome: LinkOutcome,
    /// For `failed` and `parked`: why.
    pub failure: Option<Failure>,
}
