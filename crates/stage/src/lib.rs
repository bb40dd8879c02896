//! What all workers share: typed access to the bus, a live view of the configuration, ownership of shards, lanes as
//! queues, caches on disk, health, telemetry, shutdown.
//!
//! * **S1** A shard's lanes run only under a lease that this process holds; losing it cancels them before anything
//!   else is sent.
//! * **S2** A delivery that was not acknowledged comes again, in its place, to whoever owns the shard next.
//! * **S3** One tenant's lane waits for no other lane.
//! * **S4** A cache counts only under an unbroken chain of ownership that ended cleanly; otherwise it starts empty.
//! * **S5** On a stop, what is in hand is finished within the drain time, the leases are given back, and the process
//!   ends.
//!
//! It must never know what a batch means, nor speak to Salesforce or HubSpot.

mod ask;
mod before;
mod cache;
mod config_view;
mod error;
mod health;
mod hub;
mod lanes;
mod memories;
mod ownership;
mod secrets;
mod shard;
mod tail;
pub mod telemetry;
mod worker;

pub use ask::{answer_with, parse_ask};
pub use before::KeptImage;
pub use cache::{Cache, CacheBatch, Caches};
pub use config_view::ConfigView;
pub use error::StageError;
pub use health::{Health, PartReadiness, Readiness, health_routes, serve_health};
pub use hub::Hub;
pub use lanes::{Delivery, LaneContext, LaneInbox, LaneSettings};
pub use ownership::{OwnedShards, run};
pub use secrets::{SecretOpener, Side, StoredSecret};
pub use telemetry::{CallResult, Metrics, Telemetry, TelemetryOptions};
pub use worker::{LeaseClock, ShardContext, Worker, WorkerRuntime};
