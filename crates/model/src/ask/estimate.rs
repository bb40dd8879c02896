//! What an import costs in calls: asked of the extractor and of the loader, who know their own batching rules.

use serde::{Deserialize, Serialize};

use super::Question;
use crate::ids::ObjectTypeId;

/// What does it cost to read so many records in an import?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EstimateReading {
    /// Records that the import reads.
    pub records: u64,
}
question!(EstimateReading, "estimate-reading", Estimate);

/// What one side of an import costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Estimate {
    /// Calls by family, by the batching rules.
    pub calls: Vec<EstimatedCalls>,
    /// How long the calls take at the limits, when these are known; in seconds.
    pub seconds: Option<f64>,
    /// Calls left of today's allocation, when known.
    pub daily_left: Option<u64>,
    /// Calls more for an import that keeps what was there before, so that it can be undone.
    #[serde(default)]
    pub before_calls: u64,
    /// What the numbers leave out.
    pub notes: Vec<String>,
}

impl Estimate {
    /// All calls that are certain.
    pub fn total(&self) -> u64 {
        self.calls.iter().map(|family| family.calls).sum()
    }
}

/// Calls of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EstimatedCalls {
    /// Such as `write` or `associations`.
    pub family: String,
    /// At least so many.
    pub calls: u64,
}

/// What does it cost to write what an import would?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EstimateWriting {
    /// The object type; `None` when it does not exist yet.
    pub object_type: Option<ObjectTypeId>,
    /// Records that are created or updated.
    pub writes: u64,
    /// Records that are deleted.
    pub deletes: u64,
    /// Links that are made or taken away, by lookup.
    pub links: Vec<EstimatedLinks>,
}
question!(EstimateWriting, "estimate-writing", Estimate);

/// The links of one lookup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EstimatedLinks {
    /// The parents' type.
    pub to: ObjectTypeId,
    /// Whether they carry a label: then what the child has is read first.
    pub labelled: bool,
    /// Whether parents are found by a unique property, else by listing their type.
    pub match_unique: bool,
    /// Links that are made.
    pub made: u64,
    /// Associations that are taken away.
    pub taken: u64,
    /// Records whose associations have to be read first, because HubSpot may have some already.
    pub read: u64,
    /// Parents to look up.
    pub parents: u64,
}
