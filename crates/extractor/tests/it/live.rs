//! The increment: every change, in time, once.

use std::time::Duration;

use landbridge_model::config::SyncStatus;
use landbridge_model::{ChangeKind, Lane, SalesforceId};
use landbridge_salesforce::records::Values;
use landbridge_sandbox::SandboxConfig;

use crate::ledger::Arrival;
use crate::rig::{self, Rig, key, tenant};

pub(crate) fn named(name: &str) -> Values {
    Values::from_iter([("Name".to_owned(), name.into())])
}

pub(crate) fn has(arrivals: &[Arrival], id: &SalesforceId, kind: ChangeKind, name: Option<&str>) -> bool {
    arrivals.iter().any(|arrival| {
        arrival.id == *id
            && arrival.kind == kind
            && (name.is_none() || arrival.cells["Name"].as_deref() == name)
    })
}

pub(crate) async fn until(rig: &Rig, what: &str, id: &SalesforceId, kind: ChangeKind, name: Option<&str>) {
    rig.ledger
        .until(what, |arrivals| has(arrivals, id, kind, name))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_updates_deletes_and_undeletes_arrive_in_order() {
    // The org's clock is an hour ahead of ours: only its own counts.
    let config = SandboxConfig {
        records: Some(200),
        clock_skew_ms: 3_600_000,
        ..SandboxConfig::default()
    };
    let rig = Rig::new(config).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    let org = rig.org();
    let existing = *rig.vehicles().await.first().unwrap();
    org.update("Vehicle__c", &existing, named("Old friend"))
        .await
        .unwrap();
    let id = org.create("Vehicle__c", named("First")).await.unwrap();
    until(&rig, "the create", &id, ChangeKind::Upsert, Some("First")).await;
    until(
        &rig,
        "the update",
        &existing,
        ChangeKind::Upsert,
        Some("Old friend"),
    )
    .await;
    org.update("Vehicle__c", &id, named("Second")).await.unwrap();
    until(&rig, "the second name", &id, ChangeKind::Upsert, Some("Second")).await;
    org.delete("Vehicle__c", &id).await.unwrap();
    until(&rig, "the delete", &id, ChangeKind::Delete, None).await;
    org.post_to(
        "/services/data/v66.0/__sandbox/undelete",
        serde_json::json!({ "ids": [id] }),
    )
    .await
    .unwrap();
    let back = |arrivals: &[Arrival]| {
        arrivals
            .iter()
            .rfind(|arrival| arrival.id == id)
            .is_some_and(|last| last.kind == ChangeKind::Upsert)
    };
    rig.ledger.until("the undelete", back).await;
    let arrivals = rig.ledger.of(&id);
    assert!(
        arrivals.windows(2).all(|pair| pair[0].version <= pair[1].version),
        "{arrivals:?}"
    );
    assert!(arrivals.iter().all(|arrival| arrival.lane == Lane::Live));
    // Only what changed since the sync was turned on, and nothing twice.
    assert_eq!(rig.ledger.ids(Lane::Live).len(), 2);
    let mut seen: Vec<_> = arrivals
        .iter()
        .map(|a| (a.version.stamp_ms, a.kind, a.cells.clone()))
        .collect();
    let count = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), count, "an overlap was sent again");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_ran_ahead_and_is_put_back_hides_nothing() {
    let rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    let org = rig.org();
    let skew = |ms: i64| serde_json::json!({ "clock_skew_ms": ms });
    org.post_to("/__sandbox/settings", skew(7_200_000)).await.unwrap();
    let ahead = org.create("Vehicle__c", named("Ahead")).await.unwrap();
    until(&rig, "what came ahead", &ahead, ChangeKind::Upsert, None).await;
    org.post_to("/__sandbox/settings", skew(0)).await.unwrap();
    let after = org.create("Vehicle__c", named("After")).await.unwrap();
    until(&rig, "what came after", &after, ChangeKind::Upsert, None).await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_commit_late_and_out_of_order_are_not_lost() {
    let config = SandboxConfig {
        records: Some(100),
        commit_delay: Duration::from_secs(4),
        ..SandboxConfig::default()
    };
    let rig = Rig::new(config).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    // Wait until the increment runs, so that no change predates it.
    rig.ledger.until("nothing yet", <[Arrival]>::is_empty).await;
    let org = rig.org();
    let creates = (0..40).map(|n| {
        let org = org.clone();
        async move {
            org.create("Vehicle__c", named(&format!("Late {n}")))
                .await
                .unwrap()
        }
    });
    tokio::time::timeout(Duration::from_secs(20), wait_for_begin(&rig))
        .await
        .unwrap();
    let created = futures::future::join_all(creates).await;
    for id in &created {
        until(&rig, "a late row", id, ChangeKind::Upsert, None).await;
    }
    extractor.stop().await;
}

/// Trap 1 of Salesforce's facts (17): a watermark that walks past rows which are not visible yet loses them for good.
#[tokio::test(flavor = "multi_thread")]
async fn trap_01_a_transaction_that_outlasts_the_overlap_is_waited_for() {
    let config = SandboxConfig {
        records: Some(100),
        commit_delay: Duration::from_secs(6),
        ..SandboxConfig::default()
    };
    let mut rig = Rig::new(config).await;
    (rig.settings.lag, rig.settings.overlap) = (Duration::ZERO, Duration::ZERO);
    rig.settings.settle_interval = Duration::from_secs(1);
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    let org = rig.org();
    let creates = (0..8).map(|n| {
        let org = org.clone();
        async move {
            let late = named(&format!("Late {n}"));
            org.create("Vehicle__c", late).await.unwrap()
        }
    });
    let created = futures::future::join_all(creates).await;
    for id in &created {
        until(&rig, "a late row", id, ChangeKind::Upsert, None).await;
    }
    extractor.stop().await;
}

/// Waits until the extractor has a position for the sync.
pub(crate) async fn wait_for_begin(rig: &Rig) {
    let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
    let at = landbridge_bus::Key::new(["live", tenant().as_str(), key().name.as_str()]);
    rig::until("a position for the sync", async || kv.get(&at).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_sync_continues_where_it_stood_under_another_worker_without_a_cache() {
    let rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    let first = rig.extractor("first").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    rig.change_sync(|sync| sync.status = SyncStatus::Paused).await;
    let org = rig.org();
    let while_paused = org.create("Vehicle__c", named("Paused")).await.unwrap();
    first.stop().await;
    assert!(!has(&rig.ledger.all(), &while_paused, ChangeKind::Upsert, None));
    let second = rig.extractor("second").await;
    rig.change_sync(|sync| sync.status = SyncStatus::Active).await;
    until(
        &rig,
        "the change of the pause",
        &while_paused,
        ChangeKind::Upsert,
        Some("Paused"),
    )
    .await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_org_behind_the_address_stops_the_tenant() {
    let rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    let acme = tenant();
    let moved = rig.config.change_tenant(&acme, |tenant| {
        let mut tenant = tenant.ok_or(())?;
        assert!(tenant.salesforce.org_id.is_some(), "pinned at the first sign-in");
        tenant.salesforce.org_id = Some("00D000000000000EAA".into());
        Ok::<_, ()>(Some(tenant))
    });
    moved.await.unwrap().unwrap();
    let suspended = rig
        .config
        .wait_for(|config| config.tenant(&tenant())?.suspended.clone());
    let reason = tokio::time::timeout(Duration::from_secs(20), suspended)
        .await
        .unwrap();
    assert!(reason.contains("00D000000000000EAA"), "{reason}");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_02_a_mass_change_larger_than_a_page_arrives_whole() {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    // By pages alone.
    rig.settings.bulk_from = 100_000;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    // Read only once everything is written, so that one window holds several pages of rows with few stamps.
    rig.change_sync(|sync| sync.status = SyncStatus::Paused).await;
    let org = rig.org();
    let mut created = std::collections::BTreeSet::new();
    for part in 0..23 {
        let records = (0..200).map(|n| named(&format!("Mass {part} {n}"))).collect();
        let saved = org.create_many("Vehicle__c", records).await.unwrap();
        created.extend(saved.into_iter().map(|record| record.id.unwrap()));
    }
    assert_eq!(created.len(), 4_600);
    rig.change_sync(|sync| sync.status = SyncStatus::Active).await;
    rig.ledger
        .until("all of them", |arrivals| arrivals.len() >= created.len())
        .await;
    assert_eq!(rig.ledger.ids(Lane::Live), created);
    assert_eq!(rig.ledger.all().len(), created.len(), "each of them once");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_13_more_columns_than_an_address_can_name_are_read_all_the_same() {
    let rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    let extractor = rig.extractor("one").await;
    let names: Vec<String> = (0..450)
        .map(|n| format!("A_Field_Whose_Name_Is_Long_{n:03}__c"))
        .collect();
    let added: Vec<_> = names
        .iter()
        .map(|name| serde_json::json!({ "name": name, "type": "string", "length": 40 }))
        .collect();
    rig.edit_schema(serde_json::json!({ "object": "Vehicle__c", "add": added }))
        .await;
    rig.store_sync("active", serde_json::Value::Null).await;
    rig.change_sync(|sync| {
        let fields = &mut sync.definition.spec.fields;
        let rule = fields[0].clone();
        fields.extend(names.iter().map(|name| {
            let mut rule = rule.clone();
            rule.from.clone_from(name);
            rule.to = name.to_ascii_lowercase();
            rule
        }));
        sync.revision.0 += 1;
        sync.activation += 1;
    })
    .await;
    let org = rig.org();
    let depot = org.create("Depot__c", named("Far away")).await.unwrap();
    let mut values = named("Wide");
    values.insert(names[449].clone(), "the last one".into());
    values.insert("Depot__c".to_owned(), depot.as_str().into());
    let id = org.create("Vehicle__c", values).await.unwrap();
    let whole = |arrival: &Arrival| {
        let cell = |name: &str| arrival.cells.get(name).cloned().flatten();
        arrival.id == id
            && cell(&names[449]).as_deref() == Some("the last one")
            && cell("Depot__r.Name").as_deref() == Some("Far away")
    };
    rig.ledger
        .until("the wide row", |arrivals| arrivals.iter().any(whole))
        .await;
    // By id it is read the same way.
    let reread = landbridge_wire::Reread {
        envelope: landbridge_model::Envelope {
            tenant: tenant(),
            sync: key().name,
            revision: landbridge_model::Revision(2),
            purpose: landbridge_model::Purpose::Apply,
            source: landbridge_model::Source::Reread,
            run: None,
            force: true,
            only: None,
        },
        id,
        reason: "test".into(),
    };
    rig.hub.ask_reread(&reread).await.unwrap();
    rig.ledger
        .until("the wide row once more", |arrivals| {
            let again = |arrival: &&Arrival| arrival.source == landbridge_model::Source::Reread;
            arrivals.iter().filter(again).any(whole)
        })
        .await;
    org.delete("Vehicle__c", &id).await.unwrap();
    until(&rig, "the delete", &id, ChangeKind::Delete, None).await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_hidden_suspends_the_sync_with_its_name() {
    let rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    rig.edit_schema(serde_json::json!({ "object": "Vehicle__c", "hide": ["Price__c"] }))
        .await;
    let suspended = rig.config.wait_for(|config| {
        let sync = config.sync(&tenant(), &key().name)?;
        (sync.status == SyncStatus::Suspended).then(|| sync.reason.clone())
    });
    let reason = tokio::time::timeout(Duration::from_secs(30), suspended)
        .await
        .unwrap();
    assert!(
        reason
            .as_deref()
            .is_some_and(|reason| reason.contains("Price__c")),
        "{reason:?}"
    );
    extractor.stop().await;
}

/// Trap 24 of Salesforce's facts (17): a first look that reaches back as far as the account does is refused at its edge.
#[tokio::test(flavor = "multi_thread")]
async fn trap_24_a_look_after_forty_days_is_not_refused_at_the_edge_of_the_account() {
    const DAY_MS: i64 = 86_400_000;
    let mut rig = Rig::new(SandboxConfig {
        records: Some(60),
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.settle_interval = Duration::ZERO;
    let refused = || {
        let counts = rig.sandbox.salesforce_stats().counts();
        counts.refused.get("replication_date").copied().unwrap_or(0)
    };
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    extractor.stop().await;
    let org = rig.org();
    let id = org
        .create("Vehicle__c", named("While nobody read"))
        .await
        .unwrap();
    rig.sandbox.org().clock.advance_ms(40 * DAY_MS);
    let fresh = rig.org();
    let now = fresh.org_now().await.unwrap();
    let edge = now - jiff::SignedDuration::from_hours(30 * 24);
    assert!(
        fresh.updated("Vehicle__c", edge, now).await.is_err(),
        "there is an edge"
    );
    assert_eq!(refused(), 1);

    let extractor = rig.extractor("two").await;
    until(&rig, "what nobody read", &id, ChangeKind::Upsert, None).await;
    let settled = async || {
        let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
        let live = landbridge_bus::Key::new(["live", "acme", "vehicles"]);
        let (live, _) = kv.get_json::<serde_json::Value>(&live).await.unwrap()?;
        let settled: jiff::Timestamp = serde_json::from_value(live["settled"].clone()).ok()?;
        (settled > edge).then_some(())
    };
    rig::until("open transactions to be known", settled).await;
    assert_eq!(refused(), 1, "nothing was asked for at the edge");
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stamped_before_the_activation_and_committed_after_it_is_read() {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(100),
        commit_delay: Duration::from_secs(4),
        ..SandboxConfig::default()
    })
    .await;
    // A transaction that takes longer, and ends within its minute, shows nowhere.
    rig.settings.lag = Duration::from_secs(8);
    let extractor = rig.extractor("one").await;
    rig.store_sync("draft", serde_json::Value::Null).await;
    let org = rig.org();
    let open = tokio::spawn(async move { org.create("Vehicle__c", named("Open")).await.unwrap() });
    rig.second_is_over().await;
    rig.second_is_over().await;
    rig.change_sync(|sync| sync.status = SyncStatus::Active).await;
    let id = open.await.unwrap();
    until(&rig, "the late commit", &id, ChangeKind::Upsert, Some("Open")).await;
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_ask_for_open_transactions_is_read_all_the_same() {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(100),
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.settle_interval = Duration::from_millis(100);
    let refusal = r#"[{"errorCode":"INSUFFICIENT_ACCESS","message":"not for this user"}]"#;
    let refused = serde_json::json!([{ "where": "/updated/", "what": { "status": 403 }, "body": refusal }]);
    let faults = rig.sandbox.salesforce_faults();
    faults.add(serde_json::from_value(refused).unwrap());
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    let id = rig.org().create("Vehicle__c", named("Seen")).await.unwrap();
    until(&rig, "the create", &id, ChangeKind::Upsert, Some("Seen")).await;
    assert!(faults.status()[0].fired > 0);
    extractor.stop().await;
}
