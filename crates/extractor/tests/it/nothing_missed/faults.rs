//! What goes wrong meanwhile. Each kind comes again and again in an order of chance, and all of them have to have hit
//! something in the end.

use std::collections::BTreeMap;

use landbridge_sandbox::fault::FaultSpec;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use crate::rig::{Rig, Running, until};

/// Faults of calls, by name.
pub(super) struct Faults {
    random: StdRng,
    /// Faults that were set before, and are nobody's kind.
    before: usize,
    /// Whether open transactions are told of at all.
    is_told: bool,
    decks: BTreeMap<&'static str, Vec<usize>>,
    /// The names of all that were set, in their order.
    set: Vec<&'static str>,
}

type Named = (&'static str, Value);

const NOT_TOLD: &str = "open transactions that are not told";

fn reads() -> Vec<Named> {
    let timeout =
        r#"[{"errorCode":"QUERY_TIMEOUT","message":"Your query request was running for too long."}]"#;
    let at_once = r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"ConcurrentRequests (Concurrent API Requests) Limit exceeded."}]"#;
    let query = |what: Value, times: u32| json!({ "where": "/queryAll", "what": what, "times": times });
    let status = |status: u16, times: u32, body: &str| {
        let mut fault = query(json!({ "status": status }), times);
        fault["body"] = json!(body);
        fault
    };
    let mut late = query(json!({ "delay_ms": 1_500 }), 1);
    late["effect"] = json!(true);
    vec![
        // Longer than a call is tried again.
        ("a burst of 503", query(json!({ "status": 503 }), 8)),
        ("a page of HTML", query(json!({ "html": 502 }), 2)),
        ("an empty 406", query(json!({ "empty": 406 }), 2)),
        ("a reset", query(json!("reset"), 2)),
        ("a reset within a page", query(json!({ "reset_after": 700 }), 2)),
        ("a page cut short", query(json!({ "truncate": 700 }), 2)),
        ("a query that takes too long", status(400, 2, timeout)),
        ("too many calls at once", status(403, 2, at_once)),
        ("an answer that comes late", late),
        (
            NOT_TOLD,
            json!({ "where": "/updated", "what": { "status": 503 }, "times": 7 }),
        ),
        (
            "a reset of reading by id",
            json!({ "where": "POST /composite/sobjects/", "what": "reset", "times": 2 }),
        ),
    ]
}

fn bulk() -> Vec<Named> {
    let bulk = |place: &str, what: Value| json!({ "where": place, "what": what, "times": 2 });
    vec![
        (
            "a reset within Bulk results",
            bulk("/results", json!({ "reset_after": 5_000 })),
        ),
        (
            "Bulk results cut short",
            bulk("/results", json!({ "truncate": 3_000 })),
        ),
        (
            "503 from a Bulk job",
            bulk("/jobs/query/", json!({ "html": 503 })),
        ),
    ]
}

fn sign_ins() -> Vec<Named> {
    let token = json!({ "where": "/oauth2/token", "what": { "status": 503 }, "times": 1 });
    vec![("a sign-in that fails", token)]
}

impl Faults {
    /// None yet, beside those that were set before.
    pub(super) fn new(rig: &Rig, random: StdRng, is_told: bool) -> Self {
        Self {
            random,
            before: rig.sandbox.salesforce_faults().status().len(),
            is_told,
            decks: BTreeMap::new(),
            set: Vec::new(),
        }
    }

    /// Sets the next fault of a deck.
    fn next_of(&mut self, rig: &Rig, name: &'static str, all: Vec<Named>) {
        let deck = self.decks.entry(name).or_default();
        if deck.is_empty() {
            *deck = (0..all.len()).collect();
            deck.shuffle(&mut self.random);
        }
        let (name, fault) = all.into_iter().nth(deck.pop().unwrap()).unwrap();
        let fault: FaultSpec = serde_json::from_value(fault).unwrap();
        rig.sandbox.salesforce_faults().add(vec![fault]);
        self.set.push(name);
    }

    pub(super) fn of_reads(&mut self, rig: &Rig) {
        let reads = self.reads();
        self.next_of(rig, "reads", reads);
    }

    fn reads(&self) -> Vec<Named> {
        let mut all = reads();
        all.retain(|(name, _)| self.is_told || *name != NOT_TOLD);
        all
    }

    /// All of Bulk's at once, for an import that begins.
    pub(super) fn of_bulk(&mut self, rig: &Rig) {
        for _ in 0..bulk().len() {
            self.next_of(rig, "bulk", bulk());
        }
    }

    /// Ends all sessions, and lets the next sign-in fail.
    pub(super) async fn of_sessions(&mut self, rig: &Rig) {
        self.next_of(rig, "sign-ins", sign_ins());
        // Whoever asks for it may be met by the fault, and is signed in by the second try.
        let org = rig.org();
        org.post_to("/__sandbox/expire-sessions", json!({}))
            .await
            .unwrap();
    }

    /// Waits until each kind of fault has hit something; gives how often each did.
    pub(super) async fn have_all_fired(&self, rig: &Rig) -> BTreeMap<&'static str, u32> {
        let kinds = [self.reads(), bulk(), sign_ins()].concat();
        until("each kind of fault to hit something", async || {
            let mut fired: BTreeMap<&'static str, u32> = kinds.iter().map(|(name, _)| (*name, 0)).collect();
            let status = rig.sandbox.salesforce_faults().status();
            for (name, fault) in self.set.iter().zip(status.into_iter().skip(self.before)) {
                *fired.entry(name).or_default() += fault.fired;
            }
            fired.values().all(|times| *times > 0).then_some(fired)
        })
        .await
    }
}

/// What befalls the extractor itself, or the org's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Blow {
    Kill,
    Sessions,
    Import,
    /// A server whose clock is ahead of the others'.
    Ahead,
    Nothing,
}

pub(super) const BLOWS: [Blow; 7] = [
    Blow::Kill,
    Blow::Sessions,
    Blow::Import,
    Blow::Ahead,
    Blow::Nothing,
    Blow::Nothing,
    Blow::Nothing,
];

/// Ends an extractor in the middle of whatever it does; another one takes over.
pub(super) async fn killed(rig: &Rig, extractor: Running, name: &str) -> Running {
    extractor.kill().await;
    rig.extractor(name).await
}

/// What goes wrong with change events.
#[derive(Clone, Copy, Debug)]
pub(super) enum Breach {
    Cut,
    Void,
    Mute,
    Forbidden,
    Overflow,
    NoDeliveries,
}

pub(super) const BREACHES: [Breach; 6] = [
    Breach::Cut,
    Breach::Void,
    Breach::Mute,
    Breach::Forbidden,
    Breach::Overflow,
    Breach::NoDeliveries,
];

/// Puts right what the breach before took away, waits until events come again, and breaks something else.
pub(super) async fn breach(rig: &Rig, breach: Breach) {
    mend(rig);
    rig.streams().await;
    let bus = rig.sandbox.org().events();
    let subscriptions = || {
        let counts = rig.sandbox.salesforce_stats().counts();
        counts.by_family["pubsub_subscribe"]
    };
    let before = subscriptions();
    let falls_back = async || {
        rig.stream("the fall back", |stream| stream.why.is_some()).await;
    };
    match breach {
        Breach::Cut | Breach::Void => {
            if matches!(breach, Breach::Void) {
                bus.void_places();
            }
            bus.cut();
            until("another subscription", async || {
                (subscriptions() > before).then_some(())
            })
            .await;
        }
        Breach::Mute => {
            rig.events(|habits| habits.mute = true);
            falls_back().await;
        }
        Breach::Forbidden => {
            rig.events(|habits| habits.forbidden = vec!["Vehicle__c".to_owned()]);
            falls_back().await;
        }
        Breach::Overflow => rig.events(|habits| habits.overflow_after = 0),
        Breach::NoDeliveries => rig.events(|habits| habits.daily_deliveries = 0),
    }
}

/// Change events as they should be, but for those that are lost and garbled.
pub(super) fn mend(rig: &Rig) {
    rig.events(|habits| {
        habits.mute = false;
        habits.forbidden.clear();
        habits.overflow_after = 100_000;
        habits.daily_deliveries = 1_000_000;
    });
}

/// How often change events went wrong, by the org's own count: each way at least once.
pub(super) fn breaches(rig: &Rig) -> Vec<(&'static str, u64)> {
    let counts = rig.sandbox.org().events().counts();
    let refused = rig.sandbox.salesforce_stats().counts().refused;
    let undelivered = refused.get("pubsub_deliveries").copied().unwrap_or(0);
    vec![
        ("dropped", counts.dropped),
        ("gaps", counts.gaps),
        ("overflows", counts.overflows),
        ("undelivered", undelivered),
    ]
}
