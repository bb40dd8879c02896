//! Ownership against a real server: workers that share, die, stall and come back.

mod lives;
mod ownership;
mod rig;
