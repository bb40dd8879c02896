//! The org's records, in memory, with the indexes that queries and deletes need.

use crate::salesforce::{
    ids::{KeyPrefix, RecordId},
    schema::{Kind, Schema, Source, SystemField},
    value::Value,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// One record. Shared with whoever reads it for long: a change copies it first.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// CreatedDate, milliseconds.
    pub created: i64,
    /// CreatedById.
    pub created_by: RecordId,
    /// LastModifiedDate, milliseconds.
    pub modified: i64,
    /// LastModifiedById.
    pub modified_by: RecordId,
    /// SystemModstamp, milliseconds, always a whole second.
    pub stamp: i64,
    /// In the recycle bin: when it went there, and with which record's delete.
    pub deleted: Option<Deleted>,
    /// By slot.
    pub values: Box<[Value]>,
}

/// How a record came into the recycle bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// When, milliseconds.
    pub at: i64,
    /// The record whose delete took this one along; itself, if it was deleted by name.
    pub with: RecordId,
}

/// What a change to a record was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ChangeKind {
    Create,
    Update,
    Delete,
    Undelete,
    Purge,
}

/// One entry of the org's own account of what happened, against which a reader's account can be held.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct JournalEntry {
    /// Eighteen characters.
    #[serde(serialize_with = "as_text")]
    pub id: RecordId,
    /// What happened.
    pub change: ChangeKind,
    /// The SystemModstamp that it left, milliseconds.
    pub stamp: i64,
}

fn as_text<S: serde::Serializer>(id: &RecordId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// The records of one object.
#[derive(Debug)]
pub struct Table {
    prefix: KeyPrefix,
    /// The number of the first row, less one.
    base: u64,
    rows: Vec<Option<Arc<Record>>>,
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
    fn new(schema: &Schema, object: usize) -> Table {
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
    fn fit(&mut self, schema: &Schema, object: usize) {
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

    fn index(&mut self, schema: &Schema, object: usize, row: u32, add: bool) {
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

/// The org: its schema and its records.
#[derive(Debug)]
pub struct Org {
    schema: Arc<Schema>,
    tables: Vec<Table>,
    /// The org's own id.
    pub org_id: RecordId,
    /// The one user, who does everything.
    pub user_id: RecordId,
    journal: Vec<JournalEntry>,
    /// Off while sample data is loaded.
    pub journaling: bool,
    /// Lookups that a delete cleared, by the deleted record: child, field. An undelete restores those
    /// that nobody has filled since.
    pub(super) cleared: HashMap<RecordId, Vec<(RecordId, usize)>>,
    /// While all must go well or nothing: what to put back.
    undo: Option<Undo>,
}

/// How things were before a change that may have to be taken back.
#[derive(Debug, Default)]
struct Undo {
    /// Object, row and its record before; `None` for a row that was added.
    steps: Vec<(usize, u32, Option<Arc<Record>>)>,
    journal: usize,
}

impl Org {
    /// An org without records. The ids of the org and of its user follow from the seed.
    pub fn new(schema: Schema, seed: u64) -> Org {
        let mut tables: Vec<Table> = (0..schema.objects.len())
            .map(|object| Table::new(&schema, object))
            .collect();
        let org_number = 500_000 + seed % 1_000_000_000;
        if let Some(organization) = schema.index("Organization") {
            tables[organization].base = org_number - 1;
        }
        Org {
            schema: Arc::new(schema),
            tables,
            org_id: RecordId::new(*b"00D", org_number),
            user_id: RecordId::new(*b"005", 1),
            journal: Vec::new(),
            journaling: false,
            cleared: HashMap::new(),
            undo: None,
        }
    }

    /// Objects and fields.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Changes the schema under the records: nothing is stamped. Fields may be added and hidden, not moved.
    pub fn edit_schema<R>(&mut self, edit: impl FnOnce(&mut Schema) -> R) -> R {
        let schema = Arc::make_mut(&mut self.schema);
        let result = edit(schema);
        schema.finish();
        for (object, table) in self.tables.iter_mut().enumerate() {
            table.fit(&self.schema, object);
        }
        result
    }

    /// An object's records.
    pub fn table(&self, object: usize) -> &Table {
        &self.tables[object]
    }

    pub(super) fn table_mut(&mut self, object: usize) -> &mut Table {
        &mut self.tables[object]
    }

    /// A record, in the recycle bin or not, with its object.
    pub fn find(&self, id: RecordId) -> Option<(usize, &Arc<Record>)> {
        let object = self.schema.by_prefix(id.prefix())?;
        let table = &self.tables[object];
        Some((object, table.row(table.row_of(id)?)?))
    }

    /// What happened since the sample data was loaded, oldest first.
    pub fn journal(&self) -> &[JournalEntry] {
        &self.journal
    }

    pub(super) fn write_journal(&mut self, id: RecordId, change: ChangeKind, stamp: i64) {
        if self.journaling {
            self.journal.push(JournalEntry { id, change, stamp });
        }
    }

    /// Adds a record and gives it the next id. Stamps are taken as they come.
    pub fn add(&mut self, object: usize, values: Box<[Value]>, created: i64, stamp: i64) -> RecordId {
        let user = self.user_id;
        let table = &mut self.tables[object];
        let row = table.rows.len() as u32;
        let id = RecordId::new(table.prefix, table.base + u64::from(row) + 1);
        table.rows.push(Some(Arc::new(Record {
            id,
            created,
            created_by: user,
            modified: stamp,
            modified_by: user,
            stamp,
            deleted: None,
            values,
        })));
        table.index(&self.schema, object, row, true);
        if let Some(undo) = &mut self.undo {
            undo.steps.push((object, row, None));
        }
        self.write_journal(id, ChangeKind::Create, stamp);
        id
    }

    /// Changes a record and keeps the indexes right. Nothing happens if it is not there.
    pub fn change(&mut self, id: RecordId, change: impl FnOnce(&mut Record)) {
        let Some(object) = self.schema.by_prefix(id.prefix()) else {
            return;
        };
        let table = &mut self.tables[object];
        let Some(row) = table.row_of(id) else { return };
        if let (Some(undo), Some(before)) = (&mut self.undo, table.row(row)) {
            undo.steps.push((object, row, Some(before.clone())));
        }
        table.index(&self.schema, object, row, false);
        if let Some(record) = &mut table.rows[row as usize] {
            change(Arc::make_mut(record));
        }
        table.index(&self.schema, object, row, true);
    }

    /// Runs a change of several records: if `keep` refuses its result, everything is put back.
    pub fn attempt<R>(&mut self, change: impl FnOnce(&mut Org) -> R, keep: impl FnOnce(&R) -> bool) -> R {
        self.undo = Some(Undo {
            steps: Vec::new(),
            journal: self.journal.len(),
        });
        let result = change(self);
        let undo = self.undo.take().unwrap_or_default();
        if keep(&result) {
            return result;
        }
        for (object, row, before) in undo.steps.into_iter().rev() {
            let table = &mut self.tables[object];
            table.index(&self.schema, object, row, false);
            match before {
                Some(record) => {
                    table.rows[row as usize] = Some(record);
                    table.index(&self.schema, object, row, true);
                }
                None => table.rows.truncate(row as usize),
            }
        }
        self.journal.truncate(undo.journal);
        result
    }

    /// Takes a record away for good.
    pub fn purge(&mut self, id: RecordId) {
        let Some(object) = self.schema.by_prefix(id.prefix()) else {
            return;
        };
        let table = &mut self.tables[object];
        let Some(row) = table.row_of(id) else { return };
        table.index(&self.schema, object, row, false);
        if let Some(record) = table.rows[row as usize].take() {
            self.write_journal(id, ChangeKind::Purge, record.stamp);
        }
    }
}

impl Record {
    /// A field that is kept outside the values.
    pub fn system(&self, field: SystemField) -> Value {
        match field {
            SystemField::Id => Value::Id(self.id),
            SystemField::IsDeleted => Value::Bool(self.deleted.is_some()),
            SystemField::CreatedDate => Value::DateTime(self.created),
            SystemField::CreatedById => Value::Id(self.created_by),
            SystemField::LastModifiedDate => Value::DateTime(self.modified),
            SystemField::LastModifiedById => Value::Id(self.modified_by),
            SystemField::SystemModstamp => Value::DateTime(self.stamp),
        }
    }
}
