//! Identities in the space they need, since an import may have millions of them.

use landbridge_model::{SalesforceId, Version};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A Salesforce id in 12 bytes: its 15 meaningful characters, six bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CompactId([u32; 3]);

impl From<SalesforceId> for CompactId {
    fn from(id: SalesforceId) -> Self {
        let mut words = [0u32; 3];
        for (place, byte) in id.as_bytes()[..15].iter().enumerate() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                _ => byte - b'a' + 36,
            };
            words[place / 5] |= u32::from(digit) << (6 * (place % 5));
        }
        Self(words)
    }
}

impl From<CompactId> for SalesforceId {
    fn from(id: CompactId) -> Self {
        let mut text = [0u8; 15];
        for (place, byte) in text.iter_mut().enumerate() {
            let digit = (id.0[place / 5] >> (6 * (place % 5))) & 63;
            *byte = ALPHABET[digit as usize % ALPHABET.len()];
        }
        let text = std::str::from_utf8(&text).expect("the alphabet is ASCII");
        SalesforceId::parse(text).expect("15 letters and digits are an id")
    }
}

/// A version in 16 bytes that need no alignment to eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompactVersion([u32; 4]);

impl From<Version> for CompactVersion {
    fn from(version: Version) -> Self {
        let half = |number: i64| {
            let bytes = number.to_ne_bytes();
            [
                u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
                u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            ]
        };
        let ([a, b], [c, d]) = (half(version.stamp_ms), half(version.read_ms));
        Self([a, b, c, d])
    }
}

impl From<CompactVersion> for Version {
    fn from(version: CompactVersion) -> Self {
        let whole = |head: u32, tail: u32| {
            let (head, tail) = (head.to_ne_bytes(), tail.to_ne_bytes());
            i64::from_ne_bytes([
                head[0], head[1], head[2], head[3], tail[0], tail[1], tail[2], tail[3],
            ])
        };
        let [a, b, c, d] = version.0;
        Self::new(whole(a, b), whole(c, d))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_come_back_as_they_went(text in "[0-9A-Za-z]{15}") {
            let id = SalesforceId::parse(&text).unwrap();
            prop_assert_eq!(SalesforceId::from(CompactId::from(id)), id);
        }

        #[test]
        fn versions_come_back_as_they_went(stamp: i64, read: i64) {
            let version = Version::new(stamp, read);
            prop_assert_eq!(Version::from(CompactVersion::from(version)), version);
        }
    }
}
