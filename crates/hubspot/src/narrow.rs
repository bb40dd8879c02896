//! Finding the bad rows of a batch that was refused as a whole, in few calls.
//!
//! HubSpot refuses a batch of a hundred for one row and does not always say which. [`Narrowing`] says which rows to
//! send next until every good row has landed and every bad one is alone. A group that must hold a bad row, because the
//! rest of a refused group landed, is not sent again to prove it.
//!
//! **Bound**, without any hint: `k` bad rows in a batch of `n` cost at most `k·(log2(n/k) + 2) + 2` calls after the one
//! that was refused, whichever rows they are. How many rows to send next is not a rule of thumb but the choice with the
//! best worst case against that bound, computed once for each batch size up to a hundred. Larger batches (of pairs, up to 2,000)
//! are halved, within one more call for each bad row. When the refusal names offenders truthfully, one call lands all others.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<E> {
    /// Send exactly these rows, then report with [`Narrowing::taken`] or [`Narrowing::refused`].
    Send(Vec<usize>),
    /// This row is bad; the evidence is of the smallest refused group of which all other rows landed.
    Bad(usize, E),
    /// Every row has landed or is known to be bad.
    Done,
}

/// The search for the bad rows of one refused batch. `E` is what a refusal said.
#[derive(Clone, Debug)]
pub struct Narrowing<E> {
    plan: Arc<Plan>,
    /// Rows of which nothing is known.
    pool: Vec<usize>,
    /// Rows of which at least one is bad, with what the refusal said.
    group: Vec<usize>,
    evidence: E,
    /// Rows of the group that the last refusal named.
    suspects: BTreeSet<usize>,
    sent: Vec<usize>,
    found: usize,
}

impl<E: Clone> Narrowing<E> {
    /// A batch of `rows` was refused as a whole; `suspects` are the places that the refusal names, if any.
    pub fn new(rows: usize, evidence: E, suspects: impl IntoIterator<Item = usize>) -> Self {
        Self {
            plan: Plan::of(rows),
            pool: Vec::new(),
            group: (0..rows).collect(),
            evidence,
            suspects: suspects.into_iter().filter(|&row| row < rows).collect(),
            sent: Vec::new(),
            found: 0,
        }
    }

    /// What to do next. Asking again before a report repeats the question.
    pub fn step(&mut self) -> Next<E> {
        if !self.sent.is_empty() {
            return Next::Send(self.sent.clone());
        }
        if let [row] = self.group[..] {
            self.group.clear();
            self.found += 1;
            return Next::Bad(row, self.evidence.clone());
        }
        let size = self.plan.size(self.pool.len(), self.group.len(), self.found);
        self.sent = match (self.group.is_empty(), self.pool.is_empty()) {
            (true, true) => return Next::Done,
            (true, false) => self.pool.drain(..size.clamp(1, self.pool.len())).collect(),
            (false, _) => self.split_group(size),
        };
        Next::Send(self.sent.clone())
    }

    /// Takes from the known-bad group what to send: all but the named offenders, else as many as the plan says.
    fn split_group(&mut self, size: usize) -> Vec<usize> {
        let named = self
            .group
            .iter()
            .filter(|row| self.suspects.contains(row))
            .count();
        if named > 0 && named < self.group.len() {
            let suspects = std::mem::take(&mut self.suspects);
            let (left, sent) = self.group.drain(..).partition(|row| suspects.contains(row));
            self.group = left;
            return sent;
        }
        self.group.drain(..size.clamp(1, self.group.len() - 1)).collect()
    }

    /// The rows last sent were taken, or each got a verdict of its own.
    pub fn taken(&mut self) {
        self.sent.clear();
    }

    /// The rows last sent were refused as a whole.
    pub fn refused(&mut self, evidence: E, suspects: impl IntoIterator<Item = usize>) {
        // Of what was not sent of the old group nothing is known any more: the bad row may be among those sent.
        self.pool.append(&mut self.group);
        self.group = std::mem::take(&mut self.sent);
        self.evidence = evidence;
        self.suspects = suspects
            .into_iter()
            .filter(|row| self.group.contains(row))
            .collect();
    }
}

/// How many rows to send next, for every state that a batch of one size can be in.
#[derive(Debug)]
struct Plan {
    rows: usize,
    sizes: Vec<u8>,
}

/// Largest batch that a plan is made for: HubSpot's own limit of a batch of records.
const ROWS_MAX: usize = 100;
static PLANS: LazyLock<Mutex<HashMap<usize, Arc<Plan>>>> = LazyLock::new(Mutex::default);

impl Plan {
    fn of(rows: usize) -> Arc<Self> {
        Arc::clone(
            PLANS
                .lock()
                .entry(rows)
                .or_insert_with(|| Arc::new(Self::new(rows))),
        )
    }

    /// The size for `pool` undecided rows and a `group` that holds a bad one, with `found` bad rows found. No plan reaches
    /// beyond a hundred rows: there a group is halved, and as much of the pool is taken as was decided for each bad row found
    /// so far, and no less than an even share.
    fn size(&self, pool: usize, group: usize, found: usize) -> usize {
        if self.rows <= ROWS_MAX {
            return usize::from(self.sizes[at(self.rows, pool + group, group, found)]);
        }
        match group {
            0 if found == 0 => pool,
            0 => ((self.rows - pool) / found).max(self.rows.div_ceil(found + 1)),
            _ => group.div_ceil(2),
        }
    }

    /// Works backwards from the last row: the value of a state is the worst of (calls still to make, less the calls
    /// that the bound allows for the bad rows there turn out to be), and the size is the one with the best value.
    fn new(rows: usize) -> Self {
        if rows > ROWS_MAX {
            let sizes = Vec::new();
            return Self { rows, sizes };
        }
        let side = rows + 1;
        let mut value = vec![0f32; side * side * side];
        let mut sizes = vec![0u8; side * side * side];
        for left in 0..=rows {
            for found in 0..=rows - left {
                if left == 0 {
                    value[at(rows, 0, 0, found)] = -allowance(rows, found);
                    continue;
                }
                value[at(rows, left, 1, found)] = value[at(rows, left - 1, 0, found + 1)];
                for group in (2..=left).chain([0]) {
                    let most = if group == 0 { left } else { group - 1 };
                    let (best, size) = (1..=most)
                        .map(|size| {
                            let taken = value[at(rows, left - size, group.saturating_sub(size), found)];
                            let refused = value[at(rows, left, size, found)];
                            (1.0 + taken.max(refused), size)
                        })
                        .min_by(|one, other| one.0.total_cmp(&other.0))
                        .unwrap_or((0.0, 1));
                    value[at(rows, left, group, found)] = best;
                    sizes[at(rows, left, group, found)] = u8::try_from(size).unwrap_or(u8::MAX);
                }
            }
        }
        Self { rows, sizes }
    }
}

fn at(rows: usize, left: usize, group: usize, found: usize) -> usize {
    let side = rows + 1;
    (left * side + group) * side + found
}

/// What the plan aims at: a single bad row, the common case, is held closer to the bound than several are.
fn allowance(rows: usize, bad: usize) -> f32 {
    bound(rows, bad) + if bad > 1 { 1.0 } else { 0.0 }
}

/// `k·(log2(n/k) + 2)`.
fn bound(rows: usize, bad: usize) -> f32 {
    if bad == 0 {
        return 0.0;
    }
    let (rows, bad) = (rows as f32, bad as f32);
    bad * ((rows / bad).log2() + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Plays a batch against a server that refuses a group with any bad row; answers the calls made.
    fn play(rows: usize, bad: &BTreeSet<usize>, hints: bool) -> usize {
        let named = |sent: &[usize]| -> Vec<usize> {
            if hints {
                sent.iter().copied().filter(|row| bad.contains(row)).collect()
            } else {
                Vec::new()
            }
        };
        let all: Vec<usize> = (0..rows).collect();
        let mut narrowing = Narrowing::new(rows, all.clone(), named(&all));
        let (mut landed, mut alone) = (BTreeSet::new(), BTreeSet::new());
        let mut calls = 0;
        loop {
            match narrowing.step() {
                Next::Done => break,
                Next::Bad(row, evidence) => {
                    assert!(alone.insert(row), "row {row} was found twice");
                    let others_landed = evidence
                        .iter()
                        .all(|other| *other == row || landed.contains(other));
                    assert!(
                        hints || others_landed,
                        "the evidence against {row} may be about another row"
                    );
                }
                Next::Send(sent) => {
                    calls += 1;
                    if sent.iter().any(|row| bad.contains(row)) {
                        let named = named(&sent);
                        narrowing.refused(sent, named);
                    } else {
                        for row in sent {
                            assert!(landed.insert(row), "row {row} landed twice");
                        }
                        narrowing.taken();
                    }
                }
            }
        }
        assert_eq!(&alone, bad);
        assert_eq!(landed.len() + alone.len(), rows, "every row has an end");
        calls
    }

    #[test]
    fn one_bad_row_of_a_hundred() {
        for row in 0..100 {
            let calls = play(100, &BTreeSet::from([row]), false);
            assert!(calls <= 9, "row {row} took {calls} calls");
            assert_eq!(
                play(100, &BTreeSet::from([row]), true),
                1,
                "a named row costs one call"
            );
        }
    }

    #[test]
    fn one_bad_pair_of_two_thousand() {
        for row in 0..2_000 {
            let calls = play(2_000, &BTreeSet::from([row]), false);
            assert!(calls <= 13, "pair {row} took {calls} calls");
        }
    }

    #[test]
    fn the_bound_holds_against_an_adversary() {
        // The value of the first state is the worst excess over the bound that any set of bad rows can cause.
        for rows in [2, 3, 10, 31, 100] {
            let plan = Plan::of(rows);
            let mut worst = vec![f32::MIN; (rows + 1).pow(3)];
            for left in 0..=rows {
                for found in 0..=rows - left {
                    if left == 0 {
                        worst[at(rows, 0, 0, found)] = -bound(rows, found);
                        continue;
                    }
                    worst[at(rows, left, 1, found)] = worst[at(rows, left - 1, 0, found + 1)];
                    for group in (2..=left).chain([0]) {
                        let size = plan.size(left - group, group, found);
                        let taken = worst[at(rows, left - size, group.saturating_sub(size), found)];
                        worst[at(rows, left, group, found)] =
                            1.0 + taken.max(worst[at(rows, left, size, found)]);
                    }
                }
            }
            let excess = worst[at(rows, rows, rows, 0)];
            assert!(excess <= 2.0, "{excess} calls over the bound for {rows} rows");
        }
    }

    proptest! {
        #[test]
        fn every_bad_row_ends_alone_within_the_bound(
            rows in proptest::sample::select(vec![1usize, 2, 3, 7, 20, 50, 100, 101, 500, 2_000]),
            picks in proptest::collection::btree_set(0usize..2_000, 1..30),
            hints in any::<bool>(),
        ) {
            let bad: BTreeSet<usize> = picks.into_iter().map(|pick| pick % rows).collect();
            let calls = play(rows, &bad, hints);
            let allowed = bound(rows, bad.len()) + if rows > ROWS_MAX { bad.len() as f32 } else { 0.0 };
            prop_assert!(calls as f32 <= allowed + 2.0, "{calls} calls");
        }
    }
}
