//! What people want of imports: started, paused, resumed, cancelled. The extractor sees the wish in `lb_config` and obeys.

use landbridge_bus::Bucket;
use landbridge_model::config::{Import, ImportWish};
use landbridge_model::{ImportId, MappedPart, RunId, SyncName, TenantId};
use landbridge_wire::{AskError, AskErrorCode, RunPhase};
use sha2::{Digest as _, Sha256};

use super::order::{parents_before, parents_first};
use crate::ask::{
    AppliedSync, CancelImport, Done, PauseImport, ResumeImport, StartImports, StartedImport, StartedImports,
    Writing,
};
use crate::definitions;
use crate::definitions::back_fill::lacking_of;
use crate::shard::{ControlShard, unavailable};

/// For so long an import that stopped can be gone on with, in milliseconds: Salesforce keeps a job's rows for a week,
/// and shows deleted records for fifteen days.
const GOES_ON_WITHIN_MS: i64 = 7 * 24 * 3_600_000;

fn invalid(text: String) -> AskError {
    AskError::new(AskErrorCode::Invalid, text)
}

/// What becomes of an import that somebody wants to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resumption {
    /// Nothing: it runs.
    Runs,
    /// It runs again.
    RunsAgain,
    /// Another goes on with it.
    Another,
}

/// Decides it from the import, how far the extractor says that it is, and whether another goes on with it already.
fn resumption(
    import: &Import,
    phase: RunPhase,
    followed: Option<&ImportId>,
    now_ms: i64,
) -> Result<Resumption, String> {
    let id = &import.id;
    if import.undo_ms.is_some() {
        return Err(format!("{id} was undone: start a new import"));
    }
    match (phase, import.wish) {
        (RunPhase::Ended, _) => Err(format!(
            "{id} has read everything: there is nothing to go on with"
        )),
        (RunPhase::Canceled | RunPhase::Failed, _) | (_, ImportWish::Cancel) => {
            if let Some(other) = followed {
                return Err(format!("{other} goes on with {id} already"));
            }
            if now_ms - import.started_ms > GOES_ON_WITHIN_MS {
                return Err(format!(
                    "{id} began more than a week ago, and Salesforce keeps its rows no longer: start a new import"
                ));
            }
            Ok(Resumption::Another)
        }
        (_, ImportWish::Pause) => Ok(Resumption::RunsAgain),
        (_, ImportWish::Run) => Ok(Resumption::Runs),
    }
}

impl ControlShard {
    /// Starts an import of each sync; none when any of them has a problem.
    pub(crate) async fn start_imports(
        &self,
        tenant: &TenantId,
        ask: StartImports,
    ) -> Result<StartedImports, AskError> {
        let (begun, left) = self.begun_before(tenant, &ask)?;
        if left.is_empty() && !begun.is_empty() {
            return Ok(StartedImports {
                imports: begun,
                problems: Vec::new(),
            });
        }
        let order = self.in_order(tenant, &ask.syncs);
        let ask = StartImports { syncs: left, ..ask };
        crate::removals::refuse_removed(&self.context, tenant, &ask.syncs).await?;
        crate::undo::refuse_undoing(&self.context, tenant, &ask.syncs).await?;
        let syncs = self.in_order(tenant, &ask.syncs);
        let resolved = definitions::resolve_stored(self, tenant, &syncs).await?;
        if resolved.iter().any(|sync| !sync.problems.is_empty()) {
            return Ok(StartedImports {
                imports: Vec::new(),
                problems: resolved,
            });
        }
        let mut parts = Vec::new();
        for sync in &resolved {
            let (overwrite, only) = self.written_part(tenant, &sync.name, ask.writing).await?;
            let undone = self
                .undone_before(tenant, &sync.name)
                .await
                .map_err(unavailable)?;
            parts.push((overwrite || undone, only));
        }
        let mut imports = begun;
        let already = imports.len();
        let before = self.parents_before(tenant, &resolved);
        for ((sync, (overwrite, only)), before) in resolved.into_iter().zip(parts).zip(before) {
            let id = match &ask.once {
                Some(once) => id_of_once(once, &sync.name, &ask)?,
                None => self.new_import_id()?,
            };
            let import = Import {
                id: id.clone(),
                tenant: tenant.clone(),
                sync: sync.name.clone(),
                revision: sync.revision,
                wish: ImportWish::Run,
                overwrite,
                only,
                keep_before: ask.keep_before,
                undo_ms: None,
                started_by: ask.started_by.clone(),
                started_ms: self.context.hub.now_ms(),
                continues: None,
                after: before
                    .into_iter()
                    .map(|at| imports[already + at].id.clone())
                    .collect(),
            };
            self.put_import(&import).await?;
            imports.push(StartedImport { sync: sync.name, id });
        }
        imports.sort_by_key(|import| order.iter().position(|sync| *sync == import.sync));
        Ok(StartedImports {
            imports,
            problems: Vec::new(),
        })
    }

    /// What an earlier asking of the same request started already, and the syncs that are left.
    fn begun_before(
        &self,
        tenant: &TenantId,
        ask: &StartImports,
    ) -> Result<(Vec<StartedImport>, Vec<SyncName>), AskError> {
        let (mut begun, mut left) = (Vec::new(), Vec::new());
        for sync in &ask.syncs {
            let id = ask.once.as_ref().map(|once| id_of_once(once, sync, ask));
            let id = id.transpose()?;
            match id.filter(|id| self.context.config.import(tenant, id).is_some()) {
                Some(id) => begun.push(StartedImport {
                    sync: sync.clone(),
                    id,
                }),
                None => left.push(sync.clone()),
            }
        }
        Ok((begun, left))
    }

    /// The syncs, parents before their children; those that are not there last, for the resolving to say so.
    fn in_order(&self, tenant: &TenantId, names: &[SyncName]) -> Vec<SyncName> {
        let stored = names
            .iter()
            .filter_map(|name| self.context.config.sync(tenant, name));
        let definitions: Vec<_> = stored.map(|sync| sync.definition.clone()).collect();
        let mut order = parents_first(&definitions);
        let unknown = names.iter().filter(|name| !order.contains(name));
        let unknown: Vec<SyncName> = unknown.cloned().collect();
        order.extend(unknown);
        order
    }

    /// For each of the syncs, which of those before it have the records that its own look up.
    fn parents_before(&self, tenant: &TenantId, order: &[AppliedSync]) -> Vec<Vec<usize>> {
        let stored: Vec<_> = order
            .iter()
            .map(|sync| self.context.config.sync(tenant, &sync.name))
            .collect();
        if stored.iter().any(Option::is_none) {
            // One was removed this moment: without an order nothing waits, and links that come early do.
            return vec![Vec::new(); order.len()];
        }
        let definitions: Vec<_> = stored.iter().flatten().map(|sync| &sync.definition).collect();
        parents_before(&definitions)
    }

    /// Whether an import of a sync writes over what is there, and the part that it writes.
    async fn written_part(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        writing: Writing,
    ) -> Result<(bool, Option<MappedPart>), AskError> {
        match writing {
            Writing::Changes => return Ok((false, None)),
            Writing::Everything => return Ok((true, None)),
            Writing::Touched => {}
        }
        let context = &self.context;
        let stored = context.config.sync(tenant, sync);
        let stored = stored.ok_or_else(|| invalid(format!("{tenant} has no sync {sync}")))?;
        let kv = context.hub.bus().kv(Bucket::Config);
        let lacking = lacking_of(&kv, &context.config, &stored, context.hub.now_ms())
            .await
            .map_err(|error| unavailable(error.into()))?;
        if lacking.is_empty() {
            return Err(invalid(format!(
                "nothing of {sync} is to be filled: no edit touched a mapping since its records were written. To write \
                 everything again, start an import that overwrites"
            )));
        }
        Ok((lacking.everything, (!lacking.everything).then_some(lacking.part)))
    }

    /// `imp-<date>-<time>-<four letters or digits>`, in UTC.
    fn new_import_id(&self) -> Result<ImportId, AskError> {
        let internal = |error: String| AskError::new(AskErrorCode::Internal, error);
        let now = jiff::Timestamp::from_millisecond(self.context.hub.now_ms());
        let now = now.map_err(|error| internal(error.to_string()))?;
        ImportId::new(&import_id(now, rand::random())).map_err(|error| internal(error.to_string()))
    }

    async fn put_import(&self, import: &Import) -> Result<(), AskError> {
        let config = &self.context.config;
        // One that is there is the same request's: it stays as it is.
        let stored = config.change_import(&import.tenant, &import.id, |stored| {
            Ok::<_, std::convert::Infallible>(stored.is_none().then(|| import.clone()))
        });
        let stored = stored.await.map_err(unavailable)?;
        stored.map(|_| ()).map_err(|never| match never {})
    }

    /// Changes what is wanted of an import; `next` says what, or why not, or that nothing is to be changed.
    async fn change_wish(
        &self,
        tenant: &TenantId,
        id: &ImportId,
        next: impl Fn(ImportWish) -> Result<Option<ImportWish>, AskError> + Send + Sync,
    ) -> Result<(), AskError> {
        let not_found = || AskError::new(AskErrorCode::NotFound, format!("{tenant} has no import {id}"));
        let config = &self.context.config;
        let changed = config.change_import(tenant, id, |stored| {
            let import = stored.ok_or_else(not_found)?;
            Ok(next(import.wish)?.map(|wish| Import { wish, ..import }))
        });
        changed.await.map_err(unavailable)?.map(|_| ())
    }

    /// Stops an import's reading.
    pub(crate) async fn cancel_import(
        &self,
        tenant: &TenantId,
        ask: &CancelImport,
    ) -> Result<Done, AskError> {
        if self.phase_of(tenant, &ask.id).await? == RunPhase::Ended {
            return Err(invalid(format!(
                "{} has read everything: there is nothing left to cancel. What it brought is taken back by an undo, if it \
                 keeps what was there before",
                ask.id
            )));
        }
        self.stop_reading(tenant, &ask.id).await?;
        Ok(Done {})
    }

    /// Has the extractor read nothing more for an import, however far it is.
    pub(crate) async fn stop_reading(&self, tenant: &TenantId, id: &ImportId) -> Result<(), AskError> {
        let next = |wish| Ok((wish != ImportWish::Cancel).then_some(ImportWish::Cancel));
        self.change_wish(tenant, id, next).await
    }

    /// Lets an import stand until it is resumed.
    pub(crate) async fn pause_import(&self, tenant: &TenantId, ask: &PauseImport) -> Result<Done, AskError> {
        let phase = self.phase_of(tenant, &ask.id).await?;
        if phase.is_final() {
            return Err(invalid(format!(
                "{} reads nothing any more: there is nothing to pause",
                ask.id
            )));
        }
        let next = |wish| match wish {
            ImportWish::Run => Ok(Some(ImportWish::Pause)),
            ImportWish::Pause => Ok(None),
            ImportWish::Cancel => Err(invalid(format!("{} is cancelled", ask.id))),
        };
        self.change_wish(tenant, &ask.id, next).await?;
        Ok(Done {})
    }

    /// Lets an import go on where it was, by another import if it is over.
    pub(crate) async fn resume_import(
        &self,
        tenant: &TenantId,
        ask: &ResumeImport,
    ) -> Result<StartedImport, AskError> {
        let phase = self.phase_of(tenant, &ask.id).await?;
        let imports = self.context.config.imports(tenant);
        let found = imports.iter().find(|import| import.id == ask.id);
        let import = found.ok_or_else(|| {
            AskError::new(
                AskErrorCode::NotFound,
                format!("{tenant} has no import {}", ask.id),
            )
        })?;
        crate::undo::refuse_undoing(&self.context, tenant, std::slice::from_ref(&import.sync)).await?;
        let followed = imports
            .iter()
            .find(|other| other.continues.as_ref() == Some(&ask.id))
            .map(|other| &other.id);
        let now_ms = self.context.hub.now_ms();
        let id = match resumption(import, phase, followed, now_ms).map_err(invalid)? {
            Resumption::Runs => ask.id.clone(),
            Resumption::RunsAgain => {
                let next = |wish| Ok((wish == ImportWish::Pause).then_some(ImportWish::Run));
                self.change_wish(tenant, &ask.id, next).await?;
                ask.id.clone()
            }
            Resumption::Another => {
                let next = Import {
                    id: self.new_import_id()?,
                    wish: ImportWish::Run,
                    started_by: ask.by.clone(),
                    started_ms: now_ms,
                    continues: Some(ask.id.clone()),
                    undo_ms: None,
                    ..Import::clone(import)
                };
                self.put_import(&next).await?;
                next.id
            }
        };
        Ok(StartedImport {
            sync: import.sync.clone(),
            id,
        })
    }

    /// How far the extractor says that an import is.
    async fn phase_of(&self, tenant: &TenantId, id: &ImportId) -> Result<RunPhase, AskError> {
        // After a restart the account is not there yet.
        self.caught_up(tenant).await.map_err(unavailable)?;
        let ledger = self.ledger();
        let account = ledger
            .tenant(tenant)
            .and_then(|tenant| tenant.run(&RunId::from(id)));
        Ok(account.map_or(RunPhase::Queued, crate::ledger::RunAccount::phase))
    }
}

fn import_id(now: jiff::Timestamp, random: u32) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letter = |place: u32| char::from(ALPHABET[(random >> (5 * place)) as usize % ALPHABET.len()]);
    let tail: String = (0..4).map(letter).collect();
    format!("imp-{}-{tail}", now.strftime("%Y%m%d-%H%M%S"))
}

/// The id that a request's import of a sync has each time that the request is made: `imp-<sixteen letters or digits>`.
fn id_of_once(once: &str, sync: &SyncName, ask: &StartImports) -> Result<ImportId, AskError> {
    let what = serde_json::to_vec(&(once, sync, ask.writing, ask.keep_before));
    let what = what.map_err(|error| AskError::new(AskErrorCode::Internal, error.to_string()))?;
    let hash = hex::encode(Sha256::digest(what));
    let id = ImportId::new(&format!("imp-{}", &hash[..16]));
    id.map_err(|error| AskError::new(AskErrorCode::Internal, error.to_string()))
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Revision, SyncName};

    use super::*;

    fn import(wish: ImportWish) -> Import {
        Import {
            id: ImportId::new("imp-1").unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            sync: SyncName::new("vehicles").unwrap(),
            revision: Revision(1),
            wish,
            overwrite: false,
            only: None,
            keep_before: false,
            undo_ms: None,
            started_by: String::new(),
            started_ms: 0,
            continues: None,
            after: Vec::new(),
        }
    }

    #[test]
    fn what_stopped_is_gone_on_with_once_and_in_time() {
        use ImportWish::{Cancel, Pause, Run};
        let other = ImportId::new("imp-2").unwrap();
        for (wish, phase, followed, now_ms, expected) in [
            (Run, RunPhase::Reading, None, 0, Ok(Resumption::Runs)),
            (Pause, RunPhase::Reading, None, 0, Ok(Resumption::RunsAgain)),
            (Pause, RunPhase::Queued, None, 0, Ok(Resumption::RunsAgain)),
            (Cancel, RunPhase::Reading, None, 0, Ok(Resumption::Another)),
            (Cancel, RunPhase::Canceled, None, 0, Ok(Resumption::Another)),
            (Run, RunPhase::Failed, None, 0, Ok(Resumption::Another)),
            (Pause, RunPhase::Ended, None, 0, Err("read everything")),
            (Cancel, RunPhase::Ended, None, 0, Err("read everything")),
            (Cancel, RunPhase::Canceled, Some(&other), 0, Err("imp-2 goes on")),
            (
                Run,
                RunPhase::Failed,
                None,
                GOES_ON_WITHIN_MS + 1,
                Err("start a new import"),
            ),
        ] {
            let found = resumption(&import(wish), phase, followed, now_ms);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(*found, expected, "{wish:?} {phase:?}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                _ => panic!("{wish:?} {phase:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn what_was_undone_is_not_gone_on_with() {
        let undone = Import {
            undo_ms: Some(5),
            ..import(ImportWish::Cancel)
        };
        let found = resumption(&undone, RunPhase::Canceled, None, 10);
        assert!(found.is_err_and(|why| why.contains("undone")));
    }

    #[test]
    fn ids_say_when_it_was() {
        let now: jiff::Timestamp = "2026-03-01T10:15:00Z".parse().unwrap();
        let id = import_id(now, 0x0012_3456);
        assert!(id.starts_with("imp-20260301-101500-") && id.len() == 24, "{id}");
        assert!(ImportId::new(&id).is_ok());
    }
}
