//! A record's values in one allocation: (column, length, text) by ascending column.
//!
//! A million records of a dozen values have to fit beside the engine they rehearse, and most reads take
//! most columns anyway, so a scan costs nothing that a map would save.

const HEAD: usize = 6;

/// The values of one record. Absent means empty: the wire knows no other difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row(Box<[u8]>);

impl Row {
    /// Column and value of all values, by ascending column.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &str)> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let column = u16::from_le_bytes([rest[0], rest[1]]);
            let length = u32::from_le_bytes([rest[2], rest[3], rest[4], rest[5]]) as usize;
            let (value, after) = rest[HEAD..].split_at(length);
            rest = after;
            Some((
                column,
                std::str::from_utf8(value).expect("rows are built from text only"),
            ))
        })
    }

    pub(super) fn get(&self, column: u16) -> Option<&str> {
        self.iter()
            .find(|(at, _)| *at >= column)
            .filter(|(at, _)| *at == column)
            .map(|(_, value)| value)
    }

    /// This row with changes laid over it. The changes ascend by column, each column once; an empty value
    /// clears.
    pub(super) fn with<'c>(&self, changes: impl Iterator<Item = (u16, &'c str)> + Clone) -> Row {
        let added: usize = changes.clone().map(|(_, value)| HEAD + value.len()).sum();
        let mut bytes = Vec::with_capacity(self.0.len() + added);
        let mut kept = self.iter().peekable();
        for (column, value) in changes {
            while let Some((at, old)) = kept.next_if(|(at, _)| *at < column) {
                push(&mut bytes, at, old);
            }
            kept.next_if(|(at, _)| *at == column);
            push(&mut bytes, column, value);
        }
        for (at, old) in kept {
            push(&mut bytes, at, old);
        }
        Row(bytes.into_boxed_slice())
    }
}

fn push(bytes: &mut Vec<u8>, column: u16, value: &str) {
    if value.is_empty() {
        return;
    }
    bytes.extend_from_slice(&column.to_le_bytes());
    let length = u32::try_from(value.len()).expect("a value is shorter than a request body may be");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_row_behaves_like_a_map() {
        let mut row = Row::default();
        let mut map = BTreeMap::new();
        let dice = super::super::dice::Dice::new(3);
        for step in 0..500_u64 {
            let mut changes = BTreeMap::new();
            for _ in 0..dice.below(5) {
                let column = u16::try_from(dice.below(12)).unwrap_or(0);
                let value = if dice.below(4) == 0 {
                    String::new()
                } else {
                    "v".repeat(step as usize % 7 + 1)
                };
                changes.insert(column, value);
            }
            row = row.with(changes.iter().map(|(column, value)| (*column, value.as_str())));
            map.extend(changes);
            map.retain(|_, value| !value.is_empty());
            let want: Vec<_> = map
                .iter()
                .map(|(column, value)| (*column, value.as_str()))
                .collect();
            assert_eq!(row.iter().collect::<Vec<_>>(), want);
            for column in 0..12 {
                assert_eq!(row.get(column), map.get(&column).map(String::as_str));
            }
        }
    }
}
