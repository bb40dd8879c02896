//! HubSpot's CRM APIs as a client: records, schemas, properties, associations, and the keeper of the API budget.
//!
//! * **H1** Every call goes through the tenant's [`Governor`].
//! * **H2** An answer is judged in one place ([`verdict`]): what a refusal means is a [`Verdict`], never a status code
//!   in a caller's hand. Bodies that are HTML, empty or of an unknown shape survive.
//! * **H3** A batch's results are matched by value, never by place ([`settle`](settle::settle)); an input that the
//!   answer does not mention is neither success nor failure.
//! * **H4** A row that sinks its batch is found within a stated number of calls ([`narrow`]).
//! * **H5** A write whose answer is lost is [`Verdict::Ambiguous`]; nothing here repeats a write by itself.
//! * **H6** Secrets are never shown: not by `Debug`, not in errors, not in logs.
//!
//! It must never know of the bus, of stages, of sled, or of what a sync is.

pub mod account;
pub mod associations;
mod client;
mod error;
pub mod governor;
pub mod narrow;
mod objects;
mod paths;
pub mod records;
pub mod schemas;
pub mod settle;
mod text;
mod token;
pub mod verdict;

pub use client::{Client, Reply, Settings};
pub use error::Error;
pub use governor::{Family, Governor, GovernorConfig, Share, Usage};
pub use paths::ApiVersion;
pub use token::{Credentials, Keeping, Secret, TokenKeeper};
pub use verdict::Verdict;
