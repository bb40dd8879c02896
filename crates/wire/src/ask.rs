//! Request and reply.

use prost::Message as _;

use landbridge_model::TenantId;

use crate::common::{decode, invalid};
use crate::{Wire, WireError, v1};

/// A question to the worker that owns the tenant's shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whose org or portal.
    pub tenant: TenantId,
    /// The service asked for.
    pub service: String,
    /// The question, as JSON.
    pub body: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer(pub Result<String, AskError>);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AskError {
    /// What kind of trouble.
    pub code: AskErrorCode,
    /// What happened and what to do, for a person. Never a secret.
    pub message: String,
}

impl AskError {
    /// An error of that kind.
    pub fn new(code: AskErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Kinds of trouble, few on purpose: each maps to one exit code and one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AskErrorCode {
    /// The question makes no sense.
    Invalid,
    /// What it asks about does not exist.
    NotFound,
    /// A credential is refused or missing.
    Unauthorized,
    /// A permission or scope is missing.
    Forbidden,
    /// Somebody else has changed it since it was looked at.
    Conflict,
    /// A budget is used up.
    Limited,
    /// The other side, or the worker, cannot be reached now.
    Unavailable,
    /// Landbridge is wrong.
    Internal,
}

impl AskErrorCode {
    const ALL: [Self; 8] = [
        Self::Invalid,
        Self::NotFound,
        Self::Unauthorized,
        Self::Forbidden,
        Self::Conflict,
        Self::Limited,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not-found",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Conflict => "conflict",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl Wire for Ask {
    fn encode(&self) -> Vec<u8> {
        v1::Ask {
            tenant: self.tenant.to_string(),
            service: self.service.clone(),
            body: self.body.clone(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let ask: v1::Ask = decode("ask", bytes)?;
        let tenant = TenantId::new(&ask.tenant).map_err(|error| invalid("ask", error))?;
        Ok(Self {
            tenant,
            service: ask.service,
            body: ask.body,
        })
    }
}

impl Wire for Answer {
    fn encode(&self) -> Vec<u8> {
        let result = match &self.0 {
            Ok(body) => v1::answer::Result::Body(body.clone()),
            Err(error) => v1::answer::Result::Error(v1::AskError {
                code: error.code.as_str().to_owned(),
                message: error.message.clone(),
            }),
        };
        v1::Answer { result: Some(result) }.encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let answer: v1::Answer = decode("answer", bytes)?;
        match answer.result {
            Some(v1::answer::Result::Body(body)) => Ok(Self(Ok(body))),
            Some(v1::answer::Result::Error(error)) => {
                let known = AskErrorCode::ALL
                    .into_iter()
                    .find(|code| code.as_str() == error.code);
                Ok(Self(Err(AskError::new(
                    known.unwrap_or(AskErrorCode::Internal),
                    error.message,
                ))))
            }
            None => Err(invalid("answer", "it is empty")),
        }
    }
}
