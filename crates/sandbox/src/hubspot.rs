//! The HubSpot side: a portal.

use crate::{config::Limits, stats::Stats};
use axum::Router;
use std::sync::Arc;

/// What a client needs to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalCredentials {
    /// A service key.
    pub token: String,
    /// The OAuth app's id.
    pub client_id: String,
    /// The OAuth app's secret.
    pub client_secret: String,
    /// A refresh token that is already granted.
    pub refresh_token: String,
}

/// The portal's state.
#[derive(Debug)]
pub struct Portal {}

impl Portal {
    /// An empty portal.
    pub fn new(_limits: Limits, _seed: u64, _stats: Arc<Stats>) -> Portal {
        Portal {}
    }

    /// How to get in.
    pub fn credentials(&self) -> PortalCredentials {
        PortalCredentials {
            token: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            refresh_token: String::new(),
        }
    }

    /// Creates or renames the company that stands for an Account.
    pub fn put_company(&self, _name: &str, _salesforce_account_id: &str) {}
}

/// All of the portal's paths.
pub fn router(_portal: Arc<Portal>) -> Router {
    Router::new()
}
