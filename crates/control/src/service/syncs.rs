//! Syncs: read, edited with a look at what was there, applied several at once, turned on and off, removed.

use std::sync::Arc;

use landbridge_model::config::{Sync, SyncStatus};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{Revision, SyncName, TenantId, yaml};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::{Change, Trace};
use super::caller::{Caller, Role};
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::{Service, TenantService};
use crate::ask::{
    Applied, AppliedSync, ApplySyncs, Change as Made, EditSyncs, Expected, RemoveSyncs, SetSyncs,
    WrittenRecords,
};

pub use crate::definitions::definition_tag;

/// A sync, as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncView {
    /// Whose.
    pub tenant: TenantId,
    /// Its name.
    pub name: SyncName,
    /// Whether it runs.
    pub status: SyncStatus,
    /// Why not, if Landbridge stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Counts the edits.
    pub revision: Revision,
    /// Whether it was ever turned on or imported.
    pub has_run: bool,
    /// Stands for the definition as it is: the `ETag` of this sync, without its quotes.
    pub tag: String,
    /// The definition, as a file has it.
    pub definition: SyncDefinition,
}

impl From<&Sync> for SyncView {
    fn from(sync: &Sync) -> Self {
        Self {
            tenant: sync.definition.metadata.tenant.clone(),
            name: sync.definition.metadata.name.clone(),
            status: sync.status,
            reason: sync.reason.clone(),
            revision: sync.revision,
            has_run: sync.resolved.is_some(),
            tag: definition_tag(&sync.definition),
            definition: sync.definition.clone(),
        }
    }
}

impl Service {
    /// The definitions of all tenants that the caller may see, as one YAML file.
    pub fn export_all(&self, caller: &Caller) -> String {
        let tenants = self.tenants(caller);
        let syncs = tenants.iter().flat_map(|tenant| self.config().syncs(tenant.id()));
        let definitions: Vec<SyncDefinition> = syncs.map(|sync| sync.definition.clone()).collect();
        export(&definitions)
    }
}

/// A file of no syncs is empty.
fn export(definitions: &[SyncDefinition]) -> String {
    yaml::export(definitions)
}

impl TenantService {
    pub(super) fn stored_sync(&self, name: &SyncName) -> Result<Arc<Sync>, ServiceError> {
        let found = self.service.config().sync(self.id(), name);
        found.ok_or_else(|| ServiceError::NotFound(format!("{} has no sync {name}", self.id())))
    }

    /// The tenant's syncs as they are configured, by name.
    pub(crate) fn configured_syncs(&self) -> Vec<Arc<Sync>> {
        self.service.config().syncs(self.id())
    }

    /// The tenant's syncs, by name.
    pub fn syncs(&self, request: &PageRequest) -> Result<Page<SyncView>, ServiceError> {
        self.require(Role::Viewer)?;
        let syncs = self.service.config().syncs(self.id());
        let views = syncs.iter().map(|sync| SyncView::from(&**sync));
        paginate(views, |view| view.name.clone(), request)
    }

    /// All of the tenant's syncs at once: as many as a portal has object types.
    pub(crate) fn every_sync(&self) -> Result<Vec<SyncView>, ServiceError> {
        self.require(Role::Viewer)?;
        let syncs = self.service.config().syncs(self.id());
        Ok(syncs.iter().map(|sync| SyncView::from(&**sync)).collect())
    }

    /// One sync.
    pub fn sync(&self, name: &SyncName) -> Result<SyncView, ServiceError> {
        self.require(Role::Viewer)?;
        Ok(SyncView::from(&*self.stored_sync(name)?))
    }

    /// One sync that was just written by the owner of its shard, as soon as that is seen here.
    pub async fn sync_at(&self, name: &SyncName, revision: Revision) -> Result<SyncView, ServiceError> {
        self.require(Role::Viewer)?;
        let seen = self.service.config().wait_for(|config| {
            let sync = config.sync(self.id(), name)?;
            (sync.revision >= revision).then_some(sync)
        });
        match tokio::time::timeout(super::PATIENCE, seen).await {
            Ok(sync) => Ok(SyncView::from(&*sync)),
            Err(_) => self.sync(name),
        }
    }

    /// Waits until a status that was just set is seen here, so that a page that follows shows it.
    pub(crate) async fn wait_for_status(&self, name: &SyncName, status: SyncStatus) {
        let seen = self.service.config().wait_for(|config| {
            let sync = config.sync(self.id(), name);
            sync.is_none_or(|sync| sync.status == status).then_some(())
        });
        // What is not seen in time is seen by the next page.
        drop(tokio::time::timeout(super::PATIENCE, seen).await);
    }

    /// Waits until a sync that was just removed is seen to be gone.
    pub(crate) async fn wait_until_gone(&self, name: &SyncName) {
        let gone = self
            .service
            .config()
            .wait_for(|config| config.sync(self.id(), name).is_none().then_some(()));
        drop(tokio::time::timeout(super::PATIENCE, gone).await);
    }

    /// Definitions as one YAML file; all of the tenant when none is named.
    pub fn export(&self, names: &[SyncName]) -> Result<String, ServiceError> {
        self.require(Role::Viewer)?;
        let mut syncs = self.service.config().syncs(self.id());
        if !names.is_empty() {
            for name in names {
                self.stored_sync(name)?;
            }
            syncs.retain(|sync| names.contains(&sync.definition.metadata.name));
        }
        let definitions: Vec<SyncDefinition> = syncs.iter().map(|sync| sync.definition.clone()).collect();
        Ok(export(&definitions))
    }

    /// What applying these would do, and what is wrong with them. Nothing is written.
    pub async fn plan(&self, definitions: Vec<SyncDefinition>) -> Result<Applied, ServiceError> {
        self.require(Role::Viewer)?;
        self.check_owner(&definitions)?;
        let question = ApplySyncs {
            definitions,
            dry_run: true,
        };
        self.ask_control(&question).await
    }

    /// Makes definitions what they are given as: all, or none when one has a problem or has been changed since the
    /// caller looked.
    pub async fn apply(
        &self,
        definitions: Vec<SyncDefinition>,
        expected: Vec<Expected>,
    ) -> Result<Applied, ServiceError> {
        self.require(Role::Editor)?;
        self.check_owner(&definitions)?;
        self.refuse_unseen(&definitions, &expected)?;
        let before: Vec<Option<Arc<Sync>>> = definitions
            .iter()
            .map(|definition| self.service.config().sync(self.id(), &definition.metadata.name))
            .collect();
        let question = EditSyncs {
            definitions: definitions.clone(),
            expected,
            by: self.caller.who.clone(),
        };
        let names = definitions.iter().map(|definition| &definition.metadata.name);
        self.audited("sync.applied", &joined(names), async {
            let applied: Applied = self.ask_control(&question).await?;
            if applied.has_problems() {
                return Err(ServiceError::of_syncs(
                    "the definitions have problems; nothing was written",
                    &applied.syncs,
                ));
            }
            let mut trace = Trace::nothing();
            for ((line, definition), before) in applied.syncs.iter().zip(&definitions).zip(before) {
                trace = applied_line(trace, line, before.as_deref(), definition)?;
            }
            Ok((applied, trace))
        })
        .await
    }

    /// Whoever overwrites a sync says what they have seen of it. Control decides this once more when it writes; here it can
    /// be told what is missing.
    fn refuse_unseen(
        &self,
        definitions: &[SyncDefinition],
        expected: &[Expected],
    ) -> Result<(), ServiceError> {
        let unseen = definitions.iter().filter(|wanted| {
            let name = &wanted.metadata.name;
            let stored = self.service.config().sync(self.id(), name);
            stored.is_some_and(|stored| stored.definition != **wanted)
                && expected.iter().all(|expected| expected.name != *name)
        });
        let names = joined(unseen.map(|definition| &definition.metadata.name));
        if names.is_empty() {
            return Ok(());
        }
        Err(ServiceError::PreconditionRequired(format!(
            "{names} would be overwritten: name it in `expected` with the `tag` that you read, or the `stored_tag` of the plan"
        )))
    }

    /// A definition says itself whose it is: it must not say another.
    pub(super) fn check_owner(&self, definitions: &[SyncDefinition]) -> Result<(), ServiceError> {
        match definitions
            .iter()
            .find(|definition| definition.metadata.tenant != *self.id())
        {
            None => Ok(()),
            Some(other) => Err(ServiceError::invalid(format!(
                "the definition of {} says that it belongs to {}, and not to {}",
                other.metadata.name,
                other.metadata.tenant,
                self.id()
            ))),
        }
    }

    /// Turns syncs on, or pauses them.
    pub async fn set_status(
        &self,
        names: Vec<SyncName>,
        status: SyncStatus,
    ) -> Result<Applied, ServiceError> {
        self.require(Role::Operator)?;
        for name in &names {
            self.stored_sync(name)?;
        }
        let action = format!("sync.{}", status.as_str());
        self.audited(&action, &joined(&names), async {
            let names = names.clone();
            let applied: Applied = self.ask_control(&SetSyncs { names, status }).await?;
            if applied.has_problems() {
                let message = format!("this cannot be made {}", status.as_str());
                return Err(ServiceError::of_syncs(&message, &applied.syncs));
            }
            let changed = applied.syncs.iter().filter(|line| line.change != Made::Unchanged);
            let trace = changed.fold(Trace::nothing(), |trace, line| {
                let change = Change::told(line.provisioned.join("; "));
                trace.and(action.as_str(), line.name.as_str(), change)
            });
            Ok((applied, trace))
        })
        .await
    }

    /// Removes a sync, and what it wrote to HubSpot if that is to go too: then the sync stands still until all its deletes
    /// are written or discarded.
    pub async fn remove_sync(
        &self,
        name: &SyncName,
        expected: Option<String>,
        records: WrittenRecords,
    ) -> Result<(), ServiceError> {
        self.require(match records {
            WrittenRecords::Keep => Role::Editor,
            WrittenRecords::Delete => Role::Operator,
        })?;
        let before = self.stored_sync(name)?;
        let question = RemoveSyncs {
            names: vec![name.clone()],
            records,
            by: self.caller.who.clone(),
            expected: expected
                .map(|tag| Expected {
                    name: name.clone(),
                    tag: Some(tag),
                })
                .into_iter()
                .collect(),
        };
        let action = match records {
            WrittenRecords::Keep => "sync.removed",
            WrittenRecords::Delete => "sync.removed-with-records",
        };
        self.audited(action, name.as_str(), async {
            self.ask_control(&question).await?;
            let change = Change::between(Some(&before.definition), None)?;
            let change = match records {
                WrittenRecords::Keep => change,
                WrittenRecords::Delete => change.with_detail("with what it wrote to HubSpot"),
            };
            Ok(((), change.into()))
        })
        .await
    }
}

fn joined<'a>(names: impl IntoIterator<Item = &'a SyncName>) -> String {
    let names: Vec<&str> = names.into_iter().map(SyncName::as_str).collect();
    names.join(", ")
}

fn applied_line(
    trace: Trace,
    line: &AppliedSync,
    before: Option<&Sync>,
    after: &SyncDefinition,
) -> Result<Trace, ServiceError> {
    let action = match line.change {
        Made::Unchanged => return Ok(trace),
        Made::Created => "sync.created",
        Made::Changed => "sync.changed",
    };
    let mut change = Change::between(before.map(|sync| &sync.definition), Some(after))?;
    if !line.provisioned.is_empty() {
        change = change.with_detail(format!("created in HubSpot: {}", line.provisioned.join("; ")));
    }
    Ok(trace.and(action, line.name.as_str(), change))
}
