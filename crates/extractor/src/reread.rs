//! Records that a stage wants read again: collected for a moment, read together, sent on, forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landbridge_bus::subject::Filter;
use landbridge_bus::{FollowFrom, Followed, StreamName};
use landbridge_model::{
    ChangeKind, Envelope, Failure, FailureCategory, SalesforceId, Source, SyncKey, Version,
};
use landbridge_stage::StageError;
use landbridge_wire::{Reread, Wire};

use crate::outlet::{Outlet, failed};
use crate::plan::ReadPlan;
use crate::rows::{self, RowKey};
use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};

/// How long wishes are collected before they are read together.
const LINGER: Duration = Duration::from_millis(100);
/// Most wishes that are read together.
const TOGETHER: usize = 2_000;
/// Wishes forgotten at the same time: each has a subject of its own.
const FORGET_TOGETHER: usize = 16;
/// Pause before a group that met trouble is read again.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// The same, when a person or the next day must help.
const RARELY: Duration = Duration::from_secs(60);

/// A wish and its place in the stream.
type Wish = (Reread, u64);

/// Fulfils a shard's wishes for ever; dropped with the shard.
pub async fn run(shard: Arc<Shard>) -> Result<(), StageError> {
    let filter = Filter::shard(StreamName::Reread, shard.context.shard);
    let mut follow = shard.context.hub.bus().follow(&filter, FollowFrom::Start).await?;
    let mut waiting: Vec<Wish> = Vec::new();
    loop {
        // Without a wish there is nothing to wait for but the next one.
        let next = if waiting.is_empty() {
            Some(follow.next().await)
        } else {
            tokio::time::timeout(LINGER, follow.next()).await.ok()
        };
        match next {
            Some(Followed::Message(stored)) => match Reread::decode(&stored.payload) {
                Ok(reread) => waiting.push((reread, stored.sequence)),
                Err(error) => tracing::warn!(%error, "a wish to read a record again cannot be read itself"),
            },
            Some(Followed::CaughtUp | Followed::Gap { .. }) => {}
            None => fulfil(&shard, std::mem::take(&mut waiting)).await,
        }
        if waiting.len() >= TOGETHER {
            fulfil(&shard, std::mem::take(&mut waiting)).await;
        }
    }
}

/// Wishes that one read and one stream of batches can answer.
#[must_use]
pub fn groups(wishes: Vec<Wish>) -> Vec<(Envelope, Vec<Wish>)> {
    let mut groups: BTreeMap<String, (Envelope, Vec<Wish>)> = BTreeMap::new();
    for wish in wishes {
        let envelope = &wish.0.envelope;
        let run = envelope.run.as_ref().map(ToString::to_string);
        let key = format!(
            "{} {:?} {run:?} {} {:?}",
            envelope.sync_key(),
            envelope.purpose,
            envelope.force,
            envelope.source
        );
        groups
            .entry(key)
            .or_insert_with(|| (envelope.clone(), Vec::new()))
            .1
            .push(wish);
    }
    groups.into_values().collect()
}

async fn fulfil(shard: &Arc<Shard>, wishes: Vec<Wish>) {
    for (envelope, wishes) in groups(wishes) {
        if let Err(trouble) = read_again(shard, &envelope, &wishes).await {
            tracing::warn!(sync = %envelope.sync_key(), trouble = %trouble.chain(), "records cannot be read again yet");
            // The wishes are still in the stream; they are asked for anew, after everything that waits now.
            let pause = if trouble.remedy() == Remedy::TryAgain {
                AFTER_TROUBLE
            } else {
                RARELY
            };
            let shard = shard.clone();
            let retry = tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                for (wish, _) in &wishes {
                    if let Err(error) = shard.context.hub.ask_reread(wish).await {
                        tracing::warn!(error = %error.chain(), "a wish could not be renewed; it waits for the next owner");
                        return;
                    }
                }
            });
            drop(retry);
        }
    }
}

async fn read_again(shard: &Arc<Shard>, envelope: &Envelope, wishes: &[Wish]) -> Result<(), Trouble> {
    let key = SyncKey {
        tenant: envelope.tenant.clone(),
        name: envelope.sync.clone(),
    };
    let Some(sync) = shard.context.config.sync(&key.tenant, &key.name) else {
        return forget(shard, wishes).await; // nobody wants it any more
    };
    let plan = Arc::new(ReadPlan::new(&sync)?);
    let client = shard.orgs.client(&key.tenant).await?;
    let outlet = Outlet::answering(shard, &client, &plan, envelope);
    let reader = shard.reader(client, plan.clone());
    let mut ids: Vec<SalesforceId> = wishes.iter().map(|(wish, _)| wish.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let looked = reader.org_now().await?;
    let (found, absent) = reader.by_ids(&ids).await?;
    let all = 0..found.keys.len();
    let split = rows::split(
        &plan,
        &outlet.envelope,
        &found.table,
        &found.keys,
        all,
        shard.settings.batch_rows,
    );
    outlet.send(&split).await?;
    if outlet.envelope.source == Source::Repair {
        // Somebody wants HubSpot to be as Salesforce is: that is for a person to confirm once more, record by record.
        let reconciling = Outlet::new(shard, &reader.client, &plan, Source::Reconcile, None);
        reconciling
            .absent(&plan, &absent, looked, shard.settings.batch_rows)
            .await?;
    } else {
        let looked_ms = looked.as_millisecond();
        let not_seen = absent.iter().map(|id| not_seen(*id, looked_ms));
        outlet.failed(not_seen.collect()).await?;
    }
    forget(shard, wishes).await
}

/// Absence is no delete: the record may be hidden from this user, or purged.
fn not_seen(id: SalesforceId, now_ms: i64) -> landbridge_model::RecordOutcome {
    let message = "Salesforce shows no such record to this user: it was purged, or a permission hides it";
    let key = RowKey {
        id,
        version: Version::new(now_ms, now_ms),
        kind: ChangeKind::Upsert,
    };
    failed(&key, Failure::new(FailureCategory::Permission, message))
}

async fn forget(shard: &Arc<Shard>, wishes: &[Wish]) -> Result<(), Trouble> {
    for some in wishes.chunks(FORGET_TOGETHER) {
        let forgetting = some
            .iter()
            .map(|(wish, sequence)| shard.context.hub.forget_reread(wish, *sequence));
        futures::future::try_join_all(forgetting).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Purpose, Revision, Source, SyncName, TenantId};

    use super::*;

    fn wish(sync: &str, run: Option<&str>, id: &str) -> Wish {
        let envelope = Envelope {
            tenant: TenantId::new("acme").unwrap(),
            sync: SyncName::new(sync).unwrap(),
            revision: Revision(1),
            purpose: Purpose::Apply,
            source: Source::Reread,
            run: run.map(|run| run.parse().unwrap()),
            force: false,
            only: None,
        };
        (
            Reread {
                envelope,
                id: SalesforceId::parse(id).unwrap(),
                reason: String::new(),
            },
            1,
        )
    }

    #[test]
    fn wishes_of_one_sync_and_run_are_read_together() {
        let groups = groups(vec![
            wish("a", None, "a00Hs000001ABCd"),
            wish("b", None, "a00Hs000001ABCe"),
            wish("a", None, "a00Hs000001ABCf"),
            wish("a", Some("import-1"), "a00Hs000001ABCf"),
        ]);
        let sizes: Vec<usize> = groups.iter().map(|(_, wishes)| wishes.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 4);
        assert_eq!(groups.len(), 3);
    }
}
