//! Buckets: small values by key, compared and set, listed and watched.

use std::fmt;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bus::Bus;
use crate::error::{Error, Verdict, WRONG_LAST_SEQUENCE};
use crate::follow::{FollowFrom, RawFollow, RawFollowed};
use crate::headers::Headers;
use crate::memory::{RawStored, list_raw};
use crate::streams::Bucket;
use crate::subject::{escape, unescape};

/// How long one write may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a plain write is repeated when the server does not answer.
const WRITE_ATTEMPTS: u32 = 5;

/// A key: tokens joined by dots. Any text can be a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// Joins tokens: `Key::new(["syncs", "acme", "vehicles"])` is `syncs.acme.vehicles`.
    pub fn new<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Self {
        let tokens: Vec<String> = tokens.into_iter().map(|token| escape(token.as_ref())).collect();
        Self(tokens.join("."))
    }

    /// The tokens again.
    pub fn tokens(&self) -> Vec<String> {
        self.0
            .split('.')
            .map(|token| unescape(token).unwrap_or_else(|| token.to_owned()))
            .collect()
    }

    /// The text form, escaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Some of a bucket's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFilter {
    /// All of them.
    All,
    /// One.
    Exact(Key),
    /// Those that begin with these tokens and have more.
    Under(Key),
    /// Those that begin with any of these and have more.
    UnderAny(Vec<Key>),
}

impl KeyFilter {
    fn patterns(&self, bucket: Bucket) -> Vec<String> {
        let prefix = bucket.prefix();
        match self {
            Self::All => vec![format!("{prefix}>")],
            Self::Exact(key) => vec![format!("{prefix}{key}")],
            Self::Under(key) => vec![format!("{prefix}{key}.>")],
            Self::UnderAny(keys) => keys.iter().map(|key| format!("{prefix}{key}.>")).collect(),
        }
    }
}

/// A value with its place in the bucket's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvEntry {
    /// Its key.
    pub key: Key,
    /// Grows with every write to the bucket.
    pub revision: u64,
    /// The value.
    pub value: Bytes,
    /// When it was written, by the server's clock.
    pub time: jiff::Timestamp,
}

impl KvEntry {
    /// Reads the value as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, KvError> {
        serde_json::from_slice(&self.value).map_err(|source| KvError::Unreadable {
            key: self.key.to_string(),
            source,
        })
    }
}

/// Why a bucket did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// The key has a value already.
    #[error("the key exists already")]
    Exists,
    /// Somebody else has written since: read again and decide again.
    #[error("somebody else has written the key meanwhile")]
    Conflict,
    /// A value of another shape than this version writes.
    #[error("the value of {key} cannot be read")]
    Unreadable {
        /// The key.
        key: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// A value that JSON cannot say.
    #[error("the value of {key} cannot be written")]
    Unwritable {
        /// The key.
        key: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// The bus.
    #[error("the bucket does not answer")]
    Bus(#[from] Error),
}

impl KvError {
    /// What the caller does next.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Exists | Self::Conflict => Verdict::Reopen,
            Self::Unreadable { .. } | Self::Unwritable { .. } => Verdict::Stop,
            Self::Bus(error) => error.verdict(),
        }
    }
}

/// A change in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvEvent {
    /// A value, new or there since before.
    Put(KvEntry),
    /// A key lost its value: deleted, or expired.
    Gone {
        /// The key.
        key: Key,
        /// The revision of the removal.
        revision: u64,
    },
    /// All that was there when the watch began has been given. Comes once.
    Ready,
}

/// One bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Kv {
    bus: Bus,
    bucket: Bucket,
}

/// What a key holds, removals included.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) revision: u64,
    /// The value, or none if this is the mark of a removal.
    pub(crate) value: Option<KvEntry>,
    /// Whether the removal was an expiry.
    pub(crate) expired: bool,
    /// Whether whoever removed it said that something may still be under way.
    pub(crate) unsettled: bool,
}

/// On the mark of a removal.
const UNSETTLED: &str = "Landbridge-Unsettled";

impl Kv {
    pub(crate) fn new(bus: Bus, bucket: Bucket) -> Self {
        Self { bus, bucket }
    }

    fn subject(&self, key: &Key) -> String {
        format!("{}{key}", self.bucket.prefix())
    }

    /// The value of a key, from the bucket's leader.
    pub async fn get(&self, key: &Key) -> Result<Option<KvEntry>, KvError> {
        Ok(self.slot(key).await?.and_then(|slot| slot.value))
    }

    /// The value of a key read as JSON, with its revision.
    pub async fn get_json<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<(T, u64)>, KvError> {
        match self.get(key).await? {
            Some(entry) => Ok(Some((entry.json()?, entry.revision))),
            None => Ok(None),
        }
    }

    /// Writes, whatever was there. Gives the new revision.
    pub async fn put(&self, key: &Key, value: impl Into<Bytes>) -> Result<u64, KvError> {
        self.write(key, HeaderMap::new(), value.into(), WRITE_ATTEMPTS)
            .await
    }

    /// Writes a value as JSON, whatever was there.
    pub async fn put_json<T: Serialize>(&self, key: &Key, value: &T) -> Result<u64, KvError> {
        self.put(key, to_json(key, value)?).await
    }

    /// Writes a value that disappears by itself after `ttl` (whole seconds, one at least), unless it is written again.
    pub async fn put_for(&self, key: &Key, value: impl Into<Bytes>, ttl: Duration) -> Result<u64, KvError> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-TTL", ttl_text(ttl));
        self.write(key, headers, value.into(), WRITE_ATTEMPTS).await
    }

    /// Writes only if the key has no value: [`KvError::Exists`] otherwise.
    pub async fn create(&self, key: &Key, value: impl Into<Bytes>) -> Result<u64, KvError> {
        self.create_with(key, value.into(), None).await
    }

    /// Writes a value that disappears by itself after `ttl` (whole seconds, one at least), only if the key has none.
    pub async fn create_for(
        &self,
        key: &Key,
        value: impl Into<Bytes>,
        ttl: Duration,
    ) -> Result<u64, KvError> {
        self.create_with(key, value.into(), Some(ttl)).await
    }

    async fn create_with(&self, key: &Key, value: Bytes, ttl: Option<Duration>) -> Result<u64, KvError> {
        // First as if the key had never been; if it has, a removal's mark may be in the way.
        match self.write_at(key, value.clone(), 0, ttl).await {
            Err(KvError::Conflict) => {}
            other => return other,
        }
        match self.slot(key).await? {
            Some(Slot { value: Some(_), .. }) => Err(KvError::Exists),
            Some(Slot { revision, .. }) => match self.write_at(key, value, revision, ttl).await {
                Err(KvError::Conflict) => Err(KvError::Exists),
                other => other,
            },
            None => match self.write_at(key, value, 0, ttl).await {
                Err(KvError::Conflict) => Err(KvError::Exists),
                other => other,
            },
        }
    }

    /// Writes a value as JSON only if the key has none.
    pub async fn create_json<T: Serialize>(&self, key: &Key, value: &T) -> Result<u64, KvError> {
        self.create(key, to_json(key, value)?).await
    }

    /// Writes only over `revision`: [`KvError::Conflict`] if somebody else wrote since. Not repeated when the server
    /// does not answer, since a write that got through would then look like somebody else's.
    pub async fn update(&self, key: &Key, value: impl Into<Bytes>, revision: u64) -> Result<u64, KvError> {
        self.write_at(key, value.into(), revision, None).await
    }

    /// Writes a value that disappears by itself after `ttl`, only over `revision`; see [`Kv::update`].
    pub async fn update_for(
        &self,
        key: &Key,
        value: impl Into<Bytes>,
        revision: u64,
        ttl: Duration,
    ) -> Result<u64, KvError> {
        self.write_at(key, value.into(), revision, Some(ttl)).await
    }

    /// Writes a value as JSON only over `revision`.
    pub async fn update_json<T: Serialize>(
        &self,
        key: &Key,
        value: &T,
        revision: u64,
    ) -> Result<u64, KvError> {
        self.update(key, to_json(key, value)?, revision).await
    }

    /// Removes a value. Removing what is not there is fine.
    pub async fn delete(&self, key: &Key) -> Result<(), KvError> {
        self.write(key, removal(), Bytes::new(), WRITE_ATTEMPTS)
            .await
            .map(|_| ())
    }

    /// Removes a value only at `revision`: [`KvError::Conflict`] if somebody else wrote since. Not repeated when the server
    /// does not answer; see [`Kv::update`].
    pub async fn delete_at(&self, key: &Key, revision: u64) -> Result<(), KvError> {
        let mut headers = removal();
        headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
        self.write(key, headers, Bytes::new(), 1).await.map(|_| ())
    }

    /// Removes a value only at `revision`; the mark says that somebody did it, and whether it was all settled then, and
    /// stays.
    pub(crate) async fn release(&self, key: &Key, revision: u64, settled: bool) -> Result<u64, KvError> {
        let mut headers = HeaderMap::new();
        if !settled {
            headers.insert(UNSETTLED, "true");
        }
        headers.insert("KV-Operation", "DEL");
        headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
        self.write(key, headers, Bytes::new(), 1).await
    }

    /// All entries that a filter matches, ordered by revision.
    pub async fn list(&self, filter: &KeyFilter) -> Result<Vec<KvEntry>, KvError> {
        let prefix = self.bucket.prefix();
        let mut entries: Vec<KvEntry> = Vec::new();
        for pattern in filter.patterns(self.bucket) {
            let raw = list_raw(&self.bus, &self.bucket.stream(), &pattern).await?;
            let events = raw.into_iter().filter_map(|stored| event(&prefix, stored));
            entries.extend(events.filter_map(put));
        }
        entries.sort_by_key(|entry| entry.revision);
        Ok(entries)
    }

    /// Watches a part of the bucket: first all that is there, then every change.
    pub async fn watch(&self, filter: &KeyFilter) -> Result<KvWatch, KvError> {
        let patterns = filter.patterns(self.bucket);
        let raw = RawFollow::open(&self.bus, &self.bucket.stream(), patterns, FollowFrom::Start).await?;
        Ok(KvWatch {
            raw,
            prefix: self.bucket.prefix(),
        })
    }

    pub(crate) async fn slot(&self, key: &Key) -> Result<Option<Slot>, KvError> {
        let newest = self
            .bus
            .api()
            .last(&self.bucket.stream(), &self.subject(key))
            .await?;
        Ok(newest.map(|newest| {
            let removed = is_removal(&newest.headers);
            let expired = newest.headers.get("Nats-Marker-Reason") == Some("MaxAge");
            let unsettled = newest.headers.get(UNSETTLED).is_some();
            let entry = KvEntry {
                key: key.clone(),
                revision: newest.sequence,
                value: newest.payload,
                time: newest.time,
            };
            Slot {
                revision: newest.sequence,
                value: (!removed).then_some(entry),
                expired,
                unsettled: removed && unsettled,
            }
        }))
    }

    /// One conditional write with an optional time to live, sent once.
    pub(crate) async fn write_at(
        &self,
        key: &Key,
        value: Bytes,
        revision: u64,
        ttl: Option<Duration>,
    ) -> Result<u64, KvError> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
        if let Some(ttl) = ttl {
            headers.insert("Nats-TTL", ttl_text(ttl));
        }
        self.write(key, headers, value, 1).await
    }

    async fn write(
        &self,
        key: &Key,
        headers: HeaderMap,
        value: Bytes,
        attempts: u32,
    ) -> Result<u64, KvError> {
        let subject = self.subject(key);
        let mut pause = Duration::from_millis(20);
        for attempt in 1.. {
            let written = self
                .bus
                .api()
                .publish(&subject, headers.clone(), value.clone(), WRITE_TIMEOUT);
            match written.await {
                Ok(ack) => return Ok(ack.sequence),
                Err(error) if error.has_code(WRONG_LAST_SEQUENCE) => return Err(KvError::Conflict),
                Err(error) if error.verdict() == Verdict::Retry && attempt < attempts => {
                    tokio::time::sleep(pause).await;
                    pause *= 3;
                }
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// A watch on a bucket. Dropping it ends it.
pub struct KvWatch {
    raw: RawFollow,
    prefix: String,
}

impl fmt::Debug for KvWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvWatch")
            .field("patterns", &self.raw.patterns)
            .finish_non_exhaustive()
    }
}

impl KvWatch {
    /// The next event. Trouble with the bus is sat out and logged. Can be dropped at any await.
    pub async fn next(&mut self) -> KvEvent {
        loop {
            match self.raw.next().await {
                RawFollowed::CaughtUp => return KvEvent::Ready,
                RawFollowed::Message(stored) => {
                    if let Some(event) = event(&self.prefix, stored) {
                        return event;
                    }
                }
            }
        }
    }
}

fn event(prefix: &str, stored: RawStored) -> Option<KvEvent> {
    let RawStored {
        subject,
        sequence: revision,
        time,
        headers,
        payload,
    } = stored;
    let key = Key(subject.strip_prefix(prefix)?.to_owned());
    Some(if is_removal(&headers) {
        KvEvent::Gone { key, revision }
    } else {
        KvEvent::Put(KvEntry {
            key,
            revision,
            value: payload,
            time,
        })
    })
}

fn put(event: KvEvent) -> Option<KvEntry> {
    match event {
        KvEvent::Put(entry) => Some(entry),
        KvEvent::Gone { .. } | KvEvent::Ready => None,
    }
}

fn is_removal(headers: &Headers) -> bool {
    matches!(headers.get("KV-Operation"), Some("DEL" | "PURGE"))
        || headers.get("Nats-Marker-Reason").is_some()
}

fn ttl_text(ttl: Duration) -> String {
    ttl.as_secs().max(1).to_string()
}

fn removal() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("KV-Operation", "PURGE");
    headers.insert("Nats-Rollup", "sub");
    // The mark of the removal needs to last no longer than watchers need to see it.
    headers.insert("Nats-TTL", "3600");
    headers
}

fn to_json<T: Serialize>(key: &Key, value: &T) -> Result<Vec<u8>, KvError> {
    serde_json::to_vec(value).map_err(|source| KvError::Unwritable {
        key: key.to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_tokens() {
        let key = Key::new(["syncs", "acme", "a.b c"]);
        assert_eq!(key.as_str(), "syncs.acme.a=2eb=20c");
        assert_eq!(key.tokens(), ["syncs", "acme", "a.b c"]);
    }
}
