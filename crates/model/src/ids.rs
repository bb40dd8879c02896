//! Identities, each a type, each with one text form that is part of the contract (subjects, keys, files).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A text that is not the identity it was offered as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidIdentity {
    /// The text as it came.
    pub text: String,
    /// What it should have been, with the rule, as the end of a sentence.
    pub expected: &'static str,
}

impl InvalidIdentity {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.chars().take(80).collect(),
            expected,
        }
    }
}

/// Lower-case letters, digits, hyphens and underscores: safe as one token of a NATS subject and of a bucket key.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

macro_rules! token_identity {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Accepts 1 to 64 lower-case letters, digits, hyphens and underscores.
            pub fn new(text: &str) -> Result<Self, InvalidIdentity> {
                if is_token(text) { Ok(Self(text.into())) } else { Err(InvalidIdentity::new(text, $expected)) }
            }

            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidIdentity;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidIdentity;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.to_string()
            }
        }
    };
}

token_identity!(
    /// One customer: one Salesforce org paired with one HubSpot portal.
    TenantId,
    "a tenant name (1 to 64 lower-case letters, digits, hyphens or underscores)"
);
token_identity!(
    /// The name of a sync, unique within its tenant.
    SyncName,
    "a sync name (1 to 64 lower-case letters, digits, hyphens or underscores)"
);
token_identity!(
    /// One import of one sync.
    ImportId,
    "an import id (1 to 64 lower-case letters, digits, hyphens or underscores)"
);
token_identity!(
    /// What a batch belongs to besides its sync: an import's id, or a compare's.
    RunId,
    "a run id (1 to 64 lower-case letters, digits, hyphens or underscores)"
);

impl From<&ImportId> for RunId {
    fn from(import: &ImportId) -> Self {
        Self(import.0.clone())
    }
}

/// A sync's full name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SyncKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which one.
    pub name: SyncName,
}

impl fmt::Display for SyncKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}

/// Counts the edits of a sync's definition, from 1.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Revision(pub u32);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// A Salesforce record id in its 18-character, case-safe form: the only form that Landbridge stores or compares.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SalesforceId([u8; 18]);

const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

impl SalesforceId {
    /// Accepts the 15-character form (extended) and the 18-character form (its checksum must hold: a changed case
    /// makes another record of it).
    pub fn parse(text: &str) -> Result<Self, InvalidIdentity> {
        let expected = "a Salesforce record id (15 characters, or 18 with a checksum that holds)";
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(InvalidIdentity::new(text, expected));
        }
        let mut id = [0u8; 18];
        id[..15].copy_from_slice(&bytes[..15]);
        for group in 0..3 {
            let mut bits = 0usize;
            for (k, byte) in id[group * 5..group * 5 + 5].iter().enumerate() {
                bits |= usize::from(byte.is_ascii_uppercase()) << k;
            }
            id[15 + group] = CHECKSUM[bits];
        }
        if bytes.len() == 18 && !bytes[15..].eq_ignore_ascii_case(&id[15..]) {
            return Err(InvalidIdentity::new(text, expected));
        }
        Ok(Self(id))
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is made of ASCII letters and digits")
    }

    /// The 18 bytes.
    pub fn as_bytes(&self) -> &[u8; 18] {
        &self.0
    }

    /// The three characters that tell the object within one org.
    pub fn key_prefix(&self) -> &str {
        &self.as_str()[..3]
    }
}

impl fmt::Debug for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SalesforceId {
    type Err = InvalidIdentity;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for SalesforceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SalesforceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A HubSpot record id (`hs_object_id`). JSON carries it as text or as a number; both are the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HubSpotId(pub u64);

impl fmt::Display for HubSpotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HubSpotId {
    type Err = InvalidIdentity;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|_| InvalidIdentity::new(text, "a HubSpot record id (a whole number)"))
    }
}

/// A HubSpot object type as paths take it: `2-123456` for a custom object, `0-2` for companies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectTypeId(std::sync::Arc<str>);

impl ObjectTypeId {
    /// Takes HubSpot's own text as it is.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectTypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A fixed slice of the tenants; the unit of ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub u16);

impl Shard {
    /// The shard a tenant belongs to for ever: changing this parts tenants from their lanes, and so does changing
    /// `shards`, which is why an installation fixes the count at its first start.
    pub fn of(tenant: &TenantId, shards: u16) -> Self {
        let digest = Sha256::digest(tenant.as_str().as_bytes());
        let head = u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 digest has 32 bytes"));
        let slot = head % u64::from(shards.max(1));
        Self(u16::try_from(slot).expect("a remainder of a u16 fits a u16"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One tenant's ordered queue at one stage. Lanes never wait for each other.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Changes as they happen.
    Live,
    /// Imports.
    Bulk,
    /// Associations to write.
    Links,
    /// Compare: reads where the others write.
    Check,
}

impl Lane {
    /// The token in subjects, metrics and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Bulk => "bulk",
            Self::Links => "links",
            Self::Check => "check",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Lane {
    type Err = InvalidIdentity;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "live" => Ok(Self::Live),
            "bulk" => Ok(Self::Bulk),
            "links" => Ok(Self::Links),
            "check" => Ok(Self::Check),
            _ => Err(InvalidIdentity::new(text, "a lane (live, bulk, links or check)")),
        }
    }
}

/// The kinds of workers, and control.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    /// Reads Salesforce.
    Extractor,
    /// Turns rows into property values and link intents.
    Mapper,
    /// Joins link intents with identities.
    Resolver,
    /// Writes HubSpot.
    Loader,
    /// Definitions, imports, failures, health.
    Control,
}

impl StageKind {
    /// The token in subjects, metrics and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Extractor => "extractor",
            Self::Mapper => "mapper",
            Self::Resolver => "resolver",
            Self::Loader => "loader",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for StageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StageKind {
    type Err = InvalidIdentity;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Extractor,
            Self::Mapper,
            Self::Resolver,
            Self::Loader,
            Self::Control,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| InvalidIdentity::new(text, "a stage (extractor, mapper, resolver, loader or control)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Public ids with their checksums.
    #[test]
    fn fifteen_characters_extend_to_eighteen() {
        for (short, tail) in [
            ("0015f00002JUWMV", "AA5"),
            ("001ZM000001n4n5", "YAA"),
            ("0015f00002JUZPc", "AAP"),
            ("750R0000000zw4y", "IAA"),
            ("750Qu00000L0KFc", "IAN"),
            ("000000000000000", "AAA"),
            ("a00Hs000001ABCd", "IAO"),
        ] {
            let id = SalesforceId::parse(short).unwrap();
            assert_eq!(id.as_str(), format!("{short}{tail}"));
            assert_eq!(SalesforceId::parse(id.as_str()).unwrap(), id);
        }
    }

    #[test]
    fn a_changed_case_is_no_longer_the_same_id() {
        assert!(SalesforceId::parse("0015F00002JUWMVAA5").is_err());
        assert!(SalesforceId::parse("not an id at al").is_err());
        assert!(SalesforceId::parse("").is_err());
    }

    #[test]
    fn tenants_never_change_their_shard() {
        for (tenant, shard) in [("acme", 0), ("globex", 7), ("initech", 3)] {
            let actual = Shard::of(&TenantId::new(tenant).unwrap(), 16);
            assert_eq!(actual, Shard(shard), "{tenant} moved, and left its lanes behind");
        }
    }

    #[test]
    fn a_name_that_would_break_a_subject_is_refused() {
        for bad in ["", "Acme", "a.b", "a b", "a*", "a>", "é"] {
            assert!(TenantId::new(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
