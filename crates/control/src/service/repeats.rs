//! Requests that are sent again: the first one has its turn, and the others get its answer.

use std::time::Duration;

use landbridge_bus::{Key, KvError};
use serde::{Deserialize, Serialize};

use super::Service;
use super::error::ServiceError;
use super::secret;

/// How long a turn is held for a request whose answer never came: its process is gone.
const TURN: Duration = Duration::from_secs(600);

/// An answer that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remembered(pub(crate) serde_json::Value);

/// What is to be done with a request.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Do it, and remember the answer.
    First(TakenTurn),
    /// It was done: this was the answer.
    Again(Remembered),
}

/// The right to do a request.
#[derive(Debug)]
pub(crate) struct TakenTurn {
    key: Key,
    request: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    /// A hash of the request's body.
    request: String,
    /// None while it is being done.
    answer: Option<Remembered>,
}

impl Service {
    /// A name for the caller, route and key of a turn.
    pub(crate) fn place_of_turn(&self, place: &[String; 3]) -> Result<String, ServiceError> {
        Ok(secret::hash(&serde_json::to_string(place)?))
    }

    /// Takes a turn for a request, or finds what came of it before.
    pub(crate) async fn take_turn(&self, place: &[String; 3], body: &[u8]) -> Result<Turn, ServiceError> {
        let key = Key::new(["answer", &self.place_of_turn(place)?]);
        let request = secret::hash_bytes(body);
        let turn = Stored {
            request: request.clone(),
            answer: None,
        };
        let access = &self.inner.access;
        match access.create_for(&key, serde_json::to_vec(&turn)?, TURN).await {
            Ok(_) => return Ok(Turn::First(TakenTurn { key, request })),
            Err(KvError::Exists) => {}
            Err(error) => return Err(error.into()),
        }
        let busy = || {
            ServiceError::Conflict(
                "the same request is being done at this moment; ask again in a while".to_owned(),
            )
        };
        let (stored, _) = access.get_json::<Stored>(&key).await?.ok_or_else(busy)?;
        if stored.request != request {
            return Err(ServiceError::invalid(
                "this Idempotency-Key was sent with another body before; take a new key for a new request",
            ));
        }
        stored.answer.map(Turn::Again).ok_or_else(busy)
    }

    /// Keeps a request's answer.
    pub(crate) async fn remember_answer(
        &self,
        turn: TakenTurn,
        answer: Remembered,
        kept: Duration,
    ) -> Result<(), ServiceError> {
        let stored = Stored {
            request: turn.request,
            answer: Some(answer),
        };
        let value = serde_json::to_vec(&stored)?;
        self.inner.access.put_for(&turn.key, value, kept).await?;
        Ok(())
    }

    /// Gives a turn back: the request may be tried again.
    pub(crate) async fn forget_turn(&self, turn: TakenTurn) -> Result<(), ServiceError> {
        Ok(self.inner.access.delete(&turn.key).await?)
    }
}
