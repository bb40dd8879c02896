//! One object type: its definition and its records.
//!
//! Records stand in the order of their ids, so that an id is found by bisection and a listing is a walk.
//! What the search index has not seen yet is kept beside them: the versions that it still shows.

mod saved;

use super::{
    clock,
    dice::FastMap,
    object_type::{ConditionalRule, Definition, Group},
    property::{Property, System},
    rows::Row,
};
pub(super) use saved::{SavedRecord, SavedTable};
use std::{borrow::Cow, collections::VecDeque};

/// A value on its way into a record: its column and its text, where empty clears.
pub(super) type Change<'a> = (u16, Cow<'a, str>);

/// How long the recycle bin holds a record.
const RECYCLE_MS: i64 = 90 * clock::DAY_MS;
/// When a record was archived that no recycle bin holds.
const PURGED_MS: i64 = -RECYCLE_MS;

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    /// 0 while it lives.
    pub(super) archived_ms: i64,
    pub(super) row: Row,
}

impl Record {
    pub(super) fn archived(&self) -> bool {
        self.archived_ms != 0
    }

    /// Whether a read of the living, or of the recycle bin, shows it. The bin is emptied after ninety days.
    pub(super) fn shows(&self, archived: bool, now_ms: i64) -> bool {
        self.archived() == archived && (!archived || now_ms < self.archived_ms + RECYCLE_MS)
    }
}

#[derive(Debug)]
struct UniqueIndex {
    column: u16,
    rows: FastMap<Box<str>, u32>,
}

impl UniqueIndex {
    fn claim(&mut self, row: u32, value: &str, ignore_case: bool) {
        if !value.is_empty() {
            self.rows.insert(key(value, ignore_case).into(), row);
        }
    }
}

/// A change that the search index has not taken in.
#[derive(Debug)]
struct Unindexed {
    visible_ms: i64,
    row: u32,
    /// What was there before: nothing for a new record.
    before: Option<(Row, i64)>,
}

/// What search sees instead of the truth, by record position.
pub(super) type Shadow<'t> = FastMap<u32, Option<(&'t Row, i64)>>;

/// One object type with everything in it.
#[derive(Debug)]
pub(super) struct Table {
    /// `0-2` or `2-3465404`.
    pub(super) type_id: String,
    /// How errors name the type: `CONTACT`, or a custom type's fully qualified name.
    pub(super) shout: String,
    pub(super) fqn: String,
    pub(super) custom: bool,
    pub(super) definition: Definition,
    /// What reads of the schema may still show, and until when.
    pub(super) stale: Option<(Definition, i64)>,
    pub(super) properties: Vec<Property>,
    by_name: FastMap<Box<str>, u16>,
    pub(super) groups: Vec<Group>,
    pub(super) rules: Vec<ConditionalRule>,
    /// Columns that every answer holds, then those of a read that names none.
    pub(super) always: Vec<u16>,
    pub(super) by_default: Vec<u16>,
    pub(super) ids: Vec<u64>,
    pub(super) records: Vec<Record>,
    unique: Vec<UniqueIndex>,
    unindexed: VecDeque<Unindexed>,
    pub(super) live: usize,
    /// Losers of merges and who they became.
    pub(super) merged: FastMap<u64, u64>,
    ignore_case: bool,
}

impl Table {
    pub(super) fn new(
        type_id: &str,
        fqn: &str,
        custom: bool,
        definition: Definition,
        ignore_case: bool,
    ) -> Table {
        let shout = if custom {
            fqn.to_owned()
        } else {
            definition.name.to_ascii_uppercase()
        };
        Table {
            type_id: type_id.to_owned(),
            shout,
            fqn: fqn.to_owned(),
            custom,
            definition,
            stale: None,
            properties: Vec::new(),
            by_name: FastMap::default(),
            groups: Vec::new(),
            rules: Vec::new(),
            always: Vec::new(),
            by_default: Vec::new(),
            ids: Vec::new(),
            records: Vec::new(),
            unique: Vec::new(),
            unindexed: VecDeque::new(),
            live: 0,
            merged: FastMap::default(),
            ignore_case,
        }
    }

    // --- properties

    /// A property's column, archived ones included.
    pub(super) fn any_column(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    /// A live property's column.
    pub(super) fn column(&self, name: &str) -> Option<u16> {
        self.any_column(name)
            .filter(|column| self.property(*column).archived_ms.is_none())
    }

    pub(super) fn property(&self, column: u16) -> &Property {
        &self.properties[usize::from(column)]
    }

    pub(super) fn property_mut(&mut self, column: u16) -> &mut Property {
        &mut self.properties[usize::from(column)]
    }

    /// Adds a property, or puts it in the place of an archived one of its name, whose values come back.
    pub(super) fn put_property(&mut self, property: Property, identity: bool) -> u16 {
        let unique = property.unique || identity;
        let column = match self.any_column(&property.name) {
            Some(column) => {
                *self.property_mut(column) = property;
                column
            }
            None => {
                let column = u16::try_from(self.properties.len()).unwrap_or(u16::MAX);
                self.by_name.insert(property.name.as_str().into(), column);
                self.properties.push(property);
                column
            }
        };
        self.unique.retain(|index| index.column != column);
        if unique {
            self.index(column);
        }
        column
    }

    fn index(&mut self, column: u16) {
        let mut rows = FastMap::default();
        for (row, record) in self.records.iter().enumerate() {
            if let Some(value) = record.row.get(column).filter(|_| !record.archived()) {
                rows.insert(
                    key(value, self.ignore_case).into(),
                    u32::try_from(row).unwrap_or(u32::MAX),
                );
            }
        }
        self.unique.push(UniqueIndex { column, rows });
    }

    /// Whether records can be addressed by this column.
    pub(super) fn is_unique(&self, column: u16) -> bool {
        self.unique.iter().any(|index| index.column == column)
    }

    pub(super) fn custom_unique_count(&self) -> usize {
        self.properties
            .iter()
            .filter(|property| property.unique && !property.hubspot_defined && property.archived_ms.is_none())
            .count()
    }

    pub(super) fn group(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name == name)
    }

    // --- reading

    /// A value's form for comparison in this portal.
    pub(super) fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        key(value, self.ignore_case)
    }

    /// A record's position by id, archived ones included.
    pub(super) fn any_row(&self, id: u64) -> Option<u32> {
        let at = self.ids.binary_search(&id).ok()?;
        u32::try_from(at).ok()
    }

    /// A live record's position by id.
    pub(super) fn row(&self, id: u64) -> Option<u32> {
        self.any_row(id).filter(|row| !self.record(*row).archived())
    }

    /// A live record's position by a unique value.
    pub(super) fn row_by(&self, column: u16, value: &str) -> Option<u32> {
        self.holder(column, value)
            .filter(|row| !self.record(*row).archived())
    }

    /// Who has a unique value, even in the recycle bin.
    pub(super) fn holder(&self, column: u16, value: &str) -> Option<u32> {
        let index = self.unique.iter().find(|index| index.column == column)?;
        index.rows.get(&*self.key(value)).copied()
    }

    pub(super) fn record(&self, row: u32) -> &Record {
        &self.records[row as usize]
    }

    pub(super) fn id(&self, row: u32) -> u64 {
        self.ids[row as usize]
    }

    /// A value as a read shows it.
    pub(super) fn value(&self, row: u32, column: u16) -> Option<Cow<'_, str>> {
        let record = self.record(row);
        self.value_in(row, &record.row, record.updated_ms, column)
    }

    /// A value as a version of the record shows it.
    pub(super) fn value_in<'t>(
        &self,
        row: u32,
        version: &'t Row,
        updated_ms: i64,
        column: u16,
    ) -> Option<Cow<'t, str>> {
        let Some(system) = self.property(column).system else {
            return version.get(column).map(Cow::Borrowed);
        };
        Some(Cow::Owned(match system {
            System::ObjectId => self.id(row).to_string(),
            System::Created => clock::instant(self.record(row).created_ms),
            System::Modified => clock::instant(updated_ms),
            System::Source => "INTEGRATION".to_owned(),
            System::SourceId => "1000001".to_owned(),
            System::SourceLabel => "Integration".to_owned(),
            System::MergedIds => {
                let id = self.id(row);
                let mut losers: Vec<u64> = self
                    .merged
                    .iter()
                    .filter(|(_, winner)| **winner == id)
                    .map(|(loser, _)| *loser)
                    .collect();
                if losers.is_empty() {
                    return None;
                }
                losers.sort_unstable();
                losers.iter().map(u64::to_string).collect::<Vec<_>>().join(";")
            }
        }))
    }

    /// What the search index shows at a time, where that is not the truth.
    pub(super) fn shadow(&self, now_ms: i64) -> Shadow<'_> {
        let mut shadow = Shadow::default();
        for change in self.unindexed.iter().filter(|change| change.visible_ms > now_ms) {
            let before = change.before.as_ref().map(|(row, updated_ms)| (row, *updated_ms));
            shadow.entry(change.row).or_insert(before);
        }
        shadow
    }

    // --- writing

    /// Adds a record. Its id is larger than any before it.
    pub(super) fn create(&mut self, id: u64, now_ms: i64, lag_ms: i64, changes: &[Change<'_>]) -> u32 {
        let row = u32::try_from(self.records.len()).expect("a table holds fewer than 2^32 records");
        let values = Row::default().with(changes.iter().map(|(column, value)| (*column, &**value)));
        for index in &mut self.unique {
            if let Some((_, value)) = changes.iter().find(|(column, _)| *column == index.column) {
                index.claim(row, value, self.ignore_case);
            }
        }
        self.ids.push(id);
        self.records.push(Record {
            created_ms: now_ms,
            updated_ms: now_ms,
            archived_ms: 0,
            row: values,
        });
        self.live += 1;
        self.note(row, None, now_ms, lag_ms);
        row
    }

    /// Lays changes over a record.
    pub(super) fn update(&mut self, row: u32, now_ms: i64, lag_ms: i64, changes: &[Change<'_>]) {
        for index in &mut self.unique {
            let Some((_, new)) = changes.iter().find(|(column, _)| *column == index.column) else {
                continue;
            };
            let old = self.records[row as usize].row.get(index.column);
            if old.unwrap_or_default() == &**new {
                continue;
            }
            if let Some(old) = old {
                index.rows.remove(&*key(old, self.ignore_case));
            }
            index.claim(row, new, self.ignore_case);
        }
        let record = &mut self.records[row as usize];
        let values = record
            .row
            .with(changes.iter().map(|(column, value)| (*column, &**value)));
        let before = (std::mem::replace(&mut record.row, values), record.updated_ms);
        record.updated_ms = now_ms.max(record.updated_ms);
        self.note(row, Some(before), now_ms, lag_ms);
    }

    /// Puts a record into the recycle bin, with its unique values or without.
    pub(super) fn archive(&mut self, row: u32, now_ms: i64, keep_values: bool) {
        if self.record(row).archived() {
            return;
        }
        if !keep_values {
            for index in &mut self.unique {
                if let Some(old) = self.records[row as usize].row.get(index.column) {
                    index.rows.remove(&*key(old, self.ignore_case));
                }
            }
        }
        self.records[row as usize].archived_ms = now_ms.max(1);
        self.live -= 1;
    }

    /// Forgets what a record held, for good.
    pub(super) fn purge(&mut self, row: u32, now_ms: i64) {
        self.archive(row, now_ms, false);
        let record = &mut self.records[row as usize];
        record.archived_ms = PURGED_MS;
        record.row = Row::default();
        self.unindexed.retain(|change| change.row != row);
    }

    fn note(&mut self, row: u32, before: Option<(Row, i64)>, now_ms: i64, lag_ms: i64) {
        if lag_ms == 0 {
            return;
        }
        while self
            .unindexed
            .front()
            .is_some_and(|change| change.visible_ms <= now_ms)
        {
            self.unindexed.pop_front();
        }
        self.unindexed.push_back(Unindexed {
            visible_ms: now_ms + lag_ms,
            row,
            before,
        });
    }
}

fn key(value: &str, ignore_case: bool) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if !ignore_case || value.bytes().all(plain) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hubspot::property::Kind;

    fn table() -> Table {
        let mut table = Table::new("2-1", "p1_x", true, Definition::default(), true);
        for (name, unique) in [("key", true), ("note", false)] {
            let mut property = Property::built_in(name, name, Kind::String, "text", "g");
            property.unique = unique;
            table.put_property(property, false);
        }
        table
    }

    fn set(column: u16, value: &str) -> Change<'_> {
        (column, Cow::Borrowed(value))
    }

    #[test]
    fn unique_values_follow_their_record() {
        let mut table = table();
        let row = table.create(5, 1, 0, &[set(0, "Aa"), set(1, "n")]);
        assert_eq!(table.row_by(0, "aA"), Some(row));
        table.update(row, 2, 0, &[set(0, "B")]);
        assert_eq!((table.row_by(0, "Aa"), table.row_by(0, "B")), (None, Some(row)));
        table.update(row, 2, 0, &[set(0, "")]);
        assert_eq!(table.row_by(0, "B"), None);
        table.update(row, 2, 0, &[set(0, "C")]);
        table.archive(row, 3, false);
        assert_eq!(
            (table.row_by(0, "C"), table.row(5), table.any_row(5)),
            (None, None, Some(row))
        );
    }

    #[test]
    fn search_sees_the_oldest_version_that_it_has_not_replaced() {
        let mut table = table();
        let row = table.create(5, 0, 0, &[set(1, "first")]);
        table.update(row, 100, 50, &[set(1, "second")]);
        table.update(row, 120, 50, &[set(1, "third")]);
        let new = table.create(6, 130, 50, &[]);
        let seen = |now_ms| {
            table
                .shadow(now_ms)
                .get(&row)
                .copied()
                .flatten()
                .and_then(|(row, _)| row.get(1))
        };
        assert_eq!(seen(149), Some("first"));
        assert_eq!(seen(150), Some("second"));
        assert_eq!(table.shadow(170).get(&row), None);
        assert_eq!(table.shadow(179).get(&new), Some(&None));
    }
}
