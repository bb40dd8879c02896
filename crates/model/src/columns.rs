//! Rows by columns: names once, each column one run of text with lengths and a null mask.

use std::sync::Arc;

/// One column of text cells, any of which may be null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextColumn {
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<u32>,
    /// One bit a row, set for null; may be shorter than the rows when its tail would be zero.
    nulls: Vec<u8>,
}

impl TextColumn {
    /// An empty column.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of text held.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Appends a row.
    pub fn push(&mut self, cell: Option<&str>) {
        let row = self.ends.len();
        match cell {
            Some(text) => self.text.push_str(text),
            None => {
                let byte = row / 8;
                if self.nulls.len() <= byte {
                    self.nulls.resize(byte + 1, 0);
                }
                self.nulls[byte] |= 1 << (row % 8);
            }
        }
        self.ends
            .push(u32::try_from(self.text.len()).expect("a batch is bounded far below 4 GiB"));
    }

    /// The cell of a row; `None` is null. Panics when there is no such row.
    pub fn get(&self, row: usize) -> Option<&str> {
        let is_null = self
            .nulls
            .get(row / 8)
            .is_some_and(|byte| byte & (1 << (row % 8)) != 0);
        if is_null {
            return None;
        }
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        Some(&self.text[start..self.ends[row] as usize])
    }

    /// All cells in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The run of text, for the wire.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The null mask, for the wire.
    pub fn null_mask(&self) -> &[u8] {
        &self.nulls
    }

    /// The length of each cell in bytes, for the wire.
    pub fn lengths(&self) -> impl Iterator<Item = u32> + '_ {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.ends.iter().zip(starts).map(|(end, start)| end - start)
    }

    /// Puts a column together from the wire's parts. `None` when the lengths do not add up to the text or would cut
    /// a character in two.
    pub fn from_parts(text: String, lengths: &[u32], nulls: Vec<u8>) -> Option<Self> {
        let mut ends = Vec::with_capacity(lengths.len());
        let mut end = 0u32;
        for length in lengths {
            end = end.checked_add(*length)?;
            if !text.is_char_boundary(end as usize) {
                return None;
            }
            ends.push(end);
        }
        (end as usize == text.len()).then_some(Self { text, ends, nulls })
    }
}

impl<'a> FromIterator<Option<&'a str>> for TextColumn {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(cells: I) -> Self {
        let mut column = Self::new();
        for cell in cells {
            column.push(cell);
        }
        column
    }
}

/// Named columns of equal length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    names: Vec<Arc<str>>,
    columns: Vec<TextColumn>,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn with_columns<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<Arc<str>> = names.into_iter().map(|name| Arc::from(name.as_ref())).collect();
        let columns = vec![TextColumn::new(); names.len()];
        Self { names, columns }
    }

    /// Adds a whole column. Panics when its length differs from the others'.
    pub fn add(&mut self, name: &str, column: TextColumn) {
        assert!(
            self.columns.is_empty() || column.len() == self.rows(),
            "column {name} has another length"
        );
        self.names.push(name.into());
        self.columns.push(column);
    }

    /// Number of rows; 0 without columns.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, TextColumn::len)
    }

    /// Column names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> + '_ {
        self.names.iter().map(|name| &**name)
    }

    /// Names with columns, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TextColumn)> + '_ {
        self.names().zip(&self.columns)
    }

    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The column of that name, in any case: Salesforce's names are not case-sensitive. `None` is "not carried".
    pub fn column(&self, name: &str) -> Option<&TextColumn> {
        self.position(name).map(|at| &self.columns[at])
    }

    /// Where the column of that name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names
            .iter()
            .position(|other| other.eq_ignore_ascii_case(name))
    }

    /// The column at a place.
    pub fn at(&self, position: usize) -> &TextColumn {
        &self.columns[position]
    }

    /// Appends a row, one cell for each column in order. Panics when the count differs.
    pub fn push_row<'a>(&mut self, cells: impl IntoIterator<Item = Option<&'a str>>) {
        let mut filled = 0;
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(cell);
            filled += 1;
        }
        assert_eq!(filled, self.columns.len(), "a row must fill every column");
    }

    /// The rows at these places, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| rows.iter().map(|&row| column.get(row)).collect())
            .collect();
        Self {
            names: self.names.clone(),
            columns,
        }
    }

    /// Keeps only some columns.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let (names, columns) = (std::mem::take(&mut self.names), std::mem::take(&mut self.columns));
        for (name, column) in names.into_iter().zip(columns) {
            if keep(&name) {
                self.names.push(name);
                self.columns.push(column);
            }
        }
    }

    /// Bytes of text in one row: what a batch is bounded by.
    pub fn row_bytes(&self, row: usize) -> usize {
        self.columns
            .iter()
            .map(|column| column.get(row).map_or(0, str::len))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_stay_apart() {
        let cells = [Some("a"), None, Some(""), Some("öß"), None];
        let column: TextColumn = cells.into_iter().collect();
        assert_eq!(column.iter().collect::<Vec<_>>(), cells);
        let lengths: Vec<u32> = column.lengths().collect();
        let again =
            TextColumn::from_parts(column.text().to_owned(), &lengths, column.null_mask().to_vec()).unwrap();
        assert_eq!(again, column);
    }

    #[test]
    fn parts_that_do_not_add_up_are_refused() {
        assert!(TextColumn::from_parts("abc".into(), &[1, 1], vec![]).is_none());
        assert!(TextColumn::from_parts("ö".into(), &[1, 1], vec![]).is_none());
    }

    #[test]
    fn a_column_that_is_not_carried_is_not_null() {
        let mut table = Table::with_columns(["Name", "Price__c"]);
        table.push_row([Some("one"), None]);
        assert_eq!(table.column("name").map(|c| c.get(0)), Some(Some("one")));
        assert_eq!(table.column("Price__c").map(|c| c.get(0)), Some(None));
        assert!(table.column("Fuel__c").is_none());
    }
}
