//! The org's records as its state in a file holds them: whole objects at its beginning, then each transaction.

use super::{ChangeKind, Deleted, JournalEntry, Org, Record, Table};
use crate::salesforce::{ids::RecordId, schema::Schema, value::Value};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, atomic::Ordering};

/// The org but for its schema and its records.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::salesforce) struct SavedOrg {
    org_id: RecordId,
    user_id: RecordId,
    log_since: i64,
    tables: Vec<SavedTable>,
    deletions: Vec<(i64, RecordId)>,
    bin: Vec<(i64, RecordId)>,
    cleared: Vec<(RecordId, Vec<(RecordId, usize)>)>,
}

/// An object's records, counted: how many ids were given, and the last number of its auto-number field.
#[derive(Debug, Serialize, Deserialize)]
struct SavedTable {
    base: u64,
    rows: usize,
    last_number: u64,
}

/// One record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::salesforce) struct SavedRecord {
    #[serde(rename = "i")]
    id: RecordId,
    /// When and by whom it was created, then changed.
    #[serde(rename = "c")]
    created: (i64, RecordId),
    #[serde(rename = "m")]
    modified: (i64, RecordId),
    #[serde(rename = "s")]
    stamp: i64,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    deleted: Option<(i64, RecordId)>,
    #[serde(rename = "v")]
    values: Vec<Value>,
}

/// What a transaction left: the journal's new entries, and every record that they name as it is now.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::salesforce) struct SavedChanges {
    journal: Vec<JournalEntry>,
    records: Vec<(RecordId, Option<SavedRecord>)>,
    /// The last auto-numbers of the objects concerned.
    numbers: Vec<(usize, u64)>,
    /// By deleted record: lookups that its delete cleared and an undelete would restore.
    cleared: Vec<(RecordId, Vec<(RecordId, usize)>)>,
}

impl SavedChanges {
    pub(in crate::salesforce) fn is_empty(&self) -> bool {
        self.journal.is_empty()
    }

    /// The newest stamp in it.
    pub(in crate::salesforce) fn newest(&self) -> i64 {
        self.journal
            .iter()
            .map(|entry| entry.stamp)
            .max()
            .unwrap_or(i64::MIN)
    }
}

impl SavedRecord {
    fn of(record: &Record) -> SavedRecord {
        SavedRecord {
            id: record.id,
            created: (record.created, record.created_by),
            modified: (record.modified, record.modified_by),
            stamp: record.stamp,
            deleted: record.deleted.map(|deleted| (deleted.at, deleted.with)),
            values: record.values.to_vec(),
        }
    }

    fn record(self) -> Record {
        Record {
            id: self.id,
            created: self.created.0,
            created_by: self.created.1,
            modified: self.modified.0,
            modified_by: self.modified.1,
            stamp: self.stamp,
            deleted: self.deleted.map(|(at, with)| Deleted { at, with }),
            values: self.values.into_boxed_slice(),
        }
    }
}

impl Org {
    pub(in crate::salesforce) fn save(&self) -> SavedOrg {
        SavedOrg {
            org_id: self.org_id,
            user_id: self.user_id,
            log_since: self.log_since,
            tables: self.tables.iter().map(SavedTable::of).collect(),
            deletions: self.deletions.clone(),
            bin: self.bin.iter().copied().collect(),
            cleared: self
                .cleared
                .iter()
                .map(|(id, links)| (*id, links.clone()))
                .collect(),
        }
    }

    /// All records, object by object.
    pub(in crate::salesforce) fn saved_records(&self) -> impl Iterator<Item = SavedRecord> + '_ {
        let rows = self.tables.iter().flat_map(|table| table.rows.iter().flatten());
        rows.map(|record| SavedRecord::of(record))
    }

    /// The org of an earlier run, its records and its journal still to come.
    pub(in crate::salesforce) fn load(schema: Schema, saved: SavedOrg) -> Org {
        let mut org = Org::new(schema, 0);
        org.org_id = saved.org_id;
        org.user_id = saved.user_id;
        org.log_since = saved.log_since;
        for (table, saved) in org.tables.iter_mut().zip(saved.tables) {
            table.base = saved.base;
            table.last_number = saved.last_number;
            table.rows.resize(saved.rows, None);
        }
        org.deletions = saved.deletions;
        org.bin = saved.bin.into_iter().collect();
        org.cleared = saved.cleared.into_iter().collect();
        org.journaling = true;
        org
    }

    pub(in crate::salesforce) fn load_record(&mut self, saved: SavedRecord) {
        let id = saved.id;
        self.place(id, Some(saved.record()));
    }

    pub(in crate::salesforce) fn load_journal(&mut self, entries: Vec<JournalEntry>) {
        self.journal.extend(entries);
        self.all_is_kept();
    }

    /// Everything up to now is in the state's file.
    pub(in crate::salesforce) fn all_is_kept(&self) {
        self.kept.store(self.journal.len(), Ordering::Relaxed);
    }

    /// What happened since all was kept.
    pub(in crate::salesforce) fn take_changes(&self) -> SavedChanges {
        let journal = self.journal[self.kept.load(Ordering::Relaxed)..].to_vec();
        self.all_is_kept();
        let mut changes = SavedChanges::default();
        let mut ids: Vec<RecordId> = journal.iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let record = self.find(id).map(|(_, record)| SavedRecord::of(record));
            changes.records.push((id, record));
            let object = self.schema.by_prefix(id.prefix());
            if let Some(object) =
                object.filter(|object| changes.numbers.iter().all(|(known, _)| known != object))
            {
                changes.numbers.push((object, self.tables[object].last_number));
            }
            let kinds = [ChangeKind::Delete, ChangeKind::Undelete, ChangeKind::Purge];
            if journal
                .iter()
                .any(|entry| entry.id == id && kinds.contains(&entry.change))
            {
                let cleared = self.cleared.get(&id).cloned().unwrap_or_default();
                changes.cleared.push((id, cleared));
            }
        }
        changes.journal = journal;
        changes
    }

    /// Does again what a transaction of an earlier run did.
    pub(in crate::salesforce) fn load_changes(&mut self, changes: SavedChanges) {
        for (id, record) in changes.records {
            self.place(id, record.map(SavedRecord::record));
        }
        for (object, number) in changes.numbers {
            self.tables[object].last_number = number;
        }
        for (id, links) in changes.cleared {
            if links.is_empty() {
                self.cleared.remove(&id);
            } else {
                self.cleared.insert(id, links);
            }
        }
        for entry in &changes.journal {
            self.note_deletion(entry.id, entry.change, entry.stamp);
        }
        self.load_journal(changes.journal);
    }

    /// Puts a record into its row, or nothing where it was purged. The row counts as given either way.
    fn place(&mut self, id: RecordId, record: Option<Record>) {
        let Some(object) = self.schema.by_prefix(id.prefix()) else {
            return;
        };
        let table = &mut self.tables[object];
        let Some(row) = id.number().and_then(|number| number.checked_sub(table.base + 1)) else {
            return;
        };
        if row as usize >= table.rows.len() {
            table.rows.resize(row as usize + 1, None);
        }
        table.index(&self.schema, object, row as u32, false);
        table.rows[row as usize] = record.map(Arc::new);
        table.index(&self.schema, object, row as u32, true);
    }
}

impl SavedTable {
    fn of(table: &Table) -> SavedTable {
        SavedTable {
            base: table.base,
            rows: table.rows.len(),
            last_number: table.last_number,
        }
    }
}
