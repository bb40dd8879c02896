//! The extractor: turns "something changed in Salesforce" into full rows of changed records on the bus.
//!
//! Takes nothing but wishes to read records again (`LB_REREAD`) and questions; gives change batches
//! (`LB_CHANGES`) and tells control what it has put there. It is the only worker that talks to Salesforce.
//!
//! * **E1** A checkpoint moves only after what it covers is stored on the bus.
//! * **E2** A row whose transaction commits within lag and overlap of its stamp is never missed: windows are
//!   half-open, end behind the org's own clock, and reach back over what was read already ([`window`]).
//! * **E3** Reading a stretch of time again sends only what was not sent with the same content ([`emitted`]).
//! * **E4** An import takes its fence before Salesforce reads anything, and ends by reading all that has changed or
//!   was deleted since; its rows are as many as Salesforce says ([`import`]).
//! * **E5** Every row travels with its version: its stamp, and the org's time as of which it was read.
//! * **E6** That a record cannot be seen is never taken for a delete.
//! * **E8** What a definition reads and Salesforce shows no more stops the sync with its name, and is never a null
//!   ([`schema`]).
//! * **E7** Another org behind the same address stops the tenant and deletes nothing, also in the middle of a read: a client
//!   stays with the org of its first session.
//! * **E9** What HubSpot has is looked for in Salesforce, by ids and stamps; a look that is cut off goes on where it was, as of its
//!   beginning ([`reconcile`]).
//! * **E8** Change events only make it faster: without them, nothing is missed ([`stream`]).
//!
//! Start at [`window`], [`plan`], [`rows`] and [`checkpoint`]: they decide, and are pure. It must never know HubSpot,
//! nor what a value means: values stay the text that Salesforce gives.

pub mod answers;
pub mod budget;
pub mod calls;
pub mod checkpoint;
pub mod compare;
pub mod emitted;
pub mod estimate;
pub mod formulas;
pub mod import;
pub mod latest;
pub mod live;
pub mod orgs;
pub mod outlet;
pub mod plan;
pub mod reader;
pub mod reconcile;
pub mod reread;
pub mod rows;
pub mod schema;
pub mod settings;
pub mod shard;
mod signing_in;
pub mod stream;
pub mod trouble;
pub mod window;
pub mod worker;

#[cfg(test)]
mod testing;

pub use settings::{ExtractorSettings, StreamSettings};
pub use worker::Extractor;
