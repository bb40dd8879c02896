//! Formulas and parents' fields: what changes without a stamp arrives all the same, and what does not change costs nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use landbridge_model::SalesforceId;
use landbridge_model::config::SyncStatus;
use landbridge_model::sync::FieldRule;
use landbridge_salesforce::records::Values;
use landbridge_salesforce::{Columns, Scope};
use landbridge_sandbox::SandboxConfig;
use serde_json::{Value, json};

use crate::ledger::Arrival;
use crate::live::wait_for_begin;
use crate::rig::{Rig, key, tenant, until};

async fn looking_often() -> Rig {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(120),
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.formula_interval = Duration::from_millis(300);
    rig.settings.overlap = Duration::from_secs(2);
    rig
}

/// A sync that runs and maps a formula over the parent and one of the date, and the parent's name itself.
async fn run_with_formulas(rig: &Rig, reread: Option<&str>) {
    rig.store_sync("draft", Value::Null).await;
    let reread = reread.map(str::to_owned);
    rig.change_sync(move |sync| {
        for (from, to) in [("Label__c", "label"), ("Age_Days__c", "age")] {
            let rule: FieldRule = serde_json::from_value(json!({ "from": from, "to": to })).unwrap();
            sync.definition.spec.fields.push(rule);
        }
        sync.definition.spec.rules.reread.clone_from(&reread);
        sync.status = SyncStatus::Active;
    })
    .await;
    wait_for_begin(rig).await;
}

async fn point(rig: &Rig) -> Option<Value> {
    let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
    let at = landbridge_bus::Key::new(["formulas", tenant().as_str(), key().name.as_str()]);
    kv.get_json(&at).await.unwrap().map(|(point, _)| point)
}

/// Ids by a query of the org's own.
async fn ids(rig: &Rig, column: &str, soql: &str) -> BTreeSet<SalesforceId> {
    let page = rig
        .org()
        .query(Scope::Live, soql, &Columns::text([column]))
        .await
        .unwrap();
    page.rows
        .at(0)
        .iter()
        .map(|id| SalesforceId::parse(id.unwrap()).unwrap())
        .collect()
}

fn having(arrivals: &[Arrival], column: &str, text: &str) -> BTreeSet<SalesforceId> {
    let has = |arrival: &&Arrival| {
        let cell = arrival.cells.get(column).and_then(|cell| cell.as_deref());
        cell.is_some_and(|cell| cell.contains(text))
    };
    arrivals.iter().filter(has).map(|arrival| arrival.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_03_a_changed_parent_is_seen_in_its_childrens_formulas_and_in_no_others() {
    let mut rig = looking_often().await;
    rig.settings.lag = Duration::ZERO;
    let extractor = rig.extractor("one").await;
    run_with_formulas(&rig, Some("off")).await;
    until("a look at the parents", async || {
        point(&rig).await?["parents"]["Depot__c"]
            .as_str()
            .map(str::to_owned)
    })
    .await;
    let (depot, children) = a_depot_with_children(&rig).await;
    assert!(!children.is_empty());
    rig.second_is_over().await;
    let renamed = Values::from_iter([("Name".to_owned(), "Renamed depot".into())]);
    rig.org().update("Depot__c", &depot, renamed).await.unwrap();
    rig.ledger
        .until("the children with their formula", |arrivals| {
            having(arrivals, "Label__c", "/ Renamed depot") == children
                && having(arrivals, "Depot__r.Name", "Renamed depot") == children
        })
        .await;
    let arrivals = rig.ledger.all();
    let told: BTreeSet<SalesforceId> = arrivals.iter().map(|arrival| arrival.id).collect();
    assert_eq!(told, children, "no others were sent");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_formula_of_the_date_is_read_again_daily_and_what_says_the_same_is_not_sent() {
    let rig = looking_often().await;
    let extractor = rig.extractor("one").await;
    run_with_formulas(&rig, None).await;
    until("a first look", async || {
        point(&rig).await?["all"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(rig.ledger.all().len(), 0, "nothing is due yet");
    let advance = async |hours: i64| {
        let passed = json!({ "ms": hours * 3_600_000 });
        rig.org().post_to("/__sandbox/advance", passed).await.unwrap();
    };
    let read_after = async |before: Option<Value>| {
        until("a reading of all", async || {
            let now = point(&rig).await?;
            (Some(&now["all"]) != before.as_ref().map(|before| &before["all"])).then_some(now)
        })
        .await
    };
    let before = point(&rig).await;
    advance(25).await;
    let first = read_after(before).await;
    let vehicles = rig.vehicles().await.len() as u64;
    assert_eq!(
        first["last"],
        json!([vehicles, vehicles]),
        "nothing was known of any"
    );
    rig.change_sync(|sync| sync.definition.spec.rules.reread = Some("1m".to_owned()))
        .await;
    // A minute later, on the same day as far as it goes: only ages that changed are sent.
    let org_now = rig.org().org_now().await.unwrap();
    let to_midnight = 24 - org_now.as_second().div_euclid(3_600).rem_euclid(24);
    if to_midnight == 1 {
        advance(1).await;
        read_after(Some(first.clone())).await;
    }
    let before = point(&rig).await;
    rig.org()
        .post_to("/__sandbox/advance", json!({ "ms": 61_000 }))
        .await
        .unwrap();
    let again = read_after(before).await;
    assert_eq!(again["last"], json!([vehicles, 0]), "all said the same");
    let sent = rig.ledger.all().len();
    let before = point(&rig).await;
    advance(24).await;
    let third = read_after(before).await;
    let dated = ids(
        &rig,
        "Id",
        "SELECT Id FROM Vehicle__c WHERE Purchased_On__c != null",
    )
    .await
    .len() as u64;
    assert_eq!(
        third["last"],
        json!([vehicles, dated]),
        "one day older, those that have an age"
    );
    rig.ledger
        .until("the ages", |arrivals| {
            arrivals.len() as u64 >= sent as u64 + dated
        })
        .await;
    extractor.stop().await;
}

/// One depot and the vehicles below it.
async fn a_depot_with_children(rig: &Rig) -> (SalesforceId, BTreeSet<SalesforceId>) {
    let depots = "SELECT Depot__c FROM Vehicle__c WHERE Depot__c != null LIMIT 1";
    let depots = ids(rig, "Depot__c", depots).await;
    let depot = *depots.first().expect("a vehicle has a depot");
    let below = format!("SELECT Id FROM Vehicle__c WHERE Depot__c = '{depot}'");
    let children = ids(rig, "Id", &below).await;
    (depot, children)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_changed_between_the_import_and_the_activation_is_seen_by_its_children() {
    let mut rig = looking_often().await;
    rig.settings.lag = Duration::ZERO;
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", Value::Null).await;
    rig.start_import("import-1").await;
    rig.reports_until("the import's end", |report| {
        matches!(&report.body, landbridge_wire::ReportBody::Progress(progress)
            if progress.phase == landbridge_wire::RunPhase::Ended)
    })
    .await;
    let (depot, children) = a_depot_with_children(&rig).await;
    let renamed = Values::from_iter([("Name".to_owned(), "Renamed depot".into())]);
    rig.org().update("Depot__c", &depot, renamed).await.unwrap();
    // Longer ago than a look at what is new reaches back.
    for _ in 0..5 {
        rig.second_is_over().await;
    }
    rig.change_sync(|sync| {
        sync.definition.spec.rules.reread = Some("off".to_owned());
        sync.status = SyncStatus::Active;
    })
    .await;
    rig.ledger
        .until("the children with their parent's new name", |arrivals| {
            having(arrivals, "Depot__r.Name", "Renamed depot") == children
        })
        .await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parents_transaction_that_outlasts_the_overlap_is_waited_for() {
    let mut rig = looking_often().await;
    (rig.settings.lag, rig.settings.overlap) = (Duration::ZERO, Duration::ZERO);
    let extractor = rig.extractor("one").await;
    run_with_formulas(&rig, Some("off")).await;
    until("a look at the parents", async || {
        point(&rig).await?["parents"]["Depot__c"]
            .as_str()
            .map(str::to_owned)
    })
    .await;
    let (depot, children) = a_depot_with_children(&rig).await;
    let slow = json!({ "commit_delay_ms": 6_000 });
    rig.org().post_to("/__sandbox/settings", slow).await.unwrap();
    let renamed = Values::from_iter([("Name".to_owned(), "Renamed late".into())]);
    rig.org().update("Depot__c", &depot, renamed).await.unwrap();
    rig.ledger
        .until("the children with their parent's new name", |arrivals| {
            having(arrivals, "Depot__r.Name", "Renamed late") == children
        })
        .await;
    extractor.stop().await;
}
