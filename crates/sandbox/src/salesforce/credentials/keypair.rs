//! The app's keypair: made from the seed, once in a process, because making one takes a while.

use crate::salesforce::random::mix;
use parking_lot::Mutex;
use rsa::{
    RsaPrivateKey, RsaPublicKey,
    pkcs1::DecodeRsaPublicKey,
    pkcs8::{DecodePublicKey, EncodePrivateKey, LineEnding},
    rand_core::{CryptoRng, Error, RngCore},
};
use std::{collections::BTreeMap, sync::Arc};

const BITS: usize = 2048;

/// A key for signing and the one to check with.
#[derive(Debug)]
pub(in crate::salesforce) struct Keypair {
    /// PKCS#8 in PEM; empty if no key could be made.
    pub(in crate::salesforce) private_pem: String,
    pub(in crate::salesforce) public: RsaPublicKey,
}

/// The keypair of a seed.
pub(in crate::salesforce) fn of_seed(seed: u64) -> Arc<Keypair> {
    static MADE: Mutex<BTreeMap<u64, Arc<Keypair>>> = Mutex::new(BTreeMap::new());
    MADE.lock()
        .entry(seed)
        .or_insert_with(|| Arc::new(make(seed)))
        .clone()
}

fn make(seed: u64) -> Keypair {
    // Making a key fails only for sizes that are too small.
    let private = RsaPrivateKey::new(&mut Seeded(seed ^ 0x4A57_4B45), BITS)
        .unwrap_or_else(|error| unreachable!("a key of {BITS} bits can be made: {error}"));
    let pem = private.to_pkcs8_pem(LineEnding::LF).map(|pem| pem.to_string());
    Keypair {
        public: private.to_public_key(),
        private_pem: pem.unwrap_or_default(),
    }
}

/// A public key from its PEM, in either of the two usual wrappings.
pub(in crate::salesforce) fn public_key_of_pem(pem: &str) -> Option<RsaPublicKey> {
    RsaPublicKey::from_public_key_pem(pem)
        .ok()
        .or_else(|| RsaPublicKey::from_pkcs1_pem(pem).ok())
}

/// A repeatable run of bytes. It guards nothing but this sandbox.
struct Seeded(u64);

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        mix(&mut self.0) as u32
    }

    fn next_u64(&mut self) -> u64 {
        mix(&mut self.0)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        for part in out.chunks_mut(8) {
            let bytes = mix(&mut self.0).to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Seeded {}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::pkcs8::EncodePublicKey;

    #[test]
    fn a_seed_has_one_keypair_and_pems_are_read_back() {
        let pair = of_seed(7);
        assert_eq!(make(7).private_pem, pair.private_pem);
        let pem = pair.public.to_public_key_pem(LineEnding::LF).expect("PEM");
        assert_eq!(public_key_of_pem(&pem).as_ref(), Some(&pair.public));
        assert!(public_key_of_pem("no key").is_none());
    }
}
