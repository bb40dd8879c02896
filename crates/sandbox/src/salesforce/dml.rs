//! Creates, changes, deletes and brings back records, with the refusals that Salesforce has for each.

mod input;

use crate::salesforce::{
    ids::RecordId,
    reader::Reader,
    schema::{Object, OnDelete, Source},
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

    /// What goes with a record, itself first, and which lookups are cleared.
    #[allow(clippy::type_complexity, reason = "a pair of plain lists, used once")]
    fn delete_plan(
        &self,
        object: usize,
        id: RecordId,
    ) -> Result<(Vec<RecordId>, Vec<(RecordId, usize)>), DmlError> {
        let mut doomed = vec![id];
        let mut cleared = Vec::new();
        let mut queue = vec![(object, id)];
        while let Some((object, parent)) = queue.pop() {
            for link in &self.schema().objects[object].children {
                let table = self.table(link.object);
                let rows = table.children(link.field, parent).unwrap_or_default();
                let children = rows.into_iter().filter_map(|row| table.row(row));
                for child in children.filter(|child| child.deleted.is_none()) {
                    match link.on_delete {
                        OnDelete::SetNull => cleared.push((child.id, link.field)),
                        OnDelete::Restrict => return Err(self.restricted(object, link.object, child.id)),
                        OnDelete::Cascade if !doomed.contains(&child.id) => {
                            doomed.push(child.id);
                            queue.push((link.object, child.id));
                        }
                        OnDelete::Cascade => {}
                    }
                }
            }
        }
        cleared.retain(|(child, _)| !doomed.contains(child));
        Ok((doomed, cleared))
    }

    fn restricted(&self, parent: usize, child: usize, id: RecordId) -> DmlError {
        let (parent, child) = (&self.schema().objects[parent], &self.schema().objects[child]);
        let message = format!(
            "Your attempt to delete the {} could not be completed because it is associated with the following {}.: {}\n",
            parent.label.to_lowercase(),
            child.plural.to_lowercase(),
            id.short(),
        );
        DmlError::new("DELETE_FAILED", message)
    }

    /// A deleted record and what its delete took along.
    fn deleted_with(&self, object: usize, root: RecordId) -> Vec<RecordId> {
        let mut all = vec![root];
        let mut queue = vec![(object, root)];
        while let Some((object, parent)) = queue.pop() {
            for link in &self.schema().objects[object].children {
                if link.on_delete != OnDelete::Cascade {
                    continue;
                }
                let table = self.table(link.object);
                for row in table.children(link.field, parent).unwrap_or_default() {
                    let Some(child) = table.row(row) else { continue };
                    if child.deleted.is_some_and(|deleted| deleted.with == root) && !all.contains(&child.id) {
                        all.push(child.id);
                        queue.push((link.object, child.id));
                    }
                }
            }
        }
        all
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

    /// Recomputes the roll-ups of a record's masters, the former ones too.
    fn roll_up_around(&mut self, id: RecordId, before: Option<&[Value]>, change: Change) {
        let schema = self.schema().clone();
        let Some((object, record)) = self.find(id) else {
            return;
        };
        let definition = &schema.objects[object];
        let mut masters = Vec::new();
        for field in &definition.fields {
            let is_master = field
                .reference
                .as_ref()
                .is_some_and(|reference| reference.master.is_some());
            let Source::Slot(slot) = field.source else {
                continue;
            };
            if !is_master {
                continue;
            }
            for value in [Some(&record.values[slot]), before.map(|before| &before[slot])]
                .into_iter()
                .flatten()
            {
                if let Value::Id(master) = value {
                    masters.push((*master, field.name.clone()));
                }
            }
        }
        masters.dedup();
        for (master, key) in masters {
            self.roll_up(master, object, &key, change);
        }
    }

    /// Recomputes the roll-ups of all records of an object without stamping them: for loading.
    pub(super) fn roll_up_all(&mut self, object: usize) {
        let schema = self.schema().clone();
        let mut details: Vec<(usize, String)> = Vec::new();
        for rollup in schema.objects[object]
            .fields
            .iter()
            .filter_map(|field| field.rollup.as_ref())
        {
            let detail = schema
                .index(&rollup.object)
                .map(|detail| (detail, rollup.key.clone()));
            details.extend(detail.filter(|detail| !details.contains(detail)));
        }
        let rows = if details.is_empty() {
            0
        } else {
            self.table(object).len() as u32
        };
        for row in 0..rows {
            let Some(id) = self.table(object).row(row).map(|record| record.id) else {
                continue;
            };
            for (detail, key) in &details {
                self.roll_up(id, *detail, key, Change { stamp: i64::MIN });
            }
        }
    }

    fn roll_up(&mut self, master: RecordId, detail: usize, key: &str, change: Change) {
        let schema = self.schema().clone();
        let Some((object, record)) = self.find(master) else {
            return;
        };
        let detail_object = &schema.objects[detail];
        let mut fresh = Vec::new();
        for field in &schema.objects[object].fields {
            let (Some(rollup), Source::Slot(slot)) = (&field.rollup, &field.source) else {
                continue;
            };
            let ours = rollup.object.eq_ignore_ascii_case(&detail_object.name)
                && rollup.key.eq_ignore_ascii_case(key);
            let Some(key) = detail_object.field_index(key).filter(|_| ours) else {
                continue;
            };
            let summarized = rollup
                .field
                .as_deref()
                .and_then(|name| detail_object.field_index(name));
            let value = self.summary(&rollup.operation, detail, key, summarized, master);
            if record.values[*slot] != value {
                fresh.push((*slot, value));
            }
        }
        if fresh.is_empty() {
            return;
        }
        self.change(master, |record| {
            fresh
                .into_iter()
                .for_each(|(slot, value)| record.values[slot] = value);
            record.stamp = change.stamp.max(record.stamp);
        });
        let stamp = self.find(master).map_or(change.stamp, |(_, record)| record.stamp);
        self.write_journal(master, ChangeKind::Update, stamp);
    }

    fn summary(
        &self,
        operation: &str,
        detail: usize,
        key: usize,
        summarized: Option<usize>,
        master: RecordId,
    ) -> Value {
        let table = self.table(detail);
        let reader = Reader::new(self, 0);
        let rows = table.children(key, master).unwrap_or_default();
        let live = rows
            .into_iter()
            .filter_map(|row| table.row(row))
            .filter(|row| row.deleted.is_none());
        let Some(field) = summarized else {
            return Value::Number(live.count() as f64);
        };
        let values = live
            .map(|record| reader.own(detail, record, field).into_owned())
            .filter(|value| !value.is_null());
        match operation {
            "min" => values.min_by(Value::order).unwrap_or(Value::Null),
            "max" => values.max_by(Value::order).unwrap_or(Value::Null),
            _ => Value::Number(
                values
                    .map(|value| {
                        if let Value::Number(number) = value {
                            number
                        } else {
                            0.0
                        }
                    })
                    .sum(),
            ),
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
