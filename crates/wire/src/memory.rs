//! The messages of the memories: failed, reread, held, parked.

use landbridge_model::{Envelope, Failure, SalesforceId, StageKind, Version, WriteBatch};
use prost::Message as _;

use crate::batch::{write_batch_in, write_batch_out};
use crate::common::{
    decode, envelope_in, envelope_out, failure_in, failure_out, invalid, optional, parse_id,
};
use crate::{Wire, WireError, v1};

/// A record or link that was refused: all that a retry and a person need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRecord {
    /// Whose and why.
    pub envelope: Envelope,
    /// The record.
    pub id: SalesforceId,
    /// The change.
    pub version: Version,
    /// Who refused it.
    pub stage: StageKind,
    /// Why.
    pub failure: Failure,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// The lookup field, when it is a link that failed.
    pub link_field: Option<String>,
    /// The one row that HubSpot refused, when it can be sent again as it was.
    pub write: Option<WriteBatch>,
    /// Whether a person wants it sent again.
    pub retry: bool,
}

impl Wire for FailedRecord {
    fn encode(&self) -> Vec<u8> {
        v1::FailedRecord {
            envelope: Some(envelope_out(&self.envelope)),
            id: self.id.to_string(),
            stamp_ms: self.version.stamp_ms,
            read_ms: self.version.read_ms,
            stage: self.stage.as_str().to_owned(),
            failure: Some(failure_out(&self.failure)),
            at_ms: self.at_ms,
            attempts: self.attempts,
            link_field: self.link_field.clone().unwrap_or_default(),
            write: self.write.as_ref().map(write_batch_out),
            retry: self.retry,
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let failed: v1::FailedRecord = decode("failed record", bytes)?;
        let failure = failed
            .failure
            .ok_or_else(|| invalid("failed record", "it has no failure"))?;
        Ok(Self {
            envelope: envelope_in(failed.envelope)?,
            id: parse_id(&failed.id)?,
            version: Version::new(failed.stamp_ms, failed.read_ms),
            stage: failed
                .stage
                .parse()
                .map_err(|error| invalid("failed record", error))?,
            failure: failure_in(failure),
            at_ms: failed.at_ms,
            attempts: failed.attempts,
            link_field: optional(failed.link_field),
            write: failed.write.map(write_batch_in).transpose()?,
            retry: failed.retry,
        })
    }
}

/// The wish that a record be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reread {
    /// Whose and why; the run and the force of the batch that comes of it.
    pub envelope: Envelope,
    /// The record.
    pub id: SalesforceId,
    /// Why, for `explain`.
    pub reason: String,
}

impl Wire for Reread {
    fn encode(&self) -> Vec<u8> {
        v1::Reread {
            envelope: Some(envelope_out(&self.envelope)),
            id: self.id.to_string(),
            reason: self.reason.clone(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let reread: v1::Reread = decode("reread", bytes)?;
        Ok(Self {
            envelope: envelope_in(reread.envelope)?,
            id: parse_id(&reread.id)?,
            reason: reread.reason,
        })
    }
}

/// A delete in its grace period or waiting for a person's approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldDelete {
    /// Whose and why.
    pub envelope: Envelope,
    /// The record.
    pub id: SalesforceId,
    /// The delete.
    pub version: Version,
    /// When its grace ends, in milliseconds since 1970; `None` waits for a person.
    pub until_ms: Option<i64>,
    /// Why it is held.
    pub reason: String,
}

impl Wire for HeldDelete {
    fn encode(&self) -> Vec<u8> {
        v1::HeldDelete {
            envelope: Some(envelope_out(&self.envelope)),
            id: self.id.to_string(),
            stamp_ms: self.version.stamp_ms,
            read_ms: self.version.read_ms,
            until_ms: self.until_ms.unwrap_or_default(),
            reason: self.reason.clone(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let held: v1::HeldDelete = decode("held delete", bytes)?;
        Ok(Self {
            envelope: envelope_in(held.envelope)?,
            id: parse_id(&held.id)?,
            version: Version::new(held.stamp_ms, held.read_ms),
            until_ms: (held.until_ms != 0).then_some(held.until_ms),
            reason: held.reason,
        })
    }
}

/// A link that waits for the record at its other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedLink {
    /// Whose and why.
    pub envelope: Envelope,
    /// The record that holds the lookup.
    pub child: SalesforceId,
    /// The lookup field.
    pub field: String,
    /// The record that the lookup names; `None` when it was cleared and the child itself is awaited.
    pub parent: Option<SalesforceId>,
    /// Of the child's change.
    pub version: Version,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
}

impl Wire for ParkedLink {
    fn encode(&self) -> Vec<u8> {
        v1::ParkedLink {
            envelope: Some(envelope_out(&self.envelope)),
            child: self.child.to_string(),
            field: self.field.clone(),
            parent: self.parent.map(|parent| parent.to_string()).unwrap_or_default(),
            stamp_ms: self.version.stamp_ms,
            read_ms: self.version.read_ms,
            since_ms: self.since_ms,
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let parked: v1::ParkedLink = decode("parked link", bytes)?;
        Ok(Self {
            envelope: envelope_in(parked.envelope)?,
            child: parse_id(&parked.child)?,
            field: parked.field,
            parent: if parked.parent.is_empty() {
                None
            } else {
                Some(parse_id(&parked.parent)?)
            },
            version: Version::new(parked.stamp_ms, parked.read_ms),
            since_ms: parked.since_ms,
        })
    }
}
