//! One call on its way through the portal: where it goes and what it carries.

use super::{Habits, Inner, auth::Grant, limits::Bucket, version::Version};
use std::borrow::Cow;

/// Which of HubSpot's APIs a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Objects,
    Schemas,
    Properties,
    Validations,
    Imports,
    Associations,
    LimitsTracking,
    Owners,
    AccountInfo,
    OAuth,
}

/// A path, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'p> {
    pub(super) area: Area,
    pub(super) version: Version,
    /// What follows the version.
    pub(super) rest: &'p [&'p str],
}

impl<'p> Place<'p> {
    /// The place of a path's segments. Unknown ones get a page of HTML.
    pub(super) fn of(segments: &'p [&'p str]) -> Option<Place<'p>> {
        let numbered = |text: &str| Version::parse(text).filter(|version| !version.is_dated());
        let (area, version, rest) = match segments {
            ["crm", version @ ("v3" | "v4"), "objects", rest @ ..] => {
                (Area::Objects, numbered(version)?, rest)
            }
            // Undocumented, but it routes.
            ["crm", version, "objects", rest @ ..] => (Area::Objects, Version::dated(version)?, rest),
            ["crm", "objects", version, rest @ ..] => (Area::Objects, Version::dated(version)?, rest),
            ["crm", "v3", "schemas", rest @ ..] => (Area::Schemas, Version::V3, rest),
            ["crm-object-schemas", version, "schemas", rest @ ..] => {
                (Area::Schemas, at_least_v3(version)?, rest)
            }
            ["crm", "v3", "properties", rest @ ..] => (Area::Properties, Version::V3, rest),
            ["crm", "properties", version, rest @ ..] => (Area::Properties, Version::dated(version)?, rest),
            ["crm", "v3", "property-validations", rest @ ..] => (Area::Validations, Version::V3, rest),
            ["crm", "property-validations", version, rest @ ..] => {
                (Area::Validations, Version::dated(version)?, rest)
            }
            ["crm", "v3", "imports", rest @ ..] => (Area::Imports, Version::V3, rest),
            ["crm", "imports", version, rest @ ..] => (Area::Imports, Version::dated(version)?, rest),
            ["crm", "v3", "associations", rest @ ..] => (Area::Associations, Version::V3, rest),
            ["crm", "v4", "associations", rest @ ..] | ["crm", "associations", "v4", rest @ ..] => {
                (Area::Associations, Version::V4, rest)
            }
            ["crm", "associations", version, rest @ ..] => {
                (Area::Associations, Version::dated(version)?, rest)
            }
            ["crm", "v3", "limits", rest @ ..] => (Area::LimitsTracking, Version::V3, rest),
            ["crm", "limits", version, rest @ ..] => (Area::LimitsTracking, at_least_v3(version)?, rest),
            ["crm", "v3", "owners", rest @ ..] => (Area::Owners, Version::V3, rest),
            ["crm", "owners", version, rest @ ..] => (Area::Owners, at_least_v3(version)?, rest),
            ["account-info", version, rest @ ..] => (Area::AccountInfo, at_least_v3(version)?, rest),
            ["oauth", version, rest @ ..] => (Area::OAuth, Version::parse(version)?, rest),
            _ => return None,
        };
        Some(Place { area, version, rest })
    }

    /// Which allowance a call to this place is taken from.
    pub(super) fn bucket(&self) -> Bucket {
        match (self.area, self.rest) {
            (Area::OAuth, _) => Bucket::None,
            (Area::Objects, [_, "search"]) => Bucket::Search,
            (Area::Associations, _) => Bucket::Associations,
            _ => Bucket::App,
        }
    }

    /// How the counters name a call to this place.
    pub(super) fn family(&self, method: &str) -> &'static str {
        match self.area {
            Area::Objects => object_family(self.rest, method),
            Area::Associations => association_family(self.rest),
            Area::Schemas => "schemas",
            Area::Properties => "properties",
            Area::Validations => "property_validations",
            Area::Imports => "imports",
            Area::LimitsTracking => "limits",
            Area::Owners => "owners",
            Area::AccountInfo => "account_info",
            Area::OAuth => "oauth",
        }
    }
}

fn at_least_v3(text: &str) -> Option<Version> {
    Version::parse(text).filter(|version| version.is_dated() || *version == Version::V3)
}

fn object_family(rest: &[&str], method: &str) -> &'static str {
    match (rest, method) {
        ([_, "search"], _) => "search",
        ([_, "batch", "upsert"], _) => "objects_batch_upsert",
        ([_, "batch", "create"], _) => "objects_batch_create",
        ([_, "batch", "update"], _) => "objects_batch_update",
        ([_, "batch", "read"], _) => "objects_batch_read",
        ([_, "batch", "archive"], _) => "objects_batch_archive",
        ([_, _, "associations", ..], _) => "associations_single",
        ([_], "GET") => "objects_list",
        ([_], _) => "objects_create",
        ([_, _], "GET") => "objects_get",
        ([_, _], "DELETE") => "objects_archive",
        ([_, _], _) => "objects_update",
        _ => "objects_other",
    }
}

fn association_family(rest: &[&str]) -> &'static str {
    match rest {
        [_, _, "labels", ..] => "labels",
        [_, _, "batch", "create"] => "associations_batch_create",
        [_, _, "batch", "associate", "default"] => "associations_batch_default",
        [_, _, "batch", "read"] => "associations_batch_read",
        [_, _, "batch", ..] => "associations_batch_archive",
        _ => "associations_other",
    }
}

/// A query string's pairs, decoded.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Query {
        Query(
            url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// True unless it says otherwise.
    pub(super) fn is_not_false(&self, name: &str) -> bool {
        !self
            .get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("false"))
    }

    /// A list, repeated or comma-separated or both.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.pairs()
            .filter(|(key, _)| *key == name)
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .collect()
    }
}

/// One call.
pub(super) struct Call<'c> {
    pub(super) portal: &'c Inner,
    pub(super) habits: Habits,
    pub(super) method: &'c str,
    pub(super) version: Version,
    pub(super) rest: &'c [&'c str],
    pub(super) query: Query,
    pub(super) body: &'c [u8],
    /// What the body is said to be; empty if nothing is said.
    pub(super) content_type: &'c str,
    /// Where links of paging lead: scheme and host.
    pub(super) base_url: &'c str,
    pub(super) path: &'c str,
    pub(super) grant: Grant,
    pub(super) now_ms: i64,
}

/// A path's segments, decoded.
pub(super) fn segments(path: &str) -> Vec<Cow<'_, str>> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_dated_paths_lead_to_the_same_places() {
        use Area::{AccountInfo, Associations, LimitsTracking, OAuth, Objects, Owners, Properties, Schemas};
        use Version::{Dated2026March as March, Dated2026September as September, V1, V3, V4};
        let table = [
            (
                "/crm/v3/objects/2-1/batch/upsert",
                Objects,
                V3,
                "2-1/batch/upsert",
            ),
            ("/crm/objects/2026-09/2-1", Objects, September, "2-1"),
            ("/crm/2026-09/objects/contacts", Objects, September, "contacts"),
            (
                "/crm/v4/objects/a/1/associations/b/2",
                Objects,
                V4,
                "a/1/associations/b/2",
            ),
            ("/crm/v3/schemas", Schemas, V3, ""),
            ("/crm-object-schemas/v3/schemas/2-1", Schemas, V3, "2-1"),
            ("/crm-object-schemas/2026-03/schemas", Schemas, March, ""),
            ("/crm/v3/properties/2-1", Properties, V3, "2-1"),
            (
                "/crm/properties/2026-09/2-1/groups",
                Properties,
                September,
                "2-1/groups",
            ),
            ("/crm/v4/associations/a/b/labels", Associations, V4, "a/b/labels"),
            ("/crm/v3/associations/a/b/types", Associations, V3, "a/b/types"),
            (
                "/crm/associations/v4/definitions/configurations/all",
                Associations,
                V4,
                "definitions/configurations/all",
            ),
            (
                "/crm/associations/2026-03/a/b/batch/create",
                Associations,
                March,
                "a/b/batch/create",
            ),
            ("/crm/v3/limits/records", LimitsTracking, V3, "records"),
            (
                "/crm/limits/2026-09/records",
                LimitsTracking,
                September,
                "records",
            ),
            ("/crm/v3/owners/", Owners, V3, ""),
            ("/account-info/v3/details", AccountInfo, V3, "details"),
            ("/oauth/v1/token", OAuth, V1, "token"),
        ];
        for (path, area, version, rest) in table {
            let decoded = segments(path);
            let borrowed: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
            let place = Place::of(&borrowed).map(|place| (place.area, place.version, place.rest.join("/")));
            assert_eq!(place, Some((area, version, rest.to_owned())), "{path}");
        }
        for path in [
            "/",
            "/crm",
            "/crm/v9/objects/x",
            "/crm/objects/2025-01/x",
            "/crm/v3/nothing",
        ] {
            let decoded = segments(path);
            let borrowed: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
            assert_eq!(Place::of(&borrowed), None, "{path}");
        }
    }

    #[test]
    fn lists_may_be_repeated_or_separated() {
        let query = Query::parse("properties=a,b&properties=c&archived=TRUE&x=%20y");
        assert_eq!(query.list("properties"), ["a", "b", "c"]);
        assert!(query.is_true("archived") && query.is_not_false("other"));
        assert_eq!(query.get("x"), Some(" y"));
    }
}
