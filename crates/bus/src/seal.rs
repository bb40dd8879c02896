//! Sealed secrets: what is sealed to a worker's public key can be opened by that worker alone, not even by the sealer.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto_box::aead::OsRng;
use serde::{Deserialize, Serialize};

use landbridge_model::StageKind;

use crate::bus::Bus;
use crate::config::Secret;
use crate::kv::{Key, KvError};
use crate::streams::Bucket;

/// Why a seal does not hold or open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The key's file cannot be used.
    #[error("the key file {path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Not a key.
    #[error("{0} holds no key (32 bytes in base64)")]
    NotAKey(String),
    /// Sealed to a key that is not here.
    #[error(
        "it is sealed to the key {to}, which is not among the keys here: enter it again, or name the folder that holds \
         the key in earlier_keys_dirs"
    )]
    NotOurs {
        /// The public key it was sealed to.
        to: String,
    },
    /// Damaged.
    #[error("it is damaged: enter it again")]
    CannotOpen,
    /// Sealing itself failed.
    #[error("the secret cannot be sealed")]
    CannotSeal,
    /// No worker of that stage has published its key yet.
    #[error("no {0} has published its public key yet: start one first")]
    NoKey(StageKind),
    /// The bucket.
    #[error("the public keys cannot be read or written")]
    Bucket(#[from] KvError),
}

/// Whom to seal to.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(crypto_box::PublicKey);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.text())
    }
}

impl PublicKey {
    /// The text form, base64.
    pub fn text(&self) -> String {
        BASE64.encode(self.0.as_bytes())
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = key_bytes(text).ok_or_else(|| SealError::NotAKey("the public key".to_owned()))?;
        Ok(Self(crypto_box::PublicKey::from(bytes)))
    }

    /// Seals bytes. Sealing the same twice gives different texts.
    pub fn seal(&self, secret: &[u8]) -> Result<Sealed, SealError> {
        let sealed = self
            .0
            .seal(&mut OsRng, secret)
            .map_err(|_| SealError::CannotSeal)?;
        Ok(Sealed {
            to: self.text(),
            sealed: BASE64.encode(sealed),
        })
    }
}

/// A sealed secret, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The public key it was sealed to.
    pub to: String,
    /// The sealed bytes, base64.
    pub sealed: String,
}

/// A worker's own pair of keys.
#[derive(Clone)]
pub struct KeyPair(crypto_box::SecretKey);

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public().text())
    }
}

impl KeyPair {
    /// A new pair.
    pub fn generate() -> Self {
        Self(crypto_box::SecretKey::generate(&mut OsRng))
    }

    /// From the text form of the secret key, as an environment variable would hold it.
    pub fn from_secret(secret: &Secret) -> Result<Self, SealError> {
        let bytes = key_bytes(secret.reveal()).ok_or_else(|| SealError::NotAKey("the setting".to_owned()))?;
        Ok(Self(crypto_box::SecretKey::from(bytes)))
    }

    /// From a file, which is made with a new pair, readable by its owner alone, if there is none.
    pub fn load_or_create(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File {
            path: path.to_owned(),
            source,
        };
        if let Some(pair) = Self::load(path)? {
            return Ok(pair);
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let pair = Self::generate();
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let text = BASE64.encode(pair.0.to_bytes());
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(failed)?;
                Ok(pair)
            }
            // Another process made it this very moment: its pair is the pair.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load_or_create(path),
            Err(error) => Err(failed(error)),
        }
    }

    /// From a file; `None` if there is none.
    pub fn load(path: &Path) -> Result<Option<Self>, SealError> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let bytes = key_bytes(&text).ok_or_else(|| SealError::NotAKey(path.display().to_string()))?;
                Ok(Some(Self(crypto_box::SecretKey::from(bytes))))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SealError::File {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key())
    }

    /// Opens what was sealed to this pair.
    pub fn open(&self, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        if sealed.to != self.public().text() {
            return Err(SealError::NotOurs {
                to: sealed.to.clone(),
            });
        }
        let bytes = BASE64.decode(&sealed.sealed).map_err(|_| SealError::CannotOpen)?;
        self.0.unseal(&bytes).map_err(|_| SealError::CannotOpen)
    }
}

/// The keys of a stage: the current one, which others seal to, and earlier ones, which still open what was sealed to them.
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: KeyPair,
    earlier: Vec<KeyPair>,
}

impl KeyRing {
    /// A current pair with those that it takes over from.
    pub fn new(current: KeyPair, earlier: Vec<KeyPair>) -> Self {
        Self { current, earlier }
    }

    /// Whom to seal to.
    pub fn public(&self) -> PublicKey {
        self.current.public()
    }

    /// Whether something is sealed to the current key.
    pub fn is_current(&self, to: &str) -> bool {
        self.current.public().text() == to
    }

    /// Opens what is sealed to any of the keys.
    pub fn open(&self, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let pairs = std::iter::once(&self.current).chain(&self.earlier);
        let mut found = pairs.filter(|pair| pair.public().text() == sealed.to);
        let pair = found.next().ok_or_else(|| SealError::NotOurs {
            to: sealed.to.clone(),
        })?;
        pair.open(sealed)
    }

    /// The same secret sealed to the current key; `None` when it is already.
    pub fn reseal(&self, sealed: &Sealed) -> Result<Option<Sealed>, SealError> {
        if self.is_current(&sealed.to) {
            return Ok(None);
        }
        self.public().seal(&self.open(sealed)?).map(Some)
    }
}

/// Makes a stage's public key known, in `lb_config` under `keys.<stage>`. All workers of a stage must share one pair.
pub async fn publish_key(bus: &Bus, stage: StageKind, key: &PublicKey) -> Result<(), SealError> {
    let place = Key::new(["keys", stage.as_str()]);
    let config = bus.kv(Bucket::Config);
    let known = config.get(&place).await?;
    if known.is_none_or(|entry| entry.value != key.text().as_bytes()) {
        config.put(&place, key.text()).await?;
    }
    Ok(())
}

/// A stage's public key.
pub async fn public_key(bus: &Bus, stage: StageKind) -> Result<PublicKey, SealError> {
    let entry = bus
        .kv(Bucket::Config)
        .get(&Key::new(["keys", stage.as_str()]))
        .await?;
    let entry = entry.ok_or(SealError::NoKey(stage))?;
    PublicKey::parse(&String::from_utf8_lossy(&entry.value))
}

fn key_bytes(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text.trim()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_the_addressee_opens() {
        let (addressee, other) = (KeyPair::generate(), KeyPair::generate());
        let sealed = addressee.public().seal(b"token").unwrap();
        assert_eq!(addressee.open(&sealed).unwrap(), b"token");
        assert!(matches!(other.open(&sealed), Err(SealError::NotOurs { .. })));
        let damaged = Sealed {
            sealed: other.public().seal(b"token").unwrap().sealed,
            ..sealed.clone()
        };
        assert!(matches!(addressee.open(&damaged), Err(SealError::CannotOpen)));
        assert_ne!(sealed, addressee.public().seal(b"token").unwrap());
    }

    #[test]
    fn a_ring_opens_with_any_of_its_keys_and_seals_to_the_current_one_alone() {
        let (current, earlier, lost) = (KeyPair::generate(), KeyPair::generate(), KeyPair::generate());
        let ring = KeyRing::new(current.clone(), vec![KeyPair::generate(), earlier.clone()]);
        assert_eq!(ring.public(), current.public());
        let old = earlier.public().seal(b"token").unwrap();
        assert_eq!(ring.open(&old).unwrap(), b"token");
        let new = ring.reseal(&old).unwrap().unwrap();
        assert_eq!(current.open(&new).unwrap(), b"token");
        assert_eq!(ring.reseal(&new).unwrap(), None);
        let gone = lost.public().seal(b"token").unwrap();
        match ring.reseal(&gone) {
            Err(SealError::NotOurs { to }) => assert_eq!(to, lost.public().text()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pair_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/loader.key");
        let pair = KeyPair::load_or_create(&path).unwrap();
        assert_eq!(KeyPair::load_or_create(&path).unwrap().public(), pair.public());
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let secret = std::fs::read_to_string(&path).unwrap();
        assert!(!format!("{pair:?}").contains(secret.trim()));
        std::fs::write(&path, "not a key").unwrap();
        assert!(KeyPair::load_or_create(&path).is_err());
    }
}
