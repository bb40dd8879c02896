//! Sessions of people: a random id in a cookie, its hash in the bucket, an idle and an absolute end.

use std::time::Duration;

use landbridge_bus::{Key, KvError};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use super::audit::Change;
use super::caller::{Caller, Grant};
use super::error::ServiceError;
use super::provider::PersonId;
use super::users::UserName;
use super::{Service, secret};

/// A session that is used is marked so at most this often.
const MARK_EVERY_MS: i64 = 60_000;
/// What the token against forged posts is derived for.
const CSRF: &str = "landbridge csrf";

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(super) enum Owner {
    /// A local user, as of one password.
    Password {
        /// The name.
        user: UserName,
        /// Of the password: another one ends the session.
        generation: u64,
    },
    /// Somebody whom an OpenID Connect provider vouched for.
    Provider {
        /// Who; what they may do is looked up at every request. None in a session of an earlier version, which is over.
        #[serde(default)]
        person: Option<PersonId>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredSession {
    owner: Owner,
    created_ms: i64,
    seen_ms: i64,
    expires_ms: i64,
}

/// A person who has just signed in.
#[derive(Clone)]
pub struct SignedIn {
    /// The session's id: for the cookie, and for nothing else.
    pub session: String,
    /// Who they are.
    pub caller: Caller,
    /// What posts must carry.
    pub csrf_token: String,
    /// When the session ends at the latest, in milliseconds since 1970.
    pub expires_ms: i64,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// How a request proved who it is from.
#[derive(Clone, PartialEq, Eq)]
pub enum SessionKind {
    /// By a cookie; what changes something must carry the token against forged posts.
    Cookie {
        /// That token.
        csrf_token: String,
        /// When the session ends at the latest, in milliseconds since 1970.
        expires_ms: i64,
    },
    /// By a bearer token, which no browser sends by itself.
    Token,
}

impl SessionKind {
    /// Whether a post may be taken for its sender's: a browser sends cookies along with what others made it send.
    pub fn allows_change(&self, sent: Option<&str>) -> bool {
        match self {
            Self::Token => true,
            Self::Cookie { csrf_token, .. } => {
                sent.is_some_and(|sent| bool::from(sent.as_bytes().ct_eq(csrf_token.as_bytes())))
            }
        }
    }
}

impl std::fmt::Debug for SessionKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cookie { .. } => "Cookie",
            Self::Token => "Token",
        })
    }
}

/// Who is signed in, as a page or a program shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// `user:ann`, or a token.
    pub who: String,
    /// What they may do, and where.
    pub grants: Vec<Grant>,
    /// For sessions with a cookie: send it as `X-CSRF-Token` with everything that changes something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csrf_token: Option<String>,
    /// For sessions with a cookie: when it ends at the latest, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
}

impl Service {
    /// Signs a local user in. `address` is where they come from, to limit attempts.
    pub async fn sign_in(&self, name: &str, password: &str, address: &str) -> Result<SignedIn, ServiceError> {
        // A name that cannot be takes the same road as one that is not there.
        let name = UserName::new(name).or_else(|_| UserName::new("-"))?;
        let (user, _) = self.check_password(&name, password, address).await?;
        let owner = Owner::Password {
            user: name.clone(),
            generation: user.generation,
        };
        let longest = self.settings().session_max;
        let caller = Caller::new(name.who(), user.grants);
        self.begin_session(owner, caller, longest, Change::done()).await
    }

    /// `longest` is how long it may last at most, where that is less than of any session.
    pub(super) async fn begin_session(
        &self,
        owner: Owner,
        caller: Caller,
        longest: Duration,
        change: Change,
    ) -> Result<SignedIn, ServiceError> {
        let session = secret::generate();
        let now_ms = self.now_ms();
        let settings = self.settings();
        let longest = longest.min(settings.session_max);
        let stored = StoredSession {
            owner,
            created_ms: now_ms,
            seen_ms: now_ms,
            expires_ms: now_ms.saturating_add(ms(longest)),
        };
        let value = serde_json::to_vec(&stored)?;
        let life = settings.session_idle.min(longest);
        self.audited(&caller, None, "session.begun", &caller.who, async {
            self.inner.access.create_for(&key(&session), value, life).await?;
            Ok(((), change.into()))
        })
        .await?;
        Ok(SignedIn {
            csrf_token: secret::derive(&session, CSRF),
            session,
            caller,
            expires_ms: stored.expires_ms,
        })
    }

    /// Who the bearer of a session's id is. The session is marked as used.
    pub async fn caller_of_session(&self, session: &str) -> Result<(Caller, SessionKind), ServiceError> {
        let over = || ServiceError::Unauthenticated("the session is over; sign in again".to_owned());
        let key = key(session);
        let found = self.inner.access.get_json::<StoredSession>(&key).await?;
        let (stored, revision) = found.ok_or_else(over)?;
        let now_ms = self.now_ms();
        let idle_ms = ms(self.settings().session_idle);
        if now_ms >= stored.expires_ms || now_ms >= stored.seen_ms.saturating_add(idle_ms) {
            return Err(over());
        }
        let caller = match &stored.owner {
            Owner::Provider { person } => {
                let person = person.as_ref().ok_or_else(over)?;
                self.person(person).await?.ok_or_else(over)?
            }
            Owner::Password { user, generation } => {
                let (found, _) = self.stored_user(user).await?.ok_or_else(over)?;
                if found.generation != *generation {
                    return Err(over());
                }
                Caller::new(user.who(), found.grants)
            }
        };
        let kind = SessionKind::Cookie {
            csrf_token: secret::derive(session, CSRF),
            expires_ms: stored.expires_ms,
        };
        if now_ms - stored.seen_ms >= MARK_EVERY_MS {
            self.mark_session(&key, stored, revision, now_ms).await?;
        }
        Ok((caller, kind))
    }

    async fn mark_session(
        &self,
        key: &Key,
        stored: StoredSession,
        revision: u64,
        now_ms: i64,
    ) -> Result<(), ServiceError> {
        let left = u64::try_from(stored.expires_ms - now_ms).unwrap_or(0);
        let ttl = self.settings().session_idle.min(Duration::from_millis(left));
        let next = StoredSession {
            seen_ms: now_ms,
            ..stored
        };
        let written = self
            .inner
            .access
            .update_for(key, serde_json::to_vec(&next)?, revision, ttl)
            .await;
        match written {
            // Marked by another request, or ended by its owner: either stands.
            Ok(_) | Err(KvError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a session.
    pub async fn sign_out(&self, caller: &Caller, session: &str) -> Result<(), ServiceError> {
        self.audited(caller, None, "session.ended", &caller.who, async {
            self.inner.access.delete(&key(session)).await?;
            Ok(((), Change::done().into()))
        })
        .await
    }
}

fn key(session: &str) -> Key {
    Key::new(["session", &secret::hash(session)])
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_alone_changes_nothing() {
        let cookie = SessionKind::Cookie {
            csrf_token: "abc".into(),
            expires_ms: 0,
        };
        assert!(!cookie.allows_change(None));
        assert!(!cookie.allows_change(Some("abd")));
        assert!(!cookie.allows_change(Some("")));
        assert!(cookie.allows_change(Some("abc")));
        assert!(SessionKind::Token.allows_change(None));
    }
}
