//! Change events: the fast path, and what stands in for it.

use std::time::Duration;

use landbridge_model::ask::{FallBack, StreamState};
use landbridge_model::{ChangeKind, Lane, SalesforceId, Source};
use landbridge_sandbox::SandboxConfig;
use serde_json::json;

use crate::live::{named, until, wait_for_begin};
use crate::rig::{self, Rig, Running, key, tenant};

/// An installation whose increment rests beside a stream: what arrives then was heard, or asked for.
async fn streaming() -> Rig {
    Rig::with_change_events(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await
}

/// One whose increment reads nothing that any test does: what arrives was heard.
async fn streaming_alone() -> Rig {
    let mut rig = streaming().await;
    rig.settings.lag = Duration::from_secs(3_600);
    rig
}

async fn active(rig: &Rig, worker: &str) -> Running {
    let extractor = rig.extractor(worker).await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(rig).await;
    extractor
}

/// How a record arrived first.
fn source(rig: &Rig, id: &SalesforceId) -> Source {
    rig.ledger.of(id).first().expect("it has arrived").source
}

/// A new record arrives by change events.
async fn is_heard(rig: &Rig, name: &str) -> SalesforceId {
    let id = rig.org().create("Vehicle__c", named(name)).await.unwrap();
    until(rig, name, &id, ChangeKind::Upsert, Some(name)).await;
    assert_eq!(source(rig, &id), Source::ChangeEvent, "{name}");
    id
}

/// A new record arrives by polling.
async fn is_found(rig: &Rig, name: &str) {
    let id = rig.org().create("Vehicle__c", named(name)).await.unwrap();
    until(rig, name, &id, ChangeKind::Upsert, Some(name)).await;
    assert_eq!(source(rig, &id), Source::Increment, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_without_an_increment() {
    let rig = streaming_alone().await;
    let extractor = active(&rig, "one").await;
    rig.streams().await;
    let org = rig.org();
    let id = is_heard(&rig, "First").await;
    org.update("Vehicle__c", &id, named("Second")).await.unwrap();
    until(&rig, "the update", &id, ChangeKind::Upsert, Some("Second")).await;
    org.delete("Vehicle__c", &id).await.unwrap();
    until(&rig, "the delete", &id, ChangeKind::Delete, None).await;
    let back = json!({ "ids": [id] });
    org.post_to("/services/data/v66.0/__sandbox/undelete", back)
        .await
        .unwrap();
    let is_back = |arrivals: &[crate::ledger::Arrival]| {
        let last = arrivals.iter().rfind(|arrival| arrival.id == id);
        last.is_some_and(|last| last.kind == ChangeKind::Upsert)
    };
    rig.ledger.until("the undelete", is_back).await;
    let arrivals = rig.ledger.of(&id);
    assert!(
        arrivals
            .iter()
            .all(|arrival| (arrival.lane, arrival.source) == (Lane::Live, Source::ChangeEvent))
    );
    assert!(
        arrivals.windows(2).all(|pair| pair[0].version <= pair[1].version),
        "{arrivals:?}"
    );
    let stream = rig.stream("all events", |stream| stream.events >= 4).await;
    assert_eq!(
        (stream.state, stream.why, stream.unheard),
        (StreamState::Streaming, None, 0)
    );
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_events_than_are_owed_at_once_all_arrive() {
    let rig = streaming_alone().await;
    let extractor = active(&rig, "one").await;
    rig.streams().await;
    let org = rig.org();
    let mut created = std::collections::BTreeSet::new();
    for part in 0..3 {
        let records = (0..150).map(|n| named(&format!("Mass {part} {n}"))).collect();
        let saved = org.create_many("Vehicle__c", records).await.unwrap();
        created.extend(saved.into_iter().map(|record| record.id.unwrap()));
    }
    rig.ledger
        .until("all of them", |arrivals| arrivals.len() >= created.len())
        .await;
    assert_eq!(rig.ledger.ids(Lane::Live), created);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_heard_is_not_sent_again_by_the_increment() {
    let mut rig = streaming().await;
    // As often as without a stream.
    rig.settings.stream.poll_interval = rig.settings.poll_interval;
    let extractor = active(&rig, "one").await;
    rig.streams().await;
    let id = is_heard(&rig, "Once").await;
    // A record that only the increment can find, behind the first one.
    rig.events(|habits| habits.drop_one_in = 1);
    for _ in 0..3 {
        rig.second_is_over().await;
    }
    is_found(&rig, "Behind").await;
    assert_eq!(rig.ledger.of(&id).len(), 1, "{:?}", rig.ledger.of(&id));
    rig.stream("the loss", |stream| stream.unheard == 1).await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_read_like_an_event_and_has_the_increment_look() {
    let rig = streaming().await;
    let extractor = active(&rig, "one").await;
    rig.increment_rests().await;
    let lost = never_told(&rig, "Lost").await;
    rig.events(|habits| (habits.drop_one_in, habits.gap_one_in) = (0, 1));
    is_heard(&rig, "Gap").await;
    until(&rig, "what the gap hid", &lost, ChangeKind::Upsert, Some("Lost")).await;
    assert_eq!(source(&rig, &lost), Source::Increment);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overflow_has_the_increment_look() {
    let rig = streaming().await;
    let extractor = active(&rig, "one").await;
    rig.increment_rests().await;
    is_heard(&rig, "Told").await;
    rig.events(|habits| habits.overflow_after = 0);
    is_found(&rig, "Overflown").await;
    rig.events(|habits| habits.overflow_after = 100_000);
    is_heard(&rig, "Told again").await;
    extractor.stop().await;
}

/// Creates a record of which no event tells, and which the increment that rests does not look for.
async fn never_told(rig: &Rig, name: &str) -> SalesforceId {
    rig.events(|habits| habits.drop_one_in = 1);
    rig.org().create("Vehicle__c", named(name)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_another_type_has_the_increment_look() {
    let rig = streaming().await;
    let extractor = active(&rig, "one").await;
    rig.increment_rests().await;
    let lost = never_told(&rig, "Lost").await;
    rig.events(|habits| habits.drop_one_in = 0);
    // One event for all records of the object.
    rig.edit_schema(json!({ "object": "Vehicle__c", "retype": { "Fuel__c": "double" } }))
        .await;
    until(
        &rig,
        "what the wildcard stands for",
        &lost,
        ChangeKind::Upsert,
        Some("Lost"),
    )
    .await;
    extractor.stop().await;
}

/// Trap 25 of Salesforce's facts (17): whoever goes on from a replay id that has expired, without a word, loses what was
/// told meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn trap_25_a_place_that_has_expired_is_given_up_and_nothing_is_missed() {
    let rig = streaming().await;
    let first = active(&rig, "first").await;
    rig.streams().await;
    is_heard(&rig, "Before").await;
    first.stop().await;
    let id = rig.org().create("Vehicle__c", named("Unheard")).await.unwrap();
    // Three days and an hour: replay ids are kept for three days.
    rig.org()
        .post_to("/__sandbox/advance", json!({ "ms": 73 * 3_600_000 }))
        .await
        .unwrap();
    let second = rig.extractor("second").await;
    until(&rig, "what expired", &id, ChangeKind::Upsert, Some("Unheard")).await;
    assert_eq!(source(&rig, &id), Source::Increment);
    rig.streams().await;
    is_heard(&rig, "After").await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_of_another_org_is_not_gone_on_from() {
    let rig = streaming_alone().await;
    let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
    let at = landbridge_bus::Key::new(["stream", tenant().as_str(), "Vehicle__c"]);
    let foreign = json!({ "org_id": "00D000000000000EAA", "replay_id": "00000000000487440000" });
    kv.put_json(&at, &foreign).await.unwrap();
    let extractor = active(&rig, "one").await;
    rig.streams().await;
    is_heard(&rig, "Ours").await;
    let is_ours = async || {
        let stored: Option<(serde_json::Value, _)> = kv.get_json(&at).await.unwrap();
        stored.filter(|(place, _)| place["org_id"] != foreign["org_id"])
    };
    rig::until("a place of ours", is_ours).await;
    let subscribed = rig.sandbox.salesforce_stats().counts().by_family["pubsub_subscribe"];
    assert_eq!(subscribed, 1, "Salesforce was not asked about another's place");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_selected_is_said_and_comes_when_it_is() {
    let rig = streaming().await;
    rig.events(|habits| habits.entities.retain(|name| name != "Vehicle__c"));
    let extractor = active(&rig, "one").await;
    let stream = rig
        .stream("the lack", |stream| stream.state == StreamState::NotEntitled)
        .await;
    assert_eq!(stream.why, None);
    let reason = stream.reason.unwrap_or_default();
    assert!(reason.contains("/data/Vehicle__ChangeEvent"), "{reason}");
    is_found(&rig, "Polled").await;
    rig.events(|habits| habits.entities = vec!["Vehicle__c".to_owned()]);
    rig.increment_rests().await;
    is_heard(&rig, "Heard").await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_lost_is_said_and_its_return_is_noticed() {
    let rig = streaming().await;
    let extractor = active(&rig, "one").await;
    rig.increment_rests().await;
    is_heard(&rig, "Permitted").await;
    rig.events(|habits| habits.forbidden = vec!["Vehicle__c".to_owned()]);
    let stream = rig
        .stream("the loss", |stream| stream.why == Some(FallBack::PermissionLost))
        .await;
    assert_eq!(stream.state, StreamState::FallingBack);
    is_found(&rig, "Forbidden").await;
    rig.events(|habits| habits.forbidden.clear());
    rig.increment_rests().await;
    is_heard(&rig, "Permitted again").await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_deliveries_is_polled() {
    let rig = streaming().await;
    let extractor = active(&rig, "one").await;
    rig.increment_rests().await;
    is_heard(&rig, "Delivered").await;
    place_is_stored(&rig).await;
    rig.events(|habits| habits.daily_deliveries = 0);
    is_found(&rig, "Not delivered").await;
    let stream = rig
        .stream("the limit", |stream| stream.why == Some(FallBack::LimitReached))
        .await;
    assert_eq!(stream.state, StreamState::FallingBack);
    rig.events(|habits| habits.daily_deliveries = 25_000);
    rig.streams().await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_silent_is_given_up_and_tried_again() {
    let mut rig = streaming().await;
    rig.settings.stream.silence = Duration::from_millis(600);
    rig.events(|habits| habits.keep_alive_ms = 50);
    let extractor = active(&rig, "one").await;
    rig.streams().await;
    rig.events(|habits| habits.mute = true);
    let stream = rig
        .stream("the silence", |stream| stream.why == Some(FallBack::Disturbed))
        .await;
    assert_eq!(stream.state, StreamState::FallingBack);
    rig.events(|habits| habits.mute = false);
    rig.streams().await;
    extractor.stop().await;
}

/// Trap 26 of Salesforce's facts (17): a replay id is ten bytes, and no number of eight.
#[tokio::test(flavor = "multi_thread")]
async fn trap_26_a_place_of_ten_bytes_is_gone_on_from_and_what_happened_meanwhile_is_told() {
    let rig = streaming_alone().await;
    let first = active(&rig, "first").await;
    rig.streams().await;
    is_heard(&rig, "Before").await;
    assert_eq!(
        place_is_stored(&rig).await.len(),
        20,
        "ten bytes, two digits for each"
    );
    first.kill().await;
    let id = rig.org().create("Vehicle__c", named("Meanwhile")).await.unwrap();
    let second = rig.extractor("second").await;
    until(
        &rig,
        "what happened meanwhile",
        &id,
        ChangeKind::Upsert,
        Some("Meanwhile"),
    )
    .await;
    assert_eq!(source(&rig, &id), Source::ChangeEvent);
    second.stop().await;
}

/// Waits until a restart has a place to go on from; gives it, in hexadecimal digits.
async fn place_is_stored(rig: &Rig) -> String {
    let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
    let at = landbridge_bus::Key::new(["stream", tenant().as_str(), "Vehicle__c"]);
    rig::until("a place in the stream", async || {
        let (place, _): (serde_json::Value, _) = kv.get_json(&at).await.unwrap()?;
        place["replay_id"].as_str().map(str::to_owned)
    })
    .await
}

/// Trap 27 of Salesforce's facts (17): streams drop, and sessions end while they run.
#[tokio::test(flavor = "multi_thread")]
async fn trap_27_sessions_that_end_and_streams_that_break_cost_nothing() {
    let rig = streaming_alone().await;
    let extractor = active(&rig, "one").await;
    rig.streams().await;
    is_heard(&rig, "Before").await;
    rig.org()
        .post_to("/__sandbox/expire-sessions", json!({}))
        .await
        .unwrap();
    rig.sandbox.org().events().cut();
    is_heard(&rig, "After").await;
    assert_eq!(rig.ledger.ids(Lane::Live).len(), 2);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_can_do_without() {
    let rig = streaming().await;
    let extractor = active(&rig, "one").await;
    rig.increment_rests().await;
    let acme = tenant();
    let turned_off = rig.config.change_tenant(&acme, |tenant| {
        let mut tenant = tenant.ok_or(())?;
        tenant.salesforce.change_events = false;
        Ok::<_, ()>(Some(tenant))
    });
    turned_off.await.unwrap().unwrap();
    is_found(&rig, "Polled").await;
    let question = landbridge_model::ask::AskStatus {};
    let asked = rig.hub.ask(
        landbridge_model::StageKind::Extractor,
        &acme,
        &question,
        rig::DEADLINE,
    );
    let live = asked.await.unwrap().live;
    assert!(
        live.iter()
            .any(|live| live.sync == key().name && live.stream.is_none()),
        "{live:?}"
    );
    extractor.stop().await;
}
