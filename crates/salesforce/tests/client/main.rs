//! The client against a scripted Salesforce.

mod bulk;
mod calls;
mod fake;
mod sign_in;
