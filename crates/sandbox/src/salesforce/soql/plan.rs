//! Chooses the index that a query reads by.

use super::{Test, syntax::Operator};
use crate::salesforce::{
    ids::RecordId,
    path::FieldPath,
    schema::{Kind, Source, SystemField},
    store::Org,
    value::Value,
};

/// The rows that a query has to look at. All but [`Access::Stamps`] come in order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A run of rows: from, up to.
    Rows(u32, u32),
    /// These rows.
    These(Vec<u32>),
    /// By SystemModstamp: from, up to, in order of stamp and then id.
    Stamps(i64, i64),
}

impl Access {
    /// How many rows that is at most, for choosing the smallest. Stamps are worth a guess.
    fn cost(&self, all: u32) -> u32 {
        match self {
            Access::Rows(from, to) => to - from,
            Access::These(rows) => rows.len() as u32,
            Access::Stamps(from, to) if from == to => 0,
            Access::Stamps(_, to) if *to == i64::MAX => all / 2,
            Access::Stamps(..) => all / 4,
        }
    }
}

/// The way to the rows that may pass a test.
pub fn access(org: &Org, object: usize, test: Option<&Test>) -> Access {
    let all = org.table(object).len() as u32;
    let parts: &[Test] = match test {
        Some(Test::And(parts)) => parts,
        Some(test) => std::slice::from_ref(test),
        None => &[],
    };
    let mut best = Access::Rows(0, all);
    let (mut from_row, mut to_row) = (0, all);
    let (mut from_stamp, mut to_stamp) = (i64::MIN, i64::MAX);
    for part in parts {
        if let Some(rows) = named_rows(org, object, part)
            && Access::These(rows.clone()).cost(all) < best.cost(all)
        {
            best = Access::These(rows);
        }
        let Test::Compare(path, operator, value) = part else {
            continue;
        };
        match (system_of(org, object, path), value) {
            (Some(SystemField::Id), Value::Id(id)) => {
                let row = org.table(object).rows_from(*id);
                match operator {
                    Operator::Greater | Operator::GreaterOrEqual => from_row = from_row.max(row),
                    Operator::Less => to_row = to_row.min(row),
                    Operator::LessOrEqual => to_row = to_row.min(row.saturating_add(1)),
                    _ => {}
                }
            }
            (Some(SystemField::SystemModstamp), Value::DateTime(ms)) => match operator {
                Operator::Greater | Operator::GreaterOrEqual => from_stamp = from_stamp.max(*ms),
                Operator::Less => to_stamp = to_stamp.min(*ms),
                Operator::LessOrEqual => to_stamp = to_stamp.min(ms.saturating_add(1)),
                Operator::Equal => {
                    from_stamp = from_stamp.max(*ms);
                    to_stamp = to_stamp.min(ms.saturating_add(1));
                }
                _ => {}
            },
            _ => {}
        }
    }
    let rows = Access::Rows(from_row.min(to_row), to_row);
    if rows.cost(all) < best.cost(all) {
        best = rows;
    }
    if (from_stamp, to_stamp) != (i64::MIN, i64::MAX) {
        let stamps = Access::Stamps(from_stamp, to_stamp.max(from_stamp));
        if stamps.cost(all) < best.cost(all) {
            best = stamps;
        }
    }
    best
}

/// The rows that a test names one by one, in order.
fn named_rows(org: &Org, object: usize, test: &Test) -> Option<Vec<u32>> {
    let (path, values) = match test {
        Test::Compare(path, Operator::Equal, value) => (path, std::slice::from_ref(value)),
        Test::Among(path, true, values) => (path, values.as_slice()),
        _ => return None,
    };
    if !path.hops.is_empty() || values.iter().any(Value::is_null) {
        return None;
    }
    let table = org.table(object);
    let mut rows = Vec::new();
    let is_id = system_of(org, object, path) == Some(SystemField::Id);
    let is_reference = path.leaf(org.schema()).kind == Kind::Reference;
    for value in values {
        match value {
            Value::Id(id) if is_id => rows.extend(row_of(org, object, *id)),
            Value::Id(id) if is_reference => rows.extend(table.children(path.field, *id)?),
            value => rows.extend_from_slice(table.keyed(path.field, value)?),
        }
    }
    rows.sort_unstable();
    rows.dedup();
    Some(rows)
}

fn row_of(org: &Org, object: usize, id: RecordId) -> Option<u32> {
    org.table(object).row_of(id)
}

/// The system field at the end of a path without hops.
pub(super) fn system_of(org: &Org, object: usize, path: &FieldPath) -> Option<SystemField> {
    if !path.hops.is_empty() || path.object != object {
        return None;
    }
    match path.leaf(org.schema()).source {
        Source::System(which) => Some(which),
        _ => None,
    }
}
