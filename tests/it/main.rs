//! End to end: the real binary as separate processes, a real nats-server, real HTTP on both ends, real sled.
//!
//! Every wait is for a state, against a deadline. Nothing here asserts a time.

mod bad_input;
mod deploy;
mod failover;
mod fleet;
mod harness;
mod lifecycle;
mod main_job;
