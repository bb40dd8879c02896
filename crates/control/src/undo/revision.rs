//! Undoing a revision of a sync: the imports under it are undone, the newest first, and then its definition is what it was
//! before, as a new revision. How far that is, is on the bus: a restart goes on with it.

mod decide;

use std::collections::BTreeMap;

use landbridge_bus::{Bucket, Key, KeyFilter, Kv, KvError};
use landbridge_model::ask::UndoStatus;
use landbridge_model::before::UndoCounts;
use landbridge_model::config::Import;
use landbridge_model::{ImportId, Revision, RunId, SyncKey, SyncName, TenantId};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::{AskError, AskErrorCode};

use self::decide::{Decided, Refusal, Seen, decide};
use super::account::sum;
use super::rules::may_be_undone;
use super::{invalid, stored};
use crate::ask::{
    AskRevisionUndo, Done, LiveWrites, RevisionUndo, RevisionUndoPlan, RevisionUndoStatus, StayingImport,
    UndoRevision,
};
use crate::definitions::revisions::{self, StoredRevision};
use crate::definitions::{definition_tag, problems_of};
use crate::service::definition_diff;
use crate::shard::{ControlShard, lock, unavailable};

/// Where the undos of a sync's revisions are kept.
fn keys(sync: &SyncKey) -> Key {
    Key::new(["undo-revision", sync.tenant.as_str(), sync.name.as_str()])
}

fn key(sync: &SyncKey, revision: Revision) -> Key {
    let number = revision.0.to_string();
    Key::new(["undo-revision", sync.tenant.as_str(), sync.name.as_str(), &number])
}

fn named(key: &Key) -> Option<(SyncKey, Revision)> {
    let tokens = key.tokens();
    let [_, tenant, name, number] = tokens.as_slice() else {
        return None;
    };
    let sync = SyncKey {
        tenant: TenantId::new(tenant).ok()?,
        name: SyncName::new(name).ok()?,
    };
    Some((sync, Revision(number.parse().ok()?)))
}

/// Forgets the undos of a sync's revisions.
pub(crate) async fn forget_revisions(context: &ShardContext, sync: &SyncKey) -> Result<(), StageError> {
    let bucket = context.hub.bus().kv(Bucket::Config);
    for entry in bucket.list(&KeyFilter::Under(keys(sync))).await? {
        bucket.delete(&entry.key).await?;
    }
    Ok(())
}

/// The undos of a sync's revisions that were begun.
pub(crate) async fn revision_undos(
    bucket: &Kv,
    sync: &SyncKey,
) -> Result<BTreeMap<Revision, RevisionUndoStatus>, KvError> {
    let entries = bucket.list(&KeyFilter::Under(keys(sync))).await?;
    let named = entries
        .iter()
        .filter_map(|entry| Some((named(&entry.key)?.1, entry)));
    named
        .map(|(revision, entry)| Ok((revision, entry.json()?)))
        .collect()
}

/// Refuses to change a sync of which a revision is being undone.
pub(crate) async fn refuse_undoing_revision(
    context: &ShardContext,
    tenant: &TenantId,
    names: &[SyncName],
) -> Result<(), AskError> {
    let bucket = context.hub.bus().kv(Bucket::Config);
    for name in names {
        let sync = SyncKey {
            tenant: tenant.clone(),
            name: name.clone(),
        };
        let undos = revision_undos(&bucket, &sync).await;
        let mut undos = undos.map_err(|error| unavailable(error.into()))?.into_iter();
        if let Some((revision, _)) = undos.find(|(_, undo)| undo.ended_ms.is_none()) {
            return Err(invalid(format!(
                "{revision} of {name} is being undone: wait for its end"
            )));
        }
    }
    Ok(())
}

impl ControlShard {
    /// What the undo of a revision would do, or how it stands.
    pub(crate) async fn revision_undo(
        &self,
        tenant: &TenantId,
        ask: &AskRevisionUndo,
    ) -> Result<RevisionUndo, AskError> {
        let context = &self.context;
        let sync = crate::definitions::stored(context, tenant, &ask.sync)?;
        let bucket = context.hub.bus().kv(Bucket::Config);
        let undo = bucket
            .get_json::<RevisionUndoStatus>(&key(&sync.key(), ask.revision))
            .await
            .map_err(|error| unavailable(error.into()))?
            .map(|(undo, _)| undo);
        let plan = if undo.as_ref().is_none_or(RevisionUndoStatus::has_failed) {
            let kept = revisions::with_current(&bucket, &sync, context.hub.now_ms()).await;
            let kept = kept.map_err(|error| unavailable(error.into()))?;
            Some(self.plan_of(&sync.key(), &kept, ask.revision).await?)
        } else {
            None
        };
        Ok(RevisionUndo {
            sync: ask.sync.clone(),
            revision: ask.revision,
            tag: definition_tag(&sync.definition),
            plan,
            undo,
        })
    }

    async fn plan_of(
        &self,
        sync: &SyncKey,
        kept: &[StoredRevision],
        revision: Revision,
    ) -> Result<RevisionUndoPlan, AskError> {
        let hub = &self.context.hub;
        let imports = self.context.config.imports(&sync.tenant);
        let mut seen = Vec::new();
        for import in imports.iter().filter(|import| import.sync == sync.name) {
            seen.push(self.seen(sync, import).await.map_err(unavailable)?);
        }
        let (now_ms, before_kept) = (hub.now_ms(), hub.bus().config().before_max_age);
        let decided =
            decide(kept, revision, &seen, now_ms, before_kept).map_err(|refusal| match refusal {
                Refusal::Unknown(why) => {
                    AskError::new(AskErrorCode::NotFound, format!("{}: {why}", sync.name))
                }
                Refusal::Impossible(why) => invalid(format!("{}: {why}", sync.name)),
            })?;
        let Decided {
            back_to,
            later,
            imports,
            stays,
            mut obstacle,
        } = decided;
        let current = kept.last().unwrap_or(back_to);
        let mut lines = Vec::new();
        if current.definition != back_to.definition {
            lines = definition_diff(&current.definition, &back_to.definition);
            if obstacle.is_none() {
                let problems = problems_of(self, &sync.tenant, &back_to.definition).await?;
                obstacle = (!problems.is_empty()).then(|| not_valid(back_to.revision, &problems));
            }
        }
        Ok(RevisionUndoPlan {
            back_to: back_to.revision,
            later,
            lines,
            imports,
            live: self.live_since(sync, revision).await.map_err(unavailable)?,
            stays,
            obstacle,
        })
    }

    async fn seen<'i>(&self, sync: &SyncKey, import: &'i Import) -> Result<Seen<'i>, StageError> {
        let status = self.import_status(import).await?;
        let undo = stored(&self.context.hub, &sync.tenant, &import.id).await?;
        let images = if import.keep_before {
            self.context
                .hub
                .count_before(sync, &RunId::from(&import.id))
                .await?
        } else {
            0
        };
        Ok(Seen {
            import,
            images,
            is_open: status.ended_ms.is_none() && !self.is_over(import),
            ended_ms: status.ended_ms,
            undo_ended: undo.map(|undo| undo.ended_ms.is_some()),
        })
    }

    /// What a sync wrote under a revision and later ones outside of imports.
    async fn live_since(&self, sync: &SyncKey, revision: Revision) -> Result<LiveWrites, StageError> {
        self.caught_up(&sync.tenant).await?;
        let ledger = self.ledger();
        let account = ledger
            .tenant(&sync.tenant)
            .and_then(|tenant| tenant.syncs().get(&sync.name));
        Ok(account
            .map(|account| account.live_since(revision))
            .unwrap_or_default())
    }

    /// Begins to undo a revision. Asking again changes nothing.
    pub(crate) async fn undo_revision(
        &self,
        tenant: &TenantId,
        ask: &UndoRevision,
    ) -> Result<Done, AskError> {
        let context = &self.context;
        let question = AskRevisionUndo {
            sync: ask.sync.clone(),
            revision: ask.revision,
        };
        let found = self.revision_undo(tenant, &question).await?;
        let Some(plan) = found.plan else {
            return Ok(Done {});
        };
        if found.tag != ask.seen {
            let what = format!(
                "the sync {} was changed since; look at what its undo does now, and repeat it",
                ask.sync
            );
            return Err(AskError::new(AskErrorCode::Conflict, what));
        }
        if let Some(obstacle) = &plan.obstacle {
            return Err(invalid(obstacle.clone()));
        }
        let names = std::slice::from_ref(&ask.sync);
        crate::removals::refuse_removed(context, tenant, names).await?;
        super::refuse_undoing(context, tenant, names).await?;
        let mut status = begun(plan, found.tag, &ask.by, context.hub.now_ms());
        let sync = SyncKey {
            tenant: tenant.clone(),
            name: ask.sync.clone(),
        };
        // First the mark: whatever comes after it is done by whoever finds the mark.
        let bucket = context.hub.bus().kv(Bucket::Config);
        let marked = bucket.put_json(&key(&sync, ask.revision), &status).await;
        marked.map_err(|error| unavailable(error.into()))?;
        // Only the definition goes back, which takes no time.
        let advanced = if status.imports.is_empty() {
            self.advance(&sync, ask.revision, &mut status).await
        } else {
            Ok(())
        };
        lock(&self.undos).revisions.insert((sync, ask.revision));
        advanced.map_err(unavailable)?;
        Ok(Done {})
    }

    /// Goes on with the undos of revisions that were begun here or by a former owner.
    pub(super) async fn go_on_with_revisions(&self) -> Result<(), StageError> {
        let known = lock(&self.undos).revisions.clone();
        let bucket = self.context.hub.bus().kv(Bucket::Config);
        for (sync, revision) in known {
            let found = bucket
                .get_json::<RevisionUndoStatus>(&key(&sync, revision))
                .await?;
            match found.filter(|(status, _)| status.ended_ms.is_none()) {
                Some((mut status, _)) => self.advance(&sync, revision, &mut status).await?,
                None => drop(lock(&self.undos).revisions.remove(&(sync, revision))),
            }
        }
        Ok(())
    }

    /// Those of the shard's tenants that were begun, as the bus has them.
    pub(super) async fn begun_revisions(&self) -> Result<Vec<(SyncKey, Revision)>, StageError> {
        let bucket = self.context.hub.bus().kv(Bucket::Config);
        let entries = bucket
            .list(&KeyFilter::Under(Key::new(["undo-revision"])))
            .await?;
        let found = entries.iter().filter_map(|entry| named(&entry.key));
        let own = found.filter(|(sync, _)| self.context.hub.shard_of(&sync.tenant) == self.context.shard);
        Ok(own.collect())
    }

    /// One step, stored.
    async fn advance(
        &self,
        sync: &SyncKey,
        revision: Revision,
        status: &mut RevisionUndoStatus,
    ) -> Result<(), StageError> {
        let before = status.clone();
        self.step(sync, revision, status).await?;
        if *status != before {
            let bucket = self.context.hub.bus().kv(Bucket::Config);
            bucket.put_json(&key(sync, revision), status).await?;
        }
        Ok(())
    }

    async fn step(
        &self,
        sync: &SyncKey,
        revision: Revision,
        status: &mut RevisionUndoStatus,
    ) -> Result<(), StageError> {
        let hub = &self.context.hub;
        if self.context.config.sync(&sync.tenant, &sync.name).is_none() {
            status.trouble = Some(format!("{} was removed", sync.name));
            status.ended_ms = Some(hub.now_ms());
            return Ok(());
        }
        if !status.imports.is_empty() {
            let reason = format!("{revision} is undone; the sync stands until it is resumed");
            self.pause_while_undoing(sync, &reason).await?;
        }
        let mut counts = UndoCounts::default();
        for id in status.imports.clone() {
            match self.undo_for(sync, status, &id).await? {
                Some(undo) => {
                    counts.add(undo.counts);
                    if undo.ended_ms.is_none() {
                        (status.counts, status.trouble) = (counts, undo.trouble);
                        return Ok(());
                    }
                }
                None => status.imports.retain(|other| *other != id),
            }
        }
        let mut undone = Vec::new();
        for id in &status.imports {
            undone.extend(hub.undone(sync, &RunId::from(id)).await?);
        }
        // A record that several imports wrote counts once.
        status.counts = sum(undone);
        self.go_back(sync, revision, status).await
    }

    /// The undo of one of the imports, begun if need be. `None` when it cannot be undone any more, which is noted.
    async fn undo_for(
        &self,
        sync: &SyncKey,
        status: &mut RevisionUndoStatus,
        id: &ImportId,
    ) -> Result<Option<UndoStatus>, StageError> {
        let hub = &self.context.hub;
        if let Some(undo) = stored(hub, &sync.tenant, id).await? {
            return Ok(Some(undo));
        }
        let kept = hub.bus().config().before_max_age;
        let import = self.context.config.import(&sync.tenant, id);
        let may = match &import {
            None => Err(format!("{id} is not there any more")),
            Some(import) => may_be_undone(import, &[], hub.now_ms(), kept),
        };
        match (import, may) {
            (Some(import), Ok(())) => Ok(Some(self.mark_undo(&import, &status.by).await?)),
            (_, may) => {
                let reason = may.err().unwrap_or_default();
                status.stays.push(StayingImport {
                    id: id.clone(),
                    reason,
                });
                Ok(None)
            }
        }
    }

    /// Makes the definition what it was, when all imports are undone.
    async fn go_back(
        &self,
        sync: &SyncKey,
        revision: Revision,
        status: &mut RevisionUndoStatus,
    ) -> Result<(), StageError> {
        status.trouble = None;
        let bucket = self.context.hub.bus().kv(Bucket::Config);
        let kept = revisions::list(&bucket, &sync.tenant, &sync.name).await?;
        let back_to = kept.iter().find(|kept| kept.revision == status.back_to);
        let made = match back_to {
            Some(back_to) => revisions::go_back(self, &back_to.definition, &status.tag, &status.by).await,
            None => Err(invalid(format!("{} is not kept any more", status.back_to))),
        };
        match made {
            Ok(made) => {
                status.made = Some(made);
                tracing::info!(tenant = %sync.tenant, sync = %sync.name, %revision, %made, ?status.counts, "the revision is undone");
            }
            // These pass, and are tried again.
            Err(error) if matches!(error.code, AskErrorCode::Unavailable | AskErrorCode::Limited) => {
                tracing::warn!(tenant = %sync.tenant, sync = %sync.name, %revision, %error, "the definition could not be made what it was; it is soon tried again");
                status.trouble = Some(error.message);
                return Ok(());
            }
            Err(error) => {
                let what = "the imports are undone as told, and the definition stays as it is";
                status.trouble = Some(format!("{}; {what}", error.message));
            }
        }
        status.ended_ms = Some(self.context.hub.now_ms());
        Ok(())
    }
}

fn begun(plan: RevisionUndoPlan, tag: String, by: &str, now_ms: i64) -> RevisionUndoStatus {
    let imports = plan.undone().map(|import| import.id.clone()).collect();
    let staying = plan.imports.into_iter().filter_map(|import| {
        Some(StayingImport {
            id: import.id,
            reason: import.reason?,
        })
    });
    RevisionUndoStatus {
        by: by.to_owned(),
        began_ms: now_ms,
        ended_ms: None,
        back_to: plan.back_to,
        tag,
        imports,
        stays: staying.collect(),
        live: plan.live,
        counts: UndoCounts::default(),
        made: None,
        trouble: None,
    }
}

fn not_valid(revision: Revision, problems: &[landbridge_model::Problem]) -> String {
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    format!(
        "the definition of {revision} is not valid any more: {}",
        problems.join("; ")
    )
}
