//! How often somebody may try to sign in: some attempts are free, then each costs a pause that doubles.
//!
//! An attempt is counted before the password is looked at, so that many at once are no way around.

use std::time::Duration;

use landbridge_bus::{Key, KvError};
use serde::{Deserialize, Serialize};

use super::Service;
use super::error::ServiceError;

/// How long attempts are remembered after the last one.
const MEMORY: Duration = Duration::from_secs(3_600);
/// Attempts for one user that cost nothing.
const FREE_FOR_USER: u32 = 5;
/// Attempts from one address that cost nothing: several people may sit behind it.
const FREE_FOR_ADDRESS: u32 = 30;
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(900);
/// How often a count is tried to be written when others count at the same moment.
const WRITES: usize = 16;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted<'a> {
    /// Attempts for a user, who need not exist.
    User(&'a str),
    /// Attempts from an address.
    Address(&'a str),
    /// Sign-ins by the provider that were begun from an address and not ended: each leaves something behind here.
    Begun(&'a str),
}

impl Counted<'_> {
    fn key(self) -> Key {
        match self {
            Self::User(name) => Key::new(["attempts", "user", name]),
            Self::Address(address) => Key::new(["attempts", "address", address]),
            Self::Begun(address) => Key::new(["attempts", "begun", address]),
        }
    }

    fn free(self) -> u32 {
        match self {
            Self::User(_) => FREE_FOR_USER,
            Self::Address(_) | Self::Begun(_) => FREE_FOR_ADDRESS,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Attempts {
    failures: u32,
    last_ms: i64,
}

/// How long to wait after so many failures before the next attempt.
fn pause(failures: u32, free: u32) -> Duration {
    match failures.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(16)).min(PAUSE_MAX),
    }
}

/// What is left of the pause.
fn wait(attempts: Attempts, free: u32, now_ms: i64) -> Option<Duration> {
    let since = u64::try_from(now_ms - attempts.last_ms).unwrap_or(0);
    let left = pause(attempts.failures, free).checked_sub(Duration::from_millis(since))?;
    (!left.is_zero()).then_some(left)
}

impl Service {
    /// Counts an attempt, or refuses it.
    pub(super) async fn count_attempt(&self, counted: Counted<'_>) -> Result<(), ServiceError> {
        let key = counted.key();
        let access = &self.inner.access;
        for _ in 0..WRITES {
            let found = access.get_json::<Attempts>(&key).await?;
            let (attempts, revision) = found.unzip();
            let attempts = attempts.unwrap_or_default();
            let now_ms = self.now_ms();
            if let Some(retry_after) = wait(attempts, counted.free(), now_ms) {
                return Err(ServiceError::TooMany {
                    message: format!(
                        "too many attempts to sign in; try again in {} s",
                        retry_after.as_secs() + 1
                    ),
                    retry_after,
                });
            }
            let next = serde_json::to_vec(&Attempts {
                failures: attempts.failures.saturating_add(1),
                last_ms: now_ms,
            })?;
            let written = match revision {
                Some(revision) => access.update_for(&key, next, revision, MEMORY).await,
                None => access.create_for(&key, next, MEMORY).await,
            };
            match written {
                Ok(_) => return Ok(()),
                Err(KvError::Conflict | KvError::Exists) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ServiceError::TooMany {
            message: "too many attempts to sign in at the same moment; try again".to_owned(),
            retry_after: Duration::from_secs(1),
        })
    }

    /// After a success: the user's failures are forgotten, and this attempt of the address does not count. Others it
    /// made do: they may have been for other users.
    pub(super) async fn forgive_attempts(&self, user: &str, address: &str) -> Result<(), ServiceError> {
        self.inner.access.delete(&Counted::User(user).key()).await?;
        self.forgive_attempt(Counted::Address(address)).await
    }

    /// This attempt does not count.
    pub(super) async fn forgive_attempt(&self, counted: Counted<'_>) -> Result<(), ServiceError> {
        let (access, key) = (&self.inner.access, counted.key());
        let Some((attempts, revision)) = access.get_json::<Attempts>(&key).await? else {
            return Ok(());
        };
        let fewer = Attempts {
            failures: attempts.failures.saturating_sub(1),
            ..attempts
        };
        match access
            .update_for(&key, serde_json::to_vec(&fewer)?, revision, MEMORY)
            .await
        {
            // Somebody counts at this moment: one attempt too many is counted then.
            Ok(_) | Err(KvError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let seconds = |failures| pause(failures, FREE_FOR_USER).as_secs();
        assert_eq!([0, 4, 5, 6, 7, 10].map(seconds), [0, 0, 1, 2, 4, 32]);
        assert_eq!(seconds(1_000), PAUSE_MAX.as_secs());
        let attempts = Attempts {
            failures: 7,
            last_ms: 1_000,
        };
        assert_eq!(wait(attempts, FREE_FOR_USER, 2_000), Some(Duration::from_secs(3)));
        assert_eq!(wait(attempts, FREE_FOR_USER, 5_000), None);
        assert_eq!(
            wait(attempts, FREE_FOR_USER, 0),
            Some(Duration::from_secs(4)),
            "a clock that went back"
        );
    }
}
