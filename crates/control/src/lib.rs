//! Control: definitions, imports, failures, health. It keeps the account of every record.
//!
//! * **C1** For an import, at every moment: distinct records extracted = records by their latest outcome + records in
//!   flight, where in flight is counted in the lanes. What is in neither is shown as unaccounted, never hidden.
//! * **C2** An import is complete when the extractor has ended and nothing is in flight; parked links do not hold it
//!   open.
//! * **C3** The ledger is rebuilt from the outcomes stream whenever its cache is gone: no progress is lost.
//! * **C4** Nothing is written where a definition has a problem; applying the same definitions again changes nothing.
//! * **C5** A difference is told only after a second look with nothing in flight.
//! * **C6** A dry run writes nothing, in neither system and in no memory, and counts in no outcome.
//! * **C7** A sync that is removed with what it wrote goes only when none of its deletes is held any more.
//!
//! It must never know how to open a credential of Salesforce or HubSpot, nor speak to either: it asks the extractor and
//! the loader. What its own key opens are the secrets of alerts.

mod alerts;
pub mod ask;
pub mod console;
pub mod console_routes;
mod cures;
mod definitions;
mod drift;
mod dry_run;
mod explain;
mod failures;
mod find;
mod health;
mod held;
pub mod http;
mod identity;
mod imports;
mod lanes;
pub mod latency;
pub mod ledger;
mod reach;
mod removals;
mod return_path;
pub mod service;
mod shard;
mod status;
mod undo;
mod verify;
mod worker;

pub use http::router;
pub use service::Service;
pub use shard::ControlShard;
pub use worker::{Control, Settings};
