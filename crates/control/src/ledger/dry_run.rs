//! What one dry run has answered so far: exact totals, and of each kind as many records as may be shown.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use landbridge_model::{FailureCategory, LinkStance, Outcome, PredictedLink, PredictedRecord, SalesforceId};
use landbridge_wire::RunProgress;
use serde::{Deserialize, Serialize};

use super::compact::CompactId;
use super::records::place_of;

/// Records that can be shown of each outcome and of each stance of links.
pub(crate) const SHOWN_MAX: usize = 1_000;
/// Bytes of values that are kept of one run; records beyond are shown without.
const DETAIL_BYTES_MAX: usize = 16 << 20;

/// The answers of one dry run: each record once, by its first answer. A batch that comes twice was read once, so its
/// answers say the same.
#[derive(Debug, Default)]
pub struct DryRunAccount {
    outcomes: HashMap<CompactId, Outcome>,
    counts: [u64; Outcome::ALL.len()],
    marked_only: u64,
    failures: BTreeMap<FailureCategory, u64>,
    filtered_by: BTreeMap<String, u64>,
    lookups: Vec<Lookup>,
    /// Links whose parent was not in HubSpot when it was looked for.
    waiting: Vec<Waiting>,
    records: BTreeMap<SalesforceId, PredictedRecord>,
    by_outcome: BTreeMap<Outcome, BTreeSet<SalesforceId>>,
    by_stance: BTreeMap<LinkStance, BTreeSet<SalesforceId>>,
    detail_bytes: usize,
    /// The extractor's latest word.
    pub progress: Option<RunProgress>,
}

/// The links of one lookup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) field: String,
    /// In the order of [`LinkStance::ALL`].
    pub(crate) links: [u64; LinkStance::ALL.len()],
    /// Associations that would be taken away.
    pub(crate) taken: u64,
    /// Links of records that HubSpot has already.
    pub(crate) of_present: u64,
    /// Distinct parents.
    parents: HashSet<CompactId>,
}

impl Lookup {
    pub(crate) fn parents(&self) -> u64 {
        self.parents.len() as u64
    }

    pub(crate) fn count(&self, stance: LinkStance) -> u64 {
        self.links[place(stance)]
    }
}

/// What can be shown of an account that is closed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct KeptAnswers {
    outcomes: Vec<(Outcome, u64)>,
    /// By lookup field, those that there are.
    links: Vec<(String, Vec<(LinkStance, u64)>)>,
    records: Vec<PredictedRecord>,
}

impl KeptAnswers {
    /// Forgets what values change.
    pub(crate) fn leave_out_values(&mut self) {
        self.records.iter_mut().for_each(PredictedRecord::cut);
    }

    /// Forgets the records; the counts stay.
    pub(crate) fn leave_out_records(&mut self) {
        self.records.clear();
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    child: CompactId,
    lookup: u16,
    parent: CompactId,
    /// Whether another record is linked now.
    moves: bool,
}

/// Records that would be in HubSpot after an import.
#[derive(Debug, Default)]
pub(crate) struct Present {
    ids: HashSet<CompactId>,
}

impl Present {
    fn has(&self, id: CompactId) -> bool {
        self.ids.contains(&id)
    }
}

/// What is known of a parent that was not in HubSpot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coming {
    /// Another import, or this one, brings it.
    Yes,
    /// None brings it.
    No,
    /// Only some of the records that an import would bring were looked at.
    Unknown,
}

fn place(stance: LinkStance) -> usize {
    LinkStance::ALL
        .iter()
        .position(|one| *one == stance)
        .expect("every stance is among all of them")
}

impl DryRunAccount {
    pub(crate) fn fold(&mut self, records: &[PredictedRecord]) {
        for record in records {
            let id = CompactId::from(record.id);
            if self.outcomes.contains_key(&id) {
                continue;
            }
            self.outcomes.insert(id, record.outcome);
            self.counts[place_of(record.outcome)] += 1;
            match (record.outcome, &record.failure) {
                (Outcome::Failed, Some(failure)) => *self.failures.entry(failure.category).or_default() += 1,
                (Outcome::Filtered, Some(condition)) => {
                    *self.filtered_by.entry(condition.message.clone()).or_default() += 1;
                }
                _ => {}
            }
            let changes_nothing = record.changes.is_empty() && !record.cut;
            self.marked_only += u64::from(record.outcome == Outcome::Updated && changes_nothing);
            for link in &record.links {
                self.fold_link(record, link);
            }
            self.keep(record);
        }
    }

    fn fold_link(&mut self, record: &PredictedRecord, link: &PredictedLink) {
        let at = match self.lookups.iter().position(|lookup| lookup.field == link.field) {
            Some(at) => at,
            None => {
                self.lookups.push(Lookup {
                    field: link.field.clone(),
                    ..Lookup::default()
                });
                self.lookups.len() - 1
            }
        };
        let lookup = &mut self.lookups[at];
        lookup.links[place(link.stance)] += 1;
        lookup.taken += link.former.len() as u64;
        lookup.of_present += u64::from(record.hubspot_id.is_some());
        lookup.parents.extend(link.parent.map(CompactId::from));
        // One that waits for the record itself waits whatever comes.
        if let (LinkStance::Wait, Some(parent)) = (link.stance, link.parent)
            && link.waits_for == Some(parent)
            && let Ok(lookup) = u16::try_from(at)
        {
            self.waiting.push(Waiting {
                child: record.id.into(),
                lookup,
                parent: parent.into(),
                moves: !link.former.is_empty(),
            });
        }
    }

    /// Keeps a record while there is room for one of its kind.
    fn keep(&mut self, record: &PredictedRecord) {
        let mut is_kept = false;
        let of_outcome = self.by_outcome.entry(record.outcome).or_default();
        if of_outcome.len() < SHOWN_MAX {
            is_kept |= of_outcome.insert(record.id);
        }
        for link in &record.links {
            let of_stance = self.by_stance.entry(link.stance).or_default();
            if of_stance.len() < SHOWN_MAX {
                is_kept |= of_stance.insert(record.id);
            }
        }
        if !is_kept {
            return;
        }
        let mut record = record.clone();
        let bytes = record.detail_bytes();
        if self.detail_bytes + bytes > DETAIL_BYTES_MAX {
            record.cut();
        } else {
            self.detail_bytes += bytes;
        }
        self.records.insert(record.id, record);
    }

    /// Records answered.
    pub fn answered(&self) -> u64 {
        self.outcomes.len() as u64
    }

    /// Records by outcome, those that there are.
    pub fn outcomes(&self) -> Vec<(Outcome, u64)> {
        let counts = Outcome::ALL.into_iter().zip(self.counts);
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Records of one outcome.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.counts[place_of(outcome)]
    }

    pub(crate) fn marked_only(&self) -> u64 {
        self.marked_only
    }

    pub(crate) fn failures(&self) -> Vec<(FailureCategory, u64)> {
        self.failures
            .iter()
            .map(|(kind, count)| (*kind, *count))
            .collect()
    }

    pub(crate) fn filtered_by(&self) -> Vec<(String, u64)> {
        let counts = self.filtered_by.iter();
        counts
            .map(|(condition, count)| (condition.clone(), *count))
            .collect()
    }

    pub(crate) fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    /// Whether a record was answered.
    pub(crate) fn has(&self, id: SalesforceId) -> bool {
        self.outcomes.contains_key(&id.into())
    }

    /// The records that would be in HubSpot afterwards.
    pub(crate) fn present(&self) -> Present {
        let stays =
            |outcome: &Outcome| matches!(outcome, Outcome::Created | Outcome::Updated | Outcome::Unchanged);
        Present {
            ids: self
                .outcomes
                .iter()
                .filter(|(_, outcome)| stays(outcome))
                .map(|(id, _)| *id)
                .collect(),
        }
    }

    /// What can be shown of it.
    pub(crate) fn kept(&self) -> KeptAnswers {
        let links = |lookup: &Lookup| {
            let counts = LinkStance::ALL.into_iter().zip(lookup.links);
            (
                lookup.field.clone(),
                counts.filter(|(_, count)| *count > 0).collect(),
            )
        };
        KeptAnswers {
            outcomes: self.outcomes(),
            links: self.lookups.iter().map(links).collect(),
            records: self.records.values().cloned().collect(),
        }
    }

    /// A closed account that shows what was kept of another.
    pub(crate) fn of_kept(kept: KeptAnswers) -> Self {
        let mut account = Self::default();
        for (outcome, count) in kept.outcomes {
            account.counts[place_of(outcome)] = count;
        }
        for (field, counts) in kept.links {
            let mut lookup = Lookup {
                field,
                ..Lookup::default()
            };
            for (stance, count) in counts {
                lookup.links[place(stance)] = count;
            }
            account.lookups.push(lookup);
        }
        kept.records.iter().for_each(|record| account.keep(record));
        account
    }

    /// Forgets what is only needed while answers come.
    pub(crate) fn close(&mut self) {
        self.outcomes = HashMap::new();
        self.waiting = Vec::new();
    }

    /// Decides the links that wait, once all that is coming is known: `coming` says of a lookup's field and a parent
    /// whether an import brings it.
    pub(crate) fn settle_waiting(&mut self, coming: impl Fn(&str, &dyn Fn(&Present) -> bool) -> Coming) {
        for waiting in std::mem::take(&mut self.waiting) {
            let lookup = &mut self.lookups[usize::from(waiting.lookup)];
            let stance = match coming(&lookup.field, &|present| present.has(waiting.parent)) {
                Coming::Yes if waiting.moves => LinkStance::Replace,
                Coming::Yes => LinkStance::Link,
                Coming::Unknown => LinkStance::Unknown,
                Coming::No => continue,
            };
            lookup.links[place(LinkStance::Wait)] -= 1;
            lookup.links[place(stance)] += 1;
            let (child, field) = (SalesforceId::from(waiting.child), lookup.field.clone());
            if let Some(record) = self.records.get_mut(&child) {
                restate(record, &field, stance);
            }
        }
        self.by_stance.clear();
        for record in self.records.values() {
            for link in &record.links {
                let of_stance = self.by_stance.entry(link.stance).or_default();
                if of_stance.len() < SHOWN_MAX {
                    of_stance.insert(record.id);
                }
            }
        }
    }

    /// The records that can be shown of an outcome, from behind `after`.
    pub(crate) fn of_outcome(
        &self,
        outcome: Outcome,
        after: Option<SalesforceId>,
    ) -> (u64, impl Iterator<Item = &PredictedRecord>) {
        self.shown(self.by_outcome.get(&outcome), after)
    }

    /// The records that can be shown with a link that stands so, from behind `after`.
    pub(crate) fn of_stance(
        &self,
        stance: LinkStance,
        after: Option<SalesforceId>,
    ) -> (u64, impl Iterator<Item = &PredictedRecord>) {
        self.shown(self.by_stance.get(&stance), after)
    }

    /// Links that stand so, of all lookups.
    pub(crate) fn links(&self, stance: LinkStance) -> u64 {
        self.lookups.iter().map(|lookup| lookup.count(stance)).sum()
    }

    fn shown<'a>(
        &'a self,
        ids: Option<&'a BTreeSet<SalesforceId>>,
        after: Option<SalesforceId>,
    ) -> (u64, impl Iterator<Item = &'a PredictedRecord>) {
        let kept = ids.map_or(0, BTreeSet::len) as u64;
        let behind = ids
            .into_iter()
            .flatten()
            .filter(move |id| after.is_none_or(|after| **id > after));
        (kept, behind.filter_map(|id| self.records.get(id)))
    }
}

/// A link whose parent comes after all, or may come.
fn restate(record: &mut PredictedRecord, field: &str, stance: LinkStance) {
    for link in record.links.iter_mut().filter(|link| link.field == field) {
        link.stance = stance;
        if stance != LinkStance::Unknown {
            link.waits_for = None;
        }
    }
}

#[cfg(test)]
mod tests;
