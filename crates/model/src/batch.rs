//! What travels between the stages.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::columns::Table;
use crate::ids::{HubSpotId, ObjectTypeId, Revision, RunId, SalesforceId, SyncKey, SyncName, TenantId};
use crate::version::Version;

/// Most rows in one message.
pub const BATCH_ROWS_MAX: usize = 500;
/// Most bytes of text in one message; a single row larger than this fails alone.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It exists, with these values.
    Upsert,
    /// It is deleted.
    Delete,
    /// It exists, but the sync's filter no longer wants it. Decided by the mapper; never sent by the extractor.
    Leave,
}

/// Why a batch travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To be written.
    Apply,
    /// To be compared with what HubSpot has; nothing is written, remembered or counted.
    Compare,
}

/// How a change was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A one-off run over the records that already exist.
    Import,
    /// A window of SystemModstamp.
    Increment,
    /// A change event.
    ChangeEvent,
    /// Somebody asked for this record to be read again.
    Reread,
    /// A difference found by `verify --repair`.
    Repair,
    /// Records that HubSpot has and Salesforce shows no more: purged, deleted for good, or hidden.
    Reconcile,
    /// The same, for a user who sees all records of the object: purged or deleted for good.
    Purged,
    /// A compare.
    Compare,
    /// A compare of a draft: what an import of a definition that is not applied would do.
    DryRun,
}

impl Source {
    /// Every source, each at its [number](Self::number).
    pub const ALL: [Self; 9] = [
        Self::Import,
        Self::Increment,
        Self::ChangeEvent,
        Self::Reread,
        Self::Repair,
        Self::Compare,
        Self::DryRun,
        Self::Reconcile,
        Self::Purged,
    ];

    /// Stands for it in caches. A number is never given anew.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Import => 0,
            Self::Increment => 1,
            Self::ChangeEvent => 2,
            Self::Reread => 3,
            Self::Repair => 4,
            Self::Compare => 5,
            Self::DryRun => 6,
            Self::Reconcile => 7,
            Self::Purged => 8,
        }
    }

    /// The source of a number; `None` for one of another version.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The word used in metrics, output and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Increment => "increment",
            Self::ChangeEvent => "change-event",
            Self::Reread => "reread",
            Self::Repair => "repair",
            Self::Reconcile => "reconcile",
            Self::Purged => "purged",
            Self::Compare => "compare",
            Self::DryRun => "dry-run",
        }
    }
}

/// The part of a sync's mapping that a back-fill writes. The rest of a record stays as HubSpot has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MappedPart {
    /// HubSpot properties, in the definition's order.
    #[serde(default)]
    pub properties: Vec<String>,
    /// Salesforce lookup fields.
    #[serde(default)]
    pub lookups: Vec<String>,
}

impl MappedPart {
    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.lookups.is_empty()
    }

    /// Whether it writes this property.
    #[must_use]
    pub fn has_property(&self, name: &str) -> bool {
        self.properties.iter().any(|property| property == name)
    }

    /// Whether it links by the field of this slot.
    #[must_use]
    pub fn has_lookup(&self, slot: &str) -> bool {
        let (field, _) = slot_parts(slot);
        self.lookups
            .iter()
            .any(|lookup| lookup.eq_ignore_ascii_case(field))
    }
}

/// What every message between the stages says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Whose.
    pub tenant: TenantId,
    /// Of which sync.
    pub sync: SyncName,
    /// For which revision of it the columns were read or mapped.
    pub revision: Revision,
    /// To be written or compared.
    pub purpose: Purpose,
    /// How it was noticed.
    pub source: Source,
    /// The import or compare that it belongs to.
    pub run: Option<RunId>,
    /// Ignore fingerprints: `--overwrite` and repair. Versions, delete rule and safety limit still hold.
    pub force: bool,
    /// Write this part only, and only of records that Landbridge wrote before: a back-fill. `None` is the whole mapping.
    pub only: Option<Arc<MappedPart>>,
}

impl Envelope {
    /// Tenant and sync together.
    pub fn sync_key(&self) -> SyncKey {
        SyncKey {
            tenant: self.tenant.clone(),
            name: self.sync.clone(),
        }
    }
}

/// Extractor to mapper: full rows of changed records, columns named by Salesforce field.
/// `ids`, `versions`, `kinds` and the table's rows run in parallel. A deleted row's cells are null and mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeBatch {
    /// Whose and why.
    pub envelope: Envelope,
    /// One a row.
    pub ids: Vec<SalesforceId>,
    /// One a row.
    pub versions: Vec<Version>,
    /// One a row.
    pub kinds: Vec<ChangeKind>,
    /// Salesforce fields as text, as Bulk 2.0 CSV gives them.
    pub table: Table,
}

/// One lookup of a sync's definition, resolved against the portal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Association {
    /// The Salesforce lookup or master-detail field.
    pub field: String,
    /// Of a lookup that may lead to several objects, the one whose records are linked by this association.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<LookupTarget>,
    /// The HubSpot object type at the other end.
    pub to: ObjectTypeId,
    /// The HubSpot property by which the parent is found.
    pub match_property: String,
    /// Whether that property is unique (readable by batch read), or kept by HubSpot's own integration (scanned).
    pub match_unique: bool,
    /// The label's (category, type id) from child to parent; `None` is the plain association.
    pub label: Option<AssociationType>,
}

impl Association {
    /// The name of what holds its link in each record; see [`slot_name`].
    #[must_use]
    pub fn slot(&self) -> Cow<'_, str> {
        slot_name(
            &self.field,
            self.target.as_ref().map(|target| target.object.as_str()),
        )
    }

    /// Whether a record that the lookup names is one that this association links to.
    #[must_use]
    pub fn takes(&self, parent: &SalesforceId) -> bool {
        let target = self.target.as_ref();
        target.is_none_or(|target| target.key_prefix == parent.key_prefix())
    }
}

/// One of the objects that a lookup may lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LookupTarget {
    /// API name.
    pub object: String,
    /// What the ids of its records begin with in this org.
    pub key_prefix: String,
}

/// Between the field and the object of a slot: no character of an API name.
const SLOT_SEPARATOR: char = ':';

/// The name of a slot: what holds one link of a record. A lookup to one object is a slot by its own name, and was before
/// there were others; a lookup to several is one slot for each object that has a rule, such as `WhatId:Account`. A record
/// that is moved to a parent of another object empties one slot and fills another.
#[must_use]
pub fn slot_name<'a>(field: &'a str, object: Option<&str>) -> Cow<'a, str> {
    match object {
        None => Cow::Borrowed(field),
        Some(object) => Cow::Owned(format!("{field}{SLOT_SEPARATOR}{object}")),
    }
}

/// The field of a slot, and its object when it has one.
#[must_use]
pub fn slot_parts(slot: &str) -> (&str, Option<&str>) {
    match slot.split_once(SLOT_SEPARATOR) {
        Some((field, object)) => (field, Some(object)),
        None => (slot, None),
    }
}

/// HubSpot's name for a kind of association in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AssociationType {
    /// `HUBSPOT_DEFINED`, `USER_DEFINED` or `INTEGRATOR_DEFINED`. The same number can exist in two categories.
    pub category: String,
    /// The number, different per portal and direction.
    pub type_id: u32,
}

/// Mapper to loader: HubSpot property values, columns named by property. Null clears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteBatch {
    /// Whose and why.
    pub envelope: Envelope,
    /// One a row.
    pub ids: Vec<SalesforceId>,
    /// One a row.
    pub versions: Vec<Version>,
    /// One a row; `Leave` travels on when the sync's rule for leaving is the delete rule, else it ended at the mapper.
    pub kinds: Vec<ChangeKind>,
    /// HubSpot values as text. Does not carry the unique property or `landbridge_version`: the loader adds both.
    pub table: Table,
    /// Only with [`Purpose::Compare`]: the wanted parents, columns named by Salesforce lookup field.
    pub links: Table,
}

impl WriteBatch {
    /// Some of its rows as a batch of their own.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            envelope: self.envelope.clone(),
            ids: rows.iter().map(|&row| self.ids[row]).collect(),
            versions: rows.iter().map(|&row| self.versions[row]).collect(),
            kinds: rows.iter().map(|&row| self.kinds[row]).collect(),
            table: self.table.select(rows),
            links: self.links.select(rows),
        }
    }
}

/// Mapper to resolver: the parents that lookups name. Columns named by lookup field, cells are Salesforce ids, null is
/// a cleared lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkIntents {
    /// Whose and why.
    pub envelope: Envelope,
    /// The records that hold the lookups; one a row.
    pub children: Vec<SalesforceId>,
    /// One a row.
    pub versions: Vec<Version>,
    /// Set for a row whose record is deleted: its waiting links are dropped.
    pub deleted: Vec<bool>,
    /// One column a lookup field.
    pub table: Table,
}

/// One record that HubSpot now has, or no longer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The Salesforce record.
    pub id: SalesforceId,
    /// The HubSpot record; `None` when it is gone.
    pub hubspot_id: Option<HubSpotId>,
    /// Of the change that made it so.
    pub version: Version,
}

/// Loader to resolver: which HubSpot record a Salesforce record became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identities {
    /// Whose and why.
    pub envelope: Envelope,
    /// Their HubSpot object type.
    pub object_type: ObjectTypeId,
    /// The pairs.
    pub identities: Vec<Identity>,
}

/// What is known of the parent that a field linked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Former {
    /// It linked nothing.
    Nothing,
    /// It linked this record.
    Record(HubSpotId),
    /// Not known: the child's associations must be read before one is replaced.
    Unknown,
}

/// One association to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkWrite {
    /// The record that holds the lookup.
    pub child: SalesforceId,
    /// Its HubSpot record.
    pub child_hubspot_id: HubSpotId,
    /// The lookup field, which names the association in the sync's definition.
    pub field: String,
    /// The parent to link; `None` only unlinks.
    pub parent: Option<(SalesforceId, HubSpotId)>,
    /// The parent to unlink.
    pub former: Former,
    /// Of the child's change that asked for it.
    pub version: Version,
}

/// Resolver to loader: associations to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkWrites {
    /// Whose and why.
    pub envelope: Envelope,
    /// In the order in which they were decided.
    pub links: Vec<LinkWrite>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_has_a_number_of_its_own() {
        for source in Source::ALL {
            assert_eq!(Source::of_number(source.number()), Some(source));
        }
    }
}
