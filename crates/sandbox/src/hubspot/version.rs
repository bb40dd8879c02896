//! Which of HubSpot's API versions a path asks for, and what differs between them.

use serde::{Deserialize, Serialize};

/// The version in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Version {
    V1,
    V2,
    V3,
    V4,
    Dated2026March,
    Dated2026September,
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Version> {
        Some(match text {
            "v1" => Version::V1,
            "v2" => Version::V2,
            "v3" => Version::V3,
            "v4" => Version::V4,
            "2026-03" => Version::Dated2026March,
            "2026-09" => Version::Dated2026September,
            _ => return None,
        })
    }

    /// One of the date-based versions.
    pub(super) fn dated(text: &str) -> Option<Version> {
        Version::parse(text).filter(|version| version.is_dated())
    }

    pub(super) fn is_dated(self) -> bool {
        matches!(self, Version::Dated2026March | Version::Dated2026September)
    }

    /// Since this version, an administrator's rules bind API writes, odd dates are normalised with a warning
    /// instead of refused, and a batch declares a single status for success.
    pub(super) fn is_2026_09(self) -> bool {
        self == Version::Dated2026September
    }
}
