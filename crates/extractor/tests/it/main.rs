//! The extractor against a real bus and a rehearsal org.

mod asked;
mod imports;
mod live;
mod rig;
