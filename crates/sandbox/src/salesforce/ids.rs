//! Record ids: fifteen base-62 characters, and three more that make them safe to compare without case.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;

/// Base-62 digits in the order of their bytes, so that ids of one object sort by age as text.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// The instance and the reserved character, the same for every record of a sandbox.
const POD: [u8; 3] = *b"5g0";

/// An object's first three id characters.
pub type KeyPrefix = [u8; 3];

/// The id of a record, kept as its fifteen significant characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId([u8; 15]);

impl RecordId {
    /// The id of a record by its object's prefix and its number there.
    pub fn new(prefix: KeyPrefix, number: u64) -> RecordId {
        let mut id = [b'0'; 15];
        id[..3].copy_from_slice(&prefix);
        id[3..6].copy_from_slice(&POD);
        let mut rest = number;
        for place in id[6..].iter_mut().rev() {
            *place = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        RecordId(id)
    }

    /// Reads fifteen characters, or eighteen whose last three fit the rest.
    pub fn parse(text: &str) -> Option<RecordId> {
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let id = RecordId(bytes[..15].try_into().ok()?);
        (bytes.len() == 15 || id.check() == bytes[15..]).then_some(id)
    }

    /// The first three characters, which tell the object.
    pub fn prefix(&self) -> KeyPrefix {
        [self.0[0], self.0[1], self.0[2]]
    }

    /// The record's number within its object, if the id is one of this sandbox's own.
    pub fn number(&self) -> Option<u64> {
        if self.0[3..6] != POD {
            return None;
        }
        self.0[6..].iter().try_fold(0u64, |number, byte| {
            let digit = DIGITS.binary_search(byte).ok()?;
            Some(number * 62 + digit as u64)
        })
    }

    /// The three characters that say which of the fifteen are upper case.
    fn check(&self) -> [u8; 3] {
        let mut check = [0; 3];
        for (group, letter) in self.0.chunks(5).zip(&mut check) {
            let bits = group
                .iter()
                .enumerate()
                .fold(0, |bits, (k, c)| bits | usize::from(c.is_ascii_uppercase()) << k);
            *letter = CHECKS[bits];
        }
        check
    }

    /// All eighteen characters.
    pub fn bytes(&self) -> [u8; 18] {
        let mut all = [0; 18];
        all[..15].copy_from_slice(&self.0);
        all[15..].copy_from_slice(&self.check());
        all
    }

    /// The fifteen-character form, as some messages and tokens show it.
    pub fn short(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes();
        f.write_str(std::str::from_utf8(&bytes).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        RecordId::parse(&text).ok_or_else(|| D::Error::custom(format!("{text} is no id")))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key prefix of the n-th custom object of an org: `a00`, `a01` and on.
pub fn custom_prefix(position: usize) -> KeyPrefix {
    [b'a', DIGITS[position / 62 % 62], DIGITS[position % 62]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn check_characters_of_public_ids() {
        let public = [
            ("0015f00002JUWMV", "AA5"),
            ("001ZM000001n4n5", "YAA"),
            ("0015f00002JUZPc", "AAP"),
            ("750R0000000zw4y", "IAA"),
            ("750Qu00000L0KFc", "IAN"),
            ("000000000000000", "AAA"),
            ("a00Hs000001ABCd", "IAO"),
        ];
        for (short, check) in public {
            let id = RecordId::parse(short).expect("fifteen characters");
            assert_eq!(id.to_string(), format!("{short}{check}"));
            assert_eq!(RecordId::parse(&id.to_string()), Some(id));
        }
    }

    #[test]
    fn wrong_ids_are_refused() {
        for wrong in [
            "",
            "a00",
            "001ZM000001n4n5YAB",
            "001zm000001n4n5YAA",
            "001ZM000001n4n5YA",
            "001ZM000001n4n-",
        ] {
            assert_eq!(RecordId::parse(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn ids_sort_as_their_numbers(a in 0u64..1 << 50, b in 0u64..1 << 50) {
            let (x, y) = (RecordId::new(*b"a00", a), RecordId::new(*b"a00", b));
            prop_assert_eq!(x.number(), Some(a));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.to_string().cmp(&y.to_string()), a.cmp(&b));
        }
    }
}
