//! Who we are there and what we may use: versions, user info, limits, record counts.

use std::collections::BTreeMap;

use landbridge_model::SalesforceId;
use serde::Deserialize;

use crate::calls::Family;
use crate::client::{Call, Client};
use crate::columns::Columns;
use crate::error::SalesforceError;
use crate::query::Scope;

/// One API version of the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiVersion {
    /// Release name, e.g. `Spring '26`.
    pub label: String,
    /// Number as text, e.g. `66.0`.
    pub version: String,
    /// Path of its resources.
    pub url: String,
}

/// Who a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserInfo {
    /// The user's id.
    pub user_id: SalesforceId,
    /// The org's id.
    pub organization_id: SalesforceId,
    /// The user's sign-in name.
    #[serde(default)]
    pub preferred_username: String,
    /// The user's name.
    #[serde(default)]
    pub name: String,
}

/// One entry of the limits call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limit {
    /// What the org may use.
    pub max: i64,
    /// What is left.
    pub remaining: i64,
}

#[derive(Deserialize)]
struct CountAnswer {
    #[serde(rename = "sObjects")]
    objects: Vec<CountEntry>,
}

#[derive(Deserialize)]
struct CountEntry {
    name: String,
    count: u64,
}

impl Client {
    /// The versions that the host answers; ascending.
    pub async fn versions(&self) -> Result<Vec<ApiVersion>, SalesforceError> {
        self.json(&Call::given(
            "the list of versions",
            Family::Versions,
            "/services/data/",
        ))
        .await
    }

    /// The user that calls run as.
    pub async fn user_info(&self) -> Result<UserInfo, SalesforceError> {
        self.json(&Call::given(
            "the user's info",
            Family::Info,
            "/services/oauth2/userinfo",
        ))
        .await
    }

    /// The org's name, from its company information; none when its one row is hidden from the user.
    pub async fn organization_name(&self) -> Result<Option<String>, SalesforceError> {
        let columns = Columns::text(["Name"]);
        let page = self
            .query(Scope::Live, "SELECT Name FROM Organization", &columns)
            .await?;
        Ok(page.rows.at(0).iter().flatten().next().map(str::to_owned))
    }

    /// All limits of the org by name; needs the permission to view set-up.
    pub async fn limits(&self) -> Result<BTreeMap<String, Limit>, SalesforceError> {
        let call = Call::get("the limits", Family::Info, "limits/");
        let all: BTreeMap<String, serde_json::Value> = self.json(&call).await?;
        // Entries that are not a pair of numbers are of no use to us, and new ones may come.
        Ok(all
            .into_iter()
            .filter_map(|(name, value)| Some((name, serde_json::from_value(value).ok()?)))
            .collect())
    }

    /// Approximate numbers of records, cheap even for large objects.
    pub async fn approximate_counts(
        &self,
        objects: &[&str],
    ) -> Result<BTreeMap<String, u64>, SalesforceError> {
        let call = Call::get("record counts", Family::Info, "limits/recordCount")
            .query("sObjects", objects.join(","));
        let answer: CountAnswer = self.json(&call).await?;
        Ok(answer
            .objects
            .into_iter()
            .map(|entry| (entry.name, entry.count))
            .collect())
    }
}
