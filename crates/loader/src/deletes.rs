//! Deletes: only of records that Landbridge wrote, and never over something newer.

use std::time::Instant;

use landbridge_model::{HubSpotId, Outcome, SalesforceId, Version};
use landbridge_stage::StageError;

use crate::flight::Airline;
use crate::known::{DeleteJudgement, Known, judge_delete};
use crate::portal::Portal;
use crate::row::{End, Fate, Row};

impl Airline {
    /// Archives the records of these rows; gives each its fate, in their order.
    pub(crate) async fn delete(&self, portal: &Portal, rows: &mut [Row]) -> Result<Vec<Fate>, StageError> {
        let Some(first) = rows.first() else {
            return Ok(Vec::new());
        };
        let target = first.target.clone();
        self.context.lease.wait_to_send(portal.client.timeout()).await?;
        let ids: Vec<SalesforceId> = rows.iter().map(Row::id).collect();
        let found = match self
            .read(portal, &target.object_type, &target.id_property, &ids)
            .await
        {
            Ok(found) => found,
            Err(error) => return Ok(self.all_again(rows, &error).await),
        };
        let mut fates = Vec::with_capacity(rows.len());
        let mut archived: Vec<(usize, HubSpotId)> = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let remembered = self.tenant.memory.look(&target.object_type, row.id(), false)?;
            let known_id = found.get(&row.id()).map(|(id, _)| *id);
            let end = match judge_delete(found.get(&row.id()).copied(), remembered, row.version()) {
                DeleteJudgement::AlreadyGone => End::new(Outcome::Deleted, None).told(true),
                DeleteJudgement::NotOurs => End::new(Outcome::Kept, known_id),
                DeleteJudgement::Superseded => End::new(Outcome::Superseded, known_id),
                DeleteJudgement::Archive(id) => {
                    archived.push((place, id));
                    End::new(Outcome::Deleted, Some(id)).told(true)
                }
            };
            fates.push(Fate::Ended(end));
        }
        self.keep_deleted(rows, &archived).await?;
        if let Err(error) = self.archive(portal, &target.object_type, &archived).await? {
            let again = self.all_again(rows, &error).await;
            for (place, _) in archived {
                fates[place] = again[place].clone();
            }
        }
        self.remember_deleted(rows, &fates).await?;
        Ok(fates)
    }

    async fn archive(
        &self,
        portal: &Portal,
        object_type: &landbridge_model::ObjectTypeId,
        archived: &[(usize, HubSpotId)],
    ) -> Result<Result<(), landbridge_hubspot::Error>, StageError> {
        if archived.is_empty() {
            return Ok(Ok(()));
        }
        self.context.lease.wait_to_send(portal.client.timeout()).await?;
        let ids: Vec<HubSpotId> = archived.iter().map(|(_, id)| *id).collect();
        let began = Instant::now();
        let archived = portal.client.archive_records(self.share, object_type, &ids).await;
        self.count("batch-archive", &archived, began);
        Ok(archived)
    }

    /// A tombstone keeps an older row from bringing the record back.
    async fn remember_deleted(&self, rows: &[Row], fates: &[Fate]) -> Result<(), StageError> {
        let gone: Vec<(SalesforceId, Known)> = rows
            .iter()
            .zip(fates)
            .filter(|(_, fate)| matches!(fate, Fate::Ended(end) if end.outcome == Outcome::Deleted))
            .map(|(row, _)| (row.id(), Known::Gone(row.version())))
            .collect();
        match rows.first() {
            Some(first) => self.tenant.memory.remember(&first.target.object_type, gone).await,
            None => Ok(()),
        }
    }
}

/// Whether a delete may still be judged by memory alone: a newer version was applied, or it was deleted already.
pub(crate) fn settled_by_memory(known: Known, version: Version) -> Option<End> {
    match known {
        Known::Present(present)
            if present
                .version
                .is_some_and(|applied| version.is_superseded_by(applied)) =>
        {
            Some(End::new(Outcome::Superseded, Some(present.id)))
        }
        Known::Gone(gone) if version.is_superseded_by(gone) => Some(End::new(Outcome::Superseded, None)),
        Known::Gone(_) | Known::Absent => Some(End::new(Outcome::Deleted, None).told(true)),
        Known::Present(_) | Known::Nothing => None,
    }
}
