//! The extractor against a real bus and a rehearsal org.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the randomized test tells its seed and what it did, and what is missing when it fails"
)]

mod asked;
mod budget;
mod drift;
mod formulas;
mod imports;
mod large;
mod ledger;
mod live;
mod masses;
mod nothing_missed;
mod order;
mod other_org;
mod portal;
mod reconcile;
mod rig;
mod seeing_all;
mod stream;
mod traps;
