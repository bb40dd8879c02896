//! From rows as Salesforce gives them to batches as they travel. Pure.

use landbridge_model::batch::BATCH_BYTES_MAX;
use landbridge_model::{ChangeBatch, ChangeKind, Envelope, Revision, SalesforceId, Table, Version};
use landbridge_salesforce::normalise::parse_date_time;
use sha2::{Digest, Sha256};

use crate::plan::{DELETED, ID, ReadPlan, STAMP};

/// A row without its record's id or stamp: Salesforce always gives both.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of {object} came without a usable {column}: {cell:?}")]
pub struct UnusableRow {
    /// The object.
    pub object: String,
    /// Which of the two.
    pub column: &'static str,
    /// What came instead.
    pub cell: Option<String>,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowKey {
    /// The record.
    pub id: SalesforceId,
    /// The change.
    pub version: Version,
    /// Whether it is there.
    pub kind: ChangeKind,
}

/// What each row of a read is about; the table must have the columns of `plan.columns` or of `plan.keys`.
pub fn keys(plan: &ReadPlan, table: &Table, read_ms: i64) -> Result<Vec<RowKey>, UnusableRow> {
    (0..table.rows())
        .map(|row| key(plan, table, row, read_ms))
        .collect()
}

fn key(plan: &ReadPlan, table: &Table, row: usize, read_ms: i64) -> Result<RowKey, UnusableRow> {
    let cell = |place: usize| table.at(place).get(row);
    let unusable = |column, place| UnusableRow {
        object: plan.object.clone(),
        column,
        cell: cell(place).map(str::to_owned),
    };
    let id = cell(ID)
        .and_then(|text| SalesforceId::parse(text).ok())
        .ok_or_else(|| unusable("Id", ID))?;
    let stamp = cell(STAMP)
        .and_then(parse_date_time)
        .ok_or_else(|| unusable("SystemModstamp", STAMP))?;
    let kind = if cell(DELETED) == Some("true") {
        ChangeKind::Delete
    } else {
        ChangeKind::Upsert
    };
    Ok(RowKey {
        id,
        version: Version::new(stamp.as_millisecond(), read_ms),
        kind,
    })
}

/// A fingerprint of what a row would say downstream: its kind, the revision it is read for, and every cell that
/// travels.
pub fn fingerprint(plan: &ReadPlan, table: &Table, row: usize, kind: ChangeKind) -> [u8; 16] {
    let cells = plan.carried.iter().map(|&place| table.at(place).get(row));
    digest(plan.revision, kind, cells)
}

/// The same of a row that travels: what [`fingerprint`] would have said of it.
pub fn fingerprint_in(batch: &ChangeBatch, row: usize) -> [u8; 16] {
    let cells = batch.table.iter().map(|(_, column)| column.get(row));
    digest(batch.envelope.revision, batch.kinds[row], cells)
}

fn digest<'c>(
    revision: Revision,
    kind: ChangeKind,
    cells: impl Iterator<Item = Option<&'c str>>,
) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(revision.0.to_be_bytes());
    hash.update([u8::from(kind == ChangeKind::Delete)]);
    // A deleted row's cells mean nothing.
    for cell in cells.take_while(|_| kind != ChangeKind::Delete) {
        match cell {
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
            None => hash.update([0]),
        }
    }
    let digest = hash.finalize();
    digest[..16].try_into().expect("a SHA-256 digest has 32 bytes")
}

/// Batches that together hold the wanted rows, and the rows that fit into none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// In the order of the rows, each within the limits.
    pub batches: Vec<ChangeBatch>,
    /// Rows that are too large to travel, with their size in bytes.
    pub too_large: Vec<(RowKey, usize)>,
}

/// Cuts rows into batches of at most `max_rows` rows and [`BATCH_BYTES_MAX`] bytes of text. `rows` are the places of
/// the wanted rows; `keys` belong to all rows of the table.
pub fn split(
    plan: &ReadPlan,
    envelope: &Envelope,
    table: &Table,
    keys: &[RowKey],
    rows: impl IntoIterator<Item = usize>,
    max_rows: usize,
) -> Split {
    let mut split = Split::default();
    let mut current = empty(plan, envelope);
    let mut bytes = 0;
    for row in rows {
        let key = keys[row];
        let size = row_bytes(plan, table, row, key.kind);
        if size > BATCH_BYTES_MAX {
            split.too_large.push((key, size));
            continue;
        }
        if current.ids.len() >= max_rows.max(1) || bytes + size > BATCH_BYTES_MAX {
            split
                .batches
                .push(std::mem::replace(&mut current, empty(plan, envelope)));
            bytes = 0;
        }
        bytes += size;
        current.ids.push(key.id);
        current.versions.push(key.version);
        current.kinds.push(key.kind);
        let gone = key.kind == ChangeKind::Delete;
        let cells = plan
            .carried
            .iter()
            .map(|&place| table.at(place).get(row).filter(|_| !gone));
        current.table.push_row(cells);
    }
    if !current.ids.is_empty() {
        split.batches.push(current);
    }
    split
}

fn empty(plan: &ReadPlan, envelope: &Envelope) -> ChangeBatch {
    ChangeBatch {
        envelope: envelope.clone(),
        ids: Vec::new(),
        versions: Vec::new(),
        kinds: Vec::new(),
        table: Table::with_columns(plan.carried_names()),
    }
}

/// Bytes that a row takes in a message: its text, and what is kept for each cell beside it.
fn row_bytes(plan: &ReadPlan, table: &Table, row: usize, kind: ChangeKind) -> usize {
    const KEYS: usize = 40;
    if kind == ChangeKind::Delete {
        return KEYS + plan.carried.len();
    }
    let cells = plan
        .carried
        .iter()
        .map(|&place| 3 + table.at(place).get(row).map_or(0, str::len));
    KEYS + cells.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Purpose, Source};
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn envelope() -> Envelope {
        let plan = testing::plan();
        Envelope {
            tenant: plan.key.tenant.clone(),
            sync: plan.key.name.clone(),
            revision: plan.revision,
            purpose: Purpose::Apply,
            source: Source::Increment,
            run: None,
            force: false,
            only: None,
        }
    }

    #[test]
    fn keys_are_read_from_their_columns() {
        let plan = testing::plan();
        let table = testing::rows(&[("a00Hs000001ABCd", "2026-01-31T10:20:30.000Z", false, "Van")]);
        let found = keys(&plan, &table, 77).unwrap();
        assert_eq!(found[0].id.as_str(), "a00Hs000001ABCdIAO");
        assert_eq!(found[0].version, Version::new(1_769_854_830_000, 77));
        let broken = testing::rows(&[("nonsense", "2026-01-31T10:20:30.000Z", false, "Van")]);
        assert_eq!(keys(&plan, &broken, 77).unwrap_err().column, "Id");
    }

    #[test]
    fn a_deleted_row_carries_no_values() {
        let plan = testing::plan();
        let table = testing::rows(&[
            ("a00Hs000001ABCd", "2026-01-31T10:20:30.000Z", true, "Van"),
            ("a00Hs000001ABCe", "2026-01-31T10:20:30.000Z", false, "Car"),
        ]);
        let keys = keys(&plan, &table, 0).unwrap();
        let split = split(&plan, &envelope(), &table, &keys, 0..2, 100);
        let batch = &split.batches[0];
        assert_eq!(batch.kinds, [ChangeKind::Delete, ChangeKind::Upsert]);
        assert_eq!(
            batch.table.names().collect::<Vec<_>>(),
            ["Name", "Price__c", "Depot__c"]
        );
        assert_eq!(
            batch.table.column("Name").unwrap().iter().collect::<Vec<_>>(),
            [None, Some("Car")]
        );
    }

    #[test]
    fn what_travels_has_the_fingerprint_of_its_row() {
        let plan = testing::plan();
        let stamp = "2026-01-31T10:20:30.000Z";
        let table = testing::rows(&[
            ("a00Hs000001ABCd", stamp, false, "Van"),
            ("a00Hs000001ABCe", stamp, true, ""),
        ]);
        let keys = keys(&plan, &table, 0).unwrap();
        let split = split(&plan, &envelope(), &table, &keys, 0..2, 100);
        for (row, key) in keys.iter().enumerate() {
            assert_eq!(
                fingerprint_in(&split.batches[0], row),
                fingerprint(&plan, &table, row, key.kind),
                "{row}"
            );
        }
    }

    #[test]
    fn a_fingerprint_sees_every_change() {
        let plan = testing::plan();
        let stamp = "2026-01-31T10:20:30.000Z";
        let table = testing::rows(&[
            ("a00Hs000001ABCd", stamp, false, "Van"),
            ("a00Hs000001ABCd", stamp, false, "Van"),
            ("a00Hs000001ABCd", stamp, false, "Car"),
            ("a00Hs000001ABCd", stamp, false, ""),
        ]);
        let of = |row| fingerprint(&plan, &table, row, ChangeKind::Upsert);
        assert_eq!(of(0), of(1));
        assert_ne!(of(0), of(2));
        assert_ne!(of(0), of(3));
        assert_ne!(of(0), fingerprint(&plan, &table, 0, ChangeKind::Delete));
        let mut next = plan.clone();
        next.revision.0 += 1;
        assert_ne!(of(0), fingerprint(&next, &table, 0, ChangeKind::Upsert));
    }

    proptest! {
        #[test]
        fn every_row_travels_once_and_within_the_limits(
            sizes in prop::collection::vec(prop_oneof![0usize..2_000, 100_000usize..700_000], 0..40),
            max_rows in 1usize..12,
        ) {
            let plan = testing::plan();
            let names: Vec<String> = sizes.iter().map(|size| "x".repeat(*size)).collect();
            let ids: Vec<String> = (0..sizes.len()).map(|n| format!("a00Hs0000{n:06}")).collect();
            let source: Vec<_> = ids
                .iter()
                .zip(&names)
                .map(|(id, name)| (id.as_str(), "2026-01-31T10:20:30.000Z", false, name.as_str()))
                .collect();
            let table = testing::rows(&source);
            let keys = keys(&plan, &table, 0).unwrap();
            let split = split(&plan, &envelope(), &table, &keys, 0..table.rows(), max_rows);
            let mut seen: Vec<SalesforceId> = split.batches.iter().flat_map(|batch| batch.ids.clone()).collect();
            for batch in &split.batches {
                prop_assert!(!batch.ids.is_empty() && batch.ids.len() <= max_rows);
                prop_assert_eq!(batch.table.rows(), batch.ids.len());
                let bytes: usize = (0..batch.table.rows()).map(|row| batch.table.row_bytes(row)).sum();
                prop_assert!(bytes <= BATCH_BYTES_MAX);
            }
            seen.extend(split.too_large.iter().map(|(key, _)| key.id));
            seen.sort();
            let mut all: Vec<SalesforceId> = keys.iter().map(|key| key.id).collect();
            all.sort();
            prop_assert_eq!(seen, all);
        }
    }
}
