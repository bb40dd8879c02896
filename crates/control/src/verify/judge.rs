//! What a second look means: a difference, something that the rules leave as it is, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use landbridge_model::ask::ListedRecord;
use landbridge_model::sync::{AssociationRule, DeleteRule};
use landbridge_model::{HubSpotId, SalesforceId};
use landbridge_wire::{Difference, DifferenceKind};

use crate::ask::{FoundDifference, VerifyReport};
use crate::ledger::CompareAccount;

/// What is known after the second look.
pub(super) struct Looks<'a> {
    /// The second compare.
    pub again: &'a CompareAccount,
    /// Records that only HubSpot showed, and still has.
    pub still_there: &'a BTreeMap<SalesforceId, HubSpotId>,
    /// What a delete in Salesforce does.
    pub delete: DeleteRule,
    /// Deletes in grace or awaiting approval.
    pub held: BTreeSet<SalesforceId>,
    /// Parked links to parents that Landbridge does not write: child and field.
    pub waiting: BTreeSet<(SalesforceId, &'a str)>,
}

/// Whether links of this lookup may wait although both records are in HubSpot: parents that others write are seen when
/// they are looked for next. Those that Landbridge writes are announced, and nothing is left to wait for.
pub(super) fn may_wait(associations: &[AssociationRule], field: &str) -> bool {
    let found = associations.iter().find(|rule| rule.holds(field));
    found.is_none_or(|rule| rule.match_property.is_some())
}

/// Takes one record into the report.
pub(super) fn judge(id: SalesforceId, looks: &Looks<'_>, report: &mut VerifyReport) {
    let found = looks
        .again
        .differences()
        .get(&id)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut extra = looks.still_there.get(&id).copied();
    let mut called_extra = false;
    for difference in found {
        match difference.kind {
            DifferenceKind::Extra => {
                called_extra = true;
                extra = extra.or(difference.hubspot_id);
            }
            DifferenceKind::Link if looks.waiting.contains(&(id, difference.name.as_str())) => {
                let mut waiting = shown(difference);
                "waiting".clone_into(&mut waiting.kind);
                report.apart.push(waiting);
            }
            _ => report.differences.push(shown(difference)),
        }
    }
    if extra.is_some() || called_extra {
        judge_extra(id, extra, called_extra, looks, report);
    }
}

fn judge_extra(
    id: SalesforceId,
    hubspot_id: Option<HubSpotId>,
    called_extra: bool,
    looks: &Looks<'_>,
    report: &mut VerifyReport,
) {
    let mut found = FoundDifference {
        kind: String::new(),
        id: Some(id),
        hubspot_id,
        name: None,
        expected: None,
        actual: None,
        message: String::new(),
    };
    let seen = looks.again.version(id).is_some();
    let (kind, message) = if looks.held.contains(&id) {
        (
            "held",
            "deleted in Salesforce; the delete is in its grace period or awaits approval",
        )
    } else if looks.delete == DeleteRule::DoNothing {
        (
            "kept",
            "deleted in Salesforce or outside the filter; the sync's rule says to do nothing",
        )
    } else if seen && !called_extra {
        ("kept", "outside the sync's filter, which says to keep the record")
    } else if seen {
        ("extra", "in HubSpot, but no longer in Salesforce")
    } else {
        (
            "extra",
            "in HubSpot, but Salesforce shows no such record to this user: it was purged, or is hidden",
        )
    };
    kind.clone_into(&mut found.kind);
    message.clone_into(&mut found.message);
    if kind == "extra" {
        report.differences.push(found)
    } else {
        report.apart.push(found)
    }
}

/// A record of ours whose Salesforce id cannot be read.
pub(super) fn nameless(record: &ListedRecord, id_property: &str) -> FoundDifference {
    FoundDifference {
        kind: DifferenceKind::Extra.as_str().to_owned(),
        id: None,
        hubspot_id: Some(record.hubspot_id),
        name: Some(id_property.to_owned()),
        expected: None,
        actual: record.salesforce_id.clone(),
        message: "written by Landbridge, but its Salesforce id was changed or removed in HubSpot".to_owned(),
    }
}

fn shown(difference: &Difference) -> FoundDifference {
    FoundDifference {
        kind: difference.kind.as_str().to_owned(),
        id: Some(difference.id),
        hubspot_id: difference.hubspot_id,
        name: (!difference.name.is_empty()).then(|| difference.name.clone()),
        expected: difference.expected.clone(),
        actual: difference.actual.clone(),
        message: difference.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::Version;
    use landbridge_wire::{Compared, VersionedId};

    use super::*;

    fn id(number: u8) -> SalesforceId {
        SalesforceId::parse(&format!("a00Hs0000010{number:03}")).unwrap()
    }

    fn difference(number: u8, kind: DifferenceKind, name: &str) -> Difference {
        Difference {
            kind,
            id: id(number),
            hubspot_id: Some(HubSpotId(u64::from(number))),
            name: name.to_owned(),
            expected: Some("a".to_owned()),
            actual: Some("b".to_owned()),
            message: String::new(),
        }
    }

    /// Judges the records that were compared with these differences, and those that only HubSpot has.
    fn judged(
        compared: &[u8],
        differences: Vec<Difference>,
        strays: &[u8],
        delete: DeleteRule,
    ) -> (Vec<String>, Vec<String>) {
        let mut again = CompareAccount::default();
        again.fold(&Compared {
            records: compared
                .iter()
                .map(|number| VersionedId {
                    id: id(*number),
                    version: Version::new(1, 1),
                })
                .collect(),
            links: 0,
            differences,
        });
        let still_there = strays
            .iter()
            .map(|number| (id(*number), HubSpotId(u64::from(*number))))
            .collect();
        let looks = Looks {
            again: &again,
            still_there: &still_there,
            delete,
            held: BTreeSet::from([id(9)]),
            waiting: BTreeSet::from([(id(1), "Depot__c")]),
        };
        let mut report = VerifyReport::default();
        for number in 1..=9 {
            judge(id(number), &looks, &mut report);
        }
        let kinds = |list: &[FoundDifference]| list.iter().map(|found| found.kind.clone()).collect();
        (kinds(&report.differences), kinds(&report.apart))
    }

    #[test]
    fn what_does_not_stand_is_nothing() {
        assert_eq!(
            judged(&[1, 2], vec![], &[], DeleteRule::DeleteRecord),
            (vec![], vec![])
        );
    }

    #[test]
    fn only_links_to_parents_that_others_write_may_wait() {
        let rule = |field: &str, matched: Option<&str>| AssociationRule {
            field: field.to_owned(),
            object: None,
            to: "companies".to_owned(),
            match_property: matched.map(str::to_owned),
            label: None,
        };
        let rules = [
            rule("Account__c", Some("salesforceaccountid")),
            rule("Depot__c", None),
        ];
        assert!(may_wait(&rules, "account__c"));
        assert!(!may_wait(&rules, "Depot__c"), "a parent of ours is announced");
        assert!(may_wait(&rules, "Gone__c"), "the sync no longer carries it");
    }

    #[test]
    fn a_link_that_waits_for_its_parent_is_listed_apart() {
        let found = vec![
            difference(1, DifferenceKind::Link, "Depot__c"),
            difference(2, DifferenceKind::Link, "Depot__c"),
            difference(2, DifferenceKind::Different, "price"),
        ];
        let (differences, apart) = judged(&[1, 2], found, &[], DeleteRule::DoNothing);
        assert_eq!(differences, ["wrongly-linked", "different"]);
        assert_eq!(apart, ["waiting"]);
    }

    #[test]
    fn records_that_only_hubspot_has_follow_the_rules() {
        use DeleteRule::{DeleteRecord, DoNothing};
        let deleted = |number| vec![difference(number, DifferenceKind::Extra, "")];
        for (compared, differences, strays, rule, expected) in [
            (vec![], vec![], vec![3], DoNothing, (0, "kept")),
            (vec![3], deleted(3), vec![3], DoNothing, (0, "kept")),
            (vec![], vec![], vec![3], DeleteRecord, (1, "extra")), // purged in Salesforce
            (vec![3], deleted(3), vec![3], DeleteRecord, (1, "extra")),
            (vec![3], vec![], vec![3], DeleteRecord, (0, "kept")), // filtered, and kept
            (vec![9], deleted(9), vec![9], DeleteRecord, (0, "held")),
        ] {
            let (found, apart) = judged(&compared, differences, &strays, rule);
            assert_eq!(found.len(), expected.0, "{compared:?} {rule:?}");
            assert_eq!(found.iter().chain(&apart).collect::<Vec<_>>(), [expected.1]);
        }
    }
}
