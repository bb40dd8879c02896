//! Ownership against a real server: workers that share, die, stall and come back.

mod ownership;
mod rig;
