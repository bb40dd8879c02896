//! A back-fill writes its part of records that were written before, and nothing else.

use std::sync::Arc;

use landbridge_model::{Lane, MappedPart, Outcome, Version, WriteBatch};
use landbridge_sandbox::hubspot::Behaviour;

use crate::rig::{Rig, car, outcomes};

/// Somebody edits a car's name in HubSpot.
async fn edit_by_hand(rig: &Rig, serial: u32, name: &str) {
    let columns = landbridge_hubspot::records::UpsertColumns::new("salesforce_id", ["name"]);
    let mut body = landbridge_hubspot::records::UpsertBody::new(&columns, "t");
    body.push(car(serial).as_str(), [(0, Some(name))]);
    let share = landbridge_hubspot::Share::Live;
    rig.client
        .upsert_records(share, &rig.object_type(), body.finish())
        .await
        .unwrap();
}

/// The batch as a back-fill of prices, read a moment later.
fn of_prices(mut batch: WriteBatch) -> WriteBatch {
    batch.envelope.force = true;
    batch.envelope.only = Some(Arc::new(MappedPart {
        properties: vec!["price".to_owned()],
        lookups: Vec::new(),
    }));
    for version in &mut batch.versions {
        *version = Version::new(version.stamp_ms, 9);
    }
    batch
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_3_a_part_is_written_only_over_what_is_there() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let before = rig.cars(&[(1, 1_000, "one", None), (2, 1_000, "two", None)]);
    assert_eq!(
        outcomes(&rig.apply(Lane::Bulk, &before).await),
        [Outcome::Created; 2]
    );
    for is_cold in [false, true] {
        if is_cold {
            rig.restart_cold().await;
        }
        edit_by_hand(&rig, 1, "by hand").await;
        let price = if is_cold { "8" } else { "7" };
        let rows = [
            (1, 1_000, "one", Some(price)),
            // It was edited since, and brings its news with it.
            (2, if is_cold { 3_000 } else { 2_000 }, "new", Some(price)),
            (3, 1_000, "never written", Some(price)),
        ];
        let told = rig.apply(Lane::Bulk, &of_prices(rig.cars(&rows))).await;
        assert_eq!(
            outcomes(&told),
            [Outcome::Updated, Outcome::Updated, Outcome::Filtered],
            "cold {is_cold}"
        );
        assert_eq!(rig.stored(1).await.unwrap(), ("by hand".into(), price.into()));
        assert_eq!(rig.stored(2).await.unwrap(), ("new".into(), price.into()));
        assert_eq!(rig.stored(3).await, None);
    }
    let failures = rig.hub.failures(&rig.tenant, None).await.unwrap();
    assert!(failures.is_empty(), "what is left alone is no failure");
    // Somebody deletes it in HubSpot, which no cache knows: it is not made anew of one property.
    let id = rig
        .apply(Lane::Bulk, &of_prices(rig.cars(&[(1, 1_000, "one", Some("9"))])))
        .await[0]
        .hubspot_id;
    let share = landbridge_hubspot::Share::Live;
    rig.client
        .archive_records(share, &rig.object_type(), &[id.unwrap()])
        .await
        .unwrap();
    let rows = [(1, 1_000, "one", Some("10")), (2, 3_000, "new", Some("10"))];
    let told = rig.apply(Lane::Bulk, &of_prices(rig.cars(&rows))).await;
    assert_eq!(outcomes(&told), [Outcome::Filtered, Outcome::Updated]);
    assert_eq!(rig.stored(1).await, None);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_the_same_second_still_passes_after_a_back_fill() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let before = rig.cars(&[(1, 1_000, "one", None)]);
    rig.apply(Lane::Live, &before).await;
    let part = of_prices(rig.cars(&[(1, 1_000, "edited again", Some("7"))]));
    assert_eq!(outcomes(&rig.apply(Lane::Bulk, &part).await), [Outcome::Updated]);
    assert_eq!(rig.stored(1).await.unwrap(), ("one".into(), "7".into()));
    // Read before the back-fill was, on its way since.
    let mut live = rig.cars(&[(1, 1_000, "edited again", Some("7"))]);
    live.versions = vec![Version::new(1_000, 5)];
    assert_eq!(outcomes(&rig.apply(Lane::Live, &live).await), [Outcome::Updated]);
    assert_eq!(rig.stored(1).await.unwrap(), ("edited again".into(), "7".into()));
    // The whole row was written by this mapping: nothing is left to fill.
    let again = of_prices(rig.cars(&[(1, 1_000, "edited again", Some("7"))]));
    assert_eq!(
        outcomes(&rig.apply(Lane::Bulk, &again).await),
        [Outcome::Unchanged]
    );
    rig.stop().await;
}
