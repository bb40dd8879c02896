//! What a listening sandbox tells its clients: where it is and how to get in.

use serde::Serialize;

/// Printed as one JSON object by `landbridge sandbox --json`. The secrets in it are the sandbox's own
/// inventions, good for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Announcement {
    /// The org.
    pub salesforce: SalesforceAccess,
    /// The portal.
    pub hubspot: HubSpotAccess,
}

/// Everything a Salesforce client may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SalesforceAccess {
    /// Token requests go here.
    pub login_url: String,
    /// API calls go here.
    pub instance_url: String,
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
    /// The key that signs the app's assertions for the JWT bearer flow, PKCS#8 in PEM.
    pub jwt_private_key: String,
    /// The Pub/Sub API's endpoint.
    pub pubsub: Option<String>,
}

/// Everything a HubSpot client may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HubSpotAccess {
    /// API calls and token requests go here.
    pub base_url: String,
    /// A service key, used as a bearer token.
    pub token: String,
    /// The OAuth app's client id.
    pub client_id: String,
    /// The OAuth app's client secret.
    pub client_secret: String,
    /// A refresh token that is already granted.
    pub refresh_token: String,
}
