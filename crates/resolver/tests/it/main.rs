//! The resolver against a real server, with a loader that only remembers.

mod links;
mod rig;
