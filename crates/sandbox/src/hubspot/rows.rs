//! A record's values in one allocation: (column, length, text) by ascending column.
//!
//! A million records of a dozen values have to fit beside the engine they rehearse, and most reads take
//! most columns anyway, so a scan costs nothing that a map would save.

use std::cell::RefCell;

const HEAD: usize = 6;

/// The values of one record. Absent means empty: the wire knows no other difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row(Box<[u8]>);

impl Row {
    /// Column and value of all values, by ascending column.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &str)> {
        self.raw().map(|(column, value)| (column, text(value)))
    }

    /// The same without a look at the values.
    fn raw(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let column = u16::from_le_bytes([rest[0], rest[1]]);
            let length = u32::from_le_bytes([rest[2], rest[3], rest[4], rest[5]]) as usize;
            let (value, after) = rest[HEAD..].split_at(length);
            rest = after;
            Some((column, value))
        })
    }

    pub(super) fn get(&self, column: u16) -> Option<&str> {
        let mut found = self.raw().skip_while(|(at, _)| *at < column);
        found
            .next()
            .filter(|(at, _)| *at == column)
            .map(|(_, value)| text(value))
    }

    /// This row with changes laid over it. The changes ascend by column, each column once; an empty value
    /// clears.
    pub(super) fn with<'c>(&self, changes: impl Iterator<Item = (u16, &'c str)>) -> Row {
        // Built where there is room, so that what is kept has no slack.
        SCRATCH.with_borrow_mut(|bytes| {
            bytes.clear();
            let mut kept = self.raw().peekable();
            for (column, value) in changes {
                while let Some((at, old)) = kept.next_if(|(at, _)| *at < column) {
                    push(bytes, at, old);
                }
                kept.next_if(|(at, _)| *at == column);
                push(bytes, column, value.as_bytes());
            }
            for (at, old) in kept {
                push(bytes, at, old);
            }
            Row(bytes.as_slice().into())
        })
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).expect("rows are built from text only")
}

fn push(bytes: &mut Vec<u8>, column: u16, value: &[u8]) {
    if value.is_empty() {
        return;
    }
    bytes.extend_from_slice(&column.to_le_bytes());
    let length = u32::try_from(value.len()).expect("a value is shorter than a request body may be");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(value);
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
