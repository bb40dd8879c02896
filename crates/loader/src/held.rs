//! What no lane causes: held deletes whose grace is over or that a person decided on, and the day's count of calls put down for the next owner.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_model::ask::{DecideHeld, Decided, HeldDecision};
use landbridge_model::{ChangeKind, Outcome, SyncKey, Table, TenantId, WriteBatch};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::HeldDelete;

use crate::alone::{Charter, tell};
use crate::row::{End, Fate, Row};
use crate::shard::LoaderShard;
use crate::target::{Target, find};

/// How often held deletes are looked through.
const SWEEP: Duration = Duration::from_secs(2);
/// Sweeps between two times that the budgets are put down.
const BUDGETS_EVERY: u32 = 15;

/// Runs until the shard is given up.
pub(crate) async fn run(shard: Arc<LoaderShard>, context: ShardContext) -> Result<(), StageError> {
    let mut sweeps = 0u32;
    while context
        .stop
        .run_until_cancelled(tokio::time::sleep(SWEEP))
        .await
        .is_some()
    {
        sweeps = sweeps.wrapping_add(1);
        if sweeps.is_multiple_of(BUDGETS_EVERY) {
            put_budgets_down(&shard).await;
        }
        crate::retry::run_due(&shard, &context).await?;
        // What is granted to deletes in their grace makes no call that would wait for its being stored.
        for tenant in shard.tenants() {
            shard.deletes.put_down(&context, &tenant.id).await?;
        }
        if shard.held.lock().is_empty() {
            continue;
        }
        let now_ms = context.hub.now_ms();
        for due in due_together(context.hub.held_of_shard(context.shard).await?, now_ms) {
            release(&shard, &context, &due).await?;
        }
    }
    Ok(())
}

/// Those whose grace is over or whose delete was approved, in groups of one sync that one call can archive.
fn due_together(held: Vec<HeldDelete>, now_ms: i64) -> Vec<Vec<HeldDelete>> {
    let mut by_sync: BTreeMap<SyncKey, Vec<HeldDelete>> = BTreeMap::new();
    for held in held {
        if held.until_ms.is_some_and(|until| until <= now_ms) {
            by_sync.entry(held.envelope.sync_key()).or_default().push(held);
        }
    }
    by_sync
        .into_values()
        .flat_map(|due| {
            due.chunks(BATCH_INPUTS_MAX)
                .map(<[HeldDelete]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A person's word. What is approved is due at once, and written by the next sweep, also by another worker's; what is
/// discarded ends as kept, and stays so until the record is seen again. Gives how many deletes it was said of.
pub(crate) async fn decide(
    shard: &LoaderShard,
    tenant: &TenantId,
    question: &DecideHeld,
) -> Result<Decided, StageError> {
    let context = &shard.context;
    let mut count = 0;
    for held in context.hub.held(tenant, Some(&question.sync)).await? {
        if !question.ids.is_empty() && !question.ids.contains(&held.id) {
            continue;
        }
        count += 1;
        match question.decision {
            HeldDecision::Approve => {
                let approved = HeldDelete {
                    until_ms: Some(context.hub.now_ms()),
                    reason: "a person approved it".to_owned(),
                    ..held
                };
                context.hub.hold(&approved).await?;
            }
            HeldDecision::Discard => {
                // First the memory: the next look for what Salesforce no longer shows would tell it again.
                let (sync, id) = (&question.sync, held.id);
                context.hub.keep_absent(tenant, sync, id, held.version).await?;
                if let Some(target) = find(context, tenant, sync).await {
                    let row = row_of(&held, Arc::new(target));
                    tell(context, &row, &End::new(Outcome::Kept, None)).await?;
                }
                forget(shard, &held).await?;
            }
        }
    }
    Ok(Decided { count })
}

async fn forget(shard: &LoaderShard, held: &HeldDelete) -> Result<(), StageError> {
    let sync = held.envelope.sync_key();
    shard
        .context
        .hub
        .release_held(&sync.tenant, &sync.name, held.id)
        .await?;
    shard.held.lock().remove(&(sync, held.id));
    Ok(())
}

/// What a restart must not forget.
pub(crate) async fn put_budgets_down(shard: &LoaderShard) {
    for tenant in shard.tenants() {
        let Some(portal) = tenant.opened().await else {
            continue;
        };
        let Some(rest) = portal.details.day_ends_in(jiff::Timestamp::now()) else {
            continue;
        };
        let ends_ms = shard.context.hub.now_ms() + i64::try_from(rest.as_millis()).unwrap_or(i64::MAX / 2);
        if let Err(error) = tenant
            .memory
            .set_daily(ends_ms, portal.client.usage().daily_spent)
        {
            tracing::warn!(tenant = %tenant.id, error = %error.chain(), "the day's calls could not be put down");
        }
    }
}

/// Writes deletes of one sync that are due, unless newer versions came meanwhile.
async fn release(
    shard: &Arc<LoaderShard>,
    context: &ShardContext,
    due: &[HeldDelete],
) -> Result<(), StageError> {
    let Some(SyncKey { tenant: id, name }) = due.first().map(|held| held.envelope.sync_key()) else {
        return Ok(());
    };
    let tenant = shard.tenant(&id);
    let Some(target) = find(context, &id, &name).await.map(Arc::new) else {
        return Ok(());
    };
    let Some(charter) = Charter::of(shard, context, &tenant).await else {
        return Ok(());
    };
    // What is being written just now is looked at by the next sweep.
    let due: Vec<(&HeldDelete, Row)> = due
        .iter()
        .map(|held| (held, row_of(held, target.clone())))
        .filter(|(_, row)| charter.have(row))
        .collect();
    let (due, mut rows): (Vec<&HeldDelete>, Vec<Row>) = due.into_iter().unzip();
    let fates = charter.fly(&mut rows).await?;
    for ((held, row), fate) in due.into_iter().zip(&rows).zip(fates) {
        let Fate::Ended(end) = fate else { continue };
        // A record that came back meanwhile has told its own outcome.
        if end.outcome != Outcome::Superseded {
            tell(context, row, &end).await?;
        }
        forget(shard, held).await?;
    }
    Ok(())
}

fn row_of(held: &HeldDelete, target: Arc<Target>) -> Row {
    let batch = WriteBatch {
        envelope: held.envelope.clone(),
        ids: vec![held.id],
        versions: vec![held.version],
        kinds: vec![ChangeKind::Delete],
        table: Table::default(),
        links: Table::default(),
    };
    Row::alone(batch, target)
}
