//! The Salesforce side over a real listener, as its clients see it.

#[path = "salesforce/bulk.rs"]
mod bulk;
#[path = "salesforce/bulk_v1.rs"]
mod bulk_v1;
#[path = "salesforce/changes.rs"]
mod changes;
#[path = "salesforce/events.rs"]
mod events;
#[path = "salesforce/folder.rs"]
mod folder;
#[path = "salesforce/frame.rs"]
mod frame;
#[path = "salesforce/ingest.rs"]
mod ingest;
#[path = "salesforce/merge.rs"]
mod merge;
#[path = "salesforce/queries.rs"]
mod queries;
#[path = "salesforce/records.rs"]
mod records;
#[path = "salesforce/retention.rs"]
mod retention;
#[path = "salesforce/searches.rs"]
mod searches;
#[path = "salesforce/signin.rs"]
mod signin;
#[path = "salesforce/soap.rs"]
mod soap;
#[path = "salesforce/state.rs"]
mod state;
#[path = "salesforce/support.rs"]
mod support;
#[path = "salesforce/together.rs"]
mod together;
