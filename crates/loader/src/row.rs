//! One row of a message on its way to HubSpot, and how it ended.

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::{
    ChangeKind, Failure, FailureCategory, HubSpotId, Identity, MappedPart, Outcome, RecordOutcome,
    SalesforceId, Version, WriteBatch,
};

use crate::decide::fingerprint;
use crate::flight::Failing;
use crate::known::{Fingerprint, Present};
use crate::portal::RecordKey;
use crate::target::Target;

/// A row of a batch in hand.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The message's place in the stream.
    pub(crate) message: u64,
    pub(crate) batch: Arc<WriteBatch>,
    pub(crate) target: Arc<Target>,
    pub(crate) index: usize,
    pub(crate) fingerprint: Fingerprint,
    /// Calls made for it so far.
    pub(crate) attempts: u32,
    /// Whether HubSpot had no such record before the first call, so that a repeated call finds what the first made.
    pub(crate) was_absent: bool,
    /// Whether a call's answer was lost: HubSpot may carry it out yet, so no other write of the record is sent before a
    /// repetition is answered.
    pub(crate) in_doubt: bool,
    /// Of its calls, those that were refused as if a property were too new, and those whose answers did not mention it.
    pub(crate) lagging: u32,
    pub(crate) unmentioned: u32,
    /// What speaks for HubSpot failing at this very row.
    pub(crate) failing: Failing,
    /// Set while a part of the row is written over what is there.
    pub(crate) over: Option<Present>,
}

impl Row {
    /// A row of a message, before its first call.
    pub(crate) fn new(message: u64, batch: Arc<WriteBatch>, target: Arc<Target>, index: usize) -> Self {
        Self {
            message,
            target,
            index,
            fingerprint: fingerprint(&batch, index),
            batch,
            attempts: 0,
            was_absent: false,
            in_doubt: false,
            lagging: 0,
            unmentioned: 0,
            failing: Failing::default(),
            over: None,
        }
    }

    /// The one row of a batch that is no message: what is waited for lies in one of the memories.
    pub(crate) fn alone(batch: WriteBatch, target: Arc<Target>) -> Self {
        Self::new(0, Arc::new(batch), target, 0)
    }

    pub(crate) fn id(&self) -> SalesforceId {
        self.batch.ids[self.index]
    }

    pub(crate) fn version(&self) -> Version {
        self.batch.versions[self.index]
    }

    pub(crate) fn is_upsert(&self) -> bool {
        self.batch.kinds[self.index] == ChangeKind::Upsert
    }

    /// Whether equal values are written again. Not by a back-fill, which is forced for the sake of its links: a label that
    /// was changed is in no memory, but an equal fingerprint says that this mapping wrote the row already.
    pub(crate) fn force(&self) -> bool {
        self.batch.envelope.force && self.only().is_none()
    }

    /// The part that a back-fill writes.
    pub(crate) fn only(&self) -> Option<&MappedPart> {
        self.batch.envelope.only.as_deref()
    }

    /// The version that its call sets: a part does not count as the row's.
    pub(crate) fn sent_version(&self) -> Version {
        let applied = self.over.and_then(|over| over.version);
        applied.unwrap_or_else(|| self.version())
    }

    /// Whether a property is sent.
    pub(crate) fn sends(&self, property: &str) -> bool {
        self.over.is_none() || self.only().is_none_or(|part| part.has_property(property))
    }

    pub(crate) fn key(&self) -> RecordKey {
        (self.target.object_type.clone(), self.id())
    }

    /// What the row carries for a property; null is empty text, as it is sent. `None` is not carried.
    pub(crate) fn value(&self, property: &str) -> Option<String> {
        let column = self.batch.table.column(property)?;
        Some(column.get(self.index).unwrap_or_default().to_owned())
    }
}

/// A row's end.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) hubspot_id: Option<HubSpotId>,
    pub(crate) failure: Option<Failure>,
    /// Whether the resolver is to be told of the record (or that it is gone).
    pub(crate) tell: bool,
}

impl End {
    pub(crate) fn new(outcome: Outcome, hubspot_id: Option<HubSpotId>) -> Self {
        Self {
            outcome,
            hubspot_id,
            failure: None,
            tell: false,
        }
    }

    pub(crate) fn failed(failure: Failure) -> Self {
        Self {
            outcome: Outcome::Failed,
            hubspot_id: None,
            failure: Some(failure),
            tell: false,
        }
    }

    /// A back-fill leaves a record alone that Landbridge has not written.
    pub(crate) fn not_filled() -> Self {
        let reason = "a back-fill writes only records that were written before".to_owned();
        Self {
            failure: Some(Failure::new(FailureCategory::InvalidValue, reason)),
            ..Self::new(Outcome::Filtered, None)
        }
    }

    pub(crate) fn told(mut self, tell: bool) -> Self {
        self.tell = tell;
        self
    }

    /// What control is told.
    pub(crate) fn report(&self, row: &Row) -> RecordOutcome {
        RecordOutcome {
            id: row.id(),
            version: row.version(),
            outcome: self.outcome,
            hubspot_id: self.hubspot_id,
            failure: self.failure.clone(),
        }
    }

    /// What the resolver is told.
    pub(crate) fn identity(&self, row: &Row) -> Option<Identity> {
        let hubspot_id = if self.outcome == Outcome::Deleted {
            None
        } else {
            self.hubspot_id
        };
        self.tell.then(|| Identity {
            id: row.id(),
            hubspot_id,
            version: row.version(),
        })
    }
}

/// What a call made of a row.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It ended.
    Ended(End),
    /// To be tried again after so long.
    Again(Duration),
}
