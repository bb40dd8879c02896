//! What a process has used, as `/proc` tells it.

use anyhow::Context as _;

/// How many of the kernel's ticks make a second in `/proc/<pid>/stat`: a constant of Linux towards programs
/// (`USER_HZ`), whatever the kernel's own clock does.
const TICKS_PER_SECOND: u64 = 100;

/// What a process has used up to one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Processor time of all its threads, user and system.
    pub(crate) cpu_seconds: f64,
    /// Resident memory now, in bytes.
    pub(crate) resident_bytes: u64,
    /// The most that was ever resident, in bytes.
    pub(crate) peak_bytes: u64,
}

impl Usage {
    /// Of a running process.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            std::fs::read_to_string(&path).with_context(|| {
                format!("cannot read {path}; the benchmark needs Linux, and the process alive")
            })
        };
        let (stat, status) = (read("stat")?, read("status")?);
        Self::parse(&stat, &status).with_context(|| format!("/proc/{pid} does not read as expected"))
    }

    /// From the texts of `stat` and `status`.
    fn parse(stat: &str, status: &str) -> Option<Self> {
        Some(Self {
            cpu_seconds: ticks(stat)? as f64 / TICKS_PER_SECOND as f64,
            resident_bytes: kilobytes(status, "VmRSS")? * 1024,
            peak_bytes: kilobytes(status, "VmHWM")? * 1024,
        })
    }
}

/// `utime` and `stime`, fields 14 and 15. The second field is the program's name, which may hold anything, brackets
/// and spaces included; so the count begins behind its last bracket.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// A line such as `VmHWM:     8640 kB`.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Seconds that this thread has run.
pub(crate) fn thread_seconds() -> anyhow::Result<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").context("the benchmark needs Linux")?;
    let nanoseconds = told
        .split_whitespace()
        .next()
        .and_then(|text| text.parse::<f64>().ok());
    Ok(nanoseconds.context("/proc/thread-self/schedstat does not read as expected")? / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str =
        "Name:\tlandbridge\nVmPeak:\t 9999999 kB\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";

    #[test]
    fn times_are_counted_behind_a_name_with_brackets() {
        let stat = "4321 (a) b (c)) S 1 4321 4321 0 -1 4194560 900 0 3 0 1234 66 7 8 20 0 9 0 5000 1 2";
        let usage = Usage::parse(stat, STATUS).unwrap();
        let expected = Usage {
            cpu_seconds: 13.0,
            resident_bytes: 10 << 20,
            peak_bytes: 20 << 20,
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn what_does_not_read_as_expected_is_nothing() {
        assert_eq!(Usage::parse("1 (x) S 1", STATUS), None);
        assert_eq!(
            Usage::parse("1 (x) S 1 1 1 1 1 1 1 1 1 1 5 6", "Name: kernel thread\n"),
            None
        );
    }

    #[test]
    fn this_process_has_used_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(
            usage.resident_bytes > 0 && usage.peak_bytes >= usage.resident_bytes,
            "{usage:?}"
        );
    }
}
