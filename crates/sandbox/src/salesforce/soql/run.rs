//! Runs a bound query: which rows, in which order.

use super::{Access, Bound, access, bind::Aggregate, plan::system_of};
use crate::salesforce::{path::FieldPath, reader::Reader, schema::SystemField, store::Record, value::Value};
use std::{collections::BTreeMap, sync::Arc};

/// The rows that a query selects, in its order, after OFFSET and LIMIT.
pub fn matching(reader: &Reader<'_>, query: &Bound, with_deleted: bool) -> Vec<u32> {
    if let Some(way) = &way_in_order(reader, query) {
        let rows = rows(reader, query, way, with_deleted).map(|(row, _)| row);
        return rows
            .skip(query.offset)
            .take(query.limit.unwrap_or(usize::MAX))
            .collect();
    }
    sorted(
        reader,
        query,
        &access(reader.org, query.object, query.filter.as_ref()),
        with_deleted,
    )
}

/// Those of the given rows that a query selects, in its order: for children of one record.
pub(super) fn matching_among(reader: &Reader<'_>, query: &Bound, rows: Vec<u32>) -> Vec<u32> {
    sorted(reader, query, &Access::These(rows), false)
}

fn sorted(reader: &Reader<'_>, query: &Bound, way: &Access, with_deleted: bool) -> Vec<u32> {
    let skip = query.offset;
    let most = query.limit.unwrap_or(usize::MAX);
    let mut keyed: Vec<(Vec<Value>, u32)> = rows(reader, query, way, with_deleted)
        .map(|(row, record)| {
            let key =
                |(path, ..): &(FieldPath, bool, bool)| reader.value(query.object, record, path).into_owned();
            (query.order.iter().map(key).collect(), row)
        })
        .collect();
    keyed.sort_by(|(a, row_a), (b, row_b)| {
        for ((x, y), (_, descending, nulls_last)) in a.iter().zip(b).zip(&query.order) {
            let order = if x.is_null() != y.is_null() {
                // True sorts after false: nothing comes first unless it is asked to come last.
                if *nulls_last {
                    x.is_null().cmp(&y.is_null())
                } else {
                    y.is_null().cmp(&x.is_null())
                }
            } else if *descending {
                y.order(x)
            } else {
                x.order(y)
            };
            if order.is_ne() {
                return order;
            }
        }
        row_a.cmp(row_b)
    });
    keyed
        .into_iter()
        .map(|(_, row)| row)
        .skip(skip)
        .take(most)
        .collect()
}

/// How many records a query selects.
pub fn count(reader: &Reader<'_>, query: &Bound, with_deleted: bool) -> usize {
    let way = access(reader.org, query.object, query.filter.as_ref());
    let most = query.limit.unwrap_or(usize::MAX);
    if query.filter.is_none() && !with_deleted {
        return reader.org.table(query.object).live.min(most);
    }
    rows(reader, query, &way, with_deleted).take(most).count()
}

/// The way that delivers rows in the query's own order, so that a LIMIT can stop early.
fn way_in_order(reader: &Reader<'_>, query: &Bound) -> Option<Access> {
    let way = access(reader.org, query.object, query.filter.as_ref());
    let systems: Vec<_> = query
        .order
        .iter()
        .map(|(path, descending, _)| system_of(reader.org, query.object, path).filter(|_| !descending))
        .collect();
    match (systems.as_slice(), &way) {
        ([], Access::Stamps(..)) => None,
        ([], _) => Some(way),
        ([Some(SystemField::Id), ..], Access::Rows(..) | Access::These(_)) => Some(way),
        (
            [Some(SystemField::SystemModstamp)] | [Some(SystemField::SystemModstamp), Some(SystemField::Id)],
            way,
        ) => match way {
            Access::Stamps(..) => Some(way.clone()),
            Access::Rows(0, to) if *to as usize == reader.org.table(query.object).len() => {
                Some(Access::Stamps(i64::MIN, i64::MAX))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The records of a way that pass the query's test.
fn rows<'r>(
    reader: &'r Reader<'_>,
    query: &'r Bound,
    way: &'r Access,
    with_deleted: bool,
) -> Box<dyn Iterator<Item = (u32, &'r Arc<Record>)> + 'r> {
    let table = reader.org.table(query.object);
    let candidates: Box<dyn Iterator<Item = u32> + 'r> = match way {
        Access::Rows(from, to) => Box::new(*from..*to),
        Access::These(rows) => Box::new(rows.iter().copied()),
        Access::Stamps(from, to) => Box::new(table.stamped(*from, *to)),
    };
    Box::new(
        candidates
            .filter_map(move |row| Some((row, table.row(row)?)))
            .filter(move |(_, record)| with_deleted || record.deleted.is_none())
            .filter(move |(_, record)| {
                query
                    .filter
                    .as_ref()
                    .is_none_or(|test| test.passes(reader, query.object, record))
            }),
    )
}

/// The groups of an aggregate query: one value for each column.
pub fn aggregate(reader: &Reader<'_>, query: &Bound, with_deleted: bool) -> Vec<Vec<Value>> {
    let way = access(reader.org, query.object, query.filter.as_ref());
    let mut groups: BTreeMap<String, (Vec<Value>, Vec<Vec<Value>>)> = BTreeMap::new();
    let columns = query.aggregates.len();
    if query.group.is_empty() {
        groups.insert(String::new(), (Vec::new(), vec![Vec::new(); columns]));
    }
    for (_, record) in rows(reader, query, &way, with_deleted) {
        let read = |path: &FieldPath| reader.value(query.object, record, path).into_owned();
        let key: Vec<Value> = query.group.iter().map(read).collect();
        let name: Vec<String> = key.iter().map(|value| value.as_text().to_lowercase()).collect();
        let (_, columns) = groups
            .entry(name.join("\u{0}"))
            .or_insert_with(|| (key, vec![Vec::new(); columns]));
        for (column, aggregate) in columns.iter_mut().zip(&query.aggregates) {
            if aggregate.function.is_some() {
                column.push(aggregate.path.as_ref().map_or(Value::Bool(true), read));
            }
        }
    }
    let rows = groups.into_values().map(|(key, columns)| {
        let value = |(aggregate, values): (&Aggregate, Vec<Value>)| match &aggregate.function {
            Some(function) => summarize(function, values),
            None => {
                let position = query
                    .group
                    .iter()
                    .position(|path| Some(path) == aggregate.path.as_ref());
                position.map_or(Value::Null, |position| key[position].clone())
            }
        };
        query.aggregates.iter().zip(columns).map(value).collect()
    });
    rows.skip(query.offset)
        .take(query.limit.unwrap_or(2000))
        .collect()
}

fn summarize(function: &str, values: Vec<Value>) -> Value {
    let known: Vec<Value> = values.into_iter().filter(|value| !value.is_null()).collect();
    let sum = || {
        known
            .iter()
            .map(|value| {
                if let Value::Number(number) = value {
                    *number
                } else {
                    0.0
                }
            })
            .sum::<f64>()
    };
    match function {
        "COUNT" => Value::Number(known.len() as f64),
        "COUNT_DISTINCT" => {
            let mut texts: Vec<String> = known.iter().map(|value| value.as_text().to_lowercase()).collect();
            texts.sort_unstable();
            texts.dedup();
            Value::Number(texts.len() as f64)
        }
        "MIN" => known.into_iter().min_by(Value::order).unwrap_or(Value::Null),
        "MAX" => known.into_iter().max_by(Value::order).unwrap_or(Value::Null),
        "SUM" => {
            if known.is_empty() {
                Value::Null
            } else {
                Value::Number(sum())
            }
        }
        _ => {
            if known.is_empty() {
                Value::Null
            } else {
                Value::Number(sum() / known.len() as f64)
            }
        }
    }
}
