//! The page of results by commit: ratios only, since seconds mean nothing on another machine.

use anyhow::Context as _;
use jiff::civil::Date;

use crate::binary::repository;
use crate::figures::Figures;

/// Where it is in the repository.
const PAGE: &str = "docs/benchmarks.md";

/// What was measured, for one row.
pub(crate) struct Run<'a> {
    /// The commit, in short.
    pub(crate) commit: &'a str,
    /// When.
    pub(crate) date: Date,
    /// What was imported.
    pub(crate) objects: &'a str,
    /// On how many processors.
    pub(crate) cores: usize,
    /// What came out.
    pub(crate) figures: &'a Figures,
}

/// Adds a row to the page.
pub(crate) fn record(run: &Run<'_>) -> anyhow::Result<()> {
    let path = repository().join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    std::fs::write(&path, with_row(&page, &row(run))).with_context(|| format!("cannot write {PAGE}"))
}

fn row(run: &Run<'_>) -> String {
    let ratios = &run.figures.ratios;
    let cells = [
        run.date.to_string(),
        run.commit.to_owned(),
        run.objects.to_owned(),
        run.figures.records.to_string(),
        run.cores.to_string(),
        format!("{:.4}", ratios.throughput),
        format!("{:.1}", ratios.cpu),
        format!("{:.2}", ratios.messages),
        format!("{:.2}", ratios.bytes),
    ];
    format!("| {} |", cells.join(" | "))
}

/// The page ends with the table.
fn with_row(page: &str, row: &str) -> String {
    format!("{}\n{row}\n", page.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::example;

    #[test]
    fn a_run_is_one_row_of_ratios() {
        let (_, figures) = example();
        let date = Date::constant(2026, 3, 1);
        let run = Run {
            commit: "0123456789",
            date,
            objects: "all",
            cores: 2,
            figures: &figures,
        };
        assert_eq!(
            row(&run),
            "| 2026-03-01 | 0123456789 | all | 20000 | 2 | 0.0500 | 5.0 | 1.00 | 0.50 |"
        );
    }

    #[test]
    fn a_row_goes_to_the_end() {
        assert_eq!(
            with_row("# A\n\n| a |\n|---|\n\n", "| b |"),
            "# A\n\n| a |\n|---|\n| b |\n"
        );
    }

    /// The page as it stands takes the row: it ends with a table of as many columns.
    #[test]
    fn the_page_ends_with_the_table() {
        let page = include_str!("../../../docs/benchmarks.md");
        let last = page.trim_end().lines().next_back().unwrap();
        assert_eq!(last.matches('|').count(), 10, "{last}");
    }
}
