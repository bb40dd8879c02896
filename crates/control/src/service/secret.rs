//! Random secrets and their hashes. A secret of 256 random bits cannot be guessed, so a plain hash of it is enough.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A new secret: 256 random bits as 43 characters.
pub(super) fn generate() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// What is stored of a secret.
pub(super) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// A hash of any bytes.
pub(super) fn hash_bytes(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Something that only the holder of a secret can derive, and from which the secret cannot be.
pub(super) fn derive(secret: &str, purpose: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((purpose.len() as u64).to_be_bytes());
    hash.update(purpose.as_bytes());
    hash.update(secret.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// A password that nobody has to remember: 120 random bits, in letters and digits.
pub fn one_time_password() -> String {
    let part = || short_id()[..8].to_owned();
    [part(), part(), part()].join("-")
}

/// A short name, of letters and digits that are not mistaken for each other.
pub(super) fn short_id() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random: [u8; 10] = rand::random();
    random
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}
