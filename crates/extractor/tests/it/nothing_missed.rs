//! Nothing is missed: seeded edits of every kind, while transactions commit late and out of order, calls fail and break
//! off, queries time out, sessions end and extractors die in the middle of whatever they do. In the end what came out equals the org's own journal.
//!
//! `LANDBRIDGE_SOAK_EDITS` and `LANDBRIDGE_SOAK_SEED` make it longer and another one (`just soak`).

use std::collections::BTreeMap;
use std::time::Duration;

use landbridge_model::{ChangeKind, SalesforceId, Source};
use landbridge_salesforce::Client;
use landbridge_salesforce::records::Values;
use landbridge_sandbox::SandboxConfig;
use landbridge_sandbox::fault::{Fault, FaultSpec};
use landbridge_sandbox::salesforce::store;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use crate::ledger::Arrival;
use crate::live::wait_for_begin;
use crate::rig::{Rig, Running};

/// Edits at the same time, each of another record.
const TOGETHER: usize = 25;

#[derive(Clone, Copy, Debug)]
enum Edit {
    Create,
    Update,
    Delete,
    Undelete,
}

/// What became of each record, by its latest change: its stamp, and whether it is deleted.
type Account = BTreeMap<SalesforceId, (i64, bool)>;

fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed() {
    soak(false).await;
}

/// The same beside change events that are lost, told twice, garbled into gaps and overflows, and streams that break, fall
/// silent, lose their place, and are taken away and given back.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_beside_change_events_that_lie() {
    soak(true).await;
}

async fn soak(change_events: bool) {
    let edits = from_environment("LANDBRIDGE_SOAK_EDITS", 150) as usize;
    let seed = from_environment("LANDBRIDGE_SOAK_SEED", 7);
    let mut random = StdRng::seed_from_u64(seed);
    let config = SandboxConfig {
        records: Some(200),
        commit_delay: Duration::from_secs(2),
        seed,
        ..SandboxConfig::default()
    };
    let mut rig = if change_events {
        let mut rig = Rig::with_change_events(config).await;
        rig.settings.stream.poll_interval = Duration::from_secs(1);
        rig.settings.stream.distrust = Duration::from_secs(1);
        rig.settings.stream.silence = Duration::from_secs(1);
        rig.events(|habits| {
            habits.keep_alive_ms = 200;
            (habits.drop_one_in, habits.gap_one_in, habits.repeats) = (8, 8, 5);
        });
        rig
    } else {
        Rig::new(config).await
    };
    // Late commits outlast lag and overlap: only what Salesforce says of open transactions helps.
    (rig.settings.lag, rig.settings.overlap) = (Duration::from_secs(1), Duration::from_secs(1));
    rig.settings.settle_interval = Duration::from_secs(1);
    let mut extractor = rig.extractor("first").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    let (mut alive, mut gone): (Vec<_>, Vec<_>) = (rig.vehicles().await.into_iter().collect(), Vec::new());
    let prefix = alive.first().unwrap().as_str()[..3].to_owned();
    let mut made = 0;
    while made < edits {
        let batch = TOGETHER.min(edits - made);
        round(&rig.org(), batch, &mut alive, &mut gone, &mut random).await;
        made += batch;
        if change_events {
            disturb_stream(&rig, &mut random);
        }
        extractor = disturb(&rig, extractor, &mut random, made).await;
    }
    let truth = journal(&rig, &prefix);
    let complete = |arrivals: &[Arrival]| latest(arrivals) == truth;
    rig.ledger
        .until(&format!("every change of seed {seed}"), complete)
        .await;
    extractor.stop().await;
    let heard = rig.ledger.all();
    let heard = heard
        .iter()
        .filter(|arrival| arrival.source == Source::ChangeEvent)
        .count();
    assert_eq!(heard > 0, change_events, "{heard} changes were heard");
    assert!(truth.len() >= edits / 3, "{} records were edited", truth.len());
}

/// Some edits at the same time, each of another record.
async fn round(
    org: &Client,
    edits: usize,
    alive: &mut Vec<SalesforceId>,
    gone: &mut Vec<SalesforceId>,
    random: &mut StdRng,
) {
    alive.shuffle(random);
    let (mut undeleted, mut deleted) = (Vec::new(), Vec::new());
    let mut wanted = Vec::new();
    for place in 0..edits {
        let edit = match random.random_range(0..10) {
            0..2 => Edit::Create,
            2..7 => Edit::Update,
            7..9 => Edit::Delete,
            _ => Edit::Undelete,
        };
        let id = match edit {
            Edit::Create => None,
            Edit::Undelete => gone.pop(),
            Edit::Update | Edit::Delete => alive.get(place).copied(),
        };
        match (edit, id) {
            (Edit::Delete, Some(id)) => deleted.push(id),
            (Edit::Undelete, Some(id)) => undeleted.push(id),
            _ => {}
        }
        wanted.push((edit, id, random.random_range(0..1_000_000)));
    }
    let done = wanted.into_iter().map(|(edit, id, number)| {
        let org = org.clone();
        async move { apply(&org, edit, id, number).await }
    });
    let created = futures::future::join_all(done).await;
    alive.retain(|id| !deleted.contains(id));
    alive.extend(created.into_iter().flatten().chain(undeleted));
    gone.extend(deleted);
}

async fn apply(org: &Client, edit: Edit, id: Option<SalesforceId>, number: u32) -> Option<SalesforceId> {
    let name = Values::from_iter([("Name".to_owned(), format!("Vehicle {number}").into())]);
    match (edit, id) {
        (Edit::Create, _) => return Some(org.create("Vehicle__c", name).await.unwrap()),
        (Edit::Update, Some(id)) => org.update("Vehicle__c", &id, name).await.unwrap(),
        (Edit::Delete, Some(id)) => org.delete("Vehicle__c", &id).await.unwrap(),
        (Edit::Undelete, Some(id)) => {
            let back = json!({ "ids": [id] });
            org.post_to("/services/data/v66.0/__sandbox/undelete", back)
                .await
                .unwrap();
        }
        (_, None) => {}
    }
    None
}

/// What goes wrong between two rounds: reads fail, all sessions end, or the extractor dies and another one takes over.
async fn disturb(rig: &Rig, extractor: Running, random: &mut StdRng, made: usize) -> Running {
    // Reads alone: people's edits are not what is rehearsed here.
    let read = |what: Fault, body: Option<&str>| FaultSpec {
        place: "/queryAll".to_owned(),
        what,
        times: Some(2),
        after: 0,
        for_ms: None,
        effect: false,
        body: body.map(str::to_owned),
        headers: BTreeMap::new(),
    };
    let timeout =
        r#"[{"errorCode":"QUERY_TIMEOUT","message":"Your query request was running for too long."}]"#;
    let fault = match random.random_range(0..6) {
        0 => Some(read(Fault::Status(503), None)),
        1 => Some(read(Fault::Html(502), None)),
        2 => Some(read(Fault::Reset, None)),
        3 => Some(read(Fault::ResetAfter(700), None)),
        4 => Some(read(Fault::Status(400), Some(timeout))),
        _ => None,
    };
    rig.sandbox.salesforce_faults().add(fault.into_iter().collect());
    match random.random_range(0..4) {
        0 => {
            rig.org()
                .post_to("/__sandbox/expire-sessions", json!({}))
                .await
                .unwrap();
            extractor
        }
        1 => {
            extractor.kill().await;
            rig.extractor(&format!("after-{made}")).await
        }
        _ => extractor,
    }
}

/// What goes wrong with change events between two rounds. Each round puts right what the one before took away.
fn disturb_stream(rig: &Rig, random: &mut StdRng) {
    let bus = rig.sandbox.org().events();
    rig.events(|habits| {
        habits.mute = false;
        habits.forbidden.clear();
        habits.overflow_after = 100_000;
        habits.daily_deliveries = 25_000;
    });
    match random.random_range(0..7) {
        0 => bus.cut(),
        1 => {
            bus.void_places();
            bus.cut();
        }
        2 => rig.events(|habits| habits.mute = true),
        3 => rig.events(|habits| habits.forbidden = vec!["Vehicle__c".to_owned()]),
        4 => rig.events(|habits| habits.overflow_after = 0),
        5 => rig.events(|habits| habits.daily_deliveries = 0),
        _ => {}
    }
}

/// The org's own account of its vehicles.
fn journal(rig: &Rig, prefix: &str) -> Account {
    let mut account = Account::new();
    for entry in rig.sandbox.org().journal() {
        let id = SalesforceId::parse(&entry.id.to_string()).unwrap();
        if id.as_str().starts_with(prefix) {
            let deleted = entry.change == store::ChangeKind::Delete;
            account.insert(id, (entry.stamp, deleted));
        }
    }
    account
}

fn latest(arrivals: &[Arrival]) -> Account {
    let mut versions = BTreeMap::new();
    let mut account = Account::new();
    for arrival in arrivals {
        let newest = versions.entry(arrival.id).or_insert(arrival.version);
        if arrival.version >= *newest {
            *newest = arrival.version;
            let deleted = arrival.kind == ChangeKind::Delete;
            account.insert(arrival.id, (arrival.version.stamp_ms, deleted));
        }
    }
    account
}
