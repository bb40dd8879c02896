//! Which provider, and what its claims mean here.

use std::time::Duration;

use landbridge_bus::Secret;
use landbridge_model::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::service::caller::{Grant, Reach, Role};

/// Longest name that is shown.
const NAME_MAX: usize = 200;

/// `[control.oidc]`: the provider, and what its claims mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The provider, as its own discovery document names it, such as `https://login.acme.example`.
    pub issuer: String,
    /// What Landbridge is called there.
    pub client_id: String,
    /// What it proves that by; none for a public client.
    pub client_secret: Option<Secret>,
    /// What is asked for besides `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The claim by which people are called in the audit log, beside what they are known by: the issuer's subject. An
    /// `email` that the provider says is not verified calls nobody.
    #[serde(default = "default_name_claim")]
    pub name_claim: String,
    /// The claim with the groups, a text or a list of texts; a dot leads into an object.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// What each group may do. Whoever is in none of them is refused.
    #[serde(default)]
    pub roles: Vec<GroupRole>,
    /// How long a session lasts at most that began at the provider: whom it takes out of a group, or no longer knows,
    /// is noticed at the next sign-in. Never longer than `control.session_max`.
    #[serde(default = "default_session_max", with = "humantime_serde")]
    pub session_max: Duration,
    /// For how long an API token of somebody who signed in at the provider is good at most, and for how long after
    /// their last sign-in the groups count that it named.
    #[serde(default = "default_token_max", with = "humantime_serde")]
    pub token_max: Duration,
}

/// What a group may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRole {
    /// The group, as the claim has it.
    pub group: String,
    /// The role.
    pub role: Role,
    /// In which tenants; with `all_tenants` left out.
    #[serde(default)]
    pub tenants: Vec<TenantId>,
    /// Everywhere.
    #[serde(default)]
    pub all_tenants: bool,
}

fn default_session_max() -> Duration {
    Duration::from_secs(12 * 3_600)
}

fn default_token_max() -> Duration {
    Duration::from_secs(30 * 24 * 3_600)
}

fn default_scopes() -> Vec<String> {
    ["profile", "email"].map(str::to_owned).to_vec()
}

fn default_name_claim() -> String {
    "email".to_owned()
}

fn default_groups_claim() -> String {
    "groups".to_owned()
}

impl OidcSettings {
    /// What a person is called; by the subject where the claims give no name that can be trusted to be theirs.
    pub(super) fn name(&self, claims: &Map<String, Value>, subject: &str) -> String {
        let is_unverified = |value: &Value| {
            value == &Value::Bool(false) || value.as_str().is_some_and(|text| text == "false")
        };
        let is_theirs =
            self.name_claim != "email" || !claims.get("email_verified").is_some_and(is_unverified);
        let name = claim(claims, &self.name_claim).and_then(Value::as_str);
        let name = name.filter(|_| is_theirs).unwrap_or(subject);
        let name: String = name
            .chars()
            .filter(|letter| !letter.is_control())
            .take(NAME_MAX)
            .collect();
        name.trim().to_owned()
    }

    /// The groups that a person's claims name.
    pub(super) fn groups(&self, claims: &Map<String, Value>) -> Vec<String> {
        let groups = texts(claim(claims, &self.groups_claim));
        groups.into_iter().map(str::to_owned).collect()
    }

    /// What these groups may do; nothing when none of them may do anything.
    pub(in crate::service) fn grants(&self, groups: &[String]) -> Vec<Grant> {
        let meant = self.roles.iter().filter(|role| groups.contains(&role.group));
        meant
            .map(|role| Grant {
                role: role.role,
                reach: if role.all_tenants {
                    Reach::All
                } else {
                    Reach::Tenants(role.tenants.clone())
                },
            })
            .collect()
    }
}

/// A claim by its name; where there is none of the name, a dot leads into an object.
pub(super) fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(name) {
        return Some(found);
    }
    let (head, tail) = name.split_once('.')?;
    claim(claims.get(head)?.as_object()?, tail)
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Caller;

    fn settings(groups_claim: &str) -> OidcSettings {
        let role = |group: &str, role, tenants: &[&str]| GroupRole {
            group: group.to_owned(),
            role,
            tenants: tenants.iter().map(|name| TenantId::new(name).unwrap()).collect(),
            all_tenants: tenants.is_empty(),
        };
        OidcSettings {
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            scopes: default_scopes(),
            name_claim: default_name_claim(),
            groups_claim: groups_claim.to_owned(),
            session_max: default_session_max(),
            token_max: default_token_max(),
            roles: vec![
                role("lb-admins", Role::Admin, &[]),
                role("fleet", Role::Editor, &["acme", "globex"]),
            ],
        }
    }

    #[test]
    fn a_name_is_shown_where_it_is_theirs() {
        for (name_claim, claims, name) in [
            ("email", r#"{"email": "ann@acme.example"}"#, "ann@acme.example"),
            (
                "email",
                r#"{"email": "ann@acme.example", "email_verified": true}"#,
                "ann@acme.example",
            ),
            (
                "email",
                r#"{"email": "ann@acme.example", "email_verified": false}"#,
                "4711",
            ),
            (
                "email",
                r#"{"email": "ann@acme.example", "email_verified": "false"}"#,
                "4711",
            ),
            (
                "name",
                r#"{"name": "Ann\nOther", "email_verified": false}"#,
                "AnnOther",
            ),
            ("email", "{}", "4711"),
        ] {
            let settings = OidcSettings {
                name_claim: name_claim.to_owned(),
                ..settings("groups")
            };
            let claims = serde_json::from_str(claims).unwrap();
            assert_eq!(settings.name(&claims, "4711"), name, "{claims:?}");
        }
    }

    #[test]
    fn groups_give_roles_and_nothing_gives_none() {
        let acme = TenantId::new("acme").unwrap();
        for (claim, claims, role) in [
            ("groups", r#"{"groups": ["fleet", "others"]}"#, Some(Role::Editor)),
            ("groups", r#"{"groups": "lb-admins"}"#, Some(Role::Admin)),
            (
                "realm.roles",
                r#"{"realm": {"roles": ["fleet"]}}"#,
                Some(Role::Editor),
            ),
            (
                "https://a.b/groups",
                r#"{"https://a.b/groups": ["fleet"]}"#,
                Some(Role::Editor),
            ),
            ("groups", r#"{"groups": []}"#, None),
            ("groups", r#"{"groups": {"fleet": true}}"#, None),
            ("groups", "{}", None),
        ] {
            let claims = serde_json::from_str(claims).unwrap();
            let settings = settings(claim);
            let caller = Caller::new("oidc:ann", settings.grants(&settings.groups(&claims)));
            assert_eq!(caller.role_in(&acme), role, "{claim} {claims:?}");
        }
    }
}
