//! Control.

pub mod latency;
pub mod ledger;
