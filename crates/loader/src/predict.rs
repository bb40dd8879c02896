//! What apply would make of a row, from what HubSpot has and what this worker remembers. Pure.
//!
//! The judgements are those by which apply decides. The memory is only looked into: it tells whether a call would be
//! made at all, which HubSpot cannot tell.

use std::collections::HashMap;

use landbridge_model::convert::equal_in;
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::sync::DeleteRule;
use landbridge_model::{
    Failure, FailureCategory, HubSpotId, LinkStance, Outcome, PredictedLink, PropertyChange, SalesforceId,
    Version, WriteBatch,
};

use crate::compare::LinkState;
use crate::deletes::settled_by_memory;
use crate::known::{DeleteJudgement, Fingerprint, Judgement, Known, Present, judge, judge_delete};

/// A record as HubSpot has it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: HubSpotId,
    /// Whether Landbridge wrote it.
    pub(crate) is_ours: bool,
    /// Its `landbridge_version`, where there is a readable one.
    pub(crate) version: Option<Version>,
    /// The batch's properties, in its order.
    pub(crate) values: Vec<Option<String>>,
}

/// The verdict on an upsert.
pub(crate) fn upsert(
    known: Known,
    found: Option<&Found>,
    version: Version,
    fingerprint: Fingerprint,
) -> Outcome {
    let read = found.map_or(Known::Absent, |found| {
        Known::Present(Present {
            id: found.id,
            version: found.version,
            fingerprint: None,
            told: false,
            made: false,
        })
    });
    // Of what nothing is known, apply reads the record before it judges.
    let judged = match known {
        Known::Nothing => judge(read, version, fingerprint, false),
        known => judge(known, version, fingerprint, false),
    };
    match (judged, found) {
        (Judgement::Superseded, _) => Outcome::Superseded,
        (Judgement::Unchanged, _) => Outcome::Unchanged,
        (Judgement::Look | Judgement::Write, Some(_)) => Outcome::Updated,
        (Judgement::Look | Judgement::Write, None) => Outcome::Created,
    }
}

/// How a sync deletes, as far as it matters for one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deleting {
    pub(crate) rule: DeleteRule,
    /// Whether deletes are held for a while first.
    pub(crate) has_grace: bool,
    /// Whether the safety limit lets one more pass.
    pub(crate) is_allowed: bool,
}

/// The verdict on a delete, in the order in which apply decides.
pub(crate) fn delete(deleting: Deleting, known: Known, found: Option<&Found>, version: Version) -> Outcome {
    if deleting.rule == DeleteRule::DoNothing {
        return Outcome::Kept;
    }
    if let Some(end) = settled_by_memory(known, version) {
        return end.outcome;
    }
    if deleting.has_grace || !deleting.is_allowed {
        return Outcome::Held;
    }
    match judge_delete(found.map(|found| (found.id, found.version)), known, version) {
        DeleteJudgement::AlreadyGone | DeleteJudgement::Archive(_) => Outcome::Deleted,
        DeleteJudgement::NotOurs => Outcome::Kept,
        DeleteJudgement::Superseded => Outcome::Superseded,
    }
}

/// What a row would change: all its values where there is no record yet, else those that differ.
pub(crate) fn changes(
    batch: &WriteBatch,
    row: usize,
    schema: &ObjectSchema,
    found: Option<&Found>,
) -> Vec<PropertyChange> {
    let mut changes = Vec::new();
    for (place, (name, column)) in batch.table.iter().enumerate() {
        let ours = column.get(row).filter(|text| !text.is_empty());
        let theirs = found
            .and_then(|found| found.values.get(place)?.as_deref())
            .filter(|text| !text.is_empty());
        let same = match schema.property(name) {
            Some(property) => equal_in(property, ours, theirs),
            None => ours == theirs,
        };
        if !same {
            changes.push(PropertyChange::new(name, theirs, ours));
        }
    }
    changes
}

/// The refusal of a value that another record has, of a property that allows each value once.
pub(crate) fn duplicate(property: &str, value: &str, other: HubSpotId) -> Failure {
    let message = format!(
        "the HubSpot record {other} has this value of {property}, which no two records may share; change it there or in \
         Salesforce"
    );
    Failure::new(FailureCategory::DuplicateUniqueValue, message)
        .property(property)
        .value(&landbridge_model::predict::shown(value))
}

/// Where the parent of a lookup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// Nowhere yet.
    Absent,
    /// This HubSpot record.
    Here(HubSpotId),
    /// Several HubSpot records claim to be it.
    Ambiguous(Vec<HubSpotId>),
}

/// The parents that were looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parents(pub(crate) HashMap<SalesforceId, Vec<HubSpotId>>);

impl Parents {
    pub(crate) fn of(&self, id: SalesforceId) -> Whereabouts {
        match self.0.get(&id).map(Vec::as_slice) {
            None | Some([]) => Whereabouts::Absent,
            Some([one]) => Whereabouts::Here(*one),
            Some(several) => Whereabouts::Ambiguous(several.to_vec()),
        }
    }
}

/// What becomes of a lookup; `None` when it is empty and nothing is linked. `linked` are the records that its
/// association connects now; `property` is how parents are found.
pub(crate) fn link(
    field: &str,
    parent: Option<(SalesforceId, Whereabouts)>,
    linked: &[HubSpotId],
    property: &str,
) -> Option<PredictedLink> {
    let mut predicted = PredictedLink {
        field: field.to_owned(),
        parent: parent.as_ref().map(|(id, _)| *id),
        stance: LinkStance::Unlink,
        parent_hubspot_id: None,
        former: linked.to_vec(),
        waits_for: None,
        failure: None,
    };
    let Some((parent, whereabouts)) = parent else {
        return (!linked.is_empty()).then_some(predicted);
    };
    match whereabouts {
        Whereabouts::Absent => {
            predicted.stance = LinkStance::Wait;
            predicted.waits_for = Some(parent);
        }
        Whereabouts::Here(id) => {
            predicted.parent_hubspot_id = Some(id);
            predicted.former.retain(|other| *other != id);
            predicted.stance = match (linked.contains(&id), predicted.former.is_empty()) {
                (true, true) => LinkStance::Stands,
                (false, true) => LinkStance::Link,
                (_, false) => LinkStance::Replace,
            };
        }
        Whereabouts::Ambiguous(claimants) => {
            predicted.stance = LinkStance::Refuse;
            predicted.failure = Some(ambiguous(parent, &claimants, property, field));
        }
    }
    Some(predicted)
}

/// The link of a record that has no HubSpot record to be linked from.
pub(crate) fn waits_for_itself(field: &str, parent: SalesforceId, child: SalesforceId) -> PredictedLink {
    PredictedLink {
        field: field.to_owned(),
        parent: Some(parent),
        stance: LinkStance::Wait,
        parent_hubspot_id: None,
        former: Vec::new(),
        waits_for: Some(child),
        failure: None,
    }
}

fn ambiguous(parent: SalesforceId, claimants: &[HubSpotId], property: &str, field: &str) -> Failure {
    let ids: Vec<String> = claimants.iter().map(HubSpotId::to_string).collect();
    let message = format!(
        "the HubSpot records {} all have {parent} in {property}: merge them, or clear it on all but one",
        ids.join(" and ")
    );
    Failure::new(FailureCategory::DuplicateUniqueValue, message)
        .property(property)
        .field(field)
        .value(parent.as_str())
}

/// The records that a lookup's association connects, of those that a compare found.
pub(crate) fn linked<'s>(states: &'s [LinkState<'_>], child: SalesforceId) -> &'s [HubSpotId] {
    let state = states.iter().find(|state| state.child == child);
    state.map_or(&[], |state| state.linked.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::{Envelope, Purpose, Revision, Source, SyncName, Table, TenantId};

    const NOW: Version = Version {
        stamp_ms: 5,
        read_ms: 0,
    };

    fn print(text: &str) -> Fingerprint {
        Fingerprint::of([("name", Some(text))])
    }

    fn found(version: Option<i64>) -> Found {
        Found {
            id: HubSpotId(7),
            is_ours: version.is_some(),
            version: version.map(|stamp| Version::new(stamp, 0)),
            values: Vec::new(),
        }
    }

    fn remembered(version: i64, values: Option<&str>) -> Known {
        Known::Present(Present {
            id: HubSpotId(7),
            version: Some(Version::new(version, 0)),
            fingerprint: values.map(print),
            told: true,
            made: false,
        })
    }

    #[test]
    fn an_upsert_ends_as_apply_would_end_it() {
        use Outcome::{Created, Superseded, Unchanged, Updated};
        for (known, there, expected) in [
            (Known::Nothing, None, Created),
            (Known::Absent, None, Created),
            (Known::Gone(Version::new(4, 0)), None, Created),
            (Known::Gone(Version::new(6, 0)), None, Superseded),
            (Known::Nothing, Some(found(None)), Updated),
            (Known::Nothing, Some(found(Some(5))), Updated),
            (Known::Nothing, Some(found(Some(6))), Superseded),
            (Known::Absent, Some(found(Some(6))), Updated),
            (remembered(5, Some("a")), Some(found(Some(5))), Unchanged),
            (remembered(5, Some("b")), Some(found(Some(5))), Updated),
            (remembered(6, None), Some(found(Some(5))), Superseded),
            // What somebody removed in HubSpot is not missed while Salesforce does not change it.
            (remembered(5, Some("a")), None, Unchanged),
            (remembered(5, Some("b")), None, Created),
        ] {
            assert_eq!(
                upsert(known, there.as_ref(), NOW, print("a")),
                expected,
                "{known:?} {there:?}"
            );
        }
    }

    #[test]
    fn a_delete_ends_as_apply_would_end_it() {
        use Outcome::{Deleted, Held, Kept, Superseded};
        let rule = |has_grace, is_allowed| Deleting {
            rule: DeleteRule::DeleteRecord,
            has_grace,
            is_allowed,
        };
        let nothing = Deleting {
            rule: DeleteRule::DoNothing,
            has_grace: false,
            is_allowed: true,
        };
        for (deleting, known, there, expected) in [
            (nothing, Known::Nothing, Some(found(Some(4))), Kept),
            (rule(false, true), Known::Nothing, Some(found(Some(4))), Deleted),
            (rule(false, true), Known::Nothing, None, Deleted),
            (rule(false, true), Known::Nothing, Some(found(None)), Kept),
            (
                rule(false, true),
                Known::Nothing,
                Some(found(Some(6))),
                Superseded,
            ),
            (rule(true, true), Known::Nothing, Some(found(Some(4))), Held),
            (rule(false, false), Known::Nothing, Some(found(Some(4))), Held),
            (rule(true, true), Known::Gone(Version::new(4, 0)), None, Deleted),
        ] {
            assert_eq!(
                delete(deleting, known, there.as_ref(), NOW),
                expected,
                "{deleting:?} {known:?} {there:?}"
            );
        }
    }

    #[test]
    fn changes_are_told_with_before_and_after() {
        let mut table = Table::with_columns(["name", "price", "notes"]);
        table.push_row([Some("Van"), Some("10"), None]);
        let batch = WriteBatch {
            envelope: Envelope {
                tenant: TenantId::new("acme").unwrap(),
                sync: SyncName::new("cars").unwrap(),
                revision: Revision(1),
                purpose: Purpose::Compare,
                source: Source::DryRun,
                run: None,
                force: false,
                only: None,
            },
            ids: vec![SalesforceId::parse("a00000000000001").unwrap()],
            versions: vec![NOW],
            kinds: vec![landbridge_model::ChangeKind::Upsert],
            table,
            links: Table::default(),
        };
        let schema: ObjectSchema = serde_json::from_str(
            r#"{"objectTypeId":"2-1","name":"cars","properties":[
                {"name":"name","type":"string"},{"name":"price","type":"number"},{"name":"notes","type":"string"}]}"#,
        )
        .unwrap();
        let of = |found: Option<&Found>| changes(&batch, 0, &schema, found);
        assert_eq!(
            of(None),
            [
                PropertyChange::new("name", None, Some("Van")),
                PropertyChange::new("price", None, Some("10"))
            ]
        );
        let there = |values: [Option<&str>; 3]| Found {
            values: values.map(|value| value.map(str::to_owned)).to_vec(),
            ..found(None)
        };
        assert_eq!(of(Some(&there([Some("Van"), Some("10.0"), Some("")]))), []);
        assert_eq!(
            of(Some(&there([Some("Car"), Some("10"), Some("old")]))),
            [
                PropertyChange::new("name", Some("Car"), Some("Van")),
                PropertyChange::new("notes", Some("old"), None)
            ]
        );
    }

    #[test]
    fn links_stand_wait_move_or_go() {
        use LinkStance::{Link, Refuse, Replace, Stands, Unlink, Wait};
        use Whereabouts::{Absent, Ambiguous, Here};
        let parent = SalesforceId::parse("a01000000000001").unwrap();
        let ids = |ids: &[u64]| ids.iter().copied().map(HubSpotId).collect::<Vec<_>>();
        for (at, linked, expected) in [
            (None, vec![], None),
            (None, vec![6], Some((Unlink, vec![6]))),
            (Some(Absent), vec![], Some((Wait, vec![]))),
            (Some(Absent), vec![6], Some((Wait, vec![6]))),
            (Some(Here(HubSpotId(5))), vec![], Some((Link, vec![]))),
            (Some(Here(HubSpotId(5))), vec![5], Some((Stands, vec![]))),
            (Some(Here(HubSpotId(5))), vec![6], Some((Replace, vec![6]))),
            (Some(Here(HubSpotId(5))), vec![5, 6], Some((Replace, vec![6]))),
            (Some(Ambiguous(ids(&[5, 6]))), vec![], Some((Refuse, vec![]))),
        ] {
            let told = link(
                "Depot__c",
                at.clone().map(|at| (parent, at)),
                &ids(&linked),
                "salesforce_id",
            );
            let expected = expected.map(|(stance, former)| (stance, ids(&former)));
            assert_eq!(
                told.map(|link| (link.stance, link.former)),
                expected,
                "{at:?} {linked:?}"
            );
        }
    }
}
