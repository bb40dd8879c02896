//! The figures, for people and for docs/benchmarks.md.

use std::fmt::Write as _;

use super::{Latency, Round};

impl Latency {
    /// As a table that docs/benchmarks.md takes as it is: times as multiples of the first row's, since milliseconds mean
    /// nothing on another machine.
    pub(crate) fn told(&self) -> String {
        let mut text = String::from(
            "| source | while | median | p99 | by the source itself | calls per 1,000 changed | calls per idle hour |\n\
             |---|---|---:|---:|---:|---:|---:|\n",
        );
        let base = self.rounds.first().map_or(1, |first| first.median_ms.max(1));
        for round in &self.rounds {
            let is_streaming = round.source == "change events";
            let idle = if is_streaming {
                self.idle_calls_streaming
            } else {
                self.idle_calls_polling
            };
            let during = if round.during_import {
                "an import runs"
            } else {
                "nothing else"
            };
            let idle = if round.during_import {
                String::new()
            } else {
                idle.to_string()
            };
            let _ = writeln!(
                text,
                "| {} | {during} | {} | {} | {} % | {} | {idle} |",
                round.source,
                times(round.median_ms, base),
                times(round.p99_ms, base),
                round.by_source_percent,
                round
                    .calls_per_thousand
                    .map_or_else(String::new, |calls| calls.to_string()),
            );
        }
        let _ = write!(text, "\n{} edits a round; ", self.edits);
        let _ = writeln!(
            text,
            "the first median is {base} ms here. {}",
            imports(&self.rounds)
        );
        text
    }
}

fn times(ms: u64, base: u64) -> String {
    format!("{:.1}", ms as f64 / base as f64)
}

fn imports(rounds: &[Round]) -> String {
    let rows = rounds.iter().filter(|round| round.during_import);
    let rows: Vec<String> = rows.map(|round| round.import_rows.to_string()).collect();
    format!("Rows of the import that came meanwhile: {}.", rows.join(" and "))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn rounds_stand_under_each_other_as_multiples_of_the_first() {
        let round = |source, during_import, median_ms, calls_per_thousand| Round {
            source,
            during_import,
            median_ms,
            p99_ms: median_ms * 3,
            by_source_percent: 100,
            calls_per_thousand,
            import_rows: if during_import { 40_000 } else { 0 },
        };
        let latency = Latency {
            edits: 100,
            rounds: vec![
                round("change events", false, 400, Some(120)),
                round("change events", true, 600, None),
                round("increment", false, 18_000, Some(30)),
                round("increment", true, 20_000, None),
            ],
            idle_calls_streaming: 42,
            idle_calls_polling: 252,
        };
        expect![[r#"
            | source | while | median | p99 | by the source itself | calls per 1,000 changed | calls per idle hour |
            |---|---|---:|---:|---:|---:|---:|
            | change events | nothing else | 1.0 | 3.0 | 100 % | 120 | 42 |
            | change events | an import runs | 1.5 | 4.5 | 100 % |  |  |
            | increment | nothing else | 45.0 | 135.0 | 100 % | 30 | 252 |
            | increment | an import runs | 50.0 | 150.0 | 100 % |  |  |

            100 edits a round; the first median is 400 ms here. Rows of the import that came meanwhile: 40000 and 40000.
        "#]]
        .assert_eq(&latency.told());
    }
}
