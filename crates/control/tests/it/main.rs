//! Control against a real server, with stand-ins for the workers that it asks.

mod definitions;
mod dry_runs;
mod imports;
mod records;
mod rig;
mod stand_ins;
