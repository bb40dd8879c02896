//! Calls that all go well or change nothing: they run in one transaction, on records and queries.

use super::{Outcome, Subrequest, fields_of, location_of, reference::Known, split};
use crate::salesforce::{
    call::{Call, form},
    dml::Change,
    errors::ApiError,
    query,
    rows::{Action, Reply, act, look},
    store::Org,
};
use http::Method;
use serde_json::Value as Json;

/// Runs calls in order; the first that fails takes everything back.
pub(super) async fn run(call: &Call, requests: &[Subrequest]) -> Vec<Outcome> {
    let now_ms = call.handle.clock.now_ms();
    let mut outcomes = call
        .handle
        .commit(|org, change| {
            let all = |org: &mut Org| {
                let mut known = Known::default();
                let mut outcomes = Vec::new();
                for request in requests {
                    let outcome = match known.resolve(request) {
                        Ok(request) => perform(org, &request, change, now_ms),
                        Err(message) => Outcome::halted(&message),
                    };
                    known.learn(&request.reference_id, &outcome);
                    let failed = outcome.status.as_u16() >= 300;
                    outcomes.push(outcome);
                    if failed {
                        break;
                    }
                }
                outcomes
            };
            org.attempt(all, |outcomes| {
                outcomes.iter().all(|outcome| outcome.status.as_u16() < 300)
            })
        })
        .await;
    let failed = outcomes.iter().position(|outcome| outcome.status.as_u16() >= 300);
    if let Some(failed) = failed {
        let message =
            "The transaction was rolled back since another operation in the same transaction failed.";
        outcomes.resize_with(requests.len(), || Outcome::halted(message));
        for (position, outcome) in outcomes.iter_mut().enumerate() {
            if position != failed {
                *outcome = Outcome::halted(message);
            }
        }
    }
    outcomes
}

fn perform(org: &mut Org, request: &Subrequest, change: Change, now_ms: i64) -> Outcome {
    match reply(org, request, change, now_ms) {
        Ok((reply, prefix)) => {
            let body = serde_json::from_str(&reply.body).unwrap_or(Json::Null);
            let location = location_of(prefix.is_some(), &prefix.unwrap_or_default(), &body);
            Outcome {
                status: reply.status,
                body,
                location,
            }
        }
        Err(error) => Outcome::refused(error),
    }
}

/// What a call came to; with where records are created, if it creates one.
fn reply(
    org: &mut Org,
    request: &Subrequest,
    change: Change,
    now_ms: i64,
) -> Result<(Reply, Option<String>), ApiError> {
    let (version, path, parameters) = split(&request.url).ok_or_else(ApiError::not_found)?;
    let method = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| ApiError::bad("INVALID_INPUT", format!("Unknown method {}", request.method)))?;
    let parameters = form(parameters.as_bytes());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["query"] if method == Method::GET => {
            let text = parameters.get("q").map(String::as_str).unwrap_or_default();
            let body = query::whole(org, text, &version, now_ms)?;
            let status = http::StatusCode::OK;
            Ok((Reply { status, body }, None))
        }
        ["sobjects", object, rest @ ..] => {
            let index = org.schema().index(object).ok_or_else(ApiError::no_object)?;
            let action = Action {
                method: &method,
                version: &version,
                rest,
                fields: parameters.get("fields").map(String::as_str),
                body: &fields_of(&request.body),
                now_ms,
            };
            let creates = method == Method::POST && rest.is_empty();
            let prefix = creates.then(|| format!("/services/data/{version}/sobjects/{object}"));
            let reply = if method == Method::GET {
                look(org, index, &action)?
            } else {
                act(org, index, &action, change)?
            };
            Ok((reply, prefix))
        }
        _ => Err(ApiError::bad(
            "INVALID_INPUT",
            "Only records and queries can be subrequests of a transaction",
        )),
    }
}
