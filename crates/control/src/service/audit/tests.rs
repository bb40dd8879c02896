use landbridge_bus::AuditRecord;

use super::*;

fn record(sequence: u64, phase: Option<Phase>, attempt: &str) -> AuditRecord {
    let stored = StoredEntry {
        phase,
        attempt: Some(attempt.to_owned()),
        who: "user:ann".to_owned(),
        action: "sync.removed".to_owned(),
        subject: attempt.to_owned(),
        detail: None,
        before: None,
        after: None,
    };
    AuditRecord {
        sequence,
        time: jiff::Timestamp::UNIX_EPOCH,
        tenant: None,
        payload: serde_json::to_vec(&stored).unwrap().into(),
    }
}

#[test]
fn what_was_asked_for_shows_only_while_nothing_follows() {
    let asked = Some(Phase::Asked);
    let mut log = vec![
        record(1, asked, "done"),
        record(2, asked, "cut off"),
        record(3, asked, "refused"),
        record(4, None, "done"),
        record(5, asked, "failed"),
        record(6, Some(Phase::Nothing), "refused"),
        record(7, Some(Phase::Unclear), "failed"),
    ];
    log.reverse();
    let mut ended = HashSet::new();
    let shown = log.into_iter().filter_map(|record| entry_of(record, &mut ended));
    let shown: Vec<(String, AuditState)> = shown.map(|entry| (entry.subject, entry.state)).collect();
    let expected = [
        ("failed", AuditState::Unclear),
        ("done", AuditState::Done),
        ("cut off", AuditState::Asked),
    ];
    assert_eq!(
        shown,
        expected.map(|(subject, state)| (subject.to_owned(), state))
    );
}

#[test]
fn entries_are_found_by_what_they_say_and_by_their_kind() {
    let entry = AuditEntry {
        sequence: 1,
        at_ms: 0,
        tenant: Some(TenantId::new("acme").unwrap()),
        who: "user:ann".to_owned(),
        action: "sync.changed".to_owned(),
        subject: "vehicles".to_owned(),
        detail: Some("created in HubSpot: property Salesforce_ID".to_owned()),
        before: None,
        after: None,
        state: AuditState::Done,
    };
    for (query, kind, is_taken) in [
        (None, None, true),
        (Some("ANN"), None, true),
        (Some("vehic"), Some("sync"), true),
        (Some("salesforce_id"), None, true),
        (Some("acme"), None, true),
        (Some("globex"), None, false),
        (None, Some("token"), false),
        (None, Some("syn"), false),
    ] {
        let filter = AuditFilter {
            query: query.map(str::to_owned),
            kind: kind.map(str::to_owned),
        };
        assert_eq!(filter.takes(&entry), is_taken, "{filter:?}");
    }
}
