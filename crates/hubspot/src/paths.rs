//! Where things are, by API version.

use std::fmt::Display;

use landbridge_model::HubSpotApiVersion;

/// Which family of paths to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// The dated versions, such as `2026-09`.
    Dated(String),
    /// v3 and v4, as far as each goes.
    Numbered,
}

impl Default for ApiVersion {
    fn default() -> Self {
        Self::Dated("2026-09".to_owned())
    }
}

impl From<&HubSpotApiVersion> for ApiVersion {
    fn from(version: &HubSpotApiVersion) -> Self {
        match version.date() {
            Some(date) => Self::Dated(date.to_owned()),
            None => Self::Numbered,
        }
    }
}

impl ApiVersion {
    pub(crate) fn objects(&self, object_type: impl Display, tail: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/objects/{date}/{object_type}{tail}"),
            Self::Numbered => format!("/crm/v3/objects/{object_type}{tail}"),
        }
    }

    pub(crate) fn schemas(&self, tail: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm-object-schemas/{date}/schemas{tail}"),
            Self::Numbered => format!("/crm-object-schemas/v3/schemas{tail}"),
        }
    }

    pub(crate) fn properties(&self, object_type: impl Display, tail: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/properties/{date}/{object_type}{tail}"),
            Self::Numbered => format!("/crm/v3/properties/{object_type}{tail}"),
        }
    }

    /// Association batches.
    pub(crate) fn associations(&self, from: impl Display, to: impl Display, tail: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/associations/{date}/{from}/{to}{tail}"),
            Self::Numbered => format!("/crm/v4/associations/{from}/{to}{tail}"),
        }
    }

    /// Association labels; v4 serves them beside the batches.
    pub(crate) fn labels(&self, from: impl Display, to: impl Display) -> String {
        self.associations(from, to, "/labels")
    }

    pub(crate) fn limits(&self, tail: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/limits/{date}{tail}"),
            Self::Numbered => format!("/crm/v3/limits{tail}"),
        }
    }

    pub(crate) fn owners(&self) -> String {
        match self {
            Self::Dated(date) => format!("/crm/owners/{date}"),
            Self::Numbered => "/crm/v3/owners".to_owned(),
        }
    }

    pub(crate) fn account(&self, tail: &str) -> String {
        match self {
            Self::Dated(date) => format!("/account-info/{date}{tail}"),
            Self::Numbered => format!("/account-info/v3{tail}"),
        }
    }

    pub(crate) fn oauth_token(&self) -> String {
        match self {
            Self::Dated(date) => format!("/oauth/{date}/token"),
            Self::Numbered => "/oauth/v3/token".to_owned(),
        }
    }
}
