//! Tests of the decisions: transcripts of single stories, and random histories.

mod cache;
mod convergence;
mod memory;
mod transcripts;
mod world;
