//! Reading the records that events named, for every sync that wants them, and sending them on as the increment would.

use std::sync::Arc;

use landbridge_model::config::Sync;
use landbridge_model::{SalesforceId, Source};
use landbridge_salesforce::collections::RETRIEVE_MAX;

use super::{Channel, channel_of};
use crate::emitted::Emitted;
use crate::live::is_live;
use crate::outlet::Outlet;
use crate::plan::ReadPlan;
use crate::reader::IDS_IN_A_QUERY;
use crate::rows;
use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};

/// The syncs that read a channel's object and are to be read.
pub(super) fn syncs(shard: &Shard, channel: &Channel) -> Vec<Arc<Sync>> {
    let mut syncs = shard.context.config.syncs(&channel.tenant);
    syncs.retain(|sync| is_live(sync) && channel_of(sync).as_ref() == Some(channel));
    syncs
}

/// Reads records for all syncs of their object. When this is well, they are on the bus, but for syncs that are stopped by
/// what is wrong with themselves: their increments find that out, and say so. Gives the calls that it took, about.
pub(super) async fn read(shard: &Shard, channel: &Channel, ids: &[SalesforceId]) -> Result<u64, Trouble> {
    let mut calls = 0;
    for sync in syncs(shard, channel) {
        match read_for(shard, &sync, ids).await {
            Ok(made) => calls += made,
            Err(trouble) if matches!(trouble.remedy(), Remedy::Stop | Remedy::Smaller) => {
                let key = sync.key();
                tracing::warn!(sync = %key, trouble = %trouble.chain(), "what change events named cannot be read");
                if let Some(now) = shard.orgs.made(&key.tenant).and_then(|org| org.clock().now()) {
                    shard.streams.hurry(&key).ask(now);
                }
            }
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(calls)
}

async fn read_for(shard: &Shard, sync: &Sync, ids: &[SalesforceId]) -> Result<u64, Trouble> {
    let plan = Arc::new(ReadPlan::new(sync)?);
    let client = shard.orgs.client(&plan.key.tenant).await?;
    let reader = shard.reader(client, plan.clone());
    let (found, unseen) = reader.by_ids(ids).await?;
    let emitted = Emitted::of(&shard.context.cache, &plan.key);
    let fresh = emitted.fresh(&found.keys, |row| {
        rows::fingerprint(&plan, &found.table, row, found.keys[row].kind)
    })?;
    if !unseen.is_empty() {
        // Purged since, or hidden: that is for the reconcile to judge. Absence is never a delete.
        tracing::debug!(sync = %plan.key, records = unseen.len(), "change events named records that cannot be seen");
    }
    if !fresh.rows.is_empty() {
        let count = fresh.rows.len();
        let outlet = Outlet::new(shard, &reader.client, &plan, Source::ChangeEvent, None);
        let split = rows::split(
            &plan,
            &outlet.envelope,
            &found.table,
            &found.keys,
            fresh.rows,
            shard.settings.batch_rows,
        );
        outlet.send(&split).await?;
        emitted.remember(fresh.remember).await?;
        tracing::debug!(sync = %plan.key, rows = count, read = found.keys.len(), "changes that events named are on the bus");
    }
    Ok(calls(&plan, ids.len()))
}

/// The calls that reading so many records takes, but for those that are deleted.
fn calls(plan: &ReadPlan, ids: usize) -> u64 {
    let together = if plan.columns.has_parent_paths() {
        IDS_IN_A_QUERY
    } else {
        RETRIEVE_MAX
    };
    ids.div_ceil(together) as u64
}
