//! Tables of what is told when.

use super::*;

const SETTLE: i64 = 120_000;

fn name() -> SyncName {
    SyncName::new("vehicles").unwrap()
}

fn well() -> Facts {
    Facts {
        suspended: None,
        syncs: vec![SyncFacts {
            name: name(),
            suspended: None,
            runs: true,
            behind_ms: Some(5_000),
        }],
        held: Some(BTreeMap::new()),
        failures: Some(0),
        credentials: vec![CredentialFacts {
            side: "hubspot",
            name: "HubSpot",
            refused: Some(None),
            age_days: Some(10),
        }],
    }
}

fn bounds() -> AlertBounds {
    AlertBounds {
        credential_days: Some(150),
        ..AlertBounds::default()
    }
}

type Change = fn(&mut Facts);

/// Everything that can be wrong: alert, subject, how it comes about, what is said of it.
const WRONG: [(AlertKind, Option<&str>, Change, &str); 7] = [
    (
        AlertKind::TenantSuspended,
        None,
        |facts| facts.suspended = Some("another org answers".to_owned()),
        "The tenant stands still: another org answers",
    ),
    (
        AlertKind::SyncSuspended,
        Some("vehicles"),
        |facts| facts.syncs[0].suspended = Some("the object is gone".to_owned()),
        "The sync vehicles is suspended: the object is gone",
    ),
    (
        AlertKind::HeldDeletes,
        Some("vehicles"),
        |facts| facts.held = Some([(name(), 12)].into()),
        "12 deletes of the sync vehicles wait for approval.",
    ),
    (
        AlertKind::Freshness,
        Some("vehicles"),
        |facts| facts.syncs[0].behind_ms = Some(1_020_000),
        "The sync vehicles is 17 minutes behind Salesforce; the bound is 15 minutes.",
    ),
    (
        AlertKind::Failures,
        None,
        |facts| facts.failures = Some(153),
        "153 records and links are refused; the bound is 100.",
    ),
    (
        AlertKind::Credentials,
        Some("hubspot"),
        |facts| facts.credentials[0].refused = Some(Some("the token is not valid".to_owned())),
        "HubSpot refuses the credentials: the token is not valid. Enter new ones.",
    ),
    (
        AlertKind::Credentials,
        Some("hubspot"),
        |facts| facts.credentials[0].age_days = Some(160),
        "The HubSpot credentials were entered 160 days ago; replace them before they stop working.",
    ),
];

fn changed(change: Change) -> Facts {
    let mut facts = well();
    change(&mut facts);
    facts
}

#[test]
fn each_condition_is_told_once_and_its_end_once() {
    for (alert, subject, change, text) in WRONG {
        let wrong = changed(change);
        let (standing, told) = judge(&[], &wrong, &bounds(), SETTLE, 1_000);
        let [told] = told.as_slice() else {
            panic!("{alert:?}: {told:?}")
        };
        assert_eq!((told.alert, told.subject.as_deref()), (alert, subject));
        assert_eq!((told.turn, told.text.as_str()), (Turn::Raised, text));
        let (standing, again) = judge(&standing, &wrong, &bounds(), SETTLE, 2_000);
        assert!(again.is_empty(), "{alert:?} is told twice");
        assert_eq!(standing[0].since_ms, 1_000);

        let (standing, early) = judge(&standing, &well(), &bounds(), SETTLE, 3_000);
        assert!(early.is_empty(), "{alert:?} may come back");
        let (standing, told) = judge(&standing, &well(), &bounds(), SETTLE, 3_000 + SETTLE);
        assert!(standing.is_empty(), "{alert:?}: {standing:?}");
        let [over] = told.as_slice() else {
            panic!("{alert:?}: {told:?}")
        };
        assert_eq!((over.alert, over.turn), (alert, Turn::Recovered));
        assert_eq!(over.since_ms, 1_000);
        let (_, told) = judge(&standing, &well(), &bounds(), SETTLE, 9_000_000);
        assert!(told.is_empty(), "{alert:?}: its end is told twice");
    }
}

#[test]
fn what_comes_and_goes_is_one_alert() {
    for (alert, _, change, _) in WRONG {
        let wrong = changed(change);
        let (mut standing, _) = judge(&[], &wrong, &bounds(), SETTLE, 0);
        for turn in 1..20 {
            let now = turn * (SETTLE - 1_000);
            let facts = if turn % 2 == 0 { &wrong } else { &well() };
            let (after, told) = judge(&standing, facts, &bounds(), SETTLE, now);
            assert!(told.is_empty(), "{alert:?}: {told:?}");
            standing = after;
        }
    }
}

#[test]
fn what_is_not_known_changes_nothing() {
    let unknown: [(AlertKind, Change); 4] = [
        (AlertKind::HeldDeletes, |facts| facts.held = None),
        (AlertKind::Freshness, |facts| facts.syncs[0].behind_ms = None),
        (AlertKind::Failures, |facts| facts.failures = None),
        (AlertKind::Credentials, |facts| {
            facts.credentials[0].refused = None
        }),
    ];
    for (alert, hide) in unknown {
        let hidden = changed(hide);
        let (standing, told) = judge(&[], &hidden, &bounds(), SETTLE, 0);
        assert!(standing.is_empty() && told.is_empty(), "{alert:?}: {told:?}");
        let (_, _, wrong, _) = WRONG.into_iter().find(|(kind, ..)| *kind == alert).unwrap();
        let (standing, _) = judge(&[], &changed(wrong), &bounds(), SETTLE, 0);
        let (after, told) = judge(&standing, &hidden, &bounds(), SETTLE, 10 * SETTLE);
        assert_eq!((&after, told.len()), (&standing, 0), "{alert:?}");
    }
}

#[test]
fn what_is_no_longer_watched_is_over() {
    let paused: Change = |facts| facts.syncs[0].runs = false;
    let removed: Change = |facts| facts.syncs.clear();
    let late: Change = |facts| facts.syncs[0].behind_ms = Some(9_000_000);
    let (standing, _) = judge(&[], &changed(late), &bounds(), 0, 0);
    let none = AlertBounds {
        behind_seconds: None,
        ..bounds()
    };
    for (facts, bounds, part) in [
        (changed(paused), bounds(), "does not run"),
        (changed(removed), bounds(), "removed"),
        (changed(late), none, "the bound was"),
    ] {
        let (after, told) = judge(&standing, &facts, &bounds, 0, 1);
        assert!(after.is_empty());
        assert_eq!(told[0].turn, Turn::Recovered);
        assert!(told[0].text.contains(part), "{}", told[0].text);
    }
}

#[test]
fn bounds_are_what_may_still_be() {
    let at_bounds: Change = |facts| {
        facts.failures = Some(100);
        facts.syncs[0].behind_ms = Some(900_999);
        facts.credentials[0].age_days = Some(150);
    };
    let (standing, told) = judge(&[], &changed(at_bounds), &bounds(), 0, 0);
    assert!(standing.is_empty() && told.is_empty(), "{told:?}");
}

#[test]
fn ids_tell_messages_apart_and_repeats_not() {
    let mut ids = Vec::new();
    for (_, _, change, _) in &WRONG[..6] {
        let (standing, raised) = judge(&[], &changed(*change), &bounds(), 0, 5);
        let (_, over) = judge(&standing, &well(), &bounds(), 0, 6);
        ids.extend(raised.into_iter().chain(over).map(|told| told.id));
    }
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), all), (12, 12));
}
