//! Local users: for a single machine, or where there is no OpenID Connect provider.

use landbridge_bus::{Key, KeyFilter, KvError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Service;
use super::attempts::Counted;
use super::audit::Change;
use super::caller::{Caller, Grant, Role};
use super::error::ServiceError;
use crate::ask::Seen;

/// A user's name: 1 to 64 lower-case letters, digits and `.` `_` `-` `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9._@-]{1,64}$", example = "ann")]
pub struct UserName(String);

impl UserName {
    /// Takes a name; upper-case letters are made lower-case.
    pub fn new(text: &str) -> Result<Self, ServiceError> {
        let name = text.trim().to_ascii_lowercase();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-@".contains(&byte);
        if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
            return Ok(Self(name));
        }
        Err(ServiceError::invalid(
            "a user's name has 1 to 64 letters, digits, dots, hyphens, underscores or at signs",
        ))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn who(&self) -> String {
        format!("user:{}", self.0)
    }

    fn key(&self) -> Key {
        Key::new(["user", self.as_str()])
    }
}

impl TryFrom<String> for UserName {
    type Error = ServiceError;
    fn try_from(text: String) -> Result<Self, ServiceError> {
        Self::new(&text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl std::fmt::Display for UserName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for UserName {
    type Err = ServiceError;
    fn from_str(text: &str) -> Result<Self, ServiceError> {
        Self::new(text)
    }
}

/// A user as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredUser {
    name: UserName,
    /// Made by argon2id, with its salt and parameters.
    password_hash: String,
    pub(super) grants: Vec<Grant>,
    /// Changes with the password: sessions of another generation are over.
    pub(super) generation: u64,
    created_ms: i64,
}

/// A user, as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// The name.
    pub name: UserName,
    /// What they may do, and where.
    pub grants: Vec<Grant>,
    /// Since when, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A user as somebody wants them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutUser {
    /// What they may do, and where.
    pub grants: Vec<Grant>,
    /// A new password, of 12 characters at least. Needed for a user who is new; it ends the user's sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl std::fmt::Debug for PutUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PutUser")
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

impl Service {
    pub(super) async fn stored_user(
        &self,
        name: &UserName,
    ) -> Result<Option<(StoredUser, u64)>, ServiceError> {
        Ok(self.inner.access.get_json(&name.key()).await?)
    }

    /// Whether anybody can sign in with a name and a password: told before anybody has signed in, so it says no more.
    pub async fn has_local_users(&self) -> Result<bool, ServiceError> {
        let users = KeyFilter::Under(Key::new(["user"]));
        Ok(!self.inner.access.list(&users).await?.is_empty())
    }

    /// All users, by name.
    pub async fn users(&self, caller: &Caller) -> Result<Vec<UserView>, ServiceError> {
        self.require_everywhere(caller, Role::Admin)?;
        let entries = self
            .inner
            .access
            .list(&KeyFilter::Under(Key::new(["user"])))
            .await?;
        let mut users = entries
            .iter()
            .map(|entry| entry.json::<StoredUser>().map(view))
            .collect::<Result<Vec<_>, _>>()?;
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    /// One user.
    pub async fn user(&self, caller: &Caller, name: &UserName) -> Result<UserView, ServiceError> {
        Ok(self.user_with_tag(caller, name).await?.0)
    }

    /// One user, and what stands for how they are.
    pub async fn user_with_tag(
        &self,
        caller: &Caller,
        name: &UserName,
    ) -> Result<(UserView, String), ServiceError> {
        self.require_everywhere(caller, Role::Admin)?;
        let found = self.stored_user(name).await?;
        let (user, revision) = found.ok_or_else(|| no_user(name))?;
        Ok((view(user), revision.to_string()))
    }

    /// Adds a user, or changes what they may do and, if a password is given, their password.
    pub async fn put_user(
        &self,
        caller: &Caller,
        name: &UserName,
        wanted: PutUser,
    ) -> Result<UserView, ServiceError> {
        let put = self.put_user_seen(caller, name, wanted, &Seen::Anything).await?;
        Ok(put.0)
    }

    /// The same, if the user is as the caller has seen them. Gives the new tag as well.
    pub async fn put_user_seen(
        &self,
        caller: &Caller,
        name: &UserName,
        wanted: PutUser,
        seen: &Seen,
    ) -> Result<(UserView, String), ServiceError> {
        self.require_everywhere(caller, Role::Admin)?;
        let stored = self.stored_user(name).await?;
        let at = stored.as_ref().map(|(_, revision)| *revision);
        if !seen.holds(at.map(|revision| revision.to_string()).as_deref()) {
            return Err(stale_user(name));
        }
        let new_hash = match &wanted.password {
            Some(password) => Some(self.inner.hashing.hash(password).await?),
            None => None,
        };
        let has_new_password = new_hash.is_some();
        let before = stored.clone().map(|(user, _)| view(user));
        let next = match (stored, new_hash) {
            (None, None) => {
                return Err(ServiceError::invalid(format!(
                    "the user {name} is new: give a password"
                )));
            }
            (None, Some(password_hash)) => StoredUser {
                name: name.clone(),
                password_hash,
                grants: wanted.grants,
                generation: rand::random(),
                created_ms: self.now_ms(),
            },
            (Some((stored, _)), hash) => StoredUser {
                generation: if hash.is_some() {
                    rand::random()
                } else {
                    stored.generation
                },
                password_hash: hash.unwrap_or(stored.password_hash),
                grants: wanted.grants,
                ..stored
            },
        };
        let after = view(next.clone());
        let action = if before.is_none() {
            "user.added"
        } else {
            "user.changed"
        };
        let mut change = Change::between(before.as_ref(), Some(&after))?;
        if has_new_password && before.is_some() {
            change = change.with_detail("the password was set anew; sessions are over");
        }
        self.audited(caller, None, action, name.as_str(), async {
            let revision = self.write_user(&next, at).await?;
            Ok(((after, revision.to_string()), change.into()))
        })
        .await
    }

    /// Writes a user over what was seen of them, and over nothing else: a password that was changed since, or a role that
    /// was taken away, stays so.
    async fn write_user(&self, user: &StoredUser, seen: Option<u64>) -> Result<u64, ServiceError> {
        let (access, key) = (&self.inner.access, user.name.key());
        let written = match seen {
            Some(revision) => access.update_json(&key, user, revision).await,
            None => access.create_json(&key, user).await,
        };
        match written {
            Err(KvError::Conflict | KvError::Exists) => Err(stale_user(&user.name)),
            written => Ok(written?),
        }
    }

    /// Changes a user's own password. Their sessions are over.
    pub async fn change_password(
        &self,
        caller: &Caller,
        name: &UserName,
        old: &str,
        new: &str,
        address: &str,
    ) -> Result<(), ServiceError> {
        if caller.identity() != name.who() {
            return Err(ServiceError::Forbidden(
                "only a user themselves, signed in, can change their password so".to_owned(),
            ));
        }
        let (user, revision) = self.check_password(name, old, address).await?;
        let password_hash = self.inner.hashing.hash(new).await?;
        let next = StoredUser {
            password_hash,
            generation: rand::random(),
            ..user
        };
        self.audited(caller, None, "user.changed", name.as_str(), async {
            self.write_user(&next, Some(revision)).await?;
            let change = Change::told("the password was changed; sessions are over");
            Ok(((), change.into()))
        })
        .await
    }

    /// Removes a user. Their sessions and tokens are good for nothing from then on.
    pub async fn remove_user(&self, caller: &Caller, name: &UserName) -> Result<(), ServiceError> {
        self.require_everywhere(caller, Role::Admin)?;
        let Some((user, _)) = self.stored_user(name).await? else {
            return Err(no_user(name));
        };
        self.audited(caller, None, "user.removed", name.as_str(), async {
            self.revoke_tokens_of(&name.who()).await?;
            self.inner.access.delete(&name.key()).await?;
            Ok(((), Change::between(Some(&view(user)), None)?.into()))
        })
        .await
    }

    /// The user with their revision, if the password is theirs. Takes as long when there is no such user.
    pub(super) async fn check_password(
        &self,
        name: &UserName,
        password: &str,
        address: &str,
    ) -> Result<(StoredUser, u64), ServiceError> {
        self.count_attempt(Counted::Address(address)).await?;
        self.count_attempt(Counted::User(name.as_str())).await?;
        let stored = self.stored_user(name).await?;
        let hash = stored.as_ref().map(|(user, _)| user.password_hash.as_str());
        let fits = self.inner.hashing.verify(password, hash).await?;
        match stored {
            Some(user) if fits => {
                self.forgive_attempts(name.as_str(), address).await?;
                Ok(user)
            }
            _ => Err(ServiceError::Unauthenticated(
                "name or password is wrong".to_owned(),
            )),
        }
    }
}

fn view(user: StoredUser) -> UserView {
    UserView {
        name: user.name,
        grants: user.grants,
        created_ms: user.created_ms,
    }
}

fn stale_user(name: &UserName) -> ServiceError {
    ServiceError::Stale(format!(
        "the user {name} is not as you have seen them; look at them again, and repeat the change"
    ))
}

fn no_user(name: &UserName) -> ServiceError {
    ServiceError::NotFound(format!("there is no user {name}"))
}
