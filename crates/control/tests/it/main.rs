//! Control against a real server, with stand-ins for the workers that it asks.

mod alerts;
mod alerts_tls;
mod api;
mod back_fill;
mod console;
mod console_alerts;
mod console_people;
mod console_running;
mod console_strangers;
mod console_tenants;
mod console_wizard;
mod definitions;
mod dry_runs;
mod identity;
mod imports;
mod operations;
mod provider;
mod records;
mod removals;
mod rig;
mod routes;
mod sign_in;
mod stand_ins;
mod strangers;
mod undo_revision;
