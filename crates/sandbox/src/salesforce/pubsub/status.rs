//! Refusals with their code in the trailers.

use tonic::{Code, Status, metadata::MetadataMap};

/// What every code begins with.
const PREFIX: &str = "sfdc.platform.eventbus.grpc.";

/// An id of a call, for support.
pub(super) fn rpc_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A refusal: `tail` is its code without what all codes begin with.
pub(super) fn refusal(code: Code, tail: &str, message: &str) -> Status {
    let mut trailers = MetadataMap::new();
    if let Ok(value) = format!("{PREFIX}{tail}").parse() {
        trailers.insert("error-code", value);
    }
    Status::with_metadata(code, format!("{message} rpcId: {}", rpc_id()), trailers)
}
