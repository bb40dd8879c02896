//! Imports: counted, started parents first, watched, stopped.

use landbridge_model::ask::{CountRecords, ImportStatus, ListImports};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{ImportId, StageKind, SyncName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::{LONG_PATIENCE, TenantService};
use crate::ask::{CancelImport, PauseImport, StartImports, StartedImport};

/// How many records an import of one sync would read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportCount {
    /// The sync.
    pub sync: SyncName,
    /// Records, as Salesforce counts them with the sync's filter.
    pub records: u64,
}

/// How many records an import would read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
            let question = CountRecords {
                sync: sync.clone(),
                draft: None,
            };
            let count = self.ask(StageKind::Extractor, &question, LONG_PATIENCE).await?;
            syncs.push(ImportCount {
                sync,
                records: count.count,
            });
        }
        let total = syncs.iter().map(|sync| sync.records).sum();
        Ok(ImportCounts { syncs, total })
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

    /// Starts an import of each sync, parents first; none when any has a problem.
    pub async fn start_imports(
        &self,
        names: &[SyncName],
        overwrite: bool,
    ) -> Result<Vec<StartedImport>, ServiceError> {
        self.require(Role::Operator)?;
        let question = StartImports {
            syncs: self.in_order(names)?,
            overwrite,
            started_by: self.caller.who.clone(),
        };
        let started = self.ask_control(&question).await?;
        if !started.problems.is_empty() {
            return Err(ServiceError::of_syncs(
                "no import was started: put these right first",
                &started.problems,
            ));
        }
        for import in &started.imports {
            let told = format!(
                "of {}{}",
                import.sync,
                if overwrite { ", overwriting" } else { "" }
            );
            self.audit("import.started", import.id.as_str(), Change::told(told))
                .await?;
        }
        Ok(started.imports)
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

    /// Lets an import stand where it is, or go on from there.
    pub async fn pause_import(&self, id: &ImportId, pause: bool) -> Result<ImportStatus, ServiceError> {
        self.require(Role::Operator)?;
        let question = PauseImport {
            id: id.clone(),
            pause,
        };
        self.ask_control(&question).await?;
        let action = if pause { "import.paused" } else { "import.resumed" };
        self.audit(action, id.as_str(), Change::done()).await?;
        self.import(id).await
    }

    /// Stops an import: nothing more is read, what is on its way still arrives.
    pub async fn cancel_import(&self, id: &ImportId) -> Result<ImportStatus, ServiceError> {
        self.require(Role::Operator)?;
        self.ask_control(&CancelImport { id: id.clone() }).await?;
        self.audit("import.canceled", id.as_str(), Change::done()).await?;
        self.import(id).await
    }
}

/// Parents before their children, otherwise in the order given. Where syncs are each other's parents, the one named
/// first goes first: links that come early wait.
fn parents_first(definitions: &[SyncDefinition]) -> Vec<SyncName> {
    let is_parent = |parent: &SyncDefinition, child: &SyncDefinition| {
        let ends = &child.spec.associations;
        ends.iter()
            .any(|rule| rule.to.eq_ignore_ascii_case(&parent.spec.hubspot.object_type))
    };
    let mut waiting: Vec<&SyncDefinition> = definitions.iter().collect();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_free = |child: &SyncDefinition| {
            waiting
                .iter()
                .all(|other| other.key() == child.key() || !is_parent(other, child))
        };
        let at = waiting.iter().position(|child| is_free(child)).unwrap_or(0);
        order.push(waiting.remove(at).metadata.name.clone());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(name: &str, parents: &[&str]) -> SyncDefinition {
        let rules = parents
            .iter()
            .map(|to| format!("{{ field: F{to}__c, to: {to} }}"));
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: {name} }}\nspec:\n  salesforce: \
             {{ object: O__c }}\n  hubspot: {{ objectType: {name} }}\n  associations: [{}]\n  fields: []\n",
            rules.collect::<Vec<_>>().join(", ")
        );
        landbridge_model::yaml::load("test", &text).unwrap().remove(0)
    }

    fn order(definitions: &[SyncDefinition]) -> String {
        let names = parents_first(definitions);
        names.iter().map(SyncName::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn parents_go_first() {
        let (visits, vehicles, depots) = (
            sync("visits", &["vehicles"]),
            sync("vehicles", &["Depots", "companies"]),
            sync("depots", &[]),
        );
        assert_eq!(
            order(&[visits.clone(), vehicles.clone(), depots.clone()]),
            "depots vehicles visits"
        );
        assert_eq!(order(&[depots, visits]), "depots visits");
        assert_eq!(
            order(std::slice::from_ref(&vehicles)),
            "vehicles",
            "a parent that is not imported is not waited for"
        );
        let (own, circle) = (sync("own", &["own"]), [sync("a", &["b"]), sync("b", &["a"])]);
        assert_eq!(order(&[own]), "own");
        assert_eq!(order(&circle), "a b");
    }
}
