//! The Salesforce side: an org.

pub mod clock;
pub mod dml;
pub mod formula;
pub mod ids;
pub mod path;
pub mod reader;
pub mod schema;
pub mod soql;
pub mod standard;
pub mod store;
pub mod value;

use crate::{config::SandboxConfig, stats::Stats};
use axum::Router;
use std::sync::Arc;

/// Why an org could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum OrgError {}

/// What was loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct OrgReport {}

/// How to get in.
#[derive(Debug, Clone)]
pub struct OrgCredentials {
    /// The one user.
    pub username: String,
    /// Its password, without the security token.
    pub password: String,
    /// Appended to the password by clients that log in with it.
    pub security_token: String,
    /// The app's consumer key.
    pub client_id: String,
    /// The app's consumer secret.
    pub client_secret: String,
    /// A refresh token that is already granted.
    pub refresh_token: String,
}

/// What HubSpot's own integration sees of an Account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// 18 characters.
    pub id: String,
    /// The Account's name.
    pub name: String,
    /// SystemModstamp, milliseconds.
    pub stamp: i64,
}

/// The org and all that is shared between calls.
#[derive(Debug)]
pub struct OrgHandle {
    credentials: OrgCredentials,
}

impl OrgHandle {
    /// Loads the org that the configuration names.
    pub fn load(
        _config: &SandboxConfig,
        _url: String,
        _stats: Arc<Stats>,
    ) -> Result<(OrgHandle, OrgReport), OrgError> {
        let credentials = OrgCredentials {
            username: String::new(),
            password: String::new(),
            security_token: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            refresh_token: String::new(),
        };
        Ok((OrgHandle { credentials }, OrgReport {}))
    }

    /// How to get in.
    pub fn credentials(&self) -> &OrgCredentials {
        &self.credentials
    }

    /// All live Accounts.
    pub fn accounts(&self) -> Vec<AccountRow> {
        Vec::new()
    }
}

/// The error array that a fault gives with a status.
pub fn fault_body(status: http::StatusCode) -> serde_json::Value {
    serde_json::json!([{ "message": status.canonical_reason().unwrap_or("error"), "errorCode": "UNKNOWN_EXCEPTION" }])
}

/// All of the org's paths.
pub fn router(_org: Arc<OrgHandle>) -> Router {
    Router::new()
}
