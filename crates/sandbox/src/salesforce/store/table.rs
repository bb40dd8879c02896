//! The records of one object and the indexes over them.

use super::Record;
use crate::salesforce::{
    ids::{KeyPrefix, RecordId},
    schema::{Kind, Schema, Source},
    value::Value,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// The records of one object.
#[derive(Debug)]
pub struct Table {
    pub(super) prefix: KeyPrefix,
    /// The number of the first row, less one.
    pub(super) base: u64,
    pub(super) rows: Vec<Option<Arc<Record>>>,
    by_stamp: BTreeSet<(i64, u32)>,
    /// By reference field, by parent.
    by_parent: HashMap<usize, HashMap<RecordId, BTreeSet<u32>>>,
    /// By external-id or unique field, by value.
    by_key: HashMap<usize, HashMap<String, Vec<u32>>>,
    /// The last number given by an auto-number field.
    pub last_number: u64,
    /// Records outside the recycle bin.
    pub live: usize,
}

impl Table {
    pub(super) fn new(schema: &Schema, object: usize) -> Table {
        let mut table = Table {
            prefix: schema.objects[object].prefix,
            base: 0,
            rows: Vec::new(),
            by_stamp: BTreeSet::new(),
            by_parent: HashMap::new(),
            by_key: HashMap::new(),
            last_number: 0,
            live: 0,
        };
        table.fit(schema, object);
        table
    }

    /// Makes room for the object's fields, in indexes and in records.
    pub(super) fn fit(&mut self, schema: &Schema, object: usize) {
        let object = &schema.objects[object];
        let mut empty = vec![Value::Null; object.slots];
        for (index, field) in object.fields.iter().enumerate() {
            let Source::Slot(slot) = field.source else {
                continue;
            };
            if field.kind == Kind::Boolean {
                empty[slot] = Value::Bool(false);
            }
            // Owners are shared by too many records to be worth an index.
            if field.kind == Kind::Reference && field.name != "OwnerId" {
                self.by_parent.entry(index).or_default();
            }
            if field.unique || field.external_id {
                self.by_key.entry(index).or_default();
            }
        }
        for record in self
            .rows
            .iter_mut()
            .flatten()
            .filter(|record| record.values.len() < empty.len())
        {
            let record = Arc::make_mut(record);
            let more = &empty[record.values.len()..];
            record.values = record.values.iter().chain(more).cloned().collect();
        }
    }

    /// How many rows there ever were; row numbers are below this.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there never was a row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A row, unless it was purged.
    pub fn row(&self, row: u32) -> Option<&Arc<Record>> {
        self.rows.get(row as usize)?.as_ref()
    }

    /// The row of an id, whether or not it is still there.
    pub fn row_of(&self, id: RecordId) -> Option<u32> {
        let row = id.number()?.checked_sub(self.base + 1)?;
        (id.prefix() == self.prefix && row < self.rows.len() as u64).then_some(row as u32)
    }

    /// The row that an id would have if it were there: for ranges.
    pub fn rows_from(&self, id: RecordId) -> u32 {
        match (id.prefix().cmp(&self.prefix), id.number()) {
            (std::cmp::Ordering::Equal, Some(number)) => {
                number.saturating_sub(self.base + 1).min(self.rows.len() as u64) as u32
            }
            (std::cmp::Ordering::Greater, _) => self.rows.len() as u32,
            // An id of the right object that this org never gave: by its place among those that it did.
            (std::cmp::Ordering::Equal, None) => self
                .rows
                .partition_point(|row| row.as_ref().is_none_or(|record| record.id < id))
                as u32,
            (std::cmp::Ordering::Less, _) => 0,
        }
    }

    /// Rows with a SystemModstamp in `from..to`, in order of stamp and then id.
    pub fn stamped(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = u32> + '_ {
        let to = to.max(from);
        self.by_stamp.range((from, 0)..(to, 0)).map(|(_, row)| *row)
    }

    /// Rows whose reference field names a parent; `None` if the field has no index.
    pub fn children(&self, field: usize, parent: RecordId) -> Option<Vec<u32>> {
        let index = self.by_parent.get(&field)?;
        Some(
            index
                .get(&parent)
                .map(|rows| rows.iter().copied().collect())
                .unwrap_or_default(),
        )
    }

    /// Rows with a value in an external-id or unique field; `None` if the field has no index.
    pub fn keyed(&self, field: usize, value: &Value) -> Option<&[u32]> {
        let index = self.by_key.get(&field)?;
        Some(index.get(&key_of(value)).map(Vec::as_slice).unwrap_or_default())
    }

    pub(super) fn index(&mut self, schema: &Schema, object: usize, row: u32, add: bool) {
        let Some(record) = self.rows[row as usize].clone() else {
            return;
        };
        if add {
            self.by_stamp.insert((record.stamp, row));
        } else {
            self.by_stamp.remove(&(record.stamp, row));
        }
        if record.deleted.is_none() {
            self.live = if add { self.live + 1 } else { self.live - 1 };
        }
        let fields = &schema.objects[object].fields;
        let slot = |field: usize| match fields[field].source {
            Source::Slot(slot) => &record.values[slot],
            _ => &Value::Null,
        };
        for (field, index) in &mut self.by_parent {
            let Value::Id(parent) = slot(*field) else { continue };
            let rows = index.entry(*parent).or_default();
            if add {
                rows.insert(row);
            } else {
                rows.remove(&row);
            }
        }
        for (field, index) in &mut self.by_key {
            let value = slot(*field);
            if value.is_null() {
                continue;
            }
            let rows = index.entry(key_of(value)).or_default();
            rows.retain(|known| *known != row);
            if add {
                rows.push(row);
            }
        }
    }
}

/// Keys do not mind case; where a field's uniqueness does, the finder looks again.
fn key_of(value: &Value) -> String {
    value.as_text().to_lowercase()
}
