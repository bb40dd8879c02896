//! Figures for people.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

use crate::figures::Figures;
use crate::pipeline::Measured;

/// Everything about one run.
pub(crate) fn pipeline(figures: &Figures, measured: &Measured) -> String {
    let outcomes = counts(
        measured
            .outcomes
            .iter()
            .map(|(outcome, count)| (outcome.as_str(), *count)),
    );
    let links = counts(
        measured
            .links
            .iter()
            .map(|(outcome, count)| (outcome.as_str(), *count)),
    );
    [
        format!(
            "{} records ({outcomes}), {} links ({links})\n",
            figures.records, figures.links
        ),
        speed(figures),
        processes(figures),
        streams(figures),
    ]
    .join("\n")
}

fn counts<'a>(pairs: impl Iterator<Item = (&'a str, u64)>) -> String {
    let words: Vec<String> = pairs.map(|(word, count)| format!("{count} {word}")).collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

fn speed(figures: &Figures) -> String {
    let ratios = &figures.ratios;
    let mut table = table(&["", "pipeline", "of the relay"]);
    let row = |name: &str, value: f64, ratio: f64| [name.to_owned(), value.to_string(), ratio.to_string()];
    table.add_row(row(
        "records/s, to the last link",
        figures.records_per_second,
        ratios.throughput,
    ));
    table.add_row([
        "records/s, to the last record".to_owned(),
        figures.records_per_second_without_links.to_string(),
        String::new(),
    ]);
    table.add_row(row(
        "CPU s a million records",
        figures.engine_cpu_seconds_per_million,
        ratios.cpu,
    ));
    table.add_row(row(
        "messages a thousand records",
        figures.messages_per_thousand_records,
        ratios.messages,
    ));
    table.add_row(row("bytes a record", figures.bytes_per_record, ratios.bytes));
    table.add_row([
        "the relay: records/s".to_owned(),
        figures.relay_records_per_second.to_string(),
        "1".to_owned(),
    ]);
    format!("{table}\n")
}

fn processes(figures: &Figures) -> String {
    let mut table = table(&["process", "CPU s a million records", "peak MiB", "MiB at the end"]);
    for (name, cost) in &figures.processes {
        table.add_row([
            (*name).to_owned(),
            cost.cpu_seconds_per_million.to_string(),
            mebibytes(cost.peak_bytes),
            mebibytes(cost.resident_bytes),
        ]);
    }
    format!("{table}\n")
}

fn streams(figures: &Figures) -> String {
    let mut table = table(&[
        "stream",
        "messages",
        "bytes",
        "records a message",
        "bytes a record",
    ]);
    for (name, load) in &figures.streams.0 {
        let records = figures.records as f64;
        table.add_row([
            name.clone(),
            load.messages.to_string(),
            load.bytes.to_string(),
            format!("{:.1}", records / load.messages as f64),
            format!("{:.1}", load.bytes as f64 / records),
        ]);
    }
    format!("{table}\n")
}

/// Resident memory by process, for runs of several sizes.
pub(crate) fn memory(runs: &[Measured]) -> String {
    let mut header = vec!["process".to_owned()];
    for run in runs {
        header.push(format!("peak MiB, {} records", run.records));
        header.push("at the end".to_owned());
    }
    let mut table = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    let names = runs
        .first()
        .map(|run| run.processes.as_slice())
        .unwrap_or_default();
    for (name, _) in names {
        let mut row = vec![(*name).to_owned()];
        for run in runs {
            let usage = run
                .processes
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, usage)| *usage);
            let usage = usage.unwrap_or_default();
            row.extend([mebibytes(usage.peak_bytes), mebibytes(usage.resident_bytes)]);
        }
        table.add_row(row);
    }
    format!("{table}\n")
}

/// A table whose first column names the rows.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header.to_vec());
    for column in 1..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::example;
    use crate::usage::Usage;
    use expect_test::expect;

    #[test]
    fn a_run_is_told_in_tables() {
        let (measured, figures) = example();
        expect![[r#"
            20000 records (20000 created), 15010 links (15000 linked, 10 parked)

            |                               | pipeline | of the relay |
            |-------------------------------|----------|--------------|
            | records/s, to the last link   |     4000 |         0.05 |
            | records/s, to the last record |     5000 |              |
            | CPU s a million records       |      100 |            5 |
            | messages a thousand records   |       15 |            1 |
            | bytes a record                |      450 |          0.5 |
            | the relay: records/s          |    80000 |            1 |

            | process     | CPU s a million records | peak MiB | MiB at the end |
            |-------------|-------------------------|----------|----------------|
            | loader      |                      75 |     40.0 |           30.0 |
            | nats-server |                      25 |     40.0 |           30.0 |
            | sandbox     |                     450 |     40.0 |           30.0 |

            | stream     | messages |   bytes | records a message | bytes a record |
            |------------|----------|---------|-------------------|----------------|
            | LB_CHANGES |      100 | 6000000 |             200.0 |          300.0 |
            | LB_WRITES  |      200 | 3000000 |             100.0 |          150.0 |
        "#]]
        .assert_eq(&pipeline(&figures, &measured));
    }

    #[test]
    fn memory_of_two_sizes_stands_side_by_side() {
        let run = |records, mebibytes: u64| Measured {
            records,
            processes: vec![(
                "mapper",
                Usage {
                    cpu_seconds: 0.0,
                    resident_bytes: mebibytes << 20,
                    peak_bytes: (mebibytes + 1) << 20,
                },
            )],
            ..Measured::default()
        };
        expect![[r#"
            | process | peak MiB, 1000 records | at the end | peak MiB, 10000 records | at the end |
            |---------|------------------------|------------|-------------------------|------------|
            | mapper  |                   21.0 |       20.0 |                    22.0 |       21.0 |
        "#]]
        .assert_eq(&memory(&[run(1_000, 20), run(10_000, 21)]));
    }
}
