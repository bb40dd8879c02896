//! The audit log: who changed what, appended and never rewritten, nor taken out. It has no shard, since it outlives its
//! tenants.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use bytes::Bytes;
use jiff::Timestamp;
use landbridge_model::TenantId;
use serde::Deserialize;
use serde_json::json;
use tracing::warn;

use crate::bus::Bus;
use crate::config::BusConfig;
use crate::error::{Error, Verdict};
use crate::memory::{RawStored, raw_page};

/// The stream.
const STREAM: &str = "LB_AUDIT";
/// What its subjects begin with.
const ROOT: &str = "lb.audit";
/// The token where a change belongs to no tenant. No tenant can be called so: it would be one of its own otherwise.
const NOBODY: &str = "=";
/// How long one attempt to append may take.
const APPEND: Duration = Duration::from_secs(2);
/// Attempts to append before it is an error.
const ATTEMPTS: u32 = 8;
/// Sequences looked through at first; the window grows while too little is found.
const WINDOW: u64 = 512;

pub(crate) fn config(settings: &BusConfig, max_consumers: i32) -> Config {
    Config {
        name: STREAM.to_owned(),
        subjects: vec![format!("{ROOT}.*")],
        storage: StorageType::File,
        num_replicas: settings.replicas,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_messages_per_subject: -1,
        max_age: settings.audit_max_age,
        max_consumers,
        allow_direct: true,
        // Not even who holds the bus takes an entry out: entries go by age alone.
        deny_delete: true,
        deny_purge: true,
        duplicate_window: settings.duplicate_window,
        ..Config::default()
    }
}

/// One entry as it is stored.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Its place in the log.
    pub sequence: u64,
    /// When the log took it, by the server's clock.
    pub time: Timestamp,
    /// Whose change it was; none for what belongs to the installation.
    pub tenant: Option<TenantId>,
    /// What the writer wrote.
    pub payload: Bytes,
}

/// Some entries, the newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditPage {
    /// The entries.
    pub records: Vec<AuditRecord>,
    /// Where older ones begin: pass it as `before`. None at the end.
    pub before: Option<u64>,
}

/// The audit log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AuditLog {
    bus: Bus,
}

impl AuditLog {
    /// Of this installation.
    pub fn new(bus: &Bus) -> Self {
        Self { bus: bus.clone() }
    }

    /// Appends an entry, and returns once it is stored. An entry may be stored twice when an answer was lost.
    pub async fn append(&self, tenant: Option<&TenantId>, payload: impl Into<Bytes>) -> Result<u64, Error> {
        let subject = subject(tenant);
        let payload = payload.into();
        let mut pause = Duration::from_millis(20);
        for attempt in 1.. {
            let stored = self
                .bus
                .api()
                .publish(&subject, HeaderMap::new(), payload.clone(), APPEND)
                .await;
            match stored {
                Ok(ack) => return Ok(ack.sequence),
                Err(error) if error.verdict() == Verdict::Retry && attempt < ATTEMPTS => {
                    warn!(%error, "the audit log does not take an entry yet");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// The newest entries before a place, of one tenant or of everything; at most `limit`.
    pub async fn newest(
        &self,
        tenant: Option<&TenantId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, Error> {
        let (first, last) = self.bounds().await?;
        let pattern = pattern(tenant);
        let mut end = before.unwrap_or(last + 1).min(last + 1);
        let mut window = WINDOW;
        let mut records: Vec<AuditRecord> = Vec::new();
        // A stream is read forwards only: look through windows that reach ever further back.
        while records.len() < limit && end > first {
            let start = end.saturating_sub(window).max(first);
            let mut found = self.between(&pattern, start, end).await?;
            found.reverse();
            records.append(&mut found);
            end = start;
            window = window.saturating_mul(2);
        }
        let more = records.len() > limit || end > first;
        records.truncate(limit);
        let oldest = records.last().map(|record| record.sequence);
        Ok(AuditPage {
            before: oldest.filter(|_| more),
            records,
        })
    }

    /// The entries from a place on, the newest first: those that were appended within `within` of the first of them.
    pub async fn following(
        &self,
        tenant: Option<&TenantId>,
        place: u64,
        within: Duration,
    ) -> Result<Vec<AuditRecord>, Error> {
        let pattern = pattern(tenant);
        let mut found: Vec<AuditRecord> = Vec::new();
        let mut next = Some(place);
        while let Some(from) = next {
            let page = raw_page(self.bus.api(), STREAM, &pattern, from).await?;
            next = page.next;
            for stored in page.messages {
                let first = found.first().map_or(stored.time, |first| first.time);
                if stored.time.duration_since(first).unsigned_abs() > within {
                    next = None;
                    break;
                }
                found.push(record(stored));
            }
        }
        found.reverse();
        Ok(found)
    }

    /// The entries of a pattern with sequences from `start` up to but without `end`, oldest first.
    async fn between(&self, pattern: &str, start: u64, end: u64) -> Result<Vec<AuditRecord>, Error> {
        let mut found = Vec::new();
        let mut next = Some(start);
        while let Some(from) = next.filter(|from| *from < end) {
            let page = raw_page(self.bus.api(), STREAM, pattern, from).await?;
            next = page.next;
            for stored in page.messages {
                if stored.sequence >= end {
                    return Ok(found);
                }
                found.push(record(stored));
            }
        }
        Ok(found)
    }

    /// The first and the last sequence that are there.
    async fn bounds(&self) -> Result<(u64, u64), Error> {
        #[derive(Deserialize)]
        struct Info {
            state: State,
        }
        #[derive(Deserialize)]
        struct State {
            first_seq: u64,
            last_seq: u64,
        }
        let info: Info = self
            .bus
            .api()
            .call(format!("STREAM.INFO.{STREAM}"), &json!({}))
            .await?;
        Ok((info.state.first_seq.max(1), info.state.last_seq))
    }
}

fn subject(tenant: Option<&TenantId>) -> String {
    format!("{ROOT}.{}", tenant.map_or(NOBODY, TenantId::as_str))
}

fn pattern(tenant: Option<&TenantId>) -> String {
    match tenant {
        Some(_) => subject(tenant),
        None => format!("{ROOT}.*"),
    }
}

fn record(stored: RawStored) -> AuditRecord {
    AuditRecord {
        sequence: stored.sequence,
        time: stored.time,
        tenant: tenant_of(&stored.subject),
        payload: stored.payload,
    }
}

fn tenant_of(subject: &str) -> Option<TenantId> {
    let token = subject.strip_prefix(ROOT)?.strip_prefix('.')?;
    TenantId::new(token).ok()
}
