//! A dry run: what it says of a batch is what apply then does to it, and nothing is written or remembered.

use std::collections::BTreeMap;

use landbridge_hubspot::Share;
use landbridge_model::ask::EstimateWriting;
use landbridge_model::config::Missing;
use landbridge_model::{
    ChangeKind, Lane, LinkStance, Outcome, PredictedRecord, PropertyChange, Table, Version, WriteBatch,
};
use landbridge_sandbox::hubspot::Behaviour;

use crate::rig::{Rig, account, car, outcomes};

fn verdicts(predicted: &[PredictedRecord]) -> Vec<Outcome> {
    predicted.iter().map(|record| record.outcome).collect()
}

/// A batch with a lookup to companies beside its values.
fn linked(mut batch: WriteBatch, parents: &[Option<u32>]) -> WriteBatch {
    let mut links = Table::with_columns(["Account__c"]);
    for parent in parents {
        let id = parent.map(account);
        links.push_row([id.as_ref().map(|id| id.as_str())]);
    }
    batch.links = links;
    batch
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prediction_is_what_apply_then_does() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.put_draft(Missing::default(), 10_000).await;
    let before = rig.cars(&[
        (1, 1_000, "one", Some("1")),
        (2, 1_000, "two", Some("2")),
        (3, 9_000, "three", Some("3")),
        (4, 1_000, "four", Some("4")),
    ]);
    rig.apply(Lane::Live, &before).await;
    let mut batch = rig.cars(&[
        (1, 1_000, "one", Some("1")),
        (2, 2_000, "zwei", Some("2.0")),
        (3, 2_000, "drei", Some("3")),
        (4, 2_000, "", None),
        (5, 2_000, "five", None),
    ]);
    batch.kinds[3] = ChangeKind::Delete;
    for warm in [true, false] {
        if !warm {
            // What is not remembered is read, as apply reads it; only whether a call is made is known no more.
            rig.restart_cold().await;
        }
        let predicted = rig.predicted(batch.clone()).await;
        let first = if warm {
            Outcome::Unchanged
        } else {
            Outcome::Updated
        };
        assert_eq!(
            verdicts(&predicted),
            [
                first,
                Outcome::Updated,
                Outcome::Superseded,
                Outcome::Deleted,
                Outcome::Created
            ]
        );
        assert_eq!(predicted[0].changes, []);
        assert_eq!(
            predicted[1].changes,
            [PropertyChange::new("name", Some("two"), Some("zwei"))]
        );
        assert_eq!(
            predicted[4].changes,
            [PropertyChange::new("name", None, Some("five"))]
        );
        assert!(predicted[1].hubspot_id.is_some() && predicted[4].hubspot_id.is_none());
        assert_eq!(rig.stored(2).await.unwrap().0, "two");
        assert!(rig.stored(4).await.is_some() && rig.stored(5).await.is_none());
    }
    let predicted = verdicts(&rig.predicted(batch.clone()).await);
    let done = rig.apply(Lane::Live, &batch).await;
    assert_eq!(predicted, outcomes(&done));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_predicted_beside_their_records() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.put_draft(Missing::default(), 10_000).await;
    rig.apply(
        Lane::Live,
        &rig.cars(&[(1, 1_000, "one", None), (2, 1_000, "two", None)]),
    )
    .await;
    let company = landbridge_model::HubSpotId(rig.portal.put_company("Acme", account(11).as_str()));
    let other = landbridge_model::HubSpotId(rig.portal.put_company("Other", account(12).as_str()));
    let companies = landbridge_model::ObjectTypeId::new("0-2");
    let hubspot_id = |rig: &Rig, serial| {
        let (client, cars) = (rig.client.clone(), rig.object_type());
        async move {
            let id = car(serial);
            let reply = client
                .read_records(
                    Share::Live,
                    &cars,
                    Some("salesforce_id"),
                    &[id.as_str()],
                    &["name"],
                )
                .await
                .unwrap();
            reply.records(&["name"]).unwrap().results[0].id
        }
    };
    let (one, two) = (hubspot_id(&rig, 1).await, hubspot_id(&rig, 2).await);
    let pairs =
        [(one, company), (two, other)].map(|(from, to)| landbridge_hubspot::associations::Pair { from, to });
    rig.client
        .associate_plainly(Share::Live, &rig.object_type(), &companies, &pairs)
        .await
        .unwrap();
    let rows = [1, 2, 3, 4].map(|serial| (serial, 2_000, "again", None));
    let batch = linked(rig.cars(&rows), &[Some(11), Some(11), Some(11), Some(77)]);
    let predicted = rig.predicted(batch).await;
    let told: BTreeMap<_, _> = predicted
        .iter()
        .map(|record| {
            let link = &record.links[0];
            (
                record.id,
                (link.stance, link.parent_hubspot_id, link.former.clone()),
            )
        })
        .collect();
    assert_eq!(told[&car(1)], (LinkStance::Stands, Some(company), vec![]));
    assert_eq!(told[&car(2)], (LinkStance::Replace, Some(company), vec![other]));
    assert_eq!(told[&car(3)], (LinkStance::Link, Some(company), vec![]));
    assert_eq!(told[&car(4)], (LinkStance::Wait, None, vec![]));
    let cleared = linked(
        rig.cars(&[(2, 2_000, "again", None), (3, 2_000, "x", None)]),
        &[None, None],
    );
    let predicted = rig.predicted(cleared).await;
    assert_eq!(predicted[0].links[0].stance, LinkStance::Unlink);
    assert_eq!(predicted[1].links, []);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_not_asked_for() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let missing = Missing {
        id_property: true,
        labels: vec!["Account__c".to_owned()],
        parents: vec!["Account__c".to_owned()],
        ..Missing::default()
    };
    rig.put_draft(missing, 10_000).await;
    let records = |rig: &Rig| -> BTreeMap<&'static str, u64> {
        let calls = rig.calls().into_iter();
        calls
            .filter(|(family, _)| family.starts_with("objects") || family.starts_with("assoc"))
            .collect()
    };
    let before = records(&rig);
    let batch = linked(rig.cars(&[(1, 1_000, "one", None)]), &[Some(1)]);
    let predicted = rig.predicted(batch).await;
    assert_eq!(verdicts(&predicted), [Outcome::Created]);
    assert_eq!(predicted[0].links[0].stance, LinkStance::Wait);
    assert_eq!(records(&rig), before, "something was read");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_beyond_the_room_of_a_report_are_left_out_and_said_to_be() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.put_draft(Missing::default(), 12).await;
    let predicted = rig
        .predicted(rig.cars(&[(1, 1_000, "short", None), (2, 1_000, "another", None)]))
        .await;
    let told: Vec<(usize, bool)> = predicted
        .iter()
        .map(|record| (record.changes.len(), record.cut))
        .collect();
    assert_eq!(told, [(1, false), (0, true)]);
    assert_eq!(predicted[0].version, Version::new(1_000, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_writing_costs_is_reckoned_with_the_portals_limits() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let question = EstimateWriting {
        object_type: Some(rig.object_type()),
        writes: 250,
        ..EstimateWriting::default()
    };
    let told = |estimate: landbridge_model::ask::Estimate| -> BTreeMap<String, u64> {
        let calls = estimate.calls.into_iter();
        calls.map(|one| (one.family, one.calls)).collect()
    };
    let cold = told(rig.ask(&question).await);
    assert_eq!((cold["write"], cold.get("list")), (3, Some(&1)));
    // After a first write the small type is known whole.
    rig.apply(Lane::Live, &rig.cars(&[(1, 1_000, "one", None)])).await;
    let warm = told(rig.ask(&question).await);
    assert_eq!((warm["write"], warm.get("list")), (3, None));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_another_record_has_is_refused_where_each_may_be_there_once() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let vin = landbridge_hubspot::schemas::NewProperty {
        name: "vin".to_owned(),
        label: "VIN".to_owned(),
        kind: "string",
        field_type: "text",
        group_name: "landbridge".to_owned(),
        description: String::new(),
        has_unique_value: true,
        form_field: false,
    };
    rig.client
        .create_properties(&rig.object_type(), &[vin])
        .await
        .unwrap();
    rig.change_type(|object_type| {
        let vin = r#"{"name":"vin","type":"string","hasUniqueValue":true}"#;
        object_type.properties.push(serde_json::from_str(vin).unwrap());
    })
    .await;
    rig.put_draft(Missing::default(), 10_000).await;
    let with_vin = |rig: &Rig, rows: &[(u32, &str)]| {
        let mut batch = rig.cars(
            &rows
                .iter()
                .map(|row| (row.0, 1_000, "car", None))
                .collect::<Vec<_>>(),
        );
        batch.table = Table::with_columns(["name", "vin"]);
        for row in rows {
            batch.table.push_row([Some("car"), Some(row.1)]);
        }
        batch
    };
    rig.apply(Lane::Live, &with_vin(&rig, &[(1, "V1")])).await;
    let batch = with_vin(&rig, &[(1, "V1"), (2, "V1"), (3, "V3")]);
    let predicted = rig.predicted(batch.clone()).await;
    assert_eq!(
        verdicts(&predicted),
        [Outcome::Unchanged, Outcome::Failed, Outcome::Created]
    );
    let failure = predicted[1].failure.as_ref().unwrap();
    assert_eq!(
        failure.category,
        landbridge_model::FailureCategory::DuplicateUniqueValue
    );
    assert_eq!(
        (failure.property.as_deref(), failure.value.as_deref()),
        (Some("vin"), Some("V1"))
    );
    let done = rig.apply(Lane::Live, &batch).await;
    assert_eq!(outcomes(&done), verdicts(&predicted));
    rig.stop().await;
}
