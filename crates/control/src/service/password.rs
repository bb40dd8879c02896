//! Passwords: hashed by argon2id, away from the threads that serve others, and never many at once.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::{OnceCell, Semaphore};

use super::error::ServiceError;

/// Hashes computed at once: each takes some ten megabytes and some ten milliseconds.
const TOGETHER: usize = 2;
/// Fewest characters of a password.
const LENGTH_MIN: usize = 12;
/// Most bytes of a password: hashing longer ones is work for nothing.
const LENGTH_MAX: usize = 256;

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(super) struct Hashing {
    turns: Semaphore,
    /// Verified when there is no such user, so that the time does not tell.
    nobody: OnceCell<String>,
}

impl Hashing {
    pub(super) fn new() -> Self {
        Self {
            turns: Semaphore::new(TOGETHER),
            nobody: OnceCell::new(),
        }
    }

    /// The hash of a password that is long enough, as text with its salt and parameters.
    pub(super) async fn hash(&self, password: &str) -> Result<String, ServiceError> {
        if password.chars().count() < LENGTH_MIN {
            return Err(ServiceError::invalid(format!(
                "the password is too short: {LENGTH_MIN} characters at least"
            )));
        }
        if password.len() > LENGTH_MAX {
            return Err(ServiceError::invalid(format!(
                "the password is too long: {LENGTH_MAX} bytes at most"
            )));
        }
        self.hash_any(password.to_owned()).await
    }

    async fn hash_any(&self, password: String) -> Result<String, ServiceError> {
        self.work(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
        })
        .await?
        .map_err(|error| ServiceError::Internal(format!("the password cannot be hashed: {error}")))
    }

    /// Whether a password fits a hash; without a hash the same work is done, and the answer is no.
    pub(super) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, ServiceError> {
        let nobody = self
            .nobody
            .get_or_try_init(|| self.hash_any(super::secret::generate()))
            .await?;
        let known = hash.is_some();
        let hash = hash.unwrap_or(nobody).to_owned();
        let password: String = if password.len() > LENGTH_MAX {
            String::new()
        } else {
            password.to_owned()
        };
        let fits = self
            .work(move || {
                PasswordHash::new(&hash).is_ok_and(|hash| {
                    Argon2::default()
                        .verify_password(password.as_bytes(), &hash)
                        .is_ok()
                })
            })
            .await?;
        Ok(fits && known)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let internal = || ServiceError::Internal("a password could not be looked at".to_owned());
        let _turn = self.turns.acquire().await.map_err(|_| internal())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| internal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_fits_its_hash() {
        let hashing = Hashing::new();
        let hash = hashing.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(
            hashing
                .verify("correct horse battery", Some(&hash))
                .await
                .unwrap()
        );
        assert!(!hashing.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!hashing.verify("correct horse battery", None).await.unwrap());
        assert!(!hashing.verify("x", Some("no hash at all")).await.unwrap());
        assert!(hashing.hash("short").await.is_err());
    }
}
