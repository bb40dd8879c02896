//! Questions about a tenant's two ends: another org in the place of the one before, and no connection any more.

use landbridge_model::ask::Question;
use serde::{Deserialize, Serialize};

use super::{Done, StartedImport};

/// Take the org that answers now in the place of the one that the tenant was set up for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdoptOrg {
    /// The org that is meant, as a person has read it: nothing is done when another one answers.
    pub org_id: String,
    /// Who adopts it.
    pub by: String,
}
question!(AdoptOrg, "adopt-org", Adopted);

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Adopted {
    /// The org before; none when none was pinned.
    pub from: Option<String>,
    /// The org now.
    pub to: String,
    /// The imports that read everything again: one of each active sync, parents first.
    pub imports: Vec<StartedImport>,
    /// Why imports could not be started, each with its sync. The org is adopted all the same.
    pub problems: Vec<String>,
}

/// Forget the credentials of a side, and let all syncs stand still.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Disconnect {
    /// Which side.
    pub side: ConnectionSide,
    /// Who disconnects it.
    pub by: String,
}
question!(Disconnect, "disconnect", Done);

/// One side of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionSide {
    /// The Salesforce org.
    Salesforce,
    /// The HubSpot portal.
    HubSpot,
}

impl ConnectionSide {
    /// The name that people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Salesforce => "Salesforce",
            Self::HubSpot => "HubSpot",
        }
    }
}
