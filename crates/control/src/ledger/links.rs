//! The account of one import's links: each child's field once, by its latest outcome.

use std::collections::HashMap;

use landbridge_model::{LinkOutcome, LinkVerdict, SalesforceId, Version};
use serde::{Deserialize, Serialize};

use super::compact::{CompactId, CompactVersion};

/// Counts by outcome, in the order of [`LinkOutcome::ALL`].
pub(crate) type LinkCounts = [u64; LinkOutcome::ALL.len()];

/// Links of one import, in 32 bytes each.
#[derive(Debug, Default)]
pub struct LinkAccount {
    fields: Vec<String>,
    links: HashMap<(CompactId, u16), (CompactVersion, LinkOutcome)>,
    counts: LinkCounts,
    /// A closed account keeps only links that may still change; others it has never heard of are repeats.
    closed: bool,
}

/// A link that may still change, as a closed account is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenLink {
    child: SalesforceId,
    field: String,
    version: Version,
    outcome: LinkOutcome,
}

/// A closed account, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ClosedLinks {
    counts: LinkCounts,
    open: Vec<OpenLink>,
}

impl LinkAccount {
    /// Folds one verdict; one of an older version than is known changes nothing.
    pub(crate) fn fold(&mut self, verdict: &LinkVerdict) {
        let Some(field) = self.field(&verdict.field) else {
            return;
        };
        let key = (verdict.child.into(), field);
        match self.links.get_mut(&key) {
            Some((version, outcome)) => {
                if verdict.version < (*version).into() {
                    return;
                }
                self.counts[*outcome as usize] -= 1;
                *version = verdict.version.into();
                *outcome = verdict.outcome;
            }
            None if self.closed => return,
            None => {
                self.links.insert(key, (verdict.version.into(), verdict.outcome));
            }
        }
        self.counts[verdict.outcome as usize] += 1;
    }

    /// Folds a verdict that belongs to another cause. A link that waits here, or has failed, is told no more of once a
    /// later change of its record has replaced what it wanted: what became of that change became of it.
    pub(crate) fn supersede(&mut self, verdict: &LinkVerdict) {
        let field = self.fields.iter().position(|field| *field == verdict.field);
        let Some(field) = field.and_then(|field| u16::try_from(field).ok()) else {
            return;
        };
        let is_open = self
            .links
            .get(&(verdict.child.into(), field))
            .is_some_and(|(_, outcome)| outcome.is_open());
        if is_open {
            self.fold(verdict);
        }
    }

    fn field(&mut self, name: &str) -> Option<u16> {
        if let Some(known) = self.fields.iter().position(|field| field == name) {
            return u16::try_from(known).ok();
        }
        self.fields.push(name.to_owned());
        u16::try_from(self.fields.len() - 1).ok()
    }

    /// Distinct links by latest outcome.
    pub fn counts(&self) -> Vec<(LinkOutcome, u64)> {
        LinkOutcome::ALL
            .into_iter()
            .map(|outcome| (outcome, self.counts[outcome as usize]))
            .collect()
    }

    /// Lets go of the links that have arrived.
    pub(crate) fn close(&mut self) {
        self.links.retain(|_, (_, outcome)| outcome.is_open());
        self.links.shrink_to_fit();
        self.closed = true;
    }

    /// What is stored of a closed account.
    pub(crate) fn store(&self) -> ClosedLinks {
        let open = self
            .links
            .iter()
            .map(|((child, field), (version, outcome))| OpenLink {
                child: (*child).into(),
                field: self.fields[usize::from(*field)].clone(),
                version: (*version).into(),
                outcome: *outcome,
            });
        ClosedLinks {
            counts: self.counts,
            open: open.collect(),
        }
    }

    /// A closed account from what was stored.
    pub(crate) fn restore(stored: ClosedLinks) -> Self {
        let mut account = Self {
            counts: stored.counts,
            closed: true,
            ..Self::default()
        };
        for link in stored.open {
            if let Some(field) = account.field(&link.field) {
                account
                    .links
                    .insert((link.child.into(), field), (link.version.into(), link.outcome));
            }
        }
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(child: u8, field: &str, stamp: i64, outcome: LinkOutcome) -> LinkVerdict {
        LinkVerdict {
            child: SalesforceId::parse(&format!("a00Hs0000010{child:03}")).unwrap(),
            field: field.to_owned(),
            parent: None,
            version: Version::new(stamp, 0),
            outcome,
            failure: None,
        }
    }

    fn counts(account: &LinkAccount) -> LinkCounts {
        account.counts
    }

    #[test]
    fn a_link_counts_once_by_its_latest_outcome() {
        use LinkOutcome::{Linked, Parked};
        let mut account = LinkAccount::default();
        for (child, field, stamp, outcome) in [
            (1, "Depot__c", 10, Parked),
            (1, "Depot__c", 10, Linked),
            (1, "Depot__c", 10, Linked), // a redelivery
            (1, "Depot__c", 9, Parked),  // of an older change, late
            (1, "Account__c", 10, Linked),
            (2, "Depot__c", 10, Parked),
        ] {
            account.fold(&verdict(child, field, stamp, outcome));
        }
        assert_eq!(counts(&account), [2, 0, 1, 0]);
    }

    #[test]
    fn a_closed_account_still_sees_parked_links_arrive() {
        use LinkOutcome::{Linked, Parked};
        let mut account = LinkAccount::default();
        account.fold(&verdict(1, "Depot__c", 10, Linked));
        account.fold(&verdict(2, "Depot__c", 10, Parked));
        account.close();
        let stored = serde_json::to_string(&account.store()).unwrap();
        let mut account = LinkAccount::restore(serde_json::from_str(&stored).unwrap());
        account.fold(&verdict(1, "Depot__c", 10, Linked)); // a repeat of what was let go
        assert_eq!(counts(&account), [1, 0, 1, 0]);
        account.fold(&verdict(2, "Depot__c", 10, Linked));
        assert_eq!(counts(&account), [2, 0, 0, 0]);
    }
    #[test]
    fn a_waiting_link_takes_the_outcome_of_the_change_that_replaced_it() {
        use LinkOutcome::{Linked, Parked, Unlinked};
        let mut account = LinkAccount::default();
        account.fold(&verdict(1, "Depot__c", 10, Parked));
        account.fold(&verdict(2, "Depot__c", 10, Linked));
        account.supersede(&verdict(1, "Depot__c", 9, Unlinked)); // an older change, late
        account.supersede(&verdict(1, "Owner__c", 11, Linked)); // another lookup
        account.supersede(&verdict(3, "Depot__c", 11, Linked)); // another record
        account.supersede(&verdict(2, "Depot__c", 11, Unlinked)); // what had arrived here is told elsewhere
        assert_eq!(counts(&account), [1, 0, 1, 0]);
        account.supersede(&verdict(1, "Depot__c", 11, Unlinked));
        assert_eq!(counts(&account), [1, 1, 0, 0]);
    }
}
