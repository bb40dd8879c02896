//! Each trap of HubSpot's that users reported and that applies to the writer, by its number in docs/traps.md.

use std::sync::atomic::Ordering;

use landbridge_model::{ChangeKind, FailureCategory, Lane, Outcome, Version};
use landbridge_sandbox::fault::{Fault, Shape};
use landbridge_sandbox::hubspot::Behaviour;

use crate::rig::{Rig, outcomes};

const UPSERT: &str = "/batch/upsert";

/// Some cars, all of one stamp.
fn rows(count: u32) -> Vec<(u32, i64, &'static str, Option<&'static str>)> {
    (0..count)
        .map(|serial| (serial, 1_000, "a car", Some("1")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_1_and_9_and_20_one_conflict_refuses_a_batch_and_its_row_alone_fails() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.mischief.strip_traces.store(true, Ordering::SeqCst);
    let bad = 17;
    let rows: Vec<_> = (0..60)
        .map(|serial| {
            (
                serial,
                1_000,
                "a car",
                Some(if serial == bad { "dear" } else { "1" }),
            )
        })
        .collect();
    let told = rig.apply(Lane::Bulk, &rig.cars(&rows)).await;
    let failed: Vec<usize> = (0..told.len())
        .filter(|&row| told[row].outcome == Outcome::Failed)
        .collect();
    assert_eq!(failed, [bad as usize]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_2_a_success_that_mentions_nothing_is_no_success() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.fault(UPSERT, Fault::Reshape(Shape::NoResults), 1, false);
    let told = rig.apply(Lane::Bulk, &rig.cars(&rows(3))).await;
    assert_eq!(
        outcomes(&told),
        [Outcome::Created; 3],
        "sent again, and found then"
    );
    rig.fault(UPSERT, Fault::Reshape(Shape::NoResults), 100, false);
    let told = rig
        .apply(Lane::Bulk, &rig.cars(&[(9, 1_000, "a car", None)]))
        .await;
    let failure = told[0].failure.as_ref().expect("it is told at last");
    assert_eq!(failure.category, FailureCategory::HubSpotError);
    assert!(failure.message.contains("never mention"), "{}", failure.message);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_5_two_changes_of_one_record_never_share_a_batch() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let mut batch = rig.cars(&[
        (1, 1_000, "first", None),
        (2, 1_000, "other", None),
        (1, 2_000, "second", None),
    ]);
    batch.versions[2] = Version::new(2_000, 0);
    rig.write(Lane::Live, &batch).await;
    let ended = |reports: &[landbridge_wire::Report]| -> usize {
        let records = reports.iter().map(|report| match &report.body {
            landbridge_wire::ReportBody::Records(records) => records.len(),
            _ => 0,
        });
        records.sum()
    };
    rig.reports(|reports| ended(reports) >= 3).await;
    assert_eq!(rig.stored(1).await.unwrap().0, "second");
    assert_eq!(rig.stored(2).await.unwrap().0, "other");
    assert_eq!(rig.hub.failures(&rig.tenant, None).await.unwrap().len(), 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_14_a_delete_of_nothing_is_answered_as_a_success_and_is_one() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let mut delete = rig.cars(&[(5, 2_000, "", None)]);
    delete.kinds = vec![ChangeKind::Delete];
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &delete).await),
        [Outcome::Deleted]
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_17_a_bad_gateway_on_a_batch_read_is_asked_again() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.apply(Lane::Bulk, &rig.cars(&rows(3))).await;
    rig.restart_cold().await;
    // Without its listing, a cold loader reads by ids.
    rig.fault("GET /crm/objects/", Fault::Status(502), 1, false);
    rig.fault("/batch/read", Fault::Status(502), 2, false);
    let mut batch = rig.cars(&rows(3));
    batch.versions = vec![Version::new(2_000, 0); 3];
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &batch).await),
        [Outcome::Updated; 3]
    );
    assert!(
        rig.faults.status().iter().all(|fault| !fault.active),
        "each was met"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_names_nobody_says_nothing_of_them() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.apply(Lane::Bulk, &rig.cars(&rows(3))).await;
    rig.restart_cold().await;
    rig.fault("GET /crm/objects/", Fault::Status(502), 1, false);
    rig.fault("/batch/read", Fault::Reshape(Shape::NoResults), 1, false);
    let mut batch = rig.cars(&rows(3));
    batch.versions = vec![Version::new(500, 0); 3];
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &batch).await),
        [Outcome::Superseded; 3],
        "newer ones are there"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_17_a_record_at_which_hubspot_fails_does_not_hold_up_its_neighbours() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.mischief.fails_at("poison");
    let mut rows = rows(60);
    rows[23].2 = "poison";
    let told = rig.apply(Lane::Bulk, &rig.cars(&rows)).await;
    let failed: Vec<usize> = (0..told.len())
        .filter(|&row| told[row].outcome == Outcome::Failed)
        .collect();
    assert_eq!(failed, [23]);
    let failure = told[23].failure.as_ref().expect("its reason");
    assert_eq!(failure.category, FailureCategory::HubSpotError);
    assert!(
        failure.message.contains("while it answers others"),
        "{}",
        failure.message
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_at_which_hubspot_fails_is_given_up_without_others_to_write() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.mischief.fails_at("poison");
    let told = rig
        .apply(Lane::Live, &rig.cars(&[(1, 1_000, "poison", None)]))
        .await;
    assert_eq!(outcomes(&told), [Outcome::Failed], "HubSpot answers reads");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_call_is_settled_by_reading_what_it_wrote() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.mischief.lost_answers.store(1_000, Ordering::SeqCst);
    let told = rig
        .apply(Lane::Live, &rig.cars(&[(1, 1_000, "a car", None)]))
        .await;
    assert_eq!(outcomes(&told), [Outcome::Created]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_19_a_refusal_without_a_category_sinks_nobody_by_chance_and_all_when_it_stays() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.fault(UPSERT, Fault::Empty(400), 1, false);
    let told = rig.apply(Lane::Bulk, &rig.cars(&rows(8))).await;
    assert_eq!(
        outcomes(&told),
        [Outcome::Created; 8],
        "it was not about the rows"
    );
    rig.fault(UPSERT, Fault::Empty(400), 1_000, false);
    let others: Vec<_> = (100..190)
        .map(|serial| (serial, 1_000, "a car", Some("1")))
        .collect();
    let told = rig.apply(Lane::Bulk, &rig.cars(&others)).await;
    assert_eq!(outcomes(&told), [Outcome::Failed; 90]);
    assert_eq!(rig.hub.failures(&rig.tenant, None).await.unwrap().len(), 90);
    let calls = rig.faults.status().iter().map(|fault| fault.fired).max();
    assert!(
        calls.is_some_and(|calls| calls <= 30),
        "{calls:?} calls for nothing"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_more_members_and_other_kinds_of_ids_are_understood() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    for (serial, shape) in (0..).zip([
        Shape::ExtraMembers,
        Shape::NumericIds,
        Shape::TextIds,
        Shape::NoErrorCount,
    ]) {
        rig.fault("/crm/", Fault::Reshape(shape), 1, false);
        let told = rig
            .apply(Lane::Live, &rig.cars(&[(serial, 1_000, "a car", None)]))
            .await;
        assert_eq!(outcomes(&told), [Outcome::Created], "{shape:?}");
    }
    rig.stop().await;
}
