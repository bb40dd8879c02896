//! Roll-ups: details change, their masters follow, with a stamp of their own.

use super::Change;
use crate::salesforce::{
    ids::RecordId,
    reader::Reader,
    schema::Source,
    store::{ChangeKind, Org},
    value::Value,
};

impl Org {
    /// Recomputes the roll-ups of a record's masters, the former ones too.
    pub(super) fn roll_up_around(&mut self, id: RecordId, before: Option<&[Value]>, change: Change) {
        let schema = self.schema().clone();
        let Some((object, record)) = self.find(id) else {
            return;
        };
        let definition = &schema.objects[object];
        let mut masters = Vec::new();
        for field in &definition.fields {
            let is_master = field
                .reference
                .as_ref()
                .is_some_and(|reference| reference.master.is_some());
            let Source::Slot(slot) = field.source else {
                continue;
            };
            if !is_master {
                continue;
            }
            for value in [Some(&record.values[slot]), before.map(|before| &before[slot])]
                .into_iter()
                .flatten()
            {
                if let Value::Id(master) = value {
                    masters.push((*master, field.name.clone()));
                }
            }
        }
        masters.dedup();
        for (master, key) in masters {
            self.roll_up(master, object, &key, change);
        }
    }

    /// Recomputes the roll-ups of all records of an object without stamping them: for loading.
    pub(in crate::salesforce) fn roll_up_all(&mut self, object: usize) {
        let schema = self.schema().clone();
        let mut details: Vec<(usize, String)> = Vec::new();
        for rollup in schema.objects[object]
            .fields
            .iter()
            .filter_map(|field| field.rollup.as_ref())
        {
            let detail = schema
                .index(&rollup.object)
                .map(|detail| (detail, rollup.key.clone()));
            details.extend(detail.filter(|detail| !details.contains(detail)));
        }
        let rows = if details.is_empty() {
            0
        } else {
            self.table(object).len() as u32
        };
        for row in 0..rows {
            let Some(id) = self.table(object).row(row).map(|record| record.id) else {
                continue;
            };
            for (detail, key) in &details {
                self.roll_up(id, *detail, key, Change { stamp: i64::MIN });
            }
        }
    }

    fn roll_up(&mut self, master: RecordId, detail: usize, key: &str, change: Change) {
        let schema = self.schema().clone();
        let Some((object, record)) = self.find(master) else {
            return;
        };
        let detail_object = &schema.objects[detail];
        let mut fresh = Vec::new();
        for field in &schema.objects[object].fields {
            let (Some(rollup), Source::Slot(slot)) = (&field.rollup, &field.source) else {
                continue;
            };
            let ours = rollup.object.eq_ignore_ascii_case(&detail_object.name)
                && rollup.key.eq_ignore_ascii_case(key);
            let Some(key) = detail_object.field_index(key).filter(|_| ours) else {
                continue;
            };
            let summarized = rollup
                .field
                .as_deref()
                .and_then(|name| detail_object.field_index(name));
            let value = self.summary(&rollup.operation, detail, key, summarized, master);
            if record.values[*slot] != value {
                fresh.push((*slot, value));
            }
        }
        if fresh.is_empty() {
            return;
        }
        self.change(master, |record| {
            fresh
                .into_iter()
                .for_each(|(slot, value)| record.values[slot] = value);
            record.stamp = change.stamp.max(record.stamp);
        });
        let stamp = self.find(master).map_or(change.stamp, |(_, record)| record.stamp);
        self.write_journal(master, ChangeKind::Update, stamp);
    }

    fn summary(
        &self,
        operation: &str,
        detail: usize,
        key: usize,
        summarized: Option<usize>,
        master: RecordId,
    ) -> Value {
        let table = self.table(detail);
        let reader = Reader::new(self, 0);
        let rows = table.children(key, master).unwrap_or_default();
        let live = rows
            .into_iter()
            .filter_map(|row| table.row(row))
            .filter(|row| row.deleted.is_none());
        let Some(field) = summarized else {
            return Value::Number(live.count() as f64);
        };
        let values = live
            .map(|record| reader.own(detail, record, field).into_owned())
            .filter(|value| !value.is_null());
        match operation {
            "min" => values.min_by(Value::order).unwrap_or(Value::Null),
            "max" => values.max_by(Value::order).unwrap_or(Value::Null),
            _ => Value::Number(
                values
                    .map(|value| {
                        if let Value::Number(number) = value {
                            number
                        } else {
                            0.0
                        }
                    })
                    .sum(),
            ),
        }
    }
}
