use landbridge_model::{Failure, HubSpotId, PropertyChange, Version};
use proptest::prelude::*;

use super::*;

fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("a01{number:012}")).unwrap()
}

fn record(number: u32, outcome: Outcome) -> PredictedRecord {
    PredictedRecord::new(id(number), Version::new(1, 1), outcome)
}

fn waits(number: u32, parent: u32) -> PredictedRecord {
    let link = PredictedLink {
        field: "Parent__c".to_owned(),
        parent: Some(id(parent)),
        stance: LinkStance::Wait,
        parent_hubspot_id: None,
        former: Vec::new(),
        waits_for: Some(id(parent)),
        failure: None,
    };
    PredictedRecord {
        links: vec![link],
        ..record(number, Outcome::Created)
    }
}

#[test]
fn what_was_counted_is_told_by_kind() {
    let mut account = DryRunAccount::default();
    let condition = Failure::new(FailureCategory::InvalidValue, "Status__c equals Open");
    let refusal = Failure::new(FailureCategory::PicklistOption, "no option");
    let filtered = PredictedRecord {
        failure: Some(condition),
        ..record(1, Outcome::Filtered)
    };
    let refused = PredictedRecord {
        failure: Some(refusal),
        ..record(2, Outcome::Failed)
    };
    let marked = record(3, Outcome::Updated);
    let changed = PredictedRecord {
        changes: vec![PropertyChange::new("name", Some("a"), Some("b"))],
        ..record(4, Outcome::Updated)
    };
    account.fold(&[filtered.clone(), refused, marked, changed]);
    account.fold(&[filtered]);
    assert_eq!(account.answered(), 4, "a batch that comes twice counts once");
    assert_eq!(
        account.outcomes(),
        [
            (Outcome::Updated, 2),
            (Outcome::Filtered, 1),
            (Outcome::Failed, 1)
        ]
    );
    assert_eq!(account.marked_only(), 1);
    assert_eq!(account.failures(), [(FailureCategory::PicklistOption, 1)]);
    assert_eq!(account.filtered_by(), [("Status__c equals Open".to_owned(), 1)]);
    let (kept, mut shown) = account.of_outcome(Outcome::Updated, Some(id(3)));
    assert_eq!((kept, shown.next().unwrap().id, shown.next()), (2, id(4), None));
}

#[test]
fn a_link_to_a_record_of_the_same_run_would_be_made() {
    let mut account = DryRunAccount::default();
    let itself = PredictedRecord {
        outcome: Outcome::Failed,
        links: vec![PredictedLink {
            waits_for: Some(id(9)),
            ..waits(9, 1).links[0].clone()
        }],
        ..record(9, Outcome::Failed)
    };
    account.fold(&[waits(1, 2), waits(2, 2), waits(3, 9), waits(4, 50), itself]);
    let present = account.present();
    account.settle_waiting(|field, comes| {
        assert_eq!(field, "Parent__c");
        if comes(&present) { Coming::Yes } else { Coming::No }
    });
    let lookup = &account.lookups()[0];
    assert_eq!(
        (lookup.count(LinkStance::Link), lookup.count(LinkStance::Wait)),
        (2, 3)
    );
    assert_eq!(lookup.parents(), 4);
    let (_, linked) = account.of_stance(LinkStance::Link, None);
    assert_eq!(linked.map(|record| record.id).collect::<Vec<_>>(), [id(1), id(2)]);
    let (_, waiting) = account.of_stance(LinkStance::Wait, None);
    assert_eq!(waiting.count(), 3);
}

#[test]
fn what_was_not_looked_at_is_not_counted_as_waiting() {
    let mut account = DryRunAccount::default();
    let mut moves = waits(1, 7);
    moves.links[0].former = vec![HubSpotId(3)];
    account.fold(&[moves]);
    account.settle_waiting(|_, _| Coming::Unknown);
    assert_eq!(account.links(LinkStance::Unknown), 1);
    assert_eq!(account.links(LinkStance::Wait), 0);
}

#[test]
fn only_so_many_records_of_a_kind_are_kept() {
    let mut account = DryRunAccount::default();
    let most = u32::try_from(SHOWN_MAX).unwrap();
    let records: Vec<PredictedRecord> = (0..most + 5)
        .map(|number| record(number, Outcome::Created))
        .collect();
    account.fold(&records);
    let (kept, shown) = account.of_outcome(Outcome::Created, None);
    assert_eq!((kept, shown.count()), (SHOWN_MAX as u64, SHOWN_MAX));
    assert_eq!(account.count(Outcome::Created), u64::from(most) + 5);
}

proptest! {
    /// However answers are cut into reports and repeated, they add up to the same.
    #[test]
    fn repeats_and_cuts_change_nothing(
        outcomes in prop::collection::vec(0usize..Outcome::ALL.len(), 1..60),
        cut in 1usize..20,
        again in any::<bool>(),
    ) {
        let records: Vec<PredictedRecord> = (0u32..)
            .zip(&outcomes)
            .map(|(number, outcome)| record(number, Outcome::ALL[*outcome]))
            .collect();
        let mut whole = DryRunAccount::default();
        whole.fold(&records);
        let mut parted = DryRunAccount::default();
        for part in records.chunks(cut) {
            parted.fold(part);
            if again {
                parted.fold(part);
            }
        }
        prop_assert_eq!(parted.outcomes(), whole.outcomes());
        prop_assert_eq!(parted.answered(), outcomes.len() as u64);
        let counted: u64 = whole.outcomes().iter().map(|(_, count)| count).sum();
        prop_assert_eq!(counted, outcomes.len() as u64);
    }
}
