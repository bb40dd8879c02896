//! The mapper: full rows of changed Salesforce records in; HubSpot property values and link intents out.
//!
//! Reads the lanes `live`, `bulk` and `check` of the changes; writes link intents, writes, and what ended here.
//!
//! * **P1** The decisions are a function of plan, batch and the versions known before: no clock, no network, no disk.
//! * **P2** Every row of a batch ends in exactly one place: among the writes, among the outcomes, or to be read again.
//! * **P3** A row that cannot be mapped fails alone, with field, property, value and reason.
//! * **P4** Absent is not null: a column that was not read is left alone, a null clears.
//! * **P5** A batch is acknowledged only when all that came of it is stored.
//!
//! Start at [`map()`]. It must never know of Salesforce's or HubSpot's APIs, nor hold anything that cannot be made anew.

mod map;
mod memory;
mod plans;
mod worker;

pub use map::{Mapped, map};
pub use worker::{Mapper, MapperShard};
