//! Which rows go into the next batch. Pure: times are durations since the lane began.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// A row that waits for its call.
#[derive(Clone, Debug)]
pub(crate) struct Waiting<K, P> {
    /// The record: two rows of one record keep their order.
    pub(crate) key: K,
    /// Rows of one group can share a call.
    pub(crate) group: u64,
    /// Since when it waits.
    pub(crate) since: Duration,
    /// Not to be sent before.
    pub(crate) not_before: Duration,
    /// The row.
    pub(crate) payload: P,
}

/// What to do with a row that could be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// Send it.
    Send,
    /// It needs no call.
    End,
    /// An earlier write of the record is unanswered.
    Blocked,
}

/// What came out of the queue.
#[derive(Debug)]
pub(crate) struct Taken<K, P> {
    /// To be sent together; may be empty.
    pub(crate) batch: Vec<Waiting<K, P>>,
    /// Rows that ended without a call.
    pub(crate) ended: Vec<Waiting<K, P>>,
}

/// How long rows may wait for company.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linger {
    /// When nothing else is under way.
    pub(crate) idle: Duration,
    /// When other batches are under way anyway.
    pub(crate) busy: Duration,
}

/// Rows in the order in which they came.
#[derive(Debug)]
pub(crate) struct Queue<K, P> {
    rows: VecDeque<Waiting<K, P>>,
}

impl<K: Clone + Eq + Hash, P> Queue<K, P> {
    pub(crate) fn new() -> Self {
        Self {
            rows: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiting<K, P>> {
        self.rows.iter()
    }

    pub(crate) fn push(&mut self, row: Waiting<K, P>) {
        self.rows.push_back(row);
    }

    /// Gives a row back that must be tried again: it keeps its place before all later rows of its record.
    pub(crate) fn give_back(&mut self, row: Waiting<K, P>) {
        self.rows.push_front(row);
    }

    /// Takes up to `most` rows of one group, each of another record, none before an earlier row of its record. A batch
    /// that is not full stays until its oldest row has lingered.
    pub(crate) fn take(
        &mut self,
        now: Duration,
        most: usize,
        linger: Duration,
        mut pick: impl FnMut(&Waiting<K, P>) -> Pick,
    ) -> Taken<K, P> {
        let mut taken = Taken {
            batch: Vec::new(),
            ended: Vec::new(),
        };
        let mut passed: Vec<Waiting<K, P>> = Vec::new();
        let mut seen: HashSet<K> = HashSet::new();
        while taken.batch.len() < most {
            let Some(row) = self.rows.pop_front() else { break };
            let first_of_record = seen.insert(row.key.clone());
            let fits = taken.batch.first().is_none_or(|first| first.group == row.group);
            let verdict = if first_of_record && fits && row.not_before <= now {
                pick(&row)
            } else {
                Pick::Blocked
            };
            match verdict {
                Pick::Send => taken.batch.push(row),
                Pick::End => {
                    seen.remove(&row.key);
                    taken.ended.push(row);
                }
                Pick::Blocked => passed.push(row),
            }
        }
        let ripe = taken.batch.len() == most || taken.batch.iter().any(|row| row.since + linger <= now);
        if !ripe {
            // Rows passed over stay behind those of their record that were to be sent.
            passed.splice(0..0, taken.batch.drain(..));
        }
        for row in passed.into_iter().rev() {
            self.rows.push_front(row);
        }
        taken
    }

    /// When to look again although nothing has happened.
    pub(crate) fn next_due(&self, now: Duration, linger: Duration) -> Option<Duration> {
        let due = |row: &Waiting<K, P>| (row.since + linger).max(row.not_before);
        self.rows
            .iter()
            .take(1_000)
            .map(due)
            .filter(|due| *due > now)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINGER: Duration = Duration::from_millis(50);

    fn row(key: u32, group: u64, serial: u32) -> Waiting<u32, u32> {
        Waiting {
            key,
            group,
            since: Duration::ZERO,
            not_before: Duration::ZERO,
            payload: serial,
        }
    }

    fn payloads(rows: &[Waiting<u32, u32>]) -> Vec<u32> {
        rows.iter().map(|row| row.payload).collect()
    }

    #[test]
    fn a_batch_waits_for_company_but_not_for_long() {
        let mut queue = Queue::new();
        queue.push(row(1, 0, 1));
        queue.push(row(2, 0, 2));
        let early = Duration::from_millis(49);
        assert!(queue.take(early, 3, LINGER, |_| Pick::Send).batch.is_empty());
        assert_eq!(queue.next_due(early, LINGER), Some(LINGER));
        assert_eq!(
            payloads(&queue.take(LINGER, 3, LINGER, |_| Pick::Send).batch),
            [1, 2]
        );
        for serial in 0..3 {
            queue.push(row(serial, 0, serial));
        }
        assert_eq!(
            queue.take(Duration::ZERO, 3, LINGER, |_| Pick::Send).batch.len(),
            3,
            "a full one goes at once"
        );
    }

    #[test]
    fn two_rows_of_one_record_never_share_a_batch() {
        let mut queue = Queue::new();
        for (serial, key) in [1, 2, 1, 3].into_iter().enumerate() {
            queue.push(row(key, 0, serial as u32));
        }
        assert_eq!(
            payloads(&queue.take(LINGER, 10, LINGER, |_| Pick::Send).batch),
            [0, 1, 3]
        );
        assert_eq!(
            payloads(&queue.take(LINGER, 10, LINGER, |_| Pick::Send).batch),
            [2]
        );
    }

    #[test]
    fn a_row_that_waits_to_be_tried_again_holds_back_its_record_alone() {
        let mut queue = Queue::new();
        queue.push(row(1, 0, 10));
        queue.push(row(2, 0, 11));
        queue.give_back(Waiting {
            not_before: Duration::from_secs(9),
            ..row(1, 0, 9)
        });
        assert_eq!(
            payloads(&queue.take(LINGER, 10, LINGER, |_| Pick::Send).batch),
            [11]
        );
        let later = Duration::from_secs(9);
        assert_eq!(
            payloads(&queue.take(later, 10, LINGER, |_| Pick::Send).batch),
            [9]
        );
        assert_eq!(
            payloads(&queue.take(later, 10, LINGER, |_| Pick::Send).batch),
            [10]
        );
    }

    #[test]
    fn a_row_that_needs_no_call_makes_way_for_the_next_of_its_record() {
        let mut queue = Queue::new();
        queue.push(row(1, 0, 1));
        queue.push(row(1, 0, 2));
        let taken = queue.take(LINGER, 10, LINGER, |row| {
            if row.payload == 1 { Pick::End } else { Pick::Send }
        });
        assert_eq!(
            (payloads(&taken.ended), payloads(&taken.batch)),
            (vec![1], vec![2])
        );
    }

    proptest! {
        /// Whatever is busy and whenever it is asked: each record's rows come out once and in their order.
        #[test]
        fn one_record_one_order(
            rows in proptest::collection::vec((0u32..6, 0u64..2), 1..60),
            steps in proptest::collection::vec((0u32..6, 1usize..8, any::<bool>()), 1..200),
        ) {
            let mut queue = Queue::new();
            for (serial, (key, group)) in rows.iter().enumerate() {
                queue.push(row(*key, *group, serial as u32));
            }
            let mut out: Vec<(u32, u32)> = Vec::new();
            let mut busy: Option<Waiting<u32, u32>> = None;
            for (blocked, most, again) in steps {
                if let Some(row) = busy.take() {
                    if again { queue.give_back(row) } else { out.push((row.key, row.payload)) }
                }
                let taken = queue.take(LINGER, most, LINGER, |row| {
                    if row.key == blocked { Pick::Blocked } else { Pick::Send }
                });
                let keys: HashSet<u32> = taken.batch.iter().map(|row| row.key).collect();
                prop_assert_eq!(keys.len(), taken.batch.len());
                let groups: HashSet<u64> = taken.batch.iter().map(|row| row.group).collect();
                prop_assert!(groups.len() <= 1);
                let mut batch = taken.batch.into_iter();
                busy = batch.next();
                out.extend(batch.map(|row| (row.key, row.payload)));
            }
            out.extend(busy.map(|row| (row.key, row.payload)));
            let rest = queue.take(LINGER, usize::MAX, LINGER, |_| Pick::Send);
            out.extend(rest.batch.iter().map(|row| (row.key, row.payload)));
            for key in 0..6 {
                let serials: Vec<u32> = out.iter().filter(|row| row.0 == key).map(|row| row.1).collect();
                prop_assert!(serials.is_sorted(), "record {key} came as {serials:?}");
            }
        }
    }
}
