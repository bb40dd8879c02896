//! Undoing imports and revisions.

use std::collections::BTreeMap;

use landbridge_model::ask::ImportStatus;
use landbridge_model::before::LeftValue;
use landbridge_model::{ImportId, Revision, SyncName};

use super::TenantService;
use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::records::harmless;
use crate::ask::{
    AskRevisionUndo, ListLeft, RevisionUndo, RevisionUndoPlan, RevisionUndoStatus, UndoImport, UndoRevision,
};

impl TenantService {
    /// Begins to undo an import that kept what was there before it, and pauses its sync.
    pub async fn undo_import(&self, id: &ImportId) -> Result<ImportStatus, ServiceError> {
        self.require(Role::Operator)?;
        let question = UndoImport {
            id: id.clone(),
            by: self.caller.who.clone(),
        };
        self.audited("import.undone", id.as_str(), async {
            self.ask_control(&question).await?;
            Ok(((), Change::done().into()))
        })
        .await?;
        self.import(id).await
    }

    /// What undoing a revision would do, or how its undo stands.
    pub async fn revision_undo(
        &self,
        sync: &SyncName,
        revision: Revision,
    ) -> Result<RevisionUndo, ServiceError> {
        self.require(Role::Viewer)?;
        self.stored_sync(sync)?;
        let question = AskRevisionUndo {
            sync: sync.clone(),
            revision,
        };
        self.ask_control(&question).await
    }

    /// The undos of a sync's revisions that were begun.
    pub(crate) async fn revision_undos(
        &self,
        sync: &SyncName,
    ) -> Result<BTreeMap<Revision, RevisionUndoStatus>, ServiceError> {
        self.require(Role::Viewer)?;
        let key = self.stored_sync(sync)?.key();
        Ok(crate::undo::revision_undos(&self.service.inner.definitions, &key).await?)
    }

    /// Begins to undo a revision, if the sync's definition is the one that the caller has `seen`. Going back to another
    /// definition is an edit; undoing imports needs more.
    pub async fn undo_revision(
        &self,
        sync: &SyncName,
        revision: Revision,
        seen: &str,
    ) -> Result<RevisionUndo, ServiceError> {
        self.require(Role::Editor)?;
        let found = self.revision_undo(sync, revision).await?;
        let Some(plan) = &found.plan else {
            return Ok(found);
        };
        if plan.undone().next().is_some() {
            self.require(Role::Operator)?;
        }
        let change = self.undone_revision(sync, revision, plan).await?;
        let question = UndoRevision {
            sync: sync.clone(),
            revision,
            seen: seen.to_owned(),
            by: self.caller.who.clone(),
        };
        self.audited("sync.revision-undone", sync.as_str(), async {
            self.ask_control(&question).await?;
            Ok(((), change.into()))
        })
        .await?;
        self.revision_undo(sync, revision).await
    }

    /// The entry of a revision's undo: from the definition as it is to the one that comes back.
    async fn undone_revision(
        &self,
        sync: &SyncName,
        revision: Revision,
        plan: &RevisionUndoPlan,
    ) -> Result<Change, ServiceError> {
        let before = self.stored_sync(sync)?;
        let after = self.revision(sync, plan.back_to).await?;
        let imports: Vec<&str> = plan.undone().map(|import| import.id.as_str()).collect();
        let imports = match imports.as_slice() {
            [] => "no import is undone".to_owned(),
            some => format!("undone with it: {}", some.join(", ")),
        };
        let told = format!("{revision} is undone, back to {}; {imports}", plan.back_to);
        Ok(Change::between(Some(&before.definition), Some(&after.definition))?.with_detail(told))
    }

    /// What the undo of an import left as it is, by record.
    pub async fn left_by_undo(
        &self,
        id: &ImportId,
        request: &PageRequest,
    ) -> Result<Page<LeftValue>, ServiceError> {
        self.require(Role::Viewer)?;
        let left = self.ask_control(&ListLeft { id: id.clone() }).await?;
        paginate(left, LeftValue::key, request)
    }

    /// The same as a CSV file.
    pub async fn left_by_undo_csv(&self, id: &ImportId) -> Result<Vec<u8>, ServiceError> {
        self.require(Role::Viewer)?;
        let left = self.ask_control(&ListLeft { id: id.clone() }).await?;
        let file = || -> Result<Vec<u8>, csv::Error> {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record([
                "record id",
                "link",
                "hubspot id",
                "property",
                "now",
                "before",
                "why",
            ])?;
            for left in &left {
                let text = |text: &Option<String>| harmless(text.as_deref().unwrap_or_default()).into_owned();
                writer.write_record([
                    left.id.as_str(),
                    &self.salesforce_url(left.id),
                    &left.hubspot_id.map(|id| id.to_string()).unwrap_or_default(),
                    &harmless(&left.property),
                    &text(&left.now),
                    &text(&left.before),
                    &harmless(&left.reason),
                ])?;
            }
            writer.into_inner().map_err(|error| error.into_error().into())
        };
        file().map_err(|error| ServiceError::Internal(format!("the file cannot be written: {error}")))
    }
}
