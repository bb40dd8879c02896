//! W1: what is encoded decodes to an equal value. W2: what makes no value is refused.

use landbridge_model::{
    ChangeBatch, ChangeKind, Envelope, Failure, FailureCategory, Former, HubSpotId, LinkIntents, LinkOutcome,
    LinkStance, LinkVerdict, LinkWrite, LinkWrites, Outcome, PredictedLink, PredictedRecord, PropertyChange,
    Purpose, RecordOutcome, Revision, RunId, SalesforceId, Source, StageKind, SyncName, Table, TenantId,
    Version,
};
use landbridge_wire::{LinkMessage, Report, ReportBody, Wire};
use proptest::prelude::*;

fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("a00xx{number:010}")).unwrap()
}

fn ids() -> impl Strategy<Value = SalesforceId> {
    (0u32..5_000).prop_map(id)
}

fn versions() -> impl Strategy<Value = Version> {
    (0i64..2_000_000_000_000, -5i64..2_000_000_000_000).prop_map(|(stamp, read)| Version::new(stamp, read))
}

fn envelopes() -> impl Strategy<Value = Envelope> {
    (
        any::<bool>(),
        any::<bool>(),
        0u32..9,
        proptest::option::of("[a-z0-9-]{1,20}"),
    )
        .prop_map(|(compare, force, revision, run)| Envelope {
            tenant: TenantId::new("acme").unwrap(),
            sync: SyncName::new("vehicles").unwrap(),
            revision: Revision(revision),
            purpose: if compare { Purpose::Compare } else { Purpose::Apply },
            source: if compare {
                Source::Compare
            } else {
                Source::Increment
            },
            run: run.map(|run| RunId::new(&run).unwrap()),
            force,
            only: None,
        })
}

type Row = (SalesforceId, Version, bool, Option<String>, Option<String>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let cell = || proptest::option::of("[ -~äöü€\n\"]{0,12}");
    prop::collection::vec((ids(), versions(), any::<bool>(), cell(), cell()), 0..40)
}

fn change_batch(envelope: Envelope, rows: &[Row]) -> ChangeBatch {
    let mut table = Table::with_columns(["Name", "Price__c"]);
    for row in rows {
        table.push_row([row.3.as_deref(), row.4.as_deref()]);
    }
    ChangeBatch {
        envelope,
        ids: rows.iter().map(|row| row.0).collect(),
        versions: rows.iter().map(|row| row.1).collect(),
        kinds: rows
            .iter()
            .map(|row| {
                if row.2 {
                    ChangeKind::Delete
                } else {
                    ChangeKind::Upsert
                }
            })
            .collect(),
        table,
    }
}

proptest! {
    #[test]
    fn a_change_batch_comes_back_equal(envelope in envelopes(), rows in rows()) {
        let batch = change_batch(envelope, &rows);
        prop_assert_eq!(ChangeBatch::decode(&batch.encode()).unwrap(), batch);
    }

    #[test]
    fn link_intents_come_back_equal(envelope in envelopes(), rows in rows()) {
        let batch = change_batch(envelope, &rows);
        let message = LinkMessage::Intents(LinkIntents {
            envelope: batch.envelope,
            deleted: batch.kinds.iter().map(|kind| *kind == ChangeKind::Delete).collect(),
            children: batch.ids,
            versions: batch.versions,
            table: batch.table,
        });
        prop_assert_eq!(LinkMessage::decode(&message.encode()).unwrap(), message);
    }

    #[test]
    fn no_bytes_make_a_stage_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _change = ChangeBatch::decode(&bytes);
        let _links = LinkMessage::decode(&bytes);
        let _report = Report::decode(&bytes);
    }

    #[test]
    fn a_damaged_message_is_refused_or_read_but_never_a_panic(
        envelope in envelopes(), rows in rows(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = change_batch(envelope, &rows).encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _read = ChangeBatch::decode(&bytes);
    }
}

fn envelope() -> Envelope {
    Envelope {
        tenant: TenantId::new("acme").unwrap(),
        sync: SyncName::new("vehicles").unwrap(),
        revision: Revision(3),
        purpose: Purpose::Apply,
        source: Source::Import,
        run: Some(RunId::new("imp-1").unwrap()),
        force: false,
        only: None,
    }
}

#[test]
fn every_kind_of_former_parent_survives() {
    let link = |former, parent| LinkWrite {
        child: id(1),
        child_hubspot_id: HubSpotId(11),
        field: "Depot__c".to_owned(),
        parent,
        former,
        version: Version::new(5, 6),
    };
    let writes = LinkWrites {
        envelope: envelope(),
        links: vec![
            link(Former::Nothing, Some((id(2), HubSpotId(22)))),
            link(Former::Record(HubSpotId(9)), None),
            link(Former::Unknown, Some((id(3), HubSpotId(33)))),
        ],
    };
    assert_eq!(LinkWrites::decode(&writes.encode()).unwrap(), writes);
}

#[test]
fn every_outcome_survives_with_its_failure() {
    let failure = Failure::new(FailureCategory::PicklistOption, "no option for Steam")
        .property("fuel_type")
        .field("Fuel__c")
        .value("");
    let records = Outcome::ALL
        .into_iter()
        .zip(1u32..)
        .map(|(outcome, number)| RecordOutcome {
            id: id(number),
            version: Version::new(i64::from(number), 0),
            outcome,
            hubspot_id: (number % 2 == 0).then_some(HubSpotId(u64::from(number))),
            failure: (outcome == Outcome::Failed).then(|| failure.clone()),
        })
        .collect();
    let links = LinkOutcome::ALL
        .into_iter()
        .map(|outcome| LinkVerdict {
            child: id(1),
            field: "Depot__c".to_owned(),
            parent: (outcome != LinkOutcome::Unlinked).then(|| id(2)),
            version: Version::new(7, 8),
            outcome,
            failure: None,
        })
        .collect();
    for body in [ReportBody::Records(records), ReportBody::Links(links)] {
        let report = Report {
            envelope: envelope(),
            stage: StageKind::Loader,
            at_ms: 5,
            org_ahead_ms: -3,
            body,
        };
        assert_eq!(Report::decode(&report.encode()).unwrap(), report);
    }
}

#[test]
fn every_kind_of_prediction_survives() {
    let failure = Failure::new(FailureCategory::PicklistOption, "no option for Steam").value("Steam");
    let links = LinkStance::ALL.into_iter().map(|stance| PredictedLink {
        field: "Depot__c".to_owned(),
        parent: (stance != LinkStance::Unlink).then(|| id(2)),
        stance,
        parent_hubspot_id: (stance == LinkStance::Stands).then_some(HubSpotId(22)),
        former: if stance == LinkStance::Replace {
            vec![HubSpotId(7), HubSpotId(8)]
        } else {
            Vec::new()
        },
        waits_for: (stance == LinkStance::Wait).then(|| id(2)),
        failure: (stance == LinkStance::Refuse).then(|| failure.clone()),
    });
    let refused = PredictedRecord {
        failure: Some(failure.clone()),
        ..PredictedRecord::new(id(1), Version::new(1, 2), Outcome::Failed)
    };
    let updated = PredictedRecord {
        hubspot_id: Some(HubSpotId(11)),
        changes: vec![
            PropertyChange::new("price", Some("1"), None),
            PropertyChange::new("name", None, Some("")),
        ],
        links: links.collect(),
        ..PredictedRecord::new(id(2), Version::new(3, 4), Outcome::Updated)
    };
    let cut = PredictedRecord {
        cut: true,
        ..PredictedRecord::new(id(3), Version::new(5, 6), Outcome::Created)
    };
    let report = Report {
        envelope: Envelope {
            purpose: Purpose::Compare,
            source: Source::DryRun,
            ..envelope()
        },
        stage: StageKind::Loader,
        at_ms: 5,
        org_ahead_ms: 0,
        body: ReportBody::Predicted(vec![refused, updated, cut]),
    };
    assert_eq!(Report::decode(&report.encode()).unwrap(), report);
}

#[test]
fn what_was_there_before_comes_back_equal() {
    use landbridge_model::ObjectTypeId;
    use landbridge_model::batch::AssociationType;
    use landbridge_model::before::{
        BeforeBody, BeforeImage, LeftValue, LinksBefore, PairBefore, RecordsBefore, UndoneImage,
    };
    let mut before = Table::with_columns(["name", "price"]);
    before.push_row([Some("by hand"), None]);
    before.push_row([None, None]);
    let mut ours = Table::with_columns(["name", "price"]);
    ours.push_row([None, Some("")]);
    ours.push_row([Some("new"), Some("5")]);
    let records = RecordsBefore {
        id_property: "salesforce_id".to_owned(),
        ids: vec![id(1), id(2)],
        versions: vec![Version::new(5, 6), Version::new(7, -1)],
        kinds: vec![ChangeKind::Upsert, ChangeKind::Delete],
        hubspot_ids: vec![Some(HubSpotId(9)), None],
        before,
        ours,
    };
    let label = AssociationType {
        category: "USER_DEFINED".to_owned(),
        type_id: 7,
    };
    let links = LinksBefore {
        to: ObjectTypeId::new("0-2"),
        pairs: vec![PairBefore {
            child: id(1),
            from: HubSpotId(9),
            to: HubSpotId(10),
            // Not associated is not the same as associated plainly.
            before: None,
            ours: Some([label].into()),
        }],
    };
    let envelope = Envelope {
        tenant: TenantId::new("acme").unwrap(),
        sync: SyncName::new("vehicles").unwrap(),
        revision: Revision(3),
        purpose: Purpose::Apply,
        source: Source::Import,
        run: Some(RunId::new("imp-1").unwrap()),
        force: false,
        only: None,
    };
    for body in [BeforeBody::Records(records), BeforeBody::Links(links)] {
        let image = BeforeImage {
            envelope: envelope.clone(),
            object_type: ObjectTypeId::new("2-1"),
            body,
        };
        assert_eq!(BeforeImage::decode(&image.encode()).unwrap(), image);
    }
    let undone = UndoneImage {
        restored: vec![id(1), id(2)],
        archived: vec![id(3)],
        links: 4,
        left: vec![LeftValue {
            id: id(5),
            hubspot_id: None,
            property: "name".to_owned(),
            now: Some(String::new()),
            before: None,
            reason: "edited".to_owned(),
        }],
    };
    assert_eq!(UndoneImage::decode(&undone.encode()).unwrap(), undone);
    assert!(BeforeImage::decode(&[]).is_err(), "it holds nothing");
}
