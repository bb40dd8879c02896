//! What one compare has answered so far.

use std::collections::{BTreeMap, HashMap};

use landbridge_model::{SalesforceId, Version};
use landbridge_wire::{Compared, Difference, RunProgress};

use super::compact::{CompactId, CompactVersion};

/// The answers of one compare: each record once, by its latest answer.
#[derive(Debug, Default)]
pub struct CompareAccount {
    compared: HashMap<CompactId, CompactVersion>,
    differences: BTreeMap<SalesforceId, Vec<Difference>>,
    /// The extractor's latest word.
    pub progress: Option<RunProgress>,
    links_total: u64,
}

impl CompareAccount {
    pub(crate) fn fold(&mut self, answer: &Compared) {
        let mut news = false;
        for record in &answer.records {
            news |= self
                .compared
                .insert(record.id.into(), record.version.into())
                .is_none();
            self.differences.remove(&record.id);
        }
        // A batch is answered as a whole: one that was delivered twice has no new record, and its links count once.
        if news {
            self.links_total += answer.links;
        }
        for difference in &answer.differences {
            self.differences
                .entry(difference.id)
                .or_default()
                .push(difference.clone());
        }
    }

    /// Distinct records compared.
    pub fn compared(&self) -> u64 {
        self.compared.len() as u64
    }

    /// Links compared.
    pub fn links(&self) -> u64 {
        self.links_total
    }

    /// The version at which a record was compared.
    pub fn version(&self, id: SalesforceId) -> Option<Version> {
        self.compared.get(&id.into()).copied().map(Version::from)
    }

    /// What was found, by record.
    pub fn differences(&self) -> &BTreeMap<SalesforceId, Vec<Difference>> {
        &self.differences
    }
}
