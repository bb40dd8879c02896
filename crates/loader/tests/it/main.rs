//! The loader against a real bus and a rehearsal portal.

mod dry_runs;
mod links;
mod rig;
mod types;
mod writes;
