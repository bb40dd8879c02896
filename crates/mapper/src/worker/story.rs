//! What the mapper can tell of one record.

use landbridge_model::ask::{Story, StoryLine};
use landbridge_model::{ChangeKind, SalesforceId, StageKind, TenantId};
use landbridge_wire::{AskError, AskErrorCode};

use super::MapperShard;
use crate::memory::{self, Made, Seen};

/// One line for each sync of the tenant that the record travelled in.
pub(super) fn tell(shard: &MapperShard, tenant: &TenantId, id: &SalesforceId) -> Result<Story, AskError> {
    let mut story = Story::default();
    for sync in shard.context.config.syncs(tenant) {
        let name = sync.definition.metadata.name.clone();
        let seen = memory::seen(&shard.context.cache, tenant, &name, id)
            .map_err(|error| AskError::new(AskErrorCode::Internal, error.chain()))?;
        if let Some(seen) = seen {
            story.lines.push(StoryLine {
                at_ms: Some(seen.at_ms),
                stage: StageKind::Mapper,
                text: sentence(&seen),
                sync: Some(name),
            });
        }
    }
    Ok(story)
}

fn sentence(seen: &Seen) -> String {
    let stamp = jiff::Timestamp::from_millisecond(seen.version.stamp_ms)
        .map_or_else(|_| seen.version.stamp_ms.to_string(), |stamp| stamp.to_string());
    let made = match seen.made {
        Made::Write(ChangeKind::Upsert) => "mapped to HubSpot's properties and sent to the loader",
        Made::Write(ChangeKind::Delete) => "a delete, sent to the loader",
        Made::Write(ChangeKind::Leave) => "no longer matches the sync's filter; the delete rule applies",
        Made::Filtered => "does not match the sync's filter; it ended here",
        Made::Failed => "could not be mapped; its failure says why",
    };
    format!("change of {stamp} (by {}): {made}", seen.source.as_str())
}
