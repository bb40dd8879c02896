//! Bulk 2.0 result pages, parsed as their bytes arrive.
//!
//! A page is never held whole: bytes go in as the network gives them, rows come out by columns. Every page begins
//! with the header row; cells may hold commas, quotes and line breaks; null and empty are both an empty cell.

use csv_core::{ReadRecordResult, Reader};
use landbridge_model::Table;

use crate::columns::Columns;
use crate::error::SalesforceError;

/// Turns the bytes of one results page into rows.
pub struct PageParser {
    reader: Reader,
    columns: Columns,
    /// For each asked column, its place in the page; empty until the header has been read.
    places: Vec<usize>,
    width: usize,
    output: Vec<u8>,
    output_used: usize,
    ends: Vec<usize>,
    ends_used: usize,
    rows: u64,
    skip: u64,
    chunk: Table,
    chunk_bytes: usize,
    room: Room,
}

/// How much one chunk of rows may hold. A single larger row makes a chunk of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Most rows.
    pub rows: usize,
    /// Most bytes of text.
    pub bytes: usize,
}

impl std::fmt::Debug for PageParser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageParser")
            .field("rows", &self.rows)
            .field("skip", &self.skip)
            .finish_non_exhaustive()
    }
}

impl PageParser {
    /// A parser that drops the first `skip` rows, which an earlier try has delivered already.
    #[must_use]
    pub fn new(columns: Columns, room: Room, skip: u64) -> Self {
        Self {
            reader: Reader::new(),
            chunk: columns.table(),
            chunk_bytes: 0,
            room,
            columns,
            places: Vec::new(),
            width: 0,
            output: vec![0; 8 * 1024],
            output_used: 0,
            ends: vec![0; 64],
            ends_used: 0,
            rows: 0,
            skip,
        }
    }

    /// Rows seen so far, skipped ones included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the chunk has no room for another row.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.chunk.rows() >= self.room.rows || self.chunk_bytes >= self.room.bytes
    }

    /// Takes the rows parsed since the last time.
    pub fn take(&mut self) -> Table {
        self.chunk_bytes = 0;
        std::mem::replace(&mut self.chunk, self.columns.table())
    }

    /// Parses the next bytes until the chunk is full. Returns how many were used: the rest must be offered again
    /// after [`Self::take`].
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, SalesforceError> {
        let mut used = 0;
        while used < bytes.len() && !self.is_full() {
            used += self.step(&bytes[used..])?.0;
        }
        Ok(used)
    }

    /// Says that no bytes follow. A row without its line break is completed.
    pub fn finish(&mut self) -> Result<(), SalesforceError> {
        while !self.step(&[])?.1 {}
        Ok(())
    }

    /// One step of the machine: bytes used, and whether the end was reached.
    fn step(&mut self, input: &[u8]) -> Result<(usize, bool), SalesforceError> {
        let (result, read, written, ended) = self.reader.read_record(
            input,
            &mut self.output[self.output_used..],
            &mut self.ends[self.ends_used..],
        );
        self.output_used += written;
        self.ends_used += ended;
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull => self.output.resize(self.output.len() * 2, 0),
            ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            ReadRecordResult::Record => {
                let outcome = self.record();
                self.output_used = 0;
                self.ends_used = 0;
                outcome?;
            }
            ReadRecordResult::End => return Ok((read, true)),
        }
        Ok((read, false))
    }

    fn record(&mut self) -> Result<(), SalesforceError> {
        if self.places.is_empty() {
            return self.header();
        }
        if self.ends_used != self.width {
            return Err(broken(format!(
                "row {} has {} cells where the header has {}",
                self.rows + 1,
                self.ends_used,
                self.width
            )));
        }
        self.rows += 1;
        if self.rows <= self.skip {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.output[..self.output_used]);
        if matches!(text, std::borrow::Cow::Owned(_)) {
            return Err(broken(format!("row {} is not UTF-8", self.rows)));
        }
        let cells: Vec<_> = self
            .places
            .iter()
            .enumerate()
            .map(|(column, &place)| {
                let start = if place == 0 { 0 } else { self.ends[place - 1] };
                // A cell cannot end inside a character: delimiters and quotes are ASCII.
                text.get(start..self.ends[place])
                    .and_then(|raw| self.columns.cell(column, raw))
            })
            .collect();
        self.chunk.push_row(cells.iter().map(Option::as_deref));
        self.chunk_bytes += self.output_used;
        Ok(())
    }

    fn header(&mut self) -> Result<(), SalesforceError> {
        let text = String::from_utf8_lossy(&self.output[..self.output_used]).into_owned();
        let mut start = 0;
        let mut places = vec![None; self.columns.len()];
        for (place, &end) in self.ends[..self.ends_used].iter().enumerate() {
            if let Some(column) = self.columns.place(text.get(start..end).unwrap_or_default()) {
                places[column] = Some(place);
            }
            start = end;
        }
        self.width = self.ends_used;
        self.places = places
            .iter()
            .zip(self.columns.names())
            .map(|(place, name)| place.ok_or_else(|| broken(format!("the page has no column {name}"))))
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

fn broken(reason: String) -> SalesforceError {
    SalesforceError::BrokenPage { reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::normalise::TextForm;

    fn columns() -> Columns {
        Columns::new([
            ("Id", TextForm::Text),
            ("Note__c", TextForm::Text),
            ("Price__c", TextForm::Number),
            ("Seen__c", TextForm::DateTime),
            ("Depot__r.Name", TextForm::Text),
        ])
    }

    /// Parses `page` cut into pieces of `size` bytes, with room for `room` rows at a time.
    fn parse(page: &[u8], size: usize, room: usize, skip: u64) -> Result<Vec<Table>, SalesforceError> {
        let mut parser = PageParser::new(
            columns(),
            Room {
                rows: room,
                bytes: 1 << 20,
            },
            skip,
        );
        let mut tables = vec![];
        for mut piece in page.chunks(size.max(1)) {
            while !piece.is_empty() {
                let used = parser.feed(piece)?;
                piece = &piece[used..];
                if parser.is_full() {
                    tables.push(parser.take());
                }
            }
        }
        parser.finish()?;
        tables.push(parser.take());
        Ok(tables)
    }

    const PAGE: &str = concat!(
        "\"ID\",\"depot__r.name\",\"Price__c\",\"Note__c\",\"Seen__c\"\n",
        "\"a01\",\"North, \"\"A\"\"\",\"4.0\",\"two\r\nlines\",\"2026-01-31T10:20:30.000+0000\"\n",
        "\"a02\",,\"1.5E2\",\"a\0b\",\"2026-01-31T10:20:30.000Z\"\n",
        "\"a03\",\"ünïcode\",\"\",\"\",\"\"\n",
    );

    #[test]
    fn cells_arrive_in_the_asked_order_and_form() {
        let tables = parse(PAGE.as_bytes(), 7, 10, 0).unwrap();
        let table = &tables[0];
        let row = |row: usize| (0..5).map(|at| table.at(at).get(row)).collect::<Vec<_>>();
        let seen = Some("2026-01-31T10:20:30.000Z");
        assert_eq!(table.rows(), 3);
        assert_eq!(
            row(0),
            [
                Some("a01"),
                Some("two\r\nlines"),
                Some("4"),
                seen,
                Some("North, \"A\"")
            ]
        );
        assert_eq!(row(1), [Some("a02"), Some("ab"), Some("150"), seen, None]);
        assert_eq!(row(2), [Some("a03"), None, None, None, Some("ünïcode")]);
    }

    #[test]
    fn trap_06_a_cell_may_be_huge_and_hold_nul_bytes() {
        let long = "x\0".repeat(70_000);
        let page =
            format!("\"Id\",\"Note__c\",\"Price__c\",\"Seen__c\",\"Depot__r.Name\"\n\"a01\",\"{long}\",,,\n");
        let tables = parse(page.as_bytes(), 4_096, 10, 0).unwrap();
        assert_eq!(tables[0].at(1).get(0), Some("x".repeat(70_000).as_str()));
    }

    #[test]
    fn trap_07_a_line_end_within_quotes_ends_no_row_wherever_the_bytes_are_cut() {
        for size in 1..PAGE.len() {
            let tables = parse(PAGE.as_bytes(), size, 10, 0).unwrap();
            assert_eq!(tables[0].rows(), 3, "{size}");
            assert_eq!(tables[0].at(1).get(0), Some("two\r\nlines"), "{size}");
        }
    }

    #[test]
    fn rows_delivered_before_are_skipped() {
        let tables = parse(PAGE.as_bytes(), 1000, 10, 2).unwrap();
        assert_eq!(tables[0].rows(), 1);
        assert_eq!(tables[0].at(0).get(0), Some("a03"));
    }

    #[test]
    fn pages_without_rows_are_header_only_or_empty() {
        for page in [
            "",
            "\"Id\",\"Note__c\",\"Price__c\",\"Seen__c\",\"Depot__r.Name\"\n",
        ] {
            let tables = parse(page.as_bytes(), 5, 10, 0).unwrap();
            assert_eq!(tables[0].rows(), 0, "{page}");
        }
    }

    #[test]
    fn a_row_cut_short_is_refused() {
        let cut = &PAGE.as_bytes()[..PAGE.find("\"1.5E2").unwrap()];
        assert!(matches!(
            parse(cut, 9, 10, 0),
            Err(SalesforceError::BrokenPage { .. })
        ));
        let missing = "\"Id\",\"Note__c\"\n\"a\",\"b\"\n";
        assert!(matches!(
            parse(missing.as_bytes(), 9, 10, 0),
            Err(SalesforceError::BrokenPage { .. })
        ));
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            notes in prop::collection::vec("[a-z\"',\n\r é]{0,12}", 0..20),
            size in 1usize..40,
            room in 1usize..7,
        ) {
            let mut page = String::from("\"Id\",\"Note__c\",\"Price__c\",\"Seen__c\",\"Depot__r.Name\"\n");
            for (n, note) in notes.iter().enumerate() {
                page.push_str(&format!("\"a{n}\",\"{}\",\"{n}.0\",\"\",\"d\"\n", note.replace('"', "\"\"")));
            }
            let tables = parse(page.as_bytes(), size, room, 0).unwrap();
            let read: Vec<(String, Option<String>, String)> = tables
                .iter()
                .flat_map(|table| (0..table.rows()).map(move |row| (
                    table.at(0).get(row).unwrap().to_owned(),
                    table.at(1).get(row).map(str::to_owned),
                    table.at(2).get(row).unwrap().to_owned(),
                )))
                .collect();
            let expected: Vec<_> = notes
                .iter()
                .enumerate()
                .map(|(n, note)| (format!("a{n}"), Some(note.clone()).filter(|n| !n.is_empty()), n.to_string()))
                .collect();
            prop_assert_eq!(read, expected);
            prop_assert!(tables.iter().all(|table| table.rows() <= room));
        }
    }
}
