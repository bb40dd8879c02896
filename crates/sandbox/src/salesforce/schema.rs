//! What an org consists of: objects, fields, how they refer to each other.

use crate::salesforce::{
    formula::Formula,
    ids::{KeyPrefix, custom_prefix},
};
use std::collections::HashMap;

/// A field's type as describe names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are Salesforce's own")]
pub enum Kind {
    Id,
    Reference,
    Text,
    TextArea,
    LongTextArea,
    Html,
    Picklist,
    MultiPicklist,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Time,
    Email,
    Phone,
    Url,
    Encrypted,
    Location,
    Address,
}

impl Kind {
    /// Describe's `type`.
    pub fn describe_type(self) -> &'static str {
        match self {
            Kind::Id => "id",
            Kind::Reference => "reference",
            Kind::Text => "string",
            Kind::TextArea | Kind::LongTextArea | Kind::Html => "textarea",
            Kind::Picklist => "picklist",
            Kind::MultiPicklist => "multipicklist",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Double => "double",
            Kind::Currency => "currency",
            Kind::Percent => "percent",
            Kind::Date => "date",
            Kind::DateTime => "datetime",
            Kind::Time => "time",
            Kind::Email => "email",
            Kind::Phone => "phone",
            Kind::Url => "url",
            Kind::Encrypted => "encryptedstring",
            Kind::Location => "location",
            Kind::Address => "address",
        }
    }

    /// Describe's `soapType`.
    pub fn soap_type(self) -> &'static str {
        match self {
            Kind::Id | Kind::Reference => "tns:ID",
            Kind::Boolean => "xsd:boolean",
            Kind::Int => "xsd:int",
            Kind::Double | Kind::Currency | Kind::Percent => "xsd:double",
            Kind::Date => "xsd:date",
            Kind::DateTime => "xsd:dateTime",
            Kind::Time => "xsd:time",
            Kind::Location => "urn:location",
            Kind::Address => "urn:address",
            _ => "xsd:string",
        }
    }

    /// Stored as text.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Kind::Text
                | Kind::TextArea
                | Kind::LongTextArea
                | Kind::Html
                | Kind::Picklist
                | Kind::MultiPicklist
                | Kind::Email
                | Kind::Phone
                | Kind::Url
                | Kind::Encrypted
        )
    }

    /// Stored as a number.
    pub fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::Double | Kind::Currency | Kind::Percent)
    }

    /// Has parts and no value of its own.
    pub fn is_compound(self) -> bool {
        matches!(self, Kind::Location | Kind::Address)
    }

    /// May stand in WHERE.
    pub fn is_filterable(self) -> bool {
        !matches!(self, Kind::LongTextArea | Kind::Html | Kind::Encrypted) && !self.is_compound()
    }

    /// May stand in ORDER BY.
    pub fn is_sortable(self) -> bool {
        self.is_filterable() && self != Kind::MultiPicklist
    }
}

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The lookup is cleared.
    SetNull,
    /// The parent may not be deleted.
    Restrict,
    /// The child goes too, and comes back with the parent.
    Cascade,
}

/// What a reference field refers to.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq)]
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

/// A child of an object, seen from the parent.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildLink {
    /// The child object's position in the schema.
    pub object: usize,
    /// The referring field's position in the child object.
    pub field: usize,
    /// The way down's name.
    pub name: Option<String>,
    /// What a delete does.
    pub on_delete: OnDelete,
}

/// One object.
#[derive(Debug, Clone)]
pub struct Object {
    /// The API name.
    pub name: String,
    /// Shown to people.
    pub label: String,
    /// Shown to people.
    pub plural: String,
    /// The ids' first three characters.
    pub prefix: KeyPrefix,
    /// Made by the org's own people.
    pub custom: bool,
    /// Clients may create, change and delete its records.
    pub writable: bool,
    /// In the order of describe.
    pub fields: Vec<Field>,
    /// Filled when the schema is finished.
    pub children: Vec<ChildLink>,
    /// How many slots a record needs.
    pub slots: usize,
    by_name: HashMap<String, usize>,
}

impl Object {
    /// An object without fields.
    pub fn new(name: &str, label: &str, plural: &str, prefix: KeyPrefix) -> Object {
        Object {
            name: name.to_owned(),
            label: label.to_owned(),
            plural: plural.to_owned(),
            prefix,
            custom: name.ends_with("__c"),
            writable: true,
            fields: Vec::new(),
            children: Vec::new(),
            slots: 0,
            by_name: HashMap::new(),
        }
    }

    /// A field's position by its name in any case.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.by_name
            .get(name)
            .or_else(|| self.by_name.get(&name.to_ascii_lowercase()))
            .copied()
    }

    /// A field by its name in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.field_index(name).map(|index| &self.fields[index])
    }

    /// The reference field behind a way up, such as `Broker__r`.
    pub fn relationship(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| {
            let up = field
                .reference
                .as_ref()
                .and_then(|reference| reference.relationship.as_deref());
            up.is_some_and(|up| up.eq_ignore_ascii_case(name))
        })
    }

    /// Whether records belong to a master and have no owner of their own.
    pub fn is_detail(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.reference.as_ref().is_some_and(|to| to.master.is_some()))
    }

    /// Adds a field; a second one of the same name replaces the first.
    pub fn push(&mut self, field: Field) {
        match self
            .fields
            .iter()
            .position(|known| known.name.eq_ignore_ascii_case(&field.name))
        {
            Some(position) => self.fields[position] = field,
            None => self.fields.push(field),
        }
    }

    fn finish(&mut self) {
        self.by_name.clear();
        self.slots = 0;
        for (index, field) in self.fields.iter_mut().enumerate() {
            if let Source::Slot(slot) = &mut field.source {
                *slot = self.slots;
                self.slots += 1;
            }
            self.by_name.insert(field.name.to_ascii_lowercase(), index);
        }
        // The exact spelling is looked up first and costs no allocation.
        for (index, field) in self.fields.iter().enumerate() {
            self.by_name.insert(field.name.clone(), index);
        }
    }
}

/// All objects of an org.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// In order of creation.
    pub objects: Vec<Object>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<KeyPrefix, usize>,
}

impl Schema {
    /// Adds an object.
    pub fn push(&mut self, object: Object) -> usize {
        self.by_name
            .insert(object.name.to_ascii_lowercase(), self.objects.len());
        self.by_prefix.insert(object.prefix, self.objects.len());
        self.objects.push(object);
        self.objects.len() - 1
    }

    /// The prefix for the next custom object.
    pub fn next_custom_prefix(&self) -> KeyPrefix {
        custom_prefix(self.objects.iter().filter(|object| object.custom).count())
    }

    /// An object's position by its name in any case.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// An object by its name in any case.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.index(name).map(|index| &self.objects[index])
    }

    /// An object's position by its ids' prefix.
    pub fn by_prefix(&self, prefix: KeyPrefix) -> Option<usize> {
        self.by_prefix.get(&prefix).copied()
    }

    /// Gives every value its slot and every parent its children. Call after the last change.
    pub fn finish(&mut self) {
        self.objects.iter_mut().for_each(Object::finish);
        let mut links = Vec::new();
        for (child, object) in self.objects.iter().enumerate() {
            for (index, field) in object.fields.iter().enumerate() {
                let Some(reference) = &field.reference else {
                    continue;
                };
                for parent in reference.to.iter().filter_map(|name| self.index(name)) {
                    let link = ChildLink {
                        object: child,
                        field: index,
                        name: reference.children.clone(),
                        on_delete: reference.on_delete,
                    };
                    links.push((parent, link));
                }
            }
        }
        self.objects.iter_mut().for_each(|object| object.children.clear());
        for (parent, link) in links {
            self.objects[parent].children.push(link);
        }
    }
}
