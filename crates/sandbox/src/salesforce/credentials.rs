//! Who may get in: the one user and the one app, with their secrets, all of them inventions of this sandbox.

mod keypair;

pub(super) use keypair::{of_seed as keypair_of_seed, public_key_of_pem};

use crate::salesforce::handle::OrgHandle;

/// How to get in.
#[derive(Debug, Clone)]
pub struct OrgCredentials {
    /// The one user.
    pub username: String,
    /// Its password, without the security token.
    pub password: String,
    /// Appended to the password by clients that log in with it.
    pub security_token: String,
    /// The app's consumer key.
    pub client_id: String,
    /// The app's consumer secret.
    pub client_secret: String,
    /// A refresh token that is already granted.
    pub refresh_token: String,
    /// The key with which the app's assertions are signed, PKCS#8 in PEM.
    pub jwt_private_key: String,
}

impl OrgCredentials {
    /// The same for the same seed.
    pub fn of_seed(seed: u64) -> OrgCredentials {
        let mut letters = Letters::new(seed ^ 0x5A1E_5F0C);
        OrgCredentials {
            username: format!("integration@sandbox{seed}.example"),
            password: letters.take(16),
            security_token: letters.take(24),
            client_id: format!("3MVG9{}", letters.take(80)),
            client_secret: letters.take(64).to_uppercase(),
            refresh_token: format!("5Aep861{}", letters.take(80)),
            jwt_private_key: keypair::of_seed(seed).private_pem.clone(),
        }
    }
}

/// A repeatable run of letters and digits.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Letters(u64);

impl Letters {
    pub(super) fn new(seed: u64) -> Letters {
        Letters(seed)
    }

    pub(super) fn take(&mut self, length: usize) -> String {
        const SET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..length)
            .map(|_| SET[(super::random::mix(&mut self.0) % 62) as usize] as char)
            .collect()
    }
}

/// Whether a password is the user's, with or without the security token.
pub(super) fn password_fits(handle: &OrgHandle, username: &str, password: &str) -> bool {
    let user = &handle.credentials;
    let with_token = format!("{}{}", user.password, user.security_token);
    username == user.username && (password == user.password || password == with_token)
}
