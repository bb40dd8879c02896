//! What an org consists of: objects, fields, how they refer to each other.

mod field;
mod kind;

pub use field::{Field, OnDelete, PickValue, Picklist, Reference, Rollup, Source, SystemField};
pub use kind::Kind;

use crate::salesforce::ids::{KeyPrefix, custom_prefix};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a deleted object's name ends with.
const DELETED: &str = " (deleted)";

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
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    #[serde(skip)]
    pub children: Vec<ChildLink>,
    /// How many slots a record needs.
    #[serde(skip)]
    pub slots: usize,
    #[serde(skip)]
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
            field.visible && up.is_some_and(|up| up.eq_ignore_ascii_case(name))
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
            if field.visible {
                self.by_name.insert(field.name.to_ascii_lowercase(), index);
            }
        }
        // The exact spelling is looked up first and costs no allocation.
        for (index, field) in self.fields.iter().enumerate().filter(|(_, field)| field.visible) {
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

    /// The schema of these objects, as they stood in an earlier run.
    pub fn of(objects: Vec<Object>) -> Schema {
        let mut schema = Schema::default();
        for object in objects {
            schema.push(object);
        }
        schema.by_name.retain(|name, _| !name.ends_with(DELETED));
        schema.finish();
        schema
    }

    /// Takes an object's name away: nobody finds it any more, its place stays.
    pub fn delete(&mut self, index: usize) {
        let object = &mut self.objects[index];
        self.by_name.remove(&object.name.to_ascii_lowercase());
        object.name.push_str(DELETED);
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
