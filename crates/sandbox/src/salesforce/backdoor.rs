//! `/__sandbox/…`: what no real org has, for tests and for whoever tries things out. No token is needed.
//!
//! | path | does |
//! |---|---|
//! | `GET clock` | the org's time, `now_ms` |
//! | `GET journal` | every change since the start: id, change, stamp |
//! | `POST expire-sessions` | ends all sessions, as an admin can |
//! | `POST revoke-grants` | takes all refresh tokens and authorization codes back |
//! | `POST refresh` `{"number": 7}` | gives the org another id, ends all sessions and voids all replay ids, as the refresh of a sandbox does |
//! | `POST app` `{"jwt_public_key": "…"}` | the PEM that assertions are checked with from now on |
//! | `POST settings` | sets `commit_delay_ms`, `bulk_queue_ms`, `bulk_page_rows`, `daily_requests`, `clock_skew_ms`, `clock_rate`, `session_ms`, `recycle_bin_ms`, `rotate_refresh_tokens`, `view_setup`, `app_requests`, `call_ms`, `long_call_ms` |
//! | `POST advance` `{"ms": 1}` | lets time pass in the org |
//! | `POST purge-delete-log` | forgets the delete log: `/deleted` refuses windows that begin before now |
//! | `POST purge` `{"ids": []}` | empties the recycle bin of these records |
//! | `POST undelete` `{"ids": []}` | brings records back, as `/services/data/vNN.0/__sandbox/undelete` does |
//! | `POST merge` `{"master": "001…", "losers": ["001…"], "values": {}}` | merges one or two records into a third, as SOAP's `merge` does |
//! | `POST permissions` `{"view_all_data": false, "view_all": ["Vehicle__c"]}` | what the one user sees whatever sharing says: everything, or all records of some objects |
//! | `POST schema` | changes an object: see [`schema_edit`](super::schema_edit) |
//! | `GET` and `PATCH pubsub`, `POST pubsub/cut`, `POST pubsub/void` | see [`pubsub`](super::pubsub) |
//! | `POST fail-bulk` `{"times": 1, "message": "…"}` | lets the next Bulk queries fail, with or without a message |

use crate::salesforce::{
    call::nothing,
    credentials,
    errors::{ApiError, json_ok},
    handle::OrgHandle,
    ids::RecordId,
    people, pubsub, rows, schema_edit,
};
use axum::response::Response;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use std::sync::{Arc, atomic::Ordering};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSettings {
    commit_delay_ms: Option<u64>,
    bulk_queue_ms: Option<u64>,
    bulk_page_rows: Option<usize>,
    daily_requests: Option<u64>,
    clock_skew_ms: Option<i64>,
    clock_rate: Option<f64>,
    session_ms: Option<i64>,
    recycle_bin_ms: Option<i64>,
    rotate_refresh_tokens: Option<bool>,
    view_setup: Option<bool>,
    app_requests: Option<u64>,
    call_ms: Option<u64>,
    long_call_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Permissions {
    view_all_data: Option<bool>,
    #[serde(default)]
    view_all: Vec<String>,
}

#[derive(Deserialize)]
struct Failures {
    times: usize,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refresh {
    number: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    ms: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    jwt_public_key: String,
}

#[derive(Deserialize)]
struct Ids {
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    master: String,
    losers: Vec<String>,
    #[serde(default)]
    values: serde_json::Map<String, serde_json::Value>,
}

pub(super) async fn serve(
    handle: &Arc<OrgHandle>,
    method: &Method,
    path: &[&str],
    body: &[u8],
) -> Result<Response, ApiError> {
    let served = act(handle, method, path, body).await?;
    if method != Method::GET {
        keep(handle, path).await?;
    }
    Ok(served)
}

/// Keeps what was changed, if the org is kept. Transactions are kept by themselves.
async fn keep(handle: &Arc<OrgHandle>, path: &[&str]) -> Result<(), ApiError> {
    match path {
        ["settings" | "advance" | "pubsub"] => handle.keep_switches(),
        ["expire-sessions" | "revoke-grants" | "app"] => handle.keep_doors(),
        ["refresh" | "purge-delete-log" | "schema" | "permissions"] | ["pubsub", "void"] => {
            let handle = handle.clone();
            let kept = tokio::task::spawn_blocking(move || handle.keep_all()).await;
            let refused = |error: String| ApiError::bad("UNKNOWN_EXCEPTION", error);
            kept.map_err(|error| refused(error.to_string()))?
                .map_err(|error| refused(error.to_string()))?;
        }
        _ => {}
    }
    Ok(())
}

async fn act(
    handle: &Arc<OrgHandle>,
    method: &Method,
    path: &[&str],
    body: &[u8],
) -> Result<Response, ApiError> {
    match (method.as_str(), path) {
        ("GET", ["clock"]) => Ok(json_ok(&json!({ "now_ms": handle.clock.now_ms() }))),
        ("GET", ["journal"]) => Ok(json_ok(&json!(handle.journal()))),
        ("POST", ["expire-sessions"]) => {
            handle.sessions.lock().expire_all();
            Ok(nothing())
        }
        (method, ["pubsub", rest @ ..]) => pubsub::backdoor(handle, method, rest, body),
        ("POST", ["revoke-grants"]) => {
            handle.grants.lock().revoke_all();
            Ok(nothing())
        }
        ("POST", ["app"]) => {
            let given: App = parse(body)?;
            let key = credentials::public_key_of_pem(&given.jwt_public_key);
            let key = key.ok_or_else(|| ApiError::body("jwt_public_key is no RSA public key in PEM"))?;
            *handle.jwt_key.write() = key;
            Ok(nothing())
        }
        ("POST", ["refresh"]) => {
            let given: Refresh = parse(body)?;
            handle.org.write().become_another(given.number.max(1));
            handle.sessions.lock().expire_all();
            handle.bus.void_places();
            Ok(nothing())
        }
        ("POST", ["advance"]) => {
            let given: Advance = parse(body)?;
            handle.clock.advance_ms(given.ms);
            handle.empty_bin();
            Ok(nothing())
        }
        ("POST", ["purge-delete-log"]) => {
            let now = handle.clock.now_ms();
            handle.org.write().purge_delete_log(now);
            Ok(nothing())
        }
        ("POST", ["settings"]) => {
            let given: NewSettings = parse(body)?;
            apply(handle, &given);
            Ok(nothing())
        }
        ("POST", ["purge"]) => {
            let given: Ids = parse(body)?;
            for text in &given.ids {
                let id = RecordId::parse(text).ok_or_else(ApiError::not_found)?;
                handle.commit(|org, _| org.hard_delete(id)).await?;
            }
            Ok(nothing())
        }
        ("POST", ["undelete"]) => {
            let given: Ids = parse(body)?;
            Ok(json_ok(&rows::bring_back(handle, &given.ids).await))
        }
        ("POST", ["merge"]) => {
            let given: Merge = parse(body)?;
            let moved = rows::merge(handle, &given.master, &given.losers, &given.values).await?;
            Ok(json_ok(&json!({ "updatedRelatedIds": moved })))
        }
        ("POST", ["schema"]) => {
            schema_edit::apply(handle, parse(body)?)?;
            Ok(nothing())
        }
        ("POST", ["permissions"]) => {
            let given: Permissions = parse(body)?;
            let now = handle.clock.now_ms();
            people::permit(&mut handle.org.write(), given.view_all_data, &given.view_all, now);
            Ok(nothing())
        }
        ("POST", ["fail-bulk"]) => {
            let given: Failures = parse(body)?;
            handle.jobs.fail_next(given.times, given.message);
            Ok(nothing())
        }
        _ => Err(ApiError::not_found()),
    }
}

fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::body(error.to_string()))
}

fn apply(handle: &OrgHandle, given: &NewSettings) {
    let settings = &handle.settings;
    if let Some(ms) = given.commit_delay_ms {
        settings.commit_delay_ms.store(ms, Ordering::Relaxed);
    }
    if let Some(ms) = given.bulk_queue_ms {
        settings.bulk_queue_ms.store(ms, Ordering::Relaxed);
    }
    if let Some(rows) = given.bulk_page_rows {
        settings.bulk_page_rows.store(rows.max(1), Ordering::Relaxed);
    }
    if let Some(calls) = given.daily_requests {
        settings.daily_requests.store(calls, Ordering::Relaxed);
    }
    if let Some(ms) = given.clock_skew_ms {
        handle.clock.set_skew_ms(ms);
    }
    if let Some(rate) = given.clock_rate.filter(|rate| rate.is_finite() && *rate >= 0.0) {
        handle.clock.set_rate(rate);
    }
    if let Some(ms) = given.recycle_bin_ms {
        settings.recycle_bin_ms.store(ms, Ordering::Relaxed);
    }
    if let Some(ms) = given.session_ms {
        settings.session_ms.store(ms, Ordering::Relaxed);
    }
    if let Some(ms) = given.call_ms {
        settings.call_ms.store(ms, Ordering::Relaxed);
    }
    if let Some(ms) = given.long_call_ms {
        settings.long_call_ms.store(ms, Ordering::Relaxed);
    }
    if let Some(calls) = given.app_requests {
        settings.app_requests.store(calls, Ordering::Relaxed);
    }
    if let Some(may) = given.view_setup {
        settings.view_setup.store(may, Ordering::Relaxed);
    }
    if let Some(rotates) = given.rotate_refresh_tokens {
        settings.rotate_refresh_tokens.store(rotates, Ordering::Relaxed);
    }
}
