//! What was there before an import wrote: kept so that the import can be undone.

use serde::{Deserialize, Serialize};

use crate::batch::{AssociationType, ChangeKind, Envelope};
use crate::columns::Table;
use crate::ids::{HubSpotId, ObjectTypeId, SalesforceId};
use crate::version::Version;

/// What was there before one call, and what the call sets. Stored before the call is sent: a call that never was sent
/// leaves an image that an undo passes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeforeImage {
    /// Whose and why; its run is the import.
    pub envelope: Envelope,
    /// The type of the records, or of the records that hold the lookups.
    pub object_type: ObjectTypeId,
    /// What the call writes.
    pub body: BeforeBody,
}

/// What a call writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeforeBody {
    /// Records.
    Records(RecordsBefore),
    /// Associations.
    Links(LinksBefore),
}

/// Records before a call. All run in parallel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordsBefore {
    /// The unique property by which they are found.
    pub id_property: String,
    /// One a row.
    pub ids: Vec<SalesforceId>,
    /// What the call says of itself; one a row.
    pub versions: Vec<Version>,
    /// Written or deleted; one a row.
    pub kinds: Vec<ChangeKind>,
    /// `None`: there was no such record.
    pub hubspot_ids: Vec<Option<HubSpotId>>,
    /// The values that were there, columns named by property. Empty for a delete.
    pub before: Table,
    /// The values that the call sets, of the same columns.
    pub ours: Table,
}

/// Associations of one pair of types before a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinksBefore {
    /// The type at the other end.
    pub to: ObjectTypeId,
    /// The pairs that the call touches.
    pub pairs: Vec<PairBefore>,
}

/// One pair of records before a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairBefore {
    /// The record that holds the lookup.
    pub child: SalesforceId,
    /// Its HubSpot record.
    pub from: HubSpotId,
    /// The record at the other end.
    pub to: HubSpotId,
    /// How they were associated.
    pub before: Association,
    /// How the call associates them.
    pub ours: Association,
}

/// How two records are associated: not at all, or with these labels. The plain association comes along with any label, so
/// it is not among them.
pub type Association = Option<std::collections::BTreeSet<AssociationType>>;

/// What an undo made of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoneImage {
    /// Records whose values are as they were before.
    pub restored: Vec<SalesforceId>,
    /// Records that the import created and that are archived.
    pub archived: Vec<SalesforceId>,
    /// Associations that are as they were before.
    pub links: u64,
    /// What was left as it is.
    pub left: Vec<LeftValue>,
}

impl UndoneImage {
    /// How much that is.
    pub fn counts(&self) -> UndoCounts {
        UndoCounts {
            restored: self.restored.len() as u64,
            archived: self.archived.len() as u64,
            links: self.links,
            left: self.left.len() as u64,
        }
    }
}

/// How much an undo has put back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UndoCounts {
    /// Records whose values are as they were before.
    pub restored: u64,
    /// Records that the import created and that are archived.
    pub archived: u64,
    /// Associations that are as they were before.
    pub links: u64,
    /// Values, records and associations that were left as they are.
    pub left: u64,
}

impl UndoCounts {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.restored += other.restored;
        self.archived += other.archived;
        self.links += other.links;
        self.left += other.left;
    }
}

/// What stands in the place of a property's name when an association was left.
pub const ASSOCIATION: &str = "association";

/// A value, record or association that an undo left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LeftValue {
    /// The Salesforce record.
    pub id: SalesforceId,
    /// The HubSpot record, while there is one.
    pub hubspot_id: Option<HubSpotId>,
    /// The property; empty when it is about the whole record, `association` when it is about one.
    pub property: String,
    /// What is there.
    pub now: Option<String>,
    /// What was there before the import.
    pub before: Option<String>,
    /// Why it was left.
    pub reason: String,
}

impl LeftValue {
    /// What it is about: a record's property, or one of its associations, by what is at the other end.
    pub fn key(&self) -> (SalesforceId, String, Option<String>) {
        let other_end = match self.property.as_str() {
            ASSOCIATION => self.now.clone().or_else(|| self.before.clone()),
            _ => None,
        };
        (self.id, self.property.clone(), other_end)
    }
}
