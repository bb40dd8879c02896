//! Request and reply, typed.

use std::time::Duration;

use bytes::Bytes;
use landbridge_model::StageKind;
use landbridge_model::ask::Question;
use landbridge_wire::{Ask, AskError, AskErrorCode, Wire};
use serde::Serialize;

use crate::hub::Hub;

/// Reads a question.
pub fn parse_ask<Q: Question>(ask: &Ask) -> Result<Q, AskError> {
    serde_json::from_str(&ask.body).map_err(|error| {
        AskError::new(
            AskErrorCode::Invalid,
            format!("the question {} cannot be read: {error}", Q::SERVICE),
        )
    })
}

/// Writes an answer.
pub fn answer_with<A: Serialize>(answer: &A) -> Result<String, AskError> {
    serde_json::to_string(answer).map_err(|error| AskError::new(AskErrorCode::Internal, error.to_string()))
}

/// Sends a question to the owner of the tenant's shard and gives the encoded answer.
pub(crate) async fn send(
    hub: &Hub,
    stage: StageKind,
    ask: &Ask,
    deadline: Duration,
) -> Result<Bytes, AskError> {
    let question = landbridge_bus::Ask {
        stage,
        shard: hub.shard_of(&ask.tenant),
        service: ask.service.clone(),
        payload: ask.encode().into(),
        deadline,
        patient: true,
    };
    hub.bus().ask(question).await.map_err(|error| match error {
        landbridge_bus::AskError::NoOwner { .. } => AskError::new(
            AskErrorCode::Unavailable,
            format!(
                "no {stage} runs for {}: start one, or look at /readyz of those that run",
                ask.tenant
            ),
        ),
        landbridge_bus::AskError::Deadline(_) => AskError::new(
            AskErrorCode::Unavailable,
            format!(
                "the {stage} did not answer within {} s; try again",
                deadline.as_secs_f32()
            ),
        ),
        other => AskError::new(
            AskErrorCode::Unavailable,
            format!("the {stage} cannot be asked: {other}"),
        ),
    })
}
