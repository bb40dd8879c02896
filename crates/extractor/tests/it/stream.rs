//! Change events: the fast path, and what stands in for it.

use landbridge_model::ask::{FallBack, StreamState};
use landbridge_model::{ChangeKind, Lane};
use landbridge_sandbox::SandboxConfig;

use crate::live::{named, until, wait_for_begin};
use crate::rig::Rig;

async fn streaming() -> Rig {
    Rig::with_change_events(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_without_an_increment() {
    let rig = streaming().await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    rig.streams().await;
    let org = rig.org();
    let id = org.create("Vehicle__c", named("First")).await.unwrap();
    until(&rig, "the create", &id, ChangeKind::Upsert, Some("First")).await;
    org.update("Vehicle__c", &id, named("Second")).await.unwrap();
    until(&rig, "the update", &id, ChangeKind::Upsert, Some("Second")).await;
    org.delete("Vehicle__c", &id).await.unwrap();
    until(&rig, "the delete", &id, ChangeKind::Delete, None).await;
    let arrivals = rig.ledger.of(&id);
    assert!(arrivals.iter().all(|arrival| arrival.lane == Lane::Live));
    assert!(
        arrivals.windows(2).all(|pair| pair[0].version <= pair[1].version),
        "{arrivals:?}"
    );
    let stream = rig.stream("all events", |stream| stream.events >= 3).await;
    assert_eq!(
        (stream.state, stream.why, stream.unheard),
        (StreamState::Streaming, None, 0)
    );
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_selected_is_said_and_comes_when_it_is() {
    let rig = streaming().await;
    rig.events(|habits| habits.entities.retain(|name| name != "Vehicle__c"));
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    let stream = rig
        .stream("the lack", |stream| stream.state == StreamState::NotEntitled)
        .await;
    assert_eq!(stream.why, None::<FallBack>);
    assert!(
        stream
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("/data/Vehicle__ChangeEvent")),
        "{stream:?}"
    );
    rig.events(|habits| habits.entities = vec!["Vehicle__c".to_owned()]);
    rig.streams().await;
    extractor.stop().await;
}
