//! Every definition that was ever applied, kept under `revision.<tenant>.<sync>.<number>` in `lb_config`, and the way back
//! to one.

use landbridge_bus::{Key, KeyFilter, Kv, KvError};
use landbridge_model::config::Sync;
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{Revision, SyncKey, SyncName, TenantId};
use landbridge_wire::{AskError, AskErrorCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ask::{EditSyncs, Expected};
use crate::shard::ControlShard;

/// One revision of a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredRevision {
    /// Which.
    pub revision: Revision,
    /// The definition, as a file has it.
    pub definition: SyncDefinition,
    /// Who made it; none when nobody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was stored, in milliseconds since 1970.
    pub at_ms: i64,
}

fn under(tenant: &TenantId, sync: &SyncName) -> Key {
    Key::new(["revision", tenant.as_str(), sync.as_str()])
}

/// Keeps a sync's revision. One that is kept already stays as it is.
pub(crate) async fn keep(kv: &Kv, sync: &Sync, by: Option<&str>, at_ms: i64) -> Result<(), KvError> {
    let key = sync.key();
    let number = sync.revision.0.to_string();
    let place = Key::new(["revision", key.tenant.as_str(), key.name.as_str(), &number]);
    let stored = StoredRevision {
        revision: sync.revision,
        definition: sync.definition.clone(),
        by: by.map(str::to_owned),
        at_ms,
    };
    match kv.create_json(&place, &stored).await {
        Ok(_) | Err(KvError::Exists) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Those of a sync that are kept.
pub(crate) async fn list(
    kv: &Kv,
    tenant: &TenantId,
    sync: &SyncName,
) -> Result<Vec<StoredRevision>, KvError> {
    let entries = kv.list(&KeyFilter::Under(under(tenant, sync))).await?;
    entries.iter().map(|entry| entry.json()).collect()
}

/// Those of a sync, oldest first; what runs is among them, even if its record is still to be written.
pub(crate) async fn with_current(kv: &Kv, sync: &Sync, now_ms: i64) -> Result<Vec<StoredRevision>, KvError> {
    let key = sync.key();
    let mut kept = list(kv, &key.tenant, &key.name).await?;
    if kept.iter().all(|kept| kept.revision != sync.revision) {
        kept.push(StoredRevision {
            revision: sync.revision,
            definition: sync.definition.clone(),
            by: None,
            at_ms: now_ms,
        });
    }
    kept.sort_by_key(|kept| kept.revision);
    Ok(kept)
}

/// Makes a sync's definition a former one, as a new revision, and gives that. One that has it already stays as it is. Nothing
/// is written over another definition than the one that was seen.
pub(crate) async fn go_back(
    shard: &ControlShard,
    former: &SyncDefinition,
    seen: &str,
    by: &str,
) -> Result<Revision, AskError> {
    let key = former.key();
    let stored = super::stored(&shard.context, &key.tenant, &key.name)?;
    if stored.definition == *former {
        return Ok(stored.revision);
    }
    let ask = EditSyncs {
        definitions: vec![former.clone()],
        expected: vec![Expected {
            name: key.name.clone(),
            tag: Some(seen.to_owned()),
        }],
        by: by.to_owned(),
    };
    let applied = match super::edit_seen(shard, &key.tenant, ask).await {
        Err(error) if error.code == AskErrorCode::Conflict => {
            // A former owner of the shard may just have done it.
            let now = super::stored(&shard.context, &key.tenant, &key.name)?;
            return if now.definition == *former {
                Ok(now.revision)
            } else {
                Err(error)
            };
        }
        applied => applied?,
    };
    let line = applied.syncs.first();
    match line.filter(|line| line.problems.is_empty()) {
        Some(line) => Ok(line.revision),
        None => {
            let problems = line.into_iter().flat_map(|line| &line.problems);
            let problems: Vec<String> = problems.map(ToString::to_string).collect();
            let what = format!(
                "the former definition is not valid any more: {}",
                problems.join("; ")
            );
            Err(AskError::new(AskErrorCode::Invalid, what))
        }
    }
}

/// Forgets those of a sync.
pub(crate) async fn forget(kv: &Kv, key: &SyncKey) -> Result<(), KvError> {
    remove(kv, under(&key.tenant, &key.name)).await
}

/// Forgets all revisions and drafts of a tenant.
pub(crate) async fn forget_tenant(kv: &Kv, tenant: &TenantId) -> Result<(), KvError> {
    for kind in ["revision", "draft", "back-fill", "removal"] {
        remove(kv, Key::new([kind, tenant.as_str()])).await?;
    }
    Ok(())
}

async fn remove(kv: &Kv, under: Key) -> Result<(), KvError> {
    for entry in kv.list(&KeyFilter::Under(under)).await? {
        kv.delete(&entry.key).await?;
    }
    Ok(())
}
