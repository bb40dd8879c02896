//! Who is calling, and what they may do.

use landbridge_model::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// See definitions, imports, failures, records and health.
    Viewer,
    /// Edit definitions and drafts.
    Editor,
    /// Turn syncs on and off, import, retry, verify, repair.
    Operator,
    /// Change connections and credentials; with a reach over all tenants: add tenants, users and their roles.
    Admin,
}

impl Role {
    /// All of them, the smallest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Editor, Self::Operator, Self::Admin];

    /// The word in files, output and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no role; there are viewer, editor, operator and admin"))
    }
}

/// Where a role holds. There is no default: whoever grants says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Every tenant, those to come included.
    All,
    /// These tenants.
    Tenants(Vec<TenantId>),
}

impl Reach {
    fn covers(&self, tenant: &TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Tenants(tenants) => tenants.contains(tenant),
        }
    }
}

/// A role and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub reach: Reach,
}

impl Grant {
    /// A role over all tenants.
    pub fn everywhere(role: Role) -> Self {
        Self {
            role,
            reach: Reach::All,
        }
    }

    /// A role over one tenant.
    pub fn of(role: Role, tenant: TenantId) -> Self {
        Self {
            role,
            reach: Reach::Tenants(vec![tenant]),
        }
    }
}

/// Who is calling, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As the audit log names them: `user:ann`, `oidc:3b5f… ann@acme.example`, `token:k3f9 of user:ann`, `cli:root`.
    /// For people to read: what decides is never read out of it, for a provider's people choose their names.
    pub who: String,
    /// Whose the tokens are that they make; a token's are its owner's.
    owner: String,
    /// What the owner is called beside that.
    owner_name: Option<String>,
    /// The token that they came with.
    token: Option<String>,
    grants: Vec<Grant>,
    /// For a token: what its owner may do. The token may do no more.
    bound: Option<Vec<Grant>>,
}

impl Caller {
    /// With these grants.
    pub fn new(who: impl Into<String>, grants: Vec<Grant>) -> Self {
        let who = who.into();
        Self {
            owner: who.clone(),
            owner_name: None,
            who,
            token: None,
            grants,
            bound: None,
        }
    }

    /// The same person, shown with a name beside what they are known by.
    pub(super) fn called(mut self, name: &str) -> Self {
        self.who = shown(&self.owner, Some(name));
        self.owner_name = Some(name.to_owned());
        self
    }

    /// The bearer of somebody's token.
    pub(super) fn of_token(id: &str, owner: &str, name: Option<&str>, grants: Vec<Grant>) -> Self {
        Self {
            who: format!("token:{id} of {}", shown(owner, name)),
            owner: owner.to_owned(),
            owner_name: name.map(str::to_owned),
            token: Some(id.to_owned()),
            grants,
            bound: None,
        }
    }

    /// Somebody who has the bus in hand, and with it everything: the command line beside the server.
    pub fn local(name: &str) -> Self {
        Self::new(format!("cli:{name}"), vec![Grant::everywhere(Role::Admin)])
    }

    /// The same, held within what somebody else may do.
    pub fn within(mut self, bound: Vec<Grant>) -> Self {
        self.bound = Some(bound);
        self
    }

    /// What they may do with a tenant; `None` when they may not even see it.
    pub fn role_in(&self, tenant: &TenantId) -> Option<Role> {
        self.bounded(|grant| grant.reach.covers(tenant))
    }

    /// What they may do with all tenants and the installation itself.
    pub fn role_everywhere(&self) -> Option<Role> {
        self.bounded(|grant| grant.reach == Reach::All)
    }

    fn bounded(&self, counts: impl Fn(&Grant) -> bool) -> Option<Role> {
        let best = |grants: &[Grant]| {
            let roles = grants.iter().filter(|grant| counts(grant));
            roles.map(|grant| grant.role).max()
        };
        let own = best(&self.grants)?;
        match &self.bound {
            None => Some(own),
            Some(bound) => best(bound).map(|most| own.min(most)),
        }
    }

    /// Whether they could grant this without giving more than they have.
    pub fn covers(&self, grant: &Grant) -> bool {
        match &grant.reach {
            Reach::All => self.role_everywhere() >= Some(grant.role),
            Reach::Tenants(tenants) => tenants
                .iter()
                .all(|tenant| self.role_in(tenant) >= Some(grant.role)),
        }
    }

    /// Whether they came with a token.
    pub(super) fn is_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whose the tokens are that they make: a token's are its owner's.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// What the owner is called beside that.
    pub(super) fn owner_name(&self) -> Option<&str> {
        self.owner_name.as_deref()
    }

    /// What tells them from everybody else: the token, or the person.
    pub(crate) fn identity(&self) -> String {
        match &self.token {
            Some(token) => format!("token:{token}"),
            None => self.owner.clone(),
        }
    }

    /// What was granted to them.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }
}

/// What somebody is known by, with their name beside it.
pub(super) fn shown(owner: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{owner} {name}"),
        None => owner.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    #[test]
    fn a_role_holds_where_it_was_granted() {
        let ann = Caller::new(
            "user:ann",
            vec![
                Grant::everywhere(Role::Viewer),
                Grant::of(Role::Operator, tenant("acme")),
            ],
        );
        let bob = Caller::new("user:bob", vec![Grant::of(Role::Admin, tenant("globex"))]);
        for (caller, name, role) in [
            (&ann, "acme", Some(Role::Operator)),
            (&ann, "globex", Some(Role::Viewer)),
            (&bob, "acme", None),
            (&bob, "globex", Some(Role::Admin)),
        ] {
            assert_eq!(caller.role_in(&tenant(name)), role, "{} in {name}", caller.who);
        }
        assert_eq!(ann.role_everywhere(), Some(Role::Viewer));
        assert_eq!(
            bob.role_everywhere(),
            None,
            "an admin of one tenant is no admin of all"
        );
    }

    #[test]
    fn a_token_can_do_no_more_than_its_owner_can_now() {
        let granted = vec![Grant::everywhere(Role::Operator)];
        let token = |owner| Caller::new("token:x", granted.clone()).within(owner);
        let acme = tenant("acme");
        assert_eq!(
            token(vec![Grant::of(Role::Editor, acme.clone())]).role_in(&acme),
            Some(Role::Editor)
        );
        assert_eq!(
            token(vec![Grant::everywhere(Role::Admin)]).role_in(&acme),
            Some(Role::Operator)
        );
        assert_eq!(token(Vec::new()).role_in(&acme), None);
    }

    #[test]
    fn a_name_makes_nobody_somebody_else() {
        let grants = vec![Grant::everywhere(Role::Viewer)];
        let mallory = Caller::new("oidc:17", grants.clone()).called("x of user:ann");
        assert_eq!(mallory.who, "oidc:17 x of user:ann");
        assert_eq!((mallory.owner(), mallory.is_token()), ("oidc:17", false));
        let token = Caller::of_token("k3f9", mallory.owner(), Some("x of user:ann"), grants);
        assert_eq!(token.who, "token:k3f9 of oidc:17 x of user:ann");
        assert_eq!((token.owner(), token.is_token()), ("oidc:17", true));
        assert_eq!(token.identity(), "token:k3f9");
    }

    #[test]
    fn nobody_grants_more_than_they_have() {
        let acme = tenant("acme");
        let caller = Caller::new("user:ann", vec![Grant::of(Role::Operator, acme.clone())]);
        for (grant, may) in [
            (Grant::of(Role::Operator, acme.clone()), true),
            (Grant::of(Role::Viewer, acme.clone()), true),
            (Grant::of(Role::Admin, acme), false),
            (Grant::of(Role::Viewer, tenant("globex")), false),
            (Grant::everywhere(Role::Viewer), false),
        ] {
            assert_eq!(caller.covers(&grant), may, "{grant:?}");
        }
    }
}
