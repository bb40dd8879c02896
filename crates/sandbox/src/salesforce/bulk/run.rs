//! Runs a job's query: the records as they are when their chunk is read, not when the job was made.

use crate::salesforce::{
    handle::OrgHandle,
    reader::Reader,
    schema::{Kind, Source, SystemField},
    soql::{self, Access, Bound},
    store::Record,
    value::Value,
};
use std::{borrow::Cow, ops::Range, sync::Arc};

/// Rows of a chunk. Chunks are read one after the other, in no order that a client could rely on.
const CHUNK: u32 = 2048;
/// Rows read under one lock, so that writers get their turn.
const AT_ONCE: usize = 16_384;

/// A finished job's rows: the records themselves, and beside them what had to be computed.
#[derive(Debug)]
pub(in crate::salesforce) struct JobResult {
    /// Header names as the query spells them.
    pub(in crate::salesforce) names: Vec<String>,
    columns: Vec<(Cell, Kind)>,
    records: Vec<Arc<Record>>,
    /// Row after row, the values of the columns that are computed.
    computed: Vec<Value>,
    computed_columns: usize,
}

/// Where a column's value is.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Slot(usize),
    System(SystemField),
    Computed(usize),
}

impl JobResult {
    /// How many rows.
    pub(in crate::salesforce) fn len(&self) -> usize {
        self.records.len()
    }

    /// A row's record.
    pub(in crate::salesforce) fn record(&self, row: usize) -> &Record {
        &self.records[row]
    }

    /// The values of a row, each with its type.
    pub(in crate::salesforce) fn row(&self, row: usize) -> impl Iterator<Item = (Cow<'_, Value>, Kind)> {
        let record = &self.records[row];
        let computed = row * self.computed_columns;
        self.columns.iter().map(move |(cell, kind)| {
            let value = match cell {
                Cell::Slot(slot) => record
                    .values
                    .get(*slot)
                    .map_or(Cow::Owned(Value::Null), Cow::Borrowed),
                Cell::System(which) => Cow::Owned(record.system(*which)),
                Cell::Computed(place) => Cow::Borrowed(&self.computed[computed + place]),
            };
            (value, *kind)
        })
    }
}

/// Reads all rows of a query.
pub(super) fn run(handle: &OrgHandle, query: &Bound, with_deleted: bool) -> JobResult {
    run_rows(handle, query, with_deleted, 0..u32::MAX)
}

/// Reads those rows of a query whose row numbers, and so whose ids, are within a range.
pub(in crate::salesforce) fn run_rows(
    handle: &OrgHandle,
    query: &Bound,
    with_deleted: bool,
    within: Range<u32>,
) -> JobResult {
    let mut result = {
        let org = handle.org.read();
        let mut computed_columns = 0;
        let columns = query
            .columns
            .iter()
            .map(|column| {
                let field = column.path.leaf(org.schema());
                let cell = match &field.source {
                    Source::Slot(slot) if column.path.hops.is_empty() => Cell::Slot(*slot),
                    Source::System(which) if column.path.hops.is_empty() => Cell::System(*which),
                    _ => {
                        computed_columns += 1;
                        Cell::Computed(computed_columns - 1)
                    }
                };
                (cell, field.kind)
            })
            .collect();
        let names = query.columns.iter().map(|column| column.name.clone()).collect();
        JobResult {
            names,
            columns,
            records: Vec::new(),
            computed: Vec::new(),
            computed_columns,
        }
    };
    if query.order.is_empty() && query.limit.is_none() {
        let mut rows = candidates(handle, query);
        rows.retain(|row| within.contains(row));
        let rows = shuffled(rows);
        for part in rows.chunks(AT_ONCE) {
            take(handle, query, with_deleted, part, true, &mut result);
        }
    } else {
        let rows = {
            let org = handle.org.read();
            soql::matching(&Reader::new(&org, handle.clock.now_ms()), query, with_deleted)
        };
        take(handle, query, with_deleted, &rows, false, &mut result);
    }
    result.records.shrink_to_fit();
    result
}

/// The rows that the query's index offers.
fn candidates(handle: &OrgHandle, query: &Bound) -> Vec<u32> {
    let org = handle.org.read();
    match soql::access(&org, query.object, query.filter.as_ref()) {
        Access::Rows(from, to) => (from..to).collect(),
        Access::These(rows) => rows,
        Access::Stamps(from, to) => org.table(query.object).stamped(from, to).collect(),
    }
}

/// Brings rows into the order of their chunks: by id within a chunk, chunks in a repeatable disorder.
fn shuffled(mut rows: Vec<u32>) -> Vec<u32> {
    let disorder = |row: &u32| {
        let mut chunk = u64::from(row / CHUNK);
        (super::super::random::mix(&mut chunk), *row)
    };
    rows.sort_by_cached_key(disorder);
    rows
}

fn take(
    handle: &OrgHandle,
    query: &Bound,
    with_deleted: bool,
    rows: &[u32],
    test: bool,
    result: &mut JobResult,
) {
    let org = handle.org.read();
    let reader = Reader::new(&org, handle.clock.now_ms());
    let table = org.table(query.object);
    for record in rows.iter().filter_map(|row| table.row(*row)) {
        let hidden = record.deleted.is_some() && !with_deleted;
        let passes = || {
            query
                .filter
                .as_ref()
                .is_none_or(|test| test.passes(&reader, query.object, record))
        };
        if hidden || (test && !passes()) {
            continue;
        }
        for (column, (cell, _)) in query.columns.iter().zip(&result.columns) {
            if let Cell::Computed(_) = cell {
                let value = reader.value(query.object, record, &column.path).into_owned();
                result.computed.push(value);
            }
        }
        result.records.push(record.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_in_disorder_and_whole() {
        let rows = shuffled((0..CHUNK * 5).collect());
        let chunks: Vec<u32> = rows
            .chunks(CHUNK as usize)
            .map(|chunk| chunk[0] / CHUNK)
            .collect();
        assert_ne!(chunks, [0, 1, 2, 3, 4]);
        assert!(rows.chunks(CHUNK as usize).all(|chunk| chunk.is_sorted()));
        assert_eq!(rows, shuffled((0..CHUNK * 5).collect()));
    }
}
