//! API tokens: for programs, with a scope and an end. Shown once, stored hashed.

use std::time::Duration;

use landbridge_bus::{Key, KeyFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::Change;
use super::caller::{Caller, Grant, Role, shown};
use super::error::ServiceError;
use super::provider::PersonId;
use super::users::UserName;
use super::{Service, secret};

/// What every token begins with, so that people and scanners recognise one.
const PREFIX: &str = "lbt_";
/// The longest that a token can be good for.
const LIFE_MAX: Duration = Duration::from_secs(366 * DAY.as_secs());
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Longest name of a token.
const NAME_MAX: usize = 100;

#[derive(Clone, Serialize, Deserialize)]
struct StoredToken {
    id: String,
    name: String,
    /// Whose it is: `user:ann`, `cli:root`, `oidc:3b5f…`.
    owner: String,
    /// What the owner was called beside that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner_name: Option<String>,
    grants: Vec<Grant>,
    created_ms: i64,
    expires_ms: i64,
}

/// A token, without what makes it one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// By this it is revoked, and named in the audit log.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is. It can do no more than its owner can.
    pub owner: String,
    /// What it may do, and where.
    pub grants: Vec<Grant>,
    /// Since when, in milliseconds since 1970.
    pub created_ms: i64,
    /// Until when, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// A token as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for.
    pub name: String,
    /// What it may do, and where: no more than its owner may.
    pub grants: Vec<Grant>,
    /// For how long it is good, in days: 1 to 366; for whoever signs in by a provider 1 to 30, or what
    /// `control.oidc.token_max` is set to.
    pub days: u32,
}

/// A new token. This is the only time that it is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// What is known of it.
    #[serde(flatten)]
    pub view: TokenView,
    /// The token itself, for `Authorization: Bearer …`.
    pub token: String,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken")
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// Makes a token for the caller.
    pub async fn create_token(
        &self,
        caller: &Caller,
        wanted: CreateToken,
    ) -> Result<CreatedToken, ServiceError> {
        let name = wanted.name.trim();
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(ServiceError::invalid(format!(
                "a token's name says what it is for, in 1 to {NAME_MAX} characters"
            )));
        }
        if wanted.grants.is_empty() {
            return Err(ServiceError::invalid(
                "a token without grants can do nothing; grant it a role",
            ));
        }
        if let Some(grant) = wanted.grants.iter().find(|grant| !caller.covers(grant)) {
            return Err(ServiceError::Forbidden(format!(
                "the role {} cannot be given to a token by somebody who does not have it there",
                grant.role
            )));
        }
        let life = Duration::from_secs(u64::from(wanted.days) * DAY.as_secs());
        let longest = self.longest_token(caller);
        if life.is_zero() || life > longest {
            let days = longest.as_secs() / DAY.as_secs();
            return Err(ServiceError::invalid(format!(
                "a token of yours is good for 1 to {days} days"
            )));
        }
        let now_ms = self.now_ms();
        let stored = StoredToken {
            id: secret::short_id(),
            name: name.to_owned(),
            owner: caller.owner().to_owned(),
            owner_name: caller.owner_name().map(str::to_owned),
            grants: wanted.grants,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX)),
        };
        let token = format!("{PREFIX}{}", secret::generate());
        let value = serde_json::to_vec(&stored)?;
        let view = view(stored);
        self.audited(caller, None, "token.created", &view.id, async {
            self.inner.access.create_for(&key(&token), value, life).await?;
            Ok(((), Change::between(None, Some(&view))?.into()))
        })
        .await?;
        Ok(CreatedToken { view, token })
    }

    /// The caller's tokens; for an admin of everything all.
    pub async fn tokens(&self, caller: &Caller) -> Result<Vec<TokenView>, ServiceError> {
        let mut tokens: Vec<TokenView> = self
            .stored_tokens()
            .await?
            .into_iter()
            .filter(|(_, token)| is_theirs(caller, token))
            .map(|(_, stored)| view(stored))
            .collect();
        tokens.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        Ok(tokens)
    }

    /// Ends a token.
    pub async fn revoke_token(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let tokens = self.stored_tokens().await?;
        let found = tokens
            .into_iter()
            .find(|(_, token)| token.id == id && is_theirs(caller, token));
        let Some((key, token)) = found else {
            return Err(ServiceError::NotFound(format!("there is no token {id}")));
        };
        self.audited(caller, None, "token.revoked", id, async {
            self.inner.access.delete(&key).await?;
            Ok(((), Change::between(Some(&view(token)), None)?.into()))
        })
        .await
    }

    pub(super) async fn revoke_tokens_of(&self, owner: &str) -> Result<(), ServiceError> {
        for (key, token) in self.stored_tokens().await? {
            if token.owner == owner {
                self.inner.access.delete(&key).await?;
            }
        }
        Ok(())
    }

    async fn stored_tokens(&self) -> Result<Vec<(Key, StoredToken)>, ServiceError> {
        let entries = self
            .inner
            .access
            .list(&KeyFilter::Under(Key::new(["token"])))
            .await?;
        let read = entries
            .into_iter()
            .map(|entry| Ok((entry.key.clone(), entry.json()?)));
        read.collect()
    }

    /// Who a token makes its bearer.
    pub async fn caller_of_token(&self, token: &str) -> Result<Caller, ServiceError> {
        let refused = || ServiceError::Unauthenticated("the token is not good, or not any more".to_owned());
        let found = self.inner.access.get_json::<StoredToken>(&key(token)).await?;
        let (stored, _) = found.ok_or_else(refused)?;
        if stored.expires_ms <= self.now_ms() {
            return Err(refused());
        }
        // As the owner may now, and not as when the token was made.
        let bound = match PersonId::of_owner(&stored.owner) {
            Some(person) => {
                let person = self.person(&person).await?.ok_or_else(refused)?;
                Some(person.grants().to_vec())
            }
            None => match stored.owner.strip_prefix("user:") {
                Some(user) => {
                    let user = self.stored_user(&UserName::new(user)?).await?;
                    Some(user.ok_or_else(refused)?.0.grants)
                }
                None => None,
            },
        };
        let name = stored.owner_name.as_deref();
        let caller = Caller::of_token(&stored.id, &stored.owner, name, stored.grants);
        Ok(match bound {
            Some(bound) => caller.within(bound),
            None => caller,
        })
    }

    /// How long a token of a caller's can be good. Of a provider's people nothing is heard between their sign-ins.
    pub(crate) fn longest_token(&self, caller: &Caller) -> Duration {
        let oidc = self.settings().oidc.as_ref();
        match PersonId::of_owner(caller.owner()) {
            Some(_) => oidc.map_or(Duration::ZERO, |oidc| oidc.token_max.min(LIFE_MAX)),
            None => LIFE_MAX,
        }
    }
}

/// Whether a token is a caller's to see and to revoke. A token sees no other one that can do more than it can: the
/// command line's tokens have one owner, and are for different people.
fn is_theirs(caller: &Caller, token: &StoredToken) -> bool {
    let is_admin = caller.role_everywhere() == Some(Role::Admin);
    let is_within = || !caller.is_token() || token.grants.iter().all(|grant| caller.covers(grant));
    is_admin || (caller.owner() == token.owner && is_within())
}

fn key(token: &str) -> Key {
    Key::new(["token", &secret::hash(token)])
}

fn view(token: StoredToken) -> TokenView {
    TokenView {
        id: token.id,
        name: token.name,
        owner: shown(&token.owner, token.owner_name.as_deref()),
        grants: token.grants,
        created_ms: token.created_ms,
        expires_ms: token.expires_ms,
    }
}
