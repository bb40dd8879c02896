//! A Salesforce org and a HubSpot portal to rehearse against, on loopback HTTP.
//!
//! Both sides live in memory, speak the two real protocols and are as awkward as the real ones: what a
//! client gets away with here, it gets away with there. Everything is deterministic by a seed.
//!
//! Promises:
//!
//! 1. **The wire is the real one.** Paths, headers, status codes, error codes and body shapes are those
//!    that the two vendors document; unmodified public clients work against it. Anything that exists here
//!    only lives below `/__sandbox/`.
//! 2. **Nothing is kinder than it really is.** Stamps have one-second grain, results come unordered, limits
//!    refuse, deleted records linger, formulas change without a stamp.
//! 3. **It never hides a client's speed.** Queries use indexes, CSV is streamed, one core answers faster
//!    than any tenant's allowance.
//! 4. **Faults on request only.** Without a fault set through `/__sandbox/faults`, nothing fails by chance.
//!
//! What it must never know: Landbridge. It depends on no other crate of this workspace, so that it cannot
//! share a misunderstanding with the engine that is tested against it. (A test holds the engine's HubSpot client and the
//! portal against the same documents of HubSpot's.)
//!
//! Start at [`Sandbox::start`].

pub mod announcement;
pub mod config;
pub mod fault;
pub mod hubspot;
pub mod native;
mod reshape;
pub mod salesforce;
pub mod server;
pub mod stats;

mod sandbox;
mod state;

pub use announcement::{Announcement, HubSpotAccess, SalesforceAccess};
pub use config::{Limits, NativeIntegration, OrgSource, SandboxConfig, TlsFiles};
pub use sandbox::{Sandbox, SandboxError, StartReport};
pub use state::StateError;
