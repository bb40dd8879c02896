//! Whole reports, restarts, and what is stored.

use landbridge_model::{
    Envelope, LinkOutcome, LinkVerdict, Outcome, Purpose, RecordOutcome, Revision, RunId, SalesforceId,
    Source, StageKind, SyncName, TenantId, Version,
};
use landbridge_wire::{Report, ReportBody, RunPhase, RunProgress, VersionedId};
use proptest::prelude::*;

use super::*;

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn run() -> RunId {
    RunId::new("imp-1").unwrap()
}

fn id(number: u8) -> SalesforceId {
    SalesforceId::parse(&format!("a00Hs0000010{number:03}")).unwrap()
}

fn report(stage: StageKind, source: Source, at_ms: i64, body: ReportBody) -> Report {
    Report {
        envelope: Envelope {
            tenant: acme(),
            sync: SyncName::new("vehicles").unwrap(),
            revision: Revision(1),
            purpose: Purpose::Apply,
            source,
            run: (source == Source::Import).then(run),
            force: false,
            only: None,
        },
        stage,
        at_ms,
        org_ahead_ms: 0,
        body,
    }
}

fn extracted(number: u8) -> Report {
    let change = VersionedId {
        id: id(number),
        version: Version::new(1, 1),
    };
    report(
        StageKind::Extractor,
        Source::Import,
        1_000,
        ReportBody::Extracted(vec![change]),
    )
}

fn settled(source: Source, at_ms: i64, number: u8, outcome: Outcome) -> Report {
    let version = Version::new(1_000, 1_500);
    let record = RecordOutcome {
        id: id(number),
        version,
        outcome,
        hubspot_id: None,
        failure: None,
    };
    report(
        StageKind::Loader,
        source,
        at_ms,
        ReportBody::Records(vec![record]),
    )
}

fn linked(number: u8, outcome: LinkOutcome) -> Report {
    let link = LinkVerdict {
        child: id(number),
        field: "Depot__c".into(),
        parent: None,
        version: Version::new(1, 1),
        outcome,
        failure: None,
    };
    report(
        StageKind::Loader,
        Source::Import,
        2_000,
        ReportBody::Links(vec![link]),
    )
}

fn progress(phase: RunPhase) -> Report {
    let progress = RunProgress {
        phase,
        salesforce_total: Some(3),
        rows: 3,
        reason: None,
    };
    report(
        StageKind::Extractor,
        Source::Import,
        1_000,
        ReportBody::Progress(progress),
    )
}

fn changes(ledger: &Ledger, outcome: Outcome) -> u64 {
    let accounts = ledger.tenant(&acme()).unwrap().syncs();
    accounts[&SyncName::new("vehicles").unwrap()].changes[outcome as usize]
}

#[test]
fn a_final_phase_stays() {
    let mut ledger = Ledger::default();
    for (sequence, phase) in [RunPhase::Counting, RunPhase::Ended, RunPhase::Reading]
        .into_iter()
        .enumerate()
    {
        ledger.fold(sequence as u64 + 1, &progress(phase));
    }
    assert_eq!(
        ledger.tenant(&acme()).unwrap().run(&run()).unwrap().phase(),
        RunPhase::Ended
    );
}

#[test]
fn a_syncs_account_counts_a_repeated_verdict_once() {
    let mut ledger = Ledger::default();
    ledger.fold(1, &settled(Source::Increment, 5_000, 1, Outcome::Updated));
    ledger.fold(2, &settled(Source::Increment, 6_000, 1, Outcome::Unchanged));
    ledger.fold(3, &settled(Source::Increment, 6_000, 2, Outcome::Held));
    ledger.fold(4, &settled(Source::Increment, 7_000, 2, Outcome::Deleted));
    assert_eq!(changes(&ledger, Outcome::Updated), 1);
    assert_eq!(
        changes(&ledger, Outcome::Unchanged),
        0,
        "the same change, delivered again"
    );
    assert_eq!(
        (
            changes(&ledger, Outcome::Held),
            changes(&ledger, Outcome::Deleted)
        ),
        (1, 1)
    );
    assert_eq!(
        ledger.tenant(&acme()).unwrap().latency().since(0).count(),
        2,
        "updated and deleted"
    );
}

#[test]
fn answers_of_a_compare_that_nobody_opened_are_passed_over() {
    let mut ledger = Ledger::default();
    let mut found = report(
        StageKind::Loader,
        Source::Compare,
        1,
        ReportBody::Compared(Default::default()),
    );
    found.envelope.purpose = Purpose::Compare;
    found.envelope.run = Some(run());
    ledger.fold(1, &found);
    let tenant = ledger.tenant(&acme()).unwrap();
    assert!(tenant.compare(&run()).is_none() && tenant.run(&run()).is_none() && tenant.syncs().is_empty());
}

/// Stores a ledger as the cache would, and opens it again.
fn reopened(ledger: &mut Ledger) -> (Ledger, u64) {
    let (through, replay_from) = (ledger.through(), ledger.replay_from());
    let stored: Vec<_> = ledger
        .tenants_mut()
        .filter_map(|(tenant, account)| {
            Some((tenant.clone(), serde_json::to_string(&account.store()?).ok()?))
        })
        .collect();
    let stored = stored
        .into_iter()
        .map(|(tenant, json)| (tenant, serde_json::from_str(&json).unwrap()));
    (Ledger::restore(through, stored), replay_from)
}

fn any_report() -> impl Strategy<Value = Report> {
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    let link = prop::sample::select(LinkOutcome::ALL.to_vec());
    let source = prop::sample::select(vec![Source::Import, Source::Increment]);
    let phase = prop::sample::select(vec![RunPhase::Reading, RunPhase::Ended]);
    prop_oneof![
        4 => (0u8..20).prop_map(extracted),
        4 => (source, 0i64..9, 0u8..20, outcome)
            .prop_map(|(source, at, number, outcome)| settled(source, at * 1_000, number, outcome)),
        2 => (0u8..20, link).prop_map(|(number, outcome)| linked(number, outcome)),
        1 => phase.prop_map(progress),
    ]
}

/// Everything that a status shows of the ledger.
fn shown(ledger: &Ledger) -> String {
    let Some(tenant) = ledger.tenant(&acme()) else {
        return String::new();
    };
    let run = tenant.run(&run()).map(|run| {
        let counts = run.records.assess(run.records.mark(), &InFlight::default());
        (
            counts.extracted,
            counts.outcomes,
            counts.unaccounted,
            run.links.counts(),
            run.phase().as_str(),
            run.settled_ms,
        )
    });
    format!(
        "{run:?} {:?} {:?} {}",
        tenant.syncs(),
        tenant.latency(),
        ledger.through()
    )
}

proptest! {
    /// A restart at any moment, from what was stored and the reports that open imports need, loses nothing and counts
    /// nothing twice.
    #[test]
    fn a_restart_changes_nothing(
        reports in prop::collection::vec(any_report(), 1..60),
        cut in any::<prop::sample::Index>(),
        closes in any::<bool>(),
    ) {
        let cut = cut.index(reports.len());
        let mut straight = Ledger::default();
        let fold = |ledger: &mut Ledger, from: usize, to: usize| {
            for (place, report) in reports.iter().enumerate().take(to).skip(from) {
                ledger.fold(place as u64 + 1, report);
            }
        };
        fold(&mut straight, 0, cut);
        if closes
            && let Some(account) = straight.tenant_mut(&acme()).run_mut(&run())
            && account.is_final()
        {
            let counts = account.records.assess(account.records.mark(), &InFlight::default());
            account.close(counts);
        }
        let (mut restarted, replay_from) = reopened(&mut straight);
        fold(&mut straight, cut, reports.len());
        fold(&mut restarted, usize::try_from(replay_from).unwrap() - 1, reports.len());
        // What was counted lately is not stored: a repeat across a restart counts again, so only runs and positions
        // are held to this where there are repeats.
        let distinct = |ledger: &Ledger| shown(ledger);
        if no_verdict_repeats(&reports) {
            prop_assert_eq!(distinct(&straight), distinct(&restarted));
        } else {
            let head = |text: String| text.split(" {").next().map(str::to_owned);
            prop_assert_eq!(head(distinct(&straight)), head(distinct(&restarted)));
        }
    }
}

fn no_verdict_repeats(reports: &[Report]) -> bool {
    let mut seen = std::collections::HashSet::new();
    reports.iter().all(|report| match &report.body {
        ReportBody::Records(records) => records
            .iter()
            .all(|record| seen.insert((record.id, record.outcome == Outcome::Held, 0))),
        ReportBody::Links(links) => links
            .iter()
            .all(|link| seen.insert((link.child, true, 1 + link.outcome as u8))),
        _ => true,
    })
}
