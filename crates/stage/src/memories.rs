//! The memories: failures, rereads, held deletes, absences that were decided, parked links. The newest message of a subject is
//! the truth.

use std::collections::HashMap;

use landbridge_bus::subject::RecordSubject;
use landbridge_bus::{Bucket, Filter, Key, KeyFilter, Message, StreamName, Subject};
use landbridge_model::{SalesforceId, Shard, SyncName, TenantId, Version};
use landbridge_wire::{FailedRecord, HeldDelete, ParkedLink, Reread, Wire};

use crate::error::StageError;
use crate::hub::Hub;

/// The name under which messages that make no sense are set aside; no sync can have it, for its capital letter.
pub(crate) const POISON: &str = "Poison";
/// How many parked links are published at once: each has a subject of its own, so they cannot overtake each other.
const PARK_TOGETHER: usize = 64;

/// Beside the position of the looks that it spares.
fn kept_key(tenant: &TenantId, sync: &SyncName) -> Key {
    Key::new(["kept", tenant.as_str(), sync.as_str()])
}

fn record_key(tenant: &TenantId, sync: &SyncName, id: SalesforceId) -> Key {
    Key::new(["kept", tenant.as_str(), sync.as_str(), id.as_str()])
}

impl Hub {
    fn record_subject(&self, tenant: &TenantId, sync: &SyncName, record: String) -> RecordSubject {
        RecordSubject {
            shard: self.shard_of(tenant),
            tenant: tenant.clone(),
            sync: sync.to_string(),
            record,
        }
    }

    /// Remembers why a record, or one link of it, was refused. What an import brought stays one of its errors until it
    /// succeeds, also when it is refused again in no run: tried again, read again for a new revision, or changed since.
    pub async fn remember_failure(&self, failed: &FailedRecord) -> Result<(), StageError> {
        let record = failure_token(failed.id, failed.link_field.as_deref());
        let subject = self.record_subject(&failed.envelope.tenant, &failed.envelope.sync, record);
        let subject = Subject::Failed(subject);
        if failed.envelope.run.is_none()
            && let Some(stored) = self.bus().last(&subject).await?
            && let Some(before) = readable::<FailedRecord>(&stored, "a failure")
            && before.envelope.run.is_some()
        {
            let mut failed = failed.clone();
            failed.envelope.run = before.envelope.run;
            return self.remember(&subject, "failed", &failed).await;
        }
        self.remember(&subject, "failed", failed).await
    }

    /// Forgets a failure after a success. `link_field` names the link that succeeded, if it was one.
    pub async fn forget_failure(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        id: SalesforceId,
        link_field: Option<&str>,
    ) -> Result<(), StageError> {
        let subject = self.record_subject(tenant, sync, failure_token(id, link_field));
        self.bus()
            .purge(&Filter::exact(&Subject::Failed(subject)))
            .await?;
        Ok(())
    }

    /// All failures of a tenant, or of one sync of it.
    pub async fn failures(
        &self,
        tenant: &TenantId,
        sync: Option<&SyncName>,
    ) -> Result<Vec<FailedRecord>, StageError> {
        let filter = self.memory_filter(StreamName::Failed, tenant, sync);
        self.recall(&filter, "a failure").await
    }

    /// All failures of a shard.
    pub async fn failures_of_shard(&self, shard: Shard) -> Result<Vec<FailedRecord>, StageError> {
        self.recall(&Filter::shard(StreamName::Failed, shard), "a failure")
            .await
    }

    /// Asks the extractor to read a record again.
    pub async fn ask_reread(&self, reread: &Reread) -> Result<(), StageError> {
        let record = reread.id.to_string();
        let subject = self.record_subject(&reread.envelope.tenant, &reread.envelope.sync, record);
        self.remember(&Subject::Reread(subject), "reread", reread).await
    }

    /// The wishes of a shard that records be read again, with their places in the stream.
    pub async fn rereads(&self, shard: Shard) -> Result<Vec<(Reread, u64)>, StageError> {
        let stored = self.bus().list(&Filter::shard(StreamName::Reread, shard)).await?;
        Ok(stored
            .iter()
            .filter_map(|one| Some((readable(one, "a reread")?, one.sequence)))
            .collect())
    }

    /// Forgets a wish that was fulfilled, unless it was renewed after `sequence`.
    pub async fn forget_reread(&self, reread: &Reread, sequence: u64) -> Result<(), StageError> {
        let record = reread.id.to_string();
        let subject = self.record_subject(&reread.envelope.tenant, &reread.envelope.sync, record);
        self.bus().forget(&Subject::Reread(subject), sequence).await?;
        Ok(())
    }

    /// Holds a delete.
    pub async fn hold(&self, held: &HeldDelete) -> Result<(), StageError> {
        let subject = self.record_subject(&held.envelope.tenant, &held.envelope.sync, held.id.to_string());
        self.remember(&Subject::Held(subject), "held", held).await
    }

    /// Forgets a held delete: it was written, or its record is back.
    pub async fn release_held(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        id: SalesforceId,
    ) -> Result<(), StageError> {
        let subject = self.record_subject(tenant, sync, id.to_string());
        self.bus().purge(&Filter::exact(&Subject::Held(subject))).await?;
        Ok(())
    }

    /// All held deletes of a shard.
    pub async fn held_of_shard(&self, shard: Shard) -> Result<Vec<HeldDelete>, StageError> {
        self.recall(&Filter::shard(StreamName::Held, shard), "a held delete")
            .await
    }

    /// All held deletes of a tenant.
    pub async fn held(
        &self,
        tenant: &TenantId,
        sync: Option<&SyncName>,
    ) -> Result<Vec<HeldDelete>, StageError> {
        self.recall(
            &self.memory_filter(StreamName::Held, tenant, sync),
            "a held delete",
        )
        .await
    }

    /// Remembers that a person keeps a record of HubSpot's although Salesforce shows it no more: an absence is told once, and
    /// decided once. `version` is that of the delete which was discarded.
    pub async fn keep_absent(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        id: SalesforceId,
        version: Version,
    ) -> Result<(), StageError> {
        let key = record_key(tenant, sync, id);
        let bucket = self.bus().kv(Bucket::Checkpoints);
        bucket.put_json(&key, &version.to_string()).await?;
        Ok(())
    }

    /// The records of a sync that are kept although Salesforce shows them no more, each with the version of the delete
    /// that was discarded.
    pub async fn kept_absent(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
    ) -> Result<HashMap<SalesforceId, Version>, StageError> {
        let bucket = self.bus().kv(Bucket::Checkpoints);
        let entries = bucket.list(&KeyFilter::Under(kept_key(tenant, sync))).await?;
        let read = entries.iter().filter_map(|entry| {
            let id = SalesforceId::parse(entry.key.tokens().last()?).ok()?;
            let version = entry.json::<String>().ok()?.parse().ok()?;
            Some((id, version))
        });
        Ok(read.collect())
    }

    /// Forgets such a decision: the record is there again, or HubSpot has it no more.
    pub async fn forget_kept_absent(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        id: SalesforceId,
    ) -> Result<(), StageError> {
        let key = record_key(tenant, sync, id);
        self.bus().kv(Bucket::Checkpoints).delete(&key).await?;
        Ok(())
    }

    /// Parks links; returns when all are stored.
    pub async fn park(&self, links: &[ParkedLink]) -> Result<(), StageError> {
        use futures::{StreamExt, TryStreamExt};
        // Futures, not a closure that makes them: over borrowed links the compiler could not prove them `Send`.
        let mut publishes = Vec::with_capacity(links.len());
        for link in links {
            publishes.push(self.park_one(link));
        }
        futures::stream::iter(publishes)
            .buffer_unordered(PARK_TOGETHER)
            .try_collect()
            .await
    }

    async fn park_one(&self, link: &ParkedLink) -> Result<(), StageError> {
        let subject = self.parked_subject(
            &link.envelope.tenant,
            &link.envelope.sync,
            link.child,
            &link.field,
        );
        self.remember(&subject, "parked", link).await
    }

    /// Forgets a parked link that is on its way.
    pub async fn unpark(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        child: SalesforceId,
        field: &str,
    ) -> Result<(), StageError> {
        let subject = self.parked_subject(tenant, sync, child, field);
        self.bus().purge(&Filter::exact(&subject)).await?;
        Ok(())
    }

    /// All parked links of a tenant, or of one sync of it.
    pub async fn parked(
        &self,
        tenant: &TenantId,
        sync: Option<&SyncName>,
    ) -> Result<Vec<ParkedLink>, StageError> {
        let filter = self.memory_filter(StreamName::Parked, tenant, sync);
        self.recall(&filter, "a parked link").await
    }

    /// All parked links of a shard.
    pub async fn parked_of_shard(&self, shard: Shard) -> Result<Vec<ParkedLink>, StageError> {
        self.recall(&Filter::shard(StreamName::Parked, shard), "a parked link")
            .await
    }

    /// How many messages a memory or a stage's lanes hold for a tenant.
    pub async fn count(&self, stream: StreamName, tenant: &TenantId) -> Result<u64, StageError> {
        let filter = Filter::tenant(stream, self.shard_of(tenant), tenant);
        Ok(self
            .bus()
            .counts(&filter)
            .await?
            .iter()
            .map(|(_, count)| count)
            .sum())
    }

    fn parked_subject(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        child: SalesforceId,
        field: &str,
    ) -> Subject {
        Subject::Parked {
            shard: self.shard_of(tenant),
            tenant: tenant.clone(),
            sync: sync.as_str().into(),
            child: child.as_str().into(),
            field: field.into(),
        }
    }

    fn memory_filter(&self, stream: StreamName, tenant: &TenantId, sync: Option<&SyncName>) -> Filter {
        let shard = self.shard_of(tenant);
        match sync {
            Some(sync) => Filter::sync(stream, shard, tenant, sync.as_str()),
            None => Filter::tenant(stream, shard, tenant),
        }
    }

    /// Deduplication must not swallow a message that was forgotten meanwhile and is remembered again with the same
    /// content, so its id carries the moment.
    async fn remember<W: Wire>(&self, subject: &Subject, cause: &str, value: &W) -> Result<(), StageError> {
        let cause = format!("{cause} {subject} {}", self.now_ms());
        self.bus()
            .publish(subject, &Message::new(&cause, value.encode()))
            .await?;
        Ok(())
    }

    async fn recall<W: Wire>(&self, filter: &Filter, what: &str) -> Result<Vec<W>, StageError> {
        let stored = self.bus().list(filter).await?;
        Ok(stored.iter().filter_map(|one| readable(one, what)).collect())
    }
}

/// A memory that cannot be read must not stop the others from being read: it is told and passed over.
fn readable<W: Wire>(stored: &landbridge_bus::Stored, what: &str) -> Option<W> {
    if stored.headers.get("Landbridge-Poison").is_some() {
        return None;
    }
    match W::decode(&stored.payload) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(subject = %stored.subject, %error, "{what} in memory cannot be read");
            None
        }
    }
}

fn failure_token(id: SalesforceId, link_field: Option<&str>) -> String {
    match link_field {
        None => id.to_string(),
        Some(field) => format!("{id}-{field}"),
    }
}
