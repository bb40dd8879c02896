//! A client of Salesforce: signing in, REST, Bulk API 2.0, change events by the Pub/Sub API.
//!
//! What it is for: reading rows of an org, whole objects or a few records, as columns of text, and finding out what
//! the org is made of. Start at [`Client`].
//!
//! What it promises:
//!
//! * **S1** Every call asks the [`governor`] first, is counted by what it is for, and reports the org's usage back.
//! * **S2** A call is tried again in one place only ([`retry`]), and only where that is harmless.
//! * **S3** Every failure says what to do about it ([`SalesforceError::verdict`]); bodies that are HTML, empty or
//!   otherwise unexpected are survived.
//! * **S4** An expired session is renewed once, by one of all the calls that noticed.
//! * **S5** A row is the same text whichever API it came through ([`normalise`]).
//! * **S6** No result is held whole: Bulk rows come in bounded chunks, each with a [`Position`] to resume from, and
//!   their number is checked against what Salesforce announced.
//! * **S7** Secrets appear in no log, error or debug output.
//! * **S8** Replay ids are bytes without a meaning; no event is passed over in silence: one that cannot be read says so.
//!
//! What it must never know: the bus, the stages, what a sync is, HubSpot, and the rehearsal sandbox.

pub mod auth;
pub mod bulk;
pub mod calls;
pub mod client;
pub mod clock;
pub mod collections;
pub mod columns;
pub mod describe;
pub mod error;
pub mod governor;
pub mod info;
pub mod normalise;
pub mod permissions;
pub mod pubsub;
pub mod query;
pub mod records;
pub mod replication;
pub mod retry;
pub mod secret;
pub mod soql;

pub use auth::{Flow, Keeping, Session, TokenKeeper};
pub use bulk::{Download, DownloadOptions, Job, JobState, Position, Room, RowChunk};
pub use calls::Family;
pub use client::{Client, ClientConfig};
pub use columns::Columns;
pub use error::{SalesforceError, Verdict};
pub use governor::{Admission, ApiUsage, DailyBudget, Governor};
pub use normalise::TextForm;
pub use query::{QueryPage, Scope};
pub use retry::RetryPolicy;
pub use secret::Secret;
