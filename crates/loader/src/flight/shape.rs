//! How rows of several messages share one batch, and which of them a refusal names. Pure.

use std::collections::{HashMap, HashSet};

use landbridge_hubspot::records::UpsertColumns;
use landbridge_hubspot::{Error, Verdict};
use landbridge_model::sync::VERSION_PROPERTY;

use crate::refusal::names_value;
use crate::row::Row;

/// The columns of all rows' messages together, and for each message the place of each of its columns among them.
/// Place 0 is `landbridge_version`.
pub(super) fn columns_of(rows: &[Row], group: &[usize]) -> (UpsertColumns, HashMap<u64, Vec<usize>>) {
    let mut names: Vec<&str> = vec![VERSION_PROPERTY];
    let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
    for &place in group {
        let row = &rows[place];
        if places.contains_key(&row.message) {
            continue;
        }
        let mut own = Vec::new();
        for name in row.batch.table.names() {
            own.push(names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            }));
        }
        places.insert(row.message, own);
    }
    (
        UpsertColumns::new(&rows[group[0]].target.id_property, names),
        places,
    )
}

/// The places within the group of rows that a refusal names: by id, or by the value that it quotes.
pub(super) fn suspects(rows: &[Row], group: &[usize], error: &Error) -> Vec<usize> {
    let all: Vec<usize> = (0..group.len()).collect();
    suspects_of(rows, group, &all, error)
}

/// As [`suspects`], of the rows at some of the group's places.
pub(super) fn suspects_of(rows: &[Row], group: &[usize], among: &[usize], error: &Error) -> Vec<usize> {
    let duplicates: HashSet<&str> = match &error.verdict {
        Verdict::Duplicates(ids) => ids.iter().map(String::as_str).collect(),
        _ => HashSet::new(),
    };
    let named = |at: &usize| {
        let row = &rows[group[*at]];
        duplicates.contains(row.id().as_str())
            || error
                .properties()
                .iter()
                .any(|wrong| names_value(wrong, &|property| row.value(property)))
    };
    among.iter().copied().filter(named).collect()
}
