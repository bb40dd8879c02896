use std::time::Duration;

use landbridge_bus::Queue;
use landbridge_model::ask::Explain;
use landbridge_model::ids::Revision;
use landbridge_model::{Lane, Outcome, Purpose, Source, StageKind, WriteBatch};
use landbridge_wire::{DifferenceKind, LinkMessage, ReportBody};

use crate::rig::{Rig, batch, id, soon, sync_name, take, tenant};

/// Numbers of records by outcome.
fn outcomes(body: &ReportBody) -> Vec<(Outcome, landbridge_model::SalesforceId)> {
    match body {
        ReportBody::Records(records) => records.iter().map(|told| (told.outcome, told.id)).collect(),
        other => panic!("verdicts on records were expected: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_comes_of_a_batch_is_on_the_bus_before_it_is_acknowledged() {
    let rig = Rig::new().await;
    rig.put_sync(1).await;
    let mapper = rig.mapper().await;
    let mut writes = rig.reader(Queue::Writes, Lane::Bulk).await;
    let mut links = rig.reader(Queue::Links, Lane::Bulk).await;
    let mut reports = rig.reports().await;
    let first = [
        (1, 10, "one", "975000.0", "Sold"),
        (2, 10, "two", "a lot", "Sold"),
        (3, 10, "three", "3", "Scrapped"),
    ];
    rig.publish(Lane::Bulk, &batch(Purpose::Apply, 1, &first)).await;

    let LinkMessage::Intents(intents) = take(&mut links).await else {
        panic!("intents were expected");
    };
    assert_eq!(intents.children, [id(1)]);
    let written: WriteBatch = take(&mut writes).await;
    assert_eq!(written.ids, [id(1)]);
    assert_eq!(written.table.column("price").unwrap().get(0), Some("975000"));
    let report = reports.next().await;
    assert_eq!(report.stage, StageKind::Mapper);
    assert_eq!(report.envelope.run, written.envelope.run);
    assert_eq!(
        outcomes(&report.body),
        [(Outcome::Failed, id(2)), (Outcome::Filtered, id(3))]
    );
    rig.until_all_is_acknowledged().await;
    let failures = rig.hub.failures(&tenant(), Some(&sync_name())).await.unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].id, failures[0].attempts), (id(2), 1));
    assert_eq!(failures[0].failure.value.as_deref(), Some("a lot"));

    // A cured record is written and its failure forgotten; an older change of a record goes nowhere.
    let second = [(2, 11, "two", "2", "Sold"), (1, 9, "one before", "1", "Sold")];
    rig.publish(Lane::Bulk, &batch(Purpose::Apply, 1, &second)).await;
    let written: WriteBatch = take(&mut writes).await;
    assert_eq!(written.ids, [id(2)]);
    assert_eq!(
        outcomes(&reports.next().await.body),
        [(Outcome::Superseded, id(1))]
    );
    rig.until_all_is_acknowledged().await;
    assert_eq!(rig.hub.failures(&tenant(), None).await.unwrap(), []);

    let question = Explain { id: id(1) };
    let story = rig
        .hub
        .ask(StageKind::Mapper, &tenant(), &question, Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(story.lines.len(), 1);
    assert!(
        story.lines[0]
            .text
            .starts_with("change of 1970-01-01T00:00:10Z (by import)")
    );

    // After an orderly restart the versions are still known.
    mapper.stop().await;
    let mapper = rig.mapper().await;
    rig.publish(Lane::Bulk, &batch(Purpose::Apply, 1, &second[1..]))
        .await;
    assert_eq!(
        outcomes(&reports.next().await.body),
        [(Outcome::Superseded, id(1))]
    );
    mapper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_for_its_sync_and_a_message_that_makes_no_sense_stops_nobody() {
    let rig = Rig::new().await;
    rig.put_sync(1).await;
    let mapper = rig.mapper().await;
    let mut writes = rig.reader(Queue::Writes, Lane::Live).await;
    rig.publish_bytes(Lane::Live, b"no batch at all".to_vec()).await;
    rig.publish(
        Lane::Live,
        &batch(Purpose::Apply, 2, &[(1, 10, "one", "1", "Sold")]),
    )
    .await;
    rig.put_sync(2).await;
    let written: WriteBatch = take(&mut writes).await;
    assert_eq!(written.envelope.revision, Revision(2));
    rig.until_all_is_acknowledged().await;
    mapper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compare_answers_for_what_it_refuses_and_remembers_nothing() {
    let rig = Rig::new().await;
    rig.put_sync(1).await;
    let mapper = rig.mapper().await;
    let mut writes = rig.reader(Queue::Writes, Lane::Check).await;
    let mut reports = rig.reports().await;
    let rows = [
        (1, 10, "one", "1", "Sold"),
        (2, 10, "two", "a lot", "Sold"),
        (3, 10, "three", "3", "Scrapped"),
    ];
    rig.publish(Lane::Check, &batch(Purpose::Compare, 1, &rows)).await;
    let written: WriteBatch = take(&mut writes).await;
    assert_eq!(written.ids, [id(1)]);
    assert_eq!(
        written.links.column("Depot__c").unwrap().get(0),
        Some("a02000000000007AAA")
    );
    let ReportBody::Compared(compared) = reports.next().await.body else {
        panic!("a compare's answer was expected");
    };
    let answered: Vec<_> = compared.records.iter().map(|record| record.id).collect();
    assert_eq!(answered, [id(2), id(3)]);
    let refused: Vec<_> = compared
        .differences
        .iter()
        .map(|d| (d.kind, d.id, d.name.as_str()))
        .collect();
    assert_eq!(refused, [(DifferenceKind::Refused, id(2), "price")]);
    rig.until_all_is_acknowledged().await;
    assert_eq!(rig.hub.failures(&tenant(), None).await.unwrap(), []);
    let question = Explain { id: id(1) };
    let whose = tenant();
    let answer = rig
        .hub
        .ask(StageKind::Mapper, &whose, &question, Duration::from_secs(10));
    assert_eq!(soon("an answer", answer).await.unwrap().lines, []);
    mapper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_mapped_by_its_draft_and_dropped_when_it_is_over() {
    let rig = Rig::new().await;
    // The stored sync has a filter that the draft has not.
    rig.put_sync(1).await;
    rig.put_draft(false).await;
    let mapper = rig.mapper().await;
    let mut writes = rig.reader(Queue::Writes, Lane::Check).await;
    let mut reports = rig.reports().await;
    let rows = [(2, 10, "two", "a lot", "Sold"), (3, 10, "three", "3", "Scrapped")];
    let mut of_draft = batch(Purpose::Compare, 1, &rows);
    of_draft.envelope.source = Source::DryRun;
    rig.publish(Lane::Check, &of_draft).await;
    let written: WriteBatch = take(&mut writes).await;
    assert_eq!(written.ids, [id(3)]);
    let ReportBody::Predicted(predicted) = reports.next().await.body else {
        panic!("a dry run's answer was expected");
    };
    assert_eq!(predicted.len(), 1);
    assert_eq!((predicted[0].id, predicted[0].outcome), (id(2), Outcome::Failed));
    let failure = predicted[0].failure.as_ref().unwrap();
    assert_eq!(
        (failure.property.as_deref(), failure.value.as_deref()),
        (Some("price"), Some("a lot"))
    );
    rig.until_all_is_acknowledged().await;
    assert_eq!(rig.hub.failures(&tenant(), None).await.unwrap(), []);

    // Nothing comes of what is still on its way at the end: the next answer is that of a batch behind it.
    rig.put_draft(true).await;
    rig.publish(Lane::Check, &of_draft).await;
    let behind = batch(Purpose::Compare, 1, &[(4, 10, "four", "many", "Sold")]);
    rig.publish(Lane::Check, &behind).await;
    let ReportBody::Compared(compared) = reports.next().await.body else {
        panic!("the answer to the compare behind was expected");
    };
    assert_eq!(compared.records[0].id, id(4));
    mapper.stop().await;
}
