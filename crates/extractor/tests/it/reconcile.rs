//! What HubSpot has, looked for in Salesforce: on demand, by stamps as well, and on from where it was cut off.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landbridge_bus::{Bucket, Key};
use landbridge_model::ask::{
    AskStatus, ListRecords, ListedRecord, Question, ReconcileStatus, RecordPage, StartReconcile,
};
use landbridge_model::config::SyncStatus;
use landbridge_model::{ChangeKind, HubSpotId, Lane, SalesforceId, Source, StageKind};
use landbridge_sandbox::SandboxConfig;
use landbridge_stage::{ShardContext, StageError, Worker, answer_with, parse_ask};
use landbridge_wire::{Ask, AskError, AskErrorCode};
use serde_json::{Value, json};

use crate::live::{named, wait_for_begin};
use crate::rig::{DEADLINE, Rig, key, tenant, until};

const PAGE: usize = 500;
/// Records of one call to Salesforce.
const TOGETHER: usize = 2_000;
/// Newer than anything.
const NEWEST: &str = "9999999999999-9999999999999";
/// Older than anything.
const OLD: &str = "0000000001000-0000000001000";

/// A loader that lists records page by page, and writes down from where it was asked.
#[derive(Clone, Default)]
struct Pages {
    records: Arc<Vec<(SalesforceId, &'static str)>>,
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Pages {
    fn of(records: impl IntoIterator<Item = (SalesforceId, &'static str)>) -> Self {
        Self {
            records: Arc::new(records.into_iter().collect()),
            asked: Arc::default(),
        }
    }

    /// Looks that were begun at the first page.
    fn begun(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|from| **from == 0).count()
    }
}

impl Worker for Pages {
    const KIND: StageKind = StageKind::Loader;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn answer(&self, _shard: Arc<()>, ask: Ask) -> Result<String, AskError> {
        if ask.service != ListRecords::SERVICE {
            return Err(AskError::new(
                AskErrorCode::Invalid,
                "only records are listed here",
            ));
        }
        let question: ListRecords = parse_ask(&ask)?;
        let from: usize = question.after.map_or(0, |after| after.parse().unwrap());
        self.asked.lock().unwrap().push(from);
        let page = self.records.iter().enumerate().skip(from).take(PAGE);
        let records = page.map(|(n, (id, version))| ListedRecord {
            hubspot_id: HubSpotId(n as u64 + 1),
            salesforce_id: Some(id.to_string()),
            version: Some((*version).to_owned()),
        });
        let next = from + PAGE;
        answer_with(&RecordPage {
            records: records.collect(),
            after: (next < self.records.len()).then(|| next.to_string()),
        })
    }
}

async fn rig() -> Rig {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.describe_interval = Duration::ZERO;
    rig.settings.formula_interval = Duration::ZERO;
    // Nothing is looked for by the clock, unless a test wants it.
    rig.settings.reconcile_interval = Duration::ZERO;
    rig
}

async fn ask_to_reconcile(rig: &Rig) -> Result<ReconcileStatus, AskError> {
    let question = StartReconcile { sync: key().name };
    rig.hub
        .ask(StageKind::Extractor, &tenant(), &question, DEADLINE)
        .await
}

async fn status(rig: &Rig) -> Option<ReconcileStatus> {
    let (acme, question) = (tenant(), AskStatus {});
    let asked = rig.hub.ask(StageKind::Extractor, &acme, &question, DEADLINE);
    let live = asked.await.ok()?.live;
    live.into_iter().find(|live| live.sync == key().name)?.reconcile
}

/// Ids that no record has.
fn nowhere(prefix: &str, count: usize) -> Vec<SalesforceId> {
    let ids = (0..count).map(|n| SalesforceId::parse(&format!("{prefix}Zz0000{n:06}")).unwrap());
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_goes_on_where_it_was_cut_off_and_as_of_its_beginning() {
    let rig = rig().await;
    let vehicles: Vec<SalesforceId> = rig.vehicles().await.into_iter().collect();
    let gone = vehicles[0];
    let absent = nowhere(&gone.as_str()[..3], TOGETHER);
    let listed = absent.iter().chain(&vehicles).map(|id| (*id, NEWEST));
    let pages = Pages::of(listed);
    let portal = rig.start_worker(pages.clone(), "loader").await;
    let first = rig.extractor("first").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    // The second reading of stamps does not come to its end.
    let late =
        json!([{ "where": "/composite/sobjects/", "what": { "delay_ms": 60_000 }, "times": 1, "after": 1 }]);
    rig.sandbox
        .salesforce_faults()
        .add(serde_json::from_value(late).unwrap());
    let asked = ask_to_reconcile(&rig).await.unwrap();
    assert!(asked.is_running, "{asked:?}");
    let kv = rig.hub.bus().kv(Bucket::Checkpoints);
    let place = Key::new(["look", "acme", "vehicles"]);
    until("the first part to be done", async || {
        let (point, _) = kv.get_json::<Value>(&place).await.unwrap()?;
        (point["after"].as_str() == Some(&TOGETHER.to_string())).then_some(())
    })
    .await;
    let told = status(&rig).await.unwrap();
    assert_eq!(
        (told.began_ms, told.absent, told.is_running),
        (asked.began_ms, TOGETHER as u64, true)
    );
    first.kill().await;
    pages.asked.lock().unwrap().clear();
    rig.second_is_over().await;
    let org = rig.org();
    org.delete("Vehicle__c", &gone).await.unwrap();
    org.post_to("/__sandbox/purge", json!({ "ids": [gone] }))
        .await
        .unwrap();

    let second = rig.extractor("second").await;
    rig.ledger
        .until("what is absent from the second part", |arrivals| {
            arrivals
                .iter()
                .any(|arrival| arrival.id == gone && arrival.source == Source::Purged)
        })
        .await;
    let arrived = rig.ledger.of(&gone);
    let found = arrived
        .iter()
        .find(|arrival| arrival.source == Source::Purged)
        .unwrap();
    assert_eq!(found.version.stamp_ms, asked.began_ms, "the look's own beginning");
    assert_eq!(
        pages.asked.lock().unwrap().first(),
        Some(&TOGETHER),
        "the first part is not listed again"
    );
    assert_eq!(rig.ledger.of(&absent[0]).len(), 1, "nor told again");
    until("the look's end", async || {
        let told = status(&rig).await?;
        (!told.is_running).then(|| assert_eq!(told.looked_for, (TOGETHER + vehicles.len()) as u64))
    })
    .await;
    assert!(kv.get(&place).await.unwrap().is_none(), "it is not begun again");
    second.stop().await;
    portal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hubspot_has_an_older_version_of_is_read_again() {
    let mut rig = rig().await;
    rig.settings.reconcile_interval = Duration::from_secs(1);
    let vehicles: Vec<SalesforceId> = rig.vehicles().await.into_iter().collect();
    let behind = vehicles[0];
    let listed = vehicles
        .iter()
        .map(|id| (*id, if *id == behind { OLD } else { NEWEST }));
    let pages = Pages::of(listed);
    let portal = rig.start_worker(pages.clone(), "loader").await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    let read = || {
        let arrivals = rig.ledger.of(&behind);
        arrivals
            .into_iter()
            .filter(|arrival| arrival.source == Source::Reread)
            .count()
    };
    rig.ledger
        .until("what is behind", |arrivals| {
            arrivals
                .iter()
                .any(|arrival| arrival.id == behind && arrival.source == Source::Reread)
        })
        .await;
    let arrival = rig.ledger.of(&behind).remove(0);
    assert_eq!((arrival.kind, arrival.lane), (ChangeKind::Upsert, Lane::Bulk));
    assert!(arrival.cells["Name"].is_some(), "{arrival:?}");

    // What changed may be nothing that HubSpot has: by the clock it is read once for each stamp.
    let looks = pages.begun();
    until("two more looks", async || {
        (pages.begun() >= looks + 2).then_some(())
    })
    .await;
    assert_eq!(read(), 1);
    assert_eq!(rig.ledger.all().len(), 1, "nothing else is behind");
    // A person who asks has it read again.
    ask_to_reconcile(&rig).await.unwrap();
    until("what is behind, once more", async || (read() == 2).then_some(())).await;
    // Another stamp is read again, and not by the increment alone.
    rig.org()
        .update("Vehicle__c", &behind, named("Renamed"))
        .await
        .unwrap();
    until("the new stamp", async || (read() >= 3).then_some(())).await;
    extractor.stop().await;
    portal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_still_is_not_looked_for() {
    let rig = rig().await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    rig.change_sync(|sync| sync.status = SyncStatus::Paused).await;
    until("the pause to be seen", async || {
        let refused = ask_to_reconcile(&rig).await.err()?;
        (refused.code == AskErrorCode::Conflict)
            .then(|| assert!(refused.message.contains("paused"), "{refused}"))
    })
    .await;
    extractor.stop().await;
}
