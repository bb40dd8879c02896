//! Tests of the decisions: transcripts of single stories, and random histories.

mod convergence;
mod memory;
mod transcripts;
mod world;
