//! Pages of CSV: every cell quoted, quotes doubled, nothing as an empty cell, the header on every page.

use super::run::JobResult;
use crate::salesforce::value::Value;
use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::{convert::Infallible, ops::Range, sync::Arc};

/// Rows of one chunk of a response body.
const AT_ONCE: usize = 512;

/// How cells and rows are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::salesforce) struct Dialect {
    delimiter: char,
    windows: bool,
}

const DELIMITERS: [(&str, char); 6] = [
    ("COMMA", ','),
    ("TAB", '\t'),
    ("SEMICOLON", ';'),
    ("PIPE", '|'),
    ("CARET", '^'),
    ("BACKQUOTE", '`'),
];

impl Dialect {
    /// By the names that a job gives; both may be left out.
    pub(in crate::salesforce) fn of(delimiter: Option<&str>, line_ending: Option<&str>) -> Option<Dialect> {
        let wanted = delimiter.unwrap_or("COMMA");
        let (_, delimiter) = DELIMITERS.iter().find(|(name, _)| *name == wanted)?;
        let windows = match line_ending.unwrap_or("LF") {
            "LF" => false,
            "CRLF" => true,
            _ => return None,
        };
        Some(Dialect {
            delimiter: *delimiter,
            windows,
        })
    }

    pub(in crate::salesforce) fn delimiter_name(self) -> &'static str {
        DELIMITERS
            .iter()
            .find(|(_, sign)| *sign == self.delimiter)
            .map_or("COMMA", |(name, _)| name)
    }

    pub(in crate::salesforce) fn line_ending_name(self) -> &'static str {
        if self.windows { "CRLF" } else { "LF" }
    }

    /// The delimiter as one byte: all of them are ASCII.
    pub(in crate::salesforce) fn delimiter_byte(self) -> u8 {
        self.delimiter as u8
    }

    fn end_row(self, out: &mut String) {
        out.push_str(if self.windows { "\r\n" } else { "\n" });
    }
}

/// A page as a response body that is written while it is sent.
pub(in crate::salesforce) fn body(result: Arc<JobResult>, dialect: Dialect, rows: Range<usize>) -> Body {
    let mut header = String::new();
    for (position, name) in result.names.iter().enumerate() {
        if position > 0 {
            header.push(dialect.delimiter);
        }
        quote(&mut header, name);
    }
    dialect.end_row(&mut header);
    let parts = stream::unfold((Some(header), rows), move |(header, rows)| {
        let result = result.clone();
        async move {
            if header.is_none() && rows.is_empty() {
                return None;
            }
            let mut out = header.unwrap_or_default();
            let end = rows.end.min(rows.start + AT_ONCE);
            write_rows(&mut out, &result, dialect, rows.start..end);
            Some((Ok::<_, Infallible>(Bytes::from(out)), (None, end..rows.end)))
        }
    });
    // Compression asks once more after the end.
    Body::from_stream(parts.fuse())
}

fn write_rows(out: &mut String, result: &JobResult, dialect: Dialect, rows: Range<usize>) {
    out.reserve(rows.len() * result.names.len() * 24);
    for row in rows {
        for (position, (value, kind)) in result.row(row).enumerate() {
            if position > 0 {
                out.push(dialect.delimiter);
            }
            match &*value {
                Value::Text(text) => quote(out, text),
                other => {
                    out.push('"');
                    other.write_csv(out, kind);
                    out.push('"');
                }
            }
        }
        dialect.end_row(out);
    }
}

fn quote(out: &mut String, cell: &str) {
    out.push('"');
    let mut parts = cell.split('"');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str("\"\"");
        out.push_str(part);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_quotes_doubled() {
        let mut out = String::new();
        for cell in ["", "a,b", "say \"hi\"", "two\r\nlines"] {
            quote(&mut out, cell);
        }
        assert_eq!(out, "\"\"\"a,b\"\"say \"\"hi\"\"\"\"two\r\nlines\"");
    }

    #[test]
    fn dialects_are_known_by_name() {
        let tab = Dialect::of(Some("TAB"), Some("CRLF")).expect("both are known");
        assert_eq!((tab.delimiter_name(), tab.line_ending_name()), ("TAB", "CRLF"));
        assert_eq!(Dialect::of(Some("SPACE"), None), None);
        assert_eq!(Dialect::of(None, Some("CR")), None);
    }
}
