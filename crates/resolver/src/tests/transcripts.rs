//! Stories: a script of what happens, and what the resolver makes of it.
//!
//! `v1` stands for a vehicle (announced), `d1` a depot (announced), `c1` a company (never announced).

use std::sync::Arc;

use expect_test::{Expect, expect};
use landbridge_model::{
    Former, HubSpotId, ObjectTypeId, Revision, RunId, SalesforceId, Source, SyncName, Version,
};

use super::memory::Memory;
use crate::decide::{Action, Event};
use crate::facts::{Cause, Directory, End, Parked, Slot, Stand, Want, Whereabouts};

/// `v1` is the record `a0v000000000001`, and so on.
pub(super) fn id(name: &str) -> SalesforceId {
    let (kind, number) = name.split_at(1);
    SalesforceId::parse(&format!("a0{kind}{:0>12}", number)).unwrap()
}

fn name(id: SalesforceId) -> String {
    format!(
        "{}{}",
        &id.as_str()[2..3],
        id.as_str()[3..15].trim_start_matches('0')
    )
}

pub(super) fn directory(kind: &str) -> Arc<Directory> {
    let (object_type, property, unique) = match kind {
        "v" => ("2-1", "salesforce_id", true),
        "d" => ("2-2", "salesforce_id", true),
        _ => ("0-2", "salesforceaccountid", false),
    };
    Arc::new(Directory {
        object_type: ObjectTypeId::new(object_type),
        property: property.into(),
        unique,
    })
}

pub(super) fn end(name: &str) -> End {
    End {
        directory: directory(&name[..1]),
        id: id(name),
    }
}

pub(super) fn cause(source: Source) -> Cause {
    let run = (source == Source::Import).then(|| RunId::new("i1").unwrap());
    Cause {
        revision: Revision(1),
        source,
        run,
        force: false,
        existing_only: false,
    }
}

fn slot(text: &str) -> Slot {
    let (child, field) = text.split_once('.').unwrap();
    Slot {
        child: id(child),
        sync: SyncName::new("vehicles").unwrap(),
        field: field.into(),
    }
}

fn version(text: &str) -> Version {
    let stamp = text.strip_prefix('@').unwrap().parse().unwrap();
    Version::new(stamp, stamp)
}

fn want(text: &str) -> Want {
    match text {
        "nobody" => Want::Nobody,
        "dropped" => Want::Dropped,
        parent => Want::Parent(end(parent)),
    }
}

/// Lines such as `intent v1.depot d1 @3`, `identity d1 700 @2`, `identity d1 gone @5`, `answer c1 900`,
/// `answer v1 900 @4`, `answer c1 900,901`, `answer c1 missing`, `patience v1.depot`, `parked v1.depot d1 @3`, `cold`.
fn event(line: &str) -> Event {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [how @ ("intent" | "import" | "fill" | "reread"), at, wanted, stamp] => {
            let source = match *how {
                "import" | "fill" => Source::Import,
                "reread" => Source::Reread,
                _ => Source::Increment,
            };
            Event::Intent {
                slot: slot(at),
                child: directory("v"),
                want: want(wanted),
                version: version(stamp),
                cause: Cause {
                    force: *how == "fill",
                    existing_only: *how == "fill",
                    ..cause(source)
                },
            }
        }
        ["identity", of, hubspot_id, stamp] => Event::Identity {
            end: end(of),
            hubspot_id: hubspot_id.parse().ok(),
            version: version(stamp),
        },
        ["answer", of, found, stamp @ ..] => {
            let ids: Vec<HubSpotId> = found.split(',').filter_map(|id| id.parse().ok()).collect();
            let whereabouts = match ids.as_slice() {
                [] => Whereabouts::Gone,
                [one] => Whereabouts::Here(*one),
                many => Whereabouts::Ambiguous(many.to_vec()),
            };
            Event::Answer {
                end: end(of),
                whereabouts,
                version: stamp.first().map(|stamp| version(stamp)),
            }
        }
        ["patience", at] => Event::PatienceOver { slot: slot(at) },
        ["parked", at, wanted, stamp] => Event::Rebuilt {
            slot: slot(at),
            child: directory("v"),
            want: want(wanted),
            cause: cause(Source::Increment),
            parked: Parked {
                version: version(stamp),
                since_ms: 1,
            },
        },
        _ => panic!("{line:?} is no event"),
    }
}

fn told(action: &Action) -> String {
    let at = |slot: &Slot| format!("{}.{}", name(slot.child), slot.field);
    match action {
        Action::Park(slot, wish) => {
            let parent = wish.parent().map_or("nobody".to_owned(), |end| name(end.id));
            format!("park {} -> {parent} @{}", at(slot), wish.version.stamp_ms)
        }
        Action::Unpark(slot) => format!("unpark {}", at(slot)),
        Action::Order(order) => {
            let link = &order.link;
            let (child, field) = (name(link.child), &link.field);
            let former = match link.former {
                Former::Nothing => String::new(),
                Former::Record(id) => format!(", instead of {id}"),
                Former::Unknown => ", look first".to_owned(),
            };
            match link.parent {
                Some((_, parent)) => {
                    format!(
                        "link {child}.{field} {} -> {parent}{former}",
                        link.child_hubspot_id
                    )
                }
                None => format!("unlink {child}.{field} {}{former}", link.child_hubspot_id),
            }
        }
        Action::Tell(slot, cause, verdict) => {
            let why = verdict.failure.as_ref().map_or(String::new(), |failure| {
                let text = failure
                    .message
                    .replace(id("d1").as_str(), "d1")
                    .replace(id("c1").as_str(), "c1");
                format!(": {}", text.replace(id("v1").as_str(), "v1"))
            });
            let run = cause
                .run
                .as_ref()
                .map_or(String::new(), |run| format!(" [{run}]"));
            format!("tell {}{run} {}{why}", at(slot), verdict.outcome)
        }
        Action::Mended(slot) => format!("mended {}", at(slot)),
        Action::Reread(slot, _) => format!("reread {}", name(slot.child)),
        Action::LookUp(end) => format!("look up {}", name(end.id)),
        Action::KnowEnd(..) | Action::KnowWish(..) | Action::ForgetWish(_) | Action::Revisit { .. } => {
            unreachable!("the memory took it")
        }
    }
}

#[track_caller]
fn check_from(stand: Stand, script: &str, transcript: Expect) {
    let mut memory = Memory::new(stand);
    let mut lines = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        lines.push_str(line);
        lines.push('\n');
        if line == "cold" {
            memory = Memory::new(Stand::Unknown);
            continue;
        }
        for action in memory.handle(event(line), 1) {
            lines.push_str(&format!("    {}\n", told(&action)));
        }
    }
    transcript.assert_eq(&lines);
}

/// A tenant whose links were never anybody's before.
#[track_caller]
fn check(script: &str, transcript: Expect) {
    check_from(Stand::Nothing, script, transcript);
}

#[test]
fn both_ends_known_is_a_link_at_once() {
    check(
        "identity v1 100 @1
         identity d1 700 @1
         intent v1.depot d1 @2
         intent v1.depot d1 @3
         import v1.depot d1 @4",
        expect![[r#"
            identity v1 100 @1
            identity d1 700 @1
            intent v1.depot d1 @2
                link v1.depot 100 -> 700
            intent v1.depot d1 @3
            import v1.depot d1 @4
                tell v1.depot [i1] linked
        "#]],
    );
}

#[test]
fn the_usual_import_parks_nothing() {
    check(
        "import v1.depot d1 @2
         import v1.self v1 @2
         identity v1 100 @2
         identity d1 700 @2
         patience v1.depot",
        expect![[r#"
            import v1.depot d1 @2
            import v1.self v1 @2
            identity v1 100 @2
                link v1.self 100 -> 100
            identity d1 700 @2
                link v1.depot 100 -> 700
            patience v1.depot
        "#]],
    );
}

#[test]
fn a_late_parent_is_parked_first_and_looked_up_second() {
    check(
        "import v1.depot d1 @2
         identity v1 100 @2
         patience v1.depot
         answer d1 missing
         identity d1 700 @9",
        expect![[r#"
            import v1.depot d1 @2
            identity v1 100 @2
            patience v1.depot
                park v1.depot -> d1 @2
                tell v1.depot [i1] parked: waits for the record that the lookup names, d1: it is not in HubSpot yet
                look up d1
            answer d1 missing
            identity d1 700 @9
                link v1.depot 100 -> 700
                unpark v1.depot
        "#]],
    );
}

#[test]
fn a_company_is_asked_for_since_nobody_announces_it() {
    check(
        "identity v1 100 @1
         intent v1.owner c1 @2
         answer c1 missing
         patience v1.owner
         answer c1 900",
        expect![[r#"
            identity v1 100 @1
            intent v1.owner c1 @2
                look up c1
            answer c1 missing
            patience v1.owner
                park v1.owner -> c1 @2
                tell v1.owner parked: waits for the record that the lookup names, c1: it is not in HubSpot yet
            answer c1 900
                link v1.owner 100 -> 900
                unpark v1.owner
        "#]],
    );
}

#[test]
fn two_claimants_are_a_failure_and_never_a_guess() {
    check(
        "identity v1 100 @1
         intent v1.owner c1 @2
         answer c1 900,901
         patience v1.owner
         answer c1 900,901
         answer c1 901",
        expect![[r#"
            identity v1 100 @1
            intent v1.owner c1 @2
                look up c1
            answer c1 900,901
            patience v1.owner
                park v1.owner -> c1 @2
                tell v1.owner failed: the HubSpot records 900 and 901 all have c1 in salesforceaccountid: merge them, or clear it on all but one
            answer c1 900,901
            answer c1 901
                link v1.owner 100 -> 901
                mended v1.owner
                unpark v1.owner
        "#]],
    );
}

#[test]
fn another_parent_replaces_the_one_before() {
    check(
        "identity v1 100 @1
         identity d1 700 @1
         identity d2 701 @1
         intent v1.depot d1 @2
         intent v1.depot d2 @3
         intent v1.depot d1 @2
         intent v1.depot nobody @4
         intent v1.depot nobody @5",
        expect![[r#"
            identity v1 100 @1
            identity d1 700 @1
            identity d2 701 @1
            intent v1.depot d1 @2
                link v1.depot 100 -> 700
            intent v1.depot d2 @3
                link v1.depot 100 -> 701, instead of 700
            intent v1.depot d1 @2
            intent v1.depot nobody @4
                unlink v1.depot 100, instead of 701
            intent v1.depot nobody @5
        "#]],
    );
}

#[test]
fn an_absent_new_parent_does_not_keep_the_old_one() {
    check(
        "identity v1 100 @1
         identity d1 700 @1
         intent v1.depot d1 @2
         intent v1.depot d2 @3
         patience v1.depot
         answer d2 missing
         identity d2 701 @4",
        expect![[r#"
            identity v1 100 @1
            identity d1 700 @1
            intent v1.depot d1 @2
                link v1.depot 100 -> 700
            intent v1.depot d2 @3
            patience v1.depot
                park v1.depot -> d2 @3
                tell v1.depot parked: waits for the record that the lookup names, a0d000000000002AAA: it is not in HubSpot yet
                look up d2
            answer d2 missing
                unlink v1.depot 100, instead of 700
            identity d2 701 @4
                link v1.depot 100 -> 701
                unpark v1.depot
        "#]],
    );
}

#[test]
fn a_cleared_lookup_ends_the_waiting() {
    check(
        "identity v1 100 @1
         intent v1.depot d1 @2
         patience v1.depot
         intent v1.depot nobody @3
         identity d1 700 @4",
        expect![[r#"
            identity v1 100 @1
            intent v1.depot d1 @2
            patience v1.depot
                park v1.depot -> d1 @2
                tell v1.depot parked: waits for the record that the lookup names, d1: it is not in HubSpot yet
                look up d1
            intent v1.depot nobody @3
                tell v1.depot unlinked
                unpark v1.depot
            identity d1 700 @4
        "#]],
    );
}

#[test]
fn a_deleted_child_wants_nothing() {
    check(
        "identity v1 100 @1
         intent v1.depot d1 @2
         patience v1.depot
         intent v1.depot dropped @3
         intent v1.depot d1 @2
         identity v1 gone @3
         identity d1 700 @4",
        expect![[r#"
            identity v1 100 @1
            intent v1.depot d1 @2
            patience v1.depot
                park v1.depot -> d1 @2
                tell v1.depot parked: waits for the record that the lookup names, d1: it is not in HubSpot yet
                look up d1
            intent v1.depot dropped @3
                tell v1.depot unlinked
                unpark v1.depot
            intent v1.depot d1 @2
            identity v1 gone @3
            identity d1 700 @4
        "#]],
    );
}

#[test]
fn a_back_fill_links_anew_what_is_there_and_parks_nothing_for_what_is_not() {
    check(
        "identity v1 100 @1
         identity d1 700 @1
         intent v1.depot d1 @2
         fill v1.depot d1 @2
         fill v2.depot d1 @2
         patience v2.depot
         answer v2 missing
         identity v2 101 @1",
        expect![[r#"
            identity v1 100 @1
            identity d1 700 @1
            intent v1.depot d1 @2
                link v1.depot 100 -> 700
            fill v1.depot d1 @2
                link v1.depot 100 -> 700, look first
            fill v2.depot d1 @2
            patience v2.depot
                park v2.depot -> d1 @2
                tell v2.depot [i1] parked: waits for the record itself, a0v000000000002AAA: it is not in HubSpot yet
                look up v2
            answer v2 missing
                tell v2.depot [i1] unlinked
                unpark v2.depot
            identity v2 101 @1
                link v2.depot 101 -> 700
        "#]],
    );
}

#[test]
fn a_child_that_comes_back_is_linked_again() {
    check(
        "identity v1 100 @1
         identity d1 700 @1
         intent v1.depot d1 @2
         intent v1.depot dropped @3
         intent v1.depot d1 @4
         identity v1 gone @3
         identity v1 101 @4",
        expect![[r#"
            identity v1 100 @1
            identity d1 700 @1
            intent v1.depot d1 @2
                link v1.depot 100 -> 700
            intent v1.depot dropped @3
            intent v1.depot d1 @4
            identity v1 gone @3
            identity v1 101 @4
                link v1.depot 101 -> 700
        "#]],
    );
}

#[test]
fn a_parent_that_comes_back_gets_its_children_again() {
    check(
        "identity v1 100 @1
         identity d1 700 @1
         intent v1.depot d1 @2
         identity d1 gone @3
         identity d1 701 @4",
        expect![[r#"
            identity v1 100 @1
            identity d1 700 @1
            intent v1.depot d1 @2
                link v1.depot 100 -> 700
            identity d1 gone @3
                park v1.depot -> d1 @2
                tell v1.depot parked: waits for the record that the lookup names, d1: it is not in HubSpot yet
            identity d1 701 @4
                link v1.depot 100 -> 701
                unpark v1.depot
        "#]],
    );
}

#[test]
fn a_record_that_an_older_row_brought_back_is_asked_for() {
    check(
        "identity d1 700 @1
         identity v1 gone @3
         identity v1 100 @1
         intent v1.depot d1 @4
         answer v1 100 @1",
        expect![[r#"
            identity d1 700 @1
            identity v1 gone @3
            identity v1 100 @1
                look up v1
            intent v1.depot d1 @4
            answer v1 100 @1
                link v1.depot 100 -> 700
        "#]],
    );
}

#[test]
fn a_cold_cache_asks_for_both_ends_and_has_the_loader_look() {
    check(
        "identity v1 100 @1
         identity d1 700 @1
         intent v1.depot d1 @2
         cold
         intent v1.depot d2 @3
         patience v1.depot
         answer v1 100
         answer d2 701",
        expect![[r#"
            identity v1 100 @1
            identity d1 700 @1
            intent v1.depot d1 @2
                link v1.depot 100 -> 700
            cold
            intent v1.depot d2 @3
            patience v1.depot
                park v1.depot -> d2 @3
                tell v1.depot parked: waits for the record itself, v1: it is not in HubSpot yet
                look up v1
                look up d2
            answer v1 100
                look up d2
            answer d2 701
                link v1.depot 100 -> 701, look first
                unpark v1.depot
        "#]],
    );
}

#[test]
fn a_cleared_lookup_in_a_cold_cache_is_looked_at_once() {
    check(
        "cold
         intent v1.depot nobody @3
         identity v1 100 @3
         intent v1.depot nobody @4
         intent v2.depot nobody @3
         patience v2.depot
         answer v2 missing",
        expect![[r#"
            cold
            intent v1.depot nobody @3
            identity v1 100 @3
                unlink v1.depot 100, look first
            intent v1.depot nobody @4
            intent v2.depot nobody @3
            patience v2.depot
                park v2.depot -> nobody @3
                look up v2
            answer v2 missing
                unpark v2.depot
        "#]],
    );
}

#[test]
fn what_was_parked_is_asked_for_again_after_a_crash() {
    check(
        "identity v1 100 @1
         intent v1.depot d1 @2
         patience v1.depot
         cold
         parked v1.depot d1 @2
         answer v1 100
         answer d1 missing
         identity d1 700 @3",
        expect![[r#"
            identity v1 100 @1
            intent v1.depot d1 @2
            patience v1.depot
                park v1.depot -> d1 @2
                tell v1.depot parked: waits for the record that the lookup names, d1: it is not in HubSpot yet
                look up d1
            cold
            parked v1.depot d1 @2
                look up v1
                look up d1
            answer v1 100
                look up d1
            answer d1 missing
                unlink v1.depot 100, look first
            identity d1 700 @3
                link v1.depot 100 -> 700
                unpark v1.depot
        "#]],
    );
}

#[test]
fn a_reread_trusts_nothing_remembered() {
    check(
        "identity v1 100 @1
         identity d1 700 @1
         intent v1.depot d1 @2
         reread v1.depot d1 @3
         answer v1 100
         answer d1 701",
        expect![[r#"
            identity v1 100 @1
            identity d1 700 @1
            intent v1.depot d1 @2
                link v1.depot 100 -> 700
            reread v1.depot d1 @3
                look up v1
                look up d1
            answer v1 100
            answer d1 701
                link v1.depot 100 -> 701, look first
        "#]],
    );
}

#[test]
fn a_stale_intent_in_a_cold_cache_undoes_nothing() {
    check(
        "cold
         intent v1.depot nobody @3
         identity v1 100 @4
         intent v2.depot d1 @3
         patience v2.depot
         answer v2 101 @5
         identity d1 700 @1",
        expect![[r#"
            cold
            intent v1.depot nobody @3
            identity v1 100 @4
            intent v2.depot d1 @3
            patience v2.depot
                park v2.depot -> d1 @3
                tell v2.depot parked: waits for the record itself, a0v000000000002AAA: it is not in HubSpot yet
                look up v2
                look up d1
            answer v2 101 @5
                reread v2
                unpark v2.depot
            identity d1 700 @1
        "#]],
    );
}
