//! The web console's pages, as functions of values.
//!
//! Every page is a struct that says what is to be seen and a function that writes it as HTML. Nothing here reads the
//! bus, a store or a clock: a handler asks the service, fills the struct and answers with the page. What a page needs
//! to know of the visitor is in [`Shell`].
//!
//! * **P1** A page works without its script: every action is a form that posts urlencoded fields. The script only
//!   spares a reload.
//! * **P2** No page carries an inline style or script, nor names another host: [`CONTENT_SECURITY_POLICY`] holds.
//! * **P3** A form that changes something carries [`fields::CSRF`]; one that changes a definition carries
//!   [`fields::ETAG`] as well.
//! * **P4** A control that edits a definition is named as the key that it edits, such as `spec.rules.delete` or
//!   `spec.fields[3].to`, so that a [`landbridge_model::Problem`] finds its control by its place. Lookups alone are
//!   listed whether they are in the definition or not, and are counted by that list: `associations[2].on`.
//! * **P5** A secret goes in and never comes out: no struct has a member that could hold one that is stored. The one
//!   exception is a new API token, shown once.

pub mod alerts;
pub mod assets;
pub mod audit;
pub mod connected;
pub mod connections;
pub mod errors;
pub mod failures;
pub mod fields;
pub mod health;
pub mod identity;
pub mod imports;
pub mod parts;
pub mod paths;
pub mod people;
pub mod record;
pub mod schema;
pub mod shell;
pub mod sign_in;
pub mod start_import;
pub mod sync;
pub mod tenants;
pub mod undo;
pub mod wizard;

pub use shell::{Notice, Person, Place, Role, Shell, TenantHead, Theme, Trouble};

/// What the browser may do with a page: everything from here, nothing from elsewhere, nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a page shows, or why it cannot be shown. The frame around it stands either way.
pub type Content<T> = Result<T, Trouble>;
