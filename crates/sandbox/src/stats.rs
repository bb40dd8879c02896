//! Counts of what a side was asked: the witness for benchmarks and for tests of thrift.

use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;

/// One side's counters. Cheap enough to touch on every call.
#[derive(Debug, Default)]
pub struct Stats {
    counts: Mutex<Counts>,
}

/// A copy of the counters, as `GET /__sandbox/stats` shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All calls, served or refused.
    pub calls: u64,
    /// Calls by family, for example `bulk_results` or `objects_batch_upsert`.
    pub by_family: BTreeMap<&'static str, u64>,
    /// Refused calls by reason, for example `rate_limit` or `unauthorized`.
    pub refused: BTreeMap<&'static str, u64>,
    /// Records handed out or taken in, by family.
    pub records: BTreeMap<&'static str, u64>,
}

impl Stats {
    /// Counts one call of a family.
    pub fn call(&self, family: &'static str) {
        let mut counts = self.counts.lock();
        counts.calls += 1;
        *counts.by_family.entry(family).or_default() += 1;
    }

    /// Counts one refusal. The call itself is counted by [`Stats::call`].
    pub fn refused(&self, reason: &'static str) {
        *self.counts.lock().refused.entry(reason).or_default() += 1;
    }

    /// Counts records that a call of a family carried.
    pub fn records(&self, family: &'static str, number: u64) {
        *self.counts.lock().records.entry(family).or_default() += number;
    }

    /// A copy of all counters.
    pub fn counts(&self) -> Counts {
        self.counts.lock().clone()
    }
}
