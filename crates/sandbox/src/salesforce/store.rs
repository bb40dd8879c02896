//! The org's records, in memory, with the indexes that queries and deletes need.

mod saved;
mod table;

pub(super) use saved::{SavedChanges, SavedOrg, SavedRecord};
pub use table::Table;

use crate::salesforce::{
    ids::RecordId,
    schema::{Schema, SystemField},
    value::Value,
};
use indexmap::IndexMap;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, atomic::AtomicUsize},
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JournalEntry {
    /// Eighteen characters.
    pub id: RecordId,
    /// What happened.
    pub change: ChangeKind,
    /// The SystemModstamp that it left, milliseconds.
    pub stamp: i64,
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
    /// How much of the journal is in the state's file.
    kept: AtomicUsize,
    /// Off while sample data is loaded.
    pub journaling: bool,
    /// The delete log: when, and which record. It outlasts the recycle bin.
    deletions: Vec<(i64, RecordId)>,
    /// The log holds nothing from before this moment.
    pub log_since: i64,
    /// What is or was in the recycle bin, by the moment when it went there.
    bin: BTreeSet<(i64, RecordId)>,
    /// Lookups that a delete cleared, by the deleted record: child, field. An undelete restores those
    /// that nobody has filled since.
    pub(super) cleared: HashMap<RecordId, Vec<(RecordId, usize)>>,
    /// While all must go well or nothing: what to put back.
    undo: Option<Undo>,
    /// What the running transaction did to each record, in order.
    touched: IndexMap<RecordId, Touched>,
}

/// What a transaction did to a record: its first change, and how it was before.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    /// `None` while nothing is told of it.
    pub kind: Option<ChangeKind>,
    /// `None` for a record that was added.
    pub before: Option<Arc<Record>>,
}

/// How things were before a change that may have to be taken back.
#[derive(Debug, Default)]
struct Undo {
    /// Object, row and its record before; `None` for a row that was added.
    steps: Vec<(usize, u32, Option<Arc<Record>>)>,
    journal: usize,
    deletions: usize,
    touched: IndexMap<RecordId, Touched>,
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
            kept: AtomicUsize::new(0),
            journaling: false,
            deletions: Vec::new(),
            log_since: i64::MIN,
            bin: BTreeSet::new(),
            cleared: HashMap::new(),
            touched: IndexMap::new(),
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

    /// Changes all values of a slot, stamping nothing; says whether one was lost by it.
    pub fn convert(&mut self, object: usize, slot: usize, convert: impl Fn(&Value) -> Value) -> bool {
        let mut lost = false;
        for record in self.tables[object].rows.iter_mut().flatten() {
            let Some(value) = record.values.get(slot) else {
                continue;
            };
            let converted = convert(value);
            lost |= converted.is_null() && !value.is_null();
            if converted != *value {
                Arc::make_mut(record).values[slot] = converted;
            }
        }
        lost
    }

    /// Gives the org another id, as the refresh of a sandbox does. Records keep theirs.
    pub fn become_another(&mut self, number: u64) {
        self.org_id = RecordId::new(*b"00D", number);
        let Some(organization) = self.schema.index("Organization") else {
            return;
        };
        let id = self.org_id;
        let table = &mut self.tables[organization];
        table.index(&self.schema, organization, 0, false);
        table.base = number - 1;
        if let Some(Some(record)) = table.rows.first_mut() {
            Arc::make_mut(record).id = id;
        }
        table.index(&self.schema, organization, 0, true);
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
        self.note_deletion(id, change, stamp);
        if self.journaling {
            self.journal.push(JournalEntry { id, change, stamp });
            self.touched.entry(id).or_default().kind.get_or_insert(change);
        }
    }

    /// What a change means for the delete log and the recycle bin.
    fn note_deletion(&mut self, id: RecordId, change: ChangeKind, stamp: i64) {
        match change {
            ChangeKind::Delete => {
                self.deletions.push((stamp, id));
                self.bin.insert((stamp, id));
            }
            ChangeKind::Undelete => self.deletions.retain(|(_, deleted)| *deleted != id),
            ChangeKind::Create | ChangeKind::Update | ChangeKind::Purge => {}
        }
    }

    /// What was done since this was last asked, record by record.
    pub(super) fn take_touched(&mut self) -> Vec<(RecordId, Touched)> {
        let touched = std::mem::take(&mut self.touched);
        touched
            .into_iter()
            .filter(|(_, touch)| touch.kind.is_some())
            .collect()
    }

    /// The delete log's entries of an object, in the order in which they came.
    pub fn deletions(&self, object: usize) -> impl Iterator<Item = (i64, RecordId)> + '_ {
        let prefix = self.schema.objects[object].prefix;
        let of_object = move |(_, id): &&(i64, RecordId)| id.prefix() == prefix;
        self.deletions.iter().filter(of_object).copied()
    }

    /// Forgets the delete log's entries of before `until`.
    pub fn purge_delete_log(&mut self, until: i64) {
        self.deletions.retain(|(at, _)| *at >= until);
        self.log_since = self.log_since.max(until);
    }

    /// Takes away for good what went to the recycle bin before `until`.
    pub fn empty_bin(&mut self, until: i64) {
        while let Some((at, id)) = self.bin.first().copied().filter(|(at, _)| *at < until) {
            self.bin.pop_first();
            // It may have come back since, and gone again later.
            let is_there = self
                .find(id)
                .and_then(|(_, record)| record.deleted)
                .is_some_and(|deleted| deleted.at == at);
            if is_there {
                self.purge(id);
                self.cleared.remove(&id);
            }
        }
    }

    /// Whether something went to the recycle bin before `until`.
    pub fn bin_is_due(&self, until: i64) -> bool {
        self.bin.first().is_some_and(|(at, _)| *at < until)
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
        if let Some(before) = table.row(row).filter(|_| self.journaling) {
            let touch = || Touched {
                kind: None,
                before: Some(before.clone()),
            };
            self.touched.entry(id).or_insert_with(touch);
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
            deletions: self.deletions.len(),
            touched: self.touched.clone(),
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
        self.deletions.truncate(undo.deletions);
        self.touched = undo.touched;
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
