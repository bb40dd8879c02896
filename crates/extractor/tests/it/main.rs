//! The extractor against a real bus and a rehearsal org.

mod asked;
mod budget;
mod drift;
mod formulas;
mod imports;
mod ledger;
mod live;
mod nothing_missed;
mod order;
mod rig;
mod stream;
