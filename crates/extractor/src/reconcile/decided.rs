//! What a person has decided of records that Salesforce does not show. Pure.

use std::collections::{HashMap, HashSet};

use landbridge_model::{SalesforceId, Version};

/// Absences that a person has decided on, in one look. Pure.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// By record, the version of the delete that was discarded.
    discarded: HashMap<SalesforceId, Version>,
    /// Those that HubSpot lists as they were then.
    unchanged: HashSet<SalesforceId>,
    /// Those that are absent as they were then.
    still: HashSet<SalesforceId>,
}

impl Decided {
    pub(super) fn new(discarded: HashMap<SalesforceId, Version>) -> Self {
        Self {
            discarded,
            ..Self::default()
        }
    }

    /// HubSpot has a record at a version. A newer one than the delete's was written because Salesforce showed the record.
    pub(super) fn listed(&mut self, id: SalesforceId, version: Option<Version>) {
        let Some(discarded) = self.discarded.get(&id) else {
            return;
        };
        if version.is_none_or(|version| version <= *discarded) {
            self.unchanged.insert(id);
        }
    }

    /// Whether a record that is absent was decided on as such.
    pub(super) fn still(&mut self, id: SalesforceId) -> bool {
        let is_decided = self.unchanged.contains(&id);
        if is_decided {
            self.still.insert(id);
        }
        is_decided
    }

    /// Decisions that the look has found no case for among these records: they are there, or their absence is another one.
    pub(super) fn over_among(&self, ids: &[SalesforceId]) -> Vec<SalesforceId> {
        let decided = ids.iter().filter(|id| self.discarded.contains_key(id));
        decided.filter(|id| !self.still.contains(id)).copied().collect()
    }

    /// The same of the whole look, also where HubSpot has the records no more.
    pub(super) fn over(&self) -> Vec<SalesforceId> {
        let decided = self.discarded.keys();
        decided.filter(|id| !self.still.contains(id)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_is_decided_until_the_record_is_seen_again() {
        let id = |text: &str| SalesforceId::parse(text).unwrap();
        let [kept, rewritten, back, gone, other] = [
            "a00000000000001",
            "a00000000000002",
            "a00000000000003",
            "a00000000000004",
            "a00000000000005",
        ]
        .map(id);
        let at = |ms| Version::new(ms, ms);
        let discarded = [kept, rewritten, back, gone].map(|id| (id, at(2_000)));
        let mut decided = Decided::new(HashMap::from(discarded));
        decided.listed(kept, Some(at(1_000)));
        // Written since: Salesforce had shown it again.
        decided.listed(rewritten, Some(at(3_000)));
        decided.listed(back, Some(at(1_000)));
        decided.listed(other, Some(at(1_000)));
        // All but the one that is back are absent.
        assert!(decided.still(kept));
        assert!(!decided.still(rewritten));
        assert!(!decided.still(other));
        assert_eq!(
            decided.over_among(&[kept, rewritten, back, other]),
            [rewritten, back]
        );
        let mut over = decided.over();
        over.sort();
        assert_eq!(over, [rewritten, back, gone]);
    }
}
