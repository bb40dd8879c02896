//! The mapper against a real server: batches in, and everything that comes of them read back from the bus.

mod rig;
mod road;
