//! What no lane causes: held deletes whose grace is over, and the day's count of calls put down for the next owner.

use std::sync::Arc;
use std::time::Duration;

use landbridge_hubspot::Share;
use landbridge_model::{ChangeKind, Outcome, StageKind, Table, WriteBatch};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::{HeldDelete, Report, ReportBody};

use crate::flight::Airline;
use crate::known::Fingerprint;
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
        if shard.held.lock().is_empty() {
            continue;
        }
        let now_ms = context.hub.now_ms();
        for held in context.hub.held_of_shard(context.shard).await? {
            if held.until_ms.is_some_and(|until| until <= now_ms) {
                release(&shard, &context, held).await?;
            }
        }
    }
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

/// Writes a delete whose grace is over, unless a newer version came meanwhile.
async fn release(
    shard: &Arc<LoaderShard>,
    context: &ShardContext,
    held: HeldDelete,
) -> Result<(), StageError> {
    let envelope = held.envelope.clone();
    let tenant = shard.tenant(&envelope.tenant);
    let sync = envelope.sync_key();
    let Some(target) = find(context, &envelope.tenant, &envelope.sync).await else {
        return Ok(());
    };
    let Ok(portal) = tenant.portal(context).await else {
        return Ok(());
    };
    let mut rows = [row_of(&held, target)];
    let key = rows[0].key();
    if tenant.is_busy(&key) {
        return Ok(());
    }
    tenant.begin([key.clone()]);
    let airline = Airline {
        context: context.clone(),
        tenant: tenant.clone(),
        share: Share::Bulk,
        metrics: shard.metrics.clone(),
    };
    let fates = airline.delete(&portal, &mut rows).await;
    tenant.end([&key]);
    let Some(Fate::Ended(end)) = fates?.into_iter().next() else {
        return Ok(());
    };
    // A record that came back meanwhile has told its own outcome.
    if end.outcome != Outcome::Superseded {
        tell(context, &rows[0], &end).await?;
    }
    context
        .hub
        .release_held(&sync.tenant, &sync.name, held.id)
        .await?;
    shard.held.lock().remove(&(sync, held.id));
    Ok(())
}

async fn tell(context: &ShardContext, row: &Row, end: &End) -> Result<(), StageError> {
    if let Some(identity) = end.identity(row) {
        let envelope = row.batch.envelope.clone();
        let lane = landbridge_model::Lane::Live;
        let subject = context
            .hub
            .links(&envelope.tenant, lane, landbridge_bus::LinkPart::Identities);
        let message = landbridge_wire::LinkMessage::Identities(landbridge_model::Identities {
            envelope,
            object_type: row.target.object_type.clone(),
            identities: vec![identity],
        });
        context
            .hub
            .send(
                &subject,
                &format!("held {} {}", row.id(), row.version()),
                &message,
            )
            .await?;
    }
    let report = Report {
        envelope: row.batch.envelope.clone(),
        stage: StageKind::Loader,
        at_ms: context.hub.now_ms(),
        org_ahead_ms: 0,
        body: ReportBody::Records(vec![end.report(row)]),
    };
    context.hub.report(&report).await
}

fn row_of(held: &HeldDelete, target: Target) -> Row {
    let batch = WriteBatch {
        envelope: held.envelope.clone(),
        ids: vec![held.id],
        versions: vec![held.version],
        kinds: vec![ChangeKind::Delete],
        table: Table::default(),
        links: Table::default(),
    };
    Row {
        message: 0,
        batch: Arc::new(batch),
        target: Arc::new(target),
        index: 0,
        fingerprint: Fingerprint::of([]),
        attempts: 0,
        was_absent: false,
        in_doubt: false,
    }
}
