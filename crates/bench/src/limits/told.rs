//! The figures, for people and for docs/benchmarks.md.

use std::fmt::Write as _;

use super::Limits;

impl Limits {
    pub(crate) fn told(&self) -> String {
        let mut text = format!(
            "{} records at 190 calls in 10 s: {:.1} % of the ceiling; {:.2} % of the calls refused.\n\
             A live change while the import writes, beside an idle portal: p99 {:.2} times, median {:.2} times as long.\n\
             Beside a second client that takes half the limit: {:.2} of the pace alone; {:.2} % of our calls refused.\n\n\
             | calls to HubSpot for 1,000 records | calls | fewest possible |\n|---|---:|---:|\n",
            self.records,
            self.of_the_ceiling * 100.0,
            self.refused * 100.0,
            self.live_p99,
            self.live_median,
            self.beside_a_rival,
            self.refused_beside_a_rival * 100.0,
        );
        for thrift in &self.thrift {
            let _ = writeln!(
                text,
                "| {} | {:.1} | {:.1} |",
                thrift.work, thrift.calls, thrift.fewest
            );
        }
        text
    }
}
