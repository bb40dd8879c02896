//! The loader against a real bus and a rehearsal portal.

mod links;
mod rig;
mod types;
mod writes;
