//! The Salesforce side: an org with its REST API, both Bulk APIs, the Pub/Sub API and logins.
//!
//! A call enters at [`router`]; [`OrgHandle`] holds all that calls share. Records live in [`store`], their
//! rules in [`dml`], their questions in [`soql`].
//!
//! Where it differs from a real org:
//!
//! * Undelete. The REST API has none, only SOAP (served, see `soap`) and Apex do. For callers without SOAP,
//!   `POST /services/data/vNN.0/__sandbox/undelete` with `{"ids": ["a00…"]}` does the same. It answers
//!   like a collection delete and brings back what the delete took along and the lookups that it cleared.
//! * SOAP logins work in every version; real orgs end them with v64.
//! * Change events and shares are described, and no query reads them.
//! * What lies below `/__sandbox/` (see the source of `backdoor`) needs no token and exists nowhere else.
//! * Formulas of kinds that [`formula`] does not understand are null; [`OrgReport`] lists them.
//! * One user, who may do everything; one time zone, UTC; one currency.
//! * The tooling API knows the names of objects and fields, and no other metadata.

pub mod builtin_org;
pub mod bulk;
pub mod bulk_v1;
pub mod clock;
pub mod credentials;
pub mod dml;
pub mod errors;
pub mod formula;
pub mod handle;
pub mod ids;
pub mod ingest;
pub mod oauth;
pub mod org_folder;
pub mod path;
pub mod pubsub;
pub mod query;
pub mod random;
pub mod reader;
pub mod schema;
pub mod session;
pub mod soql;
pub mod standard;
mod state;
pub mod store;
pub mod value;

mod backdoor;
mod call;
mod companions;
mod composite;
mod describe;
mod extras;
mod limits;
mod metadata;
mod multiply;
mod people;
mod replication;
mod rows;
mod schema_edit;
mod search;
mod soap;
mod subrequests;

pub use credentials::OrgCredentials;
pub use errors::fault_body;
pub use handle::{AccountRow, ObjectReport, OrgError, OrgHandle, OrgReport, UnsupportedFormula};

use axum::Router;
use std::sync::Arc;

/// All of the org's paths.
pub fn router(org: Arc<OrgHandle>) -> Router {
    Router::new().fallback(call::answer).with_state(org)
}
