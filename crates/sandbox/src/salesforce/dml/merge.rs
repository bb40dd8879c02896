//! Merging: up to two records go into a third one of their object, which takes over all that points to them.

use super::{Change, DmlError};
use crate::salesforce::{
    ids::RecordId,
    schema::Source,
    store::{ChangeKind, Deleted, Org},
    value::Value,
};
use serde_json::{Map, Value as Json};

/// The objects whose records can be merged.
const MERGEABLE: [&str; 4] = ["Account", "Contact", "Lead", "Individual"];
/// The records that one merge does away with.
const MOST_LOSERS: usize = 2;
/// Where a record that was merged away says into which.
pub(super) const MASTER_RECORD: &str = "MasterRecordId";

impl Org {
    /// Merges records into `master`, whose fields become as given: their children become its own, and they go to the
    /// recycle bin with a note of where they went. Gives the children.
    pub fn merge(
        &mut self,
        master: RecordId,
        losers: &[RecordId],
        given: &Map<String, Json>,
        change: Change,
    ) -> Result<Vec<RecordId>, DmlError> {
        let object = self.check_merge(master, losers)?;
        let mut moved = Vec::new();
        for loser in losers {
            self.move_children(object, *loser, master, change, &mut moved);
            self.bury(*loser, master, change);
        }
        self.update(master, given, change)?;
        Ok(moved)
    }

    fn check_merge(&self, master: RecordId, losers: &[RecordId]) -> Result<usize, DmlError> {
        let live = |id: RecordId| {
            let (object, record) = self.find(id).ok_or_else(DmlError::no_such_record)?;
            match record.deleted {
                None => Ok(object),
                Some(_) => Err(DmlError::is_deleted()),
            }
        };
        let object = live(master)?;
        let name = &self.schema().objects[object].name;
        if !MERGEABLE.contains(&name.as_str()) {
            let message = format!("entity type does not support merge: {name}");
            return Err(DmlError::new("INVALID_TYPE", message));
        }
        if losers.is_empty() || losers.len() > MOST_LOSERS {
            let message = "a merge takes one or two records besides the master record";
            return Err(DmlError::new("INVALID_NUMBER_OF_MERGE_RECORDS", message));
        }
        for (place, loser) in losers.iter().enumerate() {
            if *loser == master || losers[..place].contains(loser) || live(*loser)? != object {
                let message = "the records of a merge are different ones of one object";
                return Err(DmlError::new("INVALID_ID_FIELD", message));
            }
        }
        Ok(object)
    }

    /// Lets all live records that point to `from` point to `to`; `to` itself points to nobody then.
    fn move_children(
        &mut self,
        object: usize,
        from: RecordId,
        to: RecordId,
        change: Change,
        moved: &mut Vec<RecordId>,
    ) {
        let schema = self.schema().clone();
        for link in &schema.objects[object].children {
            let table = self.table(link.object);
            let rows = table.children(link.field, from).unwrap_or_default();
            let live = rows.into_iter().filter_map(|row| table.row(row));
            let live: Vec<_> = live.filter(|child| child.deleted.is_none()).cloned().collect();
            for child in live {
                let parent = if child.id == to {
                    Value::Null
                } else {
                    Value::Id(to)
                };
                self.set_lookup(child.id, link.field, parent, change);
                self.roll_up_around(child.id, Some(&child.values), change);
                if !moved.contains(&child.id) {
                    moved.push(child.id);
                }
            }
        }
    }

    /// Sends a record to the recycle bin that went into another.
    fn bury(&mut self, loser: RecordId, master: RecordId, change: Change) {
        self.note_master(loser, Value::Id(master));
        self.change(loser, |record| {
            record.stamp = change.stamp.max(record.stamp);
            record.deleted = Some(Deleted {
                at: record.stamp,
                with: loser,
            });
        });
        let stamp = self.find(loser).map_or(change.stamp, |(_, record)| record.stamp);
        self.write_journal(loser, ChangeKind::Delete, stamp);
    }

    /// Says of a record where it went; nothing, once it is back.
    pub(super) fn note_master(&mut self, id: RecordId, master: Value) {
        let Some((object, _)) = self.find(id) else {
            return;
        };
        let field = self.schema().objects[object].field(MASTER_RECORD);
        let Some(Source::Slot(slot)) = field.map(|field| field.source.clone()) else {
            return;
        };
        self.change(id, |record| record.values[slot] = master);
    }
}
