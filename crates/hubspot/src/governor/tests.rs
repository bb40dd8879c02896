//! The core against a server that counts a rolling window, in simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::core::{Core, Decision, Ticket};
use super::*;

const MS: Duration = Duration::from_millis(1);

/// A server with an exact rolling window; what it refuses does not count.
struct Server {
    limit: usize,
    span: Duration,
    accepted: Vec<Duration>,
    refused: usize,
    headers: bool,
    /// The longest way of a call to it, in milliseconds.
    way: u64,
}

impl Server {
    fn take(&mut self, at: Duration) -> (bool, LimitHeaders) {
        let recent = self
            .accepted
            .iter()
            .rev()
            .take_while(|&&sent| sent + self.span > at)
            .count();
        let accepted = recent < self.limit;
        if accepted {
            self.accepted.push(at);
        } else {
            self.refused += 1;
        }
        let used = recent + usize::from(accepted);
        let headers = LimitHeaders {
            max: Some(self.limit as u32),
            remaining: Some((self.limit - used) as u32),
            ..LimitHeaders::default()
        };
        (
            accepted,
            if self.headers {
                headers
            } else {
                LimitHeaders::default()
            },
        )
    }
}

/// One share's demand: this many workers, each asking again so long after its answer.
#[derive(Clone, Copy)]
struct Demand {
    family: Family,
    share: Share,
    workers: usize,
    pause_ms: u64,
}

impl Demand {
    fn new(share: Share, workers: usize) -> Self {
        Self {
            family: Family::Write,
            share,
            workers,
            pause_ms: 0,
        }
    }
}

#[derive(Default)]
struct Report {
    granted: BTreeMap<Share, usize>,
    waits: BTreeMap<Share, Vec<Duration>>,
}

enum Step {
    Ask,
    Arrive {
        sent_at: Duration,
    },
    Answer {
        sent_at: Duration,
        headers: LimitHeaders,
        lesson: Lesson,
    },
}

/// Runs demands against a server for so long; `other` is a second client of the same key with one call every so often.
fn run(
    core: &mut Core,
    server: &mut Server,
    demands: &[Demand],
    length: Duration,
    other: Option<Duration>,
) -> Report {
    let mut random = StdRng::seed_from_u64(7);
    let mut report = Report::default();
    let mut events: BTreeMap<(Duration, u64), (Demand, Step)> = BTreeMap::new();
    let mut serial = 0u64;
    for demand in demands {
        for _ in 0..demand.workers {
            serial += 1;
            events.insert((Duration::ZERO, serial), (*demand, Step::Ask));
        }
    }
    let mut waiting: Vec<(Ticket, Demand, Duration)> = Vec::new();
    let mut next_other = other;
    let mut now = Duration::ZERO;
    while now < length {
        while next_other.is_some_and(|at| at <= now) {
            server.take(now);
            next_other = next_other.zip(other).map(|(at, every)| at + every);
        }
        while let Some(entry) = events.first_entry().filter(|entry| entry.key().0 <= now) {
            let (demand, step) = entry.remove();
            serial += 1;
            match step {
                Step::Ask => waiting.push((core.enter(demand.family, demand.share), demand, now)),
                Step::Arrive { sent_at } => {
                    let (accepted, headers) = server.take(now);
                    let policy = LimitPolicy::TenSecondly;
                    let limited = Lesson::Limited {
                        policy,
                        retry_after: None,
                    };
                    let lesson = if accepted { Lesson::Accepted } else { limited };
                    let took = Duration::from_millis(random.random_range(60..250));
                    events.insert(
                        (now + took, serial),
                        (
                            demand,
                            Step::Answer {
                                sent_at,
                                headers,
                                lesson,
                            },
                        ),
                    );
                }
                Step::Answer {
                    sent_at,
                    headers,
                    lesson,
                } => {
                    core.finished(demand.family, sent_at, now, headers, lesson, 0.5);
                    events.insert(
                        (now + Duration::from_millis(demand.pause_ms), serial),
                        (demand, Step::Ask),
                    );
                }
            }
        }
        let mut moved = true;
        while std::mem::take(&mut moved) {
            let mut index = 0;
            while index < waiting.len() {
                let (ticket, demand, since) = waiting[index];
                if core.poll(ticket, now) != Decision::Go {
                    index += 1;
                    continue;
                }
                waiting.remove(index);
                moved = true;
                serial += 1;
                *report.granted.entry(demand.share).or_default() += 1;
                report.waits.entry(demand.share).or_default().push(now - since);
                let travel = Duration::from_millis(random.random_range(1..server.way));
                events.insert((now + travel, serial), (demand, Step::Arrive { sent_at: now }));
            }
        }
        now += MS;
    }
    report
}

fn server(limit: usize) -> Server {
    Server {
        limit,
        span: Duration::from_secs(10),
        accepted: Vec::new(),
        refused: 0,
        headers: true,
        way: 40,
    }
}

fn p99(waits: &mut [Duration]) -> Duration {
    waits.sort_unstable();
    waits[(waits.len() - 1) * 99 / 100]
}

#[test]
fn alone_it_reaches_98_percent_and_is_not_refused() {
    for headers in [true, false] {
        let mut core = Core::new(GovernorConfig::default(), 0);
        let mut server = Server {
            headers,
            ..server(190)
        };
        let length = Duration::from_secs(120);
        run(
            &mut core,
            &mut server,
            &[Demand::new(Share::Bulk, 24)],
            length,
            None,
        );
        let ceiling = 19 * 120;
        let reached = server.accepted.len();
        assert!(reached * 100 >= ceiling * 98, "{reached} of {ceiling}");
        assert_eq!(server.refused, 0);
    }
}

#[test]
fn a_slow_way_is_no_refusal() {
    let mut core = Core::new(GovernorConfig::default(), 0);
    let mut server = Server {
        way: 2_000,
        ..server(190)
    };
    let demands = [Demand::new(Share::Bulk, 32)];
    run(&mut core, &mut server, &demands, Duration::from_secs(120), None);
    assert_eq!(server.refused, 0);
    assert_eq!(core.usage(Duration::ZERO).burst_factor, 1.0);
}

#[test]
fn live_hardly_waits_while_bulk_fills_the_limit() {
    let mut core = Core::new(GovernorConfig::default(), 0);
    let mut server = server(190);
    let live = Demand {
        pause_ms: 700,
        ..Demand::new(Share::Live, 2)
    };
    let demands = [Demand::new(Share::Bulk, 24), live];
    let mut report = run(&mut core, &mut server, &demands, Duration::from_secs(90), None);
    let worst = p99(report.waits.get_mut(&Share::Live).unwrap());
    assert!(worst <= Duration::from_millis(120), "live waited {worst:?}");
    assert_eq!(server.refused, 0);
    assert!(server.accepted.len() >= 19 * 90 * 98 / 100);
}

#[test]
fn every_share_moves_when_live_alone_could_fill_the_limit() {
    let mut core = Core::new(GovernorConfig::default(), 0);
    let mut server = server(190);
    let demands = Share::ALL.map(|share| Demand::new(share, 8));
    let report = run(&mut core, &mut server, &demands, Duration::from_secs(120), None);
    let total: usize = report.granted.values().sum();
    for share in Share::ALL {
        let part = report.granted[&share] * 100 / total;
        assert!(part >= 3, "{share:?} got {part} % of {total}");
    }
    assert!(report.granted[&Share::Live] > report.granted[&Share::Bulk]);
    assert_eq!(server.refused, 0);
}

#[test]
fn trap_18_a_second_client_costs_what_it_takes_and_no_storm() {
    let mut core = Core::new(GovernorConfig::default(), 0);
    let mut server = server(190);
    let every = Duration::from_secs(10) / 95;
    let length = Duration::from_secs(300);
    let report = run(
        &mut core,
        &mut server,
        &[Demand::new(Share::Bulk, 24)],
        length,
        Some(every),
    );
    let ours = report.granted[&Share::Bulk];
    let refused = core.usage(length).total_refused();
    assert!(ours * 100 >= 95 * 30 * 90, "ours: {ours}");
    assert!(refused * 200 < ours as u64, "{refused} of {ours} refused");
}

#[test]
fn a_smaller_limit_is_learned_from_the_first_answer() {
    let mut core = Core::new(GovernorConfig::default(), 0);
    let mut server = server(100);
    run(
        &mut core,
        &mut server,
        &[Demand::new(Share::Bulk, 24)],
        Duration::from_secs(120),
        None,
    );
    assert_eq!(core.usage(Duration::ZERO).burst_limit, Some(100));
    assert!(server.refused <= 3, "{} refused", server.refused);
    assert!(server.accepted.len() >= 1_150, "{}", server.accepted.len());
}

#[test]
fn no_limit_is_no_wait() {
    let config = GovernorConfig {
        burst: None,
        in_flight: 10_000,
        ..GovernorConfig::default()
    };
    let mut core = Core::new(config, 0);
    for _ in 0..5_000 {
        let ticket = core.enter(Family::Write, Share::Bulk);
        assert_eq!(core.poll(ticket, MS), Decision::Go);
    }
}

#[test]
fn a_spent_day_halts_and_a_new_day_goes_on() {
    let config = GovernorConfig {
        daily: Some(1_000),
        ..GovernorConfig::default()
    };
    let mut core = Core::new(config, 0);
    let (now, midnight) = (Duration::from_secs(1), Duration::from_secs(3_600));
    core.day_ends_at(midnight);
    let ticket = core.enter(Family::Write, Share::Live);
    assert_eq!(core.poll(ticket, now), Decision::Go);
    let policy = LimitPolicy::Daily;
    let lesson = Lesson::Limited {
        policy,
        retry_after: None,
    };
    core.finished(Family::Write, now, now, LimitHeaders::default(), lesson, 0.0);
    let ticket = core.enter(Family::Write, Share::Live);
    assert_eq!(
        core.poll(ticket, now),
        Decision::Halted(midnight, Standstill::Day)
    );
    let ticket = core.enter(Family::Write, Share::Live);
    assert_eq!(core.poll(ticket, midnight), Decision::Go);
}

#[test]
fn many_refusals_of_one_cause_slow_down_once() {
    let mut core = Core::new(GovernorConfig::default(), 0);
    let now = Duration::from_secs(3);
    let lesson = Lesson::Limited {
        policy: LimitPolicy::TenSecondly,
        retry_after: None,
    };
    for _ in 0..8 {
        core.finished(
            Family::Write,
            Duration::from_secs(2),
            now,
            LimitHeaders::default(),
            lesson,
            0.0,
        );
    }
    let usage = core.usage(now);
    assert_eq!(usage.total_refused(), 8);
    assert!((usage.burst_factor - 0.7).abs() < 1e-9, "{}", usage.burst_factor);
    assert!(usage.paused.is_some_and(|rest| rest >= Duration::from_secs(10)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// G1, for any mixture of shares that come and go, and however long calls travel.
    #[test]
    fn no_window_ever_holds_more_than_the_limit(
        workers in proptest::array::uniform5(0usize..12),
        pauses in proptest::array::uniform5(0u64..3_000),
        limit in 20usize..60,
        way in 2u64..1_500,
    ) {
        let span = Duration::from_secs(2);
        let config = GovernorConfig { burst: Some(limit as u32), window: span, ..GovernorConfig::default() };
        let mut core = Core::new(config, 0);
        let mut server = Server { span, headers: false, way, ..server(usize::MAX) };
        let demands: Vec<Demand> = Share::ALL
            .iter()
            .map(|&share| Demand { pause_ms: pauses[share as usize], ..Demand::new(share, workers[share as usize]) })
            .collect();
        run(&mut core, &mut server, &demands, Duration::from_secs(12), None);
        for (first, &at) in server.accepted.iter().enumerate() {
            let within = server.accepted[first..].iter().take_while(|&&other| other < at + span).count();
            prop_assert!(within <= limit, "{within} calls within {span:?} of {at:?}");
        }
    }
}

#[tokio::test]
async fn an_abandoned_place_lets_the_next_one_move_up() {
    let config = GovernorConfig {
        in_flight: 1,
        ..GovernorConfig::default()
    };
    let governor = Governor::new(config, 0);
    let first = governor.acquire(Family::Read, Share::Live).await.unwrap();
    let impatient = governor.acquire(Family::Read, Share::Live);
    tokio::time::timeout(Duration::from_millis(5), impatient)
        .await
        .unwrap_err();
    let waiter = tokio::spawn({
        let governor = governor.clone();
        async move { governor.acquire(Family::Read, Share::Live).await.map(drop) }
    });
    tokio::task::yield_now().await;
    first.finish(LimitHeaders::default(), Lesson::Accepted);
    tokio::time::timeout(Duration::from_secs(10), waiter)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(governor.usage().in_flight, 0);
}
