//! The domain of Landbridge, pure: what a sync is, what a change is, how a value is converted, what became of a record.
//!
//! Everything here is a value or a function over values.
//!
//! * **M1** Nothing in this crate reads a clock, a network, a disk or a random source.
//! * **M2** Identities are types: a text that is not a Salesforce id cannot be passed where one is wanted.
//! * **M3** Absent is not null: a column that a batch does not carry is left alone, a null clears.
//! * **M4** A record that cannot be carried is an outcome with a reason, never an error of the batch it travelled in.
//!
//! It must never know of the bus, of HTTP, of sled, or of any other crate of the workspace.

pub mod ask;
pub mod batch;
pub mod before;
pub mod columns;
pub mod config;
pub mod convert;
pub mod drift;
pub mod filter;
pub mod formula;
pub mod hubspot;
mod hubspot_version;
pub mod ids;
pub mod names;
pub mod outcome;
pub mod plan;
pub mod predict;
pub mod propose;
pub mod salesforce;
mod schema;
pub mod standard;
pub mod supported;
pub mod sync;
pub mod validate;
pub mod version;
pub mod yaml;

#[cfg(test)]
mod testing;

pub use batch::{
    Association, ChangeBatch, ChangeKind, Envelope, Former, Identities, Identity, LinkIntents, LinkWrite,
    LinkWrites, MappedPart, Purpose, Source, WriteBatch,
};
pub use columns::{Table, TextColumn};
pub use hubspot_version::HubSpotApiVersion;
pub use ids::{
    HubSpotId, ImportId, InvalidIdentity, Lane, ObjectTypeId, Revision, RunId, SalesforceId, Shard,
    StageKind, SyncKey, SyncName, TenantId,
};
pub use outcome::{Failure, FailureCategory, LinkOutcome, LinkVerdict, Outcome, RecordOutcome};
pub use plan::Plan;
pub use predict::{LinkStance, PredictedLink, PredictedRecord, PropertyChange};
pub use validate::{Problem, Surroundings};
pub use version::Version;
