//! What this worker knows of HubSpot's records, and what it means for a change. Pure, but for the reads and writes of
//! the shard's cache at the end.

use landbridge_model::{HubSpotId, ObjectTypeId, SalesforceId, TenantId, Version};
use landbridge_stage::{Cache, CacheBatch, StageError};
use sha2::{Digest, Sha256};

use crate::reign::Reign;

/// Stands for the values that a write set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Of properties with their values; a null differs from an empty text and from a property not carried.
    pub(crate) fn of<'a>(cells: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let mut hash = Sha256::new();
        let mut add = |text: &[u8]| {
            hash.update((text.len() as u32).to_be_bytes());
            hash.update(text);
        };
        for (name, value) in cells {
            add(name.as_bytes());
            match value {
                Some(value) => add(value.as_bytes()),
                None => add(&[0xff, 0xff]),
            }
        }
        let digest = hash.finalize();
        Self(digest[..16].try_into().expect("a SHA-256 digest has 32 bytes"))
    }
}

/// What HubSpot has of one record, as far as this worker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing is known: HubSpot must be asked.
    Nothing,
    /// HubSpot has no such record.
    Absent,
    /// HubSpot has it.
    Present(Present),
    /// It was deleted by the change of this version.
    Gone(Version),
}

impl Known {
    /// The newest version that was applied.
    fn newest(self) -> Option<Version> {
        match self {
            Self::Present(present) => present.version,
            Self::Gone(gone) => Some(gone),
            Self::Nothing | Self::Absent => None,
        }
    }

    /// Whether the write of this version made the record, and that is not told yet.
    pub(crate) fn was_made_at(self, version: Version) -> bool {
        matches!(self, Self::Present(present) if present.made && present.version == Some(version))
    }

    /// Whether a newer version was applied.
    pub(crate) fn is_newer_than(self, version: Version) -> bool {
        self.newest()
            .is_some_and(|applied| version.is_superseded_by(applied))
    }
}

/// A record that HubSpot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    /// Its id.
    pub(crate) id: HubSpotId,
    /// The newest version applied; `None` is a record that Landbridge never wrote.
    pub(crate) version: Option<Version>,
    /// Of the values last applied, when it was this worker that applied them.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Whether the resolver was told.
    pub(crate) told: bool,
    /// Whether it was made by the write of this version, and that is not told yet.
    pub(crate) made: bool,
}

/// What to do with an upsert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Ask HubSpot first.
    Look,
    /// Send it.
    Write,
    /// HubSpot has these values already.
    Unchanged,
    /// A newer version was applied.
    Superseded,
}

/// Judges an upsert. `force` disregards fingerprints, never versions.
pub(crate) fn judge(known: Known, version: Version, fingerprint: Fingerprint, force: bool) -> Judgement {
    match known {
        Known::Nothing => Judgement::Look,
        Known::Absent => Judgement::Write,
        Known::Gone(gone) if version.is_superseded_by(gone) => Judgement::Superseded,
        Known::Gone(_) => Judgement::Write,
        Known::Present(present) => {
            if present
                .version
                .is_some_and(|applied| version.is_superseded_by(applied))
            {
                Judgement::Superseded
            } else if !force && present.fingerprint == Some(fingerprint) {
                Judgement::Unchanged
            } else {
                Judgement::Write
            }
        }
    }
}

/// What to remember after a write landed, over what was remembered before. A version is never lowered, or a still older row
/// could pass. Of a newer one that was written over nothing else is believed: the next row of it is written again.
pub(crate) fn landed(before: Known, now: Present) -> Present {
    match (before.newest(), now.version) {
        (Some(newest), Some(version)) if version.is_superseded_by(newest) => Present {
            version: Some(newest),
            fingerprint: None,
            made: false,
            ..now
        },
        _ => now,
    }
}

/// What a back-fill does with a record that is there at the row's own stamp, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// Its part is written, and what is applied stays of the version that it is.
    Part(Present),
    /// The row brings news: all of it is written.
    Whole,
    /// Landbridge never wrote the record, or has deleted it: there is nothing to fill.
    Nothing,
}

/// Judges a row of a back-fill that is not superseded; for when HubSpot was asked of a record that nobody knew.
///
/// A part does not count as the row's version: another edit of the same second may be on its way with the rest of it.
pub(crate) fn fill(known: Known, version: Version) -> Filling {
    let Known::Present(present) = known else {
        return Filling::Nothing;
    };
    match present.version {
        Some(applied) if applied.stamp_ms == version.stamp_ms => Filling::Part(present),
        Some(_) => Filling::Whole,
        None => Filling::Nothing,
    }
}

/// What to do with a delete whose record was looked up in HubSpot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeleteJudgement {
    /// HubSpot has no such record: nothing is left to do.
    AlreadyGone,
    /// Somebody else's record that happens to carry the id: it is not touched.
    NotOurs,
    /// A newer version was applied.
    Superseded,
    /// Archive it.
    Archive(HubSpotId),
}

/// Judges a delete by what HubSpot holds: the record's id and its `landbridge_version`.
pub(crate) fn judge_delete(
    found: Option<(HubSpotId, Option<Version>)>,
    remembered: Known,
    version: Version,
) -> DeleteJudgement {
    if remembered.is_newer_than(version) {
        return DeleteJudgement::Superseded;
    }
    match found {
        None => DeleteJudgement::AlreadyGone,
        Some((_, None)) => DeleteJudgement::NotOurs,
        Some((_, Some(applied))) if version.is_superseded_by(applied) => DeleteJudgement::Superseded,
        Some((id, Some(_))) => DeleteJudgement::Archive(id),
    }
}

const PRESENT: u8 = 1;
const GONE: u8 = 2;
const TOLD: u8 = 1;
const VERSIONED: u8 = 2;
const FINGERPRINTED: u8 = 4;
const MADE: u8 = 8;

fn encode(known: Known) -> Option<[u8; 42]> {
    let mut bytes = [0u8; 42];
    let version = match known {
        Known::Nothing | Known::Absent => return None,
        Known::Gone(version) => {
            bytes[0] = GONE;
            version
        }
        Known::Present(present) => {
            bytes[0] = PRESENT;
            bytes[1] = [
                (present.told, TOLD),
                (present.made, MADE),
                (present.version.is_some(), VERSIONED),
                (present.fingerprint.is_some(), FINGERPRINTED),
            ]
            .iter()
            .map(|(set, flag)| u8::from(*set) * flag)
            .sum();
            bytes[2..10].copy_from_slice(&present.id.0.to_be_bytes());
            bytes[26..42].copy_from_slice(&present.fingerprint.map_or([0; 16], |print| print.0));
            present.version.unwrap_or_default()
        }
    };
    bytes[10..18].copy_from_slice(&version.stamp_ms.to_be_bytes());
    bytes[18..26].copy_from_slice(&version.read_ms.to_be_bytes());
    Some(bytes)
}

fn decode(bytes: &[u8]) -> Option<Known> {
    let bytes: &[u8; 42] = bytes.try_into().ok()?;
    let word = |at: usize| -> [u8; 8] { bytes[at..at + 8].try_into().expect("eight bytes were taken") };
    let version = Version::new(i64::from_be_bytes(word(10)), i64::from_be_bytes(word(18)));
    let flag = |bit: u8| bytes[1] & bit != 0;
    match bytes[0] {
        GONE => Some(Known::Gone(version)),
        PRESENT => Some(Known::Present(Present {
            id: HubSpotId(u64::from_be_bytes(word(2))),
            version: flag(VERSIONED).then_some(version),
            fingerprint: flag(FINGERPRINTED)
                .then(|| Fingerprint(bytes[26..42].try_into().expect("sixteen bytes were taken"))),
            told: flag(TOLD),
            made: flag(MADE),
        })),
        _ => None,
    }
}

/// The cache's part that remembers records, of one tenant.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    cache: Cache,
    tenant: TenantId,
    reign: Reign,
}

impl Memory {
    pub(crate) fn new(cache: Cache, tenant: TenantId, reign: Reign) -> Self {
        Self { cache, tenant, reign }
    }

    fn prefix(&self, kind: char, object_type: &ObjectTypeId) -> Vec<u8> {
        format!("{kind}{}\0{object_type}\0", self.tenant).into_bytes()
    }

    fn key(&self, object_type: &ObjectTypeId, id: SalesforceId) -> Vec<u8> {
        let mut key = self.prefix('k', object_type);
        key.extend_from_slice(id.as_bytes());
        key
    }

    /// What is known of a record. `complete` says that every record of the type is remembered.
    pub(crate) fn look(
        &self,
        object_type: &ObjectTypeId,
        id: SalesforceId,
        complete: bool,
    ) -> Result<Known, StageError> {
        let stored = self.cache.get(&self.key(object_type, id))?;
        let missing = if complete { Known::Absent } else { Known::Nothing };
        Ok(stored.and_then(|bytes| decode(&bytes)).unwrap_or(missing))
    }

    /// Remembers records together.
    pub(crate) async fn remember(
        &self,
        object_type: &ObjectTypeId,
        records: impl IntoIterator<Item = (SalesforceId, Known)>,
    ) -> Result<(), StageError> {
        let mut batch = CacheBatch::new();
        for (id, known) in records {
            let key = self.key(object_type, id);
            match encode(known) {
                Some(bytes) => batch.put(&key, &bytes),
                None => batch.remove(&key),
            }
        }
        self.cache.apply(batch).await
    }

    /// Remembers a record only if nothing is remembered of it: for what a listing shows, which may be older.
    pub(crate) fn remember_if_new(
        &self,
        object_type: &ObjectTypeId,
        id: SalesforceId,
        known: Known,
    ) -> Result<(), StageError> {
        let key = self.key(object_type, id);
        match encode(known) {
            Some(bytes) => self.cache.put_if_new(&key, &bytes).map(drop),
            None => Ok(()),
        }
    }

    /// The resolver and control were told of these records.
    pub(crate) async fn set_told(
        &self,
        object_type: &ObjectTypeId,
        records: impl IntoIterator<Item = (SalesforceId, HubSpotId)>,
    ) -> Result<(), StageError> {
        let records = records.into_iter();
        let entries = records
            .map(|(id, told)| (self.key(object_type, id), told))
            .collect();
        let change = |told: &HubSpotId, old: &[u8]| match decode(old) {
            Some(Known::Present(present)) if present.id == *told && (present.made || !present.told) => {
                let present = Present {
                    told: true,
                    made: false,
                    ..present
                };
                encode(Known::Present(present)).map(Vec::from)
            }
            _ => None,
        };
        self.cache.change(entries, change).await
    }

    /// Remembers that a record was deleted by the change of this version: a tombstone, which keeps an older row from
    /// bringing the record back.
    pub(crate) fn bury(
        &self,
        object_type: &ObjectTypeId,
        id: SalesforceId,
        version: Version,
    ) -> Result<(), StageError> {
        match encode(Known::Gone(version)) {
            Some(tombstone) => self.cache.put(&self.key(object_type, id), &tombstone),
            None => Ok(()),
        }
    }

    /// Whether every record of a type is remembered.
    pub(crate) fn is_complete(&self, object_type: &ObjectTypeId) -> Result<bool, StageError> {
        let mark = self.cache.get(&self.prefix('c', object_type))?;
        Ok(mark.is_some_and(|mark| self.reign.holds(&mark)))
    }

    /// Every record of the type is remembered from now on.
    pub(crate) fn set_complete(&self, object_type: &ObjectTypeId) -> Result<(), StageError> {
        self.cache.put(&self.prefix('c', object_type), &self.reign.mark())
    }

    /// How many records of a type HubSpot has, as far as they are remembered; counts them.
    pub(crate) fn count(&self, object_type: &ObjectTypeId) -> usize {
        let remembered = self.cache.scan_prefix(&self.prefix('k', object_type));
        let is_there = |bytes: &[u8]| matches!(decode(bytes), Some(Known::Present(_)));
        remembered
            .filter(|entry| entry.as_ref().is_ok_and(|(_, bytes)| is_there(bytes)))
            .count()
    }

    /// The day's calls as last put down: (end of that day in milliseconds since 1970, calls).
    pub(crate) fn daily(&self) -> Result<Option<(i64, u32)>, StageError> {
        let stored = self.cache.get(format!("d{}", self.tenant).as_bytes())?;
        Ok(stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Puts the day's calls down.
    pub(crate) fn set_daily(&self, ends_ms: i64, spent: u32) -> Result<(), StageError> {
        let bytes = format!("[{ends_ms},{spent}]");
        self.cache
            .put(format!("d{}", self.tenant).as_bytes(), bytes.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(text: &str) -> Fingerprint {
        Fingerprint::of([("name", Some(text))])
    }

    fn present(version: Option<i64>, values: Option<&str>) -> Known {
        Known::Present(Present {
            id: HubSpotId(7),
            version: version.map(|stamp| Version::new(stamp, 0)),
            fingerprint: values.map(print),
            told: false,
            made: false,
        })
    }

    #[test]
    fn upserts_are_judged_by_version_first_and_by_value_second() {
        use Judgement::{Look, Superseded, Unchanged, Write};
        for (known, force, expected) in [
            (Known::Nothing, false, Look),
            (Known::Absent, false, Write),
            (Known::Gone(Version::new(6, 0)), false, Superseded),
            (Known::Gone(Version::new(4, 0)), false, Write),
            (present(Some(6), Some("a")), false, Superseded),
            (present(Some(6), Some("a")), true, Superseded),
            (present(Some(5), Some("a")), false, Unchanged),
            (present(Some(4), Some("a")), false, Unchanged),
            (present(Some(5), Some("a")), true, Write),
            (present(Some(5), Some("b")), false, Write),
            (present(Some(5), None), false, Write),
            (present(None, None), false, Write),
        ] {
            let verdict = judge(known, Version::new(5, 0), print("a"), force);
            assert_eq!(verdict, expected, "{known:?} force {force}");
        }
    }

    #[test]
    fn a_version_is_never_lowered() {
        let of = |known| match known {
            Known::Present(present) => present,
            _ => unreachable!("it is made present"),
        };
        let written = of(present(Some(5), Some("a")));
        for (before, expected) in [
            (Known::Nothing, present(Some(5), Some("a"))),
            (Known::Absent, present(Some(5), Some("a"))),
            (Known::Gone(Version::new(4, 0)), present(Some(5), Some("a"))),
            (Known::Gone(Version::new(6, 0)), present(Some(6), None)),
            (present(Some(5), Some("b")), present(Some(5), Some("a"))),
            (present(Some(6), Some("b")), present(Some(6), None)),
            (present(None, None), present(Some(5), Some("a"))),
        ] {
            assert_eq!(landed(before, written), of(expected), "{before:?}");
        }
    }

    #[test]
    fn a_back_fill_writes_its_part_of_what_was_written_before() {
        let part = |read| match present(Some(5), read) {
            Known::Present(present) => Filling::Part(present),
            _ => unreachable!("it is made present"),
        };
        for (known, expected) in [
            (Known::Nothing, Filling::Nothing),
            (Known::Absent, Filling::Nothing),
            (Known::Gone(Version::new(4, 0)), Filling::Nothing),
            (present(None, None), Filling::Nothing),
            (present(Some(5), Some("a")), part(Some("a"))),
            (present(Some(5), None), part(None)),
            (present(Some(4), Some("a")), Filling::Whole),
        ] {
            assert_eq!(fill(known, Version::new(5, 9)), expected, "{known:?}");
        }
    }

    #[test]
    fn only_what_landbridge_wrote_is_deleted() {
        use DeleteJudgement::{AlreadyGone, Archive, NotOurs, Superseded};
        let id = HubSpotId(7);
        let at = |stamp| Some(Version::new(stamp, 0));
        for (found, remembered, expected) in [
            (None, Known::Nothing, AlreadyGone),
            (Some((id, None)), Known::Nothing, NotOurs),
            (Some((id, at(4))), Known::Nothing, Archive(id)),
            (Some((id, at(5))), present(Some(5), None), Archive(id)),
            (Some((id, at(6))), Known::Nothing, Superseded),
            (Some((id, at(4))), present(Some(6), None), Superseded),
            (None, Known::Gone(Version::new(6, 0)), Superseded),
        ] {
            assert_eq!(
                judge_delete(found, remembered, Version::new(5, 0)),
                expected,
                "{found:?} {remembered:?}"
            );
        }
    }

    #[test]
    fn what_is_remembered_comes_back() {
        for known in [
            Known::Gone(Version::new(5, -1)),
            present(None, None),
            present(Some(5), Some("a")),
            Known::Present(Present {
                id: HubSpotId(u64::MAX),
                version: None,
                fingerprint: None,
                told: true,
                made: true,
            }),
        ] {
            assert_eq!(decode(&encode(known).unwrap()), Some(known));
        }
        assert_eq!(encode(Known::Absent), None);
        assert_eq!(decode(b"from another version"), None);
    }

    #[test]
    fn a_null_is_not_an_empty_text() {
        let of = |cells: &[(&str, Option<&str>)]| Fingerprint::of(cells.iter().copied());
        assert_ne!(of(&[("a", None)]), of(&[("a", Some(""))]));
        assert_ne!(of(&[("a", Some("b")), ("c", None)]), of(&[("a", Some("b"))]));
        assert_ne!(of(&[("ab", Some("c"))]), of(&[("a", Some("bc"))]));
    }
}
