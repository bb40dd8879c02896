//! The cache on disk is a view like the maps that the other tests decide over: the same events, in transactions of any
//! size, end in the same knowledge and the same orders.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::executor::block_on;
use landbridge_model::{HubSpotId, Shard, Source, StageKind, SyncName, TenantId, Version};
use landbridge_stage::Caches;
use proptest::prelude::*;

use super::memory::Memory;
use super::transcripts::{cause, directory, end, id};
use crate::decide::{Action, Event, Rows, View};
use crate::facts::{End, LinkOrder, Slot, Want, Whereabouts};
use crate::plan::{Announced, Decisions};
use crate::store::Store;

const ENDS: [&str; 6] = ["v1", "v2", "v3", "d1", "d2", "c1"];
const FIELDS: [(&str, &str); 3] = [("depot", "d"), ("owner", "c"), ("self", "v")];

fn slot(child: usize, field: usize) -> Slot {
    let sync = SyncName::new("vehicles").unwrap();
    Slot {
        child: id(ENDS[child % 3]),
        sync,
        field: FIELDS[field % 3].0.into(),
    }
}

fn stamp(number: i64) -> Version {
    Version::new(number, number)
}

fn event() -> impl Strategy<Value = Event> {
    let version = || (1..8i64).prop_map(stamp);
    let want = |field: usize, parent: usize| match parent {
        0 => Want::Nobody,
        1 => Want::Dropped,
        number => Want::Parent(end(&format!("{}{}", FIELDS[field].1, number - 1))),
    };
    let source =
        prop_oneof![4 => Just(Source::Increment), 1 => Just(Source::Import), 1 => Just(Source::Reread)];
    let whereabouts = prop_oneof![
        1 => Just(Whereabouts::Gone),
        3 => (100..105u64).prop_map(|number| Whereabouts::Here(HubSpotId(number))),
        1 => Just(Whereabouts::Ambiguous(vec![HubSpotId(100), HubSpotId(101)])),
    ];
    prop_oneof![
        4 => (0..3usize, 0..3usize, 0..4usize, version(), source).prop_map(
            move |(child, field, parent, version, source)| Event::Intent {
                slot: slot(child, field),
                child: directory("v"),
                want: want(field, parent),
                version,
                cause: cause(source),
            }
        ),
        3 => (0..5usize, prop::option::weighted(0.7, 100..105u64), version()).prop_map(
            |(which, hubspot_id, version)| Event::Identity {
                end: end(ENDS[which]),
                hubspot_id: hubspot_id.map(HubSpotId),
                version,
            }
        ),
        2 => (0..6usize, whereabouts)
            .prop_map(|(which, whereabouts)| Event::Answer { end: end(ENDS[which]), whereabouts, version: None }),
        3 => (0..3usize, 0..3usize).prop_map(|(child, field)| Event::PatienceOver { slot: slot(child, field) }),
    ]
}

fn announced() -> Announced {
    let key = |kind: &str| {
        (
            directory(kind).object_type.clone(),
            directory(kind).property.clone(),
        )
    };
    Arc::new([key("v"), key("d")].into())
}

/// Decides events over the disk in one transaction; gives the orders.
fn transact(store: &mut Store, events: &[Event]) -> Vec<LinkOrder> {
    let mut queue = VecDeque::from(events.to_vec());
    let mut orders = Vec::new();
    while !queue.is_empty() {
        let mut decisions = Decisions::new(store, announced(), 1);
        decisions.decide_all(&mut queue);
        let plan = decisions.plan().unwrap();
        orders.extend(plan.orders);
        let batch = store.batch(plan.ends, plan.wishes, &plan.before).unwrap();
        block_on(store.apply(batch)).unwrap();
    }
    orders
}

/// The first difference between what the two know.
fn difference(store: &Store, memory: &Memory) -> Option<String> {
    let decisions = Decisions::new(store, announced(), 1);
    for name in ENDS {
        let of: End = end(name);
        if decisions.known(&of) != memory.known(&of) {
            return Some(format!(
                "of {name}: {:?}, not {:?}",
                decisions.known(&of),
                memory.known(&of)
            ));
        }
        for rows in [Rows::Own, Rows::Waiting, Rows::Settled] {
            let all = |view: &dyn Fn(&End, Rows) -> Vec<Slot>| {
                let mut slots = view(&of, rows);
                slots.sort();
                slots
            };
            let on_disk = all(&|of, rows| decisions.slots(of, rows, None, 100));
            let in_memory = all(&|of, rows| memory.slots(of, rows, None, 100));
            if on_disk != in_memory {
                return Some(format!("{rows:?} of {name}: {on_disk:?}, not {in_memory:?}"));
            }
        }
    }
    let slots = (0..3).flat_map(|child| (0..3).map(move |field| slot(child, field)));
    slots
        .into_iter()
        .find(|slot| decisions.wish(slot) != memory.wish(slot))
        .map(|slot| {
            format!(
                "{slot:?}: {:?}, not {:?}",
                decisions.wish(&slot),
                memory.wish(&slot)
            )
        })
}

fn check(events: &[Event], together: usize, complete: bool) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let caches = Caches::open(folder.path(), 1 << 20).unwrap();
    let cache = caches.shard(StageKind::Resolver, Shard(0)).unwrap();
    let tenant = TenantId::new("acme").unwrap();
    let (mut store, known) = Store::open(&cache, &tenant).unwrap();
    prop_assert!(!known);
    store.begin(complete).unwrap();
    let mut memory = Memory::new(Decisions::new(&store, announced(), 1).stand_of_unknown());
    for events in events.chunks(together) {
        let on_disk = transact(&mut store, events);
        let in_memory: Vec<LinkOrder> = events
            .iter()
            .flat_map(|event| memory.handle(event.clone(), 1))
            .filter_map(|action| {
                if let Action::Order(order) = action {
                    Some(order)
                } else {
                    None
                }
            })
            .collect();
        let sorted = |mut orders: Vec<LinkOrder>| {
            // Slots that one event releases may come in another order; those of one slot may not.
            orders.sort_by_key(|order| (order.link.child, order.link.field.clone()));
            orders
        };
        prop_assert_eq!(sorted(on_disk), sorted(in_memory));
        prop_assert_eq!(difference(&store, &memory), None);
        // Everything is on disk: opened again, it is the same.
        let (again, known) = Store::open(&cache, &tenant).unwrap();
        prop_assert!(known);
        prop_assert_eq!(difference(&again, &memory), None);
        store = again;
    }
    Ok(())
}

#[test]
fn another_portal_knows_nothing_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let caches = Caches::open(folder.path(), 1 << 20).unwrap();
    let cache = caches.shard(StageKind::Resolver, Shard(0)).unwrap();
    let open = |tenant: &str| Store::open(&cache, &TenantId::new(tenant).unwrap()).unwrap().0;
    let here = Event::Identity {
        end: end("v1"),
        hubspot_id: Some(HubSpotId(7)),
        version: stamp(1),
    };
    let (mut acme, mut other) = (open("acme"), open("acme-2"));
    for store in [&mut acme, &mut other] {
        store.begin(true).unwrap();
        store.belongs_to(None).unwrap();
        transact(store, std::slice::from_ref(&here));
        store.belongs_to(Some(1)).unwrap();
        assert!(
            store.known(&end("v1")).unwrap().is_some(),
            "the first portal is the one it was"
        );
    }
    acme.belongs_to(Some(2)).unwrap();
    assert_eq!(acme.known(&end("v1")).unwrap(), None);
    assert!(!acme.is_complete(), "what was linked there is not known");
    assert!(other.known(&end("v1")).unwrap().is_some(), "it is another tenant");
    assert_eq!(open("acme").known(&end("v1")).unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_knows_what_the_maps_know(
        events in prop::collection::vec(event(), 1..40),
        together in 1..12usize,
        complete in any::<bool>(),
    ) {
        check(&events, together, complete)?;
    }
}

#[test]
fn what_the_same_message_announces_is_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let caches = Caches::open(folder.path(), 1 << 20).unwrap();
    let cache = caches.shard(StageKind::Resolver, Shard(0)).unwrap();
    let (mut store, _) = Store::open(&cache, &TenantId::new("acme").unwrap()).unwrap();
    store.begin(true).unwrap();
    let names = |child: &str, parent: &str| Event::Intent {
        slot: Slot {
            child: id(child),
            sync: SyncName::new("vehicles").unwrap(),
            field: "self".into(),
        },
        child: directory("v"),
        want: Want::Parent(end(parent)),
        version: stamp(1),
        cause: cause(Source::Increment),
    };
    transact(&mut store, &[names("v1", "v2"), names("v2", "v3")]);
    let over = |child: usize| Event::PatienceOver { slot: slot(child, 2) };
    transact(&mut store, &[over(0), over(1)]);

    let announced_now = ["v1", "v2"].map(|name| Event::Identity {
        end: end(name),
        hubspot_id: Some(HubSpotId(100)),
        version: stamp(1),
    });
    let mut decisions = Decisions::new(&store, announced(), 1);
    decisions.decide_all(&mut VecDeque::from(announced_now.to_vec()));
    let asked = decisions.plan().unwrap().look_up;
    // v2 is not known yet when v1 comes, and is a moment later; v3 remains to be found.
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|asked| *asked == end("v3")), "{asked:?}");
}
