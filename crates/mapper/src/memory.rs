//! What the mapper remembers of records: the newest version it has seen, and what it made of it. A cache: losing it
//! costs HubSpot calls that turn out to be superseded, and a line in a record's story.

use landbridge_model::{
    ChangeBatch, ChangeKind, Outcome, SalesforceId, Source, SyncKey, SyncName, TenantId, Version,
};
use landbridge_stage::{Cache, CacheBatch, StageError};

use crate::map::Mapped;

/// Version, verdict, cause, time.
const ENTRY_BYTES: usize = 8 + 8 + 1 + 1 + 8;

/// What was made of a record's newest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Write(ChangeKind),
    Filtered,
    Failed,
}

/// What is known of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) made: Made,
    pub(crate) source: Source,
    pub(crate) at_ms: i64,
}

const MADE: [Made; 5] = [
    Made::Write(ChangeKind::Upsert),
    Made::Write(ChangeKind::Delete),
    Made::Write(ChangeKind::Leave),
    Made::Filtered,
    Made::Failed,
];

impl Seen {
    fn encode(self) -> [u8; ENTRY_BYTES] {
        let place = |at: Option<usize>| at.and_then(|at| u8::try_from(at).ok()).unwrap_or_default();
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.version.stamp_ms.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.version.read_ms.to_be_bytes());
        bytes[16] = place(MADE.iter().position(|made| *made == self.made));
        bytes[17] = self.source.number();
        bytes[18..].copy_from_slice(&self.at_ms.to_be_bytes());
        bytes
    }

    /// `None` for what an older or newer mapper wrote: then nothing is known.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |from: usize| Some(i64::from_be_bytes(bytes.get(from..from + 8)?.try_into().ok()?));
        if bytes.len() != ENTRY_BYTES {
            return None;
        }
        Some(Self {
            version: Version::new(number(0)?, number(8)?),
            made: *MADE.get(usize::from(bytes[16]))?,
            source: Source::of_number(bytes[17])?,
            at_ms: number(18)?,
        })
    }
}

fn prefix(tenant: &TenantId, sync: &SyncName) -> Vec<u8> {
    format!("{tenant}/{sync}/").into_bytes()
}

/// What is known of one record.
pub(crate) fn seen(
    cache: &Cache,
    tenant: &TenantId,
    sync: &SyncName,
    id: &SalesforceId,
) -> Result<Option<Seen>, StageError> {
    let mut key = prefix(tenant, sync);
    key.extend(id.as_bytes());
    Ok(cache.get(&key)?.and_then(|bytes| Seen::decode(&bytes)))
}

/// The versions known of a batch's records, one for each row.
pub(crate) fn versions(cache: &Cache, batch: &ChangeBatch) -> Result<Vec<Option<Version>>, StageError> {
    let mut key = prefix(&batch.envelope.tenant, &batch.envelope.sync);
    let stem = key.len();
    let version = |id: &SalesforceId| {
        key.truncate(stem);
        key.extend(id.as_bytes());
        let known = cache.get(&key)?.and_then(|bytes| Seen::decode(&bytes));
        Ok(known.map(|seen| seen.version))
    };
    batch.ids.iter().map(version).collect()
}

/// What is to be remembered of a batch that was mapped. Superseded rows leave the memory as it is.
pub(crate) fn remember(batch: &ChangeBatch, mapped: &Mapped, at_ms: i64) -> CacheBatch {
    let SyncKey { tenant, name } = batch.envelope.sync_key();
    let stem = prefix(&tenant, &name);
    let mut changes = CacheBatch::new();
    if batch.envelope.only.is_some() {
        // A part of a row is not its version: another edit of the same second must still pass with the rest.
        return changes;
    }
    let mut put = |id: &SalesforceId, version: Version, made: Made| {
        let mut key = stem.clone();
        key.extend(id.as_bytes());
        let seen = Seen {
            version,
            made,
            source: batch.envelope.source,
            at_ms,
        };
        changes.put(&key, &seen.encode());
    };
    for writes in &mapped.writes {
        for (row, id) in writes.ids.iter().enumerate() {
            put(id, writes.versions[row], Made::Write(writes.kinds[row]));
        }
    }
    for outcome in &mapped.outcomes {
        match outcome.outcome {
            Outcome::Filtered => put(&outcome.id, outcome.version, Made::Filtered),
            Outcome::Failed => put(&outcome.id, outcome.version, Made::Failed),
            _ => {}
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_read_back() {
        for made in MADE {
            for source in Source::ALL {
                let seen = Seen {
                    version: Version::new(1_767_225_600_000, 1_767_225_600_123),
                    made,
                    source,
                    at_ms: 1_767_225_600_456,
                };
                assert_eq!(Seen::decode(&seen.encode()), Some(seen));
            }
        }
        assert_eq!(Seen::decode(b"something else"), None);
    }
}
