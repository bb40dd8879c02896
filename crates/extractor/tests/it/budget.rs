//! The org's daily calls: never its last ones, a clear status, and on by itself when the day frees calls again.

use std::time::{Duration, Instant};

use landbridge_bus::{Bucket, Key};
use landbridge_model::ChangeKind;
use landbridge_model::StageKind;
use landbridge_model::ask::{AskStatus, StageStatus};
use landbridge_sandbox::SandboxConfig;
use serde_json::{Value, json};

use crate::live::{has, named, wait_for_begin};
use crate::rig::{self, DEADLINE, Rig, tenant, until};

const ALLOWED: u64 = 400;
/// What is left to others: a twentieth.
const RESERVED: u64 = ALLOWED / 20;
const HOUR_MS: i64 = 3_600_000;
/// How often a call is let through although the day is spent.
const PROBES: Duration = Duration::from_millis(700);

async fn status(rig: &Rig) -> StageStatus {
    let acme = tenant();
    let asked = rig.hub.ask(StageKind::Extractor, &acme, &AskStatus {}, DEADLINE);
    asked.await.unwrap()
}

/// Calls that the org refused for this reason.
fn refused(rig: &Rig, reason: &str) -> u64 {
    let counts = rig.sandbox.salesforce_stats().counts();
    counts.refused.get(reason).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_limit_that_is_reached_stops_reading_before_it_and_nothing_is_lost() {
    let mut rig = Rig::new(SandboxConfig {
        records: Some(60),
        daily_api_requests: ALLOWED,
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.poll_interval = Duration::from_millis(50);
    rig.settings.probe_interval = PROBES;
    // The hours of the night pass quickly, and sessions outlast them.
    rig.set_up_org(json!({ "session_ms": 1_000 * HOUR_MS })).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    wait_for_begin(&rig).await;
    let gone = *rig.vehicles().await.first().unwrap();
    // Somebody else in the org uses most of the day.
    let others = rig.org();
    loop {
        others.limits().await.unwrap();
        if others.governor().usage().unwrap().used >= ALLOWED - RESERVED - 5 {
            break;
        }
    }
    let trouble = until("the live reading to stop with a reason", async || {
        let live = status(&rig).await.live.into_iter().next()?;
        live.trouble
            .filter(|trouble| trouble.contains("budget of Salesforce calls is spent"))
    })
    .await;
    assert!(
        trouble.contains(&format!("of {} used", ALLOWED - RESERVED)),
        "{trouble}"
    );
    let budget = status(&rig).await.budget.unwrap();
    assert_eq!((budget.limit, budget.reserved), (ALLOWED, RESERVED));
    assert!(budget.used < ALLOWED, "{budget:?}");
    let notes = status(&rig).await.notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("only the live reading goes on")),
        "{notes:?}"
    );

    // An import waits as well, and says why.
    rig.start_import("import-1").await;
    rig.reports_until("why the import waits", |report| {
        matches!(&report.body, landbridge_wire::ReportBody::Progress(progress)
            if progress.reason.as_deref().is_some_and(|reason| reason.contains("daily Salesforce calls")
                || reason.contains("budget of Salesforce calls")))
    })
    .await;

    // What changes meanwhile is read when the day is over.
    // Each edit by a client that does not know yet how little is left.
    let edits = || rig.impatient_org();
    let id = edits().create("Vehicle__c", named("At noon")).await.unwrap();
    edits().delete("Vehicle__c", &gone).await.unwrap();

    // By the org's own count, nobody but a call now and then asks whether the day is over.
    let (noon, counted) = (Instant::now(), rig.sandbox.org().calls_of_the_day());
    let asked = until("some of those calls", async || {
        let since = rig.sandbox.org().calls_of_the_day() - counted;
        (since >= 3).then_some(since)
    })
    .await;
    let allowed = noon.elapsed().as_millis() / PROBES.as_millis() + 1;
    assert!(
        u128::from(asked) <= allowed,
        "{asked} calls were made where {allowed} are due"
    );
    let used = rig.sandbox.org().calls_of_the_day();
    assert!(
        used < ALLOWED,
        "{used} of {ALLOWED}: the org's last calls were used"
    );
    assert_eq!(
        refused(&rig, "daily_limit"),
        0,
        "the org's last calls were asked for"
    );

    let over = rig.sandbox.org().clock.now_ms() + 25 * HOUR_MS;
    rig.set_up_org(json!({ "clock_rate": 25.0 * HOUR_MS as f64 / 3_000.0 }))
        .await;
    until("the night to pass", async || {
        (rig.sandbox.org().clock.now_ms() >= over).then_some(())
    })
    .await;
    rig.set_up_org(json!({ "clock_rate": 1.0 })).await;
    rig.ledger
        .until("what happened at noon", |arrivals| {
            has(arrivals, &id, ChangeKind::Upsert, Some("At noon"))
                && has(arrivals, &gone, ChangeKind::Delete, None)
        })
        .await;
    until("the trouble to be over", async || {
        let live = status(&rig).await.live.into_iter().next()?;
        live.trouble.is_none().then_some(())
    })
    .await;
    // The import goes on by itself as well, and brings every record that there is.
    let reports = rig
        .reports_until("the end of the import", |report| {
            matches!(&report.body, landbridge_wire::ReportBody::Progress(progress)
                if progress.phase == landbridge_wire::RunPhase::Ended)
        })
        .await;
    let extracted = rig::extracted(&reports);
    let missing: Vec<_> = rig.vehicles().await.difference(&extracted).copied().collect();
    assert_eq!(missing, [], "the import lost records");
    assert_eq!(refused(&rig, "daily_limit"), 0);
    extractor.stop().await;
}

/// Nobody but us knows how many of the org's calls were ours: the count outlasts the process that made them.
#[tokio::test(flavor = "multi_thread")]
async fn our_own_count_of_the_days_calls_outlasts_the_extractor_that_made_them() {
    const OWN: u64 = 40;
    let mut rig = Rig::new(SandboxConfig {
        records: Some(60),
        ..SandboxConfig::default()
    })
    .await;
    rig.settings.poll_interval = Duration::from_millis(5);
    rig.settings.probe_interval = Duration::from_millis(200);
    allocate(&rig, OWN).await;
    let extractor = rig.extractor("one").await;
    rig.store_sync("active", Value::Null).await;
    let spent = async || {
        let live = status(&rig).await.live.into_iter().next()?;
        live.trouble
            .filter(|trouble| trouble.contains("budget of Salesforce calls is spent"))
    };
    let trouble = until("the allocation to be spent", spent).await;
    assert!(trouble.contains(&format!("{OWN} of {OWN} used")), "{trouble}");
    let kept = rig.hub.bus().kv(Bucket::Checkpoints);
    // While it runs: one that is killed has kept it as well.
    until("the count to be kept", async || {
        let place = Key::new(["calls", "acme"]);
        let (hours, _) = kept.get_json::<Vec<(i64, u64)>>(&place).await.unwrap()?;
        (hours.iter().map(|(_, calls)| calls).sum::<u64>() == OWN).then_some(())
    })
    .await;
    extractor.stop().await;

    // From here on the org's own count is the witness.
    let counted = || rig.sandbox.org().calls_of_the_day();
    let (before, signed_in) = (counted(), sign_ins(&rig));
    let extractor = rig.extractor("two").await;
    until("the other one to sign in", async || {
        (sign_ins(&rig) > signed_in).then_some(())
    })
    .await;
    polls_are_over(&rig).await;
    assert_eq!(counted(), before, "it knows that nothing is left");
    allocate(&rig, OWN + 20).await;
    until("the reading to go on", async || {
        (counted() > before).then_some(())
    })
    .await;
    polls_are_over(&rig).await;
    assert!(counted() <= before + 20, "{} calls, {before} before", counted());
    extractor.stop().await;
}

/// Time for a few polls.
async fn polls_are_over(rig: &Rig) {
    for _ in 0..3 {
        rig.second_is_over().await;
    }
}

/// How often somebody signed in to the org.
fn sign_ins(rig: &Rig) -> u64 {
    let counts = rig.sandbox.salesforce_stats().counts();
    counts.by_family.get("login").copied().unwrap_or(0)
}

/// Allocates so many of the org's daily calls to the tenant.
async fn allocate(rig: &Rig, calls: u64) {
    let acme = tenant();
    let changed = rig.config.change_tenant(&acme, |stored| {
        let mut stored = stored.ok_or(())?;
        stored.salesforce.daily_calls = Some(calls);
        Ok::<_, ()>(Some(stored))
    });
    changed.await.unwrap().unwrap();
}

/// Trap 28 of Salesforce's facts (17): an org refuses calls when too many long ones run at once.
#[tokio::test(flavor = "multi_thread")]
async fn trap_28_more_calls_at_once_than_an_org_runs_wait_instead_of_being_refused() {
    let rig = Rig::new(SandboxConfig {
        records: Some(60),
        ..SandboxConfig::default()
    })
    .await;
    let org = rig.org();
    let slow = json!({ "call_ms": 300, "long_call_ms": 0 });
    org.post_to("/__sandbox/settings", slow).await.unwrap();
    let asked = (0..40).map(|_| org.limits());
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(refused(&rig, "concurrent_limit"), 0);

    // Who takes no such care is refused.
    let careless = rig.impatient_org();
    careless.session().await.unwrap();
    let asked = futures::future::join_all((0..40).map(|_| careless.limits())).await;
    let refusals = asked
        .into_iter()
        .filter_map(Result::err)
        .map(|error| error.to_string());
    let refusals: Vec<String> = refusals.collect();
    assert!(!refusals.is_empty());
    let told =
        |refusal: &String| refusal.contains("ConcurrentRequests (Concurrent API Requests) Limit exceeded.");
    assert!(refusals.iter().all(told), "{refusals:?}");
}
