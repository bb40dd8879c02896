//! The figures for people.

use super::{Parked, Resident};
use crate::tables::{mebibytes, table};

impl Parked {
    pub(crate) fn told(&self) -> String {
        let mut table = table(&["resident MiB", "resolver", "nats-server"]);
        let mut row = |name: &str, Resident { resolver, server }: Resident| {
            table.add_row([name.to_owned(), mebibytes(resolver), mebibytes(server)]);
        };
        row("at first", self.before);
        row("with the children known", self.children);
        row("with their links parked", self.parked);
        row("at most", self.peak);
        table.add_row([
            "bytes a parked link".to_owned(),
            format!("{:.0}", self.resolver_bytes_per_link),
            format!("{:.0}", self.server_bytes_per_link),
        ]);
        format!(
            "{} links parked, each for a parent of its own\n\n{table}\n\n\
             {} parents came then: their links were released after {:.1} times the linger of {} ms at the median, {:.1} at \
             the 99th percentile, {:.1} at the longest\n",
            self.links,
            self.released,
            self.release_median,
            self.linger_ms,
            self.release_p99,
            self.release_longest,
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn memory_stands_under_each_other_and_release_behind_it() {
        let resident = |resolver: u64, server: u64| Resident {
            resolver: resolver << 20,
            server: server << 20,
        };
        let parked = Parked {
            links: 1_000_000,
            before: resident(40, 30),
            children: resident(100, 60),
            parked: resident(300, 360),
            peak: resident(320, 400),
            resolver_bytes_per_link: 209.7,
            server_bytes_per_link: 314.6,
            released: 10_000,
            linger_ms: 50,
            release_median: 0.4,
            release_p99: 0.9,
            release_longest: 2.25,
        };
        expect![[r#"
            1000000 links parked, each for a parent of its own

            | resident MiB            | resolver | nats-server |
            |-------------------------|----------|-------------|
            | at first                |     40.0 |        30.0 |
            | with the children known |    100.0 |        60.0 |
            | with their links parked |    300.0 |       360.0 |
            | at most                 |    320.0 |       400.0 |
            | bytes a parked link     |      210 |         315 |

            10000 parents came then: their links were released after 0.4 times the linger of 50 ms at the median, 0.9 at the 99th percentile, 2.2 at the longest
        "#]]
        .assert_eq(&parked.told());
    }
}
