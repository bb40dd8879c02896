//! Undoing imports.

use landbridge_model::ImportId;
use landbridge_model::ask::ImportStatus;
use landbridge_model::before::LeftValue;

use super::TenantService;
use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use super::records::harmless;
use crate::ask::{ListLeft, UndoImport};

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
