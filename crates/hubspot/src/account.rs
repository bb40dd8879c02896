//! The account: who it is, what it may, how much is left, who works there.

use jiff::{Timestamp, ToSpan};
use landbridge_model::{HubSpotId, ObjectTypeId};
use serde::{Deserialize, Deserializer, Serialize};

use crate::client::{Call, Client, json_body};
use crate::error::Error;
use crate::governor::{Family, Share};
use crate::records::Paging;
use crate::text::Id;
use crate::verdict::Effect;

/// The portal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountDetails {
    /// Its number.
    pub portal_id: u64,
    /// `STANDARD`, `SANDBOX` and so on.
    #[serde(default)]
    pub account_type: String,
    /// The zone whose midnight resets the daily limit.
    #[serde(default)]
    pub time_zone: String,
    /// The host that people sign in at.
    #[serde(default)]
    pub ui_domain: Option<String>,
    /// Where its data lies.
    #[serde(default)]
    pub data_hosting_location: Option<String>,
}

impl AccountDetails {
    /// How long after `now` the account's day ends; `None` when its zone is not known here.
    pub fn day_ends_in(&self, now: Timestamp) -> Option<std::time::Duration> {
        let local = now.in_tz(&self.time_zone).ok()?;
        let midnight = local.checked_add(1.day()).ok()?.start_of_day().ok()?;
        let rest = midnight.timestamp().duration_since(now);
        std::time::Duration::try_from(rest).ok()
    }
}

/// One daily allowance and its use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiUsage {
    /// Which one.
    #[serde(default)]
    pub name: String,
    /// Calls a day.
    #[serde(default)]
    pub usage_limit: u64,
    /// Calls made.
    #[serde(default)]
    pub current_usage: u64,
    /// When it starts anew.
    pub resets_at: Option<String>,
}

/// A limit and its use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LimitUsage {
    /// Allowed.
    pub limit: u64,
    /// Used.
    pub usage: u64,
}

/// How full the records of one type are of associations with another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AssociationUse {
    /// How many one record may have.
    pub limit: u64,
    /// Records that have so many.
    pub total_records_at_limit: u64,
    /// Records that have four fifths of it.
    pub total_records_near_limit: u64,
    /// Some of the first.
    #[serde(rename = "atLimitFromRecordSamples")]
    pub at_limit: Vec<FullRecord>,
    /// Some of the second.
    #[serde(rename = "nearLimitFromRecordSamples")]
    pub near_limit: Vec<FullRecord>,
}

/// A record that is full, or nearly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FullRecord {
    /// Its number.
    #[serde(deserialize_with = "record_id")]
    pub object_id: HubSpotId,
}

fn record_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HubSpotId, D::Error> {
    Id::deserialize(deserializer).map(|Id(id)| id)
}

/// An owner of records.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// What `hubspot_owner_id` takes.
    pub id: String,
    /// The person's address.
    pub email: Option<String>,
    /// No longer here.
    #[serde(default)]
    pub archived: bool,
}

/// What a static token is and may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenInfo {
    /// The portal it belongs to.
    pub hub_id: Option<u64>,
    /// Granted scopes.
    pub scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Listing<T> {
    results: Vec<T>,
    paging: Option<Paging>,
}

impl Client {
    /// Who the portal is.
    pub async fn account(&self) -> Result<AccountDetails, Error> {
        let call = Call::get(self.version().account("/details"), Family::Account, Share::Live);
        self.send(call).await?.json()
    }

    /// Daily allowances; for service keys HubSpot may report no use.
    pub async fn api_usage(&self) -> Result<Vec<ApiUsage>, Error> {
        let path = self.version().account("/api-usage/daily/private-apps");
        let call = Call::get(path, Family::Account, Share::Live);
        let listing: Listing<ApiUsage> = self.send(call).await?.json()?;
        Ok(listing.results)
    }

    /// Custom object types allowed and used.
    pub async fn object_type_limit(&self) -> Result<LimitUsage, Error> {
        let path = self.version().limits("/custom-object-types");
        self.send(Call::get(path, Family::Account, Share::Live))
            .await?
            .json()
    }

    /// How many records of a type are full of associations with another, or nearly.
    pub async fn association_use(
        &self,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
    ) -> Result<AssociationUse, Error> {
        let path = self
            .version()
            .limits(&format!("/associations/records/{from}/{to}"));
        self.send(Call::get(path, Family::Account, Share::Check))
            .await?
            .json()
    }

    /// All owners, every page.
    pub async fn owners(&self) -> Result<Vec<Owner>, Error> {
        let mut owners = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut call =
                Call::get(self.version().owners(), Family::Account, Share::Live).query("limit", "100");
            if let Some(after) = after {
                call = call.query("after", after);
            }
            let listing: Listing<Owner> = self.send(call).await?.json()?;
            owners.extend(listing.results);
            after = listing.paging.and_then(Paging::after);
            if after.is_none() {
                return Ok(owners);
            }
        }
    }

    /// What our own static token may; `None` when the account does not say (OAuth, or an account without the service).
    pub async fn token_info(&self) -> Result<Option<TokenInfo>, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            token_key: &'a str,
        }
        if self.refresh_token().await.is_some() {
            return Ok(None);
        }
        let token = self.current_token().await?;
        let body = json_body(&Body {
            token_key: token.expose(),
        });
        let path = "/oauth/v2/private-apps/get/access-token-info".to_owned();
        let call = Call::post(path, body, Family::Account, Share::Live, Effect::Reads);
        match self.send(call).await {
            Ok(reply) => Ok(reply.json().ok()),
            Err(error) if matches!(error.verdict, crate::Verdict::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_ends_at_the_accounts_midnight() {
        let now: Timestamp = "2026-11-23T22:30:00Z".parse().unwrap();
        for (zone, hours) in [("UTC", 1.5), ("Europe/Berlin", 0.5), ("America/New_York", 6.5)] {
            let details = AccountDetails {
                portal_id: 1,
                account_type: String::new(),
                time_zone: zone.to_owned(),
                ui_domain: None,
                data_hosting_location: None,
            };
            let ends = details.day_ends_in(now).unwrap().as_secs_f64() / 3_600.0;
            assert!((ends - hours).abs() < 1e-6, "{zone}: {ends} h");
        }
        let nowhere = AccountDetails {
            portal_id: 1,
            account_type: String::new(),
            time_zone: "Nowhere".into(),
            ui_domain: None,
            data_hosting_location: None,
        };
        assert_eq!(nowhere.day_ends_in(now), None);
    }
}
