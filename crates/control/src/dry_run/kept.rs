//! Results of dry runs outlast the control that found them: beside the drafts, for a day, and no larger than a limit.
//!
//! A result is one JSON document, cut into parts. Its head is written last and says how many there are: what has a head
//! is whole. What is left out for want of room are the records that could be shown, never a count.

use std::time::Duration;

use landbridge_bus::{Bucket, Bus, Key, KeyFilter, KvError};
use landbridge_model::{RunId, SyncName, TenantId};
use serde::{Deserialize, Serialize};

use super::{DryRun, REMEMBERED};
use crate::ask::DryRunProgress;
use crate::ledger::{DryRunAccount, KeptAnswers};
use crate::shard::{ControlShard, lock};

/// How long a result is kept.
const TTL: Duration = Duration::from_secs(24 * 3_600);
/// Bytes of one part: well below what a message may have.
const PART_BYTES: usize = 256 * 1024;
/// Bytes of one result.
const BYTES_MAX: usize = 4 << 20;

/// A result, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    sync: SyncName,
    progress: DryRunProgress,
    answers: KeptAnswers,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    parts: usize,
}

/// What the heads of results, and their parts, are kept under.
const HEADS: &str = "dry-run-result";
const PARTS: &str = "dry-run-part";

fn head_of(tenant: &TenantId, run: &RunId) -> Key {
    Key::new([HEADS, tenant.as_str(), run.as_str()])
}

fn part_of(tenant: &TenantId, run: &RunId, number: usize) -> Key {
    Key::new([PARTS, tenant.as_str(), run.as_str(), &number.to_string()])
}

/// The document of a result: with all that can be shown, else without values, else without records.
fn document(mut kept: Kept, bytes_max: usize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(&kept)?;
    for leave_out in [KeptAnswers::leave_out_values, KeptAnswers::leave_out_records] {
        if bytes.len() <= bytes_max {
            break;
        }
        leave_out(&mut kept.answers);
        bytes = serde_json::to_vec(&kept)?;
    }
    Ok(bytes)
}

async fn store(bus: &Bus, tenant: &TenantId, run: &RunId, kept: Kept) -> Result<(), KvError> {
    let kv = bus.kv(Bucket::Config);
    let unwritable = |source| KvError::Unwritable {
        key: head_of(tenant, run).to_string(),
        source,
    };
    let bytes = document(kept, BYTES_MAX).map_err(unwritable)?;
    let parts = bytes.chunks(PART_BYTES);
    let head = Head { parts: parts.len() };
    for (number, part) in parts.enumerate() {
        kv.put_for(&part_of(tenant, run, number), part.to_vec(), TTL)
            .await?;
    }
    let head = serde_json::to_vec(&head).map_err(unwritable)?;
    kv.put_for(&head_of(tenant, run), head, TTL).await?;
    Ok(())
}

/// The newest results of a tenant that are whole.
async fn stored(bus: &Bus, tenant: &TenantId) -> Result<Vec<(RunId, Kept)>, KvError> {
    let kv = bus.kv(Bucket::Config);
    let mut heads = Vec::new();
    let of_tenant = KeyFilter::Under(Key::new([HEADS, tenant.as_str()]));
    for entry in kv.list(&of_tenant).await? {
        if let [_, _, run] = entry.key.tokens().as_slice()
            && let (Ok(run), Ok(head)) = (RunId::new(run), entry.json::<Head>())
        {
            heads.push((run, head));
        }
    }
    heads.sort_by(|(one, _), (other, _)| one.cmp(other));
    let older = heads.len().saturating_sub(REMEMBERED);
    let mut found = Vec::new();
    for (run, head) in heads.split_off(older) {
        let mut bytes = Vec::new();
        for number in 0..head.parts {
            let part = kv.get(&part_of(tenant, &run, number)).await?;
            bytes.extend(part.map(|part| part.value).unwrap_or_default());
        }
        // One whose parts have just expired, or of another version.
        if let Ok(kept) = serde_json::from_slice(&bytes) {
            found.push((run, kept));
        }
    }
    Ok(found)
}

/// Forgets the results of a tenant that is removed.
pub(crate) async fn forget(bus: &Bus, tenant: &TenantId) -> Result<(), KvError> {
    let kv = bus.kv(Bucket::Config);
    let kinds = [HEADS, PARTS].map(|kind| Key::new([kind, tenant.as_str()]));
    for entry in kv.list(&KeyFilter::UnderAny(kinds.to_vec())).await? {
        kv.delete(&entry.key).await?;
    }
    Ok(())
}

impl ControlShard {
    /// Keeps what a dry run that is over has found, if it is to be kept.
    pub(super) async fn keep_dry_run(&self, tenant: &TenantId, run: &RunId) {
        let kept = {
            let runs = lock(&self.dry_runs);
            let Some(dry_run) = runs.get(run) else { return };
            Kept {
                sync: dry_run.sync.clone(),
                progress: dry_run.progress.clone(),
                answers: dry_run
                    .found
                    .as_ref()
                    .map(DryRunAccount::kept)
                    .unwrap_or_default(),
            }
        };
        if let Err(error) = store(self.context.hub.bus(), tenant, run, kept).await {
            tracing::warn!(%tenant, %run, %error, "the result of a dry run does not outlast this control");
        }
    }

    /// Brings back the results of a tenant that another control, or this one before its restart, has found. Once.
    pub(crate) async fn recall_dry_runs(&self, tenant: &TenantId) -> Result<(), KvError> {
        if lock(&self.recalled).contains(tenant) {
            return Ok(());
        }
        let stored = stored(self.context.hub.bus(), tenant).await?;
        let mut runs = lock(&self.dry_runs);
        for (run, kept) in stored {
            runs.entry(run).or_insert_with(|| DryRun {
                tenant: tenant.clone(),
                sync: kept.sync,
                progress: kept.progress,
                draft: None,
                found: Some(DryRunAccount::of_kept(kept.answers)),
                brings: None,
                task: None,
            });
        }
        lock(&self.recalled).insert(tenant.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Outcome, PredictedRecord, PropertyChange, SalesforceId, Version};

    use super::*;

    #[test]
    fn what_has_no_room_is_left_out_and_no_count_is() {
        let mut account = DryRunAccount::default();
        let records = (0..40).map(|number| {
            let id = SalesforceId::parse(&format!("a01{number:012}")).unwrap();
            PredictedRecord {
                changes: vec![PropertyChange::new("name", None, Some(&"x".repeat(1_000)))],
                ..PredictedRecord::new(id, Version::new(1, 1), Outcome::Created)
            }
        });
        account.fold(&records.collect::<Vec<_>>());
        let back = |bytes_max| {
            let kept = Kept {
                sync: SyncName::new("vehicles").unwrap(),
                progress: DryRunProgress::default(),
                answers: account.kept(),
            };
            let bytes = document(kept, bytes_max).unwrap();
            let kept: Kept = serde_json::from_slice(&bytes).unwrap();
            let account = DryRunAccount::of_kept(kept.answers);
            let (shown, mut records) = account.of_outcome(Outcome::Created, None);
            let first = records.next().map(|record| (record.changes.len(), record.cut));
            (account.count(Outcome::Created), shown, first)
        };
        assert_eq!(back(100_000), (40, 40, Some((1, false))));
        assert_eq!(back(20_000), (40, 40, Some((0, true))));
        assert_eq!(back(2_000), (40, 0, None));
    }
}
