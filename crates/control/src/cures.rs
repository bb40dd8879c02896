//! A sync's next revision reads again what failed under an older one: it may have cured it.
//!
//! What is stale is seen from the failures alone, so a restart in between loses no cure: a record that fails again does so under
//! the revision that runs.

use std::collections::{BTreeSet, HashMap};

use landbridge_model::{Revision, SalesforceId, Source, SyncKey, SyncName, TenantId};
use landbridge_stage::StageError;
use landbridge_wire::FailedRecord;

use crate::failures::reread;
use crate::shard::{ControlShard, lock};

/// The revision of each sync for which its failures were looked through.
pub(crate) type Looked = HashMap<SyncKey, Revision>;

/// The records to read again, of failures of one tenant's sync that runs with `revision`. A retry that a person wants is the
/// loader's business. Pure.
fn stale(failures: &[FailedRecord], revision: Revision) -> Vec<(SyncName, SalesforceId)> {
    let stale = failures
        .iter()
        .filter(|failed| failed.envelope.revision < revision && !failed.retry);
    let records: BTreeSet<(SyncName, SalesforceId)> = stale
        .map(|failed| (failed.envelope.sync.clone(), failed.id))
        .collect();
    records.into_iter().collect()
}

impl ControlShard {
    /// Looks through the failures of syncs that were edited since the last time.
    pub(crate) async fn look_after_cures(&self) -> Result<(), StageError> {
        let hub = &self.context.hub;
        let syncs = self.context.config.all_syncs().into_iter();
        let own = syncs.filter(|sync| hub.shard_of(&sync.key().tenant) == self.context.shard);
        let current: Looked = own.map(|sync| (sync.key(), sync.revision)).collect();
        let (is_first, edited): (bool, Vec<(SyncKey, Revision)>) = {
            let mut looked = lock(&self.cures);
            let is_first = looked.is_empty();
            looked.retain(|key, _| current.contains_key(key));
            let is_new = |(key, revision): &(&SyncKey, &Revision)| looked.get(*key) != Some(*revision);
            let edited = current.iter().filter(is_new);
            (
                is_first,
                edited.map(|(key, revision)| (key.clone(), *revision)).collect(),
            )
        };
        // Of all syncs at once, when the shard was just taken: asking for each would be a call for every sync there is.
        let mut of_shard: HashMap<SyncKey, Vec<FailedRecord>> = HashMap::new();
        if is_first {
            for failed in hub.failures_of_shard(self.context.shard).await? {
                of_shard
                    .entry(failed.envelope.sync_key())
                    .or_default()
                    .push(failed);
            }
        }
        for (key, revision) in edited {
            let failures = if is_first {
                of_shard.remove(&key).unwrap_or_default()
            } else {
                hub.failures(&key.tenant, Some(&key.name)).await?
            };
            self.cure(&key.tenant, &key.name, revision, &failures).await?;
            lock(&self.cures).insert(key, revision);
        }
        Ok(())
    }

    async fn cure(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        revision: Revision,
        failures: &[FailedRecord],
    ) -> Result<(), StageError> {
        let records = stale(failures, revision);
        if records.is_empty() {
            return Ok(());
        }
        let reason = format!("revision {} of the sync may have cured its failure", revision.0);
        let asked = reread(&self.context, tenant, &records, Source::Reread, &reason).await;
        let asked = asked.map_err(|error| StageError::worker(error.to_string()))?;
        tracing::info!(%tenant, %sync, records = asked.records, "what failed under an older revision is read again");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{
        Envelope, Failure, FailureCategory, Purpose, StageKind, SyncName, TenantId, Version,
    };

    use super::*;

    fn failed(number: u32, revision: u32, retry: bool) -> FailedRecord {
        FailedRecord {
            envelope: Envelope {
                tenant: TenantId::new("acme").unwrap(),
                sync: SyncName::new("cars").unwrap(),
                revision: Revision(revision),
                purpose: Purpose::Apply,
                source: Source::Import,
                run: None,
                force: false,
                only: None,
            },
            id: SalesforceId::parse(&format!("a00{number:012}")).unwrap(),
            version: Version::new(1, 1),
            stage: StageKind::Loader,
            failure: Failure::new(FailureCategory::InvalidValue, "no"),
            at_ms: 0,
            attempts: 1,
            link_field: None,
            write: None,
            retry,
        }
    }

    #[test]
    fn what_failed_under_an_older_revision_is_read_again_once() {
        let linked = FailedRecord {
            link_field: Some("Depot__c".to_owned()),
            ..failed(1, 1, false)
        };
        let failures = [
            failed(1, 1, false),
            linked,
            failed(2, 2, false),
            failed(3, 1, true),
        ];
        let stale: Vec<SalesforceId> = stale(&failures, Revision(2))
            .into_iter()
            .map(|(_, id)| id)
            .collect();
        assert_eq!(stale, [failed(1, 1, false).id]);
    }
}
