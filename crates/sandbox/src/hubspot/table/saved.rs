//! An object type as the state of a portal holds it.

use super::{Record, Table, UniqueIndex, key};
use crate::hubspot::{
    dice::FastMap,
    object_type::{ConditionalRule, Definition, Group},
    property::Property,
    rows::Row,
};
use serde::{Deserialize, Serialize};

/// An object type without its records.
#[derive(Serialize, Deserialize)]
pub(in crate::hubspot) struct SavedTable {
    type_id: String,
    shout: String,
    fqn: String,
    custom: bool,
    definition: Definition,
    properties: Vec<Property>,
    groups: Vec<Group>,
    rules: Vec<ConditionalRule>,
    always: Vec<u16>,
    by_default: Vec<u16>,
    /// Columns that records can be addressed by.
    unique: Vec<u16>,
    merged: Vec<(u64, u64)>,
    ignore_case: bool,
}

/// Id, when it was created, changed and archived (0 while it lives), and its values by column.
#[derive(Serialize, Deserialize)]
pub(in crate::hubspot) struct SavedRecord(u64, i64, i64, i64, Vec<(u16, String)>);

impl Table {
    pub(in crate::hubspot) fn save(&self) -> SavedTable {
        SavedTable {
            type_id: self.type_id.clone(),
            shout: self.shout.clone(),
            fqn: self.fqn.clone(),
            custom: self.custom,
            definition: self.definition.clone(),
            properties: self.properties.clone(),
            groups: self.groups.clone(),
            rules: self.rules.clone(),
            always: self.always.clone(),
            by_default: self.by_default.clone(),
            unique: self.unique.iter().map(|index| index.column).collect(),
            merged: self
                .merged
                .iter()
                .map(|(loser, winner)| (*loser, *winner))
                .collect(),
            ignore_case: self.ignore_case,
        }
    }

    pub(in crate::hubspot) fn saved_records(&self) -> impl Iterator<Item = SavedRecord> {
        self.ids.iter().zip(&self.records).map(|(id, record)| {
            let values = record
                .row
                .iter()
                .map(|(column, value)| (column, value.to_owned()));
            SavedRecord(
                *id,
                record.created_ms,
                record.updated_ms,
                record.archived_ms,
                values.collect(),
            )
        })
    }

    /// The type again, its records still to come: [`Table::load_record`] each, then [`Table::loaded`].
    pub(in crate::hubspot) fn load(saved: SavedTable) -> Table {
        let mut table = Table::new(
            &saved.type_id,
            &saved.fqn,
            saved.custom,
            saved.definition,
            saved.ignore_case,
        );
        table.shout = saved.shout;
        for (column, property) in (0..).zip(&saved.properties) {
            table.by_name.insert(property.name.as_str().into(), column);
        }
        table.properties = saved.properties;
        table.groups = saved.groups;
        table.rules = saved.rules;
        table.always = saved.always;
        table.by_default = saved.by_default;
        table.merged = saved.merged.into_iter().collect();
        table.unique = saved
            .unique
            .into_iter()
            .map(|column| UniqueIndex {
                column,
                rows: FastMap::default(),
            })
            .collect();
        table
    }

    pub(in crate::hubspot) fn load_record(&mut self, saved: SavedRecord) {
        let SavedRecord(id, created_ms, updated_ms, archived_ms, values) = saved;
        let row = Row::default().with(values.iter().map(|(column, value)| (*column, value.as_str())));
        self.live += usize::from(archived_ms == 0);
        self.ids.push(id);
        self.records.push(Record {
            created_ms,
            updated_ms,
            archived_ms,
            row,
        });
    }

    /// Finds records by their unique values again. What lies in the recycle bin has its own only where nobody else has.
    pub(in crate::hubspot) fn loaded(&mut self, archived_keep_values: bool) {
        for index in &mut self.unique {
            let mut claim = |archived: bool| {
                for (row, record) in (0..).zip(&self.records) {
                    if record.archived() != archived {
                        continue;
                    }
                    if let Some(value) = record.row.get(index.column)
                        && !index.rows.contains_key(&*key(value, self.ignore_case))
                    {
                        index.claim(row, value, self.ignore_case);
                    }
                }
            };
            claim(false);
            if archived_keep_values {
                claim(true);
            }
        }
    }
}
