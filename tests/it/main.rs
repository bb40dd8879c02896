//! End to end: the real binary as separate processes, a real nats-server, real HTTP on both ends, real sled.
//!
//! Every wait is for a state, against a deadline. Nothing here asserts a time.

#![allow(unreachable_pub, missing_docs, reason = "a test binary has no outside")]
#![allow(
    clippy::print_stderr,
    reason = "a failed test shows the end of its processes' logs"
)]

mod back_fill;
mod bad_input;
mod control_restart;
mod deploy;
mod dreamhouse;
mod dry_run;
mod failover;
mod fleet;
mod grace;
mod harness;
mod identity;
mod keys;
mod lifecycle;
mod long_stop;
mod main_job;
mod mass_delete;
mod org_folder;
mod poisoned;
mod portal;
mod purged;
mod remote;
mod removal;
mod several_objects;
mod signing_in;
mod under_fire;
mod undo;
mod undo_revision;
