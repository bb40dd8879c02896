//! Lanes of one tenant that meet: at the governor, and at a record.

use std::collections::BTreeMap;

use landbridge_model::ask::Explain;
use landbridge_model::{ChangeKind, Lane, Outcome};
use landbridge_sandbox::fault::{Fault, FaultSpec};
use landbridge_sandbox::hubspot::Behaviour;
use landbridge_wire::{Report, ReportBody};

use crate::rig::{Rig, car, outcomes};

/// The outcomes that reports tell, in their order.
fn told(reports: &[Report]) -> Vec<Outcome> {
    let records = reports.iter().filter_map(|report| match &report.body {
        ReportBody::Records(records) => Some(outcomes(records)),
        _ => None,
    });
    records.flatten().collect()
}

/// Whether a write of a car is under way.
async fn is_under_way(rig: &Rig, serial: u32) -> bool {
    let story = rig.ask(&Explain { id: car(serial) }).await;
    story.lines.iter().any(|line| line.text.contains("under way"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_opens_its_portal_anew_lets_its_flights_take_their_turns() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.apply(Lane::Live, &rig.cars(&[(1, 1_000, "one", None)])).await;
    // All calls stand still for a while.
    rig.faults.add(vec![FaultSpec {
        place: "/batch/upsert".to_owned(),
        what: Fault::Status(429),
        times: Some(1),
        after: 0,
        for_ms: None,
        effect: false,
        body: None,
        headers: BTreeMap::from([("Retry-After".to_owned(), "5".to_owned())]),
    }]);
    rig.write(Lane::Live, &rig.cars(&[(2, 1_000, "two", None)])).await;
    rig.until(async |rig| rig.faults.status().iter().any(|fault| fault.fired > 0))
        .await;
    // A write waits for its turn while its lane asks the portal who it is, in the same queue.
    rig.write(Lane::Live, &rig.cars(&[(3, 1_000, "three", None)]))
        .await;
    rig.until(async |rig| is_under_way(rig, 3).await).await;
    let portal_id = rig.portal.portal_id();
    rig.change_connection(|connection| connection.portal_id = Some(portal_id.into()))
        .await;
    rig.write(Lane::Live, &rig.cars(&[(4, 1_000, "four", None)]))
        .await;
    let reports = rig.reports(|reports| told(reports).len() >= 3).await;
    assert_eq!(told(&reports), [Outcome::Created; 3]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_was_overtaken_leaves_no_failure() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.apply(
        Lane::Live,
        &rig.cars(&[(1, 1_000, "one", None), (2, 1_000, "two", None)]),
    )
    .await;
    // The second row keeps its message open.
    rig.fault("/batch/archive", Fault::Status(503), 1_000, false);
    let mut batch = rig.cars(&[(1, 2_000, "bad", Some("12,5")), (2, 2_000, "", None)]);
    batch.kinds[1] = ChangeKind::Delete;
    rig.write(Lane::Bulk, &batch).await;
    rig.until(async |rig| rig.faults.status().iter().any(|fault| fault.fired > 0))
        .await;
    rig.until(async |rig| !is_under_way(rig, 1).await).await;
    let cure = rig.cars(&[(1, 3_000, "good", Some("12.5"))]);
    assert_eq!(outcomes(&rig.apply(Lane::Live, &cure).await), [Outcome::Updated]);
    rig.faults.clear();
    let reports = rig.reports(|reports| told(reports).len() >= 2).await;
    assert_eq!(told(&reports), [Outcome::Superseded, Outcome::Deleted]);
    assert!(rig.hub.failures(&rig.tenant, None).await.unwrap().is_empty());
    rig.stop().await;
}
