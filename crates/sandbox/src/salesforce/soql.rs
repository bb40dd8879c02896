//! SOQL: read, bound to the schema, planned over indexes, run.
//!
//! Served: fields and paths to parents, child subqueries, aggregates with GROUP BY, `FIELDS()`, the full
//! WHERE grammar with date literals, ORDER BY, LIMIT, OFFSET. Names do not mind case. What is not served
//! is refused as a malformed query, never ignored.

mod bind;
mod filter;
mod lexer;
mod parser;
mod plan;
mod render;
mod run;
mod syntax;
#[cfg(test)]
mod tests;

pub use bind::{Bound, Column, Shape, ShapeItem, bind};
pub use filter::Test;
pub use parser::parse;
pub use plan::{Access, access};
pub use render::{write_aggregate, write_record};
pub use run::{aggregate, count, matching};
pub use syntax::{Filter, Literal, Operator, Query, Select};

/// A query that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct SoqlError {
    /// Salesforce's code, such as `MALFORMED_QUERY`.
    pub code: &'static str,
    /// With the place in the query where one is known.
    pub message: String,
}

impl SoqlError {
    /// A refusal of the query as a whole.
    pub fn new(code: &'static str, message: impl Into<String>) -> SoqlError {
        SoqlError {
            code,
            message: message.into(),
        }
    }

    /// A refusal at a byte of the query: shows the place as Salesforce does, with a caret below it.
    pub fn at(code: &'static str, query: &str, place: usize, message: impl Into<String>) -> SoqlError {
        const AROUND: usize = 40;
        let before = &query[..place.min(query.len())];
        let row = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = query[line_start..]
            .find('\n')
            .map_or(query.len(), |at| line_start + at);
        let line: Vec<char> = query[line_start..line_end].chars().collect();
        let column = query[line_start..place.min(line_end)].chars().count();
        let from = column.saturating_sub(AROUND);
        let shown: String = line[from..line.len().min(column + AROUND)].iter().collect();
        let caret = " ".repeat(column - from);
        let message = message.into();
        SoqlError {
            code,
            message: format!(
                "\n{shown}\n{caret}^\nERROR at Row:{row}:Column:{}\n{message}",
                column + 1
            ),
        }
    }
}
