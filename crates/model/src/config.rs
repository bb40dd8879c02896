//! What `lb_config` holds, as JSON: tenants, syncs, imports. Control writes, every stage watches.

use serde::{Deserialize, Serialize};

use crate::batch::{Association, MappedPart};
use crate::hubspot::ObjectSchema;
use crate::hubspot_version::HubSpotApiVersion;
use crate::ids::{ImportId, Revision, RunId, SyncKey, SyncName, TenantId};
use crate::salesforce::ObjectDescribe;
use crate::sync::SyncDefinition;

/// A tenant: endpoints and identities, never credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// The Salesforce connection.
    pub salesforce: SalesforceConnection,
    /// The HubSpot connection.
    pub hubspot: HubSpotConnection,
    /// Why the tenant stands still, when it does; nothing is read or written then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
}

/// Where the org is, and which one it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SalesforceConnection {
    /// My Domain, or the login host.
    pub login_url: String,
    /// The org's 18-character id, pinned at the first sign-in. Another id suspends the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// API calls a day that Landbridge may spend; `None` leaves only the reserve alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_calls: Option<u64>,
    /// Whether changes are heard of by change events, for objects that the org has selected for change data capture. What
    /// is not selected is found by polling, as everything is besides.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub change_events: bool,
    /// Where this org's Pub/Sub API is, when it is not where the installation says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pubsub_url: Option<String>,
    /// When a person took this org in the place of another, in milliseconds since 1970: what is read of it counts as changed
    /// then at the earliest, so that it is newer than all that the other org left in HubSpot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_ms: Option<i64>,
}

fn yes() -> bool {
    true
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_yes(flag: &bool) -> bool {
    *flag
}

/// Where the portal is, and which one it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HubSpotConnection {
    /// `https://api.hubapi.com`, or a sandbox.
    pub base_url: String,
    /// The portal, pinned at the first sign-in. Another one suspends the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_id: Option<u64>,
    /// Calls per ten seconds to start from, until headers say otherwise; 0 is no limit (benchmarks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_ten_seconds: Option<u32>,
    /// The family of paths that is called; none is the newest that Landbridge knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<HubSpotApiVersion>,
}

/// What signs in to Salesforce. Crosses the bus only sealed to the extractor's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "flow", rename_all = "kebab-case")]
pub enum SalesforceCredentials {
    /// OAuth client credentials, on My Domain only.
    ClientCredentials {
        /// Consumer key.
        client_id: String,
        /// Consumer secret.
        client_secret: String,
    },
    /// OAuth refresh token.
    RefreshToken {
        /// Consumer key.
        client_id: String,
        /// Consumer secret.
        client_secret: String,
        /// The token; another may replace it.
        refresh_token: String,
    },
    /// OAuth JWT bearer: assertions signed with the key whose certificate the app knows.
    Jwt {
        /// Consumer key.
        client_id: String,
        /// The user that calls run as; pre-authorised for the app.
        username: String,
        /// RSA private key, PEM.
        private_key: String,
        /// Whom assertions are for; the login host that belongs to the address when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
    },
    /// What a person's sign-in in a browser ended with. The extractor exchanges it once, and stores the refresh token in its
    /// place.
    AuthorizationCode {
        /// The app.
        app: SealedApp,
        /// Good once, for minutes.
        code: String,
        /// The secret that the code was asked for with (PKCE).
        code_verifier: String,
        /// Where the browser was sent.
        redirect_uri: String,
    },
}

/// An OAuth app's key and secret, an [`OAuthApp`], sealed by itself to the same worker: whoever adds the code later
/// cannot read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SealedApp {
    /// The public key it was sealed to.
    pub to: String,
    /// The sealed bytes, base64.
    pub sealed: String,
}

/// An OAuth app's key and secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthApp {
    /// Consumer key, or the app's id.
    pub client_id: String,
    /// Its secret; may be empty where an app has none.
    pub client_secret: String,
}

/// What signs in to HubSpot. Crosses the bus only sealed to the loader's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "flow", rename_all = "kebab-case")]
pub enum HubSpotCredentials {
    /// A service key or a private app's token.
    Token {
        /// The bearer token.
        token: String,
    },
    /// An installed app. The loader refreshes its access by itself.
    #[serde(rename = "oauth")]
    OAuth {
        /// The app's id.
        client_id: String,
        /// The app's secret.
        client_secret: String,
        /// The refresh token; another may replace it.
        refresh_token: String,
    },
    /// What the installation of an app ended with. The loader exchanges it once, and stores the refresh token in its
    /// place.
    AuthorizationCode {
        /// The app.
        app: SealedApp,
        /// Good once, for minutes.
        code: String,
        /// Where the browser was sent.
        redirect_uri: String,
    },
}

impl std::fmt::Debug for SalesforceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SalesforceCredentials([redacted])")
    }
}

impl std::fmt::Debug for OAuthApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OAuthApp([redacted])")
    }
}

impl std::fmt::Debug for HubSpotCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HubSpotCredentials([redacted])")
    }
}

/// A sync as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Sync {
    /// The newest definition.
    pub definition: SyncDefinition,
    /// Counts the definition's edits.
    pub revision: Revision,
    /// Whether it runs.
    pub status: SyncStatus,
    /// Why it is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Both schemas as the definition was validated against; present from the first activation or import on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
    /// Counts activations: a new one means that the live position starts anew.
    #[serde(default)]
    pub activation: u32,
}

impl Sync {
    /// Tenant and name.
    pub fn key(&self) -> SyncKey {
        self.definition.key()
    }
}

/// Whether a sync runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SyncStatus {
    /// Not yet turned on; it can be imported.
    Draft,
    /// Reading and writing continuously.
    Active,
    /// Reading stopped by a person; continues from its checkpoint.
    Paused,
    /// Stopped by Landbridge, with a reason.
    Suspended,
}

impl SyncStatus {
    /// The word used in output and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
        }
    }
}

/// A definition resolved against both schemas: all that the mapper needs, without a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Resolved {
    /// The Salesforce object; fields reduced to those that the definition names and the system fields.
    pub object: ObjectDescribe,
    /// Fields of parents that the definition names, as `Depot__r.Name`, with their describes.
    #[serde(default)]
    pub parent_fields: Vec<ParentField>,
    /// The HubSpot object type; properties reduced to those that the definition names and the required ones.
    pub object_type: ObjectSchema,
    /// The associations in the definition's order.
    #[serde(default)]
    pub associations: Vec<Association>,
}

/// A parent's field that a definition names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ParentField {
    /// As the definition writes it.
    pub path: String,
    /// Its describe.
    pub field: crate::salesforce::FieldDescribe,
}

/// A definition that a dry run compares, resolved without anything having been created. It is no sync: nothing reads or
/// writes for it but the batches of its run, and it disappears with the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The dry run.
    pub run: RunId,
    /// The definition with both schemas as they would be, what is missing included.
    pub sync: Sync,
    /// What of it does not exist yet.
    #[serde(default)]
    pub missing: Missing,
    /// How much of before and after one report may carry, in bytes of text.
    pub detail_bytes: usize,
    /// Whether the run has ended or was cancelled: what is still on its way is dropped.
    #[serde(default)]
    pub over: bool,
}

/// What a draft needs and the portal lacks. What is not there cannot be read: its part of the answer is known already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The object type itself.
    #[serde(default)]
    pub object_type: bool,
    /// The unique property: no record of the type can be one of ours.
    #[serde(default)]
    pub id_property: bool,
    /// Lookup fields whose association or label does not exist: nothing can be linked by it.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Lookup fields whose parents carry no Salesforce id yet: none can be found.
    #[serde(default)]
    pub parents: Vec<String>,
}

impl Missing {
    /// Whether no record of the type can be found by its Salesforce id.
    pub fn records(&self) -> bool {
        self.object_type || self.id_property
    }
}

/// An import as control asks for it. Its progress is in the outcomes and in the extractor's checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// Whose.
    pub tenant: TenantId,
    /// Of which sync.
    pub sync: SyncName,
    /// The revision it was started for.
    pub revision: Revision,
    /// What is wanted of it.
    pub wish: ImportWish,
    /// Write even what HubSpot already has.
    #[serde(default)]
    pub overwrite: bool,
    /// Write only this part of the mapping, and only of records that were written before: a back-fill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<MappedPart>,
    /// Keep what is there before it is written over, so that the import can be undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_before: bool,
    /// When its undo began, in milliseconds since 1970: what of it is still on its way then is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_ms: Option<i64>,
    /// Who started it.
    #[serde(default)]
    pub started_by: String,
    /// When, in milliseconds since 1970.
    pub started_ms: i64,
    /// The import that stopped before its end and that this one goes on with, from where that one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<ImportId>,
    /// Imports of the same request whose records these look up, and which are read first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<ImportId>,
}

impl Import {
    /// Whether those that come after this import wait while it is not read. Only for one that goes on by itself: what a
    /// person paused, or whose sync stands still, may stand for ever, and the order only spares the resolver work, as a
    /// link that comes before its parent is parked and made later.
    #[must_use]
    pub fn is_waited_for(&self, sync: Option<&Sync>) -> bool {
        let goes = sync.is_some_and(|sync| matches!(sync.status, SyncStatus::Draft | SyncStatus::Active));
        goes && self.wish == ImportWish::Run && self.undo_ms.is_none()
    }
}

/// What is wanted of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImportWish {
    /// Run to its end.
    Run,
    /// Read nothing for now, and go on from the checkpoint when it is to run again.
    Pause,
    /// Stop reading; what is on its way still arrives.
    Cancel,
}

/// Keys of `lb_config`.
pub mod keys {
    use super::{ImportId, RunId, SyncKey, TenantId};

    /// One tenant.
    pub fn tenant(tenant: &TenantId) -> String {
        format!("tenant.{tenant}")
    }

    /// One sync.
    pub fn sync(key: &SyncKey) -> String {
        format!("sync.{}.{}", key.tenant, key.name)
    }

    /// One import.
    pub fn import(tenant: &TenantId, id: &ImportId) -> String {
        format!("import.{tenant}.{id}")
    }

    /// The draft of one dry run.
    pub fn draft(tenant: &TenantId, run: &RunId) -> String {
        format!("run.{tenant}.{run}")
    }

    /// The public key that secrets for a stage are sealed to.
    pub fn public_key(stage: crate::StageKind) -> String {
        format!("key.{stage}")
    }
}
