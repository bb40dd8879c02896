//! The loader against a real bus and a rehearsal portal.

mod back_fill;
mod dry_runs;
mod handover;
mod lanes;
mod links;
mod retry;
mod rig;
mod switches;
mod traps;
mod types;
mod undo;
mod writes;
