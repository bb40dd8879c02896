//! The wire: protobuf messages and their conversions to the model.
//!
//! * **W1** What is encoded decodes to an equal value.
//! * **W2** A message that does not make a value of the model is refused with a reason; nothing is guessed.
//! * **W3** Generated types stop at this crate's edge: stages see the model.
//!
//! It must never know what a field of a record means, nor how a message travels.

/// The generated types. Only this crate and its tests have business with them.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/landbridge.v1.rs"));
}

mod ask;
mod batch;
mod before;
mod common;
mod links;
mod memory;
mod report;

pub use ask::{Answer, Ask, AskError, AskErrorCode};
pub use links::LinkMessage;
pub use memory::{FailedRecord, HeldDelete, ParkedLink, Reread};
pub use report::{
    Compared, Difference, DifferenceKind, Report, ReportBody, RunPhase, RunProgress, VersionedId,
};

/// A message that is not what it should be. Poison: it is set aside with this reason, never tried again.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not protobuf of this type.
    #[error("the message is not readable as {what}")]
    Undecodable {
        /// The type it should have been.
        what: &'static str,
        /// Why not.
        source: prost::DecodeError,
    },
    /// Readable, but not a value of the model.
    #[error("the message is not a valid {what}: {reason}")]
    Invalid {
        /// The type it should have been.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// What can travel.
pub trait Wire: Sized {
    /// The bytes of a message.
    fn encode(&self) -> Vec<u8>;
    /// The value of a message.
    fn decode(bytes: &[u8]) -> Result<Self, WireError>;
}
