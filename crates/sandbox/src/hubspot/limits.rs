//! What a portal lets through: rolling windows and daily counters, each refusal in its own words.

use super::{auth::Grant, clock::DAY_MS, dice::Dice, errors::ApiError};
use crate::config::Limits;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::{HashMap, VecDeque};

const WINDOW_MS: i64 = 10_000;
const SECOND_MS: i64 = 1000;
/// Search calls per second, for all apps together.
const SEARCHES: usize = 5;
/// Association calls per window, for all apps together.
const ASSOCIATIONS: usize = 150;
/// An app's calls per window.
const CALLS: u32 = 190;
/// What is announced when there is no limit: large enough never to slow a client that believes headers.
const UNLIMITED: u64 = 1_000_000_000;

/// Which allowance a call is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bucket {
    App,
    Search,
    Associations,
    /// Token requests and the sandbox's own paths.
    None,
}

/// Header names and values to add to an answer.
pub(super) type Headers = Vec<(&'static str, String)>;

/// Why a call was not let through.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: ApiError,
    /// For the counters.
    pub(super) reason: &'static str,
    pub(super) headers: Headers,
}

/// The portal's allowances.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: Limits,
    calls: usize,
    daily: u64,
    associations_daily: u64,
    /// The account's midnight, in milliseconds after UTC's.
    midnight_ms: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    day: i64,
    used: u64,
    associations_used: u64,
    apps: HashMap<u32, Window>,
    searches: Window,
    associations: Window,
}

/// When the calls of the recent past came.
#[derive(Debug, Default)]
struct Window {
    calls: VecDeque<i64>,
}

impl Window {
    /// Takes one call if there is room, and says how much is left.
    fn take(&mut self, now_ms: i64, span_ms: i64, most: usize) -> Option<usize> {
        while self.calls.front().is_some_and(|at| *at <= now_ms - span_ms) {
            self.calls.pop_front();
        }
        if self.calls.len() >= most {
            return None;
        }
        self.calls.push_back(now_ms);
        Some(most - self.calls.len())
    }
}

impl Limiter {
    pub(super) fn new(limits: Limits, daily: u64, associations_daily: u64, utc_offset_ms: i64) -> Limiter {
        let calls = match limits {
            Limits::Calls(calls) => calls,
            Limits::Real | Limits::Off => CALLS,
        };
        Limiter {
            limits,
            calls: usize::try_from(calls).unwrap_or(usize::MAX),
            daily,
            associations_daily,
            midnight_ms: -utc_offset_ms,
            state: Mutex::new(State::default()),
        }
    }

    /// Daily calls allowed, used, and when the count starts again.
    pub(super) fn daily(&self, now_ms: i64) -> (u64, u64, i64) {
        let mut state = self.state.lock();
        self.turn_day(&mut state, now_ms);
        let limit = if self.limits == Limits::Off {
            UNLIMITED
        } else {
            self.daily
        };
        (limit, state.used, (state.day + 1) * DAY_MS + self.midnight_ms)
    }

    /// Pretends that so many calls were made today.
    pub(super) fn set_daily_used(&self, now_ms: i64, calls: u64, associations: u64) {
        let mut state = self.state.lock();
        self.turn_day(&mut state, now_ms);
        state.used = calls;
        state.associations_used = associations;
    }

    /// The day, and the calls and association calls of that day.
    pub(super) fn spent(&self) -> (i64, u64, u64) {
        let state = self.state.lock();
        (state.day, state.used, state.associations_used)
    }

    /// Takes up the counts of [`Limiter::spent`].
    pub(super) fn restore(&self, (day, used, associations_used): (i64, u64, u64)) {
        let mut state = self.state.lock();
        (state.day, state.used, state.associations_used) = (day, used, associations_used);
    }

    fn turn_day(&self, state: &mut State, now_ms: i64) {
        let day = (now_ms - self.midnight_ms).div_euclid(DAY_MS);
        if day != state.day {
            (state.day, state.used, state.associations_used) = (day, 0, 0);
        }
    }

    /// Takes one call from its bucket.
    pub(super) fn admit(
        &self,
        bucket: Bucket,
        grant: &Grant,
        now_ms: i64,
        dice: &Dice,
    ) -> Result<Headers, Refused> {
        if bucket == Bucket::None {
            return Ok(Vec::new());
        }
        let mut state = self.state.lock();
        self.turn_day(&mut state, now_ms);
        if self.limits == Limits::Off {
            state.used += 1;
            return Ok(headers(grant, UNLIMITED, UNLIMITED, Some((UNLIMITED, UNLIMITED))));
        }
        let (used, limit) = match bucket {
            Bucket::Associations => (&mut state.associations_used, self.associations_daily),
            _ => (&mut state.used, self.daily),
        };
        // Refused calls count as well.
        *used += 1;
        let (over, left) = (*used > limit, limit.saturating_sub(*used));
        let daily_only = headers(grant, limit, left, None);
        let (taken, error, reason): (_, fn(u32, &Dice) -> ApiError, _) = match bucket {
            _ if over => (false, daily_error, "daily"),
            Bucket::Search => {
                let room = state.searches.take(now_ms, SECOND_MS, SEARCHES);
                (room.is_some(), secondly_error, "secondly")
            }
            Bucket::Associations => {
                let room = state.associations.take(now_ms, WINDOW_MS, ASSOCIATIONS);
                (room.is_some(), association_error, "associations_ten_secondly")
            }
            Bucket::App | Bucket::None => {
                let room = state
                    .apps
                    .entry(grant.app)
                    .or_default()
                    .take(now_ms, WINDOW_MS, self.calls);
                let window = Some((self.calls as u64, room.unwrap_or(0) as u64));
                let headers = headers(grant, limit, left, window);
                let refused = || Refused {
                    error: app_error(grant.app, dice),
                    reason: "ten_secondly",
                    headers: headers.clone(),
                };
                return room.map(|_| headers.clone()).ok_or_else(refused);
            }
        };
        if taken {
            return Ok(daily_only);
        }
        Err(Refused {
            error: error(grant.app, dice),
            reason,
            headers: daily_only,
        })
    }
}

/// The daily pair (not for OAuth apps) and, where the call was taken from the app's window, its state.
fn headers(grant: &Grant, limit: u64, left: u64, window: Option<(u64, u64)>) -> Headers {
    let mut headers = Vec::with_capacity(7);
    if !grant.oauth {
        headers.push(("x-hubspot-ratelimit-daily", limit.to_string()));
        headers.push(("x-hubspot-ratelimit-daily-remaining", left.to_string()));
    }
    if let Some((most, room)) = window {
        headers.push(("x-hubspot-ratelimit-interval-milliseconds", WINDOW_MS.to_string()));
        headers.push(("x-hubspot-ratelimit-max", most.to_string()));
        headers.push(("x-hubspot-ratelimit-remaining", room.to_string()));
        headers.push(("x-hubspot-ratelimit-secondly", (most / 10).to_string()));
        headers.push((
            "x-hubspot-ratelimit-secondly-remaining",
            (room.min(most / 10)).to_string(),
        ));
    }
    headers
}

/// Two bodies are about, one with `errorType` and one with `category`.
fn ten_secondly_error(group: &str, app: u32, dice: &Dice) -> ApiError {
    let error = ApiError::new(429, "You have reached your ten_secondly_rolling limit.")
        .with("policyName", json!("TEN_SECONDLY_ROLLING"))
        .with(
            "groupName",
            json!(format!("publicapi:{group}-ten-secondly:{app}")),
        );
    if dice.below(2) == 0 {
        error.with("errorType", json!("RATE_LIMIT"))
    } else {
        error.category("RATE_LIMITS")
    }
}

fn app_error(app: u32, dice: &Dice) -> ApiError {
    ten_secondly_error("private-app-api-calls", app, dice)
}

fn association_error(app: u32, dice: &Dice) -> ApiError {
    ten_secondly_error("associations", app, dice)
}

fn secondly_error(_: u32, _: &Dice) -> ApiError {
    ApiError::new(429, "You have reached your secondly limit.").category("RATE_LIMITS")
}

fn daily_error(_: u32, dice: &Dice) -> ApiError {
    ApiError::new(429, "You have reached your daily limit.")
        .with("errorType", json!("RATE_LIMIT"))
        .with("policyName", json!("DAILY"))
        .with("requestId", json!(dice.uuid()))
}
