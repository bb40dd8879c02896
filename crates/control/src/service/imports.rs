//! Imports: counted, started parents first, watched, stopped.

use std::sync::Arc;

use landbridge_model::ask::{
    CountRecords, EstimateReading, EstimateWriting, EstimatedLinks, ImportStatus, ListImports,
};
use landbridge_model::config::{Import, Sync};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{ImportId, StageKind, SyncName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::{Change, Trace};
use super::caller::Role;
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::{LONG_PATIENCE, PATIENCE, TenantService};
use crate::ask::{
    CancelImport, CountMatching, PauseImport, ResumeImport, StartImports, StartedImport, Writing,
};
use crate::imports::order::{is_parent, parents_first};

/// How many records an import of one sync would read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportCount {
    /// The sync.
    pub sync: SyncName,
    /// Records, as Salesforce counts them with the sync's filter.
    pub records: u64,
    /// Whether the filter leaves records out of the count.
    pub filtered: bool,
    /// Calls to Salesforce, by the rules by which it is read.
    pub salesforce_calls: u64,
    /// Calls to HubSpot at most, by the rules by which it is written: as if every record and link had to be.
    pub hubspot_calls: u64,
    /// How long these take at the portal's limits, in seconds, when the limits are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Calls to HubSpot more when it keeps what was there before, so that it can be undone.
    #[serde(default)]
    pub before_calls: u64,
    /// What the numbers leave out.
    pub notes: Vec<String>,
}

/// How many records an import would read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportCounts {
    /// By sync, in the order in which they would be imported.
    pub syncs: Vec<ImportCount>,
    /// Of all of them.
    pub total: u64,
}

impl TenantService {
    /// How many records imports of these syncs would read.
    pub async fn count_import(&self, names: &[SyncName]) -> Result<ImportCounts, ServiceError> {
        self.require(Role::Viewer)?;
        let mut syncs = Vec::new();
        for sync in self.in_order(names)? {
            syncs.push(self.reckon_import(&sync).await?);
        }
        let total = syncs.iter().map(|sync| sync.records).sum();
        Ok(ImportCounts { syncs, total })
    }

    /// What an import of one sync takes.
    pub(crate) async fn reckon_import(&self, name: &SyncName) -> Result<ImportCount, ServiceError> {
        self.require(Role::Viewer)?;
        let stored = self.stored_sync(name)?;
        let (records, total) = match &stored.resolved {
            Some(_) => {
                let question = CountRecords {
                    sync: name.clone(),
                    draft: None,
                };
                let count = self.ask(StageKind::Extractor, &question, LONG_PATIENCE).await?;
                (count.count, count.total)
            }
            // Never turned on nor imported: control looks at both schemas first.
            None => {
                let definition = stored.definition.clone();
                let count = self.ask_control(&CountMatching { definition }).await?;
                (count.matching, count.total)
            }
        };
        let reading = EstimateReading { records };
        let writing = writing(&stored, records);
        let (reading, writing) = futures::try_join!(
            self.ask(StageKind::Extractor, &reading, PATIENCE),
            self.ask(StageKind::Loader, &writing, PATIENCE),
        )?;
        Ok(ImportCount {
            sync: name.clone(),
            records,
            filtered: records < total,
            salesforce_calls: reading.total(),
            hubspot_calls: writing.total(),
            seconds: [reading.seconds, writing.seconds]
                .into_iter()
                .flatten()
                .reduce(f64::max),
            before_calls: writing.before_calls,
            notes: [reading.notes, writing.notes].concat(),
        })
    }

    /// All syncs of the tenant in the order in which they would be imported, each with the parents that go before it.
    pub(crate) fn importable(&self) -> Result<Vec<(SyncName, Vec<SyncName>)>, ServiceError> {
        self.require(Role::Viewer)?;
        let syncs = self.service.config().syncs(self.id());
        let definitions: Vec<SyncDefinition> = syncs.iter().map(|sync| sync.definition.clone()).collect();
        let of = |name: &SyncName| {
            definitions
                .iter()
                .find(|definition| definition.metadata.name == *name)
        };
        let parents = |name: &SyncName| {
            let child = of(name)?;
            let parents = definitions
                .iter()
                .filter(|parent| parent.key() != child.key() && is_parent(parent, child));
            Some(parents.map(|parent| parent.metadata.name.clone()).collect())
        };
        let order = parents_first(&definitions).into_iter();
        Ok(order
            .map(|name| {
                let parents: Vec<SyncName> = parents(&name).unwrap_or_default();
                (name, parents)
            })
            .collect())
    }

    /// The syncs that are named, parents before their children.
    fn in_order(&self, names: &[SyncName]) -> Result<Vec<SyncName>, ServiceError> {
        if names.is_empty() {
            return Err(ServiceError::invalid("no sync is named"));
        }
        let mut definitions = Vec::new();
        for name in names {
            let definition = self.stored_sync(name)?.definition.clone();
            if !definitions.contains(&definition) {
                definitions.push(definition);
            }
        }
        Ok(parents_first(&definitions))
    }

    /// Starts an import of each sync, parents first, which can be undone when it keeps what was there before; none when any has a problem.
    pub async fn start_imports(
        &self,
        names: &[SyncName],
        writing: Writing,
        keep_before: bool,
    ) -> Result<Vec<StartedImport>, ServiceError> {
        self.start_imports_once(names, writing, keep_before, None).await
    }

    /// The same; asked again with the same `once`, the imports are those that were started then.
    pub async fn start_imports_once(
        &self,
        names: &[SyncName],
        writing: Writing,
        keep_before: bool,
        once: Option<String>,
    ) -> Result<Vec<StartedImport>, ServiceError> {
        self.require(Role::Operator)?;
        let question = StartImports {
            syncs: self.in_order(names)?,
            writing,
            keep_before,
            started_by: self.caller.who.clone(),
            once,
        };
        let asked: Vec<&str> = names.iter().map(SyncName::as_str).collect();
        self.audited("import.started", &asked.join(", "), async {
            let started = self.ask_control(&question).await?;
            if !started.problems.is_empty() {
                return Err(ServiceError::of_syncs(
                    "no import was started: put these right first",
                    &started.problems,
                ));
            }
            let how = match writing {
                Writing::Changes => "",
                Writing::Everything => ", overwriting",
                Writing::Touched => ", back-filling what edits touched",
            };
            let kept = if keep_before {
                ", keeping what was there before"
            } else {
                ""
            };
            let trace = started.imports.iter().fold(Trace::nothing(), |trace, import| {
                let told = Change::told(format!("of {}{how}{kept}", import.sync));
                trace.and("import.started", import.id.as_str(), told)
            });
            Ok((started.imports, trace))
        })
        .await
    }

    /// The tenant's imports, newest first.
    pub async fn imports(&self, request: &PageRequest) -> Result<Page<ImportStatus>, ServiceError> {
        self.require(Role::Viewer)?;
        // Which belong on the page is known without counting the records of all.
        let mut known = self.service.config().imports(self.id());
        known.sort_by_key(|import| std::cmp::Reverse((import.started_ms, import.id.clone())));
        let page = paginate(
            known,
            |import| std::cmp::Reverse((import.started_ms, import.id.clone())),
            request,
        )?;
        let asked = page.items.iter().map(|import| self.import(&import.id));
        Ok(Page {
            items: futures::future::try_join_all(asked).await?,
            next: page.next,
        })
    }

    /// One import.
    pub async fn import(&self, id: &ImportId) -> Result<ImportStatus, ServiceError> {
        self.require(Role::Viewer)?;
        let question = ListImports { id: Some(id.clone()) };
        let found = self.ask_control(&question).await?.pop();
        found.ok_or_else(|| ServiceError::NotFound(format!("{} has no import {id}", self.id())))
    }

    /// Stops an import: nothing more is read, what is on its way still arrives.
    pub async fn cancel_import(&self, id: &ImportId) -> Result<ImportStatus, ServiceError> {
        self.require(Role::Operator)?;
        self.audited("import.canceled", id.as_str(), async {
            self.ask_control(&CancelImport { id: id.clone() }).await?;
            Ok(((), Change::done().into()))
        })
        .await?;
        self.import(id).await
    }

    /// Lets an import stand until it is resumed: nothing more is read, what is on its way still arrives.
    pub async fn pause_import(&self, id: &ImportId) -> Result<ImportStatus, ServiceError> {
        self.require(Role::Operator)?;
        self.audited("import.paused", id.as_str(), async {
            self.ask_control(&PauseImport { id: id.clone() }).await?;
            Ok(((), Change::done().into()))
        })
        .await?;
        self.import(id).await
    }

    /// Lets an import go on where it was. One that was cancelled or has failed is gone on with by another import, which
    /// is the answer then.
    pub async fn resume_import(&self, id: &ImportId) -> Result<ImportStatus, ServiceError> {
        self.require(Role::Operator)?;
        let question = ResumeImport {
            id: id.clone(),
            by: self.caller.who.clone(),
        };
        let goes_on = self
            .audited("import.resumed", id.as_str(), async {
                let goes_on = self.ask_control(&question).await?.id;
                let change = if goes_on == *id {
                    Change::done()
                } else {
                    Change::told(format!("{goes_on} goes on with it"))
                };
                Ok((goes_on, change.into()))
            })
            .await?;
        self.import(&goes_on).await
    }

    /// The syncs of which an import has not ended, each with that import.
    pub(crate) async fn running_imports(&self) -> Result<Vec<(SyncName, ImportId)>, ServiceError> {
        let open = self.status().await?.imports;
        Ok(open.into_iter().map(|import| (import.sync, import.id)).collect())
    }

    /// The import that goes on with this one, if one does.
    pub(crate) fn continued_by(&self, id: &ImportId) -> Option<ImportId> {
        let imports = self.service.config().imports(self.id());
        let next = imports
            .iter()
            .find(|import| import.continues.as_ref() == Some(id));
        next.map(|import| import.id.clone())
    }

    /// What people call a sync's two objects: their labels, once both schemas were read, else their names.
    pub(crate) fn labels_of(&self, sync: &SyncName) -> (String, String) {
        let Some(sync) = self.service.config().sync(self.id(), sync) else {
            return (sync.to_string(), "a sync that was removed".to_owned());
        };
        let spec = &sync.definition.spec;
        let label = |label: Option<&String>, name: &str| match label {
            Some(label) if !label.is_empty() => label.clone(),
            _ => name.to_owned(),
        };
        let resolved = sync.resolved.as_ref();
        (
            label(
                resolved.map(|resolved| &resolved.object.label),
                &spec.salesforce.object,
            ),
            label(
                resolved.map(|resolved| &resolved.object_type.label),
                &spec.hubspot.object_type,
            ),
        )
    }

    /// An import as it was asked for.
    pub(crate) fn stored_import(&self, id: &ImportId) -> Option<Arc<Import>> {
        self.service.config().import(self.id(), id)
    }
}

/// The most that an import writes: every record, and for each a link by every lookup.
fn writing(sync: &Sync, records: u64) -> EstimateWriting {
    let Some(resolved) = &sync.resolved else {
        return EstimateWriting {
            writes: records,
            ..EstimateWriting::default()
        };
    };
    let own = &resolved.object_type.object_type_id;
    let rules = &sync.definition.spec.associations;
    let links = resolved.associations.iter().map(|association| {
        let rule = rules.iter().find(|rule| rule.holds(&association.slot()));
        EstimatedLinks {
            to: association.to.clone(),
            labelled: rule.is_some_and(|rule| rule.label.is_some()),
            match_unique: association.match_unique,
            made: records,
            taken: 0,
            read: records,
            // A record of the same type is announced by its own write.
            parents: if association.to == *own { 0 } else { records },
        }
    });
    EstimateWriting {
        object_type: Some(own.clone()),
        writes: records,
        deletes: 0,
        links: links.collect(),
    }
}
