//! States of the imports table.

use landbridge_model::{ImportId, Revision, Version};
use landbridge_wire::RunProgress;

use super::*;

fn import(wish: ImportWish) -> Import {
    Import {
        id: ImportId::new("imp-1").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        sync: SyncName::new("vehicles").unwrap(),
        revision: Revision(1),
        wish,
        overwrite: false,
        only: None,
        keep_before: false,
        undo_ms: None,
        started_by: String::new(),
        started_ms: 0,
        continues: None,
        after: Vec::new(),
    }
}

fn account(phase: RunPhase, ended_ms: Option<i64>) -> RunAccount {
    let mut account = RunAccount::new(SyncName::new("vehicles").unwrap(), 1);
    account.progressed(&RunProgress {
        phase,
        salesforce_total: Some(2),
        rows: 2,
        reason: None,
    });
    account.ended_ms = ended_ms;
    account
}

#[test]
fn states_are_those_of_the_table() {
    use ImportWish::{Cancel, Pause, Run};
    use RunPhase::{Canceled, CatchingUp, Counting, Ended, Failed, Queued, Reading};
    let no_errors = Assessment::default();
    let mut errors = Assessment::default();
    errors.outcomes[Outcome::Failed as usize] = 1;
    for (wish, phase, ended, counts, stopped, expected) in [
        (Run, Queued, None, &no_errors, None, "Queued"),
        (Run, Counting, None, &no_errors, None, "Counting"),
        (Run, Reading, None, &errors, None, "Running"),
        (Run, CatchingUp, None, &no_errors, None, "Running"),
        (Run, Reading, None, &no_errors, Some("no token"), "Paused"),
        (Run, Ended, None, &no_errors, None, "Running"),
        (Pause, Reading, None, &no_errors, None, "Paused"),
        (Pause, Queued, None, &no_errors, None, "Paused"),
        (Pause, Ended, None, &no_errors, None, "Running"),
        (Pause, Ended, Some(5), &no_errors, None, "Completed"),
        // The cancel came too late: it is as if nobody had said a word, from now to the end.
        (Cancel, Ended, None, &no_errors, None, "Running"),
        (Cancel, Ended, None, &no_errors, Some("no token"), "Paused"),
        (Run, Ended, None, &no_errors, Some("no token"), "Paused"),
        (Cancel, Ended, Some(5), &errors, None, "Completed with errors"),
        (Cancel, Queued, None, &no_errors, None, "Canceled"),
        (Cancel, Counting, None, &no_errors, Some("no token"), "Canceled"),
        (Cancel, CatchingUp, None, &no_errors, None, "Canceled"),
        (Cancel, Canceled, None, &no_errors, None, "Canceled"),
        (Cancel, Failed, None, &no_errors, None, "Failed"),
        (Run, Ended, Some(5), &no_errors, None, "Completed"),
        (Run, Ended, Some(5), &no_errors, Some("no token"), "Completed"),
        (Run, Ended, Some(5), &errors, None, "Completed with errors"),
        (Pause, Reading, None, &no_errors, None, "Paused"),
        (Pause, Ended, Some(5), &no_errors, None, "Completed"),
        (Cancel, Reading, None, &no_errors, None, "Canceled"),
        (Cancel, Canceled, Some(5), &no_errors, None, "Canceled"),
        (Cancel, Ended, Some(5), &no_errors, None, "Completed"),
        (Run, Failed, None, &no_errors, None, "Failed"),
    ] {
        let account = account(phase, ended);
        let around = Circumstances {
            stopped,
            before: &[],
            now_ms: 0,
        };
        let found = status(&import(wish), Some(&account), counts, around, None);
        assert_eq!(found.state, expected, "{wish:?} {phase:?} {ended:?} {stopped:?}");
    }
}

#[test]
fn only_what_is_queued_waits_for_others() {
    let parent = [ImportId::new("imp-0").unwrap()];
    let counts = Assessment::default();
    for (wish, phase, stopped, waits) in [
        (ImportWish::Run, RunPhase::Queued, None, true),
        (ImportWish::Pause, RunPhase::Queued, None, false),
        (ImportWish::Run, RunPhase::Queued, Some("no token"), false),
        (ImportWish::Run, RunPhase::Counting, None, false),
    ] {
        let account = account(phase, None);
        let around = Circumstances {
            stopped,
            before: &parent,
            now_ms: 0,
        };
        let found = status(&import(wish), Some(&account), &counts, around, None);
        assert_eq!(
            !found.waits_for.is_empty(),
            waits,
            "{wish:?} {phase:?} {stopped:?}"
        );
    }
}

#[test]
fn a_status_adds_up() {
    let mut account = account(RunPhase::Reading, None);
    let id = |number: u8| landbridge_model::SalesforceId::parse(&format!("a00Hs0000010{number:03}")).unwrap();
    account
        .records
        .extracted([(id(1), Version::new(1, 1)), (id(2), Version::new(1, 1))]);
    account
        .records
        .settle(id(1), Version::new(1, 1), Outcome::Created);
    let mut lanes = crate::ledger::InFlight::default();
    lanes.add(id(2), Version::new(1, 1));
    let counts = account.records.assess(account.records.mark(), &lanes);
    let around = Circumstances {
        stopped: None,
        before: &[],
        now_ms: 0,
    };
    let found = status(&import(ImportWish::Run), Some(&account), &counts, around, None);
    let settled: u64 = found.outcomes.iter().map(|(_, count)| count).sum();
    assert_eq!(
        (found.extracted, settled, found.in_flight, found.unaccounted),
        (2, 1, 1, 0)
    );
    assert_eq!(found.salesforce_total, Some(2));
}

#[test]
fn what_remains_is_told_only_where_it_is_known() {
    let status = |state: &str, salesforce_total, created: u64, rate, ended_ms| ImportStatus {
        state: state.to_owned(),
        salesforce_total,
        extracted: created,
        outcomes: vec![(Outcome::Created, created), (Outcome::Failed, 0)],
        rate,
        ended_ms,
        ..super::status(
            &import(ImportWish::Run),
            None,
            &Assessment::default(),
            Circumstances {
                stopped: None,
                before: &[],
                now_ms: 0,
            },
            None,
        )
    };
    for (status, expected) in [
        (status("Running", Some(1_000), 400, 20.0, None), Some(30.0)),
        (status("Running", Some(1_000), 1_000, 20.0, None), Some(0.0)),
        // More was read than Salesforce counted at the beginning.
        (status("Running", Some(1_000), 1_100, 20.0, None), Some(0.0)),
        (status("Running", Some(1_000), 400, 0.0, None), None),
        (status("Running", None, 400, 20.0, None), None),
        (status("Paused", Some(1_000), 400, 20.0, None), None),
        (status("Completed", Some(1_000), 400, 20.0, Some(9)), None),
    ] {
        assert_eq!(remaining(&status), expected, "{status:?}");
    }
}

#[test]
fn an_undo_stands_before_everything_else() {
    let counts = Assessment::default();
    let account = account(RunPhase::Ended, Some(5));
    let around = Circumstances {
        stopped: Some("its sync is paused"),
        before: &[],
        now_ms: 10,
    };
    let told = |undo: UndoStatus| {
        let found = status(
            &import(ImportWish::Run),
            Some(&account),
            &counts,
            around,
            Some(undo),
        );
        (found.state, found.reason)
    };
    let begun = UndoStatus {
        trouble: Some("HubSpot is away".to_owned()),
        ..UndoStatus::default()
    };
    let ended = UndoStatus {
        ended_ms: Some(9),
        ..UndoStatus::default()
    };
    assert_eq!(
        told(begun),
        ("Undoing".to_owned(), Some("HubSpot is away".to_owned()))
    );
    assert_eq!(told(ended), ("Undone".to_owned(), None));
}
