//! The account of one import's records: who was put on the bus, and what became of them.

use std::collections::HashMap;

use landbridge_model::{Outcome, SalesforceId, Version};
use serde::{Deserialize, Serialize};

use super::compact::{CompactId, CompactVersion};

/// The place of an outcome in counts that are kept in the order of [`Outcome::ALL`].
pub(crate) fn place_of(outcome: Outcome) -> usize {
    outcome as usize
}

/// A moment of one account: what was extracted until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u32);

/// Where a record stands, in 28 bytes beside its id's 12.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The newest version that was extracted or settled.
    newest: CompactVersion,
    /// The mark at which it was first extracted; 0 when an outcome came before the extractor's word.
    first: u32,
    /// The mark at which `newest` was extracted, when an extraction raised it.
    raised: u32,
    /// The latest outcome.
    outcome: Option<Outcome>,
    /// Whether that outcome is of `newest`; otherwise of an older version.
    settled: bool,
}

/// Records of one import, each once, by its latest outcome.
///
/// Reports are folded in the order of their stream, so of two outcomes of one version the one folded later is the
/// later one; an outcome of an older version changes nothing.
#[derive(Debug, Default)]
pub struct RecordAccount {
    records: HashMap<CompactId, Entry>,
    marks: u32,
    distinct: u64,
    /// Counts of a closed account, whose records are no longer kept.
    closed: Option<Assessment>,
}

/// An import's records at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// Distinct records put on the bus.
    pub extracted: u64,
    /// Of them, by latest outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Of them, seen in a lane at a version without an outcome.
    pub in_flight: u64,
    /// Of them, neither: 0, or something is wrong.
    pub unaccounted: u64,
    /// Some of the unaccounted, to look into.
    #[serde(default)]
    pub examples: Vec<SalesforceId>,
}

impl Assessment {
    /// Records with an outcome.
    pub fn settled(&self) -> u64 {
        self.outcomes.iter().sum()
    }
}

/// What a run did with a record, of which it says something again: whoever catches up after having read, or is told twice,
/// finds what the run itself has made. Pure.
fn deed(before: Option<Outcome>, now: Outcome) -> Outcome {
    match (before, now) {
        (Some(Outcome::Created), Outcome::Updated | Outcome::Unchanged | Outcome::Superseded) => {
            Outcome::Created
        }
        (Some(Outcome::Updated), Outcome::Unchanged | Outcome::Superseded) => Outcome::Updated,
        _ => now,
    }
}

/// How many unaccounted records are named.
const EXAMPLES_MAX: usize = 10;

impl RecordAccount {
    /// A closed account with these counts.
    pub(crate) fn closed(counts: Assessment) -> Self {
        Self {
            closed: Some(counts),
            ..Self::default()
        }
    }

    /// The extractor says that these changes are on the bus.
    pub(crate) fn extracted(&mut self, changes: impl IntoIterator<Item = (SalesforceId, Version)>) {
        if self.closed.is_some() {
            return;
        }
        self.marks = self.marks.saturating_add(1);
        for (id, version) in changes {
            let entry = self.records.entry(id.into()).or_insert(Entry {
                newest: version.into(),
                first: 0,
                raised: self.marks,
                outcome: None,
                settled: false,
            });
            if entry.first == 0 {
                entry.first = self.marks;
                self.distinct += 1;
            }
            if version > entry.newest.into() {
                entry.newest = version.into();
                entry.raised = self.marks;
                entry.settled = false;
            }
        }
    }

    /// A stage says what became of a change. Gives whether the record is settled by it and was not before.
    pub(crate) fn settle(&mut self, id: SalesforceId, version: Version, outcome: Outcome) -> bool {
        if self.closed.is_some() {
            return false;
        }
        let entry = self.records.entry(id.into()).or_insert(Entry {
            newest: version.into(),
            first: 0,
            raised: 0,
            outcome: None,
            settled: false,
        });
        if version >= entry.newest.into() {
            let news = !entry.settled;
            entry.newest = version.into();
            entry.outcome = Some(deed(entry.outcome, outcome));
            entry.settled = true;
            return news;
        }
        // Lanes tell in their own order.
        entry.outcome = Some(match entry.outcome {
            Some(newer) if entry.settled => deed(Some(outcome), newer),
            before => deed(before, outcome),
        });
        false
    }

    /// Distinct records extracted so far.
    pub fn distinct(&self) -> u64 {
        self.closed
            .as_ref()
            .map_or(self.distinct, |counts| counts.extracted)
    }

    /// This moment, to assess by later.
    pub fn mark(&self) -> Mark {
        Mark(self.marks)
    }

    /// What is known of one record: its newest version and the outcome, if that version has one.
    pub fn record(&self, id: SalesforceId) -> Option<(Version, Option<Outcome>)> {
        let entry = self.records.get(&id.into())?;
        Some((entry.newest.into(), entry.outcome.filter(|_| entry.settled)))
    }

    /// Accounts for every record that was extracted until `mark`.
    ///
    /// `lanes` holds what was read from the lanes after the mark was taken, upstream before downstream; the outcomes
    /// folded here must reach beyond the end of that reading. Then each record that was extracted until the mark has
    /// been seen in a lane or has an outcome, whatever moved meanwhile: only a lost one is in neither.
    pub fn assess(&self, mark: Mark, lanes: &InFlight) -> Assessment {
        if let Some(closed) = &self.closed {
            return closed.clone();
        }
        let mut result = Assessment::default();
        for (id, entry) in &self.records {
            if entry.first == 0 || entry.first > mark.0 {
                continue;
            }
            result.extracted += 1;
            match entry.stands(mark, lanes.newest.get(id).copied().map(Version::from)) {
                Standing::Settled(outcome) => result.outcomes[place_of(outcome)] += 1,
                Standing::InFlight => result.in_flight += 1,
                Standing::Lost => {
                    result.unaccounted += 1;
                    if result.examples.len() < EXAMPLES_MAX {
                        result.examples.push((*id).into());
                    }
                }
            }
        }
        result
    }

    /// Keeps the counts and lets the records go.
    pub(crate) fn close(&mut self, counts: Assessment) {
        *self = Self::closed(counts);
    }
}

enum Standing {
    Settled(Outcome),
    InFlight,
    Lost,
}

impl Entry {
    fn stands(&self, mark: Mark, lane: Option<Version>) -> Standing {
        let newest: Version = self.newest.into();
        match (self.outcome, lane) {
            (Some(outcome), lane) if self.settled => match lane {
                Some(version) if version > newest => Standing::InFlight,
                _ => Standing::Settled(outcome),
            },
            (_, Some(version)) if version >= newest => Standing::InFlight,
            // A newer version was put on the bus after the mark: until then, the older one counts.
            (Some(outcome), _) if self.raised > mark.0 => Standing::Settled(outcome),
            // The extractor has put it on the bus since the mark: it can have gone round by a reread while the lanes
            // were read, and been in none of them when its turn came. The next look begins at a later mark.
            (None, _) if self.raised > mark.0 => Standing::InFlight,
            _ => Standing::Lost,
        }
    }
}

/// The records of one run that were seen in the lanes, each at its newest version there.
#[derive(Debug, Default)]
pub struct InFlight {
    newest: HashMap<CompactId, CompactVersion>,
}

impl InFlight {
    /// Adds a change that a lane holds.
    pub fn add(&mut self, id: SalesforceId, version: Version) {
        let seen = self.newest.entry(id.into()).or_insert(version.into());
        if version > (*seen).into() {
            *seen = version.into();
        }
    }

    /// Adds a record that waits to be read again: whatever version it has had, a newer one will come.
    pub fn add_reread(&mut self, id: SalesforceId) {
        self.add(id, Version::new(i64::MAX, i64::MAX));
    }

    /// Distinct records.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// Whether this record was seen.
    pub fn contains(&self, id: SalesforceId) -> bool {
        self.newest.contains_key(&id.into())
    }
}

#[cfg(test)]
mod tests;
