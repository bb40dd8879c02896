//! Creates, changes, merges, deletes and brings back records, with the refusals that Salesforce has for each.

mod deletion;
mod input;
mod merge;
mod rollup;

use crate::salesforce::{
    ids::RecordId,
    reader::Reader,
    schema::{Object, Source},
    store::{ChangeKind, Deleted, Org},
    value::Value,
};
use serde_json::{Map, Value as Json};

/// One refusal of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmlError {
    /// Salesforce's status code, such as `REQUIRED_FIELD_MISSING`.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The fields it is about.
    pub fields: Vec<String>,
}

impl DmlError {
    /// A refusal that names no field.
    pub fn new(code: &'static str, message: impl Into<String>) -> DmlError {
        DmlError {
            code,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    /// A refusal that names fields.
    pub fn of<S: Into<String>>(
        code: &'static str,
        message: impl Into<String>,
        fields: impl IntoIterator<Item = S>,
    ) -> DmlError {
        DmlError {
            code,
            message: message.into(),
            fields: fields.into_iter().map(Into::into).collect(),
        }
    }

    fn no_such_record() -> DmlError {
        DmlError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    }

    fn is_deleted() -> DmlError {
        DmlError::new("ENTITY_IS_DELETED", "entity is deleted")
    }
}

/// One change: the stamp it was given when its statement began.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Whole-second milliseconds.
    pub stamp: i64,
}

impl Org {
    /// Creates a record from a JSON object.
    pub fn create(
        &mut self,
        object: usize,
        given: &Map<String, Json>,
        change: Change,
    ) -> Result<RecordId, DmlError> {
        self.check_writable(object)?;
        let mut values = input::defaults(self, object, change.stamp);
        for (slot, value) in input::read(self, object, given, None)? {
            values[slot] = value;
        }
        self.fill_in(object, &mut values);
        input::check_required(&self.schema().objects[object], &values)?;
        input::check_unique(self, object, &values, None)?;
        let id = self.add(object, values.into_boxed_slice(), change.stamp, change.stamp);
        self.roll_up_around(id, None, change);
        Ok(id)
    }

    /// Changes a record's fields; those not given stay.
    pub fn update(
        &mut self,
        id: RecordId,
        given: &Map<String, Json>,
        change: Change,
    ) -> Result<(), DmlError> {
        let (object, record) = self.find(id).ok_or_else(DmlError::no_such_record)?;
        if record.deleted.is_some() {
            return Err(DmlError::is_deleted());
        }
        let before = record.clone();
        self.check_writable(object)?;
        let mut values = before.values.to_vec();
        for (slot, value) in input::read(self, object, given, Some(&before))? {
            values[slot] = value;
        }
        compose_name(&self.schema().objects[object], &mut values);
        input::check_required(&self.schema().objects[object], &values)?;
        input::check_unique(self, object, &values, Some(id))?;
        let user = self.user_id;
        let stamp = change.stamp.max(before.stamp);
        self.change(id, |record| {
            record.values = values.into_boxed_slice();
            record.stamp = stamp;
            record.modified = stamp;
            record.modified_by = user;
        });
        self.write_journal(id, ChangeKind::Update, stamp);
        self.roll_up_around(id, Some(&before.values), change);
        Ok(())
    }

    /// Moves a record to the recycle bin, with all that cascades; lookups to it are cleared.
    pub fn delete(&mut self, id: RecordId, change: Change) -> Result<(), DmlError> {
        let (object, record) = self.find(id).ok_or_else(DmlError::no_such_record)?;
        if record.deleted.is_some() {
            return Err(DmlError::is_deleted());
        }
        self.check_writable(object)?;
        let (doomed, cleared) = self.delete_plan(object, id)?;
        for (child, field) in &cleared {
            self.set_lookup(*child, *field, Value::Null, change);
        }
        for one in doomed {
            self.change(one, |record| {
                record.stamp = change.stamp.max(record.stamp);
                record.deleted = Some(Deleted {
                    at: record.stamp,
                    with: id,
                });
            });
            let stamp = self.find(one).map_or(change.stamp, |(_, record)| record.stamp);
            self.write_journal(one, ChangeKind::Delete, stamp);
        }
        self.cleared.insert(id, cleared);
        self.roll_up_around(id, None, change);
        Ok(())
    }

    /// Brings a record back from the recycle bin, with what its delete took along and cleared.
    pub fn undelete(&mut self, id: RecordId, change: Change) -> Result<(), DmlError> {
        let not_there = || DmlError::new("UNDELETE_FAILED", "Entity is not in the recycle bin");
        let (object, record) = self.find(id).ok_or_else(not_there)?;
        let deleted = record.deleted.ok_or_else(not_there)?;
        if deleted.with != id
            && self
                .find(deleted.with)
                .is_some_and(|(_, root)| root.deleted.is_some())
        {
            return Err(DmlError::new(
                "UNDELETE_FAILED",
                "The parent of this record is in the recycle bin",
            ));
        }
        let values = record.values.clone();
        input::check_unique(self, object, &values, Some(id))?;
        for one in self.deleted_with(object, id) {
            self.change(one, |record| {
                record.stamp = change.stamp.max(record.stamp);
                record.deleted = None;
            });
            self.note_master(one, Value::Null);
            let stamp = self.find(one).map_or(change.stamp, |(_, record)| record.stamp);
            self.write_journal(one, ChangeKind::Undelete, stamp);
        }
        for (child, field) in self.cleared.remove(&id).unwrap_or_default() {
            let still_empty = self.find(child).is_some_and(|(object, record)| {
                record.deleted.is_none() && Reader::new(self, 0).own(object, record, field).is_null()
            });
            if still_empty {
                self.set_lookup(child, field, Value::Id(id), change);
            }
        }
        self.roll_up_around(id, None, change);
        Ok(())
    }

    /// Empties the recycle bin of a record and of what went there with it.
    pub fn hard_delete(&mut self, id: RecordId) -> Result<(), DmlError> {
        let (object, record) = self.find(id).ok_or_else(DmlError::no_such_record)?;
        if record.deleted.is_none() {
            return Err(DmlError::new("DELETE_FAILED", "Entity is not in the recycle bin"));
        }
        for one in self.deleted_with(object, id) {
            self.purge(one);
        }
        self.cleared.remove(&id);
        Ok(())
    }

    fn check_writable(&self, object: usize) -> Result<(), DmlError> {
        let object = &self.schema().objects[object];
        if object.writable {
            return Ok(());
        }
        let message = format!("entity type {} does not support this operation here", object.name);
        Err(DmlError::new("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message))
    }

    fn set_lookup(&mut self, child: RecordId, field: usize, value: Value, change: Change) {
        let Some((object, _)) = self.find(child) else {
            return;
        };
        let Source::Slot(slot) = self.schema().objects[object].fields[field].source else {
            return;
        };
        self.change(child, |record| {
            record.values[slot] = value;
            record.stamp = change.stamp.max(record.stamp);
            record.modified = record.stamp;
        });
        let stamp = self.find(child).map_or(change.stamp, |(_, record)| record.stamp);
        self.write_journal(child, ChangeKind::Update, stamp);
    }

    /// The org's own values of a new record: its owner, its number, its composed name.
    fn fill_in(&mut self, object: usize, values: &mut [Value]) {
        let schema = self.schema().clone();
        let definition = &schema.objects[object];
        for field in &definition.fields {
            let Source::Slot(slot) = field.source else {
                continue;
            };
            if field.name == "OwnerId" && values[slot].is_null() {
                values[slot] = Value::Id(self.user_id);
            }
            if let Some(format) = &field.auto_number {
                let table = self.table_mut(object);
                table.last_number += 1;
                values[slot] = Value::text(numbered(format, table.last_number));
            }
        }
        compose_name(definition, values);
        // A record without a name is named by its id, as the API does for custom objects.
        let name = definition
            .field_index("Name")
            .map(|index| &definition.fields[index]);
        if let Some(field) = name.filter(|field| !field.required && field.createable)
            && let Source::Slot(slot) = field.source
            && values[slot].is_null()
        {
            let number = self.table(object).len() as u64 + 1;
            values[slot] = Value::text(RecordId::new(definition.prefix, number).short());
        }
    }
}

/// A contact's name is its parts put together.
fn compose_name(object: &Object, values: &mut [Value]) {
    if object.name != "Contact" {
        return;
    }
    let slot = |name: &str| match object.field(name).map(|field| &field.source) {
        Some(Source::Slot(slot)) => Some(*slot),
        _ => None,
    };
    if let (Some(name), Some(first), Some(last)) = (slot("Name"), slot("FirstName"), slot("LastName")) {
        let whole = format!("{} {}", values[first].as_text(), values[last].as_text());
        values[name] = Value::text(whole.trim());
    }
}

/// `SV-{000000}` and 7 make `SV-000007`.
fn numbered(format: &str, number: u64) -> String {
    match (format.find('{'), format.find('}')) {
        (Some(open), Some(close)) if open < close => {
            let width = close - open - 1;
            format!("{}{number:0width$}{}", &format[..open], &format[close + 1..])
        }
        _ => format!("{format}{number}"),
    }
}
