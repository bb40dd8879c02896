//! Records: created, recognised, ordered, refused one by one, deleted only when ours.

use std::sync::atomic::Ordering;

use landbridge_model::ask::{
    AskStatus, DecideHeld, Explain, FindIdentities, HeldDecision, ListRecords, TestHubSpot,
};
use landbridge_model::sync::MaxDeletes;
use landbridge_model::{ChangeKind, FailureCategory, Lane, ObjectTypeId, Outcome, Purpose};
use landbridge_sandbox::hubspot::Behaviour;
use landbridge_wire::{Report, ReportBody};

use crate::rig::{Rig, account, car, outcomes};

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_written_in_full_batches_and_a_second_one_costs_no_call() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let names: Vec<String> = (0..300).map(|n| format!("Car {n}")).collect();
    let rows: Vec<(u32, i64, &str, Option<&str>)> = names
        .iter()
        .zip(0u32..)
        .map(|(name, n)| (n, 1_000, name.as_str(), Some("12.50")))
        .collect();
    let batch = rig.cars(&rows);
    let before = rig.calls();
    let told = rig.apply(Lane::Bulk, &batch).await;
    assert!(
        told.iter()
            .all(|one| one.outcome == Outcome::Created && one.hubspot_id.is_some())
    );
    let after = rig.calls();
    let spent = |family: &str| after.get(family).unwrap_or(&0) - before.get(family).unwrap_or(&0);
    let writes: u64 = after
        .keys()
        .filter(|family| family.contains("upsert"))
        .map(|family| spent(family))
        .sum();
    assert_eq!(writes, 3, "three hundred rows are three calls: {after:?}");
    let reads: u64 = after
        .keys()
        .filter(|family| family.contains("read"))
        .map(|family| spent(family))
        .sum();
    assert_eq!(
        reads, 0,
        "nothing is read before a write into an empty type: {after:?}"
    );

    // A message that comes again before its end is told as it was.
    rig.acknowledged().await;
    let calls: u64 = rig.calls().values().sum();
    let again = rig.apply(Lane::Bulk, &batch).await;
    assert!(again.iter().all(|one| one.outcome == Outcome::Unchanged));
    assert_eq!(
        rig.calls().values().sum::<u64>(),
        calls,
        "what HubSpot has costs no call"
    );
    assert_eq!(again[7].hubspot_id, told[7].hubspot_id);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_never_wins_with_a_warm_cache_or_a_cold_one() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let new = rig.cars(&[(1, 2_000, "new", None), (2, 2_000, "same", None)]);
    let old = rig.cars(&[(1, 1_000, "old", None), (3, 1_000, "other", None)]);
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &new).await),
        [Outcome::Created; 2]
    );
    assert_eq!(
        outcomes(&rig.apply(Lane::Bulk, &old).await),
        [Outcome::Superseded, Outcome::Created]
    );
    rig.restart_cold().await;
    assert_eq!(
        outcomes(&rig.apply(Lane::Bulk, &old).await),
        [Outcome::Superseded, Outcome::Updated]
    );
    assert_eq!(rig.stored(1).await.unwrap().0, "new");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_fail_alone_and_are_cured_by_a_later_version() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let bad = [3u32, 40, 77];
    let rows: Vec<(u32, i64, &str, Option<&str>)> = (0..100)
        .map(|n| {
            (
                n,
                1_000,
                "x",
                Some(if bad.contains(&n) { "12,5" } else { "12.5" }),
            )
        })
        .collect();
    let batch = rig.cars(&rows);
    let told = rig.apply(Lane::Bulk, &batch).await;
    for (n, one) in (0u32..).zip(&told) {
        let expected = if bad.contains(&n) {
            Outcome::Failed
        } else {
            Outcome::Created
        };
        assert_eq!(one.outcome, expected, "row {n}: {:?}", one.failure);
    }
    let failure = told[40].failure.as_ref().unwrap();
    assert_eq!(failure.category, FailureCategory::InvalidValue);
    assert_eq!(
        (failure.property.as_deref(), failure.value.as_deref()),
        (Some("price"), Some("12,5"))
    );
    assert_eq!(rig.hub.failures(&rig.tenant, None).await.unwrap().len(), 3);
    let cure = rig.cars(&[(40, 2_000, "x", Some("13"))]);
    assert_eq!(outcomes(&rig.apply(Lane::Live, &cure).await), [Outcome::Created]);
    assert_eq!(
        rig.hub.failures(&rig.tenant, None).await.unwrap().len(),
        2,
        "a success ends its failure"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_refused_whole_is_narrowed_until_the_bad_rows_are_alone() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.mischief.strip_traces.store(true, Ordering::SeqCst);
    for poisoned in 1..=10u32 {
        // Some beside each other, some apart, and never the same places.
        let is_bad = |place: u32| (0..poisoned).any(|bad| place == (poisoned * 7 + bad * bad * 3) % 100);
        let count = (0..100).filter(|&place| is_bad(place)).count();
        let price = |place| if is_bad(place) { "twelve" } else { "12.5" };
        let rows: Vec<(u32, i64, &str, Option<&str>)> = (0..100)
            .map(|place| (poisoned * 100 + place, 1_000, "x", Some(price(place))))
            .collect();
        let batch = rig.cars(&rows);
        let before: u64 = rig.calls().values().sum();
        let told = rig.apply(Lane::Bulk, &batch).await;
        let spent = rig.calls().values().sum::<u64>() - before;
        for (place, one) in (0u32..).zip(&told) {
            let expected = if is_bad(place) {
                Outcome::Failed
            } else {
                Outcome::Created
            };
            assert_eq!(
                one.outcome, expected,
                "row {place} of {poisoned}: {:?}",
                one.failure
            );
            let property = one.failure.as_ref().map(|failure| failure.property.as_deref());
            assert_eq!(property, is_bad(place).then_some(Some("price")));
        }
        // One refused batch, and k·(log2(100/k) + 2) + 2 more at most; the type is listed once.
        let k = count as f64;
        let bound = k * ((100.0 / k).log2() + 2.0) + 2.0;
        let listing = if poisoned == 1 { 1.0 } else { 0.0 };
        assert!(
            spent as f64 <= 1.0 + bound + listing,
            "{spent} calls for {count} bad rows"
        );
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_and_a_refusal_cost_a_repetition_and_nothing_else() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.mischief.lost_answers.store(1, Ordering::SeqCst);
    rig.mischief.refusals.store(1, Ordering::SeqCst);
    let batch = rig.cars(&[(1, 1_000, "one", None), (2, 1_000, "two", None)]);
    let told = rig.apply(Lane::Live, &batch).await;
    assert_eq!(
        outcomes(&told),
        [Outcome::Created; 2],
        "what the lost call made was made by us"
    );
    let list = ListRecords {
        object_type: rig.object_type(),
        id_property: "salesforce_id".to_owned(),
        after: None,
    };
    assert_eq!(
        rig.ask(&list).await.records.len(),
        2,
        "repeating it made no second record"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_an_answer_is_settled_before_a_newer_one_of_its_record_is_sent() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.apply(Lane::Bulk, &rig.cars(&[(1, 1_000, "first", None)]))
        .await;
    // HubSpot will still carry it out, after whatever comes next.
    rig.mischief.late.store(true, Ordering::SeqCst);
    let (old, new) = (
        rig.cars(&[(1, 2_000, "old", None)]),
        rig.cars(&[(1, 3_000, "new", None)]),
    );
    rig.write(Lane::Bulk, &old).await;
    rig.until(async |rig| !rig.mischief.late.load(Ordering::SeqCst))
        .await;
    rig.write(Lane::Live, &new).await;
    let ended = |reports: &[Report]| {
        let records = reports.iter().filter_map(|report| match &report.body {
            ReportBody::Records(records) => Some(records.len()),
            _ => None,
        });
        records.sum::<usize>()
    };
    rig.reports(|reports| ended(reports) >= 2).await;
    assert_eq!(rig.stored(1).await.unwrap().0, "new");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_touches_only_what_landbridge_wrote() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let batch = rig.cars(&[(1, 1_000, "ours", None)]);
    assert_eq!(outcomes(&rig.apply(Lane::Live, &batch).await), [Outcome::Created]);
    // Somebody's own record that carries a Salesforce id.
    let columns = landbridge_hubspot::records::UpsertColumns::new("salesforce_id", ["name"]);
    let mut body = landbridge_hubspot::records::UpsertBody::new(&columns, "t");
    body.push(car(2).as_str(), [(0, Some("theirs"))]);
    let share = landbridge_hubspot::Share::Live;
    rig.client
        .upsert_records(share, &rig.object_type(), body.finish())
        .await
        .unwrap();
    let mut delete = rig.cars(&[(1, 2_000, "", None), (2, 2_000, "", None), (3, 2_000, "", None)]);
    delete.kinds = vec![ChangeKind::Delete; 3];
    rig.restart_cold().await;
    let told = rig.apply(Lane::Live, &delete).await;
    assert_eq!(
        outcomes(&told),
        [Outcome::Deleted, Outcome::Kept, Outcome::Deleted]
    );
    assert_eq!(rig.stored(1).await, None);
    assert_eq!(rig.stored(2).await.unwrap().0, "theirs");
    let stale = rig.cars(&[(1, 1_500, "stale", None)]);
    assert_eq!(
        outcomes(&rig.apply(Lane::Bulk, &stale).await),
        [Outcome::Superseded]
    );
    let undeleted = rig.cars(&[(1, 3_000, "back", None)]);
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &undeleted).await),
        [Outcome::Created]
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_row_brings_back_no_record_whose_delete_came_first() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let mut delete = rig.cars(&[(1, 2_000, "", None)]);
    delete.kinds = vec![ChangeKind::Delete];
    let old = rig.cars(&[(1, 1_000, "old", None)]);
    // HubSpot never had it, and this worker knows that.
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &delete).await),
        [Outcome::Deleted]
    );
    assert_eq!(
        outcomes(&rig.apply(Lane::Bulk, &old).await),
        [Outcome::Superseded]
    );
    // Deleted once more after it had come back for a moment: what lies between the two stays away as well.
    let mut later = rig.cars(&[(1, 4_000, "", None)]);
    later.kinds = vec![ChangeKind::Delete];
    assert_eq!(outcomes(&rig.apply(Lane::Live, &later).await), [Outcome::Deleted]);
    let between = rig.cars(&[(1, 3_000, "between", None)]);
    assert_eq!(
        outcomes(&rig.apply(Lane::Bulk, &between).await),
        [Outcome::Superseded]
    );
    assert!(rig.stored(1).await.is_none());
    let back = rig.cars(&[(1, 5_000, "back", None)]);
    assert_eq!(outcomes(&rig.apply(Lane::Live, &back).await), [Outcome::Created]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_delete_is_held_and_a_record_that_comes_back_is_let_go() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.change_rules(|rules| rules.max_deletes = Some(MaxDeletes::Count(1)))
        .await;
    let batch = rig.cars(&[(1, 1_000, "one", None), (2, 1_000, "two", None)]);
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &batch).await),
        [Outcome::Created; 2]
    );
    let mut delete = rig.cars(&[(1, 2_000, "", None), (2, 2_000, "", None)]);
    delete.kinds = vec![ChangeKind::Delete; 2];
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &delete).await),
        [Outcome::Deleted, Outcome::Held]
    );
    assert_eq!(rig.stored(2).await.unwrap().0, "two");
    assert_eq!(rig.hub.held(&rig.tenant, None).await.unwrap().len(), 1);
    let back = rig.cars(&[(2, 3_000, "back", None)]);
    assert_eq!(outcomes(&rig.apply(Lane::Live, &back).await), [Outcome::Updated]);
    assert!(rig.hub.held(&rig.tenant, None).await.unwrap().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_deletes_are_written_or_let_be_as_a_person_decides() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.change_rules(|rules| rules.max_deletes = Some(MaxDeletes::Count(0)))
        .await;
    let batch = rig.cars(&[1, 2, 3].map(|serial| (serial, 1_000, "one", None)));
    rig.apply(Lane::Live, &batch).await;
    let mut delete = rig.cars(&[1, 2, 3].map(|serial| (serial, 2_000, "", None)));
    delete.kinds = vec![ChangeKind::Delete; 3];
    assert_eq!(
        outcomes(&rig.apply(Lane::Live, &delete).await),
        [Outcome::Held; 3]
    );
    let sync = delete.envelope.sync.clone();
    let mut decide = DecideHeld {
        sync,
        ids: vec![car(1)],
        decision: HeldDecision::Discard,
    };
    assert_eq!(rig.ask(&decide).await.count, 1);
    assert_eq!(rig.hub.held(&rig.tenant, None).await.unwrap().len(), 2);
    let kept = rig.hub.kept_absent(&rig.tenant, &decide.sync).await.unwrap();
    assert_eq!(
        kept,
        [(car(1), delete.versions[0])].into(),
        "the next look must not ask again"
    );
    decide.decision = HeldDecision::Approve;
    assert_eq!(rig.ask(&decide).await.count, 0, "it is held no longer");
    decide.ids.clear();
    assert_eq!(rig.ask(&decide).await.count, 2);
    let told = |reports: &[Report]| -> Vec<Outcome> {
        let bodies = reports.iter().filter_map(|report| match &report.body {
            ReportBody::Records(records) => Some(outcomes(records)),
            _ => None,
        });
        bodies.flatten().collect()
    };
    let reports = rig.reports(|reports| told(reports).len() >= 3).await;
    assert_eq!(
        told(&reports),
        [Outcome::Kept, Outcome::Deleted, Outcome::Deleted]
    );
    assert!(rig.stored(1).await.is_some());
    assert_eq!((rig.stored(2).await, rig.stored(3).await), (None, None));
    assert!(rig.hub.held(&rig.tenant, None).await.unwrap().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_in_its_grace_is_written_when_the_grace_is_over() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.change_rules(|rules| rules.grace = Some("1s".to_owned()))
        .await;
    rig.apply(Lane::Live, &rig.cars(&[(1, 1_000, "one", None)])).await;
    let mut delete = rig.cars(&[(1, 2_000, "", None)]);
    delete.kinds = vec![ChangeKind::Delete];
    assert_eq!(outcomes(&rig.apply(Lane::Live, &delete).await), [Outcome::Held]);
    let reports = rig.reports(|reports| !reports.is_empty()).await;
    let ReportBody::Records(records) = &reports[0].body else {
        panic!("{reports:?}")
    };
    assert_eq!(outcomes(records), [Outcome::Deleted]);
    assert_eq!(rig.stored(1).await, None);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_delete_waits_for_a_person_also_where_there_is_a_grace() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.change_rules(|rules| {
        rules.grace = Some("1h".to_owned());
        rules.max_deletes = Some(MaxDeletes::Count(2));
    })
    .await;
    let serials = [1, 2, 3, 4];
    let batch = rig.cars(&serials.map(|serial| (serial, 1_000, "one", None)));
    rig.apply(Lane::Live, &batch).await;
    let mut delete = rig.cars(&serials.map(|serial| (serial, 2_000, "", None)));
    delete.kinds = vec![ChangeKind::Delete; 4];
    let told = rig.apply(Lane::Live, &delete).await;
    assert_eq!(outcomes(&told), [Outcome::Held; 4]);
    let held = rig.hub.held(&rig.tenant, None).await.unwrap();
    let by_themselves = held.iter().filter(|held| held.until_ms.is_some()).count();
    assert_eq!((held.len(), by_themselves), (4, 2), "{held:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compare_tells_what_apply_would_do_and_changes_nothing() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let batch = rig.cars(&[(1, 1_000, "one", Some("1.0")), (2, 1_000, "two", None)]);
    rig.apply(Lane::Live, &batch).await;
    let mut compare = rig.cars(&[
        (1, 1_000, "one", Some("1")),
        (2, 1_000, "zwei", None),
        (3, 1_000, "x", None),
    ]);
    compare.envelope = rig.envelope(Purpose::Compare);
    rig.write(Lane::Check, &compare).await;
    let compared = rig.compared().await;
    assert_eq!(compared.records.len(), 3);
    let found: Vec<(&str, String, &str)> = compared
        .differences
        .iter()
        .map(|one| (one.kind.as_str(), one.id.to_string(), one.name.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("different", car(2).to_string(), "name"),
            ("missing", car(3).to_string(), "")
        ]
    );
    assert_eq!(rig.stored(2).await.unwrap().0, "two");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_that_came_since_is_searched_for_and_not_listed() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let question = |ids| FindIdentities {
        object_type: ObjectTypeId::new("0-2"),
        property: "salesforceaccountid".to_owned(),
        unique: false,
        remembered: false,
        ids,
    };
    let known = rig.portal.put_company("Acme", account(7).as_str());
    let found = rig.ask(&question(vec![account(7)])).await.found;
    assert_eq!(found, [(account(7), landbridge_model::HubSpotId(known))]);
    let lists = || rig.calls().get("objects_list").copied();
    let before = lists();
    // Without its checksum, as older integrations have it.
    let since = rig.portal.put_company("Beta", &account(8).as_str()[..15]);
    let both = [
        (account(7), landbridge_model::HubSpotId(known)),
        (account(8), landbridge_model::HubSpotId(since)),
    ];
    // Search shows what was written a moment ago only then.
    rig.until(async |rig| {
        let mut found = rig.ask(&question(vec![account(7), account(8)])).await.found;
        found.sort_unstable();
        found == both
    })
    .await;
    assert_eq!(lists(), before, "companies were listed for one that is missing");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_about_a_portal_are_answered() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let told = rig.apply(Lane::Live, &rig.cars(&[(1, 1_000, "one", None)])).await;
    let test = rig.ask(&TestHubSpot {}).await;
    assert_eq!(
        (test.portal_id, &test.problems[..]),
        (u64::from(rig.portal.portal_id()), &[][..])
    );
    assert_eq!(test.object_types.unwrap().used, 1);
    // The test opens the portal anew; HubSpot's windows do not begin anew with it.
    let counted: u64 = rig.ask(&AskStatus {}).await.calls.iter().map(|of| of.calls).sum();
    assert_eq!(counted, rig.calls().values().sum::<u64>());
    let company = rig.portal.put_company("Acme", account(7).as_str());
    rig.portal.put_company("Acme again", account(1).as_str());
    let question = |object_type: ObjectTypeId, property: &str, unique, ids| FindIdentities {
        object_type,
        property: property.to_owned(),
        unique,
        remembered: false,
        ids,
    };
    let companies = ObjectTypeId::new("0-2");
    let ids = vec![account(7), account(8)];
    let found = rig
        .ask(&question(companies, "salesforceaccountid", false, ids))
        .await;
    assert_eq!(found.found, [(account(7), landbridge_model::HubSpotId(company))]);
    let cars = rig.object_type();
    let found = rig
        .ask(&question(
            cars.clone(),
            "salesforce_id",
            true,
            vec![car(1), car(2)],
        ))
        .await;
    assert_eq!(found.found, [(car(1), told[0].hubspot_id.unwrap())]);
    // What it remembers of a type that it knows whole needs no call.
    for (remembered, calls) in [(true, 0), (false, 1)] {
        let reads = |calls: &std::collections::BTreeMap<&str, u64>| calls.get("objects_batch_read").copied();
        let before = reads(&rig.calls()).unwrap_or(0);
        let question = question(cars.clone(), "salesforce_id", true, vec![car(1), car(2)]);
        let question = FindIdentities {
            remembered,
            ..question
        };
        let again = rig.ask(&question).await;
        assert_eq!(again, found);
        assert_eq!(reads(&rig.calls()).unwrap_or(0) - before, calls);
    }
    let list = ListRecords {
        object_type: cars,
        id_property: "salesforce_id".to_owned(),
        after: None,
    };
    let page = rig.ask(&list).await;
    assert_eq!(page.records.len(), 1);
    assert_eq!(page.records[0].salesforce_id.as_deref(), Some(car(1).as_str()));
    assert!(page.records[0].version.is_some() && page.after.is_none());
    let story = rig.ask(&Explain { id: car(1) }).await;
    assert_eq!(story.lines.len(), 1, "{story:?}");
    let status = rig.ask(&AskStatus {}).await;
    assert!(
        status
            .calls
            .iter()
            .any(|count| count.family == "write" && count.calls > 0)
            || test.portal_id > 0
    );
    rig.stop().await;
}
