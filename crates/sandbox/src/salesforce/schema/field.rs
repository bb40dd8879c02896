//! Fields and what they refer to.

use super::Kind;
use crate::salesforce::formula::Formula;
use serde::{Deserialize, Serialize};

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// A place among the record's values.
    Slot(usize),
    /// Kept with every record.
    System(SystemField),
    /// Computed when read.
    Formula(Box<Formula>),
    /// Put together from the parts that name this field.
    Compound,
    /// Never has a value here.
    Nothing,
}

/// The fields that every record has outside its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are Salesforce's own")]
pub enum SystemField {
    Id,
    IsDeleted,
    CreatedDate,
    CreatedById,
    LastModifiedDate,
    LastModifiedById,
    SystemModstamp,
}

/// What happens to a child when its parent is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnDelete {
    /// The lookup is cleared.
    SetNull,
    /// The parent may not be deleted.
    Restrict,
    /// The child goes too, and comes back with the parent.
    Cascade,
}

/// What a reference field refers to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Objects, by name.
    pub to: Vec<String>,
    /// The name of the way up: `Broker__r`.
    pub relationship: Option<String>,
    /// The name of the way down, on the parent: `Properties__r`.
    pub children: Option<String>,
    /// What a delete of the parent does.
    pub on_delete: OnDelete,
    /// A master-detail relationship: 0 for the first of the object, 1 for the second.
    pub master: Option<u8>,
    /// A master-detail child may change its parent.
    pub reparentable: bool,
}

/// One picklist value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickValue {
    /// Stored and sent.
    pub value: String,
    /// Shown.
    pub label: String,
    /// Inactive values remain on records and cannot be chosen anew.
    pub active: bool,
    /// Given to new records that name none.
    pub default: bool,
}

/// The values of a picklist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picklist {
    /// Refuses values that are not listed.
    pub restricted: bool,
    /// In order.
    pub values: Vec<PickValue>,
}

impl Picklist {
    /// A list of active values.
    pub fn of(restricted: bool, values: &[&str]) -> Picklist {
        let value = |text: &&str| PickValue {
            value: (*text).to_owned(),
            label: (*text).to_owned(),
            active: true,
            default: false,
        };
        Picklist {
            restricted,
            values: values.iter().map(value).collect(),
        }
    }
}

/// A roll-up summary of an object's details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// `count`, `sum`, `min` or `max`.
    pub operation: String,
    /// The detail object.
    pub object: String,
    /// The detail's master-detail field.
    pub key: String,
    /// The detail's summarized field, except for a count.
    pub field: Option<String>,
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The API name.
    pub name: String,
    /// Shown to people.
    pub label: String,
    /// The type.
    pub kind: Kind,
    /// Where its value comes from.
    pub source: Source,
    /// The most characters; 0 where it does not apply.
    pub length: u32,
    /// All digits of a number.
    pub precision: u32,
    /// Digits after the point.
    pub scale: u32,
    /// Must have a value.
    pub required: bool,
    /// No two records may share a value.
    pub unique: bool,
    /// Uniqueness minds case.
    pub case_sensitive: bool,
    /// May be used to upsert and to resolve references.
    pub external_id: bool,
    /// Numbered by the org: the format, such as `SV-{000000}`.
    pub auto_number: Option<String>,
    /// The value of new records that name none, as a formula or a literal.
    pub default: Option<Box<Formula>>,
    /// What a reference refers to.
    pub reference: Option<Reference>,
    /// A picklist's values.
    pub picklist: Option<Picklist>,
    /// A roll-up's rule.
    pub rollup: Option<Rollup>,
    /// The compound field this one is a part of.
    pub part_of: Option<String>,
    /// Added by the org's own people.
    pub custom: bool,
    /// May be given by a client when a record is created.
    pub createable: bool,
    /// May be changed by a client.
    pub updateable: bool,
    /// The user may see it; hidden and deleted fields are as if they were not there.
    pub visible: bool,
    /// Help text.
    pub help: Option<String>,
}

impl Field {
    /// A custom field of a kind, with the type's usual limits; its value gets a slot when the object is
    /// finished.
    pub fn new(name: &str, label: &str, kind: Kind) -> Field {
        let length = match kind {
            Kind::Id | Kind::Reference => 18,
            Kind::Text | Kind::Picklist | Kind::TextArea | Kind::Url => 255,
            Kind::LongTextArea | Kind::Html => 32_768,
            Kind::MultiPicklist => 4099,
            Kind::Email => 80,
            Kind::Phone => 40,
            Kind::Encrypted => 175,
            _ => 0,
        };
        let precision = if kind.is_number() { 18 } else { 0 };
        Field {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            source: if kind.is_compound() {
                Source::Compound
            } else {
                Source::Slot(0)
            },
            length,
            precision,
            scale: 0,
            required: false,
            unique: false,
            case_sensitive: false,
            external_id: false,
            auto_number: None,
            default: None,
            reference: None,
            picklist: None,
            rollup: None,
            part_of: None,
            custom: name.ends_with("__c") || name.ends_with("__s"),
            createable: !kind.is_compound(),
            updateable: !kind.is_compound(),
            visible: true,
            help: None,
        }
    }

    /// Computed by the org: a formula or a roll-up.
    pub fn is_calculated(&self) -> bool {
        matches!(self.source, Source::Formula(_)) || self.rollup.is_some()
    }

    /// The record's name field.
    pub fn is_name(&self) -> bool {
        self.name == "Name"
    }

    /// May be null.
    pub fn is_nillable(&self) -> bool {
        !self.required
            && !matches!(self.source, Source::System(_))
            && self.kind != Kind::Boolean
            && self.name != "OwnerId"
    }
}
