//! More records from few: sample data multiplied to any size, the same for the same seed.

use crate::salesforce::{
    clock::{DAY_MS, whole_second},
    handle::OrgReport,
    random::Chance,
    schema::{Field, Kind, Object, Source},
    store::Org,
    value::Value,
};

/// Multiplies the records of the custom objects until there are `wanted` of them in all, in the sample's
/// own proportions. `order` lists the objects parents first.
pub(super) fn multiply(
    org: &mut Org,
    order: &[usize],
    wanted: usize,
    seed: u64,
    now_ms: i64,
    report: &mut OrgReport,
) {
    let custom: Vec<usize> = order
        .iter()
        .copied()
        .filter(|index| org.schema().objects[*index].custom)
        .collect();
    let samples: usize = custom.iter().map(|index| org.table(*index).live).sum();
    if samples == 0 {
        report
            .notes
            .push("there are no sample records to multiply".to_owned());
        return;
    }
    let mut rest = wanted.saturating_sub(samples);
    for (position, index) in custom.iter().enumerate() {
        let sample = org.table(*index).live;
        let is_last = custom[position + 1..]
            .iter()
            .all(|later| org.table(*later).live == 0);
        let more = if is_last {
            rest
        } else {
            (sample * wanted / samples).saturating_sub(sample)
        };
        if sample > 0 {
            copy(org, *index, sample, more, seed, now_ms);
            rest = rest.saturating_sub(more);
        }
    }
    for index in custom {
        org.roll_up_all(index);
    }
}

fn copy(org: &mut Org, index: usize, sample: usize, more: usize, seed: u64, now_ms: i64) {
    let schema = org.schema().clone();
    let object = &schema.objects[index];
    let mut chance = Chance::new(seed, 0xC0B1 + index as u64);
    let history = 300 * DAY_MS;
    let mass = whole_second(now_ms - 30 * DAY_MS);
    let highest: Vec<f64> = (0..object.slots)
        .map(|slot| highest(org, index, sample, slot))
        .collect();
    for copy in 0..more {
        let row = (copy % sample) as u32;
        let Some(original) = org.table(index).row(row).cloned() else {
            continue;
        };
        let number = sample + copy + 1;
        let mut values = original.values.to_vec();
        for field in &object.fields {
            let Source::Slot(slot) = field.source else {
                continue;
            };
            values[slot] = vary(
                org,
                object,
                field,
                &values[slot],
                number,
                highest[slot],
                &mut chance,
            );
        }
        let created = whole_second(now_ms - history + history / 2 * copy as i64 / more.max(1) as i64);
        let stamp = if chance.one_in(3) {
            mass
        } else {
            whole_second(created + chance.below(history as u64 / 3) as i64)
        };
        org.add(index, values.into_boxed_slice(), created, stamp.max(created));
    }
    org.table_mut(index).last_number += more as u64;
}

/// The largest number of a slot in the sample: keys of copies go on from there.
fn highest(org: &Org, index: usize, sample: usize, slot: usize) -> f64 {
    let table = org.table(index);
    (0..sample as u32)
        .filter_map(|row| match table.row(row)?.values[slot] {
            Value::Number(number) => Some(number),
            _ => None,
        })
        .fold(0.0, f64::max)
}

/// A value like the sample's: parents are drawn anew, keys stay unique, numbers and dates move.
fn vary(
    org: &Org,
    object: &Object,
    field: &Field,
    value: &Value,
    number: usize,
    highest: f64,
    chance: &mut Chance,
) -> Value {
    if let Some(format) = &field.auto_number {
        let width = format
            .find('}')
            .zip(format.find('{'))
            .map_or(0, |(close, open)| close.saturating_sub(open + 1));
        let stem = format.split('{').next().unwrap_or_default();
        return Value::text(format!("{stem}{number:0width$}"));
    }
    match value {
        Value::Null => Value::Null,
        Value::Id(id) if field.name != "OwnerId" => {
            let Some(parent) = org.schema().by_prefix(id.prefix()) else {
                return value.clone();
            };
            let table = org.table(parent);
            let drawn = table.row(chance.below(table.len() as u64) as u32);
            drawn
                .filter(|record| record.deleted.is_none())
                .map_or_else(|| value.clone(), |record| Value::Id(record.id))
        }
        Value::Number(_) if field.unique || field.external_id => Value::Number(highest + number as f64),
        Value::Number(_) if field.part_of.is_some() => value.clone(),
        Value::Number(amount) => {
            let moved = amount * (0.8 + chance.below(400) as f64 / 1000.0);
            Value::Number(crate::salesforce::formula::round(moved, field.scale as i32))
        }
        Value::Date(days) => Value::Date(days - chance.below(200) as i32),
        Value::DateTime(ms) => Value::DateTime(ms - whole_second(chance.below(200 * DAY_MS as u64) as i64)),
        Value::Text(text) => {
            let is_key = field.unique || field.external_id;
            let is_own_name = field.is_name() && object.custom;
            if !is_key && !is_own_name {
                return value.clone();
            }
            if field.kind == Kind::Email {
                return Value::text(format!("n{number}.{text}"));
            }
            let suffix = format!(" {number}");
            let room = (field.length as usize).saturating_sub(suffix.chars().count());
            Value::text(text.chars().take(room).collect::<String>() + &suffix)
        }
        other => other.clone(),
    }
}
